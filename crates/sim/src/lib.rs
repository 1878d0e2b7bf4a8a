//! A seeded world that runs the real hub under faults: slow and cut sockets, peers that vanish and come back, servers that
//! restart or die, answers that get lost, clocks that jump. It owns time and chance; the same seed gives the same run.
//! It knows what users were promised and fails when a promise is broken; how the hub keeps it is the hub's business,
//! and nothing depends on this crate.

mod client;
mod counts;
mod dice;
mod judge;
mod node;
mod people;
mod plan;
mod world;

pub use counts::Counts;

/// How one run went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What was broken, in the order in which it was noticed.
    pub broken: Vec<String>,
    /// A hash over everything that any server did, with its time.
    pub trace: u64,
    /// What happened, for people.
    pub counts: Counts,
}

/// Runs the world of a seed. `tell` gets a line for everything that happens.
pub fn run(seed: u64, tell: Option<&mut dyn FnMut(&str)>) -> Report {
    world::World::new(seed, plan::Plan::of(seed), tell).run()
}
