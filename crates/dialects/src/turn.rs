//! One turn of a conversation: what an interpreter can do about what it just heard.

use std::borrow::Cow;
use std::mem::take;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;
use wigwag_hub::{Ask, Foreigner, Hub, Moment, Note, Now, Output, Outputs, Party, Pass, SocketId};
use wigwag_wire::code::Code;
use wigwag_wire::event::Delivery;
use wigwag_wire::id::IdForm;
use wigwag_wire::raw::Content;
use wigwag_wire::request::{Mode, RoomCreate, RoomJoin, RoomOptions, Signal};
use wigwag_wire::{Foreign, Namespace, PeerId, Refusal, Request, RoomName};

use crate::Dialects;
use crate::arrival::{Arrival, FORGOTTEN};
use crate::dialect::{Dialect, EVENT_TYPES};

/// How often to try where a room comes and goes at the same moment.
const TRIES: usize = 4;

/// The half of a dialect that lives with a socket.
pub(crate) trait Interpreter: Send {
    /// The socket is open, or it just turned out to speak this dialect.
    fn opened(&mut self, _turn: &mut Turn<'_>) {}

    /// A frame of text; a binary one that is text counts as such.
    fn heard(&mut self, turn: &mut Turn<'_>, text: &str);

    /// A binary frame that is no text.
    fn garbled(&mut self, turn: &mut Turn<'_>) {
        // Not good JSON in any dialect.
        self.heard(turn, "\u{fffd}");
    }

    /// Time passed.
    fn tick(&mut self, _turn: &mut Turn<'_>) {}

    /// When [`Interpreter::tick`] is due.
    fn deadline(&self) -> Option<Moment> {
        None
    }

    /// Whether it looks at the address after [`Interpreter::opened`].
    fn rereads_address(&self) -> bool {
        false
    }

    /// The socket is gone. Its sessions still live, and end right after this.
    fn closed(&mut self, _turn: &mut Turn<'_>) {}
}

/// What a socket is to all dialects.
pub(crate) struct Line {
    pub(crate) socket: SocketId,
    pub(crate) pass: Pass,
    /// Since when it is open.
    pub(crate) opened: Moment,
    /// The address, as long as anybody may look at it.
    pub(crate) arrival: Option<Box<Arrival>>,
    /// The dialect, once it is known.
    pub(crate) dialect: Option<Dialect>,
    /// While the store is asked about a name.
    pub(crate) naming: Option<Box<Naming>>,
    pub(crate) over: bool,
}

/// Who speaks through it, and where.
pub(crate) struct Visit {
    pub(crate) ns: Namespace,
    /// The sessions.
    pub(crate) parties: SmallVec<[Arc<Party>; 1]>,
}

/// A visit and who interprets it: one piece of memory for both.
pub(crate) struct Talk<I: ?Sized = dyn Interpreter> {
    pub(crate) visit: Visit,
    pub(crate) interpreter: I,
}

impl Visit {
    /// Begins it.
    pub(crate) fn interpreted_by<I: Interpreter + 'static>(self, interpreter: I) -> Box<Talk> {
        Box::new(Talk { visit: self, interpreter })
    }
}

impl Talk {
    /// Goes on in this dialect.
    pub(crate) fn succeeded_by(&mut self, dialect: Dialect) -> Box<Talk> {
        let Visit { ns, parties } = &mut self.visit;
        dialect.talk(Visit { ns: ns.clone(), parties: take(parties) })
    }
}

/// A name that the store is asked about.
#[derive(Default)]
pub(crate) struct Naming {
    /// The name.
    pub(crate) asked: Option<PeerId>,
    /// The frame that waits for the store's word.
    pub(crate) waiting: Option<Box<str>>,
    /// Whether a name that was asked for is free.
    pub(crate) answered: Option<(PeerId, Result<(), Code>)>,
}

/// What became of the wish for a session.
pub(crate) enum Begun {
    /// Here it is.
    Now(Arc<Party>),
    /// The store is asked first: the same frame is heard again when the answer is there, so nothing else must be done about it now.
    Later,
    /// There is none.
    Refused(Refusal),
}

/// What an interpreter can do.
pub(crate) struct Turn<'a> {
    pub(crate) hub: &'a Hub,
    pub(crate) dialects: &'a Dialects,
    pub(crate) now: Now,
    pub(crate) line: &'a mut Line,
    pub(crate) visit: &'a mut Visit,
    pub(crate) out: &'a mut dyn Outputs,
    /// Set by the sniffer: from here on, this one listens.
    pub(crate) successor: Option<Dialect>,
}

impl Turn<'_> {
    /// The namespace of this socket.
    pub(crate) fn ns(&self) -> &Namespace {
        &self.visit.ns
    }

    /// The address that it asked for.
    pub(crate) fn arrival(&self) -> &Arrival {
        self.line.arrival.as_deref().unwrap_or(&FORGOTTEN)
    }

    /// Counts a message by its type, and answers what it counts as: one of the dialect's types, of which the last is for all others.
    pub(crate) fn count(&mut self, kind: &str) -> &'static str {
        let Some(dialect) = self.line.dialect else { return "other" };
        let types = dialect.types();
        let place = types.iter().position(|known| *known == kind).unwrap_or(types.len() - 1);
        self.out.note(Note::Request(dialect.id(), place as u8));
        types[place]
    }

