//! What HTTP needs to know of the running server, and may ask of it.
//!
//! The driver implements [`Desk`] over the hub, the sockets and the store. HTTP itself holds no state of the server
//! and decides nothing about it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use wigwag_dialects::SignalingCounts;
use wigwag_wire::{Device, Limits, Namespace, PeerId, Refusal, RoomName};

/// An answer that may need the store or another thread.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send + 'a>>;

/// The running server as HTTP sees it.
pub trait Desk: Send + Sync + 'static {
    /// Whether it takes peers. Cheap: load balancers ask all the time.
    fn readiness(&self) -> Readiness;

    /// What there is right now. Cheap: pages and Prometheus ask all the time.
    fn counts(&self) -> Counts;

    /// How many ManaMesh peers are in how many rooms of the default namespace.
    fn signaling(&self) -> SignalingCounts;

    /// How many sockets are open right now.
    fn sockets(&self) -> u64;

    /// The limits in force.
    fn limits(&self) -> Limits;

    /// Sessions in the order of their names, after `page.after`.
    fn sessions<'a>(&'a self, filter: &'a SessionFilter, page: &'a Page) -> Answer<'a, Vec<SessionInfo>>;

    /// One session by its name.
    fn session<'a>(&'a self, name: &'a str) -> Answer<'a, Option<SessionInfo>>;

    /// Ends a session with code 4301; `false` if there is none of this name.
    fn kick<'a>(&'a self, name: &'a str) -> Answer<'a, bool>;

    /// Rooms in the order of namespace and name, after `page.after`.
    fn rooms<'a>(&'a self, namespace: Option<&'a Namespace>, page: &'a Page) -> Answer<'a, Vec<RoomInfo>>;

    /// One room and who is in it.
    fn room<'a>(&'a self, namespace: &'a Namespace, name: &'a RoomName) -> Answer<'a, Option<RoomDetail>>;

    /// Closes a room for everybody in it; `false` if there is none.
    fn close_room<'a>(&'a self, namespace: &'a Namespace, name: &'a RoomName) -> Answer<'a, bool>;

    /// All bans in force.
    fn bans(&self) -> Answer<'_, Vec<Ban>>;

    /// Bans, and ends the sessions that the ban meets. Banning the same subject again replaces the ban.
    fn ban(&self, ban: NewBan) -> Answer<'_, Ban>;

    /// Lifts a ban; `false` if there is none with this number.
    fn unban(&self, number: u64) -> Answer<'_, bool>;

    /// Begins to drain, as SIGTERM does.
    fn drain(&self);
}

/// Whether the server takes peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// Not yet.
    Starting,
    /// It does.
    Ready,
    /// No longer: it is going down.
    Draining,
}

/// Makes the counts and their reference from one list.
macro_rules! counts {
    ($($name:ident $help:literal)+) => {
        /// How many of everything there are right now.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct Counts {
            $(#[doc = $help] pub $name: u64,)+
        }

        impl Counts {
            /// Name, meaning and number of each.
            pub fn gauges(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$((stringify!($name), $help, self.$name)),+]
            }
        }
    };
}

counts! {
    sessions "Sessions, with a socket or waiting for one."
    sessions_waiting "Sessions that lost their socket and may be resumed."
    guests "Sessions without a key."
    ids "Ids with at least one session."
    rooms "Rooms."
    room_members "Members of all rooms together."
    topics "Topics with subscribers."
    networks "Networks."
    swarms "Swarms."
    watches "Standing wishes to hear of an id's presence."
    queued_frames "Frames kept until their receivers confirm them."
    queued_bytes "Bytes of these frames."
    stored_signals "Signals that wait for absent peers."
}

/// Where a list goes on, and how much of it is wanted.
#[derive(Clone, Debug)]
pub struct Page {
    /// Only what comes after this name; from the beginning if empty. For rooms, `namespace/name`.
    pub after: String,
    /// At most so many.
    pub limit: usize,
}

/// Which sessions are wanted.
#[derive(Clone, Debug, Default)]
pub struct SessionFilter {
    /// Only those of this namespace.
    pub namespace: Option<Namespace>,
    /// Only those of this id.
    pub id: Option<PeerId>,
}

/// A session, for the operator.
#[derive(Clone, Debug, Serialize)]
pub struct SessionInfo {
    /// Its name, as in `welcome`.
    pub session: String,
    /// Its namespace.
    pub namespace: Namespace,
    /// Its peer.
    pub id: PeerId,
    /// Which of the peer's programs it is.
    pub device: Device,
    /// What its socket speaks.
    pub dialect: &'static str,
    /// Whether it has a socket now.
    pub connected: bool,
    /// When it began: wall clock in milliseconds.
    pub since: u64,
    /// How many rooms it is in.
    pub rooms: usize,
    /// How many bytes wait for it.
    pub queued_bytes: usize,
}

/// A room, for the operator.
#[derive(Clone, Debug, Serialize)]
pub struct RoomInfo {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub room: RoomName,
    /// How many members it has.
    pub size: usize,
    /// How many it may have.
    pub capacity: usize,
    /// `HOST_ONLY` or `FREE_FOR_ALL`.
    pub mode: &'static str,
    /// Whether nobody else may come in.
    pub locked: bool,
    /// The number of the host's reign.
    pub term: u64,
}

/// A room and who is in it.
#[derive(Clone, Debug, Serialize)]
pub struct RoomDetail {
    /// The room.
    #[serde(flatten)]
    pub info: RoomInfo,
    /// Its host, if it has one.
    pub host: Option<PeerId>,
    /// Its members.
    pub members: Vec<MemberInfo>,
}

/// A member of a room, for the operator.
#[derive(Clone, Debug, Serialize)]
pub struct MemberInfo {
    /// The peer.
    pub id: PeerId,
    /// Which of its programs.
    pub device: Device,
}

/// Whom a ban is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Everybody at these addresses.
    Network(IpNet),
    /// An id in one namespace.
    Id(Namespace, PeerId),
}

impl fmt::Display for Subject {
    /// As it is kept in the store.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Network(network) => write!(f, "network:{network}"),
            Subject::Id(namespace, id) => write!(f, "id:{namespace}/{id}"),
        }
    }
}

impl std::str::FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(network) = text.strip_prefix("network:") {
            let network = network.parse().or_else(|_| network.parse().map(|address: std::net::IpAddr| address.into()));
            return match network {
                Ok(network) => Ok(Subject::Network(IpNet::trunc(&network))),
                Err(_) => Err("a network is written like `203.0.113.0/24`, `2001:db8::/48` or `203.0.113.7`".into()),
            };
        }
        let id = text.strip_prefix("id:").and_then(|rest| rest.split_once('/'));
        let (namespace, id) = id.ok_or("a subject is written `network:NETWORK` or `id:NAMESPACE/ID`")?;
        let namespace = Namespace::new(namespace).map_err(|why| format!("the namespace {why}"))?;
        let id = PeerId::new(id).map_err(|why| format!("the id {why}"))?;
        Ok(Subject::Id(namespace, id))
    }
}

impl Serialize for Subject {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A ban to be put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBan {
    /// Whom it is for.
    pub subject: Subject,
    /// How many seconds it lasts; for good if none.
    pub seconds: Option<u64>,
    /// Why, for people.
    pub reason: String,
}

/// A ban in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ban {
    /// Its number.
    pub number: u64,
    /// Whom it is for.
    pub subject: Subject,
    /// When it ends: wall clock in milliseconds; never if none.
    pub until: Option<u64>,
    /// Why, for people.
    pub reason: String,
}
