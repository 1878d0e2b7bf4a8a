//! The numbers from which `wigwag capacity` reckons.

use anyhow::{Context, Result};
use wigwag_terminal::measured::Measured;

use crate::book::Book;
use crate::process::machine;
use crate::server::Subject::{self, Guest, Keyed, PeerJs, Tls};
use crate::sizes::Sizes;

/// Takes them from the book; what grows with size at the largest.
pub(crate) fn of(book: &Book, sizes: &Sizes) -> Result<Measured> {
    let take = |figure: &str, subject: Subject, size: usize| {
        book.median(figure, subject, size).with_context(|| format!("{figure} was not measured"))
    };
    let many = sizes.growth.iter().copied().max().unwrap_or_default();
    let large = sizes.rooms.iter().copied().max().unwrap_or_default();
    Ok(Measured {
        machine: machine(),
        start_bytes: take("start", Keyed, 0)?,
        kernel_bytes: take("kernel bytes", Keyed, 0)?,
        guest_bytes: take("idle", Guest, 0)?,
        keyed_bytes: take("idle", Keyed, 0)?,
        peerjs_bytes: take("idle", PeerJs, 0)?,
        tls_bytes: take("idle", Tls, 0)?,
        resumable_bytes: take("resumable", Keyed, 0)?,
        member_bytes: take("member bytes", Keyed, large)?,
        connect_us: take("connect", Keyed, 0)?,
        connect_tls_us: take("connect", Tls, 0)?,
        message_us: take("grow sparse", Keyed, many)?,
        burst_message_us: take("grow burst", Keyed, many)?,
        told_us: take("say", Keyed, large)?,
        find_us: take("find", Keyed, 0)?,
        second_core: take("core work", Guest, 2).unwrap_or(1.0) - 1.0,
    })
}
