//! The bytes that wait to be written to one socket, and what happens when they become too many.
//!
//! Pure: frames go in at the back, written bytes go out at the front. An idle socket has no
//! outbox at all; emptied ones go back to a small per-thread pool.

use std::cell::RefCell;

use super::frame::{self, Kind};

/// Frames in the order in which they will be written, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    /// Bytes at the front that are written already.
    written: usize,
    /// Bytes after those that belong to a frame whose beginning is written.
    begun: usize,
}

impl Outbox {
    /// An empty outbox, used before if possible.
    pub(crate) fn take() -> Box<Self> {
        POOL.with_borrow_mut(Vec::pop).unwrap_or_default()
    }

    /// Gives an outbox back; what is in it is forgotten.
    pub(crate) fn give_back(mut outbox: Box<Self>) {
        if outbox.bytes.capacity() > POOLED_BYTES {
            return;
        }
        outbox.clear();
        POOL.with_borrow_mut(|pool| {
            if pool.len() < POOLED {
                pool.push(outbox);
            }
        });
    }

    /// Bytes not written yet.
    pub(crate) fn pending(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// How many bytes are not written yet.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.written
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn push(&mut self, kind: Kind, payload: &[u8]) {
        self.compact();
        frame::put_frame(&mut self.bytes, kind, payload);
    }

    pub(crate) fn push_close(&mut self, code: Option<u16>, reason: &str) {
        frame::put_close(&mut self.bytes, code, reason);
    }

    /// Notes that `n` more bytes are written.
    pub(crate) fn advance(&mut self, n: usize) {
        let written = (self.written + n).min(self.bytes.len());
        if written == self.bytes.len() {
            return self.clear();
        }
        let mut boundary = self.written + self.begun;
        while boundary < written {
            match frame::first_frame_len(&self.bytes[boundary..]) {
                Some(len) => boundary += len,
                None => boundary = self.bytes.len(),
            }
        }
        self.written = written;
        self.begun = boundary - written;
    }

    /// Forgets all frames whose beginning is not written: what follows is still a valid stream.
    pub(crate) fn forget_unbegun(&mut self) {
        self.bytes.truncate(self.written + self.begun);
        self.bytes.shrink_to_fit();
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.written = 0;
        self.begun = 0;
    }

    /// Moves the rest to the front once more than half of the buffer is behind us.
    fn compact(&mut self) {
        if self.written > COMPACT_FROM && self.written > self.bytes.len() / 2 {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
    }
}

const POOLED: usize = 16;
const POOLED_BYTES: usize = 32 * 1024;
const COMPACT_FROM: usize = 16 * 1024;

// Boxed because an idle socket then holds one word.
type Pool = Vec<Box<Outbox>>;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Vec::new()) };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is written when, and wherever the queue is forgotten, the receiver sees whole frames in order.
        #[test]
        fn what_leaves_is_whole_frames(steps in proptest::collection::vec(any_step(), 0..60)) {
            let mut outbox = Outbox::default();
            let (mut received, mut pushed) = (Vec::new(), 0u32);
            for step in steps {
                match step {
                    Step::Push(len) => {
                        pushed += 1;
                        outbox.push(Kind::Binary, &[&pushed.to_be_bytes(), vec![0; len].as_slice()].concat());
                    }
                    Step::Write(n) => {
                        let n = n.min(outbox.len());
                        received.extend_from_slice(&outbox.pending()[..n]);
                        outbox.advance(n);
                    }
                    Step::Forget => outbox.forget_unbegun(),
                }
            }
            outbox.push_close(Some(1000), "");
            received.extend_from_slice(outbox.pending());
            let (mut rest, mut last) = (received.as_slice(), 0);
            while rest != [0x88, 2, 3, 0xe8] {
                let len = frame::first_frame_len(rest).unwrap();
                let number = u32::from_be_bytes(*rest[payload_at(rest)..].first_chunk().unwrap());
                prop_assert!(number > last);
                last = number;
                rest = &rest[len..];
            }
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Push(usize),
        Write(usize),
        Forget,
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => prop_oneof![0..50usize, 100..200usize, 5_000..20_000usize].prop_map(Step::Push),
            3 => prop_oneof![1..20usize, 1_000..40_000usize].prop_map(Step::Write),
            1 => Just(Step::Forget),
        ]
    }

    /// Where the payload of a frame begins.
    fn payload_at(frame: &[u8]) -> usize {
        match frame[1] {
            126 => 4,
            127 => 10,
            _ => 2,
        }
    }

    #[test]
    fn forgetting_keeps_the_frame_that_is_half_written() {
        let mut outbox = Outbox::default();
        for text in ["first", "second", "third"] {
            outbox.push(Kind::Text, text.as_bytes());
        }
        // "first" is 2 + 5 bytes; three bytes of "second" are out as well.
        outbox.advance(4);
        outbox.advance(6);
        outbox.forget_unbegun();
        assert_eq!(outbox.pending(), b"econd".as_slice());
        outbox.push_close(Some(1008), "slow");
        assert_eq!(&outbox.pending()[5..], b"\x88\x06\x03\xf0slow".as_slice());
    }

    #[test]
    fn forgetting_at_a_boundary_leaves_nothing() {
        let mut outbox = Outbox::default();
        outbox.push(Kind::Text, b"one");
        outbox.push(Kind::Text, b"two");
        outbox.advance(5);
        outbox.forget_unbegun();
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_long_queue_is_compacted_without_losing_its_place() {
        let mut outbox = Outbox::default();
        let payload = vec![b'x'; 1000];
        for _ in 0..40 {
            outbox.push(Kind::Binary, &payload);
        }
        outbox.advance(30_500);
        outbox.push(Kind::Binary, &payload);
        assert_eq!(outbox.len(), 41 * 1004 - 30_500);
        outbox.forget_unbegun();
        assert_eq!(outbox.len(), 31 * 1004 - 30_500);
    }
}
