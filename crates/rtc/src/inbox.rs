//! What was said on a channel and not read yet.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::channel::Message;
use crate::settings::UNREAD_BYTES_MAX;

/// What waits to be read on all channels of a connection.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    pub(crate) unread: AtomicUsize,
    /// Rung when enough has been read that the other end may go on.
    pub(crate) read: Notify,
}

impl Budget {
    fn take(&self, cost: usize) {
        let before = self.unread.fetch_sub(cost, Ordering::AcqRel);
        if before > UNREAD_BYTES_MAX / 2 && before - cost <= UNREAD_BYTES_MAX / 2 {
            self.read.notify_one();
        }
    }
}

#[derive(Debug, Default)]
struct Shelf {
    messages: VecDeque<Message>,
    /// Nothing more will come.
    ended: bool,
    /// Nobody reads any more.
    left: bool,
}

#[derive(Debug)]
struct Inbox {
    shelf: Mutex<Shelf>,
    news: Notify,
    budget: Arc<Budget>,
}

/// What the other end says on a channel, in order. Who does not read makes the other end wait, on all channels of the connection.
#[derive(Debug)]
pub struct Messages(Arc<Inbox>);

impl Messages {
    /// The next message; None when the channel is closed and all is read. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            {
                let mut shelf = self.0.shelf.lock();
                if let Some(message) = shelf.messages.pop_front() {
                    self.0.budget.take(message.cost());
                    return Some(message);
                }
                if shelf.ended {
                    return None;
                }
            }
            self.0.news.notified().await;
        }
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        let mut shelf = self.0.shelf.lock();
        shelf.left = true;
        for message in shelf.messages.drain(..) {
            self.0.budget.take(message.cost());
        }
    }
}

/// Where the engine puts what comes in.
#[derive(Debug)]
pub(crate) struct Inlet(Arc<Inbox>);

impl Inlet {
    pub(crate) fn put(&self, message: Message) {
        let mut shelf = self.0.shelf.lock();
        if !shelf.left {
            crate::engine::add(&self.0.budget.unread, message.cost());
            shelf.messages.push_back(message);
            self.0.news.notify_one();
        }
    }

    pub(crate) fn end(&self) {
        self.0.shelf.lock().ended = true;
        self.0.news.notify_one();
    }
}

pub(crate) fn inbox(budget: Arc<Budget>) -> (Messages, Inlet) {
    let inbox = Arc::new(Inbox { shelf: Mutex::default(), news: Notify::new(), budget });
    (Messages(Arc::clone(&inbox)), Inlet(inbox))
}
