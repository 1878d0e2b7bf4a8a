//! A table for tests: one real hub, sockets that speak through it, a clock that moves when told to, and every frame that came out.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test binary uses its own part of this")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use wigwag_hub::{
    Ask, Claimed, Connection, Hub, Input, Moment, Native, Now, Origin, Output, Received, Rules, SocketId, Wall,
};
use wigwag_wire::PublicKey;
use wigwag_wire::signature::HelloStatement;

/// Wall time at the beginning of every test.
pub const DAWN: u64 = 1_795_000_000_000;

/// One socket at the table.
pub type Sock = SocketId;

/// One hub and its sockets.
pub struct World {
    pub hub: Hub,
    pub now: Now,
    rules: Rules,
    seats: BTreeMap<Sock, Seat>,
    next: u64,
    /// Everything sent and not yet taken, in order.
    frames: Vec<(Sock, String)>,
    /// Whether marks are confirmed at once, as a live client's pongs do.
    pub confirms: bool,
    /// What else the hub wanted done: everything but frames, closes and marks.
    pub others: Vec<Output>,
}

/// Who sits at a socket, and what is needed to come back.
#[derive(Clone)]
pub struct Login {
    pub ns: String,
    pub id: String,
    pub device: String,
    pub origin: Origin,
    pub token: Option<String>,
    /// Counted frames taken in.
    pub seen: u64,
}

struct Seat {
    connection: Connection,
    login: Login,
    welcomed: bool,
    closed: bool,
}

impl Login {
    /// A name in the namespace `test`, from an address of its own.
    pub fn new(id: &str) -> Self {
        let last = id.bytes().fold(7u8, |sum, b| sum.wrapping_mul(31).wrapping_add(b));
        Self {
            ns: "test".into(),
            id: id.into(),
            device: String::new(),
            origin: Origin::Ip(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))),
            token: None,
            seen: 0,
        }
    }

    pub fn device(self, device: &str) -> Self {
        Self { device: device.into(), ..self }
    }

    pub fn ns(self, ns: &str) -> Self {
        Self { ns: ns.into(), ..self }
    }
}

impl World {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// A hub whose rules differ from the default.
    pub fn with(change: impl FnOnce(&mut Rules)) -> Self {
        let mut rules = Rules::default();
        change(&mut rules);
        Self {
            hub: Hub::new(rules.clone(), vec![Box::new(Native)], [7; 32]),
            now: Now { at: Moment(1_000), wall: Wall(DAWN) },
            rules,
            seats: BTreeMap::new(),
            next: 0,
            frames: Vec::new(),
            confirms: true,
            others: Vec::new(),
        }
    }

    /// A session for a name such as `alice@x`, welcomed and with nothing left to read.
    pub fn open(&mut self, id: &str) -> Sock {
        self.login(Login::new(id))
    }

    /// A session as described.
    pub fn login(&mut self, login: Login) -> Sock {
        let socket = self.connect(login);
        let welcome = self.hello(socket);
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        socket
    }

    /// A socket that has been challenged.
    pub fn connect(&mut self, login: Login) -> Sock {
        self.next += 1;
        let socket = SocketId(self.next);
        let pass = self.hub.admit(self.now, login.origin).unwrap();
        let mut out = Vec::new();
        let connection = Connection::open(&self.hub, self.now, socket, pass, &mut out);
        self.seats.insert(socket, Seat { connection, login, welcomed: false, closed: false });
        self.carry_out(out);
        socket
    }

