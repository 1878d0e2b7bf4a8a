//! Two cores against one. The load has to run somewhere, too, and where there are only two cores it shares them with the server; so the
//! figure is made of what the server's work costs on one core and on two, and of how busy both cores were kept.

use std::time::Instant;

use anyhow::{Context, Result};
use wigwag_load::{Pace, Plan, Ran, Rhythm, run};

use crate::book::Book;
use crate::process::{own_cpu_us, pin};
use crate::server::{Stage, Subject};
use crate::sizes::Sizes;

const AT_ONCE: usize = 32;

pub(crate) fn cores(stage: &Stage, sizes: &Sizes, book: &mut Book) -> Result<()> {
    if stage.cores[0] == stage.cores[1] {
        book.lack("two cores against one: this machine has one".to_owned());
        return Ok(());
    }
    let subject = Subject::Guest;
    let one = loaded(stage, sizes, subject, &[0])?;
    let two = loaded(stage, sizes, subject, &[0, 1])?;
    book.add("core cost", subject, 1, one.us);
    book.add("core cost", subject, 2, two.us);
    book.add("core rate", subject, 1, one.rate);
    book.add("core rate", subject, 2, two.rate);
    book.add("core busy", subject, 2, two.busy * 100.0);
    book.add("core work", subject, 2, 2.0 * two.busy * one.us / two.us / one.busy);
    pin(&stage.cores[1]);
    Ok(())
}

struct Showed {
    /// The server's microseconds per message.
    us: f64,
    /// Messages per second, of server and load together.
    rate: f64,
    /// What part of the time the cores were in use.
    busy: f64,
}

/// Server and load on these cores, with as many threads of load as there are cores.
fn loaded(stage: &Stage, sizes: &Sizes, subject: Subject, cores: &[usize]) -> Result<Showed> {
    let server = stage.start_on(subject, cores, cores, &[])?;
    let mut crowds = Vec::new();
    for _ in cores {
        let mut crowd = server.crowd()?;
        crowd.open(sizes.sockets, 64)?;
        crowds.push(crowd);
    }
    let mut plan = Plan::calls(0..sizes.sockets, Rhythm::Sparse, Pace::AtOnce(AT_ONCE), u64::MAX);
    plan.time = sizes.seconds;
    let (begun, before) = (Instant::now(), own_cpu_us());
    let (us, ran) = server.worked(|| {
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                crowds.iter_mut().map(|crowd| scope.spawn(|| run(crowd, &plan, |_, _| true))).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().ok().context("a thread of the load died")?)
                .collect::<Result<Vec<Ran>>>()
        })
    })?;
    let took = begun.elapsed().as_secs_f64();
    let load_us = own_cpu_us() - before;
    let messages = ran.iter().map(|ran| ran.messages).sum::<u64>().max(1) as f64;
    let busy = (us + load_us) / (took * 1e6 * cores.len() as f64);
    Ok(Showed { us: us / messages, rate: messages / took, busy: busy.min(1.0) })
}
