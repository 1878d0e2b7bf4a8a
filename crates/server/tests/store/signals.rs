use wigwag_server::store::{StoreError, StoredSignal};
use wigwag_wire::Device;

use crate::support::{memory, on_disk, signal};

#[tokio::test]
async fn signals_come_back_in_the_order_of_storing() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(dir.path());
    // The largest id, an odd order, and more than one step of loading.
    let ids: Vec<u64> = [u64::MAX, 5, 3, 1 << 63].into_iter().chain(100..700).collect();
    for id in &ids {
        store.append_signal(signal(*id, 1_000)).await.unwrap();
    }
    store.close().await;
    let store = on_disk(dir.path());
    let loaded = store.load_signals(999).await.unwrap();
    assert_eq!(loaded.iter().map(|signal| signal.id).collect::<Vec<_>>(), ids);
}

#[tokio::test]
async fn a_signal_comes_back_as_it_was() {
    let store = memory();
    let whole = StoredSignal {
        device: Some(Device::new("phone").unwrap()),
        body: vec![0xff; StoredSignal::BODY_BYTES_MAX],
        expires_ms: u64::MAX,
        ..signal(1, 0)
    };
    store.append_signal(whole.clone()).await.unwrap();
    let loaded = store.load_signals(0).await.unwrap();
    // A time beyond what the database holds is as good as its last one.
    assert_eq!(loaded, [StoredSignal { expires_ms: i64::MAX.cast_unsigned(), ..whole }]);
}

#[tokio::test]
async fn what_ran_out_is_neither_loaded_nor_kept() {
    let store = memory();
    for id in 0..600 {
        store.append_signal(signal(id, 1_000)).await.unwrap();
    }
    store.append_signal(signal(999, 2_000)).await.unwrap();
    assert_eq!(store.load_signals(1_000).await.unwrap().len(), 1);
    assert_eq!(store.purge_expired(1_000).await, Ok(600));
    assert_eq!(store.purge_expired(1_000).await, Ok(0));
    assert_eq!(store.load_signals(0).await.unwrap().len(), 1);
}

#[tokio::test]
async fn deleted_signals_stay_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(dir.path());
    for id in [1, 2, u64::MAX] {
        store.append_signal(signal(id, 1_000)).await.unwrap();
    }
    store.delete_signals(&[1, u64::MAX, 77]);
    store.close().await;
    let store = on_disk(dir.path());
    let left: Vec<u64> = store.load_signals(0).await.unwrap().iter().map(|signal| signal.id).collect();
    assert_eq!(left, [2]);
}

#[tokio::test]
async fn an_id_is_stored_once_and_a_large_body_never() {
    let store = memory();
    store.append_signal(signal(1, 1_000)).await.unwrap();
    assert_eq!(store.append_signal(signal(1, 1_000)).await, Err(StoreError::DuplicateId));
    let large = StoredSignal { body: vec![0; StoredSignal::BODY_BYTES_MAX + 1], ..signal(2, 1_000) };
    assert_eq!(store.append_signal(large).await, Err(StoreError::TooLarge));
    assert_eq!(store.load_signals(0).await.unwrap().len(), 1);
}
