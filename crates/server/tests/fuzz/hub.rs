//! The hub's input: any sequence of sockets, frames, answers, clocks and restarts.
//!
//! The bytes are a script, a line for each thing that happens, so that a found case can be read and mended by hand.
//! `>0{"type":"find","id":"$1"}` sends a frame on socket 0; [`World::play`] knows the others. A line that makes no
//! sense does nothing.
//!
//! Promises: no input panics or makes much output; whatever is sent is an event, to a socket that is open; time that
//! was told is over; and when everybody has left and time has passed, nothing is left.

#[path = "hub_frames.rs"]
mod frames;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::Value;
use wigwag_hub::{
    Ask, CarryStatus, Claimed, Connection, Hub, Input, Keep, Moment, Native, Now, Origin, Output, Place, Prefix,
    Received, Rules, SessionFilter, Snapshot, SocketId, Wall,
};
use wigwag_testkit::{HelloFrame, TestKey};
use wigwag_wire::signature::NameStatement;
use wigwag_wire::{Code, Namespace, PeerId, event};

const SOCKETS: usize = 8;
const LINES_MAX: usize = 200;
/// What one line may lead to at most.
const OUTPUTS_MAX: usize = 20_000;
/// No promise of the protocol outlives this.
const LONG_MS: u64 = 40 * 86_400_000;
const BEGIN: Now = Now { at: Moment(1_000_000), wall: Wall(1_795_000_000_000) };

pub(crate) fn run(data: &[u8]) {
    let script = String::from_utf8_lossy(data);
    let mut lines = script.lines().take(LINES_MAX).peekable();
    let rules = lines.next_if(|line| line.starts_with('%')).unwrap_or_default();
    let mut world = World::new(rules);
    for line in lines {
        world.play(line);
        world.settle();
    }
    world.end();
}

struct World {
    hub: Hub,
    rules: Rules,
    now: Now,
    /// The latest that the wall clock ever said.
    latest: Wall,
    sockets: [Option<Socket>; SOCKETS],
    /// The token of the last session at each place.
    tokens: [String; SOCKETS],
    next_socket: u64,
    line: u32,
    next_n: u64,
    /// What was emitted and not carried out yet.
    out: Vec<Output>,
    /// Whether asks wait for a line that answers them.
    slow: bool,
    asks: VecDeque<Ask>,
    tickets: VecDeque<(u64, Namespace, PeerId)>,
    kept: BTreeMap<u64, Keep>,
    /// The last room and join code that were told.
    room: String,
    code: String,
    /// The last term that was told.
    term: u64,
}

struct Socket {
    id: SocketId,
    connection: Connection,
    challenge: String,
    key: u64,
    mark: u64,
    /// The line in which the hub closed it; the shell has not come round to it yet.
    closing: Option<u32>,
}

impl World {
    /// `%` and a number: its bits choose the rules.
    fn new(line: &str) -> Self {
        let choice: u32 = line.trim_start_matches('%').parse().unwrap_or(0);
        let bit = |bit: u32| choice >> bit & 1 == 1;
        let mut rules = Rules { server: "fuzz.test".into(), guests: !bit(0), ask_where: bit(1), ..Rules::default() };
        let limits = rules.limits.values();
        for (key, default) in limits.into_iter().filter(|_| bit(2) || bit(3)) {
            // Either none, or so small that every one is met; rates stay, or nothing else would be.
            let rate = key.starts_with("frame") || key.starts_with("handshake") || key == "json_depth";
            rules.limits.set(
                key,
                if bit(2) {
                    0
                } else if rate {
                    default
                } else {
                    default.clamp(0, 2)
                },
            );
        }
        Self {
            hub: Hub::new(rules.clone(), vec![Box::new(Native)], [7; 32]),
            rules,
            now: BEGIN,
            latest: BEGIN.wall,
            sockets: Default::default(),
            tokens: Default::default(),
            next_socket: 0,
            line: 0,
            next_n: 0,
            out: Vec::new(),
            slow: bit(4),
            asks: VecDeque::new(),
            tickets: VecDeque::new(),
            kept: BTreeMap::new(),
            room: String::new(),
            code: String::new(),
            term: 0,
        }
    }

