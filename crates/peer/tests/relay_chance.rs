//! Two links under seeded chance: carriers that come and go, boxes that are lost or come twice.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, VecDeque};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use support::link::{Side, limits};
use wigwag_peer::Moment;
use wigwag_peer::heard::DeliveryHeard;
use wigwag_peer::relay::{Carrier, ChannelId, LinkOutput, Message, Posted, Told};

const SEEDS: u64 = 60;

#[test]
fn whatever_becomes_of_carriers_and_boxes_each_message_arrives_once_and_in_order() {
    let (mut moves, mut losses) = (0, 0);
    for seed in 1..=SEEDS {
        let mut world = World::new(seed);
        world.run();
        moves += world.moves;
        losses += world.losses;
    }
    assert!(moves > SEEDS && losses > SEEDS, "{moves} moves, {losses} losses");
}

/// Two links, a relay that loses and repeats, a data channel that comes and goes, and what was said.
struct World {
    seed: u64,
    dice: ChaCha8Rng,
    now: u64,
    sides: [Side; 2],
    /// What is on its way to each side, and by what; what was posted waits for its answer.
    wires: [VecDeque<(Carrier, Vec<u8>)>; 2],
    /// What each side sent, and what the other has of it, by channel.
    said: [BTreeMap<ChannelId, Vec<Message>>; 2],
    is_direct: bool,
    moves: u64,
    losses: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let sides = [true, false].map(|hails| Side::new(hails, Some(&limits())));
        let dice = ChaCha8Rng::seed_from_u64(seed);
        let (wires, said) = (Default::default(), Default::default());
        Self { seed, dice, now: 0, sides, wires, said, is_direct: false, moves: 0, losses: 0 }
    }

    fn run(&mut self) {
        self.turn(Carrier::Relay);
        for _ in 0..400 {
            self.step();
        }
        // In the end everything arrives, by whichever carrier there is.
        for round in 0..4_000 {
            self.flow(false);
            let due = self.sides.iter().filter_map(|side| side.link.next_deadline()).min();
            self.now = due.map_or(self.now + 100, |due| due.0.max(self.now + 1));
            self.tick();
            if round % 16 == 0 && self.is_done() {
                return;
            }
        }
        panic!(
            "seed {}: not everything arrived: {:?}",
            self.seed,
            self.sides.each_ref().map(|side| side.link.counts())
        );
    }

    fn below(&mut self, n: u64) -> u64 {
        self.dice.next_u64() % n
    }

    fn step(&mut self) {
        let who = self.below(2) as usize;
        match self.below(100) {
            0..20 => self.say(who),
            20..22 => {
                let opened = self.sides[who].link.open("another", "v1");
                self.said[who].extend(opened.ok().map(|channel| (channel, Vec::new())));
            }
            22..26 => {
                let to = if self.is_direct { Carrier::Relay } else { Carrier::Direct };
                self.turn(to);
            }
            26..90 => self.flow(true),
            _ => self.now += self.below(3_000),
        }
        self.tick();
    }

    fn say(&mut self, who: usize) {
        let open = self.said[who].len() as u64;
        let at = self.below(open + 1) as usize;
        let channel = self.said[who].keys().nth(at).copied().unwrap_or(ChannelId(0));
        let size = [1, 10, 1_000, 20_000, 70_000][self.below(5) as usize];
        let bytes = vec![self.below(256) as u8; size];
        let message = if self.below(2) == 0 { Message::Bytes(bytes) } else { Message::Text("ä".repeat(size / 2)) };
        if self.sides[who].link.send(channel, message.clone()).is_ok() {
            self.said[who].entry(channel).or_default().push(message);
        }
    }

    /// The data channel opens or closes; what was under way in it is lost when it closes.
    fn turn(&mut self, to: Carrier) {
        self.moves += 1;
        self.is_direct = to == Carrier::Direct;
        for who in [0, 1] {
            if !self.is_direct {
                self.wires[who].retain(|(by, _)| *by == Carrier::Relay);
            }
            let (now, is_direct) = (self.now, self.is_direct);
            self.sides[who].act(now, |link, pace, out| {
                link.direct(Moment(now), pace, is_direct.then_some(0), out);
                link.travel(Moment(now), pace, Some(to), is_direct, out);
            });
            self.sort(who);
        }
    }

    fn tick(&mut self) {
        for who in [0, 1] {
            let now = self.now;
            self.sides[who].act(now, |link, pace, out| link.tick(Moment(now), pace, out));
            self.sort(who);
        }
    }

    /// What a side wants goes on its way.
    fn sort(&mut self, who: usize) {
        for output in std::mem::take(&mut self.sides[who].out) {
            match output {
                LinkOutput::Direct(packed) => self.wires[1 - who].push_back((Carrier::Direct, packed)),
                LinkOutput::Post(packed) => self.wires[1 - who].push_back((Carrier::Relay, packed)),
                LinkOutput::Told(told) => self.sides[who].told.push(told),
                LinkOutput::Broken(broken) => panic!("seed {}: {broken}", self.seed),
                _ => {}
            }
        }
    }

    /// Something arrives, or what was relayed is lost, or comes twice.
    fn flow(&mut self, faults: bool) {
        for who in [0, 1] {
            for _ in 0..self.below(4) + u64::from(!faults) {
                let Some((by, packed)) = self.wires[who].pop_front() else { break };
                let now = self.now;
                let lost = faults && by == Carrier::Relay && self.below(100) < 15;
                let twice = faults && by == Carrier::Relay && self.below(100) < 5;
                self.losses += u64::from(lost);
                if !lost {
                    for _ in 0..=u64::from(twice) {
                        let packed = &packed;
                        self.sides[who].act(now, |link, pace, out| link.take(Moment(now), pace, packed, by, out));
                        self.sort(who);
                    }
                }
                if by == Carrier::Relay {
                    let refused = Posted::Refused { code: 4100, retry_after: Some(500) };
                    let posted = match self.below(20) {
                        0 if lost => Posted::Lost,
                        1 if lost => refused,
                        2 if lost => Posted::Acked(DeliveryHeard::Absent),
                        _ => Posted::Acked(DeliveryHeard::Delivered),
                    };
                    self.sides[1 - who].posted(now, posted);
                    self.sort(1 - who);
                } else {
                    self.sides[1 - who].act(now, |link, pace, out| link.direct(Moment(now), pace, Some(0), out));
                    self.sort(1 - who);
                }
            }
        }
    }

    fn is_done(&self) -> bool {
        [0, 1].into_iter().all(|who| {
            let mut heard: BTreeMap<ChannelId, Vec<Message>> = BTreeMap::new();
            for told in &self.sides[1 - who].told {
                match told {
                    Told::Message { channel, message } => heard.entry(*channel).or_default().push(message.clone()),
                    Told::Open { channel, label, protocol } => {
                        let before = heard.insert(*channel, Vec::new());
                        assert_eq!((label.as_str(), protocol.as_str(), before), ("another", "v1", None));
                    }
                    Told::Close(_) => panic!("nobody closed anything"),
                }
            }
            for (channel, messages) in &heard {
                let said = self.said[who].get(channel).map_or(&[][..], Vec::as_slice);
                assert!(said.starts_with(messages), "seed {}: {channel:?} says something else", self.seed);
            }
            self.said[who].iter().all(|(channel, said)| said.is_empty() || heard.get(channel) == Some(said))
        })
    }
}
