//! What the bench measures and `wigwag capacity` reckons with: written by the one, read by the other.

use serde::{Deserialize, Serialize};

/// What one of each costs: bytes, and microseconds of one core.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// On which machine.
    pub machine: String,
    /// A server without anybody.
    pub start_bytes: f64,
    /// What the kernel holds for a socket.
    pub kernel_bytes: f64,
    /// A guest.
    pub guest_bytes: f64,
    /// A peer with a key.
    pub keyed_bytes: f64,
    /// A client of PeerJS.
    pub peerjs_bytes: f64,
    /// With TLS, the peer's own included.
    pub tls_bytes: f64,
    /// A session that waits for its peer to come back.
    pub resumable_bytes: f64,
    /// A member of a room.
    pub member_bytes: f64,
    /// A peer that connects and proves a key.
    pub connect_us: f64,
    /// The same, over TLS.
    pub connect_tls_us: f64,
    /// A message from peer to peer, by itself.
    pub message_us: f64,
    /// One in a burst.
    pub burst_message_us: f64,
    /// For each member to whom something is said.
    pub told_us: f64,
    /// A look-up.
    pub find_us: f64,
    /// What a second core adds, as a part of the first.
    pub second_core: f64,
}
