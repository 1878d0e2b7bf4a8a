//! What the operator may see and do.

use serde::Serialize;
use wigwag_wire::event::Presence;
use wigwag_wire::{Code, Device, Namespace, PeerId};

use super::Peers;
use crate::hub::Hub;
use crate::ids::SessionId;
use crate::output::Outputs;
use crate::time::{Now, Wall};
use std::sync::atomic::Ordering;

/// Live counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Sockets that were admitted.
    pub sockets: u64,
    /// Of these, how many have not proved themselves yet.
    pub handshakes: u64,
    /// Sessions.
    pub sessions: u64,
    /// Rooms.
    pub rooms: u64,
    /// Topics.
    pub topics: u64,
    /// Networks.
    pub networks: u64,
    /// Swarms.
    pub swarms: u64,
    /// Bytes stored for absent ids.
    pub stored_bytes: u64,
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
    /// Presence.
    pub state: Presence,
    /// Since when.
    pub began: Wall,
    /// How many groups it is in.
    pub groups: usize,
    /// How many ids it watches.
    pub watching: usize,
    /// How many frames it has not confirmed.
    pub unconfirmed: usize,
}

impl Hub {
    /// Live counts.
    pub fn counts(&self) -> Counts {
        let tallies = self.tallies();
        let read = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            sockets: read(&tallies.sockets),
            handshakes: read(&tallies.handshakes),
            sessions: read(&tallies.sessions),
            rooms: read(&tallies.rooms),
            topics: read(&tallies.topics),
            networks: read(&tallies.networks),
            swarms: read(&tallies.swarms),
            stored_bytes: tallies.stored(),
        }
    }

    /// Sessions in the order of their numbers: those after `after`, at most `limit`.
    pub fn sessions(&self, after: Option<SessionId>, limit: usize) -> Vec<SessionInfo> {
        let mut found = Vec::new();
        for shard in self.all_peers().iter().skip(after.map_or(0, SessionId::shard)) {
            shard.lock().describe(after, limit - found.len(), &mut found);
            if found.len() >= limit {
                break;
            }
        }
        found
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

impl SessionId {
    /// Reads the name that `welcome` gives a session.
    pub fn parse(name: &str) -> Option<Self> {
        (name.len() == 16).then(|| u64::from_str_radix(name, 16).ok().map(Self)).flatten()
    }
}

impl Peers {
    fn describe(&self, after: Option<SessionId>, limit: usize, found: &mut Vec<SessionInfo>) {
        // Within a shard, slots come first: generations are not in order.
        let from = after.filter(|a| a.shard() == self.shard).map_or(0, |a| a.slot() + 1);
        let sessions = self.slots.iter().skip(from).filter_map(|s| s.session.as_deref()).take(limit);
        found.extend(sessions.filter_map(|s| self.info(s.party.session)));
    }

    fn info(&self, id: SessionId) -> Option<SessionInfo> {
        let session = self.session(id)?;
        Some(SessionInfo {
            session: format!("{:016x}", id.0),
            namespace: session.party.ns.clone(),
            id: session.party.id.clone(),
            device: session.party.device.clone(),
            state: session.state,
            began: session.began,
            groups: session.groups.len(),
            watching: session.watching.len(),
            unconfirmed: session.resume.as_deref().map_or(0, |r| r.queue.len()),
        })
    }
}
