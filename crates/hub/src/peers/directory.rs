//! Where an id is: its sessions, its watchers, what waits for it, and what the others were last told.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use foldhash::quality::FixedState;
use hashbrown::{Equivalent, HashMap, HashTable};
use serde::{Deserialize, Serialize};
use smallvec::{SmallVec, smallvec};
use wigwag_wire::event::{DeviceState, Found, Presence};
use wigwag_wire::id::IdForm;
use wigwag_wire::{Event, Namespace, PeerId};

use super::Peers;
use super::asking::{Asked, Asking, What};
use super::signals::refuse;
use super::slots::Slots;
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
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct AddressRef<'a> {
    pub(super) ns: &'a str,
    pub(super) id: &'a str,
}

impl Address {
    pub(super) fn borrowed(&self) -> AddressRef<'_> {
        AddressRef { ns: self.ns.as_str(), id: self.id.as_str() }
    }

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

/// The ids that somebody has, watches or sends something to.
pub(super) struct Directory {
    table: HashTable<Entry>,
    hasher: FixedState,
}

/// One id. Most are had by one session, and there is no more to know: such an entry is its party alone, for there are many.
#[derive(Debug)]
pub(super) enum Entry {
    Lone(Arc<Party>),
    Known(Box<Known>),
}

/// What there is to know about an id.
#[derive(Debug)]
pub(super) struct Known {
    address: Address,
    /// In the order in which they began.
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

impl Directory {
    pub(super) fn new(hasher: FixedState) -> Self {
        Self { table: HashTable::new(), hasher }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The sessions that have an id, in the order in which they began.
    pub(super) fn devices(&self, address: AddressRef<'_>) -> &[SessionId] {
        self.entry(address).map(Entry::devices).unwrap_or_default()
    }

    /// An id that is watched, waited for or had by several.
    pub(super) fn known_mut(&mut self, address: &Address) -> Option<&mut Known> {
        match self.entry_mut(address.borrowed()) {
            Some(Entry::Known(known)) => Some(known),
            Some(Entry::Lone(_)) | None => None,
        }
    }

    /// What waits for an id.
    pub(super) fn waiting(&self, address: &Address) -> Option<&Waiting> {
        match self.entry(address.borrowed()) {
            Some(Entry::Known(known)) => known.waiting.as_deref(),
            Some(Entry::Lone(_)) | None => None,
        }
    }

    /// The same, to be changed.
    pub(super) fn waiting_mut(&mut self, address: &Address) -> Option<&mut Waiting> {
        self.known_mut(address)?.waiting.as_deref_mut()
    }

    /// Sees to it that there is more to know about an id.
    pub(super) fn know(&mut self, address: &Address) -> &mut Known {
        let Self { table, hasher } = self;
        let (hash, wanted) = (hasher.hash_one(address.borrowed()), address.borrowed());
        let entry = table.entry(hash, |entry| entry.address() == wanted, |entry| hasher.hash_one(entry.address()));
        let entry = entry.or_insert_with(|| Entry::Known(Box::new(Known::new(address.clone())))).into_mut();
        if let Entry::Lone(party) = entry {
            let known = Known { devices: smallvec![party.session], ..Known::new(party.address()) };
            *entry = Entry::Known(Box::new(known));
        }
        match entry {
            Entry::Known(known) => known,
            Entry::Lone(_) => unreachable!("it is known now"),
        }
    }

    /// A session has its id from now on.
    pub(super) fn add(&mut self, party: &Arc<Party>) {
        let address = party.address_ref();
        if self.entry(address).is_some() {
            self.know(&party.address()).devices.push(party.session);
        } else {
            let Self { table, hasher } = self;
            let hash = hasher.hash_one(address);
            table.insert_unique(hash, Entry::Lone(party.clone()), |entry| hasher.hash_one(entry.address()));
        }
    }

    /// It has it no longer.
    pub(super) fn remove(&mut self, address: &Address, session: SessionId) {
        match self.known_mut(address) {
            Some(known) => known.devices.retain(|known| *known != session),
            None => self.forget(address, |entry| entry.devices() == [session]),
        }
    }

    /// Drops an entry about which there is nothing to know, and makes one small about which there is no more than a party.
    fn tidy(&mut self, address: &Address, slots: &Slots) {
        let Some(known) = self.known_mut(address) else { return };
        if !known.watchers.is_empty() || known.waiting.is_some() {
            return;
        }
        match known.devices[..] {
            [] => self.forget(address, |_| true),
            [one] => {
                if let (Some(entry), Some(session)) = (self.entry_mut(address.borrowed()), slots.get(one)) {
                    *entry = Entry::Lone(session.party.clone());
                }
            }
            _ => {}
        }
    }

    /// Takes an entry out, if it is so.
    fn forget(&mut self, address: &Address, is_so: impl FnOnce(&Entry) -> bool) {
        let Self { table, hasher } = self;
        let address = address.borrowed();
        match table.find_entry(hasher.hash_one(address), |entry| entry.address() == address) {
            Ok(entry) if is_so(entry.get()) => drop(entry.remove()),
            _ => return,
        }
        // Gives back what a flood of ids needed.
        if table.capacity() > SMALL && table.len() * 8 < table.capacity() {
            table.shrink_to(table.len() * 2, |entry| hasher.hash_one(entry.address()));
        }
    }

    /// How many ids somebody has, and how many signals wait.
    pub(super) fn counts(&self) -> (usize, usize) {
        self.table.iter().fold((0, 0), |(ids, signals), entry| {
            let waiting = if let Entry::Known(known) = entry { known.waiting.as_ref() } else { None };
            (ids + usize::from(!entry.devices().is_empty()), signals + waiting.map_or(0, |w| w.stored.len()))
        })
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.table.capacity()
    }

    fn entry(&self, address: AddressRef<'_>) -> Option<&Entry> {
        self.table.find(self.hasher.hash_one(address), |entry| entry.address() == address)
    }

    fn entry_mut(&mut self, address: AddressRef<'_>) -> Option<&mut Entry> {
        self.table.find_mut(self.hasher.hash_one(address), |entry| entry.address() == address)
    }
}

impl Entry {
    fn address(&self) -> AddressRef<'_> {
        match self {
            Self::Lone(party) => party.address_ref(),
            Self::Known(known) => known.address.borrowed(),
        }
    }

