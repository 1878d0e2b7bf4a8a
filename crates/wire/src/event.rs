//! What the server says: one type per message, written as one JSON object. All after `welcome` are counted.

mod groups;
mod peers;
mod rooms;

use serde::Serialize;

use crate::id::Device;

pub use groups::{Beats, BroadcastEvent, NetworkJoined, NetworkNodes, Node, Published, RoleEvent, SwarmEvent};
pub use peers::{
    Ack, Challenge, Delivery, DeviceState, Done, ErrorEvent, Found, IceEvent, IceServer, LimitsTold, Lost, PartyRef,
    Presence, PresenceEvent, Relayed, SignalEvent, Welcome,
};
pub use rooms::{
    HostWhy, Left, Member, MemberChange, RoomChanged, RoomCodeEvent, RoomHost, RoomJoined, RoomLeft, RoomListed,
    RoomMember, Rooms, Said,
};

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
    /// Relayed data from another peer.
    #[serde(rename = "relayed")]
    Relayed(Relayed<'a>),
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

impl Event<'_> {
    /// Appends it as JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        if let Self::Signal(signal) = self {
            return signal.write(out);
        }
        // Serialising into memory cannot fail for these types: no maps with odd keys, no floats.
        let _ = serde_json::to_writer(out, self);
    }
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
    Relayed "relayed"
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

/// Whether to leave a device out.
fn is_empty(device: &&Device) -> bool {
    device.as_str().is_empty()
}
