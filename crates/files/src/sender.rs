//! Whoever has the files: announces them, sends what is wanted of each, and knows when all have arrived.

use std::collections::{BTreeSet, VecDeque};

use crate::chain::Digest;
use crate::message::{FromReceiver, FromSender, Offer, Reason, Unreadable};
use crate::path::FilePath;
use crate::{ANNOUNCED_MAX, PIECE_BYTES, WINDOW_BYTES, piece_bytes};

/// Something to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it belongs.
    pub path: FilePath,
    /// What it is.
    pub kind: Kind,
}

/// A file, or an empty folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An empty folder.
    Folder,
    /// A file.
    File {
        /// How many bytes it has.
        size: u64,
        /// When it was last changed, in milliseconds since 1970.
        modified: Option<u64>,
        /// Whether it may be run.
        executable: bool,
    },
}

impl Entry {
    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        match self.kind {
            Kind::Folder => 0,
            Kind::File { size, .. } => size,
        }
    }
}

/// What the driver is to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Say this.
    Say(FromSender),
    /// Begin to read this entry: make the chain over its first bytes, and if it is this go on from there, else from 0. Then [`Sender::opened`].
    Open {
        /// Its place in the list.
        entry: usize,
        /// How many bytes the other has.
        from: u64,
        /// The chain over them.
        hash: Option<Digest>,
    },
    /// Send the next so many bytes of the open file. Then [`Sender::sent`].
    Piece(u64),
    /// It is over: everything arrived, or the other side ended it, or we did and have said so.
    Over(Result<(), End>),
}

/// Who ended it, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// The other side.
    #[error("the other side ended it: {}", .0.as_str())]
    Theirs(Reason),
    /// Our side.
    #[error("it was ended: {}", .0.as_str())]
    Ours(Reason),
}

/// The sender of one transfer.
#[derive(Debug)]
pub struct Sender {
    entries: Vec<Entry>,
    stage: Stage,
    /// The entry that is announced next.
    next: usize,
    /// The entry from which on the other side has not answered.
    unanswered: usize,
    /// Files that are announced and neither kept nor skipped.
    outstanding: usize,
    taken: VecDeque<Taken>,
    open: Option<Open>,
    /// Those sent in full and not said to be kept.
    unkept: BTreeSet<u64>,
    /// Bytes of pieces, and those that were confirmed.
    sent: u64,
    confirmed: u64,
    /// Bytes that the other side had already, and files that are settled.
    had: u64,
    settled: u64,
    accepted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Offered,
    Sending,
    Farewell,
    Over,
}

#[derive(Clone, Copy, Debug)]
struct Taken {
    entry: usize,
    from: u64,
    hash: Option<Digest>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    entry: usize,
    /// `None` until the driver has opened it.
    at: Option<u64>,
    hash: Digest,
    /// A piece was asked for.
    asked: bool,
}

impl Sender {
    /// Offers these, under a name for people.
    pub fn new(name: &str, entries: Vec<Entry>, out: &mut Vec<Step>) -> Self {
        let name = name.chars().filter(|char| !char.is_control()).take(255).collect();
        let files = entries.iter().filter(|entry| entry.kind != Kind::Folder).count() as u64;
        let bytes = entries.iter().map(Entry::size).sum();
        out.push(Step::Say(FromSender::Offer(Offer { name, files, bytes })));
        Self {
            entries,
            stage: Stage::Offered,
            next: 0,
            unanswered: 0,
            outstanding: 0,
            taken: VecDeque::new(),
            open: None,
            unkept: BTreeSet::new(),
            sent: 0,
            confirmed: 0,
            had: 0,
            settled: 0,
            accepted: false,
        }
    }

    /// The other side said this.
    pub fn hear(&mut self, json: &str, out: &mut Vec<Step>) {
        if self.stage == Stage::Over {
            return;
        }
        match FromReceiver::read(json) {
            Ok(None) => {}
            Ok(Some(said)) => match self.heard(said, out) {
                Some(()) => self.go_on(out),
                None => self.end(Reason::Broken, out),
            },
            Err(Unreadable(reason)) => self.end(reason, out),
        }
    }

    /// The other side sent bytes, which a receiver never does.
    pub fn hear_bytes(&mut self, out: &mut Vec<Step>) {
        self.end(Reason::Broken, out);
    }

    /// The file of [`Step::Open`] is read from there on; the chain over what is before is this.
    pub fn opened(&mut self, from: u64, hash: Digest, out: &mut Vec<Step>) {
        let Some(open) = self.open.as_mut().filter(|_| self.stage == Stage::Sending) else { return };
        (open.at, open.hash) = (Some(from), hash);
        self.had += from;
        out.push(Step::Say(FromSender::Bytes { n: number(open.entry), from }));
        self.go_on(out);
    }

