//! The line against a model of a server, under seeded chance: lost sockets, lost welcomes, late frames, restarts with and without
//! memory. And ten thousand lines at once, whose server fails.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, VecDeque};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};
use support::line::{body, sent};
use wigwag_peer::{AskId, Asked, Config, GivenUp, Input, Line, Moment, Output, Server, SocketId, State};

const SEEDS: u64 = 400;

#[test]
fn no_answer_comes_twice_or_to_the_wrong_request_and_every_request_ends() {
    let (mut answered, mut unknown) = (0, 0);
    for seed in 1..=SEEDS {
        for end in World::new(seed).run() {
            match end {
                End::Answered => answered += 1,
                End::Unknown => unknown += 1,
            }
        }
    }
    assert!(answered > unknown * 3, "most are answered: {answered} of {}", answered + unknown);
}

#[test]
fn ten_thousand_peers_of_a_server_that_fails_do_not_come_back_in_one_moment() {
    // At the worst, each comes back once in the first second; what a server sees when it is back after some seconds is far less.
    for (code, down_for, first, later) in [(0, 5, 11_000, 3_000), (4000, 3, 3_000, 3_000), (1001, 0, 9_500, 1_500)] {
        let (rates, done) = Crowd::new(&["wss://a.test/v1"]).fail(code, down_for, usize::MAX);
        assert!(rates.iter().max() <= Some(&first), "{code}: {rates:?}");
        assert!(rates[down_for.max(1)..].iter().max() <= Some(&later), "{code} once it is back: {rates:?}");
        assert!(done <= 60, "{code}: all are back after {done} s");
    }
}

#[test]
fn a_server_that_can_greet_few_at_a_time_is_not_buried_by_those_it_turns_away() {
    let (rates, done) = Crowd::new(&["wss://a.test/v1"]).fail(4000, 2, 300);
    assert!(rates[10..].iter().max() <= Some(&1_500), "after ten seconds: {rates:?}");
    assert!(done <= 300, "all are back after {done} s");
}

#[test]
fn ten_thousand_peers_of_a_server_that_is_gone_for_good_are_at_the_next_one_soon_and_spread() {
    let (rates, done) = Crowd::new(&["wss://a.test/v1", "wss://b.test/v1"]).fail(0, usize::MAX, usize::MAX);
    assert!(rates.iter().max() <= Some(&20_000) && done <= 2, "{done} s: {rates:?}");
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Answered,
    Unknown,
}

/// One line, one model of a server, and the frames between them.
struct World {
    seed: u64,
    now: u64,
    dice: ChaCha8Rng,
    line: Line,
    /// What is on its way to the client by each socket.
    sockets: BTreeMap<SocketId, VecDeque<Value>>,
    session: Option<Session>,
    asked: BTreeMap<u64, Option<End>>,
    told: u64,
    heard: u64,
    tokens: u64,
}

/// A session as the server has it.
struct Session {
    socket: Option<SocketId>,
    frames: Vec<Value>,
    n: Option<u64>,
    tokens: Vec<String>,
}

impl World {
    fn new(seed: u64) -> Self {
        let line = Line::new(Config::new(vec![Server::new("wss://a.test/v1")]), support::dice(seed)).unwrap();
        Self {
            seed,
            now: 0,
            dice: ChaCha8Rng::seed_from_u64(seed),
            line,
            sockets: BTreeMap::new(),
            session: None,
            asked: BTreeMap::new(),
            told: 0,
            heard: 0,
            tokens: 0,
        }
    }

    fn run(mut self) -> Vec<End> {
        self.tell(Input::Open);
        for _ in 0..300 {
            self.step(true);
        }
        for _ in 0..2_000 {
            if self.asked.values().all(Option::is_some) {
                break;
            }
            self.step(false);
        }
        let seed = self.seed;
        let ended = |(id, end): (u64, Option<End>)| end.unwrap_or_else(|| panic!("seed {seed}: {id} never ended"));
        self.asked.into_iter().map(ended).collect()
    }

    fn below(&mut self, n: u64) -> u64 {
        if n == 0 { 0 } else { self.dice.next_u64() % n }
    }

    fn step(&mut self, faults: bool) {
        let chance = self.below(100);
        let at = self.below(self.sockets.len() as u64) as usize;
        let socket = self.sockets.keys().nth(at).copied();
        match (chance, socket) {
            (0..3, Some(socket)) if faults => self.cut(socket),
            (3, _) if faults => self.restart(),
            (4..25, _) if faults => self.ask(),
            (25..35, _) if faults => self.event(),
            (0..90, Some(socket)) if !self.sockets[&socket].is_empty() => self.arrive(socket),
            _ => self.wait(),
        }
    }

