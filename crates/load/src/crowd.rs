//! Many peers of one server in one thread.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::frames::{self, CLOSE, Frame, PING, PONG, TEXT};
use crate::poll::Poll;
use crate::socket::Socket;
use crate::target::Target;
use crate::tongue::{Heard, Seed, Tongue};

/// What a peer heard, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The number of the peer.
    pub key: usize,
    /// What it heard.
    pub heard: Heard,
}

/// All peers of one server. They are numbered from 0 as they come.
#[derive(Debug)]
pub struct Crowd {
    target: Target,
    tongue: Tongue,
    seed: Seed,
    poll: Poll,
    members: Vec<Option<Member>>,
    registered: usize,
    lost: u64,
    refused: BTreeMap<u16, u64>,
    why: Option<String>,
    bytes_read: u64,
    buffer: Vec<u8>,
    ready: Vec<usize>,
}

#[derive(Debug)]
struct Member {
    socket: Socket,
    name: Option<String>,
    /// Whether the upgrade was answered.
    is_open: bool,
    /// Messages that it took in since it is registered, and of how many of them it has told the server.
    seen: u64,
    told: u64,
}

impl Member {
    /// How many it took in, if that is more than it told.
    fn unsaid(&mut self) -> Option<u64> {
        (std::mem::replace(&mut self.told, self.seen) < self.seen).then_some(self.seen)
    }
}

impl Crowd {
    /// Nobody yet.
    pub fn new(target: Target, tongue: Tongue) -> Result<Self> {
        Ok(Self {
            target,
            tongue,
            seed: Seed::new()?,
            poll: Poll::new()?,
            members: Vec::new(),
            registered: 0,
            lost: 0,
            refused: BTreeMap::new(),
            why: None,
            bytes_read: 0,
            buffer: vec![0; 65_536],
            ready: Vec::new(),
        })
    }

    /// Opens so many more, at most `at_once` at the same time, and waits until all are registered.
    pub fn open(&mut self, count: usize, at_once: usize) -> Result<()> {
        self.open_while(count, at_once, |_| true)
    }

    /// The same; `watch` is told now and then how many are registered, and stops it with `false`.
    pub fn open_while(&mut self, count: usize, at_once: usize, mut watch: impl FnMut(usize) -> bool) -> Result<()> {
        let (mut left, goal) = (count, self.registered + count);
        let mut heard = Vec::new();
        let mut patience = Patience::new();
        let at_once = at_once.max(1);
        let mut opening = 0;
        while self.registered < goal {
            // However many may be opened at once, those that are open already are not kept waiting for it.
            let more = left.min(at_once - opening).min(64);
            for _ in 0..more {
                self.begin()?;
            }
            (opening, left) = (opening + more, left - more);
            let before = self.registered;
            let has_more = left > 0 && opening < at_once;
            self.wait(if has_more { Duration::ZERO } else { Duration::from_millis(100) }, &mut heard)?;
            if let Some(why) = &self.why {
                bail!("{} of {goal} sockets are registered; then: {why}", self.registered);
            }
            opening -= (self.registered - before).min(opening);
            patience.check(self.registered > before, || format!("{} of {goal} sockets registered", self.registered))?;
            if !watch(self.registered) {
                break;
            }
        }
        Ok(())
    }

    /// Begins to open one more, and returns its number. [`Crowd::wait`] does the rest.
    pub fn begin(&mut self) -> Result<usize> {
        let number = self.members.len();
        let mut socket = self.target.connect(number)?;
        self.poll.add(socket.stream(), number)?;
        let (path, host) = (self.tongue.path(&self.target, &self.seed, number), &self.target.host);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        socket.outbox(&mut self.poll).extend_from_slice(request.as_bytes());
        socket.flush(&mut self.poll, number)?;
        self.members.push(Some(Member { socket, name: None, is_open: false, seen: 0, told: 0 }));
        Ok(number)
    }

    /// Closes the last so many, without a word.
    pub fn close_last(&mut self, count: usize) {
        for member in self.members.split_off(self.members.len().saturating_sub(count)).into_iter().flatten() {
            self.registered -= usize::from(member.name.is_some());
        }
    }

    /// How many numbers were given, to peers that are here or are lost.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether nobody was ever here.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// How many are registered now.
    pub fn registered(&self) -> usize {
        self.registered
    }

    /// How many the server or the network closed.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// What the server refused, by code.
    pub fn refused(&self) -> &BTreeMap<u16, u64> {
        &self.refused
    }

    /// Why the first one was lost.
    pub fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// Bytes that all of them have read.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// What a peer is called.
    pub fn name(&self, key: usize) -> Option<&str> {
        self.members.get(key)?.as_ref()?.name.as_deref()
    }

    /// Fails if anybody was lost or refused.
    pub fn check(&self) -> Result<()> {
        if let Some(why) = &self.why {
            bail!("{} sockets were lost: {why}", self.lost);
        }
        if let Some((code, count)) = self.refused.first_key_value() {
            bail!("the server refused {count} requests with {code}");
        }
        Ok(())
    }

    /// Puts a text into the outbox of a peer.
    pub fn queue(&mut self, key: usize, text: &str) {
        if let Some(member) = self.members.get_mut(key).and_then(Option::as_mut) {
            frames::push_masked(member.socket.outbox(&mut self.poll), TEXT, text.as_bytes());
        }
    }

