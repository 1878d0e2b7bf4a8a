//! How the hub begins sessions and keeps them over a restart.

use std::sync::Arc;

use bytes::Bytes;
use data_encoding::BASE32_NOPAD;
use rand_core::Rng;
use serde::{Deserialize, Serialize};
use wigwag_wire::event::Done;
use wigwag_wire::{Event, Namespace, PeerId, PublicKey, Refusal};

use crate::groups::GroupsSnapshot;
use crate::hub::Hub;
use crate::ids::{Party, SessionId, SocketId};
use crate::output::Outputs;
use crate::peers::{Opening, PeersSnapshot, parse_token};
use crate::time::{Now, Wall};

/// A hub, written out: everything but stored signals and names, which the store has.
#[derive(Serialize, Deserialize)]
pub struct Snapshot {
    /// Raised when an older reader would misunderstand.
    version: u32,
    seed: u64,
    peers: Vec<PeersSnapshot>,
    groups: Vec<GroupsSnapshot>,
}

/// The version of [`Snapshot`] that this hub writes and reads.
const SNAPSHOT_VERSION: u32 = 1;

/// Why a snapshot was not taken in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// Of another version of this program.
    #[error("the snapshot has version {0}, this program reads version {SNAPSHOT_VERSION}")]
    Version(u32),
}

impl Hub {
    /// Writes out what lets sessions go on after a restart.
    pub fn snapshot(&self, now: Now) -> Snapshot {
        let mut nothing = Vec::new();
        let cx = self.cx(now, &mut nothing);
        Snapshot {
            version: SNAPSHOT_VERSION,
            seed: self.seed(),
            peers: self.all_peers().iter().map(|shard| shard.lock().snapshot()).collect(),
            groups: self.all_groups().iter().map(|shard| shard.lock().snapshot(&cx)).collect(),
        }
    }

    /// Reads a snapshot back into a fresh hub, before its first input.
    pub fn restore(&mut self, now: Now, snapshot: Snapshot, out: &mut dyn Outputs) -> Result<(), RestoreError> {
        if snapshot.version != SNAPSHOT_VERSION {
            return Err(RestoreError::Version(snapshot.version));
        }
        self.reseed(snapshot.seed);
        let hub = &*self;
        let mut cx = hub.cx(now, out);
        for (shard, saved) in hub.all_peers().iter().zip(snapshot.peers) {
            shard.lock().restore(&mut cx, saved);
        }
        for shard in hub.all_peers() {
            let watches = shard.lock().watches();
            for (watcher, id) in watches {
                hub.home(&watcher.ns, id.as_str()).lock().watch(&mut cx, &watcher, &id, true);
            }
        }
        for (shard, saved) in hub.all_groups().iter().zip(snapshot.groups) {
            shard.lock().restore(&mut cx, saved);
        }
        hub.settle(&mut cx);
        Ok(())
    }

    /// Loads a stored signal that the store kept. After [`Hub::restore`], before the first input.
    pub fn restore_stored(
        &self,
        now: Now,
        ns: Namespace,
        to: PeerId,
        number: u64,
        expires: Wall,
        record: Bytes,
        out: &mut dyn Outputs,
    ) {
        let mut cx = self.cx(now, out);
        self.home(&ns, to.as_str()).lock().restore_stored(&mut cx, ns.clone(), to.clone(), number, expires, record);
        self.settle(&mut cx);
    }

    pub(crate) fn begin_session(
        &self,
        now: Now,
        opening: Opening,
        out: &mut dyn Outputs,
    ) -> Result<Arc<Party>, Refusal> {
        let mut cx = self.cx(now, out);
        let (ns, id) = (opening.ns.clone(), opening.id.clone());
        let opened = self.home(&ns, id.as_str()).lock().open(&mut cx, opening);
        self.settle(&mut cx);
        opened
    }

    /// The keys of a name changed: answers the one who asked, and ends what the replaced key held.
    pub(crate) fn named(
        &self,
        now: Now,
        who: &Arc<Party>,
        done: Option<Done>,
        replaced: Option<PublicKey>,
        out: &mut dyn Outputs,
    ) {
        let mut cx = self.cx(now, out);
        {
            let mut shard = self.peers(who.session).lock();
            if let Some(done) = done {
                shard.tell_own(&mut cx, who.session, &Event::Done(done));
            }
            if let Some(key) = replaced {
                shard.end_key(&mut cx, &who.ns, &who.id, &key);
            }
        }
        self.settle(&mut cx);
    }

    pub(crate) fn begin_request(&self, who: &Party, socket: SocketId, n: Option<u64>) -> Result<(), Refusal> {
        n.map_or(Ok(()), |n| self.peers(who.session).lock().begin(who.session, socket, n))
    }

    pub(crate) fn guest_of_token(&self, token: &str) -> Option<Arc<Party>> {
        let session: SessionId = parse_token(token)?;
        self.peers(session).lock().guest_of_token(token)
    }

    /// An id for a new guest: a hundred random bits cannot meet another's.
    pub(crate) fn guest_id(&self) -> PeerId {
        let mut bytes = [0; 13];
        self.rng().fill_bytes(&mut bytes);
        let text = BASE32_NOPAD.encode(&bytes).to_ascii_lowercase();
        PeerId::new(&format!("~{}", &text[..20])).unwrap_or_else(|_| unreachable!("base32 is a good id"))
    }
}
