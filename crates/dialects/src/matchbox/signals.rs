//! Signals between matchbox and everybody else. matchbox wraps an SDP text as `{"Offer":…}` or `{"Answer":…}`, and a candidate as a
//! text that holds JSON; others write what a browser's own objects turn into.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wigwag_wire::raw::depth_within;

use crate::json::read;

/// Most candidates of one signal: each becomes a frame.
const CANDIDATES_MAX: usize = 64;

/// Deepest candidate that is taken out of its text, where nobody has looked how deep it is.
const CANDIDATE_DEPTH: u64 = 4;

/// The content of a signal, as matchbox has it.
#[derive(Serialize, Deserialize)]
enum Data<'a> {
    #[serde(borrow)]
    Offer(&'a RawValue),
    #[serde(borrow)]
    Answer(&'a RawValue),
    #[serde(borrow)]
    IceCandidate(&'a RawValue),
}

#[derive(Deserialize)]
struct Description<'a> {
    #[serde(borrow)]
    sdp: &'a RawValue,
}

/// Kind and content of a signal for those who speak otherwise.
pub(super) fn outward(data: &RawValue) -> (&'static str, Cow<'_, RawValue>) {
    let Some(known) = read::<Data<'_>>(data.get()) else { return ("signal", Cow::Borrowed(data)) };
    let (kind, inner) = match known {
        Data::Offer(sdp) => ("offer", sdp),
        Data::Answer(sdp) => ("answer", sdp),
        Data::IceCandidate(text) => ("candidate", text),
    };
    let unwrapped = match (kind, is_text(inner)) {
        (_, false) => None,
        ("candidate", true) => candidate_in(inner),
        (kind, true) => RawValue::from_string(format!("{{\"type\":\"{kind}\",\"sdp\":{}}}", inner.get())).ok(),
    };
    (kind, unwrapped.map_or(Cow::Borrowed(inner), Cow::Owned))
}

/// The candidate that a text holds.
fn candidate_in(text: &RawValue) -> Option<Box<RawValue>> {
    let candidate = RawValue::from_string(serde_json::from_str(text.get()).ok()?).ok()?;
    depth_within(candidate.get(), CANDIDATE_DEPTH).then_some(candidate)
}

/// What a signal of another protocol is for matchbox: nothing, where it has no such notion.
pub(super) fn inward(kind: &str, data: &RawValue) -> Vec<Box<RawValue>> {
    match kind {
        "offer" => sdp(data).and_then(|sdp| raw(&Data::Offer(sdp))).into_iter().collect(),
        "answer" => sdp(data).and_then(|sdp| raw(&Data::Answer(sdp))).into_iter().collect(),
        "candidate" => {
            let many = serde_json::from_str::<Vec<&RawValue>>(data.get()).unwrap_or_else(|_| vec![data]);
            many.into_iter().take(CANDIDATES_MAX).filter_map(candidate).collect()
        }
        "signal" => vec![data.to_owned()],
        _ => Vec::new(),
    }
}

/// The SDP, alone or in a description.
fn sdp(data: &RawValue) -> Option<&RawValue> {
    let sdp = if is_text(data) { data } else { read::<Description<'_>>(data.get())?.sdp };
    is_text(sdp).then_some(sdp)
}

/// A candidate as a text that holds JSON, which it may be already; `null` says that there are no more.
fn candidate(data: &RawValue) -> Option<Box<RawValue>> {
    if is_text(data) {
        return raw(&Data::IceCandidate(data));
    }
    if !data.get().starts_with(['{', 'n']) {
        return None;
    }
    let text = RawValue::from_string(serde_json::to_string(data.get()).ok()?).ok()?;
    raw(&Data::IceCandidate(&text))
}

fn raw(data: &Data<'_>) -> Option<Box<RawValue>> {
    serde_json::value::to_raw_value(data).ok()
}

fn is_text(raw: &RawValue) -> bool {
    raw.get().starts_with('"')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn json(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn others_get_what_a_browser_takes() {
        for (data, kind, content) in [
            (r#"{"Offer":"v=0\r\n\u00fc"}"#, "offer", r#"{"type":"offer","sdp":"v=0\r\n\u00fc"}"#),
            (r#"{"Answer":"v=0"}"#, "answer", r#"{"type":"answer","sdp":"v=0"}"#),
            (r#"{"IceCandidate":"{\"candidate\":\"c\", \"n\":1.0}"}"#, "candidate", r#"{"candidate":"c", "n":1.0}"#),
            (r#"{"IceCandidate":"null"}"#, "candidate", "null"),
            (r#"{"IceCandidate":"no JSON"}"#, "candidate", r#""no JSON""#),
            (r#"{"IceCandidate":"[[[[[]]]]]"}"#, "candidate", r#""[[[[[]]]]]""#),
            (r#"{"Offer":7}"#, "offer", "7"),
            (r#"{"Offer":"","Answer":""}"#, "signal", r#"{"Offer":"","Answer":""}"#),
            (r#""123""#, "signal", r#""123""#),
            ("null", "signal", "null"),
        ] {
            let data = json(data);
            let (told, content_told) = outward(&data);
            assert_eq!((told, content_told.get()), (kind, content), "{data}");
        }
    }

    #[test]
    fn matchbox_gets_what_it_takes() {
        for (kind, data, told) in [
            ("offer", r#"{"type":"offer","sdp":"v=0\u00fc"}"#, &[r#"{"Offer":"v=0\u00fc"}"#][..]),
            ("offer", r#""v=0""#, &[r#"{"Offer":"v=0"}"#]),
            ("answer", r#"{"sdp":"v=0"}"#, &[r#"{"Answer":"v=0"}"#]),
            ("offer", r#"{"sdp":7}"#, &[]),
            ("offer", "[]", &[]),
            ("candidate", r#"{"candidate":"c", "n":1.0}"#, &[r#"{"IceCandidate":"{\"candidate\":\"c\", \"n\":1.0}"}"#]),
            ("candidate", r#""{}""#, &[r#"{"IceCandidate":"{}"}"#]),
            ("candidate", "null", &[r#"{"IceCandidate":"null"}"#]),
            ("candidate", "[{},7,[],true,null]", &[r#"{"IceCandidate":"{}"}"#, r#"{"IceCandidate":"null"}"#]),
            ("signal", "[7]", &["[7]"]),
            ("bye", "{}", &[]),
        ] {
            let inward = inward(kind, &json(data));
            assert_eq!(inward.iter().map(|data| data.get()).collect::<Vec<_>>(), told, "{kind} {data}");
        }
        let many = format!("[{}{{}}]", "{},".repeat(10_000));
        assert_eq!(inward("candidate", &json(&many)).len(), CANDIDATES_MAX);
    }
}
