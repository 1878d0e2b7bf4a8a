//! Where the sessions of a shard lie: each in a slot that its number names. A slot is used again, a number is not.

use std::collections::BTreeSet;

use wigwag_wire::{Code, Refusal};

use super::session::Session;
use crate::ids::SessionId;

/// Lists no longer than this are not worth making shorter.
const SMALL: usize = 64;
/// The last slot that a snapshot may fill.
const RESTORED_MAX: usize = 10_000_000;

/// The sessions of one shard.
pub(super) struct Slots {
    shard: usize,
    list: Vec<Option<Box<Session>>>,
    /// Slots without a session. The first is used first, so that the list gets shorter again after a flood.
    free: BTreeSet<u32>,
    /// The generation of the last session that began.
    generation: u32,
}

impl Slots {
    pub(super) fn new(shard: usize) -> Self {
        Self { shard, list: Vec::new(), free: BTreeSet::new(), generation: 0 }
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&Session> {
        self.list.get(id.slot())?.as_deref().filter(|s| s.party.session == id)
    }

    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.list.get_mut(id.slot())?.as_deref_mut().filter(|s| s.party.session == id)
    }

    /// The sessions by number, from a slot on.
    pub(super) fn iter_from(&self, slot: usize) -> impl Iterator<Item = &Session> {
        self.list.iter().skip(slot).filter_map(Option::as_deref)
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.list.capacity()
    }

    /// A free slot, and the number that a session in it will have.
    pub(super) fn vacancy(&mut self) -> Result<SessionId, Refusal> {
        let slot = match self.free.pop_first() {
            Some(slot) => slot,
            None if self.list.len() >= SessionId::SLOTS => return Err(Code::NamespaceFull.into()),
            None => {
                self.list.push(None);
                (self.list.len() - 1) as u32
            }
        };
        self.generation = self.generation.wrapping_add(1);
        Ok(SessionId::new(self.shard, slot, self.generation))
    }

    /// Gives a vacancy back that was not used.
    pub(super) fn vacate(&mut self, id: SessionId) {
        self.free.insert(id.slot() as u32);
        self.shorten();
    }

    /// Puts a session where its number says; `false` where that cannot be.
    pub(super) fn settle_in(&mut self, session: Session) -> bool {
        match self.list.get_mut(session.party.session.slot()) {
            Some(place @ None) => {
                *place = Some(Box::new(session));
                true
            }
            _ => false,
        }
    }

    pub(super) fn take_out(&mut self, id: SessionId) -> Option<Box<Session>> {
        self.get(id)?;
        let session = self.list.get_mut(id.slot())?.take()?;
        self.vacate(id);
        Some(session)
    }

    /// The generation, to be written out: signals and losses may speak of sessions that are over, so their numbers must not come again.
    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    /// Makes room for a session of an earlier hub. A number of another shard would put it where nobody looks for it; and a snapshot
    /// is our own, but a mangled one must not make us allocate without bound.
    pub(super) fn may_restore(&mut self, id: SessionId) -> bool {
        if id.shard() != self.shard || id.slot() > RESTORED_MAX {
            return false;
        }
        if self.list.len() <= id.slot() {
            self.list.resize_with(id.slot() + 1, || None);
        }
        self.list[id.slot()].is_none()
    }

    /// All sessions of an earlier hub are in: numbers go on where it ended.
    pub(super) fn restored(&mut self, generation: u32) {
        self.generation = generation;
        self.free = (0..self.list.len()).filter(|at| self.list[*at].is_none()).map(|at| at as u32).collect();
        self.shorten();
    }

    /// Gives back what a flood of sessions needed.
    fn shorten(&mut self) {
        while let Some(None) = self.list.last() {
            self.list.pop();
            self.free.remove(&(self.list.len() as u32));
        }
        if self.list.capacity() > SMALL && self.list.len() * 8 < self.list.capacity() {
            self.list.shrink_to(self.list.len() * 2);
        }
    }
}
