//! Time as the hub knows it: handed in, never asked for. Monotonic and wall time are two types so that they cannot be mixed.

use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// A point of monotonic time, in milliseconds since the shell's own beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

/// A point of wall time, in milliseconds since 1970. Only where something expires or is told to people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Wall(pub u64);

/// Both clocks at the same instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic.
    pub at: Moment,
    /// Wall.
    pub wall: Wall,
}

impl Moment {
    /// Later than everything.
    pub const NEVER: Self = Self(u64::MAX);
}

impl Add<u64> for Moment {
    type Output = Self;

    fn add(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }
}

impl Sub for Moment {
    type Output = u64;

    /// Milliseconds from `earlier` to here; nothing if it is later.
    fn sub(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<u64> for Wall {
    type Output = Self;

    fn add(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }
}
