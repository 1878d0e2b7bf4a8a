//! The vectors of offer and answer codes, which the browser's SDK reads as well.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use wigwag_discovery::code::{Code, Kind, Tag};
use wigwag_testkit::spec::vectors;

#[test]
fn a_code_gives_back_what_matters_of_its_description() {
    for case in cases("join_codes_valid.json") {
        let code = Code::read(text(&case, "code")).unwrap_or_else(|why| panic!("{}: {why}", case["why"]));
        assert_eq!(code.tag(), Tag(number(&case["tag"])), "{}", case["why"]);
        assert_eq!(code.kind(), kind(&case), "{}", case["why"]);
        assert_eq!(code.as_str(), text(&case, "code"));
        match case["rebuilt_bytes"].as_u64() {
            Some(bytes) => assert_eq!(code.sdp().len() as u64, bytes),
            None => assert_eq!(code.sdp(), lines(&case["rebuilt"]), "{}", case["why"]),
        }
    }
}

#[test]
fn a_description_becomes_the_code_that_every_writer_makes() {
    for case in cases("join_codes_valid.json").into_iter().filter(|case| !case["sdp"].is_null()) {
        let code = write(&case, kind(&case)).unwrap();
        if case["full"] == true {
            assert!(code.description().is_none());
            assert_eq!(Code::read(code.as_str()).unwrap().sdp(), lines(&case["rebuilt"]), "{}", case["why"]);
        } else {
            assert_eq!(code.as_str(), text(&case, "code"), "{}", case["why"]);
        }
    }
}

#[test]
fn a_code_is_read_however_it_was_carried() {
    let all: Value = vectors("join_codes_typed.json");
    for case in all["cases"].as_array().unwrap() {
        let code = Code::read(text(case, "text")).unwrap_or_else(|why| panic!("{}: {why}", case["why"]));
        assert_eq!(code.as_str(), all["code"].as_str().unwrap(), "{}", case["why"]);
    }
}

#[test]
fn what_is_not_the_code_that_is_wanted_is_refused_with_a_reason() {
    for case in cases("join_codes_invalid.json") {
        let pasted = text(&case, "text");
        let read = match case["type"].as_str() {
            Some("offer") => Code::read_offer(pasted),
            Some(_) => Code::read_answer(pasted, Tag(number(&case["answers"]))),
            None => Code::read(pasted),
        };
        assert_eq!(read.unwrap_err().name(), text(&case, "error"), "{}", case["why"]);
    }
}

#[test]
fn each_description_gets_the_body_that_can_hold_it() {
    for case in cases("join_codes_descriptions.json") {
        let kind = if case["type"] == "answer" { Kind::Answer(Tag(7)) } else { Kind::Offer };
        let code = match write(&case, kind) {
            Ok(code) => code,
            Err(why) => {
                assert_eq!(why.name(), text(&case, "error"), "{}", case["why"]);
                continue;
            }
        };
        let body = if code.description().is_some() { "short" } else { "full" };
        assert_eq!(body, text(&case, "body"), "{}", case["why"]);
        assert!(case["code"].is_null() || code.as_str() == text(&case, "code"), "{}", case["why"]);
        // The checksum of a full body depends on the compressor, and does not stand in what is rebuilt.
        assert_eq!(code.sdp(), lines(&case["rebuilt"]), "{}", case["why"]);
        assert_eq!(Code::read(code.as_str()).unwrap(), code, "{}", case["why"]);
    }
}

#[test]
fn a_data_channel_needs_less_than_four_hundred_characters() {
    for case in cases("join_codes_valid.json").into_iter().filter(|case| case["full"] != true) {
        let length = text(&case, "code").len();
        assert!(length < 250, "{}: {length}", case["why"]);
    }
}

fn cases(name: &str) -> Vec<Value> {
    vectors::<Value>(name)["cases"].as_array().unwrap().clone()
}

fn kind(case: &Value) -> Kind {
    if case["type"] == "answer" { Kind::Answer(Tag(number(&case["answers"]))) } else { Kind::Offer }
}

fn write(case: &Value, kind: Kind) -> Result<Code, wigwag_discovery::code::WriteError> {
    let sdp = lines(&case["sdp"]);
    match kind {
        Kind::Offer => Code::offer(&sdp),
        Kind::Answer(offer) => Code::answer(&sdp, offer),
    }
}

fn lines(list: &Value) -> String {
    list.as_array().unwrap().iter().map(|line| format!("{}\r\n", line.as_str().unwrap())).collect()
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap_or_else(|| panic!("no {field} in {case}"))
}

fn number(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap()).unwrap()
}
