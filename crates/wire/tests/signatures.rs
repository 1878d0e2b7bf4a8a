//! The vectors of signatures, with the P-256 check that the server uses.
#![allow(clippy::unwrap_used)]

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;
use wigwag_testkit::spec::vectors;
use wigwag_testkit::{HelloFrame, TestKey};
use wigwag_wire::signature::{HelloStatement, NameStatement, verify};
use wigwag_wire::{Limits, PublicKey, Request};

#[test]
fn a_hello_holds_only_for_its_own_statement_and_key() {
    let all: Value = vectors("hello_signatures.json");
    for case in all["cases"].as_array().unwrap() {
        let text = |field: &str| case[field].as_str().unwrap();
        let key = PublicKey::parse(text("key")).unwrap();
        let statement = HelloStatement {
            server: text("server"),
            nonce: text("nonce"),
            namespace: text("namespace"),
            id: text("id"),
            device: text("device"),
            key: &key,
        };
        check(case, &key, &statement.bytes());
    }
}

#[test]
fn a_change_of_keys_holds_only_for_its_own_statement_and_key() {
    let all: Value = vectors("name_signatures.json");
    for case in all["cases"].as_array().unwrap() {
        let text = |field: &str| case[field].as_str().unwrap();
        let key = PublicKey::parse(text("key")).unwrap();
        let statement = NameStatement {
            server: text("server"),
            nonce: text("nonce"),
            namespace: text("namespace"),
            name: text("name"),
            op: text("op"),
            key: &key,
        };
        check(case, &PublicKey::parse(text("acting")).unwrap(), &statement.bytes());
    }
}

#[test]
fn what_the_builder_makes_is_what_a_hello_states_of_itself() {
    let key = TestKey::new(7);
    let challenge = r#"{"type":"challenge","server":"wigwag.test","nonce":"abcdefghijklmnop"}"#;
    for hello in [
        HelloFrame::new(),
        HelloFrame::new().namespace("chess").device("laptop"),
        HelloFrame::new().id("bob@example.org").resume("token", 3),
    ] {
        let frame = hello.prove(&key, challenge);
        let Ok((_, Request::Hello(read))) = Request::parse(&frame, &Limits::default()) else {
            panic!("{frame} is no hello")
        };
        let statement = read.statement("wigwag.test", "abcdefghijklmnop", &key.public());
        assert_eq!(read.key, Some(key.public()));
        assert!(verify(&key.public(), &statement, read.signature.as_deref().unwrap(), |_, _, _| false), "{frame}");
    }
}

fn check(case: &Value, key: &PublicKey, statement: &[u8]) {
    assert_eq!(std::str::from_utf8(statement), Ok(case["statement"].as_str().unwrap()), "{case}");
    let holds = verify(key, statement, case["signature"].as_str().unwrap(), p256);
    assert_eq!(Some(holds), case["ok"].as_bool(), "{case}");
}

fn p256(key: &[u8; 33], message: &[u8], signature: &[u8; 64]) -> bool {
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(message, signature).is_ok()
}
