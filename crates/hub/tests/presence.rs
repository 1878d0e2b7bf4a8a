//! Who is here, away or gone, and who hears of it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use serde_json::json;
use world::*;

fn found(re: u64, id: &str, state: &str) -> serde_json::Value {
    json!({"type": "found", "re": re, "id": id, "state": state, "polite": "*"})
}

#[test]
fn find_tells_here_away_and_gone_and_when_it_was_last_here() {
    let mut world = World::new();
    let alice = world.keyed(1);
    world.send(&alice, find(1, "bob@example.org"));
    world.expect(&alice, [found(1, "bob@example.org", "gone")]);

    let bob = world.named("bob@example.org", 2);
    let mut here = found(2, &bob.id, "here");
    here["devices"] = json!([{"device": "", "state": "here"}]);
    world.send(&alice, find(2, &bob.id));
    world.expect(&alice, [here]);

    world.advance(1_000);
    let lost_at = world.now.wall.0;
    world.drop_socket(&bob);
    world.advance(5_000);
    let mut away = found(3, &bob.id, "away");
    away["devices"] = json!([{"device": "", "state": "away"}]);
    away["seen"] = json!(lost_at);
    world.send(&alice, find(3, &bob.id));
    world.expect(&alice, [away]);

    world.advance(115_000);
    let mut gone = found(4, &bob.id, "gone");
    gone["seen"] = json!(lost_at);
    world.send(&alice, find(4, &bob.id));
    world.expect(&alice, [gone]);
}

#[test]
fn find_without_a_number_is_answered_too() {
    let mut world = World::new();
    let alice = world.keyed(1);
    world.send(&alice, find(None, "bob@example.org"));
    world.expect(&alice, [json!({"type": "found", "id": "bob@example.org", "state": "gone", "polite": "*"})]);
}

#[test]
fn find_lists_devices_in_their_order_and_tells_the_best_presence() {
    let mut world = World::new();
    let alice = world.keyed(1);
    let phone = world.device("bob@example.org", "phone", 2);
    world.device("bob@example.org", "laptop", 2);
    world.device("bob@example.org", "", 2);
    world.drop_socket(&phone);
    world.advance(5_000);
    world.send(&alice, find(1, "bob@example.org"));
    let devices = json!([{"device": "", "state": "here"}, {"device": "laptop", "state": "here"}, {"device": "phone", "state": "away"}]);
    world.expect(
        &alice,
        [json!({"type": "found", "re": 1, "id": "bob@example.org", "state": "here", "devices": devices, "polite": "*"})],
    );
}

#[test]
fn the_lower_id_is_polite_in_what_is_found() {
    let mut world = World::new();
    let (alice, bob) = (world.named("alice@example.org", 1), world.named("bob@example.org", 2));
    world.send(&alice, find(1, &bob.id));
    world.send(&bob, find(1, &alice.id));
    world.send(&bob, find(2, "carol@example.org"));
    assert_eq!(world.next(&alice)["polite"], true);
    assert_eq!(world.next(&bob)["polite"], false);
    assert_eq!(world.next(&bob)["polite"], true, "also towards one who is not there");
}

#[test]
fn a_watch_is_answered_with_how_things_stand_and_then_with_each_change() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.named("bob@example.org", 2));
    world.send(&alice, watch(1, ["carol@example.org", "bob@example.org", "carol@example.org"]));
    world.expect(&alice, [done(1), presence("carol@example.org", "gone"), presence(&bob.id, "here")]);

    let carol = world.named("carol@example.org", 3);
    world.expect(&alice, [presence(&carol.id, "here")]);
    let lost_at = world.now.wall.0;
    world.drop_socket(&carol);
    world.advance(4_999);
    world.expect(&alice, []);
    world.advance(1);
    world.expect(&alice, [presence_seen(&carol.id, "away", lost_at)]);
    world.advance(115_000);
    world.expect(&alice, [presence_seen(&carol.id, "gone", lost_at)]);

    let ended_at = world.now.wall.0;
    world.send(&bob, json!({"type": "bye"}));
    world.expect_closed(&bob, 1000);
    world.expect(&alice, [presence_seen(&bob.id, "gone", ended_at)]);
}

#[test]
fn nobody_sees_a_peer_flap_within_the_grace() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    world.send(&alice, watch(None, [&bob.id]));
    world.expect(&alice, [presence(&bob.id, "here")]);
    let mut bob = bob;
    for _ in 0..5 {
        world.drop_socket(&bob);
        world.advance(4_000);
        bob = world.resume(&bob, 0);
        world.advance(4_000);
    }
    // Nor one who comes back with a fresh hello, or on a newer socket.
    world.drop_socket(&bob);
    world.advance(4_000);
    let bob = world.keyed(2);
    let newer = world.keyed(2);
    world.expect_closed(&bob, 4300);
    world.expect(&alice, []);
    world.drop_socket(&newer);
    world.advance(5_000);
    world.take(&alice);
    world.resume(&newer, 0);
    world.expect(&alice, [presence(&newer.id, "here")]);
}

