//! Rooms.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wigwag_wire::event::Presence;
use wigwag_wire::request::{RoomCreate, RoomJoin, RoomList};
use wigwag_wire::{Code, Refusal, Request, RoomName};

use crate::cx::Cx;
use crate::hub::Hub;
use crate::ids::{GroupKey, Party};
use crate::time::Moment;

#[derive(Default)]
pub(crate) struct Rooms {}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RoomsSnapshot {}

/// The text whose hash is the shard where a code and its room live.
pub(crate) fn code_key(code: &str) -> String {
    code.into()
}

/// A name for a room whose maker gave none.
pub(crate) fn made_name(_cx: &Cx<'_>) -> RoomName {
    RoomName::new("made").unwrap_or_else(|_| unreachable!())
}

/// Whether a refusal of `room.join` counts against the asker's miss budget.
pub(crate) fn is_guess(code: Code) -> bool {
    matches!(code, Code::NotFound | Code::WrongPassword)
}

impl Rooms {
    pub(crate) fn create(
        &mut self,
        _cx: &mut Cx<'_>,
        _who: &Arc<Party>,
        _n: Option<u64>,
        _room: &RoomName,
        _create: &RoomCreate<'_>,
    ) -> Result<(), Refusal> {
        Ok(())
    }

    pub(crate) fn join(
        &mut self,
        _cx: &mut Cx<'_>,
        _who: &Arc<Party>,
        _n: Option<u64>,
        _join: &RoomJoin<'_>,
    ) -> Result<(), Refusal> {
        Ok(())
    }

    pub(crate) fn request(
        &mut self,
        _cx: &mut Cx<'_>,
        _who: &Arc<Party>,
        _n: Option<u64>,
        _request: &Request<'_>,
    ) -> Result<(), Refusal> {
        Ok(())
    }

    pub(crate) fn ended(&mut self, _cx: &mut Cx<'_>, _who: &Party, _key: &GroupKey) {}

    pub(crate) fn presence(&mut self, _cx: &mut Cx<'_>, _who: &Party, _key: &GroupKey, _state: Presence) {}

    pub(crate) fn tick(&mut self, _cx: &mut Cx<'_>) {}

    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        None
    }

    pub(crate) fn snapshot(&self, _cx: &Cx<'_>) -> RoomsSnapshot {
        RoomsSnapshot {}
    }

    pub(crate) fn restore(&mut self, _cx: &mut Cx<'_>, _snapshot: RoomsSnapshot) {}
}

impl Hub {
    pub(crate) fn list_rooms(
        &self,
        _cx: &mut Cx<'_>,
        _who: &Arc<Party>,
        _n: Option<u64>,
        _list: &RoomList,
    ) -> Result<(), Refusal> {
        Ok(())
    }
}
