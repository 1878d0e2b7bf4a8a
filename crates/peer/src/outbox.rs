//! The requests of a session that are not answered yet: their numbers, their order, what is sent again, and when patience ends.

use std::collections::{BTreeMap, VecDeque};

use crate::frame::{Body, with_field};
use crate::heard::LimitsHeard;
use crate::terms::{AskId, GivenUp};
use crate::time::Moment;

/// How long to wait for any answer, in milliseconds.
pub(crate) const PATIENCE_MS: u64 = 10_000;

/// More requests than this do not wait for a socket.
pub(crate) const QUEUE_MAX: usize = 1_000;

/// What is kept back from the server's allowance, so that a slow clock does not overdraw it.
const RESERVE: f64 = 0.9;

/// How a request says how many counted messages were taken in, and what that takes at most.
const SEEN: &str = "seen";
const FIELD_BYTES: usize = 32;

/// Who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    Request(AskId),
    Standing(String),
    /// The line itself, whether the server is there.
    Check,
    /// Nobody wants the answer any more.
    Nobody,
}

/// A request, and what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) asker: Asker,
    body: Body,
    /// Whether it may be asked twice where its fate is not known.
    repeatable: bool,
    /// Whether nobody wants an answer; then it is sent at once or not at all.
    quiet: bool,
    patience: u64,
    /// 0 until it is sent.
    n: u64,
    /// When the answer is late; never while it is not on a socket.
    due: Moment,
    /// On how many sockets an answer was waited for.
    sockets: u32,
}

impl Wish {
    pub(crate) fn new(asker: Asker, body: Body, repeatable: bool) -> Self {
        Self { asker, body, repeatable, quiet: false, patience: PATIENCE_MS, n: 0, due: Moment::NEVER, sockets: 0 }
    }

    /// The same with another patience.
    pub(crate) fn within(self, patience: u64) -> Self {
        Self { patience, ..self }
    }

    /// One that wants no answer.
    pub(crate) fn quiet(body: Body) -> Self {
        Self { quiet: true, ..Self::new(Asker::Nobody, body, false) }
    }
}

/// Given up, with the reason.
pub(crate) type Given = (Asker, GivenUp);

/// What a server said of a session when it let us in.
pub(crate) struct Resumed {
    pub(crate) resumed: bool,
    pub(crate) missed: u64,
    /// The highest `n` that it took in.
    pub(crate) n: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Not sent yet, in order.
    waiting: VecDeque<Wish>,
    /// Sent and not answered, by `n`.
    sent: BTreeMap<u64, Wish>,
    /// Of these, what was sent on an earlier socket and is to be sent again on this one.
    repeats: VecDeque<u64>,
    last_n: u64,
    frame_bytes: usize,
    rate: f64,
    burst: f64,
    tokens: f64,
    counted_at: Moment,
}

impl Outbox {
    /// Takes a request in, unless too many wait.
    pub(crate) fn add(&mut self, wish: Wish) -> Result<(), Given> {
        if self.waiting.len() >= QUEUE_MAX {
            return Err((wish.asker, GivenUp::QueueFull));
        }
        self.waiting.push_back(wish);
        Ok(())
    }

    /// Puts standing requests before all others that wait, in their order.
    pub(crate) fn add_first(&mut self, wishes: Vec<Wish>) {
        for wish in wishes.into_iter().rev() {
            self.waiting.push_front(wish);
        }
    }

    /// Nobody wants the answer any more. What was sent stays sent.
    pub(crate) fn forget(&mut self, asker: &Asker) {
        self.waiting.retain(|wish| wish.asker != *asker);
        for wish in self.sent.values_mut().filter(|wish| wish.asker == *asker) {
            wish.asker = Asker::Nobody;
        }
    }

    /// Takes back what is not sent yet. What was sent is answered, and not asked anew.
    pub(crate) fn take_back(&mut self, asker: &Asker) {
        self.waiting.retain(|wish| wish.asker != *asker);
        for wish in self.sent.values_mut().filter(|wish| wish.asker == *asker) {
            wish.repeatable = false;
        }
    }

    /// A socket is open, and the server said how far it had taken things in.
    pub(crate) fn opened(&mut self, now: Moment, limits: &LimitsHeard, session: &Resumed) -> Vec<Given> {
        self.frame_bytes = usize::try_from(limits.frame_bytes).unwrap_or(usize::MAX);
        self.rate = limits.frames_per_second as f64 * RESERVE;
        self.burst = ((limits.frames_burst as f64 * RESERVE).floor() - 1.0).max(1.0);
        self.tokens = self.burst;
        self.counted_at = now;
        let mut given = Vec::new();
        let mut anew = Vec::new();
        let taken_in = |n: u64| session.n.is_some_and(|last| n <= last);
        for (n, mut wish) in std::mem::take(&mut self.sent) {
            if session.resumed && !taken_in(n) {
                self.sent.insert(n, wish);
            } else if session.resumed && !(session.missed > 0 && wish.repeatable) {
                // Its answer is among the messages that follow; and if it is not, patience ends.
                wish.due = now + wish.patience;
                wish.sockets += 1;
                self.sent.insert(n, wish);
            } else if wish.repeatable {
                let fresh = Wish { n: 0, due: Moment::NEVER, sockets: 0, ..wish };
                anew.extend((fresh.asker != Asker::Nobody).then_some(fresh));
            } else {
                given.push((wish.asker, GivenUp::Unknown));
            }
        }
        self.repeats = self.sent.keys().copied().filter(|n| !taken_in(*n)).collect();
        self.add_first(anew);
        given
    }

