//! What users ask: entering, steering, calling each other. And how they are told that it cannot be.

use serde_json::value::RawValue;
use wigwag_hub::RoomView;
use wigwag_wire::event::Delivery;
use wigwag_wire::request::{Mode, RoomCreate, RoomJoin, RoomMe, RoomOptions, RoomSet};
use wigwag_wire::{Code, PeerId, Refusal, Request};

use super::names::{self, FIRST_MAX, ROOM_MAX, USER_MAX, is_good};
use super::state::{RoomState, named};
use super::words::Said;
use super::{IDLE_MS, IDLE_SECONDS, LINGER_SECONDS, Message, Seat, WatchParty, address};
use crate::turn::{Begun, Turn};

/// Why a message did not do what it asked for.
pub(super) struct Trouble {
    error: &'static str,
    details: Option<String>,
    close: Option<u16>,
}

impl Trouble {
    /// One of the dialect's errors.
    pub(super) fn of(error: &'static str) -> Self {
        Self { error, details: None, close: None }
    }

    /// The error for everything that has none of its own.
    pub(super) fn failed(details: impl Into<String>) -> Self {
        Self::of("Message processing failed").about(details)
    }

    /// Only users of a room may ask that.
    pub(super) fn no_seat() -> Self {
        Self::failed("create or join a room first")
    }

    /// There is no such room, or not for this user any more.
    pub(super) fn no_room() -> Self {
        Self::of("Room not found").closing(4004)
    }

    fn about(self, details: impl Into<String>) -> Self {
        Self { details: Some(details.into()), ..self }
    }

    /// The socket closes with this code.
    pub(super) fn closing(self, code: u16) -> Self {
        Self { close: Some(code), ..self }
    }

    /// Tells the sender.
    pub(super) fn tell(self, turn: &mut Turn<'_>) {
        turn.answer(Said::Error { error: self.error, details: self.details.as_deref() }.at(turn.now.wall));
        if let Some(code) = self.close {
            turn.close(code, self.error);
        }
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        match refusal.code {
            Code::RoomFull => Self::of("Room is full"),
            _ => Self::failed(refusal.message),
        }
    }
}

impl WatchParty {
    /// `CREATE_ROOM`.
    pub(super) fn create(&mut self, turn: &mut Turn<'_>, message: &Message<'_>) -> Result<(), Trouble> {
        const EXISTS: &str = "Room already exists";
        if self.seat.is_some() {
            self.user(turn, message)?;
            return Err(Trouble::of(EXISTS));
        }
        let name = message.room_name.as_deref().filter(|name| !name.trim().is_empty());
        if name.is_some_and(|name| !is_good(name, FIRST_MAX)) {
            return Err(Trouble::of("Invalid room name"));
        }
        let meta = name.and_then(named);
        let taken = || Trouble::of(EXISTS);
        self.enter(turn, message, taken, |turn, seat, me| {
            let options = RoomOptions {
                mode: Some(Mode::HostOnly),
                meta: meta.as_deref(),
                linger: Some(LINGER_SECONDS),
                idle: Some(IDLE_SECONDS),
                ..RoomOptions::default()
            };
            let create = RoomCreate { room: Some(seat.room.clone()), code: false, me: Some(me), options };
            turn.request(&seat.party, &Request::RoomCreate(Box::new(create))).map_err(|refusal| match refusal.code {
                Code::RoomExists => taken(),
                _ => refusal.into(),
            })
        })
    }

    /// `JOIN_ROOM`.
    pub(super) fn join(&mut self, turn: &mut Turn<'_>, message: &Message<'_>) -> Result<(), Trouble> {
        let taken = || Trouble::of("User already in room").closing(4002);
        if self.seat.is_some() {
            self.user(turn, message)?;
            return Err(taken());
        }
        self.enter(turn, message, taken, |turn, seat, me| {
            let room = Some(seat.room.clone());
            let join = RoomJoin { room, code: None, password: None, create: false, me: Some(me) };
            turn.request(&seat.party, &Request::RoomJoin(Box::new(join))).map_err(|refusal| match refusal.code {
                Code::NotFound => Trouble::no_room(),
                _ => refusal.into(),
            })
        })
    }

    /// Makes the socket the user that the message names, if the hub lets that one in. `taken`: there is such a user already.
    fn enter(
        &mut self,
        turn: &mut Turn<'_>,
        message: &Message<'_>,
        taken: impl FnOnce() -> Trouble,
        ask: impl FnOnce(&mut Turn<'_>, &Seat, &RawValue) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let room_id = message.room_id.as_deref().unwrap_or_else(|| address(turn)).to_owned();
        let user_id = message.user_id.as_deref().unwrap_or_default().to_owned();
        let room = names::room(&room_id).ok_or_else(|| Trouble::failed("roomId is missing or cannot be used"))?;
        let id = names::user(&room_id, &user_id).and_then(|id| turn.own_id(&id));
        let id = id.ok_or_else(|| Trouble::failed("userId is missing or cannot be used"))?;
        let name = message.user_name.as_deref().filter(|name| is_good(name, FIRST_MAX));
        let me = name.and_then(named).ok_or_else(|| Trouble::of("Invalid user name"))?;
        let party = match turn.begin(id, None) {
            Begun::Now(party) => party,
            Begun::Later => return Ok(()),
            Begun::Refused(refusal) if refusal.code == Code::NameTaken => return Err(taken()),
            Begun::Refused(refusal) => return Err(refusal.into()),
        };
        let seat = Seat { party, room, room_id, user_id, look: turn.now.at + IDLE_MS };
        if let Err(trouble) = ask(turn, &seat, &me) {
            turn.end(&seat.party);
            return Err(trouble);
        }
        self.seat = Some(seat);
        Ok(())
    }
}

impl Seat {
    /// Whether the user is in the room still.
    pub(super) fn is_taken(&self, turn: &Turn<'_>) -> bool {
        self.is_here(turn, &self.party.id)
    }

