//! Peers that may be at another place: the hub asks, keeps order meanwhile, and carries.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use serde_json::{Value, json};
use wigwag_hub::{Ask, Carry, CarryStatus, Input, Output, Place};
use wigwag_wire::{Code, Namespace, PeerId};
use world::*;

const BOB: &str = "bob@example.org";

fn asking() -> World {
    World::with(|rules| rules.ask_where = true)
}

fn ns() -> Namespace {
    Namespace::new("default").unwrap()
}

fn id(text: &str) -> PeerId {
    PeerId::new(text).unwrap()
}

/// The one question that is out: where this id is.
#[track_caller]
fn asked(world: &mut World, about: &str) {
    match &world.take_outputs()[..] {
        [Output::Ask(Ask::Where { ns: n, id: i })] => assert_eq!((n, i), (&ns(), &id(about))),
        other => panic!("expected one question about {about}, not {other:?}"),
    }
}

fn located(world: &mut World, about: &str, place: Option<u64>) {
    world.input(Input::Where { ns: ns(), id: id(about), place: place.map(Place) });
}

/// What was carried away.
fn carried(world: &mut World) -> Vec<Carry> {
    let carry = |output| match output {
        Output::Carry(carry) => carry,
        other => panic!("expected only what is carried, not {other:?}"),
    };
    world.take_outputs().into_iter().map(carry).collect()
}

fn receipt(world: &mut World, carry: &Carry, status: CarryStatus) {
    world.input(Input::Carried { ticket: carry.ticket, ns: carry.ns.clone(), to: carry.to.clone(), status });
}

#[test]
fn who_is_here_is_never_asked_for() {
    let mut world = asking();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    world.send(&alice, signal(1, &bob.id, 1));
    world.send(&alice, find(2, &bob.id));
    world.expect(&alice, [ack(1, "delivered"), json!({"type": "found", "re": 2, "state": "here", "...": 0})]);
    world.expect(&bob, [heard(&alice, 1)]);
    world.drop_socket(&bob);
    world.send(&alice, signal(3, &bob.id, 3));
    world.expect(&alice, [ack(3, "stored")]);
}

#[test]
fn a_signal_is_carried_to_where_its_peer_is_and_the_receipt_is_the_answer() {
    for (status, answer) in [
        (CarryStatus::Delivered, ack(1, "delivered")),
        (CarryStatus::Held, ack(1, "stored")),
        (CarryStatus::Absent, ack(1, "absent")),
        (CarryStatus::Refused(Code::QueueFull), refused(1, 4115)),
    ] {
        let mut world = asking();
        let alice = world.keyed(1);
        world.send(&alice, signal(1, BOB, 1));
        world.expect(&alice, []);
        asked(&mut world, BOB);
        located(&mut world, BOB, Some(7));
        let away = carried(&mut world);
        assert_eq!((away.len(), away[0].place, &away[0].to), (1, Place(7), &id(BOB)));
        world.expect(&alice, []);
        receipt(&mut world, &away[0], status);
        world.expect(&alice, [answer]);
        // A second receipt is one too many, and changes nothing.
        receipt(&mut world, &away[0], CarryStatus::Absent);
        world.expect(&alice, []);
    }
}

