//! The one thread that writes. It commits in groups and outlives a bad disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::watch;
use tracing::{error, info, warn};

use super::connect::{ConnectError, Source};
use super::error::Fault;
use super::queue::{Batch, Chores, Job, Queue};
use super::{StoreError, StoreMetrics, names, signals};

/// A disk counts as writable again when it takes this much: less would make it waver.
const PROBE_BYTES: u32 = 256 * 1024;

/// What the threads and the handles know of each other.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// The writer cannot write.
    pub(super) degraded: AtomicBool,
    /// The database exists with the schema of this server.
    pub(super) ready: AtomicBool,
}

pub(super) struct Writer {
    source: Source,
    /// None while the database cannot even be opened.
    db: Option<Connection>,
    /// The fault that keeps it from writing, and when to try again.
    broken: Option<(Fault, Instant)>,
    /// Whether commits wait for the disk, as last told to the database.
    waits: bool,
    queue: Arc<Queue>,
    health: Arc<Health>,
    metrics: StoreMetrics,
    probe_every: Duration,
}

impl Writer {
    pub(super) fn open(
        source: Source,
        queue: Arc<Queue>,
        health: Arc<Health>,
        metrics: StoreMetrics,
        probe_every: Duration,
    ) -> Result<Self, super::OpenError> {
        let opened = source.connect();
        let mut writer = Self { source, db: None, broken: None, waits: true, queue, health, metrics, probe_every };
        match opened {
            Ok(db) => writer.has_opened(db),
            Err(error) if writer.source.may_start_degraded(&error) => {
                writer.degrade(error.fault(), &error);
            }
            Err(error) => return Err(error.into_open_error(writer.source.database())),
        }
        Ok(writer)
    }

    /// Works until the queue is closed and empty, then closes the database and says so.
    pub(super) fn run(mut self, reader: Option<Reader>, done: &watch::Sender<bool>) {
        let mut tried_last = false;
        loop {
            let batch = self.queue.take(self.broken.is_none(), self.broken.map(|(_, again)| again));
            if batch.closed && batch.is_empty() {
                // Chores have waited for a disk that could not write: one last try.
                if self.broken.is_none() || tried_last {
                    break;
                }
                tried_last = true;
                self.probe();
                continue;
            }
            match self.broken {
                None => self.settle(batch),
                Some((fault, again)) => {
                    for job in batch.jobs {
                        self.refuse(job, fault);
                    }
                    if Instant::now() >= again {
                        self.probe();
                    }
                }
            }
        }
        if let Some(reader) = reader {
            reader.queue.close();
            // A reader that panicked has nothing left to close.
            let _ = reader.thread.join();
        }
        if let Some(db) = self.db.take() {
            // The rest of the log moves into the database as the last connection closes.
            let _ = db.close();
        }
        drop(self);
        done.send_replace(true);
    }

    /// Commits a batch and answers it. One bad request does not spoil the others.
    fn settle(&mut self, mut batch: Batch) {
        match self.commit(&mut batch) {
            Ok(()) => {
                self.metrics.writes.inc_by(batch.jobs.len() as u64);
                for job in batch.jobs {
                    job.answer(Ok(()));
                }
            }
            Err(error) => match Fault::of(&error) {
                Fault::Own if batch.jobs.is_empty() => {
                    self.metrics.count_error(Fault::Own);
                    error!(%error, "the store lost chores by a fault of its own");
                }
                Fault::Own if batch.jobs.len() == 1 && batch.chores.is_empty() => {
                    error!(%error, "the store failed a request by a fault of its own");
                    for job in batch.jobs {
                        self.metrics.count_error(Fault::Own);
                        job.answer(Err(StoreError::Internal));
                    }
                }
                Fault::Own => {
                    for job in batch.jobs {
                        self.settle(Batch { jobs: vec![job], ..Batch::default() });
                    }
                    self.settle(Batch { chores: batch.chores, ..Batch::default() });
                }
                fault => {
                    // First, so that nobody who is told asks again in vain.
                    self.degrade(fault, &error);
                    self.queue.put_back(batch.chores);
                    for job in batch.jobs {
                        self.refuse(job, fault);
                    }
                }
            },
        }
    }

    fn commit(&mut self, batch: &mut Batch) -> rusqlite::Result<()> {
        let Some(db) = self.db.as_mut() else {
            return Err(rusqlite::Error::InvalidQuery);
        };
        // Chores survive the end of this process as they are, and may be lost with the power.
        let wait = !batch.jobs.is_empty();
        if wait != self.waits {
            db.pragma_update(None, "synchronous", if wait { "FULL" } else { "NORMAL" })?;
            self.waits = wait;
        }
        let started = Instant::now();
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        do_chores(&tx, &batch.chores)?;
        for job in &mut batch.jobs {
            job.run(&tx)?;
        }
        tx.commit()?;
        self.metrics.commit_seconds.observe(started.elapsed().as_secs_f64());
        Ok(())
    }

    fn refuse(&self, job: Box<dyn Job>, fault: Fault) {
        self.metrics.count_error(fault);
        job.answer(Err(StoreError::Unavailable));
    }

    fn degrade(&mut self, fault: Fault, cause: &dyn std::fmt::Debug) {
        if self.broken.is_none_or(|(before, _)| before != fault) {
            error!(?cause, "the store cannot write: {fault}; it tries again every {:?}", self.probe_every);
        }
        self.broken = Some((fault, Instant::now() + self.probe_every));
        self.health.degraded.store(true, Ordering::Release);
        self.metrics.degraded.set(1);
    }

