//! The whole of a room, as every change shows it and as HTTP answers it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wigwag_hub::{Hub, Now, Origin, RoomView};
use wigwag_wire::event::{Member, Presence};
use wigwag_wire::request::Mode;
use wigwag_wire::{Namespace, PeerId};

use super::names;
use crate::http::HttpAnswer;
use crate::json::read;

/// `roomState`.
#[derive(Serialize)]
pub(super) struct RoomState {
    id: String,
    name: String,
    #[serde(rename = "hostId")]
    host: String,
    users: Vec<User>,
    #[serde(rename = "controlMode")]
    mode: Mode,
    #[serde(rename = "followMode")]
    follow: &'static str,
    #[serde(rename = "videoState")]
    video: Video,
    #[serde(rename = "createdAt")]
    created: u64,
    #[serde(rename = "lastActivity")]
    active: u64,
}

/// One user of a room.
#[derive(Clone, Serialize)]
pub(super) struct User {
    id: String,
    name: String,
    #[serde(rename = "isHost")]
    is_host: bool,
    #[serde(rename = "isConnected")]
    is_connected: bool,
    #[serde(rename = "joinedAt")]
    joined: u64,
}

/// What is played is settled between the peers; the server shows the beginning.
#[derive(Serialize)]
struct Video {
    #[serde(rename = "isPlaying")]
    is_playing: bool,
    #[serde(rename = "currentTime")]
    time: u8,
    duration: u8,
    #[serde(rename = "playbackRate")]
    rate: u8,
    url: &'static str,
    #[serde(rename = "lastUpdated")]
    updated: u64,
}

/// What the hub keeps of a room and of a user for this dialect.
#[derive(Serialize, Deserialize)]
pub(super) struct Named<'a> {
    /// The name for people.
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
}

/// A name as the hub keeps it.
pub(super) fn named(name: &str) -> Option<Box<RawValue>> {
    serde_json::value::to_raw_value(&Named { name: Cow::Borrowed(name) }).ok()
}

fn name(raw: Option<&RawValue>) -> Option<String> {
    raw.and_then(|raw| read::<Named<'_>>(raw.get())).map(|named| named.name.into_owned())
}

impl RoomState {
    /// The room as it is now.
    pub(super) fn of(room: &dyn RoomView) -> Self {
        let id = names::room_id(room.name()).to_owned();
        let mut users = Vec::new();
        room.members(&mut |member| users.push(User::of(&member, room.host())));
        Self {
            name: name(room.meta()).unwrap_or_else(|| id.clone()),
            id,
            host: room.host().map(names::user_id).unwrap_or_default().to_owned(),
            users,
            mode: room.mode(),
            follow: "AUTO_FOLLOW",
            video: Video { is_playing: false, time: 0, duration: 0, rate: 1, url: "", updated: room.made().0 },
            created: room.made().0,
            active: room.active().0,
        }
    }

    /// The name for people.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl User {
    pub(super) fn of(member: &Member<'_>, host: Option<&PeerId>) -> Self {
        let id = names::user_id(member.id);
        Self {
            id: id.to_owned(),
            name: name(member.me).unwrap_or_else(|| id.to_owned()),
            is_host: host == Some(member.id),
            is_connected: member.state == Presence::Here,
            joined: member.joined,
        }
    }

    pub(super) fn into_name(self) -> String {
        self.name
    }
}

/// Answers `GET /room/{id}/info`. Who asks for rooms that are not there guesses, and that is counted against its address.
pub fn room_info(hub: &Hub, now: Now, origin: &Origin, ns: &Namespace, id: &str) -> HttpAnswer {
    let seen = match names::room(id) {
        Some(room) => hub.look_up_room(now, origin, (ns, &room), RoomState::of),
        None => Ok(None),
    };
    match seen {
        Ok(Some(state)) => HttpAnswer::json(200, &state),
        Ok(None) => HttpAnswer::json(404, &Error { error: "Room not found" }),
        Err(refusal) => HttpAnswer::json(429, &Error { error: &refusal.message }),
    }
}

#[derive(Serialize)]
struct Error<'a> {
    error: &'a str,
}
