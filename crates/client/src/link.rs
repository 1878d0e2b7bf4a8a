//! One connection's engine: a task that carries out its orders and tells what it says.

mod piped;
pub(crate) mod words;

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};
use wigwag_peer::calls::{ConnectionId, EngineEvent, Order};
use wigwag_peer::relay::{Pace, Posted};
use wigwag_rtc::{
    Channel, ChannelInit, Engine, Error, Event, Events, IceServer, IceState, Messages, Path, PeerConnection, Reason,
    Settings,
};

use self::piped::Piped;
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
    /// How the bytes flow.
    pub(crate) path: watch::Receiver<Option<Path>>,
    /// Dropped with the last handle on the connection.
    pub(crate) held: oneshot::Sender<()>,
}

/// What all links of a client share.
#[derive(Clone)]
pub(crate) struct Office {
    /// What a moment is counted from.
    pub(crate) began: Instant,
    /// How much may be relayed.
    pub(crate) pace: Arc<Mutex<Pace>>,
}

/// The driver's end of an engine.
pub(crate) struct Link {
    todo: mpsc::Sender<Todo>,
    parts: Arc<Mutex<Option<Parts>>>,
}

enum Todo {
    Order(Order),
    Posted(Posted),
    Servers(Vec<IceServer>),
}

impl Link {
    /// Makes an engine for a connection.
    pub(crate) fn begin(id: ConnectionId, engine: &dyn Engine, settings: Settings, office: Office, post: Post) -> Self {
        let (todo, received) = mpsc::channel(ORDERS_MAX);
        let parts = Arc::new(Mutex::new(None));
        let (pc, events) = engine.connect(settings);
        let task = Task { id, pc, office, post, parts: Arc::clone(&parts) };
        tokio::spawn(task.run(events, received));
        Self { todo, parts }
    }

    /// False if it does not keep up, which ends it.
    pub(crate) fn order(&self, order: Order) -> bool {
        // A box that is lost on the way is sent again.
        let may_miss = matches!(order, Order::Relayed(_));
        self.todo.try_send(Todo::Order(order)).is_ok() || may_miss
    }

    /// What became of a box that was to be relayed. False if it does not keep up, which ends it.
    pub(crate) fn posted(&self, posted: Posted) -> bool {
        self.todo.try_send(Todo::Posted(posted)).is_ok()
    }

    /// Other STUN and TURN servers, or fresh credentials: what is searched for from now on is searched for with these.
    pub(crate) fn servers(&self, servers: Vec<IceServer>) {
        // One that does not keep up has old ones until the next come.
        let _ = self.todo.try_send(Todo::Servers(servers));
    }

    /// What the program gets, once.
    pub(crate) fn parts(&self) -> Option<Parts> {
        self.parts.lock().take()
    }
}

struct Task {
    id: ConnectionId,
    pc: PeerConnection,
    office: Office,
    post: Post,
    parts: Arc<Mutex<Option<Parts>>>,
}

