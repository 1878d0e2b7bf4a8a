//! What a server says, as a peer reads it: owned, and lenient about what it does not know.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use wigwag_wire::PublicKey;
use wigwag_wire::event::{IceServer, Presence};
use wigwag_wire::request::Mode;

/// The challenge's fields that matter to a peer.
#[derive(Deserialize)]
pub(crate) struct Challenge<'a> {
    #[serde(borrow)]
    pub(crate) server: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) nonce: Cow<'a, str>,
    pub(crate) versions: Vec<Cow<'a, str>>,
}

/// What a line itself reads of a `welcome`.
#[derive(Deserialize)]
pub(crate) struct Greeting {
    pub(crate) resume: String,
    #[serde(default)]
    pub(crate) resumed: bool,
    #[serde(default)]
    pub(crate) missed: u64,
    #[serde(default)]
    pub(crate) n: Option<u64>,
    #[serde(default)]
    pub(crate) limits: LimitsHeard,
}

/// `welcome`.
#[derive(Clone, Debug, Deserialize)]
pub struct Welcome {
    /// What we are called.
    pub id: String,
    /// Which of several.
    #[serde(default)]
    pub device: String,
    /// The namespace that we are in.
    pub namespace: String,
    /// Whether the session goes on.
    pub resumed: bool,
    /// How many messages are lost for good.
    #[serde(default)]
    pub missed: u64,
    /// STUN and TURN servers.
    #[serde(default)]
    pub ice: Vec<IceServer>,
    /// When their credentials run out, in milliseconds since 1970.
    #[serde(default)]
    pub ice_expires: Option<u64>,
    /// What the server allows.
    #[serde(default)]
    pub limits: LimitsHeard,
    /// After how many milliseconds without a socket we are away.
    #[serde(default)]
    pub away_after: u64,
    /// And gone.
    #[serde(default)]
    pub gone_after: u64,
}

/// What a server allows; 0 where it does not say.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct LimitsHeard {
    /// Largest message.
    pub frame_bytes: u64,
    /// Frames in a second.
    pub frames_per_second: u64,
    /// And at once.
    pub frames_burst: u64,
    /// Largest `me` or `meta`.
    pub meta_bytes: u64,
    /// How long a signal may be stored.
    pub stored_seconds: u64,
    /// Bytes in a second that may be relayed; 0: there is no relay.
    pub relay_bytes_per_second: u64,
    /// And at once.
    pub relay_bytes_burst: u64,
    /// Relayed frames in a second, and half of how many at once; 0 is no limit.
    pub relay_frames_per_second: u64,
}

/// `found`.
#[derive(Clone, Debug, Deserialize)]
pub struct Found {
    /// Who.
    pub id: String,
    /// Best of its devices.
    pub state: Presence,
    /// Each of them.
    #[serde(default)]
    pub devices: Vec<DeviceHeard>,
    /// When it was last here, where it is not, in milliseconds since 1970.
    #[serde(default)]
    pub seen: Option<u64>,
    /// Whether we give way to it.
    #[serde(default)]
    pub polite: bool,
}

/// One device of an id.
#[derive(Clone, Debug, Deserialize)]
pub struct DeviceHeard {
    /// Its name.
    #[serde(default)]
    pub device: String,
    /// Its own presence.
    pub state: Presence,
}

/// `presence`.
#[derive(Clone, Debug, Deserialize)]
pub struct PresenceHeard {
    /// Who.
    pub id: String,
    /// How.
    pub state: Presence,
    /// When it was last here, in milliseconds since 1970.
    #[serde(default)]
    pub seen: Option<u64>,
}

/// `ack`.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct AckHeard {
    /// What became of the signal.
    pub status: DeliveryHeard,
}

/// What became of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryHeard {
    /// Handed to a socket.
    Delivered,
    /// Kept.
    Stored,
    /// There is nobody.
    Absent,
}

