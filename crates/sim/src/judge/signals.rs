//! What was promised about every signal, and whether it was kept.

use std::collections::{BTreeMap, BTreeSet};

/// What the sender was told of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// No answer yet.
    Open,
    /// A socket was handed it.
    Delivered,
    /// It is kept.
    Stored,
    /// Nobody is there, or it was refused: it must not arrive.
    Refused,
    /// Acknowledged, then reported lost.
    Lost,
    /// The answer may have been missed, or said that nobody knows.
    Unknown,
}

/// One signal.
#[derive(Debug)]
pub(crate) struct Letter {
    /// The namespace of both, what the sender is called, and the id it is for.
    pub(crate) ns: &'static str,
    pub(crate) from: String,
    pub(crate) to: String,
    /// The device it is for, where one was named.
    pub(crate) device: Option<String>,
    /// For how many seconds to store it.
    pub(crate) store: u64,
    fate: Fate,
    got: BTreeSet<usize>,
    /// It went to another server, which does not tell of later losses.
    carried: bool,
    /// Nobody can be told of its loss any more.
    sender_gone: bool,
    /// The server died that alone remembered it.
    forgotten: bool,
    /// The server died that alone knew that a socket was handed it: it comes again from the store, late.
    may_repeat: bool,
    /// The receiver ended a session since, and what that held went with it.
    receiver_left: bool,
}

/// Every signal of a run, by sender and number.
#[derive(Debug, Default)]
pub(crate) struct Letters {
    letters: BTreeMap<(usize, u64), Letter>,
    /// The last number that each receiver got from each sender, and in which life of the two.
    last: BTreeMap<(usize, usize), (u32, u32, u64)>,
}

/// An arrival as the judge sees it.
pub(crate) struct Arrival {
    pub(crate) sender: (usize, u32),
    pub(crate) n: u64,
    pub(crate) receiver: (usize, u32),
    /// Several servers keep the order only while neither of the two moves from one to another.
    pub(crate) one_server: bool,
    /// The id has other devices, of which each has its own place in line.
    pub(crate) several_devices: bool,
}

impl Letter {
    pub(crate) fn new(ns: &'static str, from: &str, to: &str, device: Option<&str>, store: u64) -> Self {
        Self {
            ns,
            from: from.to_owned(),
            to: to.to_owned(),
            device: device.map(str::to_owned),
            store,
            fate: Fate::Open,
            got: BTreeSet::new(),
            carried: false,
            sender_gone: false,
            forgotten: false,
            may_repeat: false,
            receiver_left: false,
        }
    }

    /// Whether it is on disk.
    fn is_kept(&self) -> bool {
        self.store > 0 && self.fate == Fate::Stored
    }
}

impl Letters {
    pub(crate) fn sent(&mut self, sender: usize, n: u64, letter: Letter) {
        self.letters.insert((sender, n), letter);
    }

    pub(crate) fn letter(&self, sender: usize, n: u64) -> Option<&Letter> {
        self.letters.get(&(sender, n))
    }

    /// It leaves its sender, who is called so by now.
    pub(crate) fn goes_out(&mut self, sender: usize, n: u64, from: &str) {
        if let Some(letter) = self.letters.get_mut(&(sender, n)) {
            letter.from = from.to_owned();
        }
    }

    /// The sender gave up waiting for the answer.
    pub(crate) fn given(&mut self, sender: usize, n: u64) {
        if let Some(letter) = self.letters.get_mut(&(sender, n)).filter(|letter| letter.fate == Fate::Open) {
            letter.fate = Fate::Unknown;
        }
    }

    /// The sender is told what became of it.
    pub(crate) fn answered(&mut self, sender: usize, n: u64, fate: Fate) -> Result<(), String> {
        let Some(letter) = self.letters.get_mut(&(sender, n)) else { return Ok(()) };
        if letter.fate == Fate::Lost {
            return Err(format!("signal {n} of client {sender} was answered {fate:?} after it was lost"));
        }
        letter.fate = fate;
        match fate {
            Fate::Refused if !letter.got.is_empty() => {
                Err(format!("signal {n} of client {sender} was refused, but had arrived"))
            }
            _ => Ok(()),
        }
    }

    /// The sender is told that it may not have arrived.
    pub(crate) fn lost(&mut self, sender: usize, n: u64, to: &str) -> Result<(), String> {
        let Some(letter) = self.letters.get_mut(&(sender, n)) else {
            return Err(format!("client {sender} was told of the loss of {n}, which is no signal"));
        };
        let before = std::mem::replace(&mut letter.fate, Fate::Lost);
        match before {
            _ if letter.to != to => Err(format!("signal {n} of client {sender} for {} was lost on {to}", letter.to)),
            Fate::Delivered | Fate::Stored | Fate::Unknown => Ok(()),
            _ => Err(format!("signal {n} of client {sender} was reported lost, but was {before:?}")),
        }
    }

