//! ICE servers: in the welcome, on request, and by push before they expire.
#![allow(clippy::unwrap_used)]

mod common;

use common::{DAWN, Login, World};
use serde_json::{Value, json};
use wigwag_hub::IceRules;

#[test]
fn credentials_come_with_the_welcome_and_are_pushed_anew_before_they_expire() {
    let mut w = turn(120);
    let alice = w.connect(Login::new("alice@x"));
    let welcome = w.hello(alice);
    assert_eq!(welcome["ice_expires"], DAWN + 120_000);
    assert!(username(&welcome["ice"]).starts_with(&format!("{}:", DAWN / 1_000 + 120)));
    w.pass(89_999);
    w.expect(&[]);
    w.pass(1);
    let pushed = w.take_one(alice);
    assert_eq!((&pushed["type"], &pushed["expires"]), (&json!("ice"), &json!(DAWN + 210_000)));
    assert_ne!(username(&pushed["servers"]), username(&welcome["ice"]));
    w.pass(90_000);
    assert_eq!(w.take_one(alice)["expires"], DAWN + 300_000);
}

#[test]
fn whoever_asks_gets_fresh_ones_and_where_nothing_expires_nothing_is_pushed() {
    let mut w = turn(3_600);
    let alice = w.open("alice@x");
    w.pass(10_000);
    w.send(alice, &json!({"type": "ice", "n": 1}));
    let answer = w.take_one(alice);
    assert_eq!((&answer["re"], &answer["expires"]), (&json!(1), &json!(DAWN + 3_610_000)));

    let mut plain = World::new();
    let bob = plain.open("bob@x");
    plain.pass(100_000_000);
    plain.send(bob, &json!({"type": "ice", "n": 1}));
    plain.expect(&[(bob, json!({"type": "ice", "re": 1, "servers": []}))]);
}

fn turn(seconds: u64) -> World {
    World::with(|r| {
        r.ice = IceRules {
            servers: Vec::new(),
            turn_urls: vec!["turn:turn.example.org:3478".into()],
            turn_secret: "north wind and sun".into(),
            turn_seconds: seconds,
        };
    })
}

fn username(servers: &Value) -> String {
    servers[0]["username"].as_str().unwrap().to_owned()
}
