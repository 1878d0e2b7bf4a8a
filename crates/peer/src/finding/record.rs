//! What a peer says of itself where no server vouches for it, signed and with an end.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use wigwag_wire::request::INTEGER_MAX;
use wigwag_wire::{Device, Namespace, PeerId, PublicKey};

use crate::identity::{Signer, verify};
use crate::json::stringify;
use crate::sealed::sha256;

/// No record lasts longer, in milliseconds.
const LONGEST_MS: u64 = 7 * 86_400_000;

/// Clocks may differ by so much.
const AHEAD_MS: u64 = 300_000;

/// A record. Times are milliseconds since 1970.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerRecord {
    v: u64,
    /// The app's world.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What the peer is called.
    pub id: String,
    /// Which of its programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Its key.
    pub key: String,
    /// When it was made.
    pub made: u64,
    /// When it ends.
    pub until: u64,
    /// How to reach the peer, in the words of the finder, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "even_null")]
    pub r#where: Option<Box<RawValue>>,
    signature: String,
}

/// What a record has to be about, and the time now, in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The app's world.
    pub namespace: &'a str,
    /// Whose.
    pub id: &'a str,
    /// By the wall clock.
    pub now: u64,
}

impl PeerRecord {
    /// A record of whoever signs. `None` where `where` is no JSON.
    pub fn new(
        signer: &dyn Signer,
        (namespace, id, device): (&Namespace, &PeerId, &Device),
        (made, until): (u64, u64),
        place: Option<&RawValue>,
    ) -> Option<Self> {
        let place = match place {
            Some(place) => Some(RawValue::from_string(stringify(place.get())?).ok()?),
            None => None,
        };
        let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let mut record = Self {
            v: 1,
            namespace: said(namespace.as_str()),
            id: id.as_str().to_owned(),
            device: said(device.as_str()),
            key: signer.key().to_string(),
            made,
            until,
            r#where: place,
            signature: String::new(),
        };
        record.signature = signer.sign(record.statement()?.as_bytes());
        Some(record)
    }

    /// Reads one; `None` where it is none.
    pub fn read(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok().filter(|_| json.trim_start().starts_with('{'))
    }

    /// The key that signed it, where it is a record of that id, good at that time. Whether the key belongs to the id is another question.
    pub fn is_good(&self, wanted: &Wanted<'_>) -> Option<PublicKey> {
        let Self { v, namespace, id, device, key, made, until, signature, .. } = self;
        let about = namespace.as_deref().unwrap_or_default() == wanted.namespace && id == wanted.id;
        let plain =
            !device.as_deref().unwrap_or_default().contains('\n') && *made <= INTEGER_MAX && *until <= INTEGER_MAX;
        let lasts = until > made && until - made <= LONGEST_MS;
        let now = wanted.now < *until && wanted.now.saturating_add(AHEAD_MS) >= *made;
        if *v != 1 || !about || !plain || !lasts || !now {
            return None;
        }
        let key = PublicKey::parse(key).ok()?;
        verify(&key, self.statement()?.as_bytes(), signature).then_some(key)
    }

    fn statement(&self) -> Option<String> {
        let Self { namespace, id, device, key, made, until, r#where: place, .. } = self;
        let [namespace, device] = [namespace, device].map(|text| text.as_deref().unwrap_or_default());
        let hash = match place {
            Some(place) => sha256(&stringify(place.get())?),
            None => String::new(),
        };
        Some(format!("wigwag.1 record\n{namespace}\n{id}\n{device}\n{key}\n{made}\n{until}\n{hash}"))
    }
}

fn even_null<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(d).map(Some)
}
