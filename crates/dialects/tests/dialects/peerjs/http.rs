//! What PeerJS clients ask over HTTP.

use serde_json::{Value, json};
use wigwag_dialects::{Dialect, HttpAnswer, PeerJsSettings, peerjs_http};
use wigwag_wire::Namespace;

use super::enter;
use crate::table::Table;

#[test]
fn the_base_says_what_is_there() {
    let answer = get(&Table::new(), &PeerJsSettings::default(), "/").unwrap();
    assert_eq!((answer.status, answer.content_type), (200, "application/json; charset=utf-8"));
    let about: Value = serde_json::from_str(&answer.body).unwrap();
    for field in ["name", "description", "website"] {
        assert!(about[field].is_string(), "{field}");
    }
}

#[test]
fn a_fresh_id_is_a_uuid_that_a_peer_can_use_and_never_the_same() {
    let mut table = Table::new();
    let ids: Vec<String> = (0..2)
        .map(|_| {
            let answer = get(&table, &PeerJsSettings::default(), "peerjs/id").unwrap();
            assert_eq!((answer.status, answer.content_type), (200, "text/html; charset=utf-8"));
            answer.body
        })
        .collect();
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ids[0].split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    enter(&mut table, &ids[0]);
}

#[test]
fn peers_list_each_other_only_where_the_operator_wants_it() {
    let mut table = Table::new();
    enter(&mut table, "bob");
    enter(&mut table, "alice");
    table.open("carol", Dialect::PeerJs, "?key=peerjs&id=carol&token=t&ns=app");
    table.open_native("native");
    let mut settings = PeerJsSettings::default();
    assert_eq!(get(&table, &settings, "peerjs/peers").unwrap().status, 401);
    settings.allow_discovery = true;
    let answer = get(&table, &settings, "peerjs/peers").unwrap();
    assert_eq!((answer.status, answer.content_type), (200, "application/json; charset=utf-8"));
    assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap(), json!(["alice", "bob"]));
}

#[test]
fn another_key_gets_neither() {
    let (table, settings) = (Table::new(), PeerJsSettings { allow_discovery: true, ..PeerJsSettings::default() });
    for path in ["other/id", "other/peers"] {
        assert_eq!(get(&table, &settings, path).map(|answer| answer.status), Some(401), "{path}");
    }
}

#[test]
fn there_is_nothing_else() {
    for path in ["peerjs", "peerjs/", "peerjs/other", "peerjs/id/more", "a/peerjs/id", "/id"] {
        assert_eq!(get(&Table::new(), &PeerJsSettings::default(), path), None, "{path}");
    }
}

fn get(table: &Table, settings: &PeerJsSettings, path: &str) -> Option<HttpAnswer> {
    peerjs_http(&table.hub, settings, &Namespace::new("default").unwrap(), path)
}
