//! One server: a real hub, its sockets, and the store that survives it.

use std::collections::BTreeMap;

use bytes::Bytes;
use wigwag_hub::{
    Ask, Carry, CarryStatus, Claimed, Connection, Hub, IceRules, Input, Keep, Moment, Native, Now, Origin, Output,
    Received, Rules, Snapshot, SocketId, Wall,
};
use wigwag_wire::code::Code;
use wigwag_wire::{Limits, Namespace, PeerId, PublicKey};

/// What a server wants of the world.
#[derive(Debug)]
pub(crate) enum Wish {
    Send { socket: SocketId, frame: Bytes },
    Mark { socket: SocketId, count: u64 },
    Close { socket: SocketId, code: u16 },
    Where { ns: Namespace, id: PeerId },
    Keep { number: u64, ns: Namespace, to: PeerId, expires: Wall, record: Bytes },
    Carry(Carry),
    Receipt { ticket: u64, status: CarryStatus },
}

/// What survives a server.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) names: BTreeMap<(Namespace, PeerId), PublicKey>,
    pub(crate) signals: BTreeMap<u64, (Namespace, PeerId, Wall, Bytes)>,
}

/// One server.
pub(crate) struct Node {
    pub(crate) hub: Hub,
    connections: BTreeMap<SocketId, Connection>,
    pub(crate) store: Store,
    /// Raised with each new process, so that what was meant for an old one is not taken in by the next.
    pub(crate) process: u64,
}

/// The rules that all servers of the world follow: as in real life but with shorter times and smaller queues.
pub(crate) fn rules(nodes: usize) -> Rules {
    Rules {
        limits: Limits {
            frames_per_second: 0,
            guesses_per_minute: 0,
            queue_frames: 48,
            queue_bytes: 16 * 1024,
            ..Limits::default()
        },
        away_after_ms: 2_000,
        gone_after_ms: 15_000,
        ask_where: nodes > 1,
        ask_ms: 3_000,
        ice: IceRules::default(),
        ..Rules::default()
    }
}

fn new_hub(nodes: usize, seed: [u8; 32]) -> Hub {
    Hub::new(rules(nodes), vec![Box::new(Native)], seed)
}

impl Node {
    pub(crate) fn new(nodes: usize, seed: [u8; 32]) -> Self {
        Self { hub: new_hub(nodes, seed), connections: BTreeMap::new(), store: Store::default(), process: 0 }
    }

    /// A new process in the place of the old one; with a snapshot if the old one ended in order.
    pub(crate) fn restart(&mut self, now: Now, nodes: usize, seed: [u8; 32], in_order: bool) -> Vec<Wish> {
        let mut out = Vec::new();
        let snapshot = in_order.then(|| {
            for mut connection in std::mem::take(&mut self.connections).into_values() {
                connection.handle(&self.hub, now, Received::Closed, &mut out);
            }
            // Through text and back, as over a disk.
            serde_json::to_string(&self.hub.snapshot(now)).unwrap_or_default()
        });
        self.connections.clear();
        self.process += 1;
        // What the old process still wanted to forget reached the store; what it wanted to send did not.
        let mut wishes = self.sift(now, out);
        wishes.clear();
        self.hub = new_hub(nodes, seed);
        let mut out = Vec::new();
        if let Some(snapshot) = snapshot.and_then(|text| serde_json::from_str::<Snapshot>(&text).ok()) {
            let _ = self.hub.restore(now, snapshot, &mut out);
        }
        for (number, (ns, to, expires, record)) in self.store.signals.clone() {
            self.hub.restore_stored(now, Keep { number, ns, to, expires, record }, &mut out);
        }
        self.sift(now, out)
    }

    pub(crate) fn open(&mut self, now: Now, socket: SocketId) -> Vec<Wish> {
        let mut out = Vec::new();
        let Ok(pass) = self.hub.admit(now, Origin::Local) else { return vec![Wish::Close { socket, code: 1013 }] };
        self.connections.insert(socket, Connection::open(&self.hub, now, socket, pass, &mut out));
        self.sift(now, out)
    }