#[test]
fn an_ids_presence_is_the_best_of_its_devices() {
    let mut world = World::new();
    let alice = world.keyed(1);
    let (laptop, phone) = (world.device("bob@example.org", "laptop", 2), world.device("bob@example.org", "phone", 2));
    world.send(&alice, watch(None, ["bob@example.org"]));
    world.expect(&alice, [presence("bob@example.org", "here")]);
    world.send(&laptop, json!({"type": "bye"}));
    world.expect_closed(&laptop, 1000);
    world.expect(&alice, []);
    let lost_at = world.now.wall.0;
    world.drop_socket(&phone);
    world.advance(5_000);
    world.expect(&alice, [presence_seen("bob@example.org", "away", lost_at)]);
    let tv = world.device("bob@example.org", "tv", 2);
    world.expect(&alice, [presence("bob@example.org", "here")]);
    world.send(&tv, json!({"type": "bye"}));
    world.expect_closed(&tv, 1000);
    world.expect(&alice, [presence_seen("bob@example.org", "away", "*")]);
}

#[test]
fn unwatch_ends_it_and_passes_over_what_is_not_watched() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    world.send(&alice, watch(1, [&bob.id, "carol@example.org"]));
    world.take(&alice);
    world.send(&alice, unwatch(2, [&bob.id, "dave@example.org"]));
    world.expect(&alice, [done(2)]);
    world.send(&bob, json!({"type": "bye"}));
    world.expect_closed(&bob, 1000);
    world.named("carol@example.org", 3);
    world.expect(&alice, [presence("carol@example.org", "here")]);
    world.send(&alice, unwatch(None, ["carol@example.org"]));
    world.expect(&alice, []);
}

#[test]
fn watching_again_tells_again() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    for n in 1..=2 {
        world.send(&alice, watch(n, [&bob.id]));
        world.expect(&alice, [done(n), presence(&bob.id, "here")]);
    }
    world.drop_socket(&bob);
    world.advance(5_000);
    world.expect(&alice, [presence_seen(&bob.id, "away", "*")]);
}

#[test]
fn too_many_watches_are_refused_whole() {
    let mut world = World::with(|rules| rules.limits.watches = 3);
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    world.send(&alice, watch(1, [&bob.id, "b@x", "b@x"]));
    world.expect(&alice, [done(1), presence(&bob.id, "here"), presence("b@x", "gone")]);
    world.send(&alice, watch(2, ["c@x", "d@x"]));
    world.expect(&alice, [refused(2, 4103)]);
    // What is watched already costs nothing.
    world.send(&alice, watch(3, ["b@x", "c@x"]));
    world.expect(&alice, [done(3), presence("b@x", "gone"), presence("c@x", "gone")]);
    world.send(&alice, unwatch(4, ["c@x"]));
    world.send(&alice, watch(5, ["d@x"]));
    world.expect(&alice, [done(4), done(5), presence("d@x", "gone")]);
}

#[test]
fn watches_of_one_namespace_hear_nothing_of_another() {
    let mut world = World::new();
    let alice = world.keyed(1);
    world.send(&alice, watch(None, ["bob@example.org"]));
    world.expect(&alice, [presence("bob@example.org", "gone")]);
    world.join(Some(2), json!({"namespace": "other", "id": "bob@example.org"}));
    world.expect(&alice, []);
}

#[test]
fn a_peer_may_watch_itself_and_sees_its_other_devices() {
    let mut world = World::new();
    let laptop = world.device("bob@example.org", "laptop", 1);
    world.send(&laptop, watch(None, ["bob@example.org"]));
    world.expect(&laptop, [presence("bob@example.org", "here")]);
    world.drop_socket(&laptop);
    world.advance(5_000);
    let laptop = world.resume(&laptop, 1);
    // It was away, and says so itself when it is back: in that order.
    world.expect(&laptop, [presence_seen("bob@example.org", "away", "*"), presence("bob@example.org", "here")]);
}

#[test]
fn an_away_watcher_reads_the_changes_when_it_is_back() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    world.send(&alice, watch(None, [&bob.id]));
    world.expect(&alice, [presence(&bob.id, "here")]);
    world.drop_socket(&alice);
    world.drop_socket(&bob);
    world.advance(10_000);
    let bob = world.resume(&bob, 0);
    let alice = world.resume(&alice, 1);
    world.expect(&alice, [presence_seen(&bob.id, "away", "*"), presence(&bob.id, "here")]);
}

#[test]
fn a_watcher_that_is_gone_leaves_nothing_behind() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    world.send(&alice, watch(None, [&bob.id, "nobody@example.org"]));
    world.take(&alice);
    world.send(&alice, json!({"type": "bye"}));
    world.expect_closed(&alice, 1000);
    world.send(&bob, json!({"type": "bye"}));
    world.expect_closed(&bob, 1000);
    let counts = world.hub.counts();
    assert_eq!((counts.sessions, counts.ids, counts.watches), (0, 0, 0));
    world.advance(180_000);
    assert_eq!(world.next_deadline(), None, "nothing is left to wait for");
}

#[test]
fn grace_times_are_the_operators() {
    let mut world = World::with(|rules| (rules.away_after_ms, rules.gone_after_ms) = (0, 10_000));
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    assert_eq!((&bob.welcome["away_after"], &bob.welcome["gone_after"]), (&json!(0), &json!(10_000)));
    world.send(&alice, watch(None, [&bob.id]));
    world.take(&alice);
    world.drop_socket(&bob);
    world.advance(0);
    world.expect(&alice, [presence_seen(&bob.id, "away", "*")]);
    world.advance(10_000);
    world.expect(&alice, [presence_seen(&bob.id, "gone", "*")]);
}
