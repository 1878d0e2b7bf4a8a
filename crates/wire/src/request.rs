//! What a peer asks: one type per message, read from one JSON object. A request that parses is valid.

mod fields;
mod groups;
mod peers;
mod rooms;

use crate::code::{Code, Refusal};
use crate::limits::Limits;
use crate::raw::depth_within;

use fields::Fields;
pub use fields::{FIELDS_MAX, INTEGER_MAX, LIST_MAX};
pub use groups::{Broadcast, NetworkJoin, NetworkOnly, Publish, ROLES_MAX, Role, SwarmAnnounce, SwarmOnly, Topics};
pub use peers::{
    Bye, CAPABILITIES_MAX, Find, Hello, Ice, NameChange, NameOp, Relay, Resume, SIGNATURE_MAX, Seen, Signal, TOKEN_MAX,
    Watch,
};
pub use rooms::{
    CODE_TEXT_MAX, Mode, PASSWORD_MAX, REASON_MAX, RoomCreate, RoomJoin, RoomList, RoomMe, RoomOnly, RoomOptions,
    RoomSet, RoomState, RoomTarget, Say,
};

/// One request.
#[derive(Debug)]
pub enum Request<'a> {
    /// `hello`: who the peer is, with proof. The first message, and only the first.
    Hello(Box<Hello>),
    /// `find`: where is this id?
    Find(Find),
    /// `watch`: tell me of these ids' presence until I say otherwise.
    Watch(Watch),
    /// `unwatch`: no longer.
    Unwatch(Watch),
    /// `signal`: hand this to that peer.
    Signal(Signal<'a>),
    /// `relay`: hand this to that device now, or not at all.
    Relay(Relay<'a>),
    /// `bye`: my session is over.
    Bye(Bye),
    /// `ice`: give me ICE servers afresh.
    Ice(Ice),
    /// `name`: change which keys speak for my name.
    Name(Box<NameChange>),
    /// `seen`: I took in this many counted frames.
    Seen(Seen),
    /// `room.create`.
    RoomCreate(Box<RoomCreate<'a>>),
    /// `room.join`.
    RoomJoin(Box<RoomJoin<'a>>),
    /// `room.leave`.
    RoomLeave(RoomOnly),
    /// `room.list`.
    RoomList(RoomList),
    /// `room.set`.
    RoomSet(Box<RoomSet<'a>>),
    /// `room.kick`.
    RoomKick(RoomTarget),
    /// `room.ban`.
    RoomBan(RoomTarget),
    /// `room.unban`.
    RoomUnban(RoomTarget),
    /// `room.transfer`.
    RoomTransfer(RoomTarget),
    /// `room.state`.
    RoomState(RoomState<'a>),
    /// `room.code`.
    RoomCode(RoomOnly),
    /// `room.beat`.
    RoomBeat(RoomOnly),
    /// `room.me`: change what the others see of me.
    RoomMe(RoomMe<'a>),
    /// `say`: to a room, under its mode.
    Say(Say<'a>),
    /// `subscribe`.
    Subscribe(Topics),
    /// `unsubscribe`.
    Unsubscribe(Topics),
    /// `publish`.
    Publish(Publish<'a>),
    /// `broadcast`: to every session of the namespace.
    Broadcast(Broadcast<'a>),
    /// `network.join`.
    NetworkJoin(NetworkJoin<'a>),
    /// `network.leave`.
    NetworkLeave(NetworkOnly),
    /// `beat`: I am alive, for the network to know.
    Beat(NetworkOnly),
    /// `role`: this node has these roles.
    Role(Role<'a>),
    /// `swarm.announce`: I am in this swarm; give me some of the others.
    SwarmAnnounce(SwarmAnnounce),
    /// `swarm.leave`.
    SwarmLeave(SwarmOnly),
    /// `swarm.count`.
    SwarmCount(SwarmOnly),
}

/// What stands beside any request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heading {
    /// Its number.
    pub n: Option<u64>,
    /// How many counted frames its sender has taken in by now.
    pub seen: Option<u64>,
}

/// A frame that is refused before it reaches anything: the refusal, and which request it answers.
#[derive(Debug, PartialEq, Eq)]
pub struct Unread {
    /// The request's `n`, where it could be read.
    pub re: Option<u64>,
    /// Why.
    pub refusal: Refusal,
}

impl<'a> Request<'a> {
    /// Reads one frame: the request and its heading.
    pub fn parse(text: &'a str, limits: &Limits) -> Result<(Heading, Self), Unread> {
        if limits.frame_bytes != 0 && text.len() as u64 > limits.frame_bytes {
            return Err(Unread { re: None, refusal: Code::TooLarge.into() });
        }
        let mut fields = Fields::default();
        fields.split(text).map_err(|refusal| Unread { re: None, refusal })?;
        let n = fields.integer("n", 0, INTEGER_MAX);
        let re = n.as_ref().ok().copied().flatten();
        if !fields.is_flat() && !depth_within(text, limits.json_depth) {
            return Err(Unread { re, refusal: Code::TooDeep.into() });
        }
        let unread = |refusal| Unread { re, refusal };
        fields.check().and(n).map_err(unread)?;
        let seen = fields.integer("seen", 0, INTEGER_MAX).map_err(unread)?;
        Self::read(&fields, limits).map(|request| (Heading { n: re, seen }, request)).map_err(unread)
    }

    fn read(fields: &Fields<'a>, limits: &Limits) -> Result<Self, Refusal> {
        let kind = fields.text("type")?.ok_or_else(|| fields::missing("type"))?;
        Ok(match &*kind {
            "hello" => Self::Hello(Box::new(Hello::read(fields)?)),
            "find" => Self::Find(Find::read(fields)?),
            "watch" => Self::Watch(Watch::read(fields)?),
            "unwatch" => Self::Unwatch(Watch::read(fields)?),
            "signal" => Self::Signal(Signal::read(fields, limits)?),
            "relay" => Self::Relay(Relay::read(fields)?),
            "bye" => Self::Bye(Bye {}),
            "ice" => Self::Ice(Ice {}),
            "name" => Self::Name(Box::new(NameChange::read(fields)?)),
            "seen" => Self::Seen(Seen::read(fields)?),
            "room.create" => Self::RoomCreate(Box::new(RoomCreate::read(fields, limits)?)),
            "room.join" => Self::RoomJoin(Box::new(RoomJoin::read(fields, limits)?)),
            "room.leave" => Self::RoomLeave(RoomOnly::read(fields)?),
            "room.list" => Self::RoomList(RoomList::read(fields)?),
            "room.set" => Self::RoomSet(Box::new(RoomSet::read(fields, limits)?)),
            "room.kick" => Self::RoomKick(RoomTarget::read(fields)?),
            "room.ban" => Self::RoomBan(RoomTarget::read(fields)?),
            "room.unban" => Self::RoomUnban(RoomTarget::read(fields)?),
            "room.transfer" => Self::RoomTransfer(RoomTarget::read(fields)?),
            "room.state" => Self::RoomState(RoomState::read(fields, limits)?),
            "room.code" => Self::RoomCode(RoomOnly::read(fields)?),
            "room.beat" => Self::RoomBeat(RoomOnly::read(fields)?),
            "room.me" => Self::RoomMe(RoomMe::read(fields, limits)?),
            "say" => Self::Say(Say::read(fields)?),
            "subscribe" => Self::Subscribe(Topics::read(fields)?),
            "unsubscribe" => Self::Unsubscribe(Topics::read(fields)?),
            "publish" => Self::Publish(Publish::read(fields)?),
            "broadcast" => Self::Broadcast(Broadcast::read(fields)?),
            "network.join" => Self::NetworkJoin(NetworkJoin::read(fields, limits)?),
            "network.leave" => Self::NetworkLeave(NetworkOnly::read(fields)?),
            "beat" => Self::Beat(NetworkOnly::read(fields)?),
            "role" => Self::Role(Role::read(fields)?),
            "swarm.announce" => Self::SwarmAnnounce(SwarmAnnounce::read(fields, limits)?),
            "swarm.leave" => Self::SwarmLeave(SwarmOnly::read(fields)?),
            "swarm.count" => Self::SwarmCount(SwarmOnly::read(fields)?),
            _ => return Err(Refusal::new(Code::UnknownType, "The server does not know this `type`.")),
        })
    }
}

macro_rules! types {
    ($($variant:ident $name:literal)*) => {
        /// Types on the wire, in the order of [`Request`]'s variants.
        pub const TYPES: &[&str] = &[$($name),*];

        enum Place { $($variant),* }

        impl Request<'_> {
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
    Hello "hello"
    Find "find"
    Watch "watch"
    Unwatch "unwatch"
    Signal "signal"
    Relay "relay"
    Bye "bye"
    Ice "ice"
    Name "name"
    Seen "seen"
    RoomCreate "room.create"
    RoomJoin "room.join"
    RoomLeave "room.leave"
    RoomList "room.list"
    RoomSet "room.set"
    RoomKick "room.kick"
    RoomBan "room.ban"
    RoomUnban "room.unban"
    RoomTransfer "room.transfer"
    RoomState "room.state"
    RoomCode "room.code"
    RoomBeat "room.beat"
    RoomMe "room.me"
    Say "say"
    Subscribe "subscribe"
    Unsubscribe "unsubscribe"
    Publish "publish"
    Broadcast "broadcast"
    NetworkJoin "network.join"
    NetworkLeave "network.leave"
    Beat "beat"
    Role "role"
    SwarmAnnounce "swarm.announce"
    SwarmLeave "swarm.leave"
    SwarmCount "swarm.count"
}
