//! Reads metrics as `/metrics` tells them: OpenMetrics text.

use std::collections::BTreeMap;

/// A metric with its labels, in the order in which they were told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) labels: Vec<(String, String)>,
}

impl Series {
    /// The value of a label.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find_map(|(label, value)| (label == name).then_some(value.as_str()))
    }
}

/// What every metric says. Lines that cannot be read are passed over: a newer server may say more.
pub(super) fn read(text: &str) -> BTreeMap<Series, f64> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(series).collect()
}

fn series(line: &str) -> Option<(Series, f64)> {
    let (head, value) = match line.split_once('}') {
        Some((head, rest)) => (head, rest),
        None => line.split_once(' ')?,
    };
    let value = value.split_ascii_whitespace().next()?.parse().ok()?;
    let (name, labels) = head.split_once('{').unwrap_or((head, ""));
    Some((Series { name: name.trim().to_owned(), labels: read_labels(labels)? }, value))
}

fn read_labels(mut text: &str) -> Option<Vec<(String, String)>> {
    let mut labels = Vec::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = rest.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => value.push(other),
            }
        };
        labels.push((name.trim_start_matches(',').to_owned(), value));
        text = &rest[end + 1..];
    }
    Some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_labels_and_values_are_read_and_the_rest_is_passed_over() {
        let text = "# TYPE a counter\na_total 3\nb{x=\"1\",y=\"two \\\"and\\\" \\\\ more\"} 4.5 1795000000\n\
                    odd{\nodd{x=\"} 1\nnone\n# EOF\n";
        let read = read(text);
        let told: Vec<_> = read.iter().map(|(series, value)| (series.name.as_str(), *value)).collect();
        assert_eq!(told, [("a_total", 3.0), ("b", 4.5)]);
        let b = read.keys().nth(1).unwrap_or_else(|| panic!("there is one"));
        assert_eq!((b.label("x"), b.label("y"), b.label("z")), (Some("1"), Some("two \"and\" \\ more"), None));
    }
}
