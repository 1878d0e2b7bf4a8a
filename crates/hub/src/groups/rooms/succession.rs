//! Members go, and a room with members is never without a host.

use std::sync::Arc;

use wigwag_wire::Event;
use wigwag_wire::event::{HostWhy, Left, MemberChange, Presence, RoomHost, RoomLeft, RoomMember};

use super::room::{Member, Room, party_ref};
use crate::cx::{Cx, Spread};

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
        for member in &gone {
            let change = MemberChange::Left { id: &member.party.id, device: &member.party.device, why };
            let event = Event::RoomMember(RoomMember { room: &self.name, change });
            let mut spread = Spread::new(&event);
            for other in &self.members {
                cx.spread(&mut spread, &other.party);
            }
        }
        if let Some(host) = &self.host
            && gone.iter().any(|member| member.session == host.session)
        {
            self.last_host = Some(host.id.clone());
            self.host = None;
            self.succeed(cx);
        }
    }

    /// Makes a member the host of the next term and tells everyone; only the new host gets the state.
    pub(super) fn crown(&mut self, cx: &mut Cx<'_>, at: usize, why: HostWhy) {
        self.term += 1;
        let host = Arc::clone(&self.members[at].party);
        let event =
            |state| Event::RoomHost(RoomHost { room: &self.name, host: party_ref(&host), term: self.term, why, state });
        let (plain, with_state) = (event(None), event(self.state.as_deref()));
        let mut spread = Spread::new(&plain);
        for member in &self.members {
            if member.session == host.session {
                cx.tell(&member.party, &with_state);
            } else {
                cx.spread(&mut spread, &member.party);
            }
        }
        self.host = Some(host);
    }

    /// The longest-standing member that is here follows; where none is, the longest-standing that may come back.
    pub(super) fn succeed(&mut self, cx: &mut Cx<'_>) {
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
        if let Some(at) = next {
            self.crown(cx, at, HostWhy::Succeeded);
        }
    }
}
