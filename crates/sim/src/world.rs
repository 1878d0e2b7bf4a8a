//! The world: time, the wires between clients and servers, and the trouble that comes over them.

mod checks;
mod trouble;

use std::collections::BTreeMap;
use std::hash::Hasher;

use bytes::Bytes;
use wigwag_hub::{Carry, CarryStatus, Input, Moment, Now, SessionFilter, SocketId, Wall};
use wigwag_wire::{Namespace, PeerId};

use crate::book::Book;
use crate::client::{Client, Who};
use crate::dice::Dice;
use crate::node::{Node, Wish};
use crate::plan::Plan;
use crate::{Counts, Report};

/// Wall time at the beginning.
const WALL_BEGIN_MS: u64 = 1_795_000_000_000;

/// Something that will happen.
enum Event {
    Opens { node: usize, socket: u64 },
    ToServer { socket: u64, text: String },
    Pong { socket: u64, count: u64 },
    ToClient { socket: u64, what: ToClient },
    ServerNotices { socket: u64 },
    Acts { client: usize },
    Located { node: usize, process: u64, ns: Namespace, id: PeerId },
    Kept { node: usize, process: u64, number: u64, ns: Namespace, to: PeerId, expires: Wall, record: Bytes },
    Arrives { from: usize, process: u64, carry: Carry },
    Receipt { node: usize, process: u64, ticket: u64, status: CarryStatus },
}

enum ToClient {
    Frame(Bytes),
    Ping(u64),
    Close(u16),
}

/// One wire between a client and a server. Both directions keep their order.
struct Wire {
    client: usize,
    node: usize,
    process: u64,
    to_server_at: u64,
    to_client_at: u64,
}

pub(crate) struct World<'t> {
    seed: u64,
    plan: Plan,
    dice: Dice,
    now_ms: u64,
    wall_offset: i64,
    nodes: Vec<Node>,
    clients: Vec<Client>,
    wires: BTreeMap<u64, Wire>,
    next_socket: u64,
    next_event: u64,
    events: BTreeMap<(u64, u64), Event>,
    /// Tickets under which carried signals arrive, and what they were before.
    tickets: BTreeMap<u64, (usize, u64, Carry)>,
    next_ticket: u64,
    /// The host of each room and term, by server.
    hosts: BTreeMap<(usize, String, u64), String>,
    book: Book,
    counts: Counts,
    trace: Fnv,
    resting: bool,
    tell: Option<&'t mut dyn FnMut(&str)>,
}

/// A hash that is the same on every machine and in every build.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

impl<'t> World<'t> {
    pub(crate) fn new(seed: u64, plan: Plan, tell: Option<&'t mut dyn FnMut(&str)>) -> Self {
        let mut dice = Dice::new(seed);
        let nodes = (0..plan.nodes).map(|_| Node::new(plan.nodes, dice.seed())).collect();
        let clients = (0..plan.clients).map(|i| {
            let who = match i % 4 {
                0 => Who::Name(format!("peer{i}@sim.example")),
                3 => Who::Guest,
                _ => Who::Key,
            };
            Client::new(i, who)
        });
        Self {
            seed,
            plan,
            dice,
            now_ms: 1_000,
            wall_offset: 0,
            nodes,
            clients: clients.collect(),
            wires: BTreeMap::new(),
            next_socket: 0,
            next_event: 0,
            events: BTreeMap::new(),
            tickets: BTreeMap::new(),
            next_ticket: 0,
            hosts: BTreeMap::new(),
            book: Book::default(),
            counts: Counts::default(),
            trace: Fnv(0xcbf2_9ce4_8422_2325),
            resting: false,
            tell,
        }
    }

    pub(crate) fn run(mut self) -> Report {
        self.say(|w| format!("{:?}", w.plan));
        for client in 0..self.clients.len() {
            let at = self.dice.below(2_000);
            self.later(at, Event::Acts { client });
        }
        let trouble_end = self.now_ms + self.plan.trouble_ms;
        self.run_until(trouble_end);
        self.rest();
        let (signals, arrived, lost) = self.book.counts();
        let counts = Counts {
            signals,
            arrived,
            lost,
            resumed: self.clients.iter().map(|c| c.resumed).sum(),
            hosts: self.clients.iter().map(|c| c.hosts).sum(),
            ..self.counts
        };
        Report { seed: self.seed, broken: self.book.broken, trace: self.trace.finish(), counts }
    }

