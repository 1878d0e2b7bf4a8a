//! How often something may happen: the generic cell rate algorithm, in eight bytes.

use crate::time::Moment;

/// The state of one rate: the theoretical time of the next event that keeps it, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limiter(u64);

/// A rate: so many per so many milliseconds, and so many at once. A count of 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many per `period_ms`.
    pub count: u64,
    /// The period in milliseconds.
    pub period_ms: u64,
    /// How many at once; at least one.
    pub burst: u64,
}

impl Rate {
    /// So many per second.
    pub const fn per_second(count: u64, burst: u64) -> Self {
        Self { count, period_ms: 1_000, burst }
    }

    /// So many per minute.
    pub const fn per_minute(count: u64, burst: u64) -> Self {
        Self { count, period_ms: 60_000, burst }
    }

    fn interval_us(self) -> u64 {
        (self.period_ms * 1_000 / self.count).max(1)
    }
}

impl Limiter {
    /// Counts one event, or says after how many milliseconds one would keep the rate.
    pub fn take(&mut self, now: Moment, rate: Rate) -> Result<(), u64> {
        self.check(now, rate)?;
        if rate.count != 0 {
            self.0 = self.0.max(now.0.saturating_mul(1_000)) + rate.interval_us();
        }
        Ok(())
    }

    /// Whether one event now would keep the rate, without counting it.
    pub(crate) fn check(&self, now: Moment, rate: Rate) -> Result<(), u64> {
        if rate.count == 0 {
            return Ok(());
        }
        let now_us = now.0.saturating_mul(1_000);
        let ahead = self.0.saturating_sub(now_us);
        let allowed = rate.interval_us() * (rate.burst.max(1) - 1);
        if ahead > allowed { Err((ahead - allowed).div_ceil(1_000)) } else { Ok(()) }
    }

    /// Whether it has forgotten everything: as good as new.
    pub(crate) fn is_idle(&self, now: Moment) -> bool {
        self.0 <= now.0.saturating_mul(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate_holds_and_the_wait_told_is_enough() {
        let rate = Rate::per_second(10, 5);
        let mut limiter = Limiter::default();
        let now = Moment(1_000);
        for _ in 0..5 {
            assert_eq!(limiter.take(now, rate), Ok(()));
        }
        let wait = limiter.take(now, rate).expect_err("a sixth at once");
        assert_eq!(limiter.take(now + (wait - 1), rate), Err(1));
        assert_eq!(limiter.take(now + wait, rate), Ok(()));
        assert!(limiter.is_idle(now + 10_000));
    }

    #[test]
    fn zero_is_no_limit() {
        let mut limiter = Limiter::default();
        for _ in 0..10_000 {
            assert_eq!(limiter.take(Moment(0), Rate::per_second(0, 0)), Ok(()));
        }
    }
}
