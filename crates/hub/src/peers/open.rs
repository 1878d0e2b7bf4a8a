//! How sessions begin, lose their socket, find another and end.

use std::sync::Arc;

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};
use wigwag_wire::code::Code;
use wigwag_wire::event::{LimitsTold, Presence, Welcome};
use wigwag_wire::limits::is_full;
use wigwag_wire::{Device, Event, Namespace, PeerId, PublicKey, Refusal, VERSION};

use super::directory::Address;
use super::queue::{Held, Queue};
use super::session::{Resumable, Session};
use super::stored::{Record, Stored};
use super::{Peers, SignalMark, Telling, Timer};
use crate::cx::{Cx, Later};
use crate::ids::{DialectId, Party, SessionId, SocketId};
use crate::limiter::Limiter;
use crate::output::{Note, Output};
use crate::time::Wall;

/// A proved wish for a session.
pub(crate) struct Opening {
    pub(crate) ns: Namespace,
    pub(crate) id: PeerId,
    pub(crate) device: Device,
    pub(crate) dialect: DialectId,
    pub(crate) key: Option<PublicKey>,
    pub(crate) socket: SocketId,
    /// Token and count of a session to go on with.
    pub(crate) resume: Option<(String, u64)>,
    /// Whether the session may outlive its socket.
    pub(crate) lasting: bool,
}

/// The session that a token belongs to, as it says itself.
pub(crate) fn parse_token(token: &str) -> Option<SessionId> {
    let (number, secret) = token.split_once('.')?;
    if number.len() != 16 || secret.len() != 32 {
        return None;
    }
    u64::from_str_radix(number, 16).ok().map(SessionId)
}

fn hash_token(token: &str) -> [u8; 16] {
    let hash = Sha256::digest(token.as_bytes());
    let mut short = [0; 16];
    short.copy_from_slice(&hash[..16]);
    short
}

impl Peers {
    /// The id of the guest who holds this token.
    pub(crate) fn guest_of_token(&self, token: &str) -> Option<Arc<Party>> {
        let session = self.session(parse_token(token)?)?;
        let resume = session.resume.as_deref()?;
        (session.key.is_none() && resume.token_hash == hash_token(token)).then(|| session.party.clone())
    }

    /// Begins a session, or goes on with one, and welcomes the peer.
    pub(crate) fn open(&mut self, cx: &mut Cx<'_>, opening: Opening) -> Result<Arc<Party>, Refusal> {
        let address = Address { ns: opening.ns.clone(), id: opening.id.clone() };
        if self.is_banned(&address, cx.now.wall) {
            return Err(Code::Banned.into());
        }
        let devices = self.directory.get(&address).map(|e| e.devices.clone()).unwrap_or_default();
        let same = devices.iter().copied().find(|s| self.session(*s).is_some_and(|s| s.party.device == opening.device));
        if let (Some(session), Some((token, seen))) = (same, &opening.resume)
            && let Some(party) = self.resume(cx, session, token, *seen, &opening)
        {
            return Ok(party);
        }
        let limits = &cx.hub.rules().limits;
        if same.is_none() {
            if is_full(devices.len(), limits.sessions_per_id) {
                return Err(Code::TooManySessions.into());
            }
            if limits.sessions_per_namespace != 0 {
                cx.hub.tallies().may_begin(&opening.ns, limits.sessions_per_namespace)?;
            }
        }
        // The new session is in place before the old one ends, so nobody sees the id leave.
        let party = self.begin_session(cx, &address, opening);
        if let Some(old) = same {
            self.supersede(cx, old);
            self.end(cx, old);
        }
        self.review(cx, &address);
        self.deliver_stored(cx, &address, &party);
        Ok(party)
    }

