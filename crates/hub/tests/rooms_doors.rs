//! Rooms: who gets in, by which door, and who sees that they are there.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod table;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use table::words::{ask, came, changed, den, done, joined, out, seat, went, with};
use table::{DAWN, Table};
use wigwag_hub::RoomInfo;
use wigwag_wire::{Namespace, RoomName};

#[test]
fn a_password_is_checked_here_and_can_be_changed_and_taken_away() {
    let mut w = Table::new();
    let [alice] = den(&mut w, ["alice@x"]);
    let bob = w.open("bob@x");
    let join = |password: Value| ask("room.join", json!({"password": password}));
    let set = |password: &str| ask("room.set", json!({"term": 1, "password": password}));
    w.send(alice, &set("sesame"));
    w.take_all();
    for wrong in [json!(null), json!(""), json!("Sesame"), json!("sesame ")] {
        w.refused(bob, &join(wrong), 4408);
    }
    w.send(alice, &set("other"));
    w.take_all();
    w.refused(bob, &join(json!("sesame")), 4408);
    w.send(alice, &set(""));
    w.take_all();
    // Where there is none, any will do.
    w.send(bob, &join(json!("anything")));
    w.expect(&[(bob, joined("alice@x", 1, &[seat("alice@x", false)])), (alice, came(seat("bob@x", true)))]);
}

#[test]
fn a_locked_room_lets_nobody_in() {
    let mut w = Table::new();
    let [alice] = den(&mut w, ["alice@x"]);
    let bob = w.open("bob@x");
    w.send(alice, &ask("room.set", json!({"term": 1, "locked": true})));
    w.take_all();
    w.refused(bob, &ask("room.join", json!({"create": true})), 4407);
    w.send(alice, &ask("room.set", json!({"term": 1, "locked": false})));
    w.take_all();
    w.send(bob, &ask("room.join", json!({})));
    assert_eq!(w.take_all().len(), 2);
}

#[test]
fn a_locked_room_that_became_empty_opens_to_its_last_host_alone() {
    let mut w = Table::new();
    let [alice] = den(&mut w, ["alice@x"]);
    let bob = w.open("bob@x");
    w.send(alice, &ask("room.set", json!({"term": 1, "locked": true})));
    w.send(alice, &ask("room.leave", json!({})));
    w.take_all();
    w.refused(bob, &ask("room.join", json!({})), 4407);
    let phone = w.login(json!({"id": "alice@x", "device": "phone"}));
    w.send(phone, &ask("room.join", json!({})));
    let me = json!({"host": {"id": "alice@x", "device": "phone"}, "locked": true});
    w.expect(&[(phone, with(joined("alice@x", 2, &[]), me))]);
    // The host is there again, so the lock holds for all.
    w.refused(alice, &ask("room.join", json!({})), 4407);
}

#[test]
fn a_full_room_takes_the_next_one_when_somebody_leaves() {
    let mut w = Table::new();
    let [alice, bob] = den(&mut w, ["alice@x", "bob@x"]);
    let carol = w.open("carol@x");
    w.send(alice, &ask("room.set", json!({"term": 1, "capacity": 2})));
    w.take_all();
    w.refused(carol, &ask("room.join", json!({})), 4105);
    w.send(bob, &ask("room.leave", json!({})));
    w.expect(&[(alice, went("bob@x", "left"))]);
    w.send(carol, &ask("room.join", json!({})));
    w.expect(&[
        (carol, with(joined("alice@x", 1, &[seat("alice@x", false)]), json!({"capacity": 2}))),
        (alice, came(seat("carol@x", true))),
    ]);
}

#[test]
fn what_keeps_one_out_is_told_in_one_order() {
    let mut w = Table::with(|rules| rules.limits.rooms_per_session = 1);
    let [alice] = den(&mut w, ["alice@x"]);
    let bob = w.open("bob@x");
    w.send(bob, &json!({"type": "room.create", "room": "own"}));
    w.send(alice, &ask("room.ban", json!({"term": 1, "id": "bob@x"})));
    w.send(alice, &ask("room.set", json!({"term": 1, "password": "p", "locked": true, "capacity": 1})));
    w.take_all();
    let mut relent = |change: Value, join: Value, code: u16| {
        w.send(alice, &with(change, json!({"room": "den", "term": 1, "id": "bob@x"})));
        w.take_all();
        w.refused(bob, &ask("room.join", join), code);
    };
    relent(json!({"type": "room.state", "state": 1}), json!({}), 4410);
    relent(json!({"type": "room.unban"}), json!({}), 4408);
    relent(json!({"type": "room.beat"}), json!({"password": "p"}), 4407);
    relent(json!({"type": "room.set", "locked": false}), json!({"password": "p"}), 4105);
    relent(json!({"type": "room.set", "capacity": 2}), json!({"password": "p"}), 4104);
}

