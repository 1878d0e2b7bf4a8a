//! Signals from peer to peer, and what their senders are told.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use serde_json::{Value, json};
use wigwag_hub::Output;
use world::*;

#[test]
fn a_signal_reaches_its_peer_and_the_sender_knows() {
    let mut world = World::new();
    let (alice, bob) = (world.named("alice@example.org", 1), world.named("bob@example.org", 2));
    world.send(&alice, signal(5, &bob.id, json!({"sdp": "v=0\r\n"})));
    world.expect(&alice, [ack(5, "delivered")]);
    world.expect(
        &bob,
        [json!({"type": "signal", "from": "alice@example.org", "kind": "note", "polite": false, "data": {"sdp": "v=0\r\n"}})],
    );
    // The one whose id is lower gives way.
    world.send(&bob, signal(1, &alice.id, 1));
    world.expect(&bob, [ack(1, "delivered")]);
    let mut answer = heard(&bob, 1);
    answer["polite"] = json!(true);
    world.expect(&alice, [answer]);
}

#[test]
fn content_arrives_byte_for_byte() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    for data in [
        r#"{"b":1,  "a":2}"#,
        "[1.50, 1e400, -0]",
        r#""\u00e9\ud83d""#,
        "null",
        "12345678901234567890123456789",
        "{\"x\":\"é😀\"}",
    ] {
        let frame = format!(r#"{{"type":"signal","to":"{}","kind":"k","data":{data}}}"#, bob.id);
        world.send_text(&alice, &frame);
        let came = String::from_utf8(world.take_raw(&bob).remove(0).to_vec()).unwrap();
        assert!(came.ends_with(&format!(r#""data":{data}}}"#)), "{came}");
    }
}

#[test]
fn without_a_number_there_is_no_answer_and_no_loss_to_report() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    world.send(&alice, signal(None, &bob.id, 1));
    world.expect(&alice, []);
    world.expect(&bob, [heard(&alice, 1)]);
    world.send(&bob, json!({"type": "bye"}));
    world.expect_closed(&bob, 1000);
    world.send(&alice, signal(None, &bob.id, 2));
    world.expect(&alice, []);
}

#[test]
fn nobody_there_is_said_at_once() {
    let mut world = World::new();
    let alice = world.keyed(1);
    world.send(&alice, signal(1, "nobody@example.org", 1));
    world.expect(&alice, [ack(1, "absent")]);
    // Nor across namespaces.
    let bob = world.join(Some(2), json!({"namespace": "other"}));
    world.send(&alice, signal(2, &bob.id, 1));
    world.expect(&alice, [ack(2, "absent")]);
}

#[test]
fn numbers_rise_or_are_refused_and_a_gap_is_fine() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    for (n, answer) in [
        (0, ack(0, "delivered")),
        (7, ack(7, "delivered")),
        (7, refused(7, 4413)),
        (3, refused(3, 4413)),
        ((1 << 53) - 1, ack((1 << 53) - 1, "delivered")),
    ] {
        world.send(&alice, signal(n, &bob.id, n));
        world.expect(&alice, [answer]);
    }
    world.expect(&bob, [heard(&alice, 0), heard(&alice, 7), heard(&alice, (1u64 << 53) - 1)]);
    world.send(&alice, json!({"type": "signal", "n": 1u64 << 53, "to": bob.id, "kind": "k", "data": 1}));
    world.expect(&alice, [refused(None, 4402)]);
}

#[test]
fn signals_keep_their_order_whatever_happens_between() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    for n in 0..5 {
        world.send(&alice, signal(n, &bob.id, n));
    }
    world.drop_socket(&bob);
    for n in 5..10 {
        world.send(&alice, signal(n, &bob.id, n));
    }
    world.advance(20_000);
    for n in 10..15 {
        world.send(&alice, signal(n, &bob.id, n));
    }
    let bob = world.resume(&bob, 0);
    world.send(&alice, signal(15, &bob.id, 15));
    let data: Vec<Value> = world.take(&bob).into_iter().map(|frame| frame["data"].clone()).collect();
    assert_eq!(json!(data), json!((0..16).collect::<Vec<_>>()));
    let status: Vec<Value> = world.take(&alice).into_iter().map(|frame| frame["status"].clone()).collect();
    let expected = [vec!["delivered"; 5], vec!["stored"; 10], vec!["delivered"]].concat();
    assert_eq!(json!(status), json!(expected));
}

