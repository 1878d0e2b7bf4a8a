//! How a Volli user proves its key: by a signature over a nonce of this socket, made for this server alone.

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};
use wigwag_hub::Hub;
use wigwag_wire::PublicKey;
use wigwag_wire::signature::verify;

use crate::turn::Turn;

/// What lets a user take its id over: made of the key that it proved.
pub(super) type Secret = [u8; 16];

/// A nonce, as it stands in a challenge.
pub(super) fn new_nonce(hub: &Hub) -> String {
    let mut nonce = [0; 16];
    hub.fill_random(&mut nonce);
    BASE64URL_NOPAD.encode(&nonce)
}

/// The secret of a user whose signature holds.
pub(super) fn prove(turn: &Turn<'_>, nonce: &str, user: &str, key: &str, signature: &str) -> Option<Secret> {
    let rules = turn.hub.rules();
    let proved = public_key(key)?;
    let signature = BASE64URL_NOPAD.encode(&decode::<64>(signature)?);
    let namespace = turn.arrival().namespace.as_ref().map_or("", |ns| ns.as_str());
    let statement = statement(&rules.server, nonce, namespace, user, &proved);
    verify(&proved, &statement, &signature, rules.p256).then(|| secret(&proved))
}

/// The secret that a proof of this key would give.
pub(super) fn secret_of(key: &str) -> Option<Secret> {
    public_key(key).map(|key| secret(&key))
}

/// The bytes that are signed. No field can hold a line feed.
fn statement(server: &str, nonce: &str, namespace: &str, user: &str, key: &PublicKey) -> Vec<u8> {
    format!("wigwag.1 volli\n{server}\n{nonce}\n{namespace}\n{user}\n{key}").into_bytes()
}

/// A key as Wigwag writes it, or the 32 bytes of an Ed25519 key in either alphabet of base64.
fn public_key(text: &str) -> Option<PublicKey> {
    PublicKey::parse(text).ok().or_else(|| decode::<32>(text).map(PublicKey::Ed25519))
}

fn secret(key: &PublicKey) -> Secret {
    let hash: [u8; 32] = Sha256::digest(format!("wigwag.1 volli secret\n{key}").as_bytes()).into();
    std::array::from_fn(|at| hash[at])
}

/// Bytes in base64 of either alphabet, padded or not.
fn decode<const LEN: usize>(text: &str) -> Option<[u8; LEN]> {
    if text.len() > LEN.div_ceil(3) * 4 {
        return None;
    }
    let plain = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    BASE64URL_NOPAD.decode(plain.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_in_every_spelling() {
        let key = PublicKey::Ed25519(std::array::from_fn(|at| 0xf8 | at as u8));
        let ours = key.to_string();
        let plain = ours.trim_start_matches("ed25519:");
        let padded = format!("{}=", plain.replace('-', "+").replace('_', "/"));
        for text in [&ours, plain, &padded] {
            assert_eq!(public_key(text), Some(key), "{text}");
        }
    }

    #[test]
    fn what_is_no_key_is_none() {
        for text in ["", "=", "abc", "ed25519:abc", &"A".repeat(42), &"A".repeat(44), &"A".repeat(100_000)] {
            assert_eq!(public_key(text), None);
        }
    }

    #[test]
    fn a_statement_names_its_purpose_and_everything_it_is_about() {
        let key = PublicKey::Ed25519([0; 32]);
        let bytes = statement("calls.example.org", "bm9uY2U", "app", "bob", &key);
        let text =
            "wigwag.1 volli\ncalls.example.org\nbm9uY2U\napp\nbob\ned25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(bytes, text.as_bytes());
    }
}
