//! Rooms: coming, going, speaking, and what members see of each other.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod table;

use serde_json::json;
use table::words::{ask, came, den, done, joined, reached, said, seat, updated, went, with};
use table::{DAWN, Table};

#[test]
fn whoever_makes_a_room_is_its_host_in_term_one() {
    let mut w = Table::new();
    let alice = w.open("alice@x");
    w.send(alice, &ask("room.create", json!({"n": 1, "me": {"nick": "Al"}, "meta": {"title": "Friday"}})));
    w.expect(&[(alice, with(joined("alice@x", 1, &[]), json!({"re": 1, "meta": {"title": "Friday"}})))]);
}

#[test]
fn all_options_can_be_given_at_the_beginning() {
    let mut w = Table::new();
    let alice = w.open("alice@x");
    let options = json!({"mode": "FREE_FOR_ALL", "locked": true, "listed": true, "capacity": 7, "password": "sesame",
        "linger": 5, "idle": 60});
    w.send(alice, &ask("room.create", options));
    let told = json!({"mode": "FREE_FOR_ALL", "locked": true, "listed": true, "capacity": 7, "password": true});
    w.expect(&[(alice, with(joined("alice@x", 1, &[]), told))]);
}

#[test]
fn a_room_without_a_name_gets_one_that_cannot_be_guessed() {
    let mut w = Table::new();
    let alice = w.open("alice@x");
    let mut names = Vec::new();
    for _ in 0..2 {
        w.send(alice, &json!({"type": "room.create"}));
        names.push(w.take_one(alice)["room"].as_str().unwrap().to_owned());
    }
    assert_ne!(names[0], names[1]);
    assert!(names.iter().all(|name| name.len() == 16), "{names:?}");
}

#[test]
fn a_room_is_made_once() {
    let mut w = Table::new();
    let [alice, bob] = den(&mut w, ["alice@x", "bob@x"]);
    w.refused(alice, &ask("room.create", json!({"n": 7})), 4406);
    w.refused(bob, &ask("room.create", json!({})), 4406);
}

#[test]
fn a_newcomer_gets_the_room_and_the_others_get_the_newcomer() {
    let mut w = Table::new();
    let [alice, bob, carol] = ["alice@x", "bob@x", "carol@x"].map(|id| w.open(id));
    w.send(bob, &ask("room.create", json!({})));
    w.pass(1_000);
    w.send(carol, &ask("room.join", json!({"me": {"nick": "C"}})));
    w.take_all();
    w.pass(1_000);
    w.send(alice, &ask("room.join", json!({"n": 1})));
    let bob_seen = seat("bob@x", true);
    let carol_seen = with(seat("carol@x", true), json!({"joined": DAWN + 1_000, "me": {"nick": "C"}}));
    let alice_seen = with(seat("alice@x", false), json!({"joined": DAWN + 2_000}));
    w.expect(&[
        (alice, with(joined("bob@x", 1, &[bob_seen, carol_seen]), json!({"re": 1}))),
        (bob, came(alice_seen.clone())),
        (carol, came(alice_seen)),
    ]);
}

#[test]
fn of_every_pair_exactly_one_is_told_to_be_polite() {
    let mut w = Table::new();
    let [bob, alice] = den(&mut w, ["bob@x", "alice@x"]);
    let carol = w.open("carol@x");
    w.send(carol, &ask("room.join", json!({})));
    w.expect(&[
        (carol, joined("bob@x", 1, &[seat("bob@x", false), seat("alice@x", false)])),
        (bob, came(seat("carol@x", true))),
        (alice, came(seat("carol@x", true))),
    ]);
    let anna = w.open("anna@x");
    w.send(anna, &ask("room.join", json!({})));
    w.expect(&[
        (anna, joined("bob@x", 1, &[seat("bob@x", true), seat("alice@x", false), seat("carol@x", true)])),
        (bob, came(seat("anna@x", false))),
        (alice, came(seat("anna@x", true))),
        (carol, came(seat("anna@x", false))),
    ]);
}

