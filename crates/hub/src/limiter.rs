//! How often something may happen: the generic cell rate algorithm, in eight bytes.

use std::sync::atomic::{AtomicU64, Ordering};

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

/// The same for things of different sizes: so many bytes per second, and so many at once. 0 per second is no limit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ByteLimiter(u64);

impl ByteLimiter {
    /// Counts so many bytes, or says after how many milliseconds they would keep the rate. What is larger than the burst passes
    /// where nothing else did for a while.
    pub(crate) fn take(&mut self, now: Moment, bytes: u64, per_second: u64, burst: u64) -> Result<(), u64> {
        self.0 = after(self.0, now, bytes, per_second, burst)?;
        Ok(())
    }
}

/// A [`ByteLimiter`] that all threads share.
#[derive(Debug, Default)]
pub(crate) struct SharedByteLimiter(AtomicU64);

impl SharedByteLimiter {
    /// As [`ByteLimiter::take`].
    pub(crate) fn take(&self, now: Moment, bytes: u64, per_second: u64, burst: u64) -> Result<(), u64> {
        let mut wait = 0;
        let next = |at| after(at, now, bytes, per_second, burst).map_err(|ms| wait = ms).ok();
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).map(drop).map_err(|_| wait)
    }
}

/// The theoretical time, in microseconds, after so many bytes more, or the milliseconds until they keep the rate.
fn after(at: u64, now: Moment, bytes: u64, per_second: u64, burst: u64) -> Result<u64, u64> {
    if per_second == 0 {
        return Ok(at);
    }
    let us = |bytes: u64| bytes.saturating_mul(1_000_000) / per_second;
    let now_us = now.0.saturating_mul(1_000);
    let next = at.max(now_us).saturating_add(us(bytes));
    let allowed = now_us.saturating_add(us(burst.max(bytes)));
    if next > allowed { Err((next - allowed).div_ceil(1_000)) } else { Ok(next) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_pass_in_a_burst_and_then_at_their_rate() {
        let (mut own, shared, now) = (ByteLimiter::default(), SharedByteLimiter::default(), Moment(1_000));
        for limiter in
            [&mut |now, bytes| own.take(now, bytes, 3_000_000, 9_000) as Result<(), u64>, &mut |now, bytes| {
                shared.take(now, bytes, 3_000_000, 9_000)
            }] as [&mut dyn FnMut(Moment, u64) -> Result<(), u64>; 2]
        {
            assert_eq!(limiter(now, 4_000), Ok(()));
            assert_eq!(limiter(now, 5_000), Ok(()));
            assert_eq!(limiter(now, 3_000), Err(1));
            assert_eq!(limiter(now + 1, 3_000), Ok(()));
            // One that is larger than the burst waits until all else is forgotten.
            assert_eq!(limiter(now + 2, 90_000), Err(2));
            assert_eq!(limiter(now + 4, 90_000), Ok(()));
            assert_eq!(limiter(now + 4, 1), Err(27));
        }
    }

    #[test]
    fn no_number_of_bytes_is_too_large_to_reckon_with() {
        let mut limiter = ByteLimiter::default();
        assert_eq!(limiter.take(Moment(u64::MAX), u64::MAX, 1, u64::MAX), Ok(()));
        assert_eq!(limiter.take(Moment(0), 1, u64::MAX, 0), Err(u64::MAX / 1_000 + 1));
        assert_eq!(ByteLimiter::default().take(Moment(0), u64::MAX, 0, 0), Ok(()));
    }

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
