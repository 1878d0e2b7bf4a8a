//! Watch-party rooms.

mod entering;
mod leaving;
mod talking;
mod time;

use serde_json::{Value, json};
use wigwag_dialects::Dialect;

use crate::table::{START_MS, Table};

/// A frame of a user of the room `r`.
fn frame(kind: &str, user: &str, more: Value) -> Value {
    let mut frame = json!({"type": kind, "roomId": "r", "userId": user, "timestamp": 1});
    if let (Some(fields), Value::Object(more)) = (frame.as_object_mut(), more) {
        fields.extend(more);
    }
    frame
}

/// A socket that arrives for the room `r`.
fn arrive(table: &mut Table, user: &str) {
    table.open(user, Dialect::WatchParty, "r");
}

/// The first user, who makes the room.
fn create(table: &mut Table, user: &str) {
    arrive(table, user);
    table.tell(user, frame("CREATE_ROOM", user, json!({"userName": user.to_uppercase(), "roomName": "Movies"})));
    assert_eq!(types(table, user), ["ROOM_CREATED"]);
}

/// Another user.
fn join(table: &mut Table, user: &str) {
    arrive(table, user);
    table.tell(user, frame("JOIN_ROOM", user, json!({"userName": user.to_uppercase()})));
    assert_eq!(types(table, user).first().map(String::as_str), Some("ROOM_JOINED"));
}

/// The room with these users, the first of whom is host, and nothing unheard.
fn party<const N: usize>(users: [&str; N]) -> Table {
    let mut table = Table::new();
    for (at, user) in users.iter().enumerate() {
        if at == 0 { create(&mut table, user) } else { join(&mut table, user) }
    }
    deafen(&mut table, &users);
    table
}

/// What these heard is forgotten.
fn deafen(table: &mut Table, users: &[&str]) {
    for user in users {
        table.heard(user);
    }
}

/// The types of what a user heard.
fn types(table: &mut Table, user: &str) -> Vec<String> {
    table.heard_json(user).iter().map(|told| told["type"].as_str().unwrap().to_owned()).collect()
}

/// One user as the room shows it, there since `joined` milliseconds after the beginning.
fn user(id: &str, is_host: bool, joined: u64) -> Value {
    json!({"id": id, "name": id.to_uppercase(), "isHost": is_host, "isConnected": true, "joinedAt": START_MS + joined})
}

/// The room, made at the beginning and active just now.
fn state(table: &Table, host: &str, users: &[Value]) -> Value {
    json!({"id": "r", "name": "Movies", "hostId": host, "users": users, "controlMode": "HOST_ONLY",
        "followMode": "AUTO_FOLLOW",
        "videoState": {"isPlaying": false, "currentTime": 0, "duration": 0, "playbackRate": 1, "url": "",
            "lastUpdated": START_MS},
        "createdAt": START_MS, "lastActivity": table.now().wall.0})
}

/// The same with other values.
fn with(mut base: Value, more: Value) -> Value {
    if let (Some(base), Value::Object(more)) = (base.as_object_mut(), more) {
        base.extend(more);
    }
    base
}

/// An error now.
fn error(table: &Table, error: &str) -> Value {
    json!({"type": "ERROR", "error": error, "timestamp": table.now().wall.0})
}

/// Asks something that must be refused, to the asker alone: the error, without its details.
#[track_caller]
fn refused(table: &mut Table, user: &str, message: Value) -> String {
    table.tell(user, message);
    let told = table.heard_json(user);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["type"], "ERROR", "{told:?}");
    told[0]["error"].as_str().unwrap().to_owned()
}

/// All of these heard this, and nothing else.
#[track_caller]
fn heard_by(table: &mut Table, users: &[&str], told: &Value) {
    for user in users {
        assert_eq!(table.heard_json(user), std::slice::from_ref(told), "{user}");
    }
}
