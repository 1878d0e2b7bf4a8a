//! Conversations of several peers with one server, and their player.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use wigwag_wire::event::IceServer;
use wigwag_wire::signature::NameStatement;
use wigwag_wire::{Limits, PublicKey};

use crate::hello;
use crate::keys::TestKey;
use crate::pattern::Bindings;

/// The wall clock at the start of every transcript, in milliseconds since 1970.
pub const START_MS: u64 = 1_795_000_000_000;

/// A server, some sockets and a clock, for a transcript to play in.
pub trait World {
    /// A peer opens a socket.
    fn open(&mut self, socket: &str);
    /// Its peer sends a text frame.
    fn send(&mut self, socket: &str, text: &str);
    /// The next text frame that the server sent to it. Pings are not among them.
    fn next(&mut self, socket: &str) -> Option<String>;
    /// Its peer answers the latest ping; `false` if there was none.
    fn pong(&mut self, socket: &str) -> bool;
    /// The socket is lost without a word.
    fn lose(&mut self, socket: &str);
    /// The code with which the server closed it.
    fn closed(&mut self, socket: &str) -> Option<u16>;
    /// The clocks go on, and what is due happens.
    fn wait(&mut self, ms: u64);
    /// The server stops, is written out, and starts again from that. All sockets are lost.
    fn restart(&mut self);
}

/// One conversation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transcript {
    /// What it shows.
    pub about: String,
    /// What differs from the defaults of a server.
    #[serde(default)]
    pub server: Settings,
    /// Names for test keys.
    #[serde(default)]
    pub keys: BTreeMap<String, u64>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// How the server of a transcript is set up.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// Whether it lets guests in.
    pub guests: bool,
    /// The namespaces served; `None` is any.
    pub namespaces: Option<Vec<String>>,
    /// Milliseconds until `away`.
    pub away_after_ms: u64,
    /// Milliseconds until the session ends.
    pub gone_after_ms: u64,
    /// Limits; those that are not named have their defaults.
    pub limits: Limits,
    /// ICE servers.
    pub ice: IceSettings,
}

/// The ICE servers of a transcript.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IceSettings {
    /// Servers handed out as they are.
    pub servers: Vec<IceServer>,
    /// TURN URLs for which credentials are made.
    pub turn_urls: Vec<String>,
    /// The secret shared with the TURN server.
    pub turn_secret: String,
    /// Seconds that a credential is good for.
    pub turn_seconds: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "wigwag.test".into(),
            guests: true,
            namespaces: None,
            away_after_ms: 5_000,
            gone_after_ms: 120_000,
            limits: Limits::default(),
            ice: IceSettings::default(),
        }
    }
}

/// One thing that happens.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Step {
    /// A peer opens a socket.
    Open {
        /// The socket's name from here on.
        open: String,
    },
    /// A peer sends a frame.
    From {
        /// On which socket.
        from: String,
        /// With proof by this key.
        prove: Option<String>,
        /// The frame.
        frame: Value,
    },
    /// A peer sends bytes that are no good frame.
    Text {
        /// On which socket.
        from: String,
        /// The text.
        text: String,
    },
    /// The server sends a frame.
    To {
        /// To which socket.
        to: String,
        /// The pattern that it fits.
        frame: Value,
    },
    /// A peer answers the latest ping.
    Pong {
        /// On which socket.
        pong: String,
    },
    /// A socket is lost.
    Drop {
        /// Which.
        drop: String,
    },
    /// The server has closed a socket.
    Closed {
        /// Which.
        closed: String,
        /// With which code.
        code: u16,
    },
    /// Time passes.
    Wait {
        /// So many milliseconds.
        wait: u64,
    },
    /// The server starts again.
    Restart {
        /// Always `true`.
        restart: bool,
    },
}

