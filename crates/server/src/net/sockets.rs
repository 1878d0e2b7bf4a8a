//! The table of all sockets: by id in two array look-ups, from any thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use tokio::runtime::Handle as EventLoop;
use tokio::sync::Notify;
use tokio::time::Instant;
use wigwag_hub::SocketId;

use super::batch::Batch;
use super::handle::{Handle, Waiting};
use super::later::Later;
use super::stream::WriteEnd;
use super::turnstile::Turnstile;
use super::{NetLimits, NetMetrics, Workers, sweep, workers};

/// All WebSockets of the server.
///
/// Ids are never used twice. `M` is the mail that tasks take, [`Behind::Mail`](super::Behind::Mail).
pub struct Sockets<M> {
    shards: Box<[RwLock<Shard<M>>]>,
    next_shard: AtomicUsize,
    /// Sockets in the table and places reserved for upgrades that are under way.
    taken: AtomicUsize,
    now: AtomicU32,
    emptied: Notify,
    /// One list per thread that serves sockets.
    later: Box<[Arc<Later<M>>]>,
    next_later: AtomicUsize,
    /// Where those wait who come, go or speak to many.
    turnstiles: Box<[Arc<Turnstile<Waiting<M>>>]>,
    limits: NetLimits,
    metrics: NetMetrics,
}

/// A reserved place in the table, given back when dropped unused.
pub struct Place<M> {
    sockets: Arc<Sockets<M>>,
}

impl<M: Send + 'static> Sockets<M> {
    /// An empty table and, on the current tokio runtime, the sweeper that watches over it
    /// and those who write what waits.
    pub fn start(limits: NetLimits, metrics: NetMetrics) -> Arc<Self> {
        Self::start_on(&[EventLoop::current()], limits, metrics)
    }

    /// The same for sockets that these threads serve: each writes what it caused.
    pub fn start_with(workers: &Workers, limits: NetLimits, metrics: NetMetrics) -> Arc<Self> {
        Self::start_on(workers.turns().loops(), limits, metrics)
    }

    fn start_on(loops: &[EventLoop], limits: NetLimits, metrics: NetMetrics) -> Arc<Self> {
        let sockets = Arc::new(Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            next_shard: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
            now: AtomicU32::new(0),
            emptied: Notify::new(),
            later: loops.iter().map(|on| Later::start(on, metrics.clone())).collect(),
            next_later: AtomicUsize::new(0),
            turnstiles: loops.iter().map(Turnstile::start).collect(),
            limits,
            metrics,
        });
        tokio::spawn(sweep::run(Arc::downgrade(&sockets)));
        sockets
    }
}

impl<M> Sockets<M> {
    /// The limits in force.
    pub fn limits(&self) -> &NetLimits {
        &self.limits
    }

    /// What is counted.
    pub fn metrics(&self) -> &NetMetrics {
        &self.metrics
    }

    /// Sockets in the table and upgrades under way.
    pub fn len(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Whether there is neither a socket nor an upgrade under way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Leaves mail for a socket's task and wakes it; gives the mail back if the socket is closing
    /// or gone. Mail is for few and small things: nothing bounds it but its sender.
    pub fn post(&self, id: SocketId, mail: M) -> Result<(), M> {
        match self.find(id) {
            Some(handle) => handle.post(mail),
            None => Err(mail),
        }
    }

    /// A batch of one's own, for timers and other threads that are no socket's task.
    pub fn batch(&self) -> Batch<'_, M> {
        Batch::new(self, None)
    }

    /// The sockets that are open now, in no particular order.
    pub fn ids(&self) -> Vec<SocketId> {
        let mut ids = Vec::with_capacity(self.len());
        for shard in &self.shards {
            ids.extend(shard.read().handles().map(|h| h.id));
        }
        ids
    }

    /// Closes the sockets that are open now with one code, evenly spread over a time.
    pub async fn close_all(&self, code: u16, reason: &str, over: Duration) {
        let ids = self.ids();
        let steps = (over.as_millis() / CLOSE_STEP.as_millis()).max(1) as usize;
        let start = Instant::now();
        for (step, some) in ids.chunks(ids.len().div_ceil(steps).max(1)).enumerate() {
            let due = CLOSE_STEP * u32::try_from(step).unwrap_or(u32::MAX);
            tokio::time::sleep_until(start + due.min(over)).await;
            let mut batch = self.batch();
            for id in some {
                batch.close(*id, code, reason);
            }
        }
    }

