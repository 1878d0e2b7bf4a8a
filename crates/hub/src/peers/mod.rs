//! One shard of peers: the ids whose hash is here, present or watched or waited for, and their sessions.
//!
//! Who is where, who hears of it, and what each session has been told and confirmed. A signal touches the receiver's shard alone;
//! what concerns a session of another shard goes through [`Later`](crate::cx::Later).

mod admin;
mod asking;
mod directory;
mod ending;
mod open;
mod queue;
mod receipt;
mod relaying;
mod session;
mod signals;
mod slots;
mod snapshot;
mod stored;
mod telling;
#[cfg(test)]
mod tests;
mod timers;
mod watch;

pub use admin::{Counts, SessionFilter, SessionInfo};
pub(crate) use open::{Opening, parse_token};
pub(crate) use session::Owner;
pub(crate) use snapshot::PeersSnapshot;
pub(crate) use telling::Telling;

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::quality::FixedState;
use wigwag_wire::code::Code;
use wigwag_wire::event::Presence;
use wigwag_wire::request::Heading;
use wigwag_wire::{Limits, Namespace, PeerId, PublicKey, Refusal};

use self::asking::Carrying;
use self::directory::{Address, Directory, LastSeen};
use self::ending::Replaced;
use self::session::Session;
use self::slots::Slots;
use self::stored::{Keeping, Numbers, Unsure};
use self::timers::Timers;
use crate::cx::Cx;
use crate::foreign::Holder;
use crate::ids::{GroupKey, Party, SessionId, SocketId};
use crate::limiter::Rate;
use crate::lock::Timed;
use crate::time::{Moment, Wall};

/// One shard.
pub(crate) struct Peers {
    shard: usize,
    slots: Slots,
    directory: Directory,
    last_seen: LastSeen,
    /// Ids that the operator banned, with the end of it.
    banned: BTreeMap<Address, Option<Wall>>,
    numbers: Numbers,
    /// Stored signals that wait for the store's word.
    keeping: BTreeMap<u64, Keeping>,
    /// Of these, the ones of which the hub before this one did not hear.
    unsure: Unsure,
    /// Senders who wait for word from elsewhere.
    carrying: Carrying,
    /// Changes of keys that wait for the store's word: who waits, and for which request.
    naming: Vec<(SessionId, u64)>,
    /// Keys that were replaced just now.
    replaced: Replaced,
    timers: Timers,
    /// Rises with each change of presence, so that the newest wins.
    revision: u64,
}

impl Peers {
    pub(crate) fn new(shard: usize, hasher: &FixedState) -> Self {
        Self {
            shard,
            slots: Slots::new(shard),
            directory: Directory::new(hasher.clone()),
            last_seen: LastSeen::new(hasher.clone()),
            banned: BTreeMap::new(),
            numbers: Numbers::default(),
            keeping: BTreeMap::new(),
            unsure: Unsure::default(),
            carrying: Carrying::default(),
            naming: Vec::new(),
            replaced: Replaced::default(),
            timers: Timers::default(),
            revision: 0,
        }
    }

    /// A request of a session begins: its number must rise. `false`: the session is over, or speaks through another socket by now.
    pub(crate) fn begin(
        &mut self,
        cx: &mut Cx<'_>,
        id: SessionId,
        socket: SocketId,
        Heading { n, seen }: Heading,
    ) -> Result<bool, Refusal> {
        let Some(session) = self.session_mut(id).filter(|s| s.socket() == Some(socket)) else { return Ok(false) };
        session.heard();
        let is_stale = n.is_some() && n <= session.last_n;
        session.last_n = session.last_n.max(n);
        if let Some(count) = seen {
            session.saw(count);
            self.catch_up(cx, id);
        }
        if is_stale { Err(Code::StaleN.into()) } else { Ok(true) }
    }

    /// A session waits for the store's word on its name.
    pub(crate) fn begin_naming(&mut self, id: SessionId, n: Option<u64>) {
        self.naming.extend(n.map(|n| (id, n)));
    }

    /// It waits no longer.
    pub(crate) fn end_naming(&mut self, id: SessionId, n: Option<u64>) {
        self.naming.retain(|(who, waits)| (*who, Some(*waits)) != (id, n));
    }

    /// Notes that a session is in a group.
    pub(crate) fn enter(&mut self, id: SessionId, group: GroupKey, limits: &Limits) -> Result<(), Refusal> {
        self.session_mut(id).ok_or_else(|| Refusal::from(Code::Superseded))?.enter(group, limits)
    }

    /// Notes that a session is no longer in a group.
    pub(crate) fn leave(&mut self, id: SessionId, group: &GroupKey) {
        if let Some(rare) = self.session_mut(id).and_then(|session| session.rare.as_deref_mut()) {
            rare.groups.retain(|g| *g != *group);
        }
    }

    /// What others are told of a session.
    pub(crate) fn presence(&self, id: SessionId) -> Presence {
        self.session(id).map_or(Presence::Gone, |s| s.state)
    }

    /// The best presence of an id's sessions.
    pub(crate) fn presence_of(&self, ns: &Namespace, id: &PeerId) -> Presence {
        let sessions = self.receivers(ns, id.as_str(), None);
        sessions.into_iter().map(|session| self.presence(session)).max().unwrap_or(Presence::Gone)
    }

    /// Who has an id.
    pub(crate) fn holder(&self, ns: &Namespace, id: &PeerId) -> Option<Holder> {
        let session = *self.receivers(ns, id.as_str(), None).first()?;
        let Session { party, owner, .. } = self.session(session)?;
        Some(Holder { session, dialect: party.dialect, key: owner.key() })
    }

    /// The key that was proved on the socket through which a session speaks.
    pub(crate) fn key(&self, id: SessionId, socket: SocketId) -> Option<PublicKey> {
        self.session(id).filter(|s| s.socket() == Some(socket))?.owner.key()
    }

    /// Changes who may take a session's place.
    pub(crate) fn set_owner(&mut self, id: SessionId, owner: Owner) {
        if let Some(session) = self.session_mut(id) {
            session.owner = owner;
        }
    }

    /// Who a session is, unless it is over.
    pub(crate) fn party(&self, id: SessionId) -> Option<Arc<Party>> {
        self.session(id).map(|s| s.party.clone())
    }

    /// Whether nobody is here or waited for, and nothing is due.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.iter_from(0).next().is_none()
            && self.directory.is_empty()
            && self.keeping.is_empty()
            && self.naming.is_empty()
            && self.next_deadline().is_none()
    }

    /// The sessions of a namespace.
    pub(crate) fn in_namespace<'a>(&'a self, ns: &'a str) -> impl Iterator<Item = &'a Arc<Party>> {
        self.slots.iter_from(0).map(|s| &s.party).filter(move |p| p.ns.as_str() == ns)
    }

    /// Counts one broadcast of a session, or says how long to wait.
    pub(crate) fn may_broadcast(&mut self, now: Moment, id: SessionId, rate: Rate) -> Result<(), u64> {
        self.session_mut(id).map_or(Ok(()), |s| s.rare_mut().broadcasts.take(now, rate))
    }

    fn session(&self, id: SessionId) -> Option<&Session> {
        self.slots.get(id)
    }

    fn session_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.slots.get_mut(id)
    }
}
