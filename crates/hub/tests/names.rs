//! Names: who claims them, and which keys speak for them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use serde_json::json;
use wigwag_testkit::TestKey;
use world::*;

const BOB: &str = "bob@example.org";

/// A hello for a name by a key, and the code that refuses it.
fn refuse_name(world: &mut World, name: &str, seed: u64, code: u16) {
    let socket = world.open();
    world.hello(socket, Some(seed), json!({"id": name}));
    world.expect(socket, [refused(None, code)]);
    world.expect_closed(socket, code);
}

#[test]
fn the_first_key_that_proves_itself_has_the_name() {
    let mut world = World::new();
    world.named(BOB, 1);
    refuse_name(&mut world, BOB, 2, 4202);
    // Also when its owner is not there; and each namespace has its own names.
    world.crash();
    refuse_name(&mut world, BOB, 2, 4202);
    assert_eq!(world.join(Some(2), json!({"id": BOB, "namespace": "other"})).id, BOB);
    assert_eq!(world.store.keys("default", BOB), [TestKey::new(1).public()]);
}

#[test]
fn a_key_speaks_for_so_many_names() {
    let mut world = World::new();
    for n in 0..8 {
        world.named(&format!("bob{n}@example.org"), 1);
    }
    refuse_name(&mut world, "bob8@example.org", 1, 4108);
    world.named("bob3@example.org", 1);
    world.take_all_closed();
}

#[test]
fn a_store_that_cannot_bind_says_so_and_the_peer_may_try_again() {
    let mut world = World::new();
    world.store.broken = true;
    let socket = world.open();
    world.hello(socket, Some(1), json!({"id": BOB}));
    world.expect(socket, [refused(None, 4501)]);
    world.store.broken = false;
    world.hello(socket, Some(1), json!({"id": BOB}));
    assert_eq!(world.welcomed(socket).id, BOB);
}

#[test]
fn another_key_may_be_added_and_then_speaks_for_the_name_too() {
    let mut world = World::new();
    let bob = world.named(BOB, 1);
    let add = world.name_request(&bob, 1, "add", 2);
    world.send(&bob, add);
    world.expect(&bob, [done(1)]);
    let again = world.name_request(&bob, 2, "add", 2);
    world.send(&bob, again);
    world.expect(&bob, [done(2)]);
    let phone = world.device(BOB, "phone", 2);
    assert!(world.is_open(&bob) && world.is_open(&phone));
    // And so may a peer that signs with the second.
    let third = world.name_request(&phone, 1, "add", 3);
    world.send(&phone, third);
    world.expect(&phone, [done(1)]);
    assert_eq!(world.store.keys("default", BOB).len(), 3);
}

#[test]
fn without_a_number_a_change_is_made_in_silence() {
    let mut world = World::new();
    let bob = world.named(BOB, 1);
    let mut add = world.name_request(&bob, 1, "add", 2);
    add.as_object_mut().unwrap().remove("n");
    world.send(&bob, add);
    world.expect(&bob, []);
    assert_eq!(world.store.keys("default", BOB).len(), 2);
}

#[test]
fn a_rotated_key_is_done_with_at_once() {
    let mut world = World::new();
    let (laptop, phone) = (world.device(BOB, "laptop", 1), world.device(BOB, "phone", 1));
    let carol = world.keyed(9);
    world.send(&carol, watch(None, [BOB]));
    world.take(&carol);
    let add = world.name_request(&laptop, 1, "add", 3);
    world.send(&laptop, add);
    let tv = world.device(BOB, "tv", 3);
    let rotate = world.name_request(&laptop, 2, "rotate", 2);
    world.send(&laptop, rotate);
    // The one that asked gets its answer first; what another key proved goes on.
    world.expect(&laptop, [done(1), done(2), refused(None, 4204)]);
    world.expect(&phone, [refused(None, 4204)]);
    world.expect_closed(&laptop, 4204);
    world.expect_closed(&phone, 4204);
    assert!(world.is_open(&tv));
    world.expect(&carol, []);
    refuse_name(&mut world, BOB, 1, 4202);
    let fresh = world.device(BOB, "laptop", 2);
    assert_eq!(fresh.welcome["resumed"], false);
    world.send(&tv, json!({"type": "bye"}));
    world.send(&fresh, json!({"type": "bye"}));
    world.expect_closed(&tv, 1000);
    world.expect_closed(&fresh, 1000);
    world.expect(&carol, [presence_seen(BOB, "gone", "*")]);
}

