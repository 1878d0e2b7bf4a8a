//! What we want to reach, beside what was measured.

use crate::book::{At, Book};
use crate::server::Subject::{Bare, Gather, Guest, Keyed, Node, PeerJs, Tls};
use crate::sizes::Sizes;

/// One line of the table of goals.
pub(crate) struct Goal {
    pub(crate) what: String,
    pub(crate) measured: Option<f64>,
    /// Whether more is better.
    more: bool,
    goal: f64,
    acceptable: f64,
    unit: &'static str,
}

impl Goal {
    pub(crate) fn row(&self) -> String {
        let (sign, unit) = (if self.more { "≥" } else { "≤" }, self.unit);
        let bound = |bound: f64| format!("{sign} {}{unit}", number(bound));
        let (measured, verdict) = match self.measured {
            None => ("–".to_owned(), "not measured"),
            Some(value) => (format!("{}{unit}", number(value)), self.verdict(value)),
        };
        format!("| {} | {measured} | {} | {} | {verdict} |", self.what, bound(self.goal), bound(self.acceptable))
    }

    fn verdict(&self, value: f64) -> &'static str {
        let within = |bound: f64| if self.more { value >= bound } else { value <= bound };
        match (within(self.goal), within(self.acceptable)) {
            (true, _) => "**reached**",
            (false, true) => "acceptable",
            (false, false) => "missed",
        }
    }
}

/// All goals, with what the book says of each.
pub(crate) fn goals(book: &Book, sizes: &Sizes) -> Vec<Goal> {
    let few = sizes.sockets;
    let many = sizes.growth.iter().copied().filter(|size| *size <= sizes.beside).max().unwrap_or_default();
    let mut goals = Vec::new();
    let mut most = |what: String, measured: Option<f64>, goal: f64, acceptable: f64, unit: &'static str| {
        goals.push(Goal { what, measured, more: false, goal, acceptable, unit });
    };
    let plain = |at: At| book.median(at.0, at.1, at.2);
    most("bytes per idle socket, PeerJS clients".into(), plain(("idle", PeerJs, 0)), 1_200.0, 2_000.0, "");
    most(
        "bytes per idle socket, peers with keys that can resume".into(),
        plain(("idle", Keyed, 0)),
        1_600.0,
        2_600.0,
        "",
    );
    most("the same, over TLS".into(), plain(("idle", Tls, 0)), 9_000.0, 13_000.0, "");
    for subject in [PeerJs, Keyed] {
        let what = format!("memory after 16 KB each way, 2 s later, against idle: {}", subject.name());
        most(what, plain(("idle growth", subject, 0)), 1.1, 1.5, " ×");
    }
    most(
        "memory left 2 s after the sockets closed, over the start".into(),
        plain(("left", Guest, sizes.idle)),
        20.0,
        40.0,
        " MB",
    );
    for (figure, size) in [("sparse", few), ("grow sparse", many)] {
        let subject = if size == few { Guest } else { Keyed };
        let what = format!("CPU per message, sparse, {} sockets, against the bare relay", count(size));
        most(what, book.ratio((figure, subject, size), (figure, Bare, size)), 1.15, 1.4, " ×");
    }
    let what = "CPU per message, bursts, against the bare relay that gathers".to_owned();
    most(what, book.ratio(("burst", Guest, few), ("burst", Gather, few)), 1.6, 2.5, " ×");
    for (figure, goal, acceptable) in [("sparse", 0.5, 0.6), ("burst", 0.1, 0.2)] {
        let what = format!("CPU per message, {figure}, PeerJS clients, against peerjs-server");
        most(what, book.ratio((figure, PeerJs, few), (figure, Node, few)), goal, acceptable, " ×");
    }
    for rate in &sizes.rates {
        let what = format!("p99.9 at {} calls/s, against the bare relay", count(*rate));
        most(what, book.ratio(("p99.9", Guest, *rate), ("p99.9", Bare, *rate)), 1.5, 3.0, " ×");
    }
    if let [small, .., large] = sizes.rooms.as_slice() {
        let ratio = book.ratio(("join", Keyed, *large), ("join", Keyed, *small));
        most(
            format!("a join, CPU per member told: room of {} against {}", count(*large), count(*small)),
            ratio,
            1.1,
            1.5,
            " ×",
        );
        let ratio = book.ratio(("join bytes", Keyed, *large), ("join bytes", Keyed, *small));
        most("the same, bytes per member told".into(), ratio, 1.1, 1.5, " ×");
    }
    for (figure, what) in [
        ("deaf ratio", "a tenth of the sockets read nothing"),
        ("storm ratio", "thousands of sockets come back at once"),
        ("crowd ratio", "a large room fills within a second"),
    ] {
        most(format!("p99 of the others while {what}, against calm"), plain((figure, Keyed, 0)), 2.0, 2.0, " ×");
    }
    goals.push(Goal {
        what: "work done with 2 cores against 1".into(),
        measured: plain(("core work", Guest, 2)),
        more: true,
        goal: 1.8,
        acceptable: 1.6,
        unit: " ×",
    });
    goals
}

/// A number of things.
pub(crate) fn count(things: usize) -> String {
    if things < 1_000 { things.to_string() } else { number(things as f64) }
}

/// A number with as many digits as mean something.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 1_000.0 => {
            let digits = format!("{value:.0}");
            let (head, tail) = digits.split_at(digits.len() - 3);
            if head.len() > 3 {
                let (first, second) = head.split_at(head.len() - 3);
                return format!("{first},{second},{tail}");
            }
            format!("{head},{tail}")
        }
        middle if middle >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_within_the_goal_is_reached_and_what_is_within_neither_bound_is_missed() {
        let goal = |measured, more| Goal { what: "x".into(), measured, more, goal: 1.5, acceptable: 1.2, unit: "" };
        assert_eq!(goal(Some(1.6), true).row(), "| x | 1.60 | ≥ 1.50 | ≥ 1.20 | **reached** |");
        assert!(goal(Some(1.3), true).row().contains("acceptable"));
        assert!(goal(Some(1.1), true).row().contains("missed"));
        assert!(goal(Some(1.1), false).row().contains("reached"));
        assert!(goal(None, false).row().contains("not measured"));
    }

    #[test]
    fn numbers_show_what_means_something() {
        for (value, shown) in
            [(0.704, "0.70"), (12.34, "12.3"), (718.2, "718"), (12_345.6, "12,346"), (1_234_567.0, "1,234,567")]
        {
            assert_eq!(number(value), shown);
        }
    }
}
