//! Signals that wait for absent peers.

use rusqlite::{Connection, Row, params};

use wigwag_wire::{Device, Namespace, PeerId};

use super::to_sql;

/// A signal that waits for its receiver. What it says is opaque here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSignal {
    /// Given by whoever stores it, and never given twice.
    pub id: u64,
    /// The namespace it lives in.
    pub ns: Namespace,
    /// The id of the peer it is for.
    pub to: PeerId,
    /// The device it is for, if not for all of them.
    pub device: Option<Device>,
    /// When it stops to matter, in milliseconds since 1970.
    pub expires_ms: u64,
    /// What to hand over.
    pub body: Vec<u8>,
}

impl StoredSignal {
    /// The largest body.
    pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

    /// What it takes of the queue's bytes.
    pub(super) fn weight(&self) -> usize {
        let device = self.device.as_ref().map_or(0, |device| device.as_str().len());
        self.body.len() + self.ns.as_str().len() + self.to.as_str().len() + device
    }
}

/// False if there is one of that id.
pub(super) fn append(db: &Connection, signal: &StoredSignal) -> rusqlite::Result<bool> {
    let added = db
        .prepare_cached(
            "INSERT INTO signal (id, ns, peer, device, expires_ms, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            signal.id.cast_signed(),
            signal.ns.as_str(),
            signal.to.as_str(),
            signal.device.as_ref().map(Device::as_str),
            to_sql(signal.expires_ms),
            signal.body
        ])?;
    Ok(added > 0)
}

pub(super) fn delete(db: &Connection, ids: &[u64]) -> rusqlite::Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut statement = db.prepare_cached("DELETE FROM signal WHERE id = ?1")?;
    for id in ids {
        statement.execute(params![id.cast_signed()])?;
    }
    Ok(())
}

/// Deletes some of those that ran out, and says how many.
pub(super) fn purge(db: &Connection, now_ms: u64, limit: u32) -> rusqlite::Result<u32> {
    let gone = db
        .prepare_cached("DELETE FROM signal WHERE seq IN (SELECT seq FROM signal WHERE expires_ms <= ?1 LIMIT ?2)")?
        .execute(params![to_sql(now_ms), limit])?;
    Ok(u32::try_from(gone).unwrap_or(u32::MAX))
}

/// Those that come after `seq` in the order of storing and have not run out, each with its place in that order. None
/// stands for one whose names another server's rules allowed, but not this one's.
pub(super) fn page(
    db: &Connection,
    now_ms: u64,
    after: i64,
    limit: u32,
) -> rusqlite::Result<Vec<(i64, Option<StoredSignal>)>> {
    db.prepare_cached(
        "SELECT seq, id, ns, peer, device, expires_ms, body FROM signal
         WHERE seq > ?1 AND expires_ms > ?2 ORDER BY seq LIMIT ?3",
    )?
    .query_map(params![after, to_sql(now_ms), limit], |row| Ok((row.get(0)?, from_row(row)?)))?
    .collect()
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Option<StoredSignal>> {
    let text = |index: usize| row.get::<_, String>(index);
    let device = row.get::<_, Option<String>>(4)?.map(|device| Device::new(&device)).transpose();
    let (Ok(ns), Ok(to), Ok(device)) = (Namespace::new(&text(2)?), PeerId::new(&text(3)?), device) else {
        return Ok(None);
    };
    let id = row.get::<_, i64>(1)?.cast_unsigned();
    Ok(Some(StoredSignal { id, ns, to, device, expires_ms: super::from_sql(row.get(5)?), body: row.get(6)? }))
}
