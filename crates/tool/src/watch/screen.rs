//! The board as a terminal shows it.

use std::collections::VecDeque;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Sparkline, Table};
use serde_json::Value;

use super::board::Board;

/// Which table is shown below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum View {
    /// Messages by kind, and refusals.
    #[default]
    Messages,
    Sessions,
    Rooms,
}

impl View {
    /// The one after it.
    pub(super) fn next(self) -> Self {
        match self {
            Self::Messages => Self::Sessions,
            Self::Sessions => Self::Rooms,
            Self::Rooms => Self::Messages,
        }
    }
}

const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const WRONG: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, board: &Board, url: &str, view: View) {
    let [head, counts, curves, tables, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(5),
        Constraint::Length(6),
        Constraint::Min(3),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(title(board, url), head);
    frame.render_widget(numbers(board), counts);
    let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(curves);
    curve(frame, left, "messages in", &board.messages_in);
    curve(frame, right, "messages out", &board.messages_out);
    match view {
        View::Messages => {
            let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(tables);
            frame.render_widget(kinds(board), left);
            frame.render_widget(refusals(board), right);
        }
        View::Sessions => rows(frame, tables, "sessions", board.sessions(), &["namespace", "id", "device", "state"]),
        View::Rooms => rows(frame, tables, "rooms", board.rooms(), &["namespace", "room", "members", "mode"]),
    }
    frame.render_widget(Line::styled(" q quit   tab another view   space hold still", DIM), foot);
}

fn title<'a>(board: &'a Board, url: &'a str) -> Line<'a> {
    let mut spans = vec![Span::styled(format!(" wigwag {} ", board.text("version").unwrap_or("")), BOLD), url.into()];
    if let Some(trouble) = &board.trouble {
        spans.push(Span::styled(format!("  {trouble}"), WRONG));
        return Line::from(spans);
    }
    let reason = board.text("reason").unwrap_or("asking …");
    let style = if reason == "ready" { Style::new().fg(Color::Green) } else { WRONG };
    spans.push(Span::styled(format!("  {reason}"), style));
    if let Some(seconds) = board.count("uptime_seconds") {
        spans.push(Span::styled(format!("  up {}", span(seconds)), DIM));
    }
    Line::from(spans)
}

fn numbers(board: &Board) -> Paragraph<'_> {
    let count = |name: &str| board.count(name).map_or("–".into(), grouped);
    let line = |cells: [(&str, String); 4]| {
        let cell = |(name, value): (&str, String)| {
            [Span::styled(format!(" {name:<9}"), DIM), Span::styled(format!("{value:>10}"), BOLD)]
        };
        Line::from(cells.into_iter().flat_map(cell).collect::<Vec<_>>())
    };
    let queued = bytes(board.count("queued_bytes").unwrap_or_default() as f64);
    Paragraph::new(vec![
        Line::default(),
        line([
            ("sockets", count("sockets")),
            ("sessions", count("sessions")),
            ("waiting", count("sessions_waiting")),
            ("guests", count("guests")),
        ]),
        line([
            ("ids", count("ids")),
            ("rooms", count("rooms")),
            ("members", count("room_members")),
            ("topics", count("topics")),
        ]),
        line([
            ("networks", count("networks")),
            ("swarms", count("swarms")),
            ("stored", count("stored_signals")),
            ("queued", queued),
        ]),
        line([
            ("CPU", format!("{:.0} %", board.cpu * 100.0)),
            ("memory", bytes(board.gauge("process_resident_memory_bytes"))),
            ("in", format!("{}/s", bytes(board.bytes_in))),
            ("out", format!("{}/s", bytes(board.bytes_out))),
        ]),
    ])
}

fn curve(frame: &mut Frame<'_>, area: Rect, name: &str, rates: &VecDeque<f64>) {
    let now = rates.back().map_or("–".into(), |rate| format!("{}/s", short(*rate)));
    let block = Block::bordered().title(format!(" {name} {now} ")).border_style(DIM);
    let room = usize::from(block.inner(area).width);
    // Tenths, so that one message in some seconds is still to be seen.
    let data: Vec<u64> =
        rates.iter().skip(rates.len().saturating_sub(room)).map(|rate| (rate * 10.0).round() as u64).collect();
    frame.render_widget(Sparkline::default().data(data).style(Style::new().fg(Color::Cyan)).block(block), area);
}

