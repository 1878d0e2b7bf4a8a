//! The pages of `spec/` say what the code does: examples, fields, limits.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wigwag_testkit::TestKey;
use wigwag_testkit::spec::{examples, page, table_after};
use wigwag_wire::limits::Limits;
use wigwag_wire::signature::{NameStatement, verify};
use wigwag_wire::{Code, Request, event, request};

#[test]
fn every_request_has_examples_that_are_read() {
    let examples = examples(&page("protocol.md"), "Messages of the peer");
    for (name, example) in &examples {
        let (heading, request) =
            Request::parse(example, &Limits::default()).unwrap_or_else(|why| panic!("{example}: {why:?}"));
        assert_eq!(request.name(), name, "{example}");
        let frame: Value = serde_json::from_str(example).unwrap();
        assert_eq!(heading.n, frame["n"].as_u64());
    }
    let shown: BTreeSet<&str> = examples.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(shown, request::TYPES.iter().copied().collect());
}

#[test]
fn every_message_stands_in_its_chapter() {
    let page = page("protocol.md");
    for (chapter, types) in [("Messages of the peer", request::TYPES), ("Messages of the server", event::TYPES)] {
        let headed: Vec<&str> = sections(&page, chapter).into_keys().collect();
        let mut known = types.to_vec();
        known.sort_unstable();
        assert_eq!(headed, known, "{chapter}");
    }
}

#[test]
fn every_field_of_an_example_is_in_its_table() {
    let page = page("protocol.md");
    for chapter in ["Messages of the peer", "Messages of the server"] {
        let sections = sections(&page, chapter);
        for (name, example) in examples(&page, chapter) {
            let fields = fields(sections[name.as_str()]);
            let frame: Value = serde_json::from_str(&example).unwrap();
            for key in frame.as_object().unwrap().keys().filter(|key| !matches!(key.as_str(), "type" | "n")) {
                assert!(fields.contains(key.as_str()), "`{key}` of `{name}` is not explained");
            }
        }
    }
}

#[test]
fn the_examples_of_the_handshake_hold_together() {
    let page = page("protocol.md");
    let challenge = &examples(&page, "Messages of the server")[0].1;
    let challenge: Value = serde_json::from_str(challenge).unwrap();
    let (server, nonce) = (challenge["server"].as_str().unwrap(), challenge["nonce"].as_str().unwrap());
    let requests = examples(&page, "Messages of the peer");
    let example = |name: &str| &requests.iter().find(|(shown, _)| shown == name).unwrap().1;
    let limits = Limits::default();
    let Ok((_, Request::Hello(hello))) = Request::parse(example("hello"), &limits) else { panic!("no hello") };
    let key = TestKey::new(2).public();
    assert_eq!(hello.key, Some(key));
    let statement = hello.statement(server, nonce, &key);
    assert!(verify(&key, &statement, hello.signature.as_deref().unwrap(), |_, _, _| false));
    let Ok((_, Request::Name(change))) = Request::parse(example("name"), &limits) else { panic!("no name") };
    let statement = NameStatement {
        server,
        nonce,
        namespace: hello.namespace.as_ref().unwrap().as_str(),
        name: hello.id.as_ref().unwrap().as_str(),
        op: change.op.as_str(),
        key: &change.key,
    };
    assert!(verify(&key, &statement.bytes(), &change.signature, |_, _, _| false));
}

#[test]
fn the_table_of_limits_is_the_one_of_the_code() {
    let rows = table_after(&page("limits.md"), "<!-- generated: limits -->");
    let told: Vec<Vec<String>> = Limits::ROWS
        .iter()
        .map(|row| {
            let code = format!("{} {}", row.code.number(), row.code.name());
            [format!("`limits.{}`", row.key), row.default.to_string(), row.unit.into(), code, row.doc.into()].into()
        })
        .collect();
    assert_eq!(rows, told);
}

#[test]
fn every_limit_has_a_code_that_says_so() {
    for row in Limits::ROWS {
        assert!(!row.doc.is_empty() && row.default <= request::INTEGER_MAX, "{}", row.key);
        assert_ne!(row.code, Code::Internal, "{}", row.key);
    }
}

#[test]
fn the_bounds_of_the_protocol_are_those_of_the_code() {
    let rows = table_after(&page("limits.md"), "| what | bound | code |");
    let bound = |what: &str| {
        let row = rows.iter().find(|row| row[0].starts_with(what)).unwrap_or_else(|| panic!("no row {what}"));
        row[1].split(' ').next().unwrap().to_owned()
    };
    for (what, max) in [
        ("fields of one request", request::FIELDS_MAX),
        ("ids, topics or members", request::LIST_MAX),
        ("roles of a node", request::ROLES_MAX),
        ("capabilities of a hello", request::CAPABILITIES_MAX),
        ("resume token", request::TOKEN_MAX),
        ("password", request::PASSWORD_MAX),
        ("reason", request::REASON_MAX),
        ("text of a join code", request::CODE_TEXT_MAX),
    ] {
        assert_eq!(bound(what), max.to_string(), "{what}");
    }
}

/// The sections of a chapter by the message that they are about.
fn sections<'a>(page: &'a str, chapter: &str) -> BTreeMap<&'a str, &'a str> {
    let (_, rest) = page.split_once(&format!("\n## {chapter}\n")).unwrap();
    let chapter = rest.split("\n## ").next().unwrap();
    chapter.split("\n### `").skip(1).map(|section| section.split_once('`').unwrap()).collect()
}

/// What the first column of a section's table names.
fn fields(section: &str) -> BTreeSet<&str> {
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('|').next());
    cells.flat_map(|cell| cell.split(", ").map(|name| name.trim_matches([' ', '`']))).collect()
}
