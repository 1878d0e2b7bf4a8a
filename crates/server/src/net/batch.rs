//! What one wake-up produces, gathered so that each socket is written once at its end, or soon after where there are many.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;
use wigwag_hub::SocketId;

use super::Closed;
use super::frame::Kind;
use super::handle::{Bounds, Handle, Queued, Tally, Waiting, Write};
use super::sockets::Sockets;

/// Collects frames for any sockets; they leave when the batch is flushed or dropped.
///
/// Frames are queued at their sockets at once, so two batches keep the order of their calls. The first few sockets are
/// written by the batch itself; where there are more, those are written in turns by a task of their own, after whatever is
/// ready to be read by then. Who queues something for one of them alone meanwhile writes it at once, all of it.
/// A batch must be short-lived: other batches leave a socket that it has queued something for to
/// it. (It cannot cross an `await` of a task that moves between threads.)
pub struct Batch<'a, M> {
    sockets: &'a Sockets<M>,
    /// The socket whose task this is; it needs no look-up, and its task looks after its blocked writes.
    own: Option<&'a Arc<Handle<M>>>,
    own_dirty: bool,
    own_bytes: usize,
    dirty: SmallVec<[Arc<Handle<M>>; 4]>,
    /// Those beyond [`AT_ONCE`].
    later: Vec<Arc<Handle<M>>>,
    tally: Tally,
    /// When the last message was dealt with, if nothing was read or written since.
    since: Option<Instant>,
    stays_in_its_thread: PhantomData<*const ()>,
}

impl<'a, M> Batch<'a, M> {
    pub(crate) fn new(sockets: &'a Sockets<M>, own: Option<&'a Arc<Handle<M>>>) -> Self {
        Self {
            sockets,
            own,
            own_dirty: false,
            own_bytes: 0,
            dirty: SmallVec::new(),
            later: Vec::new(),
            tally: Tally::default(),
            since: None,
            stays_in_its_thread: PhantomData,
        }
    }

    /// Queues a text message, whose bytes must be UTF-8; `false` if the socket is closing or gone.
    ///
    /// A socket for which more than [`NetLimits::queue_bytes`](super::NetLimits::queue_bytes)
    /// would wait is cut as a slow reader.
    pub fn send(&mut self, to: SocketId, text: &[u8]) -> bool {
        self.append(to, Kind::Text, text)
    }

    /// Queues a binary message.
    pub fn send_binary(&mut self, to: SocketId, bytes: &[u8]) -> bool {
        self.append(to, Kind::Binary, bytes)
    }

    /// Queues a ping; of the payload at most 125 bytes are sent.
    pub fn ping(&mut self, to: SocketId, payload: &[u8]) -> bool {
        self.append(to, Kind::Ping, &payload[..payload.len().min(125)])
    }

    /// Closes a socket after what is queued for it; what it still says is ignored.
    ///
    /// `false` if it was closing already or is gone.
    pub fn close(&mut self, id: SocketId, code: u16, reason: &str) -> bool {
        // 1005 is never sent: it means that no code is.
        let told = (code != 1005).then_some(code);
        self.begin_close(id, told, reason, Closed::ByUs(code))
    }

    /// Leaves mail, see [`Sockets::post`].
    pub fn post(&mut self, id: SocketId, mail: M) -> Result<(), M> {
        match self.own.filter(|own| own.id == id) {
            Some(own) => own.post(mail),
            None => self.sockets.post(id, mail),
        }
    }

    /// Whether what is for many would have to [wait](Batch::waits_for_turn). Costs next to nothing.
    pub fn is_crowded(&self) -> bool {
        !self.later.is_empty() || self.sockets.turnstile().is_busy()
    }

    /// Whether what the own socket wants done for many must wait for its turn: then the mail comes once it is, and the
    /// socket [pauses](super::Flow::Pause) until then.
    pub fn waits_for_turn(&self, mail: impl FnOnce() -> M) -> bool {
        let Some(own) = self.own else { return false };
        let turnstile = self.sockets.turnstile();
        if !self.later.is_empty() {
            turnstile.passed();
        }
        !turnstile.pass(|| Waiting::Mail(Arc::clone(own), mail()))
    }

