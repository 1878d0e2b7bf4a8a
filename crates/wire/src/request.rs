//! What a peer asks: one type per message, read from one JSON object. A request that parses is valid.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::code::{Code, Refusal};
use crate::id::{Device, Kind, Namespace, NetworkName, PeerId, RoomName, SwarmName, Topic};
use crate::key::PublicKey;
use crate::limits::Limits;
use crate::raw::depth_within;

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
    Role(Role),
    /// `swarm.announce`: I am in this swarm; give me some of the others.
    SwarmAnnounce(SwarmAnnounce),
    /// `swarm.leave`.
    SwarmLeave(SwarmOnly),
    /// `swarm.count`.
    SwarmCount(SwarmOnly),
}

/// Who the peer is, and the proof of it.
#[derive(Debug, Clone, Deserialize)]
pub struct Hello {
    /// The version of the protocol the peer speaks; 1.
    #[serde(default = "one")]
    pub version: u32,
    /// The namespace; the server's default one where it is left out.
    pub namespace: Option<Namespace>,
    /// The public key; without it the peer is a guest.
    pub key: Option<PublicKey>,
    /// A name `local@domain`; left out, the key's own id.
    pub id: Option<PeerId>,
    /// Which of several programs of the same id this is.
    pub device: Option<Device>,
    /// Signature over the hello statement, base64url.
    pub signature: Option<String>,
    /// The session to go on with.
    pub resume: Option<Resume>,
    /// What the peer can do beyond the base protocol; unknown ones are ignored.
    #[serde(default)]
    pub capabilities: Vec<String>,
}

/// The session to go on with, and how much of it arrived.
#[derive(Debug, Clone, Deserialize)]
pub struct Resume {
    /// The token of the last `welcome`.
    pub token: String,
    /// How many counted frames were taken in.
    #[serde(default)]
    pub seen: u64,
}

/// Where is this id?
#[derive(Debug, Deserialize)]
pub struct Find {
    /// The id.
    pub id: PeerId,
}

/// Ids to watch or to stop watching.
#[derive(Debug, Deserialize)]
pub struct Watch {
    /// The ids.
    pub ids: Vec<PeerId>,
}

/// An opaque message from peer to peer.
#[derive(Debug, Deserialize)]
pub struct Signal<'a> {
    /// The receiver's id; checked to be a good one.
    #[serde(borrow)]
    pub to: Cow<'a, str>,
    /// One device of the receiver; left out, all of them.
    #[serde(borrow, default)]
    pub device: Option<Cow<'a, str>>,
    /// What it is.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    /// The content: any JSON, passed on byte for byte.
    #[serde(borrow)]
    pub data: &'a RawValue,
    /// For how many seconds to keep it if the receiver is absent.
    #[serde(default)]
    pub store: u64,
}

/// My session is over.
#[derive(Debug, Deserialize)]
pub struct Bye {}

/// Give me ICE servers afresh.
#[derive(Debug, Deserialize)]
pub struct Ice {}

/// A change of the keys that speak for the session's name.
#[derive(Debug, Deserialize)]
pub struct NameChange {
    /// What to do.
    pub op: NameOp,
    /// The key that is added, takes over or is removed.
    pub key: PublicKey,
    /// The session's key over the name statement.
    pub signature: String,
}

/// What a [`NameChange`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NameOp {
    /// The key speaks for the name too.
    Add,
    /// The key speaks for the name instead of the session's key.
    Rotate,
    /// The key no longer speaks for the name.
    Remove,
}

impl NameOp {
    /// The word on the wire and in the statement.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Rotate => "rotate",
            Self::Remove => "remove",
        }
    }
}

/// How many counted frames were taken in.
#[derive(Debug, Deserialize)]
pub struct Seen {
    /// The count.
    pub seen: u64,
}

/// Who may act in a room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
pub enum Mode {
    /// The host alone.
    #[default]
    #[serde(rename = "HOST_ONLY")]
    HostOnly,
    /// Every member.
    #[serde(rename = "FREE_FOR_ALL")]
    FreeForAll,
}

