//! A program that wants to be reached, for the rows of `tests/networks`: it is told words on standard input and answers them on standard output, a
//! line of JSON each. The only argument is the path of a certificate that is trusted for TURN over TLS.

#![allow(clippy::print_stdout)]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use wigwag::{
    At, CallError, Connection, ConnectionState, Event, Events, Identity, MemoryPins, Message, PeerId, Pins, PublicKey,
    State, Status, Verified, Wigwag,
};

type Failed = Box<dyn std::error::Error + Send + Sync>;
type Answer = Result<Value, Failed>;

#[derive(Deserialize)]
struct Line {
    n: u64,
    #[serde(flatten)]
    word: Word,
}

#[derive(Deserialize)]
#[serde(tag = "word", content = "args", rename_all = "lowercase")]
enum Word {
    Begin {},
    Open(Open),
    Connect {
        to: String,
        #[serde(default)]
        options: Options,
    },
    Say {
        data: Value,
    },
    Story {},
    Leave {},
}

#[derive(Deserialize)]
struct Open {
    door: Door,
    id: Option<String>,
    watch: Option<String>,
}

#[derive(Deserialize)]
struct Door {
    url: String,
    name: String,
}

#[derive(Deserialize, Default)]
struct Options {
    deadline: Option<u64>,
    key: Option<String>,
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    // What was going on, for a test that fails.
    let log = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| "wigwag=debug,wigwag_rtc=debug".into());
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).with_env_filter(log).init();
    let root = std::env::args().nth(1).map(std::fs::read).transpose()?;
    let peer = Arc::new(Peer { root, now: Mutex::new(Now::new()?) });
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let Line { n, word } = serde_json::from_str(&line)?;
        let peer = Arc::clone(&peer);
        tokio::spawn(async move {
            println!(
                "{}",
                match peer.answer(word).await {
                    Ok(value) => json!({"re": n, "value": value}),
                    Err(why) => json!({"re": n, "error": why.to_string()}),
                }
            );
        });
    }
    Ok(())
}

struct Peer {
    root: Option<Vec<u8>>,
    now: Mutex<Now>,
}

/// What there is since the program began.
struct Now {
    seed: [u8; 32],
    pins: Kept,
    client: Option<Wigwag>,
    last: Option<Connection>,
    held: Vec<Connection>,
    told: Told,
}

/// Keys that outlive a client.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<MemoryPins>>);

impl Pins for Kept {
    fn read(&self, namespace: &str, name: &PeerId) -> Option<PublicKey> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).read(namespace, name)
    }

    fn pin(&mut self, namespace: &str, name: &PeerId, key: PublicKey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pin(namespace, name, key);
    }
}

/// What happened since it was opened.
#[derive(Default)]
struct Told {
    heard: Vec<Value>,
    states: Vec<&'static str>,
    presence: Vec<Value>,
    status: Vec<&'static str>,
    keys: Vec<String>,
    calls: u32,
    fresh: u32,
    ended: Option<String>,
}

impl Now {
    fn new() -> Result<Self, Failed> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        Ok(Self { seed, pins: Kept::default(), client: None, last: None, held: Vec::new(), told: Told::default() })
    }
}

impl Peer {
    async fn answer(self: Arc<Self>, word: Word) -> Answer {
        match word {
            Word::Begin {} => self.begin().await,
            Word::Open(open) => self.open(open).await,
            Word::Connect { to, options } => self.connect(&to, options).await,
            Word::Say { data } => self.say(&data).await,
            Word::Story {} => self.story().await,
            Word::Leave {} => self.leave().await,
        }
    }

    /// As if it had just been started.
    async fn begin(&self) -> Answer {
        let before = std::mem::replace(&mut *self.now(), Now::new()?);
        if let Some(client) = before.client {
            client.close().await;
        }
        Ok(Value::Null)
    }

    /// Goes to a server, and takes every call.
    async fn open(self: Arc<Self>, Open { door, id, watch }: Open) -> Answer {
        let (seed, pins, before) = {
            let mut now = self.now();
            now.told = Told::default();
            (now.last, now.held) = (None, Vec::new());
            (now.seed, now.pins.clone(), now.client.take())
        };
        if let Some(client) = before {
            client.close().await;
        }
        let identity = Identity::ed25519(&seed);
        let key = wigwag::Signer::key(&identity).to_string();
        let mut builder = Wigwag::builder().server_called(door.url, door.name).identity(identity).pins(pins);
        if let Some(id) = id {
            builder = builder.name(id);
        }
        if let Some(root) = &self.root {
            builder = builder.root(root.clone());
        }
        let client = builder.start()?;
        tokio::spawn(Arc::clone(&self).listen(client.events()));
        tokio::spawn(Arc::clone(&self).follow(client.clone()));
        let mut incoming = client.incoming().await;
        let callee = Arc::clone(&self);
        tokio::spawn(async move {
            while let Some(connection) = incoming.connection().await {
                callee.now().told.calls += 1;
                callee.hold(&connection);
            }
        });
        client.wait_for(|status| status.state == State::Open).await.ok_or("closed")?;
        if let Some(watch) = watch {
            client.watch(&[&watch]).await?;
        }
        let id = client.id();
        self.now().client = Some(client);
        Ok(json!({"id": id, "key": key}))
    }

