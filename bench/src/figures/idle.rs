//! Memory of sockets that do nothing, of what large messages leave, and of what closed sockets leave.

use std::time::Duration;

use anyhow::Result;
use wigwag_load::{Crowd, Heard};

use crate::book::Book;
use crate::process::slab_bytes;
use crate::server::{Stage, Subject};
use crate::sizes::Sizes;

const LARGE_BYTES: usize = 16_000;

pub(crate) fn memory(stage: &Stage, sizes: &Sizes, book: &mut Book) -> Result<()> {
    use Subject::{Bare, Guest, Keyed, Node, PeerJs, Tls, Usual};
    for subject in [Bare, Guest, Keyed, PeerJs, Tls, Usual, Node] {
        if stage.missing(subject).is_some() {
            continue;
        }
        // At 150 KB a socket, fewer will do.
        let sockets = if subject == Usual { sizes.idle / 5 } else { sizes.idle }.next_multiple_of(2);
        let server = stage.start(subject)?;
        let mut crowd = server.crowd()?;
        // What the first sockets cost once is no cost of each.
        crowd.open(8, 8)?;
        super::settle(&mut crowd, Duration::from_millis(100))?;
        let start = server.resident()?;
        book.add("start", subject, 0, start);
        let (us, ()) = server.worked(|| crowd.open(sockets, 64))?;
        super::settle(&mut crowd, sizes.settle)?;
        let idle = server.resident()? - start;
        let per = |bytes: f64| bytes / sockets as f64;
        book.add("connect", subject, 0, per(us));
        book.add("idle", subject, 0, per(idle));
        large(&mut crowd)?;
        super::settle(&mut crowd, sizes.settle)?;
        let after = server.resident()? - start;
        book.add("idle after", subject, 0, per(after));
        book.add("idle growth", subject, 0, after / idle.max(1.0));
        if matches!(subject, Guest | Keyed | Tls) {
            super::leave(&mut crowd)?;
        }
        // Whoever said goodbye is closed already, and that is no loss.
        crowd = server.crowd()?;
        super::settle(&mut crowd, sizes.settle)?;
        book.add("left", subject, sockets, (server.resident()? - start) / 1e6);
    }
    lost(stage, sizes, book)
}

/// Sessions that were lost without a word and wait to be resumed; and what the kernel holds for a socket.
fn lost(stage: &Stage, sizes: &Sizes, book: &mut Book) -> Result<()> {
    let sockets = sizes.idle as f64;
    let server = stage.start(Subject::Keyed)?;
    let mut crowd = server.crowd()?;
    crowd.open(8, 8)?;
    super::settle(&mut crowd, sizes.settle)?;
    let (start, slab) = (server.resident()?, slab_bytes());
    crowd.open(sizes.idle, 64)?;
    super::settle(&mut crowd, sizes.settle)?;
    // Both ends of each socket are on this machine, and the kernel holds the same for either.
    if let (Some(before), Some(after)) = (slab, slab_bytes()) {
        book.add("kernel bytes", Subject::Keyed, 0, (after - before) / sockets / 2.0);
    }
    crowd.close_last(sizes.idle);
    super::settle(&mut crowd, sizes.settle)?;
    book.add("resumable", Subject::Keyed, 0, (server.resident()? - start) / sockets);
    Ok(())
}

/// Each peer sends one large message to its other half.
fn large(crowd: &mut Crowd) -> Result<()> {
    let body = "x".repeat(LARGE_BYTES);
    let all: Vec<usize> = (0..crowd.len()).collect();
    for some in all.chunks(128) {
        for key in some {
            crowd.queue_message(*key, key ^ 1, &body)?;
        }
        for key in some {
            crowd.flush(*key)?;
        }
        super::expect(crowd, some.len(), |heard| *heard == Heard::Message)?;
    }
    Ok(())
}
