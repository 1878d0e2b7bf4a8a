//! The vectors of names, keys, codes and requests.
#![allow(clippy::unwrap_used)]

mod common;

use serde_json::{Value, json};
use wigwag_testkit::spec::{frame_text, vectors};
use wigwag_testkit::{TestKey, spec};
use wigwag_wire::code::{Class, Closes, Fault};
use wigwag_wire::id::{IdError, IdForm};
use wigwag_wire::{
    Code, Device, Kind, Limits, Namespace, PeerId, PublicKey, Request, RoomCode, RoomName, Topic, request,
};

type Check = fn(&str) -> Result<(), IdError>;

#[test]
fn names_keep_their_rules() {
    let all: Value = vectors("ids.json");
    let checks: [(&str, Check); 6] = [
        ("ids", PeerId::check),
        ("namespaces", Namespace::check),
        ("devices", Device::check),
        ("kinds", Kind::check),
        ("rooms", RoomName::check),
        ("topics", Topic::check),
    ];
    for (name, check) in checks {
        for case in list(&all[name]["valid"]) {
            assert_eq!(check(text(case, "text")), Ok(()), "{name}: {case}");
        }
        for case in list(&all[name]["invalid"]) {
            assert!(check(text(case, "text")).is_err(), "{name}: {case}");
        }
    }
}

#[test]
fn every_id_has_its_form() {
    for case in list(&vectors::<Value>("ids.json")["ids"]["valid"]) {
        let form = match PeerId::new(text(case, "text")).unwrap().form() {
            IdForm::Key => "key",
            IdForm::Name => "name",
            IdForm::Guest => "guest",
            IdForm::Foreign => "foreign",
        };
        assert_eq!(form, text(case, "form"), "{case}");
    }
}

#[test]
fn a_key_has_one_text_and_one_id() {
    let all: Value = vectors("keys.json");
    for case in list(&all["valid"]) {
        let key = PublicKey::parse(text(case, "key")).unwrap();
        assert_eq!(key.to_string(), text(case, "key"));
        assert_eq!(key.id().as_str(), text(case, "id"));
        assert_eq!(key.id().form(), IdForm::Key);
        if key.kind() == "ed25519" {
            assert_eq!(TestKey::new(case["test_key"].as_u64().unwrap()).public(), key);
        }
    }
    for case in list(&all["invalid"]) {
        assert!(PublicKey::parse(text(case, "text")).is_err(), "{case}");
    }
}

#[test]
fn a_typed_join_code_means_one_code_or_none() {
    for case in list(&vectors::<Value>("room_codes.json")["cases"]) {
        let code = RoomCode::parse(text(case, "typed"));
        assert_eq!(code.as_ref().map(RoomCode::as_str), case["code"].as_str(), "{case}");
    }
}

#[test]
fn the_table_of_codes_is_the_one_of_the_code() {
    let told: Vec<Value> = Code::ALL.iter().map(|code| described(*code)).collect();
    assert_eq!(vectors::<Value>("codes.json")["codes"], Value::from(told));
    let page = spec::table_after(&spec::page("codes.md"), "<!-- generated: codes -->");
    assert_eq!(page.len(), Code::ALL.len());
    for (row, code) in page.iter().zip(Code::ALL) {
        let told = described(*code);
        let cells = ["name", "fault", "closes", "meaning", "advice"].map(|cell| told[cell].as_str().unwrap());
        assert_eq!(row[0], code.number().to_string());
        assert_eq!(row[1..], cells);
    }
}

#[test]
fn every_good_frame_is_read_as_it_is_meant() {
    let limits = Limits::default();
    let mut seen = vec![false; request::TYPES.len()];
    for case in list(&vectors::<Value>("requests_valid.json")["cases"]) {
        let frame = frame_text(case);
        let (heading, request) = Request::parse(&frame, &limits).unwrap_or_else(|why| panic!("{case}: {why:?}"));
        assert_eq!(heading.n, case["n"].as_u64(), "{case}");
        if request.name() != "seen" {
            assert_eq!(heading.seen, case["seen"].as_u64(), "{case}");
        }
        assert_eq!(request.name(), text(case, "type"), "{case}");
        assert_eq!(common::reads(&request), case["reads"], "{case}");
        seen[request.index() as usize] = true;
    }
    let unseen: Vec<_> = request::TYPES.iter().zip(seen).filter(|(_, seen)| !seen).map(|(name, _)| name).collect();
    assert!(unseen.is_empty(), "no vector of {unseen:?}");
}

#[test]
fn every_bad_frame_gets_its_code_and_a_text_that_names_the_fault() {
    for case in list(&vectors::<Value>("requests_invalid.json")["cases"]) {
        let mut limits = Limits::default();
        for (key, value) in case["limits"].as_object().into_iter().flatten() {
            assert!(limits.set(key, value.as_u64().unwrap()));
        }
        let frame = frame_text(case);
        let unread = Request::parse(&frame, &limits).map(|_| ()).expect_err(&case.to_string());
        assert_eq!(u64::from(unread.refusal.code.number()), case["code"].as_u64().unwrap(), "{case}: {unread:?}");
        assert_eq!(unread.re, case["re"].as_u64(), "{case}: {unread:?}");
        let named = case["names"].as_str().unwrap_or_default();
        assert!(unread.refusal.message.contains(named), "{case}: {unread:?}");
    }
}

fn described(code: Code) -> Value {
    let class = match code.class() {
        Class::ComeBack => "come back",
        Class::Wait => "wait",
        Class::Prove => "prove",
        Class::Stop => "stop",
        Class::Mend => "mend",
        Class::Server => "server",
    };
    let fault = match code.fault() {
        Fault::Peer => "peer",
        Fault::Other => "other",
        Fault::Server => "server",
        Fault::Nobody => "nobody",
    };
    let closes = match code.closes() {
        Closes::Yes => "yes",
        Closes::No => "no",
        Closes::Hello => "hello",
    };
    json!({"code": code.number(), "name": code.name(), "class": class, "fault": fault, "closes": closes,
        "meaning": code.meaning(), "advice": code.advice()})
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).filter(|list| !list.is_empty()).unwrap()
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap()
}
