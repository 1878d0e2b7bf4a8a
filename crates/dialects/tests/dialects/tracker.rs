//! WebTorrent trackers.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wigwag_dialects::Dialect;

use crate::table::Table;

/// A hash with bytes of every kind, one character per byte.
const HASH: &str = "\u{0}\u{1}\u{8}\u{1f} \"\\/\u{7f}\u{80}\u{ad}ÿþýü\u{a0}abcd";
const OTHER: &str = "-other-swarm-of-ours";

#[test]
fn an_announce_is_answered_with_the_counts_to_the_field() {
    let mut table = table(&["a"]);
    table.tell("a", announce("a", json!({"left": 1, "event": "started"})));
    let told = r#"{"action":"announce","info_hash":"-a-swarm-of-twenty--","complete":0,"incomplete":1,"interval":120}"#;
    table.say("a", &announce("a", json!({"info_hash": "-a-swarm-of-twenty--"})).to_string());
    assert_eq!(table.heard("a")[1], told);
}

#[test]
fn offers_go_to_other_peers_one_each_and_the_offer_is_as_it_was() {
    let mut table = swarm(&["b", "c"]);
    table.open("a", Dialect::Tracker, "");
    let offer = r#"{ "sdp":"v=0\r\n\u00fc", "type":"offer","n":1.0 }"#;
    let id = json!(id("offer"));
    let hash = json!(HASH);
    let offers = format!(r#"[{{"offer_id":{id},"offer":{offer}}},{{"offer":{offer},"offer_id":{id},"odd":[]}}]"#);
    let who = json!(self::id("a"));
    table.say("a", &format!(r#"{{"action":"announce","info_hash":{hash},"peer_id":{who},"offers":{offers}}}"#));
    assert_eq!(table.heard_json("a"), [counts(0, 3)]);
    let told = format!(r#"{{"action":"announce","offer":{offer},"offer_id":{id},"peer_id":{who},"info_hash":{hash}}}"#);
    for name in ["b", "c"] {
        assert_eq!(table.heard(name), std::slice::from_ref(&told));
    }
}

#[test]
fn no_more_offers_are_passed_on_than_asked_for_than_there_are_peers_or_than_the_limit_says() {
    let peers = ["b", "c", "d", "e"];
    for (numwant, limit, passed) in [(json!(2), 20, 2), (json!(0), 20, 0), (json!(50), 3, 3), (json!(50), 0, 4)] {
        let mut table = swarm_with(&peers, limit);
        table.open("a", Dialect::Tracker, "");
        table.tell("a", announce("a", json!({"numwant": numwant, "offers": offers(6)})));
        let heard = peers.iter().map(|name| table.heard(name).len());
        assert_eq!(heard.sum::<usize>(), passed, "numwant {numwant}, limit {limit}");
    }
    let mut table = swarm(&peers);
    table.tell("b", announce("b", json!({"offers": offers(2)})));
    assert_eq!(peers.iter().map(|name| table.heard(name).len()).sum::<usize>(), 1 + 2);
}

#[test]
fn an_offer_for_which_there_is_nobody_is_not_kept_for_later() {
    let mut table = swarm(&["a"]);
    table.tell("a", announce("a", json!({"offers": offers(5)})));
    table.heard("a");
    table.open("b", Dialect::Tracker, "");
    table.tell("b", announce("b", json!({})));
    assert_eq!(table.heard_json("b"), [counts(0, 2)]);
    assert!(table.heard("a").is_empty());
}

#[test]
fn an_answer_goes_to_whom_it_names_and_its_sender_hears_nothing() {
    let mut table = swarm(&["a", "b", "c"]);
    let answer = r#"{"type":"answer",  "sdp":"v=0","z":[1e3]}"#;
    let (hash, from, to, offer_id) = (json!(HASH), json!(id("b")), json!(id("a")), json!(id("offer")));
    table.say(
        "b",
        &format!(
            r#"{{"to_peer_id":{to},"answer":{answer},"offer_id":{offer_id},"action":"announce","info_hash":{hash},"peer_id":{from}}}"#
        ),
    );
    let told = format!(
        r#"{{"action":"announce","answer":{answer},"offer_id":{offer_id},"peer_id":{from},"info_hash":{hash}}}"#
    );
    assert_eq!(table.heard("a"), [told]);
    assert!(table.heard("b").is_empty());
    assert!(table.heard("c").is_empty());
}

#[test]
fn an_answer_for_somebody_outside_the_swarm_vanishes() {
    let mut table = swarm(&["b"]);
    table.open("a", Dialect::Tracker, "");
    table.tell("a", announce("a", json!({"info_hash": OTHER})));
    table.heard("a");
    let answer = |to: &str| json!({"to_peer_id": id(to), "offer_id": id("x"), "answer": {"type": "answer"}});
    table.tell("b", announce("b", answer("a")));
    table.tell("b", announce("b", answer("nobody")));
    assert!(table.heard("a").is_empty());
    assert!(table.heard("b").is_empty());
}

#[test]
fn who_answers_before_it_announced_is_in_the_swarm_from_then_on() {
    let mut table = swarm(&["a"]);
    table.open("b", Dialect::Tracker, "");
    table.tell("b", announce("b", json!({"to_peer_id": id("a"), "offer_id": id("x"), "answer": {"sdp": ""}})));
    assert_eq!(table.heard("a").len(), 1);
    table.tell("a", announce("a", json!({})));
    assert_eq!(table.heard_json("a"), [counts(0, 2)]);
}

#[test]
fn who_has_all_is_complete_and_completing_is_counted_once() {
    let mut table = table(&["a", "b"]);
    table.tell("a", announce("a", json!({"left": 5})));
    table.tell("b", announce("b", json!({"left": 0})));
    table.tell("a", announce("a", json!({"event": "completed", "left": 0})));
    for left in [json!(7), json!(0), Value::Null] {
        table.tell("a", announce("a", json!({"event": "update", "left": left})));
    }
    assert_eq!(
        table.heard_json("a"),
        [counts(0, 1), counts(2, 0), counts(2, 0), counts(2, 0), counts(2, 0)],
        "who has all never has less again"
    );
    table.tell("b", json!({"action": "scrape", "info_hash": HASH}));
    assert_eq!(table.heard_json("b")[1]["files"][HASH], json!({"complete": 2, "incomplete": 0, "downloaded": 1}));
}

#[test]
fn left_and_event_may_be_missing_empty_or_of_an_older_kind() {
    let mut table = table(&["a"]);
    for more in [json!({}), json!({"event": ""}), json!({"event": "empty"}), json!({"event": null, "left": "1"})] {
        table.tell("a", announce("a", more));
        assert_eq!(table.heard_json("a"), [counts(0, 1)]);
    }
}

#[test]
fn who_stops_is_out_of_the_swarm_and_still_in_the_others() {
    let mut table = swarm(&["a", "b"]);
    table.tell("a", announce("a", json!({"info_hash": OTHER})));
    table.tell("a", announce("a", json!({"event": "stopped", "offers": offers(3)})));
    assert_eq!(table.heard_json("a")[1], counts(0, 1));
    assert!(table.heard("b").is_empty(), "who goes offers nothing");
    table.tell("b", announce("b", json!({"offers": offers(3)})));
    table.tell("b", announce("b", json!({"info_hash": OTHER, "offers": offers(1)})));
    assert_eq!(table.heard("b").len(), 2);
    assert_eq!(table.heard("a").len(), 1, "the offer in the other swarm");
}

#[test]
fn a_closed_socket_leaves_every_swarm() {
    let mut table = swarm(&["a", "b"]);
    table.tell("a", announce("a", json!({"info_hash": OTHER})));
    table.tell("a", announce("also a", json!({})));
    table.lose("a");
    table.tell("b", json!({"action": "scrape", "info_hash": [HASH, OTHER]}));
    let scraped = &table.heard_json("b")[0]["files"];
    assert_eq!(scraped[HASH]["incomplete"], 1);
    assert_eq!(scraped[OTHER]["incomplete"], 0);
}

#[test]
fn a_peer_id_belongs_to_the_socket_that_announced_it() {
    let mut table = swarm(&["a", "b"]);
    table.open("thief", Dialect::Tracker, "");
    table.tell("thief", announce("a", json!({"event": "started"})));
    table.tell("thief", announce("a", json!({"event": "stopped"})));
    table.tell("thief", announce("a", json!({"to_peer_id": id("b"), "offer_id": id("x"), "answer": {}})));
    table.tell("thief", announce("a", json!({"info_hash": OTHER})));
    let taken = "this peer_id is another socket's";
    let refused = |hash: &str| json!({"action": "announce", "info_hash": hash, "failure reason": taken});
    assert_eq!(table.heard_json("thief"), [refused(HASH), counts(0, 2), refused(HASH), refused(OTHER)]);
    table.lose("thief");
    table.tell("b", announce("b", json!({"offers": offers(1)})));
    assert_eq!(table.heard("a").len(), 1);
    assert_eq!(table.heard_json("b"), [counts(0, 2)]);
}

#[test]
fn a_peer_id_is_free_again_when_its_socket_is_gone_or_it_stopped_everywhere() {
    let mut table = swarm(&["a", "b"]);
    table.tell("a", announce("a", json!({"event": "stopped"})));
    table.lose("b");
    table.open("c", Dialect::Tracker, "");
    for name in ["a", "b"] {
        table.tell("c", announce(name, json!({})));
    }
    assert_eq!(table.heard_json("c"), [counts(0, 1), counts(0, 2)]);
}

#[test]
fn a_socket_speaks_for_a_few_peers_and_no_more() {
    let mut table = table(&["a"]);
    for n in 0..9 {
        table.tell("a", announce(&format!("peer{n}"), json!({})));
    }
    let heard = table.heard_json("a");
    assert_eq!(heard[7], counts(0, 8));
    assert_eq!(heard[8]["failure reason"], "this socket speaks for as many peers as it may");
    table.tell("a", announce("peer0", json!({"event": "stopped"})));
    table.tell("a", announce("peer8", json!({})));
    assert_eq!(table.heard_json("a")[1], counts(0, 8));
}

#[test]
fn a_peer_is_in_no_more_swarms_than_the_limit_and_there_are_no_more_than_the_limit() {
    for limit in ["swarms_per_session", "swarms"] {
        let mut table = Table::with(|rules, _| assert!(rules.limits.set(limit, 2)));
        table.open("a", Dialect::Tracker, "");
        for n in 0..3 {
            table.tell("a", announce("a", json!({"info_hash": id(&format!("swarm{n}"))})));
        }
        let heard = table.heard_json("a");
        assert!(heard[1]["failure reason"].is_null());
        assert!(heard[2]["failure reason"].is_string(), "{limit}");
        table.tell("a", announce("a", json!({"info_hash": id("swarm0")})));
        assert_eq!(table.heard_json("a")[0]["incomplete"], 1, "the others are kept");
    }
}

#[test]
fn a_scrape_tells_of_one_of_many_or_of_ones_own_swarms_but_never_lists_other_peoples() {
    let mut table = swarm(&["a", "b"]);
    table.tell("b", announce("b", json!({"info_hash": OTHER})));
    table.heard("b");
    table.say("a", &format!(r#"{{"action":"scrape","info_hash":"{OTHER}"}}"#));
    let told = r#"{"action":"scrape","files":{"-other-swarm-of-ours":{"complete":0,"incomplete":1,"downloaded":0}},"flags":{"min_request_interval":600}}"#;
    assert_eq!(table.heard("a"), [told]);
    let scrape = |table: &mut Table, hashes: Value| {
        table.tell("a", json!({"action": "scrape", "info_hash": hashes}));
        table.heard_json("a").remove(0)["files"].take()
    };
    let of = |incomplete: u32| json!({"complete": 0, "incomplete": incomplete, "downloaded": 0});
    let nowhere = id("nowhere");
    assert_eq!(
        scrape(&mut table, json!([HASH, OTHER, HASH, nowhere])),
        json!({HASH: of(2), OTHER: of(1), nowhere: of(0)})
    );
    assert_eq!(scrape(&mut table, json!([])), json!({}));
    assert_eq!(scrape(&mut table, Value::Null), json!({HASH: of(2)}));
}

#[test]
fn a_scrape_of_very_many_swarms_is_refused() {
    let mut table = table(&["a"]);
    let hashes: Vec<String> = (0..513).map(|n| id(&n.to_string())).collect();
    table.tell("a", json!({"action": "scrape", "info_hash": hashes}));
    table.tell("a", json!({"action": "scrape", "info_hash": hashes[1..]}));
    let heard = table.heard_json("a");
    assert_eq!(heard[0], json!({"action": "scrape", "failure reason": "too many info_hashes at once"}));
    assert_eq!(heard[1]["files"].as_object().unwrap().len(), 512);
}

#[test]
fn what_makes_no_sense_is_answered_with_the_action_and_a_reason() {
    let mut table = table(&["a"]);
    for (bad, action, reason) in [
        (json!({"action": "announce"}), "announce", "invalid info_hash"),
        (json!({"action": "announce", "info_hash": "short"}), "announce", "invalid info_hash"),
        (json!({"action": "announce", "info_hash": 7}), "announce", "invalid info_hash"),
        (json!({"action": "announce", "info_hash": "\u{100}".repeat(20)}), "announce", "invalid info_hash"),
        (json!({"action": "scrape", "info_hash": [HASH, 7]}), "scrape", "invalid info_hash"),
        (json!({"action": "scrape", "info_hash": "short"}), "scrape", "invalid info_hash"),
        (json!({"action": "dance"}), "announce", "the action must be announce or scrape"),
        (json!({"no": "action"}), "announce", "the action must be announce or scrape"),
        (json!("text"), "announce", "this is not a good JSON object"),
    ] {
        table.tell("a", bad.clone());
        assert_eq!(table.heard_json("a"), [json!({"action": action, "failure reason": reason})], "{bad}");
    }
    let answering = |more: Value| {
        let mut answer = json!({"to_peer_id": id("b"), "offer_id": id("x"), "answer": {}});
        answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        answer
    };
    for (bad, reason) in [
        (json!({"peer_id": "short"}), "invalid peer_id"),
        (json!({"peer_id": null}), "invalid peer_id"),
        (json!({"event": "party"}), "invalid event"),
        (json!({"event": 7}), "invalid event"),
        (json!({"offers": "none"}), "invalid offers"),
        (json!({"offers": [null, 7]}), "invalid offers"),
        (json!({"offers": [[id("x"), {}]]}), "invalid offers"),
        (json!({"offers": [{"offer": {}}]}), "invalid offers"),
        (json!({"offers": [{"offer": {}, "offer_id": "short"}]}), "invalid offers"),
        (json!({"offers": [{"offer": "sdp", "offer_id": id("x")}]}), "invalid offers"),
        (answering(json!({"to_peer_id": "short"})), "invalid to_peer_id"),
        (answering(json!({"to_peer_id": null})), "invalid to_peer_id"),
        (answering(json!({"offer_id": null})), "invalid offer_id"),
        (answering(json!({"answer": 7})), "invalid answer"),
    ] {
        table.tell("a", announce("a", bad.clone()));
        let told = json!({"action": "announce", "info_hash": HASH, "failure reason": reason});
        assert_eq!(table.heard_json("a"), [told], "{bad}");
    }
    table.tell("a", announce("a", json!({})));
    assert_eq!(table.heard_json("a"), [counts(0, 1)], "nothing of all that made it a member, and it is still heard");
}

#[test]
fn a_malformed_frame_costs_its_sender_nothing_but_an_answer() {
    let mut table = swarm(&["a", "b"]);
    let twice = format!(r#"{{"action":"announce","action":"announce","info_hash":"{}"}}"#, id("x"));
    for bad in ["", "{", "null", "[]", r#"["announce"]"#, r#"{"action":"\ud800"}"#, &twice, &"[".repeat(10_000)] {
        table.say("a", bad);
        let heard = table.heard_json("a");
        assert!(heard.len() == 1 && heard[0]["failure reason"].is_string(), "{bad}");
    }
    table.say_bytes("a", &[0xff, 0xfe]);
    assert_eq!(table.heard("a").len(), 1);
    table.say_bytes("a", announce("a", json!({"offers": offers(1)})).to_string().as_bytes());
    assert_eq!(table.heard_json("a"), [counts(0, 2)]);
    assert_eq!(table.heard("b").len(), 1);
}

#[test]
fn swarms_of_the_same_hash_in_two_namespaces_know_nothing_of_each_other() {
    let mut table = swarm(&["a"]);
    table.open("b", Dialect::Tracker, "?ns=elsewhere");
    table.tell("b", announce("a", json!({"offers": offers(3)})));
    assert_eq!(table.heard_json("b"), [counts(0, 1)]);
    assert!(table.heard("a").is_empty());
}

#[test]
fn a_native_peer_in_the_swarm_gets_offers_as_signals() {
    let mut table = swarm(&["a"]);
    table.open_native("native");
    let hex: String = HASH.chars().map(|c| format!("{:02x}", c as u32)).collect();
    table.tell("native", json!({"type": "swarm.announce", "swarm": hex, "want": 1}));
    let from = format!("bt~{}", id("a").bytes().map(|b| format!("{b:02x}")).collect::<String>());
    assert_eq!(table.heard_json("native")[0]["peers"], json!([{"id": from}]));
    table
        .tell("a", announce("a", json!({"offers": [{"offer_id": id("x"), "offer": {"type": "offer", "sdp": "v=0"}}]})));
    let signal = &table.heard_json("native")[0];
    assert_eq!([&signal["from"], &signal["kind"]], [&json!(from), &json!("offer")]);
    assert_eq!(signal["data"], json!({"type": "offer", "sdp": "v=0"}));
    // Without an offer id no client of a tracker could tell what is answered.
    table.heard("a");
    table.tell("native", json!({"type": "signal", "n": 9, "to": from, "kind": "answer", "data": {}}));
    assert_eq!(table.heard_json("native")[0]["status"], "absent");
    assert!(table.heard("a").is_empty());
}

/// Chi square over who got how many offers: for 59 degrees of freedom chance alone stays below 110 but once in 25,000 seeds, and
/// this seed is fixed.
#[test]
fn where_many_announce_everybody_gets_offers_and_nobody_is_favoured() {
    let mut table = Table::with(|rules, _| {
        rules.limits.frames_per_second = 0;
        rules.limits.frames_burst = 0;
    });
    let peers: Vec<String> = (0..60).map(|n| format!("peer{n}")).collect();
    for peer in &peers {
        table.open(peer, Dialect::Tracker, "");
        table.tell(peer, announce(peer, json!({})));
        table.heard(peer);
    }
    let (rounds, each) = (20, 5);
    let mut got: BTreeMap<&str, u32> = BTreeMap::new();
    for _ in 0..rounds {
        for peer in &peers {
            table.tell(peer, announce(peer, json!({"offers": offers(each)})));
        }
        for peer in &peers {
            let offers = table.heard_json(peer).iter().filter(|frame| frame["offer"].is_object()).count();
            *got.entry(peer).or_default() += offers as u32;
        }
    }
    let mean = f64::from(rounds * each as u32);
    assert_eq!(got.values().sum::<u32>(), 60 * rounds * each as u32);
    let chi: f64 = got.values().map(|count| (f64::from(*count) - mean).powi(2) / mean).sum();
    assert!(chi < 110.0, "chi square {chi}: {got:?}");
    assert!(got.values().all(|count| f64::from(*count) > mean / 2.0), "{got:?}");
}

/// Sockets of the dialect.
fn table(names: &[&str]) -> Table {
    let mut table = Table::new();
    for name in names {
        table.open(name, Dialect::Tracker, "");
    }
    table
}

/// Sockets that are in the swarm.
fn swarm(names: &[&str]) -> Table {
    swarm_with(names, 20)
}

fn swarm_with(names: &[&str], want: u64) -> Table {
    let mut table = Table::with(|rules, _| rules.limits.swarm_want = want);
    for name in names {
        table.open(name, Dialect::Tracker, "");
        table.tell(name, announce(name, json!({})));
        table.heard(name);
    }
    table
}

/// An announce with these fields besides.
#[expect(clippy::needless_pass_by_value, reason = "calls read better without a reference")]
fn announce(peer: &str, more: Value) -> Value {
    let mut announce = json!({"action": "announce", "info_hash": HASH, "peer_id": id(peer)});
    announce.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    announce
}

fn offers(count: usize) -> Value {
    (0..count).map(|n| json!({"offer_id": id(&n.to_string()), "offer": {"type": "offer", "sdp": "v=0"}})).collect()
}

/// An id of twenty characters.
fn id(name: &str) -> String {
    format!("{name:-<20}")
}

fn counts(complete: u32, incomplete: u32) -> Value {
    let (action, interval) = ("announce", 120);
    json!({"action": action, "info_hash": HASH, "complete": complete, "incomplete": incomplete, "interval": interval})
}
