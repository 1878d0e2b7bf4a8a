//! Reads one file on a thread of its own, ahead of the channel, and makes the chain.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::PathBuf;

use bytes::Bytes;
use tokio::sync::mpsc;
use wigwag_files::{Chain, Digest, PIECE_BYTES, piece_bytes};

/// So many pieces are read ahead.
const AHEAD: usize = 8;

/// What comes of a file, in order.
pub(super) enum Told {
    /// It is read from there on; the chain over what is before.
    Opened(u64, Digest),
    /// The next piece, and the chain with it.
    Piece(Bytes, Digest),
    /// It is not what it was, or cannot be read.
    Failed(String),
}

/// Begins to read, at `from` if the chain up to there is `hash`, else at the beginning. Ends when nobody listens.
pub(super) fn read(place: PathBuf, size: u64, from: u64, hash: Option<Digest>) -> mpsc::Receiver<Told> {
    let (told, reads) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        if let Err(why) = pieces(&place, size, from, hash, &told) {
            let _ = told.blocking_send(Told::Failed(format!("{}: {why}", place.display())));
        }
    });
    reads
}

fn pieces(place: &PathBuf, size: u64, from: u64, hash: Option<Digest>, told: &mpsc::Sender<Told>) -> io::Result<()> {
    let mut file = File::open(place)?;
    if file.metadata()?.len() != size {
        return Err(io::Error::other("it has another size than when it was offered"));
    }
    let mut chain = Chain::default();
    while chain.bytes() < from && !told.is_closed() {
        chain.add(&piece(&mut file, piece_bytes(from, chain.bytes()))?);
    }
    if from != 0 && Some(chain.digest()) != hash {
        file.rewind()?;
        chain = Chain::default();
    }
    let mut sent = told.blocking_send(Told::Opened(chain.bytes(), chain.digest()));
    while chain.bytes() < size && sent.is_ok() {
        let piece = piece(&mut file, piece_bytes(size, chain.bytes()))?;
        chain.add(&piece);
        if chain.bytes() == size && file.metadata()?.len() != size {
            return Err(io::Error::other("it grew while it was sent"));
        }
        sent = told.blocking_send(Told::Piece(piece, chain.digest()));
    }
    Ok(())
}

/// The next so many bytes.
pub(super) fn piece(file: &mut File, bytes: u64) -> io::Result<Bytes> {
    debug_assert!(bytes <= PIECE_BYTES);
    let mut piece = Vec::with_capacity(usize::try_from(bytes).unwrap_or_default());
    if file.by_ref().take(bytes).read_to_end(&mut piece)? as u64 == bytes {
        Ok(piece.into())
    } else {
        Err(io::Error::other("it became shorter while it was sent"))
    }
}
