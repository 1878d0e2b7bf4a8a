//! Rooms: what the host may do, who follows it, and in which term.

mod table;

use serde_json::json;
use table::words::{ask, came, changed, den, done, host, joined, out, seat, updated, went, with};
use table::{DAWN, Table};

#[test]
fn the_host_changes_options_and_all_are_told_all_of_them() {
    let mut w = Table::new();
    let [alice, bob] = den(&mut w, ["alice@x", "bob@x"]);
    let options = json!({"mode": "FREE_FOR_ALL", "locked": true, "listed": true, "capacity": 9, "password": "p",
        "meta": {"a": 1}, "linger": 1, "idle": 0});
    w.send(alice, &with(ask("room.set", json!({"n": 1, "term": 1})), options));
    let told = changed(json!({"mode": "FREE_FOR_ALL", "locked": true, "listed": true, "capacity": 9, "password": true,
        "meta": {"a": 1}}));
    w.expect(&[(alice, told.clone()), (alice, done(1)), (bob, told)]);
    // What is left out stays; an empty password is none.
    w.send(alice, &ask("room.set", json!({"term": 1, "password": "", "mode": "HOST_ONLY"})));
    let told = changed(json!({"locked": true, "listed": true, "capacity": 9, "meta": {"a": 1}}));
    w.expect(&[(alice, told.clone()), (bob, told)]);
}

#[test]
fn a_capacity_is_never_above_the_servers_and_drops_nobody() {
    let mut w = Table::with(|rules| rules.limits.members_per_room = 50);
    let alice = w.open("alice@x");
    w.send(alice, &ask("room.create", json!({})));
    assert_eq!(w.take_one(alice)["capacity"], 50);
    w.send(alice, &ask("room.set", json!({"term": 1, "capacity": 51})));
    w.expect(&[(alice, changed(json!({"capacity": 50})))]);
    let bob = w.open("bob@x");
    w.send(bob, &ask("room.join", json!({})));
    w.take_all();
    w.send(alice, &ask("room.set", json!({"term": 1, "capacity": 1})));
    let told = changed(json!({"capacity": 1}));
    w.expect(&[(alice, told.clone()), (bob, told)]);
    w.refused(alice, &ask("room.set", json!({"term": 1, "capacity": 0})), 4402);
}

#[test]
fn every_order_wants_the_present_term_and_the_host() {
    let mut w = Table::new();
    let [alice, bob] = den(&mut w, ["alice@x", "bob@x"]);
    for kind in ["room.set", "room.kick", "room.ban", "room.unban", "room.transfer", "room.state"] {
        let order = |term: u64| ask(kind, json!({"n": null, "term": term, "id": "bob@x", "state": 1, "locked": true}));
        w.refused(alice, &order(0), 4409);
        w.refused(alice, &order(2), 4409);
        w.refused(bob, &order(2), 4409);
        w.refused(bob, &order(1), 4403);
    }
    w.refused(bob, &ask("room.code", json!({"n": 1})), 4403);
    // Nothing has changed.
    w.send(bob, &ask("room.join", json!({})));
    w.expect(&[(bob, joined("alice@x", 1, &[seat("alice@x", false)]))]);
}

#[test]
fn a_kicked_member_is_told_why_and_may_come_back() {
    let mut w = Table::new();
    let [alice, bob, carol] = den(&mut w, ["alice@x", "bob@x", "carol@x"]);
    w.send(alice, &ask("room.kick", json!({"n": 1, "term": 1, "id": "bob@x", "reason": "Time for bed."})));
    w.expect(&[
        (bob, with(out("kicked"), json!({"reason": "Time for bed."}))),
        (alice, went("bob@x", "kicked")),
        (alice, done(1)),
        (carol, went("bob@x", "kicked")),
    ]);
    w.refused(alice, &ask("room.kick", json!({"term": 1, "id": "bob@x"})), 4404);
    w.send(bob, &ask("room.join", json!({})));
    w.expect(&[
        (bob, joined("alice@x", 1, &[seat("alice@x", false), seat("carol@x", true)])),
        (alice, came(seat("bob@x", true))),
        (carol, came(seat("bob@x", false))),
    ]);
}