    /// Resolves once no socket is left, close handshakes included.
    pub async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.is_empty() {
                return;
            }
            emptied.await;
        }
    }

    /// Reserves a place, unless [`NetLimits::sockets`] are taken.
    pub fn reserve(self: &Arc<Self>) -> Option<Place<M>> {
        let place = self.taken.try_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
            (taken < self.limits.sockets).then_some(taken + 1)
        });
        place.ok().map(|_| Place { sockets: Arc::clone(self) })
    }

    /// Puts a new socket into the table.
    pub(crate) fn insert(&self, writer: WriteEnd) -> Arc<Handle<M>> {
        let shard = self.next_shard.fetch_add(1, Ordering::Relaxed) % SHARDS;
        self.metrics.sockets.inc();
        self.metrics.sockets_opened.inc();
        let tick = self.tick();
        self.shards[shard]
            .write()
            .insert(|slot, generation| Handle::new(Key { shard, slot, generation }.id(), writer, tick))
    }

    pub(crate) fn remove(&self, id: SocketId) {
        let key = Key::of(id);
        let removed = self.shards[key.shard].write().remove(key);
        if removed.is_some() {
            self.metrics.sockets.dec();
        }
    }

    pub(crate) fn find(&self, id: SocketId) -> Option<Arc<Handle<M>>> {
        let key = Key::of(id);
        self.shards[key.shard].read().find(key).cloned()
    }

    /// Shows the handles, shard by shard.
    pub(crate) fn each_in_shard(&self, shard: usize, mut look: impl FnMut(&Arc<Handle<M>>)) {
        self.shards[shard].read().handles().for_each(&mut look);
    }

    /// Leaves sockets to those who write them after everything else: to this thread's own, or else evenly to all.
    pub(crate) fn write_later(&self, mut handles: impl ExactSizeIterator<Item = Arc<Handle<M>>>) {
        if let Some(number) = workers::number() {
            return self.later[number % self.later.len()].add(handles);
        }
        let some = handles.len().div_ceil(self.later.len()).max(LATER_TOGETHER);
        while handles.len() > 0 {
            let turn = self.next_later.fetch_add(1, Ordering::Relaxed);
            self.later[turn % self.later.len()].add(handles.by_ref().take(some));
        }
    }

    /// Where those of this thread wait for their turn.
    pub(crate) fn turnstile(&self) -> &Turnstile<Waiting<M>> {
        &self.turnstiles[workers::number().unwrap_or_default() % self.turnstiles.len()]
    }

    /// The sweeper's clock.
    pub(crate) fn tick(&self) -> u32 {
        self.now.load(Ordering::Relaxed)
    }

    pub(crate) fn set_tick(&self, tick: u32) {
        self.now.store(tick, Ordering::Relaxed);
    }
}

impl<M> Drop for Sockets<M> {
    fn drop(&mut self) {
        for later in &self.later {
            later.end();
        }
        for turnstile in &self.turnstiles {
            turnstile.end();
        }
    }
}

impl<M> Place<M> {
    /// The table that the place is in.
    pub fn sockets(&self) -> &Arc<Sockets<M>> {
        &self.sockets
    }
}

impl<M> Drop for Place<M> {
    fn drop(&mut self) {
        if self.sockets.taken.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.sockets.emptied.notify_waiters();
        }
    }
}

pub(crate) const SHARDS: usize = 64;
const SHARD_BITS: u32 = SHARDS.trailing_zeros();
const SLOT_BITS: u32 = 32 - SHARD_BITS;
/// Fewer sockets than this are not worth another thread's waking.
const LATER_TOGETHER: usize = 32;
const CLOSE_STEP: Duration = Duration::from_millis(20);

/// What a [`SocketId`] says: where to look, and which of the slot's tenants is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    shard: usize,
    slot: u32,
    generation: u32,
}

impl Key {
    fn id(self) -> SocketId {
        let low = (self.slot << SHARD_BITS) | self.shard as u32;
        SocketId((u64::from(self.generation) << 32) | u64::from(low))
    }

    fn of(id: SocketId) -> Self {
        let low = id.0 as u32;
        Self { shard: low as usize % SHARDS, slot: low >> SHARD_BITS, generation: (id.0 >> 32) as u32 }
    }
}

struct Shard<M> {
    slots: Vec<Slot<M>>,
    free: Vec<u32>,
}

struct Slot<M> {
    generation: u32,
    handle: Option<Arc<Handle<M>>>,
}

impl<M> Default for Shard<M> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

impl<M> Shard<M> {
    fn insert(&mut self, make: impl FnOnce(u32, u32) -> Handle<M>) -> Arc<Handle<M>> {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 1, handle: None });
            self.slots.len() as u32 - 1
        });
        debug_assert!(slot < 1 << SLOT_BITS, "the limit of sockets is far below");
        let entry = &mut self.slots[slot as usize];
        let handle = Arc::new(make(slot, entry.generation));
        entry.handle = Some(Arc::clone(&handle));
        handle
    }

    fn remove(&mut self, key: Key) -> Option<Arc<Handle<M>>> {
        let slot = self.slots.get_mut(key.slot as usize)?;
        if slot.generation != key.generation {
            return None;
        }
        let handle = slot.handle.take()?;
        // A slot whose generations are used up is left empty for good: ids never come back.
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free.push(key.slot);
        }
        Some(handle)
    }

    fn find(&self, key: Key) -> Option<&Arc<Handle<M>>> {
        let slot = self.slots.get(key.slot as usize)?;
        (slot.generation == key.generation).then_some(slot.handle.as_ref()?)
    }

    fn handles(&self) -> impl Iterator<Item = &Arc<Handle<M>>> {
        self.slots.iter().filter_map(|slot| slot.handle.as_ref())
    }
}
