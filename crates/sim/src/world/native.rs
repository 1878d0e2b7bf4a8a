//! What native clients want of the world: their machine says when to connect, to which server, and what to send.

use std::collections::VecDeque;

use serde_json::Value;
use wigwag_peer::{Body, Input, SocketId};

use super::wires::Wire;
use super::{Event, World};
use crate::client::{Act, Ask, Boxed, Client, Want};

impl World<'_> {
    /// Some of the clients are native ones; each has its own order of servers.
    pub(super) fn nativize(&mut self) {
        for client in 0..self.clients.len() {
            if self.dice.permille(self.plan.native) {
                let mut servers: Vec<usize> = (0..self.nodes.len()).collect();
                let first = self.dice.index(servers.len());
                servers.rotate_left(first);
                let seeds = [self.dice.seed(), self.dice.seed()];
                self.clients[client].nativize(&servers, seeds);
                let at = self.dice.below(2_000);
                self.later(at, Event::Reopens { client });
            }
        }
    }

    /// A native client is told something, and everything that follows of it happens.
    pub(super) fn tell_native(&mut self, client: usize, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let (wants, next) = self.clients[client].tell(self.now_ms, input, &mut self.judge);
            for want in wants {
                self.grant(client, want);
            }
            inputs.extend(next);
        }
        for boxed in self.clients[client].take_boxes() {
            // A path between engines loses nothing and keeps the order, as their channels do.
            let delay = self.delay();
            let at = self.boxes_at.entry((client, boxed.client)).or_default();
            *at = (*at).max(self.now_ms + delay);
            let at = *at;
            self.at(at, Event::Boxed(boxed));
        }
        let due = self.clients[client].due();
        if let Some(native) = self.clients[client].native()
            && native.due != due
        {
            native.due = due;
            if let Some(due) = due {
                self.at(due, Event::Wakes { client, due });
            }
        }
    }

    pub(super) fn wakes(&mut self, client: usize, due: u64) {
        if self.clients[client].native().is_some_and(|native| native.due == Some(due)) {
            self.clients[client].native().map(|native| native.due.take());
            self.tell_native(client, Input::Tick);
        }
    }

    /// A box reaches the other end of a direct path.
    pub(super) fn boxed(&mut self, boxed: &Boxed) {
        let Boxed { client, connection, packed } = boxed;
        for input in self.clients[*client].boxed(self.now_ms, *connection, packed, &mut self.judge) {
            self.tell_native(*client, input);
        }
        self.tell_native(*client, Input::Tick);
    }

    /// A native client that was sent away, or left, comes again.
    pub(super) fn reopens(&mut self, client: usize) {
        if self.clients[client].is_idle() {
            self.tell_native(client, Input::Open);
        }
    }

    /// A server could not be reached at all.
    pub(super) fn unreachable(&mut self, client: usize, own: SocketId) {
        self.tell_native(client, Input::Lost { socket: own, code: 0, reason: String::new() });
    }

    /// A request of a native client.
    pub(super) fn wish(&mut self, client: usize, ask: Ask, frame: Value) {
        if let Some((_, input)) = self.clients[client].wish(ask, frame) {
            self.tell_native(client, input);
        }
    }

    /// Something that it says without caring for an answer.
    pub(super) fn mention(&mut self, client: usize, text: &str) {
        if let Ok(body) = Body::from_text(text) {
            self.tell_native(client, Input::Mention(body));
        }
    }

    /// It does something about calls.
    pub(super) fn call(&mut self, client: usize) {
        let act = match self.dice.below(16) {
            10.. => Act::Say,
            0..6 => Act::Connect(self.somebody(client), None),
            6..8 => Act::Lose,
            8 => Act::Close,
            _ => Act::Move,
        };
        self.act_on_calls(client, act);
    }

    pub(super) fn act_on_calls(&mut self, client: usize, act: Act) {
        self.say(|_| format!("client {client}: {act:?}"));
        for input in self.clients[client].call(self.now_ms, act, &mut self.judge) {
            self.tell_native(client, input);
        }
        self.tell_native(client, Input::Tick);
    }

    /// Now that all is quiet, who wants to connect with another native client does.
    pub(super) fn probe_calls(&mut self) {
        let mut called = Vec::new();
        self.clients.iter_mut().for_each(Client::calm);
        for client in 0..self.clients.len() {
            let ns = self.judge.person(client).ns();
            let known = &self.clients[client];
            let fits = |other: &&Client| {
                other.is_native()
                    && other.ready
                    && other.node == known.node
                    && other.index != client
                    && self.judge.person(other.index).ns() == ns
            };
            let to = self.clients.iter().find(fits).map(|other| other.index);
            if let (true, Some(to)) = (known.is_native() && known.ready, to) {
                let (id, device) = (self.judge.id(to).to_owned(), self.judge.person(to).device().to_owned());
                if id != self.judge.id(client) {
                    self.act_on_calls(client, Act::Connect(id, Some(device)));
                    called.push((client, to));
                }
            }
        }
        self.run_until(self.now_ms + 25_000);
        for (client, to) in called {
            if self.clients[client].last_outcome() != Some(true) {
                let outcome = self.clients[client].last_outcome();
                self.judge.wrong(format!("client {client} wanted to connect with client {to}: {outcome:?}"));
            }
        }
        self.compare_words();
        for client in &self.clients {
            if client.overdue_wishes(self.now_ms) > 0 {
                self.judge.wrong(format!("a wish of client {} to connect never ended", client.index));
            }
        }
    }

    /// Where both ends of a connection carry, each has heard all that the other said, and nothing else.
    fn compare_words(&mut self) {
        for client in 0..self.clients.len() {
            for (connection, (other, theirs), said) in self.clients[client].said() {
                let heard = self.clients.get(other).and_then(|other| other.heard(theirs));
                if heard.is_some_and(|(whom, heard)| whom == (client, connection) && heard != said) {
                    self.judge.wrong(format!("client {client} said {said} words, client {other} heard {heard:?}"));
                }
            }
        }
    }

    /// It looks around: things may have become better, or worse.
    pub(super) fn look_around(&mut self, client: usize) {
        let input = if self.dice.permille(700) { Input::Nudge } else { Input::Check };
        self.tell_native(client, input);
    }

    /// A client and a server lose sight of each other: nothing arrives, and nobody is told.
    pub(super) fn part(&mut self, client: usize) {
        let node = if self.dice.permille(700) { self.clients[client].node } else { self.dice.index(self.nodes.len()) };
        let until = self.now_ms + self.dice.between(1_000, 40_000);
        self.say(|_| format!("client {client} and server {node} lose sight of each other until {until}"));
        self.judge.counts.partitions += 1;
        self.parted.insert((client, node), until);
        let between = |wire: &Wire| (wire.client, wire.node) == (client, node) && !wire.is_cut;
        let cut: Vec<u64> = self.wires.iter().filter(|(_, wire)| between(wire)).map(|(socket, _)| *socket).collect();
        for socket in cut {
            if let Some(wire) = self.wires.get_mut(&socket) {
                wire.is_cut = true;
            }
            self.lose_what_is_under_way(socket);
            let notice = self.dice.below(20_000);
            self.later(notice, Event::ServerNotices { socket });
        }
    }

    fn grant(&mut self, client: usize, want: Want) {
        match want {
            Want::Connect(own, node) => {
                let parted = self.parted.get(&(client, node)).is_some_and(|until| *until > self.now_ms);
                if parted && !self.resting {
                    self.say(|_| format!("client {client} does not reach server {node}"));
                } else if self.nodes[node].is_up() {
                    let socket = self.open_wire(client, node);
                    self.clients[client].wired(own, socket, node);
                    self.say(|_| format!("client {client} connects to server {node} by socket {socket}, as a native"));
                } else {
                    let wait = self.dice.below(300);
                    self.later(wait, Event::Unreachable { client, own });
                }
            }
            Want::Disconnect(socket) => {
                self.lose_what_comes(socket);
                let at = self.next_at_server(socket);
                self.at(at, Event::ServerNotices { socket });
            }
            Want::Send(socket, text) => self.send(socket, text),
            Want::Reopen => {
                let wait = self.dice.between(1_000, 5_000);
                self.later(wait, Event::Reopens { client });
            }
        }
    }

    fn lose_what_comes(&mut self, socket: u64) {
        self.events.retain(|_, event| !matches!(event, Event::ToClient { socket: s, .. } if *s == socket));
    }

    fn lose_what_is_under_way(&mut self, socket: u64) {
        self.lose_what_comes(socket);
        self.events.retain(|_, event| !matches!(event, Event::ToServer { socket: s, .. } if *s == socket));
    }
}
