//! Requests about the peer itself and about other peers.

use std::borrow::Cow;

use super::fields::{Fields, INTEGER_MAX, LIST_MAX, bad, missing};
use crate::code::{Code, Refusal};
use crate::foreign::Foreign;
use crate::id::{Device, Kind, Namespace, PeerId};
use crate::key::PublicKey;
use crate::limits::Limits;
use crate::raw::Content;
use crate::signature::HelloStatement;

/// Most capabilities of a hello.
pub const CAPABILITIES_MAX: usize = 16;

/// Longest resume token, in bytes.
pub const TOKEN_MAX: usize = 128;

/// Longest text of a signature that is looked at, in bytes.
pub const SIGNATURE_MAX: usize = 128;

/// Who the peer is, and the proof of it.
#[derive(Debug, Clone)]
pub struct Hello {
    /// The version of the protocol the peer speaks; 1.
    pub version: u32,
    /// The namespace; the server's default one where it is left out.
    pub namespace: Option<Namespace>,
    /// The public key; without it the peer is a guest.
    pub key: Option<PublicKey>,
    /// A name `local@domain`; left out, the key's own id.
    pub id: Option<PeerId>,
    /// Which of several programs of the same id this is.
    pub device: Option<Device>,
    /// Signature over the hello statement, base64url.
    pub signature: Option<String>,
    /// The session to go on with.
    pub resume: Option<Resume>,
    /// What the peer can do beyond the base protocol; unknown ones are ignored.
    pub capabilities: Vec<String>,
}

/// The session to go on with, and how much of it arrived.
#[derive(Debug, Clone)]
pub struct Resume {
    /// The token of the last `welcome`.
    pub token: String,
    /// How many counted frames were taken in.
    pub seen: u64,
}

/// Where is this id?
#[derive(Debug)]
pub struct Find {
    /// The id.
    pub id: PeerId,
}

/// Ids to watch or to stop watching.
#[derive(Debug)]
pub struct Watch {
    /// The ids.
    pub ids: Vec<PeerId>,
}

/// An opaque message from peer to peer.
#[derive(Debug)]
pub struct Signal<'a> {
    /// The receiver's id; checked to be a good one.
    pub to: Cow<'a, str>,
    /// One device of the receiver; left out, all of them.
    pub device: Option<Cow<'a, str>>,
    /// What it is.
    pub kind: Cow<'a, str>,
    /// The content: any JSON, passed on byte for byte.
    pub data: Content<'a>,
    /// For how many seconds to keep it if the receiver is absent.
    pub store: u64,
    /// The frame that it came in, where the sender speaks a dialect.
    pub foreign: Option<Foreign<'a>>,
}

/// Data of a connection whose peers found no other path.
#[derive(Debug)]
pub struct Relay<'a> {
    /// The receiver's id; checked to be a good one.
    pub to: Cow<'a, str>,
    /// The receiver's device; left out, the empty one.
    pub device: Cow<'a, str>,
    /// The content: any JSON, passed on byte for byte.
    pub data: Content<'a>,
}

/// My session is over.
#[derive(Debug)]
pub struct Bye {}

/// Give me ICE servers afresh.
#[derive(Debug)]
pub struct Ice {}

/// A change of the keys that speak for the session's name.
#[derive(Debug)]
pub struct NameChange {
    /// What to do.
    pub op: NameOp,
    /// The key that is added, takes over or is removed.
    pub key: PublicKey,
    /// The session's key over the name statement.
    pub signature: String,
}

/// What a [`NameChange`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameOp {
    /// The key speaks for the name too.
    Add,
    /// The key speaks for the name instead of the session's key.
    Rotate,
    /// The key no longer speaks for the name.
    Remove,
}

impl NameOp {
    /// The word on the wire and in the statement.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Rotate => "rotate",
            Self::Remove => "remove",
        }
    }
}

/// How many counted frames were taken in.
#[derive(Debug)]
pub struct Seen {
    /// The count.
    pub seen: u64,
}

impl Hello {
    /// What a peer with this key signs at a server, in answer to a nonce: the fields as they stand in the hello.
    pub fn statement(&self, server: &str, nonce: &str, key: &PublicKey) -> Vec<u8> {
        let own = self.id.is_none().then(|| key.id());
        let id = self.id.as_ref().or(own.as_ref());
        HelloStatement {
            server,
            nonce,
            namespace: self.namespace.as_ref().map_or("", Namespace::as_str),
            id: id.map_or("", PeerId::as_str),
            device: self.device.as_ref().map_or("", Device::as_str),
            key,
        }
        .bytes()
    }

    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            version: fields.count("version", 0)?.unwrap_or(1),
            namespace: fields.name("namespace", Namespace::new)?,
            key: fields.key("key")?,
            id: fields.name("id", PeerId::new)?,
            device: fields.name("device", Device::new)?,
            signature: fields.short_text("signature", SIGNATURE_MAX, Code::BadSignature)?,
            resume: fields.object("resume")?.map(|resume| Resume::read(&resume)).transpose()?,
            capabilities: fields
                .list("capabilities", (0, CAPABILITIES_MAX), |text| Kind::check(text).map(|()| text.to_owned()))?
                .unwrap_or_default(),
        })
    }
}

impl Resume {
    fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            token: fields.short_text("token", TOKEN_MAX, Code::BadField)?.ok_or_else(|| missing("token"))?,
            seen: fields.integer("seen", 0, INTEGER_MAX)?.unwrap_or(0),
        })
    }
}

impl Find {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { id: fields.needed("id", PeerId::new)? })
    }
}

impl Watch {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { ids: fields.list("ids", (1, LIST_MAX), PeerId::new)?.ok_or_else(|| missing("ids"))? })
    }
}

impl<'a> Signal<'a> {
    pub(super) fn read(fields: &Fields<'a>, limits: &Limits) -> Result<Self, Refusal> {
        let longest = if limits.stored_seconds == 0 { INTEGER_MAX } else { limits.stored_seconds };
        Ok(Self {
            to: fields.checked("to", PeerId::check)?,
            device: device(fields)?,
            kind: fields.checked("kind", Kind::check)?,
            data: fields.content("data")?,
            store: fields.integer("store", 0, longest)?.unwrap_or(0),
            foreign: None,
        })
    }
}

impl<'a> Relay<'a> {
    pub(super) fn read(fields: &Fields<'a>) -> Result<Self, Refusal> {
        Ok(Self {
            to: fields.checked("to", PeerId::check)?,
            device: device(fields)?.unwrap_or_default(),
            data: fields.content("data")?,
        })
    }
}

impl NameChange {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        let op = match fields.text("op")?.as_deref() {
            Some("add") => NameOp::Add,
            Some("rotate") => NameOp::Rotate,
            Some("remove") => NameOp::Remove,
            Some(_) => return Err(bad("op", "must be add, rotate or remove")),
            None => return Err(missing("op")),
        };
        let signature = fields.short_text("signature", SIGNATURE_MAX, Code::BadSignature)?;
        Ok(Self {
            op,
            key: fields.key("key")?.ok_or_else(|| missing("key"))?,
            signature: signature.ok_or_else(|| missing("signature"))?,
        })
    }
}

impl Seen {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { seen: fields.integer("seen", 0, INTEGER_MAX)?.ok_or_else(|| missing("seen"))? })
    }
}

/// The device that is named, if one is.
fn device<'a>(fields: &Fields<'a>) -> Result<Option<Cow<'a, str>>, Refusal> {
    match fields.text("device")? {
        Some(device) => Device::check(&device).map(|()| Some(device)).map_err(|why| bad("device", why)),
        None => Ok(None),
    }
}
