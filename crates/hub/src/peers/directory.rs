//! Where an id is: its sessions, its watchers, what waits for it, and what the others were last told.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use foldhash::quality::FixedState;
use hashbrown::{Equivalent, HashMap};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use wigwag_wire::event::{DeviceState, Found, Presence};
use wigwag_wire::id::IdForm;
use wigwag_wire::{Event, Namespace, PeerId};

use super::Peers;
use super::asking::{Asked, Asking, What};
use super::signals::refuse;
use super::stored::Stored;
use crate::admission::Origin;
use crate::cx::{Cx, Later};
use crate::ids::{Party, SessionId};
use crate::time::{Moment, Wall};

/// How many ids a shard remembers the last sight of.
const LAST_SEEN_MAX: usize = 1_024;

/// Tables no larger than this are not worth making smaller.
const SMALL: usize = 64;

/// An id within its namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Address {
    pub(super) ns: Namespace,
    pub(super) id: PeerId,
}

/// The same, borrowed.
pub(super) struct AddressRef<'a> {
    pub(super) ns: &'a str,
    pub(super) id: &'a str,
}

impl Address {
    /// Whether nobody will come under this id again once it is gone: a guest's.
    pub(super) fn is_for_now(&self) -> bool {
        self.id.form() == IdForm::Guest
    }
}

impl Hash for Address {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.ns.as_str(), self.id.as_str()).hash(state);
    }
}

impl Hash for AddressRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.ns, self.id).hash(state);
    }
}

impl Equivalent<Address> for AddressRef<'_> {
    fn equivalent(&self, key: &Address) -> bool {
        self.id == key.id.as_str() && self.ns == key.ns.as_str()
    }
}

/// One id.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) devices: SmallVec<[SessionId; 2]>,
    /// In order: a famous id has many.
    pub(super) watchers: Vec<SessionId>,
    /// What the watchers were last told.
    pub(super) told: Option<Presence>,
    pub(super) waiting: Option<Box<Waiting>>,
}

/// What waits for an id.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) stored: Vec<Stored>,
    pub(super) asking: Option<Asking>,
    /// Its entry among the timers of the shard.
    pub(super) timer: Moment,
}

/// When ids were last here: of so many ids, the ones seen last.
#[derive(Debug)]
pub(super) struct LastSeen {
    when: HashMap<Address, Wall, FixedState>,
    /// The same in order; an id that was seen again since stands in it more than once.
    order: VecDeque<(Address, Wall)>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { stored: Vec::new(), asking: None, timer: Moment::NEVER }
    }
}

impl LastSeen {
    pub(super) fn new(hasher: FixedState) -> Self {
        Self { when: HashMap::with_hasher(hasher), order: VecDeque::new() }
    }

    fn note(&mut self, address: &Address, now: Wall) {
        self.when.insert(address.clone(), now);
        self.order.push_back((address.clone(), now));
        while self.order.len() > LAST_SEEN_MAX {
            let Some((oldest, then)) = self.order.pop_front() else { break };
            if self.when.get(&oldest) == Some(&then) {
                self.when.remove(&oldest);
            }
        }
    }
}

impl Entry {
    fn is_empty(&self) -> bool {
        self.devices.is_empty() && self.watchers.is_empty() && self.waiting.is_none()
    }
}

impl Peers {
    /// Where is this id? Answered to the asker; a miss counts against its address.
    pub(crate) fn find(&mut self, cx: &mut Cx<'_>, who: &Arc<Party>, origin: &Origin, n: Option<u64>, id: &PeerId) {
        let entry = self.directory.get(&AddressRef { ns: who.ns.as_str(), id: id.as_str() });
        let here = entry.is_some_and(|e| !e.devices.is_empty());
        if !here && cx.rules().ask_where {
            let address = Address { ns: who.ns.clone(), id: id.clone() };
            let asked = Asked { who: who.clone(), origin: *origin, n, what: What::Find };
            if let Err(refusal) = self.ask(cx, &address, asked) {
                refuse(cx, who.session, n, refusal);
            }
            return;
        }
        if !here {
            cx.hub.missed(cx.now.at, origin);
        }
        self.answer_find(cx, who, n, id);
    }

