//! One peer's line to one server out of several, as `spec/protocol.md` has it: connect, prove, count, resume, back off, come home.

mod hello;
mod servers;

use std::collections::BTreeMap;

use wigwag_wire::{Code, VERSION};

use self::servers::Servers;
use crate::advice::{Advice, code_name};
use crate::dice::Dice;
use crate::frame::{Body, Frame, Refused};
use crate::heard::{Challenge, Greeting};
use crate::outbox::{Asker, Given, Outbox, Resumed, Wish};
use crate::terms::{Asked, Config, GivenUp, Hello, Input, Output, SocketId, State, Status, Times};
use crate::time::Moment;

/// What RFC 6455 calls a broken protocol.
const PROTOCOL_ERROR: u16 = 1002;

/// Standing requests whose answer is the whole present state: asked again where messages were missed.
const RENEWS: [&str; 3] = ["room.join", "network.join", "watch"];

/// A list of servers is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a peer needs a server")]
pub struct NoServer;

/// A peer's line. It is told what happened and when, and says what to do.
#[derive(Debug)]
pub struct Line {
    hello: Hello,
    times: Times,
    status: Status,
    /// How many counted messages of the session were taken in.
    seen: u64,
    /// How many of them the server was told of, or knows by itself.
    told: u64,
    session: Option<Session>,
    outbox: Outbox,
    servers: Servers,
    /// The socket that has said `challenge`.
    current: Option<Current>,
    checking: bool,
    /// What is to be asked again of a fresh session.
    standing: BTreeMap<String, (u64, Body)>,
    /// How many things were ever stood, so that they are asked again in their order.
    stood: u64,
    now: Moment,
}

/// What leads back to a session.
#[derive(Debug)]
struct Session {
    token: String,
    server: String,
}

#[derive(Debug)]
struct Current {
    socket: SocketId,
    server: usize,
    since: Moment,
    open: bool,
    heard: Moment,
    /// What the server calls itself.
    name: String,
}

/// Why a socket was lost.
#[derive(Debug, Default)]
struct Loss {
    code: u16,
    why: String,
    retry_after: u64,
    message: Option<String>,
}

impl Line {
    /// A line that is not open yet.
    pub fn new(config: Config, dice: Dice) -> Result<Self, NoServer> {
        let Config { servers, hello, times } = config;
        if servers.is_empty() {
            return Err(NoServer);
        }
        Ok(Self {
            hello,
            times,
            status: Status::new(State::Idle, None),
            seen: 0,
            told: 0,
            session: None,
            outbox: Outbox::default(),
            servers: Servers::new(servers, times, dice),
            current: None,
            checking: false,
            standing: BTreeMap::new(),
            stood: 0,
            now: Moment::default(),
        })
    }

    /// How things stand.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// How many counted messages of the session were taken in.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// What it says of itself.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Takes something in, at a time that never goes back, and says what is to be done.
    pub fn handle(&mut self, now: Moment, input: Input, out: &mut Vec<Output>) {
        self.now = self.now.max(now);
        match input {
            Input::Open if matches!(self.status.state, State::Idle | State::Stopped) => self.begin(out),
            Input::Open | Input::Tick => {}
            Input::Close => self.end(out),
            Input::Text { socket, text } => self.text(socket, &text, out),
            Input::Lost { socket, code, reason } => {
                self.lost(socket, Loss { code, why: reason, ..Loss::default() }, out);
            }
            Input::Proved { socket, signature } => {
                if self.current.as_ref().is_some_and(|current| current.socket == socket && !current.open) {
                    self.greet(Some(&signature), out);
                }
            }
            Input::Request { id, body, repeatable } => {
                self.request(Wish::new(Asker::Request(id), body, repeatable), out);
            }
            Input::Mention(body) => {
                if self.is_open() {
                    self.request(Wish::quiet(body), out);
                }
            }
            Input::Forget(id) => self.outbox.forget(&Asker::Request(id)),
            Input::Stand { key, body } => {
                self.stood += 1;
                let place = self.standing.get(&key).map_or(self.stood, |(place, _)| *place);
                self.standing.insert(key, (place, body));
            }
            Input::Unstand(key) => {
                self.standing.remove(&key);
                self.outbox.take_back(&Asker::Standing(key));
            }
            Input::Device(device) => {
                self.hello.device = Some(device);
                self.session = None;
            }
            Input::Nudge => self.nudge(out),
            Input::Check => self.check(),
        }
        self.due(out);
        self.flush(out);
    }

