//! What clients ask of servers.

use serde_json::{Value, json};
use wigwag_peer::Input;

use super::{Event, World};
use crate::client::{Act, Ask, Manner};
use crate::judge::signals::Letter;
use crate::node::HANDSHAKE_MS;

pub(super) const ROOMS: [&str; 3] = ["den", "attic", "cellar"];
const TOPICS: [&str; 2] = ["scores", "weather"];
const NETWORKS: [&str; 2] = ["tom", "jerry"];
const SWARMS: [&str; 2] = ["big-file", "small-file"];
/// An id that nobody ever has.
const NOBODY: &str = "nobody@sim.example";

impl World<'_> {
    /// One client does something, and will do something again.
    pub(super) fn act(&mut self, client: usize) {
        if self.resting {
            return;
        }
        let pause = self.dice.between(1, 2 * self.plan.act_ms);
        self.later(pause, Event::Acts { client });
        self.misfortune(client);
        if self.clients[client].is_native() {
            if self.clients[client].ready {
                self.ask(client);
            }
            if self.dice.permille(20) {
                self.look_around(client);
            }
            if self.dice.permille(60) {
                self.call(client);
            }
        } else if self.clients[client].socket.is_none() {
            let moves = self.clients[client].id.is_none() || self.dice.permille(self.plan.stray);
            let node = if moves { self.dice.index(self.nodes.len()) } else { self.clients[client].node };
            self.connect(client, node);
        } else if self.clients[client].ready {
            self.ask(client);
            if self.dice.permille(self.plan.roam) {
                self.roam(client);
            }
        } else {
            self.expect_late_close(client);
        }
    }

    /// Whoever never answers the challenge is sent away.
    fn expect_late_close(&mut self, client: usize) {
        let patience = HANDSHAKE_MS + 2 * self.plan.delay_ms + 10_000;
        let known = &self.clients[client];
        if known.manner == Manner::Mute && known.since + patience < self.now_ms && self.is_wired(client) {
            self.judge.wrong(format!("client {client} never said hello, and its socket stays open"));
        }
    }

    fn ask(&mut self, client: usize) {
        if self.dice.permille(self.plan.nonsense) {
            return self.ask_for_nonsense(client);
        }
        let target = self.somebody(client);
        match self.dice.below(100) {
            0..46 => self.signal(client, &target),
            46..54 => {
                let ask = Ask::Watch { id: target.clone(), since: self.now_ms };
                self.request(client, ask, json!({"type": "watch", "ids": [target]}));
            }
            54..56 => {
                let frame = json!({"type": "unwatch", "ids": [target]});
                self.request(client, Ask::Unwatch(target), frame);
            }
            56..59 => {
                let frame = json!({"type": "find", "id": target});
                self.request(client, Ask::Find { id: target, since: self.now_ms }, frame);
            }
            59..82 => self.ask_about_a_room(client, &target),
            82..94 => self.ask_about_many(client, &target),
            94 => self.bye(client),
            95..97 => {
                // A count that cannot be is no confirmation.
                let beyond = if self.dice.permille(self.plan.lie) { 1_000 } else { 0 };
                let seen = self.clients[client].seen() + beyond;
                self.request(client, Ask::Other, json!({"type": "seen", "seen": seen}));
            }
            97 => self.request(client, Ask::Other, json!({"type": "ice"})),
            _ => self.request(client, Ask::Other, json!({"type": "room.list"})),
        }
    }

    /// What nobody should ask. It costs a refusal, and nobody but the asker notices.
    fn ask_for_nonsense(&mut self, client: usize) {
        self.judge.counts.nonsense += 1;
        let (code, frame) = match self.dice.below(5) {
            0 => (4401, json!({"type": "nonsense"})),
            1 => (4402, json!({"type": "find"})),
            2 => (4402, json!({"type": "signal", "to": "", "kind": "offer", "data": {}})),
            3 => (4411, json!({"type": "room.join", "room": "den", "me": "x".repeat(5_000)})),
            _ => {
                let text =
                    self.dice.one_of(&["", "[]", "{", r#"{"type":"hello"}"#, r#"{"type":"find","id":"a","id":"b"}"#]);
                return self.say_to(client, (*text).to_owned());
            }
        };
        self.request(client, Ask::Nonsense { code }, frame);
    }

    fn ask_about_a_room(&mut self, client: usize, target: &str) {
        let room = *self.dice.one_of(&ROOMS);
        let view = self.clients[client].views.rooms.get(room);
        let term = view.map_or(0, |view| view.term);
        let (name, now) = (room.to_owned(), self.now_ms);
        // Most of what is asked about a room is asked by somebody who is in it.
        if view.is_none() && self.dice.permille(700) {
            return self.enter(client, room);
        }
        match self.dice.below(24) {
            0..3 => self.request(client, Ask::Leave(name), json!({"type": "room.leave", "room": room})),
            3..10 => self.say_something(client, Ask::AsMember(name), json!({"type": "say", "room": room})),
            10..13 => {
                let frame = json!({"type": "room.transfer", "room": room, "term": term, "id": target});
                self.request(client, Ask::AsMember(name), frame);
            }
            13 => {
                let frame = json!({"type": "room.kick", "room": room, "term": term, "id": target, "reason": "enough"});
                self.request(client, Ask::AsMember(name), frame);
            }
            14 => {
                let order = *self.dice.one_of(&["room.ban", "room.unban", "room.unban"]);
                let frame = json!({"type": order, "room": room, "term": term, "id": target});
                self.request(client, Ask::AsMember(name), frame);
            }
            15..17 => {
                let mode = *self.dice.one_of(&["HOST_ONLY", "FREE_FOR_ALL"]);
                let (locked, meta) = (self.dice.permille(200), json!({"at": now}));
                let frame = json!({"type": "room.set", "room": room, "term": term, "mode": mode, "locked": locked, "meta": meta});
                self.request(client, Ask::AsMember(name), frame);
            }
            17 => {
                let frame = json!({"type": "room.state", "room": room, "term": term, "state": {"left": now}});
                self.request(client, Ask::AsMember(name), frame);
            }
            18 => self.request(client, Ask::AsMember(name), json!({"type": "room.code", "room": room})),
            19 => self.request(client, Ask::AsMember(name), json!({"type": "room.beat", "room": room})),
            20..22 => {
                let frame = json!({"type": "room.me", "room": room, "me": {"at": now}});
                self.request(client, Ask::AsMember(name), frame);
            }
            _ => self.enter(client, room),
        }
    }

    fn enter(&mut self, client: usize, room: &str) {
        let name = room.to_owned();
        let code = self.clients.iter().filter_map(|other| other.views.code.clone()).next_back();
        match (self.dice.below(10), code) {
            (0, _) => {
                let frame = json!({
                    "type": "room.create", "room": room, "code": true, "mode": "FREE_FOR_ALL", "listed": true,
                    "capacity": self.dice.between(2, 8), "linger": self.dice.below(5), "idle": self.dice.below(2) * 20,
                    "password": if self.dice.permille(300) { "open" } else { "" },
                });
                self.request(client, Ask::Join(name), frame);
            }
            (1, Some(code)) => self.request(client, Ask::JoinByCode, json!({"type": "room.join", "code": code})),
            (2..4, _) => {
                let frame =
                    json!({"type": "room.join", "room": room, "password": "open", "me": {"since": self.now_ms}});
                self.request(client, Ask::Join(name), frame);
            }
            _ => self.request(client, Ask::Join(name), json!({"type": "room.join", "room": room, "create": true})),
        }
    }

    fn ask_about_many(&mut self, client: usize, target: &str) {
        let (topic, network) = (*self.dice.one_of(&TOPICS), *self.dice.one_of(&NETWORKS));
        let swarm = *self.dice.one_of(&SWARMS);
        match self.dice.below(24) {
            0..4 => {
                let frame = json!({"type": "subscribe", "topics": [topic]});
                self.request(client, Ask::Subscribe(topic.to_owned()), frame);
            }
            4 => {
                let frame = json!({"type": "unsubscribe", "topics": [topic]});
                self.request(client, Ask::Unsubscribe(topic.to_owned()), frame);
            }
            5..9 => self.say_something(client, Ask::Other, json!({"type": "publish", "topic": topic})),
            9 => self.say_something(client, Ask::Broadcast, json!({"type": "broadcast"})),
            10..13 => {
                let frame = json!({"type": "network.join", "network": network, "me": {"at": self.now_ms}});
                self.request(client, Ask::Network(network.to_owned()), frame);
            }
            13 => {
                let frame = json!({"type": "network.leave", "network": network});
                self.request(client, Ask::LeaveNetwork(network.to_owned()), frame);
            }
            14..16 => self.say_to(client, json!({"type": "beat", "network": network}).to_string()),
            16..18 => {
                let roles = if self.dice.permille(500) { json!(["storage"]) } else { json!([]) };
                let frame = json!({"type": "role", "network": network, "id": target, "roles": roles});
                self.request(client, Ask::Other, frame);
            }
            18..21 => {
                let complete = self.dice.permille(300);
                let frame = json!({"type": "swarm.announce", "swarm": swarm, "want": 3, "complete": complete});
                self.request(client, Ask::Swarm { swarm: swarm.to_owned(), complete }, frame);
            }
            21 => {
                let frame = json!({"type": "swarm.leave", "swarm": swarm});
                self.request(client, Ask::LeaveSwarm(swarm.to_owned()), frame);
            }
            _ => self.request(client, Ask::Other, json!({"type": "swarm.count", "swarm": swarm})),
        }
    }

    /// One signal, or a burst as when a call begins.
    fn signal(&mut self, client: usize, to: &str) {
        let burst = if self.dice.permille(100) { self.dice.between(2, 30) } else { 1 };
        let device = if self.dice.permille(150) { Some(*self.dice.one_of(&["", "device-1"])) } else { None };
        for _ in 0..burst {
            let mut frame = json!({"type": "signal", "to": to, "kind": "candidate", "data": {"s": client}});
            let mut store = 0;
            if self.nodes.len() == 1 && self.dice.permille(300) {
                store = *self.dice.one_of(&[5, 60, 86_400]);
                frame["store"] = json!(store);
            }
            if let Some(device) = device {
                frame["device"] = json!(device);
            }
            if self.dice.permille(50) {
                frame["data"]["pad"] = json!("x".repeat(self.dice.between(100, 6_000) as usize));
            }
            let (ns, from) = (self.judge.person(client).ns(), self.judge.id(client).to_owned());
            if self.clients[client].is_native() {
                if let Some((n, input)) = self.clients[client].wish(Ask::Signal, frame) {
                    self.judge.sent(self.now_ms, client, n, Letter::new(ns, &from, to, device, store));
                    self.tell_native(client, input);
                }
                continue;
            }
            let (n, frame) = self.clients[client].numbered(Ask::Signal, frame);
            self.judge.sent(self.now_ms, client, n, Letter::new(ns, &from, to, device, store));
            self.say_to(client, frame);
        }
    }

    pub(super) fn bye(&mut self, client: usize) {
        if self.clients[client].is_native() {
            self.act_on_calls(client, Act::CloseAll);
            self.tell_native(client, Input::Close);
            let wait = self.dice.between(1, 5_000);
            if !self.resting {
                self.later(wait, Event::Reopens { client });
            }
            return;
        }
        self.say_to(client, json!({"type": "bye"}).to_string());
        // It hears nothing more; the server closes the socket.
        let Some(socket) = self.clients[client].socket else { return };
        self.clients[client].left(&mut self.judge);
        let at = self.next_at_server(socket) + 1;
        self.at(at, Event::ServerNotices { socket });
    }

    pub(super) fn request(&mut self, client: usize, ask: Ask, frame: Value) {
        if self.clients[client].is_native() {
            return self.wish(client, ask, frame);
        }
        let frame = self.clients[client].request(ask, frame);
        self.say_to(client, frame);
    }

    /// A message to many. Now and then its sender does not care what becomes of it.
    fn say_something(&mut self, client: usize, ask: Ask, mut frame: Value) {
        frame["data"] = self.clients[client].words().1;
        if self.dice.permille(300) {
            self.say_to(client, frame.to_string());
        } else {
            self.request(client, ask, frame);
        }
    }

    fn say_to(&mut self, client: usize, text: String) {
        if self.clients[client].is_native() {
            return self.mention(client, &text);
        }
        if let Some(socket) = self.clients[client].socket {
            self.send(socket, text);
        }
    }

    /// An id of the client's namespace, as a rule somebody's.
    pub(super) fn somebody(&mut self, client: usize) -> String {
        let other = self.dice.index(self.clients.len());
        let same = self.judge.person(other).ns() == self.judge.person(client).ns();
        let id = if same { self.judge.id(other) } else { "" };
        if id.is_empty() || self.dice.permille(20) { NOBODY.to_owned() } else { id.to_owned() }
    }
}
