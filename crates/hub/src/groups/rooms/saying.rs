//! `say`: a member speaks to the room, under its mode.

use smallvec::SmallVec;
use wigwag_wire::event::Said;
use wigwag_wire::request::{Mode, Say};
use wigwag_wire::{Code, Event, PeerId, Refusal};

use super::room::{Member, Room};
use crate::cx::{Cx, Spread};

impl Room {
    /// Passes on what the member at `at` says, byte for byte.
    pub(super) fn say(&self, cx: &mut Cx<'_>, at: usize, n: Option<u64>, say: &Say<'_>) -> Result<(), Refusal> {
        let me = &self.members[at];
        let to = say.to.as_ref().map(|ids| {
            let mut ids: SmallVec<[&str; 8]> = ids.iter().map(PeerId::as_str).collect();
            ids.sort_unstable();
            ids
        });
        // Where only the host may act, others may still ask it for something; its other devices are not the host.
        let to_host_alone = self.options.mode == Mode::HostOnly && !self.is_host(me.session);
        if to_host_alone && !to.as_ref().is_some_and(|ids| self.is_host_alone(ids)) {
            return Err(Refusal::new(Code::NotAllowed, "In this room others may say something `to` the host alone."));
        }
        let hears = |member: &Member| {
            member.session != me.session
                && to.as_ref().is_none_or(|ids| ids.binary_search(&member.party.id.as_str()).is_ok())
                && (!to_host_alone || self.is_host(member.session))
        };
        let (from, device) = (&me.party.id, &me.party.device);
        let event = Event::Said(Said { room: &self.name, from, device, data: say.data, foreign: say.foreign });
        let mut spread = Spread::about(&event, self);
        let mut receivers = 0;
        for member in self.members.iter().filter(|member| hears(member)) {
            cx.spread(&mut spread, &member.party);
            receivers += 1;
        }
        cx.done(&me.party, n, Some(receivers));
        Ok(())
    }

    fn is_host_alone(&self, ids: &[&str]) -> bool {
        !ids.is_empty() && self.host.as_ref().is_some_and(|host| ids.iter().all(|id| *id == host.id.as_str()))
    }
}
