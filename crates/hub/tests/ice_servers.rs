//! ICE servers: in the welcome, on request, and by push before they expire.
#![allow(clippy::unwrap_used)]

mod world;

use serde_json::{Value, json};
use wigwag_hub::IceRules;
use world::{BEGIN, World};

#[test]
fn credentials_come_with_the_welcome_and_are_pushed_anew_before_they_expire() {
    let mut w = turn(120);
    let peer = w.named("alice@x", 1);
    let (alice, welcome) = (peer.socket, peer.welcome);
    assert_eq!(welcome["ice_expires"], BEGIN.wall.0 + 120_000);
    assert!(username(&welcome["ice"]).starts_with(&format!("{}:", BEGIN.wall.0 / 1_000 + 120)));
    w.advance(89_999);
    w.quiet();
    w.advance(1);
    let pushed = w.next(alice);
    assert_eq!((&pushed["type"], &pushed["expires"]), (&json!("ice"), &json!(BEGIN.wall.0 + 210_000)));
    assert_ne!(username(&pushed["servers"]), username(&welcome["ice"]));
    w.advance(90_000);
    assert_eq!(w.next(alice)["expires"], BEGIN.wall.0 + 300_000);
}

#[test]
fn whoever_asks_gets_fresh_ones_and_where_nothing_expires_nothing_is_pushed() {
    let mut w = turn(3_600);
    let alice = w.named("alice@x", 1);
    w.advance(10_000);
    w.send(&alice, json!({"type": "ice", "n": 1}));
    let answer = w.next(&alice);
    assert_eq!((&answer["re"], &answer["expires"]), (&json!(1), &json!(BEGIN.wall.0 + 3_610_000)));

    let mut plain = World::new();
    let bob = plain.named("bob@x", 2);
    plain.advance(100_000_000);
    plain.send(&bob, json!({"type": "ice", "n": 1}));
    plain.expect(&bob, [json!({"type": "ice", "re": 1, "servers": []})]);
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
