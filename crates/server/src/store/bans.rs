//! Whom the operator keeps out.

use rusqlite::{Connection, params};

use super::{from_sql, to_sql};

/// A ban by the operator's hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Given by the store, and never given twice.
    pub id: u64,
    /// Whom: an address, a network, an id. What it means is for others to know.
    pub subject: String,
    /// When it ends, in milliseconds since 1970; never, if none.
    pub until_ms: Option<u64>,
    /// Why, for people.
    pub reason: String,
}

/// Puts a ban, or changes the one on the same subject; returns its id.
pub(super) fn put(db: &Connection, subject: &str, until_ms: Option<u64>, reason: &str) -> rusqlite::Result<u64> {
    db.prepare_cached(
        "INSERT INTO ban (subject, until_ms, reason) VALUES (?1, ?2, ?3)
         ON CONFLICT (subject) DO UPDATE SET until_ms = excluded.until_ms, reason = excluded.reason
         RETURNING id",
    )?
    .query_row(params![subject, until_ms.map(to_sql), reason], |row| row.get(0))
    .map(from_sql)
}

pub(super) fn delete(db: &Connection, id: u64) -> rusqlite::Result<bool> {
    Ok(db.execute("DELETE FROM ban WHERE id = ?1", params![to_sql(id)])? > 0)
}

pub(super) fn all(db: &Connection) -> rusqlite::Result<Vec<Ban>> {
    db.prepare_cached("SELECT id, subject, until_ms, reason FROM ban ORDER BY id")?
        .query_map([], |row| {
            Ok(Ban {
                id: from_sql(row.get(0)?),
                subject: row.get(1)?,
                until_ms: row.get::<_, Option<i64>>(2)?.map(from_sql),
                reason: row.get(3)?,
            })
        })?
        .collect()
}
