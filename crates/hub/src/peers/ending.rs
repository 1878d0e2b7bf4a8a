//! How sessions lose their socket, wait for another, and end.

use std::collections::VecDeque;
use std::sync::Arc;

use wigwag_wire::code::Code;
use wigwag_wire::event::{ErrorEvent, Presence};
use wigwag_wire::{Event, Namespace, PeerId, PublicKey, Refusal};

use super::Peers;
use super::directory::Address;
use super::queue::Queue;
use super::receipt::Loss;
use super::session::{Line, Rare};
use crate::cx::{Cx, Later};
use crate::ids::{Party, SessionId, SocketId};
use crate::output::{Note, Output};
use crate::time::Moment;

/// For how many milliseconds a replaced key is remembered: longer than any answer of the store is on its way.
const REPLACED_MS: u64 = 60_000;

/// Keys that lately ceased to speak for a name. A claim that the store granted before that may be on its way still.
#[derive(Debug, Default)]
pub(super) struct Replaced(VecDeque<(Moment, u64, Address, PublicKey)>);

impl Replaced {
    /// Whether a key was replaced after the store was asked about it.
    pub(super) fn holds(&self, address: &Address, key: Option<PublicKey>, asked: u64) -> bool {
        self.0.iter().any(|(_, change, a, k)| *change > asked && a == address && Some(*k) == key)
    }

    fn note(&mut self, now: Moment, change: u64, address: Address, key: PublicKey) {
        while self.0.front().is_some_and(|(at, ..)| now - *at > REPLACED_MS) {
            self.0.pop_front();
        }
        self.0.push_back((now, change, address, key));
    }
}

impl Peers {
    /// The session's socket is gone.
    pub(crate) fn detached(&mut self, cx: &mut Cx<'_>, id: SessionId, socket: SocketId) {
        let Some(session) = self.session_mut(id).filter(|s| s.socket() == Some(socket)) else { return };
        session.line = Line::Lost(cx.now.at);
        session.mark_at = Moment::NEVER;
        let (address, lasting) = (session.party.address(), session.resume.is_some());
        self.remember_seen(cx.now.wall, &address);
        if lasting {
            self.keep_timer(cx, id);
        } else {
            self.end(cx, id);
        }
    }

    /// The peer's own wish: the session ends at once.
    pub(crate) fn bye(&mut self, cx: &mut Cx<'_>, id: SessionId, socket: SocketId) {
        cx.out.emit(Output::Close { socket, code: 1000, reason: "bye" });
        self.end(cx, id);
    }

    /// Ends the sessions that speak for an id with a key that no longer may.
    pub(crate) fn end_key(&mut self, cx: &mut Cx<'_>, ns: &Namespace, id: &PeerId, key: &PublicKey) {
        let address = Address { ns: ns.clone(), id: id.clone() };
        self.replaced.note(cx.now.at, cx.hub.change_keys(), address.clone(), *key);
        let devices = self.receivers(&address.ns, address.id.as_str(), None);
        for session in devices {
            if self.session(session).is_some_and(|s| s.owner.key() == Some(*key)) {
                self.close(cx, session, Code::KeyReplaced);
            }
        }
    }

    /// Ends a session with a code, told to its peer and then used to close its socket.
    pub(crate) fn close(&mut self, cx: &mut Cx<'_>, id: SessionId, code: Code) {
        let Some((party, socket)) = self.session(id).map(|s| (s.party.clone(), s.socket())) else { return };
        if let Some(socket) = socket {
            cx.out.note(Note::Refused(code));
            let refusal = Refusal::from(code);
            let event = Event::Error(ErrorEvent::new(None, &refusal));
            for frame in cx.frames(&event, &party, None) {
                cx.out.note(Note::Event(party.dialect, event.index()));
                cx.out.emit(Output::Send { socket, frame });
            }
            cx.out.emit(Output::Close { socket, code: code.number(), reason: code.name() });
        }
        self.end(cx, id);
    }

    /// Takes the session's socket away from it, for a newer one. It is told by the close alone: a message would be counted by one
    /// side, and the session goes on.
    pub(super) fn supersede(&mut self, cx: &mut Cx<'_>, id: SessionId) {
        let Some(session) = self.session_mut(id) else { return };
        if let Line::Open(socket, _) = session.line {
            session.line = Line::Superseded;
            let code = Code::Superseded;
            cx.out.emit(Output::Close { socket, code: code.number(), reason: code.name() });
        }
    }

    /// Ends a session: out of the directory and of its groups, and whoever waits for word of it gets it.
    pub(super) fn end(&mut self, cx: &mut Cx<'_>, id: SessionId) {
        let Some(session) = self.slots.take_out(id) else { return };
        self.timers.drop_session(&session);
        cx.out.note(Note::Ended);
        let (detached, party) = (session.detached(), session.party);
        cx.hub.tallies().ended(&party.ns);
        let address = party.address();
        if detached.is_none() {
            self.remember_seen(cx.now.wall, &address);
        }
        self.directory.remove(&address, id);
        if let Some(resume) = session.resume {
            self.give_back(cx, &address, &party, resume.queue);
        }
        let Rare { groups, watching, .. } = session.rare.map(|rare| *rare).unwrap_or_default();
        let watching = watching.into_iter().map(|w| w.id).collect();
        cx.later.push_back(Later::Ended { party, groups, watching });
        self.deliver_waiting(cx, &address);
        self.review(cx, &address);
    }

    /// The grace after a lost socket is over: the others are told.
    pub(super) fn went_away(&mut self, cx: &mut Cx<'_>, id: SessionId) {
        self.set_state(cx, id, Presence::Away);
    }

    pub(super) fn set_state(&mut self, cx: &mut Cx<'_>, id: SessionId, state: Presence) {
        let Some(session) = self.session_mut(id).filter(|s| s.state != state) else { return };
        session.state = state;
        let (party, groups) = (session.party.clone(), session.groups().to_vec());
        self.review(cx, &party.address());
        if !groups.is_empty() {
            cx.later.push_back(Later::State { party, groups, state });
        }
    }

    /// A session ended with frames that it did not confirm. Stored signals that no socket was handed go back to wait; of everything
    /// else the senders are told.
    fn give_back(&mut self, cx: &mut Cx<'_>, address: &Address, party: &Arc<Party>, queue: Queue) {
        let mut losses = Vec::new();
        for loss in queue.into_frames().filter_map(|held| held.receipt.lost()) {
            match loss {
                Loss { stored: Some(stored), wired: false, .. }
                    if stored.expires > cx.now.wall && !address.is_for_now() =>
                {
                    self.put_back(cx, address, stored);
                }
                loss => losses.push(loss),
            }
        }
        self.lose(cx, party, losses);
    }
}