#[test]
fn one_device_or_all_of_an_id_are_kicked() {
    let mut w = Table::new();
    let [alice, bob] = den(&mut w, ["alice@x", "bob@x"]);
    let phone = w.login(json!({"id": "bob@x", "device": "phone"}));
    let join = ask("room.join", json!({}));
    w.send(phone, &join);
    w.take_all();
    w.refused(alice, &ask("room.kick", json!({"term": 1, "id": "bob@x", "device": "tablet"})), 4404);
    w.send(alice, &ask("room.kick", json!({"term": 1, "id": "bob@x", "device": "phone"})));
    let phone_went = with(went("bob@x", "kicked"), json!({"device": "phone"}));
    w.expect(&[(phone, out("kicked")), (alice, phone_went.clone()), (bob, phone_went.clone())]);
    w.send(phone, &join);
    w.take_all();
    w.send(alice, &ask("room.kick", json!({"term": 1, "id": "bob@x"})));
    w.expect(&[(phone, out("kicked")), (bob, out("kicked")), (alice, went("bob@x", "kicked")), (alice, phone_went)]);
}

#[test]
fn the_host_cannot_be_sent_away() {
    let mut w = Table::new();
    let [alice] = den(&mut w, ["alice@x"]);
    let phone = w.login(json!({"id": "alice@x", "device": "phone"}));
    w.send(phone, &ask("room.join", json!({})));
    w.take_all();
    for order in [
        ask("room.kick", json!({"term": 1, "id": "alice@x"})),
        ask("room.kick", json!({"term": 1, "id": "alice@x", "device": ""})),
        ask("room.ban", json!({"term": 1, "id": "alice@x"})),
    ] {
        w.refused(alice, &order, 4403);
    }
    w.send(alice, &ask("room.kick", json!({"term": 1, "id": "alice@x", "device": "phone"})));
    w.expect(&[(phone, out("kicked")), (alice, with(went("alice@x", "kicked"), json!({"device": "phone"})))]);
}

#[test]
fn a_banned_id_is_out_on_all_devices_until_it_is_unbanned() {
    let mut w = Table::new();
    let [alice, bob] = den(&mut w, ["alice@x", "bob@x"]);
    let phone = w.login(json!({"id": "bob@x", "device": "phone"}));
    w.send(alice, &ask("room.ban", json!({"n": 1, "term": 1, "id": "bob@x", "reason": "Enough."})));
    w.expect(&[
        (bob, with(out("banned"), json!({"reason": "Enough."}))),
        (alice, went("bob@x", "banned")),
        (alice, done(1)),
    ]);
    w.refused(bob, &ask("room.join", json!({})), 4410);
    w.refused(phone, &ask("room.join", json!({"create": true})), 4410);
    w.send(alice, &ask("room.unban", json!({"n": 2, "term": 1, "id": "bob@x"})));
    w.send(alice, &ask("room.unban", json!({"n": 3, "term": 1, "id": "nobody@x"})));
    w.expect(&[(alice, done(2)), (alice, done(3))]);
    w.send(bob, &ask("room.join", json!({})));
    w.expect(&[(bob, joined("alice@x", 1, &[seat("alice@x", false)])), (alice, came(seat("bob@x", true)))]);
}

#[test]
fn bans_are_bounded_and_one_id_counts_once() {
    let mut w = Table::with(|rules| rules.limits.bans_per_room = 2);
    let [alice, bob] = den(&mut w, ["alice@x", "bob@x"]);
    let ban = |id: &str| ask("room.ban", json!({"term": 1, "id": id}));
    for id in ["one@x", "two@x", "two@x"] {
        w.send(alice, &ban(id));
    }
    w.refused(alice, &ban("bob@x"), 4411);
    w.send(alice, &ask("room.unban", json!({"term": 1, "id": "one@x"})));
    w.send(alice, &ban("bob@x"));
    w.expect(&[(bob, out("banned")), (alice, went("bob@x", "banned"))]);
}

