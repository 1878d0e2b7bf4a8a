//! Calling each other, and changing what the room shows.

use serde_json::json;

use super::*;

#[test]
fn a_call_comes_to_its_target_alone_and_as_it_was() {
    let mut table = party(["ann", "bob", "cy"]);
    for (kind, field) in [("WEBRTC_OFFER", "offer"), ("WEBRTC_ANSWER", "answer"), ("WEBRTC_ICE_CANDIDATE", "candidate")]
    {
        for content in [r#"{"sdp":"v=0\r\n", "z":1.0,"a":[2E3]}"#, "null"] {
            let text = format!(
                r#"{{ "odd":[1.50],"type":"{kind}","targetUserId":"bob","{field}":{content},"userId":"ann","roomId":"r","timestamp":7 }}"#
            );
            table.say("ann", &text);
            assert_eq!(table.heard("bob"), [text]);
        }
    }
    assert!(table.heard("ann").is_empty() && table.heard("cy").is_empty());
    let bytes = frame("WEBRTC_OFFER", "ann", json!({"targetUserId": "cy", "offer": 1})).to_string();
    table.say_bytes("ann", bytes.as_bytes());
    assert_eq!(table.heard("cy"), [bytes]);
}

#[test]
fn who_calls_one_that_is_not_in_the_room_is_told_whom() {
    // However often: it is no guessing.
    let mut table = Table::with(|rules, _| rules.limit_loopback = true);
    create(&mut table, "ann");
    table.open("other", Dialect::WatchParty, "s");
    table.tell("other", json!({"type": "CREATE_ROOM", "roomId": "s", "userId": "bob", "userName": "Bob"}));
    table.heard("other");
    for target in ["bob", "nobody", "s/bob", "", "system", "x\n"] {
        for _ in 0..40 {
            table.tell("ann", frame("WEBRTC_OFFER", "ann", json!({"targetUserId": target, "offer": 1})));
            let absent = with(error(&table, "Target user not found"), json!({"details": target}));
            assert_eq!(table.heard_json("ann"), [absent]);
            table.wait(50);
        }
    }
    assert!(table.heard("other").is_empty());
    join(&mut table, "bob");
    table.heard("ann");
    table.tell("ann", frame("WEBRTC_OFFER", "ann", json!({"targetUserId": "bob", "offer": 1})));
    assert_eq!(types(&mut table, "bob"), ["WEBRTC_OFFER"]);
}

