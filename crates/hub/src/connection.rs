//! One socket of the native protocol: challenge, proof, then requests at a bounded rate.
//!
//! Owned by whoever carries the socket, so nothing about proofs and rates takes a lock.
//! While the store is asked whether a key speaks for a name, the shell hands in no more frames; see [`Connection::is_waiting`].

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use wigwag_wire::code::{Closes, Code};
use wigwag_wire::event::{Challenge, ErrorEvent};
use wigwag_wire::id::IdForm;
use wigwag_wire::request::{Hello, NameChange, NameOp};
use wigwag_wire::signature::{HelloStatement, NameStatement, verify};
use wigwag_wire::{Device, Event, Namespace, PeerId, PublicKey, Refusal, Request, VERSION};

use crate::admission::{Pass, Prefix};
use crate::hub::Hub;
use crate::ids::{DialectId, Party, SocketId};
use crate::input::Input;
use crate::limiter::{Limiter, Rate};
use crate::output::{Ask, Naming, Note, Output, Outputs};
use crate::peers::{Opening, Owner};
use crate::time::{Moment, Now};

/// One socket's machine.
#[derive(Debug)]
pub struct Connection {
    socket: SocketId,
    pass: Pass,
    nonce: [u8; 16],
    frames: Limiter,
    refusals: Limiter,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Waiting for a hello, and since when.
    Challenged(Moment),
    /// The store is asked whether the key speaks for the name.
    Claiming(Box<Proved>),
    /// A session speaks through this socket.
    Ready {
        party: Arc<Party>,
        /// Whether the hello named the namespace: later statements repeat what it gave.
        named_ns: bool,
    },
    /// Nothing more is taken in.
    Closed,
}

/// A hello whose signature holds.
#[derive(Debug)]
struct Proved {
    /// When the socket opened.
    opened: Moment,
    ns: Namespace,
    named_ns: bool,
    id: PeerId,
    device: Device,
    key: Option<PublicKey>,
    resume: Option<(String, u64)>,
    /// How many changes of keys there had been when the store was asked for the name.
    asked: Option<u64>,
}

