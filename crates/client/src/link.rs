//! One connection's engine: a task that carries out its orders and tells what it says.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use wigwag_peer::calls::{ConnectionId, EngineEvent, IceState, Order};
use wigwag_peer::sealed::{self, DescriptionKind};
use wigwag_rtc::{
    Candidate, Channel, ChannelInit, Description, Engine, Error, Event, Events, Kind, Messages, PeerConnection, Reason,
    Settings,
};

use crate::post::{Letter, Post};

/// Orders that wait; calls give a handful at a time.
const ORDERS_MAX: usize = 256;

/// Channels that the other side opened and nobody has asked for.
pub(crate) const CHANNELS_MAX: usize = 64;

/// What a connection is made of, once its engine is there.
pub(crate) struct Parts {
    pub(crate) pc: PeerConnection,
    pub(crate) main: Channel,
    pub(crate) messages: Messages,
    /// Channels that the other side opens.
    pub(crate) channels: mpsc::Receiver<(Channel, Messages)>,
    /// Dropped with the last handle on the connection.
    pub(crate) held: oneshot::Sender<()>,
}

/// The driver's end of an engine.
pub(crate) struct Link {
    orders: mpsc::Sender<Order>,
    parts: Arc<Mutex<Option<Parts>>>,
}

impl Link {
    /// Makes an engine for a connection.
    pub(crate) fn begin(id: ConnectionId, engine: &dyn Engine, settings: Settings, post: Post) -> Self {
        let (orders, received) = mpsc::channel(ORDERS_MAX);
        let parts = Arc::new(Mutex::new(None));
        let (pc, events) = engine.connect(settings);
        tokio::spawn(run(id, pc, events, received, Arc::clone(&parts), post));
        Self { orders, parts }
    }

    /// False if it does not keep up, which ends it.
    pub(crate) fn order(&self, order: Order) -> bool {
        self.orders.try_send(order).is_ok()
    }

    /// What the program gets, once.
    pub(crate) fn parts(&self) -> Option<Parts> {
        self.parts.lock().take()
    }
}

async fn run(
    id: ConnectionId,
    pc: PeerConnection,
    mut events: Events,
    mut orders: mpsc::Receiver<Order>,
    parts: Arc<Mutex<Option<Parts>>>,
    post: Post,
) {
    let tell = async |event| post.send(Letter::Engine(id, event)).await.is_ok();
    let (main, messages) = match pc.channel(ChannelInit::main()).await {
        Ok(opened) => opened,
        Err(why) => {
            tell(EngineEvent::Failed(why.to_string())).await;
            return;
        }
    };
    let (opened, channels) = mpsc::channel(CHANNELS_MAX);
    let (held, mut dropped) = oneshot::channel();
    *parts.lock() = Some(Parts { pc: pc.clone(), main: main.clone(), messages, channels, held });
    let mut is_open = false;
    let mut is_held = true;
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                None => break,
                Some(Order::End) => {
                    pc.close().await;
                    break;
                }
                Some(order) => match carry_out(&pc, order).await {
                    Ok(Some(description)) => _ = tell(EngineEvent::Described(description)).await,
                    // Late, or about nothing that is there any more: the other side will say it again.
                    Ok(None) | Err(Error::Stale | Error::Nothing) => {}
                    Err(why) => _ = tell(EngineEvent::Failed(why.to_string())).await,
                },
            },
            event = events.next() => {
                let told = match event {
                    Some(Event::Candidate(candidate)) => EngineEvent::Candidate(Some(outgoing(candidate))),
                    Some(Event::Gathered) => EngineEvent::Candidate(None),
                    Some(Event::Ice(state)) => match ice(state) {
                        Some(state) => EngineEvent::Ice(state),
                        None => continue,
                    },
                    Some(Event::Channel(channel, messages)) => {
                        // Who does not ask for them does not want them.
                        let _ = opened.try_send((channel, messages));
                        continue;
                    }
                    Some(Event::NetworkChanged) => {
                        let _ = post.send(Letter::Network).await;
                        continue;
                    }
                    Some(Event::Closed(Reason::Left)) => EngineEvent::Left,
                    Some(Event::Closed(Reason::Failed(why))) => EngineEvent::Failed(why),
                    Some(Event::Closed(Reason::Closed)) | None => break,
                    Some(_) => continue,
                };
                tell(told).await;
            }
            ready = main.opened(), if !is_open => {
                is_open = true;
                if ready.is_ok() {
                    tell(EngineEvent::Open).await;
                }
            }
            _ = &mut dropped, if is_held => {
                is_held = false;
                let _ = post.send(Letter::Hang(id, "closed".to_owned())).await;
            }
        }
    }
}

async fn carry_out(pc: &PeerConnection, order: Order) -> Result<Option<sealed::Description>, Error> {
    match order {
        Order::Offer { restart } => pc.offer(restart).await.map(|offer| Some(described(offer))),
        Order::Describe(description) => {
            let kind = if description.kind == DescriptionKind::Offer { Kind::Offer } else { Kind::Answer };
            let theirs = Description { kind, sdp: description.sdp };
            pc.describe(theirs).await.map(|answer| answer.map(described))
        }
        Order::Candidates(candidates) => {
            pc.candidates(candidates.into_iter().map(incoming).collect()).await.map(|()| None)
        }
        Order::Begin | Order::End => Ok(None),
    }
}

fn described(description: Description) -> sealed::Description {
    let kind = if description.kind == Kind::Offer { DescriptionKind::Offer } else { DescriptionKind::Answer };
    sealed::Description { kind, sdp: description.sdp }
}

fn outgoing(candidate: Candidate) -> sealed::Candidate {
    let Candidate { candidate, sdp_mid, sdp_m_line_index, username_fragment } = candidate;
    sealed::Candidate { candidate, sdp_mid, sdp_m_line_index, username_fragment }
}

fn incoming(candidate: sealed::Candidate) -> Candidate {
    let sealed::Candidate { candidate, sdp_mid, sdp_m_line_index, username_fragment } = candidate;
    Candidate { candidate, sdp_mid, sdp_m_line_index, username_fragment }
}

fn ice(state: wigwag_rtc::IceState) -> Option<IceState> {
    Some(match state {
        wigwag_rtc::IceState::New => return None,
        wigwag_rtc::IceState::Checking => IceState::Checking,
        wigwag_rtc::IceState::Connected => IceState::Connected,
        wigwag_rtc::IceState::Disconnected => IceState::Disconnected,
        wigwag_rtc::IceState::Failed => IceState::Failed,
    })
}
