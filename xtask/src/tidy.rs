//! Rules that no compiler knows: spec, source and papers agree, and what is written stays readable.
//! Each rule is a function from the tree of files to findings, so that its tests are small trees.

mod links;
mod papers;
mod source;
mod spec;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::house::{House, output};

pub(crate) use papers::field;

/// Applies every rule to the files of the repository.
pub(crate) fn check(house: &House) -> Result<()> {
    let tree = Tree::read(house)?;
    let mut findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} findings", findings.len());
    }
    println!("{} files, {} rules", tree.files.len(), RULES.len());
    Ok(())
}

const RULES: &[fn(&Tree) -> Vec<Finding>] = &[
    links::dead_links,
    papers::decisions,
    papers::dependencies,
    papers::changelog,
    source::guards,
    source::hash_order,
    source::lints_inherited,
    source::long_files,
    source::openings,
    source::unfinished,
    source::whitespace,
    spec::codes,
    spec::limits,
    spec::messages,
];

/// The files that belong to the repository, by their path from the top.
#[derive(Default)]
struct Tree {
    /// The text, or nothing for a file that is not UTF-8.
    files: BTreeMap<String, Option<String>>,
}

impl Tree {
    /// What git tracks or would track.
    fn read(house: &House) -> Result<Self> {
        let mut git = house.command("git");
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let mut tree = Self::default();
        for path in output(&mut git)?.split_terminator('\0') {
            let file = house.root().join(path);
            // A file removed but not yet committed is still listed.
            if !file.is_file() {
                continue;
            }
            let bytes = std::fs::read(&file).with_context(|| format!("cannot read {path}"))?;
            tree.files.insert(path.to_owned(), String::from_utf8(bytes).ok());
        }
        Ok(tree)
    }

    fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.as_deref()
    }

    /// The text files whose path `wanted` accepts.
    fn texts<'a>(&'a self, wanted: impl Fn(&str) -> bool + 'a) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files
            .iter()
            .filter(move |(path, _)| wanted(path))
            .filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    /// Whether `path` is a file or a folder that holds one.
    fn exists(&self, path: &str) -> bool {
        let folder = if path.is_empty() { String::new() } else { format!("{path}/") };
        self.files.contains_key(path)
            || self.files.range(folder.clone()..).next().is_some_and(|(file, _)| file.starts_with(&folder))
    }

    #[cfg(test)]
    fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned()))).collect() }
    }
}

/// Something to mend.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    /// Counted from one; zero speaks of the whole file.
    line: usize,
    what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

#[cfg(test)]
#[track_caller]
fn expect(findings: &[Finding], expected: &[&str]) {
    assert_eq!(findings.iter().map(Finding::to_string).collect::<Vec<_>>(), expected);
}
