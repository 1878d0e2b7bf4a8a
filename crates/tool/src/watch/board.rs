//! What is shown: how many of what, and how fast it changes. Knows no terminal and no clock.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::metrics::Series;

/// So many rates are kept for the curve.
const CURVE: usize = 240;

/// So many rows of sessions and rooms are asked for.
pub(super) const ROWS: usize = 200;

/// What a server told at one moment.
#[derive(Debug, Default)]
pub(super) struct Sample {
    /// `/stats`.
    pub(super) stats: BTreeMap<String, Value>,
    /// `/metrics`.
    pub(super) metrics: BTreeMap<Series, f64>,
    /// The first sessions and rooms, where the operator's token opens them.
    pub(super) sessions: Option<Vec<Value>>,
    pub(super) rooms: Option<Vec<Value>>,
}

/// Everything that is on the screen.
#[derive(Debug, Default)]
pub(super) struct Board {
    last: Option<Sample>,
    /// Messages per second, in and out, the newest last.
    pub(super) messages_in: VecDeque<f64>,
    pub(super) messages_out: VecDeque<f64>,
    /// Messages per second by dialect, kind and direction, the fastest first.
    pub(super) kinds: Vec<Rate>,
    /// Refusals per second, and in all, by code.
    pub(super) refusals: Vec<Refusal>,
    /// Bytes per second.
    pub(super) bytes_in: f64,
    pub(super) bytes_out: f64,
    /// The share of one core.
    pub(super) cpu: f64,
    /// Why the last sample is an old one.
    pub(super) trouble: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Rate {
    pub(super) dialect: String,
    pub(super) kind: String,
    pub(super) direction: String,
    pub(super) per_second: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) name: String,
    pub(super) per_second: f64,
    pub(super) total: f64,
}

/// The board as a program reads it.
#[derive(Serialize)]
pub(super) struct Line<'b> {
    stats: BTreeMap<&'b str, &'b Value>,
    messages_in_per_second: f64,
    messages_out_per_second: f64,
    bytes_in_per_second: f64,
    bytes_out_per_second: f64,
    cpu: f64,
    memory_bytes: f64,
    kinds: &'b [Rate],
    refusals: &'b [Refusal],
}

/// A session or a room as the operator's API tells it: only what is shown.
#[derive(Deserialize)]
pub(super) struct Page {
    #[serde(alias = "sessions", alias = "rooms")]
    pub(super) rows: Vec<Value>,
}

impl Board {
    /// Takes in what was told, so long after what was told before.
    pub(super) fn take(&mut self, sample: Sample, after: Duration) {
        self.trouble = None;
        let Some(last) = self.last.replace(sample) else { return };
        let Some(now) = &self.last else { return };
        let seconds = after.as_secs_f64().max(1e-3);
        let rate = |series: &Series, value: f64| {
            let before = last.metrics.get(series).copied().unwrap_or_default();
            // A counter that fell began anew: the server was restarted.
            if value >= before { (value - before) / seconds } else { value / seconds }
        };
        let single = |name: &str| {
            let one = now.metrics.iter().find(|(series, _)| series.name == name);
            one.map_or(0.0, |(series, value)| rate(series, *value))
        };
        self.bytes_in = single("wigwag_socket_bytes_in_total");
        self.bytes_out = single("wigwag_socket_bytes_out_total");
        self.cpu = single("process_cpu_seconds_total");
        self.kinds.clear();
        self.refusals.clear();
        let (mut heard, mut said) = (0.0, 0.0);
        for (series, value) in &now.metrics {
            let text = |label| series.label(label).unwrap_or_default().to_owned();
            match series.name.as_str() {
                "wigwag_messages_total" => {
                    let per_second = rate(series, *value);
                    let direction = text("direction");
                    *(if direction == "in" { &mut heard } else { &mut said }) += per_second;
                    if per_second > 0.0 {
                        self.kinds.push(Rate { dialect: text("dialect"), kind: text("type"), direction, per_second });
                    }
                }
                "wigwag_refused_total" if *value > 0.0 => {
                    let per_second = rate(series, *value);
                    self.refusals.push(Refusal { code: text("code"), name: text("name"), per_second, total: *value });
                }
                _ => {}
            }
        }
        self.kinds.sort_by(|a, b| b.per_second.total_cmp(&a.per_second));
        self.refusals.sort_by(|a, b| b.per_second.total_cmp(&a.per_second).then(b.total.total_cmp(&a.total)));
        for (curve, rate) in [(&mut self.messages_in, heard), (&mut self.messages_out, said)] {
            curve.push_back(rate);
            if curve.len() > CURVE {
                curve.pop_front();
            }
        }
    }

