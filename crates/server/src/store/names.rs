//! Names and the keys that speak for them.

use rusqlite::{Connection, OptionalExtension, params};

use wigwag_wire::{Namespace, PeerId, PublicKey};

use super::to_sql;

/// The answer to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The name was free; it is this key's now, and will be after any crash.
    Bound,
    /// The name is this key's already.
    Mine,
    /// The name is another key's.
    Taken,
    /// The key has claimed as many names as it may.
    TooMany,
}

/// The answer to a change of a name's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// It is so now.
    Done,
    /// The acting key does not speak for the name.
    NotBound,
    /// The new key speaks for the name already, or the key to be removed does not.
    Nothing,
    /// The name has as many keys as it may.
    TooMany,
}

/// A name as the operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRecord {
    /// `local@domain`.
    pub name: String,
    /// The keys that speak for it, in their text form.
    pub keys: Vec<String>,
    /// When it was claimed, in milliseconds since 1970.
    pub created_ms: u64,
    /// When one of its keys was last proved, in milliseconds since 1970. May lag behind by seconds.
    pub seen_ms: u64,
}

/// Whose the name is, seen from a key: None if it is free.
pub(super) fn look(db: &Connection, ns: &Namespace, name: &PeerId, key: &PublicKey) -> rusqlite::Result<Option<Claim>> {
    if speaks(db, ns, name, key)? {
        return Ok(Some(Claim::Mine));
    }
    let taken = db
        .prepare_cached("SELECT 1 FROM name WHERE ns = ?1 AND name = ?2")?
        .exists(params![ns.as_str(), name.as_str()])?;
    Ok(taken.then_some(Claim::Taken))
}

pub(super) fn claim(
    db: &Connection,
    ns: &Namespace,
    name: &PeerId,
    key: &PublicKey,
    names_max: u64,
    now_ms: u64,
) -> rusqlite::Result<Claim> {
    if let Some(known) = look(db, ns, name, key)? {
        return Ok(known);
    }
    if names_max != 0 && claimed_at_least(db, ns, key, names_max)? {
        return Ok(Claim::TooMany);
    }
    create(db, ns, name, now_ms)?;
    bind(db, ns, name, key, true, now_ms)?;
    Ok(Claim::Bound)
}

/// How many names the key claimed. Names that others gave it do not count, or they could use up its share.
pub(super) fn count_claimed(db: &Connection, ns: &Namespace, key: &PublicKey) -> rusqlite::Result<u64> {
    db.prepare_cached("SELECT count(*) FROM name_key WHERE ns = ?1 AND key = ?2 AND claimed = 1")?
        .query_row(params![ns.as_str(), key.to_string()], |row| row.get::<_, i64>(0))
        .map(super::from_sql)
}

pub(super) fn add_key(
    db: &Connection,
    ns: &Namespace,
    name: &PeerId,
    acting: &PublicKey,
    new: &PublicKey,
    keys_max: u64,
    now_ms: u64,
) -> rusqlite::Result<KeyChange> {
    if !speaks(db, ns, name, acting)? {
        return Ok(KeyChange::NotBound);
    }
    if speaks(db, ns, name, new)? {
        return Ok(KeyChange::Nothing);
    }
    if keys_max != 0 && count_keys(db, ns, name)? >= keys_max {
        return Ok(KeyChange::TooMany);
    }
    bind(db, ns, name, new, false, now_ms)?;
    Ok(KeyChange::Done)
}

pub(super) fn rotate(
    db: &Connection,
    ns: &Namespace,
    name: &PeerId,
    old: &PublicKey,
    new: &PublicKey,
    now_ms: u64,
) -> rusqlite::Result<KeyChange> {
    if !speaks(db, ns, name, old)? {
        return Ok(KeyChange::NotBound);
    }
    if old == new {
        return Ok(KeyChange::Nothing);
    }
    unbind(db, ns, name, old)?;
    if !speaks(db, ns, name, new)? {
        bind(db, ns, name, new, false, now_ms)?;
    }
    Ok(KeyChange::Done)
}

pub(super) fn remove_key(
    db: &Connection,
    ns: &Namespace,
    name: &PeerId,
    acting: &PublicKey,
    gone: &PublicKey,
) -> rusqlite::Result<KeyChange> {
    if !speaks(db, ns, name, acting)? {
        return Ok(KeyChange::NotBound);
    }
    if !speaks(db, ns, name, gone)? {
        return Ok(KeyChange::Nothing);
    }
    if count_keys(db, ns, name)? <= 1 {
        release(db, ns, name)?;
    } else {
        unbind(db, ns, name, gone)?;
    }
    Ok(KeyChange::Done)
}

pub(super) fn rebind(
    db: &Connection,
    ns: &Namespace,
    name: &PeerId,
    key: &PublicKey,
    now_ms: u64,
) -> rusqlite::Result<()> {
    create(db, ns, name, now_ms)?;
    db.prepare_cached("DELETE FROM name_key WHERE ns = ?1 AND name = ?2")?
        .execute(params![ns.as_str(), name.as_str()])?;
    bind(db, ns, name, key, true, now_ms)
}

