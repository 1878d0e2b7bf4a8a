//! Making rooms and coming in.

use serde_json::json;
use wigwag_dialects::{Dialect, room_info};
use wigwag_hub::Origin;

use super::*;

#[test]
fn the_maker_of_a_room_is_its_host_and_is_shown_all_of_it() {
    let mut table = Table::new();
    arrive(&mut table, "ann");
    table.wait(50);
    table.tell("ann", frame("CREATE_ROOM", "ann", json!({"userName": "Ann", "roomName": "Movies"})));
    let t = START_MS + 50;
    let told = format!(
        concat!(
            r#"{{"type":"ROOM_CREATED","roomId":"r","userId":"ann","roomState":{{"id":"r","name":"Movies","#,
            r#""hostId":"ann","users":[{{"id":"ann","name":"Ann","isHost":true,"isConnected":true,"joinedAt":{t}}}],"#,
            r#""controlMode":"HOST_ONLY","followMode":"AUTO_FOLLOW","videoState":{{"isPlaying":false,"#,
            r#""currentTime":0,"duration":0,"playbackRate":1,"url":"","lastUpdated":{t}}},"#,
            r#""createdAt":{t},"lastActivity":{t}}},"timestamp":{t}}}"#
        ),
        t = t
    );
    assert_eq!(table.heard("ann"), [told]);
}

#[test]
fn a_room_without_a_name_is_called_by_its_id() {
    for name in [json!({}), json!({"roomName": null}), json!({"roomName": " "})] {
        let mut table = Table::new();
        arrive(&mut table, "ann");
        table.tell("ann", frame("CREATE_ROOM", "ann", with(name, json!({"userName": "Ann"}))));
        assert_eq!(table.heard_json("ann")[0]["roomState"]["name"], "r");
    }
}

#[test]
fn who_joins_is_shown_the_room_and_the_others_are_shown_the_newcomer() {
    let mut table = party(["ann", "bob"]);
    table.wait(100);
    arrive(&mut table, "cy");
    table.tell("cy", frame("JOIN_ROOM", "cy", json!({"userName": "CY"})));
    let users = [user("ann", true, 0), user("bob", false, 0), user("cy", false, 100)];
    let (room, t) = (state(&table, "ann", &users), START_MS + 100);
    let joined = json!({"type": "ROOM_JOINED", "roomId": "r", "userId": "cy", "roomState": room, "timestamp": t});
    assert_eq!(table.heard_json("cy"), [joined]);
    for other in ["ann", "bob"] {
        let told = json!({"type": "USER_JOINED", "roomId": "r", "userId": "system", "joinedUser": users[2],
            "roomState": room, "timestamp": t});
        assert_eq!(table.heard_json(other), [told]);
    }
}

#[test]
fn a_live_room_is_not_wiped_by_making_it_again() {
    let mut table = party(["ann", "bob"]);
    let make = |user: &str| frame("CREATE_ROOM", user, json!({"userName": "X"}));
    for name in ["eve", "ann"] {
        if name == "eve" {
            arrive(&mut table, name);
        }
        assert_eq!(refused(&mut table, name, make(name)), "Room already exists");
        assert_eq!(table.closed(name), None);
    }
    // Nor by one who says that it is the host.
    arrive(&mut table, "x");
    assert_eq!(refused(&mut table, "x", make("ann")), "Room already exists");
    deafen(&mut table, &["bob"]);
    // The socket is good for joining instead.
    table.tell("eve", frame("JOIN_ROOM", "eve", json!({"userName": "Eve"})));
    assert_eq!(table.heard_json("eve")[0]["roomState"]["users"].as_array().unwrap().len(), 3);
}

#[test]
fn a_room_that_is_empty_but_not_over_is_not_made_again_either() {
    let mut table = party(["ann"]);
    table.lose("ann");
    arrive(&mut table, "eve");
    let make = frame("CREATE_ROOM", "eve", json!({"userName": "Eve"}));
    assert_eq!(refused(&mut table, "eve", make), "Room already exists");
}

