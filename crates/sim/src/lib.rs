//! A seeded world that runs the real hub under faults: slow and cut sockets, peers that vanish and come back, servers that
//! restart or die, answers that get lost, clocks that jump. It owns time and chance; the same seed gives the same run.
//! It knows what users were promised and fails when a promise is broken; how the hub keeps it is the hub's business,
//! and nothing depends on this crate.

mod book;
mod client;
mod dice;
mod node;
mod plan;
mod world;

use std::fmt;

pub use plan::Plan;

/// How one run went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What was broken, in the order in which it was noticed.
    pub broken: Vec<String>,
    /// A hash over every frame that any client got, with its time.
    pub trace: u64,
    /// What happened, for people.
    pub counts: Counts,
}

/// How much happened in a run: a run in which nothing happens proves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames that clients got.
    pub frames: u64,
    /// Signals sent.
    pub signals: u64,
    /// Of these, how many arrived.
    pub arrived: u64,
    /// Of these, how many were reported lost.
    pub lost: u64,
    /// Sockets that were cut.
    pub cuts: u64,
    /// Sessions that were resumed.
    pub resumed: u64,
    /// Servers that restarted or died.
    pub restarts: u64,
    /// Changes of a room's host that were seen.
    pub hosts: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} frames, {} signals ({} arrived, {} lost), {} cuts, {} resumed, {} restarts, {} hosts",
            self.frames, self.signals, self.arrived, self.lost, self.cuts, self.resumed, self.restarts, self.hosts
        )
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.frames += other.frames;
        self.signals += other.signals;
        self.arrived += other.arrived;
        self.lost += other.lost;
        self.cuts += other.cuts;
        self.resumed += other.resumed;
        self.restarts += other.restarts;
        self.hosts += other.hosts;
    }
}

/// Runs the world of a seed. `tell` gets a line for everything that happens.
pub fn run(seed: u64, tell: Option<&mut dyn FnMut(&str)>) -> Report {
    world::World::new(seed, Plan::of(seed), tell).run()
}
