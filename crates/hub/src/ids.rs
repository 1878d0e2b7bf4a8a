//! Handles that the hub and its shell pass to each other, and what a session is known by inside the hub.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wigwag_wire::{Device, Namespace, PeerId};

/// One WebSocket, as the shell numbers it. Never used twice in one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u64);

/// One session: its shard in the upper 16 bits, then its slot, then the slot's generation, so that numbers are in the order of slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionId(pub u64);

impl SessionId {
    /// A session of a shard, by slot and generation.
    pub(crate) const fn new(shard: usize, generation: u16, slot: u32) -> Self {
        Self((shard as u64) << 48 | (slot as u64) << 16 | generation as u64)
    }

    pub(crate) const fn shard(self) -> usize {
        (self.0 >> 48) as usize
    }

    pub(crate) const fn slot(self) -> usize {
        (self.0 >> 16 & 0xffff_ffff) as usize
    }

    pub(crate) const fn generation(self) -> u16 {
        self.0 as u16
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
