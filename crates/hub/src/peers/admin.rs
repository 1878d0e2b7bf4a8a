//! What the operator may see and do.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use wigwag_wire::event::Presence;
use wigwag_wire::{Code, Device, Namespace, PeerId};

use super::Peers;
use super::directory::Address;
use crate::cx::Cx;
use crate::hub::Hub;
use crate::ids::{DialectId, GroupKind, Party, SessionId, SocketId};
use crate::output::Outputs;
use crate::time::{Now, Wall};

/// Live counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Sockets that were admitted.
    pub sockets: u64,
    /// Of these, how many have not proved themselves yet.
    pub handshakes: u64,
    /// Sessions.
    pub sessions: u64,
    /// Of these, how many have no socket at the moment.
    pub sessions_waiting: u64,
    /// Of these, how many are guests'.
    pub guests: u64,
    /// Ids with at least one session.
    pub ids: u64,
    /// Standing wishes to hear of an id's presence.
    pub watches: u64,
    /// Frames that sessions have not confirmed.
    pub unconfirmed: u64,
    /// Their bytes.
    pub unconfirmed_bytes: u64,
    /// Rooms.
    pub rooms: u64,
    /// Members of all rooms together.
    pub room_members: u64,
    /// Topics.
    pub topics: u64,
    /// Networks.
    pub networks: u64,
    /// Swarms.
    pub swarms: u64,
    /// Signals that wait for absent ids.
    pub stored_signals: u64,
    /// Their bytes.
    pub stored_bytes: u64,
}

/// Which sessions the operator asks for.
#[derive(Clone, Debug, Default)]
pub struct SessionFilter {
    /// Only those of this namespace.
    pub ns: Option<Namespace>,
    /// Only those of this id.
    pub id: Option<PeerId>,
}

/// One session, for the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionInfo {
    /// Its name, as in `welcome`.
    pub session: String,
    /// The namespace.
    pub namespace: Namespace,
    /// The id.
    pub id: PeerId,
    /// The device.
    pub device: Device,
    /// How it is spoken to.
    pub dialect: DialectId,
    /// Presence.
    pub state: Presence,
    /// Whether it has a socket now.
    pub connected: bool,
    /// Since when.
    pub began: Wall,
    /// How many rooms it is in.
    pub rooms: usize,
    /// How many ids it watches.
    pub watching: usize,
    /// How many frames it has not confirmed.
    pub unconfirmed: usize,
    /// Their bytes.
    pub unconfirmed_bytes: usize,
}

impl Hub {
    /// Live counts. Looks at every session: ask once a second, not for every message.
    pub fn counts(&self) -> Counts {
        let tallies = self.tallies();
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut counts = Counts {
            sockets: read(&tallies.sockets),
            handshakes: read(&tallies.handshakes),
            rooms: read(&tallies.rooms),
            topics: read(&tallies.topics),
            networks: read(&tallies.networks),
            swarms: read(&tallies.swarms),
            stored_bytes: tallies.stored(),
            ..Counts::default()
        };
        for shard in self.all_peers() {
            shard.lock().count(&mut counts);
        }
        for shard in self.all_groups() {
            counts.room_members += shard.lock().rooms.members() as u64;
        }
        counts
    }

    /// Whether it holds nothing of anybody: no socket, session, group, watch, question or deadline. What it remembers of those who
    /// are gone (when they were last seen, bans) does not count. Such a hub may be put away.
    pub fn is_empty(&self) -> bool {
        self.all_peers().iter().all(|shard| shard.lock().is_empty())
            && self.all_groups().iter().all(|shard| shard.lock().is_empty())
            && self.all_doors().iter().all(|shard| shard.lock().is_empty())
    }

    /// Sessions in the order of their numbers: those after `after`, at most `limit`.
    pub fn sessions(&self, filter: &SessionFilter, after: Option<SessionId>, limit: usize) -> Vec<SessionInfo> {
        let mut found = Vec::new();
        for shard in self.all_peers().iter().skip(after.map_or(0, SessionId::shard)) {
            shard.lock().describe(filter, after, limit - found.len(), &mut found);
            if found.len() >= limit {
                break;
            }
        }
        found
    }

