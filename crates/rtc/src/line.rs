//! A channel as both sides of the seam see it: the program sends and waits for room, the engine says when there is some.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::channel::{ChannelInit, Message};
use crate::engine::Order;
use crate::error::Error;
use crate::inbox::Inlet;
use crate::settings::{MESSAGE_BYTES_MAX, UNSENT_BYTES_MAX};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Standing {
    Opening,
    Open,
    Closed,
}

#[derive(Debug)]
pub(crate) struct Line {
    number: u32,
    init: ChannelInit,
    standing: watch::Sender<Standing>,
    /// What is free of what may wait.
    room: Arc<Semaphore>,
    /// What has left and is not known to have arrived.
    underway: watch::Sender<usize>,
    most: AtomicUsize,
}

impl Line {
    pub(crate) fn new(number: u32, init: ChannelInit) -> Self {
        Self {
            number,
            init,
            standing: watch::Sender::new(Standing::Opening),
            room: Arc::new(Semaphore::new(UNSENT_BYTES_MAX)),
            underway: watch::Sender::new(0),
            most: AtomicUsize::new(MESSAGE_BYTES_MAX),
        }
    }
}

/// A data channel, to speak on. Clones are handles on the same one; it stays open when they are dropped.
#[derive(Clone, Debug)]
pub struct Channel {
    line: Arc<Line>,
    orders: mpsc::WeakSender<Order>,
}

impl Channel {
    pub(crate) fn new(line: Arc<Line>, orders: mpsc::WeakSender<Order>) -> Self {
        Self { line, orders }
    }

    /// Its name.
    pub fn label(&self) -> &str {
        &self.line.init.label
    }

    /// What it was opened with.
    pub fn init(&self) -> &ChannelInit {
        &self.line.init
    }

    /// Whether it can carry something now.
    pub fn is_open(&self) -> bool {
        *self.line.standing.borrow() == Standing::Open
    }

    /// Waits until it is open.
    pub async fn opened(&self) -> Result<(), Error> {
        let mut standing = self.line.standing.subscribe();
        match standing.wait_for(|standing| *standing >= Standing::Open).await.map(|standing| *standing) {
            Ok(Standing::Open) => Ok(()),
            _ => Err(Error::Closed),
        }
    }

    /// Waits until it is closed.
    pub async fn closed(&self) {
        let _ = self.line.standing.subscribe().wait_for(|standing| *standing == Standing::Closed).await;
    }

    /// How large a message may be.
    pub fn message_bytes_max(&self) -> usize {
        self.line.most.load(Ordering::Relaxed)
    }

    /// Sends a message, as soon as the channel is open and there is room: whoever waits for it never fills the memory. Messages leave in
    /// the order in which they were sent. Dropping the future sends nothing. For speed, 64 KiB is a good size.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        let message = message.into();
        // Before it is open, what the other end takes is not known.
        self.opened().await?;
        let (size, most) = (message.len(), self.message_bytes_max());
        if size > most {
            return Err(Error::TooLarge { size, most });
        }
        if size == 0 {
            return Err(Error::Empty);
        }
        let cost = u32::try_from(message.cost()).map_err(|_| Error::TooLarge { size, most })?;
        let permit = Arc::clone(&self.line.room).acquire_many_owned(cost).await.map_err(|_| Error::Closed)?;
        let orders = self.orders.upgrade().ok_or(Error::Closed)?;
        let parcel = Parcel { number: self.line.number, message, permit };
        orders.send(Order::Send(parcel)).await.map_err(|_| Error::Closed)
    }

    /// Bytes that were sent and are not known to have arrived.
    pub fn unsent(&self) -> usize {
        self.waiting() + *self.line.underway.borrow()
    }

    /// Bytes that were sent and have not left yet.
    pub fn waiting(&self) -> usize {
        UNSENT_BYTES_MAX.saturating_sub(self.line.room.available_permits())
    }

    /// Waits until no more than so much waits to leave, or the channel is closed. Whoever sends meanwhile waits, too.
    pub async fn drained(&self, bytes: usize) {
        let room = u32::try_from(UNSENT_BYTES_MAX.saturating_sub(bytes)).unwrap_or(u32::MAX);
        drop(self.line.room.acquire_many(room).await);
    }

    /// Waits until all that was sent has arrived at the other end, or the channel is closed.
    pub async fn flushed(&self) {
        let Ok(all) = u32::try_from(UNSENT_BYTES_MAX) else { return };
        // All room is free when nothing waits here; then what is underway remains.
        let Ok(room) = self.line.room.acquire_many(all).await else { return };
        drop(room);
        // The engine ends this count when the channel closes.
        let _ = self.line.underway.subscribe().wait_for(|bytes| *bytes == 0).await;
    }

    /// Ends this channel when all that was sent on it has arrived.
    pub async fn close(&self) {
        if let Some(orders) = self.orders.upgrade() {
            let _ = orders.send(Order::CloseChannel(self.line.number)).await;
        }
    }
}

/// A message on its way to the engine, with the room that it takes.
#[derive(Debug)]
pub struct Parcel {
    number: u32,
    message: Message,
    permit: OwnedSemaphorePermit,
}

impl Parcel {
    /// The channel's number. The room stays taken until [`LineEnd::room`] gives it back.
    pub fn open(self) -> (u32, Message) {
        self.permit.forget();
        (self.number, self.message)
    }
}

/// The engine's half of a channel. Dropping it closes the channel.
#[derive(Debug)]
pub struct LineEnd {
    line: Arc<Line>,
    inlet: Inlet,
}

impl LineEnd {
    pub(crate) fn new(line: Arc<Line>, inlet: Inlet) -> Self {
        Self { line, inlet }
    }

    /// It can carry something now, messages of this size at most.
    pub fn opened(&self, message_bytes_max: usize) {
        self.line.most.store(message_bytes_max.min(MESSAGE_BYTES_MAX), Ordering::Relaxed);
        self.line.standing.send_replace(Standing::Open);
    }

    /// The other end said something.
    pub fn message(&self, message: Message) {
        self.inlet.put(message);
    }

    /// So much of what waited has left; a message counts its bytes and 64 more.
    pub fn room(&self, cost: usize) {
        self.line.room.add_permits(cost);
    }

    /// So much has left and is not known to have arrived.
    pub fn underway(&self, bytes: usize) {
        self.line.underway.send_if_modified(|known| std::mem::replace(known, bytes) != bytes);
    }

    /// Whether anything is known to be underway.
    pub fn is_underway(&self) -> bool {
        *self.line.underway.borrow() != 0
    }
}

impl Drop for LineEnd {
    fn drop(&mut self) {
        self.line.room.close();
        self.line.underway.send_replace(0);
        self.line.standing.send_replace(Standing::Closed);
        self.inlet.end();
    }
}
