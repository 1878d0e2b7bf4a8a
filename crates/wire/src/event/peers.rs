//! Events about the peer itself and about other peers.

use serde::{Deserialize, Serialize};

use super::is_empty;
use crate::code::Refusal;
use crate::foreign::Foreign;
use crate::id::{Device, Namespace, PeerId};
use crate::raw::{Content, put_text};

/// Prove yourself.
#[derive(Debug, Clone, Serialize)]
pub struct Challenge<'a> {
    /// To be signed.
    pub nonce: &'a str,
    /// The server's own name, to be signed too.
    pub server: &'a str,
    /// The server's wall clock in milliseconds.
    pub time: u64,
    /// The versions it speaks.
    pub versions: &'a [&'a str],
    /// What it can do beyond the base protocol.
    pub capabilities: &'a [&'a str],
}

/// The hello is accepted.
#[derive(Debug, Clone, Serialize)]
pub struct Welcome<'a> {
    /// A name of this session for people and logs; no secret.
    pub session: &'a str,
    /// What the peer is called.
    pub id: &'a PeerId,
    /// Its device.
    pub device: &'a Device,
    /// Its namespace.
    pub namespace: &'a Namespace,
    /// The token to resume with; a secret.
    pub resume: &'a str,
    /// Whether an earlier session goes on.
    pub resumed: bool,
    /// How many counted frames were lost for good, where a session goes on.
    #[serde(skip_serializing_if = "is_zero")]
    pub missed: u64,
    /// The `n` of the last request that was taken in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
    /// The version spoken.
    pub version: &'a str,
    /// What both can do.
    pub capabilities: &'a [&'a str],
    /// ICE servers.
    pub ice: &'a [IceServer],
    /// When their credentials expire: wall clock in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ice_expires: Option<u64>,
    /// The limits that a client can use.
    pub limits: LimitsTold,
    /// After how many milliseconds without a socket a peer is `away`.
    pub away_after: u64,
    /// After how many milliseconds without a socket the session ends.
    pub gone_after: u64,
}

/// The limits that a client can use.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct LimitsTold {
    /// Largest frame in bytes; 0 is no limit.
    pub frame_bytes: u64,
    /// Frames per second in the long run; 0 is no limit.
    pub frames_per_second: u64,
    /// Frames at once.
    pub frames_burst: u64,
    /// Largest metadata in bytes.
    pub meta_bytes: u64,
    /// Longest time of storing in seconds; 0 is no limit.
    pub stored_seconds: u64,
    /// Bytes per second that may be relayed; 0: there is no relay.
    pub relay_bytes_per_second: u64,
    /// Bytes that may be relayed at once.
    pub relay_bytes_burst: u64,
    /// Relayed frames per second, and half of how many at once; 0 is no limit.
    pub relay_frames_per_second: u64,
}

/// One entry of an `RTCConfiguration`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceServer {
    /// `stun:`, `turn:` or `turns:`.
    pub urls: Vec<String>,
    /// For TURN.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub username: Option<String>,
    /// For TURN.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub credential: Option<String>,
}

/// Carried out.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Done {
    /// The request.
    pub re: u64,
    /// How many it reached, where it went to many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receivers: Option<u32>,
}

/// Refused.
#[derive(Debug, Clone, Serialize)]
pub struct ErrorEvent<'a> {
    /// The request, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub re: Option<u64>,
    /// The number of the code.
    pub code: u16,
    /// Its name.
    pub name: &'a str,
    /// For a person.
    pub message: &'a str,
    /// Milliseconds to wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl<'a> ErrorEvent<'a> {
    /// The message of a refusal.
    pub fn new(re: Option<u64>, refusal: &'a Refusal) -> Self {
        Self {
            re,
            code: refusal.code.number(),
            name: refusal.code.name(),
            message: &refusal.message,
            retry_after: refusal.retry_after,
        }
    }
}

/// Presence of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// No session.
    Gone,
    /// A session, but no socket for longer than the grace time.
    Away,
    /// A session with a socket, or just without one.
    Here,
}

/// One device's presence.
#[derive(Debug, Clone, Serialize)]
pub struct DeviceState<'a> {
    /// The device.
    pub device: &'a Device,
    /// Its presence.
    pub state: Presence,
}

