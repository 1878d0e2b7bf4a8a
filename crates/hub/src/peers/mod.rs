//! One shard of peers: the ids whose hash is here, present or watched or waited for, and their sessions.
//!
//! Who is where, who hears of it, and what each session has been told and confirmed. A signal touches the receiver's shard alone;
//! what concerns a session of another shard goes through [`Later`](crate::cx::Later).

mod admin;
mod directory;
mod open;
mod queue;
mod session;
mod signals;
mod snapshot;
mod stored;
mod watch;

pub use admin::{Counts, SessionFilter, SessionInfo};
pub(crate) use open::{Opening, parse_token};
pub(crate) use snapshot::PeersSnapshot;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use foldhash::quality::FixedState;
use hashbrown::HashMap;
use wigwag_wire::code::Code;
use wigwag_wire::event::{IceEvent, Presence};
use wigwag_wire::limits::is_full;
use wigwag_wire::{Event, Limits, Refusal};

use self::directory::{Address, Entry};
use self::queue::{Held, Queue};
use self::session::Session;
use self::stored::Stored;
use crate::cx::{Cx, Later};
use crate::ids::{GroupKey, GroupKind, Party, SessionId, SocketId};
use crate::output::{Note, Output};
use crate::time::{Moment, Wall};

/// Milliseconds from the first unmarked frame to the mark that asks for its confirmation.
const MARK_AFTER_MS: u64 = 1_000;

/// One shard.
pub(crate) struct Peers {
    shard: usize,
    slots: Vec<Slot>,
    free: Vec<u32>,
    directory: HashMap<Address, Entry, FixedState>,
    /// When ids were last here, oldest first, bounded.
    last_seen: HashMap<Address, Wall, FixedState>,
    last_seen_order: VecDeque<Address>,
    /// Senders who wait for the store's word.
    keeping: HashMap<u64, Option<(SessionId, u64)>, FixedState>,
    /// Senders who wait for word from elsewhere.
    carrying: HashMap<u64, (SessionId, u64), FixedState>,
    next_ticket: u64,
    /// Ids that the operator banned, with the end of it.
    banned: BTreeMap<Address, Option<Wall>>,
    timers: BinaryHeap<Reverse<(Moment, Timer)>>,
    /// Rises with each change of presence, so that the newest wins.
    revision: u64,
}

struct Slot {
    generation: u16,
    session: Option<Box<Session>>,
}

/// Everything that can happen by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// To ask a client for confirmation of what it was told.
    Mark(SessionId),
    /// To tell others that a session has been without a socket for a while.
    Away(SessionId),
    /// To end a session that has been without a socket for too long.
    Gone(SessionId),
    /// To push fresh ICE credentials.
    Ice(SessionId),
    /// To give up on a question about where an id is.
    Asked(Address),
    /// To drop stored signals that nobody came for.
    Stored(Address),
}

/// What a session is told.
pub(crate) struct Telling {
    pub(crate) frame: Bytes,
    pub(crate) event: u8,
    pub(crate) signal: Option<SignalMark>,
}

/// What is remembered of a signal until its receiver confirms it.
pub(crate) struct SignalMark {
    pub(crate) acked: Option<(SessionId, u64)>,
    pub(crate) stored: Option<Box<Stored>>,
}

impl Peers {
    pub(crate) fn new(shard: usize, hasher: FixedState) -> Self {
        Self {
            shard,
            slots: Vec::new(),
            free: Vec::new(),
            directory: HashMap::with_hasher(hasher.clone()),
            last_seen: HashMap::with_hasher(hasher.clone()),
            last_seen_order: VecDeque::new(),
            keeping: HashMap::with_hasher(hasher.clone()),
            carrying: HashMap::with_hasher(hasher),
            next_ticket: 0,
            banned: BTreeMap::new(),
            timers: BinaryHeap::new(),
            revision: 0,
        }
    }