    /// Ends a party's session with a code for its socket.
    pub(crate) fn close(&self, now: Now, party: &Party, socket: SocketId, code: Code, out: &mut dyn Outputs) {
        let mut cx = self.cx(now, out);
        {
            let mut shard = self.peers(party.session).lock();
            // It may speak through another socket by now.
            if shard.session(party.session).is_some_and(|s| s.socket() == Some(socket)) {
                shard.close(&mut cx, party.session, code);
            }
        }
        self.settle(&mut cx);
    }

    /// Bans an id until a time, or for good: its sessions end, and it gets no new ones.
    pub fn ban_id(&self, now: Now, ns: &Namespace, id: &PeerId, until: Option<Wall>, out: &mut dyn Outputs) {
        let mut cx = self.cx(now, out);
        self.home(ns, id.as_str()).lock().ban(&mut cx, ns, id, until);
        self.settle(&mut cx);
    }

    /// Lifts a ban of an id; `false` where there is none.
    pub fn unban_id(&self, ns: &Namespace, id: &PeerId) -> bool {
        self.home(ns, id.as_str()).lock().unban(ns, id)
    }

    /// One session.
    pub fn session(&self, session: SessionId) -> Option<SessionInfo> {
        self.peers(session).lock().info(session)
    }

    /// Ends a session: its socket closes with [`Code::Removed`].
    pub fn remove(&self, now: Now, session: SessionId, out: &mut dyn Outputs) -> bool {
        let mut cx = self.cx(now, out);
        let known = {
            let mut shard = self.peers(session).lock();
            let known = shard.info(session).is_some();
            shard.close(&mut cx, session, Code::Removed);
            known
        };
        self.settle(&mut cx);
        known
    }
}

impl Peers {
    /// Whether an id is banned at the moment.
    pub(super) fn is_banned(&self, address: &Address, now: Wall) -> bool {
        self.banned.get(address).is_some_and(|until| until.is_none_or(|until| until > now))
    }

    fn ban(&mut self, cx: &mut Cx<'_>, ns: &Namespace, id: &PeerId, until: Option<Wall>) {
        let address = Address { ns: ns.clone(), id: id.clone() };
        let devices = self.receivers(&address.ns, address.id.as_str(), None);
        self.banned.insert(address, until);
        for session in devices {
            self.close(cx, session, Code::Banned);
        }
    }

    fn unban(&mut self, ns: &Namespace, id: &PeerId) -> bool {
        self.banned.remove(&Address { ns: ns.clone(), id: id.clone() }).is_some()
    }

    fn count(&self, counts: &mut Counts) {
        for session in self.slots.iter_from(0) {
            counts.sessions += 1;
            counts.sessions_waiting += u64::from(session.socket().is_none());
            counts.guests += u64::from(session.owner.key().is_none());
            counts.watches += session.watching().len() as u64;
            let queue = session.resume.as_deref().map(|r| &r.queue);
            counts.unconfirmed += queue.map_or(0, |q| q.len() as u64);
            counts.unconfirmed_bytes += queue.map_or(0, |q| q.bytes() as u64);
        }
        let (ids, stored) = self.directory.counts();
        counts.ids += ids as u64;
        counts.stored_signals += stored as u64;
    }

    fn describe(&self, filter: &SessionFilter, after: Option<SessionId>, limit: usize, found: &mut Vec<SessionInfo>) {
        let from = after.filter(|a| a.shard() == self.shard).map_or(0, |a| a.slot() + 1);
        let wanted = |party: &Party| {
            filter.ns.as_ref().is_none_or(|ns| *ns == party.ns) && filter.id.as_ref().is_none_or(|id| *id == party.id)
        };
        let sessions = self.slots.iter_from(from);
        let infos = sessions.filter(|s| wanted(&s.party)).filter_map(|s| self.info(s.party.session));
        found.extend(infos.take(limit));
    }

    fn info(&self, id: SessionId) -> Option<SessionInfo> {
        let session = self.session(id)?;
        Some(SessionInfo {
            session: id.name(),
            namespace: session.party.ns.clone(),
            id: session.party.id.clone(),
            device: session.party.device.clone(),
            dialect: session.party.dialect,
            state: session.state,
            connected: session.socket().is_some(),
            began: session.began,
            rooms: session.groups().iter().filter(|g| g.kind == GroupKind::Room).count(),
            watching: session.watching().len(),
            unconfirmed: session.resume.as_deref().map_or(0, |r| r.queue.len()),
            unconfirmed_bytes: session.resume.as_deref().map_or(0, |r| r.queue.bytes()),
        })
    }
}
