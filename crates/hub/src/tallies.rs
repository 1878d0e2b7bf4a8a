//! Counts over all shards, for limits that hold for the whole server.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use wigwag_wire::{Code, Limits, Namespace, Refusal};

use crate::limiter::SharedByteLimiter;
use crate::lock::Lock;
use crate::time::Moment;

/// The counts.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    pub(crate) sockets: AtomicU64,
    pub(crate) handshakes: AtomicU64,
    pub(crate) sessions: AtomicU64,
    pub(crate) rooms: AtomicU64,
    pub(crate) topics: AtomicU64,
    pub(crate) networks: AtomicU64,
    pub(crate) swarms: AtomicU64,
    stored_bytes: AtomicU64,
    relayed: SharedByteLimiter,
    /// Sessions by namespace; only where that is limited, because it is one lock for all.
    namespaces: Option<Lock<BTreeMap<Namespace, u64>>>,
}

impl Tallies {
    pub(crate) fn new(by_namespace: bool) -> Self {
        Self { namespaces: by_namespace.then(Lock::default), ..Self::default() }
    }

    /// One more session of a namespace, unless the limit (0: none) is reached.
    pub(crate) fn begin(&self, ns: &Namespace, limit: u64) -> Result<(), Refusal> {
        if let Some(all) = &self.namespaces {
            let mut all = all.lock();
            let count = all.entry(ns.clone()).or_default();
            if limit != 0 && *count >= limit {
                return Err(Code::NamespaceFull.into());
            }
            *count += 1;
        }
        up(&self.sessions);
        Ok(())
    }

    pub(crate) fn ended(&self, ns: &Namespace) {
        down(&self.sessions);
        if let Some(all) = &self.namespaces {
            let mut all = all.lock();
            if let Some(count) = all.get_mut(ns) {
                *count -= 1;
                if *count == 0 {
                    all.remove(ns);
                }
            }
        }
    }

    /// So many more bytes stored, unless that is over the limit (0: none).
    pub(crate) fn store_within(&self, bytes: usize, limit: u64) -> bool {
        let more = |have: u64| Some(have + bytes as u64).filter(|sum| limit == 0 || *sum <= limit);
        self.stored_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// So many more bytes relayed, or how many milliseconds that would have to wait.
    pub(crate) fn relay_within(&self, now: Moment, bytes: u64, limits: &Limits) -> Result<(), u64> {
        let per_second = limits.relay_bytes_per_second_in_all;
        self.relayed.take(now, bytes, per_second, per_second)
    }

    pub(crate) fn store(&self, bytes: usize) {
        self.stored_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn unstore(&self, bytes: usize) {
        self.stored_bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn stored(&self) -> u64 {
        self.stored_bytes.load(Ordering::Relaxed)
    }
}

/// One more.
pub(crate) fn up(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// One less.
pub(crate) fn down(count: &AtomicU64) {
    count.fetch_sub(1, Ordering::Relaxed);
}

/// One more, unless the limit (0: none) is reached.
pub(crate) fn up_within(count: &AtomicU64, limit: u64) -> bool {
    count
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |have| (limit == 0 || have < limit).then_some(have + 1))
        .is_ok()
}
