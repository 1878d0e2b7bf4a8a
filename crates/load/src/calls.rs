//! Calls that pairs of peers set up through a server: what a server is there for.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::crowd::{Crowd, Noted};
use crate::latency::Latency;
use crate::tongue::Heard;

/// Messages of a call: each side sends a description and ten candidates.
pub const MESSAGES_PER_CALL: u64 = 22;
const HALF: usize = 11;
const DESCRIPTION_BYTES: usize = 2_300;
const CANDIDATE_BYTES: usize = 300;

/// How the messages of a call follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// Each message waits for the one before it.
    Sparse,
    /// An offer and its candidates in one write, as browsers send them; then the answer and its candidates.
    Burst,
}

/// When calls begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// So many are being set up at any time: a new one begins when one is done.
    AtOnce(usize),
    /// So many begin per second, by the clock, whatever becomes of them.
    PerSecond(f64),
}

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which peers take part; `2n` and `2n + 1` of them are a pair.
    pub peers: Range<usize>,
    /// How messages follow each other.
    pub rhythm: Rhythm,
    /// When calls begin.
    pub pace: Pace,
    /// No call begins after so many.
    pub calls: u64,
    /// No call begins after so long.
    pub time: Duration,
    /// A call that takes longer has failed, and its pair is left alone from then on.
    pub patience: Duration,
}

impl Plan {
    /// Calls of these peers, with time enough.
    pub fn calls(peers: Range<usize>, rhythm: Rhythm, pace: Pace, calls: u64) -> Self {
        let time = Duration::from_secs(600);
        Self { peers, rhythm, pace, calls, time, patience: Duration::from_secs(10) }
    }
}

/// What a run showed.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    /// Calls that began.
    pub started: u64,
    /// Calls that were set up.
    pub done: u64,
    /// Calls that were not, in time.
    pub failed: u64,
    /// Messages that arrived.
    pub messages: u64,
    /// From writing a message to its arrival. The first of a call counts from when it was due, so that a server that
    /// holds everything up is not spared what would have come meanwhile.
    pub latency: Latency,
    /// From when a call was due to the arrival of its last message.
    pub setup: Latency,
    /// From the first call to the last message.
    pub took: Duration,
}

/// Sets up calls. `watch` sees now and then how it goes, and stops it with `false`.
pub fn run(crowd: &mut Crowd, plan: &Plan, mut watch: impl FnMut(&Ran, &Crowd) -> bool) -> Result<Ran> {
    let pairs = plan.peers.len() / 2;
    if pairs == 0 {
        bail!("a call takes two peers");
    }
    let mut run = Run {
        plan,
        texts: ["v".repeat(DESCRIPTION_BYTES), "c".repeat(CANDIDATE_BYTES)],
        pairs: vec![None; pairs],
        free: (0..pairs).collect(),
        busy: VecDeque::new(),
        begun: Instant::now(),
        ran: Ran::default(),
    };
    let mut heard: Vec<Noted> = Vec::new();
    let mut watched = run.begun;
    let mut stopped = false;
    loop {
        let mut wait = Duration::from_millis(100);
        while !stopped && run.ran.started < plan.calls && run.begun.elapsed() < plan.time {
            let due = run.next_due();
            let until = due.saturating_duration_since(Instant::now());
            if !until.is_zero() {
                wait = wait.min(until);
                break;
            }
            if !run.begin(crowd, due)? {
                break;
            }
        }
        let over = stopped || run.ran.started >= plan.calls || run.begun.elapsed() >= plan.time;
        if over && run.ran.done + run.ran.failed >= run.ran.started {
            break;
        }
        crowd.wait(wait, &mut heard)?;
        let now = Instant::now();
        for note in &heard {
            if note.heard == Heard::Message {
                run.arrived(crowd, note.key, now)?;
            }
        }
        run.give_up(now);
        if now.duration_since(watched) > Duration::from_millis(100) {
            watched = now;
            run.ran.took = run.begun.elapsed();
            stopped |= !watch(&run.ran, crowd);
        }
        if run.free.is_empty() && run.ran.done + run.ran.failed >= run.ran.started {
            break;
        }
    }
    run.ran.took = run.begun.elapsed();
    Ok(run.ran)
}

struct Run<'a> {
    plan: &'a Plan,
    texts: [String; 2],
    /// What each pair is at.
    pairs: Vec<Option<Call>>,
    free: VecDeque<usize>,
    /// Pairs in the order in which their calls began, with when. Calls that are done stay until they are old.
    busy: VecDeque<(usize, Instant)>,
    begun: Instant,
    ran: Ran,
}

