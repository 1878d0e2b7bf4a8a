//! What other threads see of a socket: its outbox, its mail, and the bell of its task.
//!
//! All of it sits behind one small lock, held for an append or for one write that does not
//! block. The rest is a word of flags that the task and the sweeper read without the lock.

use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::{Mutex, MutexGuard};
use wigwag_hub::SocketId;

use super::frame::Kind;
use super::outbox::Outbox;
use super::stream::{OwnedStream, WriteEnd};
use super::turnstile::Called;
use super::{Closed, NetMetrics};

pub(crate) struct Handle<M> {
    pub(crate) id: SocketId,
    /// The sweeper's tick of the last read; once the socket is closing, of the beginning of that.
    pub(crate) last_read: AtomicU32,
    /// The sweeper's tick at which the message began that is unfinished now.
    pub(crate) unfinished_since: AtomicU32,
    flags: AtomicU32,
    state: Mutex<State<M>>,
    writer: WriteEnd,
}

/// One bit each in [`Handle::flags`].
pub(crate) mod flag {
    /// There is mail. One-shot: taken by the task.
    pub(crate) const MAIL: u32 = 1;
    /// A tick is due. One-shot: taken by the task.
    pub(crate) const TICK: u32 = 1 << 1;
    /// The socket is closing: nothing more is taken from or queued for the peer.
    pub(crate) const CLOSING: u32 = 1 << 2;
    /// Bytes wait that only the task can write, now or when the socket is writable again.
    pub(crate) const BLOCKED: u32 = 1 << 3;
    /// The deadline of the close handshake has passed.
    pub(crate) const ABORT: u32 = 1 << 4;
    /// The sweeper shall ring for ticks.
    pub(crate) const WANTS_TICK: u32 = 1 << 5;
    /// The socket does not read because it was told to pause.
    pub(crate) const PAUSED: u32 = 1 << 6;
    /// The sweeper has sent a ping since the last read.
    pub(crate) const PINGED: u32 = 1 << 7;
    /// A message or frame from the peer is unfinished.
    pub(crate) const UNFINISHED: u32 = 1 << 8;
    /// The task waits for its turn at the [turnstile](super::super::turnstile).
    pub(crate) const IN_LINE: u32 = 1 << 9;
    /// It is its turn.
    pub(crate) const CALLED: u32 = 1 << 10;
    /// What [`super::Handle::take_flags`] takes.
    pub(crate) const ONE_SHOT: u32 = MAIL | TICK;
}

struct State<M> {
    out: Option<Box<Outbox>>,
    /// Mostly absent, behind one word.
    mail: Option<Box<Mail<M>>>,
    waker: Option<Waker>,
    phase: Phase,
    /// Some batch has the socket on its list and will flush it.
    dirty: bool,
    /// It is among those that are written [later](super::later).
    later: bool,
}

struct Mail<M>(Vec<M>);

/// How far a socket has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// It is closing, and the task has yet to tell the `Behind` why.
    Closing(Closed),
    /// The `Behind` knows.
    Told,
}

/// Who shall write what is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// The batch, at the end of its wake-up.
    AtOnce,
    /// [`super::later`], for there are many.
    Later,
}

/// What an append asks of its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queued {
    /// Flush the socket at the end of the wake-up.
    Dirty,
    /// Put the socket among those that are written later.
    Later,
    /// Somebody else will flush it.
    Sure,
    /// The socket is closing: the frame is dropped.
    Refused,
}

/// What a wake-up adds to the counters, gathered by its batch.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) bytes_in: u64,
    pub(crate) frames_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) frames_out: u64,
    pub(crate) writes: u64,
}

impl<M> Handle<M> {
    pub(crate) fn new(id: SocketId, writer: WriteEnd, tick: u32) -> Self {
        Self {
            id,
            last_read: AtomicU32::new(tick),
            unfinished_since: AtomicU32::new(0),
            flags: AtomicU32::new(0),
            state: Mutex::new(State {
                out: None,
                mail: None,
                waker: None,
                phase: Phase::Open,
                dirty: false,
                later: false,
            }),
            writer,
        }
    }

    pub(crate) fn flags(&self) -> u32 {
        self.flags.load(Ordering::Acquire)
    }

    pub(crate) fn set(&self, bits: u32) {
        self.flags.fetch_or(bits, Ordering::AcqRel);
    }

    pub(crate) fn clear(&self, bits: u32) {
        self.flags.fetch_and(!bits, Ordering::AcqRel);
    }