pub(super) fn release(db: &Connection, ns: &Namespace, name: &PeerId) -> rusqlite::Result<bool> {
    // Its keys go with it, by the foreign key.
    let gone = db
        .prepare_cached("DELETE FROM name WHERE ns = ?1 AND name = ?2")?
        .execute(params![ns.as_str(), name.as_str()])?;
    Ok(gone > 0)
}

pub(super) fn touch(db: &Connection, ns: &Namespace, name: &PeerId, seen_ms: u64) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE name SET seen_ms = max(seen_ms, ?3) WHERE ns = ?1 AND name = ?2")?.execute(params![
        ns.as_str(),
        name.as_str(),
        to_sql(seen_ms)
    ])?;
    Ok(())
}

pub(super) fn last_seen(db: &Connection, ns: &Namespace, name: &PeerId) -> rusqlite::Result<Option<u64>> {
    db.prepare_cached("SELECT seen_ms FROM name WHERE ns = ?1 AND name = ?2")?
        .query_row(params![ns.as_str(), name.as_str()], |row| row.get::<_, i64>(0))
        .optional()
        .map(|found| found.map(super::from_sql))
}

/// The keys of a name. One that this server cannot read (another server's, or mended by hand) cannot prove itself here.
pub(super) fn keys(db: &Connection, ns: &Namespace, name: &PeerId) -> rusqlite::Result<Vec<PublicKey>> {
    let texts = key_texts(db, ns, name.as_str())?;
    Ok(texts.iter().filter_map(|text| PublicKey::parse(text).ok()).collect())
}

pub(super) fn page(db: &Connection, ns: &Namespace, after: &str, limit: u32) -> rusqlite::Result<Vec<NameRecord>> {
    let mut found = db.prepare_cached(
        "SELECT name, created_ms, seen_ms FROM name WHERE ns = ?1 AND name > ?2 ORDER BY name LIMIT ?3",
    )?;
    let rows = found.query_map(params![ns.as_str(), after, limit], |row| {
        Ok(NameRecord {
            name: row.get(0)?,
            keys: Vec::new(),
            created_ms: super::from_sql(row.get(1)?),
            seen_ms: super::from_sql(row.get(2)?),
        })
    })?;
    rows.map(|row| {
        let mut record = row?;
        record.keys = key_texts(db, ns, &record.name)?;
        Ok(record)
    })
    .collect()
}

fn key_texts(db: &Connection, ns: &Namespace, name: &str) -> rusqlite::Result<Vec<String>> {
    db.prepare_cached("SELECT key FROM name_key WHERE ns = ?1 AND name = ?2 ORDER BY key")?
        .query_map(params![ns.as_str(), name], |row| row.get(0))?
        .collect()
}

/// Looks no further than need be: a key may have been let claim very many.
fn claimed_at_least(db: &Connection, ns: &Namespace, key: &PublicKey, number: u64) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM name_key WHERE ns = ?1 AND key = ?2 AND claimed = 1 LIMIT 1 OFFSET ?3")?
        .exists(params![ns.as_str(), key.to_string(), to_sql(number) - 1])
}

fn speaks(db: &Connection, ns: &Namespace, name: &PeerId, key: &PublicKey) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM name_key WHERE ns = ?1 AND name = ?2 AND key = ?3")?.exists(params![
        ns.as_str(),
        name.as_str(),
        key.to_string()
    ])
}

fn count_keys(db: &Connection, ns: &Namespace, name: &PeerId) -> rusqlite::Result<u64> {
    db.prepare_cached("SELECT count(*) FROM name_key WHERE ns = ?1 AND name = ?2")?
        .query_row(params![ns.as_str(), name.as_str()], |row| row.get::<_, i64>(0))
        .map(super::from_sql)
}

fn create(db: &Connection, ns: &Namespace, name: &PeerId, now_ms: u64) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO name VALUES (?1, ?2, ?3, ?3) ON CONFLICT DO NOTHING")?.execute(params![
        ns.as_str(),
        name.as_str(),
        to_sql(now_ms)
    ])?;
    Ok(())
}

fn bind(
    db: &Connection,
    ns: &Namespace,
    name: &PeerId,
    key: &PublicKey,
    claimed: bool,
    now_ms: u64,
) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO name_key VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
        ns.as_str(),
        name.as_str(),
        key.to_string(),
        claimed,
        to_sql(now_ms)
    ])?;
    Ok(())
}

fn unbind(db: &Connection, ns: &Namespace, name: &PeerId, key: &PublicKey) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM name_key WHERE ns = ?1 AND name = ?2 AND key = ?3")?.execute(params![
        ns.as_str(),
        name.as_str(),
        key.to_string()
    ])?;
    Ok(())
}
