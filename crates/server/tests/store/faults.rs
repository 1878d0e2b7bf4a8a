use std::fs;
use std::os::unix::fs::PermissionsExt;

use rusqlite::Connection;
use wigwag_server::store::{Claim, OpenError, Place, Store, StoreError, StoreOptions};

use crate::support::{key, memory, name, ns, on_disk, signal, until};

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = on_disk(dir.path());
    let refused = open(dir.path()).unwrap_err();
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused}");
    assert!(refused.to_string().contains(&format!("process {}", std::process::id())), "{refused}");
    first.close().await;
    on_disk(dir.path());
}

#[tokio::test]
async fn the_last_handle_lets_the_folder_go() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(dir.path());
    let clone = store.clone();
    drop(store);
    assert_eq!(clone.claim(&ns(), &name("bob"), &key(1), 1).await, Ok(Claim::Bound));
    drop(clone);
    until("the folder is free", async || open(dir.path()).is_ok()).await;
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let dir = tempfile::tempdir().unwrap();
    for store in [memory(), on_disk(dir.path())] {
        store.close().await;
        store.close().await;
        assert_eq!(store.claim(&ns(), &name("bob"), &key(1), 1).await, Err(StoreError::Closed));
        assert_eq!(store.append_signal(signal(1, 1)).await, Err(StoreError::Closed));
        store.delete_signals(&[1]);
        store.touch_name(&ns(), &name("bob"));
    }
}

#[tokio::test]
async fn nobody_else_can_read_the_data() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("new").join("data");
    let store = on_disk(&dir);
    store.claim(&ns(), &name("bob"), &key(1), 1).await.unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(dir.clone()), 0o700);
    let mut files: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let names: Vec<_> = files.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["wigwag.db", "wigwag.db-shm", "wigwag.db-wal", "wigwag.lock"]);
    for file in files {
        assert_eq!(mode(file.clone()), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn an_empty_database_gets_the_schema() {
    let dir = tempfile::tempdir().unwrap();
    let db = Connection::open(dir.path().join("wigwag.db")).unwrap();
    db.execute_batch("VACUUM").unwrap();
    drop(db);
    assert_eq!(on_disk(dir.path()).claim(&ns(), &name("bob"), &key(1), 1).await, Ok(Claim::Bound));
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wigwag.db");
    let db = Connection::open(&path).unwrap();
    db.execute_batch("CREATE TABLE future (x); PRAGMA user_version = 99;").unwrap();
    drop(db);
    let before = fs::read(&path).unwrap();
    let refused = open(dir.path()).unwrap_err();
    assert!(matches!(refused, OpenError::NewerSchema { found: 99, .. }), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wigwag.db");
    fs::write(&path, "not a database at all".repeat(1_000)).unwrap();
    let refused = open(dir.path()).unwrap_err();
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
    assert!(fs::read(&path).unwrap().starts_with(b"not a database"));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = open(&file.join("data")).unwrap_err();
    assert!(matches!(refused, OpenError::Folder { .. }), "{refused}");
    assert!(refused.to_string().contains("file/data"), "{refused}");
}

#[tokio::test]
async fn what_is_there_is_found_while_the_writer_waits() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(dir.path());
    store.claim(&ns(), &name("bob"), &key(1), 1).await.unwrap();
    let blocker = hold_the_writer(dir.path());
    let waiting = {
        let store = store.clone();
        tokio::spawn(async move { store.claim(&ns(), &name("new"), &key(1), 9).await })
    };
    assert_eq!(store.claim(&ns(), &name("bob"), &key(1), 1).await, Ok(Claim::Mine));
    assert_eq!(store.claim(&ns(), &name("bob"), &key(2), 1).await, Ok(Claim::Taken));
    assert!(!waiting.is_finished());
    drop(blocker);
    assert_eq!(waiting.await.unwrap(), Ok(Claim::Bound));
}

#[tokio::test]
async fn a_full_queue_refuses_and_keeps_what_it_took() {
    let few = StoreOptions { queue_jobs_max: 4, ..StoreOptions::default() };
    let heavy = StoreOptions { queue_bytes_max: 1_000, ..StoreOptions::default() };
    for options in [few, heavy] {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&Place::Folder(dir.path().to_owned()), options).unwrap();
        let blocker = hold_the_writer(dir.path());
        let mut taken = Vec::new();
        // The writer holds one batch, the queue some more; each signal weighs more than 100 bytes.
        for id in 0..30 {
            let store = store.clone();
            taken.push(tokio::spawn(async move { store.append_signal(signal(id, 1_000)).await }));
            tokio::task::yield_now().await;
        }
        until("one is refused", async || taken.iter().any(tokio::task::JoinHandle::is_finished)).await;
        drop(blocker);
        let (mut kept, mut refused) = (0, 0);
        for answer in taken {
            match answer.await.unwrap() {
                Ok(()) => kept += 1,
                Err(error) => {
                    assert_eq!(error, StoreError::Busy);
                    refused += 1;
                }
            }
        }
        assert!(kept > 0 && refused > 0, "{kept} kept, {refused} refused");
        assert_eq!(store.load_signals(0).await.unwrap().len(), kept);
        assert_eq!(store.append_signal(signal(99, 1_000)).await, Ok(()), "the next one finds room again");
    }
}

fn open(folder: &std::path::Path) -> Result<(), OpenError> {
    Store::open(&Place::Folder(folder.to_owned()), StoreOptions::default()).map(drop)
}

/// Holds the database's only writer's place until it is dropped.
fn hold_the_writer(folder: &std::path::Path) -> Connection {
    let db = Connection::open(folder.join("wigwag.db")).unwrap();
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    db
}
