//! What one peer may do at once, and what its mistakes cost: itself, and nobody else.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};
use wigwag_hub::Origin;
use world::*;

fn brisk(world: &mut World) {
    world.advance(60_000);
}

#[test]
fn a_burst_passes_and_then_the_rate_holds_and_the_wait_told_is_enough() {
    let mut world = World::with(|rules| (rules.limits.frames_per_second, rules.limits.frames_burst) = (10, 20));
    let bob = world.keyed(1);
    brisk(&mut world);
    for n in 1..=20 {
        world.send(&bob, json!({"type": "seen", "n": n, "seen": 0}));
        world.expect(&bob, [done(n)]);
    }
    world.send(&bob, json!({"type": "seen", "n": 21, "seen": 0}));
    world.expect(&bob, [refused_for(21, 4100, "$wait")]);
    let wait = world.vars.value("wait").unwrap().as_u64().unwrap();
    assert!((1..=100).contains(&wait), "{wait}");
    world.advance(wait - 1);
    world.send(&bob, json!({"type": "seen", "n": 22, "seen": 0}));
    world.expect(&bob, [refused_for(22, 4100, 1)]);
    world.advance(1);
    world.send(&bob, json!({"type": "seen", "n": 23, "seen": 0}));
    world.expect(&bob, [done(23)]);
}

#[test]
fn far_beyond_the_rate_nothing_is_said_any_more() {
    let mut world = World::with(|rules| (rules.limits.frames_per_second, rules.limits.frames_burst) = (10, 5));
    let bob = world.keyed(1);
    brisk(&mut world);
    for n in 0..1_000 {
        world.send(&bob, find(n, "alice@example.org"));
    }
    let told = world.take(&bob);
    assert_eq!(told.len(), 10, "five answers, five refusals");
    assert!(world.is_open(&bob));
    // What was dropped in silence left no trace: its number may come again.
    let last = told.last().unwrap()["re"].as_u64().unwrap();
    brisk(&mut world);
    world.send(&bob, json!({"type": "ice", "n": last + 1}));
    world.expect(&bob, [json!({"type": "ice", "re": last + 1, "servers": []})]);
}