#[test]
fn a_code_opens_its_room_however_it_is_typed() {
    let mut w = Table::new();
    let alice = w.open("alice@x");
    w.send(alice, &ask("room.create", json!({"code": true})));
    let told = w.take_one(alice);
    let code = told["code"].as_str().unwrap().to_owned();
    assert_eq!(told["code_expires"], json!(DAWN + 900_000));
    assert_eq!(told, with(joined("alice@x", 1, &[]), json!({"code": code, "code_expires": DAWN + 900_000})));
    let bob = w.open("bob@x");
    w.send(bob, &json!({"type": "room.join", "n": 1, "code": format!(" {} ", code.to_lowercase().replace('-', " "))}));
    w.expect(&[
        (bob, with(joined("alice@x", 1, &[seat("alice@x", false)]), json!({"re": 1}))),
        (alice, came(seat("bob@x", true))),
    ]);
    // A code is not told again to whom it was not given.
    w.send(alice, &ask("room.join", json!({})));
    w.expect(&[(alice, joined("alice@x", 1, &[seat("bob@x", true)]))]);
}

#[test]
fn a_code_replaces_neither_password_nor_lock() {
    let mut w = Table::new();
    let alice = w.open("alice@x");
    w.send(alice, &ask("room.create", json!({"code": true, "password": "p", "locked": true})));
    let code = w.take_one(alice)["code"].clone();
    let bob = w.open("bob@x");
    w.refused(bob, &json!({"type": "room.join", "code": code}), 4408);
    w.refused(bob, &json!({"type": "room.join", "code": code, "password": "p"}), 4407);
}

#[test]
fn a_new_code_makes_the_old_one_void() {
    let mut w = Table::new();
    let [alice] = den(&mut w, ["alice@x"]);
    w.pass(1_000);
    let mut codes = Vec::new();
    for n in [1, 2] {
        w.send(alice, &ask("room.code", json!({"n": n})));
        let told = w.take_one(alice);
        codes.push(told["code"].clone());
        let whole = json!({"re": n, "code": told["code"], "expires": DAWN + 901_000});
        assert_eq!(told, ask("room.code", whole));
    }
    assert_ne!(codes[0], codes[1]);
    let bob = w.open("bob@x");
    w.refused(bob, &json!({"type": "room.join", "code": codes[0]}), 4404);
    w.send(bob, &json!({"type": "room.join", "code": codes[1]}));
    assert_eq!(w.take_all().len(), 2);
}

#[test]
fn a_code_that_never_was_cannot_be_told_from_one_that_ran_out() {
    let mut w = Table::new();
    let [alice] = den(&mut w, ["alice@x"]);
    let [bob, far] = [json!({"id": "bob@x"}), json!({"id": "far@x", "namespace": "other"})].map(|login| w.login(login));
    w.send(alice, &ask("room.code", json!({})));
    let code = w.take_one(alice)["code"].clone();
    let join = |code: &Value| json!({"type": "room.join", "n": null, "code": code});
    let elsewhere = w.refused(far, &join(&code), 4404);
    w.pass(900_000);
    let messages: BTreeSet<String> = [&code, &json!("2222-2222"), &json!("no code at all"), &json!("")]
        .map(|code| w.refused(bob, &join(code), 4404))
        .into_iter()
        .chain([elsewhere, w.refused(bob, &json!({"type": "room.join", "room": "nowhere"}), 4404)])
        .collect();
    assert_eq!(messages.len(), 1, "{messages:?}");
}

