//! ManaMesh.

use serde_json::{Value, json};
use wigwag_dialects::Dialect;
use wigwag_testkit::TestKey;
use wigwag_wire::{Namespace, RoomName};

use crate::table::Table;

#[test]
fn the_newcomer_is_told_who_is_there_and_they_are_told_of_the_newcomer() {
    let mut table = Table::new();
    let a = join(&mut table, "a", "den");
    let b = join(&mut table, "b", "den");
    assert_eq!(table.heard_json("a"), [json!({"type": "peer-joined", "peerId": b})]);
    table.open("c", Dialect::ManaMesh, "");
    table.tell("c", json!({"type": "join", "roomId": "den"}));
    let told = table.heard("c");
    let c = serde_json::from_str::<Value>(&told[0]).unwrap()["peerId"].as_str().unwrap().to_owned();
    assert_eq!(told, [format!(r#"{{"type":"joined","peerId":"{c}","roomId":"den","peers":["{a}","{b}"]}}"#)]);
    for name in ["a", "b"] {
        assert_eq!(table.heard(name), [format!(r#"{{"type":"peer-joined","peerId":"{c}"}}"#)]);
    }
}

#[test]
fn a_signal_comes_to_its_target_alone_with_its_sender_and_its_payload_as_it_was() {
    let mut table = Table::new();
    let [a, b, _] = three(&mut table);
    for kind in ["offer", "answer", "ice-candidate"] {
        for payload in [r#"{"sdp":"v=0\r\n", "z":1.0,"a":[2E3]}"#, "null", r#""ü""#] {
            table.say("a", &format!(r#"{{"type":"{kind}","roomId":"den","peerId":"{b}","payload":{payload}}}"#));
            assert_eq!(table.heard("b"), [format!(r#"{{"type":"{kind}","peerId":"{a}","payload":{payload}}}"#)]);
        }
    }
    assert_eq!(quiet(&mut table, &["a", "c"]), 0);
}

#[test]
fn a_signal_without_a_target_comes_to_all_others() {
    let mut table = Table::new();
    let [a, ..] = three(&mut table);
    table.tell("a", json!({"type": "offer", "roomId": "den", "payload": 1}));
    table.tell("a", json!({"type": "offer", "roomId": "den", "peerId": null, "payload": 2}));
    for name in ["b", "c"] {
        let offer = |payload: u8| json!({"type": "offer", "peerId": a, "payload": payload});
        assert_eq!(table.heard_json(name), [offer(1), offer(2)]);
    }
    assert_eq!(quiet(&mut table, &["a"]), 0);
}

#[test]
fn an_absent_target_is_passed_over_in_silence_and_nobody_reaches_into_another_room() {
    // However many of them: it is no guessing.
    let mut table = Table::with(|rules, _| rules.limit_loopback = true);
    join(&mut table, "a", "den");
    let d = join(&mut table, "d", "loft");
    let native = table.open_native("n");
    for _ in 0..40 {
        for peer in [&d, &native, "nobody", ""] {
            table.tell("a", json!({"type": "offer", "roomId": "den", "peerId": peer, "payload": 1}));
        }
        table.wait(100);
    }
    assert_eq!(quiet(&mut table, &["a", "d", "n"]), 0);
    join(&mut table, "e", "den");
}

#[test]
fn the_sender_is_who_the_server_says() {
    let mut table = Table::new();
    let [a, b, c] = three(&mut table);
    let forged = json!({"type": "offer", "peerId": b, "from": c, "sender": c, "payload": {"peerId": c}});
    table.tell("a", forged);
    let told = json!({"type": "offer", "peerId": a, "payload": {"peerId": c}});
    assert_eq!(table.heard_json("b"), [told]);
    // Two targets in one frame are none.
    table.say("a", &format!(r#"{{"type":"offer","peerId":"{b}","peerId":"{c}","payload":1}}"#));
    assert_eq!(table.heard_json("a"), [error("Invalid message format")]);
    assert_eq!(quiet(&mut table, &["b", "c"]), 0);
}

#[test]
fn outside_a_room_nothing_is_passed_on() {
    let mut table = Table::new();
    table.open("x", Dialect::ManaMesh, "");
    for kind in ["offer", "answer", "ice-candidate"] {
        table.tell("x", json!({"type": kind, "roomId": "den", "payload": 1}));
        assert_eq!(table.heard("x"), [r#"{"type":"error","message":"Not in a room"}"#]);
    }
    join(&mut table, "a", "den");
    let b = join(&mut table, "b", "den");
    table.heard("a");
    table.tell("a", json!({"type": "offer", "roomId": "loft", "payload": 1}));
    assert_eq!(table.heard_json("a"), [error("Not in a room")]);
    table.tell("a", json!({"type": "leave"}));
    table.tell("a", json!({"type": "offer", "roomId": "den", "peerId": b, "payload": 1}));
    assert_eq!(table.heard_json("a"), [error("Not in a room")]);
    assert_eq!(table.heard("b").len(), 1, "that a left");
    // To leave what one is not in is nothing.
    table.tell("a", json!({"type": "leave"}));
    assert_eq!(quiet(&mut table, &["a", "b"]), 0);
}

#[test]
fn who_leaves_or_is_gone_is_told_and_the_empty_room_is_gone() {
    let mut table = Table::new();
    let [a, b, _] = three(&mut table);
    table.tell("a", json!({"type": "leave"}));
    for name in ["b", "c"] {
        assert_eq!(table.heard(name), [format!(r#"{{"type":"peer-left","peerId":"{a}"}}"#)]);
    }
    table.lose("b");
    assert_eq!(table.heard_json("c"), [json!({"type": "peer-left", "peerId": b})]);
    assert_eq!(table.hub.counts().rooms, 1);
    table.lose("c");
    assert_eq!(table.hub.counts().rooms, 0);
    assert_eq!(quiet(&mut table, &["a"]), 0);
}

#[test]
fn who_joins_another_room_leaves_the_first_and_keeps_its_id() {
    let mut table = Table::new();
    let [a, ..] = three(&mut table);
    table.tell("a", json!({"type": "join", "roomId": "loft"}));
    assert_eq!(table.heard_json("a"), [json!({"type": "joined", "peerId": a, "roomId": "loft", "peers": []})]);
    for name in ["b", "c"] {
        assert_eq!(table.heard_json(name), [json!({"type": "peer-left", "peerId": a})]);
    }
    table.tell("b", json!({"type": "offer", "roomId": "den", "peerId": a, "payload": 1}));
    assert_eq!(quiet(&mut table, &["a"]), 0);
}

#[test]
fn who_joins_its_own_room_again_is_told_again_and_nobody_else_hears_of_it() {
    let mut table = Table::new();
    let [a, b, c] = three(&mut table);
    table.tell("b", json!({"type": "join", "roomId": "den"}));
    assert_eq!(table.heard_json("b"), [json!({"type": "joined", "peerId": b, "roomId": "den", "peers": [a, c]})]);
    assert_eq!(quiet(&mut table, &["a", "c"]), 0);
}

#[test]
fn a_bad_frame_costs_its_sender_nothing_but_the_frame() {
    let mut table = Table::new();
    let [a, b, _] = three(&mut table);
    let deep = format!(r#"{{"type":"offer","payload":{}"#, "[".repeat(20_000));
    for bad in ["", "{", "7", "null", "[]", r#"{"type":7}"#, r#"{"roomId":"den"}"#, r#"{"type":"offer"}"#, &deep] {
        table.say("a", bad);
        assert_eq!(table.heard("a"), [r#"{"type":"error","message":"Invalid message format"}"#], "{bad}");
    }
    table.say_bytes("a", &[0xff, 0xfe]);
    table.tell("a", json!({"type": "teleport"}));
    let told = ["Invalid message format", "Unknown message type"].map(error);
    assert_eq!(table.heard_json("a"), told);
    for room in [json!(null), json!(""), json!("x".repeat(129)), json!("a\nb")] {
        table.tell("a", json!({"type": "join", "roomId": room}));
        assert_eq!(table.heard_json("a"), [error("Missing or invalid roomId")]);
    }
    table.say_bytes("a", json!({"type": "offer", "peerId": b, "payload": 1}).to_string().as_bytes());
    assert_eq!(table.heard_json("b"), [json!({"type": "offer", "peerId": a, "payload": 1})]);
    assert_eq!(table.closed("a"), None);
    assert_eq!(quiet(&mut table, &["c"]), 0);
}

#[test]
fn a_full_room_says_so_and_a_place_that_is_free_again_is_had() {
    let mut table = Table::with(|rules, _| rules.limits.members_per_room = 3);
    three(&mut table);
    table.open("d", Dialect::ManaMesh, "");
    table.tell("d", json!({"type": "join", "roomId": "den"}));
    let told = table.heard_json("d");
    assert_eq!((&told[0]["type"], told.len()), (&json!("error"), 1));
    assert!(told[0]["message"].as_str().unwrap().contains("capacity"), "{told:?}");
    table.tell("d", json!({"type": "offer", "roomId": "den", "payload": 1}));
    assert_eq!(table.heard_json("d"), [error("Not in a room")]);
    table.lose("a");
    table.tell("d", json!({"type": "join", "roomId": "den"}));
    assert_eq!(table.heard_json("d")[0]["type"], "joined");
}

#[test]
fn joining_is_no_guessing_however_many_come_from_one_address() {
    let mut table = Table::with(|rules, _| rules.limit_loopback = true);
    for round in 0..100 {
        join(&mut table, &format!("first{round}"), &format!("den{round}"));
        join(&mut table, &format!("second{round}"), &format!("den{round}"));
    }
}

#[test]
fn rooms_of_other_namespaces_are_other_rooms() {
    let mut table = Table::new();
    join(&mut table, "a", "den");
    table.open("b", Dialect::ManaMesh, "?ns=app");
    table.tell("b", json!({"type": "join", "roomId": "den"}));
    assert_eq!(table.heard_json("b")[0]["peers"], json!([]));
    assert_eq!(quiet(&mut table, &["a"]), 0);
}

#[test]
fn a_native_peer_in_the_room_is_a_peer_like_any_other() {
    let mut table = Table::new();
    let a = join(&mut table, "a", "den");
    let n = table.open_native("n");
    table.tell("n", json!({"type": "room.join", "room": "den"}));
    let joined = table.heard_json("n").pop().unwrap();
    assert_eq!((&joined["type"], &joined["members"][0]["id"]), (&json!("room.joined"), &json!(a)));
    assert_eq!(table.heard_json("a"), [json!({"type": "peer-joined", "peerId": n})]);
    // The newcomer makes the offer.
    for (kind, own) in [("offer", "offer"), ("answer", "answer"), ("candidate", "ice-candidate")] {
        table.say("n", &format!(r#"{{"type":"signal","to":"{a}","kind":"{kind}","data":{{"z":1.0, "a":2}}}}"#));
        let told = format!(r#"{{"type":"{own}","peerId":"{n}","payload":{{"z":1.0, "a":2}}}}"#);
        assert_eq!(table.heard("a"), [told]);
        table.tell("a", json!({"type": own, "roomId": "den", "peerId": n, "payload": {"b": 1}}));
        let signal = table.heard_json("n").pop().unwrap();
        assert_eq!(
            (&signal["type"], &signal["from"], &signal["kind"], &signal["data"]),
            (&json!("signal"), &json!(a), &json!(kind), &json!({"b": 1}))
        );
    }
    table.tell("a", json!({"type": "offer", "roomId": "den", "payload": 1}));
    assert_eq!(table.heard_json("n")[0]["kind"], "offer");
    // What the dialect has no word for does not arrive, and the sender knows.
    table.tell("n", json!({"type": "signal", "n": 1, "to": a, "kind": "bye", "data": 1}));
    assert_eq!(table.heard_json("n"), [json!({"type": "ack", "re": 1, "status": "absent"})]);
    table.tell("n", json!({"type": "room.leave", "room": "den"}));
    assert_eq!(table.heard_json("a"), [json!({"type": "peer-left", "peerId": n})]);
}

#[test]
fn a_native_peer_with_several_devices_is_one_peer() {
    let mut table = Table::new();
    let a = join(&mut table, "a", "den");
    let key = TestKey::new(1);
    let n = table.open_device("laptop", &key, "laptop");
    assert_eq!(table.open_device("phone", &key, "phone"), n);
    let enter = json!({"type": "room.join", "room": "den"});
    table.tell("laptop", enter.clone());
    table.tell("phone", enter);
    assert_eq!(table.heard_json("a"), [json!({"type": "peer-joined", "peerId": n})]);
    table.open("b", Dialect::ManaMesh, "");
    table.tell("b", json!({"type": "join", "roomId": "den"}));
    assert_eq!(table.heard_json("b")[0]["peers"], json!([a, n]));
    table.heard("laptop");
    table.tell("b", json!({"type": "offer", "payload": 1}));
    assert_eq!(table.heard("laptop").len(), 1, "one copy for each device");
    table.heard("a");
    let leave = json!({"type": "room.leave", "room": "den"});
    table.tell("laptop", leave.clone());
    assert_eq!(quiet(&mut table, &["a"]), 0);
    table.tell("phone", leave);
    assert_eq!(table.heard_json("a"), [json!({"type": "peer-left", "peerId": n})]);
}

#[test]
fn a_room_that_a_native_peer_made_is_joined_under_its_rules() {
    let mut table = Table::new();
    let n = table.open_native("n");
    table.tell("n", json!({"type": "room.create", "room": "den", "mode": "HOST_ONLY"}));
    let a = join(&mut table, "a", "den");
    // Its mode is about what is said to the room, not about who may call whom.
    table.heard("n");
    table.tell("a", json!({"type": "offer", "roomId": "den", "payload": 1}));
    assert_eq!(table.heard_json("n")[0]["from"], json!(a));
    table.tell("n", json!({"type": "room.set", "room": "den", "term": 1, "locked": true}));
    table.open("b", Dialect::ManaMesh, "");
    table.tell("b", json!({"type": "join", "roomId": "den"}));
    assert_eq!(table.heard_json("b")[0]["type"], "error");
    table.tell("n", json!({"type": "room.kick", "room": "den", "term": 1, "id": a}));
    assert_eq!(table.heard_json("a"), [error("You were sent out of the room")]);
    table.tell("a", json!({"type": "offer", "roomId": "den", "peerId": n, "payload": 1}));
    assert_eq!(table.heard_json("a"), [error("Not in a room")]);
    assert_eq!(counts(&table), (0, 0));
}

#[test]
fn a_room_that_the_operator_closes_is_closed_for_its_peers() {
    let mut table = Table::new();
    three(&mut table);
    let den = RoomName::new("den").unwrap();
    assert!(table.act(|hub, now, out| hub.close_room(now, &hub.rules().default_namespace, &den, out)));
    for name in ["a", "b", "c"] {
        assert_eq!(table.heard_json(name), [error("The room was closed")]);
    }
    let again = json!({"type": "join", "roomId": "den"});
    table.tell("a", again.clone());
    assert_eq!(table.heard_json("a").len(), 1);
    table.tell("a", again);
    assert_eq!(table.heard_json("a")[0]["type"], "joined");
}

#[test]
fn the_stats_tell_how_many_peers_are_in_how_many_rooms() {
    let mut table = Table::new();
    assert_eq!(counts(&table), (0, 0));
    three(&mut table);
    join(&mut table, "d", "loft");
    table.open("e", Dialect::ManaMesh, "");
    assert_eq!(counts(&table), (2, 4));
    let page = table.dialects().signaling_counts(&Namespace::new("default").unwrap()).page();
    assert_eq!(page.body, r#"{"status":"healthy","signaling":{"rooms":2,"peers":4}}"#);
    table.tell("a", json!({"type": "join", "roomId": "loft"}));
    table.lose("b");
    table.tell("c", json!({"type": "leave"}));
    assert_eq!(counts(&table), (1, 2));
    table.lose("a");
    table.lose("d");
    table.lose("c");
    assert_eq!(counts(&table), (0, 0));
}

/// A socket in a room. Answers its id.
fn join(table: &mut Table, name: &str, room: &str) -> String {
    table.open(name, Dialect::ManaMesh, "");
    table.tell(name, json!({"type": "join", "roomId": room}));
    let joined = table.heard_json(name).pop().unwrap();
    assert_eq!((&joined["type"], &joined["roomId"]), (&json!("joined"), &json!(room)), "{joined}");
    joined["peerId"].as_str().unwrap().to_owned()
}

/// `a`, `b` and `c` in the room `den`, with nothing unheard.
fn three(table: &mut Table) -> [String; 3] {
    let ids = ["a", "b", "c"].map(|name| join(table, name, "den"));
    for name in ["a", "b", "c"] {
        table.heard(name);
    }
    ids
}

fn error(message: &str) -> Value {
    json!({"type": "error", "message": message})
}

/// How much these heard.
fn quiet(table: &mut Table, names: &[&str]) -> usize {
    names.iter().map(|name| table.heard(name).len()).sum()
}

fn counts(table: &Table) -> (u64, u64) {
    let counts = table.dialects().signaling_counts(&Namespace::new("default").unwrap());
    (counts.rooms, counts.peers)
}
