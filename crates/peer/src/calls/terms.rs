//! What goes into [`Calls`](super::Calls) and what comes out of it.

use std::fmt;

use serde_json::value::RawValue;
use wigwag_wire::{PeerId, PublicKey};

use crate::heard::{DeliveryHeard, Found, RelayedHeard, SignalHeard};
use crate::relay::{Broken, Carrier, Silence};
use crate::sealed::{Candidate, Description};
use crate::terms::State;
use crate::trust::Verified;

/// A wish to connect, by the mark of whoever wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectId(pub u64);

/// A connection, by a number that is given once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Somebody who wants a connection with us, by a number that is given once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KnockId(pub u64);

/// A question to the server, by a number that is given once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u64);

/// Who is at the other end.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Its id.
    pub id: PeerId,
    /// Which of its programs.
    pub device: String,
    /// Its key.
    pub key: PublicKey,
    /// How sure it is that the key belongs to the id.
    pub verified: Verified,
    /// What it said when it hailed, as JSON.
    pub meta: Option<Box<RawValue>>,
}

/// A wish to connect.
#[derive(Clone, Debug)]
pub struct Connect {
    /// Whom.
    pub to: PeerId,
    /// Which of its programs; left out, the first that answers.
    pub device: Option<String>,
    /// Its key, where that is known from elsewhere.
    pub key: Option<PublicKey>,
    /// For its program, to decide by. The server can read it.
    pub meta: Option<Box<RawValue>>,
    /// How long to try, in milliseconds.
    pub patience: u64,
}

impl Connect {
    /// How long a connection may take where nobody says otherwise.
    pub const PATIENCE_MS: u64 = 20_000;

    /// To whichever program of this id answers first.
    pub fn to(id: PeerId) -> Self {
        Self { to: id, device: None, key: None, meta: None, patience: Self::PATIENCE_MS }
    }

    /// Whether this program is one that was wanted.
    pub(super) fn is_for(&self, id: &PeerId, device: &str) -> bool {
        self.to == *id && self.device.as_deref().is_none_or(|wanted| wanted == device)
    }
}

/// Whether messages may go by way of the server, sealed (`spec/relay.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RelayUse {
    /// They may not.
    Never,
    /// Where there is no other way, and until there is one.
    #[default]
    LastResort,
    /// They shall: no other way is looked for.
    Only,
}

/// How far an engine is with its search for a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IceState {
    /// It looks.
    Checking,
    /// A path carries.
    Connected,
    /// The path is silent.
    Disconnected,
    /// There is none.
    Failed,
}

/// What an engine tells.
#[derive(Clone, Debug)]
pub enum EngineEvent {
    /// The description that was ordered: the offer, or the answer to one.
    Described(Description),
    /// Where it may be reached; `None` when that is all.
    Candidate(Option<Candidate>),
    /// How the search goes.
    Ice(IceState),
    /// The channel `wigwag` is open.
    Open,
    /// The other side has closed it.
    Left,
    /// It cannot go on.
    Failed(String),
    /// What the link sends takes another way.
    Moved(Option<Carrier>),
    /// The link heard the other side by this way, which was silent or not in use until then.
    Heard(Carrier),
    /// The link hears nothing over the relay any more.
    Silent(Silence),
    /// The server relays nothing any more.
    Unrelayed,
    /// The other side broke the rules of the stream.
    Broken(Broken),
}

/// What an engine is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Come into being, with the channel `wigwag`: negotiated, number 0, ordered and reliable.
    Begin,
    /// Make an offer, in the place of one that is not answered.
    Offer {
        /// Whether to look for a path anew.
        restart: bool,
    },
    /// Take the other's description in, in the place of an offer of ours; answer an offer.
    Describe(Description),
    /// Take these candidates of the other's in.
    Candidates(Vec<Candidate>),
    /// Have a [`Link`](crate::relay::Link) carry all messages: both sides agreed to it. Comes before the first `Describe`, or never.
    Relay {
        /// Whether we hailed.
        hails: bool,
        /// Whether there is a server now.
        online: bool,
    },
    /// For the link: go by this way.
    Travel {
        /// By which; `None` for neither.
        by: Option<Carrier>,
        /// Whether our own direct path is there.
        reaches: bool,
    },
    /// For the link: a box that was relayed.
    Relayed(Vec<u8>),
    /// For the link: there is a server again, or no longer.
    Online(bool),
    /// Be gone.
    End,
}

/// How a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// It comes about.
    Connecting,
    /// It carries.
    Open,
    /// It carries nothing, and another path is looked for.
    Mending,
    /// It is over.
    Closed,
}

/// Where it took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// There was no server.
    Server,
    /// The peer did not answer.
    Peer,
    /// It answered, and said nothing of where it can be reached.
    Path,
    /// There was a path, and nothing opened on it.
    Channel,
    /// There was none, and nothing came by way of the server.
    Relay,
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Nobody of that name.
    #[error("nobody called {0} is known here")]
    NotFound(PeerId),
    /// It is known, and not here.
    #[error("{id} is not here")]
    Absent {
        /// Who.
        id: PeerId,
        /// When it was last here, in milliseconds since 1970.
        seen: Option<u64>,
    },
    /// It does not want to.
    #[error("{0}")]
    Refused(String),
    /// Somebody answered with another key than the id's.
    #[error("somebody answered for {0} with another key than the one that belongs to it")]
    KeyMismatch(PeerId),
    /// No way from here to there.
    #[error("no way to the peer was found: ours {}, theirs {}{}", Kinds(local), Kinds(remote), Lack(local, remote))]
    NoPath {
        /// The kinds of candidates that we had.
        local: Vec<String>,
        /// And those of the other.
        remote: Vec<String>,
    },
    /// It took too long.
    #[error("{}", Late(*at))]
    Timeout {
        /// Where it got stuck.
        at: At,
    },
    /// Called off by ourselves.
    #[error("the connection was called off")]
    Aborted,
    /// There is no server to ask, and there will be none.
    #[error("the line to the server is closed")]
    Closed,
    /// The other side ended it before it was open.
    #[error("the peer ended the call before it was open")]
    Left,
    /// Something broke.
    #[error("{0}")]
    Failed(String),
}

