//! What only the host may do. An order names the term it comes from: one from another term is refused, so that a host that does not
//! know yet that it is none any more changes nothing.

use std::sync::Arc;

use wigwag_wire::event::{HostWhy, Left, RoomChanged};
use wigwag_wire::limits::is_full;
use wigwag_wire::request::{RoomSet, RoomState, RoomTarget};
use wigwag_wire::{Code, Event, Refusal};

use super::Rooms;
use super::room::{Member, Room, kept};
use crate::cx::{Cx, Spread};
use crate::ids::Party;

impl Rooms {
    /// `room.set`.
    pub(super) fn set(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        set: &RoomSet<'_>,
    ) -> Result<(), Refusal> {
        let room = self.steered(cx, who, set.room.as_str(), set.term)?;
        let mode = room.options.mode;
        room.options.change(cx, &set.options)?;
        let new_mode = room.options.mode != mode;
        if set.options.idle.is_some() {
            // Until now nobody had to give signs of life.
            room.members.iter_mut().for_each(|member| member.heard = cx.now.at);
            room.idle_check = None;
            room.expect_life(cx.now.at);
        }
        room.tell_changed(cx, new_mode, set.options.meta.is_some());
        let listed = room.options.listed;
        if let Some(world) = self.worlds.get_mut(&who.ns) {
            if listed {
                world.listed.insert(set.room.clone());
            } else {
                world.listed.remove(&set.room);
            }
        }
        self.settle(cx, &who.ns, &set.room);
        cx.done(who, n, None);
        Ok(())
    }

    /// `room.kick`.
    pub(super) fn kick(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        target: &RoomTarget,
    ) -> Result<(), Refusal> {
        let room = self.steered(cx, who, target.room.as_str(), target.term)?;
        let meant = |member: &Member| is_meant(member, target);
        room.spare_host(meant)?;
        if !room.members.iter().any(meant) {
            return Err(Refusal::new(Code::NotFound, "No such member is in the room."));
        }
        room.remove(cx, meant, Left::Kicked, target.reason.as_deref());
        cx.done(who, n, None);
        Ok(())
    }

    /// `room.ban`: for all devices of the id, in the room or not.
    pub(super) fn ban(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        target: &RoomTarget,
    ) -> Result<(), Refusal> {
        let limit = cx.rules().limits.bans_per_room;
        let room = self.steered(cx, who, target.room.as_str(), target.term)?;
        let meant = |member: &Member| member.party.id == target.id;
        room.spare_host(meant)?;
        if !room.bans.contains(&target.id) {
            if is_full(room.bans.len(), limit) {
                return Err(Refusal::new(Code::TooLarge, format!("The room bans {limit} ids already.")));
            }
            room.bans.insert(target.id.clone());
        }
        room.remove(cx, meant, Left::Banned, target.reason.as_deref());
        cx.done(who, n, None);
        Ok(())
    }

    /// `room.unban`.
    pub(super) fn unban(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        target: &RoomTarget,
    ) -> Result<(), Refusal> {
        let room = self.steered(cx, who, target.room.as_str(), target.term)?;
        room.bans.remove(&target.id);
        cx.done(who, n, None);
        Ok(())
    }

    /// `room.transfer`.
    pub(super) fn transfer(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        target: &RoomTarget,
    ) -> Result<(), Refusal> {
        let room = self.steered(cx, who, target.room.as_str(), target.term)?;
        let Some(at) = room.members.iter().position(|member| is_meant(member, target)) else {
            return Err(Refusal::new(Code::NotFound, "No such member is in the room."));
        };
        if !room.is_host(room.members[at].session) {
            room.crown(cx, at, HostWhy::Transferred);
        }
        cx.done(who, n, None);
        Ok(())
    }

    /// `room.state`.
    pub(super) fn leave_state(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        left: &RoomState<'_>,
    ) -> Result<(), Refusal> {
        let room = self.steered(cx, who, left.room.as_str(), left.term)?;
        room.state = kept(left.state);
        cx.done(who, n, None);
        Ok(())
    }

    /// The room, if the asker may steer it in this term.
    fn steered(&mut self, cx: &Cx<'_>, who: &Party, name: &str, term: u64) -> Result<&mut Room, Refusal> {
        let (room, _) = self.member(cx, who, name)?;
        if term != room.term {
            return Err(Code::StaleTerm.into());
        }
        if !room.is_host(who.session) {
            return Err(Code::NotAllowed.into());
        }
        Ok(room)
    }
}

impl Room {
    fn spare_host(&self, meant: impl Fn(&Member) -> bool) -> Result<(), Refusal> {
        if self.members.iter().any(|member| self.is_host(member.session) && meant(member)) {
            return Err(Refusal::new(Code::NotAllowed, "The host cannot be sent away: it can leave."));
        }
        Ok(())
    }

    fn tell_changed(&self, cx: &mut Cx<'_>, new_mode: bool, new_meta: bool) {
        let event = Event::RoomChanged(RoomChanged {
            room: &self.name,
            mode: self.options.mode,
            locked: self.options.locked,
            listed: self.options.listed,
            capacity: self.options.capacity,
            password: self.options.password.is_some(),
            meta: self.options.meta.as_deref(),
            new_mode,
            new_meta,
        });
        let mut spread = Spread::about(&event, self);
        for member in &self.members {
            cx.spread(&mut spread, &member.party);
        }
    }
}

fn is_meant(member: &Member, target: &RoomTarget) -> bool {
    member.party.id == target.id && target.device.as_ref().is_none_or(|device| member.party.device == *device)
}