    fn devices(&self) -> &[SessionId] {
        match self {
            Self::Lone(party) => std::slice::from_ref(&party.session),
            Self::Known(known) => &known.devices,
        }
    }
}

impl Known {
    fn new(address: Address) -> Self {
        Self { address, devices: SmallVec::new(), watchers: Vec::new(), told: None, waiting: None }
    }
}

impl Peers {
    /// Where is this id? Answered to the asker; a miss counts against its address.
    pub(crate) fn find(&mut self, cx: &mut Cx<'_>, who: &Arc<Party>, origin: &Origin, n: Option<u64>, id: &PeerId) {
        let here = !self.directory.devices(AddressRef { ns: who.ns.as_str(), id: id.as_str() }).is_empty();
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
        let devices = self.directory.devices(AddressRef { ns: who.ns.as_str(), id: id.as_str() });
        let sessions = devices.iter().filter_map(|s| self.session(*s));
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
        let devices = self.directory.devices(address.borrowed());
        devices.iter().map(|s| self.presence(*s)).max().unwrap_or(Presence::Gone)
    }

    /// Tells the watchers if an id's presence is another than they were told.
    pub(super) fn review(&mut self, cx: &mut Cx<'_>, address: &Address) {
        let state = self.state_of(address);
        let seen = self.seen(address.ns.as_str(), address.id.as_str(), state);
        if let Some(known) = self.directory.known_mut(address)
            && known.told != Some(state)
        {
            known.told = Some(state);
            self.revision += 1;
            if !known.watchers.is_empty() {
                cx.later.push_back(Later::Presence {
                    ns: address.ns.clone(),
                    id: address.id.clone(),
                    watchers: known.watchers.iter().copied().collect(),
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
        let Some(known) = self.directory.known_mut(address) else { return };
        if let Some(waiting) = known.waiting.take_if(|w| w.stored.is_empty() && w.asking.is_none()) {
            self.timers.drop_id(waiting.timer, address);
        }
        self.directory.tidy(address, &self.slots);
    }
}

impl Party {
    pub(super) fn address(&self) -> Address {
        Address { ns: self.ns.clone(), id: self.id.clone() }
    }

    fn address_ref(&self) -> AddressRef<'_> {
        AddressRef { ns: self.ns.as_str(), id: self.id.as_str() }
    }

    /// Whether this party is the polite one towards an id, whatever its device.
    pub(super) fn is_polite_to_id(&self, id: &PeerId) -> bool {
        (self.id.as_str(), self.device.as_str()) < (id.as_str(), "")
    }
}
