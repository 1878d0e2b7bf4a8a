//! How sockets prove themselves, and how they fail to.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use serde_json::{Value, json};
use wigwag_hub::{Moment, Received};
use wigwag_wire::Namespace;
use world::*;

#[test]
fn the_server_speaks_first_and_never_twice_the_same() {
    let mut world = World::new();
    let (a, b) = (world.open(), world.open());
    let (a, b) = (world.challenge(a), world.challenge(b));
    assert_eq!((&a["server"], &a["time"]), (&json!("wigwag.test"), &json!(BEGIN.wall.0)));
    assert_eq!((&a["versions"], &a["capabilities"]), (&json!(["wigwag.1"]), &json!([])));
    assert!((16..=64).contains(&a["nonce"].as_str().unwrap().len()));
    assert_ne!(a["nonce"], b["nonce"]);
}

#[test]
fn the_welcome_says_all_that_a_client_needs() {
    let mut world = World::new();
    let socket = world.open();
    world.hello(socket, Some(1), json!({"namespace": "chess", "device": "laptop", "capabilities": ["later", "never"]}));
    let limits = json!({"frame_bytes": 65536, "frames_per_second": 50, "frames_burst": 200, "meta_bytes": 4096, "stored_seconds": 604800, "relay_bytes_per_second": 131072, "relay_bytes_burst": 524288, "relay_frames_per_second": 20});
    world.expect(
        socket,
        [json!({"type": "welcome", "session": "*", "id": key_id(1), "device": "laptop", "namespace": "chess", "resume": "*",
            "resumed": false, "version": "wigwag.1", "capabilities": [], "ice": [], "limits": limits, "away_after": 5000, "gone_after": 120_000})],
    );
}

#[test]
fn a_peer_is_its_key_or_its_name_or_a_guest() {
    let mut world = World::new();
    assert_eq!(world.keyed(1).id, key_id(1));
    assert_eq!(world.join(Some(2), json!({"id": key_id(2)})).id, key_id(2));
    assert_eq!(world.named("bob@example.org", 3).id, "bob@example.org");
    let (one, two) = (world.guest(), world.guest());
    assert_ne!(one.id, two.id);
    for id in [one.id, two.id] {
        assert!(id.len() == 21 && id.starts_with('~'), "{id}");
    }
}

#[test]
fn null_is_the_same_as_left_out() {
    let mut world = World::new();
    let socket = world.open();
    world.send(
        socket,
        json!({"type": "hello", "version": null, "namespace": null, "key": null, "id": null, "device": null,
            "signature": null, "resume": null, "capabilities": null}),
    );
    assert_eq!(world.welcomed(socket).welcome["namespace"], "default");
}

#[test]
fn a_hello_that_proves_nothing_ends_the_socket() {
    let key = wigwag_testkit::TestKey::new(1).public().to_string();
    let other = key_id(2);
    let p256 = "p256:AmsX0fLhLEJH-Lzm5WOkQPJ3A32BLeszoPShOUXYmMKW";
    let forged = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for (hello, code) in [
        (json!({"version": 2}), 4303),
        (json!({"version": 0}), 4303),
        (json!({"namespace": "closed"}), 4206),
        (json!({"key": "ed25519:short", "signature": forged}), 4201),
        (json!({"key": "rsa:AAAA", "signature": forged}), 4201),
        (json!({"key": key}), 4200),
        (json!({"key": key, "signature": forged}), 4200),
        (json!({"key": key, "signature": "?"}), 4200),
        (json!({"key": key, "signature": "A".repeat(200)}), 4200),
        (json!({"key": p256, "signature": forged}), 4200),
        (json!({}), 4203),
    ] {
        let mut world = World::with(|rules| {
            rules.guests = false;
            rules.namespaces = Some([Namespace::new("default").unwrap(), Namespace::new("open").unwrap()].into());
        });
        let socket = world.open();
        world.hello(socket, None, hello.clone());
        world.expect(socket, [refused(None, code)]);
        world.expect_closed(socket, code);
        assert!(!world.is_open(socket), "{hello}");
    }
    // What is wrong with the words does not end it.
    for hello in
        [json!({"id": other}), json!({"id": "~aaaaaaaaaaaaaaaaaaaa"}), json!({"id": "Bob"}), json!({"id": "a@b@c"})]
    {
        let mut world = World::new();
        let socket = world.open();
        world.hello(socket, Some(1), hello);
        world.expect(socket, [refused(None, 4402)]);
        world.hello(socket, Some(1), json!({}));
        world.welcomed(socket);
    }
}