    /// Lets time pass: what is due happens in order, servers hear of time when they asked to.
    fn run_until(&mut self, end_ms: u64) {
        loop {
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let tick = self.nodes.iter().filter_map(Node::next_deadline).min().map(|m| m.0.max(self.now_ms));
            let Some(next) = event.into_iter().chain(tick).min().filter(|at| *at <= end_ms) else { break };
            self.now_ms = self.now_ms.max(next);
            for node in 0..self.nodes.len() {
                let now = self.now();
                if self.nodes[node].next_deadline().is_some_and(|at| at <= now.at) {
                    let wishes = self.nodes[node].tick(now);
                    self.carry_out(node, wishes);
                    self.check_node(node);
                }
            }
            if event.is_some_and(|at| at <= self.now_ms)
                && let Some((_, event)) = self.events.pop_first()
            {
                self.happen(event);
            }
        }
        self.now_ms = end_ms;
    }

    fn happen(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Opens { node, socket } => {
                if self.wires.get(&socket).is_some_and(|w| w.process == self.nodes[node].process) {
                    let wishes = self.nodes[node].open(now, SocketId(socket));
                    self.carry_out(node, wishes);
                }
            }
            Event::ToServer { socket, text } => {
                self.say(|_| format!("  {socket} > {text}"));
                self.at_node(socket, |node, now| node.text(now, SocketId(socket), &text));
            }
            Event::Pong { socket, count } => self.at_node(socket, |node, now| node.pong(now, SocketId(socket), count)),
            Event::ToClient { socket, what } => self.at_client(socket, what),
            Event::ServerNotices { socket } => {
                self.at_node(socket, |node, now| node.closed(now, SocketId(socket)));
                self.wires.remove(&socket);
            }
            Event::Acts { client } => self.act(client),
            Event::Located { node, process, ns, id } => {
                if self.nodes[node].process == process {
                    let place = self.whereabouts(node, &ns, &id);
                    let wishes = self.nodes[node].input(now, Input::Where { ns, id, place });
                    self.carry_out(node, wishes);
                }
            }
            Event::Kept { node, process, number, ns, to, expires, record } => {
                if self.nodes[node].process == process {
                    self.nodes[node].store.signals.insert(number, (ns.clone(), to.clone(), expires, record));
                    let wishes = self.nodes[node].input(now, Input::Kept { number, ns, to, ok: true });
                    self.carry_out(node, wishes);
                }
            }
            Event::Arrives { from, process, carry } => self.arrives(from, process, carry),
            Event::Receipt { node, process, ticket, status } => self.receipt(node, process, ticket, status),
        }
    }

    fn at_node(&mut self, socket: u64, act: impl FnOnce(&mut Node, Now) -> Vec<Wish>) {
        let now = self.now();
        let Some(wire) = self.wires.get(&socket) else { return };
        let node = wire.node;
        if self.nodes[node].process != wire.process {
            return;
        }
        let wishes = act(&mut self.nodes[node], now);
        self.carry_out(node, wishes);
        self.check_node(node);
    }

    fn at_client(&mut self, socket: u64, what: ToClient) {
        let Some(client) = self.wires.get(&socket).map(|w| w.client) else { return };
        if self.clients[client].socket != Some(socket) {
            return;
        }
        match what {
            ToClient::Frame(frame) => {
                self.counts.frames += 1;
                self.trace.write(&self.now_ms.to_le_bytes());
                self.trace.write(&frame);
                let text = String::from_utf8_lossy(&frame).into_owned();
                self.say(|_| format!("  {socket} < {text}"));
                for answer in self.clients[client].frame(&text, &mut self.book) {
                    self.send(socket, answer);
                }
            }
            ToClient::Ping(count) => {
                let at = self.to_server_at(socket);
                self.at(at, Event::Pong { socket, count });
            }
            ToClient::Close(code) => {
                self.say(|_| format!("  {socket} closed with {code}"));
                self.clients[client].disconnected();
                let at = self.to_server_at(socket);
                self.at(at, Event::ServerNotices { socket });
            }
        }
    }

    fn carry_out(&mut self, node: usize, wishes: Vec<Wish>) {
        let process = self.nodes[node].process;
        for wish in wishes {
            match wish {
                Wish::Send { socket, frame } => self.to_client(socket.0, ToClient::Frame(frame)),
                Wish::Mark { socket, count } => self.to_client(socket.0, ToClient::Ping(count)),
                Wish::Close { socket, code } => self.to_client(socket.0, ToClient::Close(code)),
                Wish::Where { ns, id } => {
                    if !self.dice.permille(self.drop()) {
                        let delay = self.delay();
                        self.later(delay, Event::Located { node, process, ns, id });
                    }
                }
                Wish::Keep { number, ns, to, expires, record } => {
                    let delay = self.delay();
                    self.later(delay, Event::Kept { node, process, number, ns, to, expires, record });
                }
                Wish::Carry(carry) => {
                    if !self.dice.permille(self.drop()) {
                        // One wire for each pair of servers keeps its order.
                        self.later(self.plan.delay_ms, Event::Arrives { from: node, process, carry });
                    }
                }
                Wish::Receipt { ticket, status } => {
                    if !self.dice.permille(self.drop()) {
                        self.later(self.plan.delay_ms, Event::Receipt { node, process, ticket, status });
                    }
                }
            }
        }
    }

    fn arrives(&mut self, from: usize, process: u64, carry: Carry) {
        let now = self.now();
        let to = carry.place.0 as usize;
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        self.tickets.insert(ticket, (from, process, carry.clone()));
        let input = Input::Arrived { ticket, ns: carry.ns, to: carry.to, record: &carry.record };
        let wishes = self.nodes[to].input(now, input);
        self.carry_out(to, wishes);
    }

    fn receipt(&mut self, _from: usize, _process: u64, ticket: u64, status: CarryStatus) {
        let now = self.now();
        let Some((node, process, carry)) = self.tickets.remove(&ticket) else { return };
        if self.nodes[node].process == process {
            let input = Input::Carried { ticket: carry.ticket, ns: carry.ns, to: carry.to, status };
            let wishes = self.nodes[node].input(now, input);
            self.carry_out(node, wishes);
        }
    }

    /// Another server where the id has a session.
    fn whereabouts(&self, asking: usize, ns: &Namespace, id: &PeerId) -> Option<wigwag_hub::Place> {
        let filter = SessionFilter { ns: Some(ns.clone()), id: Some(id.clone()) };
        let others = self.nodes.iter().enumerate().filter(|(node, _)| *node != asking);
        let mut found = others.filter(|(_, node)| !node.hub.sessions(&filter, None, 1).is_empty());
        found.next().map(|(node, _)| wigwag_hub::Place(node as u64))
    }

    fn to_client(&mut self, socket: u64, what: ToClient) {
        let delay = self.delay();
        let now = self.now_ms;
        let Some(wire) = self.wires.get_mut(&socket) else { return };
        wire.to_client_at = wire.to_client_at.max(now + delay);
        let at = wire.to_client_at;
        self.at(at, Event::ToClient { socket, what });
    }

    fn send(&mut self, socket: u64, text: String) {
        let at = self.to_server_at(socket);
        self.at(at, Event::ToServer { socket, text });
    }

    fn to_server_at(&mut self, socket: u64) -> u64 {
        let delay = self.delay();
        let now = self.now_ms;
        let Some(wire) = self.wires.get_mut(&socket) else { return now };
        wire.to_server_at = wire.to_server_at.max(now + delay);
        wire.to_server_at
    }

    fn delay(&mut self) -> u64 {
        let most = if self.resting { 20 } else { self.plan.delay_ms };
        self.dice.below(most + 1)
    }

    fn drop(&self) -> u64 {
        if self.resting { 0 } else { self.plan.drop }
    }

    fn now(&self) -> Now {
        let wall = (WALL_BEGIN_MS + self.now_ms).saturating_add_signed(self.wall_offset);
        Now { at: Moment(self.now_ms), wall: Wall(wall) }
    }

    fn later(&mut self, delay: u64, event: Event) {
        self.at(self.now_ms + delay, event);
    }

    fn at(&mut self, at: u64, event: Event) {
        self.next_event += 1;
        self.events.insert((at.max(self.now_ms), self.next_event), event);
    }

    fn say(&mut self, text: impl FnOnce(&Self) -> String) {
        if let Some(tell) = self.tell.take() {
            tell(&format!("{:>8} {}", self.now_ms, text(self)));
            self.tell = Some(tell);
        }
    }
}
