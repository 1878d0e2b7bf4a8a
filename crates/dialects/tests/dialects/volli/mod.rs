//! Volli.

mod proofs;

use serde_json::{Value, json};
use wigwag_dialects::Dialect;
use wigwag_testkit::TestKey;

use self::proofs::prove;
use crate::table::Table;

#[test]
fn registering_is_answered_exactly() {
    let mut table = Table::new();
    table.open("a", Dialect::Volli, "");
    table.say("a", r#"{"type":"register","userId":"älice \"1\"","publicKey":"pk"}"#);
    assert_eq!(table.heard("a"), [r#"{"type":"registered","success":true,"userId":"älice \"1\""}"#]);
}

#[test]
fn a_field_that_is_missing_empty_or_no_text_is_told() {
    let mut table = calls(&["alice"]);
    for frame in [
        r#"{"type":"register"}"#,
        r#"{"type":"register","userId":"bob"}"#,
        r#"{"type":"register","userId":"","publicKey":"pk"}"#,
        r#"{"type":"register","userId":"bob","publicKey":""}"#,
        r#"{"type":"register","userId":7,"publicKey":"pk"}"#,
        r#"{"type":"register","userId":"bob","publicKey":{"kty":"OKP"}}"#,
        r#"{"type":"discover"}"#,
        r#"{"type":"discover","userId":null}"#,
        r#"{"type":"offer","from":"alice","offer":{}}"#,
        r#"{"type":"offer","from":"alice","to":"bob"}"#,
        r#"{"type":"offer","from":"alice","to":"bob","offer":null}"#,
        r#"{"type":"offer","from":"alice","to":"bob","answer":{}}"#,
        r#"{"type":"offer","from":"","to":"bob","offer":{}}"#,
        r#"{"type":"offer","from":null,"to":"bob","offer":{}}"#,
        r#"{"type":"answer","from":"alice","to":"bob","offer":{}}"#,
        r#"{"type":"ice-candidate","from":"alice","to":"bob","offer":{}}"#,
    ] {
        table.say("alice", frame);
        assert_eq!(table.heard("alice"), [error("Missing required fields")], "{frame}");
    }
}

#[test]
fn what_is_no_message_is_told_and_costs_nobody_anything() {
    let mut table = calls(&["alice", "bob"]);
    for (frame, told) in [
        ("hello", "Invalid message format"),
        ("", "Invalid message format"),
        (r#"{"type":"offer""#, "Invalid message format"),
        (r#"{"type":"offer","to":"bob","to":"alice","offer":{}}"#, "Invalid message format"),
        (r#"{"type":"offer","from":"alice","fr\u006fm":"bob","to":"bob","offer":{}}"#, "Invalid message format"),
        ("{}", "Unknown message type"),
        ("[]", "Unknown message type"),
        (r#"["offer",null,null,null,null,"bob",{},{},{}]"#, "Unknown message type"),
        ("null", "Unknown message type"),
        (r#"{"type":"hangup","to":"bob"}"#, "Unknown message type"),
        (r#"{"type":7}"#, "Unknown message type"),
    ] {
        table.say("alice", frame);
        assert_eq!(table.heard("alice"), [error(told)], "{frame}");
    }
    table.say_bytes("alice", &[0xff, 0xfe]);
    assert_eq!(table.heard("alice"), [error("Invalid message format")]);
    table.say_bytes("alice", br#"{"type":"offer","from":"alice","to":"bob","offer":{}}"#);
    assert_eq!(table.heard("bob").len(), 1, "JSON in a binary frame is as good");
    assert_eq!(table.closed("alice"), None);
}

#[test]
fn a_user_is_found_before_one_registers_and_until_its_socket_closes() {
    let mut table = calls(&["alice"]);
    table.open("b", Dialect::Volli, "");
    let online = r#"{"type":"discover-response","userId":"alice","online":true,"publicKey":"key of alice"}"#;
    let offline = r#"{"type":"discover-response","userId":"alice","online":false}"#;
    assert_eq!(discover(&mut table, "b", "alice"), online);
    table.lose("alice");
    assert_eq!(discover(&mut table, "b", "alice"), offline);
}

#[test]
fn an_id_that_nobody_can_have_is_offline() {
    let mut table = calls(&["alice"]);
    for name in ["\u{1}".to_owned(), "x".repeat(4_000)] {
        let told = json!({"type": "discover-response", "userId": name, "online": false});
        table.tell("alice", json!({"type": "discover", "userId": name}));
        assert_eq!(table.heard_json("alice"), [told]);
    }
}

#[test]
fn guessing_ids_is_bounded() {
    let mut table = Table::with(|rules, _| {
        rules.limit_loopback = true;
        rules.limits.guesses_burst = 3;
    });
    table.open("a", Dialect::Volli, "");
    for guess in 0..5 {
        table.tell("a", json!({"type": "discover", "userId": format!("user {guess}")}));
    }
    let types: Vec<Value> = table.heard_json("a").iter().map(|told| told["type"].clone()).collect();
    assert_eq!(types, ["discover-response", "discover-response", "discover-response", "error", "error"]);
}

#[test]
fn registering_again_with_a_new_key_shows_the_new_key() {
    let mut table = calls(&["alice", "bob"]);
    table.tell("alice", json!({"type": "register", "userId": "alice", "publicKey": "new"}));
    assert_eq!(table.heard("alice"), [registered("alice")]);
    assert!(discover(&mut table, "bob", "alice").ends_with(r#""online":true,"publicKey":"new"}"#));
    table.tell("bob", json!({"type": "offer", "to": "alice", "offer": 1}));
    assert_eq!(table.heard("alice").len(), 1);
}

#[test]
fn registering_as_somebody_else_ends_what_one_was_before() {
    let mut table = calls(&["alice", "bob"]);
    table.tell("alice", json!({"type": "register", "userId": "carol", "publicKey": "pk"}));
    assert_eq!(table.heard("alice"), [registered("carol")]);
    table.tell("bob", json!({"type": "offer", "to": "alice", "offer": 1}));
    assert_eq!(table.heard("bob"), [error("User alice is not online")]);
    assert!(is_offline(&mut table, "bob", "alice"));
    assert!(!is_offline(&mut table, "bob", "carol"));
    table.tell("alice", json!({"type": "offer", "from": "alice", "to": "bob", "offer": 1}));
    assert_eq!(table.heard("alice"), [error("Sender is not the registered user")]);
}

#[test]
fn offers_answers_and_candidates_are_forwarded_whole() {
    let mut table = calls(&["alice", "bob"]);
    for frame in [
        r#"{"type":"offer","from":"alice","to":"bob","offer":{"z":1.0, "sdp":"v=0\r\n","a":[2E3]},"odd":null}"#,
        r#" { "offer" : "ü" , "to":"b\u006fb","type":"offer","from":"alice" } "#,
        r#"{"type":"answer","from":"alice","to":"bob","answer":{"type":"answer"}}"#,
        r#"{"type":"ice-candidate","from":"alice","to":"bob","candidate":{"candidate":"candidate:1"}}"#,
    ] {
        table.say("alice", frame);
        assert_eq!(table.heard("bob"), [frame]);
        assert!(table.heard("alice").is_empty());
    }
}

#[test]
fn a_sender_that_is_left_out_is_filled_in() {
    let mut table = calls(&["al\"ice", "bob"]);
    table.say("al\"ice", r#"{"type":"offer","to":"bob","offer":{"z":1.0 } }"#);
    assert_eq!(table.heard("bob"), [r#"{"type":"offer","to":"bob","offer":{"z":1.0 },"from":"al\"ice"}"#]);
}

#[test]
fn nobody_speaks_for_another() {
    let mut table = calls(&["alice", "bob", "mallory"]);
    for kind in ["offer", "answer"] {
        table.tell("mallory", json!({"type": kind, "from": "alice", "to": "bob", kind: {}}));
        assert_eq!(table.heard("mallory"), [error("Sender is not the registered user")]);
    }
    assert!(table.heard("bob").is_empty());
    table.open("nobody", Dialect::Volli, "");
    for frame in [
        json!({"type": "offer", "to": "bob", "offer": 1}),
        json!({"type": "offer", "from": "nobody", "to": "bob", "offer": 1}),
    ] {
        table.tell("nobody", frame);
        assert_eq!(table.heard("nobody"), [error("Not registered")]);
    }
    assert!(table.heard("bob").is_empty());
}

#[test]
fn who_is_not_there_is_told_by_name() {
    let mut table = calls(&["alice"]);
    for name in ["bob", "\u{1}"] {
        table.tell("alice", json!({"type": "offer", "from": "alice", "to": name, "offer": {}}));
        assert_eq!(
            table.heard_json("alice"),
            [json!({"type": "error", "message": format!("User {name} is not online")})]
        );
    }
}

#[test]
fn a_live_id_is_refused_to_every_other_socket_and_the_one_who_has_it_does_not_notice() {
    let mut table = calls(&["alice", "bob"]);
    table.open("thief", Dialect::Volli, "");
    for key in ["key of alice", "another"] {
        table.tell("thief", json!({"type": "register", "userId": "alice", "publicKey": key}));
        assert_eq!(table.heard("thief"), [error("User ID already registered")]);
    }
    assert!(discover(&mut table, "bob", "alice").contains("key of alice"));
    table.tell("bob", json!({"type": "offer", "to": "alice", "offer": 1}));
    assert_eq!(table.heard("alice").len(), 1);
    table.tell("thief", json!({"type": "register", "userId": "eve", "publicKey": "pk"}));
    assert_eq!(table.heard("thief"), [registered("eve")], "its socket is as good as before");
    // Also who has an id already keeps it.
    table.tell("bob", json!({"type": "register", "userId": "alice", "publicKey": "pk"}));
    assert_eq!(table.heard("bob"), [error("User ID already registered")]);
    assert!(!is_offline(&mut table, "thief", "bob"));
}

#[test]
fn ids_that_prove_something_are_not_to_be_had_by_saying_so() {
    let mut table = Table::new();
    table.bound.push("bob@example.org".into());
    table.open("a", Dialect::Volli, "");
    let own = TestKey::new(1).id().to_string();
    for (id, told) in [
        (own.as_str(), "Invalid user ID"),
        ("~aaaaaaaaaaaaaaaaaaaa", "Invalid user ID"),
        ("line\nfeed", "Invalid user ID"),
        ("bob@example.org", "User ID already registered"),
    ] {
        table.tell("a", json!({"type": "register", "userId": id, "publicKey": "pk"}));
        assert_eq!(table.heard("a"), [error(told)], "{id}");
    }
    prove(&mut table, "a", &TestKey::new(1), "alice@example.org");
    assert_eq!(table.heard("a"), [registered("alice@example.org")], "a free name, after the store was asked");
}

#[test]
fn a_key_of_absurd_length_is_refused() {
    let mut table = Table::with(|rules, _| rules.limits.meta_bytes = 10);
    table.open("a", Dialect::Volli, "");
    for (key, told) in [("k".repeat(11), error("Public key is too long")), ("k".repeat(10), registered("a"))] {
        table.tell("a", json!({"type": "register", "userId": "a", "publicKey": key}));
        assert_eq!(table.heard("a"), [told]);
    }
}

#[test]
fn users_never_meet_across_namespaces() {
    let mut table = calls(&["alice"]);
    table.open("b", Dialect::Volli, "?ns=other");
    assert!(is_offline(&mut table, "b", "alice"));
    table.tell("b", json!({"type": "register", "userId": "alice", "publicKey": "pk"}));
    assert_eq!(table.heard("b"), [registered("alice")]);
    table.tell("alice", json!({"type": "offer", "to": "alice", "offer": 1}));
    assert!(table.heard("b").is_empty());
}

#[test]
fn a_native_peer_is_called_and_calls() {
    let mut table = calls(&["alice"]);
    let guest = table.open_native("guest");
    table.tell("alice", json!({"type": "offer", "from": "alice", "to": guest, "offer": {"sdp": "v=0"}}));
    let told = &table.heard_json("guest")[0];
    assert_eq!(
        (&told["from"], &told["kind"], &told["data"]),
        (&json!("alice"), &json!("offer"), &json!({"sdp": "v=0"}))
    );
    for (n, kind, frame) in [
        (1, "answer", r#"{"type":"answer","from":"GUEST","to":"alice","answer":{"z":1.0}}"#),
        (2, "offer", r#"{"type":"offer","from":"GUEST","to":"alice","offer":{"z":1.0}}"#),
        (3, "candidate", r#"{"type":"ice-candidate","from":"GUEST","to":"alice","candidate":{"z":1.0}}"#),
    ] {
        let signal = format!(r#"{{"type":"signal","n":{n},"to":"alice","kind":"{kind}","data":{{"z":1.0}}}}"#);
        table.say("guest", &signal);
        assert_eq!(table.heard("alice"), [frame.replace("GUEST", &guest)]);
        assert_eq!(table.heard_json("guest")[0]["status"], "delivered");
    }
    // Volli has no word for it.
    table.tell("guest", json!({"type": "signal", "n": 9, "to": "alice", "kind": "bye", "data": 1}));
    assert!(table.heard("alice").is_empty());
    assert_eq!(table.heard_json("guest")[0]["status"], "absent");
}

#[test]
fn a_native_peer_is_found_with_the_key_that_it_proved() {
    let mut table = calls(&["alice"]);
    let key = TestKey::new(1);
    let id = table.open_keyed("keyed", &key);
    assert_eq!(discover(&mut table, "alice", &id), online(&id, &key.public().to_string()));
    let guest = table.open_native("guest");
    assert_eq!(discover(&mut table, "alice", &guest), online(&guest, ""));
    table.lose("keyed");
    table.wait(6_000);
    assert!(is_offline(&mut table, "alice", &id), "it cannot be called now, though it may come back");
}

#[test]
fn a_peerjs_client_is_called_and_calls() {
    let mut table = calls(&["alice"]);
    table.open("p", Dialect::PeerJs, "?key=peerjs&id=peer&token=t");
    assert_eq!(table.heard_json("p"), [json!({"type": "OPEN"})]);
    table.tell("alice", json!({"type": "offer", "to": "peer", "offer": {"sdp": "v=0"}}));
    let told = json!({"type": "OFFER", "src": "alice", "dst": "peer", "payload": {"sdp": "v=0"}});
    assert_eq!(table.heard_json("p"), [told]);
    table.tell("p", json!({"type": "ANSWER", "dst": "alice", "payload": {"sdp": "v=0"}}));
    let told = json!({"type": "answer", "from": "peer", "to": "alice", "answer": {"sdp": "v=0"}});
    assert_eq!(table.heard_json("alice"), [told]);
    assert_eq!(discover(&mut table, "alice", "peer"), online("peer", ""));
    // What is secret in one dialect opens nothing in another.
    table.open("thief", Dialect::PeerJs, "?key=peerjs&id=alice&token=key of alice");
    assert_eq!(table.heard_json("thief")[0]["type"], "ID-TAKEN");
    table.tell("alice", json!({"type": "register", "userId": "peer", "publicKey": "t"}));
    assert_eq!(table.heard("alice"), [error("User ID already registered")]);
}

#[test]
fn who_was_put_out_by_the_owner_of_a_name_hears_why_and_its_key_is_not_shown_for_it() {
    let mut table = calls(&["alice"]);
    table.open("b", Dialect::Volli, "");
    table.tell("b", json!({"type": "register", "userId": "bob@example.org", "publicKey": "pk"}));
    table.heard("b");
    let key = TestKey::new(1);
    table.open_named("owner", &key, "bob@example.org");
    assert_eq!(table.heard_json("b")[0]["type"], "error");
    assert!(table.closed("b").is_some());
    let told = online("bob@example.org", &key.public().to_string());
    assert_eq!(discover(&mut table, "alice", "bob@example.org"), told);
}

#[test]
fn the_first_frame_tells_that_it_is_volli() {
    let mut table = Table::new();
    for (name, first) in [("a", json!({"type": "discover", "userId": "b"})), ("b", json!({"type": "challenge"}))] {
        table.open_any(name);
        table.tell(name, first);
        assert_eq!(table.heard(name).len(), 1);
        table.tell(name, json!({"type": "register", "userId": name, "publicKey": "pk"}));
        assert_eq!(table.heard(name), [registered(name)]);
    }
}

/// Users, each on a socket of its own name, with `key of NAME` as their keys.
fn calls(names: &[&str]) -> Table {
    let mut table = Table::new();
    for name in names {
        table.open(name, Dialect::Volli, "");
        table.tell(name, json!({"type": "register", "userId": name, "publicKey": format!("key of {name}")}));
        assert_eq!(table.heard_json(name), [json!({"type": "registered", "success": true, "userId": name})]);
    }
    table
}

fn registered(id: &str) -> String {
    format!(r#"{{"type":"registered","success":true,"userId":"{id}"}}"#)
}

fn error(message: &str) -> String {
    format!(r#"{{"type":"error","message":"{message}"}}"#)
}

fn online(id: &str, key: &str) -> String {
    format!(r#"{{"type":"discover-response","userId":"{id}","online":true,"publicKey":"{key}"}}"#)
}

fn discover(table: &mut Table, who: &str, id: &str) -> String {
    table.tell(who, json!({"type": "discover", "userId": id}));
    table.heard(who).pop().unwrap()
}

fn is_offline(table: &mut Table, who: &str, id: &str) -> bool {
    discover(table, who, id).ends_with(r#""online":false}"#)
}