    /// A number of `/stats`.
    pub(super) fn count(&self, name: &str) -> Option<u64> {
        self.last.as_ref()?.stats.get(name)?.as_u64()
    }

    /// A text of `/stats`.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.last.as_ref()?.stats.get(name)?.as_str()
    }

    /// A gauge.
    pub(super) fn gauge(&self, name: &str) -> f64 {
        let one = self.last.iter().flat_map(|sample| &sample.metrics).find(|(series, _)| series.name == name);
        one.map_or(0.0, |(_, value)| *value)
    }

    /// The sessions, where they may be seen.
    pub(super) fn sessions(&self) -> Option<&[Value]> {
        self.last.as_ref()?.sessions.as_deref()
    }

    /// The rooms, where they may be seen.
    pub(super) fn rooms(&self) -> Option<&[Value]> {
        self.last.as_ref()?.rooms.as_deref()
    }

    /// Whether there are rates yet.
    pub(super) fn has_rates(&self) -> bool {
        !self.messages_in.is_empty()
    }

    /// What a program reads.
    pub(super) fn line(&self) -> Line<'_> {
        let numbers = self.last.iter().flat_map(|sample| &sample.stats).filter(|(_, value)| !value.is_object());
        Line {
            stats: numbers.map(|(name, value)| (name.as_str(), value)).collect(),
            messages_in_per_second: self.messages_in.back().copied().unwrap_or_default(),
            messages_out_per_second: self.messages_out.back().copied().unwrap_or_default(),
            bytes_in_per_second: self.bytes_in,
            bytes_out_per_second: self.bytes_out,
            cpu: self.cpu,
            memory_bytes: self.gauge("process_resident_memory_bytes"),
            kinds: &self.kinds,
            refusals: &self.refusals,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::watch::metrics;

    pub(crate) fn sample(messages: u32, refused: u32) -> Sample {
        let text = format!(
            "wigwag_messages_total{{dialect=\"native\",type=\"signal\",direction=\"in\"}} {messages}\n\
             wigwag_messages_total{{dialect=\"native\",type=\"signal\",direction=\"out\"}} {messages}\n\
             wigwag_messages_total{{dialect=\"yjs\",type=\"publish\",direction=\"in\"}} {}\n\
             wigwag_refused_total{{code=\"4404\",name=\"not_found\"}} {refused}\n\
             wigwag_socket_bytes_in_total {}\nprocess_resident_memory_bytes 7340032\n",
            messages / 2,
            messages * 100
        );
        let stats =
            r#"{"reason":"ready","version":"0.1.0","uptime_seconds":93784,"sockets":1204,"sessions":1190,"rooms":31}"#;
        let stats = serde_json::from_str(stats).unwrap_or_else(|why| panic!("{why}"));
        Sample { stats, metrics: metrics::read(&text), sessions: None, rooms: None }
    }

    #[test]
    fn rates_are_what_changed_in_the_time_between() {
        let mut board = Board::default();
        board.take(sample(100, 0), Duration::ZERO);
        assert!(!board.has_rates());
        board.take(sample(300, 4), Duration::from_secs(2));
        assert_eq!((board.messages_in.back(), board.messages_out.back()), (Some(&150.0), Some(&100.0)));
        assert_eq!(board.kinds.iter().map(|kind| kind.per_second).collect::<Vec<_>>(), [100.0, 100.0, 50.0]);
        assert_eq!((board.refusals[0].per_second, board.refusals[0].total), (2.0, 4.0));
        assert_eq!((board.bytes_in, board.count("sockets")), (10_000.0, Some(1204)));
    }

    #[test]
    fn a_server_that_was_restarted_has_no_negative_rates() {
        let mut board = Board::default();
        board.take(sample(1_000, 0), Duration::ZERO);
        board.take(sample(10, 0), Duration::from_secs(1));
        assert_eq!(board.messages_in.back(), Some(&15.0));
    }

    #[test]
    fn the_curve_does_not_grow_for_ever() {
        let mut board = Board::default();
        for n in 0..1_000 {
            board.take(sample(n, 0), Duration::from_secs(1));
        }
        assert_eq!(board.messages_in.len(), CURVE);
    }
}
