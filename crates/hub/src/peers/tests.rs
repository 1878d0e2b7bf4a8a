use std::mem::size_of;
use std::sync::Arc;

use serde_json::{Value, json};
use wigwag_wire::event::Presence;
use wigwag_wire::{Device, Namespace, PeerId};

use super::directory::{Entry, Known, Waiting};
use super::queue::Held;
use super::receipt::Receipt;
use super::session::{Line, Resumable, Session, Watching};
use super::{Opening, Owner};
use crate::connection::Connection;
use crate::cx::Later;
use crate::hub::Hub;
use crate::ids::{DialectId, Party, SocketId};
use crate::input::Input;
use crate::output::Output;
use crate::rules::Rules;
use crate::time::{Moment, Now, Wall};
use crate::voice::Native;

const NOW: Now = Now { at: Moment(1_000), wall: Wall(1_795_000_000_000) };

#[test]
fn an_idle_session_is_small() {
    assert!(size_of::<Session>() <= 136, "Session: {}", size_of::<Session>());
    assert!(size_of::<Resumable>() <= 120, "Resumable: {}", size_of::<Resumable>());
    assert!(size_of::<Connection>() <= 96, "Connection: {}", size_of::<Connection>());
    assert!(size_of::<Party>() <= 64, "Party: {}", size_of::<Party>());
    assert!(size_of::<Entry>() <= 16, "Entry: {}", size_of::<Entry>());
    assert!(size_of::<Known>() <= 104, "Known: {}", size_of::<Known>());
    assert!(size_of::<Held>() <= 56, "Held: {}", size_of::<Held>());
    assert!(size_of::<Receipt>() <= 24, "Receipt: {}", size_of::<Receipt>());
    assert!(size_of::<Watching>() <= 32, "Watching: {}", size_of::<Watching>());
    assert!(size_of::<Waiting>() <= 72, "Waiting: {}", size_of::<Waiting>());
}

#[test]
fn sessions_share_the_texts_that_most_of_them_have() {
    let hub = hub(|_| {});
    let (one, two) = (begin(&hub, "a", 1, true), begin(&hub, "b", 2, true));
    assert!(std::ptr::eq(one.ns.as_str(), two.ns.as_str()));
}

#[test]
fn a_queue_gives_its_memory_back_when_all_is_confirmed() {
    let hub = hub(|_| {});
    let (alice, bob) = (begin(&hub, "alice", 1, true), begin(&hub, "bob", 2, true));
    for n in 0..200 {
        signal(&hub, &alice, n, "bob");
    }
    let held = |party: &Arc<Party>| {
        let shard = hub.peers(party.session).lock();
        let queue = &shard.session(party.session).and_then(|s| s.resume.as_deref()).expect("a lasting session").queue;
        (queue.len(), queue.bytes(), queue.capacity())
    };
    assert_eq!(held(&bob).0, 200);
    let mut out = Vec::new();
    hub.handle(NOW, Input::Confirmed { who: &bob, socket: SocketId(2), count: 200 }, &mut out);
    assert_eq!(held(&bob), (0, 0, 0));
}

#[test]
fn a_session_that_ends_with_its_socket_holds_nothing() {
    let hub = hub(|rules| rules.limits.queue_frames = 2);
    let (alice, bob) = (begin(&hub, "alice", 1, false), begin(&hub, "bob", 2, false));
    begin(&hub, "carol", 3, true);
    for n in 0..50 {
        let out = signal(&hub, &alice, n, "bob");
        let to_bob = out.iter().filter(|o| matches!(o, Output::Send { socket: SocketId(2), .. })).count();
        assert_eq!(to_bob, 1, "no queue, no bound: the socket's own outbox is bounded");
    }
    assert!(hub.peers(bob.session).lock().session(bob.session).is_some_and(|s| s.resume.is_none()));
    // It is gone with its socket, at once and for everybody.
    let mut out = Vec::new();
    hub.handle(NOW, Input::Detached { who: &bob, socket: SocketId(2) }, &mut out);
    assert_eq!(hub.peers(bob.session).lock().presence(bob.session), Presence::Gone);
    let told: Vec<Value> = frames(&signal(&hub, &alice, 60, "bob"), 1);
    assert_eq!(told, [json!({"type": "ack", "re": 60, "status": "absent"})]);
    assert_eq!(hub.snapshot(NOW).sessions(), 1, "only who may come back is written out");
}

