//! A server that ends in order and begins again: what its peers notice, and what they do not.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use serde_json::{Value, json};
use wigwag_hub::{Hub, Native, Output, RestoreError, Rules, Snapshot};
use world::*;

#[test]
fn a_session_resumes_with_everything_that_it_had() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.device("bob@example.org", "laptop", 2));
    world.send(&bob, watch(7, [&alice.id]));
    world.send(&bob, json!({"type": "room.join", "n": 8, "room": "den", "create": true}));
    world.send(&bob, json!({"type": "subscribe", "n": 9, "topics": ["news"]}));
    for n in 1..=3 {
        world.send(&alice, signal(n, &bob.id, n));
    }
    let sent = world.take_raw(&bob);
    world.take(&alice);
    world.send(&bob, json!({"type": "seen", "seen": 5}));
    world.restart();
    world.advance(1_000);
    let again = world.resume(&bob, 6);
    assert_eq!((&again.welcome["resumed"], &again.welcome["n"]), (&json!(true), &json!(9)));
    assert_eq!(again.welcome["session"], bob.welcome["session"]);
    assert_eq!(world.take_raw(&again), sent[6..], "to the byte");
    // The count goes on where it was.
    let alice = world.resume(&alice, 3);
    world.send(&alice, signal(4, &bob.id, 4));
    world.send(&alice, json!({"type": "publish", "n": 5, "topic": "news", "data": 1}));
    world.send(&alice, json!({"type": "room.join", "n": 6, "room": "den"}));
    world.expect(
        &again,
        [
            heard(&alice, 4),
            json!({"type": "published", "topic": "news", "from": alice.id, "receivers": 1, "data": 1}),
            json!({"type": "room.member", "room": "den", "change": "joined", "id": alice.id, "...": 0}),
        ],
    );
    world.take(&alice);
    world.advance(1_000);
    assert_eq!(world.marks(&again), [(sent.len() + 3) as u64]);
}

#[test]
fn nobody_is_told_what_did_not_change() {
    let mut world = World::new();
    let (alice, bob, carol) = (world.keyed(1), world.keyed(2), world.keyed(3));
    world.send(&alice, watch(None, [&bob.id, &carol.id, "dave@example.org"]));
    world.drop_socket(&carol);
    world.advance(5_000);
    assert_eq!(world.take(&alice).len(), 4);
    world.restart();
    let alice = world.resume(&alice, 4);
    world.expect(&alice, []);
    let bob = world.resume(&bob, 0);
    world.expect(&alice, []);
    let carol = world.resume(&carol, 0);
    world.expect(&alice, [presence(&carol.id, "here")]);
    // Again and again, and changes are told as before.
    world.restart();
    let alice = world.resume(&alice, 5);
    world.expect(&alice, []);
    world.advance(5_000);
    let mut told: Vec<_> = world.take(&alice).into_iter().map(|f| (f["id"].clone(), f["state"].clone())).collect();
    told.sort_by_key(|(id, _)| id != &json!(bob.id));
    assert_eq!(told, [(json!(bob.id), json!("away")), (json!(carol.id), json!("away"))]);
}

#[test]
fn whoever_does_not_come_back_is_away_and_then_gone() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    world.send(&alice, watch(None, [&bob.id]));
    world.send(&alice, signal(1, &bob.id, 1));
    world.take(&alice);
    world.restart();
    let began = world.now.wall.0;
    let alice = world.resume(&alice, 2);
    world.advance(5_000);
    world.expect(&alice, [presence_seen(&bob.id, "away", began)]);
    world.advance(114_999);
    world.expect(&alice, []);
    world.advance(1);
    let mut told = world.take(&alice);
    told.sort_by_key(|frame| frame["type"].as_str().unwrap().to_owned());
    assert_eq!(told, [lost(&bob, [1]), presence_seen(&bob.id, "gone", began)]);
}

#[test]
fn how_long_one_was_away_already_is_remembered() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    let lost_at = world.now.wall.0;
    world.drop_socket(&bob);
    world.advance(6_000);
    world.restart();
    let alice = world.resume(&alice, 0);
    world.send(&alice, find(1, &bob.id));
    world.expect(&alice, [json!({"type": "found", "re": 1, "state": "away", "seen": lost_at, "...": 0})]);
}

#[test]
fn a_signal_to_several_devices_is_one_signal_after_a_restart_too() {
    let mut world = World::new();
    let alice = world.keyed(1);
    let (laptop, phone) = (world.device("bob@example.org", "laptop", 2), world.device("bob@example.org", "phone", 2));
    world.send(&alice, signal(1, "bob@example.org", 1));
    world.send(&alice, signal(2, "bob@example.org", 2));
    world.take(&laptop);
    world.take(&phone);
    world.take(&alice);
    world.send(&laptop, json!({"type": "seen", "seen": 1}));
    world.restart();
    let alice = world.resume(&alice, 2);
    let phone = world.resume(&phone, 0);
    world.expect(&phone, [heard(&alice, 1), heard(&alice, 2)]);
    // The laptop never comes back; what the phone confirms is not lost, nor what the laptop confirmed before.
    world.advance(120_000);
    world.expect(&alice, []);
    world.send(&phone, json!({"type": "bye"}));
    world.expect_closed(&phone, 1000);
    world.expect(&alice, [lost(&phone, [2])]);
}

