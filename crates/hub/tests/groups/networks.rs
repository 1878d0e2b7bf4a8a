//! Networks.

use serde_json::{Value, json};

use crate::Scribe;
use crate::table::{Sock, Table};
use crate::topics::forget_session;

/// The window of the default rules.
const WINDOW: u64 = 200;

#[test]
fn a_newcomer_gets_the_whole_list_at_once_and_the_others_get_the_newcomer_when_the_window_closes() {
    let mut w = Table::new();
    let [alice, bob] = ["alice@x", "bob@x"].map(|id| w.open(id));
    w.send(alice, &json!({"type": "network.join", "n": 1, "network": "net", "me": {"username": "Al"}}));
    let al = json!({"id": "alice@x", "me": {"username": "Al"}});
    w.expect(&[(alice, json!({"type": "network.joined", "re": 1, "network": "net", "nodes": [al]}))]);
    w.pass(10 * WINDOW);
    w.expect(&[]);
    w.send(bob, &json!({"type": "network.join", "network": "net"}));
    w.expect(&[(bob, json!({"type": "network.joined", "network": "net", "nodes": [al, {"id": "bob@x"}]}))]);
    w.pass(WINDOW - 1);
    w.expect(&[]);
    w.pass(1);
    w.expect(&[(alice, nodes(&["bob@x"], &[], 2))]);
    w.pass(10 * WINDOW);
    w.expect(&[]);
}

#[test]
fn whoever_comes_during_a_window_is_told_only_what_came_after_its_list() {
    let mut w = Table::new();
    let [alice, bob, carol, dave] = ["alice@x", "bob@x", "carol@x", "dave@x"].map(|id| w.open(id));
    join(&mut w, alice);
    w.pass(WINDOW);
    for socket in [bob, carol, dave] {
        join(&mut w, socket);
        w.pass(50);
    }
    w.take_all();
    w.pass(WINDOW);
    w.expect(&[
        (alice, nodes(&["bob@x", "carol@x", "dave@x"], &[], 4)),
        (bob, nodes(&["carol@x", "dave@x"], &[], 4)),
        (carol, nodes(&["dave@x"], &[], 4)),
    ]);
}

#[test]
fn a_node_that_comes_and_goes_within_a_window_is_in_neither_list() {
    let mut w = Table::new();
    let [alice, bob, carol] = ["alice@x", "bob@x", "carol@x"].map(|id| w.open(id));
    join(&mut w, alice);
    w.pass(WINDOW);
    w.take_all();
    join(&mut w, bob);
    w.send(bob, &json!({"type": "network.leave", "n": 1, "network": "net"}));
    w.expect(&[
        (bob, json!({"type": "network.joined", "network": "net", "nodes": [{"id": "alice@x"}, {"id": "bob@x"}]})),
        (bob, json!({"type": "done", "re": 1})),
    ]);
    w.pass(WINDOW);
    w.expect(&[]);
    // Carol saw Bob in her list, so she is told; Alice never heard of him.
    join(&mut w, bob);
    join(&mut w, carol);
    w.send(bob, &json!({"type": "network.leave", "network": "net"}));
    w.take_all();
    w.pass(WINDOW);
    w.expect(&[(alice, nodes(&["carol@x"], &[], 2)), (carol, nodes(&[], &["bob@x"], 2))]);
}

#[test]
fn a_node_that_goes_and_comes_back_within_a_window_has_come_anew() {
    let mut w = Table::new();
    let [alice, bob, carol] = ["alice@x", "bob@x", "carol@x"].map(|id| w.open(id));
    for socket in [alice, bob] {
        join(&mut w, socket);
    }
    w.pass(WINDOW);
    w.send(bob, &json!({"type": "network.leave", "network": "net"}));
    join(&mut w, carol);
    join(&mut w, bob);
    w.take_all();
    w.pass(WINDOW);
    w.expect(&[(alice, nodes(&["carol@x", "bob@x"], &[], 3)), (carol, nodes(&["bob@x"], &[], 3))]);
}

