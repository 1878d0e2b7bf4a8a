#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;

use serde_json::json;

use super::*;

#[test]
fn a_transcript_holds_where_every_frame_and_close_is_expected() {
    let steps = json!([
        {"open": "a"},
        {"to": "a", "frame": {"type": "hi", "name": "$name"}},
        {"from": "a", "frame": {"seen": "$name"}},
        {"to": "a", "frame": {"type": "done", "...": "*"}},
        {"closed": "a", "code": 1000},
    ]);
    let frames = vec![json!({"type": "hi", "name": "n"}), json!({"type": "done", "more": 1})];
    let mut world = Canned::new(frames.clone(), Some(1000));
    assert_eq!(play(&steps, &mut world), Ok(()));
    assert_eq!(world.heard, [Frame::Text(r#"{"seen":"n"}"#.into())]);

    for (frames, code) in [
        (frames[..1].to_vec(), Some(1000)),
        (frames.clone(), Some(4000)),
        (frames.clone(), None),
        ([frames.clone(), vec![json!({"type": "done"})]].concat(), Some(1000)),
        (vec![frames[0].clone(), json!({"type": "other"})], Some(1000)),
    ] {
        assert!(play(&steps, &mut Canned::new(frames, code)).is_err());
    }
}

#[test]
fn what_nobody_expected_fails_at_the_end() {
    let steps = json!([{"open": "a"}]);
    assert_eq!(play(&steps, &mut Canned::new(vec![], None)), Ok(()));
    assert!(play(&steps, &mut Canned::new(vec![json!({})], None)).is_err());
    assert!(play(&steps, &mut Canned::new(vec![], Some(4000))).is_err());
}

#[test]
fn a_misstep_tells_the_step_and_what_came() {
    let steps = json!([{"open": "a"}, {"to": "a", "frame": {"x": "{room}"}}]);
    let Err(Stopped::Broken(misstep)) = play(&steps, &mut Canned::new(vec![json!({"x": 2})], None)) else { panic!() };
    assert_eq!(misstep.step, Some(2));
    assert!(misstep.expected.contains("conform-"), "{misstep:?}");
    assert!(misstep.came.starts_with(r#"at "/x": 2 where"#), "{misstep:?}");
}

#[test]
fn what_a_world_cannot_show_is_no_fault_of_the_server() {
    let steps = json!([{"open": "a"}, {"pong": "a"}]);
    assert_eq!(play(&steps, &mut Canned::new(vec![], None)), Err(Stopped::Unable("no pings".into())));
}

#[test]
fn spelling_is_compared_only_where_it_is_asked_for() {
    let came = vec![json!({"b": 1.0, "a": "x"})];
    for (step, holds) in [
        (json!({"to": "a", "frame": {"b": 1, "a": "x"}}), true),
        (json!({"to": "a", "frame": "*", "raw": {"/b": "1.0"}, "keys": ["a", "b"]}), true),
        (json!({"to": "a", "frame": "*", "raw": {"/b": "1"}}), false),
        (json!({"to": "a", "frame": "*", "keys": ["b", "a"]}), false),
        (json!({"to": "a", "text": "{\"a\":\"x\",\"b\":1.0}"}), true),
        (json!({"to": "a", "text": "{\"a\":\"x\", \"b\":1.0}"}), false),
    ] {
        let steps = json!([{"open": "a"}, step]);
        assert_eq!(play(&steps, &mut Canned::new(came.clone(), None)).is_ok(), holds, "{steps}");
    }
}

#[test]
fn the_one_of_several_that_got_the_frame_has_a_name_afterwards() {
    let steps = json!([
        {"open": "a"},
        {"open": "b"},
        {"to_one_of": ["a", "b"], "frame": {"n": 1}, "as": "one", "other": "two"},
        {"to": "one", "frame": {"n": 2}},
        {"closed": "two", "code": 1000},
        {"closed": "one"},
    ]);
    assert_eq!(play(&steps, &mut Canned::new(vec![json!({"n": 1}), json!({"n": 2})], Some(1000))), Ok(()));
}

#[test]
fn a_frame_that_is_not_text_is_not_what_was_expected() {
    let steps = json!([{"open": "a"}, {"to": "a", "frame": "*"}]);
    let mut world = Canned::new(vec![], None);
    world.frames.push_back(Frame::Binary(b"{}".to_vec()));
    assert!(play(&steps, &mut world).is_err());
}

#[test]
fn binary_frames_carry_text_or_any_bytes() {
    let steps = json!([
        {"open": "a"},
        {"from": "a", "frame": {"x": 1}, "binary": true},
        {"from": "a", "text": "{", "binary": true},
        {"from": "a", "hex": "ff00"},
    ]);
    let mut world = Canned::new(vec![], None);
    assert_eq!(play(&steps, &mut world), Ok(()));
    let sent: Vec<Frame> = [&b"{\"x\":1}"[..], b"{", &[255, 0]].map(|bytes| Frame::Binary(bytes.to_vec())).into();
    assert_eq!(world.heard, sent);
}

#[test]
fn an_answer_is_compared_by_status_headers_and_body() {
    let ask = |rest: Value| {
        let mut step = json!({"http": "GET x/{room}", "status": 200});
        step.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        play(&json!([step]), &mut Canned::new(vec![], None))
    };
    assert_eq!(ask(json!({"has": {"kind": "json"}, "json": {"path": "*:text"}, "text": "$body"})), Ok(()));
    for wrong in [json!({"status": 404}), json!({"has": {"kind": "x"}}), json!({"json": []}), json!({"text": "x"})] {
        assert!(ask(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn fresh_values_differ_and_fit_their_kind() {
    let mut dice = dice();
    let words: Vec<String> = (0..9).map(|_| fresh(Fresh::Word, &mut dice)).collect();
    assert!(words.iter().all(|word| word.len() == 20 && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')));
    assert!(words.windows(2).all(|pair| pair[0] != pair[1]));
    assert!(fresh(Fresh::Letters8, &mut dice).bytes().filter(u8::is_ascii_alphanumeric).count() == 8);
    let hash = fresh(Fresh::Bytes20, &mut dice);
    assert!(hash.chars().count() == 20 && hash.chars().all(|c| u32::from(c) < 256) && !hash.is_ascii());
}

#[test]
fn texts_are_written_so_that_their_place_can_hold_them() {
    assert_eq!(escape("a\"\u{1}ü"), "a\\\"\\u0001ü");
    assert_eq!(percent("a-b/ü"), "a-b%2F%C3%BC");
}

fn play(steps: &Value, world: &mut Canned) -> Result<(), Stopped> {
    let whole = json!({"about": "", "fresh": {"room": "word"}, "steps": steps});
    let transcript: Transcript = serde_json::from_str(&whole.to_string()).unwrap_or_else(|why| panic!("{why}"));
    transcript.play(world, Bindings::default(), &mut dice())
}

fn dice() -> impl FnMut() -> u64 {
    let mut state = 1u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state ^ (state >> 33)
    }
}

/// A server that says what it was told to say.
struct Canned {
    frames: VecDeque<Frame>,
    code: Option<u16>,
    heard: Vec<Frame>,
}

impl Canned {
    fn new(frames: Vec<Value>, code: Option<u16>) -> Self {
        let frames = frames.into_iter().map(|frame| Frame::Text(frame.to_string())).collect();
        Self { frames, code, heard: Vec::new() }
    }
}

impl World for Canned {
    fn open(&mut self, _: &str, _: &str) -> Result<Opened, Fault> {
        Ok(Opened::Yes)
    }
    fn send(&mut self, _: &str, frame: Frame) {
        self.heard.push(frame);
    }
    fn next(&mut self, _: &[&str], _: Patience) -> Option<(usize, Frame)> {
        Some((0, self.frames.pop_front()?))
    }
    fn closed(&mut self, _: &str, _: Patience) -> Option<u16> {
        self.code
    }
    fn pong(&mut self, _: &str) -> Result<bool, Unable> {
        Err(Unable("no pings".into()))
    }
    fn lose(&mut self, _: &str) {}
    fn close(&mut self, _: &str) {}
    fn wait(&mut self, _: u64) {}
    fn restart(&mut self) -> Result<(), Unable> {
        Ok(())
    }
    fn request(&mut self, request: &Request) -> Result<Answer, Fault> {
        let body = json!({"path": request.path}).to_string();
        Ok(Answer { status: 200, headers: BTreeMap::from([("kind".into(), "json".into())]), body })
    }
    fn prove(&mut self, _: &str, _: &str, _: Value) -> Result<Value, Unable> {
        Err(Unable("no keys".into()))
    }
}
