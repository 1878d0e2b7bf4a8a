//! Rooms: what happens by itself, and what outlives a restart.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod table;

use serde_json::{Value, json};
use table::words::{ask, den, done, host, joined, out, reached, said, seat, updated, went, with};
use table::{DAWN, Table};

#[test]
fn a_silent_member_is_dropped_and_any_request_is_a_sign_of_life() {
    let mut w = Table::new();
    let [alice, bob] = den(&mut w, ["alice@x", "bob@x"]);
    w.send(alice, &ask("room.set", json!({"term": 1, "idle": 10})));
    w.take_all();
    for request in [
        ask("room.beat", json!({})),
        ask("say", json!({"to": ["bob@x"], "data": 1})),
        ask("room.me", json!({"me": 1})),
        ask("room.join", json!({})),
        ask("room.set", json!({"term": 1})),
        // Even what is refused was said by somebody.
        ask("room.transfer", json!({"term": 9, "id": "bob@x"})),
    ] {
        w.send(bob, &ask("room.beat", json!({})));
        w.send(alice, &request);
        w.take_all();
        w.pass(9_999);
        w.expect(&[]);
    }
    w.send(alice, &ask("room.beat", json!({"n": 1})));
    w.expect(&[(alice, done(1))]);
    w.pass(1);
    w.expect(&[(bob, out("idle")), (alice, went("bob@x", "idle"))]);
    w.refused(bob, &ask("room.beat", json!({})), 4405);
}

#[test]
fn a_silent_host_is_followed_and_those_who_fall_silent_together_are_not_told_of_each_other() {
    let mut w = Table::new();
    let [alice, bob, carol] = den(&mut w, ["alice@x", "bob@x", "carol@x"]);
    w.send(alice, &ask("room.set", json!({"term": 1, "idle": 10})));
    w.pass(5_000);
    w.send(carol, &ask("room.beat", json!({})));
    w.take_all();
    w.pass(5_000);
    w.expect(&[
        (alice, out("idle")),
        (bob, out("idle")),
        (carol, went("alice@x", "idle")),
        (carol, went("bob@x", "idle")),
        (carol, host("carol@x", 2, "succeeded")),
    ]);
    w.pass(5_000);
    w.expect(&[(carol, out("idle"))]);
}

#[test]
fn the_idle_time_begins_when_it_is_set_and_ends_when_it_is_taken_away() {
    let mut w = Table::new();
    let [alice, bob] = den(&mut w, ["alice@x", "bob@x"]);
    w.pass(100_000);
    let set = |idle: u32| ask("room.set", json!({"term": 1, "idle": idle}));
    w.send(alice, &set(10));
    w.pass(9_999);
    w.send(alice, &set(1));
    w.pass(999);
    w.send(alice, &set(0));
    w.take_all();
    w.pass(100_000);
    w.expect(&[]);
    w.send(bob, &ask("room.leave", json!({})));
    w.expect(&[(alice, went("bob@x", "left"))]);
}

#[test]
fn an_empty_room_stays_as_long_as_its_host_said_within_bounds() {
    let mut w = Table::with(|rules| rules.rooms.linger_seconds_max = 100);
    for (linger, stays_ms) in [(json!(null), 60_000), (json!(7), 7_000), (json!(1_000), 100_000)] {
        let alice = w.open("alice@x");
        w.send(alice, &ask("room.create", json!({"linger": linger})));
        w.send(alice, &ask("room.leave", json!({})));
        w.take_all();
        w.pass(stays_ms - 1);
        assert_eq!(w.world.hub.counts().rooms, 1);
        w.pass(1);
        assert_eq!(w.world.hub.counts().rooms, 0);
        w.refused(alice, &ask("room.join", json!({})), 4404);
        // What is made under the name later is another room.
        w.send(alice, &ask("room.create", json!({"linger": 0})));
        w.expect(&[(alice, joined("alice@x", 1, &[]))]);
        w.send(alice, &json!({"type": "bye"}));
        w.expect(&[(alice, json!({"close": 1000}))]);
        assert_eq!(w.world.hub.counts().rooms, 0);
    }
}

