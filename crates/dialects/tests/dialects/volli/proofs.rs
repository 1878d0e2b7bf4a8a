//! Volli users who prove their key.

use serde_json::json;
use wigwag_dialects::Dialect;
use wigwag_testkit::TestKey;

use super::{calls, discover, error, is_offline, registered};
use crate::table::Table;

#[test]
fn the_key_that_was_proved_takes_its_id_over_from_a_lost_socket_and_no_other_key_does() {
    let mut table = Table::new();
    let (own, other) = (TestKey::new(1), TestKey::new(2));
    for name in ["old", "new", "thief", "bob"] {
        table.open(name, Dialect::Volli, "");
    }
    prove(&mut table, "old", &own, "alice");
    assert_eq!(table.heard("old"), [registered("alice")]);
    prove(&mut table, "thief", &other, "alice");
    table.tell("thief", json!({"type": "register", "userId": "alice", "publicKey": own.public().to_string()}));
    assert_eq!(table.heard("thief"), [error("User ID already registered"), error("User ID already registered")]);
    prove(&mut table, "new", &own, "alice");
    assert_eq!(table.heard("new"), [registered("alice")]);
    assert!(table.closed("old").is_some());
    table.lose("old");
    assert!(
        discover(&mut table, "bob", "alice").contains(&own.public().to_string()),
        "the old socket takes nothing along"
    );
}

#[test]
fn a_signature_that_does_not_hold_is_refused_and_changes_nothing() {
    let mut table = calls(&["bob"]);
    table.open("a", Dialect::Volli, "?ns=default");
    let key = TestKey::new(1);
    let public = key.public().to_string();
    let good = |nonce: &str| statement("localhost", nonce, "default", "alice", &key);
    for forge in [
        (|nonce, key| statement("elsewhere", nonce, "default", "alice", key)) as fn(&str, &TestKey) -> String,
        |_, key| statement("localhost", "AAAAAAAAAAAAAAAAAAAAAA", "default", "alice", key),
        |nonce, key| statement("localhost", nonce, "", "alice", key),
        |nonce, key| statement("localhost", nonce, "default", "bob", key),
        |nonce, _| statement("localhost", nonce, "default", "alice", &TestKey::new(2)),
        |_, _| "no statement".into(),
    ] {
        let nonce = challenge(&mut table, "a");
        let signature = key.sign(forge(&nonce, &key).as_bytes());
        table.tell("a", json!({"type": "register", "userId": "alice", "publicKey": public, "signature": signature}));
        assert_eq!(table.heard("a"), [error("Invalid signature")]);
    }
    let nonce = challenge(&mut table, "a");
    for (public, signature) in
        [("no key", key.sign(good(&nonce).as_bytes())), (&*public, "!".into()), (&*public, "A".repeat(9_000))]
    {
        let nonce = challenge(&mut table, "a");
        assert!(!nonce.is_empty());
        table.tell("a", json!({"type": "register", "userId": "alice", "publicKey": public, "signature": signature}));
        assert_eq!(table.heard("a"), [error("Invalid signature")]);
    }
    assert!(is_offline(&mut table, "bob", "alice"));
    let nonce = challenge(&mut table, "a");
    let signature = key.sign(good(&nonce).as_bytes());
    table.tell("a", json!({"type": "register", "userId": "alice", "publicKey": public, "signature": signature}));
    assert_eq!(table.heard("a"), [registered("alice")]);
}

