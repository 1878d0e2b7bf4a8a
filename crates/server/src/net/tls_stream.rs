//! The server's end of a TLS connection, which holds no buffer while nothing is under way.
//!
//! rustls speaks the protocol, through the interface in which the caller owns all buffers. Records are read into memory that
//! all connections of a thread share, and made in such; a connection has bytes of its own only of a record that is not whole
//! yet, of what its reader had no room for, and of what the kernel did not take, and frees them when they are through.
//! Certificates and the rest of the configuration are `tls`; how long a handshake may take, the door says.

use std::cell::RefCell;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError, UnbufferedStatus, WriteTraffic,
};
use rustls::{InvalidMessage, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// TLS on `S`, as a server.
pub(crate) struct TlsStream<S> {
    io: S,
    tls: UnbufferedServerConnection,
    /// What came from the peer and rustls has to see again, with more behind it.
    sealed: Vec<u8>,
    /// What the peer said and the reader had no room for.
    opened: Vec<u8>,
    /// Records that the kernel has yet to take.
    outgoing: Vec<u8>,
    /// Whether there may be whole records in `sealed`, left for the next read.
    more: bool,
    /// The peer has said that nothing more comes.
    peer_closed: bool,
    /// We have said so.
    closed: bool,
    /// Why nothing is said or heard any more.
    failed: Option<Box<rustls::Error>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream<S> {
    /// A connection on which nothing was said yet.
    pub(crate) fn new(io: S, config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        Ok(Self {
            io,
            tls: UnbufferedServerConnection::new(config)?,
            sealed: Vec::new(),
            opened: Vec::new(),
            outgoing: Vec::new(),
            more: false,
            peer_closed: false,
            closed: false,
            failed: None,
        })
    }

    /// The handshake; before its end the stream is not to be used otherwise.
    pub(crate) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let sent = self.poll_send(cx);
            self.check()?;
            // Nobody is listened to who does not take our answer.
            ready!(sent)?;
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            if !self.tls.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if !ready!(self.poll_records(cx, &mut ReadBuf::new(&mut [])))? {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Reads once and opens what is whole; `false` at the end of what is underneath.
    fn poll_records(&mut self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<bool>> {
        let held = self.sealed.len();
        let end = held + into.remaining().clamp(READ_MIN, READ);
        RECEIVED.with_borrow_mut(|records| {
            if records.len() < end {
                records.resize(end, 0);
            }
            let mut read = ReadBuf::new(&mut records[held..end]);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut read))?;
            let n = read.filled().len();
            if n == 0 {
                return Poll::Ready(Ok(false));
            }
            let records = &mut records[..held + n];
            records[..held].copy_from_slice(&self.sealed);
            let used = self.open(records, Some(into), |_| {});
            self.keep(&records[used..]);
            Poll::Ready(Ok(true))
        })
    }

    /// Keeps what nothing could be done with before more of it comes.
    fn keep(&mut self, rest: &[u8]) {
        let limit = if self.tls.is_handshaking() { HANDSHAKE } else { RECORD };
        if rest.is_empty() {
            self.sealed = Vec::new();
        } else if self.more || rest.len() < limit {
            self.sealed.clear();
            self.sealed.extend_from_slice(rest);
        } else {
            self.fail(InvalidMessage::MessageTooLarge.into());
        }
    }

    /// Opens what was kept.
    fn open_kept(
        &mut self,
        into: Option<&mut ReadBuf<'_>>,
        write: impl FnMut(&mut WriteTraffic<'_, ServerConnectionData>),
    ) {
        let mut sealed = mem::take(&mut self.sealed);
        let used = self.open(&mut sealed, into, write);
        if used < sealed.len() {
            sealed.drain(..used);
            self.sealed = sealed;
        }
    }

    /// Opens records in their order, and lets `write` write where that is allowed; how many bytes are done with.
    fn open(
        &mut self,
        records: &mut [u8],
        mut into: Option<&mut ReadBuf<'_>>,
        mut write: impl FnMut(&mut WriteTraffic<'_, ServerConnectionData>),
    ) -> usize {
        let mut used = 0;
        loop {
            match self.step(&mut records[used..], into.as_deref_mut(), &mut write) {
                Ok((n, next)) => {
                    used += n;
                    self.more = next == Next::Read;
                    if next != Next::Step {
                        // What comes after a goodbye is nothing.
                        return if self.peer_closed { records.len() } else { used };
                    }
                }
                Err(error) => {
                    self.fail(error);
                    return records.len();
                }
            }
        }
    }

    /// One step of rustls; how many bytes of `records` are done with.
    fn step(
        &mut self,
        records: &mut [u8],
        into: Option<&mut ReadBuf<'_>>,
        write: &mut impl FnMut(&mut WriteTraffic<'_, ServerConnectionData>),
    ) -> Result<(usize, Next), rustls::Error> {
        let UnbufferedStatus { mut discard, state } = self.tls.process_tls_records(records);
        let mut next = Next::Step;
        match state? {
            ConnectionState::ReadTraffic(mut traffic) => {
                let mut none = ReadBuf::new(&mut []);
                let is_read = into.is_some();
                let into = into.unwrap_or(&mut none);
                while let Some(record) = traffic.next_record() {
                    let record = record?;
                    discard += record.discard;
                    let (fits, rest) = record.payload.split_at(record.payload.len().min(into.remaining()));
                    into.put_slice(fits);
                    self.opened.extend_from_slice(rest);
                }
                if is_read && into.remaining() == 0 {
                    next = Next::Read;
                }
            }
            ConnectionState::EncodeTlsData(data) => encode(data, &mut self.outgoing)?,
            // It is in `outgoing`, and leaves with that.
            ConnectionState::TransmitTlsData(data) => data.done(),
            ConnectionState::WriteTraffic(mut traffic) => {
                write(&mut traffic);
                next = Next::Rest;
            }
            ConnectionState::PeerClosed => self.peer_closed = true,
            ConnectionState::BlockedHandshake | ConnectionState::Closed => next = Next::Rest,
            // The configuration allows no early data.
            _ => return Err(rustls::Error::General("a state that nobody asked for".into())),
        }
        Ok((discard, next))
    }

    /// Makes records of what is said, or of a goodbye, in `made`; how long they are.
    fn seal(&mut self, said: Option<&[u8]>, made: &mut Vec<u8>) -> io::Result<usize> {
        let encrypt = |traffic: &mut WriteTraffic<'_, _>, made: &mut [u8]| match said {
            Some(said) => traffic.encrypt(said, made),
            None => traffic.queue_close_notify(made),
        };
        let mut result = Err(io::ErrorKind::BrokenPipe.into());
        self.open_kept(None, |traffic| {
            let mut len = encrypt(traffic, made);
            if let Err(EncryptError::InsufficientSize(InsufficientSizeError { required_size })) = len {
                made.resize(required_size, 0);
                len = encrypt(traffic, made);
            }
            result = len.map_err(io::Error::other);
        });
        self.check()?;
        result
    }

    /// Sends records behind those that wait; what the kernel does not take waits with them.
    fn send(&mut self, cx: &mut Context<'_>, records: &[u8]) -> io::Result<()> {
        let mut sent = 0;
        if self.outgoing.is_empty() {
            sent = write(&mut self.io, cx, records)?;
        }
        self.outgoing.extend_from_slice(&records[sent..]);
        Ok(())
    }

    /// Sends what waits.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sent = write(&mut self.io, cx, &self.outgoing)?;
        if sent < self.outgoing.len() {
            self.outgoing.drain(..sent);
            return Poll::Pending;
        }
        self.outgoing = Vec::new();
        Poll::Ready(Ok(()))
    }

    /// Ends it; what rustls has to say about that is left in `outgoing`.
    fn fail(&mut self, error: rustls::Error) {
        self.failed = Some(Box::new(error));
        self.sealed = Vec::new();
        self.more = false;
        // As long as it has something to send it looks at no records.
        while self.tls.wants_write() && self.step(&mut [], None, &mut |_| {}).is_ok() {}
    }

    fn check(&self) -> io::Result<()> {
        match &self.failed {
            Some(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error.as_ref().clone())),
            None => Ok(()),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        while buf.filled().len() == before && buf.remaining() > 0 {
            if !this.opened.is_empty() {
                let n = this.opened.len().min(buf.remaining());
                buf.put_slice(&this.opened[..n]);
                this.opened.drain(..n);
                if this.opened.is_empty() {
                    this.opened = Vec::new();
                }
                break;
            }
            this.check()?;
            if this.more {
                this.open_kept(Some(buf), |_| {});
            } else if this.peer_closed {
                break;
            } else if !ready!(this.poll_records(cx, buf))? {
                // An end without a goodbye may be somebody else's doing.
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            // An answer of rustls' own, or an alert. Whoever writes next hears of an error.
            let _sent_or_waits = this.poll_send(cx);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check()?;
        if this.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        ready!(this.poll_send(cx))?;
        let buf = &buf[..buf.len().min(WRITE)];
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        MADE.with_borrow_mut(|made| match this.seal(Some(buf), made) {
            Ok(len) => Poll::Ready(this.send(cx, &made[..len]).map(|()| buf.len())),
            Err(error) => {
                let _alert_sent_or_not = this.poll_send(cx);
                Poll::Ready(Err(error))
            }
        })
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check()?;
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !mem::replace(&mut this.closed, true) && this.failed.is_none() {
            MADE.with_borrow_mut(|made| {
                // If that cannot be said any more, the end is all there is to say.
                if let Ok(len) = this.seal(None, made) {
                    this.outgoing.extend_from_slice(&made[..len]);
                }
            });
        }
        ready!(this.poll_send(cx))?;
        match ready!(Pin::new(&mut this.io).poll_shutdown(cx)) {
            // It is as shut as it can be.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            result => Poll::Ready(result),
        }
    }
}

/// What follows a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Another.
    Step,
    /// The reader, whose buffer is full.
    Read,
    /// Nothing, until more comes.
    Rest,
}

/// The longest record that there is.
const RECORD: usize = 5 + 16_384 + 2_048;
/// What is kept of a handshake's message that comes in pieces.
const HANDSHAKE: usize = 64 * 1024;
/// What is read at once: as much as the reader has room for, within these.
const READ_MIN: usize = 4 * 1024;
const READ: usize = 32 * 1024;
/// What is made into records at once, and so what waits for the kernel at most.
const WRITE: usize = 4 * 16_384;

thread_local! {
    /// Records that were read; not longer than [`HANDSHAKE`] and [`READ`].
    static RECEIVED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// Records to be written; as long as those of [`WRITE`] bytes.
    static MADE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Writes what the kernel takes now; how much that is.
fn write<S: AsyncWrite + Unpin>(io: &mut S, cx: &mut Context<'_>, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while sent < bytes.len() {
        match Pin::new(&mut *io).poll_write(cx, &bytes[sent..]) {
            Poll::Pending => break,
            Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(n) => sent += n?,
        }
    }
    Ok(sent)
}

/// Puts a record of rustls' own behind others.
fn encode(mut data: EncodeTlsData<'_, ServerConnectionData>, outgoing: &mut Vec<u8>) -> Result<(), rustls::Error> {
    let start = outgoing.len();
    let mut result = data.encode(&mut []);
    if let Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) = result {
        outgoing.resize(start + required_size, 0);
        result = data.encode(&mut outgoing[start..]);
    }
    result.map(drop).map_err(|error| rustls::Error::General(error.to_string()))
}

#[cfg(test)]
#[path = "tls_stream_tests.rs"]
mod tests;