    /// Tells a session something: counts it, keeps it until it is confirmed, sends it if there is a socket.
    /// Answers whether a socket got it.
    pub(crate) fn tell(&mut self, cx: &mut Cx<'_>, id: SessionId, telling: Telling) -> bool {
        let limits = &cx.hub.rules().limits;
        let Some(session) = self.session_mut(id) else { return false };
        let party = session.party.clone();
        cx.out.note(Note::Event(party.dialect, telling.event));
        let Some(resume) = session.resume.as_deref_mut() else {
            let Some(socket) = session.socket else { return false };
            cx.out.emit(Output::Send { socket, frame: telling.frame });
            return true;
        };
        let (acked, stored) = telling.signal.map_or((None, None), |s| (s.acked, s.stored));
        let frame = telling.frame;
        resume.queue.push(Held { frame: frame.clone(), acked, stored }, session.socket.is_some());
        let over = resume.queue.is_over(limits);
        let Some(socket) = session.socket else {
            if over {
                let shed = resume.queue.shed(limits);
                self.lose(cx, &party, shed);
            }
            return false;
        };
        if over {
            cx.out.emit(Output::Close { socket, code: Code::SlowReader.number(), reason: Code::SlowReader.name() });
            cx.out.note(Note::Refused(Code::SlowReader));
            self.detached(cx, id, socket);
            if let Some(resume) = self.session_mut(id).and_then(|s| s.resume.as_deref_mut()) {
                let shed = resume.queue.shed(limits);
                self.lose(cx, &party, shed);
            }
            return false;
        }
        cx.out.emit(Output::Send { socket, frame });
        if resume.queue.wants_mark(limits) {
            if let Some(count) = resume.queue.mark() {
                cx.out.emit(Output::Mark { socket, count });
            }
        } else if !session.mark_due {
            session.mark_due = true;
            self.timers.push(Reverse((cx.now.at + MARK_AFTER_MS, Timer::Mark(id))));
        }
        true
    }

    /// Tells a session of this shard an event.
    fn tell_event(&mut self, cx: &mut Cx<'_>, party: &Party, event: &Event<'_>) -> bool {
        let Some(frame) = cx.hub.frame(event, party) else { return false };
        self.tell(cx, party.session, Telling { frame, event: event.index(), signal: None })
    }

    /// A client confirms that it took in `count` frames.
    pub(crate) fn confirmed(&mut self, cx: &mut Cx<'_>, id: SessionId, count: u64) {
        let Some(resume) = self.session_mut(id).and_then(|s| s.resume.as_deref_mut()) else { return };
        let taken = resume.queue.confirm(count);
        Self::forget(cx, taken.iter());
    }

    /// A request of a session begins: its number must rise, and the socket must be the session's own.
    pub(crate) fn begin(&mut self, id: SessionId, socket: SocketId, n: u64) -> Result<(), Refusal> {
        let Some(session) = self.session_mut(id) else { return Err(Code::Superseded.into()) };
        if session.socket != Some(socket) {
            return Err(Code::Superseded.into());
        }
        if session.last_n.is_some_and(|last| n <= last) {
            return Err(Code::StaleN.into());
        }
        session.last_n = Some(n);
        Ok(())
    }

    /// Notes that a session is in a group.
    pub(crate) fn enter(&mut self, id: SessionId, group: GroupKey, limits: &Limits) -> Result<(), Refusal> {
        let Some(session) = self.session_mut(id) else { return Err(Code::Superseded.into()) };
        if session.groups.contains(&group) {
            return Ok(());
        }
        let (limit, code) = match group.kind {
            GroupKind::Room => (limits.rooms_per_session, Code::TooManyRooms),
            GroupKind::Topic => (limits.topics_per_session, Code::TooManyTopics),
            GroupKind::Network => (limits.networks_per_session, Code::TooManyNetworks),
            GroupKind::Swarm => (limits.swarms_per_session, Code::TooManySwarms),
        };
        let count = session.groups.iter().filter(|g| g.kind == group.kind).count();
        if is_full(count, limit) {
            return Err(code.into());
        }
        session.groups.push(group);
        Ok(())
    }

    /// Notes that a session is no longer in a group.
    pub(crate) fn leave(&mut self, id: SessionId, group: &GroupKey) {
        if let Some(session) = self.session_mut(id) {
            session.groups.retain(|g| g != group);
        }
    }

    /// What others are told of a session.
    pub(crate) fn presence(&self, id: SessionId) -> Presence {
        self.session(id).map_or(Presence::Gone, |s| s.state)
    }

    /// Who a session is, unless it is over.
    pub(crate) fn party(&self, id: SessionId) -> Option<Arc<Party>> {
        self.session(id).map(|s| s.party.clone())
    }

    /// A session asks for ICE servers afresh.
    pub(crate) fn ice(&mut self, cx: &mut Cx<'_>, who: &Party, n: Option<u64>) {
        let grant = crate::ice::grant(&cx.rules().ice, who, cx.now.wall);
        let event = Event::Ice(IceEvent { re: n, servers: &grant.servers, expires: grant.expires.map(|w| w.0) });
        self.tell_event(cx, who, &event);
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, cx: &mut Cx<'_>) {
        while let Some(Reverse((at, _))) = self.timers.peek() {
            if *at > cx.now.at {
                break;
            }
            let Some(Reverse((_, timer))) = self.timers.pop() else { break };
            match timer {
                Timer::Mark(id) => self.mark(cx, id),
                Timer::Away(id) => self.went_away(cx, id),
                Timer::Gone(id) => {
                    let gone_after = cx.rules().gone_after_ms;
                    let due = |s: &Session| s.detached.is_some_and(|d| cx.now.at - d >= gone_after);
                    if self.session(id).is_some_and(due) {
                        self.end(cx, id);
                    }
                }
                Timer::Ice(id) => self.refresh_ice(cx, id),
                Timer::Asked(address) => self.ask_expired(cx, &address),
                Timer::Stored(address) => self.expire_stored(cx, &address),
            }
        }
    }