/// `signal`.
#[derive(Clone, Debug, Deserialize)]
pub struct SignalHeard {
    /// Whose.
    pub from: String,
    /// Which of its programs.
    #[serde(default)]
    pub device: String,
    /// What it is.
    pub kind: String,
    /// Whether we give way to the sender.
    #[serde(default)]
    pub polite: bool,
    /// When it was stored, where it was, in milliseconds since 1970.
    #[serde(default)]
    pub stored: Option<u64>,
    /// What the sender said, byte for byte.
    pub data: Box<RawValue>,
}

/// `relayed`.
#[derive(Clone, Debug, Deserialize)]
pub struct RelayedHeard {
    /// Whose.
    pub from: String,
    /// Which of its programs.
    #[serde(default)]
    pub device: String,
    /// What the sender said, byte for byte.
    pub data: Box<RawValue>,
}

/// `published`, `broadcast` or `said`.
#[derive(Clone, Debug, Deserialize)]
pub struct TalkHeard {
    /// The topic of `published`.
    #[serde(default)]
    pub topic: Option<String>,
    /// The room of `said`.
    #[serde(default)]
    pub room: Option<String>,
    /// Whose.
    pub from: String,
    /// Which of its programs.
    #[serde(default)]
    pub device: String,
    /// What the sender said, byte for byte.
    pub data: Box<RawValue>,
}

/// `lost`.
#[derive(Clone, Debug, Deserialize)]
pub struct LostHeard {
    /// Who may not have had the signals.
    pub to: String,
    /// Which of its programs.
    #[serde(default)]
    pub device: String,
    /// Which signals, by their numbers.
    #[serde(default)]
    pub n: Vec<u64>,
}

/// `ice`.
#[derive(Clone, Debug, Deserialize)]
pub struct IceHeard {
    /// STUN and TURN servers.
    pub servers: Vec<IceServer>,
    /// When their credentials run out, in milliseconds since 1970.
    #[serde(default)]
    pub expires: Option<u64>,
}

/// A party as others name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct PartyHeard {
    /// Its id.
    pub id: String,
    /// Which of several programs.
    #[serde(default)]
    pub device: String,
}

/// A member of a room.
#[derive(Clone, Debug, Deserialize)]
pub struct MemberHeard {
    /// Its id.
    pub id: String,
    /// Which of several programs.
    #[serde(default)]
    pub device: String,
    /// Its presence.
    pub state: Presence,
    /// When it came, in milliseconds since 1970.
    #[serde(default)]
    pub joined: u64,
    /// What it says of itself.
    #[serde(default)]
    pub me: Option<Box<RawValue>>,
    /// Whether we give way to it.
    #[serde(default)]
    pub polite: bool,
    /// With which it signs its calls: put there by whoever opened its box, in a secret room.
    #[serde(default, rename = "wigwag.key")]
    pub key: Option<PublicKey>,
}

/// `room.joined`.
#[derive(Clone, Debug, Deserialize)]
pub struct RoomHeard {
    /// Its name.
    pub room: String,
    /// Who may steer it.
    pub host: PartyHeard,
    /// The number of the host's reign.
    pub term: u64,
    /// Who may speak.
    pub mode: Mode,
    /// Whether newcomers are turned away.
    #[serde(default)]
    pub locked: bool,
    /// Whether lists show it.
    #[serde(default)]
    pub listed: bool,
    /// Most members.
    #[serde(default)]
    pub capacity: u32,
    /// Whether it has a password.
    #[serde(default)]
    pub password: bool,
    /// What every member sees of the room.
    #[serde(default)]
    pub meta: Option<Box<RawValue>>,
    /// What the host leaves for the next.
    #[serde(default)]
    pub state: Option<Box<RawValue>>,
    /// Its join code.
    #[serde(default)]
    pub code: Option<String>,
    /// When the code runs out, in milliseconds since 1970.
    #[serde(default)]
    pub code_expires: Option<u64>,
    /// Who is in it.
    #[serde(default)]
    pub members: Vec<MemberHeard>,
}
