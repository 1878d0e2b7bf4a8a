//! The two clocks of this machine, as the hub is told them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use wigwag_hub::{Moment, Now, Wall};

/// Both clocks. Monotonic time begins when it is made.
#[derive(Debug)]
pub struct Clock {
    begun: Instant,
    /// What the wall clock showed when the other one began, as far as is known: only a clock that is put right changes that.
    begun_wall: AtomicU64,
}

impl Clock {
    /// A clock that begins now.
    pub fn start() -> Self {
        let clock = Self { begun: Instant::now(), begun_wall: AtomicU64::new(0) };
        clock.look_at_the_wall();
        clock
    }

    /// What both show.
    pub fn now(&self) -> Now {
        self.at(Instant::now())
    }

    /// What both showed at an instant.
    pub fn at(&self, instant: Instant) -> Now {
        let at = millis(instant.saturating_duration_since(self.begun));
        let wall = self.begun_wall.load(Ordering::Relaxed).saturating_add(at);
        Now { at: Moment(at), wall: Wall(wall) }
    }

    /// Looks whether the wall clock was put right. Whoever wants it to be right must ask now and then: a message must not cost that.
    pub fn look_at_the_wall(&self) {
        let at = millis(self.begun.elapsed());
        // A wall clock from before 1970 is as good as none.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.begun_wall.store(millis(wall).saturating_sub(at), Ordering::Relaxed);
    }
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