/// Answer to `find`.
#[derive(Debug, Clone, Serialize)]
pub struct Found<'a> {
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub re: Option<u64>,
    /// The id asked for.
    pub id: &'a PeerId,
    /// The best presence of its devices.
    pub state: Presence,
    /// Its devices.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub devices: &'a [DeviceState<'a>],
    /// When it was last here (wall clock in milliseconds), where that is known and it is not now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<u64>,
    /// Whether the asker is the polite one of the two.
    pub polite: bool,
}

/// A watched id's presence.
#[derive(Debug, Clone, Serialize)]
pub struct PresenceEvent<'a> {
    /// The id.
    pub id: &'a PeerId,
    /// Its presence.
    pub state: Presence,
    /// When it was last here, where that is known and it is not now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<u64>,
}

/// What became of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// Handed to a socket of the peer.
    Delivered,
    /// Kept: for a session that may come back, or because the sender asked for it.
    Stored,
    /// Nobody there; the signal is gone.
    Absent,
}

/// What became of a signal.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Ack {
    /// The request.
    pub re: u64,
    /// What became of it.
    pub status: Delivery,
}

/// A signal from another peer.
#[derive(Debug, Clone, Serialize)]
pub struct SignalEvent<'a> {
    /// Who sent it; the server vouches for it.
    pub from: &'a PeerId,
    /// Which device of the sender.
    #[serde(skip_serializing_if = "is_empty")]
    pub device: &'a Device,
    /// What it is.
    pub kind: &'a str,
    /// Whether the receiver is the polite one of the two.
    pub polite: bool,
    /// When it was sent (wall clock in milliseconds), where it was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored: Option<u64>,
    /// The content, byte for byte.
    pub data: Content<'a>,
    /// The frame that it came in, where the sender speaks a dialect.
    #[serde(skip)]
    pub foreign: Option<Foreign<'a>>,
}

impl SignalEvent<'_> {
    /// Appends it as serde would write it within [`Event`](crate::Event), in a tenth of the time: it is what is relayed most.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let Self { from, device, kind, polite, stored, data, foreign: _ } = self;
        out.reserve(from.as_str().len() + device.as_str().len() + kind.len() + data.get().len() + 128);
        out.extend_from_slice(b"{\"type\":\"signal\",\"from\":");
        put_text(out, from.as_str());
        if !is_empty(device) {
            out.extend_from_slice(b",\"device\":");
            put_text(out, device.as_str());
        }
        out.extend_from_slice(b",\"kind\":");
        put_text(out, kind);
        out.extend_from_slice(if *polite { b",\"polite\":true" } else { b",\"polite\":false" });
        if let Some(stored) = stored {
            out.extend_from_slice(b",\"stored\":");
            out.extend_from_slice(stored.to_string().as_bytes());
        }
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(data.get().as_bytes());
        out.push(b'}');
    }
}

/// Relayed data from another peer.
#[derive(Debug, Clone, Serialize)]
pub struct Relayed<'a> {
    /// Who sent it; the server vouches for it.
    pub from: &'a PeerId,
    /// Which device of the sender.
    #[serde(skip_serializing_if = "is_empty")]
    pub device: &'a Device,
    /// The content, byte for byte.
    pub data: Content<'a>,
}

/// Acknowledged signals that may not have arrived.
#[derive(Debug, Clone, Serialize)]
pub struct Lost<'a> {
    /// The receiver.
    pub to: &'a PeerId,
    /// Its device.
    #[serde(skip_serializing_if = "is_empty")]
    pub device: &'a Device,
    /// The requests.
    pub n: &'a [u64],
}

/// ICE servers.
#[derive(Debug, Clone, Serialize)]
pub struct IceEvent<'a> {
    /// The request, where it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub re: Option<u64>,
    /// The servers.
    pub servers: &'a [IceServer],
    /// When their credentials expire: wall clock in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
}

/// Who a party is, on the wire.
#[derive(Debug, Clone, Serialize)]
pub struct PartyRef<'a> {
    /// Who.
    pub id: &'a PeerId,
    /// Which device.
    #[serde(skip_serializing_if = "is_empty")]
    pub device: &'a Device,
}

const fn is_zero(n: &u64) -> bool {
    *n == 0
}
