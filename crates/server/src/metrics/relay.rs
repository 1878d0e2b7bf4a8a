//! Counters that are resolved before a message passes: rows of numbers, indexed by what the message is.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use wigwag_dialects::{Dialect, EVENT_TYPES};
use wigwag_hub::DialectId;
use wigwag_wire::Code;

use crate::http::Counts;
use crate::net::Sums;

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From a peer.
    In,
    /// To a peer.
    Out,
}

/// Counts the messages of one dialect in one direction by their type.
pub struct MessageTable {
    dialect: &'static str,
    direction: Direction,
    types: &'static [&'static str],
    counts: Sums,
}

impl MessageTable {
    /// A table of zeros for these types.
    pub fn new(dialect: &'static str, direction: Direction, types: &'static [&'static str]) -> Self {
        Self { dialect, direction, types, counts: Sums::new(types.len()) }
    }

    /// Counts one message of the type at this place of the table.
    #[inline]
    pub fn count(&self, type_index: u8) {
        self.add(type_index, 1);
    }

    /// Counts several at once: what is encoded once and sent to many.
    #[inline]
    pub fn add(&self, type_index: u8, messages: u64) {
        self.counts.add(usize::from(type_index), messages);
    }
}

impl fmt::Debug for MessageTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageTable({} {:?})", self.dialect, self.direction)
    }
}

/// The tables of all dialects. Clones count into the same numbers.
#[derive(Clone, Debug)]
pub struct DialectTables(Arc<[(Arc<MessageTable>, Arc<MessageTable>)]>);

impl Default for DialectTables {
    fn default() -> Self {
        let table = |dialect: &Dialect, direction, types| Arc::new(MessageTable::new(dialect.name(), direction, types));
        let both = |dialect: &Dialect| {
            (table(dialect, Direction::In, dialect.types()), table(dialect, Direction::Out, EVENT_TYPES))
        };
        Self(Dialect::ALL.iter().map(both).collect())
    }
}

impl DialectTables {
    /// Counts a message from a peer.
    pub fn heard(&self, dialect: DialectId, type_index: u8) {
        if let Some((heard, _)) = self.of(dialect) {
            heard.count(type_index);
        }
    }

    /// Counts a message for a peer.
    pub fn told(&self, dialect: DialectId, type_index: u8) {
        if let Some((_, told)) = self.of(dialect) {
            told.count(type_index);
        }
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = Arc<MessageTable>> {
        self.0.iter().flat_map(|(heard, told)| [heard.clone(), told.clone()])
    }

    fn of(&self, dialect: DialectId) -> Option<&(Arc<MessageTable>, Arc<MessageTable>)> {
        // 0 is the native protocol, which has tables of its own.
        self.0.get(usize::from(dialect.0).checked_sub(1)?)
    }
}

/// All tables, as one family.
#[derive(Debug)]
pub(super) struct Messages(pub(super) Vec<Arc<MessageTable>>);

impl EncodeMetric for Messages {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for table in &self.0 {
            let direction = match table.direction {
                Direction::In => "in",
                Direction::Out => "out",
            };
            for (name, count) in table.types.iter().zip(table.counts.all()) {
                let labels = [("dialect", table.dialect), ("type", name), ("direction", direction)];
                encode_count(&mut encoder, &labels, count)?;
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

/// Counts refusals by code. Clones count into the same numbers.
#[derive(Clone, Debug)]
pub struct Refused(Arc<[AtomicU64]>);

impl Default for Refused {
    fn default() -> Self {
        Self(Code::ALL.iter().map(|_| AtomicU64::new(0)).collect())
    }
}

impl Refused {
    /// Counts one refusal.
    pub fn count(&self, code: Code) {
        if let Some(count) = self.0.get(code.index()) {
            count.fetch_add(1, Relaxed);
        }
    }
}

impl EncodeMetric for Refused {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (code, count) in Code::ALL.iter().zip(self.0.iter()) {
            let number = code.number().to_string();
            encode_count(&mut encoder, &[("code", number.as_str()), ("name", code.name())], count.load(Relaxed))?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

fn encode_count<const N: usize>(
    encoder: &mut MetricEncoder<'_>,
    labels: &[(&str, &str); N],
    count: u64,
) -> fmt::Result {
    encoder.encode_family(labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)
}

/// Upper ends of the histogram's buckets, in microseconds.
const BUCKETS_US: [u64; 14] =
    [50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 102_400, 409_600, 1_638_400];

/// A histogram of short times that takes no lock. Clones count into the same numbers.
#[derive(Clone, Debug)]
pub struct Latency(Arc<Sums>);

/// Where the sum of all times is, in nanoseconds, behind the buckets.
const SUM: usize = BUCKETS_US.len() + 1;

impl Default for Latency {
    fn default() -> Self {
        Self(Arc::new(Sums::new(SUM + 1)))
    }
}

impl Latency {
    /// Takes one time in.
    #[inline]
    pub fn observe(&self, time: Duration) {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_US.iter().position(|end| ns <= end * 1_000).unwrap_or(BUCKETS_US.len());
        self.0.add(bucket, 1);
        self.0.add(SUM, ns);
    }
}

impl EncodeMetric for Latency {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let counts: Vec<u64> = self.0.all().take(SUM).collect();
        #[allow(clippy::cast_precision_loss, reason = "a sum for people and graphs")]
        let seconds = |ns: u64| ns as f64 / 1e9;
        let ends = BUCKETS_US.iter().map(|us| seconds(us * 1_000)).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = ends.zip(counts.iter().copied()).collect();
        let sum = seconds(self.0.get(SUM));
        encoder.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// Asks for [`Counts`] when somebody reads.
pub(super) struct DeskCounts<F>(pub(super) F);

impl<F> fmt::Debug for DeskCounts<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeskCounts")
    }
}

impl<F: Fn() -> Option<Counts> + Send + Sync + 'static> Collector for DeskCounts<F> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (name, help, value) in (self.0)().iter().flat_map(Counts::gauges) {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(&format!("wigwag_{name}"), help, None, MetricType::Gauge)?)?;
        }
        Ok(())
    }
}