#[test]
fn a_session_that_ends_with_its_socket_is_handed_what_was_stored_once() {
    let hub = hub(|_| {});
    let alice = begin(&hub, "alice", 1, true);
    let out =
        send(&hub, &alice, 1, &json!({"type": "signal", "n": 1, "to": "bob@x", "kind": "k", "data": 1, "store": 60}));
    let Some(Output::Ask(crate::output::Ask::Keep(keep))) = out.first() else { panic!("{out:?}") };
    let mut out = Vec::new();
    let (number, ns, to) = (keep.number, keep.ns.clone(), keep.to.clone());
    hub.handle(NOW, Input::Kept { number, ns, to, ok: true }, &mut out);
    let mut out = Vec::new();
    let opened = hub.open(NOW, opening("bob@x", 2, false), &mut out);
    assert!(opened.is_ok());
    assert_eq!(frames(&out, 2).last().map(|f| f["type"].clone()), Some(json!("signal")));
    assert!(matches!(out.last(), Some(Output::Forget(numbers)) if *numbers == [number]), "{out:?}");
}

#[test]
fn a_wish_to_watch_is_not_lost_whichever_of_two_sockets_is_faster() {
    let hub = hub(|_| {});
    let (alice, bob) = (begin(&hub, "alice", 1, true), begin(&hub, "bob", 2, true));
    let watch = |on: bool| {
        let kind = if on { "watch" } else { "unwatch" };
        send(&hub, &alice, 1, &json!({"type": kind, "ids": ["bob"]}));
    };
    let watchers = || {
        let mut home = hub.home(&bob.ns, "bob").lock();
        home.directory.known_mut(&bob.address()).map_or(0, |known| known.watchers.len())
    };
    let id = PeerId::new("bob").expect("an id");
    watch(true);
    watch(false);
    assert_eq!(watchers(), 0);
    // An older thread's `unwatch` arrives at bob's shard after the newer one's `watch`.
    watch(true);
    settle(&hub, Later::Unwatch { watcher: alice.clone(), id: id.clone() });
    assert_eq!(watchers(), 1, "alice watches, so she is told");
    // An older thread's `watch` arrives after the newer one's `unwatch`.
    watch(false);
    settle(&hub, Later::Watch { watcher: alice.clone(), id: id.clone(), origin: None });
    assert_eq!(watchers(), 0, "alice does not watch, so nothing is left of it");
    // And after the end of the session.
    watch(true);
    send(&hub, &alice, 1, &json!({"type": "bye"}));
    settle(&hub, Later::Watch { watcher: alice.clone(), id, origin: None });
    assert_eq!(watchers(), 0);
}

#[test]
fn an_id_takes_no_more_room_than_its_session_while_nobody_watches_it() {
    let hub = hub(|_| {});
    let (alice, bob) = (begin(&hub, "alice", 1, true), begin(&hub, "bob", 2, true));
    let is_known = || hub.home(&bob.ns, "bob").lock().directory.known_mut(&bob.address()).is_some();
    assert!(!is_known());
    send(&hub, &alice, 1, &json!({"type": "watch", "ids": ["bob"]}));
    assert!(is_known());
    send(&hub, &alice, 1, &json!({"type": "unwatch", "ids": ["bob"]}));
    assert!(!is_known());
    // The place of a session that another takes is taken by one: no more is known then either.
    begin(&hub, "bob", 3, true);
    assert!(!is_known());
}

#[test]
fn presence_that_overtakes_is_not_overwritten_by_what_is_older() {
    let hub = hub(|_| {});
    let (alice, bob) = (begin(&hub, "alice", 1, true), begin(&hub, "bob", 2, true));
    send(&hub, &alice, 1, &json!({"type": "watch", "ids": ["bob"]}));
    let news = |state: Presence, revision: u64| Later::Presence {
        ns: bob.ns.clone(),
        id: bob.id.clone(),
        watchers: [alice.session].into_iter().collect(),
        state,
        seen: None,
        revision,
    };
    assert_eq!(frames(&settle(&hub, news(Presence::Here, 1_001)), 1).len(), 1);
    assert_eq!(frames(&settle(&hub, news(Presence::Away, 1_000)), 1).len(), 0);
}

