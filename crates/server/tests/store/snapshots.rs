use rusqlite::Connection;
use wigwag_server::store::{Snapshot, SnapshotFault, TakenSnapshot};

use crate::support::on_disk;

#[tokio::test]
async fn a_snapshot_is_taken_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(dir.path());
    assert_eq!(store.take_snapshot(1).await, Ok(TakenSnapshot::None));
    store.write_snapshot(snapshot(1, b"first")).await.unwrap();
    store.write_snapshot(snapshot(1, b"second")).await.unwrap();
    store.close().await;

    let store = on_disk(dir.path());
    assert_eq!(store.take_snapshot(1).await, Ok(TakenSnapshot::Found(snapshot(1, b"second"))));
    assert_eq!(store.take_snapshot(1).await, Ok(TakenSnapshot::None));
    store.close().await;
    let store = on_disk(dir.path());
    assert_eq!(store.take_snapshot(1).await, Ok(TakenSnapshot::None));
}

#[tokio::test]
async fn a_snapshot_of_many_megabytes_fits() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(dir.path());
    let large = snapshot(1, &vec![0xa5; 40 << 20]);
    store.write_snapshot(large.clone()).await.unwrap();
    assert!(store.take_snapshot(1).await == Ok(TakenSnapshot::Found(large)));
}

#[tokio::test]
async fn a_damaged_snapshot_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    for damage in ["body = x'00'", "written_ms = 7", "sha256 = x''", "format = 0"] {
        let store = on_disk(dir.path());
        store.write_snapshot(snapshot(1, b"good")).await.unwrap();
        store.close().await;
        let db = Connection::open(dir.path().join("wigwag.db")).unwrap();
        db.execute(&format!("UPDATE snapshot SET {damage} WHERE slot = 'next'"), []).unwrap();
        drop(db);

        let store = on_disk(dir.path());
        assert_eq!(store.take_snapshot(1).await, Ok(TakenSnapshot::SetAside(SnapshotFault::Damaged)));
        assert_eq!(store.take_snapshot(1).await, Ok(TakenSnapshot::None));
        store.close().await;
    }
    // People can still look at the last one.
    let db = Connection::open(dir.path().join("wigwag.db")).unwrap();
    let aside: i64 = db.query_row("SELECT count(*) FROM snapshot WHERE slot = 'aside'", [], |row| row.get(0)).unwrap();
    assert_eq!(aside, 1);
}

#[tokio::test]
async fn a_snapshot_of_a_newer_server_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(dir.path());
    store.write_snapshot(snapshot(2, b"later")).await.unwrap();
    assert_eq!(store.take_snapshot(1).await, Ok(TakenSnapshot::SetAside(SnapshotFault::NewerFormat(2))));
    assert_eq!(store.take_snapshot(2).await, Ok(TakenSnapshot::None));
}

#[tokio::test]
async fn what_the_hub_could_not_read_can_be_set_aside_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(dir.path());
    store.set_snapshot_aside(snapshot(1, b"odd")).await.unwrap();
    assert_eq!(store.take_snapshot(1).await, Ok(TakenSnapshot::None));
    store.close().await;
    let db = Connection::open(dir.path().join("wigwag.db")).unwrap();
    let body: Vec<u8> = db.query_row("SELECT body FROM snapshot WHERE slot = 'aside'", [], |row| row.get(0)).unwrap();
    assert_eq!(body, b"odd");
}

fn snapshot(format: u32, body: &[u8]) -> Snapshot {
    Snapshot { format, written_ms: 1_700_000_000_000, body: body.to_vec() }
}
