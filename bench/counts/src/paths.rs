//! What is counted: each path is gone so many times after everything around it was made ready.

use anyhow::{Context, Result, ensure};
use wigwag_testkit::{HelloFrame, TestKey};
use wigwag_wire::{Limits, Request};

use crate::frame::{Decoder, Event, MessageLimits};
use crate::world::{World, masked};

/// A path through the server.
pub(crate) struct Path {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// How many times it is counted.
    pub(crate) times: usize,
    /// Makes ready for so many times.
    pub(crate) prepare: fn(usize) -> Result<Walk>,
}

type Walk = Box<dyn FnMut() -> Result<()>>;

/// All of them.
pub(crate) const PATHS: &[Path] = &[
    Path {
        name: "read-description",
        about: "unmask, check and scan a signal of 2.3 KB",
        times: 64,
        prepare: |_| read(DESCRIPTION),
    },
    Path {
        name: "read-candidate",
        about: "unmask, check and scan a signal of 300 bytes",
        times: 64,
        prepare: |_| read(CANDIDATE),
    },
    Path {
        name: "relay-description",
        about: "from one native peer's bytes to the other's outbox, 2.3 KB",
        times: 256,
        prepare: |times| relay_native(times, DESCRIPTION, false),
    },
    Path {
        name: "relay-candidate",
        about: "the same, 300 bytes",
        times: 256,
        prepare: |times| relay_native(times, CANDIDATE, false),
    },
    Path {
        name: "relay-answered",
        about: "the same, and the sender is told what became of it",
        times: 256,
        prepare: |times| relay_native(times, CANDIDATE, true),
    },
    Path {
        name: "peerjs-description",
        about: "from one PeerJS client's bytes to the other's outbox, 2.3 KB",
        times: 256,
        prepare: |_| relay_peerjs(DESCRIPTION),
    },
    Path { name: "peerjs-candidate", about: "the same, 300 bytes", times: 256, prepare: |_| relay_peerjs(CANDIDATE) },
    Path { name: "hello-guest", about: "a guest's hello, and its welcome", times: 32, prepare: hello_guest },
    Path { name: "hello-key", about: "the hello of an Ed25519 key, and its welcome", times: 32, prepare: hello_key },
    Path { name: "join", about: "a room's 100th member comes, and all are told", times: 8, prepare: join },
    Path { name: "say", about: "300 bytes to a room of 100", times: 32, prepare: |_| say() },
    Path { name: "presence", about: "100 watchers are told that a peer is gone", times: 8, prepare: presence },
    Path { name: "find", about: "a peer is asked for and found", times: 256, prepare: |_| find() },
];

const DESCRIPTION: usize = 2_300;
const CANDIDATE: usize = 300;
const CROWD: usize = 100;

fn read(bytes: usize) -> Result<Walk> {
    let frame = masked(&signal("~abcdefghijklmnopqrst", bytes, None));
    let (mut buffer, limits) = (frame.clone(), Limits::default());
    Ok(Box::new(move || {
        buffer.copy_from_slice(&frame);
        let mut decoder = Decoder::default();
        let step = decoder.next(&mut buffer, MessageLimits { bytes: 65_536, fragments: 1_000 })?;
        let Some(Event::Text(text)) = step.event else { anyhow::bail!("it is a text") };
        let (_, request) = Request::parse(text, &limits).map_err(|unread| anyhow::anyhow!("{unread:?}"))?;
        ensure!(matches!(request, Request::Signal(_)), "it is a signal");
        Ok(())
    }))
}

fn relay_native(times: usize, bytes: usize, answered: bool) -> Result<Walk> {
    let mut world = World::new();
    let (from, _) = world.guest()?;
    let (_, to) = world.guest()?;
    let number = |turn: usize| answered.then_some(turn as u64);
    let mut frames: Vec<_> = (1..=times).rev().map(|turn| masked(&signal(&to, bytes, number(turn)))).collect();
    Ok(Box::new(move || {
        let frame = frames.pop().context("all are sent")?;
        told(&mut world, 1 + u64::from(answered), |world| world.read(from, &frame))
    }))
}

fn relay_peerjs(bytes: usize) -> Result<Walk> {
    let mut world = World::new();
    let from = world.peerjs("alice")?;
    world.peerjs("bob")?;
    let text = format!("{{\"type\":\"OFFER\",\"payload\":\"{}\",\"dst\":\"bob\"}}", "v".repeat(bytes));
    let frame = masked(&text);
    Ok(Box::new(move || told(&mut world, 1, |world| world.read(from, &frame))))
}