    /// The session's socket is gone.
    pub(crate) fn detached(&mut self, cx: &mut Cx<'_>, id: SessionId, socket: SocketId) {
        let Some(session) = self.session_mut(id) else { return };
        if session.socket != Some(socket) {
            return;
        }
        session.socket = None;
        session.detached = Some(cx.now.at);
        if session.resume.is_none() {
            self.end(cx, id);
            return;
        }
        let address = session.party.address();
        let (away, gone) = (cx.rules().away_after_ms, cx.rules().gone_after_ms);
        self.remember_seen(cx.now.wall, &address);
        self.due(cx.now.at + gone, Timer::Gone(id));
        if away < gone {
            self.due(cx.now.at + away, Timer::Away(id));
        }
    }

    /// The peer's own wish: the session ends at once.
    pub(crate) fn bye(&mut self, cx: &mut Cx<'_>, id: SessionId, socket: SocketId) {
        if self.session(id).is_some_and(|s| s.socket == Some(socket)) {
            cx.out.emit(Output::Close { socket, code: 1000, reason: "bye" });
            self.end(cx, id);
        }
    }

    /// Ends the sessions that speak for an id with a key that no longer may.
    pub(crate) fn end_key(&mut self, cx: &mut Cx<'_>, ns: &Namespace, id: &PeerId, key: &PublicKey) {
        let address = Address { ns: ns.clone(), id: id.clone() };
        let devices = self.directory.get(&address).map(|e| e.devices.clone()).unwrap_or_default();
        for session in devices {
            if self.session(session).is_some_and(|s| s.key == Some(*key)) {
                self.close(cx, session, Code::KeyReplaced);
            }
        }
    }

    /// Ends a session with a code for its socket.
    pub(crate) fn close(&mut self, cx: &mut Cx<'_>, id: SessionId, code: Code) {
        if let Some(socket) = self.session(id).and_then(|s| s.socket) {
            cx.out.emit(Output::Close { socket, code: code.number(), reason: code.name() });
            cx.out.note(Note::Refused(code));
        }
        self.end(cx, id);
    }

    /// Ends a session: out of the directory and of its groups, and whoever waits for word of it gets it.
    pub(super) fn end(&mut self, cx: &mut Cx<'_>, id: SessionId) {
        let Some(session) = self.take_out(id) else { return };
        cx.out.note(Note::Ended);
        cx.hub.tallies().ended(&session.party.ns);
        let party = session.party;
        let address = party.address();
        if session.socket.is_some() || session.detached.is_none() {
            self.remember_seen(cx.now.wall, &address);
        }
        if let Some(entry) = self.directory.get_mut(&address) {
            entry.devices.retain(|s| *s != id);
        }
        if let Some(resume) = session.resume {
            self.give_back(cx, &address, &party, resume.queue);
        }
        cx.later.push_back(Later::Ended {
            party,
            groups: session.groups,
            watching: session.watching.into_iter().map(|w| w.id).collect(),
        });
        self.review(cx, &address);
    }

    pub(super) fn went_away(&mut self, cx: &mut Cx<'_>, id: SessionId) {
        let away_after = cx.rules().away_after_ms;
        let Some(session) = self.session_mut(id) else { return };
        let due = session.detached.is_some_and(|d| cx.now.at - d >= away_after);
        if due && session.state == Presence::Here {
            self.set_state(cx, id, Presence::Away);
        }
    }

    fn set_state(&mut self, cx: &mut Cx<'_>, id: SessionId, state: Presence) {
        let Some(session) = self.session_mut(id) else { return };
        if session.state == state {
            return;
        }
        session.state = state;
        let party = session.party.clone();
        let groups = session.groups.clone();
        self.review(cx, &party.address());
        if !groups.is_empty() {
            cx.later.push_back(Later::State { party, groups, state });
        }
    }

