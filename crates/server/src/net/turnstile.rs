//! Lets what is costly pass a little at a time, so that thousands who come, go or speak to many do not hold up the others.
//!
//! An upgrade, a proof of identity and a goodbye each cost as much as ten messages, and a word to a thousand as much as a
//! hundred. When many are due at once, each waits here for its turn, in the order of their coming; between two turns
//! whatever became ready meanwhile is served. Who finds nobody waiting passes at once.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::runtime::Handle as EventLoop;
use tokio::sync::Notify;
use tokio::task::yield_now;

/// What can be told that it is its turn.
pub(crate) trait Called {
    /// It is.
    fn call(self);
}

/// A line of those who wait, and whether one may pass now. It is as long as there are sockets and connections at most.
pub(crate) struct Turnstile<C> {
    line: Mutex<Line<C>>,
    bell: Notify,
    over: AtomicBool,
    /// Whether nobody may pass at once now, to be asked without the lock.
    busy: AtomicBool,
}

struct Line<C> {
    waiting: VecDeque<C>,
    /// Whether one may pass before others are let go first.
    is_free: bool,
}

impl<C: Called + Send + 'static> Turnstile<C> {
    /// One for what this event loop runs, and the task there that turns it.
    pub(crate) fn start(on: &EventLoop) -> Arc<Self> {
        let turnstile = Arc::new(Self {
            line: Mutex::new(Line { waiting: VecDeque::new(), is_free: true }),
            bell: Notify::new(),
            over: AtomicBool::new(false),
            busy: AtomicBool::new(false),
        });
        on.spawn(turn(Arc::clone(&turnstile)));
        turnstile
    }
}

impl<C: Called> Turnstile<C> {
    /// Whether one may pass now; otherwise what `ticket` makes is called when it may.
    pub(crate) fn pass(&self, ticket: impl FnOnce() -> C) -> bool {
        let mut line = self.line.lock();
        let passes = self.take(&mut line);
        if !passes {
            line.waiting.push_back(ticket());
        }
        passes
    }

    /// Somebody has passed without asking, for only afterwards it was seen what it cost.
    pub(crate) fn passed(&self) {
        self.take(&mut self.line.lock());
    }

    /// Whether one would have to wait, as far as that can be known from outside.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    fn take(&self, line: &mut Line<C>) -> bool {
        let was_free = std::mem::replace(&mut line.is_free, false);
        if was_free {
            self.busy.store(true, Ordering::Relaxed);
            self.bell.notify_one();
        }
        was_free
    }

    /// Nobody comes any more: the task ends.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Release);
        self.bell.notify_one();
    }

    /// Calls the one whose turn it is; `false` if nobody waited.
    fn call_next(&self) -> bool {
        let mut line = self.line.lock();
        let next = line.waiting.pop_front();
        if line.waiting.is_empty() {
            line.waiting = VecDeque::new();
        }
        line.is_free = next.is_none();
        self.busy.store(next.is_some(), Ordering::Relaxed);
        drop(line);
        next.map(Called::call).is_some()
    }
}

async fn turn<C: Called>(turnstile: Arc<Turnstile<C>>) {
    loop {
        turnstile.bell.notified().await;
        if turnstile.over.load(Ordering::Acquire) {
            return;
        }
        loop {
            // tokio asks the kernel what became ready, and serves that before it comes back here.
            yield_now().await;
            if !turnstile.call_next() {
                break;
            }
        }
    }
}

/// A future that waits for its turn each time before it goes on.
pub(crate) struct InTurn<F> {
    turnstile: Arc<Turnstile<Arc<Ticket>>>,
    future: F,
    ticket: Option<Arc<Ticket>>,
}

/// The place of such a future in the line.
pub(crate) struct Ticket {
    is_called: AtomicBool,
    waker: Mutex<Waker>,
}

impl<F: Future + Unpin> InTurn<F> {
    pub(crate) fn new(turnstile: Arc<Turnstile<Arc<Ticket>>>, future: F) -> Self {
        Self { turnstile, future, ticket: None }
    }
}

impl Called for Arc<Ticket> {
    fn call(self) {
        self.is_called.store(true, Ordering::Release);
        self.waker.lock().wake_by_ref();
    }
}

impl<F: Future + Unpin> Future for InTurn<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        match &this.ticket {
            None => {
                let mut mine = None;
                let passes = this.turnstile.pass(|| {
                    let ticket =
                        Arc::new(Ticket { is_called: AtomicBool::new(false), waker: Mutex::new(cx.waker().clone()) });
                    mine = Some(Arc::clone(&ticket));
                    ticket
                });
                this.ticket = mine;
                if !passes {
                    return Poll::Pending;
                }
            }
            Some(ticket) => {
                ticket.waker.lock().clone_from(cx.waker());
                if !ticket.is_called.load(Ordering::Acquire) {
                    return Poll::Pending;
                }
                this.ticket = None;
            }
        }
        Pin::new(&mut this.future).poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn those_who_wait_pass_in_their_order_and_others_are_served_between_them() {
        let turnstile = Turnstile::start(&EventLoop::current());
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut coming = Vec::new();
        for number in 0..5 {
            let log = Arc::clone(&log);
            let step = poll_fn(move |_| {
                log.lock().push(Some(number));
                Poll::Ready(())
            });
            coming.push(tokio::spawn(InTurn::new(Arc::clone(&turnstile), step)));
        }
        let inside = tokio::spawn({
            let log = Arc::clone(&log);
            poll_fn(move |cx| {
                let mut log = log.lock();
                log.push(None);
                cx.waker().wake_by_ref();
                if log.contains(&Some(4)) { Poll::Ready(()) } else { Poll::Pending }
            })
        });
        for one in coming {
            assert!(one.await.is_ok());
        }
        assert!(inside.await.is_ok());
        let log = log.lock();
        assert_eq!(log.iter().filter_map(|entry| *entry).collect::<Vec<i32>>(), [0, 1, 2, 3, 4]);
        for pair in log.windows(2) {
            assert!(pair[0].is_none() || pair[1].is_none(), "{log:?}");
        }
        turnstile.end();
    }

    #[tokio::test]
    async fn whoever_gives_up_waiting_keeps_nobody_from_passing() {
        let turnstile = Turnstile::start(&EventLoop::current());
        let ready = || InTurn::new(Arc::clone(&turnstile), std::future::ready(()));
        let mut first = ready();
        let mut second = ready();
        poll_fn(|cx| {
            assert!(Pin::new(&mut first).poll(cx).is_ready());
            assert!(Pin::new(&mut second).poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        let third = ready();
        drop(second);
        third.await;
        turnstile.end();
    }
}