fn hello_guest(times: usize) -> Result<Walk> {
    let mut world = World::new();
    let mut sockets = (0..times).map(|_| world.open()).collect::<Result<Vec<_>>>()?;
    let hello = masked(r#"{"type":"hello"}"#);
    Ok(Box::new(move || {
        let (socket, _) = sockets.pop().context("all are in")?;
        told(&mut world, 1, |world| world.read(socket, &hello))
    }))
}

fn hello_key(times: usize) -> Result<Walk> {
    let mut world = World::new();
    let mut hellos = Vec::new();
    for number in 0..times {
        let (socket, challenge) = world.open()?;
        hellos.push((socket, masked(&HelloFrame::new().prove(&TestKey::new(number as u64), &challenge))));
    }
    Ok(Box::new(move || {
        let (socket, hello) = hellos.pop().context("all are in")?;
        told(&mut world, 1, |world| world.read(socket, &hello))
    }))
}

fn join(times: usize) -> Result<Walk> {
    let mut world = World::new();
    let members = (0..CROWD).map(|_| Ok(world.guest()?.0)).collect::<Result<Vec<_>>>()?;
    let last = *members.last().context("there are members")?;
    for room in 0..times {
        fill(&mut world, room, members.get(..CROWD - 1).unwrap_or_default())?;
    }
    let mut joins: Vec<_> = (0..times).map(|room| masked(&join_room(room))).collect();
    Ok(Box::new(move || {
        let join = joins.pop().context("all rooms are full")?;
        told(&mut world, CROWD as u64 - 1, |world| world.read(last, &join))
    }))
}

fn say() -> Result<Walk> {
    let mut world = World::new();
    let members = (0..CROWD).map(|_| Ok(world.guest()?.0)).collect::<Result<Vec<_>>>()?;
    fill(&mut world, 0, &members)?;
    let word = masked(&format!("{{\"type\":\"say\",\"room\":\"r0\",\"data\":\"{}\"}}", "w".repeat(300)));
    let from = *members.first().context("there are members")?;
    Ok(Box::new(move || told(&mut world, CROWD as u64 - 1, |world| world.read(from, &word))))
}

fn presence(times: usize) -> Result<Walk> {
    let mut world = World::new();
    let mut watched = (0..times).map(|_| world.guest()).collect::<Result<Vec<_>>>()?;
    for _ in 0..CROWD {
        let (watcher, _) = world.guest()?;
        for (_, id) in &watched {
            world.read(watcher, &masked(&format!("{{\"type\":\"watch\",\"ids\":[\"{id}\"]}}")))?;
        }
    }
    let bye = masked(r#"{"type":"bye"}"#);
    Ok(Box::new(move || {
        let (socket, _) = watched.pop().context("all are gone")?;
        told(&mut world, CROWD as u64, |world| world.read(socket, &bye))
    }))
}

fn find() -> Result<Walk> {
    let mut world = World::new();
    let (from, _) = world.guest()?;
    let (_, id) = world.guest()?;
    let frame = masked(&format!("{{\"type\":\"find\",\"id\":\"{id}\"}}"));
    Ok(Box::new(move || told(&mut world, 1, |world| world.read(from, &frame))))
}

/// Does something after which at least so many frames were sent: a path that leads nowhere costs little.
fn told(world: &mut World, frames: u64, does: impl FnOnce(&mut World) -> Result<()>) -> Result<()> {
    let before = world.frames();
    does(world)?;
    let told = world.frames() - before;
    ensure!(told >= frames, "{told} frames were sent instead of {frames}");
    Ok(())
}

fn fill(world: &mut World, room: usize, members: &[usize]) -> Result<()> {
    for (at, member) in members.iter().enumerate() {
        let word = if at == 0 {
            format!("{{\"type\":\"room.create\",\"room\":\"r{room}\",\"capacity\":1000,\"mode\":\"FREE_FOR_ALL\"}}")
        } else {
            join_room(room)
        };
        world.read(*member, &masked(&word))?;
    }
    Ok(())
}

fn join_room(room: usize) -> String {
    format!("{{\"type\":\"room.join\",\"room\":\"r{room}\"}}")
}

fn signal(to: &str, bytes: usize, n: Option<u64>) -> String {
    let n = n.map(|n| format!("\"n\":{n},")).unwrap_or_default();
    format!("{{\"type\":\"signal\",{n}\"to\":\"{to}\",\"kind\":\"offer\",\"data\":\"{}\"}}", "v".repeat(bytes))
}