    /// Answers the challenge and takes the answer to that.
    pub fn hello(&mut self, socket: Sock) -> Value {
        let challenge = self.take(socket).pop().unwrap();
        let login = self.seats[&socket].login.clone();
        let key = signing_key(&login.id);
        let public = PublicKey::Ed25519(key.verifying_key().to_bytes());
        let statement = HelloStatement {
            server: challenge["server"].as_str().unwrap(),
            nonce: challenge["nonce"].as_str().unwrap(),
            namespace: &login.ns,
            id: &login.id,
            device: &login.device,
            key: &public,
        };
        let signature = BASE64URL_NOPAD.encode(&key.sign(&statement.bytes()).to_bytes());
        let mut hello = json!({"type": "hello", "version": 1, "namespace": login.ns, "id": login.id, "key": public.to_string(),
            "signature": signature, "device": login.device});
        if let Some(token) = &login.token {
            hello["resume"] = json!({"token": token, "seen": login.seen});
        }
        self.send(socket, &hello);
        let mut frames = self.take(socket);
        let answer = frames.remove(0);
        let seat = self.seats.get_mut(&socket).unwrap();
        if answer["type"] == "welcome" {
            seat.welcomed = true;
            if answer["resumed"] == json!(false) {
                seat.login.seen = 0;
            }
            seat.login.seen += answer["missed"].as_u64().unwrap_or(0);
            seat.login.token = answer["resume"].as_str().map(str::to_owned);
        }
        // What was replayed is for the test to read.
        for frame in frames {
            self.frames.push((socket, frame.to_string()));
        }
        answer
    }

    /// One request, as a client writes it.
    pub fn send(&mut self, socket: Sock, request: &Value) {
        self.receive(socket, Received::Text(&request.to_string()));
    }

    /// One frame, byte for byte.
    pub fn send_text(&mut self, socket: Sock, text: &str) {
        self.receive(socket, Received::Text(text));
    }

    /// The network takes the socket away.
    pub fn cut(&mut self, socket: Sock) {
        self.receive(socket, Received::Closed);
        self.seats.get_mut(&socket).unwrap().closed = true;
    }

    /// The peer of a lost socket comes back on a new one and goes on. What it missed is there to read.
    pub fn resume(&mut self, old: Sock) -> Sock {
        let login = self.seats[&old].login.clone();
        let socket = self.connect(login);
        let welcome = self.hello(socket);
        assert_eq!(welcome["resumed"], true, "{welcome}");
        socket
    }