#[test]
fn who_joins_again_gets_the_list_again_and_the_others_hear_of_it_only_if_something_changed() {
    let mut w = Table::new();
    let [alice, bob] = ["alice@x", "bob@x"].map(|id| w.open(id));
    for socket in [alice, bob] {
        join(&mut w, socket);
    }
    w.pass(WINDOW);
    w.take_all();
    join(&mut w, alice);
    w.expect(&[(
        alice,
        json!({"type": "network.joined", "network": "net", "nodes": [{"id": "alice@x"}, {"id": "bob@x"}]}),
    )]);
    w.pass(WINDOW);
    w.expect(&[]);
    w.send(alice, &json!({"type": "network.join", "network": "net", "me": 1}));
    w.take_all();
    w.pass(WINDOW);
    let changed =
        json!({"type": "network.nodes", "network": "net", "joined": [{"id": "alice@x", "me": 1}], "count": 2});
    w.expect(&[(bob, changed)]);
}

#[test]
fn a_session_that_ends_leaves_and_one_that_is_only_away_does_not() {
    let mut w = Table::new();
    let [alice, bob, carol] = ["alice@x", "bob@x", "carol@x"].map(|id| w.open(id));
    for socket in [alice, bob, carol] {
        join(&mut w, socket);
    }
    w.pass(WINDOW);
    w.take_all();
    w.send(bob, &json!({"type": "bye"}));
    w.cut(carol);
    w.pass(WINDOW);
    w.expect(&[(bob, json!({"close": 1000})), (alice, nodes(&[], &["bob@x"], 2))]);
    w.pass(w.world.hub.rules().gone_after_ms);
    w.expect(&[(alice, nodes(&[], &["carol@x"], 1))]);
    w.send(alice, &json!({"type": "network.leave", "network": "net"}));
    w.pass(WINDOW);
    w.expect(&[]);
    assert_eq!(w.world.hub.counts().networks, 0);
}

#[test]
fn beats_are_gathered_each_once_and_nobody_hears_its_own() {
    let mut w = Table::new();
    let [alice, bob, carol] = ["alice@x", "bob@x", "carol@x"].map(|id| w.open(id));
    join(&mut w, alice);
    beat(&mut w, alice);
    w.pass(WINDOW);
    assert_eq!(w.take_all().len(), 1, "alone, nobody hears");
    for socket in [bob, carol] {
        join(&mut w, socket);
    }
    w.pass(WINDOW);
    w.take_all();
    w.send(alice, &json!({"type": "beat", "n": 1, "network": "net"}));
    w.expect(&[(alice, json!({"type": "done", "re": 1}))]);
    beat(&mut w, alice);
    w.pass(WINDOW);
    w.expect(&[(bob, beats(&["alice@x"])), (carol, beats(&["alice@x"]))]);
    beat(&mut w, carol);
    beat(&mut w, alice);
    beat(&mut w, carol);
    w.pass(WINDOW);
    w.expect(&[(alice, beats(&["carol@x"])), (bob, beats(&["alice@x", "carol@x"])), (carol, beats(&["alice@x"]))]);
    w.pass(10 * WINDOW);
    w.expect(&[]);
}

#[test]
fn the_beat_of_a_node_that_then_left_is_not_told() {
    let mut w = Table::new();
    let [alice, bob] = ["alice@x", "bob@x"].map(|id| w.open(id));
    for socket in [alice, bob] {
        join(&mut w, socket);
    }
    w.pass(WINDOW);
    w.take_all();
    beat(&mut w, bob);
    w.send(bob, &json!({"type": "network.leave", "network": "net"}));
    w.pass(WINDOW);
    w.expect(&[(alice, nodes(&[], &["bob@x"], 1))]);
}

