//! What a line promises, beyond what the transcripts show: order, numbers, patience, servers.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use support::line::{Driver, body, sent};
use wigwag_peer::{
    AskId, Asked, Config, GivenUp, Hello, Input, Line, Moment, NoServer, Output, Server, State, Status, Times,
};
use wigwag_testkit::TestKey;
use wigwag_wire::Device;
use wigwag_wire::signature::{HelloStatement, verify};

const TWO: [&str; 2] = ["wss://a.test/v1", "wss://b.test/v1"];

#[test]
fn requests_wait_for_the_first_socket_and_go_out_in_order() {
    let mut peer = Driver::one();
    peer.ask(1, json!({"type": "watch", "ids": ["x"]}), true);
    peer.ask(2, json!({"type": "find", "id": "x"}), true);
    peer.welcome(json!({}));
    let sent = peer.sent();
    assert_eq!(sent, [json!({"type": "watch", "ids": ["x"], "n": 1}), json!({"type": "find", "id": "x", "n": 2})]);
}

#[test]
fn what_the_server_did_not_take_in_is_sent_again_with_its_number_and_before_what_is_new() {
    let mut peer = Driver::one();
    peer.welcome(json!({}));
    for (id, to) in [(1, "x"), (2, "y")] {
        peer.ask(id, signal(to), false);
    }
    peer.sent();
    peer.lose();
    peer.ask(3, signal("z"), false);
    peer.welcome(json!({"resumed": true, "n": 1}));
    let sent: Vec<Value> = peer.sent().iter().map(|frame| json!([frame["to"], frame["n"]])).collect();
    assert_eq!(sent, [json!(["y", 2]), json!(["z", 3])]);
    for re in [1, 2] {
        peer.hear(json!({"type": "ack", "re": re, "status": "delivered"}));
    }
    assert_eq!(peer.answers(), [1, 2]);
}

#[test]
fn a_lost_session_gives_up_what_may_have_been_carried_out_and_asks_the_rest_again() {
    let mut peer = Driver::one();
    peer.welcome(json!({}));
    peer.ask(1, signal("x"), false);
    peer.ask(2, json!({"type": "find", "id": "x"}), true);
    peer.sent();
    peer.lose();
    let out = peer.welcome(json!({}));
    assert_eq!(given(&out), [(Asked::Request(AskId(1)), GivenUp::Unknown)]);
    assert!(out.iter().any(|output| matches!(output, Output::Welcome { lost: true, .. })));
    assert_eq!(peer.sent(), [json!({"type": "find", "id": "x", "n": 3})]);
}

#[test]
fn a_fresh_session_is_asked_for_everything_that_stands_and_one_that_missed_something_for_the_rooms() {
    let mut peer = Driver::one();
    peer.welcome(json!({}));
    peer.stand("topic news", json!({"type": "subscribe", "topics": ["news"]}));
    peer.stand("room den", json!({"type": "room.join", "room": "den"}));
    let types = |peer: &mut Driver| peer.sent().iter().map(|frame| frame["type"].clone()).collect::<Vec<_>>();
    peer.lose();
    peer.welcome(json!({"resumed": true, "missed": 2}));
    assert_eq!(types(&mut peer), ["room.join"]);
    assert_eq!(peer.line.seen(), 2);
    peer.lose();
    peer.welcome(json!({}));
    assert_eq!(types(&mut peer), ["subscribe", "room.join"]);
    let out = peer.hear(json!({"type": "done", "re": 2}));
    assert!(matches!(&out[..], [Output::Answer { to: Asked::Standing(key), .. }] if key == "topic news"));
    peer.tell(Input::Unstand("room den".into()));
    peer.lose();
    peer.welcome(json!({}));
    assert_eq!(types(&mut peer), ["subscribe"]);
}

#[test]
fn an_answer_that_is_late_gives_the_socket_up_once_and_the_request_the_second_time() {
    let mut peer = Driver::one();
    peer.welcome(json!({}));
    peer.ask(1, signal("x"), false);
    peer.sleep(10_000);
    assert_eq!(peer.line.status().state, State::Waiting);
    peer.welcome(json!({"resumed": true, "n": 1}));
    let out = peer.sleep(10_000);
    assert_eq!(given(&out), [(Asked::Request(AskId(1)), GivenUp::Unknown)]);
    assert_eq!(peer.line.status().state, State::Open);
}

#[test]
fn a_sign_of_life_that_an_earlier_socket_owed_says_nothing_about_this_one() {
    let Times { quiet, check, .. } = Times::default();
    let mut peer = Driver::one();
    peer.welcome(json!({}));
    peer.sleep(quiet);
    peer.sleep(check);
    peer.welcome(json!({"resumed": true, "missed": 0}));
    peer.sleep(quiet);
    assert!(peer.line.next_deadline() > Some(Moment(peer.now)), "it has asked, and waits");
    assert_eq!(peer.sent().iter().filter(|frame| frame["n"] == 2).count(), 1);
}