    /// Moves both clocks, stopping wherever something is due.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now.at + ms;
        loop {
            let due = self.hub.next_deadline().filter(|due| *due < end).unwrap_or(end).max(self.now.at);
            let step = due - self.now.at;
            self.now = Now { at: due, wall: self.now.wall + step };
            let mut out = Vec::new();
            self.hub.handle(self.now, Input::Tick, &mut out);
            self.carry_out(out);
            if due == end {
                return;
            }
        }
    }

    /// The server is down for a while and comes back from its snapshot, with a monotonic clock that begins anew. No socket survives.
    pub fn restart(&mut self, down_ms: u64) {
        self.restart_with(down_ms, |_| {});
    }

    /// The same, with something done to the written snapshot.
    pub fn restart_with(&mut self, down_ms: u64, change: impl FnOnce(&mut Value)) {
        let mut written = serde_json::to_value(self.hub.snapshot(self.now)).unwrap();
        change(&mut written);
        self.now = Now { at: Moment(17), wall: self.now.wall + down_ms };
        self.hub = Hub::new(self.rules.clone(), vec![Box::new(Native)], [8; 32]);
        for seat in self.seats.values_mut() {
            seat.closed = true;
        }
        let mut out = Vec::new();
        self.hub.restore(self.now, serde_json::from_value(written).unwrap(), &mut out).unwrap();
        self.carry_out(out);
    }

    /// Lets the hub do something on its own behalf.
    pub fn act<T>(&mut self, act: impl FnOnce(&Hub, Now, &mut Vec<Output>) -> T) -> T {
        let mut out = Vec::new();
        let result = act(&self.hub, self.now, &mut out);
        self.carry_out(out);
        result
    }

    /// Takes what one socket was sent.
    pub fn take(&mut self, socket: Sock) -> Vec<Value> {
        let (mine, rest) = std::mem::take(&mut self.frames).into_iter().partition(|(to, _)| *to == socket);
        self.frames = rest;
        let mine: Vec<(Sock, String)> = mine;
        mine.into_iter().map(|(_, text)| serde_json::from_str(&text).unwrap()).collect()
    }

    /// Takes what one socket was sent, which must be one frame.
    pub fn take_one(&mut self, socket: Sock) -> Value {
        let mut frames = self.take(socket);
        assert_eq!(frames.len(), 1, "{frames:?}");
        frames.remove(0)
    }

    /// Takes what all sockets were sent, as text.
    pub fn take_all(&mut self) -> Vec<(Sock, String)> {
        std::mem::take(&mut self.frames)
    }

    /// Takes what all sockets were sent: it must be this, in this order for each socket, and nothing else.
    #[track_caller]
    pub fn expect(&mut self, expected: &[(Sock, Value)]) {
        let mut got: BTreeMap<Sock, Vec<Value>> = BTreeMap::new();
        for (socket, text) in self.take_all() {
            got.entry(socket).or_default().push(serde_json::from_str(&text).unwrap());
        }
        let mut wanted: BTreeMap<Sock, Vec<Value>> = BTreeMap::new();
        for (socket, value) in expected {
            wanted.entry(*socket).or_default().push(value.clone());
        }
        let show = |frames: &BTreeMap<Sock, Vec<Value>>| {
            let lines = frames.iter().flat_map(|(s, all)| all.iter().map(move |v| (s, v)));
            lines.map(|(s, v)| format!("  {} ({}): {v}\n", s.0, self.seats[s].login.id)).collect::<String>()
        };
        assert!(got == wanted, "expected\n{}got\n{}", show(&wanted), show(&got));
    }

    /// Sends a request that must be refused with this code, to its sender alone. Answers the message for people.
    #[track_caller]
    pub fn refused(&mut self, socket: Sock, request: &Value, code: u16) -> String {
        self.send(socket, request);
        let frames = self.take_all();
        assert_eq!(frames.len(), 1, "{frames:?}");
        let answer: Value = serde_json::from_str(&frames[0].1).unwrap();
        assert_eq!(frames[0].0, socket);
        assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!(code)), "{answer}");
        assert_eq!(answer["re"], request["n"], "{answer}");
        answer["message"].as_str().unwrap().to_owned()
    }

    fn receive(&mut self, socket: Sock, received: Received<'_>) {
        let mut out = Vec::new();
        self.seats.get_mut(&socket).unwrap().connection.handle(&self.hub, self.now, received, &mut out);
        self.carry_out(out);
    }

    fn carry_out(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send { socket, frame } => {
                    let text = String::from_utf8(frame.to_vec()).unwrap();
                    let seat = self.seats.get_mut(&socket).unwrap();
                    seat.login.seen += u64::from(seat.welcomed);
                    self.frames.push((socket, text));
                }
                Output::Close { socket, code, .. } => {
                    self.frames.push((socket, json!({"close": code}).to_string()));
                    if !std::mem::replace(&mut self.seats.get_mut(&socket).unwrap().closed, true) {
                        self.receive(socket, Received::Closed);
                    }
                }
                Output::Mark { socket, count } if self.confirms => {
                    self.receive(socket, Received::Pong(count.to_string().as_bytes()));
                }
                Output::Mark { .. } => {}
                Output::Ask(Ask::Claim { socket, .. }) => self.receive(socket, Received::Claimed(Claimed::Yes)),
                other => self.others.push(other),
            }
        }
    }
}

/// Everyone's key is made of the id.
pub fn signing_key(id: &str) -> SigningKey {
    let mut seed = [0; 32];
    for (at, byte) in id.bytes().enumerate() {
        seed[at % 32] ^= byte.wrapping_mul(at as u8 + 1);
    }
    SigningKey::from_bytes(&seed)
}