#[test]
fn two_devices_of_one_id_are_two_members() {
    let mut w = Table::new();
    let [laptop] = den(&mut w, ["alice@x"]);
    let phone = w.login(json!({"id": "alice@x", "device": "phone"}));
    w.send(phone, &ask("room.join", json!({})));
    w.expect(&[
        (phone, joined("alice@x", 1, &[seat("alice@x", false)])),
        (laptop, came(with(seat("alice@x", true), json!({"device": "phone"})))),
    ]);
    w.send(phone, &ask("room.leave", json!({})));
    w.expect(&[(laptop, with(went("alice@x", "left"), json!({"device": "phone"})))]);
}

#[test]
fn rooms_of_two_namespaces_know_nothing_of_each_other() {
    let mut w = Table::new();
    let [_alice] = den(&mut w, ["alice@x"]);
    let bob = w.login(json!({"id": "bob@x", "namespace": "other"}));
    w.refused(bob, &ask("room.join", json!({"n": 1})), 4404);
    w.send(bob, &ask("room.create", json!({})));
    w.expect(&[(bob, joined("bob@x", 1, &[]))]);
}

#[test]
fn joining_again_tells_the_room_afresh_and_nobody_else_anything() {
    let mut w = Table::new();
    let [alice, bob] = den(&mut w, ["alice@x", "bob@x"]);
    w.send(alice, &ask("room.state", json!({"term": 1, "state": [1]})));
    w.send(alice, &ask("room.join", json!({"n": 3})));
    w.expect(&[(alice, with(joined("alice@x", 1, &[seat("bob@x", true)]), json!({"re": 3, "state": [1]})))]);
    w.send(bob, &ask("room.join", json!({})));
    w.expect(&[(bob, joined("alice@x", 1, &[seat("alice@x", false)]))]);
    // Neither a lock, nor a password, nor a full room keeps a member from it.
    w.send(alice, &ask("room.set", json!({"term": 1, "locked": true, "password": "new", "capacity": 1})));
    w.take_all();
    w.send(bob, &ask("room.join", json!({})));
    let told = json!({"locked": true, "password": true, "capacity": 1});
    w.expect(&[(bob, with(joined("alice@x", 1, &[seat("alice@x", false)]), told))]);
}

#[test]
fn metadata_sent_with_a_second_join_counts_if_it_differs() {
    let mut w = Table::new();
    let [alice, bob] = den(&mut w, ["alice@x", "bob@x"]);
    let room = joined("alice@x", 1, &[seat("alice@x", false)]);
    w.send(bob, &ask("room.join", json!({"me": {"nick": "B"}})));
    w.expect(&[(bob, room.clone()), (alice, updated(with(seat("bob@x", true), json!({"me": {"nick": "B"}}))))]);
    w.send(bob, &ask("room.join", json!({"me": {"nick": "B"}})));
    w.expect(&[(bob, room)]);
}

#[test]
fn a_room_can_be_made_by_joining_it() {
    let mut w = Table::new();
    let [alice, bob, carol] = ["alice@x", "bob@x", "carol@x"].map(|id| w.open(id));
    w.refused(alice, &ask("room.join", json!({"n": 1})), 4404);
    w.send(alice, &ask("room.join", json!({"n": 2, "create": true, "password": "sesame"})));
    w.expect(&[(alice, with(joined("alice@x", 1, &[]), json!({"re": 2, "password": true})))]);
    w.refused(bob, &ask("room.join", json!({"create": true})), 4408);
    w.send(carol, &ask("room.join", json!({"create": true, "password": "sesame"})));
    w.expect(&[
        (carol, with(joined("alice@x", 1, &[seat("alice@x", false)]), json!({"password": true}))),
        (alice, came(seat("carol@x", true))),
    ]);
}

