//! What the server says: one type per message, written as one JSON object. All after `welcome` are counted.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::code::Refusal;
use crate::id::{Device, Kind, Namespace, NetworkName, PeerId, RoomName, SwarmName};
use crate::request::Mode;

/// One message of the server.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type")]
pub enum Event<'a> {
    /// The first message: prove yourself.
    #[serde(rename = "challenge")]
    Challenge(Challenge<'a>),
    /// The hello is accepted.
    #[serde(rename = "welcome")]
    Welcome(Box<Welcome<'a>>),
    /// The request was carried out and there is nothing else to say.
    #[serde(rename = "done")]
    Done(Done),
    /// The request was refused, or the socket is about to close.
    #[serde(rename = "error")]
    Error(ErrorEvent<'a>),
    /// Answer to `find`.
    #[serde(rename = "found")]
    Found(Found<'a>),
    /// A watched id's presence.
    #[serde(rename = "presence")]
    Presence(PresenceEvent<'a>),
    /// What became of a signal.
    #[serde(rename = "ack")]
    Ack(Ack),
    /// A signal from another peer.
    #[serde(rename = "signal")]
    Signal(SignalEvent<'a>),
    /// Acknowledged signals that may not have arrived.
    #[serde(rename = "lost")]
    Lost(Lost<'a>),
    /// ICE servers: an answer, or a push before the last ones expire.
    #[serde(rename = "ice")]
    Ice(IceEvent<'a>),
    /// You are in the room.
    #[serde(rename = "room.joined")]
    RoomJoined(Box<RoomJoined<'a>>),
    /// You are no longer in the room.
    #[serde(rename = "room.left")]
    RoomLeft(RoomLeft<'a>),
    /// Another member came, went or changed.
    #[serde(rename = "room.member")]
    RoomMember(RoomMember<'a>),
    /// The room's options changed.
    #[serde(rename = "room.changed")]
    RoomChanged(RoomChanged<'a>),
    /// The room has a new host.
    #[serde(rename = "room.host")]
    RoomHost(RoomHost<'a>),
    /// Answer to `room.list`.
    #[serde(rename = "rooms")]
    Rooms(Rooms<'a>),
    /// A join code.
    #[serde(rename = "room.code")]
    RoomCode(RoomCodeEvent<'a>),
    /// Something said in a room.
    #[serde(rename = "said")]
    Said(Said<'a>),
    /// Something published to a topic.
    #[serde(rename = "published")]
    Published(Published<'a>),
    /// Something for the whole namespace.
    #[serde(rename = "broadcast")]
    Broadcast(BroadcastEvent<'a>),
    /// You are in the network; these are its nodes.
    #[serde(rename = "network.joined")]
    NetworkJoined(NetworkJoined<'a>),
    /// Gathered changes of a network's nodes.
    #[serde(rename = "network.nodes")]
    NetworkNodes(NetworkNodes<'a>),
    /// These nodes beat.
    #[serde(rename = "beats")]
    Beats(Beats<'a>),
    /// A node's roles.
    #[serde(rename = "role")]
    Role(RoleEvent<'a>),
    /// Some of a swarm.
    #[serde(rename = "swarm")]
    Swarm(SwarmEvent<'a>),
}

macro_rules! types {
    ($($variant:ident $name:literal)*) => {
        /// Types on the wire, in the order of [`Event`]'s variants.
        pub const TYPES: &[&str] = &[$($name),*];

        enum Place { $($variant),* }

        impl Event<'_> {
            /// Its place in [`TYPES`], for tables indexed by type.
            pub const fn index(&self) -> u8 {
                match self { $(Self::$variant(_) => Place::$variant as u8),* }
            }

            /// Its type on the wire.
            pub const fn name(&self) -> &'static str {
                TYPES[self.index() as usize]
            }
        }
    };
}

types! {
    Challenge "challenge"
    Welcome "welcome"
    Done "done"
    Error "error"
    Found "found"
    Presence "presence"
    Ack "ack"
    Signal "signal"
    Lost "lost"
    Ice "ice"
    RoomJoined "room.joined"
    RoomLeft "room.left"
    RoomMember "room.member"
    RoomChanged "room.changed"
    RoomHost "room.host"
    Rooms "rooms"
    RoomCode "room.code"
    Said "said"
    Published "published"
    Broadcast "broadcast"
    NetworkJoined "network.joined"
    NetworkNodes "network.nodes"
    Beats "beats"
    Role "role"
    Swarm "swarm"
}

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
}

/// One entry of an `RTCConfiguration`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
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
    pub data: &'a RawValue,
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

/// A member of a room, as the others see it.
#[derive(Debug, Clone, Serialize)]
pub struct Member<'a> {
    /// Who.
    pub id: &'a PeerId,
    /// Which device.
    #[serde(skip_serializing_if = "is_empty")]
    pub device: &'a Device,
    /// Presence: `here` or `away`.
    pub state: Presence,
    /// When it joined: wall clock in milliseconds.
    pub joined: u64,
    /// Its own metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub me: Option<&'a RawValue>,
    /// Whether the receiver of this message is the polite one towards this member.
    pub polite: bool,
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

/// You are in the room.
#[derive(Debug, Clone, Serialize)]
pub struct RoomJoined<'a> {
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub re: Option<u64>,
    /// The room.
    pub room: &'a RoomName,
    /// Its host.
    pub host: PartyRef<'a>,
    /// The host's term.
    pub term: u64,
    /// Who may `say`.
    pub mode: Mode,
    /// Whether newcomers are turned away.
    pub locked: bool,
    /// Whether the list shows it.
    pub listed: bool,
    /// Most members.
    pub capacity: u32,
    /// Whether there is a password.
    pub password: bool,
    /// Metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<&'a RawValue>,
    /// What the last host left; only for the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'a RawValue>,
    /// A join code, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'a str>,
    /// When the code runs out: wall clock in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_expires: Option<u64>,
    /// The others, longest-standing first.
    pub members: &'a [Member<'a>],
}

/// Why a member is no longer in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Left {
    /// By its own wish.
    Left,
    /// Its session ended.
    Gone,
    /// The host sent it away.
    Kicked,
    /// The host sent it away for good.
    Banned,
    /// It was silent for longer than the room allows.
    Idle,
    /// The operator closed the room.
    Closed,
}

/// You are no longer in the room.
#[derive(Debug, Clone, Serialize)]
pub struct RoomLeft<'a> {
    /// The room.
    pub room: &'a RoomName,
    /// Why.
    pub why: Left,
    /// The host's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
}

/// Another member came, went or changed.
#[derive(Debug, Clone, Serialize)]
pub struct RoomMember<'a> {
    /// The room.
    pub room: &'a RoomName,
    /// What happened.
    #[serde(flatten)]
    pub change: MemberChange<'a>,
}

/// What happened to a member.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum MemberChange<'a> {
    /// It came.
    Joined(Member<'a>),
    /// It went.
    Left {
        /// Who.
        id: &'a PeerId,
        /// Which device.
        #[serde(skip_serializing_if = "is_empty")]
        device: &'a Device,
        /// Why.
        why: Left,
    },
    /// Its presence or metadata changed.
    Updated(Member<'a>),
}

/// The room's options changed.
#[derive(Debug, Clone, Serialize)]
pub struct RoomChanged<'a> {
    /// The room.
    pub room: &'a RoomName,
    /// Who may `say`.
    pub mode: Mode,
    /// Whether newcomers are turned away.
    pub locked: bool,
    /// Whether the list shows it.
    pub listed: bool,
    /// Most members.
    pub capacity: u32,
    /// Whether there is a password.
    pub password: bool,
    /// Metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<&'a RawValue>,
}

/// Why a room has a new host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HostWhy {
    /// The host handed it on.
    Transferred,
    /// The host left or was lost; the longest-standing member follows.
    Succeeded,
}

/// The room has a new host.
#[derive(Debug, Clone, Serialize)]
pub struct RoomHost<'a> {
    /// The room.
    pub room: &'a RoomName,
    /// The new host.
    pub host: PartyRef<'a>,
    /// Its term.
    pub term: u64,
    /// Why.
    pub why: HostWhy,
    /// What the last host left; only for the new host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'a RawValue>,
}

/// One room of a list.
#[derive(Debug, Clone, Serialize)]
pub struct RoomListed<'a> {
    /// Its name.
    pub room: &'a RoomName,
    /// How many members it has.
    pub members: u32,
    /// How many it may have.
    pub capacity: u32,
    /// Whether newcomers are turned away.
    pub locked: bool,
    /// Whether there is a password.
    pub password: bool,
    /// Metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<&'a RawValue>,
}

/// Answer to `room.list`.
#[derive(Debug, Clone, Serialize)]
pub struct Rooms<'a> {
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub re: Option<u64>,
    /// The rooms, by name.
    pub rooms: &'a [RoomListed<'a>],
    /// Whether there are more after the last one.
    pub more: bool,
}

/// A join code.
#[derive(Debug, Clone, Serialize)]
pub struct RoomCodeEvent<'a> {
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub re: Option<u64>,
    /// The room.
    pub room: &'a RoomName,
    /// The code.
    pub code: &'a str,
    /// When it runs out: wall clock in milliseconds.
    pub expires: u64,
}

/// Something said in a room.
#[derive(Debug, Clone, Serialize)]
pub struct Said<'a> {
    /// The room.
    pub room: &'a RoomName,
    /// Who.
    pub from: &'a PeerId,
    /// Which device.
    #[serde(skip_serializing_if = "is_empty")]
    pub device: &'a Device,
    /// The content, byte for byte.
    pub data: &'a RawValue,
}

/// Something published to a topic.
#[derive(Debug, Clone, Serialize)]
pub struct Published<'a> {
    /// The topic.
    pub topic: &'a str,
    /// Who.
    pub from: &'a PeerId,
    /// Which device.
    #[serde(skip_serializing_if = "is_empty")]
    pub device: &'a Device,
    /// How many subscribers it went to.
    pub receivers: u32,
    /// The content, byte for byte.
    pub data: &'a RawValue,
}

/// Something for the whole namespace.
#[derive(Debug, Clone, Serialize)]
pub struct BroadcastEvent<'a> {
    /// Who.
    pub from: &'a PeerId,
    /// Which device.
    #[serde(skip_serializing_if = "is_empty")]
    pub device: &'a Device,
    /// The content, byte for byte.
    pub data: &'a RawValue,
}

/// A node of a network.
#[derive(Debug, Clone, Serialize)]
pub struct Node<'a> {
    /// Who.
    pub id: &'a PeerId,
    /// Which device.
    #[serde(skip_serializing_if = "is_empty")]
    pub device: &'a Device,
    /// Its roles.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub roles: &'a [Kind],
    /// Its own metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub me: Option<&'a RawValue>,
}

/// You are in the network.
#[derive(Debug, Clone, Serialize)]
pub struct NetworkJoined<'a> {
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub re: Option<u64>,
    /// The network.
    pub network: &'a NetworkName,
    /// All nodes, the receiver too.
    pub nodes: &'a [Node<'a>],
}

/// Gathered changes of a network's nodes since the last message.
#[derive(Debug, Clone, Serialize)]
pub struct NetworkNodes<'a> {
    /// The network.
    pub network: &'a NetworkName,
    /// Who came.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub joined: &'a [Node<'a>],
    /// Who went.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub left: &'a [PartyRef<'a>],
    /// How many nodes there are now.
    pub count: u32,
}

/// These nodes beat.
#[derive(Debug, Clone, Serialize)]
pub struct Beats<'a> {
    /// The network.
    pub network: &'a NetworkName,
    /// The nodes, each once.
    pub from: &'a [PartyRef<'a>],
}

