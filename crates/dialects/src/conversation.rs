//! The machine behind one socket that speaks a dialect: the counterpart of the hub's own [`wigwag_hub::Connection`].

use std::sync::Arc;

use smallvec::SmallVec;
use wigwag_hub::{
    Claimed, Hub, Limiter, Moment, Note, Now, Output, Outputs, Party, Pass, Prefix, Rate, Received, SocketId,
};
use wigwag_wire::code::Code;
use wigwag_wire::raw::depth_within;
use wigwag_wire::{Namespace, Refusal};

use crate::Dialects;
use crate::arrival::{Arrival, Which};
use crate::dialect::Dialect;
use crate::sniff::Sniffer;
use crate::turn::{Interpreter, Line, Talk, Turn, Visit};

/// What all sockets share.
type Around<'a> = (&'a Hub, &'a Dialects);

/// One socket in a dialect, or in one that is not known yet.
pub struct Conversation {
    line: Line,
    frames: Limiter,
    talk: Box<Talk>,
}

impl Conversation {
    /// Whether a socket that arrives like this may open at all: a refusal before the upgrade costs least and says most.
    pub fn may_open(hub: &Hub, arrival: &Arrival) -> Result<Namespace, Refusal> {
        let rules = hub.rules();
        let ns = arrival.namespace.clone().unwrap_or_else(|| rules.default_namespace.clone());
        if rules.namespaces.as_ref().is_some_and(|served| !served.contains(&ns)) {
            return Err(Code::NamespaceRefused.into());
        }
        Ok(ns)
    }

    /// A socket has opened. `pass` is what [`Hub::admit`] gave.
    pub fn open(
        around: Around<'_>,
        now: Now,
        socket: SocketId,
        pass: Pass,
        arrival: Arrival,
        out: &mut dyn Outputs,
    ) -> Self {
        let (hub, _) = around;
        let ns = Self::may_open(hub, &arrival);
        let visit = Visit {
            ns: ns.clone().unwrap_or_else(|_| hub.rules().default_namespace.clone()),
            parties: SmallVec::new(),
        };
        let (dialect, talk) = match &arrival.which {
            Which::One(dialect) => (Some(*dialect), dialect.talk(visit)),
            Which::Among(dialects) => (None, visit.interpreted_by(Sniffer::new(dialects.clone()))),
        };
        let line =
            Line { socket, pass, opened: now.at, arrival: Some(Box::new(arrival)), dialect, naming: None, over: false };
        let mut conversation = Self { line, frames: Limiter::default(), talk };
        match ns {
            Ok(_) => conversation.opened(around, now, out),
            Err(refusal) => conversation.refuse(refusal.code, out),
        }
        conversation
    }

    /// Takes in what happened to the socket.
    pub fn handle(&mut self, around: Around<'_>, now: Now, received: Received<'_>, out: &mut dyn Outputs) {
        let (hub, _) = around;
        match received {
            Received::Text(text) => self.text(around, now, Some(text), out),
            Received::Binary(bytes) => self.text(around, now, std::str::from_utf8(bytes).ok(), out),
            Received::Pong(_) => {}
            Received::Claimed(claimed) => self.claimed(around, now, claimed, out),
            Received::Tick => {
                if self.next_deadline().is_some_and(|due| due <= now.at) {
                    self.take_turn(around, now, out, |interpreter, turn| interpreter.tick(turn));
                }
            }
            Received::Banned(prefix) => self.banned(hub, now, &prefix, out),
            Received::Closed => {
                self.take_turn(around, now, out, |interpreter, turn| interpreter.closed(turn));
                self.line.over = true;
                self.part(hub, now, out);
                hub.release(&mut self.line.pass);
            }
        }
    }

    /// When [`Received::Tick`] is due.
    pub fn next_deadline(&self) -> Option<Moment> {
        if self.line.over { None } else { self.talk.interpreter.deadline() }
    }

    /// Whether an answer from outside is awaited, so that no more frames may be handed in.
    pub fn is_waiting(&self) -> bool {
        self.line.naming.as_ref().is_some_and(|naming| naming.waiting.is_some())
    }

    /// The dialect, once it is known.
    pub fn dialect(&self) -> Option<Dialect> {
        self.line.dialect
    }

    /// The sessions that speak through this socket.
    pub fn parties(&self) -> &[Arc<Party>] {
        &self.talk.visit.parties
    }

