//! Events about rooms.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{PartyRef, Presence, is_empty};
use crate::foreign::Foreign;
use crate::id::{Device, PeerId, RoomName};
use crate::raw::Content;
use crate::request::Mode;

/// A member of a room, as the others see it.
#[derive(Debug, Clone, Serialize)]
pub struct Member<'a> {
    /// Who.
    pub id: &'a PeerId,
    /// Which device.
    #[serde(skip_serializing_if = "is_empty")]
    pub device: &'a Device,
    /// Presence: `here` or `away`.
    pub state: Presence,
    /// When it joined: wall clock in milliseconds.
    pub joined: u64,
    /// Its own metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub me: Option<&'a RawValue>,
    /// Whether the receiver of this message is the polite one towards this member.
    pub polite: bool,
    /// The number of its dialect, for dialects whose peers know by it who makes the offer.
    #[serde(skip)]
    pub dialect: u8,
}

/// You are in the room.
#[derive(Debug, Clone, Serialize)]
pub struct RoomJoined<'a> {
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub re: Option<u64>,
    /// The room.
    pub room: &'a RoomName,
    /// Its host.
    pub host: PartyRef<'a>,
    /// The host's term.
    pub term: u64,
    /// Who may `say`.
    pub mode: Mode,
    /// Whether newcomers are turned away.
    pub locked: bool,
    /// Whether the list shows it.
    pub listed: bool,
    /// Most members.
    pub capacity: u32,
    /// Whether there is a password.
    pub password: bool,
    /// Metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<&'a RawValue>,
    /// What the last host left; only for the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'a RawValue>,
    /// A join code, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'a str>,
    /// When the code runs out: wall clock in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_expires: Option<u64>,
    /// The others, longest-standing first.
    pub members: &'a [Member<'a>],
}

/// Why a member is no longer in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Left {
    /// By its own wish.
    Left,
    /// Its session ended.
    Gone,
    /// The host sent it away.
    Kicked,
    /// The host sent it away for good.
    Banned,
    /// It was silent for longer than the room allows.
    Idle,
    /// The operator closed the room.
    Closed,
}

/// You are no longer in the room.
#[derive(Debug, Clone, Serialize)]
pub struct RoomLeft<'a> {
    /// The room.
    pub room: &'a RoomName,
    /// Why.
    pub why: Left,
    /// The host's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
}

/// Another member came, went or changed.
#[derive(Debug, Clone, Serialize)]
pub struct RoomMember<'a> {
    /// The room.
    pub room: &'a RoomName,
    /// What happened.
    #[serde(flatten)]
    pub change: MemberChange<'a>,
}

/// What happened to a member.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum MemberChange<'a> {
    /// It came.
    Joined(Member<'a>),
    /// It went.
    Left {
        /// Who.
        id: &'a PeerId,
        /// Which device.
        #[serde(skip_serializing_if = "is_empty")]
        device: &'a Device,
        /// Why.
        why: Left,
        /// Who is host from now on, where the one who went was, for dialects that tell it at once.
        #[serde(skip)]
        next_host: Option<&'a PeerId>,
    },
    /// Its presence or metadata changed.
    Updated(Member<'a>),
}

/// The room's options changed.
#[derive(Debug, Clone, Serialize)]
pub struct RoomChanged<'a> {
    /// The room.
    pub room: &'a RoomName,
    /// Who may `say`.
    pub mode: Mode,
    /// Whether newcomers are turned away.
    pub locked: bool,
    /// Whether the list shows it.
    pub listed: bool,
    /// Most members.
    pub capacity: u32,
    /// Whether there is a password.
    pub password: bool,
    /// Metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<&'a RawValue>,
    /// Whether the mode is another one now, for dialects that tell what changed.
    #[serde(skip)]
    pub new_mode: bool,
    /// Whether the metadata are others now.
    #[serde(skip)]
    pub new_meta: bool,
}

/// Why a room has a new host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HostWhy {
    /// The host handed it on.
    Transferred,
    /// The host left or was lost; the longest-standing member follows.
    Succeeded,
    /// The host from before a restart is back.
    Returned,
}

/// The room has a new host.
#[derive(Debug, Clone, Serialize)]
pub struct RoomHost<'a> {
    /// The room.
    pub room: &'a RoomName,
    /// The new host.
    pub host: PartyRef<'a>,
    /// Its term.
    pub term: u64,
    /// Why.
    pub why: HostWhy,
    /// Who was host before, for dialects that tell it.
    #[serde(skip)]
    pub previous: Option<&'a PeerId>,
    /// What the last host left; only for the new host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'a RawValue>,
}

/// One room of a list.
#[derive(Debug, Clone, Serialize)]
pub struct RoomListed<'a> {
    /// Its name.
    pub room: &'a RoomName,
    /// How many members it has.
    pub members: u32,
    /// How many it may have.
    pub capacity: u32,
    /// Whether newcomers are turned away.
    pub locked: bool,
    /// Whether there is a password.
    pub password: bool,
    /// Metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<&'a RawValue>,
}

/// Answer to `room.list`.
#[derive(Debug, Clone, Serialize)]
pub struct Rooms<'a> {
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub re: Option<u64>,
    /// The rooms, by name.
    pub rooms: &'a [RoomListed<'a>],
    /// Whether there are more after the last one.
    pub more: bool,
}

/// A join code.
#[derive(Debug, Clone, Serialize)]
pub struct RoomCodeEvent<'a> {
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub re: Option<u64>,
    /// The room.
    pub room: &'a RoomName,
    /// The code.
    pub code: &'a str,
    /// When it runs out: wall clock in milliseconds.
    pub expires: u64,
}

/// Something said in a room.
#[derive(Debug, Clone, Serialize)]
pub struct Said<'a> {
    /// The room.
    pub room: &'a RoomName,
    /// Who.
    pub from: &'a PeerId,
    /// Which device.
    #[serde(skip_serializing_if = "is_empty")]
    pub device: &'a Device,
    /// The content, byte for byte.
    pub data: Content<'a>,
    /// The frame that it came in, where the sender speaks a dialect.
    #[serde(skip)]
    pub foreign: Option<Foreign<'a>>,
}
