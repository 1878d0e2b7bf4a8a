//! What an operator sees of rooms and may do to them.

use serde::Serialize;
use wigwag_wire::event::{Left, Presence};
use wigwag_wire::request::Mode;
use wigwag_wire::{Device, Namespace, PeerId, RoomName};

use super::Rooms;
use super::room::Room;
use crate::hub::Hub;
use crate::ids::{GroupKind, Party};
use crate::output::Outputs;
use crate::time::{Now, Wall};

/// A room as the operator sees it. Content that peers left (metadata, state) is theirs and is not shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoomInfo {
    /// The namespace.
    pub namespace: Namespace,
    /// The name.
    pub room: RoomName,
    /// How many members it has.
    pub members: u32,
    /// How many it may have.
    pub capacity: u32,
    /// Who may `say`.
    pub mode: Mode,
    /// Whether newcomers are turned away.
    pub locked: bool,
    /// Whether `room.list` shows it.
    pub listed: bool,
    /// Whether there is a password.
    pub password: bool,
    /// How many ids are banned.
    pub bans: u32,
    /// The host; nobody while the room is empty.
    pub host: Option<PartyInfo>,
    /// The host's term, or the last one's.
    pub term: u64,
}

/// A party as the operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartyInfo {
    /// The id.
    pub id: PeerId,
    /// The device.
    pub device: Device,
}

/// A room with its members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoomDetail {
    /// The room.
    #[serde(flatten)]
    pub info: RoomInfo,
    /// Longest-standing first.
    pub present: Vec<RoomMemberInfo>,
}

/// A member of a room as the operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoomMemberInfo {
    /// Who.
    #[serde(flatten)]
    pub party: PartyInfo,
    /// Presence: `here` or `away`.
    pub state: Presence,
    /// When it joined.
    pub joined: Wall,
}

impl Hub {
    /// Rooms by namespace and name, of one namespace or of all: at most `limit` after `after`.
    pub fn rooms(&self, ns: Option<&Namespace>, after: Option<(&Namespace, &RoomName)>, limit: usize) -> Vec<RoomInfo> {
        let mut infos: Vec<RoomInfo> = Vec::new();
        for shard in self.all_groups() {
            let shard = shard.lock();
            infos.extend(shard.rooms.sorted(ns, after).take(limit).map(Room::info));
            infos.sort_unstable_by(|a, b| (&a.namespace, &a.room).cmp(&(&b.namespace, &b.room)));
            infos.truncate(limit);
        }
        infos
    }

    /// One room with its members.
    pub fn room(&self, ns: &Namespace, name: &RoomName) -> Option<RoomDetail> {
        let mut shard = self.group_at(ns, GroupKind::Room, name.as_str()).lock();
        shard.rooms.room(ns, name.as_str()).map(|room| room.detail())
    }

    /// Sends all members of a room away and removes it; `false` where there is no such room.
    pub fn close_room(&self, now: Now, ns: &Namespace, name: &RoomName, out: &mut dyn Outputs) -> bool {
        let mut cx = self.cx(now, out);
        let mut shard = self.group_at(ns, GroupKind::Room, name.as_str()).lock();
        let there = match shard.rooms.room(ns, name.as_str()) {
            Some(room) => {
                room.remove(&mut cx, |_| true, Left::Closed, None);
                shard.rooms.discard(&cx, ns, name);
                true
            }
            None => false,
        };
        drop(shard);
        self.settle(&mut cx);
        there
    }
}

impl Rooms {
    /// Members of all the shard's rooms together.
    pub(crate) fn members(&self) -> usize {
        self.worlds.values().flat_map(|world| world.rooms.values()).map(|room| room.members.len()).sum()
    }

    /// The shard's rooms in order, after `after`.
    fn sorted<'a>(
        &'a self,
        ns: Option<&'a Namespace>,
        after: Option<(&'a Namespace, &'a RoomName)>,
    ) -> impl Iterator<Item = &'a Room> {
        let worlds = self.worlds.iter().filter(move |(name, _)| ns.is_none_or(|ns| ns == *name));
        worlds
            .flat_map(|(_, world)| world.rooms.values())
            .filter(move |room| after.is_none_or(|after| (&room.key.ns, &room.name) > after))
    }
}

impl Room {
    fn info(&self) -> RoomInfo {
        RoomInfo {
            namespace: self.key.ns.clone(),
            room: self.name.clone(),
            members: u32::try_from(self.members.len()).unwrap_or(u32::MAX),
            capacity: self.options.capacity,
            mode: self.options.mode,
            locked: self.options.locked,
            listed: self.options.listed,
            password: self.options.password.is_some(),
            bans: u32::try_from(self.bans.len()).unwrap_or(u32::MAX),
            host: self.host.as_deref().map(party_info),
            term: self.term,
        }
    }

    fn detail(&self) -> RoomDetail {
        let present = self.members.iter().map(|member| RoomMemberInfo {
            party: party_info(&member.party),
            state: member.state,
            joined: member.joined,
        });
        RoomDetail { info: self.info(), present: present.collect() }
    }
}

fn party_info(party: &Party) -> PartyInfo {
    PartyInfo { id: party.id.clone(), device: party.device.clone() }
}