    fn play(&mut self, line: &str) {
        self.line += 1;
        let mut rest = line.chars();
        let Some(what) = rest.next() else { return };
        let digit = |c: Option<char>| c.and_then(|c| c.to_digit(10)).unwrap_or(0) as usize;
        match what {
            'o' => self.open(digit(rest.next()) % SOCKETS, digit(rest.next())),
            'g' => self.hello(digit(rest.next()) % SOCKETS, None, rest.as_str()),
            'h' => {
                let (slot, key) = (digit(rest.next()) % SOCKETS, digit(rest.next()));
                self.hello(slot, Some(key as u64), rest.as_str());
            }
            '>' => {
                let slot = digit(rest.next()) % SOCKETS;
                let text = self.filled(slot, rest.as_str());
                self.receive(slot, Received::Text(&text));
            }
            'f' => {
                let slot = digit(rest.next()) % SOCKETS;
                let frame = frames::frame(&mut rest, self.term);
                let text = self.filled(slot, &frame);
                self.receive(slot, Received::Text(&text));
            }
            'n' => self.change_name(digit(rest.next()) % SOCKETS, digit(rest.next()) as u64, rest.as_str()),
            'b' => self.receive(digit(rest.next()) % SOCKETS, Received::Binary(b"x")),
            'p' => {
                let slot = digit(rest.next()) % SOCKETS;
                let mark = self.sockets[slot].as_ref().map_or(0, |socket| socket.mark).to_string();
                let payload = if rest.as_str().is_empty() { mark.as_str() } else { rest.as_str() };
                self.receive(slot, Received::Pong(payload.as_bytes()));
            }
            'x' => self.drop_socket(digit(rest.next()) % SOCKETS),
            't' => self.wait(rest.as_str().parse::<u64>().unwrap_or(1_000).min(LONG_MS)),
            'w' => {
                let by = rest.as_str().parse::<i64>().unwrap_or(0);
                self.now.wall = Wall(self.now.wall.0.saturating_add_signed(by));
            }
            'y' => self.answer(true),
            'd' => self.answer(false),
            'c' => {
                let slot = digit(rest.next()) % SOCKETS;
                let Some(to) = self.party_id(slot).and_then(|id| PeerId::new(&id).ok()) else { return };
                let (ns, record) = (self.rules.default_namespace.clone(), rest.as_str().as_bytes());
                self.hub.handle(self.now, Input::Arrived { ticket: 7, ns, to, record }, &mut self.out);
            }
            'k' => {
                let sessions = self.hub.sessions(&SessionFilter::default(), None, SOCKETS);
                if let Some(session) = sessions.get(digit(rest.next())) {
                    let session = wigwag_hub::SessionId::parse(&session.session).unwrap();
                    assert!(self.hub.remove(self.now, session, &mut self.out));
                }
            }
            'i' => {
                let until = Some(self.now.wall + 60_000);
                let party = self.sockets[digit(rest.next()) % SOCKETS].as_ref().and_then(|s| s.connection.party());
                let Some(party) = party.cloned() else { return };
                self.hub.ban_id(self.now, &party.ns, &party.id, until, &mut self.out);
            }
            'q' => self.ban(digit(rest.next())),
            's' => self.restart(),
            _ => {}
        }
    }

    fn open(&mut self, slot: usize, origin: usize) {
        self.drop_socket(slot);
        let origin = address(origin).map_or(Origin::Local, Origin::Ip);
        let Ok(pass) = self.hub.admit(self.now, origin) else { return };
        self.next_socket += 1;
        let id = SocketId(self.next_socket);
        let connection = Connection::open(&self.hub, self.now, id, pass, &mut self.out);
        let challenge = String::new();
        self.sockets[slot] = Some(Socket { id, connection, challenge, key: 0, mark: 0, closing: None });
    }

