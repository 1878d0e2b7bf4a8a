//! The chain: a hash that grows with the file, piece by piece, and needs no memory.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// Where a chain stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    digest: Digest,
    bytes: u64,
}

impl Chain {
    /// Takes in the next piece: all but the last have [`PIECE_BYTES`](crate::PIECE_BYTES).
    pub fn add(&mut self, piece: &[u8]) {
        self.digest = Digest(Sha256::new().chain_update(self.digest.0).chain_update(piece).finalize().into());
        self.bytes += piece.len() as u64;
    }

    /// The hash so far.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How many bytes it has seen.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// The chain over some bytes, written as 64 hexadecimal digits.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl FromStr for Digest {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(drop)?;
        bytes.try_into().map(Self).map_err(drop)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}
