//! What a session has been told and has not confirmed yet: counted, bounded, ready to be told again.

use std::collections::VecDeque;

use bytes::Bytes;
use wigwag_wire::Limits;

use super::receipt::Receipt;

/// What is told without a mark at most. Confirmed early, memory is free again while it is still in a cache: without a bound of so few
/// bytes, a busy server holds a second of all that it relays.
const UNMARKED_BYTES: u64 = 32 * 1024;

/// One counted frame.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) frame: Bytes,
    pub(crate) receipt: Receipt,
}

impl Held {
    /// Whether it is relayed data, which has bounds of its own.
    pub(crate) fn is_relayed(&self) -> bool {
        matches!(self.receipt, Receipt::Relayed)
    }
}

/// The unconfirmed frames of one session.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    held: VecDeque<Held>,
    bytes: usize,
    /// Of these, what is relayed: frames and bytes.
    relayed: Relayed,
    /// Frames that are confirmed, or were dropped for lack of room.
    settled: u64,
    /// Frames that a socket was handed.
    wired: u64,
    /// The count of the last mark.
    marked: u64,
    /// Bytes told since then.
    unmarked_bytes: usize,
}

/// How much of what is held is relayed.
#[derive(Debug, Default)]
struct Relayed {
    frames: u32,
    bytes: u32,
}

impl Relayed {
    fn add(&mut self, frame: &Bytes) {
        self.frames += 1;
        self.bytes += frame.len() as u32;
    }
}

impl Queue {
    /// Counts one more frame.
    pub(crate) fn push(&mut self, held: Held) {
        self.bytes += held.frame.len();
        self.unmarked_bytes += held.frame.len();
        if held.is_relayed() {
            self.relayed.add(&held.frame);
        }
        self.held.push_back(held);
    }

    /// One frame is no longer held.
    fn let_go(&mut self, held: &Held) {
        self.bytes -= held.frame.len();
        if held.is_relayed() {
            self.relayed.frames -= 1;
            self.relayed.bytes -= held.frame.len() as u32;
        }
    }

    /// A socket is handed everything up to now. Answers which stored signals need no longer be kept.
    pub(crate) fn wire(&mut self) -> Vec<u64> {
        let told = self.wired.saturating_sub(self.settled) as usize;
        self.wired = self.count();
        self.held.range(told.min(self.held.len())..).filter_map(|held| held.receipt.wired()).collect()
    }

    /// How many frames there have been.
    fn count(&self) -> u64 {
        self.settled + self.held.len() as u64
    }

    /// How many frames sockets were handed: more than that a client cannot have seen.
    pub(crate) fn wired(&self) -> u64 {
        self.wired
    }

