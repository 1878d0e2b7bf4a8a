//! Topics.

use serde_json::{Value, json};

use crate::Scribe;
use crate::table::{Sock, Table};

#[test]
fn a_message_goes_to_all_who_subscribe_in_the_order_in_which_they_came_and_to_the_sender_only_if_it_does() {
    let mut w = Table::new();
    let [alice, bob, carol] = ["alice@x", "bob@x", "carol@x"].map(|id| w.open(id));
    w.send(carol, &json!({"type": "subscribe", "n": 1, "topics": ["scores", "weather"]}));
    w.send(alice, &json!({"type": "subscribe", "topics": ["scores"]}));
    w.expect(&[(carol, json!({"type": "done", "re": 1}))]);

    let before = w.world.sent.len();
    w.send(alice, &json!({"type": "publish", "n": 2, "topic": "scores", "data": [2, 1]}));
    let published =
        |from: &str| json!({"type": "published", "topic": "scores", "from": from, "receivers": 2, "data": [2, 1]});
    assert_eq!(w.world.sent[before..], [carol, alice, alice], "subscribers by age, then the answer");
    w.take_all();

    w.send(bob, &json!({"type": "publish", "n": 1, "topic": "scores", "data": [2, 1]}));
    w.expect(&[
        (carol, published("bob@x")),
        (alice, published("bob@x")),
        (bob, json!({"type": "done", "re": 1, "receivers": 2})),
    ]);
}

