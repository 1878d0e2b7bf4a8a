//! What stands behind a native socket: the hub's own machine for it, and the right to be here.

use std::sync::Arc;
use std::time::Instant;

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
}

/// A native socket.
pub(super) struct Native {
    id: SocketId,
    driver: Arc<Driver>,
    state: State,
}

enum State {
    Admitted(Admitted),
    Open(Connection),
    Over,
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

impl Native {
    pub(super) fn new(id: SocketId, admitted: Admitted) -> Self {
        Self { id, driver: admitted.driver.clone(), state: State::Admitted(admitted) }
    }

    fn receive(&mut self, received: Received<'_>, batch: &mut Batch<'_, Mail>) -> Flow {
        let State::Open(connection) = &mut self.state else { return Flow::Continue };
        let mut carrier = Carrier::new(&self.driver, batch);
        connection.handle(&self.driver.hub, self.driver.clock.now(), received, &mut carrier);
        let waiting = connection.is_waiting();
        carrier.finish();
        if waiting { Flow::Pause } else { Flow::Continue }
    }
}

impl Behind for Native {
    type Mail = Mail;

    fn on_open(&mut self, batch: &mut Batch<'_, Mail>) -> Flow {
        let State::Admitted(mut admitted) = std::mem::replace(&mut self.state, State::Over) else {
            return Flow::Continue;
        };
        if let Some(pass) = admitted.pass.take() {
            let mut carrier = Carrier::new(&self.driver, batch);
            let now = self.driver.clock.now();
            self.state = State::Open(Connection::open(&self.driver.hub, now, self.id, pass, &mut carrier));
            carrier.finish();
        }
        Flow::Continue
    }

    fn on_text(&mut self, text: &str, batch: &mut Batch<'_, Mail>) -> Flow {
        let read = Instant::now();
        let flow = self.receive(Received::Text(text), batch);
        self.driver.metrics.relay.observe(read.elapsed());
        flow
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
        self.receive(
            match mail {
                Mail::Claimed(claimed) => Received::Claimed(claimed),
                Mail::Banned(prefix) => Received::Banned(prefix),
            },
            batch,
        )
    }

    fn on_tick(&mut self, batch: &mut Batch<'_, Mail>) {
        let _ = self.receive(Received::Tick, batch);
    }

    fn wants_tick(&self) -> bool {
        matches!(&self.state, State::Open(connection) if !connection.is_proved())
    }

    fn on_close(&mut self, why: Closed, batch: &mut Batch<'_, Mail>) {
        tracing::debug!(?why, "socket closed");
        let _ = self.receive(Received::Closed, batch);
        self.state = State::Over;
    }
}
