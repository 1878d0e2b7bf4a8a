//! Members go, and a room with members is never without a host.

use std::sync::Arc;

use wigwag_wire::event::{HostWhy, Left, MemberChange, Presence, RoomHost, RoomLeft, RoomMember};
use wigwag_wire::{Event, PeerId};

use super::room::{Member, Room, party_ref};
use crate::cx::{Cx, Spread};
use crate::time::Moment;

impl Room {
    /// Takes members out: they are told unless they know, then those who stay are, then the host is followed if it was among them.
    pub(super) fn remove(&mut self, cx: &mut Cx<'_>, pick: impl Fn(&Member) -> bool, why: Left, reason: Option<&str>) {
        let gone: Vec<Member> = self.members.extract_if(.., |member| pick(member)).collect();
        let told = Event::RoomLeft(RoomLeft { room: &self.name, why, reason });
        let mut told = Spread::new(&told);
        for member in &gone {
            cx.leave(&member.party, &self.key);
            if !matches!(why, Left::Left | Left::Gone) {
                cx.spread(&mut told, &member.party);
            }
        }
        if !gone.is_empty() {
            self.active = cx.now.wall;
        }
        let lost = self.host.as_ref().filter(|host| gone.iter().any(|member| member.session == host.session)).cloned();
        let next = if lost.is_some() { self.successor(cx) } else { None };
        if lost.is_some() {
            // From here on whoever is shown the room sees the next host; that it is told as a change comes below.
            self.host = next.map(|at| Arc::clone(&self.members[at].party));
        }
        for member in &gone {
            let was_host = lost.as_ref().is_some_and(|host| host.session == member.session);
            let next_host = next.filter(|_| was_host).map(|at| &self.members[at].party.id);
            let change = MemberChange::Left { id: &member.party.id, device: &member.party.device, why, next_host };
            let event = Event::RoomMember(RoomMember { room: &self.name, change });
            let mut spread = Spread::about(&event, self);
            for other in &self.members {
                cx.spread(&mut spread, &other.party);
            }
        }
        if let Some(host) = lost {
            if why == Left::Gone && cx.hub.is_draining() {
                self.inherit(cx.now.at, &host.id, Moment::NEVER);
            }
            self.last_host = Some(host.id.clone());
            if let Some(at) = next {
                self.crown_after(cx, at, HostWhy::Succeeded, Some(&host.id));
            }
        }
    }

    /// Makes a member the host of the next term and tells everyone; only the new host gets the state.
    pub(super) fn crown(&mut self, cx: &mut Cx<'_>, at: usize, why: HostWhy) {
        let previous = self.host.as_ref().map(|host| host.id.clone());
        self.crown_after(cx, at, why, previous.as_ref());
    }

    /// The host from before a restart is back: it is host again.
    pub(super) fn enthrone(&mut self, cx: &mut Cx<'_>, at: usize) {
        let member = &self.members[at];
        let Some((_, until)) = self.heir.take_if(|(heir, _)| *heir == member.party.id) else { return };
        if cx.now.at <= until && !self.is_host(member.session) {
            self.crown(cx, at, HostWhy::Returned);
        }
    }

    /// Remembers who was host when the server went down, unless the one from an earlier time may still come back.
    pub(super) fn inherit(&mut self, now: Moment, host: &PeerId, until: Moment) {
        if self.heir.as_ref().is_none_or(|(_, until)| *until < now) {
            self.heir = Some((host.clone(), until));
        }
    }

    fn crown_after(&mut self, cx: &mut Cx<'_>, at: usize, why: HostWhy, previous: Option<&PeerId>) {
        self.term += 1;
        let host = Arc::clone(&self.members[at].party);
        self.host = Some(Arc::clone(&host));
        let term = self.term;
        let event =
            |state| Event::RoomHost(RoomHost { room: &self.name, host: party_ref(&host), term, why, previous, state });
        let (plain, with_state) = (event(None), event(self.state.as_deref()));
        let mut spread = Spread::about(&plain, self);
        for member in &self.members {
            if member.session == host.session {
                cx.tell_about(&member.party, &with_state, self);
            } else {
                cx.spread(&mut spread, &member.party);
            }
        }
    }

    /// The longest-standing member that is here follows; where none is, the longest-standing that may come back.
    pub(super) fn succeed(&mut self, cx: &mut Cx<'_>) {
        if let Some(at) = self.successor(cx) {
            self.crown(cx, at, HostWhy::Succeeded);
        }
    }

    fn successor(&self, cx: &Cx<'_>) -> Option<usize> {
        let mut next = (!self.members.is_empty()).then_some(0);
        let mut best = Presence::Gone;
        for (at, member) in self.members.iter().enumerate() {
            let state = cx.presence(member.session);
            if state > best {
                (next, best) = (Some(at), state);
            }
            if best == Presence::Here {
                break;
            }
        }
        next
    }
}
