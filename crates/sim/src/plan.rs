//! What kind of world a seed makes.

use crate::dice::Dice;

/// The shape of one run. Every figure comes from the seed, so that runs differ in kind and not only in order.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many servers. More than one: they ask each other where peers are.
    pub nodes: usize,
    /// How many clients.
    pub clients: usize,
    /// Milliseconds of trouble, before everything is left to come to rest.
    pub trouble_ms: u64,
    /// Longest delay of a frame on its way.
    pub delay_ms: u64,
    /// Milliseconds between a client's acts, on average.
    pub act_ms: u64,
    /// How often in a thousand acts a client's socket is cut.
    pub cut: u64,
    /// How often in a thousand acts a server restarts and takes over its snapshot.
    pub restart: u64,
    /// How often in a thousand acts a server dies and begins with nothing but its store.
    pub crash: u64,
    /// How often in a thousand times something between servers is lost.
    pub drop: u64,
    /// How often in a thousand acts the wall clock jumps.
    pub jump: u64,
    /// How often in a thousand acts a client stops reading for a while.
    pub stall: u64,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x91a_0000);
        let nodes = if dice.permille(300) { 3 } else { 1 };
        Self {
            nodes,
            clients: dice.between(3, 8) as usize,
            trouble_ms: dice.between(20_000, 90_000),
            delay_ms: dice.between(1, 400),
            act_ms: dice.between(100, 1_500),
            cut: dice.between(0, 120),
            restart: dice.between(0, 8),
            crash: if nodes == 1 && dice.permille(300) { dice.between(1, 5) } else { 0 },
            drop: if dice.permille(500) { dice.between(0, 100) } else { 0 },
            jump: dice.between(0, 4),
            stall: dice.between(0, 30),
        }
    }
}
