//! One non-blocking socket, with what could not be read or written in one go.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result};
use rustix::event::epoll;
use rustix::fd::OwnedFd;

/// A set of sockets that is waited for together, and the buffers that they share.
pub(crate) struct Poll {
    epoll: OwnedFd,
    ready: Vec<epoll::Event>,
    /// Empty buffers: a socket has one only while something waits to be written.
    spare: Vec<Vec<u8>>,
}

/// Most buffers that are kept for later.
const SPARE_MAX: usize = 64;

impl Poll {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            ready: Vec::with_capacity(1024),
            spare: Vec::new(),
        })
    }

    /// Watches `source` for something to read, under the number `key`.
    pub(crate) fn add(&self, source: impl rustix::fd::AsFd, key: usize) -> Result<()> {
        Ok(epoll::add(&self.epoll, source, epoll::EventData::new_u64(key as u64), epoll::EventFlags::IN)?)
    }

    /// Watches for room to write too, or no longer.
    fn want_room(&self, source: impl rustix::fd::AsFd, key: usize, wanted: bool) -> Result<()> {
        let mut flags = epoll::EventFlags::IN;
        flags.set(epoll::EventFlags::OUT, wanted);
        Ok(epoll::modify(&self.epoll, source, epoll::EventData::new_u64(key as u64), flags)?)
    }

    /// Waits at most `milliseconds`, or for as long as it takes, and returns the numbers of those that are ready.
    pub(crate) fn wait(&mut self, milliseconds: Option<u32>) -> Result<Vec<usize>> {
        let timeout = milliseconds.map(|ms| rustix::event::Timespec {
            tv_sec: i64::from(ms / 1000),
            tv_nsec: i64::from(ms % 1000) * 1_000_000,
        });
        self.ready.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.ready), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.ready.iter().map(|event| usize::try_from(event.data.u64()).unwrap_or(usize::MAX)).collect())
    }
}

/// A socket and its leftovers.
pub(crate) struct Peer {
    stream: TcpStream,
    /// What came and is not a whole frame yet.
    pub(crate) inbox: Vec<u8>,
    outbox: Vec<u8>,
    waits_for_room: bool,
}

impl Peer {
    pub(crate) fn new(stream: TcpStream) -> Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, inbox: Vec::new(), outbox: Vec::new(), waits_for_room: false })
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Reads once; nothing is an end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>> {
        match self.stream.read(buffer) {
            Ok(0) => Ok(None),
            Ok(length) => Ok(Some(length)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Some(0)),
            Err(error) if is_loss(&error) => Ok(None),
            Err(error) => Err(error).context("reading"),
        }
    }

    /// Whether something waits to be written.
    pub(crate) fn has_more(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Where to put what is to be written at the next flush.
    pub(crate) fn outbox(&mut self, poll: &mut Poll) -> &mut Vec<u8> {
        if self.outbox.capacity() == 0 {
            self.outbox = poll.spare.pop().unwrap_or_default();
        }
        &mut self.outbox
    }

    /// Writes what waits, as far as it goes.
    pub(crate) fn flush(&mut self, poll: &mut Poll, key: usize) -> Result<()> {
        while !self.outbox.is_empty() {
            match self.stream.write(&self.outbox) {
                Ok(length) => drop(self.outbox.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // The reading side hears of it too, and that is where a socket ends.
                Err(error) if is_loss(&error) => self.outbox.clear(),
                Err(error) => return Err(error).context("writing"),
            }
        }
        let wanted = !self.outbox.is_empty();
        if wanted != self.waits_for_room {
            poll.want_room(&self.stream, key, wanted)?;
            self.waits_for_room = wanted;
        }
        if !wanted && poll.spare.len() < SPARE_MAX {
            poll.spare.push(std::mem::take(&mut self.outbox));
        } else if !wanted {
            self.outbox = Vec::new();
        }
        Ok(())
    }
}

fn is_loss(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted)
}
