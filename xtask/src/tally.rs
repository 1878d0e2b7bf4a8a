//! Sums the closing lines of many test binaries into one.

use std::fmt;

/// How many tests passed and failed so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// Adds `line` if it is the closing line of a test binary, or one of those with which Node sums up.
    pub(crate) fn read(&mut self, line: &str) {
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

    /// Adds `line` if it is one of the closing lines of Node's test runner, as it writes them to a terminal or to a pipe.
    pub(crate) fn read_node(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ ")) else {
            return;
        };
        let (kind, number) = rest.split_once(' ').unwrap_or_default();
        let number = number.trim().parse::<u64>().unwrap_or(0);
        match kind {
            "pass" => self.passed += number,
            "fail" | "cancelled" => self.failed += number,
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
    }
}
