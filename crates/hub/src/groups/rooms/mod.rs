//! Rooms: members with one host, who steers under a term.
//!
//! This file is the door of one shard: it finds the room and the member, and keeps the shard's indexes in step. What happens within
//! a room is in [`room`], [`orders`], [`saying`] and [`succession`]; what happens by itself is in [`deadlines`].

mod admin;
mod codes;
mod deadlines;
mod listing;
mod options;
mod orders;
mod room;
mod saying;
mod snapshot;
mod succession;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::value::RawValue;
use wigwag_wire::event::{Left, Presence};
use wigwag_wire::request::{RoomCreate, RoomJoin, RoomOptions};
use wigwag_wire::{Code, Namespace, Refusal, Request, RoomCode, RoomName};

use crate::cx::Cx;
use crate::ids::{GroupKey, Party};
use crate::tallies::{down, up_within};
use crate::time::Moment;
use crate::voice::RoomView;
use options::Options;
use room::Room;

pub use admin::{PartyInfo, RoomDetail, RoomInfo, RoomMemberInfo};
pub(crate) use codes::{code_key, is_guess, made_name};
pub(crate) use snapshot::RoomsSnapshot;

/// The rooms of one shard.
#[derive(Default)]
pub(crate) struct Rooms {
    worlds: BTreeMap<Namespace, World>,
    /// At most one entry per room: no later than the moment when something of it is due.
    due: BTreeSet<(Moment, Namespace, RoomName)>,
}

/// The rooms of one namespace.
#[derive(Default)]
struct World {
    rooms: BTreeMap<RoomName, Room>,
    /// Which room a code opens. A code lives in its room's shard, so that both are found under one lock.
    codes: BTreeMap<RoomCode, RoomName>,
    /// The rooms that want to be listed.
    listed: BTreeSet<RoomName>,
}

impl Rooms {
    pub(crate) fn is_empty(&self) -> bool {
        self.worlds.is_empty() && self.due.is_empty()
    }

    /// `room.create`.
    pub(crate) fn create(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        name: &RoomName,
        create: &RoomCreate<'_>,
    ) -> Result<(), Refusal> {
        if self.room(&who.ns, name.as_str()).is_some() {
            return Err(Code::RoomExists.into());
        }
        self.make(cx, who, n, name, &create.options, create.code, create.me)
    }

    /// `room.join`, by name or by code.
    pub(crate) fn join(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        join: &RoomJoin<'_>,
    ) -> Result<(), Refusal> {
        let name = match (&join.room, &join.code) {
            (Some(name), _) => Some(name.clone()),
            (None, Some(typed)) => self.opened_by(cx.now.at, &who.ns, typed),
            (None, None) => None,
        };
        let Some(name) = name else { return Err(Code::NotFound.into()) };
        let Some(room) = self.room(&who.ns, name.as_str()) else {
            if !join.create || join.room.is_none() {
                return Err(Code::NotFound.into());
            }
            // Whoever gives a password expects a closed door, so a room made on the way gets it.
            let options = RoomOptions { password: join.password.clone(), ..RoomOptions::default() };
            return self.make(cx, who, n, &name, &options, false, join.me);
        };
        match room.position(who.session) {
            Some(at) => {
                room.members[at].heard = cx.now.at;
                if let Some(me) = join.me {
                    room.change_me(cx, at, me)?;
                }
                room.tell_joined(cx, at, n, None);
            }
            None => {
                room.admit(cx, who, join.password.as_deref(), join.me)?;
                cx.enter(who, room.key.clone())?;
                room.enter(cx, who, n, join.me);
                self.settle(cx, &who.ns, &name);
            }
        }
        Ok(())
    }

    /// Every other request of a member.
    pub(crate) fn request(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        request: &Request<'_>,
    ) -> Result<(), Refusal> {
        match request {
            Request::Say(say) => {
                let (room, at) = self.member(cx, who, &say.room)?;
                room.say(cx, at, n, say)
            }
            Request::RoomBeat(beat) => {
                self.member(cx, who, beat.room.as_str())?;
                cx.done(who, n, None);
                Ok(())
            }
            Request::RoomMe(change) => {
                let (room, at) = self.member(cx, who, change.room.as_str())?;
                room.change_me(cx, at, change.me)?;
                cx.done(who, n, None);
                Ok(())
            }
            Request::RoomLeave(leave) => {
                let (room, _) = self.member(cx, who, leave.room.as_str())?;
                room.remove(cx, |member| member.session == who.session, Left::Left, None);
                self.settle(cx, &who.ns, &leave.room);
                cx.done(who, n, None);
                Ok(())
            }
            Request::RoomCode(wanted) => self.renew_code(cx, who, n, &wanted.room),
            Request::RoomSet(set) => self.set(cx, who, n, set),
            Request::RoomKick(target) => self.kick(cx, who, n, target),
            Request::RoomBan(target) => self.ban(cx, who, n, target),
            Request::RoomUnban(target) => self.unban(cx, who, n, target),
            Request::RoomTransfer(target) => self.transfer(cx, who, n, target),
            Request::RoomState(state) => self.leave_state(cx, who, n, state),
            _ => Ok(()),
        }
    }