#[test]
fn the_host_hands_the_room_on_with_what_it_left() {
    let mut w = Table::new();
    let [alice, bob, carol] = den(&mut w, ["alice@x", "bob@x", "carol@x"]);
    w.send(alice, &ask("room.state", json!({"n": 1, "term": 1, "state": {"at": 1}})));
    w.send(alice, &ask("room.state", json!({"n": 2, "term": 1, "state": {"at": 2}})));
    w.expect(&[(alice, done(1)), (alice, done(2))]);
    w.send(alice, &ask("room.transfer", json!({"n": 3, "term": 1, "id": "carol@x"})));
    let told = host("carol@x", 2, "transferred");
    w.expect(&[
        (alice, told.clone()),
        (alice, done(3)),
        (bob, told.clone()),
        (carol, with(told, json!({"state": {"at": 2}}))),
    ]);
    // The old host's orders come too late, whatever term they name.
    w.refused(alice, &ask("room.set", json!({"term": 1, "locked": true})), 4409);
    w.refused(alice, &ask("room.set", json!({"term": 2, "locked": true})), 4403);
    w.send(carol, &ask("room.kick", json!({"n": 1, "term": 2, "id": "alice@x"})));
    w.expect(&[
        (alice, out("kicked")),
        (bob, went("alice@x", "kicked")),
        (carol, went("alice@x", "kicked")),
        (carol, done(1)),
    ]);
}

#[test]
fn a_transfer_names_a_member() {
    let mut w = Table::new();
    let [alice, bob] = den(&mut w, ["alice@x", "bob@x"]);
    let phone = w.login(json!({"id": "bob@x", "device": "phone"}));
    w.send(phone, &ask("room.join", json!({})));
    w.take_all();
    w.refused(alice, &ask("room.transfer", json!({"term": 1, "id": "eve@x"})), 4404);
    w.refused(alice, &ask("room.transfer", json!({"term": 1, "id": "bob@x", "device": "tablet"})), 4404);
    // To the host itself it changes nothing.
    w.send(alice, &ask("room.transfer", json!({"n": 1, "term": 1, "id": "alice@x"})));
    w.expect(&[(alice, done(1))]);
    w.send(alice, &ask("room.transfer", json!({"term": 1, "id": "bob@x", "device": "phone"})));
    let told = with(host("bob@x", 2, "transferred"), json!({"host": {"id": "bob@x", "device": "phone"}}));
    w.expect(&[(alice, told.clone()), (bob, told.clone()), (phone, told)]);
    // Without a device it is the one that is there longest.
    w.send(phone, &ask("room.transfer", json!({"term": 2, "id": "bob@x"})));
    let told = host("bob@x", 3, "transferred");
    w.expect(&[(alice, told.clone()), (bob, told.clone()), (phone, told)]);
}

#[test]
fn when_the_host_leaves_the_longest_standing_member_follows() {
    let mut w = Table::new();
    let [carol, bob, alice] = den(&mut w, ["carol@x", "bob@x", "alice@x"]);
    w.send(carol, &ask("room.state", json!({"term": 1, "state": "chapter 3"})));
    w.send(carol, &ask("room.leave", json!({"n": 1})));
    w.expect(&[
        (carol, done(1)),
        (bob, went("carol@x", "left")),
        (bob, with(host("bob@x", 2, "succeeded"), json!({"state": "chapter 3"}))),
        (alice, went("carol@x", "left")),
        (alice, host("bob@x", 2, "succeeded")),
    ]);
    // Who comes back stands last.
    w.send(carol, &ask("room.join", json!({})));
    w.take_all();
    w.send(bob, &json!({"type": "bye"}));
    w.expect(&[
        (bob, json!({"close": 1000})),
        (alice, went("bob@x", "gone")),
        (alice, with(host("alice@x", 3, "succeeded"), json!({"state": "chapter 3"}))),
        (carol, went("bob@x", "gone")),
        (carol, host("alice@x", 3, "succeeded")),
    ]);
}

#[test]
fn a_host_that_is_only_away_stays_host_until_its_session_ends() {
    let mut w = Table::new();
    let [alice, bob] = den(&mut w, ["alice@x", "bob@x"]);
    w.cut(alice);
    w.pass(119_999);
    w.expect(&[(bob, updated(with(seat("alice@x", false), json!({"state": "away"}))))]);
    let alice = w.resume(alice);
    w.expect(&[(bob, updated(seat("alice@x", false)))]);
    w.send(alice, &ask("room.set", json!({"term": 1, "locked": true})));
    let told = changed(json!({"locked": true}));
    w.expect(&[(alice, told.clone()), (bob, told)]);
    w.cut(alice);
    w.pass(120_000);
    w.expect(&[
        (bob, updated(with(seat("alice@x", false), json!({"state": "away"})))),
        (bob, went("alice@x", "gone")),
        (bob, host("bob@x", 2, "succeeded")),
    ]);
}

