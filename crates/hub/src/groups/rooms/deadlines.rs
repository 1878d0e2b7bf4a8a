//! What happens to rooms by itself: silent members are dropped, codes run out, empty rooms go.
//!
//! Each room has at most one entry in its shard's ordered set, no later than its first real deadline. A sign of life does not touch
//! the set: an entry that comes too early finds nothing to do and is put back where it belongs.

use wigwag_wire::event::Left;
use wigwag_wire::{Namespace, RoomName};

use super::Rooms;
use super::room::{Member, Room};
use crate::cx::Cx;
use crate::time::Moment;

impl Rooms {
    /// Does what is due.
    pub(crate) fn tick(&mut self, cx: &mut Cx<'_>) {
        while self.due.first().is_some_and(|(due, ..)| *due <= cx.now.at) {
            let Some((_, ns, name)) = self.due.pop_first() else { return };
            let Some(world) = self.worlds.get_mut(&ns) else { continue };
            let Some(room) = world.rooms.get_mut(&name) else { continue };
            room.due = None;
            if let Some(code) = room.code.take_if(|code| code.expires <= cx.now.at) {
                world.codes.remove(&code.code);
            }
            if room.idle_check.is_some_and(|at| at <= cx.now.at) {
                room.drop_silent(cx);
            }
            self.settle(cx, &ns, &name);
        }
    }

    /// When something may be due next.
    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        self.due.first().map(|(due, ..)| *due)
    }

    /// Brings a room's end and its entry in step with what happened to it.
    pub(super) fn settle(&mut self, cx: &Cx<'_>, ns: &Namespace, name: &RoomName) {
        let Some(room) = self.worlds.get_mut(ns).and_then(|world| world.rooms.get_mut(name)) else { return };
        if room.members.is_empty() {
            room.idle_check = None;
            let ends = *room.ends.get_or_insert(cx.now.at + room.options.linger_ms);
            if ends <= cx.now.at {
                self.discard(cx, ns, name);
                return;
            }
        }
        let code = room.code.as_ref().map(|code| code.expires);
        let Some(next) = [room.ends, room.idle_check, code].into_iter().flatten().min() else { return };
        if room.due.is_some_and(|due| due <= next) {
            return;
        }
        if let Some(old) = room.due.replace(next) {
            self.due.remove(&(old, ns.clone(), name.clone()));
        }
        self.due.insert((next, ns.clone(), name.clone()));
    }
}

impl Room {
    /// Begins to look for silence, unless that is done already or nobody wants it.
    pub(super) fn expect_life(&mut self, now: Moment) {
        if self.options.idle_ms != 0 && self.idle_check.is_none() {
            self.idle_check = Some(now + self.options.idle_ms);
        }
    }

    /// Drops all who were silent for too long at once, so that they are not told of each other.
    fn drop_silent(&mut self, cx: &mut Cx<'_>) {
        let (now, idle) = (cx.now.at, self.options.idle_ms);
        let silent = |member: &Member| idle != 0 && now - member.heard >= idle;
        if self.members.iter().any(silent) {
            self.remove(cx, silent, Left::Idle, None);
        }
        let first = self.members.iter().map(|member| member.heard).min();
        self.idle_check = first.filter(|_| idle != 0).map(|heard| heard + idle);
    }
}