    /// Calls, and has a word come back, so that both directions are proved.
    async fn connect(self: Arc<Self>, to: &str, options: Options) -> Answer {
        let client = self.now().client.clone().ok_or("not open")?;
        let began = Instant::now();
        let mut wish = client.connect(to);
        if let Some(ms) = options.deadline {
            wish = wish.deadline(Duration::from_millis(ms));
        }
        if let Some(key) = options.key {
            wish = wish.key(PublicKey::parse(&key)?);
        }
        match wish.await {
            Ok(connection) => {
                let ms = began.elapsed().as_secs_f64() * 1_000.0;
                let echoes = |told: &Told| told.heard.iter().filter(|word| **word == json!({"echo": "hello"})).count();
                let before = echoes(&self.now().told);
                self.hold(&connection);
                connection.send(Message::json(&json!({"call": "hello"}))?).await?;
                self.until(|told| echoes(told) > before).await;
                let stats = connection.stats().await?;
                Ok(json!({
                    "open": true, "ms": ms, "path": path(&connection).await, "local": stats.local, "remote": stats.remote,
                    "verified": verified(connection.verified()),
                }))
            }
            Err(why) => {
                let ms = began.elapsed().as_secs_f64() * 1_000.0;
                let at = if let CallError::Timeout { at } = &why { Some(stuck(*at)) } else { None };
                let mut outcome = json!({"open": false, "ms": ms, "reason": why.reason(), "message": why.to_string()});
                if let Some(at) = at {
                    outcome["at"] = at.into();
                }
                Ok(outcome)
            }
        }
    }

    async fn say(&self, data: &Value) -> Answer {
        let last = self.now().last.clone().ok_or("no connection")?;
        last.send(Message::json(data)?).await?;
        Ok(Value::Null)
    }

    async fn story(&self) -> Answer {
        let last = self.now().last.clone();
        let path = match &last {
            Some(connection) if connection.state() != ConnectionState::Closed => path(connection).await,
            _ => None,
        };
        let mut now = self.now();
        now.held.retain(|connection| connection.state() != ConnectionState::Closed);
        let Told { heard, states, presence, status, keys, calls, fresh, ended } = &now.told;
        Ok(json!({
            "heard": heard, "states": states, "presence": presence, "status": status, "keys": keys, "calls": calls, "fresh": fresh,
            "ended": ended, "path": path, "held": now.held.len(),
        }))
    }

    async fn leave(&self) -> Answer {
        let last = self.now().last.clone().ok_or("no connection")?;
        last.close().await;
        Ok(Value::Null)
    }

    /// Follows a connection from now on, and answers calls with an echo.
    fn hold(self: &Arc<Self>, connection: &Connection) {
        {
            let mut now = self.now();
            now.told.states = vec![state(connection.state())];
            now.told.ended = None;
            now.last = Some(connection.clone());
            now.held.push(connection.clone());
        }
        let (peer, watched) = (Arc::clone(self), connection.clone());
        tokio::spawn(async move {
            let mut now = watched.state();
            while now != ConnectionState::Closed {
                now = watched.changed(now).await;
                peer.now().told.states.push(state(now));
            }
            let ended = watched.closed().await;
            let error = ended.error.map(|error| error.to_string()).unwrap_or_default();
            peer.now().told.ended = Some(format!("{}: {error}", ended.reason));
        });
        let (peer, read) = (Arc::clone(self), connection.clone());
        tokio::spawn(async move {
            while let Some(message) = read.recv().await {
                let word = match &message {
                    Message::Text(text) => Value::from(text.as_str()),
                    _ => message.parse().unwrap_or_default(),
                };
                peer.now().told.heard.push(word.clone());
                if let Some(call) = word.get("call") {
                    let echo = Message::json(&json!({"echo": call}));
                    if let Ok(echo) = echo {
                        let _ = read.send(echo).await;
                    }
                }
            }
        });
    }

    async fn listen(self: Arc<Self>, mut events: Events) {
        while let Some(event) = events.next().await {
            let mut now = self.now();
            match event {
                Event::Presence { state, .. } => now.told.presence.extend(serde_json::to_value(state)),
                Event::Key { id, .. } => now.told.keys.push(id.to_string()),
                Event::Fresh => now.told.fresh += 1,
                _ => {}
            }
        }
    }

    async fn follow(self: Arc<Self>, client: Wigwag) {
        let mut last = client.status();
        while let Some(next) = client.wait_for(|status| status.state != last.state).await {
            self.now().told.status.push(standing(&next));
            last = next;
        }
    }

    async fn until(&self, is_so: impl Fn(&Told) -> bool) {
        // Whoever asks has a deadline of its own.
        while !is_so(&self.now().told) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn now(&self) -> std::sync::MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn path(connection: &Connection) -> Option<String> {
    let stats = connection.stats().await.ok()?;
    stats.path.map(|path| format!("{path:?}").to_lowercase())
}

const fn verified(verified: Verified) -> &'static str {
    match verified {
        Verified::Key => "key",
        Verified::Pinned => "pinned",
        Verified::First => "first",
        Verified::Guest => "guest",
    }
}

const fn stuck(at: At) -> &'static str {
    match at {
        At::Server => "server",
        At::Peer => "peer",
        At::Path => "path",
        At::Channel => "channel",
        At::Relay => "relay",
    }
}

const fn state(state: ConnectionState) -> &'static str {
    match state {
        ConnectionState::Connecting => "connecting",
        ConnectionState::Open => "open",
        ConnectionState::Mending => "mending",
        ConnectionState::Closed => "closed",
    }
}

const fn standing(status: &Status) -> &'static str {
    match status.state {
        State::Idle => "idle",
        State::Connecting => "connecting",
        State::Open => "open",
        State::Waiting => "waiting",
        State::Stopped => "stopped",
    }
}
