//! Sessions that outlive their sockets: counting, confirming, going on.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use serde_json::json;
use wigwag_hub::{Output, Received};
use world::*;

/// Alice, and bob who was sent `count` signals and has read them.
fn pair(world: &mut World, count: u64) -> (Peer, Peer) {
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    for n in 1..=count {
        world.send(&alice, signal(n, &bob.id, n));
    }
    world.take(&alice);
    world.take(&bob);
    (alice, bob)
}

#[test]
fn what_was_missed_is_told_again_to_the_byte_and_in_order() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    for n in 1..=4 {
        world.send(&alice, signal(n, &bob.id, n));
    }
    world.take(&alice);
    let sent = world.take_raw(&bob);
    world.drop_socket(&bob);
    let bob = world.resume(&bob, 1);
    assert_eq!(bob.welcome["resumed"], true);
    assert_eq!(bob.welcome.get("missed"), None);
    assert_eq!(world.take_raw(&bob), sent[1..]);
    // Again, for that socket is lost as well.
    world.drop_socket(&bob);
    let bob = world.resume(&bob, 3);
    assert_eq!(world.take_raw(&bob), sent[3..]);
    world.send(&alice, signal(5, &bob.id, 5));
    world.expect(&alice, [ack(5, "delivered")]);
    world.expect(&bob, [heard(&alice, 5)]);
}

#[test]
fn a_session_goes_on_under_its_name_with_the_number_it_had() {
    let mut world = World::new();
    let bob = world.named("bob@example.org", 2);
    world.send(&bob, watch(41, ["alice@example.org"]));
    world.take(&bob);
    world.drop_socket(&bob);
    let again = world.resume(&bob, 2);
    assert_eq!(again.welcome["n"], 41);
    for field in ["session", "id", "device", "namespace"] {
        assert_eq!(again.welcome[field], bob.welcome[field]);
    }
    world.send(&again, find(41, "alice@example.org"));
    world.expect(&again, [refused(41, 4413)]);
    // Its watches go on too.
    world.named("alice@example.org", 1);
    world.expect(&again, [presence("alice@example.org", "here")]);
}

#[test]
fn a_session_without_requests_has_no_number() {
    let mut world = World::new();
    let bob = world.keyed(2);
    world.send(&bob, find(None, "alice@example.org"));
    world.take(&bob);
    world.drop_socket(&bob);
    assert_eq!(world.resume(&bob, 1).welcome.get("n"), None);
}

#[test]
fn marks_come_a_second_after_messages_and_their_pongs_confirm() {
    let mut world = World::new();
    let (_, bob) = pair(&mut world, 3);
    world.advance(999);
    assert!(world.marks(&bob).is_empty());
    world.advance(1);
    assert_eq!(world.marks(&bob), [3]);
    world.pong(&bob);
    world.advance(60_000);
    assert_eq!(world.marks(&bob), [3], "nothing new, nothing to mark");
    world.drop_socket(&bob);
    let bob = world.resume(&bob, 3);
    world.expect(&bob, []);
}

#[test]
fn a_pong_that_carries_anything_else_is_a_sign_of_life_and_nothing_more() {
    let mut world = World::new();
    let (_, bob) = pair(&mut world, 3);
    for payload in ["", "4", "18446744073709551615", "99999999999999999999", "-1", "two", "3 "] {
        world.receive(bob.socket, Received::Pong(payload.as_bytes()));
    }
    world.receive(bob.socket, Received::Pong(&[0xff, 0xfe]));
    world.drop_socket(&bob);
    let bob = world.resume(&bob, 0);
    assert_eq!(bob.welcome.get("missed"), None);
    assert_eq!(world.take(&bob).len(), 3);
}

#[test]
fn a_late_pong_of_an_older_socket_confirms_nothing() {
    let mut world = World::new();
    let (_, bob) = pair(&mut world, 3);
    let mut late = world.take_connection(&bob);
    let newer = world.resume(&bob, 1);
    world.expect_closed(&bob, 4300);
    assert_eq!(world.take(&newer).len(), 2);
    world.receive_through(&mut late, Received::Pong(b"3"));
    world.drop_socket(&newer);
    let last = world.resume(&newer, 1);
    assert_eq!(last.welcome.get("missed"), None);
    assert_eq!(world.take(&last).len(), 2);
}

