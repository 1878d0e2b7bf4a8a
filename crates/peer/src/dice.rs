//! Chance that is handed in: the same seed gives the same peer.

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

/// A peer's only source of chance. Its secrets come from here, so a real peer's seed comes from the operating system.
#[derive(Clone)]
pub struct Dice(ChaCha12Rng);

impl Dice {
    /// Dice that fall as the seed says.
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    /// A number below `span`, which is nothing for a span of nothing.
    pub(crate) fn within(&mut self, span: u64) -> u64 {
        if span == 0 { 0 } else { self.0.next_u64() % span }
    }

    /// Bytes that nobody can guess.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

impl std::fmt::Debug for Dice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dice")
    }
}
