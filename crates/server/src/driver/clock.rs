//! The two clocks of this machine, as the hub is told them.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use wigwag_hub::{Moment, Now, Wall};

/// Both clocks. Monotonic time begins when it is made.
#[derive(Clone, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that begins now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// What both show.
    pub fn now(&self) -> Now {
        let at = u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX);
        // A wall clock from before 1970 is as good as none.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { at: Moment(at), wall: Wall(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)) }
    }
}
