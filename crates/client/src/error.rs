//! Why something did not happen.

use wigwag_peer::{GivenUp, Refused};

/// Why a question to the server has no good answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The server said no, with a code of `spec/codes.md`.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// There is no answer.
    #[error(transparent)]
    GivenUp(#[from] GivenUp),
    /// What was to be asked cannot be said.
    #[error("this cannot be asked: {0}")]
    Bad(String),
    /// The server answered something else.
    #[error("the server's answer cannot be read")]
    Unreadable,
}

impl AskError {
    /// The code of the refusal, where it is one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused(refused) => Some(refused.code),
            _ => None,
        }
    }

    pub(crate) fn closed() -> Self {
        Self::GivenUp(GivenUp::Closed("this client is closed".into()))
    }

    #[expect(clippy::needless_pass_by_value, reason = "so that `map_err` takes it")]
    pub(crate) fn bad(why: impl ToString) -> Self {
        Self::Bad(why.to_string())
    }
}

/// Why there is no client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// None was named.
    #[error("no server is known: name one with `server`")]
    NoServer,
    /// One that was named is none.
    #[error(transparent)]
    BadServer(#[from] crate::server::BadServer),
    /// What we want to be called is no name.
    #[error("{0}")]
    BadName(String),
    /// The servers do not let us in, and will not later.
    #[error("the server does not let us in: {why} ({code})")]
    Refused {
        /// A number of `spec/codes.md`.
        code: u16,
        /// Its name.
        why: String,
    },
    /// No server let us in in time.
    #[error("no server let us in in time{}{last}", if last.is_empty() { "" } else { "; last: " })]
    Timeout {
        /// What the last one said, or empty.
        last: String,
    },
    /// This machine lacks something.
    #[error("{0}")]
    System(String),
}

/// Why a message was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is over.
    #[error("this connection is closed")]
    Closed,
    /// The other side takes no messages of this size.
    #[error("one message may have {most} bytes, and this one has {size}")]
    TooLarge {
        /// What it has.
        size: usize,
        /// What it may have.
        most: usize,
    },
    /// It is no JSON.
    #[error("this cannot be written as JSON: {0}")]
    Bad(String),
    /// The engine below failed.
    #[error("{0}")]
    Failed(String),
}

impl SendError {
    /// What went wrong below; what was sent is longer by the letter that tells its kind.
    pub(crate) fn from_engine(error: &wigwag_rtc::Error) -> Self {
        match error {
            wigwag_rtc::Error::TooLarge { size, most } => Self::TooLarge { size: *size, most: *most },
            wigwag_rtc::Error::Closed => Self::Closed,
            other => Self::Failed(other.to_string()),
        }
    }
}
