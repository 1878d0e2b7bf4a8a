//! The reference page of the metrics, made from what a registry with everything in it prints.

use std::fmt::Write;

use prometheus_client::registry::Registry;

use super::{Metrics, register_rest, render};
use crate::http::Counts;
use crate::net::NetMetrics;
use crate::store::StoreMetrics;

/// Every metric with its type, its labels and what it means.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Metrics\n\n\
         `/metrics` answers in OpenMetrics text, which Prometheus and everything like it reads. No label names a peer, a room or\n\
         an address. Histograms have the usual `_bucket`, `_sum` and `_count`. `process_*` is there on Linux only.\n\n\
         | name | type | labels | meaning |\n| --- | --- | --- | --- |\n",
    );
    let text = render(&full_registry());
    let mut rows: Vec<Row<'_>> = Vec::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            rows.push(Row { name, help, kind: "", labels: Vec::new() });
        } else if let Some(row) = rows.last_mut() {
            if let Some((_, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
                row.kind = kind;
            } else if let (true, Some((_, labels))) = (row.labels.is_empty(), line.split_once('{')) {
                row.labels = labels.split('"').step_by(2).filter_map(label_name).collect();
            }
        }
    }
    rows.sort_by_key(|row| (!row.name.starts_with("wigwag_"), row.name));
    for row in rows {
        let suffix = match row.kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let labels: Vec<String> = row.labels.iter().map(|label| format!("`{label}`")).collect();
        let help = row.help.trim_end_matches('.');
        let _ = writeln!(out, "| `{}{suffix}` | {} | {} | {help}. |", row.name, row.kind, labels.join(", "));
    }
    out
}

struct Row<'a> {
    name: &'a str,
    kind: &'a str,
    help: &'a str,
    labels: Vec<&'a str>,
}

/// The label's name in what stands before its value: `,type=`.
fn label_name(before: &str) -> Option<&str> {
    let name = before.strip_suffix('=')?.trim_start_matches(',');
    (name != "le").then_some(name)
}

fn full_registry() -> Registry {
    let mut registry = Registry::default();
    Metrics::default().register(&mut registry);
    let net = NetMetrics::default();
    net.register(&mut registry);
    // A family shows itself only once it has a member.
    for family in [&net.connections_dropped, &net.violations, &net.upgrades_refused, &net.tls_reloads] {
        NetMetrics::count(family, "any");
    }
    StoreMetrics::default().register(&mut registry);
    register_rest(&mut registry, || Some(Counts::default()));
    registry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_names_metrics_with_type_labels_and_meaning() {
        let page = markdown();
        for line in [
            "| `wigwag_messages_total` | counter | `dialect`, `type`, `direction` | Messages relayed or answered. |",
            "| `wigwag_refused_total` | counter | `code`, `name` | Refusals, by code of spec/codes.md. |",
            "| `wigwag_relay_seconds` | histogram |  | Time from reading a message to handing it to the receiver's socket. |",
            "| `wigwag_upgrades_refused_total` | counter | `reason` | Upgrade requests refused. |",
            "| `wigwag_build_info` | info | `version`, `commit`, `protocol` | The build that runs. |",
            "| `wigwag_sessions` | gauge |  | Sessions, with a socket or waiting for one. |",
        ] {
            assert!(page.lines().any(|there| there == line), "{line} is missing in\n{page}");
        }
    }
}
