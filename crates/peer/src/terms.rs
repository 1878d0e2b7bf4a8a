//! What goes into a [`Line`](crate::Line) and what comes out of it, and how long it waits for what.

use wigwag_wire::{Device, Namespace, PeerId, PublicKey};

use crate::frame::{Body, Frame};
use crate::place::Server;
use crate::time::Moment;

/// A socket, by a number that a line gives once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u64);

/// A request, by the mark of whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A request.
    Request(AskId),
    /// Something that stands, by its key, when it was asked again of another session.
    Standing(String),
}

/// What a peer says of itself in its hello.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// The app's own world; left out, the server's default one.
    pub namespace: Option<Namespace>,
    /// A name; left out, the key's own id.
    pub id: Option<PeerId>,
    /// Which of several programs of this id.
    pub device: Option<Device>,
    /// Left out by a guest.
    pub key: Option<PublicKey>,
}

/// How a line begins.
#[derive(Clone, Debug)]
pub struct Config {
    /// The best first.
    pub servers: Vec<Server>,
    /// Who we are.
    pub hello: Hello,
    /// How long to wait for what.
    pub times: Times,
}

impl Config {
    /// A guest of these servers.
    pub fn new(servers: Vec<Server>) -> Self {
        Self { servers, hello: Hello::default(), times: Times::default() }
    }
}

/// Spans in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// How long to wait for `challenge` and for `welcome`.
    pub handshake: u64,
    /// When a server that has not said `challenge` yet gets company from the next one.
    pub hedge: u64,
    /// The range in which the first wait of a back-off is chosen: it doubles with each try.
    pub backoff: u64,
    /// The largest such range.
    pub backoff_max: u64,
    /// A socket that held for this long was a good one: the back-off begins anew.
    pub good: u64,
    /// How long to hear nothing before asking whether the server is there.
    pub quiet: u64,
    /// How long to wait for the answer to that.
    pub check: u64,
    /// How often a peer that had to use another server looks whether a better one is back; half of it is chosen at random.
    pub home: u64,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            handshake: 10_000,
            hedge: 700,
            backoff: 500,
            backoff_max: 30_000,
            good: 10_000,
            quiet: 45_000,
            check: 4_000,
            home: 60_000,
        }
    }
}

/// How things stand with the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not asked to connect, or closed.
    Idle,
    /// A socket is being opened, or has not welcomed us yet.
    Connecting,
    /// A server has let us in.
    Open,
    /// Until the next try.
    Waiting,
    /// By a server's word; only `Open` begins again.
    Stopped,
}

/// How things stand, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// In one word.
    pub state: State,
    /// The address in use, or the next one.
    pub server: Option<String>,
    /// When the next try is due.
    pub until: Option<Moment>,
    /// Why the last socket closed or why this stopped; 0 where there was no code.
    pub code: u16,
    /// The same as a word; empty where there is nothing to say.
    pub why: String,
}

impl Status {
    pub(crate) fn new(state: State, server: Option<&Server>) -> Self {
        Self { state, server: server.map(|server| server.url.clone()), until: None, code: 0, why: String::new() }
    }
}

/// What a line is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// Connect, and stay connected.
    Open,
    /// Say goodbye and be done.
    Close,
    /// A text message of a socket.
    Text {
        /// Which.
        socket: SocketId,
        /// The message.
        text: String,
    },
    /// A socket closed, or could not be opened. Not told of one that the line disconnected.
    Lost {
        /// Which.
        socket: SocketId,
        /// The code of its close frame; 0 where there was none.
        code: u16,
        /// What the close frame said.
        reason: String,
    },
    /// The signature that `Output::Prove` asked for.
    Proved {
        /// Whose challenge it answers.
        socket: SocketId,
        /// As it stands on the wire.
        signature: String,
    },
    /// Ask this, now or when there is a server. It ends in `Answer` or in `Given`, once.
    Request {
        /// The asker's mark.
        id: AskId,
        /// What is asked.
        body: Body,
        /// Whether it may be carried out twice, where its fate is not known.
        repeatable: bool,
    },
    /// Say this now or never; nobody wants an answer.
    Mention(Body),
    /// Nobody wants the answer to this any more. What was sent stays sent.
    Forget(AskId),
    /// Ask this again of every fresh session.
    Stand {
        /// What it is known by.
        key: String,
        /// What is asked.
        body: Body,
    },
    /// No longer. If it is on its way again just now, its answer is still told: a room may be entered that is left already, and then has to be
    /// left once more.
    Unstand(String),
    /// From the next hello on, be this device.
    Device(Device),
    /// Things may have become better, such as the network: try now.
    Nudge,
    /// Things may have become worse: ask whether the server is there.
    Check,
    /// Time has passed.
    Tick,
}

/// What a line wants to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a socket, with subprotocol `wigwag.1`.
    Connect {
        /// How it will be called.
        socket: SocketId,
        /// Where to.
        url: String,
    },
    /// Close a socket with code 1000, and say no more of it.
    Disconnect(SocketId),
    /// Send a text message.
    Send {
        /// By which socket.
        socket: SocketId,
        /// The message.
        text: String,
    },
    /// Sign this, and answer with `Input::Proved`.
    Prove {
        /// Whose challenge it is.
        socket: SocketId,
        /// What to sign.
        statement: Vec<u8>,
        /// What the server calls itself: what `NameStatement` needs of this socket later.
        server: String,
        /// Of its challenge; the same.
        nonce: String,
    },
    /// How things stand now.
    Status(Status),
    /// A server has let us in: its `welcome`.
    Welcome {
        /// See [`heard::Welcome`](crate::heard::Welcome).
        frame: Frame,
        /// Whether there was a session before, which is gone.
        lost: bool,
    },
    /// The answer to a request: what it asked for, or a refusal.
    Answer {
        /// To what.
        to: Asked,
        /// What the server said.
        frame: Frame,
    },
    /// A request that was given up.
    Given {
        /// Which.
        to: Asked,
        /// Why.
        why: GivenUp,
    },
    /// What the server says by itself.
    Event(Frame),
    /// Something that a developer should see.
    Fault {
        /// The code that goes with it, or 0.
        code: u16,
        /// What is wrong.
        message: String,
    },
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GivenUp {
    /// It may have been carried out or not.
    #[error("the session was lost before the answer came: the server may have done it or not")]
    Unknown,
    /// The server would not take it.
    #[error("this is larger than the server takes")]
    TooLarge,
    /// More is waiting than may.
    #[error("too much is waiting for the server already")]
    QueueFull,
    /// By ourselves, or by the server's word, which is then told.
    #[error("the line is closed: {0}")]
    Closed(String),
}