#[test]
fn members_that_are_away_follow_only_where_nobody_is_here() {
    let mut w = Table::new();
    let [alice, bob, carol, dave] = den(&mut w, ["alice@x", "bob@x", "carol@x", "dave@x"]);
    w.cut(bob);
    w.pass(5_000);
    w.take_all();
    w.send(alice, &ask("room.leave", json!({})));
    w.expect(&[
        (carol, went("alice@x", "left")),
        (carol, host("carol@x", 2, "succeeded")),
        (dave, went("alice@x", "left")),
        (dave, host("carol@x", 2, "succeeded")),
    ]);
    w.cut(dave);
    w.pass(5_000);
    w.take_all();
    w.send(carol, &ask("room.leave", json!({})));
    // Nobody is here: bob stands longest, and learns it when it is back.
    let bob = w.resume(bob);
    w.expect(&[
        (bob, went("alice@x", "left")),
        (bob, host("carol@x", 2, "succeeded")),
        (bob, updated(with(seat("dave@x", true), json!({"state": "away"})))),
        (bob, went("carol@x", "left")),
        (bob, host("bob@x", 3, "succeeded")),
    ]);
}

#[test]
fn a_host_in_its_grace_time_still_counts_as_here() {
    let mut w = Table::new();
    let [alice, bob, carol] = den(&mut w, ["alice@x", "bob@x", "carol@x"]);
    w.cut(bob);
    w.pass(1_000);
    w.send(alice, &ask("room.leave", json!({})));
    w.expect(&[(carol, went("alice@x", "left")), (carol, host("bob@x", 2, "succeeded"))]);
    w.cut(carol);
    w.pass(1_000);
    let bob = w.resume(bob);
    w.expect(&[(bob, went("alice@x", "left")), (bob, host("bob@x", 2, "succeeded"))]);
}

#[test]
fn who_enters_an_empty_room_is_its_host_in_the_next_term_with_its_state() {
    let mut w = Table::new();
    let [alice] = den(&mut w, ["alice@x"]);
    let bob = w.open("bob@x");
    w.send(alice, &ask("room.set", json!({"term": 1, "mode": "FREE_FOR_ALL", "meta": 5})));
    w.send(alice, &ask("room.state", json!({"term": 1, "state": [0]})));
    w.send(alice, &ask("room.leave", json!({})));
    w.take_all();
    w.pass(59_999);
    w.send(bob, &ask("room.join", json!({})));
    let kept = json!({"mode": "FREE_FOR_ALL", "meta": 5, "state": [0]});
    w.expect(&[(bob, with(joined("bob@x", 2, &[]), kept))]);
    // The clock of the empty room stopped when somebody came.
    w.pass(120_000);
    w.send(alice, &ask("room.join", json!({})));
    let told = json!({"mode": "FREE_FOR_ALL", "meta": 5});
    w.expect(&[
        (alice, with(joined("bob@x", 2, &[seat_at("bob@x", true, 59_999)]), told)),
        (bob, came(seat_at("alice@x", false, 179_999))),
    ]);
}

#[test]
fn only_the_host_gets_the_state_and_its_bytes_are_kept() {
    let mut w = Table::new();
    let [alice, bob, _] = den(&mut w, ["alice@x", "bob@x", "carol@x"]);
    w.send_text(alice, r#"{"type":"room.state","room":"den","term":1,"state":{ "x": 1.0 }}"#);
    w.send(alice, &ask("room.transfer", json!({"term": 1, "id": "bob@x"})));
    let told = w.take_raw();
    assert_eq!(told.len(), 3);
    for (to, text) in told {
        assert_eq!(text.contains(r#""state":{ "x": 1.0 }"#), to == bob, "{text}");
    }
    w.send(bob, &ask("room.state", json!({"term": 2, "state": null})));
    w.send(bob, &ask("room.transfer", json!({"term": 2, "id": "alice@x"})));
    for (_, frame) in w.take_all() {
        assert_eq!(frame, host("alice@x", 3, "transferred"));
    }
}

fn seat_at(id: &str, polite: bool, ms: u64) -> serde_json::Value {
    with(seat(id, polite), json!({"joined": DAWN + ms}))
}