#[test]
fn a_frame_that_cannot_be_read_costs_like_any_other_and_closes_nothing() {
    let deep = format!(r#"{{"type":"broadcast","n":8,"data":{}1{}}}"#, "[".repeat(40), "]".repeat(40));
    let long = format!(r#"{{"type":"find","n":9,"id":"a@b","pad":"{}"}}"#, "x".repeat(65_536));
    let many = (0..40).map(|n| format!(r#","f{n}":0"#)).collect::<String>();
    let frames: Vec<(String, Value)> = vec![
        (String::new(), refused(None, 4400)),
        ("nonsense".into(), refused(None, 4400)),
        ("[]".into(), refused(None, 4400)),
        (r#"{"type":"find""#.into(), refused(None, 4400)),
        (r#"{"type":"find","n":1,"n":2,"id":"a@b"}"#.into(), refused(1, 4402)),
        (format!(r#"{{"type":"find","n":2,"id":"a@b"{many}}}"#), refused(2, 4402)),
        (r#"{"n":3}"#.into(), refused(3, 4402)),
        (r#"{"type":7,"n":4}"#.into(), refused(4, 4402)),
        (r#"{"type":"dance","n":5}"#.into(), refused(5, 4401)),
        (r#"{"type":"find","n":6}"#.into(), refused(6, 4402)),
        (r#"{"type":"find","n":-1,"id":"a@b"}"#.into(), refused(None, 4402)),
        (r#"{"type":"find","n":1.5,"id":"a@b"}"#.into(), refused(None, 4402)),
        (deep, json!({"type": "error", "code": 4412, "name": "too_deep", "message": "*", "...": 0})),
        (long, refused(None, 4411)),
    ];
    let mut world = World::with(|rules| {
        rules.limits.frames_per_second = 1;
        rules.limits.frames_burst = frames.len() as u64;
    });
    let bob = world.keyed(1);
    brisk(&mut world);
    for (text, answer) in &frames {
        world.send_text(&bob, text);
        let shown = text.get(..60).unwrap_or(text);
        let came = world.take(&bob);
        assert_eq!(came.len(), 1, "{shown}: {came:?}");
        world.vars.fit(answer, &came[0]).unwrap_or_else(|why| panic!("{shown}: {why}"));
    }
    assert!(world.is_open(&bob));
    world.send(&bob, find(100, "a@b"));
    world.expect(&bob, [refused_for(100, 4100, "*")]);
}

#[test]
fn a_number_that_could_be_read_is_taken_in_whatever_became_of_the_request() {
    let mut world = World::new();
    let bob = world.keyed(1);
    world.send(&bob, json!({"type": "find", "n": 10}));
    world.send(&bob, json!({"type": "dance", "n": 12}));
    world.expect(&bob, [refused(10, 4402), refused(12, 4401)]);
    for n in [10, 11, 12] {
        world.send(&bob, find(n, "a@b"));
        world.expect(&bob, [refused(n, 4413)]);
    }
    // What is wrong with the frame is found before the number is looked at, and an old number changes nothing.
    world.send(&bob, json!({"type": "find", "n": 3}));
    world.expect(&bob, [refused(3, 4402)]);
    world.drop_socket(&bob);
    assert_eq!(world.resume(&bob, 6).welcome["n"], 12);
}

#[test]
fn rates_hold_before_the_proof_too() {
    let mut world = World::with(|rules| (rules.limits.frames_per_second, rules.limits.frames_burst) = (1, 3));
    let socket = world.open();
    for _ in 0..3 {
        world.hello(socket, Some(1), json!({"id": "Bob"}));
    }
    world.hello(socket, Some(1), json!({}));
    world.expect(
        socket,
        [refused(None, 4402), refused(None, 4402), refused(None, 4402), refused_for(None, 4100, 1_000)],
    );
    world.advance(1_000);
    world.hello(socket, Some(1), json!({}));
    world.welcomed(socket);
}

#[test]
fn each_socket_has_a_rate_of_its_own() {
    let mut world = World::with(|rules| (rules.limits.frames_per_second, rules.limits.frames_burst) = (1, 3));
    let (alice, bob) = (world.keyed(1), world.keyed(2));
    for n in 1..=5 {
        world.send(&alice, find(n, &bob.id));
    }
    world.take(&alice);
    world.send(&bob, find(1, &alice.id));
    world.expect(&bob, [json!({"type": "found", "re": 1, "state": "here", "...": 0})]);
}

#[test]
fn rates_can_be_switched_off() {
    let mut world = World::with(|rules| rules.limits.frames_per_second = 0);
    let bob = world.keyed(1);
    for n in 0..2_000 {
        world.send(&bob, json!({"type": "seen", "n": n, "seen": n}));
    }
    assert!(world.take(&bob).iter().all(|frame| frame["type"] == "done"));
}

#[test]
fn misses_are_counted_for_the_address_and_then_neither_hit_nor_miss_is_told() {
    let few = |rules: &mut wigwag_hub::Rules| (rules.limits.guesses_burst, rules.limits.guesses_per_minute) = (3, 6);
    let guess = [
        find(1, "nobody@example.org"),
        watch(1, ["nobody@example.org"]),
        signal(1, "nobody@example.org", 1),
        stored_signal(1, "nobody@example.org", 1, 60),
    ];
    for miss in guess {
        let mut world = World::with(few);
        let (alice, bob) = (world.keyed(1), world.keyed(2));
        for n in 1..=3 {
            let mut miss = miss.clone();
            miss["n"] = json!(n);
            // Another id each time: an id that is watched already is no new guess.
            if miss["type"] == "watch" {
                miss["ids"] = json!([format!("nobody{n}@example.org")]);
            }
            world.send(&alice, miss);
        }
        assert!(world.take(&alice).iter().all(|frame| frame["type"] != "error"));
        for (n, request) in [(4, find(4, &bob.id)), (5, watch(5, [&bob.id])), (6, find(6, "nobody@example.org"))] {
            world.send(&alice, request);
            world.expect(&alice, [refused_for(n, 4109, "$wait")]);
        }
        // A signal to one who is there is no guess, to one who is not it is.
        world.send(&alice, signal(7, &bob.id, 7));
        world.send(&alice, signal(8, "nobody@example.org", 8));
        world.expect(&alice, [ack(7, "delivered"), refused_for(8, 4109, "$wait")]);
        world.expect(&bob, [heard(&alice, 7)]);
        // The budget is the address's: another session there has none, one elsewhere has its own.
        world.send(&bob, find(1, &alice.id));
        world.expect(&bob, [refused_for(1, 4109, "$wait")]);
        let elsewhere = world.open_from(Origin::Ip(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7))));
        world.hello(elsewhere, None, json!({}));
        let carol = world.welcomed(elsewhere);
        world.send(&carol, find(1, &alice.id));
        world.expect(&carol, [json!({"type": "found", "re": 1, "state": "here", "...": 0})]);
        let wait = world.vars.value("wait").unwrap().as_u64().unwrap();
        world.advance(wait);
        world.send(&alice, find(9, &bob.id));
        world.expect(&alice, [json!({"type": "found", "re": 9, "state": "here", "...": 0})]);
    }
}

#[test]
fn watching_again_what_is_gone_is_no_new_guess() {
    let mut world = World::with(|rules| (rules.limits.guesses_burst, rules.limits.guesses_per_minute) = (2, 1));
    let alice = world.keyed(1);
    for n in 1..=10 {
        world.send(&alice, watch(n, ["nobody@example.org"]));
        world.expect(&alice, [done(n), presence("nobody@example.org", "gone")]);
    }
}

#[test]
fn one_noisy_peer_takes_nothing_from_a_quiet_one() {
    let mut world = World::with(|rules| {
        (rules.limits.frames_per_second, rules.limits.frames_burst) = (10, 10);
        rules.limits.queue_frames = 20;
    });
    let (noisy, alice, bob) = (world.keyed(1), world.keyed(2), world.keyed(3));
    for n in 0..200 {
        world.send_text(&noisy, "garbage");
        world.send(&noisy, signal(n, &bob.id, "x".repeat(1_000)));
    }
    world.take(&noisy);
    world.send(&alice, signal(1, &bob.id, 1));
    world.expect(&alice, [ack(1, "delivered")]);
    assert_eq!(world.take(&bob).last(), Some(&heard_exactly(&alice, 1)));
}

fn heard_exactly(from: &Peer, data: u64) -> Value {
    let mut frame = heard(from, data);
    frame["polite"] = json!(true);
    frame
}
