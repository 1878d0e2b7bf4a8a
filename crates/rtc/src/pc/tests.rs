//! Two machines at a table: no sockets, and a clock that goes as fast as it is told.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::UNSENT_BYTES_MAX;
use crate::description::Kind;

#[test]
fn two_machines_meet_without_a_network() {
    let mut table = Table::met();
    let key = table.ends[0].main;
    table.ends[0].pc.send(table.now, key, "hello".into()).unwrap();
    table.run(Duration::from_secs(1));
    assert_eq!(table.ends[1].heard, ["hello".into()]);
}

#[test]
fn one_datagram_of_ten_may_be_lost() {
    let mut table = Table::met();
    table.lossy = true;
    let key = table.ends[0].main;
    for number in 0..50u8 {
        table.ends[0].pc.send(table.now, key, vec![number; 3_000].into()).unwrap();
    }
    table.run(Duration::from_secs(120));
    let heard: Vec<_> = table.ends[1].heard.iter().map(|message| (message.bytes()[0], message.len())).collect();
    assert_eq!(heard, (0..50).map(|number| (number, 3_000)).collect::<Vec<_>>());
}

#[test]
fn nothing_that_anybody_may_send_breaks_a_connection() {
    let mut table = Table::met();
    let mut dice = Dice(1);
    for round in 0..3_000 {
        // Noise, and real datagrams with a byte changed, from the other end's address and from elsewhere.
        let mut data = match table.seen.len() {
            count if round % 3 != 0 && count > 0 => table.seen[dice.below(count)].clone(),
            _ => (0..dice.below(100)).map(|_| dice.byte()).collect(),
        };
        if !data.is_empty() {
            let place = dice.below(data.len());
            data[place] ^= 1 << dice.below(8);
        }
        let from = if round % 2 == 0 { Table::address(0) } else { SocketAddr::from(([10, 0, 0, 9], round)) };
        let input = Input::Datagram { local: Table::address(1), from, data: &data };
        table.ends[1].pc.handle(table.now, input);
        if round % 100 == 0 {
            table.run(Duration::from_millis(10));
        }
    }
    assert!(table.ends[1].pc.askers.len() <= ASKERS_MAX);
    let key = table.ends[0].main;
    table.ends[0].pc.send(table.now, key, "still here".into()).unwrap();
    table.run(Duration::from_secs(5));
    assert_eq!(table.ends[1].heard, ["still here".into()]);
}

#[test]
fn descriptions_with_lines_lost_or_bent_break_nothing() {
    let mut dice = Dice(2);
    let mut table = Table::new();
    let offer = table.ends[0].pc.offer(table.now, false).unwrap();
    let answer = table.ends[1].pc.describe(table.now, &offer).unwrap().unwrap();
    for _ in 0..100 {
        for (said, other) in [(&offer, 1), (&answer, 0)] {
            let mut fresh = Table::new();
            if said.kind == Kind::Answer {
                fresh.ends[0].pc.offer(fresh.now, false).unwrap();
            }
            let mut lines: Vec<String> = said.sdp.lines().map(str::to_owned).collect();
            for _ in 0..=dice.below(3) {
                let place = dice.below(lines.len());
                match dice.below(3) {
                    0 => drop(lines.remove(place)),
                    1 => lines.insert(place, lines[dice.below(lines.len())].clone()),
                    _ => {
                        let cut = dice.below(lines[place].len().max(1));
                        lines[place].truncate(cut);
                    }
                }
            }
            let bent = Description { kind: said.kind, sdp: lines.join("\r\n") + "\r\n" };
            let _ = fresh.ends[other].pc.describe(fresh.now, &bent);
            fresh.run(Duration::from_millis(50));
        }
    }
}

#[test]
fn candidates_without_end_are_not_kept() {
    let mut table = Table::new();
    let flood: Vec<Candidate> = (0..10_000u16).map(Table::candidate).collect();
    table.ends[1].pc.candidates(table.now, &flood);
    assert!(table.ends[1].pc.early.len() <= 64);
    table.agree();
    for chunk in flood.chunks(10) {
        table.ends[1].pc.candidates(table.now, chunk);
    }
    assert!(table.ends[1].pc.remotes.len() <= 64);
    table.run(Duration::from_secs(10));
    assert_eq!(table.ends[1].pc.pulse.state(), IceState::Connected);
}