/// What a host may set about a room. Absent fields stay as they are (or at their default).
#[derive(Debug, Default, Deserialize)]
pub struct RoomOptions<'a> {
    /// Most members.
    pub capacity: Option<u32>,
    /// Whether `room.list` shows the room.
    pub listed: Option<bool>,
    /// Whether newcomers are turned away.
    pub locked: Option<bool>,
    /// Who may `say`.
    pub mode: Option<Mode>,
    /// A password that the server checks; an empty one takes it away.
    pub password: Option<String>,
    /// Metadata that every member sees.
    #[serde(borrow, default)]
    pub meta: Option<&'a RawValue>,
    /// Seconds that the empty room stays.
    pub linger: Option<u32>,
    /// Seconds of silence in the room after which a member is dropped; 0 is never.
    pub idle: Option<u32>,
}

/// Make a room and be its host.
#[derive(Debug, Deserialize)]
pub struct RoomCreate<'a> {
    /// Its name; left out, the server makes one.
    pub room: Option<RoomName>,
    /// Whether to make a join code at once.
    #[serde(default)]
    pub code: bool,
    /// What the others see of me.
    #[serde(borrow, default)]
    pub me: Option<&'a RawValue>,
    /// The room's options: fields of the same object.
    #[serde(skip)]
    pub options: RoomOptions<'a>,
}

/// Enter a room by name or by code.
#[derive(Debug, Deserialize)]
pub struct RoomJoin<'a> {
    /// Its name.
    pub room: Option<RoomName>,
    /// Or its join code.
    pub code: Option<String>,
    /// The password, where the room has one.
    pub password: Option<String>,
    /// Make the room (with defaults) if it is not there.
    #[serde(default)]
    pub create: bool,
    /// What the others see of me.
    #[serde(borrow, default)]
    pub me: Option<&'a RawValue>,
}

/// A request about a room that needs nothing else.
#[derive(Debug, Deserialize)]
pub struct RoomOnly {
    /// The room.
    pub room: RoomName,
}

/// Which rooms are there?
#[derive(Debug, Deserialize)]
pub struct RoomList {
    /// Names after this one.
    pub after: Option<RoomName>,
    /// At most so many.
    pub limit: Option<u32>,
}

/// The host changes options.
#[derive(Debug, Deserialize)]
pub struct RoomSet<'a> {
    /// The room.
    pub room: RoomName,
    /// The host's term.
    pub term: u64,
    /// What changes: fields of the same object.
    #[serde(skip)]
    pub options: RoomOptions<'a>,
}

/// The host does something to a member or an id.
#[derive(Debug, Deserialize)]
pub struct RoomTarget {
    /// The room.
    pub room: RoomName,
    /// The host's term.
    pub term: u64,
    /// The id.
    pub id: PeerId,
    /// One device of it; left out, all of them (for a transfer: the one that is there longest).
    pub device: Option<Device>,
    /// For the one concerned: why.
    pub reason: Option<String>,
}

/// The host leaves state for the next host.
#[derive(Debug, Deserialize)]
pub struct RoomState<'a> {
    /// The room.
    pub room: RoomName,
    /// The host's term.
    pub term: u64,
    /// The state.
    #[serde(borrow)]
    pub state: &'a RawValue,
}

/// Change what the others see of me.
#[derive(Debug, Deserialize)]
pub struct RoomMe<'a> {
    /// The room.
    pub room: RoomName,
    /// The new metadata.
    #[serde(borrow)]
    pub me: &'a RawValue,
}

/// Say something to a room.
#[derive(Debug, Deserialize)]
pub struct Say<'a> {
    /// The room.
    #[serde(borrow)]
    pub room: Cow<'a, str>,
    /// Only to these members; left out, to all others.
    pub to: Option<Vec<PeerId>>,
    /// The content.
    #[serde(borrow)]
    pub data: &'a RawValue,
}

