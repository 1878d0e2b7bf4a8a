//! What happens to a connection between its arrival and its first request.

use std::collections::HashMap;
use std::future::ready;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use ipnet::IpNet;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;

use super::address::{PeerAddr, TrustedProxies};
use super::stream::Stream;
use super::tls::Tls;
use super::turnstile::{InTurn, Ticket, Turnstile};
use super::workers::{Turns, Workers, number};
use super::{DoorLimits, NetMetrics, http, proxy};

/// What all listeners share: the router behind them, and the rules for connections.
pub struct Door {
    pub(crate) router: Router,
    pub(crate) trusted: TrustedProxies,
    pub(crate) limits: DoorLimits,
    pub(crate) metrics: NetMetrics,
    proxy_protocol: bool,
    workers: Option<Turns>,
    pending: Mutex<Pending>,
    /// One per thread that serves connections.
    turnstiles: Vec<Arc<Turnstile<Arc<Ticket>>>>,
}

impl Door {
    /// A door in front of a router, whose handlers find a [`PeerAddr`] among the request's extensions.
    pub fn new(router: Router, limits: DoorLimits, metrics: NetMetrics) -> Self {
        Self {
            router,
            trusted: TrustedProxies::default(),
            limits,
            metrics,
            proxy_protocol: false,
            workers: None,
            pending: Mutex::default(),
            turnstiles: vec![Turnstile::start(&Handle::current())],
        }
    }

    /// Believes these proxies about whom they speak for.
    #[must_use]
    pub fn with_trusted(mut self, trusted: TrustedProxies) -> Self {
        self.trusted = trusted;
        self
    }

    /// Whether trusted proxies begin each connection with a PROXY header. Nobody else may.
    #[must_use]
    pub fn with_proxy_protocol(mut self, on: bool) -> Self {
        self.proxy_protocol = on;
        self
    }

    /// Leaves connections to these threads, each to the next; without them all stay on the runtime that accepts them.
    #[must_use]
    pub fn with_workers(mut self, workers: &Workers) -> Self {
        let turns = workers.turns();
        self.end_turns();
        self.turnstiles = turns.loops().iter().map(Turnstile::start).collect();
        self.workers = Some(turns);
        self
    }

    /// Takes a connection in, or drops it if too many are waiting. Answers which thread has it.
    pub(crate) fn enter(
        self: &Arc<Self>,
        stream: Stream,
        peer: PeerAddr,
        tls: Option<&Tls>,
        stop: &watch::Receiver<bool>,
    ) -> usize {
        self.metrics.connections_accepted.inc();
        let Some(waiting) = Waiting::join(self) else {
            NetMetrics::count(&self.metrics.connections_dropped, "pending");
            return 0;
        };
        let greeting = Greeting { door: Arc::clone(self), waiting, stop: stop.clone() };
        let tls = tls.cloned();
        let Some(workers) = &self.workers else {
            greeting.begin(stream, peer, tls);
            return 0;
        };
        let released = match stream.release() {
            Ok(released) => released,
            Err(error) => {
                tracing::debug!(%error, "a connection cannot change threads");
                return 0;
            }
        };
        let (number, thread) = workers.next();
        thread.spawn(async move {
            match released.adopt() {
                Ok(stream) => greeting.begin(stream, peer, tls),
                Err(error) => tracing::debug!(%error, "a connection cannot change threads"),
            }
        });
        number
    }

    /// Comes back when it is the turn of another connection for that thread.
    pub(crate) async fn turn(&self, thread: usize) {
        InTurn::new(self.turnstile(thread), ready(())).await;
    }

    fn turnstile(&self, thread: usize) -> Arc<Turnstile<Arc<Ticket>>> {
        Arc::clone(&self.turnstiles[thread % self.turnstiles.len()])
    }

    /// Runs what leads to a first request, each step of it in its turn.
    fn spawn(&self, greeting: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(InTurn::new(self.turnstile(number().unwrap_or_default()), Box::pin(greeting)));
    }

    fn end_turns(&self) {
        self.turnstiles.iter().for_each(|turnstile| turnstile.end());
    }

