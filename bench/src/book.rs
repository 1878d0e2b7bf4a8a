//! What was measured: samples by figure, server and size, in the order of the rounds.

use serde::{Deserialize, Serialize};

use crate::server::Subject;

/// All samples of a run.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Book {
    pub(crate) rows: Vec<Row>,
    /// What could not be measured, and why.
    pub(crate) missing: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) figure: String,
    pub(crate) server: String,
    pub(crate) size: u64,
    pub(crate) samples: Vec<f64>,
}

impl Book {
    /// Adds what one round showed.
    pub(crate) fn add(&mut self, figure: &str, subject: Subject, size: usize, value: f64) {
        let (server, size) = (subject.name(), size as u64);
        if let Some(row) = self.rows.iter_mut().find(|row| row.is(figure, server, size)) {
            return row.samples.push(value);
        }
        self.rows.push(Row { figure: figure.to_owned(), server: server.to_owned(), size, samples: vec![value] });
    }

    /// Adds what another book says to this one.
    pub(crate) fn take_in(&mut self, other: Self) {
        for row in other.rows {
            match self.rows.iter_mut().find(|mine| mine.is(&row.figure, &row.server, row.size)) {
                Some(mine) => mine.samples.extend(row.samples),
                None => self.rows.push(row),
            }
        }
        other.missing.into_iter().for_each(|what| self.lack(what));
    }

    /// Notes once what could not be measured.
    pub(crate) fn lack(&mut self, what: String) {
        if !self.missing.contains(&what) {
            self.missing.push(what);
        }
    }

    pub(crate) fn samples(&self, figure: &str, subject: Subject, size: usize) -> &[f64] {
        let found = self.rows.iter().find(|row| row.is(figure, subject.name(), size as u64));
        found.map_or(&[], |row| &row.samples)
    }

    pub(crate) fn median(&self, figure: &str, subject: Subject, size: usize) -> Option<f64> {
        median(self.samples(figure, subject, size))
    }

    /// The median of what each turn's ratio was: servers of one turn ran within seconds of each other.
    pub(crate) fn ratio(&self, of: At, to: At) -> Option<f64> {
        let (of, to) = (self.samples(of.0, of.1, of.2), self.samples(to.0, to.1, to.2));
        let ratios: Vec<f64> = of.iter().zip(to).filter(|(_, to)| **to > 0.0).map(|(of, to)| of / to).collect();
        median(&ratios)
    }

    /// The sizes at which a figure of a server was taken, ascending.
    pub(crate) fn sizes(&self, figure: &str, subject: Subject) -> Vec<usize> {
        let rows = self.rows.iter().filter(|row| row.figure == figure && row.server == subject.name());
        let mut sizes: Vec<usize> = rows.filter_map(|row| usize::try_from(row.size).ok()).collect();
        sizes.sort_unstable();
        sizes
    }
}

/// A figure of a server at a size.
pub(crate) type At = (&'static str, Subject, usize);

impl Row {
    fn is(&self, figure: &str, server: &str, size: u64) -> bool {
        self.figure == figure && self.server == server && self.size == size
    }
}

pub(crate) fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => sorted.get(middle).copied(),
        _ => Some(f64::midpoint(*sorted.get(middle - 1)?, *sorted.get(middle)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_the_rounds_counts_and_ratios_are_taken_within_a_round() {
        let mut book = Book::default();
        for (ours, theirs) in [(2.0, 1.0), (30.0, 10.0), (4.0, 4.0)] {
            book.add("sparse", Subject::Guest, 200, ours);
            book.add("sparse", Subject::Bare, 200, theirs);
        }
        assert_eq!(book.median("sparse", Subject::Guest, 200), Some(4.0));
        assert_eq!(book.ratio(("sparse", Subject::Guest, 200), ("sparse", Subject::Bare, 200)), Some(2.0));
        assert_eq!(book.median("sparse", Subject::Guest, 1), None);
        assert_eq!(median(&[1.0, 3.0]), Some(2.0));
        assert_eq!(book.sizes("sparse", Subject::Bare), [200]);
    }

    #[test]
    fn what_another_book_says_comes_after_what_this_one_says() {
        let (mut book, mut other) = (Book::default(), Book::default());
        book.add("sparse", Subject::Bare, 200, 1.0);
        other.add("sparse", Subject::Bare, 200, 2.0);
        other.add("sparse", Subject::Bare, 8, 3.0);
        for book in [&mut book, &mut other] {
            book.lack("perf".to_owned());
        }
        book.take_in(other);
        assert_eq!(book.samples("sparse", Subject::Bare, 200), [1.0, 2.0]);
        assert_eq!(book.samples("sparse", Subject::Bare, 8), [3.0]);
        assert_eq!(book.missing, ["perf"]);
    }
}