impl Transcript {
    /// Plays it. The error says at which step the world did otherwise.
    pub fn play(&self, world: &mut impl World) -> Result<(), String> {
        let mut player = Player { transcript: self, names: Bindings::default(), sockets: BTreeMap::new() };
        for (name, n) in &self.keys {
            let key = TestKey::new(*n);
            player.names.bind(&format!("key.{name}"), key.public().to_string());
            player.names.bind(&format!("id.{name}"), key.id().as_str());
        }
        for (at, step) in self.steps.iter().enumerate() {
            let shown = || format!("step {at}, {step:?}");
            player.step(world, step).map_err(|why| format!("{}: {why}", shown()))?;
        }
        for socket in player.sockets.keys() {
            if let Some(frame) = world.next(socket) {
                return Err(format!("at the end, {socket} was sent {frame}"));
            }
        }
        Ok(())
    }

    /// Every frame that peers send, as patterns, each with its type.
    pub fn frames_from_peers(&self) -> impl Iterator<Item = &Value> {
        self.steps.iter().filter_map(|step| match step {
            Step::From { frame, .. } => Some(frame),
            _ => None,
        })
    }

    /// Every pattern of a frame of the server.
    pub fn frames_to_peers(&self) -> impl Iterator<Item = &Value> {
        self.steps.iter().filter_map(|step| match step {
            Step::To { frame, .. } => Some(frame),
            _ => None,
        })
    }
}

struct Player<'t> {
    transcript: &'t Transcript,
    names: Bindings,
    sockets: BTreeMap<String, Socket>,
}

/// What statements need to know of a socket.
#[derive(Default)]
struct Socket {
    /// Of its challenge.
    nonce: String,
    /// As its hello gave it.
    namespace: String,
    /// Of its hello.
    id: String,
}

impl Player<'_> {
    fn step(&mut self, world: &mut impl World, step: &Step) -> Result<(), String> {
        match step {
            Step::Open { open } => {
                world.open(open);
                self.sockets.insert(open.clone(), Socket::default());
            }
            Step::From { from, prove, frame } => {
                let frame = self.names.fill(frame)?;
                let frame = match prove {
                    Some(key) => self.prove(from, key, frame)?,
                    None => frame,
                };
                world.send(from, &frame.to_string());
            }
            Step::Text { from, text } => world.send(from, text),
            Step::To { to, frame } => {
                let text = world.next(to).ok_or("nothing was sent")?;
                let actual: Value = serde_json::from_str(&text).map_err(|why| format!("{text}: {why}"))?;
                self.names.fit(frame, &actual)?;
                if let (Some(nonce), Some(socket)) = (actual["nonce"].as_str(), self.sockets.get_mut(to)) {
                    socket.nonce = nonce.into();
                }
            }
            Step::Pong { pong } => {
                if !world.pong(pong) {
                    return Err("there was no ping".into());
                }
            }
            Step::Drop { drop } => world.lose(drop),
            Step::Closed { closed, code } => match world.closed(closed) {
                Some(found) if found == *code => {}
                found => return Err(format!("closed with {found:?}")),
            },
            Step::Wait { wait } => world.wait(*wait),
            Step::Restart { .. } => world.restart(),
        }
        Ok(())
    }

    fn prove(&mut self, socket: &str, key: &str, mut frame: Value) -> Result<Value, String> {
        let number = self.transcript.keys.get(key).ok_or_else(|| format!("no key {key}"))?;
        let key = TestKey::new(*number);
        let server = self.transcript.server.name.as_str();
        let socket = self.sockets.get_mut(socket).ok_or_else(|| format!("no socket {socket}"))?;
        if frame["type"] == "hello" {
            socket.namespace = frame["namespace"].as_str().unwrap_or_default().into();
            socket.id = frame["id"].as_str().unwrap_or(key.id().as_str()).into();
            return Ok(hello::prove(frame, &key, server, &socket.nonce));
        }
        let text = |name: &str| frame[name].as_str().ok_or_else(|| format!("no {name}"));
        let public = PublicKey::parse(text("key")?).map_err(|why| why.to_string())?;
        let Socket { nonce, namespace, id } = socket;
        let statement = NameStatement { server, nonce, namespace, name: id, op: text("op")?, key: &public };
        if frame["signature"].is_null() {
            frame["signature"] = json!(key.sign(&statement.bytes()));
        }
        Ok(frame)
    }
}
