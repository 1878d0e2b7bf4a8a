//! What a new process takes over from the last one: the snapshot, and the signals that still wait.

use wigwag_hub::{Hub, Keep, Now, Output, Snapshot, Wall};

use super::Driver;
use crate::store::{self, Store, StoreError, TakenSnapshot};

/// The form of snapshot that this program writes; it reads this and older ones.
const FORMAT: u32 = 1;

/// The store could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read what the last run left")]
pub struct LoadError(#[from] StoreError);

/// Brings back what the last process left. What cannot be used is set aside and said, never fatal.
pub async fn load(hub: &mut Hub, store: &Store, now: Now) -> Result<(), LoadError> {
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
    let signals = store.load_signals(now.wall.0).await?;
    for signal in signals {
        let expires = Wall(signal.expires_ms);
        let (number, record) = (signal.id, signal.body.into());
        hub.restore_stored(now, Keep { number, ns: signal.ns, to: signal.to, expires, record }, &mut outputs);
    }
    // A hub without sockets sends nothing; stored signals that ran out are forgotten by the store itself.
    Ok(())
}

impl Driver {
    /// Writes down what the next process takes over.
    pub async fn save(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let blob = serde_json::to_vec(&self.hub.snapshot(now)).unwrap_or_default();
        tracing::info!(bytes = blob.len(), sessions = self.hub.counts().sessions, "writing the snapshot");
        self.store.write_snapshot(store::Snapshot { format: FORMAT, written_ms: now.wall.0, body: blob }).await
    }
}