/// Topics.
#[derive(Debug, Deserialize)]
pub struct Topics {
    /// The topics.
    pub topics: Vec<Topic>,
}

/// To all who subscribe.
#[derive(Debug, Deserialize)]
pub struct Publish<'a> {
    /// The topic.
    #[serde(borrow)]
    pub topic: Cow<'a, str>,
    /// The content.
    #[serde(borrow)]
    pub data: &'a RawValue,
}

/// To every session of the namespace.
#[derive(Debug, Deserialize)]
pub struct Broadcast<'a> {
    /// The content.
    #[serde(borrow)]
    pub data: &'a RawValue,
}

/// Become a node of a network.
#[derive(Debug, Deserialize)]
pub struct NetworkJoin<'a> {
    /// The network.
    pub network: NetworkName,
    /// What the others see of me.
    #[serde(borrow, default)]
    pub me: Option<&'a RawValue>,
}

/// A request about a network that needs nothing else.
#[derive(Debug, Deserialize)]
pub struct NetworkOnly {
    /// The network.
    pub network: NetworkName,
}

/// This node has these roles.
#[derive(Debug, Deserialize)]
pub struct Role {
    /// The network.
    pub network: NetworkName,
    /// The node.
    pub id: PeerId,
    /// Its roles: at most 16.
    pub roles: Vec<Kind>,
}

/// I am in this swarm.
#[derive(Debug, Deserialize)]
pub struct SwarmAnnounce {
    /// The swarm.
    pub swarm: SwarmName,
    /// How many others to hand out.
    #[serde(default)]
    pub want: u32,
    /// Whether this party has all that the swarm is about.
    #[serde(default)]
    pub complete: bool,
}

/// A request about a swarm that needs nothing else.
#[derive(Debug, Deserialize)]
pub struct SwarmOnly {
    /// The swarm.
    pub swarm: SwarmName,
}

/// A frame that is refused before it reaches anything: the refusal, and which request it answers.
#[derive(Debug, PartialEq, Eq)]
pub struct Unread {
    /// The request's `n`, where it could be read.
    pub re: Option<u64>,
    /// Why.
    pub refusal: Refusal,
}

const fn one() -> u32 {
    1
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    n: Option<u64>,
}

impl<'a> Request<'a> {
    /// Reads one frame: the request and its `n`.
    pub fn parse(text: &'a str, limits: &Limits) -> Result<(Option<u64>, Self), Unread> {
        if limits.frame_bytes != 0 && text.len() as u64 > limits.frame_bytes {
            return Err(Unread { re: None, refusal: Code::TooLarge.into() });
        }
        let head: Head<'a> = serde_json::from_str(text).map_err(|e| Unread {
            re: None,
            refusal: Refusal::new(Code::Malformed, format!("Not a JSON object with a text `type`: {e}")),
        })?;
        let re = head.n;
        let Some(kind) = head.kind else {
            return Err(Unread { re, refusal: Refusal::new(Code::BadField, "`type` is missing.") });
        };
        if !depth_within(text, limits.json_depth) {
            return Err(Unread { re, refusal: Code::TooDeep.into() });
        }
        Self::read(&kind, text, limits).map(|request| (re, request)).map_err(|refusal| Unread { re, refusal })
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

