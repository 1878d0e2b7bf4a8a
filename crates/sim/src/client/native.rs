//! A client that runs the machine of native clients: it decides when to connect, to which server, and what is asked again.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wigwag_peer::calls;
use wigwag_peer::heard::{RelayedHeard, SignalHeard, Welcome};
use wigwag_peer::{
    AskId, Asked, Body, Config, Dice, Frame, GivenUp, Input, Line, Moment, Output, Server, SocketId, State, Status,
};

use super::calling::Calling;
use super::{Ask, Client, Pending};
use crate::judge::signals::Fate;
use crate::judge::{Judge, text};

/// The machine, and what a driver keeps for it.
pub(crate) struct Native {
    line: Line,
    /// Its sockets, as the world calls them, and their servers.
    sockets: BTreeMap<SocketId, (u64, usize)>,
    /// The socket by which it spoke last.
    current: Option<(u64, usize)>,
    /// The best of its servers.
    home: usize,
    /// The last number of a request or of something that stands. A signal's number is the letter's, too.
    pub(super) last: u64,
    /// The letters that were sent under each `n`; none where it was a signal of a call.
    letters: BTreeMap<u64, Option<u64>>,
    /// What is asked again of a fresh session, by its key.
    standing: BTreeMap<String, (u64, Ask)>,
    pub(super) calling: Calling,
    /// For which time it wants to be woken.
    pub(crate) due: Option<u64>,
}

/// What a native client wants of its world.
#[derive(Debug)]
pub(crate) enum Want {
    /// A socket to a server.
    Connect(SocketId, usize),
    /// To be rid of this one.
    Disconnect(u64),
    /// This to be sent by this socket.
    Send(u64, String),
    /// To come again some time, for it was sent away.
    Reopen,
}

impl Native {
    /// The letter that a signal's number belongs to; `None` for those of calls.
    pub(super) fn letter(&self, n: u64) -> Option<u64> {
        self.letters.get(&n).copied().unwrap_or(Some(u64::MAX))
    }
}

/// The address of a server.
fn url(node: usize) -> String {
    format!("wss://{}/v1", name(node))
}

/// What a server calls itself.
pub(crate) fn name(node: usize) -> String {
    format!("server{node}.sim.example")
}

/// The server at an address.
fn node_at(url: &str) -> usize {
    url.trim_start_matches("wss://server").split('.').next().and_then(|node| node.parse().ok()).unwrap_or(0)
}

impl Client {
    /// Makes it a native one, with these servers, the best first.
    pub(crate) fn nativize(&mut self, servers: &[usize], [seed, call_seed]: [[u8; 32]; 2]) {
        let list = servers.iter().map(|node| Server::new(url(*node))).collect();
        let config = Config { hello: self.person.introduction(), ..Config::new(list) };
        let Ok(line) = Line::new(config, Dice::new(seed)) else { return };
        self.node = servers.first().copied().unwrap_or(0);
        self.native = Some(Native {
            line,
            sockets: BTreeMap::new(),
            current: None,
            home: self.node,
            last: 0,
            letters: BTreeMap::new(),
            standing: BTreeMap::new(),
            calling: Calling::new(self.person.key(), call_seed),
            due: None,
        });
    }

    pub(crate) fn native(&mut self) -> Option<&mut Native> {
        self.native.as_mut()
    }

    /// How its machine calls a socket of the world.
    pub(crate) fn own_name(&self, socket: u64) -> Option<SocketId> {
        let sockets = &self.native.as_ref()?.sockets;
        sockets.iter().find(|(_, known)| known.0 == socket).map(|(own, _)| *own)
    }

    /// The world made a socket that the machine wanted.
    pub(crate) fn wired(&mut self, own: SocketId, socket: u64, node: usize) {
        if let Some(native) = &mut self.native {
            native.sockets.insert(own, (socket, node));
        }
    }