    /// When something is due next.
    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        self.timers.peek().map(|Reverse((at, _))| *at)
    }

    /// The sessions of a namespace.
    pub(crate) fn in_namespace<'a>(&'a self, ns: &'a str) -> impl Iterator<Item = &'a Arc<Party>> {
        self.sessions().map(|s| &s.party).filter(move |p| p.ns.as_str() == ns)
    }

    /// Counts one broadcast of a session, or says how long to wait.
    pub(crate) fn may_broadcast(&mut self, now: Moment, id: SessionId, rate: crate::limiter::Rate) -> Result<(), u64> {
        self.session_mut(id).map_or(Ok(()), |s| s.broadcasts.take(now, rate))
    }

    fn mark(&mut self, cx: &mut Cx<'_>, id: SessionId) {
        let Some(session) = self.session_mut(id) else { return };
        session.mark_due = false;
        let (Some(socket), Some(resume)) = (session.socket, session.resume.as_deref_mut()) else { return };
        if let Some(count) = resume.queue.mark() {
            cx.out.emit(Output::Mark { socket, count });
        }
    }

    fn refresh_ice(&mut self, cx: &mut Cx<'_>, id: SessionId) {
        let Some(session) = self.session(id) else { return };
        let party = session.party.clone();
        // An away session gets fresh servers in its next welcome.
        if session.socket.is_some() {
            self.ice(cx, &party, None);
            self.schedule_ice(cx, id);
        }
    }

    fn schedule_ice(&mut self, cx: &Cx<'_>, id: SessionId) {
        if let Some(wait) = crate::ice::refresh_after_ms(&cx.rules().ice) {
            self.timers.push(Reverse((cx.now.at + wait, Timer::Ice(id))));
        }
    }

    /// Frames dropped unconfirmed: their senders are told, and what was stored is forgotten.
    fn lose(&mut self, cx: &mut Cx<'_>, to: &Arc<Party>, held: Vec<Held>) {
        Self::forget(cx, held.iter());
        Self::report_lost(cx, to, held.into_iter().filter_map(|h| h.acked));
    }

    fn report_lost(cx: &mut Cx<'_>, to: &Arc<Party>, acked: impl Iterator<Item = (SessionId, u64)>) {
        let mut by_sender: Vec<(SessionId, Vec<u64>)> = Vec::new();
        for (sender, n) in acked {
            match by_sender.iter_mut().find(|(s, _)| *s == sender) {
                Some((_, ns)) => ns.push(n),
                None => by_sender.push((sender, vec![n])),
            }
        }
        for (sender, n) in by_sender {
            cx.later.push_back(Later::Lost { sender, to: to.clone(), n });
        }
    }

    fn forget<'h>(cx: &mut Cx<'_>, held: impl Iterator<Item = &'h Held>) {
        let numbers: Vec<u64> = held.filter_map(|h| h.stored.as_ref()).map(|s| s.number).collect();
        if !numbers.is_empty() {
            cx.out.emit(Output::Forget(numbers));
        }
    }

    fn session(&self, id: SessionId) -> Option<&Session> {
        let slot = self.slots.get(id.slot())?;
        (slot.generation == id.generation()).then_some(slot.session.as_deref()).flatten()
    }

    fn session_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        let slot = self.slots.get_mut(id.slot())?;
        (slot.generation == id.generation()).then_some(slot.session.as_deref_mut()).flatten()
    }

    fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.slots.iter().filter_map(|slot| slot.session.as_deref())
    }

    /// A free slot, and the number that a session in it will have.
    fn vacancy(&mut self) -> SessionId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, session: None });
            (self.slots.len() - 1) as u32
        });
        let generation = &mut self.slots[slot as usize].generation;
        *generation = generation.wrapping_add(1);
        SessionId::new(self.shard, *generation, slot)
    }

    fn settle_in(&mut self, id: SessionId, session: Session) {
        self.slots[id.slot()].session = Some(Box::new(session));
    }

    fn take_out(&mut self, id: SessionId) -> Option<Box<Session>> {
        self.session(id)?;
        let session = self.slots[id.slot()].session.take();
        self.free.push(id.slot() as u32);
        session
    }
}

impl Queue {
    /// Takes everything out.
    fn take(&mut self) -> Queue {
        std::mem::take(self)
    }
}
