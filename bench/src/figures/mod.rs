//! What is measured: each figure is a function that starts servers, loads them and adds a sample per round.

mod cores;
mod idle;
mod messages;
mod rooms;
mod small;
mod stress;

use std::time::{Duration, Instant};

use anyhow::Result;
use wigwag_load::{Crowd, Heard, Noted};

use crate::book::Book;
use crate::server::Stage;
use crate::sizes::Sizes;

/// Something that is measured together.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Measured in this many rounds at most: memory is the same each time, time is not.
    pub(crate) rounds: usize,
    pub(crate) run: fn(&Stage, &Sizes, &mut Book) -> Result<()>,
}

pub(crate) const FIGURES: &[Figure] = &[
    Figure {
        name: "messages",
        about: "CPU, system calls and latency of relayed messages",
        rounds: 9,
        run: messages::relayed,
    },
    Figure { name: "growth", about: "what grows with the number of sockets", rounds: 3, run: messages::growth },
    Figure {
        name: "idle",
        about: "memory of sockets that do nothing, before and after large messages",
        rounds: 1,
        run: idle::memory,
    },
    Figure {
        name: "rooms",
        about: "joining, speaking and presence in rooms of a hundred and a thousand",
        rounds: 3,
        run: rooms::rooms,
    },
    Figure { name: "lookups", about: "asking where a peer is", rounds: 5, run: rooms::lookups },
    Figure { name: "cores", about: "two cores against one", rounds: 5, run: cores::cores },
    Figure { name: "stress", about: "latency of others while something goes wrong", rounds: 3, run: stress::stress },
    Figure { name: "small", about: "a server with 512 MiB of memory and one processor", rounds: 1, run: small::small },
];

/// Lets the crowd answer what it is asked, until so long has passed.
fn settle(crowd: &mut Crowd, time: Duration) -> Result<()> {
    let until = Instant::now() + time;
    let mut heard = Vec::new();
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        crowd.wait(left, &mut heard)?;
    }
    crowd.check()
}

/// Waits until so many of this kind were heard.
fn expect(crowd: &mut Crowd, count: usize, is_wanted: impl Fn(&Heard) -> bool) -> Result<()> {
    let mut heard: Vec<Noted> = Vec::new();
    let mut left = count;
    let mut moved = Instant::now();
    while left > 0 {
        crowd.wait(Duration::from_millis(100), &mut heard)?;
        crowd.check()?;
        let found = heard.iter().filter(|note| is_wanted(&note.heard)).count();
        left = left.saturating_sub(found);
        if found > 0 {
            moved = Instant::now();
        } else if moved.elapsed() > Duration::from_secs(20) {
            anyhow::bail!("nothing came for 20 s, and {left} of {count} answers are missing");
        }
    }
    Ok(())
}

/// Everybody says goodbye.
fn leave(crowd: &mut Crowd) -> Result<()> {
    for key in 0..crowd.len() {
        crowd.queue(key, r#"{"type":"bye"}"#);
        crowd.flush(key)?;
    }
    let mut heard = Vec::new();
    while crowd.registered() > 0 {
        crowd.wait(Duration::from_millis(100), &mut heard)?;
    }
    Ok(())
}
