//! Handles that the hub and its shell pass to each other, and what a session is known by inside the hub.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use wigwag_wire::{Device, Namespace, PeerId};

/// One WebSocket, as the shell numbers it. Never used twice in one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u64);

/// One session: eight bits of its shard, then its slot, then its generation, so that numbers are in the order of slots.
/// Slots are used again, numbers are not, not even after a restart: 268 million sessions would have to begin in the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionId(pub u64);

impl SessionId {
    /// Sessions that one shard may hold at once.
    pub(crate) const SLOTS: usize = 1 << 28;

    /// A session of a shard, by slot and generation.
    pub(crate) const fn new(shard: usize, slot: u32, generation: u32) -> Self {
        Self((shard as u64) << 56 | (slot as u64 & 0xfff_ffff) << 28 | generation as u64 & 0xfff_ffff)
    }

    /// What people and logs call it.
    pub fn name(self) -> String {
        format!("{:016x}", self.0)
    }

    /// Reads that again.
    pub fn parse(name: &str) -> Option<Self> {
        (name.len() == 16).then(|| u64::from_str_radix(name, 16).ok().map(Self)).flatten()
    }

    pub(crate) const fn shard(self) -> usize {
        (self.0 >> 56) as usize
    }

    pub(crate) const fn slot(self) -> usize {
        (self.0 >> 28 & 0xfff_ffff) as usize
    }

    #[cfg(test)]
    const fn generation(self) -> u32 {
        (self.0 & 0xfff_ffff) as u32
    }
}

/// A dialect's number: which [`Voice`](crate::Voice) writes a session's frames. 0 is native.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DialectId(pub u8);

impl DialectId {
    /// The native protocol.
    pub const NATIVE: Self = Self(0);
}

/// Who a session is. Shared by everything that speaks of it; never changes.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The session.
    pub session: SessionId,
    /// The namespace.
    pub ns: Namespace,
    /// The id.
    pub id: PeerId,
    /// The device.
    pub device: Device,
    /// How to speak to it.
    pub dialect: DialectId,
}

impl Party {
    /// Whether this party is the polite one towards another.
    pub fn is_polite_to(&self, other: &Party) -> bool {
        (self.id.as_str(), self.device.as_str()) < (other.id.as_str(), other.device.as_str())
    }
}

/// What kind of group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum GroupKind {
    /// Members with one host.
    Room,
    /// Publish and subscribe.
    Topic,
    /// Nodes with roles and heartbeats.
    Network,
    /// A set to draw from at random.
    Swarm,
}

/// A group's name in full.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupKey {
    /// The kind.
    pub kind: GroupKind,
    /// The namespace.
    pub ns: Namespace,
    /// The name within namespace and kind.
    pub name: Arc<str>,
}

/// The groups of a session. Most are in one at most, which then needs no memory of its own.
pub(crate) type GroupKeys = SmallVec<[GroupKey; 1]>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sessions_number_holds_its_shard_its_slot_and_its_generation() {
        let id = SessionId::new(63, 0xabc_def0, 0x123_4567);
        assert_eq!((id.shard(), id.slot(), id.generation()), (63, 0xabc_def0, 0x123_4567));
        assert!(SessionId::new(1, 2, 9) < SessionId::new(1, 3, 0));
        // A generation past the last begins anew and touches nothing else.
        assert_eq!(SessionId::new(5, 7, 1 << 28), SessionId::new(5, 7, 0));
    }
}
