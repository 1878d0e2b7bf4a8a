//! Rooms: coming, going, and what members see of each other.
#![allow(clippy::unwrap_used)]

mod common;

use common::{DAWN, World};
use serde_json::json;

#[test]
fn whoever_makes_a_room_is_its_host_in_term_one() {
    let mut w = World::new();
    let alice = w.open("alice@x");
    w.send(
        alice,
        &json!({"type": "room.create", "n": 1, "room": "den", "me": {"nick": "Al"}, "meta": {"title": "Friday"}}),
    );
    w.expect(&[(
        alice,
        json!({"type": "room.joined", "re": 1, "room": "den", "host": {"id": "alice@x"}, "term": 1, "mode": "HOST_ONLY",
            "locked": false, "listed": false, "capacity": 100, "password": false, "meta": {"title": "Friday"}, "members": []}),
    )]);
}

#[test]
fn a_newcomer_gets_the_room_and_the_others_get_the_newcomer() {
    let mut w = World::new();
    let [alice, bob, carol] = ["alice@x", "bob@x", "carol@x"].map(|id| w.open(id));
    w.send(bob, &json!({"type": "room.create", "room": "den"}));
    w.pass(1_000);
    w.send(carol, &json!({"type": "room.join", "room": "den", "me": {"nick": "C"}}));
    w.take_all();
    w.pass(1_000);
    w.send(alice, &json!({"type": "room.join", "n": 1, "room": "den"}));
    let joined = |polite: bool| {
        json!({"type": "room.member", "room": "den", "change": "joined", "id": "alice@x", "state": "here",
            "joined": DAWN + 2_000, "polite": polite})
    };
    w.expect(&[
        (
            alice,
            json!({"type": "room.joined", "re": 1, "room": "den", "host": {"id": "bob@x"}, "term": 1, "mode": "HOST_ONLY",
                "locked": false, "listed": false, "capacity": 100, "password": false, "members": [
                    {"id": "bob@x", "state": "here", "joined": DAWN, "polite": true},
                    {"id": "carol@x", "state": "here", "joined": DAWN + 1_000, "me": {"nick": "C"}, "polite": true}]}),
        ),
        (bob, joined(false)),
        (carol, joined(false)),
    ]);
}