#[test]
fn a_code_runs_out_on_time_and_goes_with_its_room() {
    let mut w = Table::with(|rules| rules.rooms.code_seconds = 30);
    let [alice] = den(&mut w, ["alice@x"]);
    let [bob, carol] = ["bob@x", "carol@x"].map(|id| w.open(id));
    w.send(alice, &ask("room.code", json!({})));
    let code = w.take_one(alice)["code"].clone();
    let join = json!({"type": "room.join", "code": code});
    w.pass(29_999);
    w.send(bob, &join);
    w.take_all();
    w.pass(1);
    w.refused(carol, &join, 4404);
    w.send(alice, &ask("room.code", json!({})));
    let join = json!({"type": "room.join", "code": w.take_one(alice)["code"]});
    w.send(alice, &ask("room.set", json!({"term": 1, "linger": 0})));
    w.send(alice, &ask("room.leave", json!({})));
    w.send(bob, &ask("room.leave", json!({})));
    w.take_all();
    w.refused(carol, &join, 4404);
}

#[test]
fn codes_find_their_rooms_in_all_shards() {
    let mut w = Table::with(|rules| rules.limits.rooms_per_session = 0);
    let [alice, bob] = ["alice@x", "bob@x"].map(|id| w.open(id));
    for at in 0..100 {
        w.send(alice, &json!({"type": "room.create", "room": format!("room {at}"), "code": true}));
        let code = w.take_one(alice)["code"].clone();
        w.send(bob, &json!({"type": "room.join", "code": code}));
        assert_eq!(w.take_one(bob)["room"], json!(format!("room {at}")));
        w.pass(50);
        w.take_all();
    }
}

#[test]
fn the_list_shows_who_asked_for_it_by_name_and_page_by_page() {
    let mut w = Table::new();
    let [alice, bob] = ["alice@x", "bob@x"].map(|id| w.open(id));
    let far = w.login(json!({"id": "far@x", "namespace": "other"}));
    for name in ["c", "a", "d", "b", "e"] {
        w.send(alice, &json!({"type": "room.create", "room": name, "listed": name != "d"}));
    }
    w.send(far, &json!({"type": "room.create", "room": "aa", "listed": true}));
    w.send(bob, &json!({"type": "room.join", "room": "b"}));
    w.send(
        alice,
        &json!({"type": "room.set", "room": "b", "term": 1, "password": "p", "locked": true, "capacity": 3,
        "meta": {"t": 1}}),
    );
    w.take_all();
    let row = |name: &str| json!({"room": name, "members": 1, "capacity": 100, "locked": false, "password": false});
    let b = json!({"room": "b", "members": 2, "capacity": 3, "locked": true, "password": true, "meta": {"t": 1}});
    let page = |re: u64, rooms: Value, more: bool| json!({"type": "rooms", "re": re, "rooms": rooms, "more": more});
    w.send(bob, &json!({"type": "room.list", "n": 2}));
    w.expect(&[(bob, page(2, json!([row("a"), b, row("c"), row("e")]), false))]);
    w.send(bob, &json!({"type": "room.list", "n": 3, "limit": 2}));
    w.expect(&[(bob, page(3, json!([row("a"), b]), true))]);
    w.send(bob, &json!({"type": "room.list", "n": 4, "limit": 2, "after": "b"}));
    w.expect(&[(bob, page(4, json!([row("c"), row("e")]), false))]);
    w.send(bob, &json!({"type": "room.list", "n": 5, "after": "e"}));
    w.expect(&[(bob, page(5, json!([]), false))]);
    // A room comes off the list when its host says so, and when it goes.
    w.send(alice, &json!({"type": "room.set", "room": "a", "term": 1, "listed": false}));
    w.send(alice, &json!({"type": "room.set", "room": "c", "term": 1, "linger": 0}));
    w.send(alice, &json!({"type": "room.leave", "room": "c"}));
    w.take_all();
    w.send(bob, &json!({"type": "room.list", "n": 6}));
    w.expect(&[(bob, page(6, json!([b, row("e")]), false))]);
}