#[test]
fn what_is_published_passes_byte_for_byte_with_the_device_of_its_sender() {
    let mut w = Table::new();
    let alice = w.login(json!({"id": "alice@x", "device": "phone"}));
    w.send(alice, &json!({"type": "subscribe", "topics": ["t"]}));
    w.send_text(alice, r#"{"type":"publish","topic":"t","data":{ "b":1.0e2,"a" : "\u00e9" }}"#);
    let frames = w.take_raw();
    let text = r#"{"type":"published","topic":"t","from":"alice@x","device":"phone","receivers":1,"data":{ "b":1.0e2,"a" : "\u00e9" }}"#;
    assert_eq!(frames, [(alice, text.to_owned())]);
}

#[test]
fn nobody_is_told_of_a_topic_without_subscribers_or_of_another_namespace() {
    let mut w = Table::new();
    let alice = w.open("alice@x");
    let other = w.login(json!({"id": "alice@x", "namespace": "elsewhere"}));
    w.send(other, &json!({"type": "subscribe", "topics": ["t"]}));
    w.send(alice, &json!({"type": "publish", "n": 1, "topic": "t", "data": 0}));
    w.send(alice, &json!({"type": "publish", "topic": "t", "data": 0}));
    w.expect(&[(alice, json!({"type": "done", "re": 1, "receivers": 0}))]);
}

#[test]
fn to_subscribe_twice_counts_once_and_to_unsubscribe_ends_it() {
    let mut w = Table::new();
    let alice = w.open("alice@x");
    w.send(alice, &json!({"type": "subscribe", "n": 1, "topics": ["t", "t"]}));
    w.send(alice, &json!({"type": "subscribe", "n": 2, "topics": ["t"]}));
    w.send(alice, &json!({"type": "publish", "n": 3, "topic": "t", "data": 0}));
    w.send(alice, &json!({"type": "unsubscribe", "n": 4, "topics": ["t", "never"]}));
    w.send(alice, &json!({"type": "publish", "n": 5, "topic": "t", "data": 0}));
    let done = |re: u64| json!({"type": "done", "re": re});
    w.expect(&[
        (alice, done(1)),
        (alice, done(2)),
        (alice, json!({"type": "published", "topic": "t", "from": "alice@x", "receivers": 1, "data": 0})),
        (alice, json!({"type": "done", "re": 3, "receivers": 1})),
        (alice, done(4)),
        (alice, json!({"type": "done", "re": 5, "receivers": 0})),
    ]);
    assert_eq!(w.world.hub.counts().topics, 0);
}

#[test]
fn a_list_over_the_limit_subscribes_to_none_and_leaves_what_was() {
    let mut w = Table::with(|r| r.limits.topics_per_session = 2);
    let alice = w.open("alice@x");
    w.send(alice, &json!({"type": "subscribe", "topics": ["a"]}));
    w.refused(alice, &json!({"type": "subscribe", "n": 1, "topics": ["a", "b", "c"]}), 4106);
    assert_eq!(w.world.hub.counts().topics, 1);
    assert_eq!(receivers(&mut w, alice, "a"), 1);
    assert_eq!(receivers(&mut w, alice, "b"), 0);
    w.send(alice, &json!({"type": "subscribe", "n": 10, "topics": ["b"]}));
    w.expect(&[(alice, json!({"type": "done", "re": 10}))]);
}

#[test]
fn a_server_holds_only_so_many_topics_and_an_empty_one_makes_room() {
    let mut w = Table::with(|r| r.limits.topics = 2);
    let [alice, bob] = ["alice@x", "bob@x"].map(|id| w.open(id));
    w.send(alice, &json!({"type": "subscribe", "topics": ["a", "b"]}));
    w.refused(bob, &json!({"type": "subscribe", "n": 1, "topics": ["b", "c"]}), 4116);
    assert_eq!(receivers(&mut w, alice, "b"), 1, "bob is in none");
    w.send(alice, &json!({"type": "unsubscribe", "topics": ["a"]}));
    w.send(bob, &json!({"type": "subscribe", "n": 2, "topics": ["b", "c"]}));
    w.expect(&[(bob, json!({"type": "done", "re": 2}))]);
    assert_eq!(w.world.hub.counts().topics, 2);
}

#[test]
fn a_session_that_ends_is_out_of_its_topics_and_one_that_is_only_away_is_not() {
    let mut w = Table::new();
    let [alice, bob, carol] = ["alice@x", "bob@x", "carol@x"].map(|id| w.open(id));
    for socket in [alice, bob, carol] {
        w.send(socket, &json!({"type": "subscribe", "topics": ["t"]}));
    }
    w.send(bob, &json!({"type": "bye"}));
    w.expect(&[(bob, json!({"close": 1000}))]);
    w.cut(carol);
    assert_eq!(receivers(&mut w, alice, "t"), 2);
    w.pass(w.world.hub.rules().gone_after_ms);
    assert_eq!(receivers(&mut w, alice, "t"), 1);
    w.send(alice, &json!({"type": "unsubscribe", "topics": ["t"]}));
    assert_eq!(w.world.hub.counts().topics, 0);
}

#[test]
fn topics_outlive_a_restart_and_who_is_gone_by_then_does_not() {
    let mut w = Table::new();
    let [alice, bob, carol] = ["alice@x", "bob@x", "carol@x"].map(|id| w.open(id));
    for socket in [bob, carol, alice] {
        w.send(socket, &json!({"type": "subscribe", "topics": ["t"]}));
    }
    w.restart_with(500, |snapshot| forget_session(snapshot, "carol@x"));
    assert_eq!(w.world.hub.counts().topics, 1);
    let [alice, bob] = [alice, bob].map(|old| w.resume(old));
    let before = w.world.sent.len();
    w.send(alice, &json!({"type": "publish", "topic": "t", "data": 0}));
    assert_eq!(w.world.sent[before..], [bob, alice]);
    w.take_all();
}

#[test]
fn a_message_for_many_is_written_once() {
    let scribe = Scribe::default();
    let mut w = scribe.table();
    let all: Vec<Sock> = (0..100).map(|i| w.open(&format!("p{i}@x"))).collect();
    for socket in &all {
        w.send(*socket, &json!({"type": "subscribe", "topics": ["t"]}));
    }
    w.send(all[0], &json!({"type": "publish", "topic": "t", "data": 0}));
    assert_eq!(w.take_all().len(), 100);
    assert_eq!(scribe.count(|c| &c.published), 1);
}

fn receivers(w: &mut Table, from: Sock, topic: &str) -> u64 {
    w.take_all();
    w.send(from, &json!({"type": "publish", "topic": topic, "data": 0}));
    w.take_all().first().map_or(0, |(_, frame)| frame["receivers"].as_u64().unwrap())
}

/// Takes a session out of a written snapshot, as if it had not been worth keeping.
pub(crate) fn forget_session(snapshot: &mut Value, id: &str) {
    let mut forgotten = 0;
    for shard in snapshot["peers"].as_array_mut().unwrap() {
        let sessions = shard["sessions"].as_array_mut().unwrap();
        let before = sessions.len();
        sessions.retain(|s| s["party"]["id"] != id);
        forgotten += before - sessions.len();
    }
    assert_eq!(forgotten, 1);
}
