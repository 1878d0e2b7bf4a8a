//! Files over a connection, as a program sends and receives them. The rules are in `wigwag-files`, where nothing touches a disk; here are the disk, on
//! threads of its own, and the tasks that stand between it and a channel. However large a file is, only what is under way is in memory.
//!
//! ```no_run
//! # async fn example(connection: wigwag::Connection) -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use wigwag::files::{Files, Into};
//!
//! let files = Arc::new(Files::gather(vec!["photos".into()]).await?);
//! let mut sending = connection.send_files(&files).await?;
//! while sending.changed().await {
//!     println!("{:?}", sending.progress());
//! }
//! println!("{} bytes had to cross", sending.finished().await?.crossed);
//!
//! while let Some(offered) = connection.incoming_files().await {
//!     println!("{}: {} files, {} bytes", offered.name(), offered.files(), offered.bytes());
//!     let mut taking = offered.accept(Into { folder: "downloads".into(), overwrite: false });
//!     println!("{:?}", taking.finished().await?.places);
//! }
//! # Ok(()) }
//! ```

mod disk;
mod gather;
mod read;
mod receive;
mod send;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use wigwag_files::End;
pub use wigwag_files::{BadCode, LABEL, Reason, WORDS_MIN, WordCode, words};

pub use self::gather::{Files, GatherError, LeftOut};
pub use self::receive::{Into, Offered};
use crate::connection::{Channel, Connection};
use crate::error::SendError;

/// How long the last words of a transfer may take.
const GOODBYE: Duration = Duration::from_secs(5);

impl Connection {
    /// Offers these files to the other side, and sends what it takes. It goes on while the handle is there; dropped, it is cancelled.
    pub async fn send_files(&self, files: &Arc<Files>) -> Result<Transfer, SendError> {
        let channel = self.channel(LABEL).await?;
        Ok(send::start(channel, Arc::clone(files)))
    }

    /// The next files that the other side offers; `None` when the connection is over. Takes the other side's channels as
    /// [`Connection::accept_channel`] does, and closes those that are for something else: who wants them, too, hands each to [`Offered::read`].
    pub async fn incoming_files(&self) -> Option<Offered> {
        loop {
            let channel = self.accept_channel().await?;
            if channel.label() != LABEL {
                channel.close().await;
            } else if let Some(offered) = Offered::read(channel).await {
                return Some(offered);
            }
        }
    }
}

/// A transfer that goes on by itself. Dropped, it is cancelled; what has come of a file is kept to be gone on with.
#[derive(Debug)]
pub struct Transfer {
    progress: watch::Receiver<Progress>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<Summary, TransferError>>,
}

/// How far a transfer is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Whether the other side has taken it.
    pub accepted: bool,
    /// Files that are done with.
    pub files: u64,
    /// Files in all.
    pub files_total: u64,
    /// Bytes that are there: those that crossed, and those that were there before.
    pub bytes: u64,
    /// Bytes in all.
    pub bytes_total: u64,
    /// Bytes that crossed.
    pub crossed: u64,
    /// The file that is under way, as its path crossed.
    pub path: Arc<str>,
}

/// What came of a transfer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files that are there now.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes that had to cross for it.
    pub crossed: u64,
    /// Where the first files are now; at the receiver.
    pub places: Vec<PathBuf>,
    /// Files that are called otherwise than at the sender's, because another one was there or this system cannot call them so.
    pub renamed: u64,
    /// Files that were there already.
    pub already: u64,
}

/// Why a transfer came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The other side ended it.
    #[error("the other side {}", theirs(*.0))]
    Theirs(Reason),
    /// We ended it, and what the matter was.
    #[error("{1}")]
    Ours(Reason, String),
    /// The connection is over. Offered again, it goes on where it was.
    #[error("the connection was lost")]
    Cut,
}

fn theirs(reason: Reason) -> &'static str {
    match reason {
        Reason::Declined => "does not want it",
        Reason::Cancelled => "cancelled it",
        Reason::TooLarge => "has no room for it",
        Reason::Disk => "could not write it",
        Reason::Changed => "could not read a file any more, or it changed meanwhile",
        Reason::BadPath => "refuses a path",
        Reason::Broken => "says that something did not arrive as it was sent",
    }
}

impl TransferError {
    fn of(end: End, why: Option<String>) -> Self {
        match end {
            End::Theirs(reason) => Self::Theirs(reason),
            End::Ours(reason) => Self::Ours(reason, why.unwrap_or_else(|| ours(reason).to_owned())),
        }
    }
}

fn ours(reason: Reason) -> &'static str {
    match reason {
        Reason::BadPath => "the other side sent a path that leads elsewhere: nothing was written there",
        Reason::Broken => "the other side did not keep to the rules, or something arrived otherwise than it was sent",
        Reason::Cancelled => "it was cancelled",
        Reason::Declined => "it was declined",
        Reason::TooLarge => "there is not enough room for it",
        Reason::Disk => "it could not be written",
        Reason::Changed => "a file changed or cannot be read any more",
    }
}

/// Lets what was said arrive, and closes. What still comes is taken in and thrown away: an engine whose messages nobody reads hears no confirmation either.
async fn farewell(channel: &Channel) {
    let rest = async { while channel.recv().await.is_some() {} };
    let said = async {
        tokio::select! {
            () = channel.flushed() => {}
            () = rest => {}
        }
    };
    let _ = timeout(GOODBYE, said).await;
    channel.close().await;
}

/// Tells how far it is, where that is news.
fn show(tell: &watch::Sender<Progress>, accepted: bool, files: u64, bytes: u64, crossed: u64) {
    tell.send_if_modified(|progress| {
        let now = (accepted, files, bytes, crossed);
        let is_news = (progress.accepted, progress.files, progress.bytes, progress.crossed) != now;
        (progress.accepted, progress.files, progress.bytes, progress.crossed) = now;
        is_news
    });
}

impl Transfer {
    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// Waits until it is further; false when it is over. Dropping the future loses nothing.
    pub async fn changed(&mut self) -> bool {
        self.progress.changed().await.is_ok()
    }

    /// Waits for its end. Dropping the future loses nothing; to be asked once.
    pub async fn finished(&mut self) -> Result<Summary, TransferError> {
        (&mut self.task).await.unwrap_or(Err(TransferError::Cut))
    }

    /// Ends it, and tells the other side.
    pub fn cancel(&mut self) {
        self.stop = None;
    }
}
