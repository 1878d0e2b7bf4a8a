//! Where connections come in, and what happens to each before it is served.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::address::{PeerAddr, TrustedProxies};
use super::stream::Stream;
use super::{DoorLimits, NetMetrics, http};

/// What all listeners share: the router behind them, and the rules for connections.
pub struct Door {
    /// Answers the requests; its handlers find a [`PeerAddr`] in the request's extensions.
    pub router: Router,
    /// Whose word about addresses counts.
    pub trusted: TrustedProxies,
    /// What a connection may use before it is a WebSocket.
    pub limits: DoorLimits,
    /// What is counted.
    pub metrics: NetMetrics,
}

/// A socket that accepts connections.
pub struct Listener {
    tcp: TcpListener,
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
        Ok(Self { tcp })
    }

    /// The address that it listens on.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Accepts and serves until `stop` turns true.
    pub async fn run(self, door: Arc<Door>, mut stop: watch::Receiver<bool>) {
        let mut pause = ACCEPT_PAUSE;
        loop {
            let accepted = tokio::select! {
                accepted = self.tcp.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match accepted {
                Ok((stream, from)) => {
                    pause = ACCEPT_PAUSE;
                    door.metrics.connections_accepted.inc();
                    tokio::spawn(greet(stream, from, Arc::clone(&door), stop.clone()));
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    door.metrics.accept_errors.inc();
                    tracing::warn!(%error, ?pause, "cannot accept connections");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(ACCEPT_PAUSE_MAX);
                }
            }
        }
    }
}

const BACKLOG: i32 = 4096;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);
/// A connection on which nothing is acknowledged for this long is given up by the kernel.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(60);

async fn greet(stream: TcpStream, from: SocketAddr, door: Arc<Door>, stop: watch::Receiver<bool>) {
    prepare(&stream);
    let peer = PeerAddr::from(from.ip());
    let served = http::serve(Stream::Tcp(stream), peer, door.router.clone(), &door.trusted, &door.limits, stop);
    if let Err(error) = served.await {
        tracing::debug!(%error, "connection ended");
    }
}

/// Small frames leave at once, and a peer that silently went away is noticed.
fn prepare(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new().with_time(TCP_USER_TIMEOUT).with_interval(TCP_USER_TIMEOUT / 4);
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
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