#[test]
fn what_arrives_from_elsewhere_is_handed_out_like_anything_else() {
    let (mut here, mut there) = (asking(), asking());
    let alice = here.device("alice@example.org", "tablet", 1);
    let bob = there.named(BOB, 2);
    let mut note = signal(1, BOB, json!({"x": [1, 2]}));
    note["store"] = json!(60);
    here.send(&alice, note);
    here.take_outputs();
    located(&mut here, BOB, Some(1));
    let away = carried(&mut here).remove(0);
    let arrive = |there: &mut World, ticket: u64| {
        there.input(Input::Arrived { ticket, ns: ns(), to: id(BOB), record: &away.record });
        match &there.take_outputs()[..] {
            [Output::Receipt { ticket: t, status }] => {
                assert_eq!(*t, ticket);
                *status
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(arrive(&mut there, 5), CarryStatus::Delivered);
    there.expect(&bob, [heard(&alice, json!({"x": [1, 2]}))]);
    there.drop_socket(&bob);
    assert_eq!(arrive(&mut there, 6), CarryStatus::Held);
    let bob = there.resume(&bob, 1);
    there.expect(&bob, [heard(&alice, json!({"x": [1, 2]}))]);
    there.send(&bob, json!({"type": "bye"}));
    there.expect_closed(&bob, 1000);
    assert_eq!(arrive(&mut there, 7), CarryStatus::Absent);
    receipt(&mut here, &away, CarryStatus::Delivered);
    here.expect(&alice, [ack(1, "delivered")]);
}

#[test]
fn what_arrives_full_or_broken_is_refused() {
    let mut world = World::with(|rules| (rules.ask_where, rules.limits.queue_frames) = (true, 1));
    let alice = world.keyed(1);
    world.send(&alice, signal(None, BOB, 1));
    world.take_outputs();
    located(&mut world, BOB, Some(1));
    let record = carried(&mut world).remove(0).record;
    let mut there = World::with(|rules| rules.limits.queue_frames = 1);
    let bob = there.named(BOB, 2);
    there.drop_socket(&bob);
    let mut status = |record: &[u8]| {
        there.input(Input::Arrived { ticket: 1, ns: ns(), to: id(BOB), record });
        match there.take_outputs().remove(0) {
            Output::Receipt { status, .. } => status,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(status(&record), CarryStatus::Held);
    assert_eq!(status(&record), CarryStatus::Refused(Code::QueueFull));
    for broken in [&b"{"[..], b"null", b"\xff", b""] {
        assert_eq!(status(broken), CarryStatus::Refused(Code::Malformed));
    }
}

#[test]
fn one_question_is_asked_and_all_that_waits_keeps_its_order() {
    let mut world = asking();
    let (alice, carol) = (world.keyed(1), world.keyed(3));
    world.send(&alice, signal(1, BOB, 1));
    asked(&mut world, BOB);
    world.send(&carol, signal(1, BOB, 2));
    world.send(&alice, find(2, BOB));
    world.send(&alice, signal(3, BOB, 3));
    assert!(world.take_outputs().is_empty(), "the question is out already");
    // Other ids do not wait for this one.
    world.send(&alice, signal(4, &carol.id, 4));
    world.expect(&alice, [ack(4, "delivered")]);
    world.expect(&carol, [heard(&alice, 4)]);
    located(&mut world, BOB, Some(2));
    world.expect(&alice, [json!({"type": "found", "re": 2, "id": BOB, "state": "here", "polite": "*"})]);
    let away = carried(&mut world);
    let data: Vec<Value> =
        away.iter().map(|c| serde_json::from_slice::<Value>(&c.record).unwrap()["data"].clone()).collect();
    assert_eq!(json!(data), json!([1, 2, 3]));
    for carry in &away {
        receipt(&mut world, carry, CarryStatus::Delivered);
    }
    world.expect(&alice, [ack(1, "delivered"), ack(3, "delivered")]);
    world.expect(&carol, [ack(1, "delivered")]);
}

#[test]
fn nowhere_is_an_answer_too() {
    let mut world = asking();
    let alice = world.keyed(1);
    world.send(&alice, signal(1, BOB, 1));
    world.send(&alice, stored_signal(2, BOB, 2, 60));
    world.send(&alice, find(3, BOB));
    world.send(&alice, signal(None, BOB, 4));
    world.take_outputs();
    located(&mut world, BOB, None);
    world.expect(
        &alice,
        [
            ack(1, "absent"),
            json!({"type": "found", "re": 3, "id": BOB, "state": "gone", "polite": "*"}),
            ack(2, "stored"),
        ],
    );
    assert_eq!(world.store.kept().len(), 1);
    // An answer to a question that nobody asked is passed over.
    located(&mut world, BOB, Some(9));
    located(&mut world, "nobody@example.org", Some(9));
    let bob = world.named(BOB, 2);
    world.expect(&bob, [heard_later(&alice, 2, "*")]);
}

#[test]
fn a_peer_that_turns_up_here_meanwhile_gets_everything_in_order() {
    let mut world = asking();
    let alice = world.keyed(1);
    world.send(&alice, stored_signal(1, BOB, 1, 60));
    world.take_outputs();
    located(&mut world, BOB, None);
    world.expect(&alice, [ack(1, "stored")]);
    world.send(&alice, signal(2, BOB, 2));
    world.send(&alice, find(3, BOB));
    world.send(&alice, stored_signal(4, BOB, 4, 60));
    asked(&mut world, BOB);
    let bob = world.named(BOB, 2);
    world.send(&alice, signal(5, BOB, 5));
    world.expect(&bob, [heard_later(&alice, 1, "*"), heard(&alice, 2), heard(&alice, 4), heard(&alice, 5)]);
    world.expect(
        &alice,
        [
            ack(2, "delivered"),
            json!({"type": "found", "re": 3, "state": "here", "...": 0}),
            ack(4, "delivered"),
            ack(5, "delivered"),
        ],
    );
    // The answer comes too late to matter.
    located(&mut world, BOB, Some(3));
    world.expect(&alice, []);
}

#[test]
fn a_device_that_is_not_here_is_asked_for_although_another_is() {
    let mut world = asking();
    let alice = world.keyed(1);
    let laptop = world.device(BOB, "laptop", 2);
    world.send(&alice, signal_device(1, BOB, "phone", 1));
    asked(&mut world, BOB);
    world.send(&alice, signal(2, BOB, 2));
    world.expect(&laptop, [heard(&alice, 2)]);
    located(&mut world, BOB, Some(4));
    let away = carried(&mut world);
    assert_eq!(away.len(), 1);
    receipt(&mut world, &away[0], CarryStatus::Delivered);
    world.expect(&alice, [ack(2, "delivered"), ack(1, "delivered")]);
}

#[test]
fn a_question_that_nobody_answers_is_given_up() {
    let mut world = asking();
    let alice = world.keyed(1);
    world.send(&alice, signal(1, BOB, 1));
    world.send(&alice, find(2, BOB));
    world.send(&alice, signal(None, BOB, 3));
    asked(&mut world, BOB);
    world.advance(4_999);
    world.expect(&alice, []);
    world.advance(1);
    world.expect(&alice, [refused(1, 4502), refused(2, 4502), refused(None, 4502)]);
    // The next one asks again, and an answer after all is passed over.
    located(&mut world, BOB, Some(1));
    world.send(&alice, signal(4, BOB, 4));
    asked(&mut world, BOB);
    located(&mut world, BOB, None);
    world.expect(&alice, [ack(4, "absent")]);
}

#[test]
fn a_receipt_that_never_comes_is_given_up_too() {
    let mut world = asking();
    let alice = world.keyed(1);
    world.send(&alice, signal(1, BOB, 1));
    world.send(&alice, signal(None, BOB, 2));
    world.take_outputs();
    world.advance(3_000);
    located(&mut world, BOB, Some(1));
    let away = carried(&mut world);
    world.advance(4_999);
    world.expect(&alice, []);
    world.advance(1);
    world.expect(&alice, [refused(1, 4502)]);
    receipt(&mut world, &away[0], CarryStatus::Delivered);
    world.expect(&alice, []);
    world.advance(60_000);
    assert_eq!(world.next_deadline(), None, "nothing is remembered of it");
}

#[test]
fn so_many_wait_for_one_id_and_no_more() {
    let mut world = World::with(|rules| (rules.ask_where, rules.limits.waiting_per_id) = (true, 2));
    let alice = world.keyed(1);
    world.send(&alice, signal(1, BOB, 1));
    world.send(&alice, find(2, BOB));
    world.send(&alice, signal(3, BOB, 3));
    world.send(&alice, find(4, BOB));
    world.expect(&alice, [refused(3, 4112), refused(4, 4112)]);
    world.take_outputs();
    located(&mut world, BOB, None);
    assert_eq!(world.take(&alice).len(), 2);
}

#[test]
fn a_miss_elsewhere_is_a_miss() {
    let mut world = World::with(|rules| {
        rules.ask_where = true;
        (rules.limits.guesses_burst, rules.limits.guesses_per_minute) = (2, 1);
    });
    let alice = world.keyed(1);
    for (n, place) in [(1, Some(1)), (2, Some(1)), (3, None), (4, None)] {
        world.send(&alice, find(n, BOB));
        asked(&mut world, BOB);
        located(&mut world, BOB, place);
        assert_eq!(world.next(&alice)["type"], "found");
    }
    world.send(&alice, find(5, BOB));
    world.expect(&alice, [refused_for(5, 4109, "*")]);
    world.send(&alice, signal(6, BOB, 6));
    world.expect(&alice, [refused_for(6, 4109, "*")]);
}

#[test]
fn a_sender_that_is_gone_by_then_is_told_nothing() {
    let mut world = asking();
    let alice = world.keyed(1);
    world.send(&alice, signal(1, BOB, 1));
    world.take_outputs();
    world.send(&alice, json!({"type": "bye"}));
    world.expect_closed(&alice, 1000);
    located(&mut world, BOB, Some(1));
    // Its signal goes where it was meant to go all the same.
    let away = carried(&mut world);
    receipt(&mut world, &away[0], CarryStatus::Delivered);
}

#[test]
fn a_restart_answers_whoever_waits_for_the_outside() {
    let mut world = asking();
    let alice = world.keyed(1);
    world.send(&alice, find(1, BOB));
    world.send(&alice, signal(2, BOB, 2));
    world.send(&alice, signal(3, "carol@example.org", 3));
    world.take_outputs();
    located(&mut world, "carol@example.org", Some(1));
    world.take_outputs();
    world.restart();
    let alice = world.resume(&alice, 0);
    assert_eq!(alice.welcome["n"], 3);
    let mut refusals: Vec<Value> = world.take(&alice);
    refusals.sort_by_key(|f| f["re"].as_u64());
    let told: Vec<_> = refusals.iter().map(|f| (f["re"].as_u64().unwrap(), f["code"].as_u64().unwrap())).collect();
    assert_eq!(told, [(1, 4502), (2, 4502), (3, 4502)]);
}
