//! How much of everything is done.

use std::time::Duration;

/// The sizes of a run.
#[derive(Clone, Debug)]
pub(crate) struct Sizes {
    pub(crate) rounds: usize,
    /// Sockets that relay.
    pub(crate) sockets: usize,
    /// Calls with one message in flight, and calls in bursts.
    pub(crate) calls: u64,
    pub(crate) bursts: u64,
    /// Calls per second that are offered.
    pub(crate) rates: Vec<usize>,
    pub(crate) seconds: Duration,
    /// How often each server has its turn in a round where they are compared side by side, and how long a turn by the clock is.
    pub(crate) turns: usize,
    pub(crate) turn: Duration,
    /// Sockets in all, at which growth is looked at.
    pub(crate) growth: Vec<usize>,
    /// Up to so many, the servers that grow stand side by side, and this process holds the sockets of both.
    pub(crate) beside: usize,
    /// How long after messages all of them are confirmed.
    pub(crate) confirm: Duration,
    /// Sockets that do nothing.
    pub(crate) idle: usize,
    /// How long a server may put its house in order before its memory is read.
    pub(crate) settle: Duration,
    pub(crate) rooms: Vec<usize>,
    /// Times that somebody joins, speaks, comes or goes in the largest room; in a smaller one, so often that as many are told.
    pub(crate) repeats: usize,
    pub(crate) lookups: usize,
    /// Sockets that come back at once.
    pub(crate) storm: usize,
    /// Members of the room that fills within a second.
    pub(crate) crowd: usize,
    pub(crate) small: usize,
}

impl Sizes {
    /// What the page is made of.
    pub(crate) fn full() -> Self {
        Self {
            rounds: 5,
            sockets: 200,
            calls: 5_000,
            bursts: 20_000,
            rates: vec![300, 2_500],
            seconds: Duration::from_secs(3),
            turns: 5,
            turn: Duration::from_secs(1),
            growth: vec![1_000, 8_000, 15_000],
            beside: 8_000,
            confirm: Duration::from_millis(1_100),
            idle: 10_000,
            settle: Duration::from_secs(2),
            rooms: vec![100, 1_000],
            repeats: 100,
            lookups: 50_000,
            storm: 5_000,
            crowd: 1_000,
            small: 15_000,
        }
    }

    /// A first impression, in two minutes.
    pub(crate) fn quick() -> Self {
        Self {
            rounds: 1,
            calls: 2_000,
            bursts: 8_000,
            seconds: Duration::from_secs(1),
            turns: 1,
            growth: vec![1_000, 8_000],
            idle: 2_000,
            repeats: 10,
            lookups: 10_000,
            small: 2_000,
            ..Self::full()
        }
    }

    /// Whether everything runs; the figures mean nothing.
    pub(crate) fn smoke() -> Self {
        Self {
            rounds: 1,
            sockets: 8,
            calls: 20,
            bursts: 20,
            rates: vec![100],
            seconds: Duration::from_millis(100),
            turns: 2,
            turn: Duration::from_millis(100),
            growth: vec![8, 16, 24],
            beside: 16,
            confirm: Duration::from_millis(10),
            idle: 16,
            settle: Duration::from_millis(10),
            rooms: vec![5],
            repeats: 2,
            lookups: 20,
            storm: 20,
            crowd: 10,
            small: 16,
        }
    }
}
