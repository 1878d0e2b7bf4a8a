//! One side of the stream: bytes in order over carriers that lose, repeat and delay. It is told the time, and sends nothing itself.

use std::collections::VecDeque;

use wigwag_wire::request::INTEGER_MAX;

use crate::time::Moment;

/// Flags, acknowledgement, limit and offset.
pub(crate) const HEADER_BYTES: usize = 25;

/// So far a sender goes before it was told how far.
const FIRST_LIMIT: u64 = 32_768;
/// So far beyond what was taken in the other may send.
const WINDOW_BYTES: u64 = 1_048_576;
/// So much is acknowledged at once; less waits for company.
const ACK_BYTES: u64 = 32_768;
const ACK_MS: u64 = 100;
/// What a lossy carrier took is sent again each time twice as late, up to so many times.
const LATER_MAX: u64 = 4;
/// What is left of a window is not filled with less, while more is under way.
const SLIVER_BYTES: u64 = 1_024;

const ASK: u8 = 1;
const CUT: u8 = 2;

/// What a box is to travel over.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// Most bytes of the stream in one box.
    pub chunk: usize,
    /// Most bytes of the stream that are not acknowledged.
    pub window: u64,
    /// Whether what it took may have been lost.
    pub lossy: bool,
    /// After how many milliseconds without an answer it was.
    pub patience: u64,
    /// Whether we have no direct path.
    pub cut: bool,
}

/// What came of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken<'a> {
    /// What is new of the other's stream.
    pub bytes: &'a [u8],
    /// Whether the other has no direct path.
    pub cut: bool,
}

/// One side of a stream.
#[derive(Debug)]
pub struct Stream {
    /// What is not acknowledged, in order.
    held: VecDeque<u8>,
    acked: u64,
    next: u64,
    /// The highest offset that was ever sent, and the highest that may be.
    sent: u64,
    limit: u64,
    taken: u64,
    granted: u64,
    told: u64,
    ack_at: Moment,
    asks: bool,
    /// Whether the other gets no leave to send more.
    stalled: bool,
    patience: u64,
    later: u64,
    again_at: Moment,
    /// Whether one box has to be answered before others follow.
    careful: bool,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            held: VecDeque::new(),
            acked: 0,
            next: 0,
            sent: 0,
            limit: FIRST_LIMIT,
            taken: 0,
            granted: FIRST_LIMIT,
            told: 0,
            ack_at: Moment::NEVER,
            asks: false,
            stalled: false,
            patience: 0,
            later: 1,
            again_at: Moment::NEVER,
            careful: false,
        }
    }
}

impl Stream {
    /// Bytes of ours that the other has, and bytes of its that we have.
    pub fn counts(&self) -> (u64, u64) {
        (self.acked, self.taken)
    }

    /// How long our stream is by now, as far as it was made into boxes or is about to be.
    pub fn written(&self) -> u64 {
        self.end()
    }

    /// The program cannot keep up, or can again: meanwhile the other gets no leave to send more than it has.
    pub fn stall(&mut self, now: Moment, stalled: bool) {
        if self.stalled && !stalled && self.granted < self.taken + WINDOW_BYTES / 2 {
            self.ack_at = now;
        }
        self.stalled = stalled;
    }

    /// Whether something of ours is not acknowledged yet.
    pub fn is_busy(&self) -> bool {
        !self.held.is_empty()
    }

    /// The next box asks the other to answer at once.
    pub fn ask(&mut self) {
        self.asks = true;
    }

    /// What was not acknowledged is sent again: the carrier is another one, or lost something.
    pub fn again(&mut self) {
        self.next = self.acked;
        self.again_at = Moment::NEVER;
    }