#[test]
fn nobody_speaks_as_another() {
    let mut table = party(["ann", "bob", "cy"]);
    for (kind, more) in [
        ("WEBRTC_OFFER", json!({"targetUserId": "cy", "offer": 1})),
        ("WEBRTC_ANSWER", json!({"targetUserId": "cy", "answer": 1})),
        ("WEBRTC_ICE_CANDIDATE", json!({"targetUserId": "cy", "candidate": 1})),
        ("RENAME_ROOM", json!({"newRoomName": "Bob's"})),
        ("CONTROL_MODE_CHANGE", json!({"mode": "FREE_FOR_ALL"})),
        ("PING", json!({})),
        ("CREATE_ROOM", json!({"userName": "x"})),
        ("JOIN_ROOM", json!({"userName": "x"})),
    ] {
        assert_eq!(refused(&mut table, "bob", frame(kind, "ann", more)), "Message processing failed", "{kind}");
    }
    // Who says it twice, or not at all, would be read differently by others.
    table.say(
        "bob",
        r#"{"type":"WEBRTC_OFFER","roomId":"r","userId":"bob","userId":"ann","targetUserId":"cy","offer":1}"#,
    );
    table.say(
        "bob",
        r#"{"type":"WEBRTC_OFFER","roomId":"r","userId":"bob","user\u0049d":"ann","targetUserId":"cy","offer":1}"#,
    );
    table.say("bob", r#"{"type":"WEBRTC_OFFER","roomId":"r","targetUserId":"cy","offer":1}"#);
    assert_eq!(types(&mut table, "bob"), ["ERROR"; 3]);
    assert!(table.heard("ann").is_empty() && table.heard("cy").is_empty());
    assert_eq!(table.closed("bob"), None);
}

#[test]
fn the_host_names_the_room_for_everyone() {
    let mut table = party(["ann", "bob"]);
    for name in ["x", &"\u{1f3ac}".repeat(15), &"y".repeat(30), r#"a"b\c"#] {
        table.tell("ann", frame("RENAME_ROOM", "ann", json!({"newRoomName": name})));
        let users = [user("ann", true, 0), user("bob", false, 0)];
        let room = with(state(&table, "ann", &users), json!({"name": name}));
        let told = json!({"type": "ROOM_RENAMED", "newRoomName": name, "roomState": room, "timestamp": START_MS});
        heard_by(&mut table, &["ann", "bob"], &told);
    }
    for name in [json!(null), json!(""), json!("  "), json!("y".repeat(31)), json!("\u{1f3ac}".repeat(16))] {
        let rename = frame("RENAME_ROOM", "ann", json!({"newRoomName": name}));
        assert_eq!(refused(&mut table, "ann", rename), "Invalid room name");
    }
    let rename = frame("RENAME_ROOM", "bob", json!({"newRoomName": "Bob's"}));
    assert_eq!(refused(&mut table, "bob", rename), "Only host can rename room");
    assert!(table.heard("ann").is_empty());
}

#[test]
fn everyone_names_itself_and_nobody_else() {
    let mut table = party(["ann", "bob"]);
    table.tell("bob", frame("RENAME_USER", "bob", json!({"newUserName": "Bobby"})));
    let users = [user("ann", true, 0), with(user("bob", false, 0), json!({"name": "Bobby"}))];
    let room = state(&table, "ann", &users);
    let told = json!({"type": "USER_RENAMED", "userId": "bob", "newUserName": "Bobby", "roomState": room,
        "timestamp": START_MS});
    heard_by(&mut table, &["ann", "bob"], &told);
    for name in [json!(null), json!(""), json!(" "), json!("y".repeat(21))] {
        let rename = frame("RENAME_USER", "bob", json!({"newUserName": name}));
        assert_eq!(refused(&mut table, "bob", rename), "Invalid user name");
    }
    let rename = frame("RENAME_USER", "bob", json!({"newUserName": "y".repeat(20)}));
    table.tell("bob", rename);
    assert_eq!((types(&mut table, "bob").len(), types(&mut table, "ann").len()), (1, 1));
    let rename = frame("RENAME_USER", "ann", json!({"newUserName": "Fool"}));
    assert_eq!(refused(&mut table, "bob", rename), "Can only rename yourself");
    assert!(table.heard("ann").is_empty());
}

#[test]
fn the_host_says_who_may_steer_and_everyone_hears_it() {
    let mut table = party(["ann", "bob"]);
    let change = |user: &str, mode: &str| frame("CONTROL_MODE_CHANGE", user, json!({"mode": mode}));
    for mode in ["FREE_FOR_ALL", "HOST_ONLY"] {
        table.tell("ann", change("ann", mode));
        let users = [user("ann", true, 0), user("bob", false, 0)];
        let room = with(state(&table, "ann", &users), json!({"controlMode": mode}));
        let told = json!({"type": "CONTROL_MODE_CHANGED", "mode": mode, "roomState": room, "timestamp": START_MS});
        heard_by(&mut table, &["ann", "bob"], &told);
    }
    // What is so already is confirmed to who asked.
    table.tell("ann", change("ann", "HOST_ONLY"));
    assert_eq!(types(&mut table, "ann"), ["CONTROL_MODE_CHANGED"]);
    assert_eq!(refused(&mut table, "bob", change("bob", "FREE_FOR_ALL")), "Only host can change control mode");
    assert_eq!(refused(&mut table, "ann", change("ann", "ANARCHY")), "Message processing failed");
    assert!(table.heard("bob").is_empty());
}

#[test]
fn a_ping_is_answered_before_and_after_coming_in() {
    let mut table = Table::new();
    arrive(&mut table, "ann");
    table.tell("ann", frame("PING", "ann", json!({})));
    assert_eq!(table.heard("ann"), [format!(r#"{{"type":"PONG","timestamp":{START_MS}}}"#)]);
    create(&mut table, "bob");
    table.wait(50);
    table.tell("bob", frame("PING", "bob", json!({})));
    assert_eq!(table.heard_json("bob"), [json!({"type": "PONG", "timestamp": START_MS + 50})]);
}

#[test]
fn a_bad_frame_costs_its_sender_nothing_but_the_frame() {
    let mut table = party(["ann", "bob"]);
    let deep = format!(r#"{{"type":"WEBRTC_OFFER","offer":{}"#, "[".repeat(20_000));
    let target = r#"{"type":"WEBRTC_OFFER","roomId":"r","userId":"ann","targetUserId":7,"offer":1}"#;
    for bad in ["", "{", "7", "null", "[]", r#"{"type":7}"#, r#"{"roomId":"r"}"#, &deep, target] {
        table.say("ann", bad);
        let told = table.heard_json("ann");
        assert_eq!((told.len(), &told[0]["error"]), (1, &json!("Message processing failed")), "{bad}");
    }
    table.say_bytes("ann", &[0xff, 0xfe]);
    assert_eq!(types(&mut table, "ann"), ["ERROR"]);
    for (kind, more) in [
        ("WEBRTC_OFFER", json!({"targetUserId": "bob"})),
        ("WEBRTC_OFFER", json!({"offer": 1})),
        ("WEBRTC_ANSWER", json!({"targetUserId": "bob", "offer": 1})),
    ] {
        assert_eq!(refused(&mut table, "ann", frame(kind, "ann", more)), "Message processing failed");
    }
    for unknown in ["TELEPORT", "ping", ""] {
        table.tell("ann", frame(unknown, "ann", json!({})));
        assert_eq!(table.heard_json("ann"), [error(&table, "Unknown message type")]);
    }
    assert!(table.heard("bob").is_empty());
    assert_eq!(table.closed("ann"), None);
}

#[test]
fn who_is_in_no_room_does_nothing_in_one() {
    let mut table = party(["ann"]);
    arrive(&mut table, "eve");
    for (kind, more) in [
        ("WEBRTC_OFFER", json!({"targetUserId": "ann", "offer": 1})),
        ("RENAME_ROOM", json!({"newRoomName": "Eve's"})),
        ("RENAME_USER", json!({"newUserName": "Ann"})),
        ("CONTROL_MODE_CHANGE", json!({"mode": "FREE_FOR_ALL"})),
    ] {
        assert_eq!(refused(&mut table, "eve", frame(kind, "ann", more)), "Message processing failed", "{kind}");
    }
    assert!(table.heard("ann").is_empty());
}
