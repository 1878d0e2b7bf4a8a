//! Signals that wait for peers who are not there.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use serde_json::json;
use wigwag_hub::{Ask, Input, Keep, Output};
use world::*;

const BOB: &str = "bob@example.org";

#[test]
fn a_signal_waits_for_its_peer_if_the_sender_asks() {
    let mut world = World::new();
    let alice = world.device("alice@example.org", "tablet", 1);
    let sent = world.now.wall.0;
    world.send(&alice, stored_signal(1, BOB, "call me", 3_600));
    world.expect(&alice, [ack(1, "stored")]);
    assert_eq!(world.store.kept().len(), 1);
    assert_eq!(world.hub.counts().stored_signals, 1);
    world.advance(60_000);
    let bob = world.named(BOB, 2);
    world.expect(&bob, [heard_later(&alice, "call me", sent)]);
    assert!(world.store.kept().is_empty(), "handed over: nothing need be kept");
    assert_eq!((world.hub.counts().stored_signals, world.hub.counts().stored_bytes), (0, 0));
}

#[test]
fn stored_signals_come_right_after_the_welcome_in_order_and_before_anything_newer() {
    let mut world = World::new();
    let (alice, carol) = (world.keyed(1), world.keyed(3));
    for n in 1..=20 {
        let from = if n % 3 == 0 { &carol } else { &alice };
        world.send(from, stored_signal(n, BOB, n, 3_600));
        world.take(from);
        if n % 4 == 0 {
            world.advance(1);
        }
    }
    let bob = world.named(BOB, 2);
    world.send(&alice, signal(21, BOB, 21));
    world.take(&alice);
    let data: Vec<_> = world.take(&bob).into_iter().map(|f| f["data"].clone()).collect();
    assert_eq!(json!(data), json!((1..=21).collect::<Vec<_>>()));
}

#[test]
fn they_go_to_the_first_session_that_comes_or_to_the_device_that_was_named() {
    let mut world = World::new();
    let alice = world.keyed(1);
    let mut for_phone = stored_signal(1, BOB, 1, 3_600);
    for_phone["device"] = json!("phone");
    world.send(&alice, for_phone.clone());
    world.send(&alice, stored_signal(2, BOB, 2, 3_600));
    let laptop = world.device(BOB, "laptop", 2);
    world.expect(&laptop, [heard_later(&alice, 2, "*")]);
    // The laptop is here, the phone is still waited for.
    for_phone["n"] = json!(3);
    for_phone["data"] = json!(3);
    world.send(&alice, for_phone);
    let phone = world.device(BOB, "phone", 2);
    world.expect(&phone, [heard_later(&alice, 1, "*"), heard_later(&alice, 3, "*")]);
    world.expect(&laptop, []);
    world.expect(&alice, [ack(1, "stored"), ack(2, "stored"), ack(3, "stored")]);
}

#[test]
fn the_acknowledgement_waits_for_the_store() {
    let mut world = World::new();
    let alice = world.keyed(1);
    world.store.slow = true;
    world.send(&alice, stored_signal(1, BOB, 1, 3_600));
    world.expect(&alice, []);
    world.answer_next();
    world.expect(&alice, [ack(1, "stored")]);
    // Without a number nothing is said, but it is kept all the same.
    world.send(&alice, stored_signal(None, BOB, 2, 3_600));
    world.answer_next();
    world.expect(&alice, []);
    assert_eq!(world.store.kept().len(), 2);
}

#[test]
fn a_store_that_fails_is_said_and_nothing_is_delivered_later() {
    let mut world = World::new();
    let alice = world.keyed(1);
    world.store.broken = true;
    world.send(&alice, stored_signal(1, BOB, 1, 3_600));
    world.expect(&alice, [refused(1, 4501)]);
    assert_eq!(world.hub.counts().stored_bytes, 0);
    world.store.broken = false;
    let bob = world.named(BOB, 2);
    world.expect(&bob, []);
    // Nor to a session that is away: it was promised to the disk.
    world.drop_socket(&bob);
    world.store.broken = true;
    world.send(&alice, stored_signal(2, BOB, 2, 3_600));
    world.send(&alice, signal(3, BOB, 3));
    world.expect(&alice, [refused(2, 4501), ack(3, "stored")]);
    world.store.broken = false;
    let bob = world.resume(&bob, 0);
    world.expect(&bob, [heard(&alice, 3)]);
}

