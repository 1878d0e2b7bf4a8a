//! Calls to peers who are not here.

use serde_json::json;
use wigwag_dialects::Dialect;

use super::{OPEN, enter};
use crate::table::Table;

#[test]
fn what_is_said_to_an_absent_peer_is_there_right_after_its_open_and_in_order() {
    let mut table = caller();
    table.say("alice", r#"{"type":"OFFER","dst":"bob","payload":{"b":1.0, "a":2}}"#);
    table.say("alice", r#"{"type":"CANDIDATE","dst":"bob"}"#);
    table.wait(4_000);
    table.tell("alice", json!({"type": "CANDIDATE", "dst": "bob", "payload": 2}));
    table.open("bob", Dialect::PeerJs, "?key=peerjs&id=bob&token=t");
    let told = [
        OPEN,
        r#"{"type":"OFFER","src":"alice","dst":"bob","payload":{"b":1.0, "a":2}}"#,
        r#"{"type":"CANDIDATE","src":"alice","dst":"bob"}"#,
        r#"{"type":"CANDIDATE","src":"alice","dst":"bob","payload":2}"#,
    ];
    assert_eq!(table.heard("bob"), told);
    table.wait(20_000);
    assert!(table.heard("alice").is_empty(), "nothing expired");
    assert!(table.heard("bob").is_empty(), "nothing came twice");
}

#[test]
fn after_five_seconds_a_caller_is_told_once_that_nobody_came() {
    let mut table = caller();
    for kind in ["OFFER", "CANDIDATE", "CANDIDATE"] {
        table.tell("alice", json!({"type": kind, "dst": "bob", "payload": 1}));
        table.wait(1_500);
    }
    table.tell("alice", json!({"type": "OFFER", "dst": "carol", "payload": 1}));
    table.wait(450);
    assert!(table.heard("alice").is_empty());
    table.wait(100);
    assert_eq!(table.heard("alice"), [r#"{"type":"EXPIRE","src":"bob","dst":"alice"}"#]);
    table.wait(5_000);
    assert_eq!(table.heard("alice"), [r#"{"type":"EXPIRE","src":"carol","dst":"alice"}"#]);
    table.tell("alice", json!({"type": "HEARTBEAT"}));
    table.wait(20_000);
    assert!(table.heard("alice").is_empty());
    enter(&mut table, "bob");
    assert!(table.heard("bob").is_empty(), "what expired is gone");
}

#[test]
fn each_caller_waits_for_itself() {
    let mut table = caller();
    enter(&mut table, "dave");
    table.tell("alice", json!({"type": "OFFER", "dst": "bob", "payload": 1}));
    table.wait(4_000);
    table.tell("dave", json!({"type": "OFFER", "dst": "bob", "payload": 2}));
    table.wait(2_000);
    assert_eq!((table.heard("alice").len(), table.heard("dave").len()), (1, 0));
    table.open("bob", Dialect::PeerJs, "?key=peerjs&id=bob&token=t");
    let heard = table.heard_json("bob");
    assert_eq!(heard[1..], [json!({"type": "OFFER", "src": "dave", "dst": "bob", "payload": 2})]);
}

#[test]
fn leave_and_expire_do_not_wait() {
    let mut table = caller();
    table.tell("alice", json!({"type": "LEAVE", "dst": "bob"}));
    table.tell("alice", json!({"type": "EXPIRE", "dst": "bob"}));
    table.wait(10_000);
    assert!(table.heard("alice").is_empty());
    table.tell("alice", json!({"type": "OFFER", "dst": "bob", "payload": 1}));
    table.tell("alice", json!({"type": "LEAVE", "dst": "bob"}));
    table.open("bob", Dialect::PeerJs, "?key=peerjs&id=bob&token=t");
    assert_eq!(table.heard_json("bob")[1..], [json!({"type": "OFFER", "src": "alice", "dst": "bob", "payload": 1})]);
}

#[test]
fn a_call_outlives_its_callers_socket_for_as_long_as_it_would_have_waited() {
    let mut table = caller();
    table.tell("alice", json!({"type": "OFFER", "dst": "bob", "payload": 1}));
    table.tell("alice", json!({"type": "OFFER", "dst": "carol", "payload": 1}));
    table.wait(3_000);
    table.lose("alice");
    table.wait(1_500);
    table.open("bob", Dialect::PeerJs, "?key=peerjs&id=bob&token=t");
    assert_eq!(table.heard("bob").len(), 2);
    table.wait(600);
    enter(&mut table, "carol");
    assert!(table.heard("carol").is_empty());
}

#[test]
fn a_caller_that_comes_back_is_told_of_its_calls() {
    for loses_it_first in [true, false] {
        let mut table = caller();
        table.tell("alice", json!({"type": "OFFER", "dst": "bob", "payload": 1}));
        table.wait(2_000);
        if loses_it_first {
            table.lose("alice");
        }
        table.open("again", Dialect::PeerJs, "?key=peerjs&id=alice&token=of-alice");
        assert_eq!(table.heard("again"), [OPEN]);
        if !loses_it_first {
            table.lose("alice");
        }
        table.wait(2_900);
        assert!(table.heard("again").is_empty());
        table.wait(200);
        assert_eq!(table.heard("again"), [r#"{"type":"EXPIRE","src":"bob","dst":"alice"}"#]);
    }
}

#[test]
fn who_takes_a_free_id_does_not_take_over_its_calls() {
    let mut table = caller();
    table.tell("alice", json!({"type": "OFFER", "dst": "bob", "payload": 1}));
    table.lose("alice");
    table.open("other", Dialect::PeerJs, "?key=peerjs&id=alice&token=other");
    table.open("bob", Dialect::PeerJs, "?key=peerjs&id=bob&token=t");
    assert_eq!(table.heard("bob"), [OPEN], "nobody speaks under an id that is somebody else's now");
    table.wait(10_000);
    assert_eq!(table.heard("other"), [OPEN]);
}

#[test]
fn what_waits_is_heard_by_a_peer_of_another_protocol_too() {
    let mut table = caller();
    table.tell("alice", json!({"type": "OFFER", "dst": "ursula", "payload": {"n": 1}}));
    table.open("ursula", Dialect::Volli, "");
    table.tell("ursula", json!({"type": "register", "userId": "ursula", "publicKey": "k"}));
    table.heard("ursula");
    table.wait(6_000);
    assert_eq!(table.heard("ursula").len(), 1);
    assert!(table.heard("alice").is_empty());
}

#[test]
fn an_id_that_nobody_can_have_fails_at_once() {
    let mut table = caller();
    let dst = "x".repeat(200);
    table.tell("alice", json!({"type": "OFFER", "dst": dst, "payload": 1}));
    table.tell("alice", json!({"type": "CANDIDATE", "dst": dst, "payload": 1}));
    assert_eq!(table.heard_json("alice"), [json!({"type": "EXPIRE", "src": dst, "dst": "alice"})]);
}

#[test]
fn messages_to_an_absent_peer_cost_one_miss() {
    let mut table = Table::with(|rules, _| {
        rules.limit_loopback = true;
        rules.limits.guesses_burst = 1;
        rules.limits.guesses_per_minute = 1;
    });
    enter(&mut table, "alice");
    for _ in 0..20 {
        table.tell("alice", json!({"type": "CANDIDATE", "dst": "bob", "payload": 1}));
    }
    table.open("bob", Dialect::PeerJs, "?key=peerjs&id=bob&token=t");
    assert_eq!(table.heard("bob").len(), 21);
}

#[test]
fn who_guesses_too_often_is_told_later_and_never_left_without_a_word() {
    let mut table = Table::with(|rules, settings| {
        rules.limit_loopback = true;
        rules.limits.guesses_burst = 1;
        rules.limits.guesses_per_minute = 1;
        settings.peerjs.alive_timeout_ms = 0;
    });
    enter(&mut table, "alice");
    for dst in ["one", "two"] {
        table.tell("alice", json!({"type": "OFFER", "dst": dst, "payload": 1}));
    }
    table.wait(50_000);
    assert_eq!(table.heard_json("alice"), [json!({"type": "EXPIRE", "src": "one", "dst": "alice"})]);
    table.wait(20_000);
    assert_eq!(table.heard_json("alice"), [json!({"type": "EXPIRE", "src": "two", "dst": "alice"})]);
}

#[test]
fn a_caller_of_too_many_at_once_is_told_at_once() {
    let mut table = Table::with(|rules, _| rules.limits.frames_per_second = 0);
    enter(&mut table, "alice");
    for n in 0..70 {
        table.tell("alice", json!({"type": "OFFER", "dst": format!("p{n}"), "payload": 1}));
    }
    assert_eq!(table.heard("alice").len(), 6);
    table.wait(6_000);
    assert_eq!(table.heard("alice").len(), 64);
}

#[test]
fn what_waits_for_one_peer_and_of_one_peer_is_bounded() {
    let mut table = Table::with(|rules, _| rules.limits.frames_per_second = 0);
    let big = "x".repeat(30_000);
    for n in 0..20 {
        let name = format!("c{n}");
        enter(&mut table, &name);
        for _ in 0..10 {
            table.tell(&name, json!({"type": "OFFER", "dst": "bob", "payload": big}));
        }
    }
    table.open("bob", Dialect::PeerJs, "?key=peerjs&id=bob&token=t");
    let bytes: usize = table.heard("bob").iter().map(String::len).sum();
    assert!((200_000..300_000).contains(&bytes), "{bytes}");
    // Those of whom nothing could wait know it already; the others reached Bob.
    let told = (0..20).filter(|n| !table.heard(&format!("c{n}")).is_empty()).count();
    assert!((1..20).contains(&told), "{told}");
}

/// Alice alone.
fn caller() -> Table {
    let mut table = Table::new();
    enter(&mut table, "alice");
    table
}
