//! One shard of peers, written out and read back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use wigwag_wire::code::Code;
use wigwag_wire::event::Presence;
use wigwag_wire::{PeerId, PublicKey};

use super::Peers;
use super::queue::{Held, Queue};
use super::receipt::{Acked, Receipt, Shared};
use super::session::{Line, Owner, Rare, Resumable, Session, TokenHash, Watching};
use super::signals::refuse;
use super::stored::{Keeping, Stored};
use crate::cx::Cx;
use crate::ids::{GroupKey, Party, SessionId};
use crate::time::{Moment, Wall};

/// One shard, written out. Stored signals that wait are not in it: the store has them.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PeersSnapshot {
    sessions: Vec<SessionSnapshot>,
    revision: u64,
    /// Signals and losses may still speak of sessions that are over, so their numbers must not come again.
    generation: u32,
    /// The last number of a stored signal.
    number: u64,
    /// Who waits for an answer that will not come, and the code that says so.
    unanswered: Vec<(SessionId, u64, u16)>,
    /// Stored signals of which the store had not said that it has them.
    keeping: Vec<(u64, Keeping)>,
}

#[cfg(test)]
impl PeersSnapshot {
    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }
}

#[derive(Serialize, Deserialize)]
struct SessionSnapshot {
    party: Party,
    key: Option<PublicKey>,
    token: TokenHash,
    earlier: Option<TokenHash>,
    settled: u64,
    wired: u64,
    held: Vec<HeldSnapshot>,
    last_n: Option<u64>,
    groups: Vec<GroupKey>,
    watching: Vec<(PeerId, Option<Presence>)>,
    began: Wall,
    away: bool,
    /// When it lost its socket, where it had none.
    seen: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct HeldSnapshot {
    frame: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receipt: Option<ReceiptSnapshot>,
    #[serde(default, skip_serializing_if = "is_false")]
    relayed: bool,
}

#[derive(Serialize, Deserialize)]
struct ReceiptSnapshot {
    acked: Option<Acked>,
    /// Number, end and record of the stored signal.
    stored: Option<(u64, Wall, String)>,
    /// Whether other sessions may hold it too.
    shared: bool,
    wired: bool,
}

/// Signals in the hands of several sessions, by who sent them and by their number in the store.
type Several = BTreeMap<(Option<Acked>, Option<u64>), Arc<Shared>>;

impl Peers {
    /// Writes out what may be resumed.
    pub(crate) fn snapshot(&self) -> PeersSnapshot {
        let unanswered = self.unanswered().into_iter().map(|(who, n, code)| (who, n, code.number()));
        PeersSnapshot {
            sessions: self.slots.iter_from(0).filter_map(|session| self.write(session)).collect(),
            revision: self.revision,
            generation: self.slots.generation(),
            number: self.numbers.last,
            unanswered: unanswered.collect(),
            keeping: self.keeping.iter().map(|(number, keeping)| (*number, keeping.clone())).collect(),
        }
    }

    /// Reads it back. Every session that had a socket has lost it just now.
    pub(crate) fn restore(&mut self, cx: &mut Cx<'_>, snapshot: PeersSnapshot) {
        self.revision = snapshot.revision;
        self.numbers.last = snapshot.number;
        let mut several = Several::new();
        for saved in snapshot.sessions {
            self.read(cx, saved, &mut several);
        }
        self.slots.restored(snapshot.generation);
        for (who, n, code) in snapshot.unanswered {
            refuse(cx, who, Some(n), Code::from_number(code).unwrap_or(Code::Internal).into());
        }
        for (number, keeping) in snapshot.keeping {
            self.doubt(cx.now.at + cx.rules().ask_ms, number, keeping);
        }
    }

    /// Whom the restored sessions watch, and what they were told: the watched ids may be of other shards.
    pub(crate) fn watching(&self) -> Vec<(Arc<Party>, PeerId, Option<Presence>)> {
        let all = |s: &'_ Session| -> Vec<_> {
            s.watching().iter().map(|w| (s.party.clone(), w.id.clone(), w.told)).collect()
        };
        self.slots.iter_from(0).flat_map(all).collect()
    }