impl<'a> Request<'a> {
    fn read(kind: &str, text: &'a str, limits: &Limits) -> Result<Self, Refusal> {
        let request = match kind {
            "hello" => Self::Hello(fields(text)?),
            "find" => Self::Find(fields(text)?),
            "watch" => Self::Watch(fields(text)?),
            "unwatch" => Self::Unwatch(fields(text)?),
            "signal" => Self::Signal(fields(text)?),
            "bye" => Self::Bye(fields(text)?),
            "ice" => Self::Ice(fields(text)?),
            "name" => Self::Name(fields(text)?),
            "seen" => Self::Seen(fields(text)?),
            "room.create" => Self::RoomCreate(Box::new(RoomCreate { options: fields(text)?, ..fields(text)? })),
            "room.join" => Self::RoomJoin(fields(text)?),
            "room.leave" => Self::RoomLeave(fields(text)?),
            "room.list" => Self::RoomList(fields(text)?),
            "room.set" => Self::RoomSet(Box::new(RoomSet { options: fields(text)?, ..fields(text)? })),
            "room.kick" => Self::RoomKick(fields(text)?),
            "room.ban" => Self::RoomBan(fields(text)?),
            "room.unban" => Self::RoomUnban(fields(text)?),
            "room.transfer" => Self::RoomTransfer(fields(text)?),
            "room.state" => Self::RoomState(fields(text)?),
            "room.code" => Self::RoomCode(fields(text)?),
            "room.beat" => Self::RoomBeat(fields(text)?),
            "room.me" => Self::RoomMe(fields(text)?),
            "say" => Self::Say(fields(text)?),
            "subscribe" => Self::Subscribe(fields(text)?),
            "unsubscribe" => Self::Unsubscribe(fields(text)?),
            "publish" => Self::Publish(fields(text)?),
            "broadcast" => Self::Broadcast(fields(text)?),
            "network.join" => Self::NetworkJoin(fields(text)?),
            "network.leave" => Self::NetworkLeave(fields(text)?),
            "beat" => Self::Beat(fields(text)?),
            "role" => Self::Role(fields(text)?),
            "swarm.announce" => Self::SwarmAnnounce(fields(text)?),
            "swarm.leave" => Self::SwarmLeave(fields(text)?),
            "swarm.count" => Self::SwarmCount(fields(text)?),
            _ => return Err(Refusal::new(Code::UnknownType, "The server does not know this `type`.")),
        };
        request.check(limits)?;
        Ok(request)
    }

    /// What the shapes alone do not say.
    fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        let small = |field: &'static str, raw: Option<&RawValue>, max: u64| match raw {
            Some(raw) if max != 0 && raw.get().len() as u64 > max => {
                Err(Refusal::new(Code::TooLarge, format!("`{field}` is over {max} bytes.")))
            }
            _ => Ok(()),
        };
        match self {
            Self::Signal(s) => {
                PeerId::check(&s.to).map_err(|e| bad("to", &e))?;
                Kind::check(&s.kind).map_err(|e| bad("kind", &e))?;
                s.device.as_deref().map_or(Ok(()), Device::check).map_err(|e| bad("device", &e))
            }
            Self::Say(s) => RoomName::check(&s.room).map_err(|e| bad("room", &e)),
            Self::Publish(p) => Topic::check(&p.topic).map_err(|e| bad("topic", &e)),
            Self::RoomCreate(r) => {
                small("me", r.me, limits.meta_bytes)?;
                small("meta", r.options.meta, limits.meta_bytes)
            }
            Self::RoomSet(r) => small("meta", r.options.meta, limits.meta_bytes),
            Self::RoomJoin(r) if r.room.is_some() == r.code.is_some() => {
                Err(Refusal::new(Code::BadField, "Exactly one of `room` and `code` must be there."))
            }
            Self::RoomJoin(r) => small("me", r.me, limits.meta_bytes),
            Self::RoomMe(r) => small("me", Some(r.me), limits.meta_bytes),
            Self::RoomState(r) => small("state", Some(r.state), limits.state_bytes),
            Self::NetworkJoin(r) => small("me", r.me, limits.meta_bytes),
            Self::Role(r) if r.roles.len() > 16 => Err(Refusal::new(Code::BadField, "At most 16 `roles`.")),
            _ => Ok(()),
        }
    }
}

fn fields<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Refusal> {
    serde_json::from_str(text).map_err(|e| Refusal::new(Code::BadField, format!("A field is missing or wrong: {e}")))
}

fn bad(field: &str, why: &crate::id::IdError) -> Refusal {
    Refusal::new(Code::BadField, format!("`{field}` {why}."))
}