#[test]
fn while_nobody_reads_little_is_kept_and_later_all_arrives() {
    let mut table = Table::met();
    table.ends[1].pc.pause(table.now, true);
    let key = table.ends[0].main;
    for number in 0..200u8 {
        table.ends[0].pc.send(table.now, key, vec![number; 64 * 1024].into()).unwrap();
    }
    table.run(Duration::from_secs(60));
    let slow = &table.ends[1];
    assert!(slow.heard.is_empty() && slow.pc.parked_bytes <= PARKED_BYTES && slow.pc.parked_bytes > 0);
    // A search for a path goes on beside it: the connection is not taken for dead.
    assert_eq!(slow.pc.pulse.state(), IceState::Connected);
    table.ends[1].pc.pause(table.now, false);
    table.run(Duration::from_secs(60));
    assert_eq!(table.ends[1].heard.len(), 200);
    assert_eq!(table.ends[1].pc.parked_bytes, 0);
    const { assert!(UNSENT_BYTES_MAX < 200 * 64 * 1024) };
}

#[test]
fn a_path_that_is_cut_is_told_and_found_again_by_a_restart() {
    let mut table = Table::met();
    // Nobody says anything, and the path is not taken for dead.
    for _ in 0..60 {
        table.run(Duration::from_secs(2));
        assert_eq!(table.ends.each_ref().map(|end| end.pc.pulse.state()), [IceState::Connected; 2]);
    }
    table.cut = true;
    table.run(Duration::from_secs(8));
    assert_eq!(table.ends[0].pc.pulse.state(), IceState::Disconnected);
    table.run(Duration::from_secs(60));
    assert_eq!(table.ends[0].pc.pulse.state(), IceState::Failed);
    table.cut = false;
    let offer = table.ends[0].pc.offer(table.now, true).unwrap();
    let answer = table.ends[1].pc.describe(table.now, &offer).unwrap().unwrap();
    table.ends[0].pc.describe(table.now, &answer).unwrap();
    table.run(Duration::from_secs(60));
    assert_eq!(table.ends[0].pc.pulse.state(), IceState::Connected);
    let key = table.ends[0].main;
    table.ends[0].pc.send(table.now, key, "again".into()).unwrap();
    table.run(Duration::from_secs(5));
    assert_eq!(table.ends[1].heard, ["again".into()]);
}

struct Place {
    pc: Pc,
    main: ChannelKey,
    heard: Vec<Message>,
}

struct Table {
    now: Instant,
    ends: [Place; 2],
    /// Every tenth datagram is lost, or so.
    lossy: bool,
    /// All are.
    cut: bool,
    dice: Dice,
    /// Some that were sent.
    seen: Vec<Vec<u8>>,
}

impl Table {
    fn new() -> Self {
        let now = Instant::now();
        let ends = [0, 1].map(|place| {
            let mut pc = Pc::new(now, Policy::All);
            let main = pc.channel(now, ChannelInit::main()).unwrap();
            pc.handle(now, Input::Socket { local: Self::address(place), offered: true });
            pc.handle(now, Input::ServersEnd);
            Place { pc, main, heard: Vec::new() }
        });
        Self { now, ends, lossy: false, cut: false, dice: Dice(3), seen: Vec::new() }
    }

    fn met() -> Self {
        let mut table = Self::new();
        table.agree();
        table.run(Duration::from_secs(5));
        table
    }

    fn agree(&mut self) {
        let offer = self.ends[0].pc.offer(self.now, false).unwrap();
        let answer = self.ends[1].pc.describe(self.now, &offer).unwrap().unwrap();
        self.ends[0].pc.describe(self.now, &answer).unwrap();
    }

    fn address(place: usize) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1 + u8::try_from(place).unwrap()], 1_000))
    }

    fn candidate(port: u16) -> Candidate {
        Candidate {
            candidate: format!("candidate:{port} 1 udp {port} 10.0.1.1 {port} typ host"),
            sdp_mid: None,
            sdp_m_line_index: Some(0),
            username_fragment: None,
        }
    }

    /// Lets time go on; datagrams arrive at once.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            while self.carry() {}
            let next = self.ends.iter().map(|place| place.pc.deadline()).min().unwrap();
            if next > end {
                break;
            }
            self.now = next.max(self.now + Duration::from_micros(100));
            for place in &mut self.ends {
                place.pc.handle(self.now, Input::Timeout);
            }
        }
        self.now = end;
    }

    fn carry(&mut self) -> bool {
        let mut any = false;
        for place in 0..2 {
            while let Some(output) = self.ends[place].pc.poll() {
                any = true;
                match output {
                    Output::Datagram { from, to, data } => {
                        if self.seen.len() < 200 {
                            self.seen.push(data.clone());
                        }
                        let lost = self.cut || (self.lossy && self.dice.below(10) == 0);
                        if !lost && to == Self::address(1 - place) {
                            self.ends[1 - place].pc.handle(self.now, Input::Datagram { local: to, from, data: &data });
                        }
                    }
                    Output::Event(Event::Message(_, message)) => self.ends[place].heard.push(message),
                    _ => {}
                }
            }
        }
        any
    }
}

/// Numbers that are the same each time.
struct Dice(u64);

impl Dice {
    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}
