//! A room as a socket knows it: who comes is called, who calls is let in, who goes is told.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use matchbox_socket::{PeerEvent, PeerId, PeerRequest};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;
use tracing::{debug, warn};
use wigwag::{
    CallError, Connection, Incoming, JoinOptions, Knock, Mode, OpenError, Room, RoomEvent, RoomEvents, Wigwag,
};

use crate::seat::Seat;
use crate::{Player, Players, id};

/// How long a call that did not come about waits before it is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Tries to be let in as often as the socket was told to; without a number, for ever.
pub(crate) async fn open(client: impl Fn() -> wigwag::Builder, attempts: Option<u16>) -> Result<Wigwag, String> {
    let mut left = attempts;
    loop {
        let why = match client().open().await {
            Ok(client) => return Ok(client),
            Err(why @ OpenError::Timeout { .. }) => why,
            Err(why) => return Err(why.to_string()),
        };
        left = left.map(|left| left.saturating_sub(1));
        if left == Some(0) {
            return Err(why.to_string());
        }
        warn!(%why, "the server is tried again");
    }
}

/// One socket's place in a room.
pub(crate) struct Table {
    client: Wigwag,
    room: Room,
    happens: RoomEvents,
    incoming: Incoming,
    events: mpsc::Sender<PeerEvent>,
    seats: BTreeMap<PeerId, (Seat, AbortHandle)>,
    calls: JoinSet<Over>,
    players: Players,
}

/// A player's connection is over, and whether that player said so.
struct Over {
    peer: PeerId,
    left: bool,
}

impl Table {
    /// Enters the room, ready to be called by those who are in it.
    pub(crate) async fn enter(
        client: Wigwag,
        room: &str,
        players: Players,
        events: mpsc::Sender<PeerEvent>,
    ) -> Result<Self, String> {
        let incoming = client.incoming().await;
        let options = JoinOptions { mode: Some(Mode::FreeForAll), ..JoinOptions::default() };
        let room = client.join_with(room, options).await.map_err(|why| why.to_string())?;
        let happens = room.events();
        let me = id::of(&client.namespace(), &client.id(), &client.device());
        let _ = events.send(PeerEvent::IdAssigned(me)).await;
        Ok(Self { client, room, happens, incoming, events, seats: BTreeMap::new(), calls: JoinSet::new(), players })
    }

    /// Until the socket is dropped, or the room is over.
    pub(crate) async fn run(mut self, mut asked: mpsc::Receiver<PeerRequest>) {
        loop {
            tokio::select! {
                request = asked.recv() => match request {
                    None => break,
                    Some(PeerRequest::KeepAlive) => {}
                    Some(PeerRequest::Signal { receiver, data }) => match self.seats.get(&receiver) {
                        Some((seat, _)) => seat.signal(data),
                        None => warn!(peer = %receiver, "a signal is for nobody"),
                    },
                },
                event = self.happens.next() => match event {
                    Some(RoomEvent::Joined(member)) => self.call(member.id, member.device),
                    Some(RoomEvent::Left(member, why)) => self.left(&member.id, &member.device, &why).await,
                    Some(RoomEvent::Missed(_)) => self.call_everybody(),
                    Some(RoomEvent::Closed { why, .. }) => {
                        warn!(%why, "the room is over");
                        break;
                    }
                    None => break,
                    Some(_) => {}
                },
                knock = self.incoming.next() => match knock {
                    Some(knock) => self.knocked(knock).await,
                    None => break,
                },
                Some(over) = self.calls.join_next() => {
                    // What was called off says nothing.
                    if let Ok(Over { peer, left: true }) = over {
                        self.gone(peer).await;
                    }
                }
            }
        }
        self.client.close().await;
    }

    fn uuid(&self, id: &str, device: &str) -> PeerId {
        id::of(&self.client.namespace(), id, device)
    }

    /// Those who are there call those who come.
    fn call(&mut self, id: String, device: String) {
        let peer = self.uuid(&id, &device);
        // Who was away and comes back is still connected, or was: a socket meets nobody twice.
        if self.seats.contains_key(&peer) {
            return;
        }
        let seat = Seat::new(peer, self.events.clone());
        let (client, players, engine) = (self.client.clone(), Players::clone(&self.players), seat.clone());
        let task = self.calls.spawn(async move {
            loop {
                match client.connect(&id).device(&device).engine(engine.clone()).await {
                    Ok(connection) => return until_over(peer, &connection, &players).await,
                    Err(CallError::Closed | CallError::KeyMismatch(_)) => return Over { peer, left: false },
                    Err(why) if engine.is_met() => {
                        warn!(%peer, %why, "a player was not reached");
                        return Over { peer, left: false };
                    }
                    Err(why) => debug!(%peer, %why, "a player is called again"),
                }
                sleep(AGAIN).await;
            }
        });
        self.seats.insert(peer, (seat, task));
    }

    fn call_everybody(&mut self) {
        for member in self.room.view().members() {
            self.call(member.id, member.device);
        }
    }

    async fn knocked(&mut self, knock: Knock) {
        let (id, device) = (knock.peer().to_string(), knock.device().to_owned());
        let peer = self.uuid(&id, &device);
        let is_member = self.room.view().members().iter().any(|member| member.id == id && member.device == device);
        if !is_member || self.seats.get(&peer).is_some_and(|(seat, _)| seat.is_met()) {
            return knock.decline("Not in this room, or known here already.").await;
        }
        let seat = Seat::new(peer, self.events.clone());
        let (players, engine) = (Players::clone(&self.players), seat.clone());
        let task = self.calls.spawn(async move {
            match knock.accept_with(engine).await {
                Ok(connection) => until_over(peer, &connection, &players).await,
                Err(why) => {
                    debug!(%peer, %why, "a player that called was not met");
                    Over { peer, left: false }
                }
            }
        });
        if let Some((_, before)) = self.seats.insert(peer, (seat, task)) {
            before.abort();
        }
    }

    /// Whoever lost its session may well be connected still: of that the socket knows more than the server.
    async fn left(&mut self, id: &str, device: &str, why: &str) {
        let peer = self.uuid(id, device);
        let is_met = self.seats.get(&peer).is_some_and(|(seat, _)| seat.is_met());
        if why != "gone" || !is_met {
            self.gone(peer).await;
        }
    }

    async fn gone(&mut self, peer: PeerId) {
        let Some((seat, call)) = self.seats.remove(&peer) else { return };
        call.abort();
        self.players.lock().unwrap_or_else(PoisonError::into_inner).remove(&peer);
        if seat.is_met() {
            let _ = self.events.send(PeerEvent::PeerLeft(peer)).await;
        }
    }
}

/// Holds a connection as long as there is one, and knows who is at its other end.
async fn until_over(peer: PeerId, connection: &Connection, players: &Players) -> Over {
    // Only who came by a code can be without a key, and nobody comes by one here.
    if let Some(&key) = connection.key() {
        let id = connection.peer().to_string();
        let player = Player { id, device: connection.device().to_owned(), key };
        players.lock().unwrap_or_else(PoisonError::into_inner).insert(peer, player);
    }
    let ended = connection.closed().await;
    Over { peer, left: ended.error.is_none() }
}