#[test]
fn a_server_that_is_silent_for_long_is_asked_for_a_sign_of_life_and_given_up_without_one() {
    let Times { quiet, check, .. } = Times::default();
    let mut peer = Driver::one();
    peer.welcome(json!({}));
    peer.sleep(quiet);
    assert_eq!(peer.sent(), [json!({"type": "seen", "seen": 0, "n": 1})]);
    peer.hear(json!({"type": "done", "re": 1}));
    peer.sleep(check);
    assert_eq!(peer.line.status().state, State::Open);
    peer.sleep(quiet);
    peer.sleep(check);
    assert_ne!(peer.line.status().state, State::Open);
}

#[test]
fn a_network_that_is_back_ends_a_long_wait() {
    let mut peer = Driver::one();
    peer.welcome(json!({}));
    for _ in 0..9 {
        peer.lose();
    }
    assert!(peer.line.status().until.unwrap().0 > peer.now + 1_000);
    peer.tell(Input::Nudge);
    assert!(peer.line.status().until.unwrap().0 <= peer.now + Times::default().backoff);
}

#[test]
fn no_more_frames_go_out_than_the_server_allows_and_none_is_lost_for_it() {
    let mut peer = Driver::one();
    peer.welcome(json!({"limits": {"frames_per_second": 10, "frames_burst": 20}}));
    for id in 0..60 {
        peer.ask(id, signal("x"), false);
    }
    let mut all = peer.sent().len();
    assert_eq!(all, 17);
    let mut second = 1;
    while all < 60 {
        peer.sleep(1_000);
        for re in 1..=all {
            peer.hear(json!({"type": "ack", "re": re, "status": "delivered"}));
        }
        all += peer.sent().len();
        assert!(all <= 20 + 10 * second && second < 10);
        second += 1;
    }
    assert_eq!(peer.answers()[..3], [0, 1, 2]);
}

#[test]
fn a_request_that_is_too_large_is_given_up_and_the_socket_stays() {
    let mut peer = Driver::one();
    peer.welcome(json!({"limits": {"frame_bytes": 100}}));
    let out = peer.ask(1, json!({"type": "signal", "data": "ä".repeat(60)}), false);
    assert_eq!(out, [Output::Given { to: Asked::Request(AskId(1)), why: GivenUp::TooLarge }]);
}

#[test]
fn only_so_many_requests_wait_for_a_server() {
    let mut peer = Driver::one();
    let full = (0..2_000).map(|id| peer.ask(id, signal("x"), false)).filter(|out| !out.is_empty()).count();
    assert_eq!(full, 1_000);
}

#[test]
fn codes_that_say_stop_are_obeyed_and_others_are_not_taken_for_them() {
    for (code, state) in [
        (4300, State::Stopped),
        (4204, State::Stopped),
        (1000, State::Stopped),
        (4000, State::Waiting),
        (1006, State::Waiting),
        (4101, State::Waiting),
        (1009, State::Waiting),
    ] {
        let mut peer = Driver::one();
        peer.welcome(json!({}));
        peer.close(code);
        assert_eq!(peer.line.status().state, state, "{code}");
        assert_eq!(peer.line.next_deadline().is_none(), state == State::Stopped, "{code}");
    }
}

#[test]
fn nobody_comes_back_before_the_server_wants_it() {
    let mut peer = Driver::one();
    peer.find();
    peer.challenge();
    peer.hear(json!({"type": "error", "code": 4001, "name": "overloaded", "message": "", "retry_after": 60_000}));
    assert!(peer.line.next_deadline().unwrap().0 >= peer.now + 60_000);
    peer.tell(Input::Nudge);
    assert!(peer.line.next_deadline().unwrap().0 >= peer.now + 60_000);
}

#[test]
fn a_server_that_refuses_before_its_challenge_says_when_to_come_back() {
    let mut peer = Driver::one();
    peer.find();
    peer.hear(
        json!({"type": "error", "code": 4113, "name": "too_many_handshakes", "message": "", "retry_after": 60_000}),
    );
    assert!(peer.line.next_deadline().unwrap().0 >= peer.now + 60_000);
}

