//! The world: time, and what happens in it, in order.

mod acts;
mod between;
mod checks;
mod native;
mod rest;
mod trouble;
mod wires;

use std::collections::BTreeMap;
use std::hash::Hasher;

use wigwag_hub::{Carry, CarryStatus, Keep, Moment, Now, Wall};
use wigwag_peer::SocketId;
use wigwag_wire::{Namespace, PeerId};

use self::wires::{ToClient, Wire};
use crate::client::{Boxed, Client, name};
use crate::dice::Dice;
use crate::judge::Judge;
use crate::node::{Claim, Node};
use crate::people::crowd;
use crate::plan::Plan;
use crate::{Counts, Report};

/// Wall time at the beginning.
const WALL_BEGIN_MS: u64 = 1_795_000_000_000;

/// Something that will happen.
enum Event {
    Opens {
        node: usize,
        socket: u64,
    },
    ToServer {
        socket: u64,
        text: String,
    },
    Pong {
        socket: u64,
        count: u64,
    },
    ToClient {
        socket: u64,
        what: ToClient,
    },
    /// The server hears that a socket is gone.
    ServerNotices {
        socket: u64,
    },
    /// The client does.
    ClientNotices {
        socket: u64,
    },
    Acts {
        client: usize,
    },
    /// A native client wanted to be woken.
    Wakes {
        client: usize,
        due: u64,
    },
    Reopens {
        client: usize,
    },
    /// A native client hears that there is no server.
    Unreachable {
        client: usize,
        own: SocketId,
    },
    /// Something reaches a client by a direct path.
    Boxed(Boxed),
    Starts {
        node: usize,
    },
    Claimed {
        node: usize,
        process: u64,
        claim: Claim,
    },
    Located {
        node: usize,
        process: u64,
        ns: Namespace,
        id: PeerId,
    },
    Kept {
        node: usize,
        process: u64,
        keep: Keep,
    },
    Forgotten {
        node: usize,
        process: u64,
        numbers: Vec<u64>,
    },
    Arrives {
        from: usize,
        process: u64,
        carry: Carry,
    },
    Receipt {
        ticket: u64,
        status: CarryStatus,
    },
}

