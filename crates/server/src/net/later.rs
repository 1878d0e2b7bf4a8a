//! Writes what one wake-up produced for many sockets: a few of them at a time, and after everybody who has something to say.
//!
//! A message to a thousand is a thousand writes. The wake-up that caused it only queues the frames and leaves the sockets
//! here; a task of its own writes them in turns, and between two turns whatever became ready meanwhile is served. What is
//! queued for a socket before its turn comes leaves in the same write.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::runtime::Handle as EventLoop;
use tokio::sync::Notify;
use tokio::task::yield_now;

use super::NetMetrics;
use super::handle::{Handle, Tally};

/// Sockets that wait to be written, each at most once: a socket knows whether it is among them.
pub(crate) struct Later<M> {
    waiting: Mutex<VecDeque<Arc<Handle<M>>>>,
    bell: Notify,
    over: AtomicBool,
}

impl<M: Send + 'static> Later<M> {
    /// An empty list and, on this event loop, the task that writes what is put into it.
    pub(crate) fn start(on: &EventLoop, metrics: NetMetrics) -> Arc<Self> {
        let later = Arc::new(Self { waiting: Mutex::default(), bell: Notify::new(), over: AtomicBool::new(false) });
        on.spawn(run(Arc::clone(&later), metrics));
        later
    }
}

impl<M> Later<M> {
    /// Takes in sockets that have just been noted as waiting.
    pub(crate) fn add(&self, handles: impl Iterator<Item = Arc<Handle<M>>>) {
        let mut waiting = self.waiting.lock();
        let slept = waiting.is_empty();
        waiting.extend(handles);
        drop(waiting);
        if slept {
            self.bell.notify_one();
        }
    }

    /// Nothing will be added any more: the task ends.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.bell.notify_one();
    }

    fn turn(&self) -> SmallVec<[Arc<Handle<M>>; TURN]> {
        let mut waiting = self.waiting.lock();
        let some = waiting.len().min(TURN);
        let turn = waiting.drain(..some).collect();
        if waiting.is_empty() {
            // Nobody waits: no memory is kept for it.
            *waiting = VecDeque::new();
        }
        turn
    }
}

/// Sockets that are written before others are let go first. A write takes some five microseconds.
const TURN: usize = 8;

async fn run<M: Send + 'static>(later: Arc<Later<M>>, metrics: NetMetrics) {
    loop {
        later.bell.notified().await;
        if later.over.load(Ordering::Acquire) {
            return;
        }
        loop {
            let turn = later.turn();
            if turn.is_empty() {
                break;
            }
            let mut tally = Tally::default();
            for handle in turn {
                handle.flush_in_turn(&mut tally);
            }
            metrics.add(&tally);
            // tokio asks the kernel what became ready, and serves that before it comes back here.
            yield_now().await;
        }
    }
}
