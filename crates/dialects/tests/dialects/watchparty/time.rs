//! What happens by itself.

use serde_json::json;
use wigwag_wire::RoomName;

use super::*;

#[test]
fn a_silent_user_is_dropped_after_five_minutes_and_told_why() {
    let mut table = party(["ann", "bob"]);
    for _ in 0..10 {
        table.wait(29_900);
        table.tell("ann", frame("PING", "ann", json!({})));
    }
    deafen(&mut table, &["ann"]);
    table.wait(900);
    assert!(table.heard("ann").is_empty() && table.heard("bob").is_empty());
    table.wait(100);
    let t = START_MS + 300_000;
    let room = with(state(&table, "ann", &[user("ann", true, 0)]), json!({"lastActivity": t}));
    let told = json!({"type": "USER_DISCONNECTED", "roomId": "r", "userId": "system", "leftUserId": "bob",
        "roomState": room, "timestamp": t});
    assert_eq!(table.heard_json("ann"), [told]);
    assert_eq!(table.heard_json("bob"), [error(&table, "Inactive for too long")]);
    table.wait(1_000);
    assert_eq!((table.closed("bob"), table.closed("ann")), (Some(4003), None));
    // It may come back.
    table.lose("bob");
    join(&mut table, "bob");
}

#[test]
fn a_host_that_falls_silent_is_followed() {
    let mut table = party(["ann", "bob", "cy"]);
    table.wait(150_000);
    table.tell("cy", frame("PING", "cy", json!({})));
    table.heard("cy");
    table.wait(150_000);
    // Whoever else went at the same moment, the room is never shown with a host that is not in it.
    let told = table.heard_json("cy");
    let seen: Vec<_> = told.iter().map(|t| (&t["leftUserId"], &t["newHostId"], &t["roomState"]["hostId"])).collect();
    assert_eq!(seen, [(&json!("ann"), &json!("cy"), &json!("cy")), (&json!("bob"), &Value::Null, &json!("cy"))]);
    assert_eq!(table.closed("cy"), None);
}

#[test]
fn everything_that_a_user_says_is_a_sign_of_life() {
    let mut table = party(["ann", "bob"]);
    for (kind, more) in [
        ("PING", json!({})),
        ("WEBRTC_OFFER", json!({"targetUserId": "bob", "offer": 1})),
        ("WEBRTC_ICE_CANDIDATE", json!({"targetUserId": "nobody", "candidate": 1})),
        ("RENAME_ROOM", json!({"newRoomName": "x"})),
        ("RENAME_USER", json!({"newUserName": "x"})),
        ("CONTROL_MODE_CHANGE", json!({"mode": "FREE_FOR_ALL"})),
    ] {
        table.wait(299_900);
        table.tell("ann", frame(kind, "ann", more));
        table.tell("bob", frame("PING", "bob", json!({})));
    }
    table.wait(299_900);
    assert_eq!((table.closed("ann"), table.closed("bob")), (None, None));
    assert!(!types(&mut table, "ann").contains(&"USER_DISCONNECTED".to_owned()));
}

#[test]
fn an_empty_room_stays_joinable_for_half_an_hour() {
    let mut table = party(["ann"]);
    table.lose("ann");
    table.wait(1_799_950);
    join(&mut table, "bob");
    table.lose("bob");
    table.wait(1_799_950);
    assert_eq!(table.hub.counts().rooms, 1);
    table.wait(50);
    assert_eq!(table.hub.counts().rooms, 0);
    create(&mut table, "ann");
}

#[test]
fn a_room_that_the_operator_closes_is_over_for_its_users() {
    let mut table = party(["ann", "bob"]);
    let room = RoomName::new("watchparty/r").unwrap();
    assert!(table.act(|hub, now, out| hub.close_room(now, &hub.rules().default_namespace, &room, out)));
    assert_eq!(table.heard_json("ann"), [error(&table, "Room closed")]);
    assert_eq!(refused(&mut table, "ann", frame("PING", "ann", json!({}))), "Room not found");
    assert_eq!(table.closed("ann"), Some(4004));
    table.lose("ann");
    // Who says nothing is let go in time.
    table.wait(300_000);
    assert_eq!(table.closed("bob"), Some(4004));
    table.lose("bob");
    create(&mut table, "ann");
}