#[test]
fn seen_confirms_exactly_and_is_answered_only_with_a_number() {
    let mut world = World::new();
    let (_, bob) = pair(&mut world, 3);
    world.send(&bob, json!({"type": "seen", "seen": 2}));
    world.expect(&bob, []);
    world.send(&bob, json!({"type": "seen", "n": 1, "seen": 1}));
    world.send(&bob, json!({"type": "seen", "n": 2, "seen": 5000}));
    world.expect(&bob, [done(1), done(2)]);
    world.drop_socket(&bob);
    let bob = world.resume(&bob, 2);
    world.expect(&bob, [heard_any(3), done(1), done(2)]);
}

fn heard_any(data: u64) -> serde_json::Value {
    json!({"type": "signal", "from": "*", "kind": "note", "polite": "*", "data": data})
}

#[test]
fn what_was_confirmed_but_not_taken_in_is_missed_and_the_count_goes_on() {
    let mut world = World::new();
    let (alice, bob) = pair(&mut world, 5);
    world.advance(1_000);
    world.pong(&bob);
    world.drop_socket(&bob);
    world.send(&alice, signal(6, &bob.id, 6));
    world.take(&alice);
    // Its program died with two of the five in its hands.
    let bob = world.resume(&bob, 3);
    assert_eq!(bob.welcome["missed"], 2);
    world.expect(&bob, [heard(&alice, 6)]);
    // Its count is now 3 + 2 + 1, and so is the server's.
    world.advance(1_000);
    assert_eq!(world.marks(&bob), [6]);
    world.drop_socket(&bob);
    let bob = world.resume(&bob, 6);
    assert_eq!((bob.welcome["resumed"].clone(), bob.welcome.get("missed")), (json!(true), None));
    world.expect(&bob, []);
}

#[test]
fn a_token_that_is_wrong_or_of_another_begins_afresh() {
    let mut world = World::new();
    let (alice, bob) = (world.named("alice@example.org", 1), world.named("bob@example.org", 2));
    let guess = format!("{}.{}", &bob.token[..16], "a".repeat(32));
    for token in [alice.token.clone(), guess, String::new(), ".".into(), "x".repeat(128)] {
        let again = world.join(Some(2), json!({"id": "bob@example.org", "resume": {"token": token, "seen": 0}}));
        assert_eq!(again.welcome["resumed"], false);
        world.take_all_closed();
    }
    let stolen = world.join(Some(3), json!({"id": "carol@example.org", "resume": {"token": alice.token, "seen": 0}}));
    assert_eq!(stolen.welcome["resumed"], false);
    assert!(world.is_open(&alice), "who cannot prove the id takes nothing over");
}

#[test]
fn a_token_is_good_for_its_device_alone() {
    let mut world = World::new();
    let laptop = world.device("bob@example.org", "laptop", 2);
    let hello = json!({"id": "bob@example.org", "device": "phone", "resume": {"token": laptop.token, "seen": 0}});
    assert_eq!(world.join(Some(2), hello).welcome["resumed"], false);
    assert!(world.is_open(&laptop));
}

#[test]
fn a_count_beyond_what_was_sent_begins_afresh() {
    let mut world = World::new();
    let (alice, bob) = pair(&mut world, 2);
    world.drop_socket(&bob);
    world.send(&alice, signal(3, &bob.id, 3));
    world.expect(&alice, [ack(3, "stored")]);
    // The third was counted, but no socket was ever handed it.
    let fresh = world.resume(&bob, 3);
    assert_eq!(fresh.welcome["resumed"], false);
    world.expect(&fresh, []);
    world.expect(&alice, [lost(&bob, [1, 2, 3])]);
}

