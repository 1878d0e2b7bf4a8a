//! Signals: whatever happens to two senders and one receiver, they arrive in order and at most once, and nothing that was promised
//! goes missing in silence.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};
use world::*;

const BOB: usize = 2;
const NAMES: [&str; 3] = ["alice@example.org", "carol@example.org", "bob@example.org"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn signals_keep_their_promises(bound in 2u64..40, steps in prop::collection::vec(step(), 1..120)) {
        let mut story = Story::new(bound);
        for step in &steps {
            story.play(step);
        }
        story.rest();
        story.judge();
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// A sender signals bob, perhaps to be stored.
    Signal { by: usize, store: bool },
    /// A client takes in some of what waits for it, and may say so.
    Read { by: usize, most: usize, says: bool },
    /// A client's WebSocket answers the last ping.
    Pong(usize),
    /// A socket is lost, with what was on its way.
    Cut(usize),
    /// A client comes back and goes on, if it is not here.
    Resume(usize),
    /// A client opens another socket while it has one, or begins afresh.
    Again { by: usize, afresh: bool },
    /// Time passes.
    Wait(u64),
    /// The store begins to write slowly, or catches up.
    Store(bool),
    /// The server begins again from its snapshot.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let anyone = 0..3usize;
    prop_oneof![
        20 => (0..2usize, any::<bool>()).prop_map(|(by, store)| Step::Signal { by, store }),
        8 => (anyone.clone(), 0..8usize, any::<bool>()).prop_map(|(by, most, says)| Step::Read { by, most, says }),
        4 => anyone.clone().prop_map(Step::Pong),
        5 => anyone.clone().prop_map(Step::Cut),
        6 => anyone.clone().prop_map(Step::Resume),
        2 => (anyone, any::<bool>()).prop_map(|(by, afresh)| Step::Again { by, afresh }),
        4 => prop_oneof![Just(10), Just(1_000), Just(6_000), Just(121_000)].prop_map(Step::Wait),
        2 => any::<bool>().prop_map(Step::Store),
        1 => Just(Step::Restart),
    ]
}

/// A client, as the spec wants it.
struct Client {
    peer: Peer,
    here: bool,
    /// How many counted messages it took in.
    seen: u64,
    n: u64,
    /// Requests without an answer.
    open: BTreeSet<u64>,
    /// Requests that cannot be judged: an answer, or the news of a loss, may be among what it missed.
    excused: BTreeSet<u64>,
    acked: BTreeSet<u64>,
    lost: BTreeSet<u64>,
}

struct Story {
    world: World,
    clients: Vec<Client>,
    /// What bob's program got, by sender.
    arrived: BTreeMap<String, Vec<u64>>,
}

impl Story {
    fn new(bound: u64) -> Self {
        let mut world = World::with(|rules| {
            rules.limits.queue_frames = bound;
            rules.limits.frames_per_second = 0;
        });
        let clients = NAMES.iter().zip(1..).map(|(name, seed)| Client {
            peer: world.named(name, seed),
            here: true,
            seen: 0,
            n: 0,
            open: BTreeSet::new(),
            excused: BTreeSet::new(),
            acked: BTreeSet::new(),
            lost: BTreeSet::new(),
        });
        Self { clients: clients.collect(), world, arrived: BTreeMap::new() }
    }

    fn play(&mut self, step: &Step) {
        match *step {
            Step::Signal { by, store } if self.clients[by].here => {
                let client = &mut self.clients[by];
                client.n += 1;
                client.open.insert(client.n);
                let mut frame = signal(client.n, NAMES[BOB], client.n);
                frame["store"] = json!(if store { 3_600 } else { 0 });
                self.world.send(&client.peer, frame);
            }
            Step::Read { by, most, says } => self.read(by, most, says),
            Step::Pong(by) if self.clients[by].here && !self.world.marks(&self.clients[by].peer).is_empty() => {
                // What the stack confirms it has handed to the program, whatever that does with it.
                self.read(by, usize::MAX, false);
                self.world.pong(&self.clients[by].peer);
            }
            Step::Cut(by) if self.clients[by].here => {
                self.world.drop_socket(&self.clients[by].peer);
                self.clients[by].here = false;
            }
            Step::Resume(by) if !self.clients[by].here => self.come(by, false),
            Step::Again { by, afresh } => self.come(by, afresh),
            Step::Wait(ms) => self.world.advance(ms),
            Step::Store(slow) => self.store(slow),
            Step::Restart => {
                self.store(false);
                self.world.restart();
                self.clients.iter_mut().for_each(|client| client.here = false);
            }
            _ => {}
        }
        self.notice_closes();
    }

    /// Everyone comes back and reads; then bob's session ends, so that what he never confirmed is told.
    fn rest(&mut self) {
        self.store(false);
        for _ in 0..50 {
            for by in 0..3 {
                if !self.clients[by].here {
                    self.come(by, false);
                }
                self.read(by, usize::MAX, true);
            }
            self.notice_closes();
        }
        let bob = self.clients[BOB].peer.clone();
        self.world.send(&bob, json!({"type": "bye"}));
        self.world.expect_closed(&bob, 1000);
        for by in 0..2 {
            self.read(by, usize::MAX, true);
        }
    }

    fn judge(&self) {
        for (sender, numbers) in &self.arrived {
            assert!(numbers.is_sorted_by(|one, next| one < next), "of {sender}'s signals arrived {numbers:?}");
        }
        for (client, name) in self.clients.iter().zip(NAMES).take(2) {
            let arrived: BTreeSet<u64> = self.arrived.get(name).into_iter().flatten().copied().collect();
            assert!(client.open.is_subset(&client.excused), "never answered: {:?} of {name}", client.open);
            for n in client.acked.difference(&client.excused) {
                let told = arrived.contains(n) || client.lost.contains(n);
                assert!(told, "signal {n} of {name} was acknowledged, did not arrive, and nobody was told");
            }
        }
    }

    /// A hello on a new socket.
    fn come(&mut self, by: usize, afresh: bool) {
        let client = &mut self.clients[by];
        let hello = match afresh {
            true => json!({"id": NAMES[by]}),
            false => json!({"id": NAMES[by], "resume": {"token": client.peer.token, "seen": client.seen}}),
        };
        // A client that opens another socket reads nothing more from the one that it had.
        self.world.take(&client.peer);
        let seed = by as u64 + 1;
        let socket = self.world.open();
        self.world.hello(socket, Some(seed), hello);
        if self.world.store.slow {
            while self.world.next_claim() {}
        }
        self.world.take_closed(&client.peer);
        client.peer = self.world.welcomed(socket);
        client.here = true;
        let unanswered: Vec<u64> = client.open.iter().copied().collect();
        if client.peer.welcome["resumed"] == true {
            let missed = client.peer.welcome["missed"].as_u64().unwrap_or(0);
            client.seen += missed;
            if missed > 0 {
                client.excused.extend(1..=client.n);
            }
            let taken = client.peer.welcome["n"].as_u64().unwrap_or(0);
            assert!(unanswered.iter().all(|n| *n <= taken), "this world loses nothing on its way to the server");
        } else {
            client.seen = 0;
            client.open.clear();
            // Nobody is left who could be told.
            client.excused.extend(1..=client.n);
        }
    }

    fn read(&mut self, by: usize, most: usize, says: bool) {
        let client = &mut self.clients[by];
        if !client.here {
            return;
        }
        for _ in 0..most {
            let Some(frame) = self.world.take_one(&client.peer) else { break };
            client.seen += 1;
            if let Some(n) = frame["re"].as_u64() {
                assert!(client.open.remove(&n) || client.excused.contains(&n), "answered twice: {frame}");
                if frame["status"] == "delivered" || frame["status"] == "stored" {
                    client.acked.insert(n);
                }
            }
            match frame["type"].as_str().unwrap() {
                "signal" => {
                    let numbers = self.arrived.entry(frame["from"].as_str().unwrap().to_owned()).or_default();
                    numbers.push(frame["data"].as_u64().unwrap());
                }
                "lost" => {
                    for n in frame["n"].as_array().unwrap().iter().filter_map(Value::as_u64) {
                        let known = client.acked.contains(&n) || client.excused.contains(&n);
                        assert!(known && client.lost.insert(n), "lost before its answer, or twice: {frame}");
                    }
                }
                _ => {}
            }
        }
        if says {
            self.world.send(&client.peer, json!({"type": "seen", "seen": client.seen}));
        }
    }

    fn store(&mut self, slow: bool) {
        self.world.store.slow = slow;
        while !slow && self.world.take_ask() {}
    }

    /// Whoever read too slowly was cut.
    fn notice_closes(&mut self) {
        for client in &mut self.clients {
            if client.here && self.world.take_closed(&client.peer).is_some() {
                self.world.take(&client.peer);
                client.here = false;
            }
        }
    }
}
