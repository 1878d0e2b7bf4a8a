//! Locks: a mutex that goes on after a panic, and a shard that knows when it is due without being locked.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::time::Moment;

/// A mutex that goes on after a panic: one bad input must not take every later one with it.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What has something to do by itself.
pub(crate) trait Timed {
    /// When. Asked at the end of each visit, so it must cost next to nothing.
    fn next_deadline(&self) -> Option<Moment>;
}

/// A part of the hub behind a lock of its own. Whoever leaves it writes down when it is due next, so that nobody has to enter to ask.
#[derive(Debug)]
pub(crate) struct Shard<T> {
    lock: Lock<T>,
    /// When it is due, written under the lock.
    due: AtomicU64,
    earliest: Arc<Earliest>,
}

/// A visit to a shard.
pub(crate) struct Visit<'s, T: Timed> {
    inside: MutexGuard<'s, T>,
    shard: &'s Shard<T>,
}

/// No later than the first deadline of all shards. It may be too early, where a deadline was put off: then a tick finds nothing to do.
#[derive(Debug)]
pub(crate) struct Earliest(AtomicU64);

impl<T: Timed> Shard<T> {
    pub(crate) fn new(value: T, earliest: Arc<Earliest>) -> Self {
        Self { lock: Lock::new(value), due: AtomicU64::new(Moment::NEVER.0), earliest }
    }

    pub(crate) fn lock(&self) -> Visit<'_, T> {
        Visit { inside: self.lock.lock(), shard: self }
    }

    /// Whether it has something to do by now.
    pub(crate) fn is_due(&self, now: Moment) -> bool {
        self.due() <= now
    }

    /// When it is due.
    pub(crate) fn due(&self) -> Moment {
        Moment(self.due.load(Ordering::Acquire))
    }
}

impl<T: Timed> Deref for Visit<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inside
    }
}

impl<T: Timed> DerefMut for Visit<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inside
    }
}

impl<T: Timed> Drop for Visit<'_, T> {
    fn drop(&mut self) {
        let due = self.inside.next_deadline().unwrap_or(Moment::NEVER);
        let before = self.shard.due();
        if due != before {
            self.shard.due.store(due.0, Ordering::Release);
            if due < before {
                self.shard.earliest.no_later_than(due);
            }
        }
    }
}

impl Earliest {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(Moment::NEVER.0)))
    }

    pub(crate) fn get(&self) -> Option<Moment> {
        let earliest = Moment(self.0.load(Ordering::Acquire));
        (earliest != Moment::NEVER).then_some(earliest)
    }

    /// Forgets what it was told. Done before the shards are looked at: a deadline that is set meanwhile is seen there or told here.
    pub(crate) fn forget(&self) {
        self.0.swap(Moment::NEVER.0, Ordering::AcqRel);
    }

    pub(crate) fn no_later_than(&self, due: Moment) {
        self.0.fetch_min(due.0, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Alarm(Option<Moment>);

    impl Timed for Alarm {
        fn next_deadline(&self) -> Option<Moment> {
            self.0
        }
    }

    #[test]
    fn the_earliest_deadline_is_known_without_entering_a_shard() {
        let earliest = Earliest::new();
        let shards = [Shard::new(Alarm(None), earliest.clone()), Shard::new(Alarm(None), earliest.clone())];
        assert_eq!(earliest.get(), None);
        shards[0].lock().0 = Some(Moment(70));
        shards[1].lock().0 = Some(Moment(50));
        assert_eq!(earliest.get(), Some(Moment(50)));
        assert_eq!(shards.iter().map(|s| s.is_due(Moment(60))).collect::<Vec<_>>(), [false, true]);
        // Put off: the shard knows at once, the hub when it looks.
        shards[1].lock().0 = None;
        assert_eq!((shards[1].due(), earliest.get()), (Moment::NEVER, Some(Moment(50))));
        earliest.forget();
        for shard in &shards {
            earliest.no_later_than(shard.due());
        }
        assert_eq!(earliest.get(), Some(Moment(70)));
    }
}
