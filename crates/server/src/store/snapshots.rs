//! The one snapshot of a drained hub: written at the end, taken at the start.

use aws_lc_rs::digest::{Context, SHA256};
use rusqlite::{Connection, OptionalExtension, params};

use super::to_sql;

/// A hub written out. What it says is opaque here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The version of its form.
    pub format: u32,
    /// When it was written, in milliseconds since 1970.
    pub written_ms: u64,
    /// The hub.
    pub body: Vec<u8>,
}

/// What was found where the snapshot belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakenSnapshot {
    /// Nothing: the first start, or a crash came before.
    None,
    /// A good one. It is taken: a second start will not find it.
    Found(Snapshot),
    /// One that cannot be used. It was set aside and can still be looked at in the database.
    SetAside(SnapshotFault),
}

/// Why a snapshot cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotFault {
    /// Its checksum is wrong.
    #[error("the snapshot is damaged")]
    Damaged,
    /// A newer server wrote it.
    #[error("the snapshot is of format {0}, which this server does not know")]
    NewerFormat(u32),
}

pub(super) fn write(db: &Connection, snapshot: &Snapshot) -> rusqlite::Result<()> {
    put(db, "next", snapshot)
}

pub(super) fn set_aside(db: &Connection, snapshot: &Snapshot) -> rusqlite::Result<()> {
    put(db, "aside", snapshot)
}

pub(super) fn take(db: &Connection, format_max: u32) -> rusqlite::Result<TakenSnapshot> {
    let found = db
        .query_row("SELECT format, written_ms, sha256, body FROM snapshot WHERE slot = 'next'", [], |row| {
            let snapshot =
                Snapshot { format: row.get(0)?, written_ms: super::from_sql(row.get(1)?), body: row.get(3)? };
            Ok((snapshot, row.get::<_, Vec<u8>>(2)?))
        })
        .optional()?;
    let Some((snapshot, sum)) = found else {
        return Ok(TakenSnapshot::None);
    };
    let fault = if sum != checksum(&snapshot) {
        SnapshotFault::Damaged
    } else if snapshot.format > format_max {
        SnapshotFault::NewerFormat(snapshot.format)
    } else {
        db.execute("DELETE FROM snapshot WHERE slot = 'next'", [])?;
        return Ok(TakenSnapshot::Found(snapshot));
    };
    db.execute("UPDATE OR REPLACE snapshot SET slot = 'aside' WHERE slot = 'next'", [])?;
    Ok(TakenSnapshot::SetAside(fault))
}

fn put(db: &Connection, slot: &str, snapshot: &Snapshot) -> rusqlite::Result<()> {
    db.execute(
        "INSERT OR REPLACE INTO snapshot (slot, format, written_ms, sha256, body) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![slot, snapshot.format, to_sql(snapshot.written_ms), checksum(snapshot), snapshot.body],
    )?;
    Ok(())
}

/// Covers the form's version and the time, too.
fn checksum(snapshot: &Snapshot) -> Vec<u8> {
    let mut sum = Context::new(&SHA256);
    sum.update(&snapshot.format.to_be_bytes());
    sum.update(&snapshot.written_ms.to_be_bytes());
    sum.update(&snapshot.body);
    sum.finish().as_ref().to_vec()
}
