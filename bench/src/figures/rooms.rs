//! What is told to many: joining, speaking and presence; and what is asked by many: look-ups.

use std::time::Duration;

use anyhow::{Context, Result};
use wigwag_load::{Crowd, Heard};

use crate::book::Book;
use crate::server::{Server, Stage, Subject};
use crate::sizes::Sizes;

/// Joins, words and presence, per member told.
pub(crate) fn rooms(stage: &Stage, sizes: &Sizes, book: &mut Book) -> Result<()> {
    let subject = Subject::Keyed;
    let largest = sizes.rooms.iter().copied().max().unwrap_or_default();
    for size in &sizes.rooms {
        let server = stage.start(subject)?;
        let mut crowd = server.crowd()?;
        crowd.open(*size, 64)?;
        first(&server, 100.min(*size))?;
        super::settle(&mut crowd, sizes.settle)?;
        let before = server.resident()?;
        fill(&mut crowd, "r", *size)?;
        super::settle(&mut crowd, sizes.settle)?;
        book.add("member bytes", subject, *size, (server.resident()? - before) / *size as f64);
        let others = size - 1;
        // As many are told in either room, for as long: else one finds everything cold, and is over before anybody confirms.
        let repeats = sizes.repeats * largest / size;
        let cold = repeats.div_ceil(10);
        let (mut us, mut bytes) = (0.0, 0);
        for turn in 0..cold + repeats {
            if turn == cold {
                (us, bytes) = (0.0, 0);
            }
            let key = 1 + turn % others;
            say(&mut crowd, key, r#"{"type":"room.leave","room":"r"}"#)?;
            super::expect(&mut crowd, others, |heard| *heard == Heard::News)?;
            let read = crowd.bytes_read();
            us += server.worked(|| join(&mut crowd, "r", key, others))?.0;
            bytes += crowd.bytes_read() - read;
        }
        let told = (repeats * others) as f64;
        book.add("join", subject, *size, us / told);
        book.add("join bytes", subject, *size, bytes as f64 / told);
        let word = format!("{{\"type\":\"say\",\"room\":\"r\",\"data\":\"{}\"}}", "w".repeat(300));
        let (us, ()) = server.worked(|| {
            (0..repeats).try_for_each(|turn| {
                say(&mut crowd, turn % size, &word)?;
                super::expect(&mut crowd, others, |heard| *heard == Heard::News)
            })
        })?;
        book.add("say", subject, *size, us / told);
        book.add("presence", subject, *size, presence(&server, &mut crowd, repeats)?);
    }
    Ok(())
}

/// Asking where somebody is.
pub(crate) fn lookups(stage: &Stage, sizes: &Sizes, book: &mut Book) -> Result<()> {
    let subject = Subject::Keyed;
    let server = stage.start(subject)?;
    let mut crowd = server.crowd()?;
    crowd.open(sizes.sockets, 64)?;
    let mut ask = |count: usize| -> Result<()> {
        let len = crowd.len();
        for first in (0..count).step_by(AT_ONCE) {
            for turn in first..first + AT_ONCE {
                let id = crowd.name((turn * 7 + 1) % len).context("nobody to ask for")?;
                let text = format!("{{\"type\":\"find\",\"id\":\"{id}\"}}");
                say(&mut crowd, turn % len, &text)?;
            }
            super::expect(&mut crowd, AT_ONCE, |heard| *heard == Heard::Answer)?;
        }
        Ok(())
    };
    ask(sizes.lookups / 10)?;
    let (us, ()) = server.worked(|| ask(sizes.lookups))?;
    book.add("find", subject, 0, us / sizes.lookups.next_multiple_of(AT_ONCE) as f64);
    Ok(())
}

/// Questions under way at the same time.
const AT_ONCE: usize = 8;

/// Lets all come into one room, one after the other.
fn fill(crowd: &mut Crowd, room: &str, size: usize) -> Result<()> {
    create(crowd, room, size)?;
    for key in 1..size {
        join(crowd, room, key, key)?;
    }
    Ok(())
}

/// The first one makes a room for so many.
pub(super) fn create(crowd: &mut Crowd, room: &str, size: usize) -> Result<()> {
    say(
        crowd,
        0,
        &format!("{{\"type\":\"room.create\",\"room\":\"{room}\",\"capacity\":{size},\"mode\":\"FREE_FOR_ALL\"}}"),
    )?;
    super::expect(crowd, 1, |heard| *heard == Heard::Answer)
}

/// A room of others, which is over. What the first one costs once is no cost of each member.
fn first(server: &Server, size: usize) -> Result<()> {
    let mut crowd = server.crowd()?;
    crowd.open(size, 64)?;
    fill(&mut crowd, "first", size)?;
    super::leave(&mut crowd)
}

/// One comes in, and as many others are told as are there.
fn join(crowd: &mut Crowd, room: &str, key: usize, others: usize) -> Result<()> {
    knock(crowd, room, key)?;
    super::expect(crowd, others + 1, |heard| matches!(heard, Heard::News | Heard::Answer))
}

/// One asks to be let in.
pub(super) fn knock(crowd: &mut Crowd, room: &str, key: usize) -> Result<()> {
    say(crowd, key, &format!("{{\"type\":\"room.join\",\"room\":\"{room}\"}}"))
}

fn say(crowd: &mut Crowd, key: usize, text: &str) -> Result<()> {
    crowd.queue(key, text);
    crowd.flush(key)
}

/// Everybody watches one peer, which goes and comes back. Microseconds for each who is told.
fn presence(server: &Server, watchers: &mut Crowd, repeats: usize) -> Result<f64> {
    let mut watched = server.crowd()?;
    watched.open(1, 1)?;
    let id = watched.name(0).context("nobody to watch")?.to_owned();
    for key in 0..watchers.len() {
        say(watchers, key, &format!("{{\"type\":\"watch\",\"ids\":[\"{id}\"]}}"))?;
    }
    let all = watchers.len();
    super::expect(watchers, all, |heard| *heard == Heard::News)?;
    let mut total = 0.0;
    for _ in 0..repeats {
        let (us, ()) = server.worked(|| {
            say(&mut watched, 0, r#"{"type":"bye"}"#)?;
            super::expect(watchers, all, |heard| *heard == Heard::News)
        })?;
        total += us;
        watched.close_last(1);
        // The same number has the same key, so the same peer comes back.
        let mut heard = Vec::new();
        watched.begin()?;
        while watched.registered() == 0 {
            watched.wait(Duration::from_millis(10), &mut heard)?;
        }
        super::expect(watchers, all, |heard| *heard == Heard::News)?;
    }
    Ok(total / (repeats * all) as f64)
}
