//! The transcripts of `spec/vectors`, seen from the other end: the line is each of the clients, and the transcript is the server.
//! Hellos, counts, numbers and the order of requests must be what the transcript says a client sent.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};
use support::{line, no_dice};
use wigwag_peer::{Advice, AskId, Asked, Body, Config, Hello, Input, Line, Moment, Output, Server, SocketId, State};
use wigwag_testkit::{TestKey, spec};
use wigwag_wire::{Device, Namespace, PeerId};

#[test]
fn a_line_says_what_every_transcript_says_that_a_client_says() {
    for (name, _) in spec::transcripts() {
        let transcript: Value = spec::vectors(&format!("transcripts/{name}.json"));
        let mut play = Play::new(&name, &transcript);
        for (at, step) in transcript["steps"].as_array().unwrap().iter().enumerate() {
            play.step(at, step);
        }
        assert!(play.hellos > 0, "{name}: a line said hello");
    }
}

/// Refusals of frames that a client that follows the protocol never sends.
const NEVER: [u64; 4] = [4205, 4400, 4413, 4414];

struct Play<'t> {
    name: &'t str,
    transcript: &'t Value,
    samples: BTreeMap<String, Value>,
    names: BTreeMap<String, Value>,
    keys: BTreeMap<String, TestKey>,
    sockets: BTreeMap<String, Socket>,
    clients: Vec<Client>,
    /// Clients by the tokens that they were given.
    tokens: BTreeMap<String, usize>,
    hellos: usize,
}

#[derive(Default)]
struct Socket {
    challenge: Value,
    client: Option<usize>,
}

impl<'t> Play<'t> {
    fn new(name: &'t str, transcript: &'t Value) -> Self {
        let events: Value = spec::vectors("events.json");
        let frames = events["cases"].as_array().unwrap().iter().rev().filter_map(|case| case.get("frame"));
        let samples = frames.map(|frame| (frame["type"].as_str().unwrap().to_owned(), frame.clone())).collect();
        let mut play = Self {
            name,
            transcript,
            samples,
            names: BTreeMap::new(),
            keys: BTreeMap::new(),
            sockets: BTreeMap::new(),
            clients: Vec::new(),
            tokens: BTreeMap::new(),
            hellos: 0,
        };
        for (name, n) in transcript["keys"].as_object().into_iter().flatten() {
            let key = TestKey::new(n.as_u64().unwrap());
            play.names.insert(format!("key.{name}"), json!(key.public().to_string()));
            play.names.insert(format!("id.{name}"), json!(key.id().as_str()));
            play.keys.insert(name.clone(), key);
        }
        play
    }

    fn step(&mut self, at: usize, step: &Value) {
        let text = |field: &str| step[field].as_str().map(str::to_owned);
        if let Some(name) = text("open") {
            self.sockets.insert(name, Socket::default());
        } else if !step["text"].is_null() || !step["wait"].is_null() || !step["pong"].is_null() {
        } else if !step["restart"].is_null() {
            for name in self.sockets.keys().cloned().collect::<Vec<_>>() {
                self.lose(&name, 0);
            }
        } else if let Some(name) = text("drop") {
            self.lose(&name, 0);
        } else if let Some(name) = text("closed") {
            self.lose(&name, step["code"].as_u64().unwrap_or(0));
        } else if let Some(name) = text("from") {
            self.from(at, &name, step["prove"].as_str(), &step["frame"]);
        } else if let Some(name) = text("to") {
            self.to(&name, &step["frame"]);
        }
    }

    fn client_of(&self, name: &str) -> Option<usize> {
        let client = self.sockets[name].client?;
        (self.clients[client].at == name).then_some(client)
    }