    /// The socket is gone; nobody waits for an answer on it.
    pub(crate) fn closed(&mut self) {
        self.repeats.clear();
        // A sign of life is one socket's affair.
        self.forget(&Asker::Check);
        self.waiting.retain(|wish| !wish.quiet);
        for wish in self.sent.values_mut() {
            wish.due = Moment::NEVER;
        }
    }

    /// What may be sent now. The first of it says how many counted messages were `seen`, which is taken then.
    pub(crate) fn flush(&mut self, now: Moment, seen: &mut Option<u64>) -> (Vec<String>, Vec<Given>) {
        if self.rate > 0.0 {
            let earned = (now - self.counted_at) as f64 / 1_000.0 * self.rate;
            self.tokens = (self.tokens + earned).min(self.burst);
            self.counted_at = now;
        }
        let (mut texts, mut given) = (Vec::new(), Vec::new());
        while self.rate <= 0.0 || self.tokens >= 1.0 {
            let says;
            let text = if let Some(n) = self.repeats.pop_front() {
                let Some(wish) = self.sent.get_mut(&n) else { continue };
                says = wish.body.kind() != SEEN;
                wish.due = now + wish.patience;
                wish.sockets += 1;
                wish.body.numbered(n)
            } else {
                let Some(wish) = self.waiting.pop_front() else { break };
                says = wish.body.kind() != SEEN;
                match self.send(now, wish) {
                    Ok(text) => text,
                    Err(too_large) => {
                        given.push(too_large);
                        continue;
                    }
                }
            };
            self.tokens -= 1.0;
            let has_room = self.frame_bytes == 0 || text.len() + FIELD_BYTES <= self.frame_bytes;
            let said = seen.take_if(|_| says && has_room);
            texts.push(match said {
                Some(seen) => with_field(&text, SEEN, seen),
                None => text,
            });
        }
        (texts, given)
    }

    /// Who asked what `n` answers; it is done with. `None` if nothing was asked by that number.
    pub(crate) fn answered(&mut self, n: u64) -> Option<Asker> {
        self.sent.remove(&n).map(|wish| wish.asker)
    }

    /// Requests whose answer is late a second time, which are given up, and whether one is late for the first time: then it is the
    /// socket that is given up.
    pub(crate) fn late(&mut self, now: Moment) -> (Vec<Given>, bool) {
        let late = self.sent.values().filter(|wish| wish.due <= now);
        let dead = late.clone().any(|wish| wish.sockets < 2);
        let over: Vec<u64> = late.filter(|wish| wish.sockets >= 2).map(|wish| wish.n).collect();
        let given = over.iter().filter_map(|n| self.answered(*n)).map(|asker| (asker, GivenUp::Unknown)).collect();
        (given, dead)
    }

    /// When something is due: an answer that is late, or leave to send more.
    pub(crate) fn deadline(&self) -> Moment {
        let first = self.sent.values().map(|wish| wish.due).min().unwrap_or(Moment::NEVER);
        if (self.repeats.is_empty() && self.waiting.is_empty()) || self.rate <= 0.0 {
            return first;
        }
        let wait = ((1.0 - self.tokens).max(0.0) / self.rate * 1_000.0).ceil();
        first.or(self.counted_at + (wait as u64).max(1))
    }

    /// Everybody who was not answered, and an empty outbox.
    pub(crate) fn drain(&mut self) -> Vec<Asker> {
        self.repeats.clear();
        let sent = std::mem::take(&mut self.sent).into_values();
        sent.chain(std::mem::take(&mut self.waiting)).map(|wish| wish.asker).collect()
    }

    /// Writes a request with its number, and waits for its answer, if there is to be one.
    fn send(&mut self, now: Moment, mut wish: Wish) -> Result<String, Given> {
        let n = self.last_n + 1;
        let text = if wish.quiet { wish.body.text().to_owned() } else { wish.body.numbered(n) };
        if self.frame_bytes > 0 && text.len() > self.frame_bytes {
            return Err((wish.asker, GivenUp::TooLarge));
        }
        if !wish.quiet {
            self.last_n = n;
            (wish.n, wish.due, wish.sockets) = (n, now + wish.patience, wish.sockets + 1);
            self.sent.insert(n, wish);
        }
        Ok(text)
    }
}