    /// A member's session is over.
    pub(crate) fn ended(&mut self, cx: &mut Cx<'_>, who: &Party, key: &GroupKey) {
        if let Some(room) = self.room(&key.ns, &key.name) {
            let name = room.name.clone();
            room.remove(cx, |member| member.session == who.session, Left::Gone, None);
            self.settle(cx, &key.ns, &name);
        }
    }

    /// A member went away or came back.
    pub(crate) fn presence(&mut self, cx: &mut Cx<'_>, who: &Party, key: &GroupKey, state: Presence) {
        let Some(room) = self.room(&key.ns, &key.name) else { return };
        if let Some(at) = room.position(who.session) {
            room.change_presence(cx, at, state);
        }
    }

    /// Makes a room with its first member as host.
    #[expect(clippy::too_many_arguments, reason = "what makes a room comes from two kinds of request")]
    fn make(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        name: &RoomName,
        given: &RoomOptions<'_>,
        code: bool,
        me: Option<&RawValue>,
    ) -> Result<(), Refusal> {
        let mut options = Options::new(cx.rules());
        options.change(cx, given)?;
        let code = if code { Some(self.draw_code(cx, &who.ns, name)?) } else { None };
        if !up_within(&cx.hub.tallies().rooms, cx.rules().limits.rooms) {
            return Err(Code::NamespaceFull.into());
        }
        let mut room = Room::new(who.ns.clone(), name.clone(), options, cx.now.wall);
        if let Err(refusal) = cx.enter(who, room.key.clone()) {
            down(&cx.hub.tallies().rooms);
            return Err(refusal);
        }
        room.code = code;
        room.enter(cx, who, n, me);
        self.place(room);
        self.settle(cx, &who.ns, name);
        Ok(())
    }

    /// Puts a room into the shard and its indexes.
    fn place(&mut self, room: Room) {
        let world = self.worlds.entry(room.key.ns.clone()).or_default();
        if room.options.listed {
            world.listed.insert(room.name.clone());
        }
        if let Some(code) = &room.code {
            world.codes.insert(code.code, room.name.clone());
        }
        world.rooms.insert(room.name.clone(), room);
    }

    /// Takes a room and its entries out of the shard. It has no members.
    fn discard(&mut self, cx: &Cx<'_>, ns: &Namespace, name: &RoomName) {
        let Some(world) = self.worlds.get_mut(ns) else { return };
        let Some(room) = world.rooms.remove(name) else { return };
        world.listed.remove(name);
        if let Some(code) = &room.code {
            world.codes.remove(&code.code);
        }
        if world.rooms.is_empty() {
            self.worlds.remove(ns);
        }
        if let Some(due) = room.due {
            self.due.remove(&(due, room.key.ns, room.name));
        }
        down(&cx.hub.tallies().rooms);
    }

    pub(crate) fn look(&self, ns: &Namespace, name: &RoomName) -> Option<&dyn RoomView> {
        self.worlds.get(ns)?.rooms.get(name).map(|room| room as &dyn RoomView)
    }

    fn room(&mut self, ns: &Namespace, name: &str) -> Option<&mut Room> {
        self.worlds.get_mut(ns)?.rooms.get_mut(name)
    }

    /// The room and the asker's place in it; a sign of life. A room that is not there and one that the asker is not in are refused
    /// alike, so that nobody learns here which names are taken.
    fn member(&mut self, cx: &Cx<'_>, who: &Party, name: &str) -> Result<(&mut Room, usize), Refusal> {
        let Some(room) = self.room(&who.ns, name) else { return Err(Code::NotMember.into()) };
        let Some(at) = room.position(who.session) else { return Err(Code::NotMember.into()) };
        room.members[at].heard = cx.now.at;
        room.active = cx.now.wall;
        Ok((room, at))
    }
}
