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

#[test]
fn who_subscribes_twice_hears_once_and_who_is_gone_hears_nothing() {
    let mut table = Table::new();
    for name in ["a", "b"] {
        table.open(name, Dialect::Trystero, "");
        table.tell(name, json!({"type": "subscribe", "topic": "t"}));
    }
    table.tell("a", json!({"type": "subscribe", "topic": "t"}));
    table.lose("b");
    table.tell("a", json!({"type": "publish", "topic": "t", "payload": 1}));
    assert_eq!(table.heard_json("a"), [json!({"topic": "t", "payload": 1})]);
    assert!(table.heard("b").is_empty());
}

#[test]
fn a_client_has_no_more_topics_than_the_limit_and_keeps_those_it_has() {
    for limit in ["topics_per_session", "topics"] {
        let mut table = Table::with(|rules, _| assert!(rules.limits.set(limit, 2)));
        table.open("a", Dialect::Trystero, "");
        for topic in ["one", "two", "three"] {
            table.tell("a", json!({"type": "subscribe", "topic": topic}));
        }
        for topic in ["one", "two", "three"] {
            table.tell("a", json!({"type": "publish", "topic": topic, "payload": 1}));
        }
        let told = ["one", "two"].map(|topic| json!({"topic": topic, "payload": 1}));
        assert_eq!(table.heard_json("a"), told, "{limit}");
    }
}

#[test]
fn a_bad_frame_of_one_is_nothing_to_the_others() {
    let mut table = Table::new();
    for name in ["a", "b"] {
        table.open(name, Dialect::Trystero, "");
        table.tell(name, json!({"type": "subscribe", "topic": "t"}));
    }
    let deep = format!(r#"{{"type":"publish","topic":"t","payload":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let twice = r#"{"type":"publish","topic":"t","topic":"t","payload":1}"#;
    for bad in [
        r#"{"type":"publish","topic":"#,
        twice,
        r#"["publish","t",1]"#,
        r#"{"type":"publish","topic":"t\ud800"}"#,
        &deep,
    ] {
        table.say("a", bad);
    }
    table.say_bytes("a", &[0xff, 0x00, 0xfe]);
    assert!(table.heard("b").is_empty());
    table.say_bytes("a", br#"{"type":"publish","topic":"t","payload":1}"#);
    assert_eq!(table.heard_json("b"), [json!({"topic": "t", "payload": 1})]);
    assert_eq!(table.closed("a"), None);
}

#[test]
fn topics_of_the_same_name_in_two_namespaces_are_two() {
    let mut table = Table::new();
    for (name, address) in [("a", ""), ("b", "?ns=elsewhere")] {
        table.open(name, Dialect::Trystero, address);
        table.tell(name, json!({"type": "subscribe", "topic": "t"}));
    }
    table.tell("a", json!({"type": "publish", "topic": "t", "payload": 1}));
    assert_eq!(table.heard("a").len(), 1);
    assert!(table.heard("b").is_empty());
}

#[test]
fn native_peers_publish_and_subscribe_to_the_same_topics() {
    let mut table = Table::new();
    table.open("a", Dialect::Trystero, "");
    table.tell("a", json!({"type": "subscribe", "topic": "t"}));
    table.open_native("n");
    table.tell("n", json!({"type": "subscribe", "topics": ["t"]}));
    table.tell("n", json!({"type": "publish", "topic": "t", "data": {"x": [1]}}));
    assert_eq!(table.heard("a"), [r#"{"topic":"t","payload":{"x":[1]}}"#]);
    table.heard("n");
    table.tell("a", json!({"type": "publish", "topic": "t", "payload": "p"}));
    assert_eq!(table.heard_json("n")[0]["data"], "p");
}
