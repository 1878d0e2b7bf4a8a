//! Requests about rooms.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::fields::{Fields, INTEGER_MAX, LIST_MAX, bad, missing, within};
use crate::code::{Code, Refusal};
use crate::foreign::Foreign;
use crate::id::{Device, PeerId, RoomName};
use crate::limits::Limits;
use crate::raw::Content;

/// Longest password, in bytes.
pub const PASSWORD_MAX: usize = 128;

/// Longest reason of a kick or a ban, in bytes.
pub const REASON_MAX: usize = 256;

/// Longest text that is looked at for a join code, in bytes.
pub const CODE_TEXT_MAX: usize = 64;

/// Who may act in a room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum Mode {
    /// The host alone.
    #[default]
    #[serde(rename = "HOST_ONLY")]
    HostOnly,
    /// Every member.
    #[serde(rename = "FREE_FOR_ALL")]
    FreeForAll,
}

/// What a host may set about a room. Absent fields stay as they are (or at their default).
#[derive(Debug, Default)]
pub struct RoomOptions<'a> {
    /// Most members.
    pub capacity: Option<u32>,
    /// Whether `room.list` shows the room.
    pub listed: Option<bool>,
    /// Whether newcomers are turned away.
    pub locked: Option<bool>,
    /// Who may `say`.
    pub mode: Option<Mode>,
    /// A password that the server checks; an empty one takes it away.
    pub password: Option<String>,
    /// Metadata that every member sees; `null` takes it away.
    pub meta: Option<&'a RawValue>,
    /// Seconds that the empty room stays.
    pub linger: Option<u32>,
    /// Seconds of silence in the room after which a member is dropped; 0 is never.
    pub idle: Option<u32>,
}

/// Make a room and be its host.
#[derive(Debug)]
pub struct RoomCreate<'a> {
    /// Its name; left out, the server makes one.
    pub room: Option<RoomName>,
    /// Whether to make a join code at once.
    pub code: bool,
    /// What the others see of me.
    pub me: Option<&'a RawValue>,
    /// The room's options: fields of the same object.
    pub options: RoomOptions<'a>,
}

/// Enter a room by name or by code.
#[derive(Debug)]
pub struct RoomJoin<'a> {
    /// Its name.
    pub room: Option<RoomName>,
    /// Or its join code, as a person typed it.
    pub code: Option<String>,
    /// The password, where the room has one.
    pub password: Option<String>,
    /// Make the room (with defaults) if it is not there.
    pub create: bool,
    /// What the others see of me.
    pub me: Option<&'a RawValue>,
}

/// A request about a room that needs nothing else.
#[derive(Debug)]
pub struct RoomOnly {
    /// The room.
    pub room: RoomName,
}

/// Which rooms are there?
#[derive(Debug)]
pub struct RoomList {
    /// Names after this one.
    pub after: Option<RoomName>,
    /// At most so many.
    pub limit: Option<u32>,
}

/// The host changes options.
#[derive(Debug)]
pub struct RoomSet<'a> {
    /// The room.
    pub room: RoomName,
    /// The host's term.
    pub term: u64,
    /// What changes: fields of the same object.
    pub options: RoomOptions<'a>,
}

/// The host does something to a member or an id.
#[derive(Debug)]
pub struct RoomTarget {
    /// The room.
    pub room: RoomName,
    /// The host's term.
    pub term: u64,
    /// The id.
    pub id: PeerId,
    /// One device of it; left out, all of them (for a transfer: the one that is there longest).
    pub device: Option<Device>,
    /// For the one concerned: why.
    pub reason: Option<String>,
}

/// The host leaves state for the next host.
#[derive(Debug)]
pub struct RoomState<'a> {
    /// The room.
    pub room: RoomName,
    /// The host's term.
    pub term: u64,
    /// The state.
    pub state: &'a RawValue,
}

/// Change what the others see of me.
#[derive(Debug)]
pub struct RoomMe<'a> {
    /// The room.
    pub room: RoomName,
    /// The new metadata; `null` takes it away.
    pub me: &'a RawValue,
}

/// Say something to a room.
#[derive(Debug)]
pub struct Say<'a> {
    /// The room.
    pub room: Cow<'a, str>,
    /// Only to these members; left out, to all others.
    pub to: Option<Vec<PeerId>>,
    /// The content.
    pub data: Content<'a>,
    /// The frame that it came in, where the sender speaks a dialect.
    pub foreign: Option<Foreign<'a>>,
}

