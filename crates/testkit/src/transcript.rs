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
        for (name, _) in player.sockets.iter().filter(|(_, socket)| socket.open) {
            if let Some(frame) = world.next(name) {
                return Err(format!("at the end, {name} was sent {frame}"));
            }
            if let Some(code) = world.closed(name) {
                return Err(format!("at the end, {name} was closed with {code}"));
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

/// What has to be known of a socket.
#[derive(Default)]
struct Socket {
    /// Whether it may still be used.
    open: bool,
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
                self.sockets.insert(open.clone(), Socket { open: true, ..Socket::default() });
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
            Step::Drop { drop } => {
                world.lose(drop);
                self.over(drop);
            }
            Step::Closed { closed, code } => match world.closed(closed) {
                Some(found) if found == *code => {
                    if let Some(frame) = world.next(closed) {
                        return Err(format!("before, it was sent {frame}"));
                    }
                    self.over(closed);
                }
                found => return Err(format!("closed with {found:?}")),
            },
            Step::Wait { wait } => world.wait(*wait),
            Step::Restart { .. } => {
                world.restart();
                self.sockets.values_mut().for_each(|socket| socket.open = false);
            }
        }
        Ok(())
    }

    fn over(&mut self, name: &str) {
        if let Some(socket) = self.sockets.get_mut(name) {
            socket.open = false;
        }
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
        let Socket { nonce, namespace, id, .. } = socket;
        let statement = NameStatement { server, nonce, namespace, name: id, op: text("op")?, key: &public };
        if frame["signature"].is_null() {
            frame["signature"] = json!(key.sign(&statement.bytes()));
        }
        Ok(frame)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    #[test]
    fn a_transcript_holds_where_every_frame_and_close_is_expected() {
        let steps = json!([
            {"open": "a"},
            {"to": "a", "frame": {"type": "challenge", "nonce": "$nonce"}},
            {"from": "a", "prove": "alice", "frame": {"type": "hello", "seen": "$nonce"}},
            {"to": "a", "frame": {"type": "welcome", "id": "$id.alice", "...": "*"}},
            {"closed": "a", "code": 1000},
        ]);
        let frames =
            vec![json!({"type": "challenge", "nonce": "n"}), json!({"type": "welcome", "id": id(), "more": 1})];
        let mut world = Canned { frames: frames.clone().into(), code: Some(1000), heard: Vec::new() };
        assert_eq!(transcript(&steps).play(&mut world), Ok(()));
        let hello: Value = serde_json::from_str(&world.heard[0]).unwrap_or_default();
        assert_eq!((&hello["key"], &hello["seen"]), (&json!(TestKey::new(1).public()), &json!("n")));

        for (frames, code) in [
            (frames[..1].to_vec(), Some(1000)),
            (frames.clone(), Some(4000)),
            (frames.clone(), None),
            ([frames.clone(), vec![json!({"type": "done"})]].concat(), Some(1000)),
            (vec![frames[0].clone(), json!({"type": "welcome", "id": "x"})], Some(1000)),
        ] {
            let mut world = Canned { frames: frames.into(), code, heard: Vec::new() };
            assert!(transcript(&steps).play(&mut world).is_err());
        }
    }

    #[test]
    fn what_nobody_expected_fails_at_the_end() {
        let steps = json!([{"open": "a"}]);
        let world = |frames: Vec<Value>, code| Canned { frames: frames.into(), code, heard: Vec::new() };
        assert_eq!(transcript(&steps).play(&mut world(vec![], None)), Ok(()));
        assert!(transcript(&steps).play(&mut world(vec![json!({})], None)).is_err());
        assert!(transcript(&steps).play(&mut world(vec![], Some(4000))).is_err());
    }

    #[test]
    fn a_step_that_is_none_is_no_transcript() {
        for step in [json!({"form": "a", "frame": {}}), json!({"to": "a"}), json!({"wait": -1}), json!({})] {
            assert!(serde_json::from_value::<Step>(step.clone()).is_err(), "{step}");
        }
    }

    fn transcript(steps: &Value) -> Transcript {
        let whole = json!({"about": "", "keys": {"alice": 1}, "steps": steps});
        serde_json::from_value(whole).unwrap_or_else(|why| panic!("{why}"))
    }

    fn id() -> String {
        TestKey::new(1).id().as_str().into()
    }

    /// A server that says what it was told to say.
    struct Canned {
        frames: VecDeque<Value>,
        code: Option<u16>,
        heard: Vec<String>,
    }

    impl World for Canned {
        fn open(&mut self, _: &str) {}
        fn send(&mut self, _: &str, text: &str) {
            self.heard.push(text.into());
        }
        fn next(&mut self, _: &str) -> Option<String> {
            self.frames.pop_front().map(|frame| frame.to_string())
        }
        fn pong(&mut self, _: &str) -> bool {
            false
        }
        fn lose(&mut self, _: &str) {}
        fn closed(&mut self, _: &str) -> Option<u16> {
            self.code
        }
        fn wait(&mut self, _: u64) {}
        fn restart(&mut self) {}
    }
}
