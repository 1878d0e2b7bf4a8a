//! Latency of those who do nothing wrong, while others read nothing, all come back at once, or fill a room. The trouble is made by another thread,
//! which the kernel stops at once when the one that measures wakes up, for both share one core. What that one waits nevertheless is measured, too.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use wigwag_load::{Crowd, Heard, Pace, Plan, Ran, Rhythm, precise_timers, run};

use crate::book::Book;
use crate::process::{stand_back, waited_for_processor};
use crate::server::{Stage, Subject};
use crate::sizes::Sizes;

/// Calls per second of those who are measured.
const RATE: f64 = 300.0;

pub(crate) fn stress(stage: &Stage, sizes: &Sizes, book: &mut Book) -> Result<()> {
    let subject = Subject::Keyed;
    let server = stage.start(subject)?;
    let mut measured = server.crowd()?;
    measured.open(sizes.sockets, 64)?;
    precise_timers();

    let mut trouble =
        |figure: &str, crowd: &mut Crowd, make: &mut (dyn FnMut(&mut Crowd) -> Result<()> + Send)| -> Result<()> {
            // What is calm is measured anew before each trouble, for machines change their minds.
            let calm = calls(&mut measured, sizes.seconds, |_| true)?.latency;
            book.add("calm p50", subject, 0, calm.us(0.5));
            book.add("calm p99", subject, 0, calm.us(0.99));
            let over = AtomicBool::new(false);
            let waited = waited_for_processor();
            let (made, ran) = std::thread::scope(|scope| {
                let maker = scope.spawn(|| {
                    stand_back();
                    let made = make(crowd);
                    over.store(true, Ordering::Release);
                    made
                });
                let ran = calls(&mut measured, LONGEST, |_| !over.load(Ordering::Acquire));
                (maker.join(), ran)
            });
            made.ok().context("the thread that makes trouble died")??;
            let ran = ran?;
            book.add(&format!("{figure} p50"), subject, 0, ran.latency.us(0.5));
            book.add(&format!("{figure} p99"), subject, 0, ran.latency.us(0.99));
            book.add(&format!("{figure} ratio"), subject, 0, ran.latency.us(0.99) / calm.us(0.99));
            book.add(&format!("{figure} ms"), subject, 0, ran.took.as_secs_f64() * 1e3);
            if let (Some(before), Some(after)) = (waited, waited_for_processor()) {
                let share = after.saturating_sub(before).as_secs_f64() / ran.took.as_secs_f64();
                book.add(&format!("{figure} waited"), subject, 0, share * 100.0);
            }
            Ok(())
        };

    // A tenth of the sockets read nothing, and each gets more and more until it would be cut.
    let deaf = (sizes.sockets / 10).max(1);
    let mut crowd = server.crowd()?;
    crowd.open(deaf * 2, 64)?;
    for key in 0..deaf {
        crowd.deafen(key)?;
    }
    trouble("deaf", &mut crowd, &mut |crowd| fill_queues(crowd, deaf, sizes.seconds))?;
    drop(crowd);

    let mut crowd = server.crowd()?;
    crowd.open(sizes.storm, 64)?;
    trouble("storm", &mut crowd, &mut |crowd| {
        crowd.close_last(crowd.len());
        // The server drops connections that are more than 2,048 ahead of it; clients would come again, and this load waits instead.
        crowd.open(sizes.storm, 1_500)
    })?;
    drop(crowd);

    let mut crowd = server.crowd()?;
    crowd.open(sizes.crowd, 64)?;
    trouble("crowd", &mut crowd, &mut |crowd| fill_room(crowd))
}

/// Trouble that lasts longer than this is given up.
const LONGEST: Duration = Duration::from_secs(30);

fn calls(crowd: &mut Crowd, time: Duration, mut go_on: impl FnMut(&Ran) -> bool) -> Result<Ran> {
    let mut plan = Plan::calls(0..crowd.len(), Rhythm::Sparse, Pace::PerSecond(RATE), u64::MAX);
    plan.time = time;
    let ran = run(crowd, &plan, |ran, _| go_on(ran))?;
    crowd.check()?;
    Ok(ran)
}

/// Speakers talk to those who do not listen, so that three quarters of what may wait for each waits by the end.
fn fill_queues(crowd: &mut Crowd, deaf: usize, time: Duration) -> Result<()> {
    let body = "x".repeat(8_000);
    let each = 96;
    let (begun, mut heard) = (Instant::now(), Vec::new());
    for turn in 0..each * deaf {
        crowd.queue_message(deaf + turn % deaf, turn % deaf, &body)?;
        crowd.flush(deaf + turn % deaf)?;
        let due = begun + time.mul_f64(turn as f64 / (each * deaf) as f64);
        while let Some(left) = due.checked_duration_since(Instant::now()) {
            crowd.wait(left, &mut heard)?;
        }
    }
    crowd.check()
}

/// All join one room within a second, by the clock.
fn fill_room(crowd: &mut Crowd) -> Result<()> {
    let size = crowd.len();
    super::rooms::create(crowd, "r", size)?;
    let (begun, mut heard) = (Instant::now(), Vec::new());
    let mut told = 0;
    for key in 1..size {
        super::rooms::knock(crowd, "r", key)?;
        let due = begun + Duration::from_secs_f64(key as f64 / size as f64);
        loop {
            let left = due.saturating_duration_since(Instant::now());
            crowd.wait(left, &mut heard)?;
            told += heard.iter().filter(|note| matches!(note.heard, Heard::News | Heard::Answer)).count();
            if left.is_zero() {
                break;
            }
        }
    }
    // Each who came is told of all, and all who were there of it.
    let all = size * (size - 1) / 2 + size - 1;
    super::expect(crowd, all.saturating_sub(told), |heard| matches!(heard, Heard::News | Heard::Answer))
}
