//! Where connections come in: TCP, Unix sockets, and sockets that systemd opened for us.

use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::watch;

use super::address::PeerAddr;
use super::door::Door;
use super::stream::Stream;
use super::tls::Tls;

/// A socket that accepts connections.
pub struct Listener {
    socket: Accepting,
    tls: Option<Tls>,
}

impl Listener {
    /// Listens on an address. `[::]` takes IPv4 as well, and stands for `0.0.0.0` where there is
    /// no IPv6.
    pub fn tcp(address: SocketAddr) -> io::Result<Self> {
        let tcp = match listen_tcp(address) {
            Err(e) if is_any_v6(address) && e.raw_os_error() == Some(libc::EAFNOSUPPORT) => {
                listen_tcp((Ipv4Addr::UNSPECIFIED, address.port()).into())?
            }
            result => result?,
        };
        Ok(Accepting::Tcp(tcp).into())
    }

    /// Listens on a Unix socket with these permissions. One that nobody listens on any more is
    /// removed first, and ours when the listener is dropped.
    pub fn unix(path: &Path, mode: u32) -> io::Result<Self> {
        remove_stale(path)?;
        let socket = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        let inode = fs::metadata(path)?.ino();
        Ok(Accepting::Unix(socket, Some(SocketFile { path: path.into(), inode })).into())
    }

    /// The sockets that the service manager opened for this process; none if there is none.
    ///
    /// Takes them out of the environment, so it can be asked once.
    pub fn inherited() -> io::Result<Vec<Self>> {
        let mut fds = listenfd::ListenFd::from_env();
        let mut listeners = Vec::new();
        for i in 0..fds.len() {
            if let Ok(Some(tcp)) = fds.take_tcp_listener(i) {
                tcp.set_nonblocking(true)?;
                listeners.push(Accepting::Tcp(TcpListener::from_std(tcp)?).into());
            } else if let Some(unix) = fds.take_unix_listener(i)? {
                unix.set_nonblocking(true)?;
                listeners.push(Accepting::Unix(UnixListener::from_std(unix)?, None).into());
            }
        }
        Ok(listeners)
    }

    /// Speaks TLS on it.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The address that it listens on, if it is one of TCP.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.socket {
            Accepting::Tcp(tcp) => tcp.local_addr().ok(),
            Accepting::Unix(..) => None,
        }
    }

    /// Accepts connections, and leaves each to a task of its own, until `stop` turns true
    /// or its sender is gone.
    pub async fn run(self, door: Arc<Door>, mut stop: watch::Receiver<bool>) {
        let mut pause = PAUSE;
        loop {
            let accepted = tokio::select! {
                accepted = self.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    pause = PAUSE;
                    let thread = Door::enter(&door, stream, peer, self.tls.as_ref(), &stop);
                    // Nobody is let in faster than those who are in can be served.
                    door.turn(thread).await;
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    door.metrics.accept_errors.inc();
                    tracing::warn!(%error, pause_ms = pause.as_millis(), "cannot accept connections");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    async fn accept(&self) -> io::Result<(Stream, PeerAddr)> {
        match &self.socket {
            Accepting::Tcp(tcp) => {
                let (stream, from) = tcp.accept().await?;
                prepare(&stream);
                Ok((Stream::Tcp(stream), from.ip().into()))
            }
            Accepting::Unix(unix, _) => Ok((Stream::Unix(unix.accept().await?.0), PeerAddr::Unix)),
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Accepting::Tcp(tcp) => match tcp.local_addr() {
                Ok(address) => address.fmt(f),
                Err(_) => f.write_str("tcp"),
            },
            Accepting::Unix(_, Some(file)) => write!(f, "unix:{}", file.path.display()),
            Accepting::Unix(_, None) => f.write_str("unix"),
        }
    }
}

enum Accepting {
    Tcp(TcpListener),
    /// With the file that we made for it, if we did.
    Unix(UnixListener, Option<SocketFile>),
}

impl From<Accepting> for Listener {
    fn from(socket: Accepting) -> Self {
        Self { socket, tls: None }
    }
}

/// Removes the socket's file at the end, unless somebody has put another there meanwhile.
struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|meta| meta.ino() == self.inode) {
            drop(fs::remove_file(&self.path));
        }
    }
}

const BACKLOG: i32 = 4096;
/// How long accepting rests after an error such as "too many open files".
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// A connection on which nothing is acknowledged for this long is given up by the kernel.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(75);

/// Small frames leave at once, and a peer that silently went away is noticed.
fn prepare(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new().with_time(TCP_USER_TIMEOUT).with_interval(TCP_USER_TIMEOUT / 5);
    let socket = SockRef::from(stream);
    let set = socket.set_tcp_nodelay(true).and_then(|()| socket.set_tcp_keepalive(&keepalive));
    #[cfg(target_os = "linux")]
    let set = set.and_then(|()| socket.set_tcp_user_timeout(Some(TCP_USER_TIMEOUT)));
    if let Err(error) = set {
        tracing::debug!(%error, "socket options");
    }
}

fn listen_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!is_any_v6(address))?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn is_any_v6(address: SocketAddr) -> bool {
    matches!(address.ip(), IpAddr::V6(ip) if ip.is_unspecified())
}

/// Errors of the connection that was to be accepted, not of accepting.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | ConnectionRefused | Interrupted)
}

/// Removes a socket's file that nobody answers at. Anything else there is left alone, and binding
/// will complain about it.
fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
    if is_socket
        && let Err(error) = std::os::unix::net::UnixStream::connect(path)
        && error.kind() == io::ErrorKind::ConnectionRefused
    {
        fs::remove_file(path)?;
    }
    Ok(())
}