    /// Answers on this socket.
    pub(crate) fn answer(&mut self, frame: impl Into<Bytes>) {
        hand(self.out, self.line.dialect, self.line.socket, frame.into());
    }

    /// Notes that something was refused, for the operator's numbers.
    pub(crate) fn refused(&mut self, code: Code) {
        self.out.note(Note::Refused(code));
    }

    /// Closes the socket after what was sent. Its sessions end at once.
    pub(crate) fn close(&mut self, code: u16, reason: &'static str) {
        self.out.emit(Output::Close { socket: self.line.socket, code, reason });
        self.line.over = true;
    }

    /// Closes the socket without a code.
    pub(crate) fn hang_up(&mut self) {
        self.close(1005, "");
    }

    /// The id that a client gives itself, if it may: ids that prove something (of keys and of guests) are not to be had this way.
    pub(crate) fn own_id(&self, text: &str) -> Option<PeerId> {
        PeerId::new(text).ok().filter(|id| matches!(id.form(), IdForm::Foreign | IdForm::Name))
    }

    /// Begins a session with this id. `secret`: what lets the same peer take the id over from a socket that it lost.
    pub(crate) fn begin(&mut self, id: PeerId, secret: Option<[u8; 16]>) -> Begun {
        let Some(dialect) = self.line.dialect else { return Begun::Refused(Code::Internal.into()) };
        if id.form() == IdForm::Name {
            let answered =
                self.line.naming.as_mut().and_then(|naming| naming.answered.take_if(|(name, _)| *name == id));
            match answered {
                Some((_, Ok(()))) => self.line.naming = None,
                Some((_, Err(code))) => {
                    self.line.naming = None;
                    return Begun::Refused(code.into());
                }
                None => {
                    let (socket, ns) = (self.line.socket, self.visit.ns.clone());
                    self.line.naming.get_or_insert_default().asked = Some(id.clone());
                    self.out.emit(Output::Ask(Ask::Free { socket, ns, name: id }));
                    return Begun::Later;
                }
            }
        }
        let (socket, opened, ns) = (self.line.socket, self.line.opened, self.visit.ns.clone());
        let foreigner = Foreigner { ns, id, dialect: dialect.id(), socket, opened, secret };
        match self.hub.welcome(self.now, &mut self.line.pass, foreigner, self.out) {
            Ok(party) => {
                self.visit.parties.push(party.clone());
                Begun::Now(party)
            }
            Err(refusal) => {
                self.refused(refusal.code);
                Begun::Refused(refusal)
            }
        }
    }

    /// Begins a session with an id made here.
    pub(crate) fn begin_unnamed(&mut self) -> Result<Arc<Party>, Refusal> {
        match self.begin(self.hub.made_id(), None) {
            Begun::Now(party) => Ok(party),
            Begun::Refused(refusal) => Err(refusal),
            Begun::Later => Err(Code::Internal.into()),
        }
    }