    pub(crate) fn text(&mut self, now: Now, socket: SocketId, text: &str) -> Vec<Wish> {
        self.receive(now, socket, Received::Text(text))
    }

    pub(crate) fn pong(&mut self, now: Now, socket: SocketId, count: u64) -> Vec<Wish> {
        self.receive(now, socket, Received::Pong(count.to_string().as_bytes()))
    }

    pub(crate) fn closed(&mut self, now: Now, socket: SocketId) -> Vec<Wish> {
        let wishes = self.receive(now, socket, Received::Closed);
        self.connections.remove(&socket);
        wishes
    }

    pub(crate) fn input(&mut self, now: Now, input: Input<'_>) -> Vec<Wish> {
        let mut out = Vec::new();
        self.hub.handle(now, input, &mut out);
        self.sift(now, out)
    }

    pub(crate) fn tick(&mut self, now: Now) -> Vec<Wish> {
        let mut out = Vec::new();
        let due: Vec<SocketId> =
            self.connections.iter().filter(|(_, c)| self.is_due(c, now)).map(|(s, _)| *s).collect();
        for socket in due {
            if let Some(connection) = self.connections.get_mut(&socket) {
                connection.handle(&self.hub, now, Received::Tick, &mut out);
            }
        }
        if self.hub.next_deadline().is_some_and(|at| at <= now.at) {
            self.hub.handle(now, Input::Tick, &mut out);
        }
        self.sift(now, out)
    }

    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        let sockets = self.connections.values().filter_map(|c| c.next_deadline(&self.hub));
        sockets.chain(self.hub.next_deadline()).min()
    }

    fn is_due(&self, connection: &Connection, now: Now) -> bool {
        connection.next_deadline(&self.hub).is_some_and(|at| at <= now.at)
    }

    fn receive(&mut self, now: Now, socket: SocketId, received: Received<'_>) -> Vec<Wish> {
        let mut out = Vec::new();
        let Some(connection) = self.connections.get_mut(&socket) else { return Vec::new() };
        connection.handle(&self.hub, now, received, &mut out);
        self.sift(now, out)
    }

    /// Does what the store can do at once, and hands on the rest.
    fn sift(&mut self, now: Now, out: Vec<Output>) -> Vec<Wish> {
        let mut wishes = Vec::new();
        for output in out {
            match output {
                Output::Send { socket, frame } => wishes.push(Wish::Send { socket, frame }),
                Output::Mark { socket, count } => wishes.push(Wish::Mark { socket, count }),
                Output::Close { socket, code, .. } => wishes.push(Wish::Close { socket, code }),
                Output::Carry(carry) => wishes.push(Wish::Carry(carry)),
                Output::Receipt { ticket, status } => wishes.push(Wish::Receipt { ticket, status }),
                Output::Forget(numbers) => {
                    for number in numbers {
                        self.store.signals.remove(&number);
                    }
                }
                Output::Ask(Ask::Where { ns, id }) => wishes.push(Wish::Where { ns, id }),
                Output::Ask(Ask::Keep(keep)) => {
                    let (number, ns, to) = (keep.number, keep.ns, keep.to);
                    wishes.push(Wish::Keep { number, ns, to, expires: keep.expires, record: keep.record });
                }
                Output::Ask(Ask::Claim { socket, ns, name, key }) => {
                    let bound = *self.store.names.entry((ns, name)).or_insert(key);
                    let claimed = if bound == key { Claimed::Yes } else { Claimed::No(Code::NameTaken) };
                    wishes.extend(self.receive(now, socket, Received::Claimed(claimed)));
                }
                Output::Ask(Ask::Name(naming)) => {
                    let result = Err(Code::SwitchedOff);
                    wishes.extend(self.input(now, Input::Named { naming, result }));
                }
            }
        }
        wishes
    }
}
