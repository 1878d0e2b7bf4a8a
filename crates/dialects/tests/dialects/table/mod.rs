//! A hub with sockets in any dialect, and a clock that goes when it is told to.

mod server;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use wigwag_dialects::{Arrival, Conversation, Dialect, Dialects, Settings, Which};
use wigwag_hub::{Ask, Claimed, Connection, Hub, Input, Moment, Now, Origin, Output, Received, Rules, SocketId, Wall};
use wigwag_testkit::{HelloFrame, TestKey};
use wigwag_wire::PeerId;
use wigwag_wire::code::Code;

/// The wall clock at the beginning, in milliseconds.
pub(crate) const START_MS: u64 = 1_795_000_000_000;

/// The world of one test.
pub(crate) struct Table {
    pub(crate) hub: Hub,
    dialects: Arc<Dialects>,
    now: Now,
    numbers: BTreeMap<String, u64>,
    sockets: BTreeMap<u64, Socket>,
    next: u64,
    /// Names of which the store says that a key speaks for them.
    pub(crate) bound: Vec<String>,
}

struct Socket {
    machine: Option<Machine>,
    heard: Vec<String>,
    closed: Option<(u16, String)>,
}

enum Machine {
    Native(Connection),
    Foreign(Conversation),
}

impl Table {
    /// With default rules and settings.
    pub(crate) fn new() -> Self {
        Self::with(|_, _| {})
    }

    /// With other ones.
    pub(crate) fn with(change: impl FnOnce(&mut Rules, &mut Settings)) -> Self {
        let (mut rules, mut settings) = (Rules::default(), Settings::default());
        change(&mut rules, &mut settings);
        let dialects = Dialects::new(settings);
        let hub = Hub::new(rules, dialects.voices(), [7; 32]);
        let now = Now { at: Moment(0), wall: Wall(START_MS) };
        Self { hub, dialects, now, numbers: BTreeMap::new(), sockets: BTreeMap::new(), next: 0, bound: Vec::new() }
    }

    /// A socket in a dialect. `address` is what follows the dialect's path: `room?next=2`, `?ns=app`, or nothing.
    pub(crate) fn open(&mut self, name: &str, dialect: Dialect, address: &str) {
        self.arrive(name, Which::One(dialect), address);
    }

    /// A socket whose first frame tells the dialect.
    pub(crate) fn open_any(&mut self, name: &str) {
        self.arrive(name, Which::Among(Dialect::ALL.to_vec()), "");
    }

    /// A native guest. Answers its id.
    pub(crate) fn open_native(&mut self, name: &str) -> String {
        self.greet(name, |_| HelloFrame::new().guest())
    }

    /// A native peer with a key. Answers its id.
    pub(crate) fn open_keyed(&mut self, name: &str, key: &TestKey) -> String {
        self.greet(name, |challenge| HelloFrame::new().prove(key, challenge))
    }

    /// The same on one of its devices.
    pub(crate) fn open_device(&mut self, name: &str, key: &TestKey, device: &str) -> String {
        self.greet(name, |challenge| HelloFrame::new().device(device).prove(key, challenge))
    }

    /// A native peer with a key that speaks for a name.
    pub(crate) fn open_named(&mut self, name: &str, key: &TestKey, id: &str) {
        self.greet(name, |challenge| HelloFrame::new().id(id).prove(key, challenge));
    }

    fn greet(&mut self, name: &str, hello: impl FnOnce(&str) -> String) -> String {
        let (id, pass) = self.place(name);
        let mut out = Vec::new();
        let connection = Connection::open(&self.hub, self.now, id, pass, &mut out);
        self.socket(id.0).machine = Some(Machine::Native(connection));
        self.carry(out);
        let hello = hello(&self.heard(name).remove(0));
        self.say(name, &hello);
        let welcome = self.heard_json(name).pop().unwrap();
        welcome["id"].as_str().unwrap().to_owned()
    }

    /// Its peer says this.
    pub(crate) fn say(&mut self, name: &str, text: &str) {
        self.receive(self.number(name), Received::Text(text));
    }

    /// Its peer says this in a binary frame.
    pub(crate) fn say_bytes(&mut self, name: &str, bytes: &[u8]) {
        self.receive(self.number(name), Received::Binary(bytes));
    }

    /// Its peer says this JSON.
    #[expect(clippy::needless_pass_by_value, reason = "tests hand in what they write down")]
    pub(crate) fn tell(&mut self, name: &str, message: Value) {
        self.say(name, &message.to_string());
    }

    /// What it heard since the last time, as it came.
    pub(crate) fn heard(&mut self, name: &str) -> Vec<String> {
        let number = self.number(name);
        std::mem::take(&mut self.socket(number).heard)
    }