    /// Reads the flags and takes the one-shot ones, in one step: none that comes meanwhile is lost.
    pub(crate) fn take_flags(&self) -> u32 {
        let flags = self.flags();
        if flags & flag::ONE_SHOT == 0 { flags } else { self.flags.fetch_and(!flag::ONE_SHOT, Ordering::AcqRel) }
    }

    /// Sets flags and wakes the task.
    pub(crate) fn ring(&self, bits: u32) {
        self.set(bits);
        self.state.lock().wake();
    }

    /// Keeps the way to wake the task; flags set before this are seen by the task after it.
    pub(crate) fn keep_waker(&self, waker: &Waker) {
        self.state.lock().waker = Some(waker.clone());
    }

    /// Leaves mail and wakes the task; gives it back if the socket is closing.
    pub(crate) fn post(&self, mail: M) -> Result<(), M> {
        let mut state = self.state.lock();
        if !state.is_open() {
            return Err(mail);
        }
        state.mail.get_or_insert_with(|| Box::new(Mail(Vec::new()))).0.push(mail);
        self.set(flag::MAIL);
        state.wake();
        Ok(())
    }

    pub(crate) fn take_mail(&self) -> Vec<M> {
        self.state.lock().mail.take().map(|mail| mail.0).unwrap_or_default()
    }

    /// Queues one frame. Beyond `bound` bytes the socket is written to early, then cut.
    pub(crate) fn append(
        &self,
        kind: Kind,
        payload: &[u8],
        bounds: &Bounds<'_>,
        when: Write,
        tally: &mut Tally,
    ) -> Queued {
        let mut state = self.state.lock();
        if !state.is_open() {
            return Queued::Refused;
        }
        let frame = super::frame::frame_len(payload.len());
        let mut waiting = state.waiting();
        if waiting + frame > EARLY_WRITE.min(bounds.queue_bytes) && waiting > 0 {
            self.write(&mut state, tally);
            waiting = state.waiting();
        }
        if waiting + frame > bounds.queue_bytes {
            self.cut(&mut state, bounds);
            return Queued::Refused;
        }
        state.out.get_or_insert_with(Outbox::take).push(kind, payload);
        tally.frames_out += 1;
        state.noted(when)
    }

    /// Queues the closing frame and begins to close; `false` if the socket was closing already.
    pub(crate) fn begin_close(&self, code: Option<u16>, reason: &str, why: Closed, tick: u32, when: Write) -> Queued {
        let mut state = self.state.lock();
        if !state.is_open() {
            return Queued::Refused;
        }
        let out = state.out.get_or_insert_with(Outbox::take);
        out.push_close(code, reason);
        self.no_longer_open(&mut state, why, tick);
        state.noted(when)
    }

    /// Why the socket is closing; answers once.
    pub(crate) fn take_why(&self) -> Option<Closed> {
        let mut state = self.state.lock();
        let Phase::Closing(why) = state.phase else { return None };
        state.phase = Phase::Told;
        Some(why)
    }

    /// Writes what waits, without blocking; what cannot be written is left to the task.
    pub(crate) fn flush(&self, tally: &mut Tally) {
        let mut state = self.state.lock();
        state.dirty = false;
        if !self.is_blocked() {
            self.write(&mut state, tally);
        }
    }

    /// The same for one that was put off.
    pub(crate) fn flush_in_turn(&self, tally: &mut Tally) {
        let mut state = self.state.lock();
        state.later = false;
        if !self.is_blocked() {
            self.write(&mut state, tally);
        }
    }

