//! Random values that the server makes once and keeps.

use rusqlite::{Connection, OptionalExtension, params};

/// The secret of that name; `fresh` becomes it if there is none yet.
pub(super) fn secret(db: &Connection, name: &str, fresh: [u8; 32]) -> rusqlite::Result<[u8; 32]> {
    let key = format!("secret:{name}");
    let kept: Option<[u8; 32]> =
        db.query_row("SELECT value FROM meta WHERE key = ?1", params![key], |row| row.get(0)).optional()?;
    if let Some(kept) = kept {
        return Ok(kept);
    }
    db.execute("INSERT INTO meta (key, value) VALUES (?1, ?2)", params![key, fresh])?;
    Ok(fresh)
}
