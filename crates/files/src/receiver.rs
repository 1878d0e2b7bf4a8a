//! Whoever gets the files: checks every word of the sender, and says what is to be done with the bytes.

use std::collections::VecDeque;

use crate::chain::Digest;
use crate::message::{FromReceiver, FromSender, Offer, Reason, Unreadable};
use crate::path::FilePath;
use crate::sender::{End, Entry, Kind};
use crate::{ANNOUNCED_MAX, FOLDERS_MAX, PIECE_BYTES, REPORT_BYTES, WINDOW_BYTES, piece_bytes};

/// What the driver is to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Say this.
    Say(FromReceiver),
    /// Ask the person. Then [`Receiver::accept`] or [`Receiver::end`].
    Ask(Offer),
    /// Make this folder.
    Folder(FilePath),
    /// See what is there of this file. Then [`Receiver::take`] or [`Receiver::skip`], in the order of these.
    Look(u64, Entry),
    /// This file comes from there on: what is behind that is void.
    Begin {
        /// Its number.
        n: u64,
        /// Bytes that stay.
        from: u64,
    },
    /// These many bytes, which just came, belong to the file. Then [`Receiver::written`].
    Write(u64),
    /// The file is over, and its chain should be this. Then [`Receiver::kept`].
    Finish {
        /// Its number.
        n: u64,
        /// The chain over all of it.
        hash: Digest,
    },
    /// It is over: everything is here, or the other side ended it, or we did and have said so.
    Over(Result<(), End>),
}

/// The receiver of one transfer.
#[derive(Debug)]
pub struct Receiver {
    stage: Stage,
    offer: Offer,
    /// Entries of either kind, files, folders, and bytes that were announced.
    announced: u64,
    files: u64,
    folders: u64,
    bytes: u64,
    /// Files that the driver has not looked at yet: number and size.
    unseen: VecDeque<(u64, u64)>,
    /// Files that were taken and have not begun.
    taken: VecDeque<Taken>,
    open: Option<Open>,
    /// Files that are over for the sender and not for the disk.
    unkept: VecDeque<u64>,
    /// Bytes of pieces that came, that were written, and that the sender knows to be.
    came: u64,
    written: u64,
    confirmed: u64,
    /// Bytes that were there already, and files that are settled.
    had: u64,
    settled: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    Asking,
    Taking,
    Over,
}

#[derive(Clone, Copy, Debug)]
struct Taken {
    n: u64,
    size: u64,
    from: u64,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    n: u64,
    size: u64,
    at: u64,
}

impl Default for Receiver {
    fn default() -> Self {
        Self {
            stage: Stage::Waiting,
            offer: Offer { name: String::new(), files: 0, bytes: 0 },
            announced: 0,
            files: 0,
            folders: 0,
            bytes: 0,
            unseen: VecDeque::new(),
            taken: VecDeque::new(),
            open: None,
            unkept: VecDeque::new(),
            came: 0,
            written: 0,
            confirmed: 0,
            had: 0,
            settled: 0,
        }
    }
}

impl Receiver {
    /// The other side said this.
    pub fn hear(&mut self, json: &str, out: &mut Vec<Task>) {
        if self.stage == Stage::Over {
            return;
        }
        match FromSender::read(json) {
            Ok(None) => {}
            Ok(Some(said)) => {
                if self.heard(said, out).is_none() {
                    self.end(Reason::Broken, out);
                }
            }
            Err(Unreadable(reason)) => self.end(reason, out),
        }
    }

    /// The other side sent so many bytes.
    pub fn hear_bytes(&mut self, bytes: usize, out: &mut Vec<Task>) {
        if self.stage == Stage::Over {
            return;
        }
        let bytes = bytes as u64;
        let fits = self.open.as_mut().is_some_and(|open| {
            let fits = bytes > 0 && bytes == piece_bytes(open.size, open.at);
            open.at += bytes;
            fits
        });
        self.came = self.came.saturating_add(bytes);
        if fits && self.came - self.confirmed <= WINDOW_BYTES {
            out.push(Task::Write(bytes));
        } else {
            self.end(Reason::Broken, out);
        }
    }

    /// The person wants it.
    pub fn accept(&mut self, out: &mut Vec<Task>) {
        if self.stage == Stage::Asking {
            self.stage = Stage::Taking;
            out.push(Task::Say(FromReceiver::Accept));
        }
    }

    /// Of the file of the oldest [`Task::Look`], so many bytes are there, with this chain: a multiple of a piece, or all. It is wanted.
    pub fn take(&mut self, from: u64, hash: Digest, out: &mut Vec<Task>) {
        let Some((n, size)) = self.unseen.pop_front().filter(|_| self.stage == Stage::Taking) else { return };
        let from = if from >= size { size } else { from - from % PIECE_BYTES };
        self.taken.push_back(Taken { n, size, from });
        out.push(Task::Say(FromReceiver::Take { n, from, hash: (from != 0).then_some(hash) }));
    }

