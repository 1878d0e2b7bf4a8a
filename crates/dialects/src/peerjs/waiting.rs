//! What waits for peers that are not here: by receiver, so that it is there when that peer comes, and known by sender, so that it
//! goes on to wait when the sender's socket is replaced by a newer one. Bounded in every direction.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use parking_lot::Mutex;
use wigwag_hub::{Moment, Party, SessionId};
use wigwag_wire::{Namespace, PeerId};

/// Messages that wait for one peer, and their bytes.
const PER_RECEIVER: usize = 512;
const BYTES_PER_RECEIVER: usize = 256 << 10;
/// Bytes of one sender that wait.
const BYTES_PER_SENDER: usize = 128 << 10;
/// Peers that something waits for, and bytes that wait, in all.
const RECEIVERS: usize = 10_000;
const BYTES: usize = 32 << 20;

/// What proves that a sender is the same as before.
pub(super) type Secret = [u8; 16];

type Address = (Namespace, PeerId);

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    receivers: HashMap<Address, Pile>,
    senders: HashMap<Address, Sender>,
    /// Senders whose socket is gone, by the time at which what they sent is dropped.
    leaving: BTreeSet<(Moment, Address)>,
    bytes: usize,
}

/// What waits for one peer, in the order in which it was said.
#[derive(Debug, Default)]
struct Pile {
    messages: Vec<(PeerId, Box<str>)>,
    bytes: usize,
}

/// A peer of whose messages some wait.
#[derive(Debug)]
struct Sender {
    session: SessionId,
    secret: Secret,
    /// For whom, and since when.
    calls: Vec<(PeerId, Moment)>,
    bytes: usize,
    /// When to drop them, where its socket is gone.
    leaves: Option<Moment>,
}

impl Waiting {
    /// Lets a frame wait for a peer. `false`: there is no room for it.
    pub(super) fn keep(&self, now: Moment, from: &Party, secret: Secret, to: &PeerId, frame: Box<str>) -> bool {
        let mut inner = self.0.lock();
        inner.drop_old(now);
        inner.keep(now, from, secret, to, frame)
    }

    /// Hands out everything that waits for a peer that has just come, in order. Whoever sends something to it meanwhile does so after.
    pub(super) fn deliver(&self, now: Moment, to: &Party, mut each: impl FnMut(Bytes)) {
        let mut inner = self.0.lock();
        inner.drop_old(now);
        let Some(pile) = inner.receivers.remove(&address(to)) else { return };
        inner.bytes -= pile.bytes;
        for (from, frame) in pile.messages {
            inner.forget((to.ns.clone(), from), &to.id, frame.len());
            each(Bytes::from(String::from(frame)));
        }
    }

    /// Takes back what this session said to a peer that is not here, in order.
    pub(super) fn take_back(&self, from: &Party, to: &PeerId) -> Vec<Box<str>> {
        let mut inner = self.0.lock();
        let sender = address(from);
        if inner.senders.get(&sender).is_none_or(|sender| sender.session != from.session) {
            return Vec::new();
        }
        inner.take(&sender, to)
    }

    /// A session is the successor of one whose messages wait: answers for whom, and since when. What somebody else left under the
    /// same id is dropped.
    pub(super) fn adopt(&self, now: Moment, from: &Party, secret: Secret) -> Vec<(PeerId, Moment)> {
        let mut inner = self.0.lock();
        inner.drop_old(now);
        let Inner { senders, leaving, .. } = &mut *inner;
        let address = address(from);
        let Some(sender) = senders.get_mut(&address) else { return Vec::new() };
        if sender.secret != secret {
            inner.drop_sender(&address);
            return Vec::new();
        }
        sender.session = from.session;
        let calls = sender.calls.clone();
        if let Some(at) = sender.leaves.take() {
            leaving.remove(&(at, address));
        }
        calls
    }

