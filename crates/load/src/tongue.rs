//! What is said to a server: the few words that calls, rooms and look-ups need.

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use wigwag_wire::PublicKey;
use wigwag_wire::signature::HelloStatement;

use crate::target::Target;

/// A protocol, and who one is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tongue {
    /// That of relays which only relay: a peer is the number of the path that it opens.
    Bare,
    /// `wigwag.1`, as a guest.
    Guest,
    /// `wigwag.1`, with a key of its own.
    Keyed,
    /// PeerJS.
    PeerJs,
}

/// What a text from the server means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Say this back.
    Reply(String),
    /// The peer is registered and is called so.
    Registered(String),
    /// A message of another peer.
    Message,
    /// The answer to a request.
    Answer,
    /// Something that happened to others: a member came, a peer went.
    News,
    /// The server refused something, with this code.
    Refused(u16),
    /// The socket is gone.
    Closed,
    /// Nothing of interest.
    Other,
}

/// What the peers of one crowd have in common, so that two crowds never share an id.
#[derive(Clone, Debug)]
pub(crate) struct Seed([u8; 32]);

impl Seed {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    fn word(&self) -> String {
        data_encoding::HEXLOWER.encode(self.0.get(..6).unwrap_or_default())
    }

    fn key(&self, number: usize) -> SigningKey {
        let mut secret = self.0;
        for (byte, more) in secret.iter_mut().zip(number.to_le_bytes()) {
            *byte ^= more;
        }
        SigningKey::from_bytes(&secret)
    }
}

impl Tongue {
    /// The path that the peer with this number opens.
    pub(crate) fn path(self, target: &Target, seed: &Seed, number: usize) -> String {
        match self {
            Self::Bare => format!("/{number}"),
            Self::Guest | Self::Keyed => target.path.clone(),
            Self::PeerJs => format!("/peerjs?key=peerjs&id={}-{number}&token=t&version=1.5.5", seed.word()),
        }
    }

    /// What the peer with this number is called from the upgrade on, if it is.
    pub(crate) fn name_at_once(self, number: usize) -> Option<String> {
        (self == Self::Bare).then(|| number.to_string())
    }

    /// A message to the peer of that name, from one who took in so many messages.
    pub(crate) fn message(self, to: &str, body: &str, seen: Option<u64>) -> String {
        match self {
            Self::Bare => format!("{{\"to\":{to},\"data\":\"{body}\"}}"),
            Self::Guest | Self::Keyed => {
                let seen = seen.map(|seen| format!(",\"seen\":{seen}")).unwrap_or_default();
                format!("{{\"type\":\"signal\",\"to\":\"{to}\",\"kind\":\"offer\",\"data\":\"{body}\"{seen}}}")
            }
            Self::PeerJs => format!("{{\"type\":\"OFFER\",\"payload\":\"{body}\",\"dst\":\"{to}\"}}"),
        }
    }

    /// What a text to the peer with this number means.
    pub(crate) fn hear(self, text: &[u8], target: &Target, seed: &Seed, number: usize) -> Heard {
        match self {
            Self::Bare => Heard::Message,
            // The load shares its machine with the server, so the common cases are told without parsing.
            Self::Guest | Self::Keyed => match word(text) {
                b"signal" => Heard::Message,
                b"room.member" | b"presence" | b"said" | b"published" => Heard::News,
                b"ack" | b"done" | b"found" | b"room.joined" => Heard::Answer,
                b"challenge" => hello(text, self, target, seed, number),
                b"welcome" => Heard::Registered(field(text, "id")),
                b"error" => {
                    let code = serde_json::from_slice::<Value>(text).ok().and_then(|error| error["code"].as_u64());
                    Heard::Refused(code.and_then(|code| u16::try_from(code).ok()).unwrap_or_default())
                }
                _ => Heard::Other,
            },
            Self::PeerJs => match field(text, "type").as_str() {
                "OFFER" => Heard::Message,
                "OPEN" => Heard::Registered(format!("{}-{number}", seed.word())),
                "ERROR" | "ID-TAKEN" | "EXPIRE" => Heard::Refused(0),
                _ => Heard::Other,
            },
        }
    }
}

/// The type of a native message, which the server writes first.
fn word(text: &[u8]) -> &[u8] {
    let rest = text.strip_prefix(b"{\"type\":\"").unwrap_or_default();
    rest.split(|byte| *byte == b'"').next().unwrap_or_default()
}

/// A text field of a message, wherever it stands.
fn field(text: &[u8], name: &str) -> String {
    // Without a parser where it can be: one key after another is looked at.
    let key = format!("\"{name}\":\"");
    let found = memchr::memmem::find(text, key.as_bytes()).and_then(|at| text.get(at + key.len()..));
    let value = found.and_then(|rest| rest.split(|byte| *byte == b'"').next()).unwrap_or_default();
    String::from_utf8_lossy(value).into_owned()
}

fn hello(challenge: &[u8], tongue: Tongue, target: &Target, seed: &Seed, number: usize) -> Heard {
    let mut hello = json!({ "type": "hello" });
    if !target.namespace.is_empty() {
        hello["namespace"] = target.namespace.clone().into();
    }
    if tongue == Tongue::Keyed {
        let signing = seed.key(number);
        let text = format!("ed25519:{}", BASE64URL_NOPAD.encode(signing.verifying_key().as_bytes()));
        let Ok(key) = PublicKey::parse(&text) else { return Heard::Other };
        let statement = HelloStatement {
            server: &field(challenge, "server"),
            nonce: &field(challenge, "nonce"),
            namespace: &target.namespace,
            id: &key.id().to_string(),
            device: "",
            key: &key,
        };
        hello["key"] = text.into();
        hello["signature"] = BASE64URL_NOPAD.encode(&signing.sign(&statement.bytes()).to_bytes()).into();
    }
    Heard::Reply(hello.to_string())
}
