//! Builders and waiting.

use std::path::Path;
use std::time::{Duration, Instant};

use wigwag_server::store::{Place, Store, StoreOptions, StoredSignal};
use wigwag_wire::{Namespace, PeerId, PublicKey};

pub(crate) fn memory() -> Store {
    Store::open(&Place::Memory, StoreOptions::default()).unwrap()
}

pub(crate) fn on_disk(folder: &Path) -> Store {
    Store::open(&Place::Folder(folder.to_owned()), StoreOptions::default()).unwrap()
}

/// Tries again often, so that a test need not wait for its recovery.
pub(crate) fn quick(options: StoreOptions) -> StoreOptions {
    StoreOptions { probe_every: Duration::from_millis(20), ..options }
}

pub(crate) fn ns() -> Namespace {
    Namespace::new("play").unwrap()
}

pub(crate) fn name(text: &str) -> PeerId {
    PeerId::new(&format!("{text}@example.org")).unwrap()
}

pub(crate) fn key(number: u8) -> PublicKey {
    PublicKey::Ed25519([number; 32])
}

pub(crate) fn signal(id: u64, expires_ms: u64) -> StoredSignal {
    StoredSignal { id, ns: ns(), to: name("bob"), device: None, expires_ms, body: vec![7; 100] }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !so().await {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
