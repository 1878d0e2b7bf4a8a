//! Broadcasts.

use serde_json::json;

use crate::Scribe;
use crate::table::{Sock, Table};

#[test]
fn a_broadcast_reaches_every_other_session_of_its_namespace_and_no_other() {
    let mut w = Table::new();
    let [alice, bob] = ["alice@x", "bob@x"].map(|id| w.open(id));
    let phone = w.login(json!({"id": "alice@x", "device": "phone"}));
    let other = w.login(json!({"id": "carol@x", "namespace": "elsewhere"}));
    w.send(phone, &json!({"type": "broadcast", "n": 1, "data": "maintenance at noon"}));
    let told = json!({"type": "broadcast", "from": "alice@x", "device": "phone", "data": "maintenance at noon"});
    w.expect(&[(alice, told.clone()), (bob, told), (phone, json!({"type": "done", "re": 1, "receivers": 2}))]);
    w.send(other, &json!({"type": "broadcast", "n": 1, "data": 0}));
    w.expect(&[(other, json!({"type": "done", "re": 1, "receivers": 0}))]);
}

#[test]
fn a_session_broadcasts_only_so_often_and_is_told_when_it_may_again() {
    let mut w = Table::new();
    let [alice, bob] = ["alice@x", "bob@x"].map(|id| w.open(id));
    for _ in 0..6 {
        w.send(alice, &json!({"type": "broadcast", "data": 0}));
    }
    assert_eq!(w.take_all().len(), 6);
    w.send(alice, &json!({"type": "broadcast", "n": 1, "data": 0}));
    let refusal = w.take_one(alice);
    assert_eq!((&refusal["code"], &refusal["retry_after"]), (&json!(4100), &json!(10_000)));
    w.send(bob, &json!({"type": "broadcast", "n": 1, "data": 0}));
    assert_eq!(w.take_all().len(), 2, "the rate is each session's own");
    w.pass(10_000);
    w.send(alice, &json!({"type": "broadcast", "n": 2, "data": 1}));
    w.expect(&[
        (alice, json!({"type": "done", "re": 2, "receivers": 1})),
        (bob, json!({"type": "broadcast", "from": "alice@x", "data": 1})),
    ]);
}

#[test]
fn a_broadcast_is_written_once_however_many_hear_it() {
    let scribe = Scribe::default();
    let mut w = scribe.table();
    let all: Vec<Sock> = (0..100).map(|i| w.open(&format!("p{i}@x"))).collect();
    w.send(all[0], &json!({"type": "broadcast", "data": 0}));
    assert_eq!(w.take_all().len(), 99);
    assert_eq!(scribe.count(|c| &c.broadcasts), 1);
}
