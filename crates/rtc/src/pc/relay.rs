//! An address on a TURN server: asked for, kept, and sent through.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use turn_client_proto::api::{TransmitBuild, TurnClientApi as _, TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet};
use turn_client_proto::client::TurnClient;
use turn_client_proto::stun::Instant;
use turn_client_proto::stun::agent::Transmit;
use turn_client_proto::stun::types::TransportType;
use turn_client_proto::tcp::TurnClientTcp;
use turn_client_proto::types::{AddressFamily, TurnCredentials};
use turn_client_proto::udp::TurnClientUdp;

use super::gather::{Found, transport};
use super::{Output, Server, StreamId, Transport, quietly};

/// So many peers may reach us through one server, and so many by the short way.
const PERMITS_MAX: usize = 32;
const SHORTCUTS_MAX: usize = 8;

/// What carries the words to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Socket(SocketAddr),
    Stream(StreamId),
}

/// What came from the server.
pub(super) enum Incoming {
    Used,
    Strange,
    Peer { to: SocketAddr, from: SocketAddr, data: Vec<u8> },
}

pub(super) struct Relay {
    server: Server,
    link: Link,
    local: Option<SocketAddr>,
    client: Option<TurnClient>,
    addresses: Vec<SocketAddr>,
    /// Peers that may reach us, asked for before or after there was an address.
    permits: Vec<IpAddr>,
    shortcuts: Vec<SocketAddr>,
    asked: bool,
    settled: bool,
    over: bool,
}

impl Relay {
    pub(super) fn over_udp(server: Server, local: SocketAddr) -> Self {
        let client = quietly(|| TurnClientUdp::allocate(local, server.address, config(&server)).into());
        Self::new(server, Link::Socket(local), Some(local), Some(client))
    }

    pub(super) fn over_stream(server: Server, stream: StreamId) -> Self {
        Self::new(server, Link::Stream(stream), None, None)
    }

    fn new(server: Server, link: Link, local: Option<SocketAddr>, client: Option<TurnClient>) -> Self {
        Self {
            server,
            link,
            local,
            client,
            addresses: Vec::new(),
            permits: Vec::new(),
            shortcuts: Vec::new(),
            asked: false,
            settled: false,
            over: false,
        }
    }

