//! Gives memory that nobody uses back to the system, and lays [pieces of whole lines](Trays) side by side.
//!
//! glibc gives back by itself only what lies at the end of a heap. After many sockets, or many large messages, a few small things lie there,
//! and everything below them stays resident although it is free. Other allocators have ways of their own, and none of this is built for them.

mod trays;

use std::time::Duration;

pub use trays::Trays;

/// How often to look, where looking costs next to nothing.
const EVERY: Duration = Duration::from_millis(500);
/// Looks take one part in so many of a processor's time at most, in the long run: a heap in pieces costs no more.
const SHARE: u32 = 100;
/// What they may take beyond that after a calm time. A flood is given back in several looks as it ebbs away, and the first of them must
/// not put off the last.
const SAVED: Duration = Duration::from_millis(100);
/// The thread calls one function.
const STACK: usize = 64 << 10;

/// From now on, gives back what is free, from a thread of its own: whoever allocates meanwhile waits for a part of a look at most, and
/// others for nothing.
pub fn give_back() {
    let thread = std::thread::Builder::new().name("memory".to_owned()).stack_size(STACK);
    if let Err(error) = thread.spawn(run) {
        tracing::warn!(%error, "memory that is free will stay with this process");
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn run() {
    let (mut spent, mut wait) = (Duration::ZERO, EVERY);
    loop {
        std::thread::sleep(wait);
        let begun = std::time::Instant::now();
        #[expect(unsafe_code, reason = "no safe function does it")]
        // SAFETY: it has no precondition, and any thread may call it at any time.
        unsafe {
            libc::malloc_trim(0);
        }
        (spent, wait) = after(spent, wait, begun.elapsed());
    }
}

/// What is spent of the time for looks, and how long to wait for the next, once one took so long after such a wait.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn after(spent: Duration, waited: Duration, took: Duration) -> (Duration, Duration) {
    let spent = spent.saturating_sub(waited / SHARE) + took;
    (spent, EVERY.max(spent.saturating_sub(SAVED) * SHARE))
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn run() {}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    /// Looks that take so long each, one after the other: the waits between them.
    fn waits(looks: &[u64]) -> Vec<u64> {
        let (mut spent, mut wait) = (Duration::ZERO, EVERY);
        let mut next = |took: &u64| {
            (spent, wait) = after(spent, wait, Duration::from_millis(*took));
            wait.as_millis() as u64
        };
        looks.iter().map(&mut next).collect()
    }

    #[test]
    fn a_flood_that_ebbs_away_is_given_back_without_a_longer_wait() {
        assert_eq!(waits(&[0, 20, 30, 40, 2]), [500; 5]);
    }

    #[test]
    fn a_heap_that_takes_long_each_time_costs_a_hundredth_of_a_processor() {
        let waits = waits(&[20; 1_000]);
        assert_eq!(waits.last(), Some(&2_000));
        assert!(waits.iter().sum::<u64>() >= (20 * 1_000 - 100) * 100);
    }

    #[test]
    fn what_was_spent_is_there_again_after_a_calm_time() {
        let mut looks = vec![90];
        looks.extend([1; 30]);
        looks.push(90);
        assert_eq!(waits(&looks), vec![500; looks.len()]);
    }
}