#[test]
fn each_welcome_has_a_new_token_and_the_one_before_stays_good_until_the_peer_is_heard() {
    let mut world = World::new();
    let bob = world.keyed(2);
    world.drop_socket(&bob);
    // This welcome is lost, and the peer knows only the first token.
    let unheard = world.resume(&bob, 0);
    assert_ne!(unheard.token, bob.token);
    world.drop_socket(&unheard);
    let second = world.resume(&bob, 0);
    assert_eq!(second.welcome["resumed"], true);
    world.send(&second, find(None, &bob.id));
    world.take(&second);
    world.drop_socket(&second);
    // Now the peer has shown that it has the newer one.
    let third = world.resume(&Peer { token: second.token.clone(), ..second.clone() }, 1);
    assert_eq!(third.welcome["resumed"], true);
    world.advance(1_000);
    world.send(&third, json!({"type": "seen", "seen": 1}));
    world.drop_socket(&third);
    for void in [&bob, &unheard, &second] {
        assert_eq!(world.resume(&Peer { token: void.token.clone(), ..third.clone() }, 0).welcome["resumed"], false);
        world.take_all_closed();
    }
}

#[test]
fn a_pong_shows_that_the_peer_has_its_new_token() {
    let mut world = World::new();
    let (_, bob) = pair(&mut world, 1);
    world.drop_socket(&bob);
    let newer = world.resume(&bob, 0);
    world.take(&newer);
    world.advance(1_000);
    world.pong(&newer);
    world.drop_socket(&newer);
    let stale = world.resume(&Peer { token: bob.token.clone(), ..newer.clone() }, 1);
    assert_eq!(stale.welcome["resumed"], false);
}

#[test]
fn a_newer_socket_takes_over_at_once() {
    let mut world = World::new();
    let (alice, bob) = pair(&mut world, 1);
    let newer = world.resume(&bob, 0);
    world.expect_closed(&bob, 4300);
    world.expect(&newer, [heard(&alice, 1)]);
    // The end of the older socket changes nothing.
    world.advance(200_000);
    world.send(&alice, signal(2, &bob.id, 2));
    world.expect(&alice, [ack(2, "delivered")]);
    world.expect(&newer, [heard(&alice, 2)]);
}

#[test]
fn a_fresh_hello_of_the_same_party_ends_the_old_session() {
    let mut world = World::new();
    let bob = world.keyed(2);
    let fresh = world.keyed(2);
    world.expect_closed(&bob, 4300);
    assert_ne!(fresh.welcome["session"], bob.welcome["session"]);
    let back = world.join(Some(2), json!({"resume": {"token": bob.token, "seen": 0}}));
    world.expect_closed(&fresh, 4300);
    assert_eq!(back.welcome["resumed"], false, "its session is over");
    assert_eq!(world.hub.counts().sessions, 1);
}

#[test]
fn a_guest_comes_back_with_its_token_and_with_nothing_else() {
    let mut world = World::new();
    let (alice, guest) = (world.keyed(1), world.guest());
    world.drop_socket(&guest);
    world.send(&alice, signal(1, &guest.id, 1));
    world.expect(&alice, [ack(1, "stored")]);
    let stranger = world.join(None, json!({"resume": {"token": "nothing", "seen": 0}}));
    assert_ne!(stranger.id, guest.id);
    let elsewhere = world.join(None, json!({"namespace": "other", "resume": {"token": guest.token, "seen": 0}}));
    assert_ne!(elsewhere.id, guest.id);
    let back = world.resume(&guest, 0);
    assert_eq!((&back.id, &back.welcome["resumed"]), (&guest.id, &json!(true)));
    world.expect(&back, [heard(&alice, 1)]);
}

#[test]
fn a_session_ends_when_its_time_is_over() {
    let mut world = World::new();
    let guest = world.guest();
    world.drop_socket(&guest);
    world.advance(119_999);
    assert_eq!(world.hub.counts().sessions, 1);
    world.advance(1);
    assert_eq!(world.hub.counts().sessions, 0);
    let fresh = world.resume(&guest, 0);
    assert_eq!(fresh.welcome["resumed"], false);
    assert_ne!(fresh.id, guest.id);
}