    fn hello(&mut self, slot: usize, key: Option<u64>, fields: &str) {
        let fields = self.filled(slot, fields);
        let Some(socket) = &mut self.sockets[slot] else { return };
        let mut hello = HelloFrame::new();
        if let Ok(Value::Object(fields)) = serde_json::from_str(&fields) {
            for (field, value) in fields {
                hello = hello.with(&field, value);
            }
        }
        socket.key = key.unwrap_or(0);
        let text = match key {
            Some(key) => hello.prove(&TestKey::new(key), &socket.challenge),
            None => hello.guest(),
        };
        self.receive(slot, Received::Text(&text));
    }

    fn change_name(&mut self, slot: usize, key: u64, op: &str) {
        self.next_n += 1;
        let Some(socket) = &self.sockets[slot] else { return };
        let Some(party) = socket.connection.party() else { return };
        let challenge: Value = serde_json::from_str(&socket.challenge).unwrap();
        let key = TestKey::new(key).public();
        let statement = NameStatement {
            server: &self.rules.server,
            nonce: challenge["nonce"].as_str().unwrap(),
            namespace: "",
            name: party.id.as_str(),
            op,
            key: &key,
        };
        let signature = TestKey::new(socket.key).sign(&statement.bytes());
        let frame = serde_json::json!({"type": "name", "n": self.next_n, "op": op, "key": key, "signature": signature});
        self.receive(slot, Received::Text(&frame.to_string()));
    }