#[test]
fn leaving_is_answered_and_told_to_the_others() {
    let mut w = Table::new();
    let [alice, bob, carol] = den(&mut w, ["alice@x", "bob@x", "carol@x"]);
    w.send(bob, &ask("room.leave", json!({"n": 4})));
    w.expect(&[(bob, done(4)), (alice, went("bob@x", "left")), (carol, went("bob@x", "left"))]);
    w.refused(bob, &ask("room.leave", json!({"n": 5})), 4405);
}

#[test]
fn who_is_not_in_a_room_cannot_tell_whether_it_is_there() {
    let mut w = Table::new();
    let [_alice] = den(&mut w, ["alice@x"]);
    let eve = w.open("eve@x");
    let order = json!({"term": 1, "id": "alice@x", "state": 1, "me": 1, "data": 1});
    for kind in [
        "room.leave",
        "room.set",
        "room.kick",
        "room.ban",
        "room.unban",
        "room.transfer",
        "room.state",
        "room.code",
        "room.beat",
        "room.me",
        "say",
    ] {
        let there = w.refused(eve, &ask(kind, order.clone()), 4405);
        let absent = w.refused(eve, &with(ask(kind, order.clone()), json!({"room": "nowhere"})), 4405);
        assert_eq!(there, absent, "{kind}");
    }
}

