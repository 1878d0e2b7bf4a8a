//! Signals: however many threads carry them, while sockets are lost and sessions go on, each receiver gets all of them, once and in order.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the hub is shared by threads, so a test has some")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use bytes::Bytes;
use serde_json::{Value, json};
use wigwag_hub::{
    Connection, Hub, Input, Moment, Native, Now, Origin, Output, Outputs, Received, Rules, SocketId, Wall,
};

const PEERS: usize = 5;
const ROUNDS: u64 = 400;
/// Sockets that one peer may open.
const LIVES: usize = 64;

#[test]
fn threads_neither_lose_nor_double_nor_swap_what_they_carry() {
    let mut rules = Rules::default();
    let limits = &mut rules.limits;
    (limits.frames_per_second, limits.guesses_per_minute) = (0, 0);
    (limits.queue_frames, limits.queue_bytes) = (0, 0);
    let table = Table {
        hub: Hub::new(rules, vec![Box::new(Native)], [5; 32]),
        clock: AtomicU64::new(0),
        outboxes: (0..PEERS * LIVES).map(|_| Mutex::default()).collect(),
    };
    let mut peers: Vec<Peer<'_>> = (0..PEERS).map(|index| Peer::new(&table, index)).collect();
    let ids: Vec<String> = peers.iter().map(|peer| peer.id.clone()).collect();
    let peers: Vec<Peer<'_>> = thread::scope(|scope| {
        let ticking = scope.spawn(|| (0..ROUNDS).for_each(|_| table.hub.handle(table.now(), Input::Tick, &mut &table)));
        let living: Vec<_> = peers.drain(..).map(|peer| scope.spawn(|| peer.live(&ids))).collect();
        ticking.join().unwrap();
        living.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let peers: Vec<Peer<'_>> = peers.into_iter().map(Peer::rest).collect();
    for (receiver, to) in peers.iter().enumerate() {
        for (sender, from) in peers.iter().enumerate().filter(|(sender, _)| *sender != receiver) {
            let sent: Vec<u64> = from.sent.iter().filter(|(_, at)| **at == receiver).map(|(n, _)| *n).collect();
            let arrived = to.arrived.get(&ids[sender]).cloned().unwrap_or_default();
            assert_eq!(arrived, sent, "from {sender} to {receiver}");
        }
        assert_eq!(to.acked, to.sent.keys().copied().collect(), "every signal of {receiver} was answered");
        assert!(!to.watching || to.told.is_some(), "who watches was told");
    }
}

/// A hub and every socket's outbox, as a server has them.
struct Table {
    hub: Hub,
    clock: AtomicU64,
    outboxes: Vec<Mutex<Vec<Bytes>>>,
}

impl Outputs for &Table {
    fn emit(&mut self, output: Output) {
        if let Output::Send { socket, frame } = output {
            self.outboxes[socket.0 as usize].lock().unwrap().push(frame);
        }
    }
}

impl Table {
    fn now(&self) -> Now {
        let ms = self.clock.fetch_add(1, Ordering::Relaxed);
        Now { at: Moment(ms), wall: Wall(ms) }
    }
}

/// A guest, its socket of the moment, and what it took in.
struct Peer<'t> {
    table: &'t Table,
    index: usize,
    lives: usize,
    connection: Connection,
    id: String,
    token: String,
    /// Frames read from the socket of the moment, the challenge and the welcome too.
    read: usize,
    /// Counted frames taken in, over all sockets.
    seen: u64,
    n: u64,
    /// To whom each signal went.
    sent: BTreeMap<u64, usize>,
    acked: BTreeSet<u64>,
    arrived: BTreeMap<String, Vec<u64>>,
    watching: bool,
    told: Option<String>,
}

impl<'t> Peer<'t> {
    fn new(table: &'t Table, index: usize) -> Self {
        let connection = Self::connect(table, index, 0, &json!({"type": "hello"}));
        let mut peer = Self {
            table,
            index,
            lives: 1,
            connection,
            id: String::new(),
            token: String::new(),
            read: 0,
            seen: 0,
            n: 0,
            sent: BTreeMap::new(),
            acked: BTreeSet::new(),
            arrived: BTreeMap::new(),
            watching: false,
            told: None,
        };
        peer.read();
        peer
    }

    fn connect(table: &Table, index: usize, life: usize, hello: &Value) -> Connection {
        let socket = SocketId((index * LIVES + life) as u64);
        let pass = table.hub.admit(table.now(), Origin::Local).unwrap();
        let mut connection = Connection::open(&table.hub, table.now(), socket, pass, &mut &*table);
        connection.handle(&table.hub, table.now(), Received::Text(&hello.to_string()), &mut &*table);
        connection
    }

    fn live(mut self, ids: &[String]) -> Self {
        for round in 0..ROUNDS {
            let other = (self.index + 1 + (round as usize * 7 + self.index) % (PEERS - 1)) % PEERS;
            self.n += 1;
            self.sent.insert(self.n, other);
            self.send(&json!({"type": "signal", "n": self.n, "to": ids[other], "kind": "k", "data": self.n}));
            if round % 5 == 0 {
                self.watching = !self.watching;
                let kind = if self.watching { "watch" } else { "unwatch" };
                self.send(&json!({"type": kind, "ids": [ids[(self.index + 1) % PEERS]]}));
            }
            match round % 23 {
                // The socket is lost, and the server notices at once, or only when there is a newer one.
                7 => {
                    self.receive(Received::Closed);
                    self.resume();
                }
                15 => self.resume(),
                3 | 11 => self.read(),
                _ => {}
            }
        }
        self
    }

    /// All are done: what was still on its way is taken in.
    fn rest(mut self) -> Self {
        self.resume();
        self.read();
        self
    }

    fn resume(&mut self) {
        self.read();
        let hello = json!({"type": "hello", "resume": {"token": self.token, "seen": self.seen}});
        let newer = Self::connect(self.table, self.index, self.lives, &hello);
        let mut older = std::mem::replace(&mut self.connection, newer);
        older.handle(&self.table.hub, self.table.now(), Received::Closed, &mut &*self.table);
        (self.lives, self.read) = (self.lives + 1, 0);
        self.read();
    }

    fn send(&mut self, frame: &Value) {
        self.receive(Received::Text(&frame.to_string()));
    }

    fn receive(&mut self, received: Received<'_>) {
        self.connection.handle(&self.table.hub, self.table.now(), received, &mut &*self.table);
    }

    fn read(&mut self) {
        let outbox = self.table.outboxes[self.index * LIVES + self.lives - 1].lock().unwrap();
        let frames: Vec<Bytes> = outbox[self.read..].to_vec();
        drop(outbox);
        self.read += frames.len();
        for frame in frames {
            let frame: Value = serde_json::from_slice(&frame).unwrap();
            match frame["type"].as_str().unwrap() {
                "challenge" => continue,
                "welcome" => {
                    assert_eq!((frame["resumed"] == true, frame.get("missed")), (self.lives > 1, None), "{frame}");
                    self.id = frame["id"].as_str().unwrap().into();
                    self.token = frame["resume"].as_str().unwrap().into();
                    continue;
                }
                "ack" => assert!(self.acked.insert(frame["re"].as_u64().unwrap()), "answered twice: {frame}"),
                "signal" => {
                    let from = self.arrived.entry(frame["from"].as_str().unwrap().into()).or_default();
                    from.push(frame["data"].as_u64().unwrap());
                }
                "presence" => self.told = Some(frame["state"].as_str().unwrap().into()),
                other => panic!("{other} was not to be expected: {frame}"),
            }
            self.seen += 1;
        }
    }
}
