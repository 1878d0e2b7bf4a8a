//! Sums the closing lines of many test binaries into one, and keeps what failing tests said.

use std::fmt;

/// How many lines of one list of failures are kept.
const LINES: usize = 150;

/// How many tests passed and failed so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// What failing tests said, to be read again where all other output is far above it.
    pub(crate) failures: Vec<String>,
    /// How many more lines belong to a list of failures that is under way.
    keeps: usize,
}

impl Tally {
    /// Takes in a line that a test binary or Node printed.
    pub(crate) fn read(&mut self, line: &str) {
        self.keep(line);
        self.count(line);
    }

    /// Node's list goes on to the end of what it prints, which `end` says.
    pub(crate) fn end(&mut self) {
        self.keeps = 0;
    }

    fn keep(&mut self, line: &str) {
        // Rust's harness lists what failing tests printed, and under the same words their names.
        if matches!(line, "failures:" | "✖ failing tests:") {
            self.keeps = LINES;
        } else if line.starts_with("test result: ") {
            self.keeps = 0;
        } else if self.keeps > 0 {
            self.keeps -= 1;
            self.failures.push(if self.keeps > 0 { line.to_owned() } else { "… (the rest is above)".to_owned() });
        }
    }

    /// Adds `line` if it is the closing line of a test binary, or one of those with which Node sums up.
    fn count(&mut self, line: &str) {
        if let Some((kind, number)) = line.strip_prefix("ℹ ").and_then(|rest| rest.split_once(' ')) {
            return self.add(kind, number);
        }
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
            return;
        };
        for count in counts.split(';') {
            let mut words = count.split_whitespace();
            let (Some(number), Some(kind)) = (words.next(), words.next()) else {
                continue;
            };
            self.add(kind, number);
        }
    }

    fn add(&mut self, kind: &str, number: &str) {
        let number = number.parse::<u64>().unwrap_or(0);
        match kind {
            "passed" | "pass" => self.passed += number,
            // Node cancels the tests of a suite that it could not prepare.
            "failed" | "fail" | "cancelled" => self.failed += number,
            _ => {}
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_summed_and_other_lines_are_not() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test a ... ok",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s",
            "test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s",
            "the test result: ok. 9 passed; 9 failed",
            "ℹ tests 20",
            "ℹ pass 10",
            "ℹ fail 1",
            "ℹ cancelled 3",
            "ℹ skipped 6",
            "ℹ duration_ms 8.5",
            "  ℹ pass 100",
        ] {
            tally.read(line);
        }
        assert_eq!(tally.to_string(), "17 passed, 6 failed");
        assert!(tally.failures.is_empty());
    }

    #[test]
    fn what_failing_tests_said_is_kept_and_what_others_said_is_not() {
        let mut tally = Tally::default();
        for line in
            ["test a ... FAILED", "failures:", "---- a stdout ----", "boom", "test result: FAILED. 0 passed", "later"]
        {
            tally.read(line);
        }
        for line in ["✖ a (2 ms)", "✖ failing tests:", "✖ a (2 ms)", "  boom"] {
            tally.read(line);
        }
        tally.end();
        tally.read("▶ the next");
        assert_eq!(tally.failures, ["---- a stdout ----", "boom", "✖ a (2 ms)", "  boom"]);
    }

    #[test]
    fn a_test_that_says_too_much_is_cut_off() {
        let mut tally = Tally::default();
        tally.read("failures:");
        (0..1000).for_each(|_| tally.read("boom"));
        assert_eq!((tally.failures.len(), tally.failures[LINES - 1].as_str()), (LINES, "… (the rest is above)"));
    }
}
