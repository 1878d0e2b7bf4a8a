//! What was promised about every signal, and whether it was kept.

use std::collections::BTreeMap;

/// What the sender knows of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// No answer yet.
    Open,
    /// Acknowledged as delivered or stored.
    Acknowledged,
    /// Told to be absent, or refused.
    Refused,
    /// Acknowledged, then reported lost.
    Lost,
    /// The answer may have been missed: nothing is promised but that it does not arrive twice.
    Unknown,
}

#[derive(Debug)]
struct Entry {
    fate: Fate,
    /// Whether the receiver's absence is bridged by the store.
    stored: bool,
    arrived: u32,
    /// Whether something happened since that excuses its loss: a server died, or the sender's session ended.
    excused: bool,
}

/// Every signal of a run, by sender and number.
#[derive(Debug, Default)]
pub(crate) struct Book {
    entries: BTreeMap<(usize, u64), Entry>,
    /// The last number that each receiver got from each sender.
    last: BTreeMap<(usize, usize), u64>,
    pub(crate) broken: Vec<String>,
}

impl Book {
    pub(crate) fn sent(&mut self, sender: usize, n: u64, stored: bool) {
        self.entries.insert((sender, n), Entry { fate: Fate::Open, stored, arrived: 0, excused: false });
    }

    pub(crate) fn is_signal(&self, sender: usize, n: u64) -> bool {
        self.entries.contains_key(&(sender, n))
    }

    pub(crate) fn fate(&mut self, sender: usize, n: u64, fate: Fate) {
        let Some(entry) = self.entries.get_mut(&(sender, n)) else { return };
        if entry.fate == Fate::Lost || (entry.fate == Fate::Unknown && fate != Fate::Lost) {
            return;
        }
        if fate == Fate::Lost && entry.fate != Fate::Acknowledged && entry.fate != Fate::Unknown {
            self.broken.push(format!("client {sender}: signal {n} reported lost, but it was {:?}", entry.fate));
        }
        entry.fate = fate;
    }

    pub(crate) fn arrived(&mut self, sender: usize, n: u64, receiver: usize, again_excused: bool) {
        let Some(entry) = self.entries.get_mut(&(sender, n)) else {
            self.broken.push(format!("client {receiver} got signal {n} of {sender}, which was never sent"));
            return;
        };
        entry.arrived += 1;
        if entry.arrived > 1 {
            if !(again_excused && entry.stored) {
                self.broken.push(format!("client {receiver} got signal {n} of {sender} twice"));
            }
            return;
        }
        if entry.fate == Fate::Refused {
            self.broken.push(format!("client {receiver} got signal {n} of {sender}, which was refused"));
        }
        let last = self.last.insert((receiver, sender), n);
        if last.is_some_and(|last| last >= n) {
            self.broken
                .push(format!("client {receiver} got signal {n} of {sender} after {}", last.unwrap_or_default()));
        }
    }

    /// The sender's session ended: nobody can be told of a loss any more.
    pub(crate) fn sender_gone(&mut self, sender: usize) {
        for entry in self.of(sender) {
            entry.excused = true;
            if entry.fate == Fate::Open {
                entry.fate = Fate::Unknown;
            }
        }
    }

    /// The sender missed frames: answers may have been among them.
    pub(crate) fn sender_missed(&mut self, sender: usize) {
        for entry in self.of(sender) {
            entry.excused = true;
            entry.fate = if entry.fate == Fate::Lost { Fate::Lost } else { Fate::Unknown };
        }
    }

    /// A server died: what only its memory held is lost without a word. The store's share is not.
    pub(crate) fn crashed(&mut self) {
        for entry in self.entries.values_mut() {
            entry.excused |= !(entry.stored && entry.fate == Fate::Acknowledged);
            if entry.fate == Fate::Open {
                entry.fate = Fate::Unknown;
            }
        }
    }

    /// All is quiet and everyone has been back: what was acknowledged arrived, or was reported lost.
    pub(crate) fn close(&mut self) {
        for ((sender, n), entry) in &self.entries {
            match entry.fate {
                Fate::Acknowledged if entry.arrived == 0 && !entry.excused => {
                    let stored = if entry.stored { " (to be stored)" } else { "" };
                    self.broken.push(format!("signal {n} of {sender}{stored} was acknowledged and never arrived"));
                }
                Fate::Open => self.broken.push(format!("signal {n} of {sender} was never answered")),
                _ => {}
            }
        }
    }

    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        let count = |f: fn(&Entry) -> bool| self.entries.values().filter(|e| f(e)).count() as u64;
        (self.entries.len() as u64, count(|e| e.arrived > 0), count(|e| e.fate == Fate::Lost))
    }

    fn of(&mut self, sender: usize) -> impl Iterator<Item = &mut Entry> {
        self.entries.range_mut((sender, 0)..=(sender, u64::MAX)).map(|(_, entry)| entry)
    }
}
