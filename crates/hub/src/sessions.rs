//! How the hub begins sessions and keeps them over a restart.

use std::sync::Arc;

use data_encoding::BASE32_NOPAD;
use rand_core::Rng;
use serde::{Deserialize, Serialize};
use wigwag_wire::request::{Heading, NameOp};
use wigwag_wire::{Code, PeerId, Refusal};

use crate::cx::Cx;
use crate::groups::GroupsSnapshot;
use crate::hub::Hub;
use crate::ids::{Party, SessionId, SocketId};
use crate::output::{Ask, Keep, Naming, Output, Outputs};
use crate::peers::{Opening, PeersSnapshot, parse_token};
use crate::time::Now;

/// A hub, written out: everything but stored signals and names, which the store has.
#[derive(Serialize, Deserialize)]
pub struct Snapshot {
    /// Raised when an older reader would misunderstand.
    version: u32,
    seed: u64,
    epoch: u64,
    peers: Vec<PeersSnapshot>,
    groups: Vec<GroupsSnapshot>,
}

#[cfg(test)]
impl Snapshot {
    pub(crate) fn sessions(&self) -> usize {
        self.peers.iter().map(PeersSnapshot::len).sum()
    }
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
            epoch: self.epoch(),
            peers: self.all_peers().iter().map(|shard| shard.lock().snapshot()).collect(),
            groups: self.all_groups().iter().map(|shard| shard.lock().snapshot(&cx)).collect(),
        }
    }

    /// Reads a snapshot back into a fresh hub, before its first input.
    pub fn restore(&mut self, now: Now, snapshot: Snapshot, out: &mut dyn Outputs) -> Result<(), RestoreError> {
        if snapshot.version != SNAPSHOT_VERSION {
            return Err(RestoreError::Version(snapshot.version));
        }
        self.succeed(snapshot.seed, snapshot.epoch);
        let hub = &*self;
        let mut cx = hub.cx(now, out);
        for (shard, saved) in hub.all_peers().iter().zip(snapshot.peers) {
            shard.lock().restore(&mut cx, saved);
        }
        for shard in hub.all_peers() {
            let watching = shard.lock().watching();
            for (watcher, id, told) in watching {
                hub.home(&watcher.ns, id.as_str()).lock().watch_again(&mut cx, &watcher, &id, told);
            }
        }
        for (shard, saved) in hub.all_groups().iter().zip(snapshot.groups) {
            shard.lock().restore(&mut cx, saved);
        }
        hub.settle(&mut cx);
        Ok(())
    }

    /// Loads a stored signal that the store kept. After [`Hub::restore`], before the first input.
    pub fn restore_stored(&self, now: Now, kept: Keep, out: &mut dyn Outputs) {
        let mut cx = self.cx(now, out);
        self.home(&kept.ns, kept.to.as_str()).lock().restore_stored(&mut cx, kept);
        self.settle(&mut cx);
    }

    /// Begins a session, or goes on with one.
    pub(crate) fn open(&self, now: Now, mut opening: Opening, out: &mut dyn Outputs) -> Result<Arc<Party>, Refusal> {
        // Most sessions share these: one text in memory does for all.
        if opening.ns == self.rules().default_namespace {
            opening.ns = self.rules().default_namespace.clone();
        }
        let mut cx = self.cx(now, out);
        let home = self.home(&opening.ns, opening.id.as_str());
        let opened = home.lock().open(&mut cx, opening);
        self.settle(&mut cx);
        opened
    }

    /// A session's wish to change its name's keys: signed as it should be, or why it may not.
    pub(crate) fn name(
        &self,
        now: Now,
        (who, socket, heading): (&Arc<Party>, SocketId, Heading),
        naming: Result<Naming, Refusal>,
        out: &mut dyn Outputs,
    ) {
        let (mut cx, n) = (self.cx(now, out), heading.n);
        let begun = self.begin(&mut cx, who, socket, heading);
        match (begun, naming) {
            (Ok(true), Ok(naming)) => {
                self.peers(who.session).lock().begin_naming(who.session, n);
                cx.out.emit(Output::Ask(Ask::Name(naming)));
            }
            (Ok(true), Err(refusal)) | (Err(refusal), _) => cx.refuse(who, n, &refusal),
            (Ok(false), _) => {}
        }
        self.settle(&mut cx);
    }

    /// The store's word on it: answers the one who asked, and ends what the replaced key held.
    pub(crate) fn named(&self, cx: &mut Cx<'_>, naming: &Naming, result: Result<(), Code>) {
        let Naming { who, n, acting, op, key } = naming;
        self.peers(who.session).lock().end_naming(who.session, *n);
        if let Err(code) = result {
            return cx.refuse(who, *n, &code.into());
        }
        cx.done(who, *n, None);
        let replaced = match op {
            NameOp::Add => None,
            NameOp::Rotate => Some(acting).filter(|acting| *acting != key),
            NameOp::Remove => Some(key),
        };
        if let Some(key) = replaced {
            self.home(&who.ns, who.id.as_str()).lock().end_key(cx, &who.ns, &who.id, key);
        }
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
