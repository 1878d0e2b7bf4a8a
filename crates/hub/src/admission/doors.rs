//! One shard of addresses and networks: how many sockets each holds, and how it has guessed.
//!
//! An entry lives as long as it holds a socket or its misses are not forgotten. The first are bounded by the limit of sockets in all,
//! the second by [`REMEMBERED`]: past it the oldest misses are forgotten first, while those of its network still count.

use std::collections::VecDeque;
use std::net::IpAddr;

use foldhash::quality::FixedState;
use hashbrown::HashMap;

use super::Origin;
use crate::limiter::{Limiter, Rate};
use crate::lock::Timed;
use crate::time::Moment;

/// Addresses and networks of one shard whose misses are remembered; with 64 shards a million in all.
const REMEMBERED: usize = 1 << 14;
/// After how many milliseconds to look whether misses may be forgotten.
const LOOK_MS: u64 = 60_000;
/// Tables no larger than this are not worth making smaller.
const SMALL: usize = 64;
/// How many a tick looks at in one shard.
const SWEEP_TICK: usize = 64;
/// How many a miss looks at.
const SWEEP_MISS: usize = 4;

/// What is counted as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    V4(u32),
    V4Network(u32),
    V6(u64),
    V6Network(u64),
    Local,
    LocalNetwork,
}

impl Place {
    /// The address and the network of an origin.
    pub(super) fn of(origin: &Origin) -> [Self; 2] {
        match origin {
            Origin::Ip(ip) => match ip.to_canonical() {
                IpAddr::V4(ip) => [Self::V4(ip.to_bits()), Self::V4Network(ip.to_bits() >> 8)],
                IpAddr::V6(ip) => {
                    let high = (ip.to_bits() >> 64) as u64;
                    [Self::V6(high), Self::V6Network(high >> 16)]
                }
            },
            Origin::Local => [Self::Local, Self::LocalNetwork],
        }
    }
}

/// One shard.
pub(crate) struct Admission {
    counted: HashMap<Place, Entry, FixedState>,
    /// Whose misses are remembered, and when to look whether they may be forgotten; oldest first.
    remembered: VecDeque<(Moment, Place)>,
}

#[derive(Default)]
struct Entry {
    sockets: u32,
    misses: Limiter,
    /// Whether it stands in `remembered`, once.
    remembered: bool,
}

impl Admission {
    pub(crate) fn new(hasher: FixedState) -> Self {
        Self { counted: HashMap::with_hasher(hasher), remembered: VecDeque::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.counted.is_empty() && self.remembered.is_empty()
    }

    /// Counts a socket in, if there is room.
    pub(super) fn enter(&mut self, place: Place, limit: u64) -> bool {
        let entry = self.counted.entry(place).or_default();
        let room = limit == 0 || u64::from(entry.sockets) < limit;
        entry.sockets += u32::from(room);
        if entry.is_empty() {
            self.counted.remove(&place);
        }
        room
    }

    /// Counts a socket out.
    pub(super) fn leave(&mut self, place: Place) {
        if let Some(entry) = self.counted.get_mut(&place) {
            entry.sockets = entry.sockets.saturating_sub(1);
            if entry.is_empty() {
                self.counted.remove(&place);
                self.give_back();
            }
        }
    }

    /// Whether a place may guess, or after how many milliseconds it may.
    pub(super) fn check(&self, now: Moment, place: Place, rate: Rate) -> Result<(), u64> {
        self.counted.get(&place).map_or(Ok(()), |entry| entry.misses.check(now, rate))
    }

    /// Counts a miss.
    pub(super) fn missed(&mut self, now: Moment, place: Place, rate: Rate) {
        self.sweep(now, SWEEP_MISS);
        let entry = self.counted.entry(place).or_default();
        // Past the rate a miss is not counted: the place waits long enough as it is.
        let _ = entry.misses.take(now, rate);
        if !entry.remembered {
            entry.remembered = true;
            self.remembered.push_back((now + LOOK_MS, place));
        }
        if self.remembered.len() > REMEMBERED
            && let Some((_, oldest)) = self.remembered.pop_front()
        {
            self.forget(oldest);
        }
    }

    /// Forgets what may be forgotten: a bounded part at a time.
    pub(crate) fn tick(&mut self, now: Moment) {
        self.sweep(now, SWEEP_TICK);
    }

    fn sweep(&mut self, now: Moment, most: usize) {
        for _ in 0..most {
            let Some((_, place)) = self.remembered.pop_front_if(|(at, _)| *at <= now) else { break };
            if self.counted.get(&place).is_some_and(|entry| !entry.misses.is_idle(now)) {
                self.remembered.push_back((now + LOOK_MS, place));
            } else {
                self.forget(place);
            }
        }
        self.give_back();
    }

    fn forget(&mut self, place: Place) {
        if let Some(entry) = self.counted.get_mut(&place) {
            *entry = Entry { sockets: entry.sockets, ..Entry::default() };
            if entry.is_empty() {
                self.counted.remove(&place);
            }
        }
    }

    /// Gives the memory of a flood back when most of it is free.
    fn give_back(&mut self) {
        if self.counted.capacity() > SMALL && self.counted.len() * 8 < self.counted.capacity() {
            self.counted.shrink_to(self.counted.len() * 2);
        }
        if self.remembered.capacity() > SMALL && self.remembered.len() * 8 < self.remembered.capacity() {
            self.remembered.shrink_to(self.remembered.len() * 2);
        }
    }
}

impl Timed for Admission {
    fn next_deadline(&self) -> Option<Moment> {
        self.remembered.front().map(|(at, _)| *at)
    }
}

impl Entry {
    fn is_empty(&self) -> bool {
        self.sockets == 0 && !self.remembered
    }
}

#[cfg(test)]
impl Admission {
    /// How many places there are, and how many of them are remembered.
    pub(super) fn len(&self) -> (usize, usize) {
        (self.counted.len(), self.remembered.len())
    }

    pub(super) fn capacity(&self) -> usize {
        self.counted.capacity()
    }
}