#[test]
fn a_signature_holds_for_these_words_only() {
    let hello = json!({"namespace": "chess", "id": "bob@example.org", "device": "laptop"});
    for (field, value) in [
        ("namespace", json!("go")),
        ("namespace", Value::Null),
        ("id", json!("rob@example.org")),
        ("id", Value::Null),
        ("device", json!("phone")),
        ("device", Value::Null),
    ] {
        let mut world = World::new();
        let socket = world.open();
        let mut frame = world.proved(socket, Some(1), hello.clone());
        frame[field] = value;
        world.send(socket, frame);
        world.expect(socket, [refused(None, 4200)]);
        world.expect_closed(socket, 4200);
    }
    // Nor for another socket, nor with another key.
    let mut world = World::new();
    let (first, second) = (world.open(), world.open());
    let frame = world.proved(first, Some(1), hello.clone());
    world.send(second, frame);
    world.expect(second, [refused(None, 4200)]);
    world.expect_closed(second, 4200);
    let mut frame = world.proved(first, Some(1), hello);
    frame["key"] = json!(wigwag_testkit::TestKey::new(2).public().to_string());
    world.send(first, frame);
    world.expect(first, [refused(None, 4200)]);
    world.expect_closed(first, 4200);
}

#[test]
fn a_p256_key_is_checked_by_the_function_handed_in() {
    let mut world =
        World::with(|rules| rules.p256 = |key, message, _| key[0] == 2 && message.starts_with(b"wigwag.1 hello\n"));
    let hello = json!({"type": "hello", "key": "p256:AmsX0fLhLEJH-Lzm5WOkQPJ3A32BLeszoPShOUXYmMKW", "signature": "A".repeat(86)});
    let socket = world.open();
    world.send(socket, hello);
    assert_eq!(world.welcomed(socket).id.len(), 32);
}

#[test]
fn a_guest_cannot_choose_its_id() {
    let mut world = World::new();
    let socket = world.open();
    world.hello(socket, None, json!({"id": "bob@example.org"}));
    world.expect(socket, [refused(None, 4402)]);
    world.hello(socket, None, json!({}));
    world.welcomed(socket);
}

#[test]
fn nothing_else_is_heard_before_a_good_hello() {
    let mut world = World::new();
    let socket = world.open();
    world.send(socket, find(7, "bob@example.org"));
    world.expect(socket, [refused(7, 4205)]);
    world.send(socket, json!({"type": "bye"}));
    world.expect(socket, [refused(None, 4205)]);
    world.send(socket, json!({"type": "dance", "n": 8}));
    world.expect(socket, [refused(8, 4401)]);
    world.send_text(socket, "hello?");
    world.expect(socket, [refused(None, 4400)]);
    world.hello(socket, None, json!({}));
    world.welcomed(socket);
}

#[test]
fn a_second_hello_is_refused_and_changes_nothing() {
    let mut world = World::new();
    let bob = world.keyed(1);
    let again = world.proved(bob.socket, Some(1), json!({"n": 3}));
    world.send(&bob, again);
    world.expect(&bob, [refused(None, 4414)]);
    // Its `n` meant nothing.
    world.send(&bob, find(1, &bob.id));
    world.expect(&bob, [json!({"type": "found", "re": 1, "...": 0})]);
}

