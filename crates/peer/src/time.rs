//! Time as a peer knows it: handed in, never asked for.

use std::ops::{Add, Sub};

/// A point of time, in milliseconds of a clock that never goes back. Where it begins is the driver's affair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

impl Moment {
    /// Later than everything.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    /// The earlier of two.
    pub(crate) fn or(self, other: Self) -> Self {
        self.min(other)
    }

    /// `None` for what never comes.
    pub(crate) fn known(self) -> Option<Self> {
        (self != Self::NEVER).then_some(self)
    }
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