#[derive(Clone, Debug)]
struct Call {
    due: Instant,
    /// When each side last wrote.
    written: [Instant; 2],
    /// Messages that each side heard.
    heard: [usize; 2],
}

impl Run<'_> {
    fn next_due(&self) -> Instant {
        match self.plan.pace {
            Pace::AtOnce(_) => Instant::now(),
            Pace::PerSecond(rate) => self.begun + Duration::from_secs_f64(self.ran.started as f64 / rate),
        }
    }

    /// Begins a call if a pair is free and the pace allows it.
    fn begin(&mut self, crowd: &mut Crowd, due: Instant) -> Result<bool> {
        let under_way = self.ran.started - self.ran.done - self.ran.failed;
        if matches!(self.plan.pace, Pace::AtOnce(most) if under_way >= most as u64) {
            return Ok(false);
        }
        let Some(pair) = self.free.pop_front() else { return Ok(false) };
        let caller = self.plan.peers.start + pair * 2;
        if crowd.name(caller).is_none() || crowd.name(caller + 1).is_none() {
            // One of them was lost; the pair is not used again.
            return Ok(true);
        }
        self.ran.started += 1;
        if let Some(slot) = self.pairs.get_mut(pair) {
            *slot = Some(Call { due, written: [due; 2], heard: [0; 2] });
        }
        self.busy.push_back((pair, due));
        self.speak(crowd, pair, 0, 0)?;
        // What is late because the load was late is counted, too.
        if let Some(call) = self.call(pair) {
            call.written[0] = due;
        }
        Ok(true)
    }

    /// Peer `key` heard one message: the call goes on, or is done.
    fn arrived(&mut self, crowd: &mut Crowd, key: usize, now: Instant) -> Result<()> {
        let Some(number) = key.checked_sub(self.plan.peers.start) else { return Ok(()) };
        let (pair, side) = (number / 2, number % 2);
        // What comes too late belongs to no call.
        let Some(call) = self.call(pair) else { return Ok(()) };
        let took = now.saturating_duration_since(call.written[1 - side]);
        call.heard[side] += 1;
        let (heard, due) = (call.heard[side], call.due);
        self.ran.latency.add(took);
        self.ran.messages += 1;
        match (self.plan.rhythm, side) {
            (_, 0) if heard == HALF => {
                self.ran.done += 1;
                self.ran.setup.add(now.saturating_duration_since(due));
                if let Some(slot) = self.pairs.get_mut(pair) {
                    *slot = None;
                }
                self.free.push_back(pair);
                Ok(())
            }
            (Rhythm::Sparse, 0) => self.speak(crowd, pair, 0, heard),
            (Rhythm::Sparse, _) => self.speak(crowd, pair, 1, heard - 1),
            (Rhythm::Burst, 1) if heard == HALF => self.speak(crowd, pair, 1, 0),
            (Rhythm::Burst, _) => Ok(()),
        }
    }

    /// One side of a pair says its message number `turn`, or in a burst all of them.
    fn speak(&mut self, crowd: &mut Crowd, pair: usize, side: usize, turn: usize) -> Result<()> {
        let key = self.plan.peers.start + pair * 2 + side;
        let turns = match self.plan.rhythm {
            Rhythm::Sparse => turn..turn + 1,
            Rhythm::Burst => 0..HALF,
        };
        if crowd.name(key ^ 1).is_none() {
            // It was lost in the middle of the call, which fails in time.
            return Ok(());
        }
        for turn in turns {
            let [description, candidate] = &self.texts;
            crowd.queue_message(key, key ^ 1, if turn == 0 { description } else { candidate })?;
        }
        let now = Instant::now();
        if let Some(call) = self.call(pair) {
            call.written[side] = now;
        }
        crowd.flush(key)
    }

    /// Gives up calls that took too long. Their pairs stay busy for good, for what they still hear would confuse the next call.
    fn give_up(&mut self, now: Instant) {
        while let Some(&(pair, due)) = self.busy.front()
            && now.saturating_duration_since(due) > self.plan.patience
        {
            self.busy.pop_front();
            if self.call(pair).is_some_and(|call| call.due == due) {
                self.ran.failed += 1;
                if let Some(slot) = self.pairs.get_mut(pair) {
                    *slot = None;
                }
            }
        }
    }

    fn call(&mut self, pair: usize) -> Option<&mut Call> {
        self.pairs.get_mut(pair)?.as_mut()
    }
}
