//! How a session is told something: counted, kept until it is confirmed, sent if there is a socket.

use bytes::Bytes;
use wigwag_wire::code::Code;
use wigwag_wire::event::IceEvent;
use wigwag_wire::{Device, Event, PeerId};

use super::Peers;
use super::queue::Held;
use super::receipt::{Acked, Loss, Receipt};
use super::session::Session;
use crate::cx::{Cx, Later};
use crate::ids::{Party, SessionId, SocketId};
use crate::output::{Frame, Note, Output};
use crate::time::Moment;
use crate::voice::with_scratch;

/// What a session is told.
pub(crate) struct Telling<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) event: u8,
    /// For a signal and for what is relayed. To a session without a socket it is refused where it finds no room, and pushes nothing
    /// out; what is relayed is also where there is a socket.
    pub(crate) signal: Option<Receipt>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// A socket is handed it.
    Wired,
    /// It is held for a session without a socket.
    Held,
    /// There was no room for a signal.
    Full,
    /// The session is over.
    Nobody,
}

impl Peers {
    /// Tells a session something.
    pub(crate) fn tell(&mut self, cx: &mut Cx<'_>, id: SessionId, telling: Telling<'_>) -> Told {
        let limits = &cx.hub.rules().limits;
        let Telling { frame, event, signal } = telling;
        let Some(session) = self.session_mut(id) else { return Told::Nobody };
        let (dialect, open) = (session.party.dialect, session.socket());
        let Some(resume) = session.resume.as_deref_mut() else {
            // It ends with its socket, so there is nothing to hold.
            let Some(socket) = open else { return Told::Nobody };
            cx.out.note(Note::Event(dialect, event));
            cx.out.send(socket, frame);
            return Told::Wired;
        };
        // What is relayed has a share of its own: it takes no room from anything else, and pushes nothing out.
        let relayed = matches!(signal, Some(Receipt::Relayed));
        let has_room = if relayed {
            resume.queue.has_relay_room(frame.len(), limits)
        } else {
            resume.queue.has_room(frame.len(), limits)
        };
        let socket = open.filter(|_| has_room);
        // One larger than the whole queue would push itself out, and one that overtakes what is stored would break the order.
        let refused =
            session.behind || !resume.queue.can_hold(frame.len(), limits) || (!has_room && (relayed || open.is_none()));
        if refused && signal.is_some() {
            return Told::Full;
        }
        cx.out.note(Note::Event(dialect, event));
        if let Some(socket) = socket {
            cx.out.send(socket, frame);
        }
        resume.queue.push(Held { frame: frame.keep(), receipt: signal.unwrap_or(Receipt::None) });
        if socket.is_some() {
            let wired = resume.queue.wire();
            self.forget(cx, wired, true);
            self.handed(cx, id);
            return Told::Wired;
        }
        if !has_room {
            let party = session.party.clone();
            let shed = resume.queue.shed(limits);
            self.cut(cx, id);
            self.lose(cx, &party, shed.into_iter().filter_map(|held| held.receipt.lost()));
        }
        Told::Held
    }