    fn from(&mut self, at: usize, name: &str, prove: Option<&str>, pattern: &Value) {
        if pattern["type"] == "hello" {
            return self.hello(at, name, prove, pattern);
        }
        let Some(client) = self.client_of(name).filter(|client| self.clients[*client].open) else { return };
        let mut wish = self.make(pattern, None);
        let n = wish.as_object_mut().unwrap().remove("n").and_then(|n| n.as_u64());
        if wish["type"] == "bye" {
            return;
        }
        let says_itself = wish["type"] == "seen";
        let seen = (!says_itself).then(|| wish.as_object_mut().unwrap().remove("seen")).flatten();
        let steps = &self.transcript["steps"].as_array().unwrap()[at..];
        let refused = steps.iter().find(|step| step["to"] == name && step["frame"]["re"].as_u64() == n);
        if n.is_some() && refused.is_some_and(|step| NEVER.iter().any(|code| step["frame"]["code"] == *code)) {
            return;
        }
        let Ok(body) = Body::new(&wish) else { return };
        let client = &mut self.clients[client];
        let input = match n {
            Some(n) => Input::Request { id: AskId(n), body, repeatable: false },
            None => Input::Mention(body),
        };
        let sent: Vec<Value> = client.tell(input).iter().filter_map(line::sent).collect();
        assert_eq!(sent.len(), 1, "{} step {at}: the request is sent at once", self.name);
        if let Some(n) = n {
            client.numbers.insert(n, sent[0]["n"].as_u64().unwrap());
            wish["n"] = sent[0]["n"].clone();
        }
        // It says how much was seen, where that is more than the server was told.
        if !says_itself && client.line.seen() > client.told {
            client.told = client.line.seen();
            wish["seen"] = json!(client.told);
        }
        if let Some(seen) = seen {
            assert_eq!(wish["seen"], seen, "{} step {at}", self.name);
        }
        assert_eq!(sent[0], wish, "{} step {at}", self.name);
    }

    fn hello(&mut self, at: usize, name: &str, prove: Option<&str>, pattern: &Value) {
        if self.sockets[name].client.is_some_and(|client| self.clients[client].open) {
            return;
        }
        let mut frame = self.make(pattern, None);
        let resume = frame.as_object_mut().unwrap().remove("resume");
        let says = |field: &str| !frame[field].is_null();
        if frame["version"] == 2 || says("key") || says("signature") || (says("id") && prove.is_none()) {
            return;
        }
        let token = resume.as_ref().and_then(|resume| resume["token"].as_str());
        let before = token.and_then(|token| self.tokens.get(token).copied());
        if let Some(before) = before {
            // A client that was told to stop, or that claims what it has not, is none of ours.
            let client = &mut self.clients[before];
            if client.line.status().state == State::Stopped || !client.in_flight(resume.as_ref().unwrap()) {
                return;
            }
        } else if resume.is_some() {
            return;
        }
        let key = prove.map(|prove| self.keys[prove].clone());
        let client = match before {
            Some(before) => before,
            None => {
                let server = self.transcript["server"]["name"].as_str().unwrap_or("wigwag.test");
                let Some(client) = Client::new(server, &frame, key.as_ref()) else {
                    self.sockets.get_mut(name).unwrap().client = None;
                    return;
                };
                self.clients.push(client);
                self.clients.len() - 1
            }
        };
        let challenge =
            self.make(&self.sockets[name].challenge.clone(), self.samples.get("challenge").cloned().as_ref());
        let hello = self.clients[client].connect(name, &challenge, key.as_ref());
        self.sockets.get_mut(name).unwrap().client = Some(client);
        let mut expected = json!({"version": 1});
        for (field, value) in frame.as_object().unwrap().iter().filter(|(field, _)| *field != "capabilities") {
            expected[field] = value.clone();
        }
        if let Some(key) = key {
            expected["key"] = json!(key.public().to_string());
            expected["signature"] = hello["signature"].clone();
        }
        if before.is_some() {
            expected["resume"] = resume.unwrap();
        }
        assert_eq!(hello, expected, "{} step {at}", self.name);
        self.hellos += 1;
    }

    fn to(&mut self, name: &str, pattern: &Value) {
        if pattern["type"] == "challenge" {
            self.sockets.get_mut(name).unwrap().challenge = pattern.clone();
            return;
        }
        let sample = pattern["type"].as_str().and_then(|kind| self.samples.get(kind)).cloned();
        let frame = self.make(pattern, sample.as_ref());
        if let (true, Some(client)) = (frame["type"] == "welcome", self.sockets[name].client) {
            self.tokens.insert(frame["resume"].as_str().unwrap().to_owned(), client);
        }
        let Some(client) = self.client_of(name) else { return };
        let client = &mut self.clients[client];
        if !client.open && NEVER.iter().any(|code| frame["code"] == *code) {
            return;
        }
        client.take(frame);
    }

