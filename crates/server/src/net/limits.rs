//! The figures of the socket layer, with their defaults.

use std::time::Duration;

use super::frame::MessageLimits;

/// What one socket, one address and the whole server may use; filled in by the configuration.
#[derive(Clone, Debug)]
pub struct NetLimits {
    /// Bytes of one message from a peer, all fragments together (code 1009 beyond).
    pub message_bytes: usize,
    /// Frames that one message may be split into (code 1009 beyond).
    pub message_fragments: u32,
    /// Bytes, with frame headers, that may wait for one slow reader before it is cut.
    pub queue_bytes: usize,
    /// Close code told to a reader that was cut.
    pub slow_reader_code: u16,
    /// Close code told to a peer that was idle, or stalled within a message.
    pub idle_code: u16,
    /// WebSockets in all.
    pub sockets: usize,
    /// After this long without reading anything a ping is sent.
    pub ping_every: Duration,
    /// After this long without reading anything the socket is closed.
    pub idle_timeout: Duration,
    /// How long the close handshake, with all that was queued before it, may take.
    pub close_timeout: Duration,
    /// How often the sweeper looks at each socket; the other times are whole multiples of it.
    pub tick: Duration,
}

impl Default for NetLimits {
    fn default() -> Self {
        Self {
            message_bytes: 64 * 1024,
            message_fragments: 1024,
            queue_bytes: 1024 * 1024,
            slow_reader_code: 4002,
            idle_code: 4003,
            sockets: 100_000,
            ping_every: Duration::from_secs(25),
            idle_timeout: Duration::from_secs(75),
            close_timeout: Duration::from_secs(5),
            tick: Duration::from_secs(1),
        }
    }
}

impl NetLimits {
    pub(crate) fn message(&self) -> MessageLimits {
        MessageLimits { bytes: self.message_bytes, fragments: self.message_fragments }
    }

    /// A time in sweeper ticks, rounded up.
    pub(crate) fn ticks(&self, time: Duration) -> u32 {
        let ticks = time.as_nanos().div_ceil(self.tick.as_nanos().max(1)).max(1);
        u32::try_from(ticks).unwrap_or(u32::MAX)
    }
}

/// What a connection may use before it has become a WebSocket.
#[derive(Clone, Debug)]
pub struct DoorLimits {
    /// How long a request's head, a TLS handshake or a PROXY header may take.
    pub header_timeout: Duration,
    /// How long nothing of a request's body may arrive.
    pub body_timeout: Duration,
    /// Bytes of a request's head; 8 KiB at least.
    pub header_bytes: usize,
    /// Connections in all that are not WebSockets (yet).
    pub pending: usize,
    /// The same per IPv4 address or IPv6 /64; not counted for loopback and trusted proxies.
    pub pending_per_address: u32,
}

impl Default for DoorLimits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            header_bytes: 16 * 1024,
            pending: 2048,
            pending_per_address: 64,
        }
    }
}