#[test]
fn a_peer_that_comes_before_the_store_has_answered_is_served_and_the_sender_knows() {
    for broken in [false, true] {
        let mut world = World::new();
        let alice = world.keyed(1);
        (world.store.slow, world.store.broken) = (true, broken);
        world.send(&alice, stored_signal(1, BOB, 1, 3_600));
        let bob = world.keyed(2);
        assert_ne!(bob.id, BOB);
        let socket = world.open();
        world.hello(socket, Some(2), json!({"id": BOB}));
        // The claim of the name is answered, the signal is still being written.
        let asks = world.take_outputs();
        let [Output::Ask(keep @ Ask::Keep(_)), Output::Ask(claim @ Ask::Claim { .. })] = &asks[..] else {
            panic!("{asks:?}")
        };
        world.store.broken = false;
        world.answer(claim.clone());
        let bob = world.welcomed(socket);
        world.expect(&bob, [heard_later(&alice, 1, "*")]);
        world.expect(&alice, []);
        world.store.broken = broken;
        world.answer(keep.clone());
        world.expect(&alice, [ack(1, "delivered")]);
        assert!(world.store.kept().is_empty(), "what was written for nothing is forgotten");
    }
}

#[test]
fn a_session_that_comes_and_goes_while_the_store_writes_loses_the_signal_after_its_ack() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    world.drop_socket(&bob);
    world.store.slow = true;
    world.send(&alice, stored_signal(1, &bob.id, 1, 3_600));
    let bob = world.resume(&bob, 0);
    world.take(&bob);
    world.send(&bob, json!({"type": "bye"}));
    world.expect_closed(&bob, 1000);
    world.expect(&alice, []);
    world.answer_next();
    world.expect(&alice, [ack(1, "delivered"), lost(&bob, [1])]);
    assert!(world.store.kept().is_empty());
}

#[test]
fn a_signal_for_an_away_session_is_on_disk_too_and_waits_on_when_the_session_ends() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.named(BOB, 2));
    world.drop_socket(&bob);
    world.send(&alice, stored_signal(1, BOB, 1, 3_600));
    world.send(&alice, signal(2, BOB, 2));
    world.expect(&alice, [ack(1, "stored"), ack(2, "stored")]);
    assert_eq!(world.store.kept().len(), 1);
    world.advance(120_000);
    // The session is over: what was only held is lost, what is stored waits.
    world.expect(&alice, [lost(&bob, [2])]);
    assert_eq!(world.hub.counts().stored_signals, 1);
    let bob = world.named(BOB, 2);
    world.expect(&bob, [heard_later(&alice, 1, "*")]);
    assert!(world.store.kept().is_empty());
}

#[test]
fn a_fresh_hello_gets_what_is_stored_after_its_welcome() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.named(BOB, 2));
    world.drop_socket(&bob);
    world.send(&alice, stored_signal(1, BOB, 1, 3_600));
    // Its program has forgotten the token: the old session ends while the new one begins.
    let fresh = world.named(BOB, 2);
    world.expect(&fresh, [heard_later(&alice, 1, "*")]);
    world.expect(&alice, [ack(1, "stored")]);
    world.advance(1_000);
    assert_eq!(world.marks(&fresh), [1]);
}

#[test]
fn what_a_socket_was_handed_is_never_handed_over_again() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.named(BOB, 2));
    world.drop_socket(&bob);
    world.send(&alice, stored_signal(1, BOB, 1, 3_600));
    world.expect(&alice, [ack(1, "stored")]);
    let bob = world.resume(&bob, 0);
    world.expect(&bob, [heard(&alice, 1)]);
    assert!(world.store.kept().is_empty(), "a server that dies now must not deliver it twice");
    world.send(&bob, json!({"type": "bye"}));
    world.expect_closed(&bob, 1000);
    world.expect(&alice, [lost(&bob, [1])]);
    let bob = world.named(BOB, 2);
    world.expect(&bob, []);
}

