//! `spec/finding.md`: several finders, tried all at once or one after the other, as a pure machine; the records that make a sighting believed;
//! and how two who are connected already prove their keys. It asks nobody itself.

mod proof;
mod record;

pub use self::proof::{ChannelSide, fingerprints, guest_id, proof_statement};
pub use self::record::{PeerRecord, Wanted};
use crate::time::Moment;

/// Who was asked in time may answer so much later, in milliseconds.
const GRACE_MS: u64 = 250;

/// How several finders are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// All at once.
    #[default]
    Race,
    /// One begins when the one before it is out.
    Ladder,
}

/// A finder in a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runner {
    /// Its name, which comes once in a search.
    pub name: String,
    /// Its own time in milliseconds.
    pub ms: Option<u64>,
}

/// What a search is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RaceInput {
    /// Begin.
    Start,
    /// A finder's answer is verified.
    Won(String),
    /// A finder is out, and why.
    Lost {
        /// Which.
        finder: String,
        /// In a word.
        reason: String,
    },
    /// Time has passed.
    Tick,
    /// Nobody waits for the answer any more.
    Abort,
}

/// What a search wants to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RaceOutput {
    /// Ask this finder, and tell it how long it has.
    Begin {
        /// Which.
        finder: String,
        /// In milliseconds.
        ms: u64,
    },
    /// Nobody waits for this finder any more.
    Cancel(String),
    /// Over: this finder's answer is the answer.
    Won(String),
    /// Over: each finder with its reason, in the order of the list.
    Lost(Vec<(String, String)>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    Running { until: Moment },
    Out,
}

#[derive(Clone, Debug)]
struct Entry {
    name: String,
    ms: Option<u64>,
    stage: Stage,
    reason: String,
}

/// One search.
#[derive(Clone, Debug)]
pub struct Race {
    order: Order,
    span: u64,
    entries: Vec<Entry>,
    /// The deadline, once it began.
    end: Moment,
    over: bool,
}

impl Race {
    /// A search with these finders, the most wanted first, that takes no longer than this many milliseconds.
    pub fn new(finders: Vec<Runner>, order: Order, span: u64) -> Self {
        let entry = |Runner { name, ms }| Entry { name, ms, stage: Stage::Waiting, reason: "not_asked".into() };
        let entries = finders.into_iter().map(entry).collect();
        Self { order, span, entries, end: Moment::NEVER, over: false }
    }

    /// Takes something in, at a time that never goes back, and says what is to be done.
    pub fn handle(&mut self, now: Moment, input: RaceInput, out: &mut Vec<RaceOutput>) {
        if !self.over {
            self.take(now, input, out);
        }
        if !self.over && self.end != Moment::NEVER {
            self.due(now, out);
        }
    }

    /// When to say `Tick` at the latest.
    pub fn next_deadline(&self) -> Option<Moment> {
        let ends = self.entries.iter().filter_map(|entry| match entry.stage {
            Stage::Running { until } => Some(until),
            _ => None,
        });
        ends.chain([self.end + GRACE_MS]).min().filter(|_| !self.over).and_then(Moment::known)
    }

    fn take(&mut self, now: Moment, input: RaceInput, out: &mut Vec<RaceOutput>) {
        match input {
            RaceInput::Start => {
                self.end = now + self.span;
                match self.order {
                    Order::Ladder => self.next(now, true, out),
                    Order::Race => (0..self.entries.len()).for_each(|at| self.begin(now, at, self.span, out)),
                }
                self.settle(out);
            }
            RaceInput::Abort => {
                self.leave(None, out);
                self.over = true;
            }
            RaceInput::Tick => {}
            RaceInput::Won(finder) => {
                let Some(at) = self.running(&finder) else { return };
                self.entries[at].stage = Stage::Out;
                self.leave(None, out);
                self.over = true;
                out.push(RaceOutput::Won(finder));
            }
            RaceInput::Lost { finder, reason } => {
                let Some(at) = self.running(&finder) else { return };
                (self.entries[at].stage, self.entries[at].reason) = (Stage::Out, reason);
                self.climb(now, out);
                self.settle(out);
            }
        }
    }

    fn due(&mut self, now: Moment, out: &mut Vec<RaceOutput>) {
        if now >= self.end + GRACE_MS {
            self.leave(Some("timeout"), out);
            return self.lose(out);
        }
        let late = |entry: &Entry| matches!(entry.stage, Stage::Running { until } if until <= now);
        let late: Vec<usize> = (0..self.entries.len()).filter(|at| late(&self.entries[*at])).collect();
        for at in late {
            (self.entries[at].stage, self.entries[at].reason) = (Stage::Out, "timeout".into());
            out.push(RaceOutput::Cancel(self.entries[at].name.clone()));
            self.climb(now, out);
        }
        self.settle(out);
    }

    fn climb(&mut self, now: Moment, out: &mut Vec<RaceOutput>) {
        if self.order == Order::Ladder {
            self.next(now, false, out);
        }
    }

    /// The next of a ladder: no finder but the first begins at the deadline.
    fn next(&mut self, now: Moment, first: bool, out: &mut Vec<RaceOutput>) {
        let waiting = self.entries.iter().filter(|entry| entry.stage == Stage::Waiting).count() as u64;
        let at = self.entries.iter().position(|entry| entry.stage == Stage::Waiting);
        if let Some(at) = at.filter(|_| first || now < self.end) {
            self.begin(now, at, (self.end - now) / waiting, out);
        }
    }

    /// `share`: what it has without a time of its own.
    fn begin(&mut self, now: Moment, at: usize, share: u64, out: &mut Vec<RaceOutput>) {
        let left = self.end - now;
        let Some(entry) = self.entries.get_mut(at) else { return };
        let ms = entry.ms.unwrap_or(share).min(left);
        entry.stage = Stage::Running { until: now + ms + GRACE_MS };
        out.push(RaceOutput::Begin { finder: entry.name.clone(), ms });
    }

    /// All that run are cancelled, in order.
    fn leave(&mut self, reason: Option<&str>, out: &mut Vec<RaceOutput>) {
        for entry in self.entries.iter_mut().filter(|entry| matches!(entry.stage, Stage::Running { .. })) {
            entry.stage = Stage::Out;
            if let Some(reason) = reason {
                entry.reason = reason.to_owned();
            }
            out.push(RaceOutput::Cancel(entry.name.clone()));
        }
    }

    /// Over, if none runs and none will.
    fn settle(&mut self, out: &mut Vec<RaceOutput>) {
        if !self.entries.iter().any(|entry| matches!(entry.stage, Stage::Running { .. })) {
            self.lose(out);
        }
    }

    fn lose(&mut self, out: &mut Vec<RaceOutput>) {
        self.over = true;
        out.push(RaceOutput::Lost(
            self.entries.iter().map(|entry| (entry.name.clone(), entry.reason.clone())).collect(),
        ));
    }

    fn running(&self, finder: &str) -> Option<usize> {
        let runs = |entry: &Entry| entry.name == finder && matches!(entry.stage, Stage::Running { .. });
        self.entries.iter().position(runs)
    }
}

/// Of the reasons why nobody found it, the one of the finder that came furthest, of equals the last in the list.
pub fn furthest(tried: &[(String, String)]) -> Option<&str> {
    const FURTHEST: [&str; 6] = ["key_mismatch", "refused", "no_path", "timeout", "absent", "not_found"];
    let rank = |reason: &str| FURTHEST.iter().position(|known| *known == reason).unwrap_or(FURTHEST.len());
    tried.iter().rev().min_by_key(|(_, reason)| rank(reason)).map(|(_, reason)| reason.as_str())
}
