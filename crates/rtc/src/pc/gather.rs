//! Where can we be reached? Own sockets, what a STUN server sees of them, and addresses on TURN servers.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use turn_client_proto::stun::types::TransportType;

use super::probe::Probe;
use super::relay::{Incoming, Link, Relay};
use super::{Output, Server, StreamId, Transport};

/// Sockets, servers and addresses on servers are not more than this.
const SOCKETS_MAX: usize = 16;
const SERVERS_MAX: usize = 16;
const RELAYS_MAX: usize = 8;

/// Whoever waits for all addresses waits no longer than this.
const GATHER_MAX: Duration = Duration::from_secs(10);

/// One of our own sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Socket {
    local: SocketAddr,
    /// Whether the other end may be told of it; else it only reaches servers.
    offered: bool,
}

/// Something found, or gone again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Host(SocketAddr),
    Reflexive {
        address: SocketAddr,
        base: SocketAddr,
    },
    Relayed {
        address: SocketAddr,
        local: SocketAddr,
    },
    Lost(SocketAddr),
    /// There is nothing more to find.
    End,
}

/// What a datagram from outside turned out to be.
pub(super) enum Taken<'a> {
    /// Of a server's, and used up.
    Used,
    /// From a peer, to this address of ours.
    Peer { to: SocketAddr, from: SocketAddr, data: std::borrow::Cow<'a, [u8]> },
}

pub(super) struct Gatherer {
    clock: Clock,
    sockets: Vec<Socket>,
    servers: Vec<Server>,
    probes: Vec<Probe>,
    relays: Vec<Relay>,
    next_stream: u32,
    /// Whether there may be servers that nobody named yet, their names being looked up.
    awaiting: bool,
    since: Instant,
    ended: bool,
    direct: bool,
}

/// The time as the STUN library counts it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn to(self, now: Instant) -> turn_client_proto::stun::Instant {
        let nanos = now.saturating_duration_since(self.0).as_nanos();
        turn_client_proto::stun::Instant::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    pub(super) fn from(self, instant: turn_client_proto::stun::Instant) -> Instant {
        let nanos = u64::try_from(instant.as_nanos()).unwrap_or(0);
        self.0 + Duration::from_nanos(nanos)
    }
}

impl Gatherer {
    pub(super) fn new(now: Instant, direct: bool) -> Self {
        Self {
            clock: Clock(now),
            sockets: Vec::new(),
            servers: Vec::new(),
            probes: Vec::new(),
            relays: Vec::new(),
            next_stream: 0,
            awaiting: true,
            since: now,
            ended: false,
            direct,
        }
    }

    pub(super) fn add_socket(&mut self, now: Instant, local: SocketAddr, offered: bool, found: &mut Vec<Found>) {
        if self.sockets.len() >= SOCKETS_MAX || self.sockets.iter().any(|socket| socket.local == local) {
            return;
        }
        self.sockets.push(Socket { local, offered });
        if offered && self.direct {
            found.push(Found::Host(local));
        }
        self.ask(now);
    }

    /// A socket is gone, and with it all that was found through it.
    pub(super) fn remove_socket(&mut self, local: SocketAddr, found: &mut Vec<Found>) {
        self.sockets.retain(|socket| socket.local != local);
        self.probes.retain(|probe| probe.local() != local);
        self.relays.retain(|relay| {
            let stays = relay.link() != Link::Socket(local);
            if !stays {
                found.extend(relay.addresses().iter().map(|address| Found::Lost(*address)));
            }
            stays
        });
        found.push(Found::Lost(local));
    }

    pub(super) fn add_server(&mut self, now: Instant, server: Server) {
        if self.servers.len() < SERVERS_MAX && !self.servers.contains(&server) {
            self.servers.push(server);
            self.ask(now);
        }
    }

    /// All servers are named.
    pub(super) fn servers_end(&mut self) {
        self.awaiting = false;
    }

    /// Forgets the servers: others will be named, and what is not asked of them is asked again.
    pub(super) fn again(&mut self, now: Instant) {
        self.servers.clear();
        self.probes.clear();
        self.awaiting = true;
        self.ended = false;
        self.since = now;
    }

    /// Asks each server from each socket that reaches it, where that did not happen yet.
    fn ask(&mut self, now: Instant) {
        for server in &self.servers {
            if server.transport == Transport::Stun {
                for socket in
                    self.sockets.iter().filter(|socket| self.direct && socket.offered && reaches(socket.local, server))
                {
                    if !self.probes.iter().any(|probe| probe.is(socket.local, server.address)) {
                        self.probes.extend(Probe::new(socket.local, server.address, self.clock.to(now)));
                    }
                }
                continue;
            }
            if self.relays.len() >= RELAYS_MAX || self.relays.iter().any(|relay| relay.is(server)) {
                continue;
            }
            if server.transport == Transport::TurnUdp {
                let socket = self.sockets.iter().find(|socket| socket.local.ip() == server.via);
                self.relays.extend(socket.map(|socket| Relay::over_udp(server.clone(), socket.local)));
            } else {
                let stream = StreamId(self.next_stream);
                self.next_stream += 1;
                self.relays.push(Relay::over_stream(server.clone(), stream));
            }
        }
    }