#[test]
fn bans_and_options_stay_with_the_empty_room() {
    let mut w = Table::new();
    let [alice] = den(&mut w, ["alice@x"]);
    let [bob, carol] = ["bob@x", "carol@x"].map(|id| w.open(id));
    w.send(alice, &ask("room.ban", json!({"term": 1, "id": "bob@x"})));
    w.send(alice, &ask("room.set", json!({"term": 1, "password": "p"})));
    w.send(alice, &ask("room.leave", json!({})));
    w.take_all();
    w.pass(30_000);
    w.refused(bob, &ask("room.join", json!({"password": "p"})), 4410);
    w.refused(carol, &ask("room.join", json!({})), 4408);
    w.send(carol, &ask("room.join", json!({"password": "p"})));
    w.expect(&[(carol, with(joined("carol@x", 2, &[]), json!({"password": true})))]);
}

#[test]
fn a_room_outlives_a_restart_in_every_detail() {
    let mut w = Table::new();
    let [alice, bob, carol] = den(&mut w, ["alice@x", "bob@x", "carol@x"]);
    let dave = w.open("dave@x");
    let options = json!({"term": 1, "mode": "FREE_FOR_ALL", "listed": true, "capacity": 5, "password": "p",
        "meta": {"m": 1.50}, "linger": 3, "idle": 600});
    w.send(alice, &ask("room.set", options));
    w.send(alice, &ask("room.ban", json!({"term": 1, "id": "eve@x"})));
    w.send(alice, &ask("room.transfer", json!({"term": 1, "id": "bob@x"})));
    w.send(bob, &ask("room.state", json!({"term": 2, "state": {"s": 1}})));
    w.send(carol, &ask("room.me", json!({"me": "C"})));
    w.send(bob, &ask("room.code", json!({"n": 1})));
    let code = w.take(bob).pop().unwrap()["code"].clone();
    w.take_all();
    w.pass(1_000);

    w.restart(10_000);
    let [alice, bob, carol] = [alice, bob, carol].map(|old| w.resume(old));
    let dave = w.resume(dave);
    let eve = w.open("eve@x");
    w.expect(&[]);
    let told = json!({"mode": "FREE_FOR_ALL", "listed": true, "capacity": 5, "password": true, "meta": {"m": 1.50}});
    let carol_seen = with(seat("carol@x", true), json!({"me": "C"}));
    w.send(alice, &ask("room.join", json!({})));
    w.expect(&[(alice, with(joined("bob@x", 2, &[seat("bob@x", true), carol_seen.clone()]), told.clone()))]);
    w.send(bob, &ask("room.join", json!({})));
    let mine = with(told.clone(), json!({"state": {"s": 1}}));
    w.expect(&[(bob, with(joined("bob@x", 2, &[seat("alice@x", false), carol_seen]), mine))]);
    w.send(alice, &ask("say", json!({"n": 1, "data": "still here?"})));
    w.expect(&[(alice, reached(1, 2)), (bob, said("alice@x", "still here?")), (carol, said("alice@x", "still here?"))]);
    w.refused(eve, &ask("room.join", json!({"password": "p"})), 4410);
    w.refused(dave, &json!({"type": "room.join", "code": code}), 4408);
    w.send(dave, &json!({"type": "room.join", "code": code, "password": "p"}));
    assert_eq!(w.take_all().len(), 4);
    w.send(dave, &json!({"type": "room.list"}));
    assert_eq!(w.take_one(dave)["rooms"][0]["members"], 4);
    w.refused(alice, &ask("room.set", json!({"term": 1})), 4409);
    // Its end is kept too.
    for member in [alice, bob, carol, dave] {
        w.send(member, &ask("room.leave", json!({})));
    }
    w.take_all();
    w.pass(2_999);
    assert_eq!(w.world.hub.counts().rooms, 1);
    w.pass(1);
    assert_eq!(w.world.hub.counts().rooms, 0);
}

