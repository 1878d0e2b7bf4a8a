//! Transcripts of the native protocol: the player of `wigwag-conform`, with test keys that prove.

use std::collections::BTreeMap;

use serde_json::{Value, json};
pub use wigwag_conform::player::{Answer, Fault, Frame, NO_CLOSE, NO_CODE, Opened, Patience, Request, Unable, World};
pub use wigwag_conform::transcript::{IceSettings, START_MS, Settings, Transcript};
use wigwag_conform::{Bindings, player};
use wigwag_wire::PublicKey;
use wigwag_wire::signature::NameStatement;

use crate::hello;
use crate::keys::TestKey;

/// Plays a transcript of the native protocol. The error says at which step the world did otherwise.
pub fn play(transcript: &Transcript, world: &mut impl World) -> Result<(), String> {
    let mut names = Bindings::default();
    for (name, n) in &transcript.keys {
        let key = TestKey::new(*n);
        names.bind(&format!("key.{name}"), key.public().to_string());
        names.bind(&format!("id.{name}"), key.id().as_str());
    }
    let mut proving = Proving { transcript, world, sockets: BTreeMap::new() };
    transcript.play(&mut proving, names, &mut || 0).map_err(|why: player::Stopped| why.to_string())
}

/// A world whose peers hold test keys.
struct Proving<'t, W> {
    transcript: &'t Transcript,
    world: &'t mut W,
    sockets: BTreeMap<String, Socket>,
}

/// What a proof needs to know of a socket.
#[derive(Default)]
struct Socket {
    /// Of its challenge.
    nonce: String,
    /// As its hello gave it.
    namespace: String,
    /// Of its hello.
    id: String,
}

impl<W: World> World for Proving<'_, W> {
    fn open(&mut self, socket: &str, at: &str) -> Result<Opened, Fault> {
        self.sockets.insert(socket.into(), Socket::default());
        self.world.open(socket, at)
    }

    fn send(&mut self, socket: &str, frame: Frame) {
        self.world.send(socket, frame);
    }

    fn next(&mut self, sockets: &[&str], patience: Patience) -> Option<(usize, Frame)> {
        let (at, frame) = self.world.next(sockets, patience)?;
        if let (Frame::Text(text), Some(socket)) = (&frame, self.sockets.get_mut(sockets[at]))
            && let Ok(Value::Object(fields)) = serde_json::from_str(text)
            && let Some(nonce) = fields.get("nonce").and_then(Value::as_str)
        {
            socket.nonce = nonce.into();
        }
        Some((at, frame))
    }

    fn closed(&mut self, socket: &str, patience: Patience) -> Option<u16> {
        self.world.closed(socket, patience)
    }

    fn pong(&mut self, socket: &str) -> Result<bool, Unable> {
        self.world.pong(socket)
    }

    fn lose(&mut self, socket: &str) {
        self.world.lose(socket);
    }

    fn close(&mut self, socket: &str) {
        self.world.close(socket);
    }

    fn wait(&mut self, ms: u64) {
        self.world.wait(ms);
    }

    fn restart(&mut self) -> Result<(), Unable> {
        self.world.restart()
    }

    fn request(&mut self, request: &Request) -> Result<Answer, Fault> {
        self.world.request(request)
    }

    fn prove(&mut self, socket: &str, key: &str, mut frame: Value) -> Result<Value, Unable> {
        let number = self.transcript.keys.get(key).ok_or_else(|| Unable(format!("there is no key {key}")))?;
        let key = TestKey::new(*number);
        let server = self.transcript.server.name.as_str();
        let socket = self.sockets.entry(socket.into()).or_default();
        if frame["type"] == "hello" {
            socket.namespace = frame["namespace"].as_str().unwrap_or_default().into();
            socket.id = frame["id"].as_str().unwrap_or(key.id().as_str()).into();
            return Ok(hello::prove(frame, &key, server, &socket.nonce));
        }
        let text = |name: &str| frame[name].as_str().ok_or_else(|| Unable(format!("there is no {name} to prove")));
        let public = PublicKey::parse(text("key")?).map_err(|why| Unable(why.to_string()))?;
        let Socket { nonce, namespace, id, .. } = socket;
        let statement = NameStatement { server, nonce, namespace, name: id, op: text("op")?, key: &public };
        if frame["signature"].is_null() {
            frame["signature"] = json!(key.sign(&statement.bytes()));
        }
        Ok(frame)
    }
}