    fn text(&mut self, around: Around<'_>, now: Now, text: Option<&str>, out: &mut dyn Outputs) {
        if self.line.over {
            return;
        }
        let (hub, _) = around;
        let limits = &hub.rules().limits;
        let rate = Rate::per_second(limits.frames_per_second, limits.frames_burst);
        if self.frames.take(now.at, rate).is_err() {
            // Dialects have no word for it: the frame is dropped, and the operator's numbers say so.
            return out.note(Note::Refused(Code::RateLimited));
        }
        match text {
            // One so deep that a receiver could choke on it counts as none.
            Some(text) if depth_within(text, limits.json_depth) => self.hear(around, now, text, out),
            _ => {
                self.take_turn(around, now, out, |interpreter, turn| interpreter.garbled(turn));
            }
        }
    }

    fn hear(&mut self, around: Around<'_>, now: Now, text: &str, out: &mut dyn Outputs) {
        if let Some(dialect) = self.take_turn(around, now, out, |interpreter, turn| interpreter.heard(turn, text)) {
            self.line.dialect = Some(dialect);
            self.talk = self.talk.succeeded_by(dialect);
            self.opened(around, now, out);
            self.take_turn(around, now, out, |interpreter, turn| interpreter.heard(turn, text));
        }
        if let Some(naming) = self.line.naming.as_mut().filter(|naming| naming.asked.is_some()) {
            naming.waiting.get_or_insert_with(|| text.into());
        }
    }

    /// The socket is open, and its interpreter is the one that it will keep, or the one that finds that out.
    fn opened(&mut self, around: Around<'_>, now: Now, out: &mut dyn Outputs) {
        self.take_turn(around, now, out, |interpreter, turn| interpreter.opened(turn));
        if !self.talk.interpreter.rereads_address() {
            self.line.arrival = None;
        }
    }

    fn claimed(&mut self, around: Around<'_>, now: Now, claimed: Claimed, out: &mut dyn Outputs) {
        let Some(naming) = self.line.naming.as_mut() else { return };
        let (Some(name), Some(text)) = (naming.asked.take(), naming.waiting.take()) else { return };
        let answer = match claimed {
            Claimed::Yes => Ok(()),
            Claimed::No(code) => Err(code),
        };
        naming.answered = Some((name, answer));
        if !self.line.over {
            self.hear(around, now, &text, out);
        }
    }

    fn banned(&mut self, hub: &Hub, now: Now, prefix: &Prefix, out: &mut dyn Outputs) {
        if self.line.pass.origin().is_within(prefix) && !self.line.over {
            self.refuse(Code::Banned, out);
            self.part(hub, now, out);
        }
    }

    /// Closes for a reason that is no dialect's own.
    fn refuse(&mut self, code: Code, out: &mut dyn Outputs) {
        out.note(Note::Refused(code));
        out.emit(Output::Close { socket: self.line.socket, code: code.number(), reason: code.name() });
        self.line.over = true;
    }

    /// Lets the interpreter act; answers which one is to follow it.
    fn take_turn(
        &mut self,
        (hub, dialects): Around<'_>,
        now: Now,
        out: &mut dyn Outputs,
        act: impl FnOnce(&mut dyn Interpreter, &mut Turn<'_>),
    ) -> Option<Dialect> {
        let was_over = self.line.over;
        let Self { line, talk, .. } = self;
        let Talk { visit, interpreter } = &mut **talk;
        let mut turn = Turn { hub, dialects, now, line, visit, out, successor: None };
        act(interpreter, &mut turn);
        let successor = turn.successor;
        if self.line.over && !was_over {
            self.part(hub, now, out);
        }
        successor
    }

    /// Ends the sessions that spoke through this socket.
    fn part(&mut self, hub: &Hub, now: Now, out: &mut dyn Outputs) {
        for party in std::mem::take(&mut self.talk.visit.parties) {
            hub.farewell(now, &party, self.line.socket, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peerjs::PeerJs;

    #[test]
    fn what_a_socket_takes_stays_small() {
        // It lies in the socket's task, where a native connection takes as much.
        assert!(size_of::<Conversation>() <= 80, "{}", size_of::<Conversation>());
        // With eight bytes of its allocator's, a piece of memory is a multiple of sixteen.
        assert!(size_of::<Talk<PeerJs>>() <= 104, "{}", size_of::<Talk<PeerJs>>());
    }
}