    /// A session ended. What it said waits for as long as it would have, so many milliseconds after it was said.
    pub(super) fn abandon(&self, from: &Party, patience: u64) {
        let mut inner = self.0.lock();
        let Inner { senders, leaving, .. } = &mut *inner;
        let address = address(from);
        let sender = senders.get_mut(&address).filter(|s| s.session == from.session && s.leaves.is_none());
        let last = sender.as_ref().and_then(|sender| sender.calls.iter().map(|(_, since)| *since).max());
        if let (Some(sender), Some(last)) = (sender, last) {
            sender.leaves = Some(last + patience);
            leaving.insert((last + patience, address));
        }
    }
}

impl Waiting {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self, now: Moment) -> bool {
        let mut inner = self.0.lock();
        inner.drop_old(now);
        let Inner { receivers, senders, leaving, bytes } = &*inner;
        receivers.is_empty() && senders.is_empty() && leaving.is_empty() && *bytes == 0
    }
}

impl Inner {
    fn keep(&mut self, now: Moment, from: &Party, secret: Secret, to: &PeerId, frame: Box<str>) -> bool {
        let (sender, receiver) = (address(from), (from.ns.clone(), to.clone()));
        let bytes = frame.len();
        let fits = match (self.receivers.get(&receiver), self.senders.get(&sender)) {
            (None, _) if self.receivers.len() >= RECEIVERS => false,
            (Some(p), _) if p.messages.len() >= PER_RECEIVER || p.bytes + bytes > BYTES_PER_RECEIVER => false,
            (_, Some(s)) if s.session != from.session || s.bytes + bytes > BYTES_PER_SENDER => false,
            _ => self.bytes + bytes <= BYTES,
        };
        if !fits {
            return false;
        }
        self.bytes += bytes;
        let pile = self.receivers.entry(receiver).or_default();
        pile.bytes += bytes;
        pile.messages.push((from.id.clone(), frame));
        let sender = self.senders.entry(sender).or_insert_with(|| Sender {
            session: from.session,
            secret,
            calls: Vec::new(),
            bytes: 0,
            leaves: None,
        });
        sender.bytes += bytes;
        if !sender.calls.iter().any(|(known, _)| known == to) {
            sender.calls.push((to.clone(), now));
        }
        true
    }

    /// Takes out what a sender said to a receiver.
    fn take(&mut self, sender: &Address, to: &PeerId) -> Vec<Box<str>> {
        let receiver = (sender.0.clone(), to.clone());
        let Some(pile) = self.receivers.get_mut(&receiver) else { return Vec::new() };
        let is_theirs = |message: &mut (PeerId, Box<str>)| message.0 == sender.1;
        let taken: Vec<Box<str>> = pile.messages.extract_if(.., is_theirs).map(|(_, frame)| frame).collect();
        let bytes: usize = taken.iter().map(|frame| frame.len()).sum();
        pile.bytes -= bytes;
        self.bytes -= bytes;
        if pile.messages.is_empty() {
            self.receivers.remove(&receiver);
        }
        self.forget(sender.clone(), to, bytes);
        taken
    }

    /// So many bytes of a sender wait no more for a receiver for whom nothing of it waits.
    fn forget(&mut self, address: Address, to: &PeerId, bytes: usize) {
        let Some(sender) = self.senders.get_mut(&address) else { return };
        sender.bytes -= bytes;
        sender.calls.retain(|(known, _)| known != to);
        if sender.calls.is_empty() {
            let leaves = sender.leaves;
            self.senders.remove(&address);
            if let Some(at) = leaves {
                self.leaving.remove(&(at, address));
            }
        }
    }

    fn drop_old(&mut self, now: Moment) {
        while let Some((_, address)) = self.leaving.first().filter(|(at, _)| *at <= now).cloned() {
            self.drop_sender(&address);
        }
    }

    fn drop_sender(&mut self, address: &Address) {
        let Some(sender) = self.senders.get(address) else { return };
        let (calls, leaves) = (sender.calls.clone(), sender.leaves);
        for (to, _) in calls {
            self.take(address, &to);
        }
        self.senders.remove(address);
        if let Some(at) = leaves {
            self.leaving.remove(&(at, address.clone()));
        }
    }
}

fn address(of: &Party) -> Address {
    (of.ns.clone(), of.id.clone())
}