    fn ask(&mut self) {
        let id = self.asked.len() as u64 + 1;
        self.asked.insert(id, None);
        let body = body(json!({"type": "signal", "id": id}));
        self.tell(Input::Request { id: AskId(id), body, repeatable: id.is_multiple_of(3) });
    }

    /// The server tells this session something of its own.
    fn event(&mut self) {
        if self.session.is_some() {
            self.told += 1;
            self.count(json!({"type": "published", "number": self.told}));
        }
    }

    fn count(&mut self, frame: Value) {
        let Some(session) = &mut self.session else { return };
        session.frames.push(frame.clone());
        if let Some(wire) = session.socket.and_then(|socket| self.sockets.get_mut(&socket)) {
            wire.push_back(frame);
        }
    }

    fn arrive(&mut self, socket: SocketId) {
        let frame = self.sockets.get_mut(&socket).and_then(VecDeque::pop_front).unwrap();
        self.tell(Input::Text { socket, text: frame.to_string() });
    }

    /// A wire is cut: what was on its way is gone, and the client hears of it now or when its patience ends.
    fn cut(&mut self, socket: SocketId) {
        self.closed(socket);
        if self.below(10) < 8 {
            self.tell(Input::Lost { socket, code: 0, reason: String::new() });
        }
    }

    fn restart(&mut self) {
        for socket in self.sockets.keys().copied().collect::<Vec<_>>() {
            self.cut(socket);
        }
        if self.below(2) == 0 {
            self.session = None;
        }
    }

    fn wait(&mut self) {
        let most = self.line.next_deadline().map_or(1_000, |due| due.0.saturating_sub(self.now));
        self.now += if self.below(2) == 0 { most } else { most.min(self.below(500)) };
        self.tell(Input::Tick);
    }

    fn tell(&mut self, input: Input) {
        let mut out = Vec::new();
        self.line.handle(Moment(self.now), input, &mut out);
        for output in out {
            self.take(output);
        }
        let due = self.line.next_deadline();
        assert!(due.is_none_or(|due| due.0 > self.now), "seed {}: {due:?} stays due at {}", self.seed, self.now);
    }

    fn take(&mut self, output: Output) {
        let seed = self.seed;
        if let Some(frame) = sent(&output) {
            let Output::Send { socket, .. } = output else { unreachable!() };
            if self.sockets.contains_key(&socket) {
                self.receive(socket, &frame);
            }
            return;
        }
        match output {
            Output::Connect { socket, .. } => {
                self.sockets.insert(socket, VecDeque::from([challenge("a.test")]));
            }
            Output::Disconnect(socket) => self.closed(socket),
            Output::Answer { to: Asked::Request(id), frame } => {
                let frame: Value = frame.parse().unwrap();
                assert_eq!(frame["id"], id.0, "seed {seed}: an answer to another request");
                self.end(id.0, End::Answered);
            }
            Output::Given { to: Asked::Request(id), why } => {
                assert_eq!(why, GivenUp::Unknown);
                self.end(id.0, End::Unknown);
            }
            Output::Event(frame) if frame.kind() == "published" => {
                let number = frame.parse::<Value>().unwrap()["number"].as_u64().unwrap();
                assert!(number > self.heard, "seed {seed}: {number} after {}", self.heard);
                self.heard = number;
            }
            _ => {}
        }
    }

    fn closed(&mut self, socket: SocketId) {
        self.sockets.remove(&socket);
        if let Some(session) = self.session.as_mut().filter(|session| session.socket == Some(socket)) {
            session.socket = None;
        }
    }

    fn end(&mut self, id: u64, how: End) {
        let before = self.asked.insert(id, Some(how));
        assert_eq!(before, Some(None), "seed {}: request {id} ended twice", self.seed);
    }

    /// What the server does about a frame.
    fn receive(&mut self, socket: SocketId, frame: &Value) {
        if frame["type"] == "hello" {
            return self.hello(socket, &frame["resume"]);
        }
        let seed = self.seed;
        let Some(session) = self.session.as_mut().filter(|session| session.socket == Some(socket)) else { return };
        let n = frame["n"].as_u64();
        assert!(n > session.n, "seed {seed}: n {n:?} after {:?}", session.n);
        session.n = n;
        let kind = if frame["type"] == "seen" { "done" } else { "ack" };
        self.count(json!({"type": kind, "re": n, "id": frame["id"]}));
    }