#[test]
fn a_page_of_the_list_is_bounded_in_rooms_and_in_bytes() {
    let mut w = Table::with(|rules| rules.limits.rooms_per_session = 0);
    let [alice, bob] = ["alice@x", "bob@x"].map(|id| w.open(id));
    for at in 0..120 {
        w.send(alice, &json!({"type": "room.create", "room": format!("{at:03}"), "listed": true}));
        w.take_all();
        w.pass(50);
    }
    w.send(bob, &json!({"type": "room.list", "limit": 1_000}));
    let page = w.take_one(bob);
    assert_eq!((page["rooms"].as_array().unwrap().len(), &page["more"]), (100, &json!(true)));
    for at in 0..30 {
        let meta = "x".repeat(4_000);
        w.send(alice, &json!({"type": "room.set", "room": format!("{at:03}"), "term": 1, "meta": meta}));
        w.take_all();
        w.pass(50);
    }
    let (mut names, mut after) = (Vec::new(), json!(null));
    loop {
        w.send(bob, &json!({"type": "room.list", "after": after}));
        let (_, text) = w.take_raw().remove(0);
        assert!(text.len() < 80_000, "{}", text.len());
        let page: Value = serde_json::from_str(&text).unwrap();
        names.extend(page["rooms"].as_array().unwrap().iter().map(|room| room["room"].as_str().unwrap().to_owned()));
        after = json!(names.last());
        if page["more"] == json!(false) {
            break;
        }
    }
    assert_eq!(names, (0..120).map(|at| format!("{at:03}")).collect::<Vec<_>>());
}

#[test]
fn where_the_operator_wants_no_lists_there_are_none() {
    let mut w = Table::with(|rules| rules.rooms.listing = false);
    let [alice] = den(&mut w, ["alice@x"]);
    w.refused(alice, &json!({"type": "room.list", "n": 2}), 4305);
    w.refused(alice, &json!({"type": "room.create", "listed": true}), 4305);
    w.refused(alice, &ask("room.set", json!({"term": 1, "locked": true, "listed": true})), 4305);
    // Refused means as a whole.
    w.send(alice, &ask("room.set", json!({"n": 3, "term": 1, "listed": false})));
    w.expect(&[(alice, changed(json!({}))), (alice, done(3))]);
    assert_eq!(w.world.hub.counts().rooms, 1);
}

#[test]
fn the_operator_sees_rooms_and_members_and_closes_a_room() {
    let mut w = Table::new();
    let [alice, bob] = den(&mut w, ["alice@x", "bob@x"]);
    let far = w.login(json!({"id": "far@x", "namespace": "other"}));
    w.send(far, &json!({"type": "room.create", "room": "attic"}));
    w.send(alice, &json!({"type": "room.create", "room": "attic", "password": "p"}));
    w.send(alice, &json!({"type": "room.leave", "room": "attic"}));
    w.take_all();
    let place = |info: &RoomInfo| format!("{}/{}", info.namespace, info.room);
    let (default, den) = (Namespace::new("default").unwrap(), RoomName::new("den").unwrap());
    let all = w.world.hub.rooms(None, None, 10);
    assert_eq!(all.iter().map(place).collect::<Vec<_>>(), ["default/attic", "default/den", "other/attic"]);
    let next = w.world.hub.rooms(None, Some((&default, &den)), 10);
    assert_eq!(next.iter().map(place).collect::<Vec<_>>(), ["other/attic"]);
    assert_eq!(w.world.hub.rooms(Some(&default), None, 1).iter().map(place).collect::<Vec<_>>(), ["default/attic"]);
    assert_eq!((all[0].members, all[0].password, &all[0].host), (0, true, &None));

    let detail = serde_json::to_value(w.world.hub.room(&default, &den)).unwrap();
    let shown = json!({"namespace": "default", "room": "den", "members": 2, "capacity": 100, "mode": "HOST_ONLY",
        "locked": false, "listed": false, "password": false, "bans": 0, "host": {"id": "alice@x", "device": ""}, "term": 1,
        "present": [{"id": "alice@x", "device": "", "state": "here", "joined": DAWN},
            {"id": "bob@x", "device": "", "state": "here", "joined": DAWN}]});
    assert_eq!(detail, shown);

    let close = |w: &mut Table| w.act(|hub, now, out| hub.close_room(now, &default, &den, out));
    assert!(close(&mut w));
    w.expect(&[(alice, out("closed")), (bob, out("closed"))]);
    assert!(!close(&mut w));
    // Its name is free, and nobody's share of rooms is used up by it.
    w.send(bob, &ask("room.create", json!({})));
    w.expect(&[(bob, joined("bob@x", 1, &[]))]);
    assert_eq!(w.world.hub.counts().rooms, 3);
}