#[test]
fn roles_are_told_to_everyone_at_once_and_stand_in_later_lists() {
    let mut w = Table::new();
    let [alice, bob, carol] = ["alice@x", "bob@x", "carol@x"].map(|id| w.open(id));
    let phone = w.login(json!({"id": "bob@x", "device": "phone"}));
    for socket in [alice, bob, phone] {
        join(&mut w, socket);
    }
    w.pass(WINDOW);
    w.take_all();
    w.send(alice, &json!({"type": "role", "n": 1, "network": "net", "id": "bob@x", "roles": ["storage", "relay"]}));
    let role =
        json!({"type": "role", "network": "net", "id": "bob@x", "roles": ["storage", "relay"], "from": "alice@x"});
    w.expect(&[(alice, role.clone()), (alice, json!({"type": "done", "re": 1})), (bob, role.clone()), (phone, role)]);
    w.pass(WINDOW);
    w.expect(&[]);
    join(&mut w, carol);
    let listed = json!([{"id": "alice@x"}, {"id": "bob@x", "roles": ["storage", "relay"]},
        {"id": "bob@x", "device": "phone", "roles": ["storage", "relay"]}, {"id": "carol@x"}]);
    assert_eq!(w.take_one(carol)["nodes"], listed);
    w.pass(WINDOW);
    w.take_all();
    w.send(bob, &json!({"type": "role", "network": "net", "id": "bob@x", "roles": []}));
    let none = json!({"type": "role", "network": "net", "id": "bob@x", "roles": [], "from": "bob@x"});
    w.expect(&[alice, bob, phone, carol].map(|socket| (socket, none.clone())));
}

#[test]
fn only_a_node_may_speak_and_only_of_nodes() {
    let mut w = Table::new();
    let [alice, bob] = ["alice@x", "bob@x"].map(|id| w.open(id));
    join(&mut w, alice);
    w.take_all();
    w.refused(alice, &json!({"type": "role", "n": 1, "network": "net", "id": "bob@x", "roles": []}), 4404);
    w.refused(bob, &json!({"type": "role", "n": 1, "network": "net", "id": "alice@x", "roles": []}), 4405);
    w.refused(bob, &json!({"type": "beat", "n": 2, "network": "net"}), 4405);
    w.refused(bob, &json!({"type": "network.leave", "n": 3, "network": "net"}), 4405);
    w.refused(bob, &json!({"type": "beat", "n": 4, "network": "none"}), 4405);
    w.pass(WINDOW);
    w.expect(&[]);
}

#[test]
fn networks_are_bounded_in_nodes_and_per_session() {
    let mut w = Table::with(|r| {
        r.limits.nodes_per_network = 2;
        r.limits.networks_per_session = 1;
    });
    let [alice, bob, carol] = ["alice@x", "bob@x", "carol@x"].map(|id| w.open(id));
    for socket in [alice, bob] {
        join(&mut w, socket);
    }
    w.take_all();
    w.refused(carol, &json!({"type": "network.join", "n": 1, "network": "net"}), 4105);
    w.refused(bob, &json!({"type": "network.join", "n": 1, "network": "other"}), 4111);
    assert_eq!(w.world.hub.counts().networks, 1);
    join(&mut w, alice);
    assert_eq!(w.take_one(alice)["type"], "network.joined", "who is in may always ask for the list");
    w.send(bob, &json!({"type": "network.leave", "network": "net"}));
    join(&mut w, carol);
    assert_eq!(w.take_one(carol)["type"], "network.joined");
}

#[test]
fn networks_never_cross_namespaces() {
    let mut w = Table::new();
    let alice = w.open("alice@x");
    let other = w.login(json!({"id": "bob@x", "namespace": "elsewhere"}));
    join(&mut w, alice);
    join(&mut w, other);
    let alone = |id: &str| json!({"type": "network.joined", "network": "net", "nodes": [{"id": id}]});
    w.expect(&[(alice, alone("alice@x")), (other, alone("bob@x"))]);
    w.pass(WINDOW);
    w.expect(&[]);
}