#[test]
fn a_room_that_is_not_there_is_not_joined() {
    let mut table = Table::new();
    arrive(&mut table, "ann");
    table.tell("ann", frame("JOIN_ROOM", "ann", json!({"userName": "Ann"})));
    assert_eq!(table.heard("ann"), [format!(r#"{{"type":"ERROR","error":"Room not found","timestamp":{START_MS}}}"#)]);
    assert_eq!(table.closed("ann"), Some(4004));
    assert_eq!(table.hub.counts().sessions, 0);
}

#[test]
fn a_user_who_is_in_the_room_keeps_its_place() {
    let mut table = party(["ann", "bob"]);
    arrive(&mut table, "x");
    let join = frame("JOIN_ROOM", "bob", json!({"userName": "Not Bob"}));
    assert_eq!(refused(&mut table, "x", join), "User already in room");
    assert_eq!(table.closed("x"), Some(4002));
    assert_eq!((types(&mut table, "ann").len(), types(&mut table, "bob").len()), (0, 0));
    table.tell("bob", frame("PING", "bob", json!({})));
    assert_eq!(types(&mut table, "bob"), ["PONG"]);
}

#[test]
fn the_same_user_may_be_in_two_rooms() {
    let mut table = party(["ann"]);
    table.open("other", Dialect::WatchParty, "s");
    table.tell("other", json!({"type": "CREATE_ROOM", "roomId": "s", "userId": "ann", "userName": "Ann"}));
    assert_eq!(types(&mut table, "other"), ["ROOM_CREATED"]);
    assert!(table.heard("ann").is_empty());
}

#[test]
fn a_frame_about_another_room_than_the_address_names_ends_the_socket() {
    let mut table = Table::new();
    for kind in ["CREATE_ROOM", "JOIN_ROOM", "PING", "TELEPORT"] {
        arrive(&mut table, kind);
        let message = json!({"type": kind, "roomId": "other", "userId": "ann", "userName": "Ann"});
        assert_eq!(refused(&mut table, kind, message), "Room ID mismatch");
        assert_eq!(table.closed(kind), Some(4001));
    }
    assert_eq!(table.hub.counts().rooms, 0);
}

#[test]
fn where_the_address_names_no_room_the_first_frame_does() {
    let mut table = Table::new();
    table.open_any("ann");
    table.tell("ann", frame("CREATE_ROOM", "ann", json!({"userName": "Ann"})));
    assert_eq!(types(&mut table, "ann"), ["ROOM_CREATED"]);
    let message = json!({"type": "PING", "roomId": "other", "userId": "ann"});
    assert_eq!(refused(&mut table, "ann", message), "Room ID mismatch");
    assert_eq!(table.closed("ann"), Some(4001));
}

#[test]
fn names_that_cannot_be_used_are_refused_and_the_socket_may_try_again() {
    let mut table = Table::new();
    table.open("ann", Dialect::WatchParty, "");
    let make = |more| {
        let good = json!({"type": "CREATE_ROOM", "roomId": "r", "userId": "ann", "userName": "Ann"});
        with(good, more)
    };
    let long = "x".repeat(101);
    for (bad, told) in [
        (json!({"roomId": null}), "Message processing failed"),
        (json!({"roomId": "a/b"}), "Message processing failed"),
        (json!({"roomId": "x".repeat(60), "userId": "x".repeat(80)}), "Message processing failed"),
        (json!({"userId": null}), "Message processing failed"),
        (json!({"userId": ""}), "Message processing failed"),
        (json!({"userId": "a\u{0}b"}), "Message processing failed"),
        // The server speaks as that one.
        (json!({"userId": "system"}), "Message processing failed"),
        (json!({"userName": null}), "Invalid user name"),
        (json!({"userName": "  "}), "Invalid user name"),
        (json!({"userName": long}), "Invalid user name"),
        (json!({"roomName": long}), "Invalid room name"),
    ] {
        assert_eq!(refused(&mut table, "ann", make(bad.clone())), told, "{bad}");
    }
    assert_eq!((table.hub.counts().rooms, table.hub.counts().sessions), (0, 0));
    table.tell("ann", make(json!({})));
    assert_eq!(types(&mut table, "ann"), ["ROOM_CREATED"]);
}

#[test]
fn a_full_room_says_so() {
    let mut table = Table::with(|rules, _| rules.limits.members_per_room = 2);
    create(&mut table, "ann");
    join(&mut table, "bob");
    arrive(&mut table, "cy");
    let join = frame("JOIN_ROOM", "cy", json!({"userName": "Cy"}));
    assert_eq!(refused(&mut table, "cy", join.clone()), "Room is full");
    table.lose("bob");
    table.tell("cy", join);
    assert_eq!(types(&mut table, "cy"), ["ROOM_JOINED"]);
}

#[test]
fn rooms_are_not_found_by_guessing() {
    let mut table = Table::with(|rules, _| rules.limit_loopback = true);
    create(&mut table, "ann");
    for at in 0..61 {
        let name = format!("eve{at}");
        table.open(&name, Dialect::WatchParty, "");
        table.tell(&name, json!({"type": "JOIN_ROOM", "roomId": name, "userId": "eve", "userName": "Eve"}));
        table.lose(&name);
    }
    arrive(&mut table, "eve");
    let join = frame("JOIN_ROOM", "eve", json!({"userName": "Eve"}));
    assert_eq!(refused(&mut table, "eve", join), "Message processing failed");
    assert_eq!(info(&table, "r").0, 429);
}

#[test]
fn over_http_a_room_shows_the_same_as_in_its_frames() {
    let mut table = party(["ann", "bob"]);
    table.tell("ann", frame("PING", "ann", json!({})));
    let users = [user("ann", true, 0), user("bob", false, 0)];
    assert_eq!(info(&table, "r"), (200, state(&table, "ann", &users)));
    let active = table.now().wall.0;
    table.wait(1_000);
    assert_eq!(info(&table, "r").1["lastActivity"], active);
    table.lose("ann");
    table.lose("bob");
    let empty = with(state(&table, "", &[]), json!({"name": "Movies"}));
    assert_eq!(info(&table, "r"), (200, empty));
    for absent in ["s", "", "r/r", "x\n", &"x".repeat(500)] {
        assert_eq!(info(&table, absent), (404, json!({"error": "Room not found"})));
    }
}

#[test]
fn rooms_of_other_protocols_are_other_rooms() {
    let mut table = Table::new();
    let native = table.open_native("n");
    table.tell("n", json!({"type": "room.join", "room": "r", "create": true}));
    table.heard("n");
    create(&mut table, "ann");
    join(&mut table, "bob");
    assert!(table.heard("n").is_empty());
    deafen(&mut table, &["ann", "bob"]);
    // A stranger cannot call its users either.
    table.tell("n", json!({"type": "signal", "n": 1, "to": "r/ann", "kind": "offer", "data": 1}));
    assert_eq!(table.heard_json("n"), [json!({"type": "ack", "re": 1, "status": "absent"})]);
    assert!(table.heard("ann").is_empty());
    // One that goes there on purpose is seen as what it is.
    table.tell("n", json!({"type": "room.join", "room": "watchparty/r"}));
    let told = table.heard_json("ann").pop().unwrap();
    assert_eq!((&told["joinedUser"]["id"], &told["joinedUser"]["name"]), (&json!(native), &json!(native)));
    deafen(&mut table, &["ann", "bob"]);
    // Nor has it a name that could change here.
    table.tell("n", json!({"type": "room.me", "room": "watchparty/r", "me": {"name": "Ann"}}));
    assert!(table.heard("ann").is_empty());
    table.tell("n", json!({"type": "room.leave", "room": "watchparty/r"}));
    assert_eq!(table.heard_json("bob")[0]["leftUserId"], json!(native));
}

/// What HTTP answers.
fn info(table: &Table, id: &str) -> (u16, Value) {
    let ns = table.hub.rules().default_namespace.clone();
    let answer = room_info(&table.hub, table.now(), &Origin::Local, &ns, id);
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}
