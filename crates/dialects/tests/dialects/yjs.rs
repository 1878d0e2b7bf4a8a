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

#[test]
fn there_are_no_more_topics_than_the_limit_and_one_that_is_left_makes_room() {
    let mut table = Table::with(|rules, _| rules.limits.topics = 1);
    for name in ["a", "b"] {
        table.open(name, Dialect::Yjs, "");
    }
    table.tell("a", json!({"type": "subscribe", "topics": ["one"]}));
    for (topics, heard) in [(json!(["two"]), 0), (json!(["one"]), 1)] {
        table.tell("b", json!({"type": "subscribe", "topics": topics}));
        table.tell("b", json!({"type": "publish", "topic": topics[0]}));
        assert_eq!(table.heard("b").len(), heard, "{topics}");
    }
    for name in ["a", "b"] {
        table.tell(name, json!({"type": "unsubscribe", "topics": ["one"]}));
    }
    table.tell("b", json!({"type": "subscribe", "topics": ["two"]}));
    table.tell("b", json!({"type": "publish", "topic": "two"}));
    assert_eq!(table.heard("b").len(), 1);
}

#[test]
fn topics_that_are_no_texts_are_passed_over_and_the_others_count() {
    let mut table = Table::new();
    table.open("a", Dialect::Yjs, "");
    table.tell("a", json!({"type": "subscribe", "topics": [null, 7, ["x"], "doc", "doc", ""]}));
    for topic in ["doc", ""] {
        table.tell("a", json!({"type": "publish", "topic": topic}));
        assert_eq!(table.heard_json("a"), [json!({"type": "publish", "topic": topic, "clients": 1})]);
    }
}

#[test]
fn the_number_of_clients_is_the_servers_whatever_a_publish_claims() {
    let mut table = room();
    table.tell("a", json!({"type": "publish", "topic": "doc", "clients": 99}));
    assert_eq!(table.heard_json("b")[0]["clients"], 2);
}

#[test]
fn topics_of_the_same_name_in_two_namespaces_are_two() {
    let mut table = room();
    table.open("elsewhere", Dialect::Yjs, "?ns=elsewhere");
    table.tell("elsewhere", json!({"type": "subscribe", "topics": ["doc"]}));
    table.tell("elsewhere", json!({"type": "publish", "topic": "doc"}));
    assert_eq!(table.heard_json("elsewhere")[0]["clients"], 1);
    assert!(table.heard("a").is_empty());
}

#[test]
fn a_frame_too_deep_for_its_receivers_reaches_nobody() {
    let mut table = room();
    for depth in [31, 32, 10_000] {
        let data = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        table.say("a", &format!(r#"{{"type":"publish","topic":"doc","data":{data}}}"#));
    }
    assert_eq!(table.heard("b").len(), 1);
    assert_eq!(table.closed("a"), None);
}

#[test]
fn a_flood_costs_its_sender_the_frames_beyond_its_rate_and_others_none() {
    let mut table = Table::with(|rules, _| rules.limits.frames_burst = 10);
    for name in ["a", "b"] {
        table.open(name, Dialect::Yjs, "");
        table.tell(name, json!({"type": "subscribe", "topics": ["doc"]}));
    }
    for _ in 0..50 {
        table.tell("a", json!({"type": "publish", "topic": "doc"}));
    }
    assert_eq!(table.heard("b").len(), 9);
    table.tell("b", json!({"type": "publish", "topic": "doc"}));
    assert_eq!(table.heard("b").len(), 1);
    assert_eq!(table.closed("a"), None);
}

#[test]
fn native_peers_publish_and_subscribe_to_the_same_topics() {
    let mut table = room();
    let native = table.open_native("n");
    table.tell("n", json!({"type": "subscribe", "topics": ["doc"]}));
    table.tell("n", json!({"type": "publish", "topic": "doc", "data": {"x": 1}}));
    assert_eq!(table.heard("a"), [r#"{"type":"publish","topic":"doc","data":{"x":1},"clients":3}"#], "{native}");
    table.heard("n");
    let object = json!({"type": "publish", "topic": "doc", "odd": []});
    table.tell("a", object.clone());
    let published = table.heard_json("n").remove(0);
    assert_eq!([&published["type"], &published["data"]], [&json!("published"), &object]);
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