    /// Hands a frame to another user, as it came.
    pub(super) fn signal(
        &self,
        turn: &mut Turn<'_>,
        message: &Message<'_>,
        (kind, data): (&str, Option<&RawValue>),
        text: &str,
    ) -> Result<(), Trouble> {
        let data = data.ok_or_else(|| Trouble::failed(format!("{kind} is missing")))?;
        let target = message.target_user_id.as_deref().ok_or_else(|| Trouble::failed("targetUserId is missing"))?;
        if message.user_id.is_none() {
            // Nobody else would write it in.
            return Err(Trouble::failed("userId is missing"));
        }
        let absent = || Trouble::of("Target user not found").about(target);
        let to = names::user(&self.room_id, target).and_then(|to| PeerId::new(&to).ok()).ok_or_else(absent)?;
        // Looked up first, because who calls an absent one guesses, in the hub's eyes.
        if !self.is_here(turn, &to) {
            return Err(absent());
        }
        match turn.signal(&self.party, to.as_str(), kind, data, text)? {
            Some(Delivery::Absent) => Err(absent()),
            _ => Ok(()),
        }
    }

    /// `RENAME_ROOM`.
    pub(super) fn rename_room(&self, turn: &mut Turn<'_>, name: Option<&str>) -> Result<(), Trouble> {
        const REFUSED: &str = "Only host can rename room";
        let term = self.term(turn).ok_or_else(|| Trouble::of(REFUSED))?;
        let name = name.filter(|name| is_good(name, ROOM_MAX)).ok_or_else(|| Trouble::of("Invalid room name"))?;
        let meta = named(name);
        self.steer(turn, term, REFUSED, RoomOptions { meta: meta.as_deref(), ..RoomOptions::default() })
    }

    /// `CONTROL_MODE_CHANGE`.
    pub(super) fn change_mode(&self, turn: &mut Turn<'_>, mode: Option<&str>) -> Result<(), Trouble> {
        const REFUSED: &str = "Only host can change control mode";
        let term = self.term(turn).ok_or_else(|| Trouble::of(REFUSED))?;
        let mode = match mode {
            Some("HOST_ONLY") => Mode::HostOnly,
            Some("FREE_FOR_ALL") => Mode::FreeForAll,
            _ => return Err(Trouble::failed("mode must be HOST_ONLY or FREE_FOR_ALL")),
        };
        let same = |room: &dyn RoomView| (room.mode() == mode).then(|| RoomState::of(room));
        let same = turn.hub.view_room(turn.ns(), &self.room, same).flatten();
        self.steer(turn, term, REFUSED, RoomOptions { mode: Some(mode), ..RoomOptions::default() })?;
        if let Some(room_state) = same {
            // Nothing changed, so the hub tells nobody; but who asked waits for the answer.
            turn.answer(Said::ControlModeChanged { mode, room_state }.at(turn.now.wall));
        }
        Ok(())
    }

    /// `RENAME_USER`.
    pub(super) fn rename_user(&self, turn: &mut Turn<'_>, name: Option<&str>) -> Result<(), Trouble> {
        let name = name.filter(|name| is_good(name, USER_MAX)).ok_or_else(|| Trouble::of("Invalid user name"))?;
        let me = named(name).ok_or_else(|| Trouble::of("Invalid user name"))?;
        turn.request(&self.party, &Request::RoomMe(RoomMe { room: self.room.clone(), me: &me }))?;
        let Some(room_state) = turn.hub.view_room(turn.ns(), &self.room, RoomState::of) else { return Ok(()) };
        // The hub told the others.
        let said = Said::UserRenamed { user_id: &self.user_id, new_user_name: name.to_owned(), room_state };
        turn.answer(said.at(turn.now.wall));
        Ok(())
    }

    /// The term of the host, if this user is it.
    fn term(&self, turn: &Turn<'_>) -> Option<u64> {
        let term = |room: &dyn RoomView| (room.host() == Some(&self.party.id)).then(|| room.term());
        turn.hub.view_room(turn.ns(), &self.room, term).flatten()
    }

    fn steer(
        &self,
        turn: &mut Turn<'_>,
        term: u64,
        refused: &'static str,
        options: RoomOptions<'_>,
    ) -> Result<(), Trouble> {
        let set = Request::RoomSet(Box::new(RoomSet { room: self.room.clone(), term, options }));
        turn.request(&self.party, &set).map_err(|refusal| match refusal.code {
            Code::NotAllowed | Code::StaleTerm => Trouble::of(refused),
            _ => refusal.into(),
        })
    }

    fn is_here(&self, turn: &Turn<'_>, id: &PeerId) -> bool {
        let mut is_here = false;
        let look = |room: &dyn RoomView| room.members(&mut |member| is_here |= member.id == id);
        turn.hub.view_room(turn.ns(), &self.room, look);
        is_here
    }
}