    /// The time now, where the next message is begun. Messages that were read together follow on one another, so that each but
    /// the first needs one look at the clock, at its [end](Batch::done).
    pub fn begun(&self) -> Instant {
        self.since.unwrap_or_else(Instant::now)
    }

    /// The time now, where a message is done.
    pub fn done(&mut self) -> Instant {
        *self.since.insert(Instant::now())
    }

    /// Something else took time.
    pub(crate) fn interrupted(&mut self) {
        self.since = None;
    }

    /// The table of sockets.
    pub fn sockets(&self) -> &'a Sockets<M> {
        self.sockets
    }

    /// Writes each socket that has something queued, once; of many, the first few, and leaves the others to a task
    /// of their own.
    pub fn flush(&mut self) {
        // What only the own task can write, that task writes after this.
        if self.own_dirty
            && let Some(own) = self.own
            && own.writer().is_direct()
        {
            own.flush(&mut self.tally);
            self.own_flushed();
        }
        for handle in self.dirty.drain(..) {
            handle.flush(&mut self.tally);
        }
        if !self.later.is_empty() {
            self.sockets.turnstile().passed();
            self.sockets.write_later(self.later.drain(..));
        }
    }

    /// Bytes queued for the own socket since the last flush.
    pub(crate) fn own_bytes(&self) -> usize {
        self.own_bytes
    }

    pub(crate) fn own_flushed(&mut self) {
        self.own_dirty = false;
        self.own_bytes = 0;
    }

    /// Whether something was queued for the own socket since the last flush.
    pub(crate) fn is_own_dirty(&self) -> bool {
        self.own_dirty
    }

    pub(crate) fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    pub(crate) fn begin_close(&mut self, id: SocketId, code: Option<u16>, reason: &str, why: Closed) -> bool {
        let tick = self.sockets.tick();
        self.on(id, |handle, when, _| handle.begin_close(code, reason, why, tick, when))
    }

    pub(crate) fn append(&mut self, to: SocketId, kind: Kind, payload: &[u8]) -> bool {
        let limits = self.sockets.limits();
        let bounds = Bounds {
            queue_bytes: limits.queue_bytes,
            slow_reader_code: limits.slow_reader_code,
            tick: self.sockets.tick(),
            metrics: self.sockets.metrics(),
        };
        if self.own.is_some_and(|own| own.id == to) {
            self.own_bytes += payload.len();
        }
        self.on(to, |handle, when, tally| handle.append(kind, payload, &bounds, when, tally))
    }

    fn on(&mut self, id: SocketId, act: impl FnOnce(&Handle<M>, Write, &mut Tally) -> Queued) -> bool {
        if let Some(own) = self.own.filter(|own| own.id == id) {
            let queued = act(own, Write::AtOnce, &mut self.tally);
            self.own_dirty |= queued == Queued::Dirty;
            return queued != Queued::Refused;
        }
        // What follows in a burst is mostly for the same one.
        if let Some(handle) = self.dirty.last().filter(|handle| handle.id == id) {
            return act(handle, Write::AtOnce, &mut self.tally) != Queued::Refused;
        }
        let Some(handle) = self.sockets.find(id) else {
            return false;
        };
        let when = if self.dirty.len() < AT_ONCE { Write::AtOnce } else { Write::Later };
        let queued = act(&handle, when, &mut self.tally);
        match queued {
            Queued::Dirty => self.dirty.push(handle),
            Queued::Later => self.later.push(handle),
            Queued::Sure | Queued::Refused => {}
        }
        queued != Queued::Refused
    }
}

/// Sockets that a wake-up writes itself. More than that is a message to many, which waits for those to one.
const AT_ONCE: usize = 4;

impl<M> Drop for Batch<'_, M> {
    fn drop(&mut self) {
        self.flush();
        self.sockets.metrics().add(&self.tally);
    }
}