    /// Hands a session a signal, or what is relayed.
    pub(super) fn hand<'e>(
        &mut self,
        cx: &mut Cx<'_>,
        id: SessionId,
        event: impl FnOnce(&Party) -> Event<'e>,
        receipt: Receipt,
    ) -> Told {
        with_scratch(|scratch| {
            let Some(session) = self.session(id) else { return Told::Nobody };
            let party = &session.party;
            let written = event(party);
            let event = written.index();
            if cx.hub.write(&written, party, scratch) {
                return self.tell(cx, id, Telling { frame: Frame::Lent(scratch), event, signal: Some(receipt) });
            }
            let frames = cx.frames(&written, party, None);
            self.hand_frames(cx, id, &frames, event, receipt)
        })
    }

    /// The same where its frames are written already: the last of them is the one to be confirmed.
    pub(super) fn hand_frames(
        &mut self,
        cx: &mut Cx<'_>,
        id: SessionId,
        frames: &[Bytes],
        event: u8,
        receipt: Receipt,
    ) -> Told {
        // A dialect without signals has no use for it.
        let Some((last, before)) = frames.split_last() else { return Told::Nobody };
        self.tell_all(cx, id, before, event);
        self.tell(cx, id, Telling { frame: Frame::Shared(last), event, signal: Some(receipt) })
    }

    /// Tells a session of this shard an event.
    pub(crate) fn tell_event(&mut self, cx: &mut Cx<'_>, party: &Party, event: &Event<'_>) {
        let (id, index) = (party.session, event.index());
        with_scratch(|scratch| {
            if cx.hub.write(event, party, scratch) {
                self.tell(cx, id, Telling { frame: Frame::Lent(scratch), event: index, signal: None });
            } else {
                self.tell_all(cx, id, &cx.frames(event, party, None), index);
            }
        });
    }

    /// Tells a session what is written already.
    pub(crate) fn tell_all(&mut self, cx: &mut Cx<'_>, id: SessionId, frames: &[Bytes], event: u8) {
        for frame in frames {
            self.tell(cx, id, Telling { frame: Frame::Shared(frame), event, signal: None });
        }
    }

    /// Tells a session of this shard what became of its request.
    pub(crate) fn tell_own(&mut self, cx: &mut Cx<'_>, id: SessionId, event: &Event<'_>) {
        if let Some(party) = self.party(id) {
            self.tell_event(cx, &party, event);
        }
    }

    /// A client confirms that it took in `count` frames.
    pub(crate) fn confirmed(&mut self, cx: &mut Cx<'_>, id: SessionId, socket: SocketId, count: u64) {
        let Some(session) = self.session_mut(id).filter(|s| s.socket() == Some(socket)) else { return };
        session.heard();
        session.saw(count);
        session.rest();
        self.catch_up(cx, id);
    }

    /// Signals are lost: their senders are told, and what was stored of them is forgotten.
    pub(super) fn lose(&mut self, cx: &mut Cx<'_>, to: &Party, losses: impl IntoIterator<Item = Loss>) {
        let (mut lost, mut forget) = (Vec::new(), Vec::new());
        for Loss { acked, stored, wired } in losses {
            match stored {
                Some(stored) => {
                    forget.extend(Some(stored.number).filter(|_| !wired));
                    lost.extend(acked.filter(|_| self.leaves_lost(stored.number, &to.id, &to.device)));
                }
                None => lost.extend(acked),
            }
        }
        self.forget(cx, forget, false);
        report_lost(cx, &to.id, &to.device, lost);
    }

    /// A session asks for ICE servers afresh.
    pub(crate) fn ice(&mut self, cx: &mut Cx<'_>, who: &Party, n: Option<u64>) {
        let grant = crate::ice::grant(&cx.rules().ice, who, cx.now.wall);
        let event = Event::Ice(IceEvent { re: n, servers: &grant.servers, expires: grant.expires.map(|w| w.0) });
        self.tell_event(cx, who, &event);
        self.expect_ice(cx, who.session);
    }

    /// Pushes fresh ICE servers to a session whose credentials are about to expire.
    pub(super) fn refresh_ice(&mut self, cx: &mut Cx<'_>, id: SessionId) {
        let Some(session) = self.session_mut(id) else { return };
        if session.ice_at <= cx.now.at {
            let party = session.party.clone();
            self.ice(cx, &party, None);
        }
    }

    /// A session was just given ICE servers: the next ones come before these expire.
    pub(super) fn expect_ice(&mut self, cx: &Cx<'_>, id: SessionId) {
        let wait = crate::ice::refresh_after_ms(&cx.rules().ice);
        if let Some(session) = self.session_mut(id) {
            session.ice_at = wait.map_or(Moment::NEVER, |wait| cx.now.at + wait);
            self.keep_timer(cx, id);
        }
    }

    /// Takes its socket from a session that does not read.
    fn cut(&mut self, cx: &mut Cx<'_>, id: SessionId) {
        let Some(socket) = self.session(id).and_then(Session::socket) else { return };
        cx.out.emit(Output::Close { socket, code: Code::SlowReader.number(), reason: Code::SlowReader.name() });
        cx.out.note(Note::Refused(Code::SlowReader));
        self.detached(cx, id, socket);
    }
}

/// Tells senders that acknowledged signals may not have arrived, when no lock is held.
pub(super) fn report_lost(cx: &mut Cx<'_>, to: &PeerId, device: &Device, mut lost: Vec<Acked>) {
    lost.sort_unstable();
    for of_one in lost.chunk_by(|(one, _), (other, _)| one == other) {
        let Some(&(sender, _)) = of_one.first() else { continue };
        let n = of_one.iter().map(|(_, n)| *n).collect();
        cx.later.push_back(Later::Lost { sender, to: to.clone(), device: device.clone(), n });
    }
}
