//! The calls of a native client: it runs the machine for them too, over the real hub, with engines that agree on everything.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use wigwag_peer::calls::{
    self, Calls, Connect, ConnectId, ConnectionId, EngineEvent, IceState, Order, Output, RelayUse, Remote,
};
use wigwag_peer::heard::{AckHeard, LimitsHeard, RelayedHeard, SignalHeard};
use wigwag_peer::relay::{Pace, Posted};
use wigwag_peer::sealed::{Candidate, Description, DescriptionKind};
use wigwag_peer::trust::{MemoryPins, Verified};
use wigwag_peer::{AskId, Body, Dice, Frame, Input, Moment, Signer};
use wigwag_testkit::TestKey;
use wigwag_wire::{PeerId, PublicKey};

use super::relaying::{Boxed, Piped};
use super::{Ask, Client, Pending};
use crate::judge::Judge;

/// The machine of calls, and what a driver keeps for it.
pub(super) struct Calling {
    pub(super) calls: Calls,
    pub(super) pace: Pace,
    /// What travels directly.
    pub(super) boxes: Vec<Boxed>,
    pub(super) engines: BTreeMap<ConnectionId, Engine>,
    /// Wishes that are not fulfilled, and until when they have to end.
    wishes: BTreeMap<ConnectId, u64>,
    /// Of the others, whether a connection came of them.
    outcomes: BTreeMap<ConnectId, bool>,
    last: u64,
    /// Whether it takes every call.
    calm: bool,
}

/// What is to be done about calls.
#[derive(Debug)]
pub(crate) enum Act {
    /// Connect to a program of this id.
    Connect(String, Option<String>),
    /// One connection loses its path.
    Lose,
    /// Something is said on one.
    Say,
    /// One connection is not needed any more.
    Close,
    /// None is.
    CloseAll,
    /// The network is another one.
    Move,
}

/// Something that agrees with whatever it is told.
pub(super) struct Engine {
    remote: Remote,
    offers: u64,
    /// What names the engine at the other end.
    theirs: Option<String>,
    met: bool,
    pub(super) open: bool,
    pub(super) piped: Option<Piped>,
}

struct Key(TestKey);

impl Signer for Key {
    fn key(&self) -> PublicKey {
        self.0.public()
    }

    fn sign(&self, message: &[u8]) -> String {
        self.0.sign(message)
    }
}

impl Calling {
    pub(super) fn new(key: TestKey, seed: [u8; 32]) -> Self {
        let calls = Calls::new(Box::new(Key(key)), Box::<MemoryPins>::default(), Dice::new(seed));
        let (engines, wishes) = (BTreeMap::new(), BTreeMap::new());
        let (pace, boxes) = (Pace::default(), Vec::new());
        Self { calls, pace, boxes, engines, wishes, outcomes: BTreeMap::new(), last: 0, calm: false }
    }

    pub(super) fn due(&self) -> Option<u64> {
        self.calls.next_deadline().into_iter().chain(self.links_due()).min().map(|due| due.0)
    }

    fn first_open(&self) -> Option<ConnectionId> {
        let carries = |id: &ConnectionId| self.calls.state(*id) == Some(calls::ConnectionState::Open);
        self.engines.keys().copied().find(carries)
    }
}

impl Client {
    /// Something is to be done about calls; answers with what the line is told.
    pub(crate) fn call(&mut self, now: u64, act: Act, judge: &mut Judge) -> Vec<Input> {
        let mut inputs = Vec::new();
        let Some(calling) = self.native.as_mut().map(|native| &mut native.calling) else { return inputs };
        if matches!(act, Act::Say) {
            let mut waiting = VecDeque::new();
            if let Some(connection) = calling.first_open() {
                calling.say(now, connection, judge, &mut waiting);
            }
            self.tell_all_calls(now, waiting, judge, &mut inputs);
            return inputs;
        }
        let Some(calling) = self.native.as_mut().map(|native| &mut native.calling) else { return inputs };
        let input = match act {
            Act::Say => None,
            Act::Connect(to, device) => {
                let Ok(to) = PeerId::new(&to) else { return inputs };
                calling.last += 1;
                let id = ConnectId(calling.last);
                calling.wishes.insert(id, now + Connect::PATIENCE_MS);
                Some(calls::Input::Connect(id, Connect { device, ..Connect::to(to) }))
            }
            Act::Lose => calling
                .first_open()
                .map(|connection| calls::Input::Engine(connection, EngineEvent::Ice(IceState::Failed))),
            Act::Close => calling.first_open().map(|connection| calls::Input::Close(connection, "enough".into())),
            Act::CloseAll => Some(calls::Input::CloseAll),
            Act::Move => Some(calls::Input::Network),
        };
        if let Some(input) = input {
            self.tell_calls(now, input, judge, &mut inputs);
        }
        inputs
    }

