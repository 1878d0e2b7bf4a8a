//! Peers in pairs that set up calls through a server: what a server is there for.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::frames::{self, CLOSE, Frame, PING, PONG, TEXT};
use crate::peer::{Peer, Poll};
use crate::tongue::{Heard, Tongue};

/// How much of what is done.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Plan {
    /// Registered sockets; a process may have about 20,000
    #[arg(long, default_value_t = 200)]
    pub(crate) sockets: usize,
    /// Calls per run
    #[arg(long, default_value_t = 5_000)]
    pub(crate) calls: usize,
    /// Calls that are being set up at the same time
    #[arg(long, default_value_t = 8)]
    pub(crate) at_once: usize,
}

/// How the messages of a call follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rhythm {
    /// Each message waits for the one before it.
    Sparse,
    /// An offer and its candidates in one write; then the answer and its candidates.
    Burst,
}

/// Messages of a call: each side sends a description and ten candidates.
pub(crate) const MESSAGES_PER_CALL: usize = 22;

/// What a run showed.
pub(crate) struct Ran {
    pub(crate) messages: usize,
    /// From write to arrival, ascending.
    pub(crate) latencies: Vec<Duration>,
}

/// All peers of one server.
pub(crate) struct Load {
    tongue: Tongue,
    poll: Poll,
    peers: Vec<LoadPeer>,
    registered: usize,
    description: String,
    candidate: String,
    buffer: Vec<u8>,
}

impl Load {
    /// Opens the sockets two by two, so that peers `2n` and `2n + 1` are a pair, and waits until all are registered.
    pub(crate) fn connect(server: SocketAddr, tongue: Tongue, sockets: usize) -> Result<Self> {
        let mut load = Self {
            tongue,
            poll: Poll::new()?,
            peers: Vec::new(),
            registered: 0,
            description: "v".repeat(2_300),
            candidate: "c".repeat(300),
            buffer: vec![0; 65_536],
        };
        let sockets = sockets.next_multiple_of(2);
        for number in 0..sockets {
            load.open(server, number)?;
            // A server's backlog is short; let it catch up.
            if number % 64 == 63 {
                load.until(|load| load.registered + 64 > number)?;
            }
        }
        load.until(|load| load.registered == sockets)?;
        Ok(load)
    }

    /// Sets up `plan.calls` calls, all pairs taking turns.
    pub(crate) fn run(&mut self, plan: &Plan, rhythm: Rhythm) -> Result<Ran> {
        let mut run = Run { rhythm, started: 0, ended: 0, calls: plan.calls, latencies: Vec::new() };
        // A pair sets up one call at a time.
        for _ in 0..plan.at_once.min(self.peers.len() / 2).min(plan.calls) {
            self.start_call(&mut run)?;
        }
        let mut deadline = Deadline::new();
        while run.ended < run.calls {
            let before = run.ended;
            for key in self.poll.wait(Some(100))? {
                for _ in 0..self.serve(key)? {
                    self.arrived(&mut run, key)?;
                }
            }
            deadline.check(run.ended > before, || format!("{} of {} calls", run.ended, run.calls))?;
        }
        run.latencies.sort_unstable();
        Ok(Ran { messages: run.calls * MESSAGES_PER_CALL, latencies: run.latencies })
    }

    fn open(&mut self, server: SocketAddr, number: usize) -> Result<()> {
        let stream = TcpStream::connect(server).context("connecting")?;
        let mut peer = Peer::new(stream)?;
        self.poll.add(peer.stream(), number)?;
        let path = self.tongue.path(number);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        peer.outbox(&mut self.poll).extend_from_slice(request.as_bytes());
        peer.flush(&mut self.poll, number)?;
        self.peers.push(LoadPeer { peer, name: None, is_open: false, received: 0, sent_at: Instant::now() });
        Ok(())
    }

    fn until(&mut self, done: impl Fn(&Self) -> bool) -> Result<()> {
        let mut deadline = Deadline::new();
        while !done(self) {
            let before = self.registered;
            for key in self.poll.wait(Some(100))? {
                self.serve(key)?;
            }
            deadline.check(self.registered > before, || format!("{} registered", self.registered))?;
        }
        Ok(())
    }