/// What can happen to a socket.
#[derive(Clone, Copy, Debug)]
pub enum Received<'a> {
    /// A text frame.
    Text(&'a str),
    /// A binary frame, which the native protocol does not have.
    Binary(&'a [u8]),
    /// A pong; its payload.
    Pong(&'a [u8]),
    /// Answer to [`Ask::Claim`].
    Claimed(Claimed),
    /// Time passed.
    Tick,
    /// The operator banned these addresses just now.
    Banned(Prefix),
    /// The socket is gone.
    Closed,
}

/// Whether a key speaks for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It does, from now on or already.
    Yes,
    /// It does not, with the code of the refusal.
    No(Code),
}

impl Connection {
    /// A socket has opened: challenges it. `pass` is what [`Hub::admit`] gave.
    pub fn open(hub: &Hub, now: Now, socket: SocketId, pass: Pass, out: &mut dyn Outputs) -> Self {
        let mut nonce = [0; 16];
        hub.cx(now, out).fill(&mut nonce);
        let connection = Self {
            socket,
            pass,
            nonce,
            frames: Limiter::default(),
            refusals: Limiter::default(),
            state: State::Challenged(now.at),
        };
        let event = Event::Challenge(Challenge {
            nonce: &connection.nonce_text(),
            server: &hub.rules().server,
            time: now.wall.0,
            versions: &[VERSION],
            capabilities: &[],
        });
        connection.send(&event, out);
        connection
    }

    /// Takes in what happened to the socket.
    pub fn handle(&mut self, hub: &Hub, now: Now, received: Received<'_>, out: &mut dyn Outputs) {
        match received {
            Received::Text(text) => self.text(hub, now, text, out),
            Received::Binary(_) => self.close(1003, "text only", out),
            Received::Pong(payload) => {
                if let (State::Ready { party, .. }, Some(count)) = (&self.state, count_of(payload)) {
                    hub.handle(now, Input::Confirmed { who: party, socket: self.socket, count }, out);
                }
            }
            Received::Claimed(claimed) => {
                // The answer may come when the handshake time is over or the socket is lost.
                let State::Claiming(proved) = &self.state else { return };
                let challenged = State::Challenged(proved.opened);
                let State::Claiming(proved) = std::mem::replace(&mut self.state, challenged) else { return };
                match claimed {
                    Claimed::Yes => self.begin(hub, now, *proved, out),
                    Claimed::No(code) => self.refuse_hello(None, &code.into(), out),
                }
            }
            Received::Tick => {
                if self.next_deadline(hub).is_some_and(|due| due <= now.at) {
                    self.refuse_hello(None, &Code::HelloLate.into(), out);
                }
            }
            Received::Banned(prefix) => self.banned(hub, now, &prefix, out),
            Received::Closed => {
                let state = std::mem::replace(&mut self.state, State::Closed);
                if let State::Ready { party, .. } = state {
                    hub.handle(now, Input::Detached { who: &party, socket: self.socket }, out);
                }
                hub.release(&mut self.pass);
            }
        }
    }

    /// When [`Received::Tick`] is due: only until the peer has proved itself.
    pub fn next_deadline(&self, hub: &Hub) -> Option<Moment> {
        let limit = hub.rules().limits.handshake_ms;
        let opened = match &self.state {
            State::Challenged(opened) => *opened,
            State::Claiming(proved) => proved.opened,
            State::Ready { .. } | State::Closed => return None,
        };
        (limit != 0).then(|| opened + limit)
    }

    /// Whether an answer from outside is awaited, so that no more frames may be handed in.
    pub fn is_waiting(&self) -> bool {
        matches!(self.state, State::Claiming(_))
    }

    /// Whether the peer has proved itself, or the socket is over.
    pub fn is_proved(&self) -> bool {
        matches!(self.state, State::Ready { .. } | State::Closed)
    }

    /// Who speaks through this socket.
    pub fn party(&self) -> Option<&Arc<Party>> {
        match &self.state {
            State::Ready { party, .. } => Some(party),
            _ => None,
        }
    }

    fn text(&mut self, hub: &Hub, now: Now, text: &str, out: &mut dyn Outputs) {
        let limits = &hub.rules().limits;
        let rate = Rate::per_second(limits.frames_per_second, limits.frames_burst);
        if let Err(wait) = self.frames.take(now.at, rate) {
            // Telling costs too: past the same rate once more, frames are dropped in silence.
            if self.refusals.take(now.at, rate).is_ok() {
                let n = Request::parse(text, limits).map_or_else(|unread| unread.re, |(heading, _)| heading.n);
                self.refuse(hub, now, n, Refusal::from(Code::RateLimited).after(wait), out);
            }
            return;
        }
        let (heading, request) = match Request::parse(text, limits) {
            Ok(parsed) => parsed,
            Err(unread) => return self.refuse(hub, now, unread.re, unread.refusal, out),
        };
        out.note(Note::Request(DialectId::NATIVE, request.index()));
        let n = heading.n;
        match (&self.state, request) {
            (State::Challenged(opened), Request::Hello(hello)) => self.hello(hub, now, *opened, *hello, out),
            (State::Challenged(_), _) => self.refuse(hub, now, n, Code::Unproved.into(), out),
            // The `n` of a hello means nothing, so it is not taken in.
            (State::Ready { .. }, Request::Hello(_)) => self.refuse(hub, now, None, Code::AlreadyProved.into(), out),
            (State::Ready { party, named_ns }, Request::Name(change)) => {
                let naming = self.may_name(hub, (party, *named_ns), &change).map(|acting| Naming {
                    who: party.clone(),
                    n,
                    acting,
                    op: change.op,
                    key: change.key,
                });
                hub.name(now, (party, self.socket, heading), naming, out);
            }
            (State::Ready { party: who, .. }, request) => {
                let (socket, origin) = (self.socket, self.pass.origin());
                hub.handle(now, Input::Request { who, socket, origin, heading, request }, out);
            }
            (State::Claiming(_) | State::Closed, _) => {}
        }
    }

    fn hello(&mut self, hub: &Hub, now: Now, opened: Moment, hello: Hello, out: &mut dyn Outputs) {
        match self.prove(hub, opened, hello) {
            Err(refusal) => self.refuse_hello(None, &refusal, out),
            Ok(proved) => match proved.key {
                Some(key) if proved.id.form() == IdForm::Name => {
                    let (ns, name) = (proved.ns.clone(), proved.id.clone());
                    self.state = State::Claiming(Box::new(Proved { asked: Some(hub.key_changes()), ..proved }));
                    out.emit(Output::Ask(Ask::Claim { socket: self.socket, ns, name, key }));
                }
                _ => self.begin(hub, now, proved, out),
            },
        }
    }

    /// Checks everything about a hello that needs nobody else.
    fn prove(&self, hub: &Hub, opened: Moment, hello: Hello) -> Result<Proved, Refusal> {
        let rules = hub.rules();
        if hello.version != 1 {
            return Err(Code::VersionUnsupported.into());
        }
        let named_ns = hello.namespace.is_some();
        let ns = hello.namespace.unwrap_or_else(|| rules.default_namespace.clone());
        if rules.namespaces.as_ref().is_some_and(|served| !served.contains(&ns)) {
            return Err(Code::NamespaceRefused.into());
        }
        let device = hello.device.filter(|device| !device.as_str().is_empty()).unwrap_or_else(|| hub.no_device());
        let resume = hello.resume.map(|r| (r.token, r.seen));
        let Some(key) = hello.key else {
            return self.guest(hub, opened, (ns, named_ns), hello.id.is_some(), device, resume);
        };
        let own = key.id();
        let id = hello.id.unwrap_or_else(|| own.clone());
        match id.form() {
            IdForm::Name => {}
            IdForm::Key if id == own => {}
            _ => {
                return Err(Refusal::new(
                    Code::BadField,
                    "`id` is neither this key's own id nor a name `local@domain`.",
                ));
            }
        }
        let statement = HelloStatement {
            server: &rules.server,
            nonce: &self.nonce_text(),
            namespace: if named_ns { ns.as_str() } else { "" },
            id: id.as_str(),
            device: device.as_str(),
            key: &key,
        };
        let signature = hello.signature.as_deref().unwrap_or_default();
        if !verify(&key, &statement.bytes(), signature, rules.p256) {
            return Err(Code::BadSignature.into());
        }
        Ok(Proved { opened, ns, named_ns, id, device, key: Some(key), resume, asked: None })
    }

    /// A hello without a key: a new guest, or one with the token of its session.
    fn guest(
        &self,
        hub: &Hub,
        opened: Moment,
        (ns, named_ns): (Namespace, bool),
        names_id: bool,
        device: Device,
        resume: Option<(String, u64)>,
    ) -> Result<Proved, Refusal> {
        if !hub.rules().guests {
            return Err(Code::GuestRefused.into());
        }
        if names_id {
            return Err(Refusal::new(
                Code::BadField,
                "`id` needs a `key` and a `signature`; a guest's id is made here.",
            ));
        }
        let known = resume.as_ref().and_then(|(token, _)| hub.guest_of_token(token)).filter(|p| p.ns == ns);
        match known {
            Some(party) => Ok(Proved {
                opened,
                ns,
                named_ns,
                id: party.id.clone(),
                device: party.device.clone(),
                key: None,
                resume,
                asked: None,
            }),
            None => {
                let id = hub.guest_id();
                Ok(Proved { opened, ns, named_ns, id, device, key: None, resume: None, asked: None })
            }
        }
    }

    fn begin(&mut self, hub: &Hub, now: Now, proved: Proved, out: &mut dyn Outputs) {
        let opening = Opening {
            ns: proved.ns,
            id: proved.id,
            device: proved.device,
            dialect: DialectId::NATIVE,
            owner: Owner::of(proved.key),
            socket: self.socket,
            opened: proved.opened,
            resume: proved.resume,
            asked: proved.asked,
            lasting: true,
        };
        match hub.open(now, opening, out) {
            Ok(party) => {
                hub.proved(&mut self.pass);
                self.state = State::Ready { party, named_ns: proved.named_ns };
            }
            Err(refusal) => self.refuse_hello(None, &refusal, out),
        }
    }

    /// The key that signed a change of the name's keys, if it did.
    fn may_name(
        &self,
        hub: &Hub,
        (party, named_ns): (&Party, bool),
        change: &NameChange,
    ) -> Result<PublicKey, Refusal> {
        let name = &party.id;
        // Where the session speaks through another socket by now, nobody hears of the refusal.
        let proved = hub.peers(party.session).lock().key(party.session, self.socket);
        let Some(acting) = proved.filter(|_| name.form() == IdForm::Name) else {
            let message = "Only a session whose id is a name can change that name's keys.";
            return Err(Refusal::new(Code::NotAllowed, message));
        };
        if change.op == NameOp::Rotate && change.key == acting {
            return Err(Refusal::new(Code::BadField, "`key` is the one that asks: a key cannot take its own place."));
        }
        let statement = NameStatement {
            server: &hub.rules().server,
            nonce: &self.nonce_text(),
            namespace: if named_ns { party.ns.as_str() } else { "" },
            name: name.as_str(),
            op: change.op.as_str(),
            key: &change.key,
        };
        match verify(&acting, &statement.bytes(), &change.signature, hub.rules().p256) {
            true => Ok(acting),
            false => Err(Code::BadSignature.into()),
        }
    }

    /// Goes if it comes from one of these addresses. Its session ends, for it could not be resumed from there.
    fn banned(&mut self, hub: &Hub, now: Now, prefix: &Prefix, out: &mut dyn Outputs) {
        if !self.pass.origin().is_within(prefix) {
            return;
        }
        match &self.state {
            State::Ready { party, .. } => hub.close(now, party, self.socket, Code::Banned, out),
            State::Closed => {}
            _ => self.refuse_hello(None, &Code::Banned.into(), out),
        }
    }

    /// Refuses a request: through the session where there is one, so that it is counted like everything else.
    fn refuse(&mut self, hub: &Hub, now: Now, n: Option<u64>, refusal: Refusal, out: &mut dyn Outputs) {
        match &self.state {
            State::Ready { party: who, .. } => {
                let socket = self.socket;
                hub.handle(now, Input::Unread { who, socket, n, refusal }, out);
            }
            State::Closed => {}
            _ => self.refuse_hello(n, &refusal, out),
        }
    }

    /// Refuses whoever has not proved itself, and closes where the code says so.
    fn refuse_hello(&mut self, n: Option<u64>, refusal: &Refusal, out: &mut dyn Outputs) {
        out.note(Note::Refused(refusal.code));
        self.send(&Event::Error(ErrorEvent::new(n, refusal)), out);
        if refusal.code.closes() != Closes::No {
            self.close(refusal.code.number(), refusal.code.name(), out);
        }
    }

    fn close(&mut self, code: u16, reason: &'static str, out: &mut dyn Outputs) {
        out.emit(Output::Close { socket: self.socket, code, reason });
        if !matches!(self.state, State::Ready { .. }) {
            self.state = State::Closed;
        }
    }

    /// Sends something that is not counted: only before there is a session.
    fn send(&self, event: &Event<'_>, out: &mut dyn Outputs) {
        out.note(Note::Event(DialectId::NATIVE, event.index()));
        if let Ok(frame) = serde_json::to_vec(event) {
            out.emit(Output::Send { socket: self.socket, frame: frame.into() });
        }
    }

    fn nonce_text(&self) -> String {
        BASE64URL_NOPAD.encode(&self.nonce)
    }
}

/// The count that a mark carried and its pong brings back.
fn count_of(payload: &[u8]) -> Option<u64> {
    std::str::from_utf8(payload).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_stays_small() {
        assert!(size_of::<Connection>() <= 80, "{}", size_of::<Connection>());
    }
}