    /// From now on it takes every call.
    pub(crate) fn calm(&mut self) {
        if let Some(native) = &mut self.native {
            native.calling.calm = true;
        }
    }

    /// Whether a connection came of the last wish, once that is known.
    pub(crate) fn last_outcome(&self) -> Option<bool> {
        let calling = &self.native.as_ref()?.calling;
        calling.outcomes.get(&ConnectId(calling.last)).copied()
    }

    /// Wishes that should have ended by now.
    pub(crate) fn overdue_wishes(&self, now: u64) -> usize {
        let late = |native: &super::Native| native.calling.wishes.values().filter(|until| **until < now).count();
        self.native.as_ref().map_or(0, late)
    }

    /// A signal of a call.
    pub(super) fn called(&mut self, now: u64, heard: SignalHeard, judge: &mut Judge, inputs: &mut Vec<Input>) {
        self.tell_calls(now, calls::Input::Heard(heard), judge, inputs);
    }

    /// Something that the server relayed.
    pub(super) fn relayed(&mut self, now: u64, heard: RelayedHeard, judge: &mut Judge, inputs: &mut Vec<Input>) {
        self.tell_calls(now, calls::Input::Relayed(heard), judge, inputs);
    }

    /// The server said what it allows.
    pub(super) fn allowed(&mut self, now: u64, limits: &LimitsHeard, judge: &mut Judge, inputs: &mut Vec<Input>) {
        let Some(native) = &mut self.native else { return };
        let wanted = if native.calling.limits(now, limits) { RelayUse::LastResort } else { RelayUse::Never };
        self.tell_calls(now, calls::Input::Relay(wanted), judge, inputs);
    }

    /// A box of another client's engine.
    pub(crate) fn boxed(&mut self, now: u64, connection: ConnectionId, packed: &[u8], judge: &mut Judge) -> Vec<Input> {
        let (mut waiting, mut inputs) = (VecDeque::new(), Vec::new());
        if let Some(native) = &mut self.native {
            native.calling.boxed(now, connection, packed, judge, &mut waiting);
        }
        self.tell_all_calls(now, waiting, judge, &mut inputs);
        inputs
    }

    pub(super) fn tell_calls(&mut self, now: u64, input: calls::Input, judge: &mut Judge, inputs: &mut Vec<Input>) {
        let mut waiting = VecDeque::new();
        if let (calls::Input::Tick, Some(native)) = (&input, &mut self.native) {
            native.calling.links_tick(now, judge, &mut waiting);
        }
        waiting.push_front(input);
        self.tell_all_calls(now, waiting, judge, inputs);
    }

    fn tell_all_calls(
        &mut self,
        now: u64,
        mut waiting: VecDeque<calls::Input>,
        judge: &mut Judge,
        inputs: &mut Vec<Input>,
    ) {
        while let Some(input) = waiting.pop_front() {
            let Some(native) = &mut self.native else { return };
            let mut out = Vec::new();
            native.calling.calls.handle(Moment(now), input, &mut out);
            if native.calling.calls.next_deadline().is_some_and(|due| due.0 <= now) {
                judge.wrong(format!("client {}: something of its calls stays due", self.index));
            }
            for output in out {
                self.obey(now, output, judge, inputs, &mut waiting);
            }
        }
    }

