//! A world around a real hub, for stories told as tests: peers with sockets, a clock that the story moves, and a small store.
//!
//! Frames wait in each socket's inbox until the story expects them; whatever nobody expected fails the test when the world ends.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "each test file uses its own part; a test fails by panicking"
)]

mod shell;
mod words;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use serde_json::{Value, json};
use wigwag_hub::{Connection, Hub, Moment, Native, Note, Now, Origin, Output, Received, Rules, SocketId, Wall};
use wigwag_testkit::{Bindings, TestKey};
use wigwag_wire::signature::{HelloStatement, NameStatement};

pub use shell::Store;
#[allow(unused_imports, reason = "each test file uses its own part")]
pub use words::*;

/// Where the world's clocks begin.
pub const BEGIN: Now = Now { at: Moment(1_000_000), wall: Wall(1_795_000_000_000) };

/// A hub, its peers and its surroundings.
pub struct World {
    pub hub: Hub,
    pub now: Now,
    /// What `$name` in a pattern was bound to.
    pub vars: Bindings,
    /// Asks, carries, receipts and forgets that the story has not looked at.
    pub outputs: Vec<Output>,
    /// Whom frames went to, in order, over all sockets.
    pub sent: Vec<SocketId>,
    /// Everything that was noted for the metrics.
    pub notes: Vec<Note>,
    pub store: Store,
    rules: Rules,
    /// How often it began again.
    lives: u8,
    sockets: BTreeMap<SocketId, Socket>,
}

/// One end of a socket as its peer sees it.
struct Socket {
    connection: Option<Connection>,
    inbox: VecDeque<Bytes>,
    /// Frames that are not handed in while the connection waits for the store.
    outbox: VecDeque<String>,
    marks: Vec<u64>,
    closed: Option<(u16, &'static str)>,
    challenge: Value,
    seed: Option<u64>,
    hello: Value,
}

/// A peer that has been welcomed.
#[derive(Clone, Debug)]
pub struct Peer {
    pub socket: SocketId,
    pub id: String,
    pub device: String,
    /// The resume token.
    pub token: String,
    pub welcome: Value,
    /// Whose key it holds.
    pub seed: Option<u64>,
}

/// Whatever has a socket.
pub trait At {
    fn socket(&self) -> SocketId;
}

impl At for SocketId {
    fn socket(&self) -> SocketId {
        *self
    }
}

impl At for Peer {
    fn socket(&self) -> SocketId {
        self.socket
    }
}

impl<T: At> At for &T {
    fn socket(&self) -> SocketId {
        (*self).socket()
    }
}

impl World {
    /// A world with the default rules, without limits on what an address may try.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// A world whose rules were changed.
    pub fn with(change: impl FnOnce(&mut Rules)) -> Self {
        let mut rules = Rules { server: "wigwag.test".into(), ..Rules::default() };
        change(&mut rules);
        Self {
            hub: Hub::new(rules.clone(), vec![Box::new(Native)], [7; 32]),
            now: BEGIN,
            vars: Bindings::default(),
            outputs: Vec::new(),
            sent: Vec::new(),
            notes: Vec::new(),
            store: Store::default(),
            rules,
            lives: 0,
            sockets: BTreeMap::new(),
        }
    }