#[test]
fn several_away_devices_share_one_stored_signal() {
    let mut world = World::new();
    let alice = world.keyed(1);
    let (laptop, phone) = (world.device(BOB, "laptop", 2), world.device(BOB, "phone", 2));
    world.drop_socket(&laptop);
    world.drop_socket(&phone);
    world.send(&alice, stored_signal(1, BOB, 1, 3_600));
    world.send(&alice, stored_signal(2, BOB, 2, 3_600));
    world.expect(&alice, [ack(1, "stored"), ack(2, "stored")]);
    assert_eq!(world.store.kept().len(), 2);
    world.advance(100_000);
    let phone = world.resume(&phone, 0);
    world.expect(&phone, [heard(&alice, 1), heard(&alice, 2)]);
    assert!(world.store.kept().is_empty());
    world.send(&phone, json!({"type": "seen", "seen": 2}));
    // The laptop never comes: the phone has it, so nothing is lost and nothing waits.
    world.advance(20_000);
    world.send(&phone, json!({"type": "bye"}));
    world.expect_closed(&phone, 1000);
    world.expect(&alice, []);
    let again = world.device(BOB, "phone", 2);
    world.expect(&again, []);
}

#[test]
fn what_no_away_device_took_goes_to_one_that_is_here_by_then() {
    let mut world = World::new();
    let alice = world.keyed(1);
    let laptop = world.device(BOB, "laptop", 2);
    world.drop_socket(&laptop);
    world.send(&alice, stored_signal(1, BOB, 1, 3_600));
    world.expect(&alice, [ack(1, "stored")]);
    let phone = world.device(BOB, "phone", 2);
    world.expect(&phone, []);
    world.advance(120_000);
    world.expect(&phone, [heard_later(&alice, 1, "*")]);
}

#[test]
fn an_expired_signal_is_dropped_and_its_sender_told() {
    let mut world = World::new();
    let (alice, carol) = (world.keyed(1), world.keyed(3));
    world.send(&alice, stored_signal(1, BOB, 1, 60));
    let mut for_phone = stored_signal(2, BOB, 2, 61);
    for_phone["device"] = json!("phone");
    world.send(&alice, for_phone);
    world.send(&carol, stored_signal(1, BOB, 3, 3_600));
    world.take(&alice);
    world.take(&carol);
    world.advance(59_999);
    world.expect(&alice, []);
    world.advance(1_001);
    let gone = |device: &str| Peer { id: BOB.into(), device: device.into(), ..alice.clone() };
    world.expect(&alice, [lost(&gone(""), [1]), lost(&gone("phone"), [2])]);
    assert_eq!(world.store.kept().len(), 1);
    let bob = world.named(BOB, 2);
    world.expect(&bob, [heard_later(&carol, 3, "*")]);
}

#[test]
fn a_clock_that_is_set_back_keeps_signals_longer_and_one_set_forward_drops_them() {
    let mut world = World::new();
    let alice = world.keyed(1);
    world.send(&alice, stored_signal(1, BOB, 1, 60));
    world.take(&alice);
    world.now.wall.0 -= 30_000;
    world.advance(60_000);
    world.expect(&alice, []);
    assert_eq!(world.hub.counts().stored_signals, 1);
    world.now.wall.0 += 300_000;
    world.advance(30_000);
    assert_eq!(world.take(&alice).len(), 1);
    assert_eq!(world.hub.counts().stored_signals, 0);
}