    fn obey(
        &mut self,
        now: u64,
        output: Output,
        judge: &mut Judge,
        inputs: &mut Vec<Input>,
        waiting: &mut VecDeque<calls::Input>,
    ) {
        let (index, ns) = (self.index, self.person.ns());
        let Some(native) = &mut self.native else { return };
        let calling = &mut native.calling;
        match output {
            Output::Signal { tag, to, device, kind, data } => {
                let frame = SignalFrame { kind: "signal", to: &to, device: device.as_deref(), what: kind, data: &data };
                if let Ok(body) = Body::new(&frame) {
                    inputs.push(self.ask_for_call(Ask::Call(tag), body, false));
                }
            }
            Output::Relay { connection, to, device, data } => {
                let frame = RelayFrame { kind: "relay", to: &to, device: &device, data: &data };
                if let Ok(body) = Body::new(&frame) {
                    inputs.push(self.ask_for_call(Ask::Relay(connection), body, false));
                }
            }
            Output::Find { tag, id } => {
                if let Ok(body) = Body::new(&json!({"type": "find", "id": id})) {
                    inputs.push(self.ask_for_call(Ask::CallFind(tag), body, true));
                }
            }
            Output::Knock { knock, .. } => waiting.push_back(match knock.0 % 8 {
                7 if !calling.calm => calls::Input::Decline(knock, "Not now.".into()),
                _ => calls::Input::Accept(knock),
            }),
            Output::Connecting { connection, remote, .. } => {
                if remote.verified != Verified::Guest && !judge.is_key_of(ns, remote.id.as_str(), &remote.key) {
                    judge.wrong(format!("client {index} has a call with {} under another's key", remote.id));
                }
                calling.engines.insert(
                    connection,
                    Engine { remote, offers: 0, theirs: None, met: false, open: false, piped: None },
                );
            }
            Output::Order(connection, order) => {
                if calling.link_order(now, connection, &order, judge, waiting) {
                    return;
                }
                let Some(engine) = calling.engines.get_mut(&connection) else { return };
                let was_open = engine.open;
                let events = engine.obey(index, connection, order);
                if engine.open && !was_open {
                    calling.reached(now, connection, judge, waiting);
                }
                waiting.extend(events.into_iter().map(|event| calls::Input::Engine(connection, event)));
            }
            Output::Connected { connection, connect } => {
                judge.counts.calls += 1;
                if connect.is_some_and(|connect| calling.wishes.remove(&connect).is_none()) {
                    judge.wrong(format!("client {index}: a wish to connect ended twice"));
                }
                calling.outcomes.extend(connect.map(|connect| (connect, true)));
                for _ in 0..3 {
                    calling.say(now, connection, judge, waiting);
                }
                // One that opens by the relay may not have seen a description of the other engine.
                if let Some(engine @ Engine { remote, theirs, .. }) = calling.engines.get(&connection) {
                    let other = engine.other().map(|(other, _)| other);
                    if remote.verified != Verified::Guest
                        && other.map_or(engine.piped.is_none(), |other| judge.id(other) != remote.id.as_str())
                    {
                        judge.wrong(format!("client {index} is connected with {theirs:?}, not with {}", remote.id));
                    }
                }
            }
            Output::Failed { connect, error } => {
                judge.counts.uncalled += 1;
                if calling.wishes.remove(&connect).is_none() {
                    judge.wrong(format!("client {index}: a wish to connect ended twice, with {error}"));
                }
                calling.outcomes.insert(connect, false);
            }
            Output::Closed { connection, .. } => _ = calling.engines.remove(&connection),
            Output::Mismatch { id, .. } => judge.wrong(format!("client {index} was called by {id} with another's key")),
            Output::Unknock(_) | Output::State(..) => {}
        }
    }

