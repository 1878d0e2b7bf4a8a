//! What can go wrong, sorted by what to do about it.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};
use rusqlite::ErrorCode;
use thiserror::Error;

/// Why a store could not be opened. Each says what an operator can do.
#[derive(Debug, Error)]
pub enum OpenError {
    /// There is no folder of the user's own on this machine.
    #[error("no place to keep data: give a data folder, or set STATE_DIRECTORY or HOME")]
    NoHome,
    /// The folder cannot be made, entered or written.
    #[error("cannot use the data folder {path}: check that it exists and belongs to this user")]
    Folder {
        /// The data folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process holds the folder's lock.
    #[error("another server{by} uses the data folder {path}: stop it, or give this one a folder of its own")]
    InUse {
        /// The data folder.
        path: PathBuf,
        /// " (process N)", as far as it is known.
        by: String,
    },
    /// A later version of the server has written here.
    #[error(
        "{path} was written by a newer server (schema {found}, this one knows {known}): \
         start that version, or restore a backup from before the upgrade"
    )]
    NewerSchema {
        /// The database file.
        path: PathBuf,
        /// The schema found there.
        found: u32,
        /// The newest schema known here.
        known: u32,
    },
    /// The file is not a database, or a damaged one.
    #[error("{path} is damaged: restore a backup, or move the file away to start anew")]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// What the database said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The database could not be opened for another reason.
    #[error("cannot open {path}: {advice}")]
    Database {
        /// The database file.
        path: PathBuf,
        /// What an operator can do.
        advice: &'static str,
        /// What the database said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The system gave no thread.
    #[error("cannot start a thread for the store")]
    Thread(#[source] io::Error),
}

/// Why a request to an open store was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// The queue is full. Nothing was done; ask again soon.
    #[error("the store's queue is full")]
    Busy,
    /// The disk does not take or give data. What was asked may or may not be found done after a restart.
    #[error("the store is not available")]
    Unavailable,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// A signal of that id is stored already.
    #[error("a signal of that id is stored already")]
    DuplicateId,
    /// A signal's body is larger than [`super::StoredSignal::BODY_BYTES_MAX`].
    #[error("the signal is too large to be stored")]
    TooLarge,
    /// A fault of the store's own.
    #[error("a fault inside the store")]
    Internal,
}

/// What the database's refusal means for the store as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fault {
    Full,
    ReadOnly,
    Io,
    Damaged,
    Locked,
    /// The request was turned away because the queue was full.
    Busy,
    /// The request was turned away because the store was degraded already.
    Degraded,
    /// The request itself is at fault, not the disk.
    Own,
}

impl Fault {
    pub(super) fn of(error: &rusqlite::Error) -> Self {
        let rusqlite::Error::SqliteFailure(failure, _) = error else {
            return Self::Own;
        };
        match failure.code {
            ErrorCode::DiskFull => Self::Full,
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Self::ReadOnly,
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::OutOfMemory
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::NoLargeFileSupport => Self::Io,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged,
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Locked,
            _ => Self::Own,
        }
    }

    pub(super) const ALL: [Self; 8] =
        [Self::Full, Self::ReadOnly, Self::Io, Self::Damaged, Self::Locked, Self::Busy, Self::Degraded, Self::Own];

    fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ReadOnly => "read_only",
            Self::Io => "io",
            Self::Damaged => "damaged",
            Self::Locked => "locked",
            Self::Busy => "busy",
            Self::Degraded => "degraded",
            Self::Own => "own",
        }
    }

    /// What an operator can do about it.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::Full => "the disk is full: free some space on it",
            Self::ReadOnly => "the disk or the file is read-only: mount it writable, or mend the file's owner and mode",
            Self::Io => "the disk fails or cannot be reached: see the system's log",
            Self::Damaged => "the database is damaged: stop the server and restore a backup",
            Self::Locked => "another program holds the database: end its transaction",
            Self::Busy => "the disk is slower than the requests come: give it a faster one",
            Self::Degraded => "see what the log said before",
            Self::Own => "a fault inside the store: please report it",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.advice())
    }
}

impl EncodeLabelValue for Fault {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.name().encode(encoder)
    }
}
