//! PeerJS.

mod absent;
mod http;

use serde_json::json;
use wigwag_dialects::Dialect;

use crate::table::Table;

const OPEN: &str = r#"{"type":"OPEN"}"#;
const TAKEN: &str = r#"{"type":"ID-TAKEN","payload":{"msg":"ID is taken"}}"#;

#[test]
fn a_peer_is_told_that_it_is_in_and_nothing_else() {
    let mut table = Table::new();
    enter(&mut table, "alice");
    assert_eq!(table.closed("alice"), None);
}

#[test]
fn offers_answers_and_candidates_come_with_the_true_sender_and_the_payload_byte_for_byte() {
    let mut table = pair();
    for kind in ["OFFER", "ANSWER", "CANDIDATE", "LEAVE", "EXPIRE"] {
        let payload = r#"{"z":1.0, "a":[ 2E3,"ü\u00e9"],"type":"data"}"#;
        table.say("alice", &format!(r#"{{"type":"{kind}","payload":{payload},"dst":"bob","src":"eve","more":1}}"#));
        assert_eq!(
            table.heard("bob"),
            [format!(r#"{{"type":"{kind}","src":"alice","dst":"bob","payload":{payload}}}"#)]
        );
    }
    assert!(table.heard("alice").is_empty(), "a delivered message has no answer");
}

#[test]
fn a_payload_that_is_not_there_stays_away_and_one_that_is_null_stays_null() {
    let mut table = pair();
    table.say("alice", r#"{"type":"LEAVE","dst":"bob"}"#);
    table.say("alice", r#"{"type":"ANSWER","dst":"bob","payload":null}"#);
    let told = [
        r#"{"type":"LEAVE","src":"alice","dst":"bob"}"#,
        r#"{"type":"ANSWER","src":"alice","dst":"bob","payload":null}"#,
    ];
    assert_eq!(table.heard("bob"), told);
}

#[test]
fn binary_frames_are_heard_as_text() {
    let mut table = pair();
    table.say_bytes("alice", br#"{"type":"OFFER","dst":"bob","payload":1}"#);
    assert_eq!(table.heard_json("bob"), [json!({"type": "OFFER", "src": "alice", "dst": "bob", "payload": 1})]);
}

#[test]
fn a_client_that_says_too_little_is_told_what_is_missing_and_closed_without_a_code() {
    for address in ["", "?id=a&token=t", "?id=a&key=peerjs", "?token=t&key=peerjs", "?id=&token=t&key=peerjs"] {
        let mut table = Table::new();
        table.open("a", Dialect::PeerJs, address);
        refused(&mut table, "a", "No id, token, or key supplied to websocket server");
    }
}

#[test]
fn a_client_with_another_key_is_told_so() {
    let mut table = Table::new();
    table.open("a", Dialect::PeerJs, "?key=other&id=a&token=t");
    refused(&mut table, "a", "Invalid key provided");
    let mut table = Table::with(|_, settings| settings.peerjs.key = "other".to_owned());
    table.open("a", Dialect::PeerJs, "?key=other&id=a&token=t");
    assert_eq!(table.heard("a"), [OPEN]);
}

#[test]
fn an_id_that_no_client_would_use_is_refused() {
    for id in ["-a", "a--b", "a.b", "bob@example.org", "~aaaaaaaaaaaaaaaaaaaa", &"a".repeat(129)] {
        let mut table = Table::new();
        table.open("a", Dialect::PeerJs, &format!("?key=peerjs&token=t&id={id}"));
        refused(&mut table, "a", "Invalid id provided");
    }
}

#[test]
fn an_id_in_the_form_of_a_key_is_its_owners_alone() {
    let mut table = Table::new();
    table.open("a", Dialect::PeerJs, &format!("?key=peerjs&token=t&id={}", "a".repeat(32)));
    taken(&mut table, "a");
}

#[test]
fn an_id_in_use_is_taken_for_everybody_with_another_token_and_its_owner_is_unharmed() {
    let mut table = pair();
    table.open("thief", Dialect::PeerJs, "?key=peerjs&id=bob&token=other");
    taken(&mut table, "thief");
    table.tell("thief", json!({"type": "OFFER", "dst": "alice", "payload": 1}));
    assert!(table.heard("alice").is_empty());
    table.tell("alice", json!({"type": "OFFER", "dst": "bob", "payload": 1}));
    assert_eq!(table.heard("bob").len(), 1);
}

#[test]
fn the_same_peer_coming_back_is_in_at_once_and_its_old_socket_is_closed() {
    let mut table = pair();
    table.open("again", Dialect::PeerJs, "?key=peerjs&id=bob&token=of-bob");
    assert_eq!(table.heard("again"), [OPEN]);
    assert!(table.closed("bob").is_some());
    // The old socket's end reaches the server later, and ends nothing.
    table.lose("bob");
    table.tell("alice", json!({"type": "OFFER", "dst": "bob", "payload": 1}));
    assert_eq!(table.heard("again").len(), 1);
    assert!(table.heard("alice").is_empty());
}

#[test]
fn nobody_is_told_that_a_peer_left_because_its_socket_dropped() {
    let mut table = pair();
    table.tell("alice", json!({"type": "OFFER", "dst": "bob", "payload": 1}));
    table.lose("alice");
    table.open("again", Dialect::PeerJs, "?key=peerjs&id=alice&token=of-alice");
    table.lose("again");
    table.wait(10_000);
    let heard = table.heard_json("bob");
    assert_eq!(heard, [json!({"type": "OFFER", "src": "alice", "dst": "bob", "payload": 1})]);
}

#[test]
fn a_peer_that_says_it_leaves_gives_its_id_up_and_keeps_its_socket() {
    let mut table = pair();
    table.tell("bob", json!({"type": "LEAVE"}));
    assert_eq!(table.closed("bob"), None);
    table.open("other", Dialect::PeerJs, "?key=peerjs&id=bob&token=other");
    assert_eq!(table.heard("other"), [OPEN]);
    table.tell("alice", json!({"type": "OFFER", "dst": "bob", "payload": 1}));
    assert_eq!(table.heard("other").len(), 1);
    table.tell("bob", json!({"type": "OFFER", "dst": "alice", "payload": 1}));
    assert!(table.heard("alice").is_empty());
}

#[test]
fn silence_ends_a_socket_and_any_word_keeps_it() {
    let mut table = pair();
    for _ in 0..4 {
        table.wait(25_000);
        table.tell("alice", json!({"type": "HEARTBEAT"}));
    }
    assert!(table.heard("alice").is_empty(), "a heartbeat has no answer");
    assert_eq!(table.closed("alice"), None);
    assert_eq!(table.closed("bob"), Some(1005));
    table.wait(59_900);
    assert_eq!(table.closed("alice"), None);
    table.wait(200);
    assert_eq!(table.closed("alice"), Some(1005));
    table.open("other", Dialect::PeerJs, "?key=peerjs&id=alice&token=other");
    assert_eq!(table.heard("other"), [OPEN]);
}

#[test]
fn the_operator_says_how_long_silence_may_last() {
    let mut table = Table::with(|_, settings| settings.peerjs.alive_timeout_ms = 1_000);
    enter(&mut table, "a");
    table.wait(1_100);
    assert_eq!(table.closed("a"), Some(1005));
    let mut table = Table::with(|_, settings| settings.peerjs.alive_timeout_ms = 0);
    enter(&mut table, "a");
    table.wait(200_000);
    assert_eq!(table.closed("a"), None);
}

#[test]
fn no_more_peers_come_in_than_the_operator_wants_and_those_who_are_in_may_come_back() {
    let mut table = Table::with(|_, settings| settings.peerjs.concurrent_limit = 2);
    enter(&mut table, "alice");
    enter(&mut table, "bob");
    table.open("carol", Dialect::PeerJs, "?key=peerjs&id=carol&token=t");
    refused(&mut table, "carol", "Server has reached its concurrent user limit");
    table.lose("carol");
    table.open("again", Dialect::PeerJs, "?key=peerjs&id=bob&token=of-bob");
    assert_eq!(table.heard("again"), [OPEN]);
    table.open("thief", Dialect::PeerJs, "?key=peerjs&id=bob&token=other");
    taken(&mut table, "thief");
    table.lose("thief");
    table.lose("bob");
    table.lose("alice");
    enter(&mut table, "carol");
}

#[test]
fn bad_frames_cost_nobody_anything() {
    let mut table = pair();
    for bad in [
        "",
        "{",
        "7",
        "null",
        "[]",
        r#"{"type":7}"#,
        r#"{"type":"OFFER"}"#,
        r#"{"type":"OFFER","dst":""}"#,
        r#"{"type":"OFFER","dst":null}"#,
        r#"{"type":"OFFER","dst":7,"payload":1}"#,
        r#"{"type":"OFFER","dst":["bob"],"payload":1}"#,
        r#"{"type":"OFFER","dst":"bob","dst":"alice","payload":1}"#,
        r#"{"type":"OPEN","dst":"bob","payload":1}"#,
        r#"{"type":"ID-TAKEN","dst":"bob","payload":1}"#,
        r#"{"type":"offer","dst":"bob","payload":1}"#,
    ] {
        table.say("alice", bad);
    }
    table.say_bytes("alice", &[0xff, 0xfe]);
    let deep = format!(r#"{{"type":"OFFER","dst":"bob","payload":{}1{}}}"#, "[".repeat(500), "]".repeat(500));
    table.say("alice", &deep);
    table.tell("alice", json!({"type": "OFFER", "dst": "bob", "payload": 1}));
    assert_eq!(table.heard_json("bob"), [json!({"type": "OFFER", "src": "alice", "dst": "bob", "payload": 1})]);
    assert!(table.heard("alice").is_empty());
    assert_eq!((table.closed("alice"), table.closed("bob")), (None, None));
}

#[test]
fn one_namespace_does_not_hear_another() {
    let mut table = Table::new();
    table.open("here", Dialect::PeerJs, "?key=peerjs&id=bob&token=t");
    table.open("there", Dialect::PeerJs, "?key=peerjs&id=bob&token=other&ns=app");
    table.open("alice", Dialect::PeerJs, "?key=peerjs&id=alice&token=t&ns=app");
    for name in ["here", "there", "alice"] {
        assert_eq!(table.heard(name), [OPEN]);
    }
    table.tell("alice", json!({"type": "OFFER", "dst": "bob", "payload": 1}));
    assert_eq!((table.heard("here").len(), table.heard("there").len()), (0, 1));
}

#[test]
fn a_native_peer_and_a_peerjs_peer_reach_each_other() {
    let mut table = Table::new();
    let native = table.open_native("native");
    enter(&mut table, "alice");
    table.tell("alice", json!({"type": "OFFER", "dst": native, "payload": {"sdp": 1}}));
    let heard = table.heard_json("native").pop().unwrap();
    assert_eq!((&heard["type"], &heard["from"], &heard["kind"]), (&json!("signal"), &json!("alice"), &json!("offer")));
    assert_eq!(heard["data"], json!({"sdp": 1}));
    let words = [("offer", "OFFER"), ("answer", "ANSWER"), ("candidate", "CANDIDATE"), ("bye", "LEAVE")];
    for (n, (kind, word)) in words.into_iter().enumerate() {
        table.say(
            "native",
            &format!(r#"{{"type":"signal","n":{},"to":"alice","kind":"{kind}","data":[ 1.0 ]}}"#, n + 1),
        );
        let told = format!(r#"{{"type":"{word}","src":"{native}","dst":"alice","payload":[ 1.0 ]}}"#);
        assert_eq!(table.heard("alice"), [told]);
    }
    table.say("native", r#"{"type":"signal","n":9,"to":"alice","kind":"other","data":1}"#);
    assert!(table.heard("alice").is_empty(), "it has no word for it");
}

#[test]
fn a_volli_peer_and_a_peerjs_peer_call_each_other() {
    let mut table = Table::new();
    enter(&mut table, "alice");
    table.open("victor", Dialect::Volli, "");
    table.tell("victor", json!({"type": "register", "userId": "victor", "publicKey": "k"}));
    table.heard("victor");
    table.tell("alice", json!({"type": "OFFER", "dst": "victor", "payload": {"sdp": 1}}));
    let told = json!({"type": "offer", "from": "alice", "to": "victor", "offer": {"sdp": 1}});
    assert_eq!(table.heard_json("victor"), [told]);
    table.tell("victor", json!({"type": "answer", "from": "victor", "to": "alice", "answer": {"sdp": 2}}));
    let told = json!({"type": "ANSWER", "src": "victor", "dst": "alice", "payload": {"sdp": 2}});
    assert_eq!(table.heard_json("alice"), [told]);
    table.open("thief", Dialect::PeerJs, "?key=peerjs&id=victor&token=t");
    taken(&mut table, "thief");
}

#[test]
fn a_peer_that_the_operator_bans_is_told_why_and_does_not_come_back() {
    let mut table = pair();
    table.ban("bob");
    let heard = table.heard_json("bob");
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0]["type"], "ERROR");
    assert!(table.closed("bob").is_some());
    table.open("again", Dialect::PeerJs, "?key=peerjs&id=bob&token=of-bob");
    assert_eq!(table.heard_json("again")[0]["type"], "ERROR");
    assert_eq!(table.closed("again"), Some(1005));
}

/// A peer of this name, with its own token.
fn enter(table: &mut Table, name: &str) {
    table.open(name, Dialect::PeerJs, &format!("?key=peerjs&id={name}&token=of-{name}&version=1.5.5"));
    assert_eq!(table.heard(name), [OPEN]);
}

/// Alice and Bob.
fn pair() -> Table {
    let mut table = Table::new();
    enter(&mut table, "alice");
    enter(&mut table, "bob");
    table
}

fn refused(table: &mut Table, name: &str, msg: &str) {
    assert_eq!(table.heard(name), [format!(r#"{{"type":"ERROR","payload":{{"msg":"{msg}"}}}}"#)]);
    assert_eq!(table.closed(name), Some(1005));
}

fn taken(table: &mut Table, name: &str) {
    assert_eq!(table.heard(name), [TAKEN]);
    assert_eq!(table.closed(name), Some(1005));
}