    pub(super) fn datagram<'a>(
        &mut self,
        now: Instant,
        local: SocketAddr,
        from: SocketAddr,
        data: &'a [u8],
        found: &mut Vec<Found>,
    ) -> Taken<'a> {
        let instant = self.clock.to(now);
        for probe in self.probes.iter_mut().filter(|probe| probe.is(local, from)) {
            if let Some(address) = probe.answer(data, instant) {
                found.push(Found::Reflexive { address, base: local });
                self.probes.retain(|probe| !probe.is(local, from));
                return Taken::Used;
            }
        }
        for relay in
            self.relays.iter_mut().filter(|relay| relay.link() == Link::Socket(local) && relay.server().address == from)
        {
            match relay.receive(data, instant) {
                Incoming::Used => return Taken::Used,
                Incoming::Peer { to, from, data } => return Taken::Peer { to, from, data: data.into() },
                Incoming::Strange => {}
            }
        }
        Taken::Peer { to: local, from, data: data.into() }
    }

    pub(super) fn stream_opened(&mut self, stream: StreamId, local: SocketAddr) {
        for relay in &mut self.relays {
            relay.opened(stream, local);
        }
    }

    pub(super) fn stream_closed(&mut self, stream: StreamId, found: &mut Vec<Found>) {
        self.relays.retain(|relay| {
            let stays = relay.link() != Link::Stream(stream);
            if !stays {
                found.extend(relay.addresses().iter().map(|address| Found::Lost(*address)));
            }
            stays
        });
    }

    /// Bytes of a stream; each datagram of a peer in them goes to `peer`.
    pub(super) fn stream_data(
        &mut self,
        now: Instant,
        stream: StreamId,
        data: &[u8],
        mut peer: impl FnMut(SocketAddr, SocketAddr, &[u8]),
    ) {
        let instant = self.clock.to(now);
        for relay in self.relays.iter_mut().filter(|relay| relay.link() == Link::Stream(stream)) {
            if let Incoming::Peer { to, from, data } = relay.receive(data, instant) {
                peer(to, from, &data);
            }
            while let Some(Incoming::Peer { to, from, data }) = relay.more(instant) {
                peer(to, from, &data);
            }
        }
    }

    /// Lets a peer at this address reach us through the servers.
    pub(super) fn permit(&mut self, now: Instant, peer: IpAddr) {
        let instant = self.clock.to(now);
        for relay in &mut self.relays {
            relay.permit(peer, instant);
        }
    }

    /// Whether this is an address of ours on a server.
    pub(super) fn is_relayed(&self, address: SocketAddr) -> bool {
        self.relays.iter().any(|relay| relay.addresses().contains(&address))
    }

    /// Sends from an address of ours on a server.
    pub(super) fn relay(&mut self, now: Instant, source: SocketAddr, to: SocketAddr, data: Vec<u8>) -> Option<Output> {
        let instant = self.clock.to(now);
        let relay = self.relays.iter_mut().find(|relay| relay.addresses().contains(&source))?;
        relay.send(to, data, instant)
    }

    /// Moves on in time, says what is to be sent and what was found, and when to be called again.
    pub(super) fn poll(&mut self, now: Instant, outputs: &mut impl Extend<Output>, found: &mut Vec<Found>) -> Instant {
        let instant = self.clock.to(now);
        let mut next = now + Duration::from_secs(3600);
        for probe in &mut self.probes {
            next = next.min(self.clock.from(probe.poll(instant, outputs)));
        }
        self.probes.retain(|probe| !probe.is_over());
        for relay in &mut self.relays {
            next = next.min(self.clock.from(relay.poll(instant, outputs, found)));
        }
        self.relays.retain(|relay| {
            if relay.is_over() {
                outputs.extend(relay.hang_up());
            }
            !relay.is_over()
        });
        if !self.ended {
            let busy = self.awaiting || !self.probes.is_empty() || self.relays.iter().any(Relay::is_busy);
            let late = now >= self.since + GATHER_MAX;
            if !busy || late {
                self.ended = true;
                found.push(Found::End);
            } else {
                next = next.min(self.since + GATHER_MAX);
            }
        }
        next
    }

    /// Gives all addresses on servers back.
    pub(super) fn close(&mut self, now: Instant, outputs: &mut impl Extend<Output>) {
        let instant = self.clock.to(now);
        for relay in &mut self.relays {
            relay.close(instant, outputs);
        }
        self.relays.clear();
        self.probes.clear();
    }
}

/// From the loopback only the loopback can be reached, and the loopback from nowhere else.
fn reaches(local: SocketAddr, server: &Server) -> bool {
    local.is_ipv4() == server.address.is_ipv4() && local.ip().is_loopback() == server.address.ip().is_loopback()
}

/// How the library names what a server is spoken to over.
pub(super) fn transport(transport: &Transport) -> TransportType {
    match transport {
        Transport::Stun | Transport::TurnUdp => TransportType::Udp,
        Transport::TurnTcp | Transport::TurnTls(_) => TransportType::Tcp,
    }
}
