//! What happens where two things meet that are usually far apart: an old socket and a new one, a store that writes slowly and a
//! restart, a session that is over and one that begins. The simulated world found these.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use serde_json::json;
use wigwag_hub::Output;
use world::*;

#[test]
fn what_the_old_session_held_comes_after_the_welcome_of_the_new_one() {
    let mut world = World::new();
    let alice = world.keyed(1);
    let bob = world.keyed(2);
    world.drop_socket(&bob);
    world.send(&alice, stored_signal(1, &bob.id, "wait", 60));
    world.expect(&alice, [json!({"type": "ack", "re": 1, "status": "stored"})]);
    // Without its token: a fresh session takes the place of the one that held the signal.
    let again = world.keyed(2);
    assert_eq!(again.welcome["resumed"], false);
    world.expect(
        &again,
        [json!({"type": "signal", "from": alice.id, "kind": "note", "polite": "*", "stored": "*", "data": "wait"})],
    );
}

#[test]
fn a_socket_that_opened_earlier_takes_nothing_from_a_later_one() {
    let mut world = World::new();
    world.store.slow = true;
    let early = world.open();
    world.hello(early, Some(1), json!({"id": "alice@example.org"}));
    world.advance(10);
    let late = world.open();
    world.hello(late, Some(1), json!({"id": "alice@example.org"}));
    // The store answers in an order of its own.
    let earlier_claim = world.outputs.remove(0);
    world.answer_next();
    world.welcomed(late);
    let Output::Ask(claim) = earlier_claim else { panic!("{earlier_claim:?} is no ask") };
    world.answer(claim);
    world.expect(early, [refused(None, 4300)]);
    world.expect_closed(early, 4300);
    assert!(world.is_open(late));
}

#[test]
fn a_signal_that_was_handed_over_while_the_store_was_writing_does_not_come_again_after_a_restart() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    world.drop_socket(&bob);
    world.store.slow = true;
    world.send(&alice, stored_signal(1, &bob.id, "once", 60));
    let bob = world.resume(&bob, 0);
    world.expect(&bob, [heard(&alice, "once")]);
    world.advance(1_000);
    world.pong(&bob);
    // The store has it only now, and its answer is not heard any more.
    let keep = world.outputs.remove(0);
    let Output::Ask(wigwag_hub::Ask::Keep(keep)) = keep else { panic!("{keep:?} is no keep") };
    world.store.put(keep);
    world.restart();
    assert_eq!(world.store.kept(), [], "the store is told to forget it after all");
    let bob = world.resume(&bob, 1);
    assert_eq!(bob.welcome["resumed"], true);
    let alice = world.resume(&alice, 0);
    world.expect(&alice, [json!({"type": "ack", "re": 1, "status": "delivered"})]);
}

#[test]
fn a_number_of_a_session_does_not_come_again_after_a_restart() {
    let mut world = World::new();
    let mut seen = Vec::new();
    for _ in 0..3 {
        for seed in 1..=40 {
            let peer = world.keyed(seed);
            let name = peer.welcome["session"].as_str().unwrap().to_owned();
            assert!(!seen.contains(&name), "{name} came again");
            seen.push(name);
            world.send(&peer, json!({"type": "bye"}));
            world.expect_closed(&peer, 1000);
        }
        world.restart();
    }
}

#[test]
fn what_was_stored_before_a_crash_comes_before_what_is_stored_after_it_wherever_the_clock_went() {
    let mut world = World::new();
    let bob = key_id(2);
    let alice = world.keyed(1);
    world.send(&alice, stored_signal(1, &bob, "first", 3_600));
    world.expect(&alice, [json!({"type": "ack", "re": 1, "status": "stored"})]);
    world.crash();
    world.now.wall.0 -= 600_000;
    let alice = world.keyed(1);
    world.send(&alice, stored_signal(1, &bob, "second", 3_600));
    world.expect(&alice, [json!({"type": "ack", "re": 1, "status": "stored"})]);
    let bob = world.keyed(2);
    let frames: Vec<_> = world.take(&bob).into_iter().map(|frame| frame["data"].clone()).collect();
    assert_eq!(frames, ["first", "second"]);
}

#[test]
fn a_signal_that_cuts_its_receiver_is_held_for_it_and_not_stored_besides() {
    let mut world = World::with(|rules| rules.limits.queue_frames = 4);
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    for n in 1..=5 {
        world.send(&alice, stored_signal(n, &bob.id, n, 60));
        world.send(&alice, json!({"type": "seen", "seen": n}));
    }
    world.expect_closed(&bob, 4002);
    let told = world.take(&alice);
    assert_eq!(told.last(), Some(&ack(5, "stored")));
    assert_eq!(world.store.kept(), []);
    world.take(&bob);
    let bob = world.resume(&bob, 0);
    assert_eq!(bob.welcome["missed"], 1);
    let data: Vec<_> = world.take(&bob).into_iter().map(|frame| frame["data"].clone()).collect();
    assert_eq!(data, [2, 3, 4, 5]);
}
