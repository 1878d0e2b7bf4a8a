//! Sockets whose first frame tells the dialect.

use serde_json::json;

use crate::table::Table;

#[test]
fn the_first_good_frame_chooses_the_dialect_and_is_heard_in_it() {
    let mut table = Table::new();
    for name in ["a", "b"] {
        table.open_any(name);
        table.say(name, "{");
        table.tell(name, json!({"type": "subscribe", "topic": "t"}));
        assert_eq!(table.heard(name).len(), 1, "the answer to what was no JSON");
    }
    table.tell("a", json!({"type": "publish", "topic": "t", "payload": 1}));
    assert_eq!(table.heard_json("b"), [json!({"topic": "t", "payload": 1})]);
}

#[test]
fn an_error_before_that_is_good_for_every_dialect_that_could_be_meant() {
    let mut table = Table::new();
    table.open_any("a");
    table.say("a", "hello");
    table.tell("a", json!({"type": "register"}));
    table.tell("a", json!({"type": "teleport"}));
    let error = |message: &str, error: &str| json!({"type": "error", "message": message, "error": error});
    let told = [
        error("Invalid message format", "invalid JSON"),
        error("Missing required fields", "missing nodeId or username"),
        json!({"type": "error", "message": "Unknown message type"}),
    ];
    assert_eq!(table.heard_json("a"), told);
}
