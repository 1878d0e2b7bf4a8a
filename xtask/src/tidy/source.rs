//! Rules about source files and the manifests beside them.

use super::{Finding, Tree, has_extension};

/// Longest source file; beyond it a reader loses the thread.
const LINES_MAX: usize = 500;

/// Files that may be longer, each with the reason.
const LONG_FILES: &[(&str, &str)] = &[];

/// Fewest sentences with which a crate introduces itself.
const OPENING_SENTENCES: usize = 3;

/// The pure crates: each carries the same `clippy.toml`.
const GUARDED: &[&str] =
    &["crates/wire", "crates/hub", "crates/peer", "crates/discovery", "crates/files", "crates/sim"];

/// Packages outside the workspace.
const APART: &[&str] = &["fuzz/", "sdk/matchbox/", "tests/matchbox/"];

/// The copies of the pure crates' guard are identical, because clippy merges nothing.
pub(super) fn guards(tree: &Tree) -> Vec<Finding> {
    let path = |folder: &&str| format!("{folder}/clippy.toml");
    let first = path(&GUARDED[0]);
    let Some(reference) = tree.text(&first) else {
        return vec![Finding::new(&first, 0, "a pure crate carries the guard")];
    };
    GUARDED
        .iter()
        .map(path)
        .filter(|path| tree.text(path) != Some(reference))
        .map(|path| Finding::new(&path, 0, format!("differs from {first}; copy that one here")))
        .collect()
}

/// No `for` walks a hash map of a pure crate: clippy sees that for the standard library's maps only.
pub(super) fn hash_order(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for folder in GUARDED {
        let sources: Vec<_> =
            tree.texts(|path| path.starts_with(&format!("{folder}/src/")) && has_extension(path, "rs")).collect();
        let maps: Vec<&str> = sources.iter().flat_map(|(_, text)| text.lines()).filter_map(hash_field).collect();
        for (path, text) in sources {
            for (number, line) in numbered(text) {
                let Some((_, walked)) = line.trim().strip_prefix("for ").and_then(|line| line.split_once(" in "))
                else {
                    continue;
                };
                let walked = walked.trim_end_matches(" {").rsplit(['.', '&', ' ']).next().unwrap_or(walked);
                if maps.contains(&walked) {
                    findings.push(Finding::new(path, number, format!("walks `{walked}` in the order of its hashes")));
                }
            }
        }
    }
    findings
}

/// Every crate of the workspace takes the workspace's lints.
pub(super) fn lints_inherited(tree: &Tree) -> Vec<Finding> {
    let apart = |path: &str| APART.iter().any(|folder| path.starts_with(folder));
    tree.texts(|path| path.ends_with("/Cargo.toml") && !apart(path))
        .filter(|(_, text)| !text.contains("[lints]\nworkspace = true"))
        .map(|(path, _)| Finding::new(path, 0, "lacks `[lints] workspace = true`"))
        .collect()
}

/// No source file is too long to read in one sitting.
pub(super) fn long_files(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts(|path| has_extension(path, "rs")) {
        let lines = text.lines().count();
        let excused = LONG_FILES.iter().any(|(excused, _)| *excused == path);
        if lines > LINES_MAX && !excused {
            findings.push(Finding::new(path, 0, format!("{lines} lines; split it at {LINES_MAX}")));
        }
        if lines <= LINES_MAX && excused {
            findings.push(Finding::new(path, 0, "no longer needs to be excused for its length"));
        }
    }
    findings
}

/// Every crate says what it is for, what it never does and where its neighbours begin.
pub(super) fn openings(tree: &Tree) -> Vec<Finding> {
    let is_root = |path: &str| {
        let in_source = path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs");
        in_source && !path.starts_with("fuzz/")
    };
    // A binary beside a library needs no second introduction.
    let is_second = |path: &str| path.ends_with("main.rs") && tree.exists(&path.replace("main.rs", "lib.rs"));
    tree.texts(is_root)
        .filter(|(path, text)| !is_second(path) && opening_sentences(text) < OPENING_SENTENCES)
        .map(|(path, _)| Finding::new(path, 1, format!("open with `//!` of at least {OPENING_SENTENCES} sentences")))
        .collect()
}