fn kinds(board: &Board) -> Table<'_> {
    let rows = board.kinds.iter().map(|rate| {
        let arrow = if rate.direction == "in" { "→" } else { "←" };
        Row::new([
            Cell::new(rate.dialect.as_str()),
            Cell::new(format!("{arrow} {}", rate.kind)),
            Cell::new(format!("{:>9}", short(rate.per_second))),
        ])
    });
    let widths = [Constraint::Length(11), Constraint::Fill(1), Constraint::Length(9)];
    let head = Row::new(["dialect", "message", "  per sec"]).style(DIM);
    let title = if board.has_rates() { " messages " } else { " messages (in a moment) " };
    Table::new(rows, widths).header(head).block(Block::bordered().title(title).border_style(DIM))
}

fn refusals(board: &Board) -> Table<'_> {
    let rows = board.refusals.iter().map(|refusal| {
        Row::new([
            Cell::new(format!("{} {}", refusal.code, refusal.name)),
            Cell::new(format!("{:>7}", short(refusal.per_second))),
            Cell::new(format!("{:>8}", grouped(refusal.total as u64))),
        ])
    });
    let widths = [Constraint::Fill(1), Constraint::Length(7), Constraint::Length(8)];
    let head = Row::new(["code", "per sec", "  in all"]).style(DIM);
    Table::new(rows, widths).header(head).block(Block::bordered().title(" refusals ").border_style(DIM))
}

fn rows(frame: &mut Frame<'_>, area: Rect, name: &str, rows: Option<&[Value]>, columns: &[&str]) {
    let block = Block::bordered().title(format!(" {name} ")).border_style(DIM);
    let Some(rows) = rows else {
        let text = "Who is here is told to the operator only: start with --admin-token-file.";
        frame.render_widget(Paragraph::new(text).block(block), area);
        return;
    };
    let cell = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.len().to_string(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let shown = rows.iter().map(|row| Row::new(columns.iter().map(|column| cell(&row[column])).collect::<Vec<_>>()));
    let widths = columns.iter().map(|_| Constraint::Fill(1));
    let head = Row::new(columns.iter().map(|column| (*column).to_owned())).style(DIM);
    frame.render_widget(Table::new(shown, widths).header(head).block(block), area);
}

fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A number with a gap between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// Three digits or so.
fn short(number: f64) -> String {
    match number {
        0.0 => "0".into(),
        n if n < 10.0 => format!("{n:.1}"),
        n => grouped(n.round() as u64),
    }
}

fn bytes(count: f64) -> String {
    let mut value = count;
    for unit in ["B", "KiB", "MiB"] {
        if value < 1_000.0 {
            return if unit == "B" { format!("{value:.0} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1_024.0;
    }
    format!("{value:.1} GiB")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::watch::board::tests::sample;

    #[test]
    fn everything_is_on_a_screen_of_80_by_24() {
        let mut board = Board::default();
        board.take(sample(100, 0), Duration::ZERO);
        board.take(sample(300, 4), Duration::from_secs(1));
        let shown = shown(&board, View::Messages);
        for part in [
            "wigwag 0.1.0 wss://wigwag.example.org",
            "ready",
            "up 1 d 2 h",
            "1\u{202f}204",
            "messages in 300/s",
            "native",
            "→ signal",
            "4404 not_found",
            "7.0 MiB",
            "q quit",
        ] {
            assert!(shown.contains(part), "{part:?} is missing in\n{shown}");
        }
    }

    #[test]
    fn trouble_and_what_only_operators_see_are_told_in_words() {
        let mut board = Board::default();
        board.trouble = Some("the server is not there".into());
        assert!(shown(&board, View::Sessions).contains("the server is not there"));
        assert!(shown(&board, View::Sessions).contains("--admin-token-file"));
        let mut known = sample(1, 0);
        known.rooms = Some(vec![
            serde_json::json!({"namespace": "chess", "room": "movie-night", "members": 4, "mode": "HOST_ONLY"}),
        ]);
        board.take(known, Duration::ZERO);
        assert!(shown(&board, View::Rooms).contains("movie-night"));
    }

    fn shown(board: &Board, view: View) -> String {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap_or_else(|why| panic!("{why}"));
        let drawn = terminal.draw(|frame| draw(frame, board, "wss://wigwag.example.org", view));
        drawn.unwrap_or_else(|why| panic!("{why}"));
        let buffer = terminal.backend().buffer();
        let line = |row: u16| (0..80).map(|column| buffer[(column, row)].symbol()).collect::<String>();
        (0..24).map(|row| line(row) + "\n").collect()
    }
}
