//! The handle that everyone else holds.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::gauge::Gauge;
use rusqlite::Connection;
use tokio::sync::watch;
use wigwag_wire::{Namespace, PeerId, PublicKey};

use super::connect::Source;
use super::error::Fault;
use super::folder::Folder;
use super::queue::{Queue, job};
use super::writer::{Health, Reader, Writer};
use super::{
    Ban, Claim, KeyChange, NameRecord, OpenError, Place, Snapshot, StoreError, StoreMetrics, StoredSignal,
    TakenSnapshot, bans, names, reader, secrets, signals, snapshots,
};

/// The largest page of names.
const PAGE_MAX: u32 = 1_000;
/// How many stored signals go in one step: others get their turn between two of them.
const SIGNALS_STEP: u32 = 256;

/// A snapshot takes none of the queue's bytes: there is one at a time, and it must not find the queue full.
const SNAPSHOT_WEIGHT: usize = 0;
/// What any other request takes: a few texts, each with a limit of its own.
const TEXTS_WEIGHT: usize = 512;

/// How a store behaves.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The most requests that may wait.
    pub queue_jobs_max: usize,
    /// The most bytes that may wait.
    pub queue_bytes_max: usize,
    /// How often a store that cannot write tries again.
    pub probe_every: Duration,
    /// Where it counts.
    pub metrics: StoreMetrics,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            queue_jobs_max: 4_096,
            queue_bytes_max: 16 * 1024 * 1024,
            probe_every: Duration::from_secs(3),
            metrics: StoreMetrics::default(),
        }
    }
}

/// An open store. Clones are cheap and mean the same store, which closes with the last of them or by [`Store::close`].
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    writes: Arc<Queue>,
    /// None in memory, where nothing waits for a disk and the writer reads as well.
    reads: Option<Arc<Queue>>,
    health: Arc<Health>,
    metrics: StoreMetrics,
    done: watch::Receiver<bool>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.writes.close();
    }
}

/// Opening and closing.
impl Store {
    /// Opens the store, making it if need be. Blocks while it does.
    ///
    /// # Errors
    /// See [`OpenError`]. A folder that was used before opens even if its disk is full or read-only now: such a store
    /// is degraded until the disk recovers.
    pub fn open(place: &Place, options: StoreOptions) -> Result<Self, OpenError> {
        let StoreOptions { queue_jobs_max, queue_bytes_max, probe_every, metrics } = options;
        let source = match place {
            Place::Memory => Source::Memory,
            Place::Folder(path) => Source::Folder(Folder::hold(path)?),
        };
        let database = source.database().map(ToOwned::to_owned);
        let health = Arc::new(Health::default());
        let writes = Arc::new(Queue::new(queue_jobs_max, queue_bytes_max, metrics.queue_depth.clone()));
        let writer = Writer::open(source, Arc::clone(&writes), Arc::clone(&health), metrics.clone(), probe_every)?;

        let reader = database
            .map(|database| {
                let queue = Arc::new(Queue::new(queue_jobs_max, queue_bytes_max, Gauge::default()));
                let (work, health, metrics) = (Arc::clone(&queue), Arc::clone(&health), metrics.clone());
                let thread = thread::Builder::new()
                    .name("store-reader".into())
                    .spawn(move || reader::run(&database, &work, &health, &metrics))
                    .map_err(OpenError::Thread)?;
                Ok(Reader { queue, thread })
            })
            .transpose()?;
        let reads = reader.as_ref().map(|reader| Arc::clone(&reader.queue));
        let (done_sender, done) = watch::channel(false);
        thread::Builder::new().name("store-writer".into()).spawn(move || writer.run(reader, &done_sender)).map_err(
            |error| {
                if let Some(reads) = &reads {
                    reads.close();
                }
                OpenError::Thread(error)
            },
        )?;
        Ok(Self { inner: Arc::new(Inner { writes, reads, health, metrics, done }) })
    }

    /// Refuses new requests, writes down what waits, and lets the folder go. Everything after it is refused.
    pub async fn close(&self) {
        self.inner.writes.close();
        // An error means that the writer's thread is gone, which is as closed as it gets.
        let _ = self.inner.done.clone().wait_for(|done| *done).await;
    }

    /// Whether the store cannot write at the moment.
    pub fn is_degraded(&self) -> bool {
        self.inner.health.degraded.load(Ordering::Acquire)
    }

    /// What it counts.
    pub fn metrics(&self) -> &StoreMetrics {
        &self.inner.metrics
    }
}