    /// The best of its servers.
    pub(crate) fn home(&self) -> Option<usize> {
        self.native.as_ref().map(|native| native.home)
    }

    /// Whether it is neither connected nor trying to be.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.native.as_ref().map(|native| native.line.status().state);
        matches!(state, Some(State::Idle | State::Stopped))
    }

    /// When the machine is due.
    pub(crate) fn due(&self) -> Option<u64> {
        let native = self.native.as_ref()?;
        let line = native.line.next_deadline().map(|due| due.0);
        line.into_iter().chain(native.calling.due()).min()
    }

    /// A request of a native client: what the machine is told.
    pub(crate) fn wish(&mut self, ask: Ask, mut frame: Value) -> Option<(u64, Input)> {
        let native = self.native.as_mut()?;
        native.last += 1;
        let n = native.last;
        if matches!(ask, Ask::Signal) {
            frame["data"]["n"] = json!(n);
        }
        let body = Body::new(&frame).ok()?;
        let repeatable = is_repeatable(&ask, &frame);
        self.pending.insert(n, Pending { frame: String::new(), ask });
        Some((n, Input::Request { id: AskId(n), body, repeatable }))
    }

    /// Tells the machine something. What it wants comes back, and what it should be told next.
    pub(crate) fn tell(&mut self, now: u64, input: Input, judge: &mut Judge) -> (Vec<Want>, Vec<Input>) {
        let (mut out, mut early) = (Vec::new(), Vec::new());
        if matches!(input, Input::Tick) {
            self.tell_calls(now, calls::Input::Tick, judge, &mut early);
        }
        let Some(native) = &mut self.native else { return Default::default() };
        native.line.handle(Moment(now), input, &mut out);
        if native.line.next_deadline().is_some_and(|due| due.0 <= now) {
            judge.wrong(format!("client {}: something stays due", self.index));
        }
        let (mut wants, mut inputs) = (Vec::new(), early);
        for output in out {
            self.heed(now, output, judge, &mut wants, &mut inputs);
        }
        (wants, inputs)
    }

    fn heed(&mut self, now: u64, output: Output, judge: &mut Judge, wants: &mut Vec<Want>, inputs: &mut Vec<Input>) {
        let Some(native) = &mut self.native else { return };
        match output {
            Output::Connect { socket, url } => wants.push(Want::Connect(socket, node_at(&url))),
            Output::Disconnect(socket) => {
                wants.extend(native.sockets.remove(&socket).map(|(socket, _)| Want::Disconnect(socket)));
            }
            Output::Send { socket, text } => {
                native.current = native.sockets.get(&socket).copied();
                let at = native.current;
                self.sends(&text, judge);
                wants.extend(at.map(|(at, _)| Want::Send(at, text)));
            }
            Output::Prove { socket, statement, .. } => {
                inputs.push(Input::Proved { socket, signature: self.person.sign(&statement) });
            }
            Output::Status(status) => {
                let line = calls::Input::Line(status.state);
                self.stands(&status, judge, wants);
                self.tell_calls(now, line, judge, inputs);
            }
            Output::Welcome { frame, lost } => {
                let value: Value = frame.parse().unwrap_or_default();
                self.let_in(now, &value, lost, judge);
                if let Some(Welcome { limits, .. }) = frame.parse() {
                    self.allowed(now, &limits, judge, inputs);
                }
                let [id, device, namespace] = ["id", "device", "namespace"].map(|field| text(&value[field]).to_owned());
                self.tell_calls(now, calls::Input::Welcomed { id, device, namespace }, judge, inputs);
                if lost {
                    self.tell_calls(now, calls::Input::Fresh, judge, inputs);
                }
            }
            Output::Answer { to, frame } => self.told_answer(now, to, &frame, judge, inputs),
            Output::Given { to, why } => self.given(now, to, &why, judge, inputs),
            Output::Event(frame) => {
                let value: Value = frame.parse().unwrap_or_default();
                // An answer that comes after its request was given up is no refusal of anything else.
                if value["type"] == "error" && value["re"].is_null() {
                    self.refused(None, &value, judge);
                }
                self.hears(now, &value, judge, inputs);
                if let Some(heard) = frame.parse::<RelayedHeard>().filter(|_| frame.kind() == "relayed") {
                    self.relayed(now, heard, judge, inputs);
                } else if let Some(heard) = frame.parse::<SignalHeard>().filter(|heard| heard.kind.starts_with("ww.")) {
                    self.called(now, heard, judge, inputs);
                }
            }
            // That a server is not reached is no news; what it should not have said is.
            Output::Fault { code, message } => {
                if code != 4501 && code != 4004 {
                    judge.wrong(format!("client {}: {code} {message}", self.index));
                }
            }
        }
    }

    fn stands(&mut self, status: &Status, judge: &mut Judge, wants: &mut Vec<Want>) {
        match status.state {
            State::Open => {}
            State::Stopped => {
                self.disconnected();
                self.forget_session(judge);
                if status.code != 4301 {
                    judge.wrong(format!("client {} was told to stop: {status:?}", self.index));
                }
                wants.push(Want::Reopen);
            }
            State::Idle => {
                if let Some(native) = &mut self.native {
                    native.standing.clear();
                }
                self.disconnected();
                self.forget_session(judge);
            }
            State::Connecting | State::Waiting => self.disconnected(),
        }
    }

    /// A frame leaves: under which `n` which letter goes, and under which name.
    fn sends(&mut self, frame: &str, judge: &mut Judge) {
        let frame: Value = serde_json::from_str(frame).unwrap_or_default();
        let (Some(native), Some(n), true) = (&mut self.native, frame["n"].as_u64(), frame["type"] == "signal") else {
            return;
        };
        let letter = frame["data"]["n"].as_u64().filter(|_| !text(&frame["kind"]).starts_with("ww."));
        native.letters.insert(n, letter);
        let Some(letter) = letter else { return };
        let id = self.id.clone().unwrap_or_default();
        judge.letters.goes_out(self.index, letter, &id);
    }

    fn let_in(&mut self, now: u64, frame: &Value, lost: bool, judge: &mut Judge) {
        if let Some((socket, node, home)) =
            self.native.as_ref().and_then(|native| Some((native.current?.0, native.current?.1, native.home)))
        {
            if self.id.is_some() && self.node != node {
                judge.counts.failovers += u64::from(node != home);
                judge.counts.homecomings += u64::from(node == home);
            }
            (self.socket, self.node) = (Some(socket), node);
        }
        let resumed = frame["resumed"] == true;
        let missed = frame["missed"].as_u64().unwrap_or(0);
        if resumed {
            judge.counts.resumed += 1;
            if missed > 0 {
                judge.counts.missed += missed;
                let taken_in = frame["n"].as_u64().unwrap_or(0);
                self.missed(now, taken_in, judge);
            }
        } else {
            if lost || self.token.is_some() {
                self.forget_session(judge);
            }
            self.flooded = false;
            let id = text(&frame["id"]);
            judge.began(self.index, id);
            self.id = Some(id.to_owned());
            self.recover(now, |_| true);
        }
        let own = (self.id.as_deref().unwrap_or_default(), self.person.device(), self.person.ns());
        if (text(&frame["id"]), text(&frame["device"]), text(&frame["namespace"])) != own {
            judge.wrong(format!("client {} is {own:?}, but was welcomed as {frame}", self.index));
        }
        self.token = frame["resume"].as_str().map(str::to_owned);
        self.ice_expires = frame["ice_expires"].as_u64();
        self.ready = true;
    }

    /// Messages are lost: what it knows of rooms, networks and ids is asked for again.
    fn missed(&mut self, now: u64, taken_in: u64, judge: &mut Judge) {
        let Some(native) = &self.native else { return };
        if let Some(letter) = native.letters.range(..=taken_in).filter_map(|(_, letter)| *letter).max() {
            judge.letters.sender_missed(self.index, letter);
        }
        // Which rooms codes led to, it may not know.
        self.flooded |= self.pending.values().any(|pending| matches!(pending.ask, Ask::JoinByCode));
        self.views.rooms.clear();
        self.views.networks.clear();
        self.views.watching.clear();
        self.recover(now, |ask| matches!(ask, Ask::Join(_) | Ask::Network(_) | Ask::Watch { .. }));
        self.views.recovering.extend(self.pending.keys().copied());
    }

    /// Until what stands is answered, it knows less than it will.
    fn recover(&mut self, now: u64, is_asked: impl Fn(&Ask) -> bool) {
        let Some(native) = &mut self.native else { return };
        self.views.recovering.clear();
        for (number, ask) in native.standing.values_mut().filter(|(_, ask)| is_asked(ask)) {
            self.views.recovering.insert(*number);
            if let Ask::Watch { since, .. } = ask {
                *since = now;
            }
        }
    }

    /// The session is over; what was asked for is answered or given up all the same.
    fn forget_session(&mut self, judge: &mut Judge) {
        if self.token.take().is_some() {
            judge.ended(self.index);
        }
        self.views = super::Views::default();
    }

    fn told_answer(&mut self, now: u64, to: Asked, frame: &Frame, judge: &mut Judge, inputs: &mut Vec<Input>) {
        let value: Value = frame.parse().unwrap_or_default();
        match to {
            Asked::Request(AskId(n)) => {
                let ask = self.pending.get(&n).map(|pending| pending.ask.clone());
                self.answered(n, &value, now, judge);
                self.hears(now, &value, judge, inputs);
                if let Some(ask) = &ask {
                    self.call_answered(now, ask, Ok(frame), judge, inputs);
                }
                let granted = ask.filter(|_| value["type"] != "error");
                if let Some(ask) = granted {
                    self.stand(now, &ask, &value, inputs);
                }
            }
            Asked::Standing(key) => {
                let Some(native) = &mut self.native else { return };
                let stands = native.standing.get(&key).cloned();
                if let Some((number, _)) = &stands {
                    self.views.recovering.remove(number);
                }
                match (stands, value["type"] == "error") {
                    (Some((_, ask)), true) => {
                        native.standing.remove(&key);
                        inputs.push(Input::Unstand(key));
                        self.refused(Some(&ask), &value, judge);
                    }
                    (Some((_, ask)), false) => {
                        self.views.granted(&ask);
                        self.hears(now, &value, judge, inputs);
                    }
                    (None, true) => self.refused(Some(&Ask::Other), &value, judge),
                    // It does not want that any more, and has it again: it stands, as far as anybody knows.
                    (None, false) => self.again(now, &key, &value, judge, inputs),
                }
            }
        }
    }

    /// Something was asked for again that was over by then.
    fn again(&mut self, now: u64, key: &str, frame: &Value, judge: &mut Judge, inputs: &mut Vec<Input>) {
        let Some((kind, name)) = key.split_once(' ') else { return };
        let name = name.to_owned();
        let ask = match kind {
            "watch" => Ask::Watch { id: name, since: now },
            "room" => Ask::Join(name),
            "topic" => Ask::Subscribe(name),
            "network" => Ask::Network(name),
            _ => return,
        };
        self.views.granted(&ask);
        self.hears(now, frame, judge, inputs);
        self.stand(now, &ask, frame, inputs);
    }

    /// Something was granted: what is to be asked again of the next session, or not any more.
    fn stand(&mut self, now: u64, ask: &Ask, frame: &Value, inputs: &mut Vec<Input>) {
        let (key, again) = match ask {
            Ask::Watch { id, .. } => (
                format!("watch {id}"),
                Some((Ask::Watch { id: id.clone(), since: now }, json!({"type": "watch", "ids": [id]}))),
            ),
            Ask::Unwatch(id) => (format!("watch {id}"), None),
            Ask::Join(_) | Ask::JoinByCode => {
                let room = text(&frame["room"]).to_owned();
                let again = json!({"type": "room.join", "room": room, "create": true});
                (format!("room {room}"), Some((Ask::Join(room), again)))
            }
            Ask::Leave(room) => (format!("room {room}"), None),
            Ask::Subscribe(topic) => {
                let again = json!({"type": "subscribe", "topics": [topic]});
                (format!("topic {topic}"), Some((Ask::Subscribe(topic.clone()), again)))
            }
            Ask::Unsubscribe(topic) => (format!("topic {topic}"), None),
            Ask::Network(network) => {
                let again = json!({"type": "network.join", "network": network});
                (format!("network {network}"), Some((Ask::Network(network.clone()), again)))
            }
            Ask::LeaveNetwork(network) => (format!("network {network}"), None),
            _ => return,
        };
        let Some(native) = &mut self.native else { return };
        match again {
            Some((ask, frame)) => {
                native.last += 1;
                let number = native.standing.get(&key).map_or(native.last, |(number, _)| *number);
                native.standing.insert(key.clone(), (number, ask));
                inputs.extend(Body::new(&frame).ok().map(|body| Input::Stand { key, body }));
            }
            None => self.unstand(key, inputs),
        }
    }

    fn unstand(&mut self, key: String, inputs: &mut Vec<Input>) {
        let Some((number, _)) = self.native.as_mut().and_then(|native| native.standing.remove(&key)) else { return };
        self.views.recovering.remove(&number);
        inputs.push(Input::Unstand(key));
    }

    fn hears(&mut self, now: u64, frame: &Value, judge: &mut Judge, inputs: &mut Vec<Input>) {
        if frame["type"] == "room.left" {
            self.unstand(format!("room {}", text(&frame["room"])), inputs);
        }
        self.told(now, frame, judge);
    }

    fn given(&mut self, now: u64, to: Asked, why: &GivenUp, judge: &mut Judge, inputs: &mut Vec<Input>) {
        judge.counts.given += 1;
        let n = match to {
            Asked::Request(AskId(n)) => n,
            Asked::Standing(key) => {
                // It will be asked for again, but not of this session.
                self.flooded = true;
                let number =
                    self.native.as_ref().and_then(|native| native.standing.get(&key)).map(|(number, _)| *number);
                number.map(|number| self.views.recovering.remove(&number));
                return;
            }
        };
        self.views.recovering.remove(&n);
        let Some(Pending { ask, .. }) = self.pending.remove(&n) else {
            return judge.wrong(format!("client {}: request {n} ended twice", self.index));
        };
        self.call_answered(now, &ask, Err(why.to_string()), judge, inputs);
        match (ask, why) {
            (Ask::Call(_) | Ask::CallFind(_) | Ask::Relay(_), _) => {}
            (Ask::Signal, GivenUp::QueueFull | GivenUp::TooLarge) => {
                let kept = judge.letters.answered(self.index, n, Fate::Refused);
                judge.hold(kept);
            }
            (Ask::Signal, _) => judge.letters.given(self.index, n),
            (Ask::Find { .. } | Ask::Broadcast | Ask::AsMember(_) | Ask::Other, _) => {}
            // It may be in or out of something, and cannot know.
            _ => self.flooded = true,
        }
    }
}

/// Whether it does no harm to ask twice.
fn is_repeatable(ask: &Ask, frame: &Value) -> bool {
    match ask {
        Ask::Join(_) => frame["type"] == "room.join",
        Ask::Find { .. }
        | Ask::Watch { .. }
        | Ask::Unwatch(_)
        | Ask::Subscribe(_)
        | Ask::Unsubscribe(_)
        | Ask::Network(_)
        | Ask::LeaveNetwork(_)
        | Ask::Swarm { .. }
        | Ask::LeaveSwarm(_)
        | Ask::Count { .. } => true,
        _ => false,
    }
}