#[test]
fn a_slow_reader_is_cut_and_others_are_unharmed() {
    let mut world = World::with(|rules| rules.limits.queue_frames = 8);
    let (alice, bob, carol) = (world.keyed(1), world.keyed(2), world.keyed(3));
    for n in 1..=10 {
        world.send(&alice, signal(n, &bob.id, n));
        world.send(&alice, json!({"type": "seen", "seen": n}));
        world.send(&carol, signal(n, &alice.id, n));
        world.send(&alice, json!({"type": "seen", "seen": 2 * n}));
        world.send(&carol, json!({"type": "seen", "seen": n}));
    }
    world.expect_closed(&bob, 4002);
    assert!(world.is_open(&alice) && world.is_open(&carol));
    assert_eq!(world.take(&carol).len(), 10);
    // The ninth did not fit any more: the first gave way, and its sender knows. The tenth found no room.
    let told: Vec<_> = world.take(&alice).into_iter().filter(|f| f["type"] != "signal").collect();
    assert_eq!(told[7], ack(8, "delivered"));
    assert_eq!(told[8], lost(&bob, [1]));
    assert_eq!(told[9], ack(9, "stored"));
    assert_eq!(told[10]["code"], 4115);
    world.take(&bob);
    let bob = world.resume(&bob, 0);
    assert_eq!(bob.welcome["missed"], 1);
    let data: Vec<_> = world.take(&bob).into_iter().map(|f| f["data"].clone()).collect();
    assert_eq!(json!(data), json!([2, 3, 4, 5, 6, 7, 8, 9]));
}

#[test]
fn what_is_seen_beside_a_request_is_confirmed_and_needs_no_mark() {
    let mut world = World::new();
    let (alice, bob) = pair(&mut world, 3);
    let mut answer = signal(None, &alice.id, 7);
    answer["seen"] = json!(3);
    world.send(&bob, answer);
    world.expect(&alice, [heard(&bob, 7)]);
    world.advance(2_000);
    assert!(world.marks(&bob).is_empty());
    // A count beyond what was sent changes nothing, and the request counts all the same.
    let mut boast = signal(None, &alice.id, 8);
    boast["seen"] = json!(9);
    world.send(&alice, signal(4, &bob.id, 4));
    world.send(&bob, boast);
    world.expect(&alice, [ack(4, "delivered"), heard(&bob, 8)]);
    world.drop_socket(&bob);
    let again = world.resume(&bob, 2);
    assert_eq!(again.welcome["missed"], 1, "the third is confirmed");
    assert_eq!(world.take(&again).len(), 1, "and the fourth is not");
}

#[test]
fn what_is_said_after_a_confirmation_has_a_second_of_its_own() {
    let mut world = World::new();
    let (alice, bob) = pair(&mut world, 1);
    world.advance(900);
    world.send(&bob, json!({"type": "seen", "seen": 1}));
    world.send(&alice, signal(2, &bob.id, 2));
    world.advance(900);
    assert!(world.marks(&bob).is_empty());
    world.advance(100);
    assert_eq!(world.marks(&bob), [2]);
    world.take(&alice);
    world.take(&bob);
}

#[test]
fn much_unconfirmed_is_marked_at_once() {
    let mut world = World::with(|rules| rules.limits.queue_frames = 8);
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    for n in 1..=5 {
        world.send(&alice, signal(None, &bob.id, n));
    }
    assert_eq!(world.marks(&bob), [2, 4]);
    world.pong(&bob);
    world.take(&bob);
    world.drop_socket(&bob);
    let bob = world.resume(&bob, 4);
    world.expect(&bob, [heard(&alice, 5)]);
    // By bytes too.
    let mut world = World::with(|rules| rules.limits.queue_bytes = 4_000);
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    world.send(&alice, signal(None, &bob.id, "x".repeat(1_000)));
    assert_eq!(world.marks(&bob), [1]);
    world.take(&bob);
    // However large the queue may be: 32 KiB.
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    for _ in 0..9 {
        world.send(&alice, signal(None, &bob.id, "x".repeat(8_200)));
    }
    assert_eq!(world.marks(&bob), [4, 8]);
    world.take(&bob);
}

#[test]
fn a_mark_that_is_nearly_due_goes_along_with_the_next_message() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    let say = |world: &mut World, after, n| {
        world.advance(after);
        world.send(&alice, signal(None, &bob.id, n));
        world.marks(&bob)
    };
    assert!(say(&mut world, 0, 1).is_empty());
    assert!(say(&mut world, 499, 2).is_empty());
    assert_eq!(say(&mut world, 1, 3), [3]);
    // From here on it is young again, and what nothing follows is marked by itself.
    assert_eq!(say(&mut world, 200, 4), [3]);
    world.advance(999);
    assert_eq!(world.marks(&bob), [3]);
    world.advance(1);
    assert_eq!(world.marks(&bob), [3, 4]);
    world.take(&bob);
}