    fn expects_header(&self, peer: PeerAddr) -> bool {
        self.proxy_protocol && self.trusted.contains(peer)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.end_turns();
    }
}

/// A connection on its way through the door.
struct Greeting {
    door: Arc<Door>,
    waiting: Waiting,
    stop: watch::Receiver<bool>,
}

impl Greeting {
    fn begin(self, stream: Stream, peer: PeerAddr, tls: Option<Tls>) {
        if tls.is_none() && !self.door.expects_header(peer) {
            // The common case needs no step in between.
            Arc::clone(&self.door).spawn(self.serve(stream, peer));
        } else {
            Arc::clone(&self.door).spawn(self.prepare(stream, peer, tls));
        }
    }

    /// PROXY header and TLS handshake, each with its deadline; then a fresh task serves the
    /// connection, so that the states of the handshake are not carried along.
    async fn prepare(self, mut stream: Stream, mut peer: PeerAddr, tls: Option<Tls>) {
        let metrics = &self.door.metrics;
        let deadline = self.door.limits.header_timeout;
        if self.door.expects_header(peer) {
            match in_time(timeout(deadline, proxy::read_header(&mut stream)).await) {
                Ok(Some(source)) => peer = source.into(),
                Ok(None) => {}
                Err(error) => {
                    metrics.proxy_errors.inc();
                    return tracing::debug!(%error, "PROXY header");
                }
            }
        }
        if let Some(tls) = tls {
            match in_time(timeout(deadline, tls.accept(stream)).await) {
                Ok(secured) => stream = secured,
                Err(error) => {
                    metrics.tls_failures.inc();
                    return tracing::debug!(%error, "TLS handshake");
                }
            }
        }
        Arc::clone(&self.door).spawn(self.serve(stream, peer));
    }

    async fn serve(mut self, stream: Stream, peer: PeerAddr) {
        if !self.waiting.count_for(peer) {
            return NetMetrics::count(&self.door.metrics.connections_dropped, "pending_of_address");
        }
        if let Err(error) = http::serve(stream, peer, &self.door, self.stop).await {
            tracing::debug!(%error, "connection ended");
        }
    }
}

/// The connections that are no WebSockets (yet).
#[derive(Default)]
struct Pending {
    count: usize,
    by_network: HashMap<IpNet, u32>,
}

/// One of them, counted until it is dropped.
struct Waiting {
    door: Arc<Door>,
    network: Option<IpNet>,
}

impl Waiting {
    fn join(door: &Arc<Door>) -> Option<Self> {
        let mut pending = door.pending.lock();
        if pending.count >= door.limits.pending {
            return None;
        }
        pending.count += 1;
        door.metrics.connections_pending.inc();
        Some(Self { door: Arc::clone(door), network: None })
    }

    /// Counts it for its network, too; `false` if that has too many. Proxies speak for many, and
    /// this very machine is usually one.
    fn count_for(&mut self, peer: PeerAddr) -> bool {
        let Some(ip) = peer.ip().filter(|ip| !ip.is_loopback() && !self.door.trusted.contains(peer)) else {
            return true;
        };
        let network = network_of(ip);
        let mut pending = self.door.pending.lock();
        let count = pending.by_network.entry(network).or_default();
        if *count >= self.door.limits.pending_per_address {
            return false;
        }
        *count += 1;
        self.network = Some(network);
        true
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.door.metrics.connections_pending.dec();
        let mut pending = self.door.pending.lock();
        pending.count -= 1;
        if let Some(network) = self.network
            && let Some(count) = pending.by_network.get_mut(&network)
        {
            *count -= 1;
            if *count == 0 {
                pending.by_network.remove(&network);
            }
        }
    }
}

/// What one customer has of an address: all of IPv4, half of IPv6.
fn network_of(ip: IpAddr) -> IpNet {
    let prefix = if ip.is_ipv4() { 32 } else { 64 };
    IpNet::new(ip, prefix).map_or_else(|_| ip.into(), |net| net.trunc())
}

fn in_time<T>(result: Result<io::Result<T>, tokio::time::error::Elapsed>) -> io::Result<T> {
    result.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