/// Nothing is left for later and no aid of debugging stays behind.
pub(super) fn unfinished(tree: &Tree) -> Vec<Finding> {
    // Spelled in two halves so that this file does not find itself.
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];
    let macros = [concat!("dbg", "!("), concat!("to", "do!("), concat!("unimple", "mented!(")];
    let mut findings = Vec::new();
    for (path, text) in tree.texts(is_ours) {
        for (number, line) in numbered(text) {
            let in_code = has_extension(path, "rs");
            let word = words.iter().find(|word| has_word(line, word));
            let found = word.or_else(|| macros.iter().find(|name| in_code && line.contains(**name)));
            if let Some(found) = found {
                findings.push(Finding::new(path, number, format!("`{found}`: finish it or leave it out")));
            }
        }
    }
    findings
}

/// Lines end where their text ends, and files end with one line break.
pub(super) fn whitespace(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts(is_ours) {
        for (number, line) in numbered(text) {
            if line.ends_with(char::is_whitespace) {
                findings.push(Finding::new(path, number, "space at the end of the line"));
            }
        }
        let last = text.lines().count();
        if !text.is_empty() && !text.ends_with('\n') {
            findings.push(Finding::new(path, last, "no line break at the end of the file"));
        } else if text.ends_with("\n\n") {
            findings.push(Finding::new(path, last, "empty line at the end of the file"));
        }
    }
    findings
}

/// What people write here. Samples of hostile input and texts of others are left as they are.
fn is_ours(path: &str) -> bool {
    const FOREIGN: &[&str] = &["fuzz/corpus/", "spec/vectors/", "LICENSE-", "Cargo.lock", "fuzz/Cargo.lock"];
    !FOREIGN.iter().any(|foreign| path.starts_with(foreign))
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split('\n').enumerate().map(|(index, line)| (index + 1, line))
}

/// The name of the field or variable that this line declares to be a hash map or set.
fn hash_field(line: &str) -> Option<&str> {
    let (before, kind) = line.split_once(": ")?;
    let kind = kind.split('<').next()?.rsplit("::").next()?;
    let hashed = matches!(kind, "HashMap" | "HashSet");
    let name = before.rsplit([' ', '(']).next()?;
    hashed.then_some(name)
}

pub(super) fn has_word(line: &str, word: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(inner) && !after.is_some_and(inner)
    })
}

