//! A table of peers in a world, for tests about groups: what is expected is named for all sockets at once, and nothing else may come.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test file uses its own part")]

pub mod words;
#[path = "../world/mod.rs"]
pub mod world;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wigwag_hub::{Hub, Moment, Native, Now, Output, Rules, SocketId, Wall};
use world::{BEGIN, Peer, World};

/// Wall time when a test begins.
pub const DAWN: u64 = BEGIN.wall.0;

/// One socket at the table.
pub type Sock = SocketId;

/// A world whose peers are called by their sockets.
pub struct Table {
    pub world: World,
    seats: BTreeMap<Sock, Seat>,
}

struct Seat {
    peer: Peer,
    /// Counted frames that the test has taken.
    seen: u64,
}

impl Table {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// A table whose rules were changed. Misses cost nothing.
    pub fn with(change: impl FnOnce(&mut Rules)) -> Self {
        let world = World::with(|rules| {
            rules.limits.guesses_per_minute = 0;
            change(rules);
        });
        Self { world, seats: BTreeMap::new() }
    }

    /// A session for a name such as `alice@x`.
    pub fn open(&mut self, id: &str) -> Sock {
        self.login(json!({"id": id}))
    }

    /// A session with such a hello: `id`, and `device` or `namespace` if need be.
    pub fn login(&mut self, hello: Value) -> Sock {
        let seed = hello["id"].as_str().unwrap().bytes().fold(1, |seed: u64, b| seed.wrapping_mul(257) + u64::from(b));
        let peer = self.world.join(Some(seed), hello);
        let socket = peer.socket;
        self.seats.insert(socket, Seat { peer, seen: 0 });
        socket
    }

    pub fn send(&mut self, socket: Sock, request: &Value) {
        self.world.send_text(socket, &request.to_string());
    }

    /// One frame, byte for byte.
    pub fn send_text(&mut self, socket: Sock, text: &str) {
        self.world.send_text(socket, text);
    }

    /// The network takes the socket away.
    pub fn cut(&mut self, socket: Sock) {
        self.world.drop_socket(socket);
    }

    /// The peer of a lost socket goes on with another. What it missed is there to read.
    #[track_caller]
    pub fn resume(&mut self, old: Sock) -> Sock {
        let (socket, resumed) = self.come_back(old);
        assert!(resumed, "the session is over");
        socket
    }

    /// The peer of a lost socket comes back: the new socket, and whether its session goes on.
    pub fn come_back(&mut self, old: Sock) -> (Sock, bool) {
        let Seat { peer, seen } = &self.seats[&old];
        let (peer, seen) = (peer.clone(), *seen);
        let peer = self.world.resume(&peer, seen);
        let (socket, resumed) = (peer.socket, peer.welcome["resumed"] == json!(true));
        self.seats.insert(socket, Seat { peer, seen: if resumed { seen } else { 0 } });
        (socket, resumed)
    }

    /// Both clocks go on.
    pub fn pass(&mut self, ms: u64) {
        self.world.advance(ms);
    }

    /// The server is down for a while and comes back with another monotonic clock. No socket survives.
    pub fn restart(&mut self, down_ms: u64) {
        self.restart_with(down_ms, |_| {});
    }

    /// The same, with something done to what was written.
    pub fn restart_with(&mut self, down_ms: u64, change: impl FnOnce(&mut Value)) {
        let mut saved = serde_json::to_value(self.world.hub.snapshot(self.world.now)).unwrap();
        change(&mut saved);
        let sockets: Vec<Sock> = self.seats.keys().copied().collect();
        for socket in sockets {
            self.cut(socket);
        }
        self.world.now = Now { at: Moment(17), wall: Wall(self.world.now.wall.0 + down_ms) };
        self.world.hub = Hub::new(self.world.hub.rules().clone(), vec![Box::new(Native)], [8; 32]);
        let mut out: Vec<Output> = Vec::new();
        self.world.hub.restore(self.world.now, serde_json::from_value(saved).unwrap(), &mut out).unwrap();
        assert!(out.is_empty(), "there is no socket yet: {out:?}");
    }

    /// Lets the hub do something on its own behalf; what follows from it reaches the sockets.
    pub fn act<T>(&mut self, act: impl FnOnce(&Hub, Now, &mut Vec<Output>) -> T) -> T {
        let mut out = Vec::new();
        let result = act(&self.world.hub, self.world.now, &mut out);
        self.world.carry_out(out);
        result
    }

    /// Takes what one socket was sent.
    pub fn take(&mut self, socket: Sock) -> Vec<Value> {
        let frames = self.world.take(socket);
        self.seats.get_mut(&socket).unwrap().seen += frames.len() as u64;
        frames
    }

    /// Takes what one socket was sent, which must be one frame.
    #[track_caller]
    pub fn take_one(&mut self, socket: Sock) -> Value {
        let mut frames = self.take(socket);
        assert_eq!(frames.len(), 1, "{frames:?}");
        frames.remove(0)
    }

    /// Takes what all sockets were sent, byte for byte.
    pub fn take_raw(&mut self) -> Vec<(Sock, String)> {
        let mut all = Vec::new();
        for (socket, seat) in &mut self.seats {
            let frames = self.world.take_raw(*socket);
            seat.seen += frames.len() as u64;
            all.extend(frames.iter().map(|frame| (*socket, String::from_utf8(frame.to_vec()).unwrap())));
        }
        all
    }

    /// Takes what all sockets were sent, by socket and in order.
    pub fn take_all(&mut self) -> Vec<(Sock, Value)> {
        self.take_raw().into_iter().map(|(socket, text)| (socket, serde_json::from_str(&text).unwrap())).collect()
    }

    /// Takes what all sockets were sent: it must be this, in this order for each socket, and nothing else.
    /// `{"close": code}` is the end of a socket.
    #[track_caller]
    pub fn expect(&mut self, expected: &[(Sock, Value)]) {
        let mut wanted: Vec<(Sock, Value)> = Vec::new();
        for (socket, value) in expected {
            match value.get("close") {
                Some(code) => self.world.expect_closed(*socket, u16::try_from(code.as_u64().unwrap()).unwrap()),
                None => wanted.push((*socket, value.clone())),
            }
        }
        wanted.sort_by_key(|(socket, _)| *socket);
        let got = self.take_all();
        let line = |(socket, value): &(Sock, Value)| format!("  {}: {value}\n", self.seats[socket].peer.id);
        let show = |frames: &[(Sock, Value)]| frames.iter().map(line).collect::<String>();
        assert!(got == wanted, "expected\n{}but got\n{}", show(&wanted), show(&got));
    }

    /// Sends a request that must be refused with this code, to its sender alone. Answers the message for people.
    #[track_caller]
    pub fn refused(&mut self, socket: Sock, request: &Value, code: u16) -> String {
        self.send(socket, request);
        let frames = self.take_all();
        assert_eq!(frames.len(), 1, "{frames:?}");
        let (to, answer) = &frames[0];
        assert_eq!((*to, &answer["type"], &answer["code"]), (socket, &json!("error"), &json!(code)), "{answer}");
        assert_eq!(answer["re"], request["n"], "{answer}");
        answer["message"].as_str().unwrap().to_owned()
    }
}
