//! Relayed data: to one device, within a quota, beside everything else and never in its way.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use serde_json::{Value, json};
use wigwag_hub::{Note, Outputs};
use world::*;

#[test]
fn data_reaches_one_device_byte_for_byte() {
    let mut world = World::new();
    let alice = world.device("alice@example.org", "laptop", 1);
    let (phone, bare) = (world.device("bob@example.org", "phone", 2), world.named("bob@example.org", 2));
    let data = r#"[ 1.50, 1e400, "\u00e9" ]"#;
    world.send_text(
        &alice,
        &format!(r#"{{"type":"relay","n":1,"to":"bob@example.org","device":"phone","data":{data}}}"#),
    );
    world.expect(&alice, [ack(1, "delivered")]);
    let came = String::from_utf8(world.take_raw(&phone).remove(0).to_vec()).unwrap();
    assert_eq!(came, format!(r#"{{"type":"relayed","from":"alice@example.org","device":"laptop","data":{data}}}"#));
    // No device is the empty one, not all of them.
    world.send(&alice, relay(2, &bare.id, "x"));
    world.expect(&alice, [ack(2, "delivered")]);
    world.expect(&bare, [relayed("alice@example.org", "laptop", "x")]);
    world.expect(&phone, []);
    world.send(&bare, relay(None, &bare.id, "to myself"));
    world.expect(&bare, [relayed(&bare.id, "", "to myself")]);
}

#[test]
fn nobody_there_is_said_at_once_and_counts_as_a_guess() {
    let mut world = World::with(|rules| {
        rules.limits.guesses_burst = 3;
        rules.limit_loopback = true;
    });
    let alice = world.named("alice@example.org", 1);
    let bob = world.device("bob@example.org", "phone", 2);
    let other = world.join(Some(3), json!({"namespace": "other"}));
    for (n, to) in [(1, "nobody@example.org"), (2, &*bob.id), (3, &*other.id)] {
        world.send(&alice, relay(n, to, "x"));
        world.expect(&alice, [ack(n, "absent")]);
    }
    world.send(&alice, relay(4, "nobody@example.org", "x"));
    world.expect(&alice, [refused_for(4, 4109, "*")]);
    world.expect(&bob, []);
}

#[test]
fn a_session_that_can_be_resumed_gets_what_was_held_and_nothing_is_stored_for_longer() {
    let mut world = World::new();
    let (alice, bob) = (world.named("alice@example.org", 1), world.named("bob@example.org", 2));
    world.drop_socket(&bob);
    world.send(&alice, relay(1, &bob.id, "held"));
    world.expect(&alice, [ack(1, "stored")]);
    let bob = world.resume(&bob, 0);
    world.expect(&bob, [relayed(&alice.id, "", "held")]);
    world.drop_socket(&bob);
    world.send(&alice, relay(2, &bob.id, "lost"));
    world.expect(&alice, [ack(2, "stored")]);
    // The session ends with it: its sender is not told by `lost`, for its stream finds out.
    world.advance(world.hub.rules().gone_after_ms);
    world.expect(&alice, []);
    world.send(&alice, relay(3, &bob.id, "gone"));
    world.expect(&alice, [ack(3, "absent")]);
}

#[test]
fn what_is_held_outlives_a_restart_and_keeps_its_share() {
    let mut world = World::with(|rules| rules.limits.queue_bytes = 4_000);
    let (alice, bob) = (world.named("alice@example.org", 1), world.named("bob@example.org", 2));
    world.drop_socket(&bob);
    let much = "x".repeat(1_200);
    world.send(&alice, relay(1, &bob.id, &*much));
    world.expect(&alice, [ack(1, "stored")]);
    world.restart();
    let alice = world.resume(&alice, 1);
    world.send(&alice, relay(2, &bob.id, &*much));
    world.expect(&alice, [refused(2, 4115)]);
    world.send(&alice, signal(3, &bob.id, "y".repeat(3_500)));
    world.expect(&alice, [ack(3, "stored")]);
    let bob = world.resume(&bob, 0);
    world.expect(&bob, [relayed(&alice.id, "", &much), heard(&alice, "y".repeat(3_500))]);
}

#[test]
fn a_relay_that_is_off_says_so_in_the_welcome_and_with_a_code() {
    let mut world = World::with(|rules| rules.limits.relay_bytes_per_second = 0);
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    assert_eq!(alice.welcome["limits"]["relay_bytes_per_second"], 0);
    world.send(&alice, relay(1, &bob.id, "x"));
    world.expect(&alice, [refused(1, 4305)]);
    world.expect(&bob, []);
}

#[test]
fn bytes_are_charged_with_their_envelope_and_the_wait_that_is_told_is_enough() {
    let mut world = World::with(|rules| {
        rules.limits.relay_bytes_per_second = 1_000;
        rules.limits.relay_bytes_burst = 3_000;
    });
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    // 998 characters, two quotes and 128 for the envelope.
    let data = "x".repeat(998);
    for n in 1..=2 {
        world.send(&alice, relay(n, &bob.id, &*data));
        world.expect(&alice, [ack(n, "delivered")]);
    }
    world.send(&alice, relay(3, &bob.id, &*data));
    world.expect(&alice, [refused_for(3, 4100, 384)]);
    // What is refused costs nothing, and signals have nothing to do with it.
    world.send(&alice, signal(4, &bob.id, 1));
    world.expect(&alice, [ack(4, "delivered")]);
    world.advance(383);
    world.send(&alice, relay(5, &bob.id, &*data));
    world.expect(&alice, [refused_for(5, 4100, 1)]);
    world.advance(1);
    world.send(&alice, relay(6, &bob.id, &*data));
    world.expect(&alice, [ack(6, "delivered")]);
    // Another session has a quota of its own.
    world.send(&bob, relay(1, &alice.id, &*data));
    world.take(&bob);
    world.expect(&alice, [relayed(&bob.id, "", &data)]);
}

#[test]
fn all_together_have_a_quota_too() {
    let mut world = World::with(|rules| rules.limits.relay_bytes_per_second_in_all = 2_000);
    let (alice, bob, carol) = (world.keyed(1), world.keyed(2), world.keyed(3));
    let data = "x".repeat(998);
    world.send(&alice, relay(1, &carol.id, &*data));
    world.expect(&alice, [ack(1, "delivered")]);
    world.send(&bob, relay(1, &carol.id, &*data));
    world.expect(&bob, [refused_for(1, 4100, 128)]);
    world.advance(128);
    world.send(&bob, relay(2, &carol.id, &*data));
    world.expect(&bob, [ack(2, "delivered")]);
    assert_eq!(world.take(&carol).len(), 2);
}

#[test]
fn relayed_frames_have_a_smaller_number_so_that_signals_always_find_room() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    let mut passed = 0;
    for n in 1..=60 {
        world.send(&alice, relay(n, &bob.id, n));
        passed += usize::from(world.next(&alice)["type"] == "ack");
    }
    assert_eq!(passed, 40);
    assert_eq!(world.take(&bob).len(), 40);
    world.send(&alice, signal(100, &bob.id, 1));
    world.expect(&alice, [ack(100, "delivered")]);
    world.expect(&bob, [heard(&alice, 1)]);
}

#[test]
fn a_receiver_that_confirms_nothing_is_not_cut_by_relayed_data_and_loses_none_of_its_room() {
    let mut world = World::with(|rules| {
        rules.limits.queue_bytes = 8_000;
        rules.limits.queue_frames = 8;
        rules.limits.relay_frames_per_second = 0;
        rules.limits.relay_bytes_burst = 1 << 20;
    });
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    // Half of the frames, however small.
    for n in 1..=4 {
        world.send(&alice, relay(n, &bob.id, n));
        world.expect(&alice, [ack(n, "delivered")]);
    }
    world.send(&alice, relay(5, &bob.id, 5));
    world.expect(&alice, [refused(5, 4115)]);
    assert!(world.is_open(&bob));
    world.send(&bob, json!({"type": "seen", "seen": 4}));
    // Half of the bytes, however few frames.
    world.send(&alice, relay(6, &bob.id, "x".repeat(3_500)));
    world.expect(&alice, [ack(6, "delivered")]);
    world.send(&alice, relay(7, &bob.id, "x".repeat(3_500)));
    world.expect(&alice, [refused(7, 4115)]);
    // All other room is there.
    for _ in 0..8 {
        world.send(&alice, signal(None, &bob.id, "y".repeat(800)));
    }
    assert!(world.is_open(&bob));
    assert_eq!(world.take(&bob).len(), 4 + 1 + 8);
    // One signal more is one too many, as it was without a relay.
    world.send(&alice, signal(None, &bob.id, "y"));
    world.expect_closed(&bob, 4002);
}

#[test]
fn relayed_data_and_signals_keep_one_order() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    for n in 1..=10 {
        let frame = if n % 3 == 0 { signal(n, &bob.id, n) } else { relay(n, &bob.id, n) };
        world.send(&alice, frame);
    }
    let came: Vec<u64> = world.take(&bob).iter().map(|frame| frame["data"].as_u64().unwrap()).collect();
    assert_eq!(came, (1..=10).collect::<Vec<_>>());
    assert_eq!(world.take(&alice).len(), 10);
}

#[test]
fn what_is_relayed_is_counted_and_nobody_is_named() {
    struct Counts(u64, u32);
    impl Outputs for Counts {
        fn emit(&mut self, _: wigwag_hub::Output) {}
        fn note(&mut self, note: Note) {
            if let Note::Relayed(bytes) = note {
                self.0 += 1;
                self.1 += bytes;
            }
        }
    }
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    let mut counts = Counts(0, 0);
    let mut connection = world.take_connection(&alice);
    for frame in [relay(1, &bob.id, 12_345), relay(2, &bob.id, "abc"), relay(3, "nobody@example.org", 0)] {
        connection.handle(&world.hub, world.now, wigwag_hub::Received::Text(&frame.to_string()), &mut counts);
    }
    assert_eq!((counts.0, counts.1), (3, 3 * 128 + 5 + 5 + 1));
}

fn relay(n: impl Into<Option<u64>>, to: &str, data: impl Into<Value>) -> Value {
    let mut frame = json!({"type": "relay", "to": to, "data": data.into()});
    if let Some(n) = n.into() {
        frame["n"] = json!(n);
    }
    frame
}

fn relayed(from: &str, device: &str, data: &str) -> Value {
    let mut frame = json!({"type": "relayed", "from": from, "data": data});
    if !device.is_empty() {
        frame["device"] = json!(device);
    }
    frame
}
