//! One shard of peers, written out and read back.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use wigwag_wire::event::Presence;
use wigwag_wire::{PeerId, PublicKey};

use super::queue::{Held, Queue};
use super::session::{Resumable, Session, Watching};
use super::stored::Stored;
use super::{Peers, Slot, Timer};
use crate::cx::Cx;
use crate::ids::{GroupKey, Party, SessionId};
use crate::limiter::Limiter;
use crate::time::Wall;

/// One shard, written out. Stored signals are not in it: the store has them.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PeersSnapshot {
    sessions: Vec<SessionSnapshot>,
    revision: u64,
}

#[derive(Serialize, Deserialize)]
struct SessionSnapshot {
    party: Party,
    key: Option<PublicKey>,
    token_hash: [u8; 16],
    settled: u64,
    wired: u64,
    held: Vec<HeldSnapshot>,
    last_n: Option<u64>,
    groups: Vec<GroupKey>,
    watching: Vec<PeerId>,
    began: Wall,
    away: bool,
}

#[derive(Serialize, Deserialize)]
struct HeldSnapshot {
    frame: String,
    acked: Option<(SessionId, u64)>,
    stored: Option<(u64, Wall, String)>,
}

impl Peers {
    /// Writes out what may be resumed.
    pub(crate) fn snapshot(&self) -> PeersSnapshot {
        PeersSnapshot { sessions: self.sessions().filter_map(write).collect(), revision: self.revision }
    }

    /// Reads it back. Every session has lost its socket just now.
    pub(crate) fn restore(&mut self, cx: &mut Cx<'_>, snapshot: PeersSnapshot) {
        self.revision = snapshot.revision;
        for saved in snapshot.sessions {
            let id = saved.party.session;
            // A number from another layout of shards would put the session where nobody looks for it.
            if id.shard() != self.shard || self.slot_for(id).is_none() {
                continue;
            }
            let held: VecDeque<Held> = saved.held.into_iter().map(read).collect();
            let queue = Queue::restored(saved.settled, saved.wired, held);
            let party = Arc::new(saved.party);
            let address = party.address();
            let state = if saved.away { Presence::Away } else { Presence::Here };
            let watching = saved.watching.into_iter().map(|id| Watching { id, revision: 0 }).collect();
            let session = Session {
                party: party.clone(),
                key: saved.key,
                socket: None,
                detached: Some(cx.now.at),
                state,
                resume: Some(Box::new(Resumable { token_hash: saved.token_hash, queue })),
                last_n: saved.last_n,
                groups: saved.groups,
                watching,
                began: saved.began,
                broadcasts: Limiter::default(),
                mark_due: false,
            };
            self.settle_in(id, session);
            let entry = self.entry(&address);
            entry.devices.push(id);
            entry.told = Some(entry.told.map_or(state, |told| told.max(state)));
            cx.hub.tallies().began(&party.ns);
            let (away, gone) = (cx.rules().away_after_ms, cx.rules().gone_after_ms);
            self.due(cx.now.at + away, Timer::Away(id));
            self.due(cx.now.at + gone, Timer::Gone(id));
        }
        // Slots between the restored ones are free.
        self.free = (0..self.slots.len() as u32).filter(|s| self.slots[*s as usize].session.is_none()).rev().collect();
    }

    /// Whom the restored sessions watch: the watched ids may be of other shards.
    pub(crate) fn watches(&self) -> Vec<(Arc<Party>, PeerId)> {
        self.sessions().flat_map(|s| s.watching.iter().map(|w| (s.party.clone(), w.id.clone()))).collect()
    }

    fn slot_for(&mut self, id: SessionId) -> Option<()> {
        // A snapshot is our own, but a mangled one must not make us allocate without bound.
        if id.slot() > 10_000_000 {
            return None;
        }
        while self.slots.len() <= id.slot() {
            self.slots.push(Slot { generation: 0, session: None });
        }
        let slot = &mut self.slots[id.slot()];
        if slot.session.is_some() {
            return None;
        }
        slot.generation = id.generation();
        Some(())
    }
}

fn write(session: &Session) -> Option<SessionSnapshot> {
    let resume = session.resume.as_deref()?;
    let (settled, wired) = resume.queue.counts();
    let held = resume.queue.frames().map(|h| HeldSnapshot {
        frame: text(&h.frame),
        acked: h.acked,
        stored: h.stored.as_ref().map(|s| (s.number, s.expires, text(&s.record))),
    });
    Some(SessionSnapshot {
        party: Party {
            session: session.party.session,
            ns: session.party.ns.clone(),
            id: session.party.id.clone(),
            device: session.party.device.clone(),
            dialect: session.party.dialect,
        },
        key: session.key,
        token_hash: resume.token_hash,
        settled,
        wired,
        held: held.collect(),
        last_n: session.last_n,
        groups: session.groups.clone(),
        watching: session.watching.iter().map(|w| w.id.clone()).collect(),
        began: session.began,
        away: session.state == Presence::Away,
    })
}

fn read(held: HeldSnapshot) -> Held {
    let stored =
        held.stored.map(|(number, expires, record)| Box::new(Stored { number, expires, record: record.into() }));
    Held { frame: held.frame.into(), acked: held.acked, stored }
}

/// Frames and records are text; we wrote them ourselves.
fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
