//! Rooms at the table: what is said in them, written short. The room is always called `den`.

use serde_json::{Value, json};

use super::{DAWN, Sock, Table};

/// A room `den` of these peers at dawn: the first is its host, all frames are read.
pub fn den<const N: usize>(w: &mut Table, ids: [&str; N]) -> [Sock; N] {
    let socks = ids.map(|id| w.open(id));
    for (at, sock) in socks.iter().enumerate() {
        let kind = if at == 0 { "room.create" } else { "room.join" };
        w.send(*sock, &ask(kind, json!({})));
        assert_eq!(w.take(*sock)[0]["type"], "room.joined");
    }
    w.take_all();
    socks
}

/// An object with some fields more, or with other values.
pub fn with(mut base: Value, more: Value) -> Value {
    if let (Some(base), Value::Object(more)) = (base.as_object_mut(), more) {
        base.extend(more);
    }
    base
}

/// A request about the room.
pub fn ask(kind: &str, more: Value) -> Value {
    with(json!({"type": kind, "room": "den"}), more)
}

/// `room.joined`, with default options and without `re`.
pub fn joined(host: &str, term: u64, members: &[Value]) -> Value {
    ask(
        "room.joined",
        json!({"host": {"id": host}, "term": term, "mode": "HOST_ONLY", "locked": false, "listed": false,
            "capacity": 100, "password": false, "members": members}),
    )
}

/// `room.changed`, with default options.
pub fn changed(more: Value) -> Value {
    let options = json!({"mode": "HOST_ONLY", "locked": false, "listed": false, "capacity": 100, "password": false});
    ask("room.changed", with(options, more))
}

/// A member that joined at dawn, as one sees it who is polite towards it or not.
pub fn seat(id: &str, polite: bool) -> Value {
    json!({"id": id, "state": "here", "joined": DAWN, "polite": polite})
}

pub fn came(seat: Value) -> Value {
    ask("room.member", with(seat, json!({"change": "joined"})))
}

pub fn updated(seat: Value) -> Value {
    ask("room.member", with(seat, json!({"change": "updated"})))
}

pub fn went(id: &str, why: &str) -> Value {
    ask("room.member", json!({"change": "left", "id": id, "why": why}))
}

pub fn out(why: &str) -> Value {
    ask("room.left", json!({"why": why}))
}

pub fn host(id: &str, term: u64, why: &str) -> Value {
    ask("room.host", json!({"host": {"id": id}, "term": term, "why": why}))
}

pub fn said(from: &str, data: &str) -> Value {
    ask("said", json!({"from": from, "data": data}))
}

pub fn done(re: u64) -> Value {
    json!({"type": "done", "re": re})
}

pub fn reached(re: u64, receivers: u32) -> Value {
    json!({"type": "done", "re": re, "receivers": receivers})
}
