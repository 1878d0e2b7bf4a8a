//! What a connection is made with.

use std::fmt;
use std::time::Duration;

/// A STUN or TURN server, as signaling servers hand them out: urls, and for TURN credentials that expire.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct IceServer {
    /// `stun:host[:port]`, `turn:host[:port][?transport=udp|tcp]`, `turns:host[:port]`.
    pub urls: Vec<String>,
    /// For TURN.
    pub username: Option<String>,
    /// For TURN.
    pub credential: Option<String>,
}

impl fmt::Debug for IceServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("IceServer").field("urls", &self.urls).finish_non_exhaustive()
    }
}

/// Which paths may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Policy {
    /// Any.
    #[default]
    All,
    /// Only through a TURN server, so that the other end never learns an address of ours.
    Relay,
}

/// Whether addresses of the loopback are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Loopback {
    /// Where the machine has no other address.
    #[default]
    Alone,
    /// Beside the others.
    Also,
    /// Nothing else: for tests, whose traffic must not leave the machine.
    Only,
}

/// What a connection is made with.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// STUN and TURN servers; at most 16 urls are used.
    pub ice_servers: Vec<IceServer>,
    /// Which paths may be taken.
    pub policy: Policy,
    /// Whether addresses of the loopback are offered.
    pub loopback: Loopback,
    /// Certificates (PEM) that are trusted for TURN over TLS beside those of the system.
    pub turn_roots: Vec<Vec<u8>>,
}

/// A message may have so many bytes at most, and fewer where the other end says so.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// What is received and not yet read may fill so much memory per connection; then the sender waits.
pub const UNREAD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What is sent and has not left yet may fill so much per channel; then `send` waits.
pub const UNSENT_BYTES_MAX: usize = 1024 * 1024;

/// So many channels may be open on a connection.
pub const CHANNELS_MAX: usize = 256;

/// A path that is gone for so long counts as failed, until ICE is restarted.
pub const FAILED_AFTER: Duration = Duration::from_secs(15);
