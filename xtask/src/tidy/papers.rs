//! Rules about the papers of the house: decisions, dependencies, changes.

use std::collections::BTreeMap;

use super::{Finding, Tree};

const DECISIONS: &str = "docs/adr/";
const DECISIONS_INDEX: &str = "docs/adr/README.md";
const DEPENDENCIES: &str = "docs/dependencies.md";
const CHANGELOG: &str = "CHANGELOG.md";

/// Every decision record has a number of its own, a status and a date, and stands in the index.
pub(super) fn decisions(tree: &Tree) -> Vec<Finding> {
    let index = tree.text(DECISIONS_INDEX).unwrap_or_default();
    let mut findings = Vec::new();
    let mut numbers: BTreeMap<&str, &str> = BTreeMap::new();
    for (path, text) in tree.texts(|path| path.starts_with(DECISIONS) && path != DECISIONS_INDEX) {
        let name = path.strip_prefix(DECISIONS).unwrap_or(path);
        match name.split_once('-') {
            Some((number, _)) if number.len() == 4 && number.bytes().all(|b| b.is_ascii_digit()) => {
                if let Some(other) = numbers.insert(number, path) {
                    findings.push(Finding::new(path, 0, format!("has the number of {other}")));
                }
            }
            _ => findings.push(Finding::new(path, 0, "is not named NNNN-what-was-decided.md")),
        }
        if !index.contains(&format!("]({name})")) {
            findings.push(Finding::new(DECISIONS_INDEX, 0, format!("does not list {name}")));
        }
        let status = field(text, "status").unwrap_or_default();
        if !STATUSES.iter().any(|known| status.to_lowercase().starts_with(known)) {
            findings.push(Finding::new(path, 0, format!("lacks a line `Status: ` with {}", STATUSES.join(", "))));
        }
        if !field(text, "date").is_some_and(|date| is_date(&date)) {
            findings.push(Finding::new(path, 0, "lacks a line `Date: YYYY-MM-DD`"));
        }
    }
    findings
}

/// Every dependency has a line that says why, and every line has its dependency.
pub(super) fn dependencies(tree: &Tree) -> Vec<Finding> {
    let (Some(manifest), Some(page)) = (tree.text("Cargo.toml"), tree.text(DEPENDENCIES)) else {
        return vec![Finding::new(DEPENDENCIES, 0, "is missing")];
    };
    let Ok(manifest) = toml::from_str::<toml::Table>(manifest) else {
        return vec![Finding::new("Cargo.toml", 0, "cannot be read")];
    };
    let declared: Vec<&str> = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("dependencies")?.as_table())
        .into_iter()
        .flat_map(toml::Table::keys)
        .map(String::as_str)
        .filter(|name| *name != "wigwag" && !name.starts_with("wigwag-"))
        .collect();
    let explained: Vec<(usize, &str)> = page
        .lines()
        .enumerate()
        .filter_map(|(index, line)| Some((index + 1, line.strip_prefix("| `")?.split_once('`')?.0)))
        .collect();
    let mut findings = Vec::new();
    for name in &declared {
        let used = format!("{name}.workspace = true");
        let with_features = format!("{name} = {{ workspace = true");
        let mut manifests = tree.texts(|path| path.ends_with("/Cargo.toml"));
        if !manifests.any(|(_, text)| text.contains(&used) || text.contains(&with_features)) {
            findings.push(Finding::new("Cargo.toml", 0, format!("no crate uses `{name}`")));
        }
        if !explained.iter().any(|(_, explained)| explained == name) {
            findings.push(Finding::new(DEPENDENCIES, 0, format!("does not say why `{name}` is here")));
        }
    }
    for (line, name) in explained {
        if !declared.contains(&name) {
            findings.push(Finding::new(DEPENDENCIES, line, format!("`{name}` is not a dependency")));
        }
    }
    findings
}

/// The changelog opens with what is not released yet.
pub(super) fn changelog(tree: &Tree) -> Vec<Finding> {
    let text = tree.text(CHANGELOG).unwrap_or_default();
    let first = text.lines().enumerate().find(|(_, line)| line.starts_with("## "));
    match first {
        Some((_, "## Unreleased")) => Vec::new(),
        Some((index, _)) => vec![Finding::new(CHANGELOG, index + 1, "the first section is `## Unreleased`")],
        None => vec![Finding::new(CHANGELOG, 0, "has no section `## Unreleased`")],
    }
}

const STATUSES: &[&str] = &["proposed", "accepted", "superseded", "rejected"];

/// The value of a line such as `Status: accepted`, whatever marks of emphasis surround it.
pub(crate) fn field(text: &str, key: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let plain: String = line.chars().filter(|c| !matches!(c, '*' | '_' | '`')).collect();
        let (found, value) = plain.trim_start_matches(['-', ' ']).split_once(':')?;
        found.eq_ignore_ascii_case(key).then(|| value.trim().to_owned())
    })
}

fn is_date(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00"
}

#[cfg(test)]
mod tests {
    use super::super::expect;
    use super::*;

    #[test]
    fn a_decision_without_status_or_date_or_outside_the_index_is_found() {
        let tree = Tree::of(&[
            ("docs/adr/README.md", "[1](0001-good.md) [2](0002-bare.md)\n"),
            ("docs/adr/0001-good.md", "# Good\n\n- **Status:** accepted\n- **Date:** 2026-11-21\n"),
            ("docs/adr/0002-bare.md", "# Bare\n\nStatus: perhaps\nDate: tomorrow\n"),
            ("docs/adr/0001-unlisted.md", "# Unlisted\n\nStatus: accepted\nDate: 2026-11-21\n"),
        ]);
        let mut findings = decisions(&tree);
        findings.sort();
        let expected = [
            "docs/adr/0001-unlisted.md: has the number of docs/adr/0001-good.md",
            "docs/adr/0002-bare.md: lacks a line `Date: YYYY-MM-DD`",
            "docs/adr/0002-bare.md: lacks a line `Status: ` with proposed, accepted, superseded, rejected",
            "docs/adr/README.md: does not list 0001-unlisted.md",
        ];
        expect(&findings, &expected);
    }

    #[test]
    fn a_dependency_without_a_reason_or_a_user_and_a_reason_without_a_dependency_are_found() {
        let manifest = "[workspace.dependencies]\nbytes = \"1\"\nserde = \"1\"\nwigwag-wire = { path = \"x\" }\n";
        let page = "| crate | why |\n| --- | --- |\n| `bytes` | shared |\n| `rand` | dice |\n";
        let user = "[dependencies]\nserde = { workspace = true, features = [] }\n";
        let tree = Tree::of(&[("Cargo.toml", manifest), ("crates/a/Cargo.toml", user), ("docs/dependencies.md", page)]);
        let expected = [
            "Cargo.toml: no crate uses `bytes`",
            "docs/dependencies.md: does not say why `serde` is here",
            "docs/dependencies.md:4: `rand` is not a dependency",
        ];
        expect(&dependencies(&tree), &expected);
    }

    #[test]
    fn a_changelog_that_opens_with_a_release_is_found() {
        let tree = Tree::of(&[("CHANGELOG.md", "# Changes\n\n## 1.0.0\n\n## Unreleased\n")]);
        expect(&changelog(&tree), &["CHANGELOG.md:3: the first section is `## Unreleased`"]);
        assert!(changelog(&Tree::of(&[("CHANGELOG.md", "# Changes\n\n## Unreleased\n")])).is_empty());
    }
}
