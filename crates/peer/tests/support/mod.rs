//! What the tests of lines share.
#![allow(dead_code, clippy::unwrap_used)]

pub(crate) mod line;
pub(crate) mod link;
pub(crate) mod town;

use wigwag_peer::Dice;

/// Dice that fall the same way each time.
pub(crate) fn no_dice() -> Dice {
    dice(1)
}

/// Dice of a number.
pub(crate) fn dice(seed: u64) -> Dice {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    Dice::new(bytes)
}
