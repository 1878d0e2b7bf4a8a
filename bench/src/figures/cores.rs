//! Two cores against one: a server on two cores beside two servers that have a core each and know nothing of one another. Where there
//! are only two cores the load shares them, in both cases alike, so the figure is made of what the server's work costs and of how busy
//! the cores were kept.

use std::time::Instant;

use anyhow::{Context, Result};
use wigwag_load::{Pace, Plan, Ran, Rhythm, run};

use crate::book::Book;
use crate::process::{own_cpu_us, pin};
use crate::server::{Server, Stage, Subject};
use crate::sizes::Sizes;

const AT_ONCE: usize = 32;

pub(crate) fn cores(stage: &Stage, sizes: &Sizes, book: &mut Book) -> Result<()> {
    if stage.cores[0] == stage.cores[1] {
        book.lack("two cores against one: this machine has one".to_owned());
        return Ok(());
    }
    let subject = Subject::Guest;
    // Which threads share a core is settled when they begin, for good or ill, and differs from start to start.
    for _ in 0..sizes.turns {
        let apart = loaded(stage, sizes, subject, &[&[0], &[1]])?;
        let two = loaded(stage, sizes, subject, &[&[0, 1]])?;
        book.add("core cost", subject, 1, apart.us);
        book.add("core cost", subject, 2, two.us);
        book.add("core rate", subject, 1, apart.rate);
        book.add("core rate", subject, 2, two.rate);
        book.add("core busy", subject, 1, apart.busy * 100.0);
        book.add("core busy", subject, 2, two.busy * 100.0);
        book.add("core work", subject, 2, 2.0 * two.busy * apart.us / two.us / apart.busy);
    }
    pin(&stage.cores[1]);
    Ok(())
}

struct Showed {
    /// The server's microseconds per message.
    us: f64,
    /// Messages per second, of server and load together.
    rate: f64,
    /// What part of the time the two cores were in use.
    busy: f64,
}

/// A server on each of these sets of cores, and a thread of load for each of the two cores, which goes where the scheduler puts it.
fn loaded(stage: &Stage, sizes: &Sizes, subject: Subject, sets: &[&[usize]]) -> Result<Showed> {
    const BOTH: [usize; 2] = [0, 1];
    let servers: Vec<Server> =
        sets.iter().map(|set| stage.start_on(subject, set, &BOTH, &[])).collect::<Result<_>>()?;
    let mut crowds = Vec::new();
    for server in servers.iter().cycle().take(BOTH.len()) {
        let mut crowd = server.crowd()?;
        crowd.open(sizes.sockets, 64)?;
        crowds.push(crowd);
    }
    let mut plan = Plan::calls(0..sizes.sockets, Rhythm::Sparse, Pace::AtOnce(AT_ONCE), u64::MAX);
    plan.time = sizes.turn;
    let cpu_us = || -> Result<f64> { servers.iter().map(Server::cpu_us).sum() };
    let (begun, before, before_us) = (Instant::now(), own_cpu_us(), cpu_us()?);
    let ran = std::thread::scope(|scope| {
        let threads: Vec<_> = crowds.iter_mut().map(|crowd| scope.spawn(|| run(crowd, &plan, |_, _| true))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().ok().context("a thread of the load died")?)
            .collect::<Result<Vec<Ran>>>()
    })?;
    let (took, us) = (begun.elapsed().as_secs_f64(), cpu_us()? - before_us);
    let load_us = own_cpu_us() - before;
    let messages = ran.iter().map(|ran| ran.messages).sum::<u64>().max(1) as f64;
    let busy = (us + load_us) / (took * 1e6 * BOTH.len() as f64);
    Ok(Showed { us: us / messages, rate: messages / took, busy: busy.min(1.0) })
}
