//! What a session has been told and has not confirmed yet: counted, bounded, ready to be told again.

use std::collections::VecDeque;

use bytes::Bytes;
use wigwag_wire::Limits;

use super::receipt::Receipt;

/// One counted frame.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) frame: Bytes,
    pub(crate) receipt: Receipt,
}

/// The unconfirmed frames of one session.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    held: VecDeque<Held>,
    bytes: usize,
    /// Frames that are confirmed, or were dropped for lack of room.
    settled: u64,
    /// Frames that a socket was handed.
    wired: u64,
    /// The count of the last mark.
    marked: u64,
    /// Bytes told since then.
    unmarked_bytes: usize,
}

impl Queue {
    /// Counts one more frame.
    pub(crate) fn push(&mut self, held: Held) {
        self.bytes += held.frame.len();
        self.unmarked_bytes += held.frame.len();
        self.held.push_back(held);
    }

    /// A socket is handed everything up to now. Answers which stored signals need no longer be kept.
    pub(crate) fn wire(&mut self) -> Vec<u64> {
        let told = self.wired.saturating_sub(self.settled) as usize;
        self.wired = self.count();
        self.held.iter().skip(told).filter_map(|held| held.receipt.wired()).collect()
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
        over(self.bytes, limits.queue_bytes) || over(self.held.len(), limits.queue_frames)
    }

    /// Whether a frame of this length still has room.
    pub(crate) fn has_room(&self, len: usize, limits: &Limits) -> bool {
        let fits = |want: usize, limit: u64| limit == 0 || want as u64 <= limit;
        fits(self.bytes + len, limits.queue_bytes) && fits(self.held.len() + 1, limits.queue_frames)
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
    }

    /// The count to mark now, unless the last mark says it all.
    pub(crate) fn mark(&mut self) -> Option<u64> {
        self.unmarked_bytes = 0;
        let count = self.count();
        (count > self.marked).then(|| {
            self.marked = count;
            count
        })
    }

    /// Drops what a client confirms. A count beyond what sockets were handed is no confirmation.
    pub(crate) fn confirm(&mut self, count: u64) {
        if count > self.wired {
            return;
        }
        let known = count.saturating_sub(self.settled) as usize;
        for taken in self.held.drain(..known.min(self.held.len())) {
            self.settled += 1;
            self.bytes -= taken.frame.len();
            taken.receipt.confirmed();
        }
        self.marked = self.marked.max(self.settled);
        if self.held.is_empty() {
            // Nothing unconfirmed: an idle session holds no memory for it.
            self.held = VecDeque::new();
            self.unmarked_bytes = 0;
        }
    }

    /// Takes out the oldest frames until the bound holds.
    pub(crate) fn shed(&mut self, limits: &Limits) -> Vec<Held> {
        let mut shed = Vec::new();
        while self.is_over(limits) {
            let Some(held) = self.held.pop_front() else { break };
            self.bytes -= held.frame.len();
            self.settled += 1;
            shed.push(held);
        }
        shed
    }

    /// Begins anew on another socket, for a client that took in `seen` frames. Answers how many are lost for good.
    pub(crate) fn rewind(&mut self, seen: u64) -> u64 {
        self.confirm(seen);
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
            self.bytes -= held.frame.len();
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
        let wired = wired.min(settled + held.len() as u64);
        Self { bytes, settled, wired, marked: settled, unmarked_bytes: bytes, held }
    }
}
