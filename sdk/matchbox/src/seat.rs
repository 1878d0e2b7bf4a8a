//! One other player as an engine of the client: offers, answers and candidates are made by the socket, and only passed on here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use matchbox_socket::{PeerEvent, PeerId, PeerSignal};
use tokio::sync::{mpsc, oneshot};
use tracing::warn;
use wigwag_rtc::{
    Candidate, Description, Engine, Error, Event, Events, Kind, LineEnd, MESSAGE_BYTES_MAX, Order, Orders,
    PeerConnection, Settings, Stats, Teller,
};

/// What the socket says to a player and has not been passed on. More than this it says in no handshake.
const SIGNALS_MAX: usize = 512;

/// Candidates that came before their description.
const EARLY_MAX: usize = 256;

/// What the socket writes where there are no more candidates.
const NO_MORE: &str = "null";

/// Another player's seat. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Seat(Arc<Inner>);

struct Inner {
    id: PeerId,
    events: mpsc::Sender<PeerEvent>,
    signals: Mutex<Option<mpsc::Sender<PeerSignal>>>,
    met: AtomicBool,
}

impl Seat {
    pub(crate) fn new(id: PeerId, events: mpsc::Sender<PeerEvent>) -> Self {
        Self(Arc::new(Inner { id, events, signals: Mutex::default(), met: AtomicBool::new(false) }))
    }

    pub(crate) fn id(&self) -> PeerId {
        self.0.id
    }

    /// Whether the socket knows of this player. It can be told of each one once.
    pub(crate) fn is_met(&self) -> bool {
        self.0.met.load(Ordering::Acquire)
    }

    /// What the socket says to this player.
    pub(crate) fn signal(&self, signal: PeerSignal) {
        let signals = self.0.signals.lock().unwrap_or_else(PoisonError::into_inner);
        if signals.as_ref().is_none_or(|signals| signals.try_send(signal).is_err()) {
            warn!(peer = %self.0.id, "a signal finds nobody any more");
        }
    }

    /// False if the socket has met this player before.
    fn meet(&self) -> bool {
        !self.0.met.swap(true, Ordering::AcqRel)
    }

    async fn tell(&self, event: PeerEvent) {
        // A socket that is gone takes the table with it.
        let _ = self.0.events.send(event).await;
    }

    async fn pass(&self, data: PeerSignal) {
        self.tell(PeerEvent::Signal { sender: self.0.id, data }).await;
    }
}

impl Engine for Seat {
    fn connect(&self, _: Settings) -> (PeerConnection, Events) {
        let (connection, events, orders, teller) = PeerConnection::new();
        let (signals, said) = mpsc::channel(SIGNALS_MAX);
        *self.0.signals.lock().unwrap_or_else(PoisonError::into_inner) = Some(signals);
        tokio::spawn(Handshake::new(self.clone(), teller).run(orders, said));
        (connection, events)
    }
}

/// A handshake of the socket with one player.
struct Handshake {
    seat: Seat,
    teller: Teller,
    line: Option<LineEnd>,
    /// Who waits for the socket's offer.
    offer: Option<oneshot::Sender<Result<Description, Error>>>,
    /// Who waits for the socket's answer.
    answer: Option<oneshot::Sender<Result<Option<Description>, Error>>>,
    offered: bool,
    described: bool,
    early: Vec<Candidate>,
}

impl Handshake {
    fn new(seat: Seat, teller: Teller) -> Self {
        let (line, offer, answer, early) = (None, None, None, Vec::new());
        Self { seat, teller, line, offer, answer, offered: false, described: false, early }
    }

    async fn run(mut self, mut orders: Orders, mut said: mpsc::Receiver<PeerSignal>) {
        loop {
            tokio::select! {
                order = orders.next() => match order {
                    None | Some(Order::Close(_)) => break,
                    Some(order) => self.order(order).await,
                },
                signal = said.recv() => match signal {
                    None => break,
                    Some(signal) => self.signal(signal),
                },
            }
        }
    }

    /// What the client wants.
    async fn order(&mut self, order: Order) {
        match order {
            Order::Channel { init, reply } => {
                let made = if self.line.is_none() {
                    let (channel, messages, end) = self.teller.line(0, init);
                    self.line = Some(end);
                    Ok((channel, messages))
                } else {
                    Err(Error::Channel("the channels of a matchbox socket are its own"))
                };
                let _ = reply.send(made);
            }
            // A socket makes one handshake with each player and never mends it.
            Order::Offer { restart: false, reply } if self.seat.meet() => {
                (self.offered, self.offer) = (true, Some(reply));
                self.seat.tell(PeerEvent::NewPeer(self.seat.id())).await;
            }
            Order::Offer { reply, .. } => _ = reply.send(Err(Error::Stale)),
            Order::Describe { description: Description { kind: Kind::Offer, sdp }, reply } if self.seat.meet() => {
                self.answer = Some(reply);
                self.describe(PeerSignal::Offer(sdp)).await;
            }
            Order::Describe { description: Description { kind: Kind::Answer, sdp }, reply }
                if self.offered && !self.described =>
            {
                self.describe(PeerSignal::Answer(sdp)).await;
                let _ = reply.send(Ok(None));
                self.open();
            }
            Order::Describe { reply, .. } => _ = reply.send(Err(Error::Stale)),
            Order::Candidates(candidates) if self.described => {
                for candidate in candidates {
                    self.candidate(candidate).await;
                }
            }
            Order::Candidates(candidates) => {
                let room = EARLY_MAX.saturating_sub(self.early.len());
                self.early.extend(candidates.into_iter().take(room));
            }
            Order::LocalDescription(reply) => _ = reply.send(None),
            Order::Stats(reply) => _ = reply.send(Stats::default()),
            // The socket has servers and channels of its own.
            Order::Servers(_) | Order::Send(_) | Order::CloseChannel(_) | Order::Close(_) => {}
        }
    }

    /// What the socket says.
    fn signal(&mut self, signal: PeerSignal) {
        match signal {
            PeerSignal::Offer(sdp) => {
                if let Some(reply) = self.offer.take() {
                    let _ = reply.send(Ok(Description::offer(sdp)));
                }
            }
            PeerSignal::Answer(sdp) => {
                if let Some(reply) = self.answer.take() {
                    let _ = reply.send(Ok(Some(Description::answer(sdp))));
                    self.open();
                }
            }
            PeerSignal::IceCandidate(json) => {
                let event = match serde_json::from_str(&json) {
                    _ if json == NO_MORE => Event::Gathered,
                    Ok(candidate) => Event::Candidate(candidate),
                    Err(why) => {
                        warn!(%why, "the socket wrote a candidate that cannot be read");
                        return;
                    }
                };
                self.teller.tell(event);
            }
        }
    }

    /// Hands a description to the socket, and what came before it after it: a socket forgets candidates that come too early.
    async fn describe(&mut self, description: PeerSignal) {
        self.described = true;
        self.seat.pass(description).await;
        for candidate in std::mem::take(&mut self.early) {
            self.candidate(candidate).await;
        }
    }

    async fn candidate(&self, candidate: Candidate) {
        let json = match candidate.candidate.is_empty() {
            true => Ok(NO_MORE.to_owned()),
            false => serde_json::to_string(&candidate),
        };
        if let Ok(json) = json {
            self.seat.pass(PeerSignal::IceCandidate(json)).await;
        }
    }

    /// Both sides have described themselves: from here on the socket sees by itself whether the connection comes about, and when it ends.
    fn open(&self) {
        if let Some(line) = &self.line {
            line.opened(MESSAGE_BYTES_MAX);
        }
    }
}