#[test]
fn a_silent_socket_is_closed_after_the_handshake_time() {
    let mut world = World::new();
    let (silent, wrong, late) = (world.open(), world.open(), world.open());
    world.hello(wrong, Some(1), json!({"id": "Bob"}));
    world.expect(wrong, [refused(None, 4402)]);
    world.advance(9_999);
    world.hello(late, None, json!({}));
    world.welcomed(late);
    world.advance(1);
    for socket in [silent, wrong] {
        world.expect(socket, [refused(None, 4004)]);
        world.expect_closed(socket, 4004);
    }
    world.advance(60_000);
    assert!(world.is_open(late));
}

#[test]
fn the_handshake_time_can_be_switched_off() {
    let mut world = World::with(|rules| rules.limits.handshake_ms = 0);
    let socket = world.open();
    world.advance(3_600_000);
    world.hello(socket, None, json!({}));
    world.welcomed(socket);
}

#[test]
fn binary_frames_close_before_and_after_the_proof() {
    let mut world = World::new();
    let (socket, bob) = (world.open(), world.keyed(1));
    for at in [socket, bob.socket] {
        world.receive(at, Received::Binary(b"x"));
        world.expect_closed(at, 1003);
    }
    // The session can be resumed.
    assert_eq!(world.resume(&bob, 0).welcome["resumed"], true);
}

#[test]
fn frames_after_a_hello_wait_for_the_store() {
    let mut world = World::new();
    world.store.slow = true;
    let socket = world.open();
    world.hello(socket, Some(1), json!({"id": "bob@example.org"}));
    world.send(socket, find(1, "bob@example.org"));
    world.expect(socket, []);
    world.answer_next();
    world.welcomed(socket);
    world.expect(socket, [json!({"type": "found", "re": 1, "state": "here", "...": 0})]);
}

#[test]
fn a_store_that_answers_too_late_finds_the_socket_closed() {
    let mut world = World::new();
    world.store.slow = true;
    let socket = world.open();
    world.hello(socket, Some(1), json!({"id": "bob@example.org"}));
    world.advance(10_000);
    world.expect(socket, [refused(None, 4004)]);
    world.expect_closed(socket, 4004);
    world.answer_next();
    world.expect(socket, []);
    assert_eq!(world.hub.counts().sessions, 0);
}

#[test]
fn a_socket_that_is_lost_while_the_store_is_asked_leaves_nothing() {
    let mut world = World::new();
    world.store.slow = true;
    let socket = world.open();
    world.hello(socket, Some(1), json!({"id": "bob@example.org"}));
    world.drop_socket(socket);
    world.answer_next();
    assert_eq!(world.hub.counts(), wigwag_hub::Counts::default());
}

#[test]
fn one_id_has_so_many_sessions_and_one_namespace_too() {
    let mut world = World::with(|rules| {
        rules.limits.sessions_per_id = 2;
        rules.limits.sessions_per_namespace = 3;
    });
    let laptop = world.device("bob@example.org", "laptop", 1);
    world.device("bob@example.org", "phone", 1);
    let socket = world.open();
    world.hello(socket, Some(1), json!({"id": "bob@example.org", "device": "tv"}));
    world.expect(socket, [refused(None, 4102)]);
    world.expect_closed(socket, 4102);
    // A device that is there already takes over instead.
    let again = world.device("bob@example.org", "laptop", 1);
    world.expect_closed(&laptop, 4300);

    let carol = world.keyed(2);
    let socket = world.open();
    world.hello(socket, Some(3), json!({}));
    world.expect(socket, [refused(None, 4116)]);
    // It may try again, in another namespace or later.
    world.hello(socket, Some(3), json!({"namespace": "other"}));
    world.welcomed(socket);
    world.send(&carol, json!({"type": "bye"}));
    world.expect_closed(&carol, 1000);
    world.keyed(4);
    assert!(world.is_open(&again));
}

#[test]
fn the_clock_of_the_handshake_stops_with_the_proof() {
    let mut world = World::new();
    world.keyed(1);
    assert_eq!(world.next_deadline(), None::<Moment>, "an idle session waits for nothing");
}