/// Names and the keys that speak for them. Whoever calls has checked the proof of the acting key. A limit of 0 is none.
impl Store {
    /// Claims a name for a key: the first to prove itself gets it. A name that is the key's own counts as seen.
    pub async fn claim(
        &self,
        ns: &Namespace,
        name: &PeerId,
        key: &PublicKey,
        max_names_per_key: u64,
    ) -> Result<Claim, StoreError> {
        let now_ms = wall_ms();
        let known = if self.inner.reads.is_some() {
            let (ns, name, key) = (ns.clone(), name.clone(), *key);
            self.read(move |db| names::look(db, &ns, &name, &key)).await?
        } else {
            None
        };
        let answer = match known {
            Some(answer) => answer,
            None => {
                let (ns, name, key) = (ns.clone(), name.clone(), *key);
                self.write(move |db| names::claim(db, &ns, &name, &key, max_names_per_key, now_ms)).await?
            }
        };
        if answer == Claim::Mine {
            self.inner.writes.touch_soon(ns, name, now_ms);
        }
        Ok(answer)
    }

    /// Lets another key speak for the name, too.
    pub async fn add_key(
        &self,
        ns: &Namespace,
        name: &PeerId,
        acting: &PublicKey,
        new: &PublicKey,
        max_keys_per_name: u64,
    ) -> Result<KeyChange, StoreError> {
        let (ns, name, acting, new) = (ns.clone(), name.clone(), *acting, *new);
        let now_ms = wall_ms();
        self.write(move |db| names::add_key(db, &ns, &name, &acting, &new, max_keys_per_name, now_ms)).await
    }

    /// Puts a new key in the place of an old one.
    pub async fn rotate(
        &self,
        ns: &Namespace,
        name: &PeerId,
        old: &PublicKey,
        new: &PublicKey,
    ) -> Result<KeyChange, StoreError> {
        let (ns, name, old, new) = (ns.clone(), name.clone(), *old, *new);
        let now_ms = wall_ms();
        self.write(move |db| names::rotate(db, &ns, &name, &old, &new, now_ms)).await
    }

    /// Takes a key from the name. With its last key the name is free again.
    pub async fn remove_key(
        &self,
        ns: &Namespace,
        name: &PeerId,
        acting: &PublicKey,
        gone: &PublicKey,
    ) -> Result<KeyChange, StoreError> {
        let (ns, name, acting, gone) = (ns.clone(), name.clone(), *acting, *gone);
        self.write(move |db| names::remove_key(db, &ns, &name, &acting, &gone)).await
    }

    /// How many names the key has claimed. Names that another key shared with it do not count against it.
    pub async fn key_names(&self, ns: &Namespace, key: &PublicKey) -> Result<u64, StoreError> {
        let (ns, key) = (ns.clone(), *key);
        self.read(move |db| names::count_claimed(db, &ns, &key)).await
    }

    /// The keys that speak for a name; none if the name is free.
    pub async fn keys(&self, ns: &Namespace, name: &PeerId) -> Result<Vec<PublicKey>, StoreError> {
        let (ns, name) = (ns.clone(), name.clone());
        self.read(move |db| names::keys(db, &ns, &name)).await
    }

    /// The operator's hand: binds a name, free or not, to this key alone.
    pub async fn rebind(&self, ns: &Namespace, name: &PeerId, key: &PublicKey) -> Result<(), StoreError> {
        let (ns, name, key) = (ns.clone(), name.clone(), *key);
        let now_ms = wall_ms();
        self.write(move |db| names::rebind(db, &ns, &name, &key, now_ms)).await
    }

    /// The operator's hand: makes a name free. False if it was.
    pub async fn release(&self, ns: &Namespace, name: &PeerId) -> Result<bool, StoreError> {
        let (ns, name) = (ns.clone(), name.clone());
        self.write(move |db| names::release(db, &ns, &name)).await
    }

    /// Names in alphabetical order, beginning after `after` ("" for the first page), at most 1,000.
    pub async fn names(&self, ns: &Namespace, after: &str, limit: u32) -> Result<Vec<NameRecord>, StoreError> {
        let (ns, after) = (ns.clone(), after.to_owned());
        self.read(move |db| names::page(db, &ns, &after, limit.min(PAGE_MAX))).await
    }

    /// Notes that a name was seen now. Written with the next batch.
    pub fn touch_name(&self, ns: &Namespace, name: &PeerId) {
        self.inner.writes.touch_soon(ns, name, wall_ms());
    }

    /// When a name was last seen, in milliseconds since 1970; none if it is free.
    pub async fn last_seen(&self, ns: &Namespace, name: &PeerId) -> Result<Option<u64>, StoreError> {
        let waiting = self.inner.writes.touched(ns, name);
        let (ns, name) = (ns.clone(), name.clone());
        let written = self.read(move |db| names::last_seen(db, &ns, &name)).await?;
        Ok(written.map(|seen_ms| seen_ms.max(waiting.unwrap_or(0))))
    }
}

