//! What must survive a restart: names and their keys, signals that wait for absent peers, the snapshot of a drained
//! hub, bans, and a few secrets of the server's own.
//!
//! The store decides nothing about the protocol: it binds, counts and forgets what the driver tells it to, and says
//! what is so. It never sees a socket or a frame, and nobody outside this room sees SQL. Its neighbours are the
//! driver, which carries the hub's wishes here, and the admin API, which is the operator's hand.
//!
//! It is SQLite today. PostgreSQL is to do the same one day for the nodes of a cluster, so the surface holds no type
//! of the database's library: text for namespaces, names and keys, numbers for times, bytes for what is opaque.
//!
//! Promises:
//! - What is answered `Ok` by an `async` function that writes is on the disk (or, for `:memory:`, in the memory).
//!   Functions that are not `async` promise to do it soon.
//! - One thread writes; requests that wait together are committed together. The queue is bounded and says
//!   [`StoreError::Busy`] when it is full.
//! - A disk that is full, read-only or broken makes the store *degraded*: it answers [`StoreError::Unavailable`],
//!   says so once in the log, tries again every few seconds and goes on by itself when it can.

mod bans;
mod connect;
mod error;
mod folder;
mod handle;
mod metrics;
mod names;
mod queue;
mod reader;
mod secrets;
mod signals;
mod snapshots;
mod writer;

pub use bans::Ban;
pub use error::{OpenError, StoreError};
pub use folder::{Place, default_data_dir};
pub use handle::{Store, StoreOptions};
pub use metrics::StoreMetrics;
pub use names::{Claim, KeyChange, NameRecord};
pub use signals::StoredSignal;
pub use snapshots::{Snapshot, SnapshotFault, TakenSnapshot};

/// SQLite's integers have a sign; a time beyond them is as good as the last one.
fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
