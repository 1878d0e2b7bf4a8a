//! What a signature is made over, and whether it holds.
//!
//! Every statement begins with a context line of its own and names the server, so that a signature made for one purpose or one server is worthless for another.
//! Fields are joined by line feeds; no field can contain one.

use data_encoding::BASE64URL_NOPAD;

use crate::key::PublicKey;

/// Checks ECDSA P-256 signatures: key (compressed point), message, signature (r and s, 64 bytes).
/// Handed in because the fast library for it does not compile everywhere that this crate does.
pub type P256Check = fn(&[u8; 33], &[u8], &[u8; 64]) -> bool;

/// The statement of a `hello`.
pub struct HelloStatement<'a> {
    /// The server's own name, from its challenge.
    pub server: &'a str,
    /// The nonce, as it stands in the challenge.
    pub nonce: &'a str,
    /// The namespace asked for.
    pub namespace: &'a str,
    /// The id asked for: a name, or the key's own id.
    pub id: &'a str,
    /// The device, empty where there is none.
    pub device: &'a str,
    /// The key that signs.
    pub key: &'a PublicKey,
}

impl HelloStatement<'_> {
    /// The bytes to sign.
    pub fn bytes(&self) -> Vec<u8> {
        let Self { server, nonce, namespace, id, device, key } = self;
        format!("wigwag.1 hello\n{server}\n{nonce}\n{namespace}\n{id}\n{device}\n{key}").into_bytes()
    }
}

/// The statement of a `name` request: a key that speaks for a name says who else does.
pub struct NameStatement<'a> {
    /// The server's own name.
    pub server: &'a str,
    /// The nonce of this socket's challenge.
    pub nonce: &'a str,
    /// The namespace.
    pub namespace: &'a str,
    /// The name.
    pub name: &'a str,
    /// `add`, `rotate` or `remove`.
    pub op: &'a str,
    /// The key that is added, that takes over, or that is removed.
    pub key: &'a PublicKey,
}

impl NameStatement<'_> {
    /// The bytes to sign.
    pub fn bytes(&self) -> Vec<u8> {
        let Self { server, nonce, namespace, name, op, key } = self;
        format!("wigwag.1 name\n{server}\n{nonce}\n{namespace}\n{name}\n{op}\n{key}").into_bytes()
    }
}

/// Whether `signature` (base64url without padding, 64 bytes) is `key`'s over `message`.
pub fn verify(key: &PublicKey, message: &[u8], signature: &str, p256: P256Check) -> bool {
    if signature.len() > 88 {
        return false;
    }
    let Ok(bytes) = BASE64URL_NOPAD.decode(signature.as_bytes()) else { return false };
    let Ok(bytes) = <[u8; 64]>::try_from(bytes) else { return false };
    match key {
        PublicKey::Ed25519(key) => {
            let Ok(key) = ed25519_dalek::VerifyingKey::from_bytes(key) else { return false };
            key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(&bytes)).is_ok()
        }
        PublicKey::P256(key) => p256(key, message, &bytes),
    }
}