#[test]
fn me_is_passed_on_byte_for_byte_and_null_takes_it_away() {
    let mut w = Table::new();
    let [alice, bob] = den(&mut w, ["alice@x", "bob@x"]);
    w.send_text(bob, r#"{"type":"room.me","n":1,"room":"den","me":{ "b": 1.0, "a" : 1e2 }}"#);
    let frames = w.take_raw();
    let told = frames.iter().find(|(to, _)| *to == alice).unwrap();
    assert!(told.1.contains(r#""me":{ "b": 1.0, "a" : 1e2 }"#), "{}", told.1);
    // What changes nothing is told to nobody.
    w.send_text(bob, r#"{"type":"room.me","n":2,"room":"den","me":{ "b": 1.0, "a" : 1e2 }}"#);
    w.expect(&[(bob, done(2))]);
    w.send(bob, &ask("room.me", json!({"n": 3, "me": {}})));
    w.expect(&[(bob, done(3)), (alice, updated(with(seat("bob@x", true), json!({"me": {}}))))]);
    w.send(bob, &ask("room.me", json!({"n": 4, "me": null})));
    w.expect(&[(bob, done(4)), (alice, updated(seat("bob@x", true)))]);
}

#[test]
fn members_see_each_other_go_away_and_come_back() {
    let mut w = Table::new();
    let [alice, bob] = den(&mut w, ["alice@x", "bob@x"]);
    w.cut(bob);
    w.pass(4_999);
    w.expect(&[]);
    w.pass(1);
    w.expect(&[(alice, updated(with(seat("bob@x", true), json!({"state": "away"}))))]);
    // Who joins meanwhile sees it too.
    let carol = w.open("carol@x");
    w.send(carol, &ask("room.join", json!({})));
    let absent = with(seat("bob@x", false), json!({"state": "away"}));
    let carol_seen = with(seat("carol@x", true), json!({"joined": DAWN + 5_000}));
    w.expect(&[(carol, joined("alice@x", 1, &[seat("alice@x", false), absent])), (alice, came(carol_seen.clone()))]);
    let bob = w.resume(bob);
    w.expect(&[(bob, came(carol_seen)), (alice, updated(seat("bob@x", true))), (carol, updated(seat("bob@x", false)))]);
}

#[test]
fn a_member_whose_session_ends_is_gone() {
    let mut w = Table::new();
    let [alice, bob, carol] = den(&mut w, ["alice@x", "bob@x", "carol@x"]);
    w.send(bob, &json!({"type": "bye"}));
    w.expect(&[(bob, json!({"close": 1000})), (alice, went("bob@x", "gone")), (carol, went("bob@x", "gone"))]);
    w.cut(carol);
    w.pass(5_000);
    w.take_all();
    w.pass(115_000);
    w.expect(&[(alice, went("carol@x", "gone"))]);
}

#[test]
fn a_new_session_of_the_same_party_is_not_in_the_old_ones_rooms() {
    let mut w = Table::new();
    let [alice, bob] = den(&mut w, ["alice@x", "bob@x"]);
    let again = w.open("bob@x");
    w.expect(&[(bob, json!({"close": 4300})), (alice, went("bob@x", "gone"))]);
    w.refused(again, &ask("room.leave", json!({})), 4405);
}

#[test]
fn a_session_is_in_as_many_rooms_as_it_may_be() {
    let mut w = Table::with(|rules| rules.limits.rooms_per_session = 2);
    let [alice] = den(&mut w, ["alice@x"]);
    let bob = w.open("bob@x");
    w.send(bob, &json!({"type": "room.create", "room": "one"}));
    w.send(bob, &json!({"type": "room.create", "room": "two"}));
    w.take_all();
    w.refused(bob, &json!({"type": "room.create", "room": "three"}), 4104);
    w.refused(bob, &ask("room.join", json!({})), 4104);
    // What was refused left nothing behind.
    w.refused(alice, &json!({"type": "room.join", "room": "three"}), 4404);
    assert_eq!(w.world.hub.counts().rooms, 3);
    w.send(bob, &json!({"type": "room.leave", "room": "one"}));
    w.send(bob, &ask("room.join", json!({})));
    w.expect(&[(bob, joined("alice@x", 1, &[seat("alice@x", false)])), (alice, came(seat("bob@x", true)))]);
}

#[test]
fn a_server_holds_as_many_rooms_as_it_may() {
    let mut w = Table::with(|rules| rules.limits.rooms = 1);
    let [alice] = den(&mut w, ["alice@x"]);
    w.refused(alice, &json!({"type": "room.create", "room": "two"}), 4116);
    w.refused(alice, &json!({"type": "room.join", "room": "two", "create": true}), 4116);
    w.send(alice, &ask("room.leave", json!({})));
    w.pass(60_000);
    w.send(alice, &json!({"type": "room.create", "room": "two"}));
    assert_eq!(w.take_one(alice)["type"], "room.joined");
}

#[test]
fn members_metadata_can_never_make_a_room_too_large_to_be_joined() {
    let mut w = Table::with(|rules| rules.limits.queue_bytes = 16_000);
    let [alice, bob] = den(&mut w, ["alice@x", "bob@x"]);
    let carol = w.open("carol@x");
    let me = |bytes: usize| json!("x".repeat(bytes - 2));
    w.send(alice, &ask("room.me", json!({"me": me(4_000)})));
    w.send(bob, &ask("room.me", json!({"me": me(3_900)})));
    w.take_all();
    w.refused(bob, &ask("room.me", json!({"me": me(4_001)})), 4411);
    w.refused(carol, &ask("room.join", json!({"me": me(101)})), 4411);
    // One's own earlier metadata do not count.
    w.send(bob, &ask("room.me", json!({"n": 1, "me": me(4_000)})));
    assert_eq!(w.take(bob), [done(1)]);
    w.send(carol, &ask("room.join", json!({})));
    assert_eq!(w.take(carol).len(), 1);
    w.take_all();
}

#[test]
fn the_host_speaks_to_all_or_to_some() {
    let mut w = Table::new();
    let [alice, bob, carol] = den(&mut w, ["alice@x", "bob@x", "carol@x"]);
    w.send(alice, &ask("say", json!({"n": 1, "data": "hello"})));
    w.expect(&[(alice, reached(1, 2)), (bob, said("alice@x", "hello")), (carol, said("alice@x", "hello"))]);
    w.send(alice, &ask("say", json!({"n": 2, "to": ["carol@x"], "data": "psst"})));
    w.expect(&[(alice, reached(2, 1)), (carol, said("alice@x", "psst"))]);
    // Who is not in the room, or named twice, or the speaker itself, adds nothing.
    w.send(alice, &ask("say", json!({"n": 3, "to": ["eve@x", "bob@x", "bob@x", "alice@x"], "data": "hm"})));
    w.expect(&[(alice, reached(3, 1)), (bob, said("alice@x", "hm"))]);
}

#[test]
fn under_host_only_others_speak_to_the_host_alone() {
    let mut w = Table::new();
    let [alice, bob, _carol] = den(&mut w, ["alice@x", "bob@x", "carol@x"]);
    let phone = w.login(json!({"id": "alice@x", "device": "phone"}));
    w.send(phone, &ask("room.join", json!({})));
    w.take_all();
    for to in [json!(null), json!(["carol@x"]), json!(["alice@x", "carol@x"])] {
        w.refused(bob, &ask("say", json!({"n": null, "to": to, "data": 1})), 4403);
    }
    w.send(bob, &ask("say", json!({"n": 9, "to": ["alice@x"], "data": "please"})));
    w.expect(&[(bob, reached(9, 1)), (alice, said("bob@x", "please"))]);
    // Another device of the host's id is not the host.
    w.refused(phone, &ask("say", json!({"data": 1})), 4403);
    w.send(phone, &ask("say", json!({"to": ["alice@x"], "data": "it is me"})));
    w.expect(&[(alice, with(said("alice@x", "it is me"), json!({"device": "phone"})))]);
}

#[test]
fn under_free_for_all_everyone_speaks() {
    let mut w = Table::new();
    let [alice, bob, carol] = den(&mut w, ["alice@x", "bob@x", "carol@x"]);
    w.send(alice, &ask("room.set", json!({"term": 1, "mode": "FREE_FOR_ALL"})));
    w.take_all();
    w.send(bob, &ask("say", json!({"data": "hi"})));
    w.expect(&[(alice, said("bob@x", "hi")), (carol, said("bob@x", "hi"))]);
    w.send(carol, &ask("say", json!({"n": 1, "to": ["bob@x"], "data": "hi"})));
    w.expect(&[(carol, reached(1, 1)), (bob, said("carol@x", "hi"))]);
}

#[test]
fn what_is_said_is_passed_on_byte_for_byte_and_waits_for_who_is_away() {
    let mut w = Table::new();
    let [alice, bob] = den(&mut w, ["alice@x", "bob@x"]);
    w.cut(bob);
    w.send_text(alice, r#"{"type":"say","n":1,"room":"den","data":{ "z": 1.50, "a": [ ] }}"#);
    w.expect(&[(alice, reached(1, 1))]);
    let bob = w.resume(bob);
    w.expect(&[(bob, ask("said", json!({"from": "alice@x", "data": {"z": 1.50, "a": []}})))]);
    w.send_text(alice, r#"{"type":"say","room":"den","data":{ "z": 1.50, "a": [ ] }}"#);
    let frames = w.take_raw();
    assert!(frames[0].1.ends_with(r#""data":{ "z": 1.50, "a": [ ] }}"#), "{}", frames[0].1);
}

#[test]
fn a_frame_for_many_is_written_once() {
    let mut w = Table::new();
    let [alice, bob, carol] = den(&mut w, ["alice@x", "bob@x", "carol@x"]);
    let told: Vec<*const u8> = w.act(|hub, now, out| {
        use wigwag_hub::{Output, RoomDetail};
        let ns = wigwag_wire::Namespace::new("default").unwrap();
        let name = wigwag_wire::RoomName::new("den").unwrap();
        let RoomDetail { present, .. } = hub.room(&ns, &name).unwrap();
        assert_eq!(present.len(), 3);
        assert!(hub.close_room(now, &ns, &name, out));
        let frames = out.iter().filter_map(|output| match output {
            Output::Send { frame, .. } => Some(frame.as_ptr()),
            _ => None,
        });
        frames.collect()
    });
    assert_eq!(told.len(), 3);
    assert!(told.iter().all(|frame| *frame == told[0]));
    let left = ask("room.left", json!({"why": "closed"}));
    w.expect(&[(alice, left.clone()), (bob, left.clone()), (carol, left)]);
}
