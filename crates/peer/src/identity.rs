//! Who a program is: a key, and what it signs with it. Whose signature something is.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::Signer as _;
use p256::ecdsa::signature::Verifier as _;
use wigwag_wire::{PeerId, PublicKey, signature};

use crate::dice::Dice;

/// Whoever signs for a peer.
pub trait Signer {
    /// The public half.
    fn key(&self) -> PublicKey;

    /// A signature over this, as it stands on the wire.
    fn sign(&self, message: &[u8]) -> String;
}

impl<S: Signer + ?Sized> Signer for Arc<S> {
    fn key(&self) -> PublicKey {
        (**self).key()
    }

    fn sign(&self, message: &[u8]) -> String {
        (**self).sign(message)
    }
}

/// A key that this program holds itself.
#[derive(Clone)]
pub struct Identity(Secret);

#[derive(Clone)]
enum Secret {
    Ed25519(ed25519_dalek::SigningKey),
    P256(p256::ecdsa::SigningKey),
}

impl Identity {
    /// A new key, Ed25519.
    pub fn new(dice: &mut Dice) -> Self {
        Self::ed25519(&dice.bytes())
    }

    /// The Ed25519 key of this seed.
    pub fn ed25519(seed: &[u8; 32]) -> Self {
        Self(Secret::Ed25519(ed25519_dalek::SigningKey::from_bytes(seed)))
    }

    /// The P-256 key of this number; `None` for the few that are none.
    pub fn p256(number: &[u8; 32]) -> Option<Self> {
        p256::ecdsa::SigningKey::from_slice(number).ok().map(|key| Self(Secret::P256(key)))
    }

    /// What [`Identity::ed25519`] or [`Identity::p256`] makes it of again. To be kept like a password.
    pub fn secret(&self) -> [u8; 32] {
        match &self.0 {
            Secret::Ed25519(key) => key.to_bytes(),
            Secret::P256(key) => key.to_bytes().into(),
        }
    }

    /// The id that is this key.
    pub fn id(&self) -> PeerId {
        self.key().id()
    }
}

impl Signer for Identity {
    fn key(&self) -> PublicKey {
        match &self.0 {
            Secret::Ed25519(key) => PublicKey::Ed25519(key.verifying_key().to_bytes()),
            Secret::P256(key) => PublicKey::P256(compressed(key.verifying_key())),
        }
    }

    fn sign(&self, message: &[u8]) -> String {
        match &self.0 {
            Secret::Ed25519(key) => BASE64URL_NOPAD.encode(&key.sign(message).to_bytes()),
            Secret::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                BASE64URL_NOPAD.encode(&signature.to_bytes())
            }
        }
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", self.key())
    }
}

/// Whether `signature` is `key`'s over `message`.
pub fn verify(key: &PublicKey, message: &[u8], signature: &str) -> bool {
    signature::verify(key, message, signature, |key, message, bytes| {
        let Ok(key) = p256::ecdsa::VerifyingKey::from_sec1_bytes(key) else { return false };
        p256::ecdsa::Signature::from_slice(bytes).is_ok_and(|signature| key.verify(message, &signature).is_ok())
    })
}

fn compressed(key: &p256::ecdsa::VerifyingKey) -> [u8; 33] {
    let mut bytes = [0; 33];
    bytes.copy_from_slice(key.to_sec1_point(true).as_bytes());
    bytes
}