    /// A socket that has been challenged.
    pub fn open(&mut self) -> SocketId {
        self.open_from(Origin::Ip(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))))
    }

    /// The same, from this address.
    pub fn open_from(&mut self, origin: Origin) -> SocketId {
        let id = SocketId(self.sockets.len() as u64 + 1);
        let pass = self.hub.admit(self.now, origin).unwrap_or_else(|refusal| panic!("not admitted: {refusal:?}"));
        let mut out = Vec::new();
        let connection = Connection::open(&self.hub, self.now, id, pass, &mut out);
        let socket = Socket {
            connection: Some(connection),
            inbox: VecDeque::new(),
            outbox: VecDeque::new(),
            marks: Vec::new(),
            closed: None,
            challenge: Value::Null,
            seed: None,
            hello: Value::Null,
        };
        self.sockets.insert(id, socket);
        self.carry_out(out);
        let challenge = self.next(id);
        assert_eq!(challenge["type"], "challenge", "the server speaks first");
        self.sockets.get_mut(&id).unwrap().challenge = challenge;
        id
    }

    /// The challenge of a socket.
    pub fn challenge(&self, socket: SocketId) -> Value {
        self.sockets[&socket].challenge.clone()
    }

    /// A guest in the default namespace.
    pub fn guest(&mut self) -> Peer {
        self.join(None, json!({}))
    }

    /// A peer whose id is the hash of test key `seed`.
    pub fn keyed(&mut self, seed: u64) -> Peer {
        self.join(Some(seed), json!({}))
    }

    /// A peer with a name, proved by test key `seed`.
    pub fn named(&mut self, name: &str, seed: u64) -> Peer {
        self.join(Some(seed), json!({"id": name}))
    }

    /// The same on a device.
    pub fn device(&mut self, name: &str, device: &str, seed: u64) -> Peer {
        self.join(Some(seed), json!({"id": name, "device": device}))
    }

    /// A welcomed peer: a socket, a hello with these fields, its welcome.
    pub fn join(&mut self, seed: Option<u64>, hello: Value) -> Peer {
        let socket = self.open();
        self.hello(socket, seed, hello);
        self.welcomed(socket)
    }

    /// Comes back on a new socket, as whoever this peer is, with its token and a count of what it took in.
    pub fn resume(&mut self, peer: &Peer, seen: u64) -> Peer {
        let mut hello = self.sockets[&peer.socket].hello.clone();
        hello["resume"] = json!({"token": peer.token, "seen": seen});
        self.join(peer.seed, hello)
    }

    /// Sends a hello with these fields, proved with test key `seed`.
    pub fn hello(&mut self, socket: SocketId, seed: Option<u64>, hello: Value) {
        let known = self.sockets.get_mut(&socket).unwrap();
        known.seed = seed;
        known.hello = hello.clone();
        let frame = self.proved(socket, seed, hello);
        self.send(socket, frame);
    }

    /// A hello as `seed` would sign it on this socket; fields that are there stay as they are.
    pub fn proved(&self, socket: SocketId, seed: Option<u64>, mut hello: Value) -> Value {
        hello["type"] = json!("hello");
        let Some(seed) = seed else { return hello };
        let key = TestKey::new(seed).public();
        let text = |field: &str, default: &str| hello[field].as_str().unwrap_or(default).to_owned();
        let statement = HelloStatement {
            server: "wigwag.test",
            nonce: self.sockets[&socket].challenge["nonce"].as_str().unwrap(),
            namespace: &text("namespace", ""),
            id: &text("id", key.id().as_str()),
            device: &text("device", ""),
            key: &key,
        };
        let signature = TestKey::new(seed).sign(&statement.bytes());
        for (field, value) in [("key", key.to_string()), ("signature", signature)] {
            if hello.get(field).is_none() {
                hello[field] = json!(value);
            }
        }
        hello
    }

    /// A `name` request of this peer: `op` with test key `seed`.
    pub fn name_request(&self, peer: &Peer, n: u64, op: &str, seed: u64) -> Value {
        let socket = &self.sockets[&peer.socket];
        let key = TestKey::new(seed).public();
        let statement = NameStatement {
            server: "wigwag.test",
            nonce: socket.challenge["nonce"].as_str().unwrap(),
            namespace: socket.hello["namespace"].as_str().unwrap_or(""),
            name: &peer.id,
            op,
            key: &key,
        };
        let signature = TestKey::new(peer.seed.unwrap()).sign(&statement.bytes());
        json!({"type": "name", "n": n, "op": op, "key": key.to_string(), "signature": signature})
    }

    /// Takes the welcome that must be next on this socket.
    pub fn welcomed(&mut self, socket: SocketId) -> Peer {
        let welcome = self.next(socket);
        assert_eq!(welcome["type"], "welcome", "instead came {welcome}");
        let text = |field: &str| welcome[field].as_str().unwrap().to_owned();
        Peer {
            socket,
            id: text("id"),
            device: text("device"),
            token: text("resume"),
            seed: self.sockets[&socket].seed,
            welcome,
        }
    }

    /// Sends a request.
    pub fn send(&mut self, from: impl At, frame: Value) {
        self.send_text(from, &frame.to_string());
    }

    /// Sends any text.
    pub fn send_text(&mut self, from: impl At, text: &str) {
        self.sockets.get_mut(&from.socket()).unwrap().outbox.push_back(text.to_owned());
        self.hand_in(from.socket());
    }

    /// Something happens to a socket.
    pub fn receive(&mut self, socket: SocketId, received: Received<'_>) {
        let mut out = self.shell();
        if let Some(connection) = self.sockets.get_mut(&socket).unwrap().connection.as_mut() {
            connection.handle(&self.hub, self.now, received, &mut out);
        }
        self.carried(out);
    }

    /// Takes a socket's machine away from it, as a thread does that is in the middle of reading.
    pub fn take_connection(&mut self, of: impl At) -> Connection {
        self.sockets.get_mut(&of.socket()).unwrap().connection.take().unwrap()
    }

    /// A frame that such a thread hands in.
    pub fn send_through(&mut self, connection: &mut Connection, text: &str) {
        self.receive_through(connection, Received::Text(text));
    }

    /// Whatever such a thread hands in.
    pub fn receive_through(&mut self, connection: &mut Connection, received: Received<'_>) {
        let mut out = self.shell();
        connection.handle(&self.hub, self.now, received, &mut out);
        self.carried(out);
    }

    /// Sockets may have been closed, and the story does not mind.
    pub fn take_all_closed(&mut self) {
        for socket in self.sockets.values_mut() {
            socket.closed = None;
        }
    }

    /// Something happens to the hub.
    pub fn input(&mut self, input: wigwag_hub::Input<'_>) {
        let mut out = self.shell();
        self.hub.handle(self.now, input, &mut out);
        self.carried(out);
    }

    /// The socket is lost without a word; what it was sent and did not read is lost too.
    pub fn drop_socket(&mut self, of: impl At) {
        self.sockets.get_mut(&of.socket()).unwrap().inbox.clear();
        self.receive(of.socket(), Received::Closed);
        self.sockets.get_mut(&of.socket()).unwrap().connection = None;
    }

    /// Answers the latest ping of the server.
    pub fn pong(&mut self, from: impl At) {
        let count = *self.sockets[&from.socket()].marks.last().expect("a ping to answer");
        self.receive(from.socket(), Received::Pong(count.to_string().as_bytes()));
    }

    /// The counts of all pings to this socket.
    pub fn marks(&self, of: impl At) -> Vec<u64> {
        self.sockets[&of.socket()].marks.clone()
    }

    /// The next frames of this socket, all of them, must fit these patterns. See `spec/vectors/README.md` for what may stand in them.
    #[track_caller]
    pub fn expect<const N: usize>(&mut self, of: impl At, patterns: [Value; N]) {
        for (at, pattern) in patterns.iter().enumerate() {
            let Some(frame) = self.take_one(of.socket()) else {
                panic!("frame {at} did not come; expected {pattern}");
            };
            if let Err(why) = self.vars.fit(pattern, &frame) {
                panic!("frame {at}: {why}\n  expected {pattern}\n  came     {frame}");
            }
        }
        if let Some(frame) = self.take_one(of.socket()) {
            panic!("nothing more expected, but came {frame}");
        }
    }

    /// The next frame of this socket.
    #[track_caller]
    pub fn next(&mut self, of: impl At) -> Value {
        self.take_one(of.socket()).expect("a frame that did not come")
    }

    /// All waiting frames of this socket.
    pub fn take(&mut self, of: impl At) -> Vec<Value> {
        std::iter::from_fn(|| self.take_one(of.socket())).collect()
    }

    /// All waiting frames of this socket, as they came.
    pub fn take_raw(&mut self, of: impl At) -> Vec<Bytes> {
        self.sockets.get_mut(&of.socket()).unwrap().inbox.drain(..).collect()
    }

    /// The server must have closed this socket with this code.
    #[track_caller]
    pub fn expect_closed(&mut self, of: impl At, code: u16) {
        let closed = self.sockets.get_mut(&of.socket()).unwrap().closed.take();
        assert_eq!(closed.map(|(code, _)| code), Some(code), "the socket's close");
    }

    /// The code with which the server closed this socket; told once.
    pub fn take_closed(&mut self, of: impl At) -> Option<u16> {
        self.sockets.get_mut(&of.socket()).unwrap().closed.take().map(|(code, _)| code)
    }

    /// Whether the server still takes frames from this socket.
    pub fn is_open(&self, of: impl At) -> bool {
        self.sockets[&of.socket()].connection.is_some()
    }

    /// Takes what the hub wanted done besides sending, closing and pinging.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// When something is due next.
    pub fn next_deadline(&self) -> Option<Moment> {
        let sockets = self.sockets.values().filter_map(|s| s.connection.as_ref()?.next_deadline(&self.hub));
        sockets.chain(self.hub.next_deadline()).min()
    }

    /// The clocks go on; whatever is due on the way happens when it is due.
    pub fn advance(&mut self, ms: u64) {
        let end = self.now.at + ms;
        while let Some(due) = self.next_deadline().filter(|due| *due <= end) {
            self.set_clock(due.max(self.now.at));
            self.tick();
            let again = self.hub.next_deadline().is_some_and(|next| next <= due);
            assert!(!again, "the hub is due again at the moment of its tick");
        }
        self.set_clock(end);
    }

    /// The server stops, writes itself out, and another reads it back. All sockets are lost.
    pub fn restart(&mut self) {
        let saved = serde_json::to_string(&self.hub.snapshot(self.now)).unwrap();
        self.begin_again(Some(&saved));
    }

    /// The same, with other rules from then on.
    pub fn restart_with(&mut self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.rules);
        self.restart();
    }

    /// The server dies, and another begins with nothing but the store.
    pub fn crash(&mut self) {
        self.begin_again(None);
    }

    fn begin_again(&mut self, saved: Option<&str>) {
        for socket in self.sockets.values_mut() {
            socket.connection = None;
            socket.inbox.clear();
        }
        self.lives += 1;
        self.hub = Hub::new(self.rules.clone(), vec![Box::new(Native)], [7 + self.lives; 32]);
        let mut out = Vec::new();
        if let Some(saved) = saved {
            self.hub.restore(self.now, serde_json::from_str(saved).unwrap(), &mut out).unwrap();
        }
        for kept in self.store.kept() {
            self.hub.restore_stored(self.now, kept, &mut out);
        }
        self.carry_out(out);
    }

    /// Nothing must be left that nobody expected.
    #[track_caller]
    pub fn quiet(&self) {
        for (id, socket) in &self.sockets {
            if let Some(frame) = socket.inbox.front() {
                panic!("{id:?} was sent what nobody expected: {}", String::from_utf8_lossy(frame));
            }
            assert_eq!(socket.closed, None, "{id:?} was closed and nobody expected it");
        }
        assert!(self.outputs.is_empty(), "nobody looked at {:?}", self.outputs);
    }

    fn hand_in(&mut self, socket: SocketId) {
        loop {
            let known = self.sockets.get_mut(&socket).unwrap();
            if known.connection.as_ref().is_none_or(Connection::is_waiting) {
                break;
            }
            let Some(text) = known.outbox.pop_front() else { break };
            self.receive(socket, Received::Text(&text));
        }
    }

    /// The next waiting frame of this socket, if there is one.
    pub fn take_one(&mut self, of: impl At) -> Option<Value> {
        let frame = self.sockets.get_mut(&of.socket()).unwrap().inbox.pop_front()?;
        Some(serde_json::from_slice(&frame).expect("a frame is JSON"))
    }

    fn tick(&mut self) {
        self.input(wigwag_hub::Input::Tick);
        let ids: Vec<SocketId> = self.sockets.keys().copied().collect();
        for id in ids {
            let due = self.sockets[&id].connection.as_ref().and_then(|c| c.next_deadline(&self.hub));
            if due.is_some_and(|due| due <= self.now.at) {
                self.receive(id, Received::Tick);
            }
        }
    }

    fn set_clock(&mut self, at: Moment) {
        self.now = Now { at, wall: self.now.wall + (at - self.now.at) };
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.quiet();
        }
    }
}

/// The id of test key number `seed`.
pub fn key_id(seed: u64) -> String {
    TestKey::new(seed).id().as_str().to_owned()
}
