//! Calls through each server.

use anyhow::{Result, bail};
use wigwag_load::{Crowd, MESSAGES_PER_CALL, Pace, Plan, Ran, Rhythm, precise_timers, run};

use crate::book::Book;
use crate::process::Calls;
use crate::server::{Server, Stage, Subject};
use crate::sizes::Sizes;

/// Calls that are being set up at the same time where there is no clock.
const AT_ONCE: usize = 8;

/// A server, and who is connected to it.
struct Stand {
    subject: Subject,
    server: Server,
    crowd: Crowd,
}

/// CPU per message, system calls, latency at offered rates. All servers stand side by side and are loaded one at a time, in turns: who
/// is compared is measured within seconds, and whatever slows the machine for a while spoils few of many turns.
pub(crate) fn relayed(stage: &Stage, sizes: &Sizes, book: &mut Book) -> Result<()> {
    use Subject::{Bare, Gather, Guest, Keyed, Node, PeerJs, Usual};
    let mut stands = Vec::new();
    for subject in [Bare, Guest, Gather, Keyed, PeerJs, Node, Usual] {
        if let Some(why) = stage.missing(subject) {
            book.lack(format!("{}: {why}", subject.name()));
            continue;
        }
        let server = stage.start(subject)?;
        let mut crowd = server.crowd()?;
        crowd.open(sizes.sockets, 64)?;
        // The first run finds everything cold and is not counted.
        closed(&mut crowd, Rhythm::Sparse, sizes.calls / 2)?;
        stands.push(Stand { subject, server, crowd });
    }
    for (figure, rhythm, calls) in [("sparse", Rhythm::Sparse, sizes.calls), ("burst", Rhythm::Burst, sizes.bursts)] {
        in_turns(&mut stands, sizes, |Stand { subject, server, crowd }| {
            let us = per_message(server, crowd, rhythm, (calls / sizes.turns as u64).max(1))?;
            book.add(figure, *subject, sizes.sockets, us);
            Ok(())
        })?;
    }
    for (figure, rhythm) in [("calls sparse", Rhythm::Sparse), ("calls burst", Rhythm::Burst)] {
        for Stand { subject, server, crowd } in &mut stands {
            let counter = Calls::count(server.pid());
            let ran = closed(crowd, rhythm, sizes.calls / 4)?;
            match counter.and_then(Calls::end) {
                Some(count) => book.add(figure, *subject, sizes.sockets, count / ran.messages as f64),
                None => book.lack("system calls per message: `perf stat` counts none here".to_owned()),
            }
        }
    }
    precise_timers();
    for rate in &sizes.rates {
        in_turns(&mut stands, sizes, |Stand { subject, server, crowd }| {
            let (us, ran) = server.worked(|| offered(crowd, *rate, sizes))?;
            book.add("open", *subject, *rate, us / ran.messages as f64);
            for (figure, share) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
                book.add(figure, *subject, *rate, ran.latency.us(share));
            }
            Ok(())
        })?;
    }
    stands.iter().try_for_each(|stand| stand.crowd.check())
}

/// Does it with each in turn, now from the first and now from the last, so that none always comes after the same one.
fn in_turns(stands: &mut [Stand], sizes: &Sizes, mut does: impl FnMut(&mut Stand) -> Result<()>) -> Result<()> {
    for _ in 0..sizes.turns {
        stands.iter_mut().try_for_each(&mut does)?;
        stands.reverse();
    }
    Ok(())
}