impl Task {
    async fn run(self, mut events: Events, mut todo: mpsc::Receiver<Todo>) {
        let (main, messages) = match self.pc.channel(ChannelInit::main()).await {
            Ok(opened) => opened,
            Err(why) => return self.tell(EngineEvent::Failed(why.to_string())).await,
        };
        let (opened, channels) = mpsc::channel(CHANNELS_MAX);
        let (path, known_path) = watch::channel(None);
        let (held, mut dropped) = oneshot::channel();
        // What the program gets depends on whether both agree to the relay.
        let mut rest = Some((messages, channels, known_path, held));
        let mut piped: Option<Piped> = None;
        let (mut is_open, mut is_held) = (false, true);
        loop {
            tokio::select! {
                next = todo.recv() => match next {
                    None => break,
                    Some(Todo::Order(Order::End)) => {
                        self.pc.close().await;
                        break;
                    }
                    Some(Todo::Order(Order::Relay { hails, online })) => {
                        let Some((messages, channels, path, held)) = rest.take() else { continue };
                        let direct = (main.clone(), messages);
                        let (pipe, pc, main, messages) =
                            Piped::new(&self.office, hails, online, self.pc.clone(), direct, opened.clone());
                        piped = Some(pipe);
                        *self.parts.lock() = Some(Parts { pc, main, messages, channels, path, held });
                    }
                    Some(Todo::Order(order)) => {
                        if matches!(order, Order::Describe(_)) && let Some((messages, channels, path, held)) = rest.take() {
                            let (pc, main) = (self.pc.clone(), main.clone());
                            *self.parts.lock() = Some(Parts { pc, main, messages, channels, path, held });
                        }
                        match (piped.as_mut(), order) {
                            (Some(pipe), order @ (Order::Travel { .. } | Order::Relayed(_) | Order::Online(_))) => pipe.order(order),
                            (_, order) => self.carry_out(order).await,
                        }
                    }
                    Some(Todo::Servers(servers)) => _ = self.pc.servers(servers).await,
                    Some(Todo::Posted(posted)) => _ = piped.as_mut().map(|pipe| pipe.posted(posted)),
                },
                event = events.next() => {
                    let told = match event {
                        Some(Event::Candidate(candidate)) => EngineEvent::Candidate(Some(words::outgoing(candidate))),
                        Some(Event::Gathered) => EngineEvent::Candidate(None),
                        Some(Event::Ice(state)) => {
                            if state == IceState::Connected {
                                self.look(piped.as_ref(), &path).await;
                            }
                            match words::ice(state) {
                                Some(state) => EngineEvent::Ice(state),
                                None => continue,
                            }
                        }
                        Some(Event::Channel(channel, messages)) => {
                            // Who does not ask for them does not want them.
                            let _ = opened.try_send((channel, messages));
                            continue;
                        }
                        Some(Event::NetworkChanged) => {
                            let _ = self.post.send(Letter::Network).await;
                            continue;
                        }
                        Some(Event::Closed(Reason::Left)) => EngineEvent::Left,
                        Some(Event::Closed(Reason::Failed(why))) => EngineEvent::Failed(why),
                        Some(Event::Closed(Reason::Closed)) | None => break,
                        Some(_) => continue,
                    };
                    self.tell(told).await;
                }
                ready = main.opened(), if !is_open => {
                    is_open = true;
                    if ready.is_ok() {
                        if let Some(pipe) = &mut piped {
                            pipe.reached();
                        }
                        self.look(piped.as_ref(), &path).await;
                        self.tell(EngineEvent::Open).await;
                    }
                }
                wake = wake(&mut piped) => if let Some(pipe) = &mut piped {
                    pipe.act(wake).await;
                },
                _ = &mut dropped, if is_held => {
                    is_held = false;
                    let _ = self.post.send(Letter::Hang(self.id, "closed".to_owned())).await;
                }
            }
            if let Some(pipe) = &mut piped {
                self.settle(pipe, &path).await;
            }
        }
    }

    /// Does what the link wants.
    async fn settle(&self, pipe: &mut Piped, path: &watch::Sender<Option<Path>>) {
        loop {
            let (boxes, events) = pipe.settle().await;
            for packed in boxes {
                let _ = self.post.send(Letter::Relay(self.id, packed)).await;
            }
            for event in events {
                if matches!(event, EngineEvent::Moved(_)) {
                    self.look(Some(pipe), path).await;
                }
                self.tell(event).await;
            }
            if pipe.is_settled() {
                return;
            }
        }
    }

    async fn tell(&self, event: EngineEvent) {
        let _ = self.post.send(Letter::Engine(self.id, event)).await;
    }

    /// How do the bytes flow now?
    async fn look(&self, pipe: Option<&Piped>, path: &watch::Sender<Option<Path>>) {
        let now = match pipe {
            Some(pipe) if pipe.is_relayed() => Some(Path::Relayed),
            _ => self.pc.stats().await.ok().and_then(|stats| stats.path),
        };
        path.send_if_modified(|known| std::mem::replace(known, now) != now);
    }

    async fn carry_out(&self, order: Order) {
        match words::carry_out(&self.pc, order).await {
            Ok(Some(description)) => self.tell(EngineEvent::Described(description)).await,
            // Late, or about nothing that is there any more: the other side will say it again.
            Ok(None) | Err(Error::Stale | Error::Nothing) => {}
            Err(why) => self.tell(EngineEvent::Failed(why.to_string())).await,
        }
    }
}

/// What wakes a link, where there is one.
async fn wake(piped: &mut Option<Piped>) -> piped::Wake {
    match piped {
        Some(pipe) => pipe.next().await,
        None => std::future::pending().await,
    }
}
