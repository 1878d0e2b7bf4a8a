//! What a connection tells whoever made it.

use std::time::Duration;

/// How far the search for a path has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum IceState {
    /// Nothing to try yet.
    #[default]
    New,
    /// Looking.
    Checking,
    /// A path carries.
    Connected,
    /// The path is silent; it may come back by itself.
    Disconnected,
    /// It has been silent for [`FAILED_AFTER`](crate::FAILED_AFTER): only a restart helps.
    Failed,
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// We closed it.
    Closed,
    /// The other end closed it.
    Left,
    /// Something broke; in words.
    Failed(String),
}

/// How the bytes flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// From end to end.
    Direct,
    /// Through a TURN server, ours or theirs.
    Turn,
    /// Through the signaling server: by whoever can do that around an engine.
    Relayed,
}

/// Numbers about a connection.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Stats {
    /// How the bytes flow; None before there is a path.
    pub path: Option<Path>,
    /// How long a question and its answer take.
    pub rtt: Option<Duration>,
    /// Bytes sent, with everything around them.
    pub sent: u64,
    /// Bytes received, with everything around them.
    pub received: u64,
    /// `host` or `relay`: what our end of the path is.
    pub local: Option<&'static str>,
    /// `host`, `srflx`, `prflx` or `relay`: what their end is.
    pub remote: Option<String>,
}
