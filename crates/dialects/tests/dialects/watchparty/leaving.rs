//! Leaving, and who is host then.

use serde_json::json;

use super::*;

#[test]
fn who_leaves_is_told_of_to_the_others_and_its_socket_closes_in_good_order() {
    let mut table = party(["ann", "bob"]);
    table.wait(100);
    table.tell("bob", frame("LEAVE_ROOM", "bob", json!({})));
    assert_eq!(table.closed("bob"), Some(1000));
    assert!(table.heard("bob").is_empty());
    let room = state(&table, "ann", &[user("ann", true, 0)]);
    let told = json!({"type": "USER_LEFT", "roomId": "r", "userId": "system", "leftUserId": "bob", "roomState": room,
        "timestamp": START_MS + 100});
    assert_eq!(table.heard_json("ann"), [told]);
    table.lose("bob");
    assert!(table.heard("ann").is_empty());
}

#[test]
fn who_is_lost_is_told_of_with_the_same_fields() {
    let mut table = party(["ann", "bob"]);
    table.lose("bob");
    let room = state(&table, "ann", &[user("ann", true, 0)]);
    let told = json!({"type": "USER_DISCONNECTED", "roomId": "r", "userId": "system", "leftUserId": "bob",
        "roomState": room, "timestamp": START_MS});
    assert_eq!(table.heard_json("ann"), [told]);
}

#[test]
fn the_longest_standing_user_follows_a_host_that_goes_and_the_room_shows_it_at_once() {
    for (leaves, kind) in [(true, "USER_LEFT"), (false, "USER_DISCONNECTED")] {
        let mut table = party(["ann", "bob", "cy"]);
        if leaves {
            table.tell("ann", frame("LEAVE_ROOM", "ann", json!({})));
        } else {
            table.lose("ann");
        }
        let room = state(&table, "bob", &[user("bob", true, 0), user("cy", false, 0)]);
        let told = json!({"type": kind, "roomId": "r", "userId": "system", "leftUserId": "ann", "roomState": room,
            "newHostId": "bob", "timestamp": START_MS});
        // That alone: the change of host is told with the going.
        heard_by(&mut table, &["bob", "cy"], &told);
        table.tell("bob", frame("RENAME_ROOM", "bob", json!({"newRoomName": "Bob's"})));
        assert_eq!(types(&mut table, "cy"), ["ROOM_RENAMED"]);
    }
}

#[test]
fn who_comes_into_an_empty_room_is_its_host() {
    let mut table = party(["ann"]);
    table.lose("ann");
    table.wait(1_000);
    arrive(&mut table, "bob");
    table.tell("bob", frame("JOIN_ROOM", "bob", json!({"userName": "BOB"})));
    let room = state(&table, "bob", &[user("bob", true, 1_000)]);
    let told = json!({"type": "ROOM_JOINED", "roomId": "r", "userId": "bob", "roomState": room,
        "timestamp": START_MS + 1_000});
    assert_eq!(table.heard_json("bob"), [told]);
}

#[test]
fn who_leaves_before_it_came_is_let_go() {
    let mut table = Table::new();
    arrive(&mut table, "ann");
    table.tell("ann", frame("LEAVE_ROOM", "ann", json!({})));
    assert_eq!(table.closed("ann"), Some(1000));
}

#[test]
fn nobody_makes_another_leave() {
    let mut table = party(["ann", "bob"]);
    assert_eq!(refused(&mut table, "bob", frame("LEAVE_ROOM", "ann", json!({}))), "Message processing failed");
    assert_eq!((table.closed("ann"), table.closed("bob")), (None, None));
    assert!(table.heard("ann").is_empty());
}

#[test]
fn the_host_from_before_a_restart_is_host_again_within_five_minutes() {
    let mut table = party(["ann", "bob", "cy"]);
    table.restart(20_000);
    join(&mut table, "bob");
    join(&mut table, "cy");
    deafen(&mut table, &["bob", "cy"]);
    table.wait(290_000);
    join_again(&mut table, "ann");
    let t = table.now().wall.0;
    let changed = json!({"type": "HOST_CHANGED", "newHostId": "ann", "previousHostId": "bob", "timestamp": t});
    let told = table.heard_json("ann");
    assert_eq!((&told[0]["type"], &told[0]["roomState"]["hostId"]), (&json!("ROOM_JOINED"), &json!("bob")));
    assert_eq!((told.len(), &told[1]), (2, &changed));
    for other in ["bob", "cy"] {
        let told = table.heard_json(other);
        assert_eq!((told.len(), &told[0]["type"], &told[1]), (2, &json!("USER_JOINED"), &changed));
    }
    assert_eq!(refused(&mut table, "bob", rename("bob")), "Only host can rename room");
    table.tell("ann", rename("ann"));
    assert_eq!(table.heard_json("bob")[0]["roomState"]["hostId"], "ann");
}

#[test]
fn a_host_that_comes_back_later_than_that_is_one_of_many() {
    let mut table = party(["ann", "bob"]);
    table.restart(0);
    join(&mut table, "bob");
    table.wait(299_000);
    table.tell("bob", frame("PING", "bob", json!({})));
    table.wait(2_000);
    table.heard("bob");
    join_again(&mut table, "ann");
    assert_eq!(types(&mut table, "ann"), ["ROOM_JOINED"]);
    assert_eq!(types(&mut table, "bob"), ["USER_JOINED"]);
}

#[test]
fn without_a_restart_a_host_that_comes_back_is_one_of_many() {
    let mut table = party(["ann", "bob"]);
    table.lose("ann");
    table.heard("bob");
    join_again(&mut table, "ann");
    assert_eq!(types(&mut table, "ann"), ["ROOM_JOINED"]);
    assert_eq!(types(&mut table, "bob"), ["USER_JOINED"]);
}

#[test]
fn a_room_outlives_a_restart_with_its_name_and_its_mode() {
    let mut table = party(["ann"]);
    table.tell("ann", rename("ann"));
    table.tell("ann", frame("CONTROL_MODE_CHANGE", "ann", json!({"mode": "FREE_FOR_ALL"})));
    table.restart(1_000);
    arrive(&mut table, "ann");
    table.tell("ann", frame("JOIN_ROOM", "ann", json!({"userName": "ANN"})));
    let room = with(
        state(&table, "ann", &[user("ann", true, 1_000)]),
        json!({"name": "Renamed", "controlMode": "FREE_FOR_ALL"}),
    );
    assert_eq!(table.heard_json("ann")[0]["roomState"], room);
}

/// Comes in again, with what it hears left to be read.
fn join_again(table: &mut Table, user: &str) {
    arrive(table, user);
    table.tell(user, frame("JOIN_ROOM", user, json!({"userName": user.to_uppercase()})));
}

fn rename(user: &str) -> Value {
    frame("RENAME_ROOM", user, json!({"newRoomName": "Renamed"}))
}