    /// When there may be something to send though nothing happens.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.ack_at.or(self.again_at).known()
    }

    /// The next box; `None` if there is nothing to send now. `more` gives what comes next, where there is something.
    pub fn pack(&mut self, now: Moment, way: Way, more: &mut dyn FnMut() -> Option<Vec<u8>>) -> Option<Vec<u8>> {
        let Way { chunk, window, lossy, patience, cut } = way;
        self.patience = patience;
        if !lossy {
            self.again_at = Moment::NEVER;
        } else if self.again_at <= now {
            self.late();
        } else {
            self.wait_for_acknowledgement(now);
        }
        let size = self.size(chunk as u64, window, more);
        if size == 0 && !self.asks && self.ack_at > now {
            // Nothing may be sent, and nothing is under way: whoever gave us no leave is asked for it again.
            if lossy && self.again_at == Moment::NEVER && self.end() > self.next {
                self.again_at = now + self.wait();
            }
            return None;
        }
        if !self.stalled {
            self.granted = self.taken + WINDOW_BYTES;
        }
        let mut packed = Vec::with_capacity(HEADER_BYTES + size as usize);
        packed.push(u8::from(self.asks) * ASK + u8::from(cut) * CUT);
        for number in [self.taken, self.granted, self.next] {
            packed.extend(number.to_be_bytes());
        }
        let from = (self.next - self.acked) as usize;
        let (front, back) = self.held.as_slices();
        let end = from + size as usize;
        for (part, begins) in [(front, 0), (back, front.len())] {
            let (from, end) = (from.saturating_sub(begins).min(part.len()), end.saturating_sub(begins).min(part.len()));
            packed.extend_from_slice(part.get(from..end).unwrap_or_default());
        }
        self.next += size;
        self.sent = self.sent.max(self.next);
        (self.told, self.ack_at, self.asks) = (self.taken, Moment::NEVER, false);
        if lossy {
            self.wait_for_acknowledgement(now);
        }
        Some(packed)
    }

    /// Takes a box. `None`: it is none, or breaks what was agreed.
    pub fn take<'a>(&mut self, now: Moment, packed: &'a [u8]) -> Option<Taken<'a>> {
        let (header, piece) = packed.split_at_checked(HEADER_BYTES)?;
        let flags = *header.first()?;
        let number = |at: usize| Some(u64::from_be_bytes(header.get(at..at + 8)?.try_into().ok()?));
        let (ack, limit, from) = (number(1)?, number(9)?, number(17)?);
        let end = from.checked_add(piece.len() as u64)?;
        if ack > self.sent || end > self.granted || limit > INTEGER_MAX {
            return None;
        }
        self.careful = false;
        self.acknowledged(now, ack);
        self.limit = self.limit.max(limit);
        let mut bytes: &[u8] = &[];
        if end > from {
            let fits = from <= self.taken && end > self.taken;
            if fits {
                bytes = piece.get((self.taken - from) as usize..)?;
                self.taken = end;
            }
            let soon = fits && self.taken - self.told < ACK_BYTES;
            self.ack_at = self.ack_at.or(if soon { now + ACK_MS } else { now });
        }
        if flags & ASK != 0 {
            self.ack_at = now;
        }
        Some(Taken { bytes, cut: flags & CUT != 0 })
    }

    fn end(&self) -> u64 {
        self.acked + self.held.len() as u64
    }

    /// How much the next box may carry.
    fn size(&mut self, chunk: u64, window: u64, more: &mut dyn FnMut() -> Option<Vec<u8>>) -> u64 {
        if self.careful && self.next > self.acked {
            return 0;
        }
        let room = self.limit.min(self.acked.saturating_add(window)).saturating_sub(self.next);
        let want = room.min(chunk);
        while self.end() - self.next < want {
            let Some(piece) = more() else { break };
            self.held.extend(piece);
        }
        let left = self.end() - self.next;
        let size = want.min(left);
        let sliver = size < SLIVER_BYTES && size == room && left > size && self.next > self.acked;
        if sliver { 0 } else { size }
    }

    fn wait(&self) -> u64 {
        self.patience * self.later
    }

    fn wait_for_acknowledgement(&mut self, now: Moment) {
        if self.next > self.acked && self.again_at == Moment::NEVER {
            self.again_at = now + self.wait();
        }
    }

    /// Nothing was acknowledged for long: one box goes first, and asks.
    fn late(&mut self) {
        self.again();
        self.later = (self.later * 2).min(LATER_MAX);
        (self.careful, self.asks) = (true, true);
    }

    fn acknowledged(&mut self, now: Moment, ack: u64) {
        if ack <= self.acked {
            return;
        }
        let gone = ((ack - self.acked) as usize).min(self.held.len());
        self.held.drain(..gone);
        self.acked = ack;
        self.next = self.next.max(ack);
        self.later = 1;
        if self.again_at != Moment::NEVER {
            self.again_at = if self.next > ack { now + self.wait() } else { Moment::NEVER };
        }
    }
}