    fn lose(&mut self, name: &str, code: u64) {
        let Some(client) = self.client_of(name) else { return };
        let client = &mut self.clients[client];
        match client.refused {
            0 => client.lose(code),
            refused => assert_eq!(refused, code, "{}", self.name),
        }
    }

    /// The pattern with its names replaced; what is left open takes its value from `sample`, and a new name keeps what it gets.
    fn make(&mut self, pattern: &Value, sample: Option<&Value>) -> Value {
        match pattern {
            Value::String(text) if text == "*" => sample.cloned().unwrap_or(json!(7)),
            Value::String(text) if text.starts_with("$$") => json!(text[1..]),
            Value::String(text) if text.starts_with('$') => {
                let name = &text[1..];
                let kept = sample.filter(|sample| sample.is_number()).cloned();
                let kept = kept.unwrap_or_else(|| json!(format!("{name}-kept")));
                self.names.entry(name.to_owned()).or_insert(kept).clone()
            }
            Value::Array(list) => {
                let entries = list.iter().enumerate();
                entries.map(|(at, entry)| self.make(entry, sample.and_then(|sample| sample.get(at)))).collect()
            }
            Value::Object(fields) => {
                let mut made = json!({});
                if let (true, Some(sample)) = (fields.contains_key("..."), sample) {
                    made = sample.clone();
                }
                for (key, value) in fields.iter().filter(|(key, _)| *key != "...") {
                    made[key] = self.make(value, sample.and_then(|sample| sample.get(key)));
                }
                made
            }
            other => other.clone(),
        }
    }
}

/// A line, and what its wire still holds: frames are handed over when it is known whether they arrived.
struct Client {
    now: Moment,
    open: bool,
    /// The transcript's numbers, and the line's.
    numbers: BTreeMap<u64, u64>,
    /// With which code its hello was refused.
    refused: u64,
    line: Line,
    pending: Vec<Output>,
    /// The socket that it has, by the transcript's name and by its own.
    at: String,
    socket: SocketId,
    wire: VecDeque<Value>,
    seen: u64,
    told: u64,
    token: String,
    cut: bool,
}

impl Client {
    /// `None` for what no client of ours can say of itself.
    fn new(server: &str, frame: &Value, key: Option<&TestKey>) -> Option<Self> {
        let text = |field: &str| frame[field].as_str();
        let hello = Hello {
            namespace: text("namespace").map(Namespace::new).transpose().ok()?,
            id: text("id").map(PeerId::new).transpose().ok()?,
            device: text("device").map(Device::new).transpose().ok()?,
            key: key.map(TestKey::public),
        };
        let config = Config { hello, ..Config::new(vec![Server::new(format!("wss://{server}/v1"))]) };
        let mut client = Self {
            now: Moment(0),
            open: false,
            numbers: BTreeMap::new(),
            refused: 0,
            line: Line::new(config, no_dice()).unwrap(),
            pending: Vec::new(),
            at: String::new(),
            socket: SocketId(0),
            wire: VecDeque::new(),
            seen: 0,
            told: 0,
            token: String::new(),
            cut: false,
        };
        client.pending = client.tell(Input::Open);
        Some(client)
    }

    fn tell(&mut self, input: Input) -> Vec<Output> {
        if matches!(input, Input::Request { .. } | Input::Mention(_)) {
            self.deliver(usize::MAX);
        }
        self.handle(input)
    }

    fn handle(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        self.line.handle(self.now, input, &mut out);
        out
    }

    fn hear(&mut self, frame: &Value) -> Vec<Output> {
        self.handle(Input::Text { socket: self.socket, text: frame.to_string() })
    }

    /// Waits until the line wants a socket, gives it this one with its challenge, and returns its hello.
    fn connect(&mut self, name: &str, challenge: &Value, key: Option<&TestKey>) -> Value {
        let mut out = std::mem::take(&mut self.pending);
        let socket = loop {
            if let Some(socket) = out.iter().find_map(line::connects) {
                break socket;
            }
            self.now = self.line.next_deadline().expect("the line means to come back");
            out = self.handle(Input::Tick);
        };
        (self.socket, self.at, self.refused) = (socket, name.to_owned(), 0);
        let mut out = self.hear(challenge);
        if let Some(statement) = out.iter().find_map(line::proves) {
            let signature = key.unwrap().sign(&statement);
            out = self.handle(Input::Proved { socket, signature });
        }
        let mut hello = out.iter().find_map(line::sent).unwrap();
        let kind = hello.as_object_mut().unwrap().remove("type").unwrap();
        hello["type"] = kind;
        hello
    }

