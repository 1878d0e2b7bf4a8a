//! The dialects: whatever a few sockets of one dialect say, in whatever order, nobody panics, what goes out is JSON for open sockets and
//! bounded by what came in, somebody who keeps the rules is neither put out by others nor left without an answer, and in the end nothing is
//! left.
//!
//! A script has a line for each thing that happens: `o0` opens socket 0 (`o0x` at the address with `x` as its room or id), `>0…` is a
//! frame of it, `b0…` a binary one, `x0` loses it, `t500` lets milliseconds pass, `y` and `d` answer what the store was asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::de::IgnoredAny;
use wigwag_dialects::{Arrival, Conversation, Dialect, Dialects, Settings, Which};
use wigwag_hub::{Ask, Claimed, Hub, Input, Moment, Now, Origin, Output, Received, Rules, SocketId, Wall};
use wigwag_wire::code::Code;

/// Sockets that a script can name.
const SOCKETS: u64 = 6;
/// The one that keeps the rules.
const BYSTANDER: u64 = 100;
/// Longer silence than this may break a dialect's rules.
const STEP_MS: u64 = 50_000;
/// More than any one thing that happens may cause: frames to each socket, several for each.
const OUTPUTS_MAX: usize = 600;

const CREATE: &str = r#"{"type":"CREATE_ROOM","roomId":"r","userId":"~b","timestamp":1,"userName":"B","roomName":"B"}"#;
const PING: &str = r#"{"type":"PING","roomId":"r","userId":"~b","timestamp":1}"#;
const PUBLISH: &str = r#"{"type":"publish","topic":"~b","payload":7}"#;

pub(crate) fn run(which: Which, data: &[u8]) {
    let mut world = World::new(which);
    for line in data.split(|byte| *byte == b'\n').take(300) {
        world.play(line);
    }
    world.end();
}

/// One dialect.
pub(crate) fn run_in(dialect: Dialect, data: &[u8]) {
    run(Which::One(dialect), data);
}

/// Sockets whose first frame tells.
pub(crate) fn run_any(data: &[u8]) {
    run(Which::Among(Dialect::ALL.to_vec()), data);
}

struct World {
    which: Which,
    hub: Hub,
    dialects: Arc<Dialects>,
    now: Now,
    /// By the number in the script.
    sockets: BTreeMap<u64, Socket>,
    asks: VecDeque<SocketId>,
    next: u64,
    /// What the one that keeps the rules was sent, since it last said something at the end.
    heard: Vec<String>,
}

struct Socket {
    id: SocketId,
    conversation: Conversation,
    closed: bool,
}

impl World {
    fn new(which: Which) -> Self {
        let dialects = Dialects::new(Settings::default());
        let hub = Hub::new(Rules::default(), dialects.voices(), [5; 32]);
        let now = Now { at: Moment(1_000), wall: Wall(1_795_000_000_000) };
        let (sockets, asks, heard) = (BTreeMap::new(), VecDeque::new(), Vec::new());
        let mut world = Self { which, hub, dialects, now, sockets, asks, next: 0, heard };
        world.open(BYSTANDER, "r");
        if matches!(world.which, Which::One(Dialect::PeerJs | Dialect::Matchbox)) {
            assert!(!world.sockets[&BYSTANDER].closed, "it came in by the rules");
        }
        world
    }

    fn play(&mut self, line: &[u8]) {
        let Some((&[what, digit], rest)) = line.split_first_chunk() else {
            return match line {
                b"y" => self.answer(Claimed::Yes),
                b"d" => self.answer(Claimed::No(Code::NameTaken)),
                _ => {}
            };
        };
        let number = u64::from(digit.wrapping_sub(b'0')) % SOCKETS;
        match what {
            b'o' => self.open(number, &String::from_utf8_lossy(rest)),
            b'>' => {
                if let Ok(text) = std::str::from_utf8(rest) {
                    self.receive(number, Received::Text(text));
                }
            }
            b'b' => self.receive(number, Received::Binary(rest)),
            b'x' => self.lose(number),
            b't' => {
                let digits = std::str::from_utf8(&line[1..]).ok().and_then(|text| text.parse::<u64>().ok());
                self.pass(digits.unwrap_or(0).min(600_000));
            }
            _ => {}
        }
    }

