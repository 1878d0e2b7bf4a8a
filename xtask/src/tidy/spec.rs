//! Rules about the contract: it names every message that the code knows, and no other.

use std::collections::BTreeSet;

use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use wigwag_wire::limits::Limits;
use wigwag_wire::{Code, request};

use super::source::has_word;
use super::{Finding, Tree, has_extension};

const PROTOCOL: &str = "spec/protocol.md";
const CODES: &str = "crates/wire/src/code.rs";
const LIMITS: &str = "crates/wire/src/limits.rs";
const TRANSCRIPTS: &str = "spec/vectors/transcripts/";
const EVENTS: &str = "crates/wire/src/event.rs";

/// Every request and every event has its heading in the protocol, and every such heading its message.
pub(super) fn messages(tree: &Tree) -> Vec<Finding> {
    let (Some(protocol), Some(events)) = (tree.text(PROTOCOL), tree.text(EVENTS)) else {
        return vec![Finding::new(PROTOCOL, 0, format!("is read together with {EVENTS}, and one is missing"))];
    };
    let known: BTreeSet<&str> = request::TYPES.iter().copied().chain(event_types(events)).collect();
    compare(&headed_messages(protocol), &known)
}

/// Every code is said by somebody: one that nothing refuses with is a promise that nobody keeps.
pub(super) fn codes(tree: &Tree) -> Vec<Finding> {
    let sources: Vec<&str> = tree
        .texts(|path| path.contains("/src/") && path.starts_with("crates/") && path != CODES && path != LIMITS)
        .map(|(_, text)| text)
        .collect();
    let said = |code: &Code| sources.iter().any(|text| has_word(text, &format!("{code:?}")));
    let unsaid = Code::ALL.iter().filter(|code| !said(code));
    unsaid.map(|code| Finding::new(CODES, 0, format!("nothing refuses with {code}"))).collect()
}

/// Every limit is met by a test.
pub(super) fn limits(tree: &Tree) -> Vec<Finding> {
    let tests: Vec<&str> = tree
        .texts(|path| path.starts_with("crates/") && has_extension(path, "rs"))
        .filter_map(|(path, text)| match path.contains("/tests/") {
            true => Some(text),
            false => text.split_once("#[cfg(test)]").map(|(_, tests)| tests),
        })
        .chain(tree.texts(|path| path.starts_with(TRANSCRIPTS)).map(|(_, text)| text))
        .collect();
    let met = |key: &str| tests.iter().any(|text| has_word(text, key));
    let unmet = Limits::ROWS.iter().filter(|row| !met(row.key));
    unmet.map(|row| Finding::new(LIMITS, 0, format!("no test names `{}`", row.key))).collect()
}

fn compare(headed: &BTreeSet<String>, known: &BTreeSet<&str>) -> Vec<Finding> {
    let missing = known.iter().filter(|name| !headed.contains(**name));
    let unknown = headed.iter().filter(|name| !known.contains(name.as_str()));
    let missing = missing.map(|name| Finding::new(PROTOCOL, 0, format!("has no heading for the message `{name}`")));
    let unknown = unknown.map(|name| Finding::new(PROTOCOL, 0, format!("`{name}` is no message that the code knows")));
    missing.chain(unknown).collect()
}

/// The names in code type in headings: the headings of messages are made of nothing else that matters.
fn headed_messages(page: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut in_heading = false;
    for event in Parser::new(page) {
        match event {
            Event::Start(Tag::Heading { .. }) => in_heading = true,
            Event::End(TagEnd::Heading(_)) => in_heading = false,
            Event::Code(name) if in_heading => {
                names.insert(name.into_string());
            }
            _ => {}
        }
    }
    names
}

/// The names that the variants of `Event` bear on the wire.
fn event_types(source: &str) -> impl Iterator<Item = &str> {
    source
        .lines()
        .skip_while(|line| !line.starts_with("pub enum Event"))
        .take_while(|line| *line != "}")
        .filter_map(|line| line.trim().strip_prefix("#[serde(rename = \"")?.strip_suffix("\")]"))
}

#[cfg(test)]
mod tests {
    use super::super::expect;
    use super::*;

    #[test]
    fn a_message_without_a_heading_and_a_heading_without_a_message_are_found() {
        let headed = headed_messages("# Words\n\n### `find`, `found`\n\nSome `text`.\n\n### `gone`\n");
        let findings = compare(&headed, &BTreeSet::from(["find", "found", "watch"]));
        let expected = [
            "spec/protocol.md: has no heading for the message `watch`",
            "spec/protocol.md: `gone` is no message that the code knows",
        ];
        expect(&findings, &expected);
    }

    #[test]
    fn a_code_that_nothing_says_is_found() {
        let all: Vec<String> = Code::ALL.iter().map(|code| format!("Code::{code:?}")).collect();
        let but_one: Vec<&str> = all.iter().map(String::as_str).filter(|code| *code != "Code::NotFound").collect();
        let tree = Tree::of(&[("crates/wire/src/code.rs", "NotFound"), ("crates/hub/src/a.rs", &but_one.join(" "))]);
        expect(&codes(&tree), &["crates/wire/src/code.rs: nothing refuses with 4404 not_found"]);
        assert!(codes(&Tree::of(&[("crates/hub/src/a.rs", &all.join(" "))])).is_empty());
    }

    #[test]
    fn a_limit_that_no_test_meets_is_found() {
        let keys: Vec<&str> = Limits::ROWS.iter().map(|row| row.key).filter(|key| *key != "sockets").collect();
        let source = "fn f(l: &Limits) { l.sockets }\n#[cfg(test)]\nmod tests {}\n";
        let tree = Tree::of(&[("crates/hub/tests/a.rs", &keys.join(" ")), ("crates/hub/src/b.rs", source)]);
        expect(&limits(&tree), &["crates/wire/src/limits.rs: no test names `sockets`"]);
    }

    #[test]
    fn only_the_names_of_events_are_read_from_the_source() {
        let source = "#[serde(rename = \"x\")]\n#[serde(tag = \"type\")]\npub enum Event<'a> {\n    #[serde(rename = \"room.host\")]\n    RoomHost(A),\n}\n#[serde(rename = \"y\")]\n";
        assert_eq!(event_types(source).collect::<Vec<_>>(), ["room.host"]);
    }
}