    fn write(&self, session: &Session) -> Option<SessionSnapshot> {
        let resume = session.resume.as_deref()?;
        let (settled, wired) = resume.queue.counts();
        let Party { session: id, ns, id: peer, device, dialect } = &*session.party;
        let seen = session.detached().and_then(|_| self.seen(ns.as_str(), peer.as_str(), Presence::Away));
        Some(SessionSnapshot {
            party: Party { session: *id, ns: ns.clone(), id: peer.clone(), device: device.clone(), dialect: *dialect },
            key: session.owner.key(),
            token: resume.token,
            earlier: resume.earlier.as_deref().copied(),
            settled,
            wired,
            held: resume.queue.frames().map(write_held).collect(),
            last_n: session.last_n,
            groups: session.groups().to_vec(),
            watching: session.watching().iter().map(|w| (w.id.clone(), w.told)).collect(),
            began: session.began,
            away: session.state == Presence::Away,
            seen,
        })
    }

    fn read(&mut self, cx: &mut Cx<'_>, saved: SessionSnapshot, several: &mut Several) {
        let id = saved.party.session;
        if !self.slots.may_restore(id) {
            return;
        }
        let held: VecDeque<Held> = saved.held.into_iter().map(|held| read_held(held, several)).collect();
        let queue = Queue::restored(saved.settled, saved.wired, held);
        let state = if saved.away { Presence::Away } else { Presence::Here };
        let party = Arc::new(saved.party);
        let address = party.address();
        let watching = saved.watching.into_iter().map(|(id, told)| Watching { id, told, revision: 0 });
        let rare = Rare { groups: saved.groups.into(), watching: watching.collect(), ..Rare::default() };
        let session = Session {
            party: party.clone(),
            owner: Owner::of(saved.key),
            line: Line::Lost(cx.now.at),
            state,
            behind: false,
            resume: Some(Box::new(Resumable { token: saved.token, earlier: saved.earlier.map(Box::new), queue })),
            last_n: saved.last_n,
            rare: (!rare.groups.is_empty() || !rare.watching.is_empty()).then(|| Box::new(rare)),
            began: saved.began,
            mark_at: Moment::NEVER,
            ice_at: Moment::NEVER,
            timer: Moment::NEVER,
        };
        self.slots.settle_in(session);
        self.keep_timer(cx, id);
        self.directory.add(&party);
        self.remember_seen(saved.seen.map_or(cx.now.wall, Wall), &address);
        // What was let in before stays, whatever the limit is now.
        let _ = cx.hub.tallies().begin(&party.ns, 0);
    }
}

fn write_held(held: &Held) -> HeldSnapshot {
    let receipt = match &held.receipt {
        Receipt::None | Receipt::Relayed => None,
        Receipt::One(acked) => Some(ReceiptSnapshot { acked: Some(*acked), stored: None, shared: false, wired: false }),
        // Another confirmed it: nobody will ask about this one.
        Receipt::Shared(shared) if shared.is_confirmed() => None,
        Receipt::Shared(shared) => Some(ReceiptSnapshot {
            acked: shared.acked,
            stored: shared.stored.as_ref().map(|s| (s.number, s.expires, text(&s.record))),
            shared: true,
            wired: shared.is_wired(),
        }),
    };
    HeldSnapshot { frame: text(&held.frame), receipt, relayed: held.is_relayed() }
}

fn read_held(held: HeldSnapshot, several: &mut Several) -> Held {
    let receipt = match held.receipt {
        None if held.relayed => Receipt::Relayed,
        None => Receipt::None,
        Some(ReceiptSnapshot { acked: Some(acked), shared: false, .. }) => Receipt::One(acked),
        Some(ReceiptSnapshot { acked, stored, wired, .. }) => {
            let key = (acked, stored.as_ref().map(|(number, ..)| *number));
            let shared = several.entry(key).or_insert_with(|| {
                let stored = stored.map(|(number, expires, record)| Stored {
                    number,
                    expires,
                    record: Bytes::from(record),
                    acked,
                });
                Shared::restored(acked, stored, wired)
            });
            Receipt::of(shared)
        }
    };
    Held { frame: held.frame.into(), receipt }
}

fn is_false(it: &bool) -> bool {
    !it
}

/// Frames and records are text; we wrote them ourselves.
fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