fn opening_sentences(text: &str) -> usize {
    let opening: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("//!")).collect();
    let mut words = opening.iter().flat_map(|line| line.split_whitespace()).peekable();
    let mut sentences = 0;
    while let Some(word) = words.next() {
        let ends = word.trim_end_matches([')', '"', '`', '*']).ends_with(['.', '!', '?']);
        // "e.g. this" is not an end: a sentence begins with a capital, a digit or code.
        let begins = words.peek().is_none_or(|next| next.starts_with(|c: char| !c.is_lowercase()));
        if ends && begins {
            sentences += 1;
        }
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::super::expect;
    use super::*;

    #[test]
    fn copies_of_the_guard_that_drift_apart_are_found() {
        let tree = Tree::of(&[
            ("crates/wire/clippy.toml", "a = 1\n"),
            ("crates/hub/clippy.toml", "a = 2\n"),
            ("crates/peer/clippy.toml", "a = 1\n"),
            ("crates/discovery/clippy.toml", "a = 1\n"),
            ("crates/files/clippy.toml", "a = 1\n"),
            ("crates/sim/clippy.toml", "a = 1\n"),
        ]);
        expect(&guards(&tree), &["crates/hub/clippy.toml: differs from crates/wire/clippy.toml; copy that one here"]);
    }

    #[test]
    fn a_pure_crate_without_the_guard_is_found() {
        let tree = Tree::of(&[("crates/hub/clippy.toml", "a = 1\n"), ("crates/sim/clippy.toml", "a = 1\n")]);
        expect(&guards(&tree), &["crates/wire/clippy.toml: a pure crate carries the guard"]);
    }

    #[test]
    fn a_loop_over_a_hash_map_of_a_pure_crate_is_found() {
        let fields = "struct A {\n    rooms: HashMap<a::Id, u8, FixedState>,\n    names: hashbrown::HashSet<u8>,\n    list: Vec<u8>,\n}\n";
        let loops = "for r in &self.rooms {\nfor n in names {\nfor l in &self.list {\nfor r in sorted(&self.rooms) {\n";
        let tree = Tree::of(&[
            ("crates/hub/src/a.rs", fields),
            ("crates/hub/src/b.rs", loops),
            ("crates/server/src/c.rs", loops),
        ]);
        let expected = [
            "crates/hub/src/b.rs:1: walks `rooms` in the order of its hashes",
            "crates/hub/src/b.rs:2: walks `names` in the order of its hashes",
        ];
        expect(&hash_order(&tree), &expected);
    }

    #[test]
    fn a_crate_with_lints_of_its_own_is_found() {
        let tree = Tree::of(&[
            ("Cargo.toml", "[workspace]\n"),
            ("crates/a/Cargo.toml", "[package]\n\n[lints]\nworkspace = true\n"),
            ("crates/b/Cargo.toml", "[package]\n"),
        ]);
        expect(&lints_inherited(&tree), &["crates/b/Cargo.toml: lacks `[lints] workspace = true`"]);
    }

    #[test]
    fn a_file_of_five_hundred_lines_may_stay_and_one_more_may_not() {
        let (fits, long, page) = ("x\n".repeat(500), "x\n".repeat(501), "x\n".repeat(900));
        let tree = Tree::of(&[("a.rs", &fits), ("b.rs", &long), ("c.md", &page)]);
        expect(&long_files(&tree), &["b.rs: 501 lines; split it at 500"]);
    }

    #[test]
    fn a_crate_that_introduces_itself_in_two_sentences_is_found() {
        let tree = Tree::of(&[
            ("crates/a/src/lib.rs", "//! It does this. It never\n//! does that, e.g. those. Its neighbour is `b`.\n"),
            ("crates/b/src/lib.rs", "//! It does this.\n//! It never does that, e.g. those.\n\n//! Three.\n"),
            ("crates/b/src/main.rs", "fn main() {}\n"),
        ]);
        expect(&openings(&tree), &["crates/b/src/lib.rs:1: open with `//!` of at least 3 sentences"]);
    }

    #[test]
    fn what_is_left_for_later_is_found_in_code_and_in_papers() {
        let word = concat!("TO", "DO");
        let tree = Tree::of(&[
            ("a.md", &format!("fine\n{word}: more\n")),
            ("b.rs", concat!("fn f() {\n    dbg", "!(1);\n}\n")),
            ("c.rs", &format!("const {word}_LIST: u8 = 1;\n")),
            ("fuzz/corpus/envelope/1", word),
        ]);
        let found: Vec<_> = unfinished(&tree).into_iter().map(|finding| (finding.path, finding.line)).collect();
        assert_eq!(found, [("a.md".to_owned(), 2), ("b.rs".to_owned(), 2)]);
    }

    #[test]
    fn spaces_and_missing_line_breaks_at_an_end_are_found() {
        let tree = Tree::of(&[("a", "one \ntwo\n"), ("b", "one"), ("c", "one\n\n"), ("d", "one\n"), ("e", "")]);
        let expected = [
            "a:1: space at the end of the line",
            "b:1: no line break at the end of the file",
            "c:2: empty line at the end of the file",
        ];
        expect(&whitespace(&tree), &expected);
    }
}
