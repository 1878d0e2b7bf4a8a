//! Every transcript of `spec/vectors/transcripts` plays against the real hub.
#![allow(clippy::unwrap_used)]

mod world;

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;
use wigwag_hub::{IceRules, Rules, SocketId};
use wigwag_testkit::transcript::{
    self, Answer, Fault, Frame, Opened, Patience, Request, Settings, Unable, World as Stage,
};
use wigwag_testkit::{Transcript, spec};
use wigwag_wire::Namespace;
use world::World;

#[test]
fn the_hub_does_what_every_transcript_says() {
    let mut failures = Vec::new();
    let transcripts = spec::transcripts();
    assert!(!transcripts.is_empty());
    for (name, transcript) in transcripts {
        if let Err(why) = play(&transcript) {
            failures.push(format!("{name}: {why}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn play(transcript: &Transcript) -> Result<(), String> {
    let mut table = Table { world: World::with(|rules| set_up(rules, &transcript.server)), sockets: BTreeMap::new() };
    let played = transcript::play(transcript, &mut table);
    if played.is_err() {
        table.clear();
    }
    played
}

fn set_up(rules: &mut Rules, settings: &Settings) {
    rules.server = settings.name.clone();
    rules.guests = settings.guests;
    rules.namespaces =
        settings.namespaces.as_ref().map(|names| names.iter().map(|name| Namespace::new(name).unwrap()).collect());
    rules.away_after_ms = settings.away_after_ms;
    rules.gone_after_ms = settings.gone_after_ms;
    rules.limits = settings.limits.clone();
    let ice = settings.ice.clone();
    rules.ice = IceRules {
        servers: ice.servers,
        turn_urls: ice.turn_urls,
        turn_secret: ice.turn_secret,
        turn_seconds: ice.turn_seconds,
    };
}

/// The hub's world, with sockets by name.
struct Table {
    world: World,
    sockets: BTreeMap<String, Seat>,
}

struct Seat {
    id: SocketId,
    /// What the server sent and nobody has looked at.
    inbox: VecDeque<Value>,
}

impl Table {
    fn id(&self, socket: &str) -> SocketId {
        self.sockets.get(socket).unwrap_or_else(|| panic!("no socket {socket}")).id
    }

    /// Forgets what is left after a failure that was told already.
    fn clear(&mut self) {
        for seat in self.sockets.values() {
            self.world.take(seat.id);
            self.world.take_closed(seat.id);
        }
        self.world.take_outputs();
    }
}

impl Stage for Table {
    fn open(&mut self, socket: &str, _: &str) -> Result<Opened, Fault> {
        let id = self.world.open();
        let inbox = VecDeque::from([self.world.challenge(id)]);
        self.sockets.insert(socket.into(), Seat { id, inbox });
        Ok(Opened::Yes)
    }

    fn send(&mut self, socket: &str, frame: Frame) {
        let Frame::Text(text) = frame else { panic!("the native protocol is text") };
        self.world.send_text(self.id(socket), &text);
    }

    fn next(&mut self, sockets: &[&str], _: Patience) -> Option<(usize, Frame)> {
        sockets.iter().enumerate().find_map(|(at, socket)| {
            let seat = self.sockets.get_mut(*socket)?;
            seat.inbox.extend(self.world.take(seat.id));
            Some((at, Frame::Text(seat.inbox.pop_front()?.to_string())))
        })
    }

    fn pong(&mut self, socket: &str) -> Result<bool, Unable> {
        let id = self.id(socket);
        let pinged = !self.world.marks(id).is_empty();
        if pinged {
            self.world.pong(id);
        }
        Ok(pinged)
    }

    fn lose(&mut self, socket: &str) {
        self.world.drop_socket(self.id(socket));
    }

    fn close(&mut self, socket: &str) {
        self.lose(socket);
    }

    fn closed(&mut self, socket: &str, _: Patience) -> Option<u16> {
        self.world.take_closed(self.id(socket))
    }

    fn wait(&mut self, ms: u64) {
        self.world.advance(ms);
    }

    fn restart(&mut self) -> Result<(), Unable> {
        self.world.restart();
        Ok(())
    }

    fn request(&mut self, _: &Request) -> Result<Answer, Fault> {
        Err(Fault::Unable(Unable("the hub speaks no HTTP".into())))
    }

    fn prove(&mut self, _: &str, _: &str, _: Value) -> Result<Value, Unable> {
        Err(Unable("the hub holds no keys".into()))
    }
}
