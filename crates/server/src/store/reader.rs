//! The thread that reads, so that a look at what is there never waits for a disk that is being written.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rusqlite::Connection;
use tracing::warn;

use super::connect::connect_reader;
use super::error::Fault;
use super::queue::{Batch, Queue};
use super::writer::Health;
use super::{StoreError, StoreMetrics};

/// Works until the queue is closed and empty.
pub(super) fn run(database: &Path, queue: &Arc<Queue>, health: &Health, metrics: &StoreMetrics) {
    let mut db: Option<Connection> = None;
    let mut warned = false;
    loop {
        let mut batch = queue.take(false, None);
        if batch.closed && batch.is_empty() {
            return;
        }
        // Until the writer was there, there may be no tables to read.
        let outcome = if health.ready.load(Ordering::Acquire) {
            read(&mut db, database, &mut batch)
        } else {
            Err((Fault::Degraded, None))
        };
        match outcome {
            Ok(()) => {
                warned = false;
                for job in batch.jobs {
                    job.answer(Ok(()));
                }
            }
            Err((fault, error)) => {
                db = None;
                if let Some(error) = error.filter(|_| !warned) {
                    warn!(%error, "the store cannot read: {fault}");
                    warned = true;
                }
                for job in batch.jobs {
                    metrics.count_error(fault);
                    let own = fault == Fault::Own;
                    job.answer(Err(if own { StoreError::Internal } else { StoreError::Unavailable }));
                }
            }
        }
    }
}

/// Reads for a whole batch in one transaction, which begins after every request of the batch was made.
fn read(
    db: &mut Option<Connection>,
    database: &Path,
    batch: &mut Batch,
) -> Result<(), (Fault, Option<rusqlite::Error>)> {
    let fail = |error: rusqlite::Error| (Fault::of(&error), Some(error));
    let db = match db {
        Some(db) => db,
        None => db.insert(connect_reader(database).map_err(fail)?),
    };
    let tx = db.transaction().map_err(fail)?;
    for job in &mut batch.jobs {
        job.run(&tx).map_err(fail)?;
    }
    tx.commit().map_err(fail)
}
