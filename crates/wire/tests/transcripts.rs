//! The transcripts speak the words of the protocol, all of them.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use serde_json::Value;
use wigwag_testkit::spec::transcripts;
use wigwag_wire::{Code, event, request};

#[test]
fn every_message_is_said_in_some_transcript() {
    let (mut asked, mut told) = (BTreeSet::new(), BTreeSet::new());
    for (name, transcript) in transcripts() {
        assert!(!transcript.about.is_empty(), "{name} does not say what it shows");
        asked.extend(transcript.frames_from_peers().map(kind));
        told.extend(transcript.frames_to_peers().map(kind));
    }
    let unasked: Vec<_> = request::TYPES.iter().filter(|name| !asked.contains(**name)).collect();
    let untold: Vec<_> = event::TYPES.iter().filter(|name| !told.contains(**name)).collect();
    assert!(unasked.is_empty() && untold.is_empty(), "nobody says {unasked:?} {untold:?}");
    let unknown: Vec<_> = told.iter().filter(|name| !event::TYPES.contains(&name.as_str())).collect();
    assert!(unknown.is_empty(), "no server says {unknown:?}");
}

#[test]
fn every_refusal_in_a_transcript_bears_its_own_name() {
    for (name, transcript) in transcripts() {
        for frame in transcript.frames_to_peers().filter(|frame| frame["type"] == "error") {
            let number = frame["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap();
            let code = Code::from_number(number).unwrap_or_else(|| panic!("{name}: no code {number}"));
            assert_eq!(frame["name"], code.name(), "{name}");
        }
    }
}

fn kind(frame: &Value) -> String {
    frame["type"].as_str().unwrap().to_owned()
}