#[test]
fn sessions_that_are_away_end_with_their_key_too() {
    let mut world = World::new();
    let (laptop, phone) = (world.device(BOB, "laptop", 1), world.device(BOB, "phone", 1));
    world.drop_socket(&phone);
    let rotate = world.name_request(&laptop, 1, "rotate", 2);
    world.send(&laptop, rotate);
    world.take(&laptop);
    world.expect_closed(&laptop, 4204);
    assert_eq!(world.hub.counts().sessions, 0);
    let hello = json!({"id": BOB, "device": "phone", "resume": {"token": phone.token, "seen": 0}});
    assert_eq!(world.join(Some(2), hello).welcome["resumed"], false);
}

#[test]
fn a_key_cannot_take_its_own_place() {
    let mut world = World::new();
    let bob = world.named(BOB, 1);
    let rotate = world.name_request(&bob, 1, "rotate", 1);
    world.send(&bob, rotate);
    world.expect(&bob, [refused(1, 4402)]);
    assert!(world.is_open(&bob));
}

#[test]
fn a_key_may_be_removed_by_itself_or_by_another_and_the_last_one_frees_the_name() {
    let mut world = World::new();
    let laptop = world.device(BOB, "laptop", 1);
    let add = world.name_request(&laptop, 1, "add", 2);
    world.send(&laptop, add);
    let phone = world.device(BOB, "phone", 2);
    let not_there = world.name_request(&laptop, 2, "remove", 7);
    world.send(&laptop, not_there);
    let remove = world.name_request(&laptop, 3, "remove", 2);
    world.send(&laptop, remove);
    world.expect(&laptop, [done(1), refused(2, 4404), done(3)]);
    world.expect(&phone, [refused(None, 4204)]);
    world.expect_closed(&phone, 4204);
    let last = world.name_request(&laptop, 4, "remove", 1);
    world.send(&laptop, last);
    world.expect(&laptop, [done(4), refused(None, 4204)]);
    world.expect_closed(&laptop, 4204);
    assert_eq!(world.named(BOB, 5).id, BOB);
    refuse_name(&mut world, BOB, 1, 4202);
}

#[test]
fn only_a_session_under_the_name_may_change_its_keys() {
    let mut world = World::new();
    let keyed = world.keyed(1);
    let change = world.name_request(&keyed, 1, "add", 2);
    world.send(&keyed, change);
    world.expect(&keyed, [refused(1, 4403)]);
    let guest = world.guest();
    let text = "A".repeat(86);
    world.send(
        &guest,
        json!({"type": "name", "n": 1, "op": "add", "key": TestKey::new(2).public().to_string(), "signature": text}),
    );
    world.expect(&guest, [refused(1, 4403)]);
    // The number was taken in.
    world.send(&guest, find(1, BOB));
    world.expect(&guest, [refused(1, 4413)]);
}

#[test]
fn a_signature_for_another_op_key_socket_or_name_changes_nothing_and_closes_nothing() {
    let mut world = World::new();
    let (bob, other) = (world.named(BOB, 1), world.device(BOB, "phone", 1));
    let good = world.name_request(&bob, 1, "add", 2);
    let mut frames = [good.clone(), good.clone(), good.clone()];
    frames[0]["op"] = json!("remove");
    frames[1]["key"] = json!(TestKey::new(3).public().to_string());
    frames[2]["signature"] = json!("A".repeat(86));
    for (n, frame) in frames.iter_mut().enumerate() {
        frame["n"] = json!(n + 10);
        world.send(&bob, frame.clone());
        world.expect(&bob, [refused(n as u64 + 10, 4200)]);
    }
    world.send(&other, good);
    world.expect(&other, [refused(1, 4200)]);
    assert_eq!(world.store.keys("default", BOB).len(), 1);
    assert!(world.is_open(&bob) && world.is_open(&other));
}

