//! Numbers that every event loop counts in a lane of its own: counting takes no bus lock, and takes no line of memory away from another
//! processor. Who reads adds the lanes up. What is counted now and then is better off in a plain counter.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// A row of numbers that any thread may add to.
pub struct Sums {
    width: usize,
    /// Of all threads without a lane.
    shared: Box<[Line]>,
    lanes: [OnceLock<Box<[Line]>>; LANES],
}

/// One of such numbers. Clones count into the same one.
#[derive(Clone, Debug)]
pub struct Count {
    sums: Arc<Sums>,
    place: usize,
}

/// The right of a thread to a lane, for as long as it holds this.
#[derive(Debug)]
pub(crate) struct Lane {
    number: Option<usize>,
    stays_in_its_thread: PhantomData<*const ()>,
}

impl Sums {
    /// So many zeros.
    pub fn new(width: usize) -> Self {
        Self { width, shared: zeros(width), lanes: [const { OnceLock::new() }; LANES] }
    }

    /// Adds to the number at this place; where there is none, nothing.
    #[inline]
    pub fn add(&self, place: usize, more: u64) {
        match MINE.get().and_then(|mine| self.lanes.get(mine)) {
            Some(lane) => {
                if let Some(own) = number(lane.get_or_init(|| zeros(self.width)), place) {
                    // Nobody else writes here.
                    own.store(own.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
                }
            }
            None => {
                if let Some(shared) = number(&self.shared, place) {
                    shared.fetch_add(more, Ordering::Relaxed);
                }
            }
        }
    }

    /// What was added at this place by all threads.
    pub fn get(&self, place: usize) -> u64 {
        let lanes = self.lanes.iter().filter_map(OnceLock::get).chain([&self.shared]);
        lanes.filter_map(|lane| number(lane, place)).fold(0, |sum, own| sum.wrapping_add(own.load(Ordering::Relaxed)))
    }

    /// All of them, in order.
    pub fn all(&self) -> impl Iterator<Item = u64> {
        (0..self.width).map(|place| self.get(place))
    }
}

impl fmt::Debug for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all()).finish()
    }
}

impl Count {
    /// Some that are mostly added to together, and lie together.
    pub fn several<const N: usize>() -> [Self; N] {
        let sums = Arc::new(Sums::new(N));
        std::array::from_fn(|place| Self { sums: Arc::clone(&sums), place })
    }

    /// Adds to it.
    #[inline]
    pub fn inc_by(&self, more: u64) {
        self.sums.add(self.place, more);
    }

    /// What was added so far.
    pub fn get(&self) -> u64 {
        self.sums.get(self.place)
    }
}

impl EncodeMetric for Count {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_counter::<NoLabelSet, _, u64>(&self.get(), None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

impl Lane {
    /// Takes one for the current thread, if one is left.
    pub(crate) fn take() -> Self {
        let free = |taken: u64| (taken != u64::MAX).then(|| taken | (taken + 1));
        // What the last one wrote here is seen by the next one.
        let taken = TAKEN.fetch_update(Ordering::AcqRel, Ordering::Acquire, free);
        let number = taken.ok().map(|taken| taken.trailing_ones() as usize);
        MINE.set(number);
        Self { number, stays_in_its_thread: PhantomData }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        MINE.set(None);
        if let Some(number) = self.number {
            TAKEN.fetch_and(!(1 << number), Ordering::AcqRel);
        }
    }
}

/// As many as there are bits in [`TAKEN`].
const LANES: usize = u64::BITS as usize;

/// Which lanes of all [`Sums`] have a thread.
static TAKEN: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static MINE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// What processors hand each other at once.
#[repr(align(128))]
#[derive(Default)]
struct Line([AtomicU64; 16]);

fn zeros(width: usize) -> Box<[Line]> {
    std::iter::repeat_with(Line::default).take(width.div_ceil(16)).collect()
}

fn number(lane: &[Line], place: usize) -> Option<&AtomicU64> {
    lane.get(place / 16)?.0.get(place % 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_threads_with_and_without_a_lane_count_adds_up() {
        let sums = Sums::new(20);
        std::thread::scope(|threads| {
            for round in 0..8 {
                let sums = &sums;
                threads.spawn(move || {
                    let _lane = (round % 2 == 0).then(Lane::take);
                    for _ in 0..10_000 {
                        sums.add(0, 1);
                        sums.add(19, 2);
                        sums.add(40, 1);
                    }
                });
            }
        });
        assert_eq!((sums.get(0), sums.get(1), sums.get(19), sums.get(40)), (80_000, 0, 160_000, 0));
        assert_eq!(sums.all().sum::<u64>(), 240_000);
    }

    #[test]
    fn a_lane_serves_one_thread_after_the_other_and_threads_without_one_count_too() {
        let sums = Sums::new(1);
        for _ in 0..3 {
            let lanes: Vec<Lane> = (0..=LANES).map(|_| Lane::take()).collect();
            assert_eq!(lanes.last().map(|lane| lane.number), Some(None), "there are not so many");
            sums.add(0, 1);
            drop(lanes);
            let again = Lane::take();
            assert!(again.number.is_some());
            sums.add(0, 1);
        }
        assert_eq!(sums.get(0), 6);
    }
}