    /// Puts a message to another peer of this crowd into the outbox of a peer.
    pub fn queue_message(&mut self, key: usize, to: usize, body: &str) -> Result<()> {
        let seen = self.members.get_mut(key).and_then(Option::as_mut).and_then(Member::unsaid);
        let name = self.name(to).context("the other peer is not registered")?;
        let text = self.tongue.message(name, body, seen);
        self.queue(key, &text);
        Ok(())
    }

    /// Writes what is in the outbox of a peer.
    pub fn flush(&mut self, key: usize) -> Result<()> {
        match self.members.get_mut(key).and_then(Option::as_mut) {
            Some(member) => member.socket.flush(&mut self.poll, key),
            None => Ok(()),
        }
    }

    /// Lets a peer read nothing any more, with the smallest buffer that the kernel gives.
    pub fn deafen(&mut self, key: usize) -> Result<()> {
        if let Some(member) = self.members.get(key).and_then(Option::as_ref) {
            rustix::net::sockopt::set_socket_recv_buffer_size(member.socket.stream(), 0)?;
            self.poll.forget(member.socket.stream())?;
        }
        Ok(())
    }

    /// Waits for at most `time` until somebody hears something, and puts what was heard into `heard`. Registering goes on by itself.
    pub fn wait(&mut self, time: Duration, heard: &mut Vec<Noted>) -> Result<()> {
        heard.clear();
        let mut ready = std::mem::take(&mut self.ready);
        self.poll.wait(Some(time), &mut ready)?;
        for key in &ready {
            if let Err(why) = self.serve(*key, heard) {
                self.lose(*key, &why, heard);
            }
        }
        self.ready = ready;
        Ok(())
    }

    fn lose(&mut self, key: usize, why: &anyhow::Error, heard: &mut Vec<Noted>) {
        let Some(member) = self.members.get_mut(key).and_then(Option::take) else { return };
        self.registered -= usize::from(member.name.is_some());
        self.lost += 1;
        self.why.get_or_insert_with(|| format!("{why:#}"));
        heard.push(Noted { key, heard: Heard::Closed });
    }

    fn serve(&mut self, key: usize, heard: &mut Vec<Noted>) -> Result<()> {
        // It may have been closed after it became ready.
        let Some(me) = self.members.get_mut(key).and_then(Option::as_mut) else { return Ok(()) };
        if me.socket.has_more() {
            me.socket.flush(&mut self.poll, key)?;
        }
        let mut ended = false;
        loop {
            let Some(length) = me.socket.read(&mut self.buffer)? else {
                ended = true;
                break;
            };
            self.bytes_read += length as u64;
            me.socket.inbox.extend_from_slice(self.buffer.get(..length).unwrap_or_default());
            if length == 0 || !me.socket.reads_ahead() {
                break;
            }
        }
        let mut inbox = std::mem::take(&mut me.socket.inbox);
        if !me.is_open {
            let Some(end) = memchr::memmem::find(&inbox, b"\r\n\r\n") else {
                if ended {
                    bail!("the server closed the socket before it answered");
                }
                me.socket.inbox = inbox;
                return if me.socket.has_more() { me.socket.flush(&mut self.poll, key) } else { Ok(()) };
            };
            if !inbox.starts_with(b"HTTP/1.1 101 ") {
                bail!("the server answered {}", String::from_utf8_lossy(&inbox).trim());
            }
            inbox.drain(..end + 4);
            me.is_open = true;
            me.name = self.tongue.name_at_once(key);
            self.registered += usize::from(me.name.is_some());
        }
        let mut used = 0;
        while let Some(rest) = inbox.get_mut(used..)
            && let Some(frame) = Frame::first(rest)
        {
            used += frame.end;
            let payload = frame.payload(rest);
            match frame.opcode {
                TEXT => {
                    me.seen += u64::from(me.name.is_some());
                    match self.tongue.hear(payload, &self.target, &self.seed, key) {
                        Heard::Reply(text) => {
                            frames::push_masked(me.socket.outbox(&mut self.poll), TEXT, text.as_bytes());
                        }
                        Heard::Registered(name) => {
                            self.registered += usize::from(me.name.is_none());
                            me.name = Some(name);
                        }
                        Heard::Refused(code) => {
                            *self.refused.entry(code).or_default() += 1;
                            if me.name.is_none() {
                                bail!("the server said {}", String::from_utf8_lossy(payload));
                            }
                            heard.push(Noted { key, heard: Heard::Refused(code) });
                        }
                        Heard::Other => {}
                        what => heard.push(Noted { key, heard: what }),
                    }
                }
                PING => frames::push_masked(me.socket.outbox(&mut self.poll), PONG, payload),
                CLOSE => {
                    let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                    let reason = payload.get(2..).unwrap_or_default();
                    bail!("the server closed the socket with {code} {}", String::from_utf8_lossy(reason));
                }
                _ => {}
            }
        }
        if ended {
            bail!("the server closed the socket");
        }
        inbox.drain(..used);
        if inbox.is_empty() && inbox.capacity() > 65_536 {
            inbox = Vec::new();
        }
        me.socket.inbox = inbox;
        if me.socket.has_more() {
            me.socket.flush(&mut self.poll, key)?;
        }
        Ok(())
    }
}

/// Gives up when nothing moved for a while.
pub(crate) struct Patience(Instant);

impl Patience {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn check(&mut self, moved: bool, state: impl Fn() -> String) -> Result<()> {
        if moved {
            *self = Self::new();
        } else if self.0.elapsed() > Duration::from_secs(20) {
            bail!("nothing moved for 20 s after {}", state());
        }
        Ok(())
    }
}
