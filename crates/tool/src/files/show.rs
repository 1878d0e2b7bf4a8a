//! What a person, or a program, sees of a transfer.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wigwag::files::{Progress as State, Summary};

use crate::exit::Failure;
use crate::out::{Out, Paint, Progress, complain};

/// The speed is that of so long.
const SPEED_OF: Duration = Duration::from_secs(5);

/// Where nobody looks at a terminal, there is a line so often.
const LINE_EVERY: Duration = Duration::from_secs(10);
const JSON_EVERY: Duration = Duration::from_secs(1);

/// A bar has so many cells.
const CELLS: usize = 24;

pub(super) struct Show<'o> {
    out: &'o mut Out,
    json: bool,
    paint: Paint,
    bar: Progress,
    began: Option<Instant>,
    told: Option<Instant>,
    /// Bytes that had crossed, and when.
    pace: VecDeque<(Instant, u64)>,
}

impl<'o> Show<'o> {
    pub(super) fn new(out: &'o mut Out, json: bool) -> Self {
        Self {
            out,
            json,
            paint: Paint::stdout(),
            bar: Progress::stderr(),
            began: None,
            told: None,
            pace: VecDeque::new(),
        }
    }

    /// Something that happened: words for people, fields for programs.
    pub(super) fn say(&mut self, kind: &str, fields: Value, words: &str) -> Result<(), Failure> {
        self.wipe();
        if !self.json {
            return self.out.line(words).map(drop);
        }
        let mut line = fields;
        line["type"] = kind.into();
        self.out.line(&line.to_string()).map(drop)
    }

    /// How far it is; drawn anew where a person looks, and said now and then elsewhere.
    pub(super) fn progress(&mut self, state: &State) -> Result<(), Failure> {
        if !state.accepted {
            return Ok(());
        }
        let now = Instant::now();
        self.began.get_or_insert(now);
        self.pace.push_back((now, state.crossed));
        while self.pace.len() > 2 && self.pace.front().is_some_and(|(at, _)| now - *at > SPEED_OF) {
            self.pace.pop_front();
        }
        let speed = self.speed();
        if self.bar.is_seen() && !self.json {
            self.bar.show(&bar(state, speed, width()));
            return Ok(());
        }
        let every = if self.json { JSON_EVERY } else { LINE_EVERY };
        if self.told.get_or_insert(now).elapsed() < every {
            return Ok(());
        }
        self.told = Some(now);
        if self.json {
            let State { files, bytes, crossed, path, .. } = state;
            let line = json!({"type": "progress", "files": files, "bytes": bytes, "crossed": crossed, "path": &**path, "bytes_per_second": speed});
            return self.out.line(&line.to_string()).map(drop);
        }
        complain(&bar(state, speed, 0));
        Ok(())
    }

    /// It is done.
    pub(super) fn done(&mut self, word: &str, summary: &Summary) -> Result<(), Failure> {
        let Summary { files, bytes, crossed, places, renamed, already } = summary;
        let span = self.began.take().map_or(Duration::ZERO, |began| began.elapsed());
        self.pace.clear();
        let seconds = span.as_secs_f64();
        let fields = json!({"files": files, "bytes": bytes, "crossed": crossed, "seconds": seconds, "renamed": renamed, "already": already, "places": places});
        let mut words = format!("{word} {}, {}", count(*files, "file"), size(*bytes));
        if *crossed < *bytes {
            words.push_str(&format!(", of which {} were there before", size(bytes - crossed)));
        }
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        if seconds > 0.5 {
            words.push_str(&format!(", in {} ({}/s)", time(span.as_secs()), size_of(*crossed as f64 / seconds)));
        }
        words.push_str(". Checked: it is what was sent.");
        if *renamed > 0 {
            words.push_str(&format!(
                "\n{} got another name here, because the own one was taken or cannot be written.",
                count(*renamed, "file")
            ));
        }
        let words = self.paint.text("32", &words);
        self.say("done", fields, &words)
    }

    pub(super) fn wipe(&self) {
        self.bar.wipe();
    }

