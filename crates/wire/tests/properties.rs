//! What holds for any input.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde::de::IgnoredAny;
use serde_json::Value;
use wigwag_testkit::spec::{frame_text, vectors};
use wigwag_wire::event::SignalEvent;
use wigwag_wire::raw::Content;
use wigwag_wire::raw::depth_within;
use wigwag_wire::signature::verify;
use wigwag_wire::{Code, Device, Event, Limits, Namespace, PeerId, PublicKey, Request, RoomCode, Topic};

proptest! {
    #[test]
    fn any_text_is_refused_or_read_and_never_more(text in any::<String>()) {
        let _ = Request::parse(&text, &Limits::default());
        let _ = (PublicKey::parse(&text), RoomCode::parse(&text));
        let _ = verify(&PublicKey::Ed25519([1; 32]), b"x", &text, |_, _, _| true);
        prop_assert_eq!(PeerId::new(&text).is_ok(), PeerId::check(&text).is_ok());
        prop_assert_eq!(Namespace::new(&text).is_ok(), Namespace::check(&text).is_ok());
    }

    #[test]
    fn a_good_frame_with_any_damage_is_refused_or_read(which in any::<Index>(), cuts in vec((any::<Index>(), any::<u8>(), 0..4u8), 1..6)) {
        let frames = good_frames();
        let mut bytes = which.get(frames).clone().into_bytes();
        for (at, byte, how) in cuts {
            let at = at.index(bytes.len().max(1));
            match how {
                0 if !bytes.is_empty() => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 if !bytes.is_empty() => drop(bytes.remove(at)),
                _ => bytes.truncate(at),
            }
        }
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let _ = Request::parse(text, &Limits::default());
        }
    }

    #[test]
    fn a_frame_is_malformed_exactly_where_it_is_no_json_object(which in any::<Index>(), at in any::<Index>(), junk in "[\\[\\]{}\",:0-9a-z\\\\ ]{0,3}") {
        let frames = good_frames();
        let mut text = which.get(frames).clone();
        let at = (0..=at.index(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
        text.insert_str(at, &junk);
        let object = serde_json::from_str::<BTreeMap<String, IgnoredAny>>(&text).is_ok();
        let unread = Request::parse(&text, &Limits::default()).err();
        let malformed = unread.is_some_and(|unread| unread.refusal.code == Code::Malformed);
        prop_assert_eq!(malformed, !object, "{}", text);
    }

    #[test]
    fn content_arrives_byte_for_byte(json in json(), before in blanks(), after in blanks(), swap in any::<bool>()) {
        let data = format!("\"data\":{before}{json}{after}");
        let rest = r#""type":"signal","to":"bob@example.org","kind":"x","n":3"#;
        let frame = if swap { format!("{{{data},{rest}}}") } else { format!("{{{rest},{data}}}") };
        let limits = Limits { frame_bytes: 0, json_depth: 0, ..Limits::default() };
        let (heading, request) = Request::parse(&frame, &limits).unwrap();
        prop_assert_eq!(heading.n, Some(3));
        let Request::Signal(signal) = request else { panic!("{frame} is no signal") };
        prop_assert_eq!(signal.data.get(), &json);
        let end = format!("\"data\":{json}}}");
        prop_assert!(written(signal.data).ends_with(&end));
    }

    #[test]
    fn depth_is_counted_as_a_parser_counts_it(json in json(), max in 1..8u64) {
        let value: Value = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(depth_within(&json, max), depth(&value) <= max, "{}", json);
    }

    #[test]
    fn ids_come_back_as_they_went(id in "[a-z0-9._+-]{1,64}@[a-z0-9]{1,20}(\\.[a-z0-9]{1,10}){0,3}", device in "[A-Za-z0-9._~-]{0,32}", topic in "\\PC{1,60}") {
        let (id, device) = (PeerId::new(&id).unwrap(), Device::new(&device).unwrap());
        prop_assert_eq!(&serde_json::from_str::<PeerId>(&serde_json::to_string(&id).unwrap()).unwrap(), &id);
        prop_assert_eq!(&serde_json::from_str::<Device>(&serde_json::to_string(&device).unwrap()).unwrap(), &device);
        prop_assert_eq!(Topic::new(&topic).map(|topic| topic.to_string()).ok(), Topic::check(&topic).ok().map(|()| topic));
    }

    #[test]
    fn keys_come_back_as_they_went(bytes in any::<[u8; 32]>(), odd in any::<bool>()) {
        let mut point = [2 + u8::from(odd); 33];
        point[1..].copy_from_slice(&bytes);
        for key in [PublicKey::Ed25519(bytes), PublicKey::P256(point)] {
            prop_assert_eq!(PublicKey::parse(&key.to_string()), Ok(key));
        }
    }

    #[test]
    fn codes_come_back_as_they_went(bits in any::<u64>()) {
        let code = RoomCode::from_random(bits);
        prop_assert_eq!(RoomCode::parse(code.as_str()), Some(code));
        prop_assert_eq!(RoomCode::parse(&code.as_str().replace('-', " ").to_lowercase()), Some(code));
    }
}

fn good_frames() -> &'static [String] {
    static FRAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
        let all: Value = vectors("requests_valid.json");
        all["cases"].as_array().unwrap().iter().map(frame_text).collect()
    });
    &FRAMES
}

fn written(data: Content<'_>) -> String {
    let (from, device) = (PeerId::new("bob@example.org").unwrap(), Device::new("").unwrap());
    let event =
        SignalEvent { from: &from, device: &device, kind: "x", polite: false, stored: None, data, foreign: None };
    serde_json::to_string(&Event::Signal(event)).unwrap()
}

fn depth(value: &Value) -> u64 {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn blanks() -> impl Strategy<Value = String> {
    "[ \t\r\n]{0,3}"
}

/// JSON as somebody may have written it, with odd blanks and spellings.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
        "\"([a-z \\[\\]{}:,é部]|\\\\[\"\\\\/bfnrt]|\\\\u00[0-9a-f]{2}){0,12}\"",
    ];
    leaf.prop_recursive(6, 48, 4, |inner| {
        let list = (vec(inner.clone(), 0..4), blanks());
        let field = (0..100u8, blanks(), inner);
        prop_oneof![
            list.prop_map(|(list, blank)| format!("[{blank}{}]", list.join(&format!(",{blank}")))),
            vec(field, 0..4).prop_map(|fields| {
                let fields = fields.iter().enumerate().map(|(i, (k, b, v))| format!("\"{k}_{i}\"{b}:{v}{b}"));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}
