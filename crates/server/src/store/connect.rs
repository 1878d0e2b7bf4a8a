//! Opening the database: the settings of a connection, and the schema's way from each version to the next.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::OpenError;
use super::error::Fault;
use super::folder::{Folder, create_private};

/// How long a connection waits for another program (a backup, a shell) to let the database go.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Each step leads from the version of its index to the next. Steps are never changed once released, only added.
const STEPS: &[&str] = &["
    CREATE TABLE name (
        ns         TEXT NOT NULL,
        name       TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        seen_ms    INTEGER NOT NULL,
        PRIMARY KEY (ns, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE name_key (
        ns         TEXT NOT NULL,
        name       TEXT NOT NULL,
        key        TEXT NOT NULL,
        -- 1 if this key claimed the name itself: only that counts against it.
        claimed    INTEGER NOT NULL,
        added_ms   INTEGER NOT NULL,
        PRIMARY KEY (ns, name, key),
        FOREIGN KEY (ns, name) REFERENCES name ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX name_key_by_key ON name_key (ns, key) WHERE claimed = 1;

    CREATE TABLE signal (
        -- The order in which they were stored.
        seq        INTEGER PRIMARY KEY,
        -- An unsigned number of 64 bits, bit for bit.
        id         INTEGER NOT NULL UNIQUE,
        ns         TEXT NOT NULL,
        peer       TEXT NOT NULL,
        device     TEXT,
        expires_ms INTEGER NOT NULL,
        body       BLOB NOT NULL
    ) STRICT;
    CREATE INDEX signal_by_expiry ON signal (expires_ms);

    CREATE TABLE snapshot (
        -- 'next' waits to be taken, 'aside' could not be used.
        slot       TEXT PRIMARY KEY,
        format     INTEGER NOT NULL,
        written_ms INTEGER NOT NULL,
        sha256     BLOB NOT NULL,
        body       BLOB NOT NULL
    ) STRICT;

    CREATE TABLE ban (
        id         INTEGER PRIMARY KEY AUTOINCREMENT,
        subject    TEXT NOT NULL UNIQUE,
        until_ms   INTEGER,
        reason     TEXT NOT NULL
    ) STRICT;

    CREATE TABLE meta (
        key        TEXT PRIMARY KEY,
        value      BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
"];

/// The newest schema that this server knows.
const SCHEMA: u32 = STEPS.len() as u32;

/// What a writer opens, again and again if need be.
#[derive(Debug)]
pub(super) enum Source {
    Memory,
    Folder(Folder),
}

impl Source {
    /// Opens the database for writing and brings its schema up to date.
    pub(super) fn connect(&self) -> Result<Connection, ConnectError> {
        let folder = match self {
            Self::Memory => {
                let mut db = Connection::open_in_memory()?;
                migrate(&mut db)?;
                return Ok(db);
            }
            Self::Folder(folder) => folder,
        };
        create_private(folder.database()).map_err(ConnectError::Create)?;
        let mut db = Connection::open_with_flags(
            folder.database(),
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        prepare(&db)?;
        // Before anything is written: a newer server's file is left as it is.
        check_version(&db)?;
        let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if mode != "wal" {
            return Err(ConnectError::NoWriteAheadLog);
        }
        db.execute_batch(
            // fullfsync matters on macOS, where fsync alone does not reach the disk.
            "PRAGMA synchronous = FULL;
             PRAGMA fullfsync = ON;
             PRAGMA checkpoint_fullfsync = ON;
             PRAGMA journal_size_limit = 8388608;",
        )?;
        migrate(&mut db)?;
        Ok(db)
    }

    pub(super) fn database(&self) -> Option<&Path> {
        match self {
            Self::Memory => None,
            Self::Folder(folder) => Some(folder.database()),
        }
    }

    /// Whether to go on without the database when it cannot be opened: only where it worked before, and only for
    /// faults that pass.
    pub(super) fn may_start_degraded(&self, error: &ConnectError) -> bool {
        let Self::Folder(folder) = self else {
            return false;
        };
        let passing = matches!(error.fault(), Fault::Full | Fault::ReadOnly | Fault::Io | Fault::Locked);
        passing && folder.was_used()
    }
}

/// Opens the database for reading only.
pub(super) fn connect_reader(database: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    prepare(&db)?;
    Ok(db)
}

/// Why the database could not be opened.
#[derive(Debug)]
pub(super) enum ConnectError {
    Create(std::io::Error),
    NewerSchema(u32),
    NoWriteAheadLog,
    Sql(rusqlite::Error),
}

impl ConnectError {
    pub(super) fn fault(&self) -> Fault {
        match self {
            Self::Create(error) => match error.kind() {
                std::io::ErrorKind::StorageFull => Fault::Full,
                std::io::ErrorKind::ReadOnlyFilesystem => Fault::ReadOnly,
                _ => Fault::Io,
            },
            Self::Sql(error) => Fault::of(error),
            Self::NewerSchema(_) | Self::NoWriteAheadLog => Fault::Own,
        }
    }

    pub(super) fn into_open_error(self, path: Option<&Path>) -> OpenError {
        let path = path.map_or_else(|| PathBuf::from(":memory:"), Path::to_path_buf);
        let fault = self.fault();
        match self {
            Self::Create(source) => OpenError::Folder { path, source },
            Self::NewerSchema(found) => OpenError::NewerSchema { path, found, known: SCHEMA },
            Self::NoWriteAheadLog => OpenError::Database {
                path,
                advice: "SQLite cannot keep a write-ahead log there; a network file system will not do",
                source: "journal_mode is not WAL".into(),
            },
            Self::Sql(error) if fault == Fault::Damaged => OpenError::Damaged { path, source: error.into() },
            Self::Sql(error) => OpenError::Database { path, advice: fault.advice(), source: error.into() },
        }
    }
}

impl From<rusqlite::Error> for ConnectError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

fn prepare(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(LOCK_WAIT)?;
    db.set_prepared_statement_cache_capacity(64);
    // No memory map: a disk that fails would end the process by a signal instead of an error.
    db.execute_batch(
        "PRAGMA foreign_keys = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA temp_store = MEMORY;
         PRAGMA mmap_size = 0;",
    )
}

fn check_version(db: &Connection) -> Result<u32, ConnectError> {
    let found: u32 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > SCHEMA { Err(ConnectError::NewerSchema(found)) } else { Ok(found) }
}

fn migrate(db: &mut Connection) -> Result<(), ConnectError> {
    let version = check_version(db)?;
    Ok(advance(db, version, STEPS)?)
}

/// Takes the steps from that version on, each with its number in one transaction.
fn advance(db: &mut Connection, mut version: u32, steps: &[&str]) -> rusqlite::Result<()> {
    while let Some(step) = steps.get(version as usize) {
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(step)?;
        version += 1;
        tx.pragma_update(None, "user_version", version)?;
        tx.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_schema_advances_whole_steps_only() {
        let mut db = Connection::open_in_memory().unwrap();
        let broken = ["CREATE TABLE a (x)", "CREATE TABLE b (x); CREATE TABLE a (x)", "CREATE TABLE c (x)"];
        assert!(advance(&mut db, 0, &broken).is_err());
        assert_eq!(check_version(&db).unwrap(), 1);
        let tables = |db: &Connection| -> Vec<String> {
            let mut names = db.prepare("SELECT name FROM sqlite_schema ORDER BY name").unwrap();
            names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        assert_eq!(tables(&db), ["a"]);

        let mended = ["CREATE TABLE a (x)", "CREATE TABLE b (x)"];
        advance(&mut db, 1, &mended).unwrap();
        assert_eq!(tables(&db), ["a", "b"]);
        advance(&mut db, 2, &mended).unwrap();
    }

    #[test]
    fn a_commit_waits_for_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let db = Source::Folder(Folder::hold(dir.path()).unwrap()).connect().unwrap();
        let setting = |name: &str| -> String {
            db.query_row(&format!("SELECT CAST(p AS TEXT) FROM (SELECT {name} AS p FROM pragma_{name})"), [], |row| {
                row.get(0)
            })
            .unwrap()
        };
        assert_eq!((setting("journal_mode"), setting("synchronous")), ("wal".into(), "2".into()));
        assert_eq!((setting("foreign_keys"), setting("user_version")), ("1".into(), SCHEMA.to_string()));
    }
}