#[test]
fn a_nonce_is_good_for_one_signature() {
    let mut table = Table::new();
    table.open("a", Dialect::Volli, "");
    let key = TestKey::new(1);
    let nonce = challenge(&mut table, "a");
    table.tell(
        "a",
        json!({"type": "register", "userId": "alice", "publicKey": key.public().to_string(), "signature": "bad"}),
    );
    assert_eq!(table.heard("a"), [error("Invalid signature")]);
    // Now it is the plain form, which proves nothing.
    let signature = key.sign(statement("localhost", &nonce, "", "alice", &key).as_bytes());
    table.tell(
        "a",
        json!({"type": "register", "userId": "alice", "publicKey": key.public().to_string(), "signature": signature}),
    );
    assert_eq!(table.heard("a"), [registered("alice")]);
    // Nor is one that held good for the next.
    prove(&mut table, "a", &key, "alice");
    table.tell("a", json!({"type": "register", "userId": "alice", "publicKey": "pk", "signature": "bad"}));
    assert_eq!(table.heard("a"), [registered("alice"), registered("alice")]);
    table.open("b", Dialect::Volli, "");
    prove(&mut table, "b", &key, "alice");
    assert_eq!(table.heard("b"), [error("User ID already registered")]);
}

#[test]
fn a_signature_that_nobody_asked_for_is_accepted_as_the_plain_form() {
    let mut table = Table::new();
    table.open("a", Dialect::Volli, "");
    table.tell("a", json!({"type": "register", "userId": "alice", "publicKey": "pk", "signature": "whatever"}));
    assert_eq!(table.heard("a"), [registered("alice")]);
}

#[test]
fn a_proof_may_come_later_and_goes_with_another_key() {
    let mut table = Table::new();
    let (key, other) = (TestKey::new(1), TestKey::new(2));
    let plain = json!({"type": "register", "userId": "alice", "publicKey": key.public().to_string()});
    for name in ["a", "b", "c"] {
        table.open(name, Dialect::Volli, "");
    }
    table.tell("a", plain.clone());
    prove(&mut table, "a", &key, "alice");
    table.tell("a", plain);
    table.heard("a");
    prove(&mut table, "b", &key, "alice");
    assert_eq!(table.heard("b"), [registered("alice")], "the plain form of the same key takes nothing away");
    table.tell("b", json!({"type": "register", "userId": "alice", "publicKey": other.public().to_string()}));
    table.heard("b");
    prove(&mut table, "c", &key, "alice");
    assert_eq!(table.heard("c"), [error("User ID already registered")], "that key is not shown any more");
}

#[test]
fn a_key_is_proved_in_either_spelling_of_base64() {
    let mut table = Table::new();
    table.open("a", Dialect::Volli, "");
    let key = TestKey::new(3);
    let other = |text: &str| text.replace('-', "+").replace('_', "/");
    let public = format!("{}=", other(key.public().to_string().trim_start_matches("ed25519:")));
    let nonce = challenge(&mut table, "a");
    let signature = format!("{}==", other(&key.sign(statement("localhost", &nonce, "", "alice", &key).as_bytes())));
    table.tell("a", json!({"type": "register", "userId": "alice", "publicKey": public, "signature": signature}));
    assert_eq!(table.heard("a"), [registered("alice")]);
    table.open("b", Dialect::Volli, "");
    prove(&mut table, "b", &key, "alice");
    assert_eq!(table.heard("b"), [registered("alice")]);
}

/// Asks for a nonce.
fn challenge(table: &mut Table, who: &str) -> String {
    table.tell(who, json!({"type": "challenge"}));
    let told = table.heard_json(who).pop().unwrap();
    assert_eq!((&told["type"], &told["server"]), (&json!("challenge"), &json!("localhost")));
    told["nonce"].as_str().unwrap().to_owned()
}

/// What is signed, as the page about this dialect says.
fn statement(server: &str, nonce: &str, namespace: &str, user: &str, key: &TestKey) -> String {
    format!("wigwag.1 volli\n{server}\n{nonce}\n{namespace}\n{user}\n{}", key.public())
}

/// Registers with a proof.
pub(super) fn prove(table: &mut Table, who: &str, key: &TestKey, id: &str) {
    let nonce = challenge(table, who);
    let signature = key.sign(statement("localhost", &nonce, "", id, key).as_bytes());
    let public = key.public().to_string();
    table.tell(who, json!({"type": "register", "userId": id, "publicKey": public, "signature": signature}));
}