    /// It is there.
    pub(crate) fn arrived(&mut self, arrival: &Arrival) -> Result<(), String> {
        let ((sender, sender_life), (receiver, receiver_life), n) = (arrival.sender, arrival.receiver, arrival.n);
        let Some(letter) = self.letters.get_mut(&(sender, n)) else {
            return Err(format!("client {receiver} got signal {n} of client {sender}, which was never sent"));
        };
        if !letter.got.insert(receiver) {
            if letter.may_repeat {
                return Ok(());
            }
            return Err(format!("client {receiver} got signal {n} of client {sender} twice"));
        }
        if letter.fate == Fate::Refused {
            return Err(format!("client {receiver} got signal {n} of client {sender}, which was refused"));
        }
        let late = letter.may_repeat || (letter.store > 0 && arrival.several_devices);
        let last = self.last.insert((receiver, sender), (receiver_life, sender_life, n));
        let comparable =
            |then: &(u32, u32, u64)| (arrival.one_server || (then.0, then.1) == (receiver_life, sender_life)) && !late;
        match last.filter(comparable) {
            Some((.., last)) if last > n => {
                Err(format!("client {receiver} got signal {n} of client {sender} after {last}"))
            }
            _ => Ok(()),
        }
    }

    /// It reached another server.
    pub(crate) fn carried(&mut self, sender: usize, n: u64) {
        if let Some(letter) = self.letters.get_mut(&(sender, n)) {
            letter.carried = true;
        }
    }

    /// A server died before its store heard that it need not be kept.
    pub(crate) fn may_repeat(&mut self, sender: usize, n: u64) {
        if let Some(letter) = self.letters.get_mut(&(sender, n)) {
            letter.may_repeat = true;
        }
    }

    /// The sender's session ended: it is told nothing more.
    pub(crate) fn sender_gone(&mut self, sender: usize) {
        for letter in self.of(sender) {
            letter.sender_gone = true;
            if letter.fate == Fate::Open {
                letter.fate = Fate::Unknown;
            }
        }
    }

    /// The sender missed messages: answers may have been among them.
    pub(crate) fn sender_missed(&mut self, sender: usize, taken_in: u64) {
        for (_, letter) in self.letters.range_mut((sender, 0)..=(sender, taken_in)) {
            if letter.fate != Fate::Lost {
                letter.fate = Fate::Unknown;
            }
        }
    }

    /// A receiver's session ended: what it was handed and did not confirm is lost.
    pub(crate) fn receiver_left(&mut self, ns: &str, id: &str) {
        for letter in self.letters.values_mut().filter(|letter| letter.ns == ns && letter.to == id) {
            letter.receiver_left = true;
        }
    }

    /// A server died: what only its memory held is lost without a word. What the store has is not.
    pub(crate) fn crashed(&mut self) {
        for letter in self.letters.values_mut() {
            letter.forgotten |= !letter.is_kept();
            if letter.fate == Fate::Open {
                letter.fate = Fate::Unknown;
            }
        }
    }

    /// All is quiet and everyone has been back: what was acknowledged arrived, or was reported lost. `returns` says whether
    /// somebody of that id and device is there, `waits` how many seconds everything that waited has had.
    pub(crate) fn close(&self, returns: impl Fn(&Letter) -> bool, waits: u64, broken: &mut Vec<String>) {
        for ((sender, n), letter) in &self.letters {
            let acknowledged = matches!(letter.fate, Fate::Delivered | Fate::Stored);
            if letter.fate == Fate::Open {
                broken.push(format!("signal {n} of client {sender} was never answered"));
            }
            if !acknowledged || !letter.got.is_empty() || letter.forgotten || letter.carried {
                continue;
            }
            let Letter { fate, store, to, .. } = letter;
            let may_wait = letter.is_kept() && letter.store > waits && !returns(letter);
            if !letter.sender_gone && !may_wait {
                broken.push(format!(
                    "signal {n} of client {sender} to {to} was {fate:?} (store: {store}), and neither arrived nor was lost"
                ));
            } else if letter.is_kept() && letter.store > waits && !letter.receiver_left && returns(letter) {
                broken.push(format!("signal {n} of client {sender} to {to} was kept, and never arrived"));
            }
        }
    }

    /// How many there were, how many arrived, and how many were reported lost.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        let count = |f: fn(&Letter) -> bool| self.letters.values().filter(|letter| f(letter)).count() as u64;
        (self.letters.len() as u64, count(|letter| !letter.got.is_empty()), count(|letter| letter.fate == Fate::Lost))
    }

    fn of(&mut self, sender: usize) -> impl Iterator<Item = &mut Letter> {
        self.letters.range_mut((sender, 0)..=(sender, u64::MAX)).map(|(_, letter)| letter)
    }
}
