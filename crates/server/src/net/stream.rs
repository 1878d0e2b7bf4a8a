//! The byte streams under a WebSocket, and how they are shared between threads.
//!
//! Plain TCP and Unix streams are split so that any thread can write to them directly. Every
//! other stream (TLS) belongs to its task alone: others wake the task, which writes.

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream, tcp, unix};

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
            Self::Tcp(stream) => {
                let (read, write) = stream.into_split();
                (ReadEnd::Tcp(read), WriteEnd::Tcp(write))
            }
            Self::Unix(stream) => {
                let (read, write) = stream.into_split();
                (ReadEnd::Unix(read), WriteEnd::Unix(write))
            }
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
    Tcp(tcp::OwnedReadHalf),
    Unix(unix::OwnedReadHalf),
    Owned(Box<dyn OwnedStream>),
}

impl ReadEnd {
    /// Reads into `buf`; zero bytes mean the end. A read that does not fill `buf` is followed by
    /// no failing one: tokio's `poll_read` remembers that the socket is drained.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        ready!(match self {
            Self::Tcp(s) => Pin::new(s).poll_read(cx, &mut buf),
            Self::Unix(s) => Pin::new(s).poll_read(cx, &mut buf),
            Self::Owned(s) => Pin::new(s).poll_read(cx, &mut buf),
        })?;
        Poll::Ready(Ok(buf.filled().len()))
    }

    /// The stream that only the task can write to, if this is one.
    pub(crate) fn owned(&mut self) -> Option<Pin<&mut dyn OwnedStream>> {
        match self {
            Self::Owned(s) => Some(Pin::new(s.as_mut())),
            Self::Tcp(_) | Self::Unix(_) => None,
        }
    }
}

/// The end that any thread may write to without waiting.
pub(crate) enum WriteEnd {
    Tcp(tcp::OwnedWriteHalf),
    Unix(unix::OwnedWriteHalf),
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

    /// Waits, as the socket's task, until the kernel takes bytes again.
    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(s) => s.as_ref().poll_write_ready(cx),
            Self::Unix(s) => s.as_ref().poll_write_ready(cx),
            Self::Task => Poll::Pending,
        }
    }

    pub(crate) fn is_direct(&self) -> bool {
        !matches!(self, Self::Task)
    }

    /// Tells the peer that nothing more will come.
    pub(crate) fn shutdown(&self) {
        let done = match self {
            Self::Tcp(s) => SockRef::from(s.as_ref()).shutdown(Shutdown::Write),
            Self::Unix(s) => SockRef::from(s.as_ref()).shutdown(Shutdown::Write),
            Self::Task => Ok(()),
        };
        // A peer that is gone already needs no telling.
        drop(done);
    }

    /// Makes the coming close throw away what the kernel still holds for a peer that does not read.
    pub(crate) fn reset_on_close(&self) {
        if let Self::Tcp(s) = self {
            drop(SockRef::from(s.as_ref()).set_linger(Some(std::time::Duration::ZERO)));
        }
    }
}
