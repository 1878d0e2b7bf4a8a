//! Metrics: what an operator's Prometheus reads at `/metrics`.
//!
//! Each subsystem owns its numbers and registers them; this module owns those of the relay itself, of the process
//! and of the build, and renders them all. What is counted for every message costs one addition in its
//! thread's [lane](crate::net::Sums): labels are resolved when the tables are made, never when a message passes. No label
//! ever names a peer, a room or an address.

mod process;
mod reference;
mod relay;

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::http::{Counts, Desk};
use crate::net::Count;
use crate::version::VERSION;
pub use reference::markdown;
pub use relay::{DialectTables, Direction, Latency, MessageTable, Refused};

/// The media type of [`render`]'s text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The numbers of the relay. Clones count into the same numbers.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Native messages that peers sent, by their place in [`wigwag_wire::request::TYPES`].
    pub native_in: Arc<MessageTable>,
    /// Native messages for peers, by their place in [`wigwag_wire::event::TYPES`].
    pub native_out: Arc<MessageTable>,
    /// The messages of the dialects.
    pub dialects: DialectTables,
    /// Time from reading a message to handing it to the receiver's socket.
    pub relay: Latency,
    /// Refusals by code, in answers, in closes and over HTTP.
    pub refused: Refused,
    /// Messages of data that were relayed between peers without a path of their own.
    pub relayed_frames: Count,
    /// Their bytes, as they are charged.
    pub relayed_bytes: Count,
    /// Sessions that went on after a new socket came with their token.
    pub resumed: Counter,
    /// Resume tokens that named no session any more.
    pub resume_misses: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let table = |direction, types| Arc::new(MessageTable::new("native", direction, types));
        let [relayed_frames, relayed_bytes] = Count::several();
        Self {
            native_in: table(Direction::In, wigwag_wire::request::TYPES),
            native_out: table(Direction::Out, wigwag_wire::event::TYPES),
            dialects: DialectTables::default(),
            relay: Latency::default(),
            refused: Refused::default(),
            relayed_frames,
            relayed_bytes,
            resumed: Counter::default(),
            resume_misses: Counter::default(),
        }
    }
}

impl Metrics {
    /// Makes all of it readable.
    pub fn register(&self, registry: &mut Registry) {
        let mut tables = vec![self.native_in.clone(), self.native_out.clone()];
        tables.extend(self.dialects.tables());
        registry.register("wigwag_messages", "Messages relayed or answered", relay::Messages(tables));
        registry.register(
            "wigwag_relay_seconds",
            "Time from reading a message to handing it to the receiver's socket",
            self.relay.clone(),
        );
        registry.register("wigwag_refused", "Refusals, by code of spec/codes.md", self.refused.clone());
        registry.register(
            "wigwag_relayed_frames",
            "Messages of data relayed between peers that have no path of their own",
            self.relayed_frames.clone(),
        );
        registry.register(
            "wigwag_relayed_bytes",
            "Bytes of relayed data, as they are charged",
            self.relayed_bytes.clone(),
        );
        registry.register("wigwag_resumed", "Sessions resumed on a new socket", self.resumed.clone());
        registry.register(
            "wigwag_resume_misses",
            "Resume tokens that named no session any more",
            self.resume_misses.clone(),
        );
    }
}

/// Makes what is counted by others readable: what the desk knows, the process, the build.
pub fn register_surroundings(registry: &mut Registry, desk: &Arc<dyn Desk>) {
    // The desk may own the registry; a weak handle keeps the two from holding each other.
    let desk = Arc::downgrade(desk);
    register_rest(registry, move || Some(desk.upgrade()?.counts()));
}

fn register_rest(registry: &mut Registry, counts: impl Fn() -> Option<Counts> + Send + Sync + 'static) {
    registry.register_collector(Box::new(relay::DeskCounts(counts)));
    registry.register_collector(Box::new(process::Process::new()));
    let commit = VERSION.commit.unwrap_or("unknown");
    let build = vec![("version", VERSION.version), ("commit", commit), ("protocol", wigwag_wire::VERSION)];
    registry.register("wigwag_build", "The build that runs", Info::new(build));
}

/// Everything in the registry, in OpenMetrics text.
pub fn render(registry: &Registry) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = prometheus_client::encoding::text::encode(&mut text, registry);
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use wigwag_wire::Code;

    use wigwag_dialects::{Dialect, EVENT_TYPES};
    use wigwag_hub::DialectId;

    use super::*;

    #[test]
    fn messages_are_counted_by_dialect_type_and_direction() {
        let metrics = Metrics::default();
        let place = |types: &[&str], name| u8::try_from(types.iter().position(|t| *t == name).unwrap()).unwrap();
        metrics.native_in.count(place(wigwag_wire::request::TYPES, "signal"));
        metrics.native_in.count(place(wigwag_wire::request::TYPES, "signal"));
        metrics.native_out.add(place(wigwag_wire::event::TYPES, "said"), 7);
        metrics.native_in.count(255);
        metrics.dialects.heard(Dialect::Yjs.id(), 2);
        metrics.dialects.told(Dialect::Yjs.id(), place(EVENT_TYPES, "published"));
        metrics.dialects.told(DialectId(200), 0);
        let text = text_of(|registry| metrics.register(registry));
        for line in [
            "wigwag_messages_total{dialect=\"native\",type=\"signal\",direction=\"in\"} 2",
            "wigwag_messages_total{dialect=\"native\",type=\"said\",direction=\"out\"} 7",
            "wigwag_messages_total{dialect=\"native\",type=\"hello\",direction=\"in\"} 0",
            "wigwag_messages_total{dialect=\"yjs\",type=\"publish\",direction=\"in\"} 1",
            "wigwag_messages_total{dialect=\"yjs\",type=\"published\",direction=\"out\"} 1",
        ] {
            assert!(text.lines().any(|there| there == line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn refusals_are_counted_by_code_and_every_code_is_there_from_the_start() {
        let metrics = Metrics::default();
        metrics.refused.count(Code::SlowReader);
        let text = text_of(|registry| metrics.register(registry));
        assert!(text.contains("wigwag_refused_total{code=\"4002\",name=\"slow_reader\"} 1\n"), "{text}");
        for code in Code::ALL {
            assert!(text.contains(&format!("{{code=\"{}\",name=\"{}\"}}", code.number(), code.name())));
        }
    }

    #[test]
    fn the_relay_histogram_adds_up() {
        let latency = Latency::default();
        for micros in [10, 60, 60, 3_000_000] {
            latency.observe(Duration::from_micros(micros));
        }
        let text = text_of(|registry| registry.register("x", "y", latency));
        for line in [
            "x_bucket{le=\"0.00005\"} 1",
            "x_bucket{le=\"0.0001\"} 3",
            "x_bucket{le=\"+Inf\"} 4",
            "x_count 4",
            "x_sum 3.00013",
        ] {
            assert!(text.lines().any(|there| there.starts_with(line)), "{line} is missing in\n{text}");
        }
    }

    fn text_of(register: impl FnOnce(&mut Registry)) -> String {
        let mut registry = Registry::default();
        register(&mut registry);
        render(&registry)
    }
}
