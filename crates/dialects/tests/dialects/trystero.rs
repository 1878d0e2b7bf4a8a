//! Trystero's relay.

use serde_json::json;
use wigwag_dialects::Dialect;

use crate::table::Table;

#[test]
fn a_payload_comes_to_every_subscriber_and_to_its_sender_as_it_was() {
    let mut table = Table::new();
    for name in ["a", "b"] {
        table.open(name, Dialect::Trystero, "");
        table.tell(name, json!({"type": "subscribe", "topic": "t"}));
    }
    for payload in [r#"{"z":1.0, "a":[]}"#, "null", "\"x\""] {
        table.say("a", &format!(r#"{{"type":"publish","topic":"t","payload":{payload}}}"#));
        let told = format!(r#"{{"topic":"t","payload":{payload}}}"#);
        for name in ["a", "b"] {
            assert_eq!(table.heard(name), [told.as_str()]);
        }
    }
    table.tell("b", json!({"type": "unsubscribe", "topic": "t"}));
    table.tell("a", json!({"type": "publish", "topic": "t", "payload": 1}));
    assert!(table.heard("b").is_empty());
}

#[test]
fn bad_frames_are_ignored() {
    let mut table = Table::new();
    table.open("a", Dialect::Trystero, "");
    for bad in ["", "[]", r#"{"type":"subscribe"}"#, r#"{"type":"publish","topic":"t"}"#, r#"{"type":1,"topic":"t"}"#] {
        table.say("a", bad);
    }
    assert!(table.heard("a").is_empty());
    assert_eq!(table.closed("a"), None);
}

#[test]
fn topics_of_any_length_are_told_by_their_own_name() {
    let mut table = Table::new();
    table.open("a", Dialect::Trystero, "");
    let topic = "t".repeat(400);
    table.tell("a", json!({"type": "subscribe", "topic": topic}));
    table.tell("a", json!({"type": "publish", "topic": topic, "payload": 1}));
    assert_eq!(table.heard_json("a"), [json!({"topic": topic, "payload": 1})]);
}
