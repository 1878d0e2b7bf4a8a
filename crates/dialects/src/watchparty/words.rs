//! What the server says. Every frame ends with the time in milliseconds.

use bytes::Bytes;
use serde::Serialize;
use wigwag_hub::Wall;
use wigwag_wire::request::Mode;

use super::names::SYSTEM;
use super::state::{RoomState, User};
use crate::json::frame;

/// One frame.
#[derive(Serialize)]
struct Word<'a> {
    #[serde(flatten)]
    said: Said<'a>,
    timestamp: u64,
}

/// What is said.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
pub(super) enum Said<'a> {
    RoomCreated {
        room_id: &'a str,
        user_id: &'a str,
        room_state: RoomState,
    },
    RoomJoined {
        room_id: &'a str,
        user_id: &'a str,
        room_state: RoomState,
    },
    UserJoined {
        room_id: &'a str,
        user_id: System,
        joined_user: User,
        room_state: RoomState,
    },
    UserLeft(Leaving<'a>),
    UserDisconnected(Leaving<'a>),
    RoomRenamed {
        new_room_name: String,
        room_state: RoomState,
    },
    UserRenamed {
        user_id: &'a str,
        new_user_name: String,
        room_state: RoomState,
    },
    ControlModeChanged {
        mode: Mode,
        room_state: RoomState,
    },
    HostChanged {
        new_host_id: &'a str,
        previous_host_id: &'a str,
    },
    Pong,
    Error {
        error: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        details: Option<&'a str>,
    },
}

/// A user is no longer there.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Leaving<'a> {
    pub(super) room_id: &'a str,
    pub(super) user_id: System,
    pub(super) left_user_id: &'a str,
    pub(super) room_state: RoomState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) new_host_id: Option<&'a str>,
}

/// The server as a user.
pub(super) struct System;

impl Serialize for System {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(SYSTEM)
    }
}

impl Said<'_> {
    /// The frame.
    pub(super) fn at(self, now: Wall) -> Bytes {
        frame(&Word { said: self, timestamp: now.0 })
    }
}
