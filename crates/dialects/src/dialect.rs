//! The dialects by name.

use wigwag_hub::{DialectId, Party};
use wigwag_wire::Foreign;

use crate::turn::{Talk, Visit};
use crate::{manamesh, matchbox, peerjs, tom, tracker, trystero, volli, watchparty, yjs};

/// A foreign protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// Volli: calls a user by id.
    Volli,
    /// ManaMesh: rooms in which the newcomer makes the offers.
    ManaMesh,
    /// Watch-party rooms, with a host who steers.
    WatchParty,
    /// ToM: a network of nodes.
    Tom,
    /// PeerJS.
    PeerJs,
    /// y-webrtc.
    Yjs,
    /// matchbox.
    Matchbox,
    /// WebTorrent trackers.
    Tracker,
    /// Trystero's WebSocket relay.
    Trystero,
}

/// The types of what goes out, for tables indexed by type: the hub's events, and last what a dialect answers by itself.
pub const EVENT_TYPES: &[&str] = &{
    let mut types = ["answer"; wigwag_wire::event::TYPES.len() + 1];
    let mut at = 0;
    while at < wigwag_wire::event::TYPES.len() {
        types[at] = wigwag_wire::event::TYPES[at];
        at += 1;
    }
    types
};

impl Dialect {
    /// All of them, in the order of their numbers.
    pub const ALL: &[Self] = &[
        Self::Volli,
        Self::ManaMesh,
        Self::WatchParty,
        Self::Tom,
        Self::PeerJs,
        Self::Yjs,
        Self::Matchbox,
        Self::Tracker,
        Self::Trystero,
    ];

    /// Its number for the hub; the native protocol has 0.
    pub const fn id(self) -> DialectId {
        DialectId(1 + self as u8)
    }

    /// The dialect of a number.
    pub fn from_id(id: DialectId) -> Option<Self> {
        Self::ALL.get(usize::from(id.0).checked_sub(1)?).copied()
    }

    /// Its name in the configuration, in metrics and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Volli => "volli",
            Self::ManaMesh => "manamesh",
            Self::WatchParty => "watchparty",
            Self::Tom => "tom",
            Self::PeerJs => "peerjs",
            Self::Yjs => "yjs",
            Self::Matchbox => "matchbox",
            Self::Tracker => "tracker",
            Self::Trystero => "trystero",
        }
    }

    /// The dialect of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|dialect| dialect.name() == name)
    }

    /// Its name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Volli => "Volli",
            Self::ManaMesh => "ManaMesh",
            Self::WatchParty => "watch-party rooms",
            Self::Tom => "ToM",
            Self::PeerJs => "PeerJS",
            Self::Yjs => "y-webrtc",
            Self::Matchbox => "matchbox",
            Self::Tracker => "WebTorrent tracker",
            Self::Trystero => "Trystero relay",
        }
    }

    /// The port on which its original listens if nobody says otherwise.
    pub const fn usual_port(self) -> Option<u16> {
        match self {
            Self::Volli | Self::Trystero => Some(8080),
            Self::ManaMesh => Some(4000),
            Self::Tom => Some(3001),
            Self::PeerJs => Some(9000),
            Self::Yjs => Some(4444),
            Self::Matchbox => Some(3536),
            Self::WatchParty | Self::Tracker => None,
        }
    }

    /// The types of its clients' messages, for tables indexed by type; last, everything else.
    pub const fn types(self) -> &'static [&'static str] {
        match self {
            Self::Volli => volli::TYPES,
            Self::ManaMesh => manamesh::TYPES,
            Self::WatchParty => watchparty::TYPES,
            Self::Tom => tom::TYPES,
            Self::PeerJs => peerjs::TYPES,
            Self::Yjs => yjs::TYPES,
            Self::Matchbox => matchbox::TYPES,
            Self::Tracker => tracker::TYPES,
            Self::Trystero => trystero::TYPES,
        }
    }

    /// Begins to understand what is said on a socket.
    pub(crate) fn talk(self, visit: Visit) -> Box<Talk> {
        match self {
            Self::Volli => visit.interpreted_by(volli::Volli::default()),
            Self::ManaMesh => visit.interpreted_by(manamesh::ManaMesh::default()),
            Self::WatchParty => visit.interpreted_by(watchparty::WatchParty::default()),
            Self::Tom => visit.interpreted_by(tom::Tom::default()),
            Self::PeerJs => visit.interpreted_by(peerjs::PeerJs::default()),
            Self::Yjs => visit.interpreted_by(yjs::Yjs::default()),
            Self::Matchbox => visit.interpreted_by(matchbox::Matchbox::default()),
            Self::Tracker => visit.interpreted_by(tracker::Tracker::default()),
            Self::Trystero => visit.interpreted_by(trystero::Trystero::default()),
        }
    }
}

/// The frame that an event came in, if who is told of it speaks the same dialect.
pub(crate) fn own_frame<'a>(foreign: Option<Foreign<'a>>, to: &Party) -> Option<&'a str> {
    foreign.and_then(|foreign| foreign.in_dialect(to.dialect.0))
}
