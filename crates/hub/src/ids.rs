//! Handles that the hub and its shell pass to each other.

/// One WebSocket, as the shell numbers it. Never used twice in one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u64);
