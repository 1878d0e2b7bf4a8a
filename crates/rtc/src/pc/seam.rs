//! What goes into the machine and what comes out of it.

use std::net::{IpAddr, SocketAddr};

use crate::channel::{ChannelInit, Message};
use crate::description::Candidate;
use crate::event::{IceState, Reason};

/// A channel, for as long as its connection lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelKey(pub(super) u32);

impl ChannelKey {
    /// The same as a number.
    pub fn number(self) -> u32 {
        self.0
    }

    /// The one with this number.
    pub fn of(number: u32) -> Self {
        Self(number)
    }
}

/// A stream to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub(super) u32);

/// How a server is spoken to, and what for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// STUN over UDP.
    Stun,
    /// TURN over UDP.
    TurnUdp,
    /// TURN over TCP.
    TurnTcp,
    /// TURN over TLS, and the name that the certificate must have.
    TurnTls(String),
}

/// A STUN or TURN server whose name has been looked up.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    /// How it is spoken to.
    pub transport: Transport,
    /// Where it is.
    pub address: SocketAddr,
    /// The address of ours from which it is reached.
    pub via: IpAddr,
    /// For TURN.
    pub username: String,
    /// For TURN.
    pub credential: String,
}

/// What happens to the machine.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Nothing but time.
    Timeout,
    /// There is a socket, bound to this address; it is told to the other end, or only reaches servers.
    Socket {
        /// Where it is bound.
        local: SocketAddr,
        /// Whether the other end is told of it.
        offered: bool,
    },
    /// A socket is gone.
    SocketGone {
        /// Where it was bound.
        local: SocketAddr,
    },
    /// A datagram came.
    Datagram {
        /// The socket.
        local: SocketAddr,
        /// Who sent it.
        from: SocketAddr,
        /// What is in it.
        data: &'a [u8],
    },
    /// A stream that was asked for stands.
    StreamOpened {
        /// Which.
        stream: StreamId,
        /// Our end of it.
        local: SocketAddr,
    },
    /// A stream ended, or never stood.
    StreamClosed {
        /// Which.
        stream: StreamId,
    },
    /// Bytes came on a stream.
    StreamData {
        /// Which.
        stream: StreamId,
        /// The bytes.
        data: &'a [u8],
    },
    /// There are no more servers to be named.
    ServersEnd,
}

/// What the machine wants done.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a datagram.
    Datagram {
        /// The socket.
        from: SocketAddr,
        /// To whom.
        to: SocketAddr,
        /// What.
        data: Vec<u8>,
    },
    /// Open a stream.
    Connect {
        /// How it will be called.
        stream: StreamId,
        /// To whom.
        to: SocketAddr,
        /// With TLS, and a certificate of this name.
        tls: Option<String>,
    },
    /// Write to a stream.
    Stream {
        /// Which.
        stream: StreamId,
        /// What.
        data: Vec<u8>,
    },
    /// End a stream when all is written.
    HangUp {
        /// Which.
        stream: StreamId,
    },
    /// Something happened.
    Event(Event),
}

/// What happened on the connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// The other end should be told that we can be reached here too.
    Candidate(Candidate),
    /// There will be no more candidates until the next restart.
    Gathered,
    /// How far the search for a path has come.
    Ice(IceState),
    /// A channel of ours is open.
    ChannelOpened(ChannelKey),
    /// The other end opened a channel.
    Channel(ChannelKey, ChannelInit),
    /// A channel is closed.
    ChannelClosed(ChannelKey),
    /// Something was said on a channel.
    Message(ChannelKey, Message),
    /// So much of what waited on a channel has left.
    Room(ChannelKey, usize),
    /// It is over.
    Closed(Reason),
}