#[test]
fn other_messages_push_the_oldest_out_of_a_full_queue_and_nobody_is_told_of_those() {
    let mut world = World::with(|rules| rules.limits.queue_frames = 3);
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    world.send(&bob, watch(None, ["carol@example.org"]));
    world.take(&bob);
    world.send(&bob, json!({"type": "seen", "seen": 1}));
    world.drop_socket(&bob);
    world.send(&alice, signal(1, &bob.id, 1));
    let mut carol = world.named("carol@example.org", 3);
    for _ in 0..2 {
        world.send(&carol, json!({"type": "bye"}));
        world.expect_closed(&carol, 1000);
        carol = world.named("carol@example.org", 3);
    }
    world.expect(&alice, [ack(1, "stored"), lost(&bob, [1])]);
    let bob = world.resume(&bob, 1);
    // Five came for three places.
    assert_eq!(bob.welcome["missed"], 3);
    let states: Vec<_> = world.take(&bob).into_iter().map(|f| f["state"].clone()).collect();
    assert_eq!(json!(states), json!(["here", "gone", "here"]));
}

#[test]
fn resuming_gives_fresh_ice_servers_and_one_timer() {
    let mut world = World::with(|rules| {
        rules.ice.turn_urls = vec!["turn:turn.example.org".into()];
        rules.ice.turn_secret = "secret".into();
        rules.ice.turn_seconds = 3_600;
    });
    let mut bob = world.keyed(2);
    let first = bob.welcome["ice_expires"].as_u64().unwrap();
    for _ in 0..10 {
        world.drop_socket(&bob);
        world.advance(1_000);
        bob = world.resume(&bob, 0);
    }
    assert_eq!(bob.welcome["ice_expires"].as_u64().unwrap(), first + 10_000);
    let mut pushed = 0;
    for _ in 0..36 {
        world.advance(100_000);
        pushed += world.take(&bob).len();
    }
    assert!((1..=3).contains(&pushed), "pushed {pushed} times in an hour");
    world.send(&bob, json!({"type": "ice", "n": 1}));
    world.expect(&bob, [json!({"type": "ice", "re": 1, "servers": "*", "expires": "*"})]);
}

#[test]
fn bye_closes_with_1000_after_what_was_said_and_ends_the_session() {
    let mut world = World::new();
    let bob = world.keyed(2);
    world.send(&bob, find(1, "alice@example.org"));
    world.send(&bob, json!({"type": "bye", "n": 2}));
    world.expect(&bob, [json!({"type": "found", "re": 1, "...": 0})]);
    world.expect_closed(&bob, 1000);
    assert_eq!(world.resume(&bob, 1).welcome["resumed"], false);
}

#[test]
fn a_bye_with_an_old_number_is_refused_like_anything_else() {
    let mut world = World::new();
    let bob = world.keyed(2);
    world.send(&bob, json!({"type": "ice", "n": 5}));
    world.take(&bob);
    world.send(&bob, json!({"type": "bye", "n": 5}));
    world.expect(&bob, [refused(5, 4413)]);
    world.send(&bob, json!({"type": "bye", "n": 6}));
    world.expect_closed(&bob, 1000);
}

#[test]
fn the_operator_may_end_a_session() {
    let mut world = World::new();
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    world.send(&alice, watch(None, [&bob.id]));
    world.take(&alice);
    let name = wigwag_hub::SessionId::parse(bob.welcome["session"].as_str().unwrap()).unwrap();
    let mut out: Vec<Output> = Vec::new();
    assert!(world.hub.remove(world.now, name, &mut out));
    world.carry_out(out);
    world.expect(&bob, [refused(None, 4301)]);
    world.expect_closed(&bob, 4301);
    world.expect(&alice, [presence_seen(&bob.id, "gone", "*")]);
    let mut out: Vec<Output> = Vec::new();
    assert!(!world.hub.remove(world.now, name, &mut out));
    assert!(out.is_empty());
}
