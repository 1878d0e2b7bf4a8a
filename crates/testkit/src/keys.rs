//! Keys that are the same in every run and in every language.

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};
use wigwag_wire::{PeerId, PublicKey};

/// An Ed25519 key made of a number, as `spec/vectors/README.md` says.
#[derive(Clone, Debug)]
pub struct TestKey(SigningKey);

impl TestKey {
    /// Test key number `n`.
    pub fn new(n: u64) -> Self {
        let secret = Sha256::digest(format!("wigwag test key {n}"));
        Self(SigningKey::from_bytes(&secret.into()))
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        PublicKey::Ed25519(self.0.verifying_key().to_bytes())
    }

    /// The id that is this key.
    pub fn id(&self) -> PeerId {
        self.public().id()
    }

    /// Its signature in text form.
    pub fn sign(&self, message: &[u8]) -> String {
        BASE64URL_NOPAD.encode(&self.0.sign(message).to_bytes())
    }
}
