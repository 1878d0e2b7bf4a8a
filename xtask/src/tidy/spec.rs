//! Rules about the contract: it names every message that the code knows, and no other.

use std::collections::BTreeSet;

use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use wigwag_wire::request;

use super::{Finding, Tree};

const PROTOCOL: &str = "spec/protocol.md";
const EVENTS: &str = "crates/wire/src/event.rs";

/// Every request and every event has its heading in the protocol, and every such heading its message.
pub(super) fn messages(tree: &Tree) -> Vec<Finding> {
    let (Some(protocol), Some(events)) = (tree.text(PROTOCOL), tree.text(EVENTS)) else {
        return vec![Finding::new(PROTOCOL, 0, format!("is read together with {EVENTS}, and one is missing"))];
    };
    let known: BTreeSet<&str> = request::TYPES.iter().copied().chain(event_types(events)).collect();
    compare(&headed_messages(protocol), &known)
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
    fn only_the_names_of_events_are_read_from_the_source() {
        let source = "#[serde(rename = \"x\")]\n#[serde(tag = \"type\")]\npub enum Event<'a> {\n    #[serde(rename = \"room.host\")]\n    RoomHost(A),\n}\n#[serde(rename = \"y\")]\n";
        assert_eq!(event_types(source).collect::<Vec<_>>(), ["room.host"]);
    }
}