#[test]
fn a_server_that_is_gone_is_left_for_the_next_within_a_second_and_returned_to_when_it_is_back() {
    let mut peer = Driver::of(&TWO);
    peer.welcome(json!({}));
    let start = peer.now;
    peer.lose();
    peer.find();
    assert_eq!(peer.url, TWO[0]);
    peer.lose();
    peer.find();
    assert_eq!(peer.url, TWO[1]);
    assert!(peer.now - start < 1_000);
    peer.welcome(json!({}));
    let second = peer.socket;
    peer.find();
    assert_eq!(peer.url, TWO[0]);
    assert!(peer.now - start > Times::default().home / 2);
    assert_eq!(peer.line.status().state, State::Open);
    assert!(peer.challenge().contains(&Output::Disconnect(second)));
}

#[test]
fn a_server_that_does_not_answer_gets_company_and_the_first_challenge_wins() {
    let mut peer = Driver::of(&TWO);
    peer.find();
    let slow = peer.socket;
    peer.find();
    assert!(peer.now <= Times::default().hedge && peer.url == TWO[1]);
    assert!(peer.challenge().contains(&Output::Disconnect(slow)));
}

#[test]
fn a_peer_that_looks_homeward_while_its_server_fails_still_finds_one() {
    for home_first in [true, false] {
        let mut peer = at_the_second();
        let second = peer.socket;
        peer.find();
        let home = peer.socket;
        for socket in if home_first { [home, second] } else { [second, home] } {
            peer.tell(Input::Lost { socket, code: 0, reason: String::new() });
            assert!(peer.line.next_deadline().is_some(), "it goes on");
        }
        assert_eq!(peer.line.status().state, State::Waiting);
        peer.find();
        peer.challenge();
        assert!(peer.line.next_deadline().is_some());
    }
}

#[test]
fn what_a_peer_says_of_itself_while_only_its_way_home_is_left_is_that_it_connects() {
    let mut peer = at_the_second();
    let second = peer.socket;
    peer.find();
    peer.tell(Input::Lost { socket: second, code: 0, reason: String::new() });
    assert_eq!(peer.line.status().state, State::Connecting);
}

#[test]
fn who_is_told_to_stop_stops_even_on_its_way_home() {
    let mut peer = at_the_second();
    let second = peer.socket;
    peer.find();
    let home = peer.socket;
    let out = peer.tell(Input::Lost { socket: second, code: 4300, reason: String::new() });
    assert_eq!(peer.line.status().state, State::Stopped);
    assert!(out.contains(&Output::Disconnect(home)));
    assert_eq!(peer.line.next_deadline(), None);
}

#[test]
fn one_server_that_wants_no_guests_is_no_reason_to_leave_the_others_alone() {
    let mut peer = Driver::of(&TWO);
    for state in [State::Waiting, State::Stopped] {
        peer.find();
        peer.challenge();
        peer.hear(json!({"type": "error", "code": 4203, "name": "guest_refused", "message": ""}));
        assert_eq!(peer.line.status().state, state);
    }
}

#[test]
fn nothing_is_signed_for_a_server_that_was_not_meant() {
    let mut peer = Driver::new(with_key(Hello::default()));
    peer.find();
    let out = peer.challenge_as("evil.test");
    assert!(!out.iter().any(|output| matches!(output, Output::Prove { .. } | Output::Send { .. })));
    assert!(out.iter().any(|output| matches!(output, Output::Fault { .. })));
    assert_eq!(peer.line.status().state, State::Waiting);
}

#[test]
fn what_is_signed_holds_at_the_server_that_asked_and_says_what_the_hello_says() {
    let device = Device::new("laptop").ok();
    let mut peer = Driver::new(with_key(Hello { device, ..Hello::default() }));
    peer.find();
    let out = peer.challenge();
    let Some(Output::Prove { socket, statement, server, nonce }) = out.last() else { panic!("{out:?}") };
    let signature = TestKey::new(1).sign(statement);
    let hello =
        peer.tell(Input::Proved { socket: *socket, signature: signature.clone() }).iter().find_map(sent).unwrap();
    let key = TestKey::new(1).public();
    let id = key.id();
    let expected = HelloStatement { server, nonce, namespace: "", id: id.as_str(), device: "laptop", key: &key };
    assert!(verify(&key, &expected.bytes(), hello["signature"].as_str().unwrap(), |_, _, _| false));
    assert_eq!((hello["key"].clone(), hello["device"].clone()), (json!(key.to_string()), json!("laptop")));
    assert_eq!(hello["signature"], json!(signature));
}

#[test]
fn a_resume_token_is_shown_to_no_other_server() {
    let named = |url: &str, name: &str| Server { name: Some(name.into()), ..Server::new(url) };
    let mut peer = Driver::new(Config::new(vec![named(TWO[0], "a.test"), named(TWO[1], "b.test")]));
    peer.welcome(json!({}));
    peer.lose();
    peer.find();
    let hello = |out: Vec<Output>| out.iter().find_map(sent).unwrap();
    assert_eq!(hello(peer.challenge_as("b.test"))["resume"], Value::Null);
    peer.lose();
    peer.find();
    assert_eq!(hello(peer.challenge_as("a.test"))["resume"], json!({"token": "t", "seen": 0}));
}