pub(crate) struct World<'t> {
    seed: u64,
    plan: Plan,
    dice: Dice,
    now_ms: u64,
    wall_offset: i64,
    nodes: Vec<Node>,
    clients: Vec<Client>,
    judge: Judge,
    wires: BTreeMap<u64, Wire>,
    next_socket: u64,
    next_event: u64,
    events: BTreeMap<(u64, u64), Event>,
    /// Tickets under which carried signals arrive, and what they were before: which server's, of which process.
    tickets: BTreeMap<u64, (usize, u64, Carry)>,
    next_ticket: u64,
    /// When the last thing arrives that is under way between two servers: they keep the order.
    between: BTreeMap<(usize, usize), u64>,
    /// When the last keep reaches the store of a server: it keeps the order in which it is asked.
    storing: Vec<u64>,
    /// The last term of each room and its host, by server and namespace.
    hosts: BTreeMap<(usize, &'static str, String), (u64, String)>,
    /// Which socket is told again what it was told before, and when.
    replaying: Option<(u64, u64)>,
    /// Until when clients and servers do not reach each other.
    parted: BTreeMap<(usize, usize), u64>,
    /// When the last box arrives that is under way between two clients.
    boxes_at: BTreeMap<(usize, usize), u64>,
    /// When queues were last looked at.
    looked_at: u64,
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
        let now_ms = 1_000;
        let people = crowd(&plan, &mut dice);
        Self {
            seed,
            plan,
            now_ms,
            wall_offset: 0,
            nodes: (0..plan.nodes).map(|node| Node::new(&plan, &name(node), now_ms, dice.seed())).collect(),
            clients: people.iter().enumerate().map(|(i, person)| Client::new(i, person.clone())).collect(),
            judge: Judge::new(&people, &plan),
            wires: BTreeMap::new(),
            next_socket: 0,
            next_event: 0,
            events: BTreeMap::new(),
            tickets: BTreeMap::new(),
            next_ticket: 0,
            between: BTreeMap::new(),
            storing: vec![0; plan.nodes],
            hosts: BTreeMap::new(),
            replaying: None,
            parted: BTreeMap::new(),
            boxes_at: BTreeMap::new(),
            looked_at: 0,
            trace: Fnv(0xcbf2_9ce4_8422_2325),
            resting: false,
            tell,
            dice,
        }
    }

    pub(crate) fn run(mut self) -> Report {
        self.say(|w| format!("{:?}", w.plan));
        self.nativize();
        for client in 0..self.clients.len() {
            let at = self.dice.below(2_000);
            self.later(at, Event::Acts { client });
        }
        self.run_until(self.now_ms + self.plan.trouble_ms);
        self.rest();
        let (signals, arrived, lost) = self.judge.letters.counts();
        let counts = Counts { signals, arrived, lost, ..self.judge.counts };
        Report { seed: self.seed, broken: self.judge.broken, trace: self.trace.finish(), counts }
    }

    /// Lets time pass: what is due happens in order, servers hear of time when they asked to.
    fn run_until(&mut self, end_ms: u64) {
        loop {
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let tick = self.nodes.iter().filter_map(Node::due).min();
            let Some(next) = event.into_iter().chain(tick).min().filter(|at| *at <= end_ms) else { break };
            self.now_ms = self.now_ms.max(next);
            for node in 0..self.nodes.len() {
                if self.nodes[node].due().is_some_and(|at| at <= self.now_ms) {
                    self.tick(node);
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

    fn tick(&mut self, node: usize) {
        let now = self.now();
        let wishes = self.nodes[node].tick(now);
        self.carry_out(node, wishes);
        if self.nodes[node].due().is_some_and(|at| at <= self.now_ms) {
            self.judge.wrong(format!("server {node} is due again at the moment of its tick"));
            self.nodes[node].disregard();
        }
        self.look(node);
    }

    fn happen(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Opens { node, socket } => self.opens(node, socket),
            Event::ToServer { socket, text } => {
                self.say(|_| format!("  {socket} > {text}"));
                self.at_node(socket, |node, now| node.text(now, socket, text));
            }
            Event::Pong { socket, count } => self.at_node(socket, |node, now| node.pong(now, socket, count)),
            Event::ToClient { socket, what } => self.at_client(socket, what),
            Event::ServerNotices { socket } => self.server_notices(socket),
            Event::ClientNotices { socket } => self.client_notices(socket),
            Event::Acts { client } => self.act(client),
            Event::Wakes { client, due } => self.wakes(client, due),
            Event::Boxed(boxed) => self.boxed(&boxed),
            Event::Reopens { client } => self.reopens(client),
            Event::Unreachable { client, own } => self.unreachable(client, own),
            Event::Starts { node } => self.start(node),
            Event::Claimed { node, process, claim } => self.claimed(node, process, &claim),
            Event::Located { node, process, ns, id } => self.located(node, process, ns, id),
            Event::Kept { node, process, keep } => self.kept(node, process, keep),
            Event::Forgotten { node, process, numbers } => {
                if self.nodes[node].process == process {
                    self.nodes[node].store.forget(&numbers);
                }
            }
            Event::Arrives { from, process, carry } => self.arrives(now, from, process, carry),
            Event::Receipt { ticket, status } => self.receipt(now, ticket, status),
        }
    }

    fn now(&self) -> Now {
        let wall = (WALL_BEGIN_MS + self.now_ms).saturating_add_signed(self.wall_offset);
        Now { at: Moment(self.now_ms), wall: Wall(wall) }
    }

    fn delay(&mut self) -> u64 {
        let most = if self.resting { 20 } else { self.plan.delay_ms };
        self.dice.below(most + 1)
    }

    /// Whether something goes wrong that does so this often in a thousand times.
    fn fails(&mut self, chance: u64) -> bool {
        !self.resting && self.dice.permille(chance)
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
