//! What waits for a thread of the store: requests with an answer, bounded in number and bytes, and chores without.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use prometheus_client::metrics::gauge::Gauge;
use rusqlite::Connection;
use tokio::sync::oneshot;
use wigwag_wire::{Namespace, PeerId};

use super::StoreError;

/// The most requests in one transaction.
const BATCH_MAX: usize = 512;
/// How long a name's last-seen time may wait for company.
const TOUCH_WAIT: Duration = Duration::from_secs(1);
/// More last-seen times than this wait only while nothing can be written; further names are not noted then.
const TOUCHES_MAX: usize = 65_536;

/// A request on its way to a thread.
pub(super) trait Job: Send {
    /// Does it, inside a transaction. May be called again if that transaction was rolled back.
    fn run(&mut self, db: &Connection) -> rusqlite::Result<()>;
    /// Tells who asked.
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
    /// How many bytes it holds.
    fn weight(&self) -> usize;
}

/// Makes a job of a function; the receiver gets what the function's last run returned.
pub(super) fn job<T, F>(weight: usize, run: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T, StoreError>>)
where
    T: Send + 'static,
    F: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
{
    let (reply, receiver) = oneshot::channel();
    (Box::new(Task { run, weight, done: None, reply }), receiver)
}

/// Chores that nobody waits for.
#[derive(Debug, Default)]
pub(super) struct Chores {
    /// Stored signals to forget. At most as many as are stored.
    pub(super) deletes: Vec<u64>,
    /// When a name was last seen, by namespace and name.
    pub(super) touches: BTreeMap<(Namespace, PeerId), u64>,
}

impl Chores {
    pub(super) fn is_empty(&self) -> bool {
        self.deletes.is_empty() && self.touches.is_empty()
    }
}

/// What a thread takes at once.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) jobs: Vec<Box<dyn Job>>,
    pub(super) chores: Chores,
    /// Nothing more will come after this batch if it is empty.
    pub(super) closed: bool,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.chores.is_empty()
    }
}

pub(super) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    jobs_max: usize,
    bytes_max: usize,
    depth: Gauge,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Box<dyn Job>>,
    bytes: usize,
    chores: Chores,
    chores_due: Option<Instant>,
    closed: bool,
}

impl Queue {
    pub(super) fn new(jobs_max: usize, bytes_max: usize, depth: Gauge) -> Self {
        Self { state: Mutex::default(), wake: Condvar::new(), jobs_max, bytes_max, depth }
    }

    /// Lets a request wait, if there is room.
    pub(super) fn push(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        let weight = job.weight();
        let mut state = self.state.lock();
        if state.closed {
            return Err(StoreError::Closed);
        }
        if state.jobs.len() >= self.jobs_max || state.bytes + weight > self.bytes_max {
            return Err(StoreError::Busy);
        }
        state.bytes += weight;
        state.jobs.push_back(job);
        self.depth.set(state.jobs.len() as i64);
        self.wake.notify_one();
        Ok(())
    }

    /// Lets stored signals be forgotten soon.
    pub(super) fn delete_soon(&self, ids: &[u64]) {
        let mut state = self.state.lock();
        state.chores.deletes.extend_from_slice(ids);
        state.chores_due = Some(Instant::now());
        self.wake.notify_one();
    }

    /// Lets a last-seen time be written with the next batch.
    pub(super) fn touch_soon(&self, ns: &Namespace, name: &PeerId, seen_ms: u64) {
        let mut state = self.state.lock();
        if state.chores.touches.len() >= TOUCHES_MAX {
            return;
        }
        state.chores.touches.insert((ns.clone(), name.clone()), seen_ms);
        if state.chores_due.is_none() {
            state.chores_due = Some(Instant::now() + TOUCH_WAIT);
            self.wake.notify_one();
        }
    }

    /// A last-seen time that is not written yet.
    pub(super) fn touched(&self, ns: &Namespace, name: &PeerId) -> Option<u64> {
        self.state.lock().chores.touches.get(&(ns.clone(), name.clone())).copied()
    }

    /// Puts chores back that could not be done. Newer times stay.
    pub(super) fn put_back(&self, chores: Chores) {
        let mut state = self.state.lock();
        state.chores.deletes.extend(chores.deletes);
        for (name, seen_ms) in chores.touches {
            state.chores.touches.entry(name).or_insert(seen_ms);
        }
        state.chores_due = Some(Instant::now());
    }

    /// Waits for requests, for chores that are due (if `with_chores`), for the end, or until `until`.
    pub(super) fn take(&self, with_chores: bool, until: Option<Instant>) -> Batch {
        let mut state = self.state.lock();
        loop {
            let now = Instant::now();
            let due = state.chores_due.filter(|_| with_chores);
            let passed = |time: Option<Instant>| time.is_some_and(|time| time <= now);
            if !state.jobs.is_empty() || state.closed || passed(due) || passed(until) {
                break;
            }
            match [due, until].into_iter().flatten().min() {
                Some(time) => {
                    self.wake.wait_until(&mut state, time);
                }
                None => self.wake.wait(&mut state),
            }
        }
        let count = state.jobs.len().min(BATCH_MAX);
        let jobs: Vec<_> = state.jobs.drain(..count).collect();
        state.bytes -= jobs.iter().map(|job| job.weight()).sum::<usize>();
        self.depth.set(state.jobs.len() as i64);
        let chores = if with_chores {
            state.chores_due = None;
            std::mem::take(&mut state.chores)
        } else {
            Chores::default()
        };
        Batch { jobs, chores, closed: state.closed }
    }

    /// Refuses further requests. Those that wait are still taken.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.wake.notify_all();
    }
}

struct Task<T, F> {
    run: F,
    weight: usize,
    done: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnMut(&Connection) -> rusqlite::Result<T> + Send,
{
    fn run(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.done = Some((self.run)(db)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { done, reply, .. } = *self;
        // Whoever asked may have gone.
        let _ = reply.send(outcome.and_then(|()| done.ok_or(StoreError::Internal)));
    }

    fn weight(&self) -> usize {
        self.weight
    }
}
