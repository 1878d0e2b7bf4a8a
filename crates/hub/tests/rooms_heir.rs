//! Rooms: who was host when the server went down is host again on coming back soon, though its session did not survive.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod table;

use serde_json::{Value, json};
use table::words::{ask, came, den, host, joined, seat, went, with};
use table::{DAWN, Sock, Table};

/// How long the host from before has.
const HEIR_MS: u64 = 300_000;

#[test]
fn the_host_from_before_a_restart_is_host_again_though_another_came_first() {
    let mut w = emptied_by_a_drain();
    w.restart(10_000);
    let [bob, carol] = [enter(&mut w, "bob@x"), enter(&mut w, "carol@x")];
    w.take_all();
    w.pass(HEIR_MS);
    let alice = enter(&mut w, "alice@x");
    let at = DAWN + 10_000;
    let there = |id| with(seat(id, true), json!({"joined": at}));
    let came = came(with(seat("alice@x", false), json!({"joined": at + HEIR_MS})));
    let returned = host("alice@x", 3, "returned");
    w.expect(&[
        (alice, joined("bob@x", 2, &[there("bob@x"), there("carol@x")])),
        (alice, with(returned.clone(), json!({"state": "chapter 3"}))),
        (bob, came.clone()),
        (bob, returned.clone()),
        (carol, came),
        (carol, returned),
    ]);
    // Once, and not each time it comes back.
    w.send(alice, &ask("room.leave", json!({})));
    w.take_all();
    w.send(alice, &ask("room.join", json!({})));
    assert_eq!(hosts_told(&mut w), ["bob@x"]);
    w.refused(bob, &ask("room.set", json!({"term": 3})), 4409);
}

#[test]
fn after_five_minutes_it_is_one_of_many() {
    let mut w = emptied_by_a_drain();
    w.restart(0);
    enter(&mut w, "bob@x");
    w.pass(HEIR_MS + 1);
    enter(&mut w, "alice@x");
    assert_eq!(hosts_told(&mut w), ["bob@x", "bob@x"]);
}

#[test]
fn who_comes_back_first_is_simply_host() {
    let mut w = emptied_by_a_drain();
    w.restart(0);
    enter(&mut w, "alice@x");
    enter(&mut w, "bob@x");
    assert_eq!(hosts_told(&mut w), ["alice@x", "alice@x"]);
}

#[test]
fn it_is_the_same_where_its_session_is_lost_only_on_reading_back() {
    let mut w = Table::new();
    let [_, bob] = den(&mut w, ["alice@x", "bob@x"]);
    w.restart_with(0, |saved| forget_session(saved, "alice@x"));
    let bob = w.resume(bob);
    w.expect(&[(bob, went("alice@x", "gone")), (bob, host("bob@x", 2, "succeeded"))]);
    enter(&mut w, "alice@x");
    assert_eq!(w.take(bob).pop(), Some(host("alice@x", 3, "returned")));
    w.take_all();
}

#[test]
fn a_second_restart_gives_time_anew_to_the_same_host_while_it_may_still_come() {
    let mut w = emptied_by_a_drain();
    w.restart(0);
    let bob = enter(&mut w, "bob@x");
    w.pass(HEIR_MS - 1);
    drain(&mut w, &[bob]);
    w.restart(0);
    enter(&mut w, "bob@x");
    w.pass(HEIR_MS);
    enter(&mut w, "alice@x");
    assert_eq!(hosts_told(&mut w).last().unwrap(), "alice@x");
}

#[test]
fn a_second_restart_long_after_is_about_the_host_of_then() {
    let mut w = emptied_by_a_drain();
    w.restart(0);
    let bob = enter(&mut w, "bob@x");
    w.pass(HEIR_MS + 1);
    drain(&mut w, &[bob]);
    w.restart(0);
    enter(&mut w, "carol@x");
    enter(&mut w, "alice@x");
    assert_eq!(hosts_told(&mut w).last().unwrap(), "carol@x");
    enter(&mut w, "bob@x");
    assert_eq!(hosts_told(&mut w).last().unwrap(), "bob@x");
}

#[test]
fn a_room_that_was_empty_for_long_waits_for_nobody_after_the_next_restart() {
    let mut w = emptied_by_a_drain();
    w.restart(0);
    w.pass(HEIR_MS + 1);
    w.restart(0);
    enter(&mut w, "bob@x");
    enter(&mut w, "alice@x");
    assert_eq!(hosts_told(&mut w), ["bob@x", "bob@x"]);
}

#[test]
fn who_went_of_its_own_will_or_without_a_restart_is_not_waited_for() {
    let mut w = Table::new();
    let [alice, bob] = den(&mut w, ["alice@x", "bob@x"]);
    w.send(alice, &json!({"type": "bye"}));
    w.world.take_all_closed();
    enter(&mut w, "alice@x");
    assert_eq!(hosts_told(&mut w).last().unwrap(), "bob@x");
    w.world.hub.begin_drain();
    w.send(bob, &ask("room.leave", json!({})));
    w.take_all();
    w.send(bob, &ask("room.join", json!({})));
    assert_eq!(hosts_told(&mut w), ["alice@x"]);
}

/// A room that alice was host of when the server was told to stop; alice and bob have lost their sessions since.
fn emptied_by_a_drain() -> Table {
    let mut w = Table::new();
    let [alice, bob] = den(&mut w, ["alice@x", "bob@x"]);
    w.send(alice, &ask("room.set", json!({"term": 1, "linger": 1_800})));
    w.send(alice, &ask("room.state", json!({"term": 1, "state": "chapter 3"})));
    // Alone at the end, so that the next term is the second.
    w.send(bob, &ask("room.leave", json!({})));
    drain(&mut w, &[alice, bob]);
    w
}

fn drain(w: &mut Table, members: &[Sock]) {
    w.world.hub.begin_drain();
    for member in members {
        w.send(*member, &json!({"type": "bye"}));
    }
    w.world.take_all_closed();
    w.take_all();
}

fn enter(w: &mut Table, id: &str) -> Sock {
    let sock = w.open(id);
    w.send(sock, &ask("room.join", json!({})));
    sock
}

/// Every host that anybody was told of.
fn hosts_told(w: &mut Table) -> Vec<String> {
    let hosts = w.take_all().into_iter().filter_map(|(_, told)| told["host"]["id"].as_str().map(str::to_owned));
    hosts.collect()
}

/// Takes a session out of a written snapshot, as one that ends with its socket is not in it.
fn forget_session(saved: &mut Value, id: &str) {
    for shard in saved["peers"].as_array_mut().unwrap() {
        shard["sessions"].as_array_mut().unwrap().retain(|session| session["party"]["id"] != json!(id));
    }
}