    /// Answers with what this shard knows.
    pub(super) fn answer_find(&self, cx: &mut Cx<'_>, who: &Party, n: Option<u64>, id: &PeerId) {
        let entry = self.directory.get(&AddressRef { ns: who.ns.as_str(), id: id.as_str() });
        let sessions = entry.into_iter().flat_map(|e| &e.devices).filter_map(|s| self.session(*s));
        let mut devices: SmallVec<[DeviceState<'_>; 4]> =
            sessions.map(|s| DeviceState { device: &s.party.device, state: s.state }).collect();
        devices.sort_unstable_by_key(|d| d.device);
        let state = devices.iter().map(|d| d.state).max().unwrap_or(Presence::Gone);
        let seen = self.seen(who.ns.as_str(), id.as_str(), state);
        let polite = who.is_polite_to_id(id);
        let event = Event::Found(Found { re: n, id, state, devices: &devices, seen, polite });
        let frames = cx.frames(&event, who, None);
        cx.later.push_back(Later::Frames { to: who.session, frames, event: event.index() });
    }

    /// When an id was last here, where that is known and of use: it is not here now.
    pub(super) fn seen(&self, ns: &str, id: &str, state: Presence) -> Option<u64> {
        if state == Presence::Here { None } else { self.last_seen.when.get(&AddressRef { ns, id }).map(|w| w.0) }
    }

    /// Remembers that an id was here now.
    pub(super) fn remember_seen(&mut self, wall: Wall, address: &Address) {
        self.last_seen.note(address, wall);
    }

    /// The best presence of an id's devices.
    pub(super) fn state_of(&self, address: &Address) -> Presence {
        let devices = self.directory.get(address).map(|e| &e.devices[..]).unwrap_or_default();
        devices.iter().map(|s| self.presence(*s)).max().unwrap_or(Presence::Gone)
    }

    /// Tells the watchers if an id's presence is another than they were told.
    pub(super) fn review(&mut self, cx: &mut Cx<'_>, address: &Address) {
        let state = self.state_of(address);
        let seen = self.seen(address.ns.as_str(), address.id.as_str(), state);
        let Some(entry) = self.directory.get_mut(address) else { return };
        if entry.told != Some(state) {
            entry.told = Some(state);
            self.revision += 1;
            if !entry.watchers.is_empty() {
                cx.later.push_back(Later::Presence {
                    ns: address.ns.clone(),
                    id: address.id.clone(),
                    watchers: entry.watchers.iter().copied().collect(),
                    state,
                    seen,
                    revision: self.revision,
                });
            }
        }
        self.tidy(address);
    }

    /// Drops what nobody needs: the list of what waits, and the entry.
    pub(super) fn tidy(&mut self, address: &Address) {
        let Some(entry) = self.directory.get_mut(address) else { return };
        if let Some(waiting) = entry.waiting.take_if(|w| w.stored.is_empty() && w.asking.is_none()) {
            self.timers.drop_id(waiting.timer, address);
        }
        if entry.is_empty() {
            self.directory.remove(address);
            // Gives back what a flood of ids needed.
            if self.directory.capacity() > SMALL && self.directory.len() * 8 < self.directory.capacity() {
                self.directory.shrink_to(self.directory.len() * 2);
            }
        }
    }

    pub(super) fn entry(&mut self, address: &Address) -> &mut Entry {
        self.directory.entry(address.clone()).or_default()
    }
}

impl Party {
    pub(super) fn address(&self) -> Address {
        Address { ns: self.ns.clone(), id: self.id.clone() }
    }

    /// Whether this party is the polite one towards an id, whatever its device.
    pub(super) fn is_polite_to_id(&self, id: &PeerId) -> bool {
        (self.id.as_str(), self.device.as_str()) < (id.as_str(), "")
    }
}
