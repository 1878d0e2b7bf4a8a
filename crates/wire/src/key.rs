//! Public keys as they stand on the wire, and the ids that are made of them.

use std::fmt;

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::id::PeerId;

/// A peer's public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PublicKey {
    /// Ed25519, 32 bytes.
    Ed25519([u8; 32]),
    /// ECDSA on P-256 with SHA-256: the compressed point, 33 bytes.
    P256([u8; 33]),
}

/// Why a text is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither `ed25519:` nor `p256:`.
    #[error("a key begins with \"ed25519:\" or \"p256:\"")]
    UnknownKind,
    /// Not base64url without padding, or of the wrong length.
    #[error("a key is base64url without padding: 32 bytes for ed25519, 33 (compressed point) for p256")]
    BadBytes,
}

impl PublicKey {
    /// Reads `ed25519:<base64url>` or `p256:<base64url>`.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (kind, bytes) = text.split_once(':').ok_or(KeyError::UnknownKind)?;
        let bytes = |max: usize| {
            let raw = bytes.as_bytes();
            if raw.len() > 64 {
                return Err(KeyError::BadBytes);
            }
            BASE64URL_NOPAD.decode(raw).ok().filter(|b| b.len() == max).ok_or(KeyError::BadBytes)
        };
        match kind {
            "ed25519" => Ok(Self::Ed25519(bytes(32)?.try_into().map_err(|_| KeyError::BadBytes)?)),
            "p256" => {
                let point: [u8; 33] = bytes(33)?.try_into().map_err(|_| KeyError::BadBytes)?;
                if matches!(point[0], 2 | 3) { Ok(Self::P256(point)) } else { Err(KeyError::BadBytes) }
            }
            _ => Err(KeyError::UnknownKind),
        }
    }

    /// The bytes after the kind.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(b) => b,
            Self::P256(b) => b,
        }
    }

    /// The word before the colon.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "ed25519",
            Self::P256(_) => "p256",
        }
    }

    /// The id that is this key: base32 of the first 20 bytes of SHA-256 over the key's text form.
    pub fn id(&self) -> PeerId {
        let hash = Sha256::digest(self.to_string().as_bytes());
        let text = BASE32_NOPAD.encode(&hash[..20]).to_ascii_lowercase();
        PeerId::new(&text).unwrap_or_else(|_| unreachable!("32 letters and digits are a good id"))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), BASE64URL_NOPAD.encode(self.bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}