#[test]
fn what_was_not_told_before_a_restart_is_told_after_it() {
    let mut w = Table::new();
    let [alice, bob, carol, dave] = ["alice@x", "bob@x", "carol@x", "dave@x"].map(|id| w.open(id));
    for socket in [alice, bob, carol] {
        join(&mut w, socket);
    }
    w.pass(WINDOW);
    w.send(alice, &json!({"type": "role", "network": "net", "id": "alice@x", "roles": ["relay"]}));
    w.send(carol, &json!({"type": "network.leave", "network": "net"}));
    w.send(dave, &json!({"type": "network.join", "network": "net", "me": "D"}));
    beat(&mut w, dave);
    w.take_all();
    w.restart_with(500, |snapshot| forget_session(snapshot, "bob@x"));
    let [alice, dave] = [alice, dave].map(|old| w.resume(old));
    w.take_all();
    w.pass(WINDOW);
    let d = json!({"id": "dave@x", "me": "D"});
    w.expect(&[
        (
            alice,
            json!({"type": "network.nodes", "network": "net", "joined": [d],
            "left": [{"id": "carol@x"}, {"id": "bob@x"}], "count": 2}),
        ),
        (alice, beats(&["dave@x"])),
        (dave, nodes(&[], &["bob@x"], 2)),
    ]);
    join(&mut w, alice);
    assert_eq!(w.take_one(alice)["nodes"], json!([{"id": "alice@x", "roles": ["relay"]}, d]));
}

#[test]
fn a_storm_costs_each_node_one_change_and_the_old_ones_share_theirs() {
    let scribe = Scribe::default();
    let mut w = scribe.table();
    let all: Vec<Sock> = (0..400).map(|i| w.open(&format!("p{i}@x"))).collect();
    let (old, new) = all.split_at(200);
    for socket in old {
        join(&mut w, *socket);
    }
    w.pass(WINDOW);
    w.take_all();
    let before = scribe.count(|c| &c.networks);
    for socket in new {
        join(&mut w, *socket);
    }
    w.take_all();
    w.pass(WINDOW);
    let frames = w.take_all();
    assert_eq!(frames.len(), 399, "each one but the last to come, who has the whole list");
    let to_old: Vec<&Value> = frames.iter().filter(|(to, _)| old.contains(to)).map(|(_, text)| text).collect();
    assert!(to_old.len() == 200 && to_old.iter().all(|text| *text == to_old[0]));
    assert_eq!(
        scribe.count(|c| &c.networks) - before,
        200,
        "one for all the old, one for each of the new but the last"
    );
    assert_eq!(scribe.count(|c| &c.all), 400, "dialects that tell the whole list have it");
}

#[test]
fn many_beats_in_a_window_are_written_once() {
    let scribe = Scribe::default();
    let mut w = scribe.table();
    let all: Vec<Sock> = (0..400).map(|i| w.open(&format!("p{i}@x"))).collect();
    for socket in &all {
        join(&mut w, *socket);
    }
    w.pass(WINDOW);
    w.take_all();
    for socket in &all {
        beat(&mut w, *socket);
    }
    w.pass(WINDOW);
    assert_eq!((w.take_all().len(), scribe.count(|c| &c.beats)), (400, 1));
}

fn join(w: &mut Table, socket: Sock) {
    w.send(socket, &json!({"type": "network.join", "network": "net"}));
}

fn beat(w: &mut Table, socket: Sock) {
    w.send(socket, &json!({"type": "beat", "network": "net"}));
}

fn nodes(joined: &[&str], left: &[&str], count: u32) -> Value {
    let mut event = json!({"type": "network.nodes", "network": "net", "count": count});
    for (field, ids) in [("joined", joined), ("left", left)] {
        if !ids.is_empty() {
            event[field] = ids.iter().map(|id| json!({"id": id})).collect();
        }
    }
    event
}

fn beats(ids: &[&str]) -> Value {
    json!({"type": "beats", "network": "net", "from": ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>()})
}
