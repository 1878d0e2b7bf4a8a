//! What reaches the driver: wishes of the program, and news of sockets and engines.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use wigwag_peer::calls::{CallError, Connect, ConnectId, ConnectionId, EngineEvent, KnockId};
use wigwag_peer::{AskId, Body, Frame, Input, SocketId};
use wigwag_rtc::Engine;
use wigwag_wire::{PeerId, PublicKey};

use crate::connection::Connection;
use crate::error::AskError;
use crate::incoming::Knock;
use crate::room::{self, Room};

/// More than this does not wait for the driver: whoever sends more waits.
const POST_MAX: usize = 1024;

/// The way to the driver.
pub(crate) type Post = mpsc::Sender<Letter>;

/// A driver's letter box.
pub(crate) fn post() -> (Post, mpsc::Receiver<Letter>) {
    mpsc::channel(POST_MAX)
}

/// What carries one connection instead of the client's engine.
pub(crate) type OwnEngine = Option<Arc<dyn Engine>>;

/// Where an answer goes.
pub(crate) type Reply<T> = oneshot::Sender<T>;

/// What the driver is told.
pub(crate) enum Letter {
    /// Ask the server.
    Ask { id: AskId, body: Body, repeatable: bool, reply: Reply<Result<Frame, AskError>> },
    /// Enter a room; `again` enters it once more in another session.
    Enter {
        id: AskId,
        body: Body,
        again: fn(&Body, &str) -> Option<Body>,
        /// What hides it from the server.
        veil: Option<Arc<room::Veil>>,
        reply: Reply<Result<Room, AskError>>,
    },
    /// Nobody waits for the answer any more.
    Forget(AskId),
    /// For the line as it is.
    Line(Input),
    /// Leave a room.
    Leave(Arc<room::Shared>),
    /// Connect to a peer.
    Connect { id: ConnectId, wish: Connect, engine: OwnEngine, reply: Reply<Result<Connection, CallError>> },
    /// No longer.
    Abort(ConnectId),
    /// From now on somebody decides about those who want a connection.
    Listen(mpsc::Sender<Knock>),
    /// Let somebody in.
    Accept { knock: KnockId, engine: OwnEngine, reply: Reply<Result<Connection, CallError>> },
    /// Do not.
    Decline(KnockId, String),
    /// End a connection.
    Hang(ConnectionId, String),
    /// Take this key for the name's.
    Pin(PeerId, PublicKey),
    /// A socket's text.
    Text(SocketId, String),
    /// A socket's end.
    Lost(SocketId, u16, String),
    /// What an engine has to say.
    Engine(ConnectionId, EngineEvent),
    /// A link wants this box relayed.
    Relay(ConnectionId, Vec<u8>),
    /// The machine's addresses are others than before.
    Network,
}