#[test]
fn spans_go_on_after_a_restart_where_they_stood() {
    let mut w = Table::new();
    let alice = w.open("alice@x");
    w.send(alice, &json!({"type": "room.create", "room": "empty"}));
    w.send(alice, &json!({"type": "room.leave", "room": "empty"}));
    w.send(alice, &ask("room.create", json!({"idle": 20})));
    w.take_all();
    w.pass(15_000);
    w.restart(40_000);
    let alice = w.resume(alice);
    // The empty room had 45 s left. The silence of a member begins anew, for it could not speak.
    w.pass(19_999);
    w.send(alice, &ask("room.beat", json!({})));
    w.pass(19_999);
    w.send(alice, &ask("room.beat", json!({})));
    w.expect(&[]);
    w.pass(5_001);
    assert_eq!(w.world.hub.counts().rooms, 2);
    w.pass(1);
    assert_eq!(w.world.hub.counts().rooms, 1);
    w.pass(14_998);
    w.expect(&[(alice, out("idle"))]);
}

#[test]
fn a_code_is_never_good_for_longer_than_was_told() {
    let mut w = Table::new();
    let [alice] = den(&mut w, ["alice@x"]);
    let bob = w.open("bob@x");
    w.send(alice, &ask("room.code", json!({})));
    let told = w.take_one(alice);
    assert_eq!(told["expires"], json!(DAWN + 900_000));
    w.restart(899_000);
    let bob = w.resume(bob);
    let join = json!({"type": "room.join", "code": told["code"]});
    w.pass(999);
    w.send(bob, &join);
    assert_eq!(w.take_one(bob)["type"], "room.joined");
    w.pass(1);
    let carol = w.open("carol@x");
    w.refused(carol, &join, 4404);
}

#[test]
fn members_that_did_not_outlive_the_restart_are_gone_and_a_lost_host_is_followed() {
    let mut w = Table::new();
    let [_, bob, carol] = den(&mut w, ["alice@x", "bob@x", "carol@x"]);
    w.restart_with(0, |saved| forget_sessions(saved, &["alice@x"]));
    let [bob, carol] = [bob, carol].map(|old| w.resume(old));
    w.expect(&[
        (bob, went("alice@x", "gone")),
        (bob, host("bob@x", 2, "succeeded")),
        (carol, went("alice@x", "gone")),
        (carol, host("bob@x", 2, "succeeded")),
    ]);
}

#[test]
fn a_room_whose_members_are_all_lost_lingers_from_the_restart_on() {
    let mut w = Table::new();
    let [alice] = den(&mut w, ["alice@x"]);
    w.send(alice, &ask("room.state", json!({"term": 1, "state": 5})));
    w.restart_with(0, |saved| forget_sessions(saved, &["alice@x"]));
    w.pass(59_999);
    assert_eq!(w.world.hub.counts().rooms, 1);
    let bob = w.open("bob@x");
    w.send(bob, &ask("room.join", json!({})));
    w.expect(&[(bob, with(joined("bob@x", 2, &[]), json!({"state": 5})))]);
}

#[test]
fn a_member_that_was_away_at_the_restart_is_still_away_and_comes_back() {
    let mut w = Table::new();
    let [alice, bob] = den(&mut w, ["alice@x", "bob@x"]);
    w.cut(bob);
    w.pass(5_000);
    w.take_all();
    w.restart(1_000);
    let alice = w.resume(alice);
    w.send(alice, &ask("room.join", json!({})));
    let away = with(seat("bob@x", true), json!({"state": "away"}));
    w.expect(&[(alice, joined("alice@x", 1, &[away]))]);
    w.resume(bob);
    w.expect(&[(alice, updated(seat("bob@x", true)))]);
}

/// Takes sessions out of a written snapshot, as if they could not be resumed.
fn forget_sessions(saved: &mut Value, ids: &[&str]) {
    let mut found = 0;
    for shard in saved["peers"].as_array_mut().unwrap() {
        let sessions = shard["sessions"].as_array_mut().unwrap();
        let before = sessions.len();
        sessions.retain(|session| !ids.iter().any(|id| session["party"]["id"] == json!(id)));
        found += before - sessions.len();
    }
    assert_eq!(found, ids.len());
}