#[test]
fn guests_that_are_gone_do_not_come_back_so_nothing_is_stored_for_them() {
    let mut world = World::new();
    let (alice, guest) = (world.keyed(1), world.guest());
    world.drop_socket(&guest);
    world.send(&alice, stored_signal(1, &guest.id, 1, 3_600));
    world.expect(&alice, [ack(1, "stored")]);
    world.advance(120_000);
    world.expect(&alice, [lost(&guest, [1])]);
    assert!(world.store.kept().is_empty());
    world.send(&alice, stored_signal(2, &guest.id, 2, 3_600));
    world.expect(&alice, [ack(2, "absent")]);
}

#[test]
fn what_is_stored_is_bounded_in_count_in_bytes_and_in_all() {
    let mut world = World::with(|rules| {
        rules.limits.stored_per_id = 2;
        rules.limits.stored_bytes_per_id = 1_000;
        rules.limits.stored_bytes = 1_500;
    });
    let alice = world.keyed(1);
    let id = |name: &str| format!("{name}@example.org");
    for (n, name, len, expected) in [
        (1, "a", 1, ack(1, "stored")),
        (2, "a", 1, ack(2, "stored")),
        (3, "a", 1, refused(3, 4107)),
        (4, "b", 600, ack(4, "stored")),
        (5, "b", 600, refused(5, 4107)),
        (6, "c", 600, refused(6, 4107)),
    ] {
        world.send(&alice, stored_signal(n, &id(name), "x".repeat(len), 60));
        world.expect(&alice, [expected]);
    }
    let b = world.named("b@example.org", 2);
    world.take(&b);
    world.send(&alice, stored_signal(7, &id("c"), "x".repeat(600), 60));
    world.expect(&alice, [ack(7, "stored")]);
}

#[test]
fn the_sender_cannot_ask_for_longer_than_the_operator_allows() {
    let mut world = World::with(|rules| rules.limits.stored_seconds = 60);
    let alice = world.keyed(1);
    world.send(&alice, stored_signal(1, BOB, 1, 61));
    world.expect(&alice, [refused(1, 4402)]);
    world.send(&alice, stored_signal(2, BOB, 1, 60));
    world.expect(&alice, [ack(2, "stored")]);
}

#[test]
fn stored_signals_survive_a_restart_and_their_senders_still_hear_of_them() {
    let mut world = World::new();
    let alice = world.keyed(1);
    for n in 1..=4 {
        world.send(&alice, stored_signal(n, BOB, n, if n == 3 { 60 } else { 3_600 }));
    }
    world.take(&alice);
    world.restart();
    let alice = world.resume(&alice, 4);
    world.advance(60_000);
    world.expect(&alice, [lost(&Peer { id: BOB.into(), ..alice.clone() }, [3])]);
    let bob = world.named(BOB, 2);
    let data: Vec<_> = world.take(&bob).into_iter().map(|f| f["data"].clone()).collect();
    assert_eq!(json!(data), json!([1, 2, 4]));
}

#[test]
fn after_a_crash_they_are_delivered_once_and_nobody_else_is_told_of_them() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.named(BOB, 2));
    world.drop_socket(&bob);
    world.send(&alice, stored_signal(1, BOB, 1, 3_600));
    let mut for_phone = stored_signal(2, BOB, 2, 60);
    for_phone["device"] = json!("phone");
    world.send(&alice, for_phone);
    world.expect(&alice, [ack(1, "stored"), ack(2, "stored")]);
    world.crash();
    // A stranger begins the first session of the new process, and its requests have the same numbers.
    let stranger = world.keyed(9);
    world.send(&stranger, find(1, BOB));
    world.send(&stranger, find(2, BOB));
    world.take(&stranger);
    let bob = world.named(BOB, 2);
    world.expect(&bob, [heard_later(&alice, 1, "*")]);
    world.advance(61_000);
    world.expect(&stranger, []);
    world.crash();
    let bob = world.named(BOB, 2);
    world.expect(&bob, []);
}

