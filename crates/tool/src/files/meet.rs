//! Meets the others of a room: of two members the one that the server does not call polite connects to the other.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::anyhow;
use tokio::task::JoinSet;
use tokio::time::sleep;
use wigwag::{CallError, Connection, Incoming, Member, Room, RoomEvent, RoomEvents, Wigwag};

use crate::exit::{Exit, Failure};
use crate::session::{Party, party_of};

/// So long after an attempt that failed comes the next.
const AGAIN: Duration = Duration::from_secs(1);

/// Somebody's way into a room, and to those in it.
pub(super) struct Meeting {
    client: Wigwag,
    room: Room,
    events: RoomEvents,
    incoming: Incoming,
    wants: fn(&Member) -> bool,
    patience: Duration,
    /// Those who are connected, or on the way.
    known: BTreeSet<Party>,
    tries: JoinSet<(Party, Result<Connection, CallError>)>,
}

impl Meeting {
    /// Meets those of a room who are wanted. `incoming` is older than our place in the room: whoever is there calls as soon as we are seen.
    pub(super) fn new(
        client: &Wigwag,
        incoming: Incoming,
        room: Room,
        patience: Duration,
        wants: fn(&Member) -> bool,
    ) -> Self {
        Self {
            client: client.clone(),
            events: room.events(),
            room,
            incoming,
            wants,
            patience,
            known: BTreeSet::new(),
            tries: JoinSet::new(),
        }
    }

    /// The next open connection. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Result<Connection, Failure> {
        loop {
            self.call();
            tokio::select! {
                event = self.events.next() => match event {
                    Some(RoomEvent::Left(member, _)) => drop(self.known.remove(&(member.id, member.device))),
                    Some(RoomEvent::Closed { why, .. }) => {
                        return Err(Exit::Refused.because(anyhow!("out of the room where we meet: {why}")));
                    }
                    Some(_) => {}
                    None => return Err(Exit::Failed.because(anyhow!("the client was closed"))),
                },
                knock = self.incoming.next() => {
                    let Some(knock) = knock else { return Err(Exit::Failed.because(anyhow!("the client was closed"))) };
                    let party = (knock.peer().as_str().to_owned(), knock.device().to_owned());
                    if self.members().iter().any(|member| party_of(member) == party) {
                        self.known.insert(party.clone());
                        self.tries.spawn(async move { (party, knock.accept().await) });
                    } else {
                        knock.decline("We meet in a room, and you are not in it.").await;
                    }
                }
                Some(Ok((party, tried))) = self.tries.join_next() => match tried {
                    Ok(connection) => return Ok(connection),
                    Err(_) => drop(self.known.remove(&party)),
                },
            }
        }
    }

    /// The connection is over; its peer may come again, a little later.
    pub(super) fn lost(&mut self, connection: &Connection) {
        let party = (connection.peer().as_str().to_owned(), connection.device().to_owned());
        self.tries.spawn(async move {
            sleep(AGAIN).await;
            (party, Err(CallError::Left))
        });
    }

    /// Whether everybody who is there has been met.
    pub(super) fn is_settled(&self) -> bool {
        self.tries.is_empty() && self.members().iter().all(|member| self.known.contains(&party_of(member)))
    }

    pub(super) async fn leave(&self) {
        // Who was thrown out has nothing to leave.
        let _ = self.room.leave().await;
    }

    fn members(&self) -> Vec<Member> {
        self.room.view().members().into_iter().filter(|member| (self.wants)(member)).collect()
    }

    fn call(&mut self) {
        for member in self.members() {
            if !member.polite && self.known.insert(party_of(&member)) {
                let connecting = self.client.connect_to(&member).deadline(self.patience);
                self.tries.spawn(async move {
                    let tried = connecting.await;
                    if tried.is_err() {
                        sleep(AGAIN).await;
                    }
                    (party_of(&member), tried)
                });
            }
        }
    }
}
