//! Frames that many stories use, as peers send them and as they should come.

use serde_json::{Value, json};
use wigwag_wire::Code;

use super::Peer;

/// The pattern of a refusal.
pub fn refused(re: impl Into<Option<u64>>, code: u16) -> Value {
    let name = Code::from_number(code).expect("a code of the table").name();
    numbered("re", re.into(), json!({"type": "error", "code": code, "name": name, "message": "*"}))
}

/// The pattern of a refusal that says how long to wait.
pub fn refused_for(re: impl Into<Option<u64>>, code: u16, retry_after: impl Into<Value>) -> Value {
    let mut pattern = refused(re, code);
    pattern["retry_after"] = retry_after.into();
    pattern
}

pub fn find(n: impl Into<Option<u64>>, id: &str) -> Value {
    numbered("n", n.into(), json!({"type": "find", "id": id}))
}

pub fn watch<const N: usize>(n: impl Into<Option<u64>>, ids: [&str; N]) -> Value {
    numbered("n", n.into(), json!({"type": "watch", "ids": ids.to_vec()}))
}

pub fn unwatch<const N: usize>(n: impl Into<Option<u64>>, ids: [&str; N]) -> Value {
    numbered("n", n.into(), json!({"type": "unwatch", "ids": ids.to_vec()}))
}

/// A signal to all devices of an id.
pub fn signal(n: impl Into<Option<u64>>, to: &str, data: impl Into<Value>) -> Value {
    numbered("n", n.into(), json!({"type": "signal", "to": to, "kind": "note", "data": data.into()}))
}

/// A signal to one device.
pub fn signal_device(n: impl Into<Option<u64>>, to: &str, device: &str, data: impl Into<Value>) -> Value {
    let mut frame = signal(n, to, data);
    frame["device"] = json!(device);
    frame
}

/// A signal to be stored for so many seconds.
pub fn stored_signal(n: impl Into<Option<u64>>, to: &str, data: impl Into<Value>, seconds: u64) -> Value {
    let mut frame = signal(n, to, data);
    frame["store"] = json!(seconds);
    frame
}

/// A signal as it arrives.
pub fn heard(from: &Peer, data: impl Into<Value>) -> Value {
    let mut frame = json!({"type": "signal", "from": from.id, "kind": "note", "polite": "*", "data": data.into()});
    if !from.device.is_empty() {
        frame["device"] = json!(from.device);
    }
    frame
}

/// A stored signal as it arrives.
pub fn heard_later(from: &Peer, data: impl Into<Value>, sent: impl Into<Value>) -> Value {
    let mut frame = heard(from, data);
    frame["stored"] = sent.into();
    frame
}

pub fn ack(re: u64, status: &str) -> Value {
    json!({"type": "ack", "re": re, "status": status})
}

pub fn done(re: u64) -> Value {
    json!({"type": "done", "re": re})
}

pub fn presence(id: &str, state: &str) -> Value {
    json!({"type": "presence", "id": id, "state": state})
}

/// Presence of an id that was here before.
pub fn presence_seen(id: &str, state: &str, seen: impl Into<Value>) -> Value {
    json!({"type": "presence", "id": id, "state": state, "seen": seen.into()})
}

pub fn lost<const N: usize>(to: &Peer, n: [u64; N]) -> Value {
    let mut frame = json!({"type": "lost", "to": to.id, "n": n.to_vec()});
    if !to.device.is_empty() {
        frame["device"] = json!(to.device);
    }
    frame
}

fn numbered(field: &str, n: Option<u64>, mut frame: Value) -> Value {
    if let Some(n) = n {
        frame[field] = json!(n);
    }
    frame
}
