//! The threads that serve connections, each with an event loop of its own.
//!
//! A connection stays where it was put: its task runs on one thread only, and no thread takes work from another's queue. What one socket
//! sends another is written by the sender's thread, wherever the receiver lives. Why is in `docs/adr/0012-threads.md`.

use std::cell::Cell;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

use super::lanes::Lane;

/// Threads that take connections in turn, until this is dropped: then they end, and with them all that they serve.
#[derive(Debug)]
pub struct Workers {
    turns: Turns,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

/// Who is next.
#[derive(Clone, Debug)]
pub(crate) struct Turns(Arc<(Vec<Handle>, AtomicUsize)>);

impl Workers {
    /// Starts so many.
    pub fn start(count: NonZeroUsize) -> io::Result<Self> {
        let stop = watch::Sender::new(false);
        let (mut loops, mut threads) = (Vec::new(), Vec::new());
        for number in 0..count.get() {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            loops.push(runtime.handle().clone());
            let mut stopped = stop.subscribe();
            let run = move || {
                NUMBER.set(Some(number));
                let _lane = Lane::take();
                // A sender that is gone says the same.
                drop(runtime.block_on(stopped.wait_for(|stop| *stop)));
                runtime.shutdown_timeout(PATIENCE);
            };
            threads.push(std::thread::Builder::new().name(format!("sockets-{number}")).spawn(run)?);
        }
        Ok(Self { turns: Turns(Arc::new((loops, AtomicUsize::new(0)))), stop, threads })
    }

    pub(crate) fn turns(&self) -> Turns {
        self.turns.clone()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        for thread in self.threads.drain(..) {
            // One that panicked has ended, too.
            drop(thread.join());
        }
    }
}

impl Turns {
    /// The event loop whose turn it is, and its number.
    pub(crate) fn next(&self) -> (usize, &Handle) {
        let (loops, next) = &*self.0;
        let number = next.fetch_add(1, Ordering::Relaxed) % loops.len();
        (number, &loops[number])
    }

    /// All event loops, by number.
    pub(crate) fn loops(&self) -> &[Handle] {
        &self.0.0
    }
}

/// Which of the threads this is, if it is one.
pub(crate) fn number() -> Option<usize> {
    NUMBER.get()
}

thread_local! {
    static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
}

/// How long what still waits for something (a blocked look-up, say) may hold up the end of a thread.
const PATIENCE: Duration = Duration::from_millis(100);