    /// What it heard since the last time.
    pub(crate) fn heard_json(&mut self, name: &str) -> Vec<Value> {
        self.heard(name).iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }

    /// The code with which the server closed it; 1005 is none.
    pub(crate) fn closed(&mut self, name: &str) -> Option<u16> {
        let number = self.number(name);
        self.socket(number).closed.as_ref().map(|(code, _)| *code)
    }

    /// The socket is lost.
    pub(crate) fn lose(&mut self, name: &str) {
        let number = self.number(name);
        self.receive(number, Received::Closed);
        self.socket(number).machine = None;
    }

    /// Time passes, in steps, and what is due happens.
    pub(crate) fn wait(&mut self, ms: u64) {
        let end = self.now.at.0 + ms;
        while self.now.at.0 < end {
            let step = (end - self.now.at.0).min(50);
            self.now = Now { at: Moment(self.now.at.0 + step), wall: Wall(self.now.wall.0 + step) };
            let mut out = Vec::new();
            if self.hub.next_deadline().is_some_and(|due| due <= self.now.at) {
                self.hub.handle(self.now, Input::Tick, &mut out);
            }
            self.carry(out);
            for number in self.sockets.keys().copied().collect::<Vec<_>>() {
                self.receive(number, Received::Tick);
            }
        }
    }

    /// The operator bans an id of the default namespace.
    pub(crate) fn ban(&mut self, id: &str) {
        let (ns, id) = (self.hub.rules().default_namespace.clone(), PeerId::new(id).unwrap());
        let mut out = Vec::new();
        self.hub.ban_id(self.now, &ns, &id, None, &mut out);
        self.carry(out);
    }

    fn arrive(&mut self, name: &str, which: Which, address: &str) {
        let (rest, query) = address.split_once('?').unwrap_or((address, ""));
        let field = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_owned(), value.to_owned())
        };
        let query: Vec<_> = query.split('&').filter(|pair| !pair.is_empty()).map(field).collect();
        let namespace = query.iter().find(|(name, _)| name == "ns").map(|(_, ns)| ns.parse_namespace());
        let arrival = Arrival { which, namespace, rest: rest.to_owned(), query };
        let (id, pass) = self.place(name);
        let mut out = Vec::new();
        let around = (&self.hub, &*self.dialects);
        let conversation = Conversation::open(around, self.now, id, pass, arrival, &mut out);
        self.socket(id.0).machine = Some(Machine::Foreign(conversation));
        self.carry(out);
    }

    fn place(&mut self, name: &str) -> (SocketId, wigwag_hub::Pass) {
        self.next += 1;
        let number = self.next;
        self.numbers.insert(name.to_owned(), number);
        self.sockets.insert(number, Socket { machine: None, heard: Vec::new(), closed: None });
        (SocketId(number), self.hub.admit(self.now, Origin::Local).unwrap())
    }

    fn receive(&mut self, number: u64, received: Received<'_>) {
        let Some(socket) = self.sockets.get_mut(&number) else { return };
        let Some(mut machine) = socket.machine.take() else { return };
        let mut out = Vec::new();
        match &mut machine {
            Machine::Native(connection) => connection.handle(&self.hub, self.now, received, &mut out),
            Machine::Foreign(conversation) => {
                conversation.handle((&self.hub, &self.dialects), self.now, received, &mut out);
            }
        }
        self.socket(number).machine = Some(machine);
        self.carry(out);
    }

    fn carry(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Send { socket, frame } => {
                    let socket = self.socket(socket.0);
                    assert!(socket.closed.is_none(), "a frame after the close");
                    socket.heard.push(String::from_utf8(frame.to_vec()).unwrap());
                }
                Output::Close { socket, code, reason } => {
                    self.socket(socket.0).closed.get_or_insert((code, reason.to_owned()));
                }
                Output::Ask(Ask::Claim { socket, .. }) => self.receive(socket.0, Received::Claimed(Claimed::Yes)),
                Output::Ask(Ask::Free { socket, name, .. }) => {
                    let bound = self.bound.iter().any(|bound| bound == name.as_str());
                    let claimed = if bound { Claimed::No(Code::NameTaken) } else { Claimed::Yes };
                    self.receive(socket.0, Received::Claimed(claimed));
                }
                _ => {}
            }
        }
    }

    fn number(&self, name: &str) -> u64 {
        *self.numbers.get(name).unwrap_or_else(|| panic!("no socket {name}"))
    }

    fn socket(&mut self, number: u64) -> &mut Socket {
        self.sockets.get_mut(&number).unwrap()
    }
}

trait ParseNamespace {
    fn parse_namespace(&self) -> wigwag_wire::Namespace;
}

impl ParseNamespace for str {
    fn parse_namespace(&self) -> wigwag_wire::Namespace {
        wigwag_wire::Namespace::new(self).unwrap()
    }
}