#[test]
fn who_closes_says_goodbye_and_everything_that_waits_is_told() {
    let mut peer = Driver::one();
    peer.welcome(json!({}));
    peer.ask(1, signal("x"), false);
    peer.sent();
    let out = peer.tell(Input::Close);
    assert_eq!(peer.sent(), [json!({"type": "bye"})]);
    assert_eq!(given(&out), [(Asked::Request(AskId(1)), GivenUp::Closed("closed".into()))]);
    assert!(matches!(out.last(), Some(Output::Status(Status { state: State::Idle, .. }))));
    assert!(out.contains(&Output::Disconnect(peer.socket)));
    let out = peer.ask(2, signal("x"), false);
    assert_eq!(given(&out), [(Asked::Request(AskId(2)), GivenUp::Closed("closed".into()))]);
}

#[test]
fn what_is_mentioned_while_nobody_listens_is_not_said_later() {
    let mut peer = Driver::one();
    peer.tell(Input::Mention(body(json!({"type": "beat", "network": "x"}))));
    peer.welcome(json!({}));
    assert!(peer.sent().is_empty());
    peer.tell(Input::Mention(body(json!({"type": "beat", "network": "x"}))));
    assert_eq!(peer.sent(), [json!({"type": "beat", "network": "x"})]);
}

#[test]
fn nobody_hears_of_what_was_forgotten() {
    let mut peer = Driver::one();
    peer.ask(1, signal("x"), false);
    peer.tell(Input::Forget(AskId(1)));
    peer.welcome(json!({}));
    assert!(peer.sent().is_empty());
    peer.ask(2, signal("x"), false);
    peer.tell(Input::Forget(AskId(2)));
    assert_eq!(peer.hear(json!({"type": "ack", "re": 1, "status": "delivered"})), []);
    peer.lose();
    assert_eq!(given(&peer.welcome(json!({}))), []);
}

#[test]
fn what_a_server_says_that_is_no_message_is_counted_and_does_no_harm() {
    let mut peer = Driver::one();
    peer.welcome(json!({}));
    for text in ["", "[]", "{", "7", "{}", r#"{"type":7}"#, r#"["welcome"]"#, "\u{0}"] {
        assert_eq!(peer.tell(Input::Text { socket: peer.socket, text: text.into() }), [], "{text}");
    }
    assert_eq!(peer.line.seen(), 8);
    for first in ["", "[]", r#"{"type":"challenge"}"#, r#"{"type":"welcome"}"#] {
        let mut peer = Driver::one();
        peer.find();
        peer.tell(Input::Text { socket: peer.socket, text: first.into() });
        assert_eq!(peer.line.status().state, State::Waiting, "{first}");
    }
    let mut peer = Driver::one();
    peer.find();
    peer.challenge();
    peer.hear(json!({"type": "welcome", "resume": 7}));
    assert_eq!(peer.line.status().state, State::Waiting, "a welcome that cannot be read");
}

#[test]
fn a_line_needs_a_server_and_time_that_goes_back_is_not_believed() {
    assert_eq!(Line::new(Config::new(Vec::new()), support::no_dice()).err(), Some(NoServer));
    let mut peer = Driver::one();
    peer.welcome(json!({}));
    peer.sleep(1_000);
    let before = peer.line.next_deadline();
    peer.now = 0;
    peer.tell(Input::Tick);
    assert_eq!(peer.line.next_deadline(), before);
    assert!(before > Some(Moment(1_000)));
}

/// A peer whose first server failed and that is with the second.
fn at_the_second() -> Driver {
    let mut peer = Driver::of(&TWO);
    peer.find();
    peer.lose();
    peer.welcome(json!({}));
    assert_eq!((peer.url.as_str(), peer.line.status().state), (TWO[1], State::Open));
    peer
}

fn with_key(hello: Hello) -> Config {
    let key = Some(TestKey::new(1).public());
    Config { hello: Hello { key, ..hello }, ..Config::new(vec![Server::new(TWO[0])]) }
}

fn signal(to: &str) -> Value {
    json!({"type": "signal", "to": to, "kind": "note", "data": 1})
}

fn given(out: &[Output]) -> Vec<(Asked, GivenUp)> {
    out.iter()
        .filter_map(|output| match output {
            Output::Given { to, why } => Some((to.clone(), why.clone())),
            _ => None,
        })
        .collect()
}
