//! Files between peers as pure machines: what sender and receiver say on the channel of a transfer (`spec/files.md`), the chain that proves that a file
//! arrived whole, which paths may cross, and codes of words by which two people meet.
//!
//! [`Sender`] and [`Receiver`] say what is to be done; whoever drives them has the channel, the disk and the clock. Nothing here reads or writes a file,
//! and nothing that the other side says makes it grow: what waits is bounded by the rules of the page. Secret rooms, in which a code leads, are in `wigwag-peer`.

mod chain;
mod message;
mod name;
mod path;
mod receiver;
mod sender;
mod words;

pub use chain::{Chain, Digest};
pub use message::{FromReceiver, FromSender, Offer, Reason, Unreadable};
pub use name::{PART, local_name, numbered, part_name};
pub use path::{BadPath, FilePath};
pub use receiver::{Receiver, Task};
pub use sender::{End, Entry, Kind, Sender, Step};
pub use words::{BadCode, WORDS_MIN, WordCode, words};

/// What the channel of a transfer is called.
pub const LABEL: &str = "wigwag.files";

/// What files are cut into.
pub const PIECE_BYTES: u64 = 65_536;

/// So much may be under way that the receiver has not confirmed.
pub const WINDOW_BYTES: u64 = 4_194_304;

/// So often the receiver confirms.
pub const REPORT_BYTES: u64 = 524_288;

/// So many files may be announced and neither kept nor skipped.
pub const ANNOUNCED_MAX: usize = 256;

/// Most folders of a transfer.
pub const FOLDERS_MAX: u64 = 100_000;

/// How long the piece at `at` of a file of `size` bytes is.
pub fn piece_bytes(size: u64, at: u64) -> u64 {
    size.saturating_sub(at).min(PIECE_BYTES)
}
