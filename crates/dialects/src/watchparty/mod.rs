//! Watch-party rooms: a host steers, and every change shows the whole room. One socket is one user. Who is in a room, who is its
//! host and when it is over is the hub's business; how rooms and users are called there is in [`names`], what is shown of a room in
//! [`state`], what the server says in [`words`].

mod asking;
mod names;
mod state;
mod voice;
mod words;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use wigwag_hub::{Moment, Party};
use wigwag_wire::request::RoomOnly;
use wigwag_wire::{Request, RoomName};

use crate::json::{Text, present, read};
use crate::turn::{Interpreter, Turn};
use asking::Trouble;
pub use state::room_info;
pub(crate) use voice::WatchPartyVoice;
use words::Said;

pub(crate) const TYPES: &[&str] = &[
    "CREATE_ROOM",
    "JOIN_ROOM",
    "LEAVE_ROOM",
    "WEBRTC_OFFER",
    "WEBRTC_ANSWER",
    "WEBRTC_ICE_CANDIDATE",
    "RENAME_ROOM",
    "RENAME_USER",
    "CONTROL_MODE_CHANGE",
    "PING",
    "other",
];

/// Seconds of silence after which a user is dropped.
const IDLE_SECONDS: u32 = 300;
const IDLE_MS: u64 = IDLE_SECONDS as u64 * 1_000;
/// Seconds that an empty room stays.
const LINGER_SECONDS: u32 = 1_800;
/// How often to look whether a silent user was dropped, once that may be.
const LOOK_MS: u64 = 1_000;
/// Closes the socket of a user that was dropped for silence: as everywhere here.
const CLOSE_IDLE: u16 = 4003;

/// One socket.
#[derive(Default)]
pub(crate) struct WatchParty {
    seat: Option<Seat>,
}

/// The user of a socket in its room.
struct Seat {
    party: Arc<Party>,
    room: RoomName,
    room_id: String,
    user_id: String,
    /// When to see whether silence was taken for absence.
    look: Moment,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    room_id: Option<Text<'a>>,
    #[serde(borrow)]
    user_id: Option<Text<'a>>,
    #[serde(borrow)]
    user_name: Option<Text<'a>>,
    #[serde(borrow)]
    room_name: Option<Text<'a>>,
    #[serde(borrow)]
    new_room_name: Option<Text<'a>>,
    #[serde(borrow)]
    new_user_name: Option<Text<'a>>,
    #[serde(borrow)]
    mode: Option<Text<'a>>,
    #[serde(borrow)]
    target_user_id: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    offer: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    answer: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    candidate: Option<&'a RawValue>,
}

impl Interpreter for WatchParty {
    fn rereads_address(&self) -> bool {
        true
    }

    fn heard(&mut self, turn: &mut Turn<'_>, text: &str) {
        let message = read::<Message<'_>>(text);
        let kind = message.as_ref().map_or("", |message| &*message.kind);
        turn.count(kind);
        let done = match &message {
            Some(message) => self.take(turn, message, text),
            None => Err(Trouble::failed("the frame is not JSON as it should be")),
        };
        if let Err(trouble) = done {
            trouble.tell(turn);
        }
    }

    fn tick(&mut self, turn: &mut Turn<'_>) {
        let Some(seat) = &mut self.seat else { return };
        if seat.is_taken(turn) {
            seat.look = turn.now.at + LOOK_MS;
        } else if turn.hub.view_room(turn.ns(), &seat.room, |_| ()).is_some() {
            turn.close(CLOSE_IDLE, "inactive for too long");
        } else {
            Trouble::no_room().tell(turn);
        }
    }

    fn deadline(&self) -> Option<Moment> {
        self.seat.as_ref().map(|seat| seat.look)
    }
}

impl WatchParty {
    fn take(&mut self, turn: &mut Turn<'_>, message: &Message<'_>, text: &str) -> Result<(), Trouble> {
        self.check_room(turn, message)?;
        match &*message.kind {
            "CREATE_ROOM" => self.create(turn, message),
            "JOIN_ROOM" => self.join(turn, message),
            "LEAVE_ROOM" => self.leave(turn, message),
            "WEBRTC_OFFER" => self.user(turn, message)?.signal(turn, message, ("offer", message.offer), text),
            "WEBRTC_ANSWER" => self.user(turn, message)?.signal(turn, message, ("answer", message.answer), text),
            "WEBRTC_ICE_CANDIDATE" => {
                self.user(turn, message)?.signal(turn, message, ("candidate", message.candidate), text)
            }
            "RENAME_ROOM" => self.user(turn, message)?.rename_room(turn, message.new_room_name.as_deref()),
            "RENAME_USER" => {
                let seat = self.seat.as_ref().ok_or_else(Trouble::no_seat)?;
                if message.user_id.as_ref().is_some_and(|user| *user != seat.user_id) {
                    return Err(Trouble::of("Can only rename yourself"));
                }
                self.user(turn, message)?.rename_user(turn, message.new_user_name.as_deref())
            }
            "CONTROL_MODE_CHANGE" => self.user(turn, message)?.change_mode(turn, message.mode.as_deref()),
            "PING" => {
                if self.seat.is_some() {
                    self.user(turn, message)?;
                }
                turn.answer(Said::Pong.at(turn.now.wall));
                Ok(())
            }
            _ => Err(Trouble::of("Unknown message type")),
        }
    }

    /// A socket is about one room: that of its address, or that which it joined.
    fn check_room(&self, turn: &Turn<'_>, message: &Message<'_>) -> Result<(), Trouble> {
        let own = self.seat.as_ref().map_or_else(|| address(turn), |seat| &seat.room_id);
        match &message.room_id {
            Some(named) if !own.is_empty() && *named != own => Err(Trouble::of("Room ID mismatch").closing(4001)),
            _ => Ok(()),
        }
    }

    /// The user that this socket is, if it may speak as the one that the message names. What it says is a sign of life.
    fn user(&mut self, turn: &mut Turn<'_>, message: &Message<'_>) -> Result<&Seat, Trouble> {
        let seat = self.seat.as_mut().ok_or_else(Trouble::no_seat)?;
        if message.user_id.as_ref().is_some_and(|user| *user != seat.user_id) {
            return Err(Trouble::failed("userId is not the one that joined"));
        }
        let room = seat.room.clone();
        if turn.request(&seat.party, &Request::RoomBeat(RoomOnly { room })).is_err() {
            // Dropped or sent away, and told so.
            return Err(Trouble::no_room());
        }
        seat.look = turn.now.at + IDLE_MS;
        Ok(seat)
    }

    fn leave(&mut self, turn: &mut Turn<'_>, message: &Message<'_>) -> Result<(), Trouble> {
        if self.seat.is_some() {
            self.user(turn, message)?;
        }
        if let Some(seat) = self.seat.take() {
            let _ = turn.request(&seat.party, &Request::RoomLeave(RoomOnly { room: seat.room }));
        }
        turn.close(1000, "left");
        Ok(())
    }
}

/// The room that the socket's address names; empty where it names none.
fn address<'t>(turn: &'t Turn<'_>) -> &'t str {
    turn.arrival().rest.trim_end_matches('/')
}
