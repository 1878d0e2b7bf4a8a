//! The one small task that runs per socket.
//!
//! A hand-written future: its size is known (a test holds it down) and nothing in it holds a
//! buffer while the socket is idle. It reads into a buffer that all sockets of a thread share.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use wigwag_hub::SocketId;

use super::batch::Batch;
use super::frame::{Decoder, Event, Kind, MessageLimits, Violation};
use super::handle::{Handle, Waiting, flag};
use super::sockets::{Place, Sockets};
use super::stream::{ReadEnd, Stream};
use super::{Behind, Closed, Flow, NetMetrics};

/// Runs a WebSocket on a stream whose upgrade is done; `leftover` came with the upgrade.
pub(crate) fn spawn<B: Behind>(
    place: Place<B::Mail>,
    stream: Stream,
    leftover: &[u8],
    make: impl FnOnce(SocketId) -> B,
) -> SocketId {
    let (reader, writer) = stream.split();
    let handle = place.sockets().insert(writer);
    let id = handle.id;
    let behind = make(id);
    tokio::spawn(Task {
        place,
        handle,
        side: Side {
            reader,
            behind: Some(behind),
            decoder: Decoder::default(),
            stash: stash(leftover),
            opened: false,
            paused: false,
            peer_done: false,
            shut: false,
        },
    });
    id
}

struct Task<B: Behind> {
    place: Place<B::Mail>,
    handle: Arc<Handle<B::Mail>>,
    side: Side<B>,
}

/// What only the task touches.
struct Side<B> {
    reader: ReadEnd,
    /// Taken at the end, when it is told why.
    behind: Option<B>,
    decoder: Decoder,
    /// Bytes read but not decoded, because of a pause or because they came with the upgrade.
    stash: Option<Box<Stash>>,
    opened: bool,
    paused: bool,
    /// Nothing the peer may still say matters: it has closed, or broken the protocol.
    peer_done: bool,
    /// We have told the peer that nothing more will come.
    shut: bool,
}

/// What is mostly absent, behind one word.
struct Stash(Box<[u8]>);

fn stash(bytes: &[u8]) -> Option<Box<Stash>> {
    (!bytes.is_empty()).then(|| Box::new(Stash(bytes.into())))
}

/// Reads of one wake-up, so that a flood on one socket lets the others have their turn.
const READS: usize = 4;
const READ_BUFFER: usize = 64 * 1024;
/// An owned stream is written within a wake-up once this much was queued by its own task.
const OWN_EARLY_WRITE: usize = 128 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BUFFER].into());
}

// Nothing in it is ever pinned, whatever stands behind the socket.
impl<B: Behind> Unpin for Task<B> {}

impl<B: Behind> Future for Task<B> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { place, handle, side } = self.get_mut();
        let mut wake = WakeUp {
            batch: Batch::new(place.sockets(), Some(handle)),
            sockets: place.sockets(),
            handle,
            side,
            in_turn: false,
        };
        wake.run(cx)
    }
}

impl<B: Behind> Drop for Task<B> {
    fn drop(&mut self) {
        self.place.sockets().remove(self.handle.id);
    }
}

/// One poll of the task.
struct WakeUp<'a, B: Behind> {
    batch: Batch<'a, B::Mail>,
    sockets: &'a Sockets<B::Mail>,
    handle: &'a Arc<Handle<B::Mail>>,
    side: &'a mut Side<B>,
    /// Whether it had to be its turn, and is.
    in_turn: bool,
}