    /// Reads what a socket has, and returns how many messages of its other half it heard.
    fn serve(&mut self, key: usize) -> Result<usize> {
        let Some(me) = self.peers.get_mut(key) else { bail!("an unknown socket is ready") };
        if me.peer.has_more() {
            me.peer.flush(&mut self.poll, key)?;
        }
        let Some(length) = me.peer.read(&mut self.buffer)? else { bail!("the server closed socket {key}") };
        me.peer.inbox.extend_from_slice(self.buffer.get(..length).unwrap_or_default());
        let mut inbox = std::mem::take(&mut me.peer.inbox);
        if !me.is_open {
            let Some(end) = memchr::memmem::find(&inbox, b"\r\n\r\n") else {
                me.peer.inbox = inbox;
                return Ok(0);
            };
            if !inbox.starts_with(b"HTTP/1.1 101 ") {
                bail!("no upgrade: {}", String::from_utf8_lossy(&inbox));
            }
            inbox.drain(..end + 4);
            me.is_open = true;
            me.name = self.tongue.name_at_once(key);
            self.registered += usize::from(me.name.is_some());
        }
        let (mut used, mut messages) = (0, 0);
        while let Some(rest) = inbox.get_mut(used..)
            && let Some(frame) = Frame::first(rest)
        {
            used += frame.end;
            let payload = frame.payload(rest);
            match frame.opcode {
                TEXT => match self.tongue.hear(payload) {
                    Heard::Message => messages += 1,
                    Heard::Answer(text) => frames::push_masked(me.peer.outbox(&mut self.poll), TEXT, text.as_bytes()),
                    Heard::Registered(name) => {
                        me.name = Some(name);
                        self.registered += 1;
                    }
                    Heard::Other => {}
                },
                PING => frames::push_masked(me.peer.outbox(&mut self.poll), PONG, payload),
                CLOSE => bail!("the server closed socket {key}: {}", String::from_utf8_lossy(payload)),
                _ => {}
            }
        }
        inbox.drain(..used);
        if !inbox.is_empty() {
            me.peer.inbox = inbox;
        }
        if me.peer.has_more() {
            me.peer.flush(&mut self.poll, key)?;
        }
        Ok(messages)
    }

    fn start_call(&mut self, run: &mut Run) -> Result<()> {
        let caller = (run.started % (self.peers.len() / 2)) * 2;
        run.started += 1;
        for key in [caller, caller + 1] {
            if let Some(peer) = self.peers.get_mut(key) {
                peer.received = 0;
            }
        }
        self.speak(run.rhythm, caller, 0)
    }

    /// Peer `key` heard one message: the call goes on, or the next one begins.
    fn arrived(&mut self, run: &mut Run, key: usize) -> Result<()> {
        let other = key ^ 1;
        let Some(sent_at) = self.peers.get(other).map(|peer| peer.sent_at) else { return Ok(()) };
        let Some(me) = self.peers.get_mut(key) else { return Ok(()) };
        run.latencies.push(sent_at.elapsed());
        me.received += 1;
        let received = me.received;
        let half = MESSAGES_PER_CALL / 2;
        let is_callee = key % 2 == 1;
        match (run.rhythm, is_callee) {
            (_, false) if received == half => {
                run.ended += 1;
                if run.started < run.calls {
                    self.start_call(run)?;
                }
                Ok(())
            }
            (Rhythm::Sparse, true) => self.speak(run.rhythm, key, received - 1),
            (Rhythm::Sparse, false) => self.speak(run.rhythm, key, received),
            (Rhythm::Burst, true) if received == half => self.speak(run.rhythm, key, 0),
            (Rhythm::Burst, _) => Ok(()),
        }
    }

    /// Peer `key` says its message number `turn`, or in a burst all of them.
    fn speak(&mut self, rhythm: Rhythm, key: usize, turn: usize) -> Result<()> {
        let to = self.peers.get(key ^ 1).and_then(|peer| peer.name.clone()).context("a pair is not complete")?;
        let turns = match rhythm {
            Rhythm::Sparse => turn..turn + 1,
            Rhythm::Burst => 0..MESSAGES_PER_CALL / 2,
        };
        let Some(me) = self.peers.get_mut(key) else { return Ok(()) };
        for turn in turns {
            let body = if turn == 0 { &self.description } else { &self.candidate };
            let text = self.tongue.message(&to, body);
            frames::push_masked(me.peer.outbox(&mut self.poll), TEXT, text.as_bytes());
        }
        me.sent_at = Instant::now();
        me.peer.flush(&mut self.poll, key)
    }
}

struct LoadPeer {
    peer: Peer,
    name: Option<String>,
    /// Whether the upgrade was answered.
    is_open: bool,
    /// Messages of this call.
    received: usize,
    sent_at: Instant,
}

struct Run {
    rhythm: Rhythm,
    started: usize,
    ended: usize,
    calls: usize,
    latencies: Vec<Duration>,
}

/// Gives up when nothing moved for a while.
struct Deadline(Instant);

impl Deadline {
    fn new() -> Self {
        Self(Instant::now())
    }

    fn check(&mut self, moved: bool, state: impl Fn() -> String) -> Result<()> {
        if moved {
            *self = Self::new();
        } else if self.0.elapsed() > Duration::from_secs(20) {
            bail!("nothing moved for 20 s after {}", state());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::relay;

    #[test]
    fn every_message_of_every_call_arrives_through_either_relay() -> Result<()> {
        for gather in [false, true] {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let server = listener.local_addr()?;
            std::thread::spawn(move || relay::run(&listener, gather));
            let mut load = Load::connect(server, Tongue::Bare, 9)?;
            let plan = Plan { sockets: 9, calls: 50, at_once: 3 };
            for rhythm in [Rhythm::Sparse, Rhythm::Burst] {
                let ran = load.run(&plan, rhythm)?;
                assert_eq!(ran.messages, 50 * MESSAGES_PER_CALL);
                assert_eq!(ran.latencies.len(), ran.messages);
            }
        }
        Ok(())
    }
}
