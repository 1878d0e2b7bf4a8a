//! What a session has been told and has not confirmed yet: counted, bounded, ready to be told again.

use std::collections::VecDeque;

use bytes::Bytes;
use wigwag_wire::Limits;

use super::stored::Stored;
use crate::ids::SessionId;

/// One counted frame.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) frame: Bytes,
    /// The sender and its `n`, where this is a signal that was acknowledged.
    pub(crate) acked: Option<(SessionId, u64)>,
    /// The stored signal that this frame carries.
    pub(crate) stored: Option<Box<Stored>>,
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
    /// Bytes handed to the socket since then.
    unmarked_bytes: usize,
}

impl Queue {
    /// Counts one more frame; `wired` says whether a socket gets it now.
    pub(crate) fn push(&mut self, held: Held, wired: bool) {
        self.bytes += held.frame.len();
        self.unmarked_bytes += held.frame.len();
        self.held.push_back(held);
        if wired {
            self.wired = self.sent();
        }
    }

    /// How many frames there have been.
    pub(crate) fn sent(&self) -> u64 {
        self.settled + self.held.len() as u64
    }

    /// How many frames are held.
    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// Their bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether more is held than may be.
    pub(crate) fn is_over(&self, limits: &Limits) -> bool {
        let over = |have: usize, limit: u64| limit != 0 && have as u64 > limit;
        over(self.bytes, limits.queue_bytes) || over(self.held.len(), limits.queue_frames)
    }

    /// Whether a frame of this length still has room.
    pub(crate) fn has_room(&self, len: usize, limits: &Limits) -> bool {
        let fits = |want: usize, limit: u64| limit == 0 || want as u64 <= limit;
        fits(self.bytes + len, limits.queue_bytes) && fits(self.held.len() + 1, limits.queue_frames)
    }

    /// Whether so much is unconfirmed since the last mark that the next one should not wait.
    pub(crate) fn wants_mark(&self, limits: &Limits) -> bool {
        let quarter = |have: u64, limit: u64| limit != 0 && have >= limit / 4;
        quarter(self.sent() - self.marked.min(self.sent()), limits.queue_frames)
            || quarter(self.unmarked_bytes as u64, limits.queue_bytes)
    }

    /// The count to mark now, unless the last mark says it all.
    pub(crate) fn mark(&mut self) -> Option<u64> {
        self.unmarked_bytes = 0;
        let sent = self.sent();
        (sent > self.marked).then(|| {
            self.marked = sent;
            sent
        })
    }

    /// Takes out what a client confirms. A count beyond what was sent is no confirmation.
    pub(crate) fn confirm(&mut self, count: u64) -> Vec<Held> {
        if count > self.sent() {
            return Vec::new();
        }
        let known = count.saturating_sub(self.settled) as usize;
        let taken: Vec<Held> = self.held.drain(..known).collect();
        self.settled += taken.len() as u64;
        self.bytes -= taken.iter().map(|h| h.frame.len()).sum::<usize>();
        if self.held.is_empty() {
            // Nothing unconfirmed: an idle session holds no memory for it.
            self.held = VecDeque::new();
        }
        taken
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

    /// Begins anew on another socket for a client that took in `seen` frames. Answers the frames to be told again and how many
    /// are lost for good; `None` where the client cannot have seen so many.
    pub(crate) fn rewind(&mut self, seen: u64) -> Option<(Vec<Held>, u64)> {
        if seen > self.sent() {
            return None;
        }
        let confirmed = self.confirm(seen);
        self.wired = self.sent();
        self.marked = self.settled;
        self.unmarked_bytes = self.bytes;
        Some((confirmed, self.settled.saturating_sub(seen)))
    }

    /// The frames held, oldest first.
    pub(crate) fn frames(&self) -> impl Iterator<Item = &Held> {
        self.held.iter()
    }

    /// Takes a frame that no socket was handed out of the count again.
    pub(crate) fn withdraw(&mut self, number: u64) -> bool {
        let unwired = (self.wired.saturating_sub(self.settled)) as usize;
        let found = self.held.iter().skip(unwired).position(|h| h.stored.as_ref().is_some_and(|s| s.number == number));
        let Some(at) = found else { return false };
        if let Some(held) = self.held.remove(unwired + at) {
            self.bytes -= held.frame.len();
        }
        true
    }

    /// Whether a stored signal is held that no socket was handed.
    pub(crate) fn holds_unwired(&self, number: u64) -> bool {
        let unwired = (self.wired.saturating_sub(self.settled)) as usize;
        self.held.iter().skip(unwired).any(|h| h.stored.as_ref().is_some_and(|s| s.number == number))
    }

    /// Everything held, with whether a socket was handed it.
    pub(crate) fn into_parts(self) -> impl Iterator<Item = (Held, bool)> {
        let wired = self.wired.saturating_sub(self.settled) as usize;
        self.held.into_iter().enumerate().map(move |(i, held)| (held, i < wired))
    }

    /// The counts, to be written out.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.settled, self.wired)
    }

    /// A queue read back.
    pub(crate) fn restored(settled: u64, wired: u64, held: VecDeque<Held>) -> Self {
        let bytes = held.iter().map(|h| h.frame.len()).sum();
        Self { bytes, settled, wired, marked: settled, unmarked_bytes: bytes, held }
    }
}