    pub(super) fn is(&self, server: &Server) -> bool {
        self.server.address == server.address && self.server.transport == server.transport
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    pub(super) fn link(&self) -> Link {
        self.link
    }

    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Whether an address may still come.
    pub(super) fn is_busy(&self) -> bool {
        !self.settled && !self.over
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// The stream that was asked for stands.
    pub(super) fn opened(&mut self, stream: StreamId, local: SocketAddr) {
        if self.link == Link::Stream(stream) && self.client.is_none() {
            self.local = Some(local);
            self.client =
                Some(quietly(|| TurnClientTcp::allocate(local, self.server.address, config(&self.server)).into()));
        }
    }

    pub(super) fn receive(&mut self, data: &[u8], now: Instant) -> Incoming {
        let (Some(client), Some(local)) = (&mut self.client, self.local) else { return Incoming::Strange };
        let transmit = Transmit::new(data, transport(&self.server.transport), self.server.address, local);
        let (peer, data) = match quietly(|| client.recv(transmit, now)) {
            TurnRecvRet::PeerData(data) => (data.peer, data.data().to_vec()),
            TurnRecvRet::Ignored(_) => return Incoming::Strange,
            TurnRecvRet::Handled | TurnRecvRet::PeerIcmp { .. } => return Incoming::Used,
        };
        self.of_peer(peer, data)
    }

    /// What else came with the last bytes of a stream.
    pub(super) fn more(&mut self, now: Instant) -> Option<Incoming> {
        let client = self.client.as_mut()?;
        let data = quietly(|| client.poll_recv(now))?;
        let (peer, data) = (data.peer, data.data().to_vec());
        Some(self.of_peer(peer, data))
    }

    fn of_peer(&self, from: SocketAddr, data: Vec<u8>) -> Incoming {
        match self.addresses.iter().find(|address| address.is_ipv4() == from.is_ipv4()) {
            Some(to) => Incoming::Peer { to: *to, from, data },
            None => Incoming::Used,
        }
    }

    pub(super) fn permit(&mut self, peer: IpAddr, now: Instant) {
        if self.permits.len() >= PERMITS_MAX || self.permits.contains(&peer) {
            return;
        }
        self.permits.push(peer);
        self.ask_permit(peer, now);
    }

    fn ask_permit(&mut self, peer: IpAddr, now: Instant) {
        if let Some(client) =
            self.client.as_mut().filter(|_| self.addresses.iter().any(|address| address.is_ipv4() == peer.is_ipv4()))
        {
            // It may be asked for already, or there is no address yet, and then it is asked for when there is one.
            let _ = quietly(|| client.create_permission(TransportType::Udp, peer, now));
        }
    }

    /// A datagram from here to a peer. What is not permitted yet is dropped, as a network would; the sender tries again.
    pub(super) fn send(&mut self, to: SocketAddr, data: Vec<u8>, now: Instant) -> Option<Output> {
        let client = self.client.as_mut()?;
        if !quietly(|| client.have_permission(TransportType::Udp, to.ip())) {
            self.permit(to.ip(), now);
            return None;
        }
        // The short way is worth it for what is sent often: not for the search for a path, which has small first bytes. On streams what
        // goes the short way is padded to four bytes, which the library neither does nor expects.
        let often = matches!(self.link, Link::Socket(_)) && data.first().is_some_and(|byte| *byte >= 20);
        if often && self.shortcuts.len() < SHORTCUTS_MAX && !self.shortcuts.contains(&to) {
            self.shortcuts.push(to);
            let _ = quietly(|| client.bind_channel(TransportType::Udp, to, now));
        }
        let built =
            quietly(|| client.send_to(TransportType::Udp, to, data, now).ok().flatten().map(TransmitBuild::build))?;
        Some(self.outgoing(built.data))
    }

    fn outgoing(&self, data: Vec<u8>) -> Output {
        match self.link {
            Link::Socket(from) => Output::Datagram { from, to: self.server.address, data },
            Link::Stream(stream) => Output::Stream { stream, data },
        }
    }

    pub(super) fn poll(&mut self, now: Instant, outputs: &mut impl Extend<Output>, found: &mut Vec<Found>) -> Instant {
        let later = now + Duration::from_secs(3600);
        if let (Link::Stream(stream), false) = (self.link, self.asked) {
            self.asked = true;
            let tls = match &self.server.transport {
                Transport::TurnTls(name) => Some(name.clone()),
                _ => None,
            };
            outputs.extend([Output::Connect { stream, to: self.server.address, tls }]);
        }
        let Some(client) = &mut self.client else { return later };
        let next = loop {
            match quietly(|| client.poll(now)) {
                TurnPollRet::WaitUntil(until) => break until,
                TurnPollRet::Closed => {
                    self.over = true;
                    found.extend(self.addresses.iter().map(|address| Found::Lost(*address)));
                    break later;
                }
                TurnPollRet::AllocateTcpSocket { .. } | TurnPollRet::TcpClose { .. } => {}
            }
        };
        let mut sent = Vec::new();
        while let Some(transmit) = quietly(|| client.poll_transmit(now)) {
            sent.push(transmit.data.to_vec());
        }
        let mut created = Vec::new();
        while let Some(event) = quietly(|| client.poll_event()) {
            match event {
                TurnEvent::AllocationCreated(TransportType::Udp, address) => created.push(address),
                TurnEvent::AllocationCreateFailed(_) => self.settled = true,
                TurnEvent::ChannelCreateFailed(_, peer) => self.shortcuts.retain(|other| *other != peer),
                TurnEvent::PermissionCreateFailed(_, peer) => self.permits.retain(|other| *other != peer),
                _ => {}
            }
        }
        outputs.extend(sent.into_iter().map(|data| self.outgoing(data)).collect::<Vec<_>>());
        if created.is_empty() {
            return next;
        }
        self.settled = true;
        for address in created {
            self.addresses.push(address);
            found.extend(self.local.map(|local| Found::Relayed { address, local }));
        }
        for peer in self.permits.clone() {
            self.ask_permit(peer, now);
        }
        // The permits go out at once.
        now
    }

    pub(super) fn hang_up(&self) -> Option<Output> {
        match self.link {
            Link::Stream(stream) => Some(Output::HangUp { stream }),
            Link::Socket(_) => None,
        }
    }

    /// Gives the address back.
    pub(super) fn close(&mut self, now: Instant, outputs: &mut impl Extend<Output>) {
        if let Some(client) = &mut self.client {
            let _ = quietly(|| client.delete(now));
            let mut sent = Vec::new();
            while let Some(transmit) = quietly(|| client.poll_transmit(now)) {
                sent.push(transmit.data.to_vec());
            }
            outputs.extend(sent.into_iter().map(|data| self.outgoing(data)).collect::<Vec<_>>());
        }
        outputs.extend(self.hang_up());
    }
}

fn config(server: &Server) -> TurnConfig {
    let mut config = TurnConfig::new(TurnCredentials::new(&server.username, &server.credential));
    if server.address.is_ipv6() {
        config.add_address_family(AddressFamily::IPV6);
    }
    config
}