    /// The bytes of [`Step::Piece`] went out; the chain with them is this.
    pub fn sent(&mut self, bytes: u64, hash: Digest, out: &mut Vec<Step>) {
        let Some(open) = self.open.as_mut().filter(|_| self.stage == Stage::Sending) else { return };
        (open.at, open.hash, open.asked) = (open.at.map(|at| at + bytes), hash, false);
        self.sent += bytes;
        self.go_on(out);
    }

    /// Ends it.
    pub fn end(&mut self, reason: Reason, out: &mut Vec<Step>) {
        if self.stage != Stage::Over {
            out.push(Step::Say(FromSender::No(reason)));
            self.over(Err(End::Ours(reason)), out);
        }
    }

    /// Bytes that the other side has: those that crossed, and those that it had before.
    pub fn settled_bytes(&self) -> u64 {
        self.had + self.confirmed
    }

    /// Whether the other side has taken the offer.
    pub fn is_accepted(&self) -> bool {
        self.accepted
    }

    /// Files that were kept or skipped.
    pub fn settled_files(&self) -> u64 {
        self.settled
    }

    /// Bytes of pieces that were sent.
    pub fn crossed(&self) -> u64 {
        self.sent
    }

    /// `None` where it does not keep to the page.
    fn heard(&mut self, said: FromReceiver, out: &mut Vec<Step>) -> Option<()> {
        match (self.stage, said) {
            (_, FromReceiver::No(reason)) => self.over(Err(End::Theirs(reason)), out),
            (Stage::Offered, FromReceiver::Accept) => (self.stage, self.accepted) = (Stage::Sending, true),
            (Stage::Sending, FromReceiver::Take { n, from, hash }) => {
                let entry = self.answered(n)?;
                let size = self.entries[entry].size();
                if from > size || (from != size && from % PIECE_BYTES != 0) {
                    return None;
                }
                self.taken.push_back(Taken { entry, from, hash });
            }
            (Stage::Sending, FromReceiver::Skip { n }) => {
                let entry = self.answered(n)?;
                self.had += self.entries[entry].size();
                self.outstanding -= 1;
                self.settled += 1;
            }
            (Stage::Sending, FromReceiver::Got { bytes }) => {
                if bytes < self.confirmed || bytes > self.sent {
                    return None;
                }
                self.confirmed = bytes;
            }
            (Stage::Sending, FromReceiver::Kept { n }) => {
                self.unkept.remove(&n).then_some(())?;
                self.outstanding -= 1;
                self.settled += 1;
            }
            (Stage::Farewell, FromReceiver::Done) => self.over(Ok(()), out),
            (Stage::Farewell, FromReceiver::Got { bytes }) if bytes == self.sent => self.confirmed = bytes,
            _ => return None,
        }
        Some(())
    }

    /// The entry whose answer this is, if it is the next file's.
    fn answered(&mut self, n: u64) -> Option<usize> {
        let waiting = self.unanswered..self.next;
        let entry = waiting.into_iter().find(|entry| self.entries[*entry].kind != Kind::Folder)?;
        (number(entry) == n).then(|| self.unanswered = entry + 1)?;
        Some(entry)
    }

    fn go_on(&mut self, out: &mut Vec<Step>) {
        if self.stage != Stage::Sending {
            return;
        }
        self.announce(out);
        loop {
            let Some(open) = &mut self.open else {
                let Some(Taken { entry, from, hash }) = self.taken.pop_front() else { break };
                self.open = Some(Open { entry, at: None, hash: Digest::default(), asked: false });
                out.push(Step::Open { entry, from, hash });
                return;
            };
            let Some(at) = open.at else { return };
            let size = self.entries[open.entry].size();
            if at >= size {
                let n = number(open.entry);
                out.push(Step::Say(FromSender::End { n, hash: open.hash }));
                self.unkept.insert(n);
                self.open = None;
                continue;
            }
            let bytes = piece_bytes(size, at);
            if !open.asked && self.sent + bytes <= self.confirmed + WINDOW_BYTES {
                open.asked = true;
                out.push(Step::Piece(bytes));
            }
            return;
        }
        if self.next == self.entries.len() && self.outstanding == 0 {
            self.stage = Stage::Farewell;
            out.push(Step::Say(FromSender::Done));
        }
    }

    fn announce(&mut self, out: &mut Vec<Step>) {
        while let Some(entry) = self.entries.get(self.next) {
            let (n, path) = (number(self.next), entry.path.clone());
            let said = match entry.kind {
                Kind::Folder => FromSender::Folder { n, path },
                Kind::File { .. } if self.outstanding >= ANNOUNCED_MAX => return,
                Kind::File { size, modified, executable } => {
                    self.outstanding += 1;
                    FromSender::File { n, path, size, modified, executable }
                }
            };
            out.push(Step::Say(said));
            self.next += 1;
        }
    }

    fn over(&mut self, how: Result<(), End>, out: &mut Vec<Step>) {
        self.stage = Stage::Over;
        out.push(Step::Over(how));
    }
}

/// What an entry is called on the channel.
fn number(entry: usize) -> u64 {
    entry as u64 + 1
}