#[test]
fn a_signal_goes_to_all_devices_or_to_the_one_that_is_named() {
    let mut world = World::new();
    let alice = world.device("alice@example.org", "tablet", 1);
    let laptop = world.device("bob@example.org", "laptop", 2);
    let phone = world.device("bob@example.org", "phone", 2);
    let plain = world.named("bob@example.org", 2);
    world.send(&alice, signal(1, "bob@example.org", 1));
    for device in [&laptop, &phone, &plain] {
        world.expect(device, [heard(&alice, 1)]);
    }
    world.send(&alice, signal_device(2, "bob@example.org", "phone", 2));
    world.send(&alice, signal_device(3, "bob@example.org", "", 3));
    world.send(&alice, signal_device(4, "bob@example.org", "tv", 4));
    world.expect(&phone, [heard(&alice, 2)]);
    world.expect(&plain, [heard(&alice, 3)]);
    world.expect(&alice, [ack(1, "delivered"), ack(2, "delivered"), ack(3, "delivered"), ack(4, "absent")]);
}

#[test]
fn a_sender_may_signal_its_own_devices_and_the_lower_device_is_polite() {
    let mut world = World::new();
    let a = world.device("bob@example.org", "a", 1);
    let b = world.device("bob@example.org", "b", 1);
    world.send(&a, signal_device(1, "bob@example.org", "b", 1));
    world.expect(&a, [ack(1, "delivered")]);
    let mut came = heard(&a, 1);
    came["polite"] = json!(false);
    world.expect(&b, [came]);
    world.send(&b, signal_device(1, "bob@example.org", "a", 2));
    world.expect(&b, [ack(1, "delivered")]);
    let mut came = heard(&b, 2);
    came["polite"] = json!(true);
    world.expect(&a, [came]);
}

#[test]
fn a_session_without_a_socket_holds_what_comes_for_it() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    world.drop_socket(&bob);
    world.send(&alice, signal(1, &bob.id, 1));
    world.expect(&alice, [ack(1, "stored")]);
    let bob = world.resume(&bob, 0);
    world.expect(&bob, [heard(&alice, 1)]);
    assert!(world.store.kept().is_empty(), "nobody asked for storing");
}

#[test]
fn a_live_device_is_delivered_to_and_an_away_one_holds_its_copy() {
    let mut world = World::new();
    let alice = world.keyed(1);
    let laptop = world.device("bob@example.org", "laptop", 2);
    let phone = world.device("bob@example.org", "phone", 2);
    world.drop_socket(&laptop);
    world.send(&alice, stored_signal(1, "bob@example.org", 1, 60));
    world.expect(&alice, [ack(1, "delivered")]);
    world.expect(&phone, [heard(&alice, 1)]);
    assert!(world.store.kept().is_empty(), "a live device took it: nothing needs storing");
    let laptop = world.resume(&laptop, 0);
    world.expect(&laptop, [heard(&alice, 1)]);
}

#[test]
fn a_full_queue_refuses_signals_and_loses_none() {
    let mut world = World::with(|rules| rules.limits.queue_frames = 3);
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    world.drop_socket(&bob);
    for n in 1..=4 {
        world.send(&alice, signal(n, &bob.id, n));
        world.send(&alice, json!({"type": "seen", "seen": n}));
    }
    world.expect(&alice, [ack(1, "stored"), ack(2, "stored"), ack(3, "stored"), refused(4, 4115)]);
    // Without a number too.
    world.send(&alice, signal(None, &bob.id, 5));
    world.expect(&alice, [refused(None, 4115)]);
    let bob = world.resume(&bob, 0);
    world.expect(&bob, [heard(&alice, 1), heard(&alice, 2), heard(&alice, 3)]);
}

#[test]
fn one_device_with_room_is_enough() {
    let mut world = World::with(|rules| rules.limits.queue_bytes = 400);
    let alice = world.keyed(1);
    let laptop = world.device("bob@example.org", "laptop", 2);
    let phone = world.device("bob@example.org", "phone", 2);
    world.drop_socket(&laptop);
    world.drop_socket(&phone);
    world.send(&alice, signal_device(1, "bob@example.org", "laptop", "x".repeat(200)));
    world.send(&alice, signal(2, "bob@example.org", "y".repeat(200)));
    world.send(&alice, signal(3, "bob@example.org", "z".repeat(200)));
    world.expect(&alice, [ack(1, "stored"), ack(2, "stored"), refused(3, 4115)]);
    // What can never fit is refused wherever its receiver is.
    let phone = world.resume(&phone, 0);
    world.expect(&phone, [heard(&alice, "y".repeat(200))]);
    world.send(&alice, signal(4, "bob@example.org", "w".repeat(500)));
    world.expect(&alice, [refused(4, 4115)]);
    assert!(world.is_open(&phone));
}