    /// Goes on writing, as the socket's task, what could not be written at once.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>, tally: &mut Tally) -> Poll<()> {
        while self.is_blocked() {
            match self.writer.poll_writable(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(result) => {
                    let mut state = self.state.lock();
                    self.clear(flag::BLOCKED);
                    match result {
                        Ok(()) => self.write(&mut state, tally),
                        Err(error) => self.fail(&mut state, error.kind()),
                    }
                }
            }
        }
        Poll::Ready(())
    }

    /// Writes what waits to a stream that only the socket's task, which calls this, may touch.
    pub(crate) fn poll_flush_owned(
        &self,
        mut stream: Pin<&mut dyn OwnedStream>,
        cx: &mut Context<'_>,
        tally: &mut Tally,
    ) -> Poll<()> {
        let mut state = self.state.lock();
        state.dirty = false;
        while let Some(out) = state.out.as_mut().filter(|out| !out.is_empty()) {
            match stream.as_mut().poll_write(cx, out.pending()) {
                Poll::Ready(Ok(n)) if n > 0 => {
                    tally.writes += 1;
                    tally.bytes_out += n as u64;
                    out.advance(n);
                }
                Poll::Ready(result) => {
                    let kind = result.map_or_else(|e| e.kind(), |_| ErrorKind::WriteZero);
                    self.fail(&mut state, kind);
                    return Poll::Ready(());
                }
                Poll::Pending => {
                    self.set(flag::BLOCKED);
                    return Poll::Pending;
                }
            }
        }
        state.drop_out();
        match stream.poll_flush(cx) {
            Poll::Pending => {
                self.set(flag::BLOCKED);
                return Poll::Pending;
            }
            Poll::Ready(Ok(())) => self.clear(flag::BLOCKED),
            Poll::Ready(Err(e)) => self.fail(&mut state, e.kind()),
        }
        Poll::Ready(())
    }

    /// Ends the socket from its task because the stream failed or ended; nothing is written any more.
    pub(crate) fn end(&self, why: Closed) {
        let mut state = self.state.lock();
        state.drop_out();
        self.clear(flag::BLOCKED);
        if state.is_open() {
            self.no_longer_open(&mut state, why, 0);
        }
    }

    pub(crate) fn writer(&self) -> &WriteEnd {
        &self.writer
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.flags() & flag::BLOCKED != 0
    }

    fn write(&self, state: &mut MutexGuard<'_, State<M>>, tally: &mut Tally) {
        if self.is_blocked() {
            return;
        }
        while let Some(out) = state.out.as_mut().filter(|out| !out.is_empty()) {
            let result = self.writer.try_write(out.pending());
            match result {
                Ok(n) => {
                    tally.writes += 1;
                    tally.bytes_out += n as u64;
                    out.advance(n);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.set(flag::BLOCKED);
                    return state.wake();
                }
                Err(e) => return self.fail(state, e.kind()),
            }
        }
        state.drop_out();
    }

    /// The peer reads too slowly: what it has not begun to receive is dropped, the code is sent
    /// behind the rest, and the deadline of the close handshake runs.
    fn cut(&self, state: &mut MutexGuard<'_, State<M>>, bounds: &Bounds<'_>) {
        let out = state.out.get_or_insert_with(Outbox::take);
        out.forget_unbegun();
        out.push_close(Some(bounds.slow_reader_code), "slow reader");
        bounds.metrics.slow_readers.inc();
        self.no_longer_open(state, Closed::SlowReader, bounds.tick);
    }

    fn fail(&self, state: &mut MutexGuard<'_, State<M>>, kind: ErrorKind) {
        state.drop_out();
        if state.is_open() {
            self.no_longer_open(state, Closed::Failed(kind), 0);
        }
        self.set(flag::ABORT);
        state.wake();
    }

    fn no_longer_open(&self, state: &mut MutexGuard<'_, State<M>>, why: Closed, tick: u32) {
        state.phase = Phase::Closing(why);
        self.last_read.store(tick, Ordering::Relaxed);
        self.set(flag::CLOSING);
        state.wake();
    }
}

/// What waits for its turn.
pub(crate) enum Waiting<M> {
    /// A socket's task, with all that it has to do.
    Task(Arc<Handle<M>>),
    /// Mail for a socket.
    Mail(Arc<Handle<M>>, M),
}

impl<M> Called for Waiting<M> {
    fn call(self) {
        match self {
            Self::Task(handle) => handle.ring(flag::CALLED),
            // A socket that is closing by now does nothing more.
            Self::Mail(handle, mail) => drop(handle.post(mail)),
        }
    }
}

/// The bounds of an outbox, as its batch knows them.
pub(crate) struct Bounds<'a> {
    pub(crate) queue_bytes: usize,
    pub(crate) slow_reader_code: u16,
    pub(crate) tick: u32,
    pub(crate) metrics: &'a NetMetrics,
}

/// From this size on an outbox is written even within a wake-up.
const EARLY_WRITE: usize = 256 * 1024;

impl<M> State<M> {
    fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    fn waiting(&self) -> usize {
        self.out.as_ref().map_or(0, |out| out.len())
    }

    /// Who writes it is noted. Whoever does so at the end of a wake-up does not wait for those who are written later.
    fn noted(&mut self, when: Write) -> Queued {
        match when {
            _ if self.dirty => Queued::Sure,
            Write::AtOnce => {
                self.dirty = true;
                Queued::Dirty
            }
            Write::Later if self.later => Queued::Sure,
            Write::Later => {
                self.later = true;
                Queued::Later
            }
        }
    }

    fn drop_out(&mut self) {
        if let Some(out) = self.out.take() {
            Outbox::give_back(out);
        }
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}
