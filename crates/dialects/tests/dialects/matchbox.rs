//! matchbox.

use serde_json::{Value, json};
use wigwag_dialects::{Conversation, Dialect};
use wigwag_hub::Rules;

use crate::table::Table;

#[test]
fn the_first_frame_says_the_newcomers_id_and_a_newcomer_is_told_of_nobody() {
    let mut table = Table::new();
    let ids: Vec<String> = ["a", "b", "c"].map(|name| open(&mut table, name, "room")).into();
    assert!(ids.iter().all(|id| is_uuid(id, '4')), "{ids:?}");
    assert_eq!(table.heard("a"), [format!(r#"{{"NewPeer":"{}"}}"#, ids[1]), format!(r#"{{"NewPeer":"{}"}}"#, ids[2])]);
    assert_eq!(table.heard("b"), [format!(r#"{{"NewPeer":"{}"}}"#, ids[2])]);
    assert!(table.heard("c").is_empty());
}

#[test]
fn who_leaves_is_told_to_those_who_stay() {
    let mut table = Table::new();
    let [_, b] = ["a", "b"].map(|name| open(&mut table, name, "room"));
    table.heard("a");
    table.lose("b");
    assert_eq!(table.heard("a"), [format!(r#"{{"PeerLeft":"{b}"}}"#)]);
}

#[test]
fn a_signal_comes_to_its_receiver_from_its_sender_with_its_data_as_they_were() {
    let mut table = Table::new();
    let [a, b, _] = ["a", "b", "c"].map(|name| open(&mut table, name, "room"));
    table.heard("b");
    for data in [
        r#"{"Offer":"v=0\r\n\u00fc"}"#,
        r#"{"Answer": "v=0"}"#,
        r#"{"IceCandidate":"{\"candidate\":\"c\",\"n\":1.0}"}"#,
        r#""123""#,
        "null",
        r#"{"odd":1.0 , "z":[2E3]}"#,
    ] {
        table.say("a", &format!(r#"{{"Signal":{{"receiver":"{b}","data":{data}}}}}"#));
        assert_eq!(table.heard("b"), [format!(r#"{{"Signal":{{"sender":"{a}","data":{data}}}}}"#)]);
    }
    assert!(table.heard("a").iter().all(|frame| frame.contains("NewPeer")));
    assert!(table.heard("c").is_empty());
}

#[test]
fn a_signal_goes_to_members_of_the_same_room_only() {
    let mut table = Table::new();
    open(&mut table, "a", "room");
    let b = open(&mut table, "b", "other");
    let c = open(&mut table, "c", "room?ns=elsewhere");
    let d = open(&mut table, "d", "room");
    table.lose("d");
    for receiver in [&b, &c, &d, "00000000-0000-8000-8000-000000000000"] {
        signal(&mut table, "a", receiver, json!({"Offer": "v=0"}));
    }
    for name in ["b", "c"] {
        assert!(table.heard(name).is_empty(), "{name}");
    }
    assert_eq!(table.closed("a"), None);
}

#[test]
fn a_keep_alive_is_not_answered_and_a_bad_frame_costs_its_sender_nothing() {
    let mut table = Table::new();
    let [_, b] = ["a", "b"].map(|name| open(&mut table, name, "room"));
    table.heard("a");
    let missing = format!(r#"{{"Signal":{{"receiver":"{b}"}}}}"#);
    let twice = format!(r#"{{"Signal":{{"receiver":"{b}","receiver":"{b}","data":1}}}}"#);
    for frame in [
        r#""KeepAlive""#,
        "{",
        "",
        "7",
        "[]",
        r#""Keep""#,
        r#"{"Signal":{"receiver":"me","data":1}}"#,
        r#"{"Signal":{"receiver":7,"data":1}}"#,
        r#"{"Signal":null}"#,
        &missing,
        &twice,
        &"[".repeat(10_000),
    ] {
        table.say("a", frame);
    }
    table.say_bytes("a", &[0xff, 0xfe]);
    assert!(table.heard("a").is_empty());
    table.say_bytes("a", format!(r#"{{"Signal":{{"receiver":"{b}","data":1}}}}"#).as_bytes());
    assert_eq!(table.heard("b").len(), 1);
    assert_eq!(table.closed("a"), None);
}

#[test]
fn any_spelling_of_a_uuid_finds_its_peer() {
    let mut table = Table::new();
    let [_, b] = ["a", "b"].map(|name| open(&mut table, name, "room"));
    for receiver in [b.to_uppercase(), b.replace('-', ""), format!("urn:uuid:{b}")] {
        signal(&mut table, "a", &receiver, json!(1));
        assert_eq!(table.heard("b").len(), 1, "{receiver}");
    }
}

#[test]
fn an_address_without_a_room_is_a_room_and_so_is_one_with_a_name_of_any_kind() {
    let mut table = Table::new();
    for (at, room) in ["", "\u{1}", &"r".repeat(2_000)].into_iter().enumerate() {
        let names = [format!("{at} first"), format!("{at} second")];
        open(&mut table, &names[0], room);
        let second = open(&mut table, &names[1], room);
        assert_eq!(table.heard_json(&names[0]), [json!({"NewPeer": second})]);
    }
}

#[test]
fn newcomers_are_put_together_as_many_as_they_wish_and_a_full_group_is_closed() {
    let mut table = Table::new();
    let ids = ["a", "b", "c", "d", "e"].map(|name| open(&mut table, name, "room?next=2"));
    assert_eq!(table.heard_json("a"), [json!({"NewPeer": ids[1]})]);
    assert!(table.heard("b").is_empty());
    assert_eq!(table.heard_json("c"), [json!({"NewPeer": ids[3]})]);
    assert!(table.heard("e").is_empty());
    table.lose("b");
    assert_eq!(table.heard_json("a"), [json!({"PeerLeft": ids[1]})], "who leaves is told in its group");
    for name in ["c", "d", "e"] {
        assert!(table.heard(name).is_empty(), "and in no other: {name}");
    }
    let f = open(&mut table, "f", "room?next=2");
    assert_eq!(table.heard_json("e"), [json!({"NewPeer": f})], "a place in a full group is not filled again");
    assert!(table.heard("a").is_empty());
    signal(&mut table, "a", &f, json!({"Offer": "v=0"}));
    assert!(table.heard("f").is_empty(), "groups do not hear each other");
}

#[test]
fn who_leaves_before_the_group_is_full_frees_its_place() {
    let mut table = Table::new();
    let [_, b] = ["a", "b"].map(|name| open(&mut table, name, "room?next=3"));
    table.lose("b");
    let [c, d, _] = ["c", "d", "e"].map(|name| open(&mut table, name, "room?next=3"));
    let told = [json!({"NewPeer": b}), json!({"PeerLeft": b}), json!({"NewPeer": c}), json!({"NewPeer": d})];
    assert_eq!(table.heard_json("a"), told);
    assert!(table.heard("e").is_empty());
    for name in ["a", "c", "d", "e"] {
        table.lose(name);
    }
    let [_, second] = ["x", "y"].map(|name| open(&mut table, name, "room?next=3"));
    assert_eq!(table.heard_json("x"), [json!({"NewPeer": second})]);
}

#[test]
fn groups_of_other_sizes_other_rooms_other_namespaces_and_the_plain_room_are_others() {
    let mut table = Table::new();
    let addresses =
        ["room?next=2", "room?next=3", "other?next=2", "room?next=2&ns=elsewhere", "room", "room?next=2&next=3"];
    for address in addresses {
        open(&mut table, address, address);
    }
    let heard: Vec<usize> = addresses.iter().map(|name| table.heard(name).len()).collect();
    assert_eq!(heard, [1, 0, 0, 0, 0, 0], "only the last one asked for the same as another: the first `next` counts");
}

#[test]
fn a_group_of_one_is_full_and_what_is_no_number_of_players_is_no_group() {
    let mut table = Table::new();
    for name in ["a", "b"] {
        open(&mut table, name, "solo?next=1");
        assert!(table.heard(name).is_empty());
    }
    assert!(table.heard("a").is_empty());
    open(&mut table, "plain", "room");
    for (at, next) in ["0", "two", "-1", ""].into_iter().enumerate() {
        let id = open(&mut table, &at.to_string(), &format!("room?next={next}"));
        assert_eq!(table.heard_json("plain"), [json!({"NewPeer": id})], "{next:?}");
    }
}

#[test]
fn a_group_is_no_larger_than_a_room_may_be() {
    let mut table = Table::with(|rules, _| rules.limits.members_per_room = 2);
    let [_, b, _] = ["a", "b", "c"].map(|name| open(&mut table, name, "room?next=18446744073709551615"));
    assert_eq!(table.heard_json("a"), [json!({"NewPeer": b})]);
    assert!(table.heard("c").is_empty());
    assert_eq!(table.closed("c"), None);
}

#[test]
fn a_room_that_is_full_closes_the_socket_with_a_code() {
    let mut table = Table::with(|rules, _| rules.limits.members_per_room = 2);
    for name in ["a", "b"] {
        open(&mut table, name, "room");
    }
    table.open("c", Dialect::Matchbox, "room");
    assert_eq!(table.closed("c"), Some(wigwag_wire::Code::RoomFull.number()));
    assert_eq!(table.heard("a").len(), 1, "nobody is told of who did not come in");
}

#[test]
fn a_group_whose_newcomer_is_refused_has_its_place_again() {
    let mut table = Table::with(|rules, _| rules.limits.rooms = 1);
    open(&mut table, "a", "room");
    table.open("b", Dialect::Matchbox, "room?next=2");
    assert_eq!(table.closed("b"), Some(wigwag_wire::Code::NamespaceFull.number()));
    table.lose("a");
    let [_, d] = ["c", "d"].map(|name| open(&mut table, name, "room?next=2"));
    assert_eq!(table.heard_json("c"), [json!({"NewPeer": d})]);
}

#[test]
fn joining_a_room_costs_no_guess() {
    let mut table = Table::with(|rules, _| {
        rules.limits.guesses_burst = 1;
        rules.limits.guesses_per_minute = 1;
        rules.limit_loopback = true;
    });
    for n in 0..20 {
        open(&mut table, &n.to_string(), "room");
    }
    assert_eq!(table.heard("0").len(), 19);
}

#[test]
fn an_empty_room_is_gone_at_once() {
    let mut table = Table::with(|rules, _| rules.limits.rooms = 1);
    open(&mut table, "a", "room");
    table.lose("a");
    open(&mut table, "b", "other");
}

#[test]
fn a_namespace_that_is_not_served_is_refused_before_the_socket_opens() {
    let served = wigwag_wire::Namespace::new("app").unwrap();
    let table = Table::with(|rules: &mut Rules, _| {
        rules.default_namespace = served.clone();
        rules.namespaces = Some([served].into());
    });
    let arrival = |ns: Option<&str>| wigwag_dialects::Arrival {
        which: wigwag_dialects::Which::One(Dialect::Matchbox),
        namespace: ns.map(|ns| wigwag_wire::Namespace::new(ns).unwrap()),
        rest: "room".to_owned(),
        query: Vec::new(),
    };
    for (ns, is_served) in [(None, true), (Some("app"), true), (Some("other"), false)] {
        assert_eq!(Conversation::may_open(&table.hub, &arrival(ns)).is_ok(), is_served, "{ns:?}");
    }
}

#[test]
fn a_native_peer_in_the_room_has_a_uuid_and_both_call_each_other() {
    let mut table = Table::new();
    let a = open(&mut table, "a", "lobby");
    let native = table.open_native("n");
    table.tell("n", json!({"type": "room.join", "n": 1, "room": "lobby"}));
    let joined = table.heard_json("n").remove(0);
    assert_eq!(joined["members"][0]["id"], a);
    let new_peer = table.heard_json("a").remove(0);
    let uuid = new_peer["NewPeer"].as_str().unwrap().to_owned();
    assert!(is_uuid(&uuid, '8'), "{uuid}");

    signal(&mut table, "a", &uuid, json!({"Offer": "v=0\r\n"}));
    signal(&mut table, "a", &uuid, json!({"IceCandidate": r#"{"candidate":"c"}"#}));
    let told = table.heard_json("n");
    assert_eq!([&told[0]["from"], &told[0]["kind"]], [&json!(a), &json!("offer")]);
    assert_eq!(told[0]["data"], json!({"type": "offer", "sdp": "v=0\r\n"}));
    assert_eq!([&told[1]["kind"], &told[1]["data"]], [&json!("candidate"), &json!({"candidate": "c"})]);

    for (kind, data) in [
        ("answer", json!({"type": "answer", "sdp": "v=1"})),
        ("candidate", json!([{"candidate": "d"}, null])),
        ("bye", json!({})),
    ] {
        table.tell("n", json!({"type": "signal", "to": a, "kind": kind, "data": data}));
    }
    let from_native = |data: Value| json!({"Signal": {"sender": uuid, "data": data}});
    assert_eq!(
        table.heard_json("a"),
        [
            from_native(json!({"Answer": "v=1"})),
            from_native(json!({"IceCandidate": r#"{"candidate":"d"}"#})),
            from_native(json!({"IceCandidate": "null"})),
        ]
    );
    table.tell("n", json!({"type": "room.leave", "room": "lobby"}));
    assert_eq!(table.heard_json("a"), [json!({"PeerLeft": uuid})]);
    table.heard("n");
    signal(&mut table, "a", &uuid, json!({"Offer": "v=0"}));
    assert!(table.heard("n").is_empty(), "{native} is no member any more");
}

#[test]
fn a_matchbox_peer_that_comes_into_a_native_peers_room_is_seen_there() {
    let mut table = Table::new();
    table.open_native("n");
    table.tell("n", json!({"type": "room.create", "room": "lobby"}));
    table.heard("n");
    let a = open(&mut table, "a", "lobby");
    let told = table.heard_json("n").remove(0);
    assert_eq!([&told["change"], &told["id"]], [&json!("joined"), &json!(a)]);
    table.tell("n", json!({"type": "signal", "to": a, "kind": "offer", "data": {"type": "offer", "sdp": "v=0"}}));
    assert_eq!(table.heard_json("a").remove(0)["Signal"]["data"], json!({"Offer": "v=0"}));
}

#[test]
fn of_a_manamesh_and_a_matchbox_peer_the_one_who_comes_later_makes_the_offer() {
    let mut table = Table::new();
    let join = |table: &mut Table, name: &str| {
        table.open(name, Dialect::ManaMesh, "");
        table.tell(name, json!({"type": "join", "roomId": "lobby"}));
        table.heard_json(name).remove(0)
    };
    let a = open(&mut table, "a", "lobby");
    let joined = join(&mut table, "m");
    assert_eq!(joined["peers"], json!([a]), "the newcomer offers");
    assert!(table.heard("a").is_empty(), "so who is there is told of nobody");
    table.tell(
        "m",
        json!({"type": "offer", "roomId": "lobby", "peerId": a, "payload": {"type": "offer", "sdp": "v=0"}}),
    );
    let told = table.heard_json("a").remove(0);
    assert_eq!(told["Signal"]["data"], json!({"Offer": "v=0"}));
    let manamesh = told["Signal"]["sender"].as_str().unwrap().to_owned();
    signal(&mut table, "a", &manamesh, json!({"Answer": "v=1"}));
    let answer = json!({"type": "answer", "peerId": a, "payload": {"type": "answer", "sdp": "v=1"}});
    assert_eq!(table.heard_json("m"), [answer]);

    table.open("b", Dialect::Matchbox, "lobby");
    let told = table.heard_json("b");
    assert_eq!(told[1..], [json!({"NewPeer": manamesh})], "the newcomer offers, and to matchbox peers it does not");
    assert_eq!(table.heard_json("m"), [json!({"type": "peer-joined", "peerId": told[0]["IdAssigned"]})]);
    table.lose("m");
    for name in ["a", "b"] {
        assert_eq!(table.heard_json(name).pop(), Some(json!({"PeerLeft": manamesh})));
    }
}

#[test]
fn who_was_sent_away_from_the_room_signals_nobody_in_it() {
    let mut table = Table::new();
    table.open_native("n");
    table.tell("n", json!({"type": "room.create", "room": "lobby"}));
    let [a, b] = ["a", "b"].map(|name| open(&mut table, name, "lobby"));
    table.heard("a");
    table.tell("n", json!({"type": "room.kick", "room": "lobby", "term": 1, "id": a}));
    assert_eq!(table.heard_json("b"), [json!({"PeerLeft": a})]);
    signal(&mut table, "a", &b, json!({"Offer": "v=0"}));
    assert!(table.heard("b").is_empty());
}

/// Opens a socket that comes in. Answers its id, which must be all that it heard.
fn open(table: &mut Table, name: &str, address: &str) -> String {
    table.open(name, Dialect::Matchbox, address);
    let heard = table.heard(name);
    assert_eq!(heard.len(), 1, "{heard:?}");
    let id = heard[0].strip_prefix(r#"{"IdAssigned":""#).and_then(|rest| rest.strip_suffix(r#""}"#));
    id.unwrap_or_else(|| panic!("no id in {heard:?}")).to_owned()
}

#[expect(clippy::needless_pass_by_value, reason = "calls read better without a reference")]
fn signal(table: &mut Table, name: &str, receiver: &str, data: Value) {
    table.tell(name, json!({"Signal": {"receiver": receiver, "data": data}}));
}

/// Whether this is a UUID of a version, in the form in which matchbox writes them.
fn is_uuid(text: &str, version: char) -> bool {
    let shape: String =
        text.chars().map(|c| if c.is_ascii_digit() || matches!(c, 'a'..='f') { 'x' } else { c }).collect();
    shape == "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
        && text.chars().nth(14) == Some(version)
        && matches!(text.chars().nth(19), Some('8' | '9' | 'a' | 'b'))
}
