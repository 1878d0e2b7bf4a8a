//! `room.list`: the rooms that want to be seen, by name, a page at a time.

use std::ops::Bound;
use std::sync::Arc;

use serde_json::value::RawValue;
use wigwag_wire::event::{RoomListed, Rooms as RoomsEvent};
use wigwag_wire::request::RoomList;
use wigwag_wire::{Code, Event, Namespace, Refusal, RoomName};

use super::Rooms;
use crate::cx::Cx;
use crate::hub::Hub;
use crate::ids::{GroupKind, Party};

/// Most rooms of one page.
const PAGE_ROOMS: usize = 100;
/// A page ends with the room that takes its names and metadata over this: one small request must not fill a socket's queue.
const PAGE_BYTES: usize = 64 * 1024;

/// What the list shows of a room, copied so that no lock is held while the answer is written.
struct Shown {
    room: RoomName,
    members: u32,
    capacity: u32,
    locked: bool,
    password: bool,
    meta: Option<Box<RawValue>>,
}

impl Hub {
    /// Answers `room.list`. Takes the locks of all shards, one after the other.
    pub(crate) fn list_rooms(
        &self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        list: &RoomList,
    ) -> Result<(), Refusal> {
        if !self.rules().rooms.listing {
            return Err(Code::SwitchedOff.into());
        }
        let most = list.limit.map_or(PAGE_ROOMS, |limit| limit as usize).clamp(1, PAGE_ROOMS);
        let mut names = Vec::new();
        for shard in self.all_groups() {
            shard.lock().rooms.first_listed(&who.ns, list.after.as_ref(), most + 1, &mut names);
        }
        let (mut shown, mut bytes, mut more) = (Vec::new(), 0, names.len() > most);
        for (at, name) in names.iter().take(most).enumerate() {
            let shard = self.group_at(&who.ns, GroupKind::Room, name.as_str()).lock();
            let Some(room) = shard.rooms.show(&who.ns, name) else { continue };
            drop(shard);
            bytes += name.as_str().len() + room.meta.as_ref().map_or(0, |meta| meta.get().len());
            shown.push(room);
            if bytes > PAGE_BYTES && at + 1 < names.len() {
                more = true;
                break;
            }
        }
        let rooms: Vec<_> = shown.iter().map(Shown::event).collect();
        cx.tell(who, &Event::Rooms(RoomsEvent { re: n, rooms: &rooms, more }));
        Ok(())
    }
}

impl Rooms {
    /// Merges this shard's listed names after `after` into `names`, which stays sorted and keeps the first `most`.
    fn first_listed(&self, ns: &Namespace, after: Option<&RoomName>, most: usize, names: &mut Vec<RoomName>) {
        let Some(world) = self.worlds.get(ns) else { return };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let full = names.len() >= most;
        let last = names.last().filter(|_| full).cloned();
        let fresh = world.listed.range::<RoomName, _>((from, Bound::Unbounded)).take(most);
        names.extend(fresh.take_while(|name| last.as_ref().is_none_or(|last| *name < last)).cloned());
        names.sort_unstable();
        names.truncate(most);
    }

    fn show(&self, ns: &Namespace, name: &RoomName) -> Option<Shown> {
        let room = self.worlds.get(ns)?.rooms.get(name).filter(|room| room.options.listed)?;
        Some(Shown {
            room: room.name.clone(),
            members: u32::try_from(room.members.len()).unwrap_or(u32::MAX),
            capacity: room.options.capacity,
            locked: room.options.locked,
            password: room.options.password.is_some(),
            meta: room.options.meta.clone(),
        })
    }
}

impl Shown {
    fn event(&self) -> RoomListed<'_> {
        RoomListed {
            room: &self.room,
            members: self.members,
            capacity: self.capacity,
            locked: self.locked,
            password: self.password,
            meta: self.meta.as_deref(),
        }
    }
}
