//! What the socket layer counts. No label ever names a peer or an address.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::handle::Tally;
use super::lanes::Count;

/// Counters and gauges of the socket layer.
#[derive(Clone, Debug)]
pub struct NetMetrics {
    /// WebSockets open now.
    pub sockets: Gauge,
    /// WebSockets opened since the start.
    pub sockets_opened: Counter,
    /// Connections accepted, before anything is read.
    pub connections_accepted: Counter,
    /// Connections dropped on arrival, by reason.
    pub connections_dropped: Family<Reason, Counter>,
    /// Connections that are not (yet) WebSockets.
    pub connections_pending: Gauge,
    /// Failed `accept` calls.
    pub accept_errors: Counter,
    /// WebSocket bytes read.
    pub bytes_in: Count,
    /// WebSocket bytes written.
    pub bytes_out: Count,
    /// Messages and control frames read.
    pub frames_in: Count,
    /// Frames queued for writing.
    pub frames_out: Count,
    /// Write calls to sockets.
    pub writes: Count,
    /// Sockets cut because their peer did not read.
    pub slow_readers: Counter,
    /// Sockets closed because nothing was heard of their peer.
    pub idle_closed: Counter,
    /// Close handshakes that were cut at their deadline.
    pub close_timeouts: Counter,
    /// Violations of the WebSocket protocol, by kind.
    pub violations: Family<Reason, Counter>,
    /// Upgrade requests refused, by reason.
    pub upgrades_refused: Family<Reason, Counter>,
    /// Failed TLS handshakes.
    pub tls_failures: Counter,
    /// Certificates loaded again, by result.
    pub tls_reloads: Family<Reason, Counter>,
    /// Connections without the PROXY header that they should begin with.
    pub proxy_errors: Counter,
}

/// The one label of the counters here: a short stable word.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Reason {
    /// The word.
    pub reason: &'static str,
}

impl Default for NetMetrics {
    fn default() -> Self {
        let [bytes_in, bytes_out, frames_in, frames_out, writes] = Count::several();
        Self {
            sockets: Gauge::default(),
            sockets_opened: Counter::default(),
            connections_accepted: Counter::default(),
            connections_dropped: Family::default(),
            connections_pending: Gauge::default(),
            accept_errors: Counter::default(),
            bytes_in,
            bytes_out,
            frames_in,
            frames_out,
            writes,
            slow_readers: Counter::default(),
            idle_closed: Counter::default(),
            close_timeouts: Counter::default(),
            violations: Family::default(),
            upgrades_refused: Family::default(),
            tls_failures: Counter::default(),
            tls_reloads: Family::default(),
            proxy_errors: Counter::default(),
        }
    }
}

impl NetMetrics {
    /// Makes all of it readable under names that start with `wigwag_`.
    pub fn register(&self, registry: &mut Registry) {
        let mut r = |name: &str, help: &str, metric: &dyn Cloned| metric.register(name, help, registry);
        r("wigwag_sockets", "WebSockets open now", &self.sockets);
        r("wigwag_sockets_opened", "WebSockets opened", &self.sockets_opened);
        r("wigwag_connections_accepted", "Connections accepted", &self.connections_accepted);
        r("wigwag_connections_dropped", "Connections dropped on arrival", &self.connections_dropped);
        r("wigwag_connections_pending", "Connections that are not WebSockets (yet)", &self.connections_pending);
        r("wigwag_accept_errors", "Failed accept calls", &self.accept_errors);
        r("wigwag_socket_bytes_in", "WebSocket bytes read", &self.bytes_in);
        r("wigwag_socket_bytes_out", "WebSocket bytes written", &self.bytes_out);
        r("wigwag_frames_in", "Messages and control frames read", &self.frames_in);
        r("wigwag_frames_out", "Frames queued for writing", &self.frames_out);
        r("wigwag_socket_writes", "Write calls to sockets", &self.writes);
        r("wigwag_slow_readers_cut", "Sockets cut because their peer did not read", &self.slow_readers);
        r("wigwag_idle_sockets_closed", "Sockets closed because their peer was silent", &self.idle_closed);
        r("wigwag_close_timeouts", "Close handshakes cut at their deadline", &self.close_timeouts);
        r("wigwag_protocol_violations", "Violations of the WebSocket protocol", &self.violations);
        r("wigwag_upgrades_refused", "Upgrade requests refused", &self.upgrades_refused);
        r("wigwag_tls_handshake_failures", "Failed TLS handshakes", &self.tls_failures);
        r("wigwag_tls_reloads", "Certificates loaded again", &self.tls_reloads);
        r("wigwag_proxy_header_errors", "Connections without their PROXY header", &self.proxy_errors);
    }

    pub(crate) fn add(&self, tally: &Tally) {
        for (counter, n) in [
            (&self.bytes_in, tally.bytes_in),
            (&self.bytes_out, tally.bytes_out),
            (&self.frames_in, tally.frames_in),
            (&self.frames_out, tally.frames_out),
            (&self.writes, tally.writes),
        ] {
            if n > 0 {
                counter.inc_by(n);
            }
        }
    }

    pub(crate) fn count(family: &Family<Reason, Counter>, reason: &'static str) {
        family.get_or_create(&Reason { reason }).inc();
    }
}

/// A metric that can be handed to a registry while we keep a clone of it.
trait Cloned {
    fn register(&self, name: &str, help: &str, registry: &mut Registry);
}

impl<T: Clone + prometheus_client::registry::Metric> Cloned for T {
    fn register(&self, name: &str, help: &str, registry: &mut Registry) {
        registry.register(name, help, self.clone());
    }
}