    fn hello(&mut self, socket: SocketId, resume: &Value) {
        self.tokens += 1;
        let token = format!("t{}", self.tokens);
        let chance = (self.below(5), self.dice.next_u64());
        let seen = resume["seen"].as_u64().unwrap_or(0) as usize;
        let session = self.session.as_mut().filter(|session| {
            session.tokens.iter().any(|token| resume["token"] == *token) && seen <= session.frames.len()
        });
        if let Some(session) = session {
            let before = session.socket.replace(socket);
            // A queue is bounded: sometimes the oldest messages had to go.
            let most = (session.frames.len() - seen + 1) as u64;
            let missed = if chance.0 == 0 { (chance.1 % most) as usize } else { 0 };
            session.tokens.push(token.clone());
            let welcome =
                json!({"type": "welcome", "resumed": true, "resume": token, "missed": missed, "n": session.n});
            let held = session.frames[seen + missed..].to_vec();
            self.sockets.entry(socket).or_default().extend(std::iter::once(welcome).chain(held));
            before.map(|before| self.sockets.remove(&before));
        } else {
            let fresh = Session { socket: Some(socket), frames: Vec::new(), n: None, tokens: vec![token.clone()] };
            let before = self.session.replace(fresh).and_then(|session| session.socket);
            before.map(|before| self.sockets.remove(&before));
            let welcome = json!({"type": "welcome", "resumed": false, "resume": token});
            self.sockets.entry(socket).or_default().push_back(welcome);
        }
    }
}

/// Many lines, and a server that fails for all of them at once.
struct Crowd {
    first: String,
    clients: Vec<(Line, SocketId)>,
}

/// When it fails, in milliseconds.
const START: u64 = 60_000;

impl Crowd {
    fn new(urls: &[&str]) -> Self {
        let servers: Vec<Server> = urls.iter().map(|url| Server::new(*url)).collect();
        let client = |at: u64| {
            let mut line = Line::new(Config::new(servers.clone()), support::dice(at)).unwrap();
            let (socket, url) = connect(&mut line, 0, Input::Open).unwrap();
            welcome(&mut line, 0, socket, &url);
            (line, socket)
        };
        Self { first: urls[0].to_owned(), clients: (1..=10_000).map(client).collect() }
    }

    /// The attempts per second after the failure, and the second in which the last peer was back.
    fn fail(mut self, code: u16, down_for: usize, per_second: usize) -> (Vec<usize>, usize) {
        let mut rates: Vec<usize> = Vec::new();
        // By the tenth of a second in which they are due.
        let mut due: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        let slot = |line: &Line| line.next_deadline().unwrap().0.max(START).div_ceil(100);
        for (at, (line, socket)) in self.clients.iter_mut().enumerate() {
            let mut out = Vec::new();
            line.handle(Moment(START), Input::Lost { socket: *socket, code, reason: String::new() }, &mut out);
            due.entry(slot(line)).or_default().push(at);
        }
        let (mut missing, mut second, mut greeted) = (self.clients.len(), 0, 0);
        while let Some((tenth, those)) = due.pop_first().filter(|_| missing > 0) {
            let now = tenth * 100;
            let this_second = ((now - START) / 1_000) as usize;
            if this_second != second {
                (second, greeted) = (this_second, 0);
            }
            rates.resize(rates.len().max(second + 1), 0);
            for at in those {
                let line = &mut self.clients[at].0;
                let mut next = Input::Tick;
                let is_back = loop {
                    let Some((socket, url)) = connect(line, now, next) else { break false };
                    rates[second] += 1;
                    if (second >= down_for || url != self.first) && greeted < per_second {
                        welcome(line, now, socket, &url);
                        break true;
                    }
                    next = Input::Lost { socket, code: 0, reason: String::new() };
                };
                if is_back {
                    (greeted, missing) = (greeted + 1, missing - 1);
                } else {
                    due.entry(slot(line).max(tenth + 1)).or_default().push(at);
                }
            }
        }
        (rates, second)
    }
}

fn connect(line: &mut Line, now: u64, input: Input) -> Option<(SocketId, String)> {
    let mut out = Vec::new();
    line.handle(Moment(now), input, &mut out);
    out.into_iter().find_map(|output| match output {
        Output::Connect { socket, url } => Some((socket, url)),
        _ => None,
    })
}

fn welcome(line: &mut Line, now: u64, socket: SocketId, url: &str) {
    let host = url.trim_start_matches("wss://").trim_end_matches("/v1");
    for frame in [challenge(host), json!({"type": "welcome", "resume": "t", "resumed": false})] {
        line.handle(Moment(now), Input::Text { socket, text: frame.to_string() }, &mut Vec::new());
    }
    assert_eq!(line.status().state, State::Open);
}

fn challenge(server: &str) -> Value {
    json!({"type": "challenge", "nonce": "n".repeat(16), "server": server, "versions": ["wigwag.1"]})
}
