//! y-webrtc.

use serde_json::json;
use wigwag_dialects::Dialect;

use crate::table::Table;

#[test]
fn a_publish_comes_to_all_subscribers_and_to_its_sender_with_their_number_and_everything_opaque_as_it_was() {
    let mut table = room();
    table.say("a", r#"{"type":"publish","topic":"doc","odd": 1.0 ,"data":"ü","z":{"b":1,"a":2E3}}"#);
    let told = r#"{"type":"publish","topic":"doc","odd": 1.0 ,"data":"ü","z":{"b":1,"a":2E3},"clients":2}"#;
    assert_eq!(table.heard("a"), [told]);
    assert_eq!(table.heard("b"), [told]);
    assert!(table.heard("c").is_empty());
}

#[test]
fn a_ping_is_answered_before_anything_else_was_said() {
    let mut table = Table::new();
    table.open("a", Dialect::Yjs, "");
    table.tell("a", json!({"type": "ping"}));
    assert_eq!(table.heard("a"), [r#"{"type":"pong"}"#]);
}

#[test]
fn who_unsubscribes_or_is_gone_is_not_counted_any_more() {
    let mut table = room();
    table.tell("b", json!({"type": "unsubscribe", "topics": ["doc"]}));
    table.tell("a", json!({"type": "publish", "topic": "doc"}));
    assert_eq!(table.heard_json("a"), [json!({"type": "publish", "topic": "doc", "clients": 1})]);
    table.lose("a");
    table.tell("c", json!({"type": "subscribe", "topics": ["doc"]}));
    table.tell("c", json!({"type": "publish", "topic": "doc"}));
    assert_eq!(table.heard_json("c"), [json!({"type": "publish", "topic": "doc", "clients": 1})]);
    assert!(table.heard("b").is_empty());
}

#[test]
fn a_bad_frame_costs_its_sender_nothing_but_the_frame() {
    let mut table = room();
    for bad in [
        "{",
        "7",
        "null",
        r#"{"type":7}"#,
        r#"{"type":"subscribe","topics":"doc"}"#,
        r#"{"type":"publish"}"#,
        r#"["publish",[],"doc"]"#,
    ] {
        table.say("a", bad);
    }
    table.say_bytes("a", &[0xff, 0xfe]);
    table.say_bytes("a", br#"{"type":"publish","topic":"doc"}"#);
    assert_eq!(table.heard("b").len(), 1);
    assert_eq!(table.closed("a"), None);
}

#[test]
fn a_client_has_no_more_topics_than_the_limit_and_keeps_those_it_has() {
    let mut table = Table::with(|rules, _| rules.limits.topics_per_session = 2);
    table.open("a", Dialect::Yjs, "");
    table.tell("a", json!({"type": "subscribe", "topics": ["one", "two", "three"]}));
    for topic in ["one", "two", "three"] {
        table.tell("a", json!({"type": "publish", "topic": topic}));
    }
    assert_eq!(table.heard("a").len(), 2);
}

/// `a` and `b` subscribe to `doc`, `c` to something else.
fn room() -> Table {
    let mut table = Table::new();
    for name in ["a", "b", "c"] {
        table.open(name, Dialect::Yjs, "");
    }
    for (name, topic) in [("a", "doc"), ("b", "doc"), ("c", "other")] {
        table.tell(name, json!({"type": "subscribe", "topics": [topic]}));
    }
    table
}