    /// Bytes in a second.
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    fn speed(&self) -> f64 {
        match (self.pace.front(), self.pace.back()) {
            (Some((from, first)), Some((to, last))) if to > from => {
                last.saturating_sub(*first) as f64 / (*to - *from).as_secs_f64()
            }
            _ => 0.0,
        }
    }
}

/// One line: how far, how fast, how long. In so many columns, or as many as it takes for 0.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "for people")]
fn bar(state: &State, speed: f64, columns: usize) -> String {
    let State { files, files_total, bytes, bytes_total, path, .. } = state;
    let part = if *bytes_total == 0 { 1.0 } else { *bytes as f64 / *bytes_total as f64 };
    let filled = ((part * CELLS as f64) as usize).min(CELLS);
    let mut text = format!(
        "{}{} {:>3.0} %  {} of {}",
        "█".repeat(filled),
        "░".repeat(CELLS - filled),
        (part * 100.0).floor(),
        size(*bytes),
        size(*bytes_total)
    );
    if speed >= 1.0 {
        let left = (bytes_total - bytes.min(bytes_total)) as f64 / speed;
        text.push_str(&format!("  {}/s  {} left", size_of(speed), time(left as u64)));
    }
    if *files_total > 1 {
        text.push_str(&format!("  file {} of {files_total}", (files + 1).min(*files_total)));
    }
    let name = clean(path);
    if columns == 0 {
        return text;
    }
    let room = columns.saturating_sub(text.chars().count() + 3);
    let name: String = if name.chars().count() <= room {
        name
    } else {
        let skip = name.chars().count().saturating_sub(room.saturating_sub(1));
        std::iter::once('…').chain(name.chars().skip(skip)).collect()
    };
    if room > 8 {
        text.push_str("  ");
        text.push_str(&name);
    }
    text.chars().take(columns.saturating_sub(1)).collect()
}

fn width() -> usize {
    ratatui::crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns))
}

/// So many of these.
pub(super) fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Bytes as people count them.
#[expect(clippy::cast_precision_loss, reason = "for people")]
pub(super) fn size(bytes: u64) -> String {
    size_of(bytes as f64)
}

fn size_of(mut number: f64) -> String {
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        if number < 999.5 || unit == "TB" {
            return if unit == "B" || number >= 99.95 {
                format!("{number:.0} {unit}")
            } else {
                format!("{number:.1} {unit}")
            };
        }
        number /= 1_000.0;
    }
    String::new()
}

fn time(seconds: u64) -> String {
    match seconds {
        0..3_600 => format!("{}:{:02}", seconds / 60, seconds % 60),
        _ => format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60),
    }
}

/// What others say moves no cursor here.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_says_how_far_how_fast_and_how_long_in_the_columns_that_there_are() {
        let state = State {
            accepted: true,
            files: 2,
            files_total: 12,
            bytes: 4_500_000,
            bytes_total: 9_000_000,
            path: "photos/2026/a\x1b[2Jb.jpg".into(),
            ..State::default()
        };
        let all = bar(&state, 1_500_000.0, 120);
        let expected = format!(
            "{}{}  50 %  4.5 MB of 9.0 MB  1.5 MB/s  0:03 left  file 3 of 12  photos/2026/a\u{fffd}[2Jb.jpg",
            "█".repeat(12),
            "░".repeat(12)
        );
        assert_eq!(all, expected);
        for columns in [10, 40, 80, 100] {
            assert!(
                bar(&state, 1_500_000.0, columns).chars().count() < columns,
                "a line that breaks is drawn over and over"
            );
        }
    }

    #[test]
    fn sizes_and_times_are_short() {
        assert_eq!(
            [0, 999, 1_000, 99_940, 100_000, 1_234_567_890].map(size),
            ["0 B", "999 B", "1.0 kB", "99.9 kB", "100 kB", "1.2 GB"]
        );
        assert_eq!([5, 65, 3_661].map(time), ["0:05", "1:05", "1:01:01"]);
    }
}