    /// How many frames are held.
    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// Their bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// For how many frames there is memory.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.held.capacity()
    }

    /// Whether more is held than may be.
    fn is_over(&self, limits: &Limits) -> bool {
        let over = |have: usize, limit: u64| limit != 0 && have as u64 > limit;
        let (frames, bytes) = self.unrelayed();
        over(bytes, limits.queue_bytes) || over(frames, limits.queue_frames)
    }

    /// Frames and bytes of everything that is not relayed.
    fn unrelayed(&self) -> (usize, usize) {
        (self.held.len() - self.relayed.frames as usize, self.bytes - self.relayed.bytes as usize)
    }

    /// Whether relayed data of this length still has room: it may be half as much as everything else.
    pub(crate) fn has_relay_room(&self, len: usize, limits: &Limits) -> bool {
        let half = |limit: u64, default: u64| if limit == 0 { default } else { limit.min(u64::from(u32::MAX)) } / 2;
        let fits = |want: usize, limit: u64, default: u64| want as u64 <= half(limit, default);
        let default = Limits::default();
        fits(self.relayed.bytes as usize + len, limits.queue_bytes, default.queue_bytes)
            && fits(self.relayed.frames as usize + 1, limits.queue_frames, default.queue_frames)
    }

    /// Whether a frame of this length still has room.
    pub(crate) fn has_room(&self, len: usize, limits: &Limits) -> bool {
        let fits = |want: usize, limit: u64| limit == 0 || want as u64 <= limit;
        let (frames, bytes) = self.unrelayed();
        fits(bytes + len, limits.queue_bytes) && fits(frames + 1, limits.queue_frames)
    }

    /// Whether a frame of this length can ever have room.
    pub(crate) fn can_hold(&self, len: usize, limits: &Limits) -> bool {
        limits.queue_bytes == 0 || len as u64 <= limits.queue_bytes
    }

    /// Whether so much was told since the last mark that the next one should not wait.
    pub(crate) fn wants_mark(&self, limits: &Limits) -> bool {
        let quarter = |have: u64, limit: u64| limit != 0 && have >= limit / 4;
        quarter(self.count().saturating_sub(self.marked), limits.queue_frames)
            || quarter(self.unmarked_bytes as u64, limits.queue_bytes)
            || self.unmarked_bytes as u64 >= UNMARKED_BYTES
    }

    /// Whether nothing needs a mark.
    pub(crate) fn is_marked(&self) -> bool {
        self.marked >= self.count()
    }

    /// The count to mark now, unless the last mark says it all.
    pub(crate) fn mark(&mut self) -> Option<u64> {
        self.unmarked_bytes = 0;
        (!self.is_marked()).then(|| {
            self.marked = self.count();
            self.marked
        })
    }

    /// Drops what a client confirms. A count beyond what sockets were handed is no confirmation.
    pub(crate) fn confirm(&mut self, count: u64) {
        if count > self.wired {
            return;
        }
        let known = count.saturating_sub(self.settled) as usize;
        for _ in 0..known {
            let Some(taken) = self.held.pop_front() else { break };
            self.settled += 1;
            self.let_go(&taken);
            taken.receipt.confirmed();
        }
        self.marked = self.marked.max(self.settled);
        self.unmarked_bytes = self.unmarked_bytes.min(self.bytes);
    }

    /// Where nothing is unconfirmed, an idle session holds no memory for it.
    pub(crate) fn rest(&mut self) {
        if self.held.is_empty() {
            self.held = VecDeque::new();
        }
    }

    /// Takes out the oldest frames until the bound holds.
    pub(crate) fn shed(&mut self, limits: &Limits) -> Vec<Held> {
        let mut shed = Vec::new();
        while self.is_over(limits) {
            let Some(held) = self.held.pop_front() else { break };
            self.let_go(&held);
            self.settled += 1;
            shed.push(held);
        }
        shed
    }

    /// Begins anew on another socket, for a client that took in `seen` frames. Answers how many are lost for good.
    pub(crate) fn rewind(&mut self, seen: u64) -> u64 {
        self.confirm(seen);
        self.rest();
        self.marked = self.settled;
        self.unmarked_bytes = self.bytes;
        self.settled.saturating_sub(seen)
    }

    /// The frames held, oldest first.
    pub(crate) fn frames(&self) -> impl Iterator<Item = &Held> {
        self.held.iter()
    }

    /// Takes a stored signal that no socket was handed out of the count again.
    pub(crate) fn withdraw(&mut self, number: u64) {
        let told = self.wired.saturating_sub(self.settled) as usize;
        let found = self.held.iter().skip(told).position(|h| h.receipt.stored().is_some_and(|s| s.number == number));
        if let Some(held) = found.and_then(|at| self.held.remove(told + at)) {
            self.let_go(&held);
        }
    }

    /// Everything held, oldest first.
    pub(crate) fn into_frames(self) -> impl Iterator<Item = Held> {
        self.held.into_iter()
    }

    /// The counts, to be written out.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.settled, self.wired)
    }

    /// A queue read back.
    pub(crate) fn restored(settled: u64, wired: u64, held: VecDeque<Held>) -> Self {
        let bytes = held.iter().map(|h| h.frame.len()).sum();
        let mut relayed = Relayed::default();
        held.iter().filter(|held| held.is_relayed()).for_each(|held| relayed.add(&held.frame));
        let wired = wired.min(settled + held.len() as u64);
        Self { bytes, relayed, settled, wired, marked: settled, unmarked_bytes: bytes, held }
    }
}