#[test]
fn a_stored_signal_that_a_session_held_is_not_delivered_twice() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.named("bob@example.org", 2));
    world.drop_socket(&bob);
    world.send(&alice, stored_signal(1, &bob.id, 1, 3_600));
    world.take(&alice);
    world.restart();
    let bob = world.resume(&bob, 0);
    world.expect(&bob, [heard(&alice, 1)]);
    assert!(world.store.kept().is_empty());
    world.restart();
    // Handed to a socket before, and held still: told again to the one who did not count it, and to no other.
    let bob = world.resume(&bob, 0);
    world.expect(&bob, [heard(&alice, 1)]);
    let fresh = world.named("bob@example.org", 2);
    world.expect_closed(&bob, 4300);
    world.expect(&fresh, []);
    let alice = world.resume(&alice, 1);
    world.expect(&alice, [lost(&bob, [1])]);
}

#[test]
fn guests_and_tokens_survive_and_secrets_are_not_written_out() {
    let mut world = World::new();
    let guest = world.guest();
    let saved = serde_json::to_string(&world.hub.snapshot(world.now)).unwrap();
    assert!(!saved.contains(&guest.token[17..]), "the snapshot holds a hash of the token, not the token");
    world.restart();
    let again = world.resume(&guest, 0);
    assert_eq!((&again.id, &again.welcome["resumed"]), (&guest.id, &json!(true)));
}

#[test]
fn new_sessions_get_numbers_that_nobody_had() {
    let mut world = World::new();
    let peers: Vec<Peer> = (0..40).map(|seed| world.keyed(seed)).collect();
    for peer in peers.iter().step_by(2) {
        world.send(peer, json!({"type": "bye"}));
        world.expect_closed(peer, 1000);
    }
    world.restart();
    for (seed, peer) in peers.iter().enumerate() {
        let again = world.resume(peer, 0);
        assert_eq!(again.welcome["resumed"], json!(seed % 2 == 1));
    }
    let fresh: Vec<Peer> = (100..140).map(|seed| world.keyed(seed)).collect();
    let mut names: Vec<&Value> = peers.iter().skip(1).step_by(2).chain(&fresh).map(|p| &p.welcome["session"]).collect();
    names.sort_by_key(ToString::to_string);
    names.dedup();
    assert_eq!(names.len(), 60);
    assert_eq!(world.hub.counts().sessions, 80);
}

#[test]
fn limits_that_were_lowered_do_not_throw_out_who_was_in() {
    let mut world = World::with(|rules| rules.limits.sessions_per_namespace = 3);
    let peers: Vec<Peer> = (0..3).map(|seed| world.keyed(seed)).collect();
    world.restart_with(|rules| rules.limits.sessions_per_namespace = 2);
    for peer in &peers {
        assert_eq!(world.resume(peer, 0).welcome["resumed"], true);
    }
    let socket = world.open();
    world.hello(socket, Some(9), json!({}));
    world.expect(socket, [refused(None, 4116)]);
}

#[test]
fn a_snapshot_of_another_version_is_refused_and_a_mangled_one_harms_nothing() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    world.drop_socket(&bob);
    world.send(&alice, signal(1, &bob.id, 1));
    world.take(&alice);
    let mut saved = serde_json::to_value(world.hub.snapshot(world.now)).unwrap();
    let restore = |saved: &Value| {
        let mut hub = Hub::new(Rules::default(), vec![Box::new(Native)], [9; 32]);
        let mut out: Vec<Output> = Vec::new();
        let snapshot: Snapshot = serde_json::from_value(saved.clone()).unwrap();
        hub.restore(world.now, snapshot, &mut out).map(|()| hub.counts().sessions)
    };
    assert_eq!(restore(&saved), Ok(2));
    for shard in saved["peers"].as_array_mut().unwrap() {
        // The same session twice, one in the wrong shard, counts that cannot be.
        let sessions = shard["sessions"].as_array_mut().unwrap();
        for at in 0..sessions.len() {
            let mut other = sessions[at].clone();
            sessions.push(other.clone());
            other["party"]["session"] = json!(u64::MAX);
            sessions.push(other);
            sessions[at]["wired"] = json!(u64::MAX);
            sessions[at]["settled"] = json!(1u64 << 60);
        }
    }
    assert_eq!(restore(&saved), Ok(2));
    saved["version"] = json!(99);
    assert_eq!(restore(&saved), Err(RestoreError::Version(99)));
}

#[test]
fn a_hub_is_written_out_the_same_every_time() {
    let mut world = World::new();
    let peers: Vec<Peer> = (0..20).map(|seed| world.keyed(seed)).collect();
    for (n, peer) in peers.iter().enumerate() {
        world.send(peer, watch(None, [&peers[(n + 1) % 20].id, &peers[(n + 5) % 20].id]));
        world.send(peer, json!({"type": "room.join", "room": format!("room {}", n % 3), "create": true}));
        world.send(peer, signal(1, &peers[(n + 7) % 20].id, n));
    }
    for peer in &peers {
        world.take(peer);
    }
    let write = |world: &World| serde_json::to_string(&world.hub.snapshot(world.now)).unwrap();
    let first = write(&world);
    assert_eq!(first, write(&world));
    world.restart();
    assert_eq!(sessions(&first), sessions(&write(&world)), "and after it was read back");
}

/// The sessions of a snapshot, without what tells when they lost their sockets.
fn sessions(text: &str) -> Value {
    let mut saved: Value = serde_json::from_str(text).unwrap();
    for shard in saved["peers"].as_array_mut().unwrap() {
        for session in shard["sessions"].as_array_mut().unwrap() {
            session["seen"] = Value::Null;
        }
    }
    saved["peers"].take()
}