    /// `$0` is the id of socket 0's peer, `$t` the token of its last session, `$r` and `$c` the last room and its code,
    /// `#` the next number of a request.
    fn filled(&mut self, slot: usize, text: &str) -> String {
        let mut filled = String::new();
        let mut parts = text.split('$');
        filled.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let (word, length) = match part.chars().next() {
                Some('t') => (Some(self.tokens[slot].clone()), 1),
                Some('r') => (Some(self.room.clone()), 1),
                Some('c') => (Some(self.code.clone()), 1),
                Some(c @ '0'..='7') => (self.party_id(c as usize - '0' as usize), 1),
                _ => (None, 0),
            };
            filled.push_str(word.as_deref().unwrap_or_default());
            filled.push_str(&part[length..]);
        }
        if filled.contains('#') {
            self.next_n += 1;
            filled = filled.replace('#', &self.next_n.to_string());
        }
        filled
    }

    fn party_id(&self, slot: usize) -> Option<String> {
        Some(self.sockets[slot].as_ref()?.connection.party()?.id.to_string())
    }

    fn receive(&mut self, slot: usize, received: Received<'_>) {
        let Some(socket) = &mut self.sockets[slot] else { return };
        // As the shell does: nothing more from a socket that is being closed, and no frame while an answer is awaited.
        let frame = matches!(received, Received::Text(_) | Received::Binary(_) | Received::Pong(_));
        if !(frame && (socket.closing.is_some() || socket.connection.is_waiting())) {
            socket.connection.handle(&self.hub, self.now, received, &mut self.out);
        }
    }

    fn drop_socket(&mut self, slot: usize) {
        if let Some(mut socket) = self.sockets[slot].take() {
            socket.connection.handle(&self.hub, self.now, Received::Closed, &mut self.out);
            assert!(socket.connection.party().is_none(), "a closed socket has nobody behind it");
            // What the hub said before it knew goes nowhere.
            self.settle();
        }
    }

    fn wait(&mut self, ms: u64) {
        self.now = Now { at: self.now.at + ms, wall: self.now.wall + ms };
        self.hub.handle(self.now, Input::Tick, &mut self.out);
        assert!(self.hub.next_deadline().is_none_or(|due| due > self.now.at), "a tick leaves nothing that is due");
        for slot in 0..SOCKETS {
            if self.sockets[slot].as_ref().is_some_and(|socket| socket.closing.is_some()) {
                self.drop_socket(slot);
                continue;
            }
            let Some(socket) = &mut self.sockets[slot] else { continue };
            if socket.connection.next_deadline(&self.hub).is_some_and(|due| due <= self.now.at) {
                socket.connection.handle(&self.hub, self.now, Received::Tick, &mut self.out);
                let due = socket.connection.next_deadline(&self.hub);
                assert!(due.is_none_or(|due| due > self.now.at), "a tick leaves nothing that is due");
            }
        }
    }

    /// Answers what was asked first: an ask, or else a signal that was carried elsewhere.
    fn answer(&mut self, yes: bool) {
        match self.asks.pop_front() {
            Some(Ask::Claim { socket, .. }) => {
                let claimed = if yes { Claimed::Yes } else { Claimed::No(Code::NameTaken) };
                self.answer_socket(socket, Received::Claimed(claimed));
            }
            Some(Ask::Free { socket, .. }) => {
                let free = if yes { Claimed::Yes } else { Claimed::No(Code::NameTaken) };
                self.answer_socket(socket, Received::Claimed(free));
            }
            Some(Ask::Name(naming)) => {
                let result = if yes { Ok(()) } else { Err(Code::TooManyKeys) };
                self.hub.handle(self.now, Input::Named { naming, result }, &mut self.out);
            }
            Some(Ask::Where { ns, id }) => {
                let place = yes.then_some(Place(1));
                self.hub.handle(self.now, Input::Where { ns, id, place }, &mut self.out);
            }
            Some(Ask::Keep(keep)) => {
                let (number, ns, to) = (keep.number, keep.ns.clone(), keep.to.clone());
                if yes {
                    self.kept.insert(number, keep);
                }
                self.hub.handle(self.now, Input::Kept { number, ns, to, ok: yes }, &mut self.out);
            }
            None => {
                let Some((ticket, ns, to)) = self.tickets.pop_front() else { return };
                let status = if yes { CarryStatus::Delivered } else { CarryStatus::Absent };
                self.hub.handle(self.now, Input::Carried { ticket, ns, to, status }, &mut self.out);
            }
        }
    }

    fn answer_socket(&mut self, id: SocketId, answer: Received<'_>) {
        // An answer for a socket that is gone reaches nobody, as in the shell.
        if let Some(slot) = self.slot_of(id) {
            self.receive(slot, answer);
        }
    }

    /// The operator bans an address, and the shell tells every socket.
    fn ban(&mut self, origin: usize) {
        let Some(address) = address(origin) else { return };
        let prefix = Prefix::new(address, 32).unwrap();
        self.hub.ban(prefix, Some(self.now.wall + 60_000));
        for slot in 0..SOCKETS {
            self.receive(slot, Received::Banned(prefix));
        }
    }

    /// A new process: all sockets are lost, the snapshot and the store are read back.
    fn restart(&mut self) {
        let written = serde_json::to_vec(&self.hub.snapshot(self.now)).unwrap();
        let read: Snapshot = serde_json::from_slice(&written).unwrap();
        self.sockets = Default::default();
        self.asks.clear();
        self.tickets.clear();
        self.now.at = BEGIN.at;
        self.hub = Hub::new(self.rules.clone(), vec![Box::new(Native)], [9; 32]);
        assert_eq!(self.hub.restore(self.now, read, &mut self.out), Ok(()));
        for keep in self.kept.values() {
            self.hub.restore_stored(self.now, keep.clone(), &mut self.out);
        }
        self.settle();
    }

    /// Carries out what was emitted, and checks it.
    fn settle(&mut self) {
        self.latest = self.latest.max(self.now.wall);
        let mut carried = 0;
        loop {
            for output in std::mem::take(&mut self.out) {
                carried += 1;
                assert!(carried <= OUTPUTS_MAX, "one line leads to more than {OUTPUTS_MAX} outputs");
                self.carry_out(output);
            }
            if self.slow || (self.asks.is_empty() && self.tickets.is_empty()) {
                break;
            }
            // A store of the server's own, and nobody elsewhere.
            let elsewhere = matches!(self.asks.front(), Some(Ask::Where { .. }) | None);
            self.answer(!elsewhere);
        }
        let sessions = self.hub.sessions(&SessionFilter::default(), None, usize::MAX).len();
        assert_eq!(self.hub.counts().sessions, sessions as u64);
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Send { socket, frame } => {
                let said: Value = serde_json::from_slice(&frame).unwrap();
                let kind = said["type"].as_str().unwrap();
                assert!(event::TYPES.contains(&kind), "{kind} is no event");
                if let Some(term) = said.get("term").and_then(Value::as_u64) {
                    self.term = term;
                }
                match kind {
                    "error" => assert!(Code::from_number(said["code"].as_u64().unwrap() as u16).is_some()),
                    "room.joined" => self.room = said["room"].as_str().unwrap().to_owned(),
                    "room.code" => self.code = said["code"].as_str().unwrap().to_owned(),
                    _ => {}
                }
                let Some(slot) = self.slot_of(socket) else { return };
                let Some(socket) = &mut self.sockets[slot] else { return };
                assert_ne!(socket.closing, Some(self.line), "a frame after the close");
                match kind {
                    "challenge" => socket.challenge = said.to_string(),
                    "welcome" => self.tokens[slot] = said["resume"].as_str().unwrap().to_owned(),
                    _ => {}
                }
            }
            Output::Mark { socket, count } => {
                if let Some(socket) = self.known(socket) {
                    socket.mark = count;
                }
            }
            Output::Close { socket, code, .. } => {
                assert!(code < 1016 || Code::from_number(code).is_some(), "{code} is no close code");
                let line = self.line;
                if let Some(socket) = self.known(socket) {
                    // Later lines cannot know of it: what they send or close once more goes nowhere.
                    assert_ne!(socket.closing, Some(line), "closed twice");
                    socket.closing = Some(line);
                }
            }
            Output::Ask(ask) => self.asks.push_back(ask),
            Output::Forget(numbers) => self.kept.retain(|number, _| !numbers.contains(number)),
            Output::Carry(carry) => self.tickets.push_back((carry.ticket, carry.ns, carry.to)),
            Output::Receipt { .. } => {}
        }
    }

    fn known(&mut self, id: SocketId) -> Option<&mut Socket> {
        self.slot_of(id).and_then(|slot| self.sockets[slot].as_mut())
    }

    /// Where a socket is; nowhere if its peer has gone already.
    fn slot_of(&self, id: SocketId) -> Option<usize> {
        assert!((1..=self.next_socket).contains(&id.0), "{id:?} was never open");
        self.sockets.iter().position(|socket| socket.as_ref().is_some_and(|socket| socket.id == id))
    }

    /// Everybody leaves, and time passes.
    fn end(mut self) {
        for slot in 0..SOCKETS {
            self.drop_socket(slot);
        }
        self.slow = false;
        self.settle();
        // A clock that was set back keeps things for longer; here it is put right.
        self.now.wall = self.latest;
        self.wait(0);
        self.settle();
        let over = self.now.at + LONG_MS;
        let mut ticks = 0;
        while let Some(due) = self.hub.next_deadline() {
            assert!(due <= over, "something is due in more than {LONG_MS} ms");
            self.wait(due - self.now.at);
            self.settle();
            ticks += 1;
            assert!(ticks < 50_000, "it never comes to rest");
        }
        self.wait(LONG_MS);
        let counts = self.hub.counts();
        let left = [counts.sockets, counts.handshakes, counts.sessions, counts.ids, counts.watches, counts.rooms];
        assert_eq!(left, [0; 6], "{counts:?}");
        let left = [counts.topics, counts.networks, counts.swarms, counts.stored_signals, counts.stored_bytes];
        assert_eq!(left, [0; 5], "{counts:?}");
        assert!(self.kept.is_empty(), "{} stored signals are never forgotten", self.kept.len());
    }
}

/// None is this machine.
fn address(origin: usize) -> Option<IpAddr> {
    match origin {
        0 => None,
        n if n % 2 == 0 => Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, n as u8))),
        n => Some(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, n as u16, 0, 0, 0, 0, 1))),
    }
}
