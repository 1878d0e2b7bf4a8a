//! `wigwag send` and `wigwag receive`: files and folders from one machine to another.

mod meet;
mod place;
mod receive;
mod send;
mod show;

use std::time::Duration;

use tokio::time::timeout;
use wigwag::files::{Reason, Summary, Transfer, TransferError};

pub(crate) use self::receive::run as receive;
pub(crate) use self::send::run as send;
use self::show::Show;
use crate::exit::{Exit, Failure};

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(6);

/// What came of an attempt.
enum Outcome {
    Done(Summary),
    /// The connection was lost: another one goes on.
    Cut,
}

/// Shows a transfer until its end.
async fn follow(transfer: &mut Transfer, show: &mut Show<'_>) -> Result<Outcome, Failure> {
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let ended = loop {
        tokio::select! {
            ended = transfer.finished() => break ended,
            _ = ticks.tick() => show.progress(&transfer.progress())?,
        }
    };
    show.progress(&transfer.progress())?;
    show.wipe();
    match ended {
        Ok(summary) => Ok(Outcome::Done(summary)),
        Err(TransferError::Cut) => Ok(Outcome::Cut),
        Err(why) => Err(failure(why)),
    }
}

/// A person ended it: says so to the other side.
async fn cancel(mut transfer: Transfer) {
    transfer.cancel();
    // Whoever does not hear it finds out by itself.
    let _ = timeout(GOODBYE, transfer.finished()).await;
}

fn failure(why: TransferError) -> Failure {
    let exit = match &why {
        TransferError::Theirs(Reason::Broken) | TransferError::Ours(Reason::Broken | Reason::BadPath, _) => {
            Exit::Broken
        }
        TransferError::Theirs(_) | TransferError::Ours(Reason::Declined, _) => Exit::Refused,
        TransferError::Ours(Reason::Cancelled, _) => Exit::Interrupted,
        TransferError::Ours(..) => Exit::Io,
        _ => Exit::Failed,
    };
    exit.because(why)
}