    fn take(&mut self, frame: Value) {
        let code = frame["code"].as_u64().unwrap_or(0);
        let (welcome, error) = (frame["type"] == "welcome", frame["type"] == "error");
        self.wire.push_back(frame);
        self.open |= welcome;
        if !error || self.open {
            return;
        }
        self.refused = code;
        let out = self.deliver(usize::MAX);
        let gives_up = out.iter().any(|output| matches!(output, Output::Disconnect(_)));
        assert!(gives_up, "after a refused hello ({code}) the socket is given up, not {out:?}");
        self.expect_after(code);
    }

    fn lose(&mut self, code: u64) {
        // Without a code the wire is cut, and only the next hello tells what had arrived.
        if code > 0 {
            self.deliver(usize::MAX);
            let (socket, reason) = (self.socket, String::new());
            self.pending = self.handle(Input::Lost { socket, code: code as u16, reason });
            self.expect_after(code);
        }
        self.open = false;
        self.cut = code == 0;
    }

    fn expect_after(&self, code: u64) {
        let stops = matches!(Advice::about(code as u16), Advice::Stop | Advice::Prove);
        let expected = if stops { State::Stopped } else { State::Waiting };
        assert_eq!(self.line.status().state, expected, "after {code}");
    }

    /// The next hello says how much had arrived; the rest was lost with the wire. `false` if that cannot be.
    fn in_flight(&mut self, resume: &Value) -> bool {
        let (token, seen) = (resume["token"].as_str().unwrap(), resume["seen"].as_u64().unwrap() as usize);
        let welcome = self.wire.front().filter(|frame| frame["type"] == "welcome");
        let given = welcome.and_then(|welcome| welcome["resume"].as_str());
        let before = self.seen as usize;
        let base = match welcome {
            Some(welcome) if welcome["resumed"] == true => before + welcome["missed"].as_u64().unwrap_or(0) as usize,
            Some(_) => 0,
            None => before,
        };
        let fresh = given.is_some_and(|given| given != token && self.token == token);
        let first = usize::from(welcome.is_some());
        let arrived = if fresh { &self.token } else { given.unwrap_or(&self.token) };
        if token != arrived || (!fresh && (seen < base || seen - base > self.wire.len() - first)) {
            return false;
        }
        let count = if fresh { 0 } else { first + seen - base };
        self.deliver(count);
        self.wire.clear();
        if self.cut || self.open {
            let (socket, reason) = (self.socket, String::new());
            self.pending = self.handle(Input::Lost { socket, code: 0, reason });
        }
        (self.cut, self.open) = (false, false);
        true
    }

    fn deliver(&mut self, count: usize) -> Vec<Output> {
        let mut outputs = Vec::new();
        for mut frame in self.wire.drain(..count.min(self.wire.len())).collect::<Vec<_>>() {
            let was_open = self.line.status().state == State::Open;
            let asked = frame["re"].as_u64().map(|re| (re, self.numbers.remove(&re)));
            // The answer to a frame that no line sends has a number that no line gave.
            if let Some((re, n)) = asked {
                frame["re"] = json!(n.unwrap_or(1_000_000_000 + re));
            }
            let out = self.hear(&frame);
            let told = |frame: &wigwag_peer::Frame| serde_json::from_str::<Value>(frame.text()).unwrap();
            if frame["type"] == "welcome" {
                self.token = frame["resume"].as_str().unwrap().to_owned();
                self.told = self.line.seen();
                assert_eq!(self.line.status().state, State::Open);
                assert!(out.iter().any(|output| matches!(output, Output::Welcome { .. })));
            } else if was_open {
                let told: Vec<(Option<u64>, Value)> = out
                    .iter()
                    .map(|output| match output {
                        Output::Event(frame) => (None, told(frame)),
                        Output::Answer { to: Asked::Request(id), frame } => (Some(id.0), told(frame)),
                        other => panic!("{frame} led to {other:?}"),
                    })
                    .collect();
                let re = asked.and_then(|(re, n)| n.map(|_| re));
                assert_eq!(told, [(re, frame)]);
            }
            self.seen = self.line.seen();
            outputs.extend(out);
        }
        outputs
    }
}