    /// What became of a request for a call.
    pub(super) fn call_answered(
        &mut self,
        now: u64,
        ask: &Ask,
        answer: Result<&Frame, String>,
        judge: &mut Judge,
        inputs: &mut Vec<Input>,
    ) {
        let refused = answer.as_ref().ok().and_then(|frame| frame.refused());
        let refusal = refused.map(|why| Posted::Refused { code: why.code, retry_after: why.retry_after });
        let answer = answer.and_then(|frame| match frame.refused() {
            Some(refused) => Err(refused.to_string()),
            None => Ok(frame),
        });
        let unread = || "the answer cannot be read".to_owned();
        if let (Ask::Relay(connection), Some(native)) = (ask, &mut self.native) {
            let posted = match &answer {
                Ok(frame) => frame.parse::<AckHeard>().map_or(Posted::Lost, |ack| Posted::Acked(ack.status)),
                Err(_) => refusal.unwrap_or(Posted::Lost),
            };
            let mut waiting = VecDeque::new();
            native.calling.posted(now, *connection, posted, judge, &mut waiting);
            return self.tell_all_calls(now, waiting, judge, inputs);
        }
        let input = match ask {
            Ask::Call(tag) => {
                let ack = answer.and_then(|frame| frame.parse::<AckHeard>().ok_or_else(unread));
                calls::Input::Signalled(*tag, ack.map(|ack| ack.status))
            }
            Ask::CallFind(tag) => calls::Input::Found(*tag, answer.and_then(|frame| frame.parse().ok_or_else(unread))),
            _ => return,
        };
        self.tell_calls(now, input, judge, inputs);
    }

    fn ask_for_call(&mut self, ask: Ask, body: Body, repeatable: bool) -> Input {
        let n = self.native.as_mut().map_or(0, |native| {
            native.last += 1;
            native.last
        });
        self.pending.insert(n, Pending { frame: String::new(), ask });
        Input::Request { id: AskId(n), body, repeatable }
    }
}

impl Engine {
    /// Whose engine is at the other end.
    pub(super) fn other(&self) -> Option<(usize, ConnectionId)> {
        let mut words = self.theirs.as_deref()?.split('-');
        Some((words.next()?.parse().ok()?, ConnectionId(words.next()?.parse().ok()?)))
    }

    /// Whether the two can reach each other: some only after they looked for long, because the network is another one by then.
    fn is_path(&self, client: usize) -> bool {
        self.other().is_some_and(|(other, _)| !(client + other).is_multiple_of(3) || self.offers > 2)
    }

    fn obey(&mut self, client: usize, connection: ConnectionId, order: Order) -> Vec<EngineEvent> {
        let mut events = Vec::new();
        match order {
            Order::Begin | Order::End => {}
            Order::Offer { .. } => events.extend(self.describe(client, connection, DescriptionKind::Offer)),
            Order::Describe(description) => {
                self.theirs = description.sdp.trim().strip_prefix("a=ice-ufrag:").map(str::to_owned);
                if description.kind == DescriptionKind::Offer {
                    events.extend(self.describe(client, connection, DescriptionKind::Answer));
                }
                if self.open {
                    events.push(EngineEvent::Ice(IceState::Connected));
                }
            }
            Order::Candidates(_) => self.met = true,
            Order::Relay { .. } | Order::Travel { .. } | Order::Relayed(_) | Order::Online(_) => {}
        }
        if self.offers > 0 && self.met && !self.open && self.is_path(client) {
            self.open = true;
            events.extend([EngineEvent::Ice(IceState::Connected), EngineEvent::Open]);
        }
        events
    }

    fn describe(&mut self, client: usize, connection: ConnectionId, kind: DescriptionKind) -> [EngineEvent; 2] {
        self.offers += 1;
        let sdp = format!("a=ice-ufrag:{client}-{}-{}\r\n", connection.0, self.offers);
        let candidate =
            Candidate { candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host".into(), ..Candidate::default() };
        [EngineEvent::Described(Description { kind, sdp }), EngineEvent::Candidate(Some(candidate))]
    }
}

#[derive(Serialize)]
struct RelayFrame<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    to: &'a PeerId,
    #[serde(skip_serializing_if = "str::is_empty")]
    device: &'a str,
    data: &'a RawValue,
}

#[derive(Serialize)]
struct SignalFrame<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    to: &'a PeerId,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'a str>,
    #[serde(rename = "kind")]
    what: &'static str,
    data: &'a RawValue,
}
