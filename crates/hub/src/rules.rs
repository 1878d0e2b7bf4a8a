//! What the operator decided: read once, shared by every shard.

use std::collections::BTreeSet;

use wigwag_wire::event::IceServer;
use wigwag_wire::signature::P256Check;
use wigwag_wire::{Limits, Namespace};

/// The rules of a hub.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The server's own name; part of every signature.
    pub server: String,
    /// The limits.
    pub limits: Limits,
    /// Whether a peer may do without a key.
    pub guests: bool,
    /// The namespaces served; `None` is any.
    pub namespaces: Option<BTreeSet<Namespace>>,
    /// The namespace of a hello that names none.
    pub default_namespace: Namespace,
    /// Milliseconds without a socket until a peer is `away`.
    pub away_after_ms: u64,
    /// Milliseconds without a socket until a session ends.
    pub gone_after_ms: u64,
    /// Whether this hub may not know where a peer is, and must ask. Off for a server of its own.
    pub ask_where: bool,
    /// Milliseconds until such a question counts as unanswered.
    pub ask_ms: u64,
    /// Rooms.
    pub rooms: RoomRules,
    /// Milliseconds over which changes of a network are gathered.
    pub gather_ms: u64,
    /// ICE servers.
    pub ice: IceRules,
    /// Whether the per-address limits hold for loopback and local sockets too.
    pub limit_loopback: bool,
    /// Checks P-256 signatures.
    pub p256: P256Check,
}

/// Defaults and bounds of rooms.
#[derive(Clone, Debug)]
pub struct RoomRules {
    /// Capacity of a room whose maker names none.
    pub capacity: u32,
    /// Seconds that an empty room stays where its maker names none.
    pub linger_seconds: u32,
    /// Longest time that its maker may name.
    pub linger_seconds_max: u32,
    /// Seconds that a join code is good for.
    pub code_seconds: u32,
    /// Whether a host may let its room be listed.
    pub listing: bool,
}

/// Where peers find STUN and TURN.
#[derive(Clone, Debug, Default)]
pub struct IceRules {
    /// Servers handed out as they are.
    pub servers: Vec<IceServer>,
    /// TURN URLs for which time-limited credentials are made.
    pub turn_urls: Vec<String>,
    /// The secret shared with the TURN server; empty is none.
    pub turn_secret: String,
    /// Seconds that a credential is good for.
    pub turn_seconds: u64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            server: "localhost".into(),
            limits: Limits::default(),
            guests: true,
            namespaces: None,
            default_namespace: Namespace::new("default").unwrap_or_else(|_| unreachable!("a good namespace")),
            away_after_ms: 5_000,
            gone_after_ms: 120_000,
            ask_where: false,
            ask_ms: 5_000,
            rooms: RoomRules::default(),
            gather_ms: 200,
            ice: IceRules::default(),
            limit_loopback: false,
            p256: |_, _, _| false,
        }
    }
}

impl Default for RoomRules {
    fn default() -> Self {
        Self { capacity: 100, linger_seconds: 60, linger_seconds_max: 86_400, code_seconds: 900, listing: true }
    }
}