    fn begin_session(&mut self, cx: &mut Cx<'_>, address: &Address, opening: Opening) -> Arc<Party> {
        let id = self.vacancy();
        let party = Arc::new(Party {
            session: id,
            ns: opening.ns,
            id: opening.id,
            device: opening.device,
            dialect: opening.dialect,
        });
        let mut secret = [0; 20];
        cx.fill(&mut secret);
        let token = format!("{:016x}.{}", id.0, BASE32_NOPAD.encode(&secret).to_ascii_lowercase());
        let resume =
            opening.lasting.then(|| Box::new(Resumable { token_hash: hash_token(&token), queue: Queue::default() }));
        let session = Session {
            party: party.clone(),
            key: opening.key,
            socket: Some(opening.socket),
            detached: None,
            state: Presence::Here,
            resume,
            last_n: None,
            groups: Vec::new(),
            watching: Vec::new(),
            began: cx.now.wall,
            broadcasts: Limiter::default(),
            mark_due: false,
        };
        self.settle_in(id, session);
        self.entry(address).devices.push(id);
        cx.hub.tallies().began(&party.ns);
        cx.out.note(Note::Began);
        self.welcome(cx, id, &token, false, 0);
        self.schedule_ice(cx, id);
        party
    }

    /// Goes on with a session if the token is its own and the count is possible.
    fn resume(
        &mut self,
        cx: &mut Cx<'_>,
        id: SessionId,
        token: &str,
        seen: u64,
        opening: &Opening,
    ) -> Option<Arc<Party>> {
        let session = self.session(id)?;
        let known = session.resume.as_deref()?;
        if parse_token(token) != Some(id) || known.token_hash != hash_token(token) || seen > known.queue.sent() {
            return None;
        }
        self.supersede(cx, id);
        let session = self.session_mut(id)?;
        session.socket = Some(opening.socket);
        session.detached = None;
        session.key = opening.key;
        let party = session.party.clone();
        let (confirmed, missed) = session.resume.as_deref_mut()?.queue.rewind(seen)?;
        Self::forget(cx, confirmed.iter());
        self.welcome(cx, id, token, true, missed);
        let session = self.session_mut(id)?;
        let frames: Vec<_> =
            session.resume.as_deref().map(|r| r.queue.frames().map(|h| h.frame.clone()).collect()).unwrap_or_default();
        cx.out.note(Note::Resumed(frames.len() as u32));
        let again = !frames.is_empty();
        for frame in frames {
            cx.out.emit(Output::Send { socket: opening.socket, frame });
        }
        session.mark_due = again;
        if again {
            self.due(cx.now.at + super::MARK_AFTER_MS, Timer::Mark(id));
        }
        self.set_state(cx, id, Presence::Here);
        self.schedule_ice(cx, id);
        Some(party)
    }

    /// Takes the session's socket away from it, for a newer one.
    fn supersede(&mut self, cx: &mut Cx<'_>, id: SessionId) {
        if let Some(socket) = self.session_mut(id).and_then(|s| s.socket.take()) {
            let code = Code::Superseded;
            cx.out.emit(Output::Close { socket, code: code.number(), reason: code.name() });
        }
    }

    fn welcome(&mut self, cx: &mut Cx<'_>, id: SessionId, token: &str, resumed: bool, missed: u64) {
        let Some(session) = self.session(id) else { return };
        let Some(socket) = session.socket else { return };
        let party = session.party.clone();
        let rules = cx.hub.rules();
        let grant = crate::ice::grant(&rules.ice, &party, cx.now.wall);
        let limits = &rules.limits;
        let name = format!("{:016x}", id.0);
        let welcome = Welcome {
            session: &name,
            id: &party.id,
            device: &party.device,
            namespace: &party.ns,
            resume: if session.resume.is_some() { token } else { "" },
            resumed,
            missed,
            n: if resumed { session.last_n } else { None },
            version: VERSION,
            capabilities: &[],
            ice: &grant.servers,
            ice_expires: grant.expires.map(|w| w.0),
            limits: LimitsTold {
                frame_bytes: limits.frame_bytes,
                frames_per_second: limits.frames_per_second,
                frames_burst: limits.frames_burst,
                meta_bytes: limits.meta_bytes,
                stored_seconds: limits.stored_seconds,
            },
            away_after: rules.away_after_ms,
            gone_after: rules.gone_after_ms,
        };
        let event = Event::Welcome(Box::new(welcome));
        cx.out.note(Note::Event(party.dialect, event.index()));
        // Not counted: counting begins after it.
        if let Some(frame) = cx.hub.frame(&event, &party) {
            cx.out.emit(Output::Send { socket, frame });
        }
    }

