//! What an operator can watch of the store.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::error::Fault;

/// Counters of one store. Clones count into the same numbers.
#[derive(Clone, Debug)]
pub struct StoreMetrics {
    errors: Family<ErrorLabels, Counter>,
    pub(super) writes: Counter,
    pub(super) commit_seconds: Histogram,
    pub(super) queue_depth: Gauge,
    pub(super) degraded: Gauge,
}

impl StoreMetrics {
    /// Makes them known under their full names.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "wigwag_store_errors",
            "Requests that the store did not carry out, by kind of fault",
            self.errors.clone(),
        );
        registry.register("wigwag_store_writes", "Requests that the store wrote down", self.writes.clone());
        registry.register(
            "wigwag_store_commit_seconds",
            "Time to commit one group of requests",
            self.commit_seconds.clone(),
        );
        registry.register(
            "wigwag_store_queue_depth",
            "Requests that wait for the store's writer",
            self.queue_depth.clone(),
        );
        registry.register("wigwag_store_degraded", "1 while the store cannot write, else 0", self.degraded.clone());
    }

    /// Whether the store cannot write at the moment.
    pub fn is_degraded(&self) -> bool {
        self.degraded.get() != 0
    }

    pub(super) fn count_error(&self, kind: Fault) {
        self.errors.get_or_create(&ErrorLabels { kind }).inc();
    }
}

impl Default for StoreMetrics {
    fn default() -> Self {
        let errors = Family::default();
        for kind in Fault::ALL {
            // Zeros from the start: an alert on a rise must see where it rose from.
            drop(errors.get_or_create(&ErrorLabels { kind }));
        }
        Self {
            errors,
            writes: Counter::default(),
            // 0.1 ms, as an SSD may do, to 1.6 s, as a tired one does.
            commit_seconds: Histogram::new(exponential_buckets(0.0001, 2.0, 15)),
            queue_depth: Gauge::default(),
            degraded: Gauge::default(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ErrorLabels {
    kind: Fault,
}