    /// The file of the oldest [`Task::Look`] is not wanted.
    pub fn skip(&mut self, out: &mut Vec<Task>) {
        let Some((n, _)) = self.unseen.pop_front().filter(|_| self.stage == Stage::Taking) else { return };
        self.settled += 1;
        out.push(Task::Say(FromReceiver::Skip { n }));
    }

    /// The bytes of a [`Task::Write`] are where they belong.
    pub fn written(&mut self, bytes: u64, out: &mut Vec<Task>) {
        self.written = self.came.min(self.written.saturating_add(bytes));
        if self.written - self.confirmed >= REPORT_BYTES {
            self.report(out);
        }
    }

    /// The file of the oldest [`Task::Finish`] is what it should be, and where it belongs.
    pub fn kept(&mut self, out: &mut Vec<Task>) {
        let Some(n) = self.unkept.pop_front().filter(|_| self.stage == Stage::Taking) else { return };
        self.report(out);
        self.settled += 1;
        out.push(Task::Say(FromReceiver::Kept { n }));
    }

    /// Ends it.
    pub fn end(&mut self, reason: Reason, out: &mut Vec<Task>) {
        if self.stage != Stage::Over {
            out.push(Task::Say(FromReceiver::No(reason)));
            self.over(Err(End::Ours(reason)), out);
        }
    }

    /// Bytes that are here: those that crossed, and those that were here before.
    pub fn settled_bytes(&self) -> u64 {
        self.had + self.written
    }

    /// Files that were kept or skipped.
    pub fn settled_files(&self) -> u64 {
        self.settled
    }

    /// Bytes of pieces that came.
    pub fn crossed(&self) -> u64 {
        self.came
    }

    /// `None` where it does not keep to the page.
    fn heard(&mut self, said: FromSender, out: &mut Vec<Task>) -> Option<()> {
        match (self.stage, said) {
            (_, FromSender::No(reason)) => self.over(Err(End::Theirs(reason)), out),
            (Stage::Waiting, FromSender::Offer(offer)) => {
                self.stage = Stage::Asking;
                self.offer = offer.clone();
                out.push(Task::Ask(offer));
            }
            (Stage::Taking, FromSender::Folder { n, path }) => {
                self.count(n)?;
                self.folders += 1;
                (self.folders <= FOLDERS_MAX).then(|| out.push(Task::Folder(path)))?;
            }
            (Stage::Taking, FromSender::File { n, path, size, modified, executable }) => {
                self.count(n)?;
                self.files += 1;
                self.bytes += size;
                let outstanding =
                    self.unseen.len() + self.taken.len() + usize::from(self.open.is_some()) + self.unkept.len();
                if self.files > self.offer.files || self.bytes > self.offer.bytes || outstanding >= ANNOUNCED_MAX {
                    return None;
                }
                self.unseen.push_back((n, size));
                out.push(Task::Look(n, Entry { path, kind: Kind::File { size, modified, executable } }));
            }
            (Stage::Taking, FromSender::Bytes { n, from }) => {
                let next = self.taken.pop_front().filter(|_| self.open.is_none())?;
                if next.n != n || (from != 0 && from != next.from) {
                    return None;
                }
                self.open = Some(Open { n, size: next.size, at: from });
                self.had += from;
                out.push(Task::Begin { n, from });
            }
            (Stage::Taking, FromSender::End { n, hash }) => {
                let open = self.open.take()?;
                if open.n != n || open.at != open.size {
                    return None;
                }
                self.unkept.push_back(n);
                out.push(Task::Finish { n, hash });
            }
            (Stage::Taking, FromSender::Done) => {
                let is_all = self.files == self.offer.files && self.bytes == self.offer.bytes;
                let is_quiet = self.unseen.is_empty() && self.taken.is_empty() && self.unkept.is_empty();
                (is_all && is_quiet && self.open.is_none()).then_some(())?;
                out.push(Task::Say(FromReceiver::Done));
                self.over(Ok(()), out);
            }
            _ => return None,
        }
        Some(())
    }

    /// The numbers go up by one.
    fn count(&mut self, n: u64) -> Option<()> {
        self.announced += 1;
        (n == self.announced).then_some(())
    }

    fn report(&mut self, out: &mut Vec<Task>) {
        if self.stage == Stage::Taking && self.written > self.confirmed {
            self.confirmed = self.written;
            out.push(Task::Say(FromReceiver::Got { bytes: self.written }));
        }
    }

    fn over(&mut self, how: Result<(), End>, out: &mut Vec<Task>) {
        self.stage = Stage::Over;
        out.push(Task::Over(how));
    }
}
