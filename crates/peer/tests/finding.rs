//! The finding race, records and proofs over open channels, by the vectors that browsers read.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wigwag_peer::finding::{
    ChannelSide, Order, PeerRecord, Race, RaceInput, RaceOutput, Runner, Wanted, fingerprints, furthest, guest_id,
    proof_statement,
};
use wigwag_peer::{Identity, Moment, Signer};
use wigwag_testkit::spec::{page, vectors};
use wigwag_wire::{Device, Namespace, PeerId};

#[test]
fn a_search_goes_as_every_vector_says() {
    let all: Value = vectors("finding.json");
    for case in all["cases"].as_array().unwrap() {
        let why = &case["why"];
        let finder = |finder: &Value| Runner { name: text(&finder["name"]), ms: finder["ms"].as_u64() };
        let finders = case["finders"].as_array().unwrap().iter().map(finder).collect();
        let order = if case["order"] == "ladder" { Order::Ladder } else { Order::Race };
        let mut race = Race::new(finders, order, case["deadline"].as_u64().unwrap());
        for step in case["steps"].as_array().unwrap() {
            let mut out = Vec::new();
            race.handle(Moment(step["at"].as_u64().unwrap()), input(&step["input"]), &mut out);
            let out: Vec<Value> = out.iter().map(output).collect();
            assert_eq!(json!(out), step["outputs"], "{why} at {}", step["at"]);
            assert_eq!(json!(race.next_deadline().map(|due| due.0)), step["next"], "{why} at {}", step["at"]);
        }
    }
}

#[test]
fn the_reason_of_a_search_is_that_of_the_finder_that_came_furthest() {
    let tried = |reasons: &[&str]| -> Vec<(String, String)> {
        reasons.iter().enumerate().map(|(at, reason)| (at.to_string(), (*reason).to_owned())).collect()
    };
    for (reasons, furthest_of) in [
        (&["not_found", "timeout", "absent"][..], Some("timeout")),
        (&["broken", "not_asked"], Some("not_asked")),
        (&["refused", "key_mismatch"], Some("key_mismatch")),
        (&[], None),
    ] {
        assert_eq!(furthest(&tried(reasons)), furthest_of);
    }
}

#[test]
fn records_are_good_or_not_as_every_vector_says() {
    #[derive(serde::Deserialize)]
    struct Vectors {
        cases: Vec<Case>,
    }
    #[derive(serde::Deserialize)]
    struct Case {
        why: String,
        record: Box<RawValue>,
        #[serde(default)]
        namespace: String,
        id: String,
        now: u64,
        good: bool,
    }
    let Vectors { cases } = serde_json::from_str(&page("vectors/records.json")).unwrap();
    for Case { why, record, namespace, id, now, good } in cases {
        let wanted = Wanted { namespace: &namespace, id: &id, now };
        let is_good = PeerRecord::read(record.get()).is_some_and(|record| record.is_good(&wanted).is_some());
        assert_eq!(is_good, good, "{why}");
    }
    for nothing in ["", "null", "7", "[]", "{}", r#"[1,null,"a",null,"b",1,2,null,"c"]"#] {
        assert!(PeerRecord::read(nothing).is_none(), "{nothing}");
    }
}

#[test]
fn a_record_is_written_as_browsers_write_it() {
    let all: Value = vectors("records.json");
    let whole = &all["cases"][0]["record"];
    let place = r#"{"servers": ["wss://wigwag.example.org/v1"], "port": 1.50}"#;
    let place = RawValue::from_string(place.into()).unwrap();
    let (namespace, device) = (Namespace::new("chess").unwrap(), Device::new("laptop").unwrap());
    let id = PeerId::new(&text(&whole["id"])).unwrap();
    let times = (whole["made"].as_u64().unwrap(), whole["until"].as_u64().unwrap());
    let who = (&namespace, &id, &device);
    let record = PeerRecord::new(&test_key(1), who, times, Some(&place)).unwrap();
    assert_eq!(serde_json::to_value(&record).unwrap(), *whole);
}

#[test]
fn keys_are_proved_over_a_channel_as_every_vector_says() {
    let all: Value = vectors("channel_proofs.json");
    for case in all["cases"].as_array().unwrap() {
        let why = &case["why"];
        let lines = |side: &str| {
            let lines: Vec<String> = case[side].as_array().unwrap().iter().map(text).collect();
            fingerprints(&format!("v=0\r\n{}\r\n", lines.join("\r\n")))
        };
        let [offerer, acceptor] = [lines("offerer"), lines("acceptor")];
        assert_eq!(json!([offerer, acceptor]), case["fingerprints"], "{why}");
        let prints = [offerer.as_str(), acceptor.as_str()];
        assert_eq!(guest_id(prints), text(&case["guest"]), "{why}");
        let side = if case["offers"] == true { ChannelSide::Offerer } else { ChannelSide::Acceptor };
        let (namespace, id) = (text(&case["namespace"]), text(&case["id"]));
        let key = test_key(case["test_key"].as_u64().unwrap());
        let statement = proof_statement(side, &namespace, &id, &key.key().to_string(), prints);
        assert_eq!(statement, text(&case["statement"]), "{why}");
        assert_eq!(key.sign(statement.as_bytes()), text(&case["signature"]), "{why}");
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn test_key(n: u64) -> Identity {
    Identity::ed25519(&Sha256::digest(format!("wigwag test key {n}")).into())
}

fn input(input: &Value) -> RaceInput {
    let finder = text(&input["finder"]);
    match text(&input["type"]).as_str() {
        "start" => RaceInput::Start,
        "won" => RaceInput::Won(finder),
        "lost" => RaceInput::Lost { finder, reason: text(&input["reason"]) },
        "tick" => RaceInput::Tick,
        "abort" => RaceInput::Abort,
        other => panic!("there is no input {other}"),
    }
}

fn output(output: &RaceOutput) -> Value {
    match output {
        RaceOutput::Begin { finder, ms } => json!({"type": "begin", "finder": finder, "ms": ms}),
        RaceOutput::Cancel(finder) => json!({"type": "cancel", "finder": finder}),
        RaceOutput::Won(finder) => json!({"type": "won", "finder": finder}),
        RaceOutput::Lost(tried) => {
            let tried = tried.iter().map(|(finder, reason)| json!({"finder": finder, "reason": reason}));
            json!({"type": "lost", "tried": tried.collect::<Vec<_>>()})
        }
    }
}