    /// The session of a socket that needs no id of its own; begun on first use.
    pub(crate) fn unnamed<'p>(&mut self, party: &'p mut Option<Arc<Party>>) -> Result<&'p Arc<Party>, Refusal> {
        let known = match party.take() {
            Some(known) => known,
            None => self.begin_unnamed()?,
        };
        Ok(party.insert(known))
    }

    /// Ends a session of this socket.
    pub(crate) fn end(&mut self, party: &Arc<Party>) {
        self.visit.parties.retain(|known| known.session != party.session);
        self.hub.farewell(self.now, party, self.line.socket, self.out);
    }

    /// Carries out a request of the native kind.
    pub(crate) fn request(&mut self, party: &Arc<Party>, request: &Request<'_>) -> Result<(), Refusal> {
        let who = (party, self.line.socket, self.line.pass.origin());
        let done = self.hub.carry_out(self.now, who, request, self.out);
        if let Err(refusal) = &done {
            self.out.note(Note::Refused(refusal.code));
        }
        done
    }

    /// Enters a room, and makes it if need be: with room for all, with nobody in command, and gone when it is empty. Which of the two
    /// is looked up first, because a name that is taken or not there counts as a guess of the address.
    pub(crate) fn enter_room(&mut self, party: &Arc<Party>, room: &RoomName) -> Result<(), Refusal> {
        let mut is_there = self.hub.view_room(&party.ns, room, |_| ()).is_some();
        let mut tries = 0;
        loop {
            tries += 1;
            let room = Some(room.clone());
            let entered = if is_there {
                let join = RoomJoin { room, code: None, password: None, create: false, me: None };
                self.request(party, &Request::RoomJoin(Box::new(join)))
            } else {
                let (capacity, linger, mode) = (Some(u32::MAX), Some(0), Some(Mode::FreeForAll));
                let options = RoomOptions { capacity, linger, mode, ..RoomOptions::default() };
                self.request(party, &Request::RoomCreate(Box::new(RoomCreate { room, code: false, me: None, options })))
            };
            match &entered {
                Err(refusal) if tries < TRIES && refusal.code == Code::RoomExists => is_there = true,
                Err(refusal) if tries < TRIES && refusal.code == Code::NotFound => is_there = false,
                _ => return entered,
            }
        }
    }

    /// Sends a signal. Who speaks the same dialect gets `frame`, byte for byte; everybody else gets kind and content.
    /// `None`: its fate is decided elsewhere.
    pub(crate) fn signal<'d>(
        &mut self,
        party: &Arc<Party>,
        to: &str,
        kind: &str,
        data: impl Into<Content<'d>>,
        frame: &str,
    ) -> Result<Option<Delivery>, Refusal> {
        self.signal_to(party, (to, None), kind, data, frame)
    }

    /// The same, for one device of the receiver.
    pub(crate) fn signal_to<'d>(
        &mut self,
        party: &Arc<Party>,
        (to, device): (&str, Option<&str>),
        kind: &str,
        data: impl Into<Content<'d>>,
        frame: &str,
    ) -> Result<Option<Delivery>, Refusal> {
        if PeerId::check(to).is_err() {
            return Ok(Some(Delivery::Absent));
        }
        let foreign = Some(Foreign { dialect: party.dialect.0, frame });
        let (to, device, kind) = (Cow::Borrowed(to), device.map(Cow::Borrowed), Cow::Borrowed(kind));
        let signal = Signal { to, device, kind, data: data.into(), store: 0, foreign };
        let who = (party, self.line.socket, self.line.pass.origin());
        let sent = self.hub.send(self.now, who, &signal, self.out);
        if let Err(refusal) = &sent {
            self.out.note(Note::Refused(refusal.code));
        }
        sent
    }
}

/// Hands a frame to a socket, to be counted as its dialect's own answer.
pub(crate) fn hand(out: &mut dyn Outputs, dialect: Option<Dialect>, socket: SocketId, frame: Bytes) {
    if let Some(dialect) = dialect {
        out.note(Note::Event(dialect.id(), (EVENT_TYPES.len() - 1) as u8));
    }
    out.emit(Output::Send { socket, frame });
}
