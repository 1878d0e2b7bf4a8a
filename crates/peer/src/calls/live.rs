//! Calls that have a secret: what their negotiations want, and what becomes of their connections.

use super::negotiation::{Negotiation, Step};
use super::relaying::Relaying;
use super::terms::{CallError, ConnectId, ConnectionId, ConnectionState, Order, Output, Remote};
use super::{About, Calls, Stage};
use crate::heard::RelayedHeard;
use crate::sealed::{Content, Seal, call_of};
use crate::terms::State;
use crate::time::Moment;

/// A call with a secret.
pub(super) struct Live {
    pub(super) remote: Remote,
    pub(super) seal: Seal,
    pub(super) negotiation: Negotiation,
    /// The wish that it fulfils, until it is open.
    pub(super) connect: Option<ConnectId>,
    /// Whether it was open.
    was_open: bool,
    /// When it is forgotten, if it is not open by then.
    pub(super) until: Moment,
}

impl Calls {
    pub(super) fn make(
        &mut self,
        remote: Remote,
        seal: Seal,
        polite: bool,
        connect: Option<ConnectId>,
        out: &mut Vec<Output>,
    ) -> ConnectionId {
        let connection = ConnectionId(self.next());
        self.calls.insert(seal.call().clone(), connection);
        if let Some(outgoing) = connect.and_then(|id| self.outgoing.get_mut(&id)) {
            outgoing.stage = Stage::Path(connection);
        }
        out.push(Output::Connecting { connection, remote: remote.clone(), connect });
        let relaying = Relaying::new(self.relay, seal.hails(), self.line == State::Open);
        let (negotiation, until) = (Negotiation::new(polite, relaying), Moment::NEVER);
        self.live.insert(connection, Live { remote, seal, negotiation, connect, was_open: false, until });
        connection
    }

    pub(super) fn close(&mut self, connection: ConnectionId, why: &str, out: &mut Vec<Output>) {
        self.tell(connection, &Content { bye: Some(why.to_owned()), ..Content::default() }, out);
        self.negotiate(connection, out, |negotiation, _, steps| negotiation.end("closed", None, steps));
    }

    /// Seals something for the other side of a connection.
    pub(super) fn tell(&mut self, connection: ConnectionId, content: &Content, out: &mut Vec<Output>) {
        let Some(live) = self.live.get_mut(&connection) else { return };
        let Some(data) = live.seal.seal(content) else { return };
        let (to, device) = (live.remote.id.clone(), Some(live.remote.device.clone()));
        self.signal(About::Box(connection), to, device, "ww.sealed", data, out);
    }

    /// Seals a box of a connection's link, to be relayed.
    pub(super) fn post(&mut self, connection: ConnectionId, packed: &[u8], out: &mut Vec<Output>) {
        let Some(live) = self.live.get_mut(&connection) else { return };
        let Some(data) = live.seal.seal_relayed(packed) else { return };
        let Remote { id: to, device, .. } = live.remote.clone();
        out.push(Output::Relay { connection, to, device, data });
    }

    /// Hands a box that was relayed to the link that it is for.
    pub(super) fn relayed(&mut self, heard: &RelayedHeard, out: &mut Vec<Output>) {
        let connection = call_of(&heard.data).and_then(|call| self.calls.get(&call).copied());
        let Some((connection, live)) = connection.and_then(|id| Some((id, self.live.get_mut(&id)?))) else { return };
        let is_theirs = live.remote.id.as_str() == heard.from && live.remote.device == heard.device;
        if !is_theirs || !live.negotiation.relaying.is_agreed() {
            return;
        }
        if let Some(packed) = live.seal.open_relayed(&heard.data) {
            out.push(Output::Order(connection, Order::Relayed(packed)));
        }
    }

    pub(super) fn each(&mut self, out: &mut Vec<Output>, act: impl Fn(&mut Negotiation, Moment, &mut Vec<Step>)) {
        for connection in self.live.keys().copied().collect::<Vec<_>>() {
            self.negotiate(connection, out, &act);
        }
    }

    /// Lets a negotiation take a step, and does what comes of it.
    pub(super) fn negotiate(
        &mut self,
        connection: ConnectionId,
        out: &mut Vec<Output>,
        act: impl FnOnce(&mut Negotiation, Moment, &mut Vec<Step>),
    ) {
        let Some(live) = self.live.get_mut(&connection) else { return };
        let mut steps = Vec::new();
        act(&mut live.negotiation, self.now, &mut steps);
        for step in steps {
            match step {
                Step::Order(order) => out.push(Output::Order(connection, order)),
                Step::Tell(content) => self.tell(connection, &content, out),
                Step::State(state) => {
                    out.push(Output::State(connection, state));
                    if state == ConnectionState::Open {
                        self.opened(connection, out);
                    }
                }
                Step::End(reason, error) => self.ended(connection, reason, error, out),
            }
        }
    }

    pub(super) fn opened(&mut self, connection: ConnectionId, out: &mut Vec<Output>) {
        let Some(live) = self.live.get_mut(&connection).filter(|live| !live.was_open) else { return };
        (live.was_open, live.until) = (true, Moment::NEVER);
        let connect = live.connect.take();
        connect.map(|id| self.outgoing.remove(&id));
        out.push(Output::Connected { connection, connect });
    }

    pub(super) fn ended(
        &mut self,
        connection: ConnectionId,
        reason: &'static str,
        error: Option<CallError>,
        out: &mut Vec<Output>,
    ) {
        let Some(live) = self.live.remove(&connection) else { return };
        self.calls.remove(live.seal.call());
        if let Some(id) = live.connect.filter(|id| self.outgoing.remove(id).is_some()) {
            let error = error.clone().unwrap_or(CallError::Left);
            out.push(Output::Failed { connect: id, error });
        }
        out.push(Output::Closed { connection, reason, error });
    }
}
