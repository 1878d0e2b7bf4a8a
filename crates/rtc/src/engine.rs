//! What any WebRTC engine gives: connections that are told what to do, and tell what happens. The program holds [`PeerConnection`],
//! [`Channel`], [`Messages`] and [`Events`]; an engine holds the other ends, [`Orders`] and [`Teller`], and does the work between them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};

use crate::channel::ChannelInit;
use crate::description::{Candidate, Description};
use crate::error::Error;
use crate::event::{IceState, Reason, Stats};
use crate::inbox::{Budget, Messages, inbox};
use crate::line::{Channel, Line, LineEnd};
use crate::settings::{IceServer, Settings};

/// Orders and events that wait are not more than this.
const ORDERS_MAX: usize = 64;
const EVENTS_MAX: usize = 1024;

/// Makes connections.
pub trait Engine: Send + Sync + 'static {
    /// A connection that nobody knows of yet. It ends when the last handle on it is dropped.
    fn connect(&self, settings: Settings) -> (PeerConnection, Events);
}

/// What happened on a connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// Tell the other end that we can be reached here too. Those known when a description was made stand in it.
    Candidate(Candidate),
    /// There will be no more candidates until the next restart.
    Gathered,
    /// How far the search for a path has come.
    Ice(IceState),
    /// The other end opened a channel.
    Channel(Channel, Messages),
    /// This machine's addresses are others than before: a restart would find better paths.
    NetworkChanged,
    /// It is over. Nothing comes after this.
    Closed(Reason),
}

/// What happens on a connection, in order.
#[derive(Debug)]
pub struct Events(mpsc::Receiver<Event>);

impl Events {
    /// The next one; None after [`Event::Closed`]. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

/// A connection to one other end. Clones are handles on the same one.
#[derive(Clone, Debug)]
pub struct PeerConnection {
    orders: mpsc::Sender<Order>,
}

impl PeerConnection {
    /// Both halves of a connection, for an engine.
    pub fn new() -> (Self, Events, Orders, Teller) {
        let (orders, received) = mpsc::channel(ORDERS_MAX);
        let (events, told) = mpsc::channel(EVENTS_MAX);
        let teller = Teller { events, orders: orders.downgrade(), budget: Arc::new(Budget::default()) };
        (Self { orders }, Events(told), Orders(received), teller)
    }

    /// An offer: the first one, for which a channel must be there, or one that restarts the search for a path. It holds the candidates
    /// known by now. One that is outstanding is replaced.
    pub async fn offer(&self, restart: bool) -> Result<Description, Error> {
        self.ask(|reply| Order::Offer { restart, reply }).await?
    }

    /// Takes in what the other end says, and answers if it is an offer. An offer takes the place of one of ours that is outstanding, so
    /// whoever is impolite must not hand it in then. Candidates that came before are used now.
    pub async fn describe(&self, description: Description) -> Result<Option<Description>, Error> {
        self.ask(|reply| Order::Describe { description, reply }).await?
    }

    /// What we said last, with all candidates found since; None before that.
    pub async fn local_description(&self) -> Result<Option<Description>, Error> {
        self.ask(Order::LocalDescription).await
    }

    /// Takes in where the other end can be reached.
    pub async fn candidates(&self, candidates: Vec<Candidate>) -> Result<(), Error> {
        self.tell(Order::Candidates(candidates)).await
    }

    /// Opens a channel; it opens once both ends have described themselves and a path carries.
    pub async fn channel(&self, init: ChannelInit) -> Result<(Channel, Messages), Error> {
        self.ask(|reply| Order::Channel { init, reply }).await?
    }

    /// Other STUN and TURN servers, with fresh credentials. They are asked now; a restart lets the other end use what they say.
    pub async fn servers(&self, servers: Vec<IceServer>) -> Result<(), Error> {
        self.tell(Order::Servers(servers)).await
    }

    /// Numbers about the connection.
    pub async fn stats(&self) -> Result<Stats, Error> {
        self.ask(Order::Stats).await
    }

    /// Ends the connection on both sides. What waits to be sent is lost; see [`Channel::flushed`].
    pub async fn close(&self) {
        let _ = self.ask(Order::Close).await;
    }

    async fn tell(&self, order: Order) -> Result<(), Error> {
        self.orders.send(order).await.map_err(|_| Error::Closed)
    }

    async fn ask<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.tell(order(reply)).await?;
        answer.await.map_err(|_| Error::Closed)
    }
}

/// What the program wants of a connection.
#[derive(Debug)]
pub enum Order {
    /// [`PeerConnection::offer`].
    Offer {
        /// Whether to look for paths anew.
        restart: bool,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Description, Error>>,
    },
    /// [`PeerConnection::describe`].
    Describe {
        /// What the other end says.
        description: Description,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Option<Description>, Error>>,
    },
    /// [`PeerConnection::local_description`].
    LocalDescription(oneshot::Sender<Option<Description>>),
    /// [`PeerConnection::candidates`].
    Candidates(Vec<Candidate>),
    /// [`PeerConnection::channel`]; [`Teller::line`] makes the answer.
    Channel {
        /// How it is opened.
        init: ChannelInit,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<(Channel, Messages), Error>>,
    },
    /// [`PeerConnection::servers`].
    Servers(Vec<IceServer>),
    /// [`PeerConnection::stats`].
    Stats(oneshot::Sender<Stats>),
    /// [`Channel::send`].
    Send(crate::line::Parcel),
    /// [`Channel::close`].
    CloseChannel(u32),
    /// [`PeerConnection::close`].
    Close(oneshot::Sender<()>),
}

/// What the program wants, in order.
#[derive(Debug)]
pub struct Orders(pub(crate) mpsc::Receiver<Order>);

impl Orders {
    /// The next one; None when nobody holds the connection any more.
    pub async fn next(&mut self) -> Option<Order> {
        self.0.recv().await
    }
}

/// The engine's way to tell the program what happens.
#[derive(Clone, Debug)]
pub struct Teller {
    events: mpsc::Sender<Event>,
    orders: mpsc::WeakSender<Order>,
    pub(crate) budget: Arc<Budget>,
}

impl Teller {
    /// Tells it. False if nobody listens, or has not for so long that too much waits.
    pub fn tell(&self, event: Event) -> bool {
        self.events.try_send(event).is_ok()
    }

    /// A channel's two halves: what the program gets, and what the engine keeps.
    pub fn line(&self, number: u32, init: ChannelInit) -> (Channel, Messages, LineEnd) {
        let line = Arc::new(Line::new(number, init));
        let (messages, inlet) = inbox(Arc::clone(&self.budget));
        let channel = Channel::new(Arc::clone(&line), self.orders.clone());
        (channel, messages, LineEnd::new(line, inlet))
    }

    /// Bytes that the program has not read yet.
    pub fn unread(&self) -> usize {
        self.budget.unread.load(Ordering::Acquire)
    }

    /// Waits until the program has read much of what waited.
    pub async fn read(&self) {
        self.budget.read.notified().await;
    }
}

/// How much waits to be read, counted where it comes in and where it goes out.
pub(crate) fn add(counter: &AtomicUsize, cost: usize) {
    counter.fetch_add(cost, Ordering::AcqRel);
}
