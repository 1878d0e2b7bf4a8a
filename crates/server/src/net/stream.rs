//! The byte streams under a WebSocket, and how they are shared between threads.
//!
//! Plain TCP and Unix streams lie where any thread can write to them directly, and their task reads. Every
//! other stream (TLS) belongs to its task alone: others wake the task, which writes.

use std::fmt;
use std::io::{self, Read};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// What a WebSocket can run on.
pub enum Stream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
    /// Anything else, such as TLS; boxed so that the socket's task stays small.
    Owned(Box<dyn OwnedStream>),
}

/// A stream that only its own task touches.
pub trait OwnedStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> OwnedStream for T {}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp(_) => "Tcp",
            Self::Unix(_) => "Unix",
            Self::Owned(_) => "Owned",
        })
    }
}

impl Stream {
    /// Splits into the part that the task keeps and the part that everybody may write to.
    pub(crate) fn split(self) -> (ReadEnd, WriteEnd) {
        match self {
            Self::Tcp(stream) => (ReadEnd::Shared, WriteEnd::Tcp(stream)),
            Self::Unix(stream) => (ReadEnd::Shared, WriteEnd::Unix(Box::new(stream))),
            Self::Owned(stream) => (ReadEnd::Owned(stream), WriteEnd::Task),
        }
    }
}

impl Stream {
    /// Takes it from the event loop that it belongs to, so that another can have it.
    pub(crate) fn release(self) -> io::Result<Released> {
        match self {
            Self::Tcp(stream) => stream.into_std().map(Released::Tcp),
            Self::Unix(stream) => stream.into_std().map(Released::Unix),
            Self::Owned(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// A stream between two event loops.
pub(crate) enum Released {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Released {
    /// Gives it to the event loop of the caller.
    pub(crate) fn adopt(self) -> io::Result<Stream> {
        match self {
            Self::Tcp(stream) => TcpStream::from_std(stream).map(Stream::Tcp),
            Self::Unix(stream) => UnixStream::from_std(stream).map(Stream::Unix),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(s) => Pin::new(s).poll_read(cx, buf),
            Self::Unix(s) => Pin::new(s).poll_read(cx, buf),
            Self::Owned(s) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(s) => Pin::new(s).poll_write(cx, buf),
            Self::Unix(s) => Pin::new(s).poll_write(cx, buf),
            Self::Owned(s) => Pin::new(s).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(s) => Pin::new(s).poll_write_vectored(cx, bufs),
            Self::Unix(s) => Pin::new(s).poll_write_vectored(cx, bufs),
            Self::Owned(s) => Pin::new(s).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(s) => s.is_write_vectored(),
            Self::Unix(s) => s.is_write_vectored(),
            Self::Owned(s) => s.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(s) => Pin::new(s).poll_flush(cx),
            Self::Unix(s) => Pin::new(s).poll_flush(cx),
            Self::Owned(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(s) => Pin::new(s).poll_shutdown(cx),
            Self::Unix(s) => Pin::new(s).poll_shutdown(cx),
            Self::Owned(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}

/// The task's end: it alone reads, and it alone writes to an owned stream.
pub(crate) enum ReadEnd {
    /// What it reads from is the [`WriteEnd`].
    Shared,
    Owned(Box<dyn OwnedStream>),
}

impl ReadEnd {
    /// Reads into `buf`; zero bytes mean the end. `writer` is what it was split from.
    pub(crate) fn poll_read(
        &mut self,
        writer: &WriteEnd,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Shared => writer.poll_read(cx, buf),
            Self::Owned(s) => {
                let mut buf = ReadBuf::new(buf);
                ready!(Pin::new(s).poll_read(cx, &mut buf))?;
                Poll::Ready(Ok(buf.filled().len()))
            }
        }
    }

    /// The stream that only the task can write to, if this is one.
    pub(crate) fn owned(&mut self) -> Option<Pin<&mut dyn OwnedStream>> {
        match self {
            Self::Owned(s) => Some(Pin::new(s.as_mut())),
            Self::Shared => None,
        }
    }
}

/// The end that any thread may write to without waiting.
pub(crate) enum WriteEnd {
    Tcp(TcpStream),
    /// Boxed because few sockets are such, and this much smaller for it.
    Unix(Box<UnixStream>),
    /// Only the task can write.
    Task,
}

impl WriteEnd {
    /// Writes what the kernel takes now; `WouldBlock` if nothing, or if only the task may write.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(s) => s.try_write(bytes),
            Self::Unix(s) => s.try_write(bytes),
            Self::Task => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Reads, as the socket's task, into `buf`.
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut read = None;
            let tried = match self {
                Self::Tcp(s) => {
                    ready!(s.poll_read_ready(cx))?;
                    s.try_io(Interest::READABLE, || receive(s, buf, &mut read))
                }
                Self::Unix(s) => {
                    ready!(s.poll_read_ready(cx))?;
                    s.try_io(Interest::READABLE, || receive(s, buf, &mut read))
                }
                Self::Task => return Poll::Pending,
            };
            match (read, tried) {
                (Some(n), _) => return Poll::Ready(Ok(n)),
                (None, Err(e)) if e.kind() != io::ErrorKind::WouldBlock => return Poll::Ready(Err(e)),
                (None, _) => {}
            }
        }
    }

    /// Waits, as the socket's task, until the kernel takes bytes again.
    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(s) => s.poll_write_ready(cx),
            Self::Unix(s) => s.poll_write_ready(cx),
            Self::Task => Poll::Pending,
        }
    }

    pub(crate) fn is_direct(&self) -> bool {
        !matches!(self, Self::Task)
    }

    /// Tells the peer that nothing more will come.
    pub(crate) fn shutdown(&self) {
        let done = match self {
            Self::Tcp(s) => SockRef::from(s).shutdown(Shutdown::Write),
            Self::Unix(s) => SockRef::from(s).shutdown(Shutdown::Write),
            Self::Task => Ok(()),
        };
        // A peer that is gone already needs no telling.
        drop(done);
    }

    /// Makes the coming close throw away what the kernel still holds for a peer that does not read.
    pub(crate) fn reset_on_close(&self) {
        if let Self::Tcp(s) = self {
            drop(SockRef::from(s).set_linger(Some(std::time::Duration::ZERO)));
        }
    }
}

/// Reads into `buf`, and says so in `read`. What does not fill `buf` was all that the kernel had: tokio is told of a failing read, so that
/// it waits for more and none has to fail for that.
fn receive(stream: &impl AsFd, buf: &mut [u8], read: &mut Option<usize>) -> io::Result<()> {
    let n = (&*SockRef::from(stream)).read(buf)?;
    *read = Some(n);
    if 0 < n && n < buf.len() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
}
