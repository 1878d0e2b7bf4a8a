//! What a new process takes over from the last one: the snapshot, and the signals that still wait.

use std::sync::Arc;
use std::time::Duration;

use wigwag_hub::{Hub, Keep, Now, Output, Outputs, Snapshot, Wall};

use super::Driver;
use crate::http::Readiness;
use crate::store::{self, Store, StoreError, StoredSignal, TakenSnapshot};

/// How often a store that could not be read at the start is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// The form of snapshot that this program writes; it reads this and older ones.
const FORMAT: u32 = 1;

/// The store could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read what the last run left")]
pub struct LoadError(#[from] StoreError);

/// Brings back what the last process left, and says whether that went well. What cannot be used is set aside and
/// said; a store that is degraded is no reason not to serve.
pub async fn load(hub: &mut Hub, store: &Store, now: Now) -> Result<bool, LoadError> {
    match bring_back(hub, store, now).await {
        Ok(()) => Ok(true),
        Err(error) if store.is_degraded() => {
            tracing::warn!(%error, "the sessions of the last run cannot be taken over: their peers begin new ones");
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

async fn bring_back(hub: &mut Hub, store: &Store, now: Now) -> Result<(), StoreError> {
    let mut outputs: Vec<Output> = Vec::new();
    match store.take_snapshot(FORMAT).await? {
        TakenSnapshot::None => {}
        TakenSnapshot::Found(taken) => {
            let restored = serde_json::from_slice::<Snapshot>(&taken.body)
                .map_err(anyhow::Error::from)
                .and_then(|snapshot| Ok(hub.restore(now, snapshot, &mut outputs)?));
            match restored {
                Ok(()) => tracing::info!(sessions = hub.counts().sessions, "took over the sessions of the last run"),
                Err(error) => {
                    tracing::warn!(%error, "the snapshot of the last run cannot be used; it is set aside");
                    store.set_snapshot_aside(taken).await?;
                }
            }
        }
        TakenSnapshot::SetAside(fault) => {
            tracing::warn!(%fault, "the snapshot of the last run cannot be used; it is set aside");
        }
    }
    // A hub without sockets sends nothing; stored signals that ran out are forgotten by the store itself.
    take_in(hub, now, store.load_signals(now.wall.0).await?, &mut outputs);
    Ok(())
}

fn take_in(hub: &Hub, now: Now, signals: Vec<StoredSignal>, out: &mut dyn Outputs) {
    for signal in signals {
        let (number, expires, record) = (signal.id, Wall(signal.expires_ms), signal.body.into());
        hub.restore_stored(now, Keep { number, ns: signal.ns, to: signal.to, expires, record }, out);
    }
}

impl Driver {
    /// Brings back, once the store can be used, what could not be brought back at the start. Sessions are not among it:
    /// their peers have begun new ones by then.
    pub fn catch_up(self: &Arc<Self>) {
        let driver = Arc::clone(self);
        tokio::spawn(async move {
            // A drain writes a snapshot of its own.
            while driver.readiness() == Readiness::Ready && driver.try_catch_up().await.is_err() {
                tokio::time::sleep(TRY_AGAIN).await;
            }
        });
    }

    async fn try_catch_up(self: &Arc<Self>) -> Result<(), StoreError> {
        if let TakenSnapshot::Found(_) = self.store.take_snapshot(FORMAT).await? {
            tracing::info!("the snapshot of the last run is forgotten: its peers have begun new sessions");
        }
        self.load_bans().await?;
        let now = self.clock.now();
        let signals = self.store.load_signals(now.wall.0).await?;
        self.within(|driver, carrier| take_in(&driver.hub, now, signals, carrier));
        Ok(())
    }

    /// Writes down what the next process takes over.
    pub async fn save(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let blob = serde_json::to_vec(&self.hub.snapshot(now)).unwrap_or_default();
        tracing::info!(bytes = blob.len(), sessions = self.hub.counts().sessions, "writing the snapshot");
        self.store.write_snapshot(store::Snapshot { format: FORMAT, written_ms: now.wall.0, body: blob }).await
    }
}