#[test]
fn one_timer_for_each_session_however_often_it_comes_back() {
    let hub = hub(|_| {});
    let bob = begin(&hub, "bob", 1, true);
    for round in 0..50u64 {
        let now = Now { at: NOW.at + round * 100, wall: NOW.wall };
        let mut out = Vec::new();
        send(&hub, &bob, round + 1, &json!({"type": "find", "id": "bob"}));
        hub.handle(now, Input::Detached { who: &bob, socket: SocketId(round + 1) }, &mut out);
        let shard = &mut *hub.peers(bob.session).lock();
        let session = shard.session_mut(bob.session).expect("it is only away");
        session.line = Line::Open(SocketId(round + 2), now.at);
        assert!(shard.timers.len() <= 1, "{} timers", shard.timers.len());
    }
    send(&hub, &bob, 51, &json!({"type": "bye"}));
    assert_eq!(hub.peers(bob.session).lock().timers.len(), 0);
}

#[test]
fn a_flood_of_sessions_leaves_no_memory_behind() {
    let hub = hub(|_| {});
    let all: Vec<Arc<Party>> = (0..8_000).map(|n| begin(&hub, &format!("peer {n}"), n, true)).collect();
    let (first, rest) = all.split_first().expect("some");
    for (n, party) in rest.iter().enumerate() {
        send(&hub, party, n as u64 + 1, &json!({"type": "bye"}));
    }
    for shard in hub.all_peers() {
        let shard = shard.lock();
        assert!(shard.slots.capacity() <= 64, "slots for {}", shard.slots.capacity());
        assert!(shard.directory.capacity() <= 64, "places for {} ids", shard.directory.capacity());
    }
    assert_eq!(hub.counts().sessions, 1);
    assert!(hub.session(first.session).is_some());
}

#[test]
fn numbers_of_stored_signals_rise_even_if_the_clock_does_not() {
    let mut numbers = super::stored::Numbers::default();
    let mut last = 0;
    for (wall, random) in [(5, 1), (5, u64::MAX), (5, 0), (4, 9), (1 << 41, 0), (0, 0), (u64::MAX, 3)] {
        let number = numbers.next(Wall(wall), random, 63);
        assert!(number > last && number <= i64::MAX as u64, "{number} after {last}");
        assert_eq!(number & 63, 63);
        last = number;
    }
}

fn hub(change: impl FnOnce(&mut Rules)) -> Hub {
    let mut rules = Rules::default();
    change(&mut rules);
    Hub::new(rules, vec![Box::new(Native)], [3; 32])
}

fn opening(id: &str, socket: u64, lasting: bool) -> Opening {
    Opening {
        ns: Namespace::new("default").expect("a namespace"),
        id: PeerId::new(id).expect("an id"),
        device: Device::new("").expect("a device"),
        dialect: DialectId::NATIVE,
        owner: Owner::Nobody,
        socket: SocketId(socket),
        opened: NOW.at,
        resume: None,
        asked: None,
        lasting,
    }
}

fn begin(hub: &Hub, id: &str, socket: u64, lasting: bool) -> Arc<Party> {
    let mut out: Vec<Output> = Vec::new();
    hub.open(NOW, opening(id, socket, lasting), &mut out).expect("a session")
}

fn send(hub: &Hub, who: &Arc<Party>, socket: u64, frame: &Value) -> Vec<Output> {
    let text = frame.to_string();
    let (heading, request) = wigwag_wire::Request::parse(&text, &hub.rules().limits).expect("a good request");
    let mut out = Vec::new();
    let origin = &crate::admission::Origin::Local;
    hub.handle(NOW, Input::Request { who, socket: SocketId(socket), origin, heading, request }, &mut out);
    out
}

fn signal(hub: &Hub, from: &Arc<Party>, n: u64, to: &str) -> Vec<Output> {
    send(hub, from, 1, &json!({"type": "signal", "n": n, "to": to, "kind": "k", "data": n}))
}

fn settle(hub: &Hub, later: Later) -> Vec<Output> {
    let mut out = Vec::new();
    let mut cx = hub.cx(NOW, &mut out);
    cx.later.push_back(later);
    hub.settle(&mut cx);
    out
}

fn frames(out: &[Output], socket: u64) -> Vec<Value> {
    let of = |output: &Output| match output {
        Output::Send { socket: to, frame } if *to == SocketId(socket) => serde_json::from_slice(frame).ok(),
        _ => None,
    };
    out.iter().filter_map(of).collect()
}