    /// Whoever keeps the rules is still served, whatever the others did: it says this, and hears that.
    fn ask_for_bystander(&mut self) {
        let Which::One(dialect) = self.which else { return };
        let (says, hears): (&[&str], _) = match dialect {
            Dialect::PeerJs => (&[r#"{"type":"OFFER","dst":"r","payload":1}"#], "OFFER"),
            Dialect::Volli => (&[r#"{"type":"discover","userId":"~"}"#], r#""online":false"#),
            Dialect::Tom => (&[r#"{"type":"register","nodeId":"~b","username":"B"}"#], r#""~b""#),
            Dialect::WatchParty => (&[CREATE, PING], "PONG"),
            Dialect::ManaMesh => (&[r#"{"type":"join","roomId":"~b"}"#], "~b"),
            Dialect::Tracker => (&[r#"{"action":"scrape"}"#], "files"),
            Dialect::Yjs => (&[r#"{"type":"subscribe","topics":["~b"]}"#, PUBLISH], r#""clients":1"#),
            Dialect::Trystero => (&[r#"{"type":"subscribe","topic":"~b"}"#, PUBLISH], r#""payload":7"#),
            // It hears of whoever comes.
            Dialect::Matchbox => (&[], "NewPeer"),
        };
        self.heard.clear();
        for frame in says {
            self.receive(BYSTANDER, Received::Text(frame));
        }
        if dialect == Dialect::Matchbox {
            self.open(0, "r");
        }
        self.pass(1_000);
        assert!(self.heard.iter().any(|frame| frame.contains(hears)), "no {hears} in {:?}", self.heard);
    }

    /// Everybody leaves, and time passes until nothing is left of them.
    fn end(&mut self) {
        assert!(!self.sockets[&BYSTANDER].closed, "who keeps the rules stays");
        self.ask_for_bystander();
        for number in self.sockets.keys().copied().collect::<Vec<_>>() {
            self.lose(number);
        }
        for _ in 0..40 {
            self.pass(60_000);
        }
        assert!(self.hub.is_empty(), "something is left in the hub");
        assert!(self.dialects.is_empty(self.now.at), "something is left of the dialects");
    }

    fn open(&mut self, number: u64, what: &str) {
        self.lose(number);
        self.next += 1;
        let id = SocketId(self.next);
        let Ok(pass) = self.hub.admit(self.now, Origin::Local) else { return };
        let name = if what.is_empty() { format!("p{number}") } else { what.to_owned() };
        let query = [("key", "peerjs"), ("id", &*name), ("token", &*format!("t{number}"))];
        let query = query.map(|(field, value)| (field.to_owned(), value.to_owned())).to_vec();
        let rest = if what.is_empty() { "r".to_owned() } else { name };
        let arrival = Arrival { which: self.which.clone(), namespace: None, rest, query };
        let mut out = Vec::new();
        let around = (&self.hub, &*self.dialects);
        let conversation = Conversation::open(around, self.now, id, pass, arrival, &mut out);
        self.sockets.insert(number, Socket { id, conversation, closed: false });
        self.carry(out);
    }

    fn receive(&mut self, number: u64, received: Received<'_>) {
        let Some(socket) = self.sockets.get_mut(&number) else { return };
        let ends = matches!(received, Received::Closed);
        if (socket.closed || socket.conversation.is_waiting()) && !matches!(received, Received::Claimed(_)) && !ends {
            return;
        }
        let mut out = Vec::new();
        socket.conversation.handle((&self.hub, &self.dialects), self.now, received, &mut out);
        self.carry(out);
    }

    fn lose(&mut self, number: u64) {
        self.receive(number, Received::Closed);
        if let Some(socket) = self.sockets.remove(&number) {
            assert!(socket.conversation.parties().is_empty(), "a socket that is gone speaks for nobody");
        }
    }

    fn answer(&mut self, claimed: Claimed) {
        let Some(id) = self.asks.pop_front() else { return };
        let number = self.sockets.iter().find(|(_, socket)| socket.id == id).map(|(number, _)| *number);
        if let Some(number) = number {
            self.receive(number, Received::Claimed(claimed));
        }
    }

    fn pass(&mut self, ms: u64) {
        let mut left = ms;
        while left > 0 {
            let step = left.min(STEP_MS);
            self.step(step);
            left -= step;
        }
    }

    fn step(&mut self, ms: u64) {
        self.now = Now { at: Moment(self.now.at.0 + ms), wall: Wall(self.now.wall.0 + ms) };
        let mut out = Vec::new();
        self.hub.handle(self.now, Input::Tick, &mut out);
        self.carry(out);
        for number in self.sockets.keys().copied().collect::<Vec<_>>() {
            self.receive(number, Received::Tick);
            if number == BYSTANDER {
                // Signs of life where a dialect wants them.
                self.receive(number, Received::Text(r#"{"type":"HEARTBEAT"}"#));
            }
        }
    }

    fn carry(&mut self, out: Vec<Output>) {
        assert!(out.len() <= OUTPUTS_MAX, "{} outputs for one thing that happened", out.len());
        for output in out {
            match output {
                Output::Send { socket, frame } => {
                    let to = self.sockets.values().find(|known| known.id == socket);
                    assert!(to.is_none_or(|to| !to.closed), "a frame after the close");
                    assert!(serde_json::from_slice::<IgnoredAny>(&frame).is_ok(), "{frame:?} is no JSON");
                    if self.sockets.get(&BYSTANDER).is_some_and(|bystander| bystander.id == socket) {
                        self.heard.push(String::from_utf8_lossy(&frame).into_owned());
                    }
                }
                Output::Close { socket, .. } => {
                    if let Some(known) = self.sockets.values_mut().find(|known| known.id == socket) {
                        known.closed = true;
                    }
                }
                Output::Ask(Ask::Free { socket, .. }) => self.asks.push_back(socket),
                _ => {}
            }
        }
    }
}