#[test]
fn what_is_lost_with_a_session_is_told_once_and_only_if_it_was_not_confirmed() {
    let mut world = World::new();
    let (alice, carol) = (world.keyed(1), world.keyed(3));
    let bob = world.named("bob@example.org", 2);
    for n in 1..=3 {
        world.send(&alice, signal(n, &bob.id, n));
    }
    world.send(&carol, signal(8, &bob.id, 8));
    world.send(&alice, signal(None, &bob.id, 9));
    world.take(&bob);
    world.send(&bob, json!({"type": "seen", "seen": 1}));
    world.drop_socket(&bob);
    world.send(&alice, signal(10, &bob.id, 10));
    world.take(&alice);
    world.take(&carol);
    world.advance(119_999);
    world.expect(&alice, []);
    world.advance(1);
    world.expect(&alice, [lost(&bob, [2, 3, 10])]);
    world.expect(&carol, [lost(&bob, [8])]);
}

#[test]
fn a_bye_loses_what_was_not_confirmed() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.device("bob@example.org", "laptop", 2));
    world.send(&alice, signal(1, &bob.id, 1));
    world.send(&alice, signal(2, &bob.id, 2));
    world.take(&bob);
    world.advance(1_000);
    world.pong(&bob);
    world.send(&alice, signal(3, &bob.id, 3));
    world.take(&bob);
    world.take(&alice);
    world.send(&bob, json!({"type": "bye"}));
    world.expect_closed(&bob, 1000);
    world.expect(&alice, [lost(&bob, [3])]);
}

#[test]
fn a_fresh_hello_of_the_same_party_loses_what_the_old_session_held() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.named("bob@example.org", 2));
    world.drop_socket(&bob);
    world.send(&alice, signal(1, &bob.id, 1));
    world.named("bob@example.org", 2);
    world.expect(&alice, [ack(1, "stored"), lost(&bob, [1])]);
}

#[test]
fn a_signal_to_several_devices_is_lost_when_none_of_them_confirmed_it() {
    let mut world = World::new();
    let alice = world.keyed(1);
    let laptop = world.device("bob@example.org", "laptop", 2);
    let phone = world.device("bob@example.org", "phone", 2);
    // Confirmed by one: not lost, whichever goes first.
    world.send(&alice, signal(1, "bob@example.org", 1));
    world.send(&alice, signal(2, "bob@example.org", 2));
    world.take(&laptop);
    world.take(&phone);
    world.send(&laptop, json!({"type": "seen", "seen": 1}));
    world.drop_socket(&laptop);
    world.drop_socket(&phone);
    world.send(&alice, signal(3, "bob@example.org", 3));
    world.take(&alice);
    world.advance(60_000);
    let phone = world.resume(&phone, 0);
    world.expect(&phone, [heard(&alice, 1), heard(&alice, 2), heard(&alice, 3)]);
    world.advance(60_000);
    // The laptop's session is over; the phone may still confirm 2 and 3.
    world.expect(&alice, []);
    world.send(&phone, json!({"type": "seen", "seen": 2}));
    world.send(&phone, json!({"type": "bye"}));
    world.expect_closed(&phone, 1000);
    world.expect(&alice, [lost(&phone, [3])]);
}

#[test]
fn a_sender_that_is_gone_is_told_nothing_and_one_that_is_away_hears_it_later() {
    let mut world = World::new();
    let (alice, carol) = (world.keyed(1), world.keyed(3));
    let bob = world.keyed(2);
    world.send(&alice, signal(1, &bob.id, 1));
    world.send(&carol, signal(1, &bob.id, 1));
    world.take(&bob);
    world.take(&carol);
    world.send(&carol, json!({"type": "bye"}));
    world.expect_closed(&carol, 1000);
    world.drop_socket(&alice);
    world.send(&bob, json!({"type": "bye"}));
    world.expect_closed(&bob, 1000);
    let alice = world.resume(&alice, 1);
    world.expect(&alice, [lost(&bob, [1])]);
}

#[test]
fn a_request_of_a_socket_that_was_superseded_does_nothing() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    // The frames are on their way when a newer socket takes over.
    let late = world.take_connection(&alice);
    let newer = world.resume(&alice, 0);
    world.expect_closed(&alice, 4300);
    let mut late = late;
    for frame in [signal(1, &bob.id, 1), signal(None, &bob.id, 2), json!({"type": "bye"}), json!({"type": "dance"})] {
        world.send_through(&mut late, &frame.to_string());
    }
    world.expect(&bob, []);
    world.expect(&newer, []);
    world.send(&newer, signal(1, &bob.id, 3));
    world.expect(&newer, [ack(1, "delivered")]);
    world.expect(&bob, [heard(&alice, 3)]);
}

#[test]
fn the_hub_sends_nothing_to_the_outside_for_an_ordinary_signal() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    world.send(&alice, signal(1, &bob.id, 1));
    world.expect(&alice, [ack(1, "delivered")]);
    world.expect(&bob, [heard(&alice, 1)]);
    let outputs: Vec<Output> = world.take_outputs();
    assert!(outputs.is_empty(), "{outputs:?}");
}