/// The same server with more and more sockets: what each costs, and what messages cost among them.
pub(crate) fn growth(stage: &Stage, sizes: &Sizes, book: &mut Book) -> Result<()> {
    for subject in COMPARED {
        // Memory on a server of its own: what messages leave for reuse would hide what sockets take.
        let server = stage.start(subject)?;
        let mut crowd = server.crowd()?;
        for size in &sizes.growth {
            let (more, before) = (size - crowd.len(), server.resident()?);
            let (us, ()) = server.worked(|| crowd.open(more, 64))?;
            super::settle(&mut crowd, sizes.settle)?;
            book.add("grow connect", subject, *size, us / more as f64);
            book.add("grow bytes", subject, *size, (server.resident()? - before) / more as f64);
        }
        crowd.check()?;
    }
    let (beside, alone): (Vec<usize>, Vec<usize>) = sizes.growth.iter().partition(|size| **size <= sizes.beside);
    grow(stage, &COMPARED, &beside, sizes, book)?;
    // This process may not hold the sockets of both, so one comes after the other.
    COMPARED.iter().try_for_each(|subject| grow(stage, &[*subject], &alone, sizes, book))
}

/// Whose growth is looked at.
const COMPARED: [Subject; 2] = [Subject::Bare, Subject::Keyed];

/// Messages through servers that stand side by side and grow together, loaded in turns.
fn grow(stage: &Stage, subjects: &[Subject], to: &[usize], sizes: &Sizes, book: &mut Book) -> Result<()> {
    let mut stands = Vec::new();
    for subject in subjects.iter().filter(|_| !to.is_empty()) {
        let server = stage.start(*subject)?;
        let crowd = server.crowd()?;
        stands.push(Stand { subject: *subject, server, crowd });
    }
    for size in to {
        // Every pair takes part at least once, so that none is in a cache because it was busy.
        let calls = sizes.calls.max(*size as u64 / 2);
        for Stand { crowd, .. } in &mut stands {
            crowd.open(size - crowd.len(), 64)?;
            closed(crowd, Rhythm::Sparse, calls / 2)?;
            super::settle(crowd, sizes.confirm)?;
        }
        for (figure, rhythm) in [("grow sparse", Rhythm::Sparse), ("grow burst", Rhythm::Burst)] {
            in_turns(&mut stands, sizes, |Stand { subject, server, crowd }| {
                let (us, ran) = server.worked(|| {
                    let ran = closed(crowd, rhythm, calls)?;
                    // Among so many, most are asked to confirm only after the last call, which is part of what messages cost.
                    if *subject != Subject::Bare {
                        super::settle(crowd, sizes.confirm)?;
                    }
                    Ok(ran)
                })?;
                book.add(figure, *subject, *size, us / ran.messages as f64);
                Ok(())
            })?;
        }
    }
    stands.iter().try_for_each(|stand| stand.crowd.check())
}

/// Calls by the clock.
fn offered(crowd: &mut Crowd, rate: usize, sizes: &Sizes) -> Result<Ran> {
    let peers = 0..sizes.sockets.min(crowd.len());
    let mut plan = Plan::calls(peers, Rhythm::Sparse, Pace::PerSecond(rate as f64), u64::MAX);
    plan.time = sizes.turn;
    whole(run(crowd, &plan, |_, _| true)?)
}

fn per_message(server: &Server, crowd: &mut Crowd, rhythm: Rhythm, calls: u64) -> Result<f64> {
    let (us, ran) = server.worked(|| closed(crowd, rhythm, calls))?;
    Ok(us / ran.messages as f64)
}

/// Calls one after the other, so many at once.
pub(super) fn closed(crowd: &mut Crowd, rhythm: Rhythm, calls: u64) -> Result<Ran> {
    let plan = Plan::calls(0..crowd.len(), rhythm, Pace::AtOnce(AT_ONCE), calls);
    whole(run(crowd, &plan, |_, _| true)?)
}

/// A run in which something failed says nothing about what messages cost.
fn whole(ran: Ran) -> Result<Ran> {
    if ran.failed > 0 || ran.messages != ran.started * MESSAGES_PER_CALL || ran.started == 0 {
        bail!("{} of {} calls failed, {} messages arrived", ran.failed, ran.started, ran.messages);
    }
    Ok(ran)
}
