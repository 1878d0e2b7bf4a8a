//! The sockets of a connection: one for each address of this machine.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::task::Poll;
use std::time::Duration;

use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::settings::Loopback;

/// Addresses of this machine beyond this are left out.
const ADDRESSES_MAX: usize = 8;

/// What the system is asked to keep for us; it may keep less.
const BUFFER_BYTES: usize = 2 * 1024 * 1024;

/// What one call to the system may bring or take.
const BATCH_BYTES: usize = 65_535;

/// A socket whose buffer stays full for so long loses what it was to send, as a network would.
const SEND_MAX: Duration = Duration::from_millis(50);

pub(super) struct Socket {
    socket: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
}

pub(super) struct Net {
    sockets: Vec<Socket>,
    buffer: Box<[u8]>,
    /// Where the next look for something readable begins.
    turn: usize,
}

/// This machine's addresses at which it may be reached.
pub(super) fn addresses(loopback: Loopback) -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let usable = interfaces.iter().filter(|interface| !interface.is_link_local()).map(if_addrs::Interface::ip);
    let usable: BTreeSet<IpAddr> = usable.collect();
    let (inner, mut outer): (Vec<_>, Vec<_>) = usable.into_iter().partition(IpAddr::is_loopback);
    outer.truncate(ADDRESSES_MAX);
    match loopback {
        Loopback::Only => inner,
        Loopback::Also => outer.into_iter().chain(inner).collect(),
        Loopback::Alone if outer.is_empty() => inner,
        Loopback::Alone => outer,
    }
}

impl Net {
    pub(super) fn new() -> Self {
        Self { sockets: Vec::new(), buffer: vec![0; BATCH_BYTES].into(), turn: 0 }
    }

    /// Where our sockets are bound.
    pub(super) fn locals(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().map(|socket| socket.local)
    }

    /// A socket on this address.
    pub(super) fn bind(&mut self, address: IpAddr) -> io::Result<SocketAddr> {
        let socket = std::net::UdpSocket::bind((address, 0))?;
        socket.set_nonblocking(true)?;
        let state = UdpSocketState::new((&socket).into())?;
        let _ = state.set_send_buffer_size((&socket).into(), BUFFER_BYTES);
        let _ = state.set_recv_buffer_size((&socket).into(), BUFFER_BYTES);
        let local = socket.local_addr()?;
        self.sockets.push(Socket { socket: UdpSocket::from_std(socket)?, state, local });
        Ok(local)
    }

    pub(super) fn drop(&mut self, local: SocketAddr) {
        self.sockets.retain(|socket| socket.local != local);
    }

    /// Waits until a socket has something; says which.
    pub(super) async fn readable(&mut self) -> usize {
        poll_fn(|context| {
            for offset in 0..self.sockets.len() {
                let place = (self.turn + offset) % self.sockets.len();
                if self.sockets[place].socket.poll_recv_ready(context).is_ready() {
                    self.turn = place + 1;
                    return Poll::Ready(place);
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Reads once from a socket and hands over each datagram: (local, from, data). False if there was nothing.
    pub(super) fn read(&mut self, place: usize, mut take: impl FnMut(SocketAddr, SocketAddr, &[u8])) -> bool {
        let Some(Socket { socket, state, local }) = self.sockets.get(place) else { return false };
        let mut meta = [RecvMeta::default()];
        let mut slices = [IoSliceMut::new(&mut self.buffer)];
        match socket.try_io(Interest::READABLE, || state.recv(socket.into(), &mut slices, &mut meta)) {
            Ok(_) => {
                let [RecvMeta { addr, len, stride, .. }] = meta;
                for datagram in self.buffer[..len].chunks(stride.max(1)) {
                    take(*local, unmapped(addr), datagram);
                }
                true
            }
            Err(error) => error.kind() == io::ErrorKind::Interrupted,
        }
    }

    /// How many datagrams of one size can go out in one call.
    pub(super) fn batch(&self, local: SocketAddr) -> usize {
        self.sockets.iter().find(|socket| socket.local == local).map_or(1, |socket| socket.state.max_gso_segments())
    }

    /// Sends datagrams of this size, the last of which may be shorter. What cannot be sent is lost, as in a network.
    pub(super) async fn send(&self, from: SocketAddr, to: SocketAddr, contents: &[u8], size: usize) {
        let Some(Socket { socket, state, .. }) = self.sockets.iter().find(|socket| socket.local == from) else {
            return;
        };
        let transmit = Transmit {
            destination: to,
            ecn: None,
            contents,
            segment_size: (contents.len() > size).then_some(size),
            src_ip: None,
        };
        loop {
            match socket.try_io(Interest::WRITABLE, || state.try_send(socket.into(), &transmit)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if tokio::time::timeout(SEND_MAX, socket.writable()).await.is_err() {
                        return;
                    }
                }
                Ok(()) => return,
                Err(error) => {
                    // The kernel may find out here that it cannot cut: then each goes by itself.
                    if transmit.segment_size.is_some() && state.max_gso_segments() == 1 {
                        for datagram in contents.chunks(size.max(1)) {
                            let _ = socket.try_send_to(datagram, to);
                        }
                    }
                    tracing::trace!(kind = ?error.kind(), "a datagram could not be sent");
                    return;
                }
            }
        }
    }
}

fn unmapped(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
