//! Spans of time, counted so that millions of them take a few kilobytes.

use std::time::Duration;

use hdrhistogram::Histogram;

/// How long things took, to one part in a thousand.
#[derive(Clone, Debug)]
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        Self(Histogram::new_with_max(LONGEST_NS, 3).unwrap_or_else(|_| unreachable!("the bounds are constants")))
    }
}

/// What takes longer counts as this: no run waits so long.
const LONGEST_NS: u64 = 600_000_000_000;

impl Latency {
    /// Counts one more.
    pub fn add(&mut self, took: Duration) {
        self.0.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// What this share of them did not exceed (`0.99`), in microseconds; 0 where there are none.
    pub fn us(&self, share: f64) -> f64 {
        self.0.value_at_quantile(share) as f64 / 1_000.0
    }

    /// The longest, in microseconds.
    pub fn longest_us(&self) -> f64 {
        self.0.max() as f64 / 1_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_told_to_a_part_in_a_thousand() {
        let mut latency = Latency::default();
        assert_eq!((latency.count(), latency.us(0.5)), (0, 0.0));
        for us in 1..=1_000 {
            latency.add(Duration::from_micros(us));
        }
        assert_eq!(latency.count(), 1_000);
        for (share, us) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0)] {
            assert!((latency.us(share) - us).abs() <= us / 500.0, "{share}: {}", latency.us(share));
        }
        latency.add(Duration::from_secs(10_000));
        assert!((latency.longest_us() - 600e6).abs() < 1e6);
    }
}
