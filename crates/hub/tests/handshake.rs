//! How sockets prove themselves.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use serde_json::json;
use world::{World, key_id};

#[test]
fn a_guest_and_two_kinds_of_ids_are_welcomed() {
    let mut world = World::new();
    assert!(world.guest().id.starts_with('~'));
    assert_eq!(world.keyed(1).id, key_id(1));
    let bob = world.named("bob@example.org", 2);
    assert_eq!(bob.id, "bob@example.org");
    world.send(&bob, json!({"type": "find", "n": 1, "id": key_id(1)}));
    world.expect(
        &bob,
        [json!({"type": "found", "re": 1, "id": key_id(1), "state": "here", "devices": [{"device": "", "state": "here"}], "polite": "*"})],
    );
}
