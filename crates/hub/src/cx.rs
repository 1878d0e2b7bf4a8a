//! What a handler works with: the time, the rules, and the ways to make something happen.
//!
//! Lock order: a group's shard may be held while a peers' shard is taken, never the reverse, and never two of the same kind. Under
//! either, a door, a tally or a random source may be taken: those take nothing else.
//! What would break that order is put into [`Cx::later`] and done when no lock is held.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use rand_core::Rng;
use smallvec::SmallVec;
use wigwag_wire::event::{Ack, Done, ErrorEvent, Presence};
use wigwag_wire::{Device, Event, Namespace, PeerId, Refusal};

use crate::admission::Origin;
use crate::hub::Hub;
use crate::ids::{DialectId, GroupKey, GroupKeys, Party, SessionId};
use crate::output::{Frame, Note, Outputs};
use crate::peers::Telling;
use crate::rules::Rules;
use crate::time::Now;
use crate::voice::{Frames, RoomView, Scene, with_scratch};

/// The context of one input.
pub(crate) struct Cx<'a> {
    pub now: Now,
    pub hub: &'a Hub,
    pub out: &'a mut dyn Outputs,
    pub later: VecDeque<Later>,
}

/// What has to wait until no lock is held.
#[derive(Debug)]
pub(crate) enum Later {
    /// Frames for a session of another shard.
    Frames { to: SessionId, frames: Frames, event: u8 },
    /// What became of a signal, for its sender.
    Ack { to: SessionId, ack: Ack },
    /// A refusal for a session of another shard.
    Refuse { to: SessionId, n: Option<u64>, refusal: Refusal },
    /// A session ended: its groups and its watches are over.
    Ended { party: Arc<Party>, groups: GroupKeys, watching: Vec<PeerId> },
    /// A session went away or came back: its groups hear of it.
    State { party: Arc<Party>, groups: Vec<GroupKey>, state: Presence },
    /// An id's presence for its watchers. `revision` lets the newest win where two cross.
    Presence {
        ns: Namespace,
        id: PeerId,
        watchers: SmallVec<[SessionId; 4]>,
        state: Presence,
        seen: Option<u64>,
        revision: u64,
    },
    /// Watch an id at its own shard. A miss counts against that address.
    Watch { watcher: Arc<Party>, id: PeerId, origin: Option<Origin> },
    /// Watch an id no longer.
    Unwatch { watcher: Arc<Party>, id: PeerId },
    /// Acknowledged signals that may not have arrived.
    Lost { sender: SessionId, to: PeerId, device: Device, n: Vec<u64> },
}

/// An event for many: written once for each dialect among its receivers.
pub(crate) struct Spread<'a, 'e> {
    event: &'a Event<'e>,
    room: Option<&'a dyn RoomView>,
    frames: SmallVec<[(DialectId, Frames); 2]>,
}

impl<'a, 'e> Spread<'a, 'e> {
    pub(crate) fn new(event: &'a Event<'e>) -> Self {
        Self { event, room: None, frames: SmallVec::new() }
    }

    /// An event about a room, which some dialects show whole.
    pub(crate) fn about(event: &'a Event<'e>, room: &'a dyn RoomView) -> Self {
        Self { event, room: Some(room), frames: SmallVec::new() }
    }

    /// What it is for a party, and which event.
    pub(crate) fn frames(&mut self, cx: &Cx<'_>, to: &Party) -> (&Frames, u8) {
        let known = self.frames.iter().position(|(dialect, _)| *dialect == to.dialect);
        let at = known.unwrap_or_else(|| {
            self.frames.push((to.dialect, cx.frames(self.event, to, self.room)));
            self.frames.len() - 1
        });
        (&self.frames[at].1, self.event.index())
    }
}

impl Cx<'_> {
    pub(crate) fn rules(&self) -> &Rules {
        self.hub.rules()
    }

    /// Tells one session something. For group handlers: takes the lock of the session's shard.
    pub(crate) fn tell(&mut self, to: &Party, event: &Event<'_>) {
        let (hub, session, index) = (self.hub, to.session, event.index());
        with_scratch(|scratch| {
            // What is long is written before the lock is taken.
            if hub.write(event, to, scratch) {
                let telling = Telling { frame: Frame::Lent(scratch), event: index, signal: None };
                hub.peers(session).lock().tell(self, session, telling);
            } else {
                self.tell_frames(session, &self.frames(event, to, None), index);
            }
        });
    }

    /// Tells one session something about a room, which some dialects show whole.
    pub(crate) fn tell_about(&mut self, to: &Party, event: &Event<'_>, room: &dyn RoomView) {
        let frames = self.frames(event, to, Some(room));
        self.tell_frames(to.session, &frames, event.index());
    }

    /// Tells one of many; the frame is written once per dialect.
    pub(crate) fn spread(&mut self, spread: &mut Spread<'_, '_>, to: &Party) {
        let (frames, event) = spread.frames(self, to);
        self.tell_frames(to.session, frames, event);
    }

    /// Answers a request that has nothing else to say; silent where the request had no `n`.
    pub(crate) fn done(&mut self, to: &Party, n: Option<u64>, receivers: Option<u32>) {
        if let Some(re) = n {
            self.tell(to, &Event::Done(Done { re, receivers }));
        }
    }

    /// Tells a session that its request is refused.
    pub(crate) fn refuse(&mut self, to: &Party, n: Option<u64>, refusal: &Refusal) {
        self.out.note(Note::Refused(refusal.code));
        self.tell(to, &Event::Error(ErrorEvent::new(n, refusal)));
    }

    /// Notes that a session is in a group. Refused where the session is over or in as many as it may be.
    pub(crate) fn enter(&mut self, party: &Party, group: GroupKey) -> Result<(), Refusal> {
        self.hub.peers(party.session).lock().enter(party.session, group, &self.hub.rules().limits)
    }

    /// Notes that a session is no longer in a group.
    pub(crate) fn leave(&mut self, party: &Party, group: &GroupKey) {
        self.hub.peers(party.session).lock().leave(party.session, group);
    }

    /// Whether a session has a socket, is without one, or is over.
    pub(crate) fn presence(&self, session: SessionId) -> Presence {
        self.hub.peers(session).lock().presence(session)
    }

    /// Who a session is, unless it is over.
    pub(crate) fn party(&self, session: SessionId) -> Option<Arc<Party>> {
        self.hub.peers(session).lock().party(session)
    }

    /// A random number from the hub's own source.
    pub(crate) fn random(&self) -> u64 {
        self.hub.rng().next_u64()
    }

    pub(crate) fn fill(&self, bytes: &mut [u8]) {
        self.hub.rng().fill_bytes(bytes);
    }

    /// What an event becomes for a party.
    pub(crate) fn frames(&self, event: &Event<'_>, to: &Party, room: Option<&dyn RoomView>) -> Frames {
        self.hub.frames(event, to, Scene { now: self.now.wall, room })
    }

    /// Tells one session what is written already. Takes the lock of its shard.
    pub(crate) fn tell_frames(&mut self, session: SessionId, frames: &[Bytes], event: u8) {
        if !frames.is_empty() {
            self.hub.peers(session).lock().tell_all(self, session, frames, event);
        }
    }
}