/// Signals that wait for absent peers.
impl Store {
    /// Keeps a signal.
    pub async fn append_signal(&self, signal: StoredSignal) -> Result<(), StoreError> {
        if signal.body.len() > StoredSignal::BODY_BYTES_MAX {
            return Err(StoreError::TooLarge);
        }
        let added = self.write_heavy(signal.weight(), move |db| signals::append(db, &signal)).await?;
        if added { Ok(()) } else { Err(StoreError::DuplicateId) }
    }

    /// Forgets signals soon. It is not lost when the disk fails meanwhile, but may be with the power.
    pub fn delete_signals(&self, ids: &[u64]) {
        if !ids.is_empty() {
            self.inner.writes.delete_soon(ids);
        }
    }

    /// All signals that have not run out, in the order in which they were stored.
    pub async fn load_signals(&self, now_ms: u64) -> Result<Vec<StoredSignal>, StoreError> {
        let mut all = Vec::new();
        let mut last = i64::MIN;
        loop {
            let step = self.read(move |db| signals::page(db, now_ms, last, SIGNALS_STEP)).await?;
            match step.last() {
                Some((seq, _)) => last = *seq,
                None => return Ok(all),
            }
            all.extend(step.into_iter().filter_map(|(_, signal)| signal));
        }
    }

    /// Deletes signals that ran out, and says how many.
    pub async fn purge_expired(&self, now_ms: u64) -> Result<u64, StoreError> {
        let mut all = 0;
        loop {
            let gone = self.write(move |db| signals::purge(db, now_ms, SIGNALS_STEP)).await?;
            all += u64::from(gone);
            if gone < SIGNALS_STEP {
                return Ok(all);
            }
        }
    }
}

/// The snapshot of a drained hub.
impl Store {
    /// Writes the snapshot, in the place of any earlier one.
    pub async fn write_snapshot(&self, snapshot: Snapshot) -> Result<(), StoreError> {
        self.write_heavy(SNAPSHOT_WEIGHT, move |db| snapshots::write(db, &snapshot)).await
    }

    /// Takes the snapshot, if its form is `format_max` or older: it will not be found again.
    pub async fn take_snapshot(&self, format_max: u32) -> Result<TakenSnapshot, StoreError> {
        let taken = self.write(move |db| snapshots::take(db, format_max)).await?;
        if let TakenSnapshot::SetAside(fault) = &taken {
            tracing::warn!("a snapshot was set aside, sessions start anew: {fault}");
        }
        Ok(taken)
    }

    /// Keeps a snapshot that turned out to be of no use, for people to look at. Only the last such is kept.
    pub async fn set_snapshot_aside(&self, snapshot: Snapshot) -> Result<(), StoreError> {
        self.write_heavy(SNAPSHOT_WEIGHT, move |db| snapshots::set_aside(db, &snapshot)).await
    }
}

/// Bans and secrets.
impl Store {
    /// Puts a ban on an address, a network or an id, or changes the one that is there; returns its id.
    pub async fn put_ban(&self, subject: &str, until_ms: Option<u64>, reason: &str) -> Result<u64, StoreError> {
        let (subject, reason) = (subject.to_owned(), reason.to_owned());
        self.write(move |db| bans::put(db, &subject, until_ms, &reason)).await
    }

    /// Lifts a ban. False if there is none of that id.
    pub async fn delete_ban(&self, id: u64) -> Result<bool, StoreError> {
        self.write(move |db| bans::delete(db, id)).await
    }

    /// All bans, those that ran out included.
    pub async fn bans(&self) -> Result<Vec<Ban>, StoreError> {
        self.read(bans::all).await
    }

    /// A random value that is made when it is first asked for, and the same ever after.
    pub async fn secret(&self, name: &str) -> Result<[u8; 32], StoreError> {
        let mut fresh = [0; 32];
        getrandom::fill(&mut fresh).map_err(|_| StoreError::Internal)?;
        let name = name.to_owned();
        self.write(move |db| secrets::secret(db, &name, fresh)).await
    }
}

impl Store {
    async fn write<T, F>(&self, run: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.write_heavy(TEXTS_WEIGHT, run).await
    }

    async fn write_heavy<T, F>(&self, weight: usize, run: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        if self.is_degraded() {
            self.inner.metrics.count_error(Fault::Degraded);
            return Err(StoreError::Unavailable);
        }
        self.ask(&self.inner.writes, weight, run).await
    }

    async fn read<T, F>(&self, run: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.ask(self.inner.reads.as_ref().unwrap_or(&self.inner.writes), 512, run).await
    }

    async fn ask<T, F>(&self, queue: &Queue, weight: usize, run: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (job, answer) = job(weight, run);
        queue.push(job).inspect_err(|error| {
            if *error == StoreError::Busy {
                self.inner.metrics.count_error(Fault::Busy);
            }
        })?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }
}

/// The wall clock, in milliseconds since 1970.
fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