    fn has_opened(&mut self, db: Connection) {
        self.db = Some(db);
        self.waits = true;
        self.health.ready.store(true, Ordering::Release);
    }

    /// Tries whether the disk takes data again.
    fn probe(&mut self) {
        match self.try_write() {
            Ok(()) => {
                self.broken = None;
                self.health.degraded.store(false, Ordering::Release);
                self.metrics.degraded.set(0);
                info!("the store can write again");
            }
            Err(error) => {
                let fault = error.fault();
                // Descriptors from before the trouble may be stale; what is full or locked needs no new ones.
                if !matches!(fault, Fault::Full | Fault::Locked) {
                    self.db = None;
                }
                self.degrade(fault, &error);
            }
        }
    }

    fn try_write(&mut self) -> Result<(), ConnectError> {
        if self.db.is_none() {
            let db = self.source.connect()?;
            self.has_opened(db);
        }
        let Some(db) = self.db.as_mut() else {
            return Ok(());
        };
        // Gives back what the log holds of the disk, if it can.
        if let Err(error) = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            warn!(%error, "the store's log could not be moved into the database yet");
        }
        if !self.waits {
            db.pragma_update(None, "synchronous", "FULL")?;
            self.waits = true;
        }
        let put = "INSERT OR REPLACE INTO meta (key, value) VALUES ('probe', zeroblob(?1))";
        db.execute(put, params![PROBE_BYTES])?;
        db.execute(put, params![0])?;
        Ok(())
    }
}

/// The reading thread, as the writer sees it: it ends first.
pub(super) struct Reader {
    pub(super) queue: Arc<Queue>,
    pub(super) thread: JoinHandle<()>,
}

fn do_chores(db: &Connection, chores: &Chores) -> rusqlite::Result<()> {
    signals::delete(db, &chores.deletes)?;
    for ((ns, name), seen_ms) in &chores.touches {
        names::touch(db, ns, name, *seen_ms)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;
    use std::thread;

    use super::super::folder::Folder;
    use super::super::queue::job;
    use super::*;

    #[test]
    fn a_request_that_fails_by_itself_does_not_spoil_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let writer = writer(dir.path());
        // All wait before the writer starts, so that they share a transaction.
        let first = push(&writer, |db| put(db, "first"));
        let poison = push(&writer, |db| put(db, "poison").and(Err::<(), _>(rusqlite::Error::InvalidQuery)));
        let last = push(&writer, |db| put(db, "last"));
        let (queue, thread) = start(writer);
        assert_eq!(first.blocking_recv().unwrap(), Ok(()));
        assert_eq!(poison.blocking_recv().unwrap(), Err(StoreError::Internal));
        assert_eq!(last.blocking_recv().unwrap(), Ok(()));
        let (kept, found) = job(1, kept);
        queue.push(kept).unwrap();
        assert_eq!(found.blocking_recv().unwrap().unwrap(), ["first", "last"]);
        queue.close();
        thread.join().unwrap();
    }

    #[test]
    fn a_connection_that_turned_read_only_is_replaced_and_chores_wait_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let writer = writer(dir.path());
        let health = Arc::clone(&writer.health);
        let db = writer.db.as_ref().unwrap();
        db.execute("INSERT INTO signal VALUES (1, 77, 'ns', 'bob', NULL, 9, x'')", []).unwrap();
        db.execute_batch("PRAGMA query_only = ON").unwrap();
        let refused = push(&writer, |db| put(db, "refused"));
        writer.queue.delete_soon(&[77]);
        let (queue, thread) = start(writer);
        assert_eq!(refused.blocking_recv().unwrap(), Err(StoreError::Unavailable));

        let deadline = Instant::now() + Duration::from_secs(20);
        while health.degraded.load(Ordering::Acquire) {
            assert!(Instant::now() < deadline, "it never recovers");
            thread::yield_now();
        }
        // The chores that waited go with the first batch.
        let (count, left) = job(1, |db| db.query_row("SELECT count(*) FROM signal", [], |row| row.get::<_, i64>(0)));
        queue.push(count).unwrap();
        assert_eq!(left.blocking_recv().unwrap(), Ok(0));
        queue.close();
        thread.join().unwrap();
    }

    fn writer(dir: &Path) -> Writer {
        let metrics = StoreMetrics::default();
        let queue = Arc::new(Queue::new(100, 1_000_000, metrics.queue_depth.clone()));
        let source = Source::Folder(Folder::hold(dir).unwrap());
        Writer::open(source, queue, Arc::default(), metrics, Duration::from_millis(10)).unwrap()
    }

    fn start(writer: Writer) -> (Arc<Queue>, JoinHandle<()>) {
        let queue = Arc::clone(&writer.queue);
        (queue, thread::spawn(move || writer.run(None, &watch::channel(false).0)))
    }

    fn push<T: Send + 'static>(
        writer: &Writer,
        run: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> tokio::sync::oneshot::Receiver<Result<T, StoreError>> {
        let (job, answer) = job(1, run);
        writer.queue.push(job).unwrap();
        answer
    }

    fn put(db: &Connection, key: &str) -> rusqlite::Result<()> {
        db.execute("INSERT INTO meta VALUES (?1, x'')", [key]).map(drop)
    }

    fn kept(db: &Connection) -> rusqlite::Result<Vec<String>> {
        let mut keys = db.prepare("SELECT key FROM meta WHERE key IN ('first', 'poison', 'last') ORDER BY key")?;
        keys.query_map([], |row| row.get(0))?.collect()
    }
}