fn room(fields: &Fields<'_>) -> Result<RoomName, Refusal> {
    fields.needed("room", RoomName::new)
}

fn term(fields: &Fields<'_>) -> Result<u64, Refusal> {
    fields.integer("term", 0, INTEGER_MAX)?.ok_or_else(|| missing("term"))
}

fn password(fields: &Fields<'_>) -> Result<Option<String>, Refusal> {
    fields.short_text("password", PASSWORD_MAX, Code::TooLarge)
}

impl<'a> RoomOptions<'a> {
    fn read(fields: &Fields<'a>, limits: &Limits) -> Result<Self, Refusal> {
        Ok(Self {
            capacity: fields.count("capacity", 1)?,
            listed: fields.flag("listed")?,
            locked: fields.flag("locked")?,
            mode: match fields.text("mode")?.as_deref() {
                Some("HOST_ONLY") => Some(Mode::HostOnly),
                Some("FREE_FOR_ALL") => Some(Mode::FreeForAll),
                Some(_) => return Err(bad("mode", "must be HOST_ONLY or FREE_FOR_ALL")),
                None => None,
            },
            password: password(fields)?,
            meta: fields.small("meta", limits.meta_bytes)?,
            linger: fields.count("linger", 0)?,
            idle: fields.count("idle", 0)?,
        })
    }
}

impl<'a> RoomCreate<'a> {
    pub(super) fn read(fields: &Fields<'a>, limits: &Limits) -> Result<Self, Refusal> {
        Ok(Self {
            room: fields.name("room", RoomName::new)?,
            code: fields.flag("code")?.unwrap_or(false),
            me: fields.small("me", limits.meta_bytes)?,
            options: RoomOptions::read(fields, limits)?,
        })
    }
}

impl<'a> RoomJoin<'a> {
    pub(super) fn read(fields: &Fields<'a>, limits: &Limits) -> Result<Self, Refusal> {
        let join = Self {
            room: fields.name("room", RoomName::new)?,
            code: fields.short_text("code", CODE_TEXT_MAX, Code::BadField)?,
            password: password(fields)?,
            create: fields.flag("create")?.unwrap_or(false),
            me: fields.small("me", limits.meta_bytes)?,
        };
        match (&join.room, &join.code) {
            (None, None) => Err(Refusal::new(Code::BadField, "`room` or `code` is missing.")),
            (Some(_), Some(_)) => Err(bad("code", "must not stand beside `room`")),
            (None, Some(_)) if join.create => Err(bad("create", "must not stand beside `code`")),
            _ => Ok(join),
        }
    }
}

impl RoomOnly {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { room: room(fields)? })
    }
}

impl RoomList {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { after: fields.name("after", RoomName::new)?, limit: fields.count("limit", 1)? })
    }
}

impl<'a> RoomSet<'a> {
    pub(super) fn read(fields: &Fields<'a>, limits: &Limits) -> Result<Self, Refusal> {
        Ok(Self { room: room(fields)?, term: term(fields)?, options: RoomOptions::read(fields, limits)? })
    }
}

impl RoomTarget {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            room: room(fields)?,
            term: term(fields)?,
            id: fields.needed("id", PeerId::new)?,
            device: fields.name("device", Device::new)?,
            reason: fields.short_text("reason", REASON_MAX, Code::TooLarge)?,
        })
    }
}

impl<'a> RoomState<'a> {
    pub(super) fn read(fields: &Fields<'a>, limits: &Limits) -> Result<Self, Refusal> {
        let state = fields.raw("state").ok_or_else(|| missing("state"))?;
        within("state", state.get(), limits.state_bytes)?;
        Ok(Self { room: room(fields)?, term: term(fields)?, state })
    }
}

impl<'a> RoomMe<'a> {
    pub(super) fn read(fields: &Fields<'a>, limits: &Limits) -> Result<Self, Refusal> {
        let me = fields.small("me", limits.meta_bytes)?.ok_or_else(|| missing("me"))?;
        Ok(Self { room: room(fields)?, me })
    }
}

impl<'a> Say<'a> {
    pub(super) fn read(fields: &Fields<'a>) -> Result<Self, Refusal> {
        Ok(Self {
            room: fields.checked("room", RoomName::check)?,
            to: fields.list("to", (1, LIST_MAX), PeerId::new)?,
            data: fields.content("data")?,
            foreign: None,
        })
    }
}
