//! What stands behind a socket: the machine for what it speaks, and the right to be here.

use std::sync::Arc;
use std::time::Instant;

use wigwag_dialects::{Arrival, Conversation, Dialect};
use wigwag_hub::{Claimed, Connection, Pass, Prefix, Received, SocketId};

use super::Driver;
use super::carrier::Carrier;
use crate::net::{Batch, Behind, Closed, Flow};

/// What other tasks have for a socket: an answer that it waits for, or the operator's word.
#[derive(Clone, Debug)]
pub enum Mail {
    /// Whether the key speaks for the name.
    Claimed(Claimed),
    /// These addresses are banned from now on.
    Banned(Prefix),
    /// It is the turn of this text, which many are to hear of.
    Text(Box<str>),
}

/// The peer behind a socket.
pub(super) struct Peer {
    driver: Arc<Driver>,
    state: State,
}

enum State {
    Admitted(Box<Waiting>),
    Native(Connection),
    Foreign(Conversation),
    Over,
}

/// Until the socket is open.
struct Waiting {
    id: SocketId,
    admitted: Admitted,
    arrival: Option<Arrival>,
}

/// The right to be here, given back if the socket never opens.
pub(super) struct Admitted {
    pub(super) pass: Option<Pass>,
    pub(super) driver: Arc<Driver>,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if let Some(mut pass) = self.pass.take() {
            self.driver.hub.release(&mut pass);
        }
    }
}

impl Peer {
    /// One that speaks the native protocol.
    pub(super) fn native(id: SocketId, admitted: Admitted) -> Self {
        Self::waiting(Waiting { id, admitted, arrival: None })
    }

    /// One that speaks a dialect.
    pub(super) fn foreign(id: SocketId, admitted: Admitted, arrival: Arrival) -> Self {
        Self::waiting(Waiting { id, admitted, arrival: Some(arrival) })
    }

    fn waiting(waiting: Waiting) -> Self {
        Self { driver: waiting.admitted.driver.clone(), state: State::Admitted(Box::new(waiting)) }
    }

    fn hear(&mut self, text: &str, batch: &mut Batch<'_, Mail>) -> Flow {
        let begun = batch.begun();
        let flow = self.receive_at(begun, Received::Text(text), batch);
        self.driver.metrics.relay.observe(batch.done() - begun);
        flow
    }

    fn receive(&mut self, received: Received<'_>, batch: &mut Batch<'_, Mail>) -> Flow {
        self.receive_at(Instant::now(), received, batch)
    }

    fn receive_at(&mut self, when: Instant, received: Received<'_>, batch: &mut Batch<'_, Mail>) -> Flow {
        let mut carrier = Carrier::new(&self.driver, batch);
        let (hub, now) = (&self.driver.hub, self.driver.clock.at(when));
        let waiting = match &mut self.state {
            State::Native(connection) => {
                connection.handle(hub, now, received, &mut carrier);
                connection.is_waiting()
            }
            State::Foreign(conversation) => {
                conversation.handle((hub, &self.driver.dialects), now, received, &mut carrier);
                conversation.is_waiting()
            }
            State::Admitted(_) | State::Over => false,
        };
        carrier.finish();
        if waiting { Flow::Pause } else { Flow::Continue }
    }
}

impl Behind for Peer {
    type Mail = Mail;

    fn on_open(&mut self, batch: &mut Batch<'_, Mail>) -> Flow {
        let State::Admitted(waiting) = std::mem::replace(&mut self.state, State::Over) else {
            return Flow::Continue;
        };
        let Waiting { id, mut admitted, arrival } = *waiting;
        if let Some(pass) = admitted.pass.take() {
            let mut carrier = Carrier::new(&self.driver, batch);
            let (hub, now) = (&self.driver.hub, self.driver.clock.now());
            self.state = match arrival {
                None => State::Native(Connection::open(hub, now, id, pass, &mut carrier)),
                Some(arrival) => {
                    let around = (hub, &*self.driver.dialects);
                    State::Foreign(Conversation::open(around, now, id, pass, arrival, &mut carrier))
                }
            };
            carrier.finish();
        }
        Flow::Continue
    }

    fn on_text(&mut self, text: &str, batch: &mut Batch<'_, Mail>) -> Flow {
        let is_native = matches!(self.state, State::Native(_));
        if is_native && batch.is_crowded() && is_for_many(text) && batch.waits_for_turn(|| Mail::Text(text.into())) {
            return Flow::Pause;
        }
        self.hear(text, batch)
    }

    fn on_binary(&mut self, bytes: &[u8], batch: &mut Batch<'_, Mail>) -> Flow {
        self.receive(Received::Binary(bytes), batch)
    }

    fn on_pong(&mut self, payload: &[u8], batch: &mut Batch<'_, Mail>) {
        if !payload.is_empty() {
            let _ = self.receive(Received::Pong(payload), batch);
        }
    }

    fn on_mail(&mut self, mail: Mail, batch: &mut Batch<'_, Mail>) -> Flow {
        match mail {
            Mail::Claimed(claimed) => self.receive(Received::Claimed(claimed), batch),
            Mail::Banned(prefix) => self.receive(Received::Banned(prefix), batch),
            Mail::Text(text) => self.hear(&text, batch),
        }
    }

    fn on_tick(&mut self, batch: &mut Batch<'_, Mail>) {
        let _ = self.receive(Received::Tick, batch);
    }

    fn wants_tick(&self) -> bool {
        match &self.state {
            State::Native(connection) => !connection.is_proved(),
            State::Foreign(conversation) => conversation.next_deadline().is_some(),
            State::Admitted(_) | State::Over => false,
        }
    }

    fn is_new(&self) -> bool {
        match &self.state {
            State::Admitted(..) => true,
            State::Native(connection) => !connection.is_proved(),
            State::Foreign(_) | State::Over => false,
        }
    }

    fn on_close(&mut self, why: Closed, batch: &mut Batch<'_, Mail>) {
        let dialect = match &self.state {
            State::Foreign(conversation) => conversation.dialect().map_or("unknown", Dialect::name),
            State::Native(_) | State::Admitted(_) | State::Over => "native",
        };
        tracing::debug!(?why, dialect, "socket closed");
        let _ = self.receive(Received::Closed, batch);
        self.state = State::Over;
    }
}

/// Whether many may hear of a request, as a glance at its beginning shows. One that is missed is handled without waiting for its turn.
fn is_for_many(text: &str) -> bool {
    let head = &text[..text.floor_char_boundary(GLANCE)];
    FOR_MANY.iter().any(|word| head.contains(word))
}

const GLANCE: usize = 96;
const FOR_MANY: [&str; 4] = ["\"room.", "\"say\"", "\"publish\"", "\"broadcast\""];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_a_socket_fits_into_its_task() {
        // With this, a socket's task takes 256 bytes, and tokio would take 128 more at once.
        assert!(size_of::<Peer>() <= 96, "{}", size_of::<Peer>());
    }
}