#[test]
fn a_keep_that_the_restart_interrupted_is_answered_by_what_the_store_has() {
    let mut world = World::new();
    let alice = world.keyed(1);
    world.store.slow = true;
    world.send(&alice, stored_signal(1, BOB, 1, 3_600));
    world.send(&alice, stored_signal(2, BOB, 2, 3_600));
    let asks = world.take_outputs();
    world.store.slow = false;
    // The first reached the disk before the process ended, its answer never came.
    let [Output::Ask(Ask::Keep(first)), Output::Ask(Ask::Keep(_))] = &asks[..] else { panic!("{asks:?}") };
    world.store.put(first.clone());
    world.restart();
    let alice = world.resume(&alice, 0);
    world.expect(&alice, [ack(1, "stored")]);
    world.advance(5_000);
    world.expect(&alice, [refused(2, 4501)]);
}

#[test]
fn a_record_that_cannot_be_read_harms_nothing() {
    let mut world = World::new();
    let alice = world.keyed(1);
    world.send(&alice, stored_signal(1, BOB, 1, 3_600));
    world.take(&alice);
    let good = world.store.kept().remove(0);
    world.store.put(Keep { number: good.number - 1, record: "{".into(), ..good.clone() });
    world.crash();
    let bob = world.named(BOB, 2);
    world.expect(&bob, [heard_later(&alice, 1, "*")]);
}

#[test]
fn an_answer_for_a_number_that_nobody_waits_for_is_passed_over() {
    let mut world = World::new();
    let alice = world.keyed(1);
    world.send(&alice, stored_signal(1, BOB, 1, 3_600));
    world.expect(&alice, [ack(1, "stored")]);
    let kept = world.store.kept().remove(0);
    for ok in [true, false] {
        world.input(Input::Kept { number: kept.number, ns: kept.ns.clone(), to: kept.to.clone(), ok });
    }
    world.expect(&alice, []);
    let bob = world.named(BOB, 2);
    world.expect(&bob, [heard_later(&alice, 1, "*")]);
}

#[test]
fn what_finds_no_room_waits_until_there_is_some_and_nothing_overtakes_it() {
    let mut world = World::with(|rules| rules.limits.queue_frames = 2);
    let alice = world.keyed(1);
    for n in 1..=5 {
        world.send(&alice, stored_signal(n, BOB, n, 3_600));
        world.expect(&alice, [ack(n, "stored")]);
        world.send(&alice, json!({"type": "seen", "seen": n}));
    }
    let bob = world.named(BOB, 2);
    world.expect(&bob, [heard_later(&alice, 1, "*"), heard_later(&alice, 2, "*")]);
    world.send(&alice, signal(6, BOB, 6));
    world.expect(&alice, [refused(6, 4115)]);
    world.send(&alice, json!({"type": "seen", "seen": 6}));
    assert!(world.is_open(&bob));
    world.send(&bob, json!({"type": "seen", "seen": 1}));
    world.expect(&bob, [heard_later(&alice, 3, "*")]);
    world.drop_socket(&bob);
    let bob = world.resume(&bob, 2);
    world.expect(&bob, [heard_later(&alice, 3, "*"), heard_later(&alice, 4, "*")]);
    world.drop_socket(&bob);
    let bob = world.resume(&bob, 4);
    world.expect(&bob, [heard_later(&alice, 5, "*")]);
    world.send(&bob, json!({"type": "seen", "seen": 5}));
    world.send(&alice, signal(7, BOB, 7));
    world.expect(&alice, [ack(7, "delivered")]);
    world.expect(&bob, [heard(&alice, 7)]);
    assert!(world.store.kept().is_empty());
}

#[test]
fn what_can_never_find_room_is_lost_and_holds_nothing_up() {
    let mut world = World::with(|rules| rules.limits.queue_bytes = 1_000);
    let alice = world.keyed(1);
    world.send(&alice, stored_signal(1, BOB, "x".repeat(2_000), 3_600));
    world.send(&alice, stored_signal(2, BOB, 2, 3_600));
    world.expect(&alice, [ack(1, "stored"), ack(2, "stored")]);
    let bob = world.named(BOB, 2);
    world.expect(&bob, [heard_later(&alice, 2, "*")]);
    world.expect(&alice, [lost(&bob, [1])]);
    assert!(world.store.kept().is_empty());
}