impl<B: Behind> WakeUp<'_, B> {
    fn run(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.side.opened {
            self.handle.keep_waker(cx.waker());
        }
        if self.side.behind.as_ref().is_some_and(Behind::is_new) && !self.has_turn() {
            return Poll::Pending;
        }
        let flags = self.handle.take_flags();
        let mut ended = false;
        if flags & (flag::CLOSING | flag::ABORT) == 0 {
            ended = self.run_open(flags, cx);
        }
        if self.is_closing() || ended {
            return self.run_closing(ended, cx);
        }
        self.publish(flags);
        self.batch.flush();
        self.flush_own(cx);
        // A write that failed just now has rung for another poll, which sees it.
        Poll::Pending
    }

    /// Whether it may go on now. Otherwise it is called, and then it may.
    fn has_turn(&mut self) -> bool {
        let flags = self.handle.flags();
        if self.in_turn {
        } else if flags & flag::CALLED != 0 {
            self.handle.clear(flag::CALLED | flag::IN_LINE);
            self.in_turn = true;
        } else if flags & flag::IN_LINE == 0 {
            // Set before it stands there: it may be called at once.
            self.handle.set(flag::IN_LINE);
            self.in_turn = self.sockets.turnstile().pass(|| Waiting::Task(Arc::clone(self.handle)));
            if self.in_turn {
                self.handle.clear(flag::IN_LINE);
            }
        }
        self.in_turn
    }

    /// Serves an open socket; `true` if its stream has ended.
    fn run_open(&mut self, flags: u32, cx: &mut Context<'_>) -> bool {
        let Some(behind) = self.side.behind.as_mut() else {
            return true;
        };
        if !self.side.opened {
            self.side.opened = true;
            self.side.paused = behind.on_open(&mut self.batch) == Flow::Pause;
        }
        if flags & flag::MAIL != 0 {
            for mail in self.handle.take_mail() {
                if self.handle.flags() & flag::CLOSING != 0 {
                    break;
                }
                self.side.paused = behind.on_mail(mail, &mut self.batch) == Flow::Pause;
            }
        }
        if flags & flag::TICK != 0 && self.handle.flags() & flag::CLOSING == 0 {
            behind.on_tick(&mut self.batch);
        }
        if self.may_read()
            && let Some(mut stash) = self.side.stash.take()
        {
            self.decode(&mut stash.0, cx);
        }
        match BUFFER.with_borrow_mut(|buffer| self.read(buffer, cx)) {
            Some(why) => {
                // A peer that only closed its own half still gets what it asked for.
                self.batch.flush();
                self.handle.end(why);
                true
            }
            None => false,
        }
    }

    /// Reads what is there; answers why the stream has ended, if it has.
    fn read(&mut self, buffer: &mut [u8], cx: &mut Context<'_>) -> Option<Closed> {
        for _ in 0..READS {
            if !self.may_read() {
                return None;
            }
            match self.side.reader.poll_read(self.handle.writer(), cx, buffer) {
                Poll::Pending => return None,
                Poll::Ready(Ok(0)) => return Some(Closed::Vanished),
                Poll::Ready(Err(error)) => return Some(Closed::Failed(error.kind())),
                Poll::Ready(Ok(n)) => {
                    self.batch.interrupted();
                    self.note_read(n);
                    self.decode(&mut buffer[..n], cx);
                }
            }
        }
        cx.waker().wake_by_ref();
        None
    }

    fn note_read(&mut self, n: usize) {
        self.batch.tally().bytes_in += n as u64;
        let tick = self.sockets.tick();
        self.handle.last_read.store(tick, Ordering::Relaxed);
        if self.handle.flags() & flag::PINGED != 0 {
            self.handle.clear(flag::PINGED);
        }
    }

    fn decode(&mut self, bytes: &mut [u8], cx: &mut Context<'_>) {
        let limits = self.sockets.limits().message();
        let mut at = 0;
        let mut messages = 0;
        while self.may_read() {
            match self.next_event(&mut bytes[at..], limits, &mut messages) {
                Ok((used, more)) => {
                    at += used;
                    if !more {
                        break;
                    }
                }
                Err(violation) => return self.violated(violation),
            }
            if self.batch.own_bytes() > OWN_EARLY_WRITE {
                self.batch.interrupted();
                self.flush_own(cx);
            }
        }
        self.side.decoder.settle();
        let unfinished = self.side.decoder.is_mid_message();
        if unfinished && (messages > 0 || self.handle.flags() & flag::UNFINISHED == 0) {
            let tick = self.sockets.tick();
            self.handle.unfinished_since.store(tick, Ordering::Relaxed);
        }
        self.set_flag(flag::UNFINISHED, unfinished);
        if self.is_closing() {
            self.discard(&mut bytes[at..]);
        } else if at < bytes.len() {
            self.side.stash = stash(&bytes[at..]);
        }
    }

    /// Takes the next event and hands it over; whether there may be more.
    fn next_event(
        &mut self,
        bytes: &mut [u8],
        limits: MessageLimits,
        messages: &mut u32,
    ) -> Result<(usize, bool), Violation> {
        let step = self.side.decoder.next(bytes, limits)?;
        let Some(behind) = self.side.behind.as_mut() else {
            return Ok((step.used, false));
        };
        let Some(event) = step.event else {
            return Ok((step.used, false));
        };
        self.batch.tally().frames_in += 1;
        let flow = match event {
            Event::Text(text) => {
                *messages += 1;
                behind.on_text(text, &mut self.batch)
            }
            Event::Binary(bytes) => {
                *messages += 1;
                behind.on_binary(bytes, &mut self.batch)
            }
            Event::Ping(payload) => {
                self.batch.append(self.handle.id, Kind::Pong, payload);
                behind.on_ping(&mut self.batch)
            }
            Event::Pong(payload) => {
                behind.on_pong(payload, &mut self.batch);
                Flow::Continue
            }
            Event::Close(code) => {
                self.side.peer_done = true;
                self.batch.begin_close(self.handle.id, code, "", Closed::ByPeer(code));
                Flow::Continue
            }
        };
        self.side.paused = flow == Flow::Pause;
        Ok((step.used, true))
    }

    fn violated(&mut self, violation: Violation) {
        self.side.peer_done = true;
        NetMetrics::count(&self.sockets.metrics().violations, violation.kind());
        self.batch.begin_close(
            self.handle.id,
            Some(violation.close_code()),
            &violation.to_string(),
            Closed::Violation(violation),
        );
    }

    /// Brings a closing socket to its end: tells the one behind it, writes what is left, waits for
    /// the peer's closing frame and then for its end of the stream.
    fn run_closing(&mut self, ended: bool, cx: &mut Context<'_>) -> Poll<()> {
        if self.side.behind.is_some() && !self.has_turn() {
            // Its end of the stream is found again then.
            return Poll::Pending;
        }
        if let Some(mut behind) = self.side.behind.take()
            && let Some(why) = self.handle.take_why()
        {
            behind.on_close(why, &mut self.batch);
            drop(self.handle.take_mail());
            if let Some(mut stash) = self.side.stash.take() {
                self.discard(&mut stash.0);
            }
        }
        self.batch.flush();
        if self.handle.writer().is_direct() {
            self.handle.flush(self.batch.tally());
        }
        self.flush_own(cx);
        if self.handle.flags() & flag::ABORT != 0 {
            self.handle.writer().reset_on_close();
            return Poll::Ready(());
        }
        if ended || BUFFER.with_borrow_mut(|buffer| self.read_to_end(buffer, cx)) {
            return Poll::Ready(());
        }
        if self.side.peer_done && !self.side.shut && !self.handle.is_blocked() {
            self.side.shut = match self.side.reader.owned() {
                Some(stream) => stream.poll_shutdown(cx).is_ready(),
                None => {
                    self.handle.writer().shutdown();
                    true
                }
            };
        }
        Poll::Pending
    }

    /// Reads and ignores all but the peer's closing frame; `true` at the end of the stream.
    fn read_to_end(&mut self, buffer: &mut [u8], cx: &mut Context<'_>) -> bool {
        for _ in 0..READS {
            match self.side.reader.poll_read(self.handle.writer(), cx, buffer) {
                Poll::Pending => return false,
                Poll::Ready(Ok(0) | Err(_)) => return true,
                Poll::Ready(Ok(n)) => self.discard(&mut buffer[..n]),
            }
        }
        cx.waker().wake_by_ref();
        false
    }

    fn discard(&mut self, bytes: &mut [u8]) {
        let limits = self.sockets.limits().message();
        let mut at = 0;
        while !self.side.peer_done {
            match self.side.decoder.next(&mut bytes[at..], limits) {
                Ok(step) => {
                    at += step.used;
                    match step.event {
                        None => return,
                        Some(event) => self.side.peer_done = matches!(event, Event::Close(_)),
                    }
                }
                Err(_) => self.side.peer_done = true,
            }
        }
        self.side.decoder = Decoder::default();
    }

    /// Writes what waits for this very socket and only its task can write.
    fn flush_own(&mut self, cx: &mut Context<'_>) {
        let flags = self.handle.flags();
        let wanted = self.batch.is_own_dirty() || flags & (flag::BLOCKED | flag::CLOSING) != 0;
        match self.side.reader.owned() {
            Some(stream) if wanted => {
                let tally = self.batch.tally();
                let _pending_is_remembered = self.handle.poll_flush_owned(stream, cx, tally);
                self.batch.own_flushed();
            }
            Some(_) => {}
            None => {
                let _pending_is_remembered = self.handle.poll_flush(cx, self.batch.tally());
            }
        }
    }

    /// Tells the sweeper what it has to know.
    fn publish(&mut self, flags: u32) {
        let paused = self.side.paused;
        let ticks = self.side.behind.as_ref().is_some_and(Behind::wants_tick);
        if paused != (flags & flag::PAUSED != 0) {
            self.set_flag(flag::PAUSED, paused);
        }
        if ticks != (flags & flag::WANTS_TICK != 0) {
            self.set_flag(flag::WANTS_TICK, ticks);
        }
    }

    fn set_flag(&self, bit: u32, on: bool) {
        if on == (self.handle.flags() & bit != 0) {
        } else if on {
            self.handle.set(bit);
        } else {
            self.handle.clear(bit);
        }
    }

    fn may_read(&self) -> bool {
        !self.side.paused && !self.is_closing()
    }

    fn is_closing(&self) -> bool {
        self.handle.flags() & flag::CLOSING != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::Nobody;

    #[test]
    fn the_task_of_a_socket_stays_small() {
        assert!(size_of::<Task<Nobody>>() <= 56, "{}", size_of::<Task<Nobody>>());
        // With assertions, a stream remembers which event loop has it.
        let more = if cfg!(debug_assertions) { 8 } else { 0 };
        assert!(size_of::<Handle<()>>() <= 104 + more, "{}", size_of::<Handle<()>>());
    }
}
