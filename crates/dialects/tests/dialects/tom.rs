//! ToM.

use serde_json::{Value, json};
use wigwag_dialects::Dialect;

use crate::table::Table;

/// The window over which changes are gathered.
const WINDOW: u64 = 200;

#[test]
fn a_newcomer_gets_the_list_at_once_and_the_others_get_the_newcomer_and_the_list() {
    let mut table = Table::new();
    table.open("a", Dialect::Tom, "");
    table.say("a", r#"{"type":"register","nodeId":"a","username":"Al","publicKey":"pk","encryptionKey":"ek"}"#);
    let list = r#"{"type":"participants","participants":[{"nodeId":"a","username":"Al","encryptionKey":"ek"}]}"#;
    assert_eq!(table.heard("a"), [list]);
    table.open("b", Dialect::Tom, "");
    table.say("b", r#"{"type":"register","nodeId":"b","username":"Bo"}"#);
    let list = r#"{"type":"participants","participants":[{"nodeId":"a","username":"Al","encryptionKey":"ek"},{"nodeId":"b","username":"Bo"}]}"#;
    assert_eq!(table.heard("b"), [list]);
    table.wait(WINDOW);
    let joined = r#"{"type":"presence","action":"join","nodeId":"b","username":"Bo","publicKey":""}"#;
    assert_eq!(table.heard("a"), [joined, list]);
    table.open("c", Dialect::Tom, "");
    table.say("c", r#"{"type":"register","nodeId":"c","username":"Ce","publicKey":"pk","encryptionKey":"ek"}"#);
    table.wait(10 * WINDOW);
    let joined =
        r#"{"type":"presence","action":"join","nodeId":"c","username":"Ce","publicKey":"pk","encryptionKey":"ek"}"#;
    assert_eq!(table.heard("a")[0], joined);
    assert_eq!(table.heard("b").len(), 2, "nothing twice");
    assert_eq!(table.heard("c").len(), 1, "nothing about itself");
}

#[test]
fn who_goes_is_told_to_the_others_with_all_that_it_was_and_then_the_list() {
    let mut table = Table::new();
    table.open("b", Dialect::Tom, "");
    table.say("b", r#"{"type":"register","nodeId":"b","username":"Bo","publicKey":"pk","encryptionKey":"ek"}"#);
    join(&mut table, &["a", "c"]);
    table.lose("b");
    table.wait(WINDOW);
    let left =
        r#"{"type":"presence","action":"leave","nodeId":"b","username":"Bo","publicKey":"pk","encryptionKey":"ek"}"#;
    let list =
        r#"{"type":"participants","participants":[{"nodeId":"a","username":"a"},{"nodeId":"c","username":"c"}]}"#;
    for name in ["a", "c"] {
        assert_eq!(table.heard(name), [left, list]);
    }
}

#[test]
fn a_crowd_that_comes_at_once_costs_each_node_one_list() {
    let mut table = Table::new();
    let names: Vec<String> = (0..100).map(|at| format!("n{at}")).collect();
    for name in &names {
        table.open(name, Dialect::Tom, "");
        table.tell(name, json!({"type": "register", "nodeId": name, "username": name}));
    }
    table.wait(10 * WINDOW);
    for (at, name) in names.iter().enumerate() {
        let heard = table.heard_json(name);
        let lists: Vec<&Value> = heard.iter().filter(|told| told["type"] == "participants").collect();
        assert!(lists.len() <= 2, "{name}: one when it came, one when the window closed");
        assert_eq!(lists.last().unwrap()["participants"].as_array().unwrap().len(), 100);
        let joined = heard.iter().filter(|told| told["action"] == "join").count();
        assert_eq!(joined, 99 - at, "{name} hears once of each who came later");
    }
}

#[test]
fn a_register_without_id_or_name_is_told() {
    let mut table = Table::new();
    table.open("a", Dialect::Tom, "");
    for frame in [
        r#"{"type":"register"}"#,
        r#"{"type":"register","nodeId":"a"}"#,
        r#"{"type":"register","username":"a"}"#,
        r#"{"type":"register","nodeId":"","username":"a"}"#,
        r#"{"type":"register","nodeId":"a","username":""}"#,
        r#"{"type":"register","nodeId":{},"username":["a"]}"#,
    ] {
        table.say("a", frame);
        assert_eq!(table.heard("a"), [r#"{"type":"error","error":"missing nodeId or username"}"#], "{frame}");
    }
}

#[test]
fn what_is_no_json_is_told_and_what_is_unknown_is_ignored() {
    let mut table = joined(&["a", "b"]);
    for frame in
        ["", "hello", r#"{"type":"heartbeat""#, r#"{"type":"signal","from":"a","from":"b","to":"b","payload":1}"#]
    {
        table.say("a", frame);
        assert_eq!(table.heard("a"), [error("invalid JSON")], "{frame}");
    }
    table.say_bytes("a", &[0xff]);
    assert_eq!(table.heard("a"), [error("invalid JSON")]);
    for frame in [
        "{}",
        "[]",
        "null",
        "7",
        r#"{"type":"teleport"}"#,
        r#"{"type":7}"#,
        r#"["signal",null,null,null,null,null,"a","b",1]"#,
        r#"{"type":"role-assign"}"#,
        r#"{"type":"role-assign","nodeId":"b","roles":null}"#,
        r#"{"type":"role-assign","nodeId":7,"roles":[]}"#,
        r#"{"type":"role-assign","nodeId":"\u0001","roles":[]}"#,
    ] {
        table.say("a", frame);
    }
    table.wait(WINDOW);
    assert!(table.heard("a").is_empty() && table.heard("b").is_empty());
    table.say_bytes("a", br#"{"type":"signal","from":"a","to":"b","payload":1}"#);
    assert_eq!(table.heard("b").len(), 1, "JSON in a binary frame is as good");
}

#[test]
fn heartbeats_go_to_the_others() {
    let mut table = joined(&["a", "b", "c"]);
    for name in ["a", "a", "b"] {
        table.tell(name, json!({"type": "heartbeat"}));
    }
    table.wait(WINDOW);
    let beat = |from: &str| format!(r#"{{"type":"heartbeat","from":"{from}"}}"#);
    assert_eq!(table.heard("a"), [beat("b")]);
    assert_eq!(table.heard("b"), [beat("a")]);
    assert_eq!(table.heard("c"), [beat("a"), beat("b")]);
}

#[test]
fn a_node_never_hears_its_own_heartbeat_however_many_beat_at_once() {
    let names: Vec<String> = (0..40).map(|at| format!("n{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut table = joined(&names);
    for name in &names {
        table.tell(name, json!({"type": "heartbeat"}));
    }
    table.wait(WINDOW);
    for name in &names {
        let from: Vec<Value> = table.heard_json(name).iter().map(|told| told["from"].clone()).collect();
        let others: Vec<&str> = names.iter().copied().filter(|other| other != name).collect();
        assert_eq!(from, others);
    }
}

#[test]
fn who_has_not_registered_is_not_heard() {
    let mut table = joined(&["a", "b"]);
    table.open("x", Dialect::Tom, "");
    table.tell("x", json!({"type": "heartbeat"}));
    table.tell("x", json!({"type": "role-assign", "nodeId": "a", "roles": ["relay"]}));
    assert!(table.heard("x").is_empty());
    table.tell("x", json!({"type": "signal", "from": "a", "to": "b", "payload": 1}));
    assert_eq!(table.heard("x"), [error("not registered")]);
    table.wait(WINDOW);
    assert!(table.heard("a").is_empty() && table.heard("b").is_empty());
}

#[test]
fn roles_are_told_to_everyone_as_they_were_given() {
    let mut table = joined(&["a", "b", "c"]);
    for (node, roles) in [
        ("b", r#"["relay","storage"]"#),
        ("b", r#"[ ]"#),
        ("a", r#"["a role with spaces",1.0,{"z":1,"a":[]},null]"#),
        ("nobody", r#"["relay"]"#),
        ("b", r#""no list""#),
    ] {
        table.say("a", &format!(r#"{{"roles":{roles},"type":"role-assign","nodeId":"{node}","from":"b","odd":1}}"#));
        let told = format!(r#"{{"type":"role-assign","nodeId":"{node}","roles":{roles},"from":"a"}}"#);
        for name in ["a", "b", "c"] {
            assert_eq!(table.heard(name), std::slice::from_ref(&told));
        }
    }
}

#[test]
fn a_signal_reaches_its_node_as_it_was_sent() {
    let mut table = joined(&["a", "b", "c"]);
    for frame in [
        r#"{"type":"signal","from":"a","to":"b","payload":{"type":"offer","sdp":"v=0\r\n","z":1.0}}"#,
        r#" {"odd":[1e2],"payload":null , "to":"\u0062","type":"signal","from":"a"}"#,
        r#"{"type":"signal","from":"a","to":"b"}"#,
    ] {
        table.say("a", frame);
        assert_eq!(table.heard("b"), [frame]);
    }
    assert!(table.heard("a").is_empty() && table.heard("c").is_empty());
}

#[test]
fn a_signal_without_an_end_or_for_nobody_is_told() {
    let mut table = joined(&["a"]);
    for frame in [
        json!({"type": "signal", "payload": 1}),
        json!({"type": "signal", "from": "a", "payload": 1}),
        json!({"type": "signal", "to": "a", "payload": 1}),
        json!({"type": "signal", "from": "a", "to": "", "payload": 1}),
        json!({"type": "signal", "from": 7, "to": "a", "payload": 1}),
    ] {
        table.tell("a", frame);
        assert_eq!(table.heard("a"), [error("missing to or from")]);
    }
    for to in ["b", "\u{1}"] {
        table.tell("a", json!({"type": "signal", "from": "a", "to": to, "payload": 1}));
        assert_eq!(table.heard("a"), [error("peer not found")]);
    }
}

#[test]
fn nobody_signals_in_the_name_of_another() {
    let mut table = joined(&["a", "b", "mallory"]);
    table.tell("mallory", json!({"type": "signal", "from": "a", "to": "b", "payload": 1}));
    assert_eq!(table.heard("mallory"), [error("from is not the registered nodeId")]);
    assert!(table.heard("b").is_empty());
}

#[test]
fn a_live_node_is_not_taken_over_nor_put_out() {
    let mut table = joined(&["a", "b"]);
    table.open("thief", Dialect::Tom, "");
    table.tell("thief", json!({"type": "register", "nodeId": "a", "username": "a", "publicKey": ""}));
    assert_eq!(table.heard("thief"), [error("nodeId is taken")]);
    table.tell("b", json!({"type": "register", "nodeId": "a", "username": "b"}));
    assert_eq!(table.heard("b"), [error("nodeId is taken")]);
    table.lose("thief");
    table.wait(WINDOW);
    assert!(table.heard("a").is_empty() && table.heard("b").is_empty());
    table.tell("b", json!({"type": "signal", "from": "b", "to": "a", "payload": 1}));
    assert_eq!(table.heard("a").len(), 1, "and who tried to change is who it was");
}

#[test]
fn registering_again_changes_what_is_shown_and_with_another_id_who_one_is() {
    let mut table = joined(&["a", "b"]);
    table.tell("a", json!({"type": "register", "nodeId": "a", "username": "new"}));
    table.wait(WINDOW);
    let list = |first: Value, second: Value| json!({"type": "participants", "participants": [first, second]});
    let (b, a) = (json!({"nodeId": "b", "username": "b"}), json!({"nodeId": "a", "username": "new"}));
    assert_eq!(table.heard_json("a"), [list(b.clone(), a.clone())]);
    let joined = json!({"type": "presence", "action": "join", "nodeId": "a", "username": "new", "publicKey": ""});
    assert_eq!(table.heard_json("b"), [joined, list(b.clone(), a)]);
    table.tell("a", json!({"type": "register", "nodeId": "c", "username": "new"}));
    table.wait(WINDOW);
    let c = json!({"nodeId": "c", "username": "new"});
    assert_eq!(table.heard_json("a"), [list(b.clone(), c.clone())]);
    let presence = |action: &str, id: &str| json!({"type": "presence", "action": action, "nodeId": id, "username": "new", "publicKey": ""});
    assert_eq!(table.heard_json("b"), [presence("leave", "a"), presence("join", "c"), list(b, c)]);
    table.tell("b", json!({"type": "signal", "from": "b", "to": "a", "payload": 1}));
    assert_eq!(table.heard("b"), [error("peer not found")]);
}

#[test]
fn the_address_names_the_network_and_namespaces_keep_apart() {
    let mut table = Table::new();
    for (name, address) in [("a", ""), ("b", "tom"), ("c", "other"), ("d", "?ns=other"), ("e", "tom?ns=other")] {
        table.open(name, Dialect::Tom, address);
        table.tell(name, json!({"type": "register", "nodeId": name, "username": name}));
    }
    table.wait(WINDOW);
    let mut seen = |name: &str| {
        let list = table.heard_json(name).pop().unwrap();
        let ids =
            list["participants"].as_array().unwrap().iter().map(|node| node["nodeId"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>().concat()
    };
    assert_eq!(["a", "b", "c", "d", "e"].map(&mut seen), ["ab", "ab", "c", "de", "de"]);
}

#[test]
fn bounds_are_told_and_leave_nothing_behind() {
    let mut table = Table::with(|rules, _| {
        rules.limits.nodes_per_network = 2;
        rules.limits.meta_bytes = 60;
    });
    join(&mut table, &["a", "b"]);
    table.open("c", Dialect::Tom, "");
    table.tell("c", json!({"type": "register", "nodeId": "c", "username": "u".repeat(60)}));
    assert_eq!(table.heard("c"), [error("username and keys are too long")]);
    table.tell("c", json!({"type": "register", "nodeId": "c", "username": "c"}));
    assert_eq!(table.heard_json("c")[0]["type"], "error");
    table.tell("a", json!({"type": "signal", "from": "a", "to": "c", "payload": 1}));
    assert_eq!(table.heard("a"), [error("peer not found")]);
    table.lose("b");
    table.tell("c", json!({"type": "register", "nodeId": "c", "username": "c"}));
    assert_eq!(table.heard_json("c")[0]["type"], "participants");
    table.open("d", Dialect::Tom, &"n".repeat(129));
    table.tell("d", json!({"type": "register", "nodeId": "d", "username": "d"}));
    assert_eq!(table.heard("d"), [error("invalid network")]);
}

#[test]
fn ids_that_prove_something_are_not_to_be_had_by_saying_so() {
    let mut table = Table::new();
    table.bound.push("bob@example.org".into());
    table.open("a", Dialect::Tom, "");
    for (id, told) in [
        ("abcdefghijklmnopqrstuvwxyz234567", "invalid nodeId"),
        ("~aaaaaaaaaaaaaaaaaaaa", "invalid nodeId"),
        ("bob@example.org", "nodeId is taken"),
    ] {
        table.tell("a", json!({"type": "register", "nodeId": id, "username": "a"}));
        assert_eq!(table.heard("a"), [error(told)], "{id}");
    }
    table.tell("a", json!({"type": "register", "nodeId": "alice@example.org", "username": "a"}));
    assert_eq!(table.heard_json("a")[0]["type"], "participants", "a free name, after the store was asked");
}

#[test]
fn a_native_peer_is_a_node_among_nodes() {
    let mut table = joined(&["a"]);
    let guest = table.open_native("guest");
    table.tell(
        "guest",
        json!({"type": "network.join", "n": 1, "network": "tom", "me": {"username": "Gast", "publicKey": "pk"}}),
    );
    table.heard("guest");
    table.wait(WINDOW);
    let presence =
        json!({"type": "presence", "action": "join", "nodeId": guest, "username": "Gast", "publicKey": "pk"});
    let list = json!({"type": "participants",
        "participants": [{"nodeId": "a", "username": "a"}, {"nodeId": guest, "username": "Gast"}]});
    assert_eq!(table.heard_json("a"), [presence, list]);
    // Metadata in another form: it is called by its id.
    table.tell("guest", json!({"type": "network.join", "n": 2, "network": "tom", "me": [1]}));
    table.heard("guest");
    table.wait(WINDOW);
    assert_eq!(table.heard_json("a")[0]["username"], json!(guest));

    table.tell("guest", json!({"type": "role", "n": 3, "network": "tom", "id": "a", "roles": ["relay"]}));
    let told = json!({"type": "role-assign", "nodeId": "a", "roles": ["relay"], "from": guest});
    assert_eq!(table.heard_json("a"), [told]);
    table.heard("guest");
    table.tell("a", json!({"type": "role-assign", "nodeId": guest, "roles": ["storage", "not a kind", 7]}));
    let told = json!({"type": "role", "network": "tom", "id": guest, "roles": ["storage"], "from": "a"});
    assert_eq!(table.heard_json("guest"), [told]);
    table.tell("a", json!({"type": "role-assign", "nodeId": "nobody", "roles": ["storage"]}));
    assert!(table.heard("guest").is_empty(), "there is no such node");

    table.heard("a");
    table.tell("guest", json!({"type": "beat", "network": "tom"}));
    table.tell("a", json!({"type": "heartbeat"}));
    table.wait(WINDOW);
    assert_eq!(table.heard_json("a"), [json!({"type": "heartbeat", "from": guest})]);
    assert_eq!(table.heard_json("guest"), [json!({"type": "beats", "network": "tom", "from": [{"id": "a"}]})]);
}

#[test]
fn nodes_call_native_peers_and_volli_users_and_are_called_by_them() {
    let mut table = joined(&["a"]);
    let guest = table.open_native("guest");
    for (payload, kind) in [
        (json!({"type": "offer", "sdp": "v=0"}), "offer"),
        (json!({"type": "answer", "sdp": "v=0"}), "answer"),
        (json!({"type": "ice-candidate", "candidate": {}}), "candidate"),
        (json!({"candidate": "candidate:1"}), "candidate"),
        (json!({"anything": 1}), "signal"),
        (json!([1]), "signal"),
    ] {
        table.tell("a", json!({"type": "signal", "from": "a", "to": guest, "payload": payload}));
        let told = table.heard_json("guest").pop().unwrap();
        assert_eq!((&told["from"], &told["kind"], &told["data"]), (&json!("a"), &json!(kind), &payload));
    }
    table.say("guest", r#"{"type":"signal","n":1,"to":"a","kind":"answer","data":{"sdp":"v=0","z":1.0}}"#);
    let told = format!(r#"{{"type":"signal","from":"{guest}","to":"a","payload":{{"sdp":"v=0","z":1.0}}}}"#);
    assert_eq!(table.heard("a"), [told]);

    table.open("volli", Dialect::Volli, "");
    table.tell("volli", json!({"type": "register", "userId": "v", "publicKey": "pk"}));
    table.tell("volli", json!({"type": "offer", "to": "a", "offer": {"sdp": "v=0"}}));
    let told = json!({"type": "signal", "from": "v", "to": "a", "payload": {"sdp": "v=0"}});
    assert_eq!(table.heard_json("a"), [told]);
    table.heard("volli");
    table.tell("a", json!({"type": "signal", "from": "a", "to": "v", "payload": {"type": "answer", "sdp": "v=0"}}));
    let told = json!({"type": "answer", "from": "a", "to": "v", "answer": {"type": "answer", "sdp": "v=0"}});
    assert_eq!(table.heard_json("volli"), [told]);
    table.tell("a", json!({"type": "signal", "from": "a", "to": "v", "payload": 1}));
    assert_eq!(table.heard("a"), [error("peer not found")], "Volli has no word for it");
    table.tell("volli", json!({"type": "discover", "userId": "a"}));
    let told = json!({"type": "discover-response", "userId": "a", "online": true, "publicKey": ""});
    assert_eq!(table.heard_json("volli"), [told]);
}

#[test]
fn volli_users_find_the_key_that_a_node_shows() {
    let mut table = Table::new();
    table.open("a", Dialect::Tom, "");
    table.tell("a", json!({"type": "register", "nodeId": "a", "username": "a", "publicKey": "pk"}));
    table.open("volli", Dialect::Volli, "");
    table.tell("volli", json!({"type": "discover", "userId": "a"}));
    assert_eq!(table.heard_json("volli")[0]["publicKey"], "pk");
}

#[test]
fn the_first_frame_tells_that_it_is_tom() {
    let mut table = Table::new();
    for (name, first) in [
        ("a", json!({"type": "heartbeat"})),
        ("b", json!({"type": "role-assign", "nodeId": "b", "roles": []})),
        ("c", json!({"type": "register", "nodeId": "c", "username": "c"})),
    ] {
        table.open_any(name);
        table.tell(name, first);
        table.tell(name, json!({"type": "register", "nodeId": name, "username": name}));
        assert_eq!(table.heard_json(name).pop().unwrap()["type"], "participants");
    }
}

/// Nodes of the usual network, each on a socket of its own name, when everybody knows of everybody.
fn joined(names: &[&str]) -> Table {
    let mut table = Table::new();
    join(&mut table, names);
    table
}

fn join(table: &mut Table, names: &[&str]) {
    for name in names {
        table.open(name, Dialect::Tom, "");
        table.tell(name, json!({"type": "register", "nodeId": name, "username": name}));
    }
    table.wait(WINDOW);
    for name in names {
        assert_eq!(table.heard_json(name)[0]["type"], "participants");
    }
}

fn error(text: &str) -> String {
    format!(r#"{{"type":"error","error":"{text}"}}"#)
}