/// A node's roles.
#[derive(Debug, Clone, Serialize)]
pub struct RoleEvent<'a> {
    /// The network.
    pub network: &'a NetworkName,
    /// The node.
    pub id: &'a PeerId,
    /// Its roles.
    pub roles: &'a [Kind],
    /// Who said so.
    pub from: &'a PeerId,
}

/// Some of a swarm.
#[derive(Debug, Clone, Serialize)]
pub struct SwarmEvent<'a> {
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub re: Option<u64>,
    /// The swarm.
    pub swarm: &'a SwarmName,
    /// Others, chosen at random.
    pub peers: &'a [PartyRef<'a>],
    /// How many have all.
    pub complete: u32,
    /// How many have not.
    pub incomplete: u32,
}

const fn is_zero(n: &u64) -> bool {
    *n == 0
}

fn is_empty(device: &&Device) -> bool {
    device.as_str().is_empty()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_member_change_is_one_flat_object_with_its_metadata_untouched() {
        let (id, device) = (PeerId::new("bob@example.org").unwrap(), Device::new("").unwrap());
        let me = RawValue::from_string(r#"{ "b": 1.0, "a": 2 }"#.into()).unwrap();
        let member =
            Member { id: &id, device: &device, state: Presence::Here, joined: 7, me: Some(&me), polite: false };
        let room = RoomName::new("den").unwrap();
        let event = Event::RoomMember(RoomMember { room: &room, change: MemberChange::Joined(member) });
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            r#"{"type":"room.member","room":"den","change":"joined","id":"bob@example.org","state":"here","joined":7,"me":{ "b": 1.0, "a": 2 },"polite":false}"#
        );
    }
}
