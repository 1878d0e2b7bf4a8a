//! One non-blocking socket, plain or with TLS, with what could not be read or written in one go.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result};
use rustls::ClientConnection;

use crate::poll::Poll;

/// A socket and its leftovers.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    /// What came and is not a whole frame yet.
    pub inbox: Vec<u8>,
    outbox: Vec<u8>,
    waits_for_room: bool,
    /// Whether writing found out that the other end is gone.
    lost: bool,
}

impl Socket {
    /// Takes a stream over.
    pub fn new(stream: TcpStream) -> Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, tls: None, inbox: Vec::new(), outbox: Vec::new(), waits_for_room: false, lost: false })
    }

    /// Speaks TLS on it.
    pub(crate) fn over(mut self, mut tls: ClientConnection) -> Self {
        tls.set_buffer_limit(None);
        self.tls = Some(Box::new(tls));
        self
    }

    /// The stream below.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Reads once; `None` is the end. With TLS there may be more where that came from, until it is 0.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>> {
        let Some(tls) = &mut self.tls else { return ended(self.stream.read(buffer)) };
        if self.lost {
            return Ok(None);
        }
        if tls.wants_read() {
            match tls.read_tls(&mut self.stream) {
                Ok(0) => return Ok(None),
                Ok(_) => {
                    tls.process_new_packets().context("TLS")?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return ended(Err(error)),
            }
        }
        ended(tls.reader().read(buffer))
    }

    /// Whether bytes that have come may still be unread: not so where the kernel tells.
    pub(crate) fn reads_ahead(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether something waits to be written.
    pub fn has_more(&self) -> bool {
        !self.outbox.is_empty() || self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    /// Where to put what is to be written at the next flush.
    pub fn outbox(&mut self, poll: &mut Poll) -> &mut Vec<u8> {
        if self.outbox.capacity() == 0 {
            self.outbox = poll.borrow_buffer();
        }
        &mut self.outbox
    }

    /// Writes what waits, as far as it goes.
    pub fn flush(&mut self, poll: &mut Poll, key: usize) -> Result<()> {
        match &mut self.tls {
            Some(tls) => {
                tls.writer().write_all(&self.outbox)?;
                self.outbox.clear();
                while tls.wants_write() {
                    match tls.write_tls(&mut self.stream) {
                        Ok(_) => {}
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        // The reading side hears of it too, and that is where a socket ends.
                        Err(error) if is_loss(&error) => {
                            self.lost = true;
                            break;
                        }
                        Err(error) => return Err(error).context("writing"),
                    }
                }
            }
            None => {
                while !self.outbox.is_empty() {
                    match self.stream.write(&self.outbox) {
                        Ok(length) => drop(self.outbox.drain(..length)),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        Err(error) if is_loss(&error) => self.outbox.clear(),
                        Err(error) => return Err(error).context("writing"),
                    }
                }
            }
        }
        let wanted = self.has_more();
        if wanted != self.waits_for_room {
            poll.want_room(&self.stream, key, wanted)?;
            self.waits_for_room = wanted;
        }
        if self.outbox.is_empty() {
            poll.give_back(std::mem::take(&mut self.outbox));
        }
        Ok(())
    }
}

fn ended(read: io::Result<usize>) -> Result<Option<usize>> {
    match read {
        Ok(0) => Ok(None),
        Ok(length) => Ok(Some(length)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Some(0)),
        Err(error) if is_loss(&error) => Ok(None),
        Err(error) => Err(error).context("reading"),
    }
}

fn is_loss(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), ConnectionReset | BrokenPipe | ConnectionAborted | ConnectionRefused | UnexpectedEof)
}
