//! Where an id is: its sessions, its watchers, what waits for it, and what the others were last told.

use std::hash::{Hash, Hasher};

use hashbrown::Equivalent;
use smallvec::SmallVec;
use wigwag_wire::event::{DeviceState, Found, Presence};
use wigwag_wire::{Event, Namespace, PeerId};

use super::signals::Asking;
use super::stored::Stored;
use super::{Peers, Timer};
use crate::admission::Origin;
use crate::cx::{Cx, Later};
use crate::ids::{Party, SessionId};
use crate::time::Wall;

/// How many ids a shard remembers the last sight of.
const LAST_SEEN_MAX: usize = 1_024;

/// An id within its namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Address {
    pub(super) ns: Namespace,
    pub(super) id: PeerId,
}

/// The same, borrowed.
pub(super) struct AddressRef<'a> {
    pub(super) ns: &'a str,
    pub(super) id: &'a str,
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
    pub(super) watchers: Vec<SessionId>,
    /// What the watchers were last told.
    pub(super) told: Option<Presence>,
    pub(super) waiting: Option<Box<Waiting>>,
}

/// What waits for an id.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) stored: Vec<Stored>,
    pub(super) asking: Option<Asking>,
}

impl Entry {
    fn is_empty(&self) -> bool {
        self.devices.is_empty()
            && self.watchers.is_empty()
            && self.waiting.as_ref().is_none_or(|w| w.stored.is_empty() && w.asking.is_none())
    }
}

impl Peers {
    /// Where is this id? Answered to the asker; a miss counts against its address.
    pub(crate) fn find(
        &mut self,
        cx: &mut Cx<'_>,
        who: &std::sync::Arc<Party>,
        origin: &Origin,
        n: Option<u64>,
        id: &PeerId,
    ) {
        let entry = self.directory.get(&AddressRef { ns: who.ns.as_str(), id: id.as_str() });
        let here = entry.is_some_and(|e| !e.devices.is_empty());
        if !here && cx.rules().ask_where {
            self.ask_about(cx, who, n, id);
            return;
        }
        if !here {
            cx.hub.missed(cx.now.at, origin);
        }
        self.answer_find(cx, who, n, id);
    }

    /// Answers with what this shard knows.
    pub(super) fn answer_find(&self, cx: &mut Cx<'_>, who: &Party, n: Option<u64>, id: &PeerId) {
        let sessions: SmallVec<[&Party; 4]> = self
            .directory
            .get(&AddressRef { ns: who.ns.as_str(), id: id.as_str() })
            .into_iter()
            .flat_map(|e| &e.devices)
            .filter_map(|s| self.session(*s))
            .map(|s| &*s.party)
            .collect();
        let devices: Vec<DeviceState<'_>> =
            sessions.iter().map(|p| DeviceState { device: &p.device, state: self.presence(p.session) }).collect();
        let state = devices.iter().map(|d| d.state).max().unwrap_or(Presence::Gone);
        let seen = if state == Presence::Here { None } else { self.seen(who.ns.as_str(), id.as_str()) };
        let polite = sessions.first().map_or_else(
            || (who.id.as_str(), who.device.as_str()) < (id.as_str(), ""),
            |other| who.is_polite_to(other),
        );
        let event = Event::Found(Found { re: n, id, state, devices: &devices, seen, polite });
        if let Some(frame) = cx.hub.frame(&event, who) {
            cx.later.push_back(Later::Frame { to: who.session, frame, event: event.index() });
        }
    }

    /// When an id was last here, where that is known.
    pub(super) fn seen(&self, ns: &str, id: &str) -> Option<u64> {
        self.last_seen.get(&AddressRef { ns, id }).map(|w| w.0)
    }

    /// Remembers that an id was here now.
    pub(super) fn remember_seen(&mut self, wall: Wall, address: &Address) {
        if self.last_seen.insert(address.clone(), wall).is_none() {
            self.last_seen_order.push_back(address.clone());
            if self.last_seen_order.len() > LAST_SEEN_MAX
                && let Some(oldest) = self.last_seen_order.pop_front()
            {
                self.last_seen.remove(&oldest);
            }
        }
    }

    /// The best presence of an id's devices.
    pub(super) fn state_of(&self, address: &Address) -> Presence {
        let devices = self.directory.get(address).map(|e| &e.devices[..]).unwrap_or_default();
        devices.iter().map(|s| self.presence(*s)).max().unwrap_or(Presence::Gone)
    }

    /// Tells the watchers if an id's presence is another than they were told.
    pub(super) fn review(&mut self, cx: &mut Cx<'_>, address: &Address) {
        let state = self.state_of(address);
        let seen = if state == Presence::Here { None } else { self.seen(address.ns.as_str(), address.id.as_str()) };
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

    /// Drops an entry that nobody needs.
    pub(super) fn tidy(&mut self, address: &Address) {
        if self.directory.get(address).is_some_and(Entry::is_empty) {
            self.directory.remove(address);
        }
    }

    pub(super) fn entry(&mut self, address: &Address) -> &mut Entry {
        self.directory.entry(address.clone()).or_default()
    }

    pub(super) fn waiting(&mut self, address: &Address) -> &mut Waiting {
        self.entry(address).waiting.get_or_insert_default()
    }

    pub(super) fn due(&mut self, at: crate::time::Moment, timer: Timer) {
        self.timers.push(std::cmp::Reverse((at, timer)));
    }
}

impl Party {
    pub(super) fn address(&self) -> Address {
        Address { ns: self.ns.clone(), id: self.id.clone() }
    }
}