#[test]
fn a_key_that_no_longer_speaks_for_the_name_changes_nothing() {
    let mut world = World::new();
    let bob = world.named(BOB, 1);
    // The store was changed by the operator's hand.
    world.store.forget_name("default", BOB);
    let add = world.name_request(&bob, 1, "add", 2);
    world.send(&bob, add);
    world.expect(&bob, [refused(1, 4403)]);
}

#[test]
fn a_name_has_so_many_keys() {
    let mut world = World::new();
    let bob = world.named(BOB, 1);
    for seed in 2..=8 {
        let add = world.name_request(&bob, seed, "add", seed);
        world.send(&bob, add);
    }
    world.take(&bob);
    let add = world.name_request(&bob, 9, "add", 9);
    world.send(&bob, add);
    world.expect(&bob, [refused(9, 4114)]);
}

#[test]
fn requests_go_on_while_the_store_changes_a_name() {
    let mut world = World::new();
    let bob = world.named(BOB, 1);
    world.store.slow = true;
    let add = world.name_request(&bob, 1, "add", 2);
    world.send(&bob, add);
    world.send(&bob, find(2, BOB));
    world.expect(&bob, [json!({"type": "found", "re": 2, "...": 0})]);
    world.store.broken = true;
    world.answer_next();
    world.expect(&bob, [refused(1, 4501)]);
}

#[test]
fn an_answer_finds_the_session_whatever_became_of_the_socket() {
    let mut world = World::new();
    let bob = world.named(BOB, 1);
    world.store.slow = true;
    let rotate = world.name_request(&bob, 1, "rotate", 2);
    world.send(&bob, rotate);
    let add = world.name_request(&bob, 2, "add", 3);
    world.send(&bob, add);
    world.drop_socket(&bob);
    // The second first: the store may answer as it likes.
    world.store.slow = false;
    let asks = world.take_outputs();
    for ask in asks.into_iter().rev() {
        let wigwag_hub::Output::Ask(ask) = ask else { panic!("{ask:?}") };
        world.answer(ask);
    }
    // Even the rotation ends the session that asked, socket or none.
    assert_eq!(world.hub.counts().sessions, 0);
    assert_eq!(world.store.keys("default", BOB).len(), 2);

    let bob = world.device(BOB, "x", 2);
    world.store.slow = true;
    let add = world.name_request(&bob, 1, "add", 4);
    world.send(&bob, add);
    world.drop_socket(&bob);
    world.store.slow = false;
    world.answer_next();
    let bob = world.resume(&bob, 0);
    assert_eq!(bob.welcome["n"], 1);
    world.expect(&bob, [done(1)]);
}

#[test]
fn a_change_that_a_restart_interrupted_is_answered() {
    let mut world = World::new();
    let bob = world.named(BOB, 1);
    world.store.slow = true;
    let add = world.name_request(&bob, 1, "add", 2);
    world.send(&bob, add);
    world.take_outputs();
    world.store.slow = false;
    world.restart();
    let bob = world.resume(&bob, 0);
    world.expect(&bob, [refused(1, 4501)]);
}

#[test]
fn a_claim_that_was_answered_before_its_key_was_removed_gives_no_session_after() {
    let mut world = World::new();
    let bob = world.named(BOB, 1);
    let add = world.name_request(&bob, 1, "add", 2);
    world.send(&bob, add);
    world.expect(&bob, [done(1)]);
    world.store.slow = true;
    let socket = world.open();
    world.hello(socket, Some(2), json!({"id": BOB, "device": "thief"}));
    let ask = world.take_outputs().remove(0);
    world.store.slow = false;
    // The store said yes; before the word arrives, the key is removed.
    let remove = world.name_request(&bob, 2, "remove", 2);
    world.send(&bob, remove);
    world.expect(&bob, [done(2)]);
    assert!(matches!(ask, wigwag_hub::Output::Ask(wigwag_hub::Ask::Claim { .. })));
    world.receive(socket, wigwag_hub::Received::Claimed(wigwag_hub::Claimed::Yes));
    world.expect(socket, [refused(None, 4202)]);
    world.expect_closed(socket, 4202);
    assert_eq!(world.hub.counts().sessions, 1);
    // A key that is added again is good again.
    let add = world.name_request(&bob, 3, "add", 2);
    world.send(&bob, add);
    world.expect(&bob, [done(3)]);
    world.device(BOB, "phone", 2);
}