impl CallError {
    /// One word for programs, the same in all languages.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "not_found",
            Self::Absent { .. } => "absent",
            Self::Refused(_) | Self::Left => "refused",
            Self::KeyMismatch(_) => "key_mismatch",
            Self::NoPath { .. } => "no_path",
            Self::Timeout { .. } => "timeout",
            Self::Aborted => "aborted",
            Self::Closed => "closed",
            Self::Failed(_) => "failed",
        }
    }
}

/// What calls are told.
#[derive(Clone, Debug)]
pub enum Input {
    /// A server has let us in, under these names.
    Welcomed {
        /// Our id.
        id: String,
        /// Our device.
        device: String,
        /// Our namespace.
        namespace: String,
    },
    /// How things stand with the servers; after `Welcomed`.
    Line(State),
    /// The session is another one: what was under way may be lost.
    Fresh,
    /// The network is another one.
    Network,
    /// Connect. It ends in `Connected` or in `Failed`, once.
    Connect(ConnectId, Connect),
    /// No longer.
    Abort(ConnectId),
    /// A signal whose kind begins with `ww.`.
    Heard(SignalHeard),
    /// How the server's relay is to be used by calls from now on: never where the server has none.
    Relay(RelayUse),
    /// Data that the server relayed.
    Relayed(RelayedHeard),
    /// A link wants this box sealed and relayed.
    Post(ConnectionId, Vec<u8>),
    /// What became of a signal: an error says why there was no answer, or that there was a refusal.
    Signalled(Tag, Result<DeliveryHeard, String>),
    /// What was found, or why nothing is known.
    Found(Tag, Result<Found, String>),
    /// Let who knocks in.
    Accept(KnockId),
    /// Do not, and tell it why.
    Decline(KnockId, String),
    /// What an engine has to say.
    Engine(ConnectionId, EngineEvent),
    /// End a connection, and tell the other side why.
    Close(ConnectionId, String),
    /// End all of them.
    CloseAll,
    /// Time has passed.
    Tick,
}

/// What calls want to be done, in this order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a signal, and answer with `Signalled`. Their order has a meaning.
    Signal {
        /// To answer with.
        tag: Tag,
        /// To whom.
        to: PeerId,
        /// To which of its programs; `None` for all.
        device: Option<String>,
        /// What it is.
        kind: &'static str,
        /// What it says.
        data: Box<RawValue>,
    },
    /// Have this relayed, and tell the connection's link what became of it. Their order has a meaning.
    Relay {
        /// Whose link it is of.
        connection: ConnectionId,
        /// To whom.
        to: PeerId,
        /// To which of its programs.
        device: String,
        /// A box.
        data: Box<RawValue>,
    },
    /// Ask where this id is, and answer with `Found`.
    Find {
        /// To answer with.
        tag: Tag,
        /// Who.
        id: PeerId,
    },
    /// Somebody wants a connection: `Accept` or `Decline`.
    Knock {
        /// To answer with.
        knock: KnockId,
        /// Who.
        remote: Remote,
    },
    /// Who knocked is not there any more, or has what it wanted.
    Unknock(KnockId),
    /// A connection comes about; its engine gets orders from now on.
    Connecting {
        /// Which.
        connection: ConnectionId,
        /// With whom.
        remote: Remote,
        /// Which wish it fulfils; `None` for one that the other side wanted.
        connect: Option<ConnectId>,
    },
    /// For the engine of a connection.
    Order(ConnectionId, Order),
    /// A connection is open for the first time.
    Connected {
        /// Which.
        connection: ConnectionId,
        /// Which wish it fulfils; `None` for one that the other side wanted.
        connect: Option<ConnectId>,
    },
    /// There is no connection.
    Failed {
        /// Which wish that was.
        connect: ConnectId,
        /// Why.
        error: CallError,
    },
    /// How a connection is now.
    State(ConnectionId, ConnectionState),
    /// A connection is over.
    Closed {
        /// Which.
        connection: ConnectionId,
        /// `closed` by ourselves, `left` by the other side, or an error's word.
        reason: &'static str,
        /// What went wrong, where something did.
        error: Option<CallError>,
    },
    /// Somebody used another key than the id's.
    Mismatch {
        /// Whose id.
        id: PeerId,
        /// The key that came.
        key: PublicKey,
    },
}

struct Kinds<'a>(&'a [String]);

impl fmt::Display for Kinds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&if self.0.is_empty() { "none".into() } else { self.0.join(", ") })
    }
}

struct Lack<'a>(&'a [String], &'a [String]);

impl fmt::Display for Lack<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let relayed = self.0.iter().chain(self.1).any(|kind| kind == "relay");
        f.write_str(if relayed { "" } else { "; the server offers no TURN server, which would be a way around" })
    }
}

struct Late(At);

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            At::Server => "there was no server in time",
            At::Peer => "the peer did not answer in time",
            At::Path => "the peer answered, and then said nothing of where it can be reached",
            At::Channel => "a way to the peer was found, and no channel opened on it in time",
            At::Relay => "no direct way to the peer was found, and it does not answer by way of the server",
        })
    }
}
