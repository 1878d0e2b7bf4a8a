//! What two peers lock with the secret of a call.

use std::borrow::Cow;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use data_encoding::BASE64URL_NOPAD;
use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use wigwag_wire::request::INTEGER_MAX;

use super::{CallId, Half, Share, object, raw};

/// What is in a box: any of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// An offer or an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
    /// ICE candidates; `None` among them is the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidates: Option<Vec<Option<Candidate>>>,
    /// The call is over, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bye: Option<String>,
    /// Beside a description: whether the sender agrees to the relay.
    #[serde(default, skip_serializing_if = "std::ops::Not::not", with = "one")]
    pub relay: bool,
}

/// `1` for yes; anything else, and nothing, is no.
mod one {
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(is: &bool, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(u8::from(*is))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
        serde_json::Value::deserialize(deserializer).map(|value| value.as_f64() == Some(1.0))
    }
}

/// An offer or an answer of WebRTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Which.
    #[serde(rename = "type")]
    pub kind: DescriptionKind,
    /// Its text.
    #[serde(default)]
    pub sdp: String,
}

/// What a description is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DescriptionKind {
    /// An offer.
    Offer,
    /// An answer.
    Answer,
}

/// An ICE candidate as WebRTC writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Candidate {
    /// The attribute's text, from `candidate:` on.
    pub candidate: String,
    /// Of which media description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sdp_mid: Option<String>,
    /// The same, by its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sdp_m_line_index: Option<u16>,
    /// Of which search.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username_fragment: Option<String>,
}

impl Candidate {
    /// `host`, `srflx`, `prflx` or `relay`.
    pub fn kind(&self) -> &str {
        kind_of(&self.candidate)
    }
}

/// `host`, `srflx`, `prflx` or `relay`, as a line about a candidate says.
pub(crate) fn kind_of(line: &str) -> &str {
    let mut words = line.split(' ').skip_while(|word| *word != "typ");
    words.nth(1).unwrap_or("host")
}

/// A box on the wire.
#[derive(Debug, Serialize, Deserialize)]
pub struct BoxData<'a> {
    v: u64,
    #[serde(borrow)]
    call: Cow<'a, str>,
    i: u64,
    #[serde(borrow, rename = "box")]
    text: Cow<'a, str>,
}

/// What locks and unlocks the boxes of one call, on one side.
pub struct Seal {
    call: CallId,
    hails: bool,
    signals: Boxes,
    relay: Boxes,
}

/// Boxes of one purpose, counted by themselves.
struct Boxes {
    /// What stands before the count in the additional data.
    about: String,
    mine: Aes256Gcm,
    theirs: Aes256Gcm,
    sent: u64,
    taken: u64,
}

impl Seal {
    /// The seal of a call. `hails`: whether we hailed; `secret` belongs to our share. `None` where the other's share is no point.
    pub fn new(hails: bool, secret: &Share, hail: &Half, heed: &Half) -> Option<Self> {
        let secret = secret.agree(if hails { &heed.share } else { &hail.share })?;
        let salt = Sha256::digest(format!("{}\n{}", hail.statement, heed.statement));
        let derived = Hkdf::<Sha256>::new(Some(&salt), secret.raw_secret_bytes());
        let key = |who: &str| {
            let mut key = [0; 32];
            derived.expand(format!("wigwag.1 {who}").as_bytes(), &mut key).ok()?;
            Some(Aes256Gcm::new(&key.into()))
        };
        let boxes = |about: String, purpose: &str| {
            let (hailer, heeder) = (key(&format!("{purpose} hailer"))?, key(&format!("{purpose} heeder"))?);
            let (mine, theirs) = if hails { (hailer, heeder) } else { (heeder, hailer) };
            Some(Boxes { about, mine, theirs, sent: 0, taken: 0 })
        };
        let call = hail.call.clone();
        let signals = boxes(call.as_str().to_owned(), "seal")?;
        let relay = boxes(format!("{} relay", call.as_str()), "relay")?;
        Some(Self { call, hails, signals, relay })
    }

    /// Which call it is of.
    pub fn call(&self) -> &CallId {
        &self.call
    }

    /// Whether we hailed.
    pub fn hails(&self) -> bool {
        self.hails
    }

    /// The `data` of a signal that holds this.
    pub fn seal(&mut self, content: &Content) -> Option<Box<RawValue>> {
        self.seal_text(&serde_json::to_string(content).ok()?)
    }

    /// The same for content that is JSON already.
    pub fn seal_text(&mut self, content: &str) -> Option<Box<RawValue>> {
        self.signals.seal(&self.call, content.as_bytes())
    }

    /// What is in a box, as JSON; `None` where it does not open or came before.
    pub fn open_text(&mut self, data: &RawValue) -> Option<String> {
        String::from_utf8(self.signals.open(&self.call, data)?).ok()
    }

    /// The `data` of a `relay` request that holds these bytes.
    pub fn seal_relayed(&mut self, bytes: &[u8]) -> Option<Box<RawValue>> {
        self.relay.seal(&self.call, bytes)
    }

    /// What is in a box that was relayed; `None` where it does not open or came before.
    pub fn open_relayed(&mut self, data: &RawValue) -> Option<Vec<u8>> {
        self.relay.open(&self.call, data)
    }

    /// What is in a box; `None` where it does not open, came before, or holds something else.
    pub fn open(&mut self, data: &RawValue) -> Option<Content> {
        let text = self.open_text(data)?;
        serde_json::from_str(&text).ok().filter(|_| text.trim_start().starts_with('{'))
    }
}

impl Boxes {
    fn seal(&mut self, call: &CallId, bytes: &[u8]) -> Option<Box<RawValue>> {
        self.sent += 1;
        let i = self.sent;
        let about = format!("{} {i}", self.about);
        let payload = Payload { msg: bytes, aad: about.as_bytes() };
        let text = BASE64URL_NOPAD.encode(&self.mine.encrypt(&nonce(i), payload).ok()?);
        raw(&BoxData { v: 1, call: call.as_str().into(), i, text: text.into() })
    }

    fn open(&mut self, own: &CallId, data: &RawValue) -> Option<Vec<u8>> {
        let BoxData { v, call, i, text } = object(data)?;
        if v != 1 || call != own.as_str() || i <= self.taken || i > INTEGER_MAX {
            return None;
        }
        let sealed = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let about = format!("{} {i}", self.about);
        let open = self.theirs.decrypt(&nonce(i), Payload { msg: &sealed, aad: about.as_bytes() }).ok()?;
        self.taken = i;
        Some(open)
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Seal({})", self.call.as_str())
    }
}

fn nonce(i: u64) -> Nonce<aes_gcm::aead::consts::U12> {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&i.to_be_bytes());
    bytes.into()
}