    /// When to say `Tick` at the latest.
    pub fn next_deadline(&self) -> Option<Moment> {
        let mut first = self.servers.deadline(self.now, self.current.is_some());
        if let Some(current) = &self.current {
            first = first.or(match (current.open, self.checking) {
                (false, _) => current.since + self.times.handshake,
                (true, false) => self.outbox.deadline().or(current.heard + self.times.quiet),
                (true, true) => self.outbox.deadline(),
            });
        }
        first.known()
    }

    fn is_open(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.open)
    }

    fn begin(&mut self, out: &mut Vec<Output>) {
        self.servers.begin();
        let server = self.servers.connect_next(self.now, out);
        self.say(Status::new(State::Connecting, self.servers.get(server)), out);
    }

    fn end(&mut self, out: &mut Vec<Output>) {
        if let Some(current) = self.current.as_ref().filter(|current| current.open) {
            out.push(Output::Send { socket: current.socket, text: r#"{"type":"bye"}"#.into() });
        }
        self.stop(Status::new(State::Idle, None), out);
        self.standing.clear();
    }

    fn stop(&mut self, status: Status, out: &mut Vec<Output>) {
        self.servers.stop(out);
        out.extend(self.current.take().map(|current| Output::Disconnect(current.socket)));
        self.session = None;
        self.seen = 0;
        self.checking = false;
        let why = if status.why.is_empty() { "closed" } else { &status.why };
        let given = self.outbox.drain().into_iter().map(|asker| (asker, GivenUp::Closed(why.to_owned()))).collect();
        self.give(given, out);
        self.say(status, out);
    }

    fn text(&mut self, socket: SocketId, text: &str, out: &mut Vec<Output>) {
        let frame = Frame::read(text);
        if self.servers.is_tried(socket) {
            return self.challenged(socket, frame.as_ref(), out);
        }
        let Some(current) = self.current.as_ref().filter(|current| current.socket == socket) else { return };
        match (current.open, frame) {
            (true, frame) => self.counted(frame, out),
            (false, Some(frame)) if frame.kind() == "welcome" => self.welcomed(frame, out),
            (false, Some(frame)) => {
                if let Some(Refused { code, name, message, retry_after }) = frame.refused() {
                    let retry_after = retry_after.unwrap_or(0);
                    self.drop_current(Loss { code, why: name, retry_after, message: Some(message) }, out);
                }
            }
            (false, None) => {}
        }
    }

    fn challenged(&mut self, socket: SocketId, frame: Option<&Frame>, out: &mut Vec<Output>) {
        if let Some(Refused { code, name, message, retry_after }) = frame.and_then(Frame::refused) {
            let message = if message.is_empty() { name.clone() } else { message };
            let loss = Loss { code, why: name, retry_after: retry_after.unwrap_or(0), message: None };
            return self.refuse(socket, loss, message, out);
        }
        let plain = |code: u16| Loss { code, ..Loss::default() };
        let challenge = frame.filter(|frame| frame.kind() == "challenge").and_then(Frame::parse::<Challenge<'_>>);
        let Some(Challenge { server: name, nonce, versions }) = challenge else {
            let message = "the server did not begin with a challenge".into();
            return self.refuse(socket, plain(PROTOCOL_ERROR), message, out);
        };
        if !versions.iter().any(|version| version == VERSION) {
            let message = format!("the server speaks {}, and this client speaks {VERSION}", versions.join(", "));
            return self.refuse(socket, plain(Code::VersionUnsupported.number()), message, out);
        }
        let server = self.servers.of(socket);
        if let Some(meant) = self.servers.get(server).filter(|meant| self.hello.key.is_some() && !meant.is_meant(&name))
        {
            let url = &meant.url;
            let message =
                format!("the server at {url} calls itself {name}; a signature for another server is not given");
            return self.refuse(socket, plain(PROTOCOL_ERROR), message, out);
        }
        // The first that answers has it. A socket that is open gives way only here, so that there is no gap.
        self.servers.won(socket, out);
        if let Some(before) = self.current.take() {
            out.push(Output::Disconnect(before.socket));
            self.outbox.closed();
        }
        self.checking = false;
        let name = name.into_owned();
        let statement = self.hello.key.as_ref().map(|key| hello::statement(&self.hello, &name, &nonce, key));
        self.current =
            Some(Current { socket, server, since: self.now, open: false, heard: self.now, name: name.clone() });
        match statement {
            Some(statement) => out.push(Output::Prove { socket, statement, server: name, nonce: nonce.into_owned() }),
            None => self.greet(None, out),
        }
    }

    /// A server is not spoken to any further.
    fn refuse(&mut self, socket: SocketId, loss: Loss, message: String, out: &mut Vec<Output>) {
        out.push(Output::Fault { code: loss.code, message });
        out.push(Output::Disconnect(socket));
        self.lost(socket, loss, out);
    }

    fn greet(&mut self, signature: Option<&str>, out: &mut Vec<Output>) {
        let Some(current) = &self.current else { return };
        let session = self.session.as_ref().filter(|session| session.server == current.name);
        let resume = session.map(|session| (session.token.as_str(), self.seen));
        let text = hello::text(&self.hello, signature, resume);
        out.push(Output::Send { socket: current.socket, text });
    }

    fn welcomed(&mut self, frame: Frame, out: &mut Vec<Output>) {
        let Some(greeting) = frame.parse::<Greeting>() else {
            let message = Some("the server's welcome cannot be read".to_owned());
            return self.drop_current(Loss { code: PROTOCOL_ERROR, message, ..Loss::default() }, out);
        };
        let Some(current) = &mut self.current else { return };
        let Greeting { resume, resumed, missed, n, limits } = greeting;
        let missed = if resumed { missed } else { 0 };
        self.seen = if resumed { self.seen.saturating_add(missed) } else { 0 };
        self.told = self.seen;
        let lost = !resumed && self.session.is_some();
        self.session = Some(Session { token: resume, server: current.name.clone() });
        (current.open, current.since, current.heard) = (true, self.now, self.now);
        let server = current.server;
        self.servers.opened(self.now, server);
        let given = self.outbox.opened(self.now, &limits, &Resumed { resumed, missed, n });
        self.give(given, out);
        out.push(Output::Welcome { frame, lost });
        if !resumed || missed > 0 {
            // What is missing is asked for again; so is everything where the session is another one.
            let mut again: Vec<(&String, &(u64, Body))> =
                self.standing.iter().filter(|(_, (_, body))| !resumed || RENEWS.contains(&body.kind())).collect();
            again.sort_by_key(|(_, (place, _))| *place);
            let wishes: Vec<Wish> = again
                .into_iter()
                .map(|(key, (_, body))| Wish::new(Asker::Standing(key.clone()), body.clone(), true))
                .collect();
            for wish in &wishes {
                self.outbox.forget(&wish.asker);
            }
            self.outbox.add_first(wishes);
        }
        self.say(Status::new(State::Open, self.servers.get(server)), out);
    }

    fn counted(&mut self, frame: Option<Frame>, out: &mut Vec<Output>) {
        self.seen += 1;
        if let Some(current) = &mut self.current {
            current.heard = self.now;
        }
        let Some(frame) = frame else { return };
        match frame.re().and_then(|re| self.outbox.answered(re)) {
            Some(Asker::Check) => self.checking = false,
            Some(Asker::Nobody) => {}
            Some(Asker::Request(id)) => out.push(Output::Answer { to: Asked::Request(id), frame }),
            Some(Asker::Standing(key)) => out.push(Output::Answer { to: Asked::Standing(key), frame }),
            None => out.push(Output::Event(frame)),
        }
    }

    /// Gives the socket up.
    fn drop_current(&mut self, loss: Loss, out: &mut Vec<Output>) {
        let Some(current) = &self.current else { return };
        let socket = current.socket;
        out.push(Output::Disconnect(socket));
        self.lost(socket, loss, out);
    }

    fn lost(&mut self, socket: SocketId, loss: Loss, out: &mut Vec<Output>) {
        let Loss { code, why, retry_after, message } = loss;
        let current = self.current.take_if(|current| current.socket == socket);
        match (self.servers.lost(socket), &current) {
            (None, None) => return,
            // Home is not there yet, and where we are is good enough.
            (Some(home), _) if home && self.current.is_some() => return self.servers.homeward(self.now),
            _ => {}
        }
        let was_open = current.as_ref().is_some_and(|current| current.open);
        if let Some(current) = &current {
            self.outbox.closed();
            self.checking = false;
            self.servers.left(was_open && self.now - current.since >= self.times.good);
        }
        let advice = Advice::about(code);
        let name = code_name(code, &why).into_owned();
        let done = Status { code, why: name.clone(), ..Status::new(State::Stopped, None) };
        if matches!(advice, Advice::Stop | Advice::Prove) && (was_open || self.servers.is_exhausted()) {
            // One server that does not want us is no reason to leave the others alone, if it was never ours.
            return self.stop(done, out);
        }
        if advice == Advice::Mend {
            let message = message.unwrap_or_else(|| format!("the connection ended with {code} {name}"));
            out.push(Output::Fault { code, message });
        }
        self.servers.slow_down(self.now, code, advice, retry_after);
        if self.servers.is_trying() {
            if was_open {
                self.servers.forget_tries();
                let next = self.servers.trying();
                self.say(Status { code, why: name, ..Status::new(State::Connecting, self.servers.get(next)) }, out);
            }
            return;
        }
        let (until, server) = self.servers.wait(self.now, was_open);
        let server = self.servers.get(server);
        self.say(Status { until: Some(until), code, why: name, ..Status::new(State::Waiting, server) }, out);
    }

    /// Things may have become better: the network is back, or a person came back to it.
    fn nudge(&mut self, out: &mut Vec<Output>) {
        if self.is_open() {
            self.check();
        } else if let Some(soon) = self.servers.hurry(self.now) {
            let status = Status { until: Some(soon), ..self.status.clone() };
            self.say(status, out);
        }
    }

    fn check(&mut self) {
        if !self.is_open() || self.checking {
            return;
        }
        let Ok(body) = Body::from_text(&format!(r#"{{"type":"seen","seen":{}}}"#, self.seen)) else { return };
        let wish = Wish::new(Asker::Check, body, false).within(self.times.check);
        // Even where much waits: there is one of these at a time.
        self.outbox.add_first(vec![wish]);
        self.checking = true;
    }

    fn request(&mut self, wish: Wish, out: &mut Vec<Output>) {
        let Status { state, why, .. } = &self.status;
        let refused = if matches!(state, State::Idle | State::Stopped) {
            let why = if why.is_empty() { "closed" } else { why };
            Err((wish.asker, GivenUp::Closed(why.to_owned())))
        } else {
            self.outbox.add(wish)
        };
        if let Err(given) = refused {
            self.give(vec![given], out);
        }
    }

    /// What time has brought.
    fn due(&mut self, out: &mut Vec<Output>) {
        let silent = || Loss { why: "silent".into(), ..Loss::default() };
        for socket in self.servers.silent(self.now) {
            out.push(Output::Disconnect(socket));
            self.lost(socket, silent(), out);
        }
        if self.current.is_none() {
            self.servers.hedge(self.now, out);
        }
        let (handshake, quiet) = (self.times.handshake, self.times.quiet);
        match self.current.as_ref().map(|current| (current.open, current.since, current.heard)) {
            Some((false, since, _)) if since + handshake <= self.now => self.drop_current(silent(), out),
            Some((true, _, heard)) if heard + quiet <= self.now => self.check(),
            _ => {}
        }
        if self.is_open() {
            let (given, dead) = self.outbox.late(self.now);
            self.give(given, out);
            if dead {
                self.drop_current(silent(), out);
            }
        }
        if let Some(server) = self.servers.try_again(self.now, out) {
            self.say(Status::new(State::Connecting, self.servers.get(server)), out);
        }
        if let Some(current) = &self.current {
            self.servers.try_home(self.now, current.server, out);
        }
    }

    fn flush(&mut self, out: &mut Vec<Output>) {
        let Some(socket) = self.current.as_ref().filter(|current| current.open).map(|current| current.socket) else {
            return;
        };
        let mut seen = Some(self.seen).filter(|seen| *seen > self.told);
        let (texts, given) = self.outbox.flush(self.now, &mut seen);
        if seen.is_none() {
            self.told = self.seen;
        }
        out.extend(texts.into_iter().map(|text| Output::Send { socket, text }));
        self.give(given, out);
    }

    fn give(&mut self, given: Vec<Given>, out: &mut Vec<Output>) {
        for (asker, why) in given {
            match asker {
                Asker::Check => self.checking = false,
                Asker::Nobody => {}
                Asker::Request(id) => out.push(Output::Given { to: Asked::Request(id), why }),
                Asker::Standing(key) => out.push(Output::Given { to: Asked::Standing(key), why }),
            }
        }
    }

    fn say(&mut self, status: Status, out: &mut Vec<Output>) {
        self.status = status.clone();
        out.push(Output::Status(status));
    }
}
