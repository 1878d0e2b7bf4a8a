//! Nothing that a server or a peer says can make a machine panic, grow without bound, or leave it without a next step.
#![allow(clippy::unwrap_used)]

mod support;

use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use support::line::Driver;
use support::town::{ALICE, BOB, Town};
use wigwag_peer::calls::Input as CallsInput;
use wigwag_peer::heard::SignalHeard;
use wigwag_peer::{Input, State};
use wigwag_testkit::spec::vectors;

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_line_survives_whatever_its_server_says(frames in prop::collection::vec(frame(), 1..20), cut in 0..20usize) {
        let mut peer = Driver::of(&["wss://a.test/v1", "wss://b.test/v1"]);
        for (at, frame) in frames.into_iter().enumerate() {
            if at == cut {
                peer.welcome(json!({}));
                peer.ask(at as u64, json!({"type": "find", "id": "x"}), true);
            }
            peer.tell(Input::Text { socket: peer.socket, text: frame });
            let rests = matches!(peer.line.status().state, State::Idle | State::Stopped);
            let due = peer.line.next_deadline();
            prop_assert_eq!(due.is_none(), rests, "it waits for something, or was told to stop");
            prop_assert!(due.is_none_or(|due| due.0 > peer.now));
            if rests {
                peer.tell(Input::Open);
            }
        }
    }

    #[test]
    fn calls_survive_whatever_comes_as_a_signal(kinds in prop::collection::vec((0..5usize, content()), 1..20)) {
        let mut town = Town::new(false);
        town.connect(ALICE, town.wish(ALICE));
        town.deliver();
        let own = town.post.front().map(|letter| letter.data.clone()).unwrap_or_default();
        let from = town.peers[BOB].id.as_str().to_owned();
        for (kind, content) in kinds {
            let kind = ["ww.hail", "ww.heed", "ww.decline", "ww.sealed", "ww.other"][kind];
            for data in [content.to_string(), mixed(&own, &content)] {
                let (from, kind, device) = (from.clone(), kind.to_owned(), town.peers[BOB].device.clone());
                let data = RawValue::from_string(data).unwrap();
                let heard = SignalHeard { from, device, kind, polite: false, stored: None, data };
                town.tell(ALICE, CallsInput::Heard(heard));
            }
        }
        town.sleep(100);
        prop_assert!(town.state(ALICE).is_some(), "its own call goes on");
    }
}

/// Something of the server's words, whole or broken.
fn frame() -> impl Strategy<Value = String> {
    let all: Value = vectors("events.json");
    let known: Vec<Value> =
        all["cases"].as_array().unwrap().iter().filter_map(|case| case.get("frame")).cloned().collect();
    let whole = prop::sample::select(known);
    let changed = (whole.clone(), field(), content()).prop_map(|(mut frame, field, content)| {
        frame[field] = content;
        frame.to_string()
    });
    prop_oneof![
        whole.prop_map(|frame| frame.to_string()),
        changed,
        content().prop_map(|content| content.to_string()),
        ".{0,40}",
    ]
}

fn field() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "type",
        "re",
        "n",
        "missed",
        "resumed",
        "resume",
        "code",
        "retry_after",
        "versions",
        "server",
        "nonce",
        "limits",
    ])
}

fn content() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["welcome", "challenge", "error", "AAECAwQFBgcICQoLDA0ODw", "a.test"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(
                prop::sample::select(vec!["v", "call", "key", "share", "i", "box", "meta"]),
                inner,
                0..5
            )
            .prop_map(|fields| json!(fields)),
        ]
    })
}

/// A good message with something else in one of its fields.
fn mixed(good: &str, other: &Value) -> String {
    let mut fields: Value = serde_json::from_str(good).unwrap_or_else(|_| json!({}));
    for (name, value) in other.as_object().into_iter().flatten() {
        fields[name.as_str()] = value.clone();
    }
    fields.to_string()
}