    /// What was stored for the id goes to its first session.
    fn deliver_stored(&mut self, cx: &mut Cx<'_>, address: &Address, party: &Arc<Party>) {
        let Some(waiting) = self.directory.get_mut(address).and_then(|e| e.waiting.as_mut()) else { return };
        let device = party.device.as_str();
        let stored = std::mem::take(&mut waiting.stored);
        let mut others = Vec::new();
        for signal in stored {
            let Some(record) = Record::read(&signal.record) else { continue };
            cx.hub.tallies().unstore(signal.record.len());
            if signal.expires <= cx.now.wall {
                cx.out.emit(Output::Forget(vec![signal.number]));
            } else if record.to_device.as_deref().is_some_and(|d| d != device) {
                cx.hub.tallies().store(signal.record.len());
                others.push(signal);
            } else {
                self.tell_stored(cx, party, signal);
            }
        }
        if let Some(waiting) = self.directory.get_mut(address).and_then(|e| e.waiting.as_mut()) {
            waiting.stored = others;
        }
        self.resolve_asking_here(cx, address);
    }

    fn tell_stored(&mut self, cx: &mut Cx<'_>, party: &Arc<Party>, signal: Stored) {
        let bytes = signal.record.clone();
        let Some(record) = Record::read(&bytes) else { return };
        let event = Self::signal_event(&record, party, Some(record.sent));
        let event = Event::Signal(event);
        let Some(frame) = cx.hub.frame(&event, party) else { return };
        let index = event.index();
        let acked = self.keeping.get(&signal.number).copied().flatten();
        let mark = SignalMark { acked, stored: Some(Box::new(signal)) };
        self.tell(cx, party.session, Telling { frame, event: index, signal: Some(mark) });
    }

    /// A session ended with frames that it did not confirm. Stored signals that no socket was handed go back to wait;
    /// of everything else the senders are told.
    fn give_back(&mut self, cx: &mut Cx<'_>, address: &Address, party: &Arc<Party>, mut queue: Queue) {
        let mut lost: Vec<Held> = Vec::new();
        for (mut held, wired) in queue.take().into_parts() {
            match held.stored.take() {
                Some(stored) if !wired && stored.expires > cx.now.wall => self.put_back(cx, address, *stored),
                Some(stored) => {
                    cx.out.emit(Output::Forget(vec![stored.number]));
                    lost.push(held);
                }
                None => lost.push(held),
            }
        }
        Self::report_lost(cx, party, lost.into_iter().filter_map(|h| h.acked));
    }

    fn put_back(&mut self, cx: &mut Cx<'_>, address: &Address, stored: Stored) {
        let wait = stored.expires.0.saturating_sub(cx.now.wall.0);
        cx.hub.tallies().store(stored.record.len());
        self.waiting(address).stored.push(stored);
        self.due(cx.now.at + wait, Timer::Stored(address.clone()));
    }

    /// Loads a stored signal that was kept before this hub began.
    pub(crate) fn restore_stored(
        &mut self,
        cx: &mut Cx<'_>,
        ns: Namespace,
        to: PeerId,
        number: u64,
        expires: Wall,
        record: bytes::Bytes,
    ) {
        let address = Address { ns, id: to };
        let held = self.directory.get(&address).is_some_and(|e| {
            e.devices.iter().filter_map(|s| self.session(*s)).any(|s| {
                s.resume
                    .as_deref()
                    .is_some_and(|r| r.queue.frames().any(|h| h.stored.as_ref().is_some_and(|s| s.number == number)))
            })
        });
        if !held {
            self.put_back(cx, &address, Stored { number, expires, record });
        }
    }
}
