//! `spec/secret-rooms.md`: a room's name and key out of a secret that the server never sees, and boxes that it cannot open.

use std::borrow::Cow;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use data_encoding::BASE64URL_NOPAD;
use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::Sha256;

use crate::sealed::{object, raw};

/// Shorter ones are too easily guessed.
const CHARACTERS_MIN: usize = 16;

/// The bytes of a box's nonce, new for every box.
pub const NONCE_BYTES: usize = 12;

/// What a box is for: it opens as nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// What is said.
    Say,
    /// What a member shows of itself.
    Me,
    /// What the host leaves for the next.
    State,
    /// What every member sees of the room.
    Meta,
}

impl What {
    fn as_str(self) -> &'static str {
        match self {
            Self::Say => "say",
            Self::Me => "me",
            Self::State => "state",
            Self::Meta => "meta",
        }
    }
}

/// Whose box it is, as the server names it; both empty where nobody is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Owner<'a> {
    /// Its id.
    pub id: &'a str,
    /// Which of its programs.
    pub device: &'a str,
}

/// A secret that a person could have made up, and others guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret of a room has at least {CHARACTERS_MIN} characters, so that nobody guesses it")]
pub struct TooShort;

/// What comes of a secret.
pub struct Secret {
    name: String,
    key: Aes256Gcm,
}

#[derive(Serialize, Deserialize)]
struct Sealed<'a> {
    v: u64,
    #[serde(borrow)]
    nonce: Cow<'a, str>,
    #[serde(borrow, rename = "box")]
    text: Cow<'a, str>,
}

impl Secret {
    /// Of a secret and a title, which may be empty.
    pub fn new(secret: &str, title: &str) -> Result<Self, TooShort> {
        if secret.chars().count() < CHARACTERS_MIN {
            return Err(TooShort);
        }
        let base = Hkdf::<Sha256>::new(Some(b"wigwag.1 secret room"), secret.as_bytes());
        let part = |what: &str| {
            let mut bytes = [0; 32];
            let made = base.expand(format!("{what}\n{title}").as_bytes(), &mut bytes);
            debug_assert!(made.is_ok(), "32 bytes are not too many");
            bytes
        };
        Ok(Self { name: BASE64URL_NOPAD.encode(&part("name")), key: Aes256Gcm::new(&part("key").into()) })
    }

    /// What the room is called on the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Puts JSON into a box. The nonce must not have been used before.
    pub fn seal(&self, what: What, from: Owner<'_>, content: &str, nonce: [u8; NONCE_BYTES]) -> Option<Box<RawValue>> {
        let about = self.about(what, from);
        let payload = Payload { msg: content.as_bytes(), aad: about.as_bytes() };
        let sealed = self.key.encrypt(&Nonce::from(nonce), payload).ok()?;
        let (nonce, text) = (BASE64URL_NOPAD.encode(&nonce).into(), BASE64URL_NOPAD.encode(&sealed).into());
        raw(&Sealed { v: 1, nonce, text })
    }

    /// The JSON in a box, and the nonce by which it is known again; `None` where it does not open as this.
    pub fn open(&self, what: What, from: Owner<'_>, sealed: &RawValue) -> Option<(Box<RawValue>, [u8; NONCE_BYTES])> {
        let Sealed { v, nonce, text } = object(sealed)?;
        let nonce: [u8; NONCE_BYTES] = BASE64URL_NOPAD.decode(nonce.as_bytes()).ok()?.try_into().ok()?;
        let sealed = BASE64URL_NOPAD.decode(text.as_bytes()).ok().filter(|_| v == 1)?;
        let about = self.about(what, from);
        let payload = Payload { msg: &sealed, aad: about.as_bytes() };
        let content = self.key.decrypt(&Nonce::from(nonce), payload).ok()?;
        Some((RawValue::from_string(String::from_utf8(content).ok()?).ok()?, nonce))
    }

    fn about(&self, what: What, Owner { id, device }: Owner<'_>) -> String {
        ["wigwag.1 box", &self.name, what.as_str(), id, device].join("\n")
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}
