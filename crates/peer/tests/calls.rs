//! What calls promise: an open connection or a reason, with the right peer and nobody else, whoever begins and whatever the server does.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use support::town::{ALICE, BOB, News, Town, candidate};
use wigwag_peer::calls::{At, CallError, Connect, ConnectId, ConnectionState, EngineEvent, IceState, Input, Order};
use wigwag_peer::sealed::{Description, DescriptionKind};
use wigwag_peer::trust::Verified;
use wigwag_peer::{Identity, State};
use wigwag_wire::PeerId;

#[test]
fn who_connects_gets_an_open_connection_with_the_right_peer_and_the_other_is_told() {
    for polite in [false, true] {
        let mut town = Town::new(polite);
        let id = town.connect(ALICE, town.wish(ALICE));
        town.sleep(100);
        let (mine, theirs) = (town.last(ALICE), town.last(BOB));
        assert_eq!(town.news(ALICE), [News::Connected(mine, Some(id))]);
        assert!(
            matches!(town.news(BOB)[..], [News::Knock(_), News::Connected(connection, None)] if connection == theirs)
        );
        let remote = &town.peers[ALICE].remotes[&mine];
        assert_eq!((remote.key, remote.verified), (town.peers[BOB].key, Verified::Key));
        assert_eq!(town.peers[BOB].remotes[&theirs].key, town.peers[ALICE].key);
        assert_eq!((town.state(ALICE), town.state(BOB)), (Some(ConnectionState::Open), Some(ConnectionState::Open)));
        assert_eq!(town.peers[ALICE].calls.next_deadline(), None, "an open connection waits for nothing");
        town.tell(ALICE, Input::Close(mine, "enough".into()));
        town.settle();
        assert_eq!(town.news(ALICE), [News::Closed(mine, "closed")]);
        assert_eq!(town.news(BOB), [News::Closed(theirs, "left")]);
        assert_eq!(town.orders(BOB).last(), Some(&Order::End));
    }
}

#[test]
fn what_a_hail_says_reaches_the_app_before_it_decides() {
    let mut town = Town::new(false);
    town.peers[BOB].answer = None;
    let meta = serde_json::value::RawValue::from_string(r#"{"game": "chess"}"#.into()).unwrap();
    town.connect(ALICE, Connect { meta: Some(meta), ..town.wish(ALICE) });
    town.settle();
    let News::Knock(knock) = town.news(BOB)[0] else { panic!("nobody knocks") };
    town.tell(BOB, Input::Accept(knock));
    town.sleep(100);
    let meta = &town.peers[BOB].remotes[&town.last(BOB)].meta;
    assert_eq!(meta.as_ref().unwrap().get(), r#"{"game":"chess"}"#);
}

#[test]
fn who_is_not_there_is_absent_and_who_never_was_is_not_found() {
    for seen in [None, Some(1_000)] {
        let mut town = Town::new(false);
        town.peers[BOB].here = false;
        town.seen = seen;
        let bob = town.peers[BOB].id.clone();
        let id = town.connect(ALICE, town.wish(ALICE));
        town.settle();
        let error = match seen {
            None => CallError::NotFound(bob),
            seen => CallError::Absent { id: bob, seen },
        };
        assert_eq!(town.news(ALICE), [News::Failed(id, error)]);
    }
}

#[test]
fn who_declines_says_why_and_only_the_one_who_was_hailed_can() {
    let mut town = Town::new(false);
    town.peers[BOB].answer = Some(Err("Not\nnow."));
    let id = town.connect(ALICE, town.wish(ALICE));
    town.settle();
    assert_eq!(town.news(ALICE), [News::Failed(id, CallError::Refused("Not now.".into()))]);
    assert_eq!(town.post.len(), 0);
}

#[test]
fn somebody_elses_key_is_caught_on_both_sides() {
    let mut town = Town::named();
    let (alice, bob) = (town.peers[ALICE].key, town.peers[BOB].key);
    let name = |who: usize| town.peers[who].id.clone();
    let names = [name(ALICE), name(BOB)];
    town.peers[ALICE].calls.pin(&names[BOB], alice);
    let id = town.connect(ALICE, town.wish(ALICE));
    town.settle();
    assert_eq!(town.news(ALICE), [News::Mismatch(bob), News::Failed(id, CallError::KeyMismatch(names[BOB].clone()))]);
    let mut town = Town::named();
    town.peers[BOB].calls.pin(&names[ALICE], bob);
    town.connect(ALICE, town.wish(ALICE));
    town.settle();
    assert_eq!(town.news(BOB), [News::Mismatch(alice)]);
    town.sleep(Connect::PATIENCE_MS);
    assert!(matches!(town.news(ALICE)[..], [News::Failed(_, CallError::Timeout { at: At::Peer })]));
}

#[test]
fn a_key_that_was_told_beforehand_is_the_only_one() {
    let mut town = Town::named();
    let (alice, bob) = (town.peers[ALICE].key, town.peers[BOB].key);
    town.connect(ALICE, Connect { key: Some(bob), ..town.wish(ALICE) });
    town.sleep(100);
    assert_eq!(town.peers[ALICE].remotes[&town.last(ALICE)].verified, Verified::Pinned);
    let mut town = Town::named();
    town.connect(ALICE, Connect { key: Some(alice), ..town.wish(ALICE) });
    town.settle();
    assert!(matches!(town.news(ALICE)[..], [News::Mismatch(_), News::Failed(_, CallError::KeyMismatch(_))]));
}

#[test]
fn of_two_who_hail_at_once_both_get_the_same_one_connection() {
    for polite in [false, true] {
        let mut town = Town::new(polite);
        let ids = [ALICE, BOB].map(|who| town.connect(who, town.wish(who)));
        town.sleep(100);
        for who in [ALICE, BOB] {
            let last = town.last(who);
            assert_eq!(town.news(who), [News::Connected(last, Some(ids[who]))], "polite: {polite}");
            assert_eq!(town.peers[who].engines.len(), 1);
        }
        town.sleep(60_000);
        assert_eq!((town.news(ALICE), town.news(BOB)), (vec![], vec![]));
    }
}

#[test]
fn a_key_told_beforehand_holds_for_the_call_that_takes_the_place_of_ours() {
    let mut town = Town::new(true);
    let wrong = town.peers[ALICE].key;
    town.connect(ALICE, Connect { key: Some(wrong), ..town.wish(ALICE) });
    town.connect(BOB, town.wish(BOB));
    town.sleep(60_000);
    assert!(town.news(ALICE).contains(&News::Mismatch(town.peers[BOB].key)));
    assert!(town.peers[ALICE].engines.is_empty());
}

#[test]
fn who_knocks_and_is_then_wanted_is_heeded_at_once() {
    for polite in [false, true] {
        let mut town = Town::new(polite);
        town.peers[ALICE].answer = None;
        let theirs = town.connect(BOB, town.wish(BOB));
        town.settle();
        let [News::Knock(knock)] = town.news(ALICE)[..] else { panic!("nobody knocks") };
        town.now += 500;
        let ours = town.connect(ALICE, town.wish(ALICE));
        town.sleep(100);
        let last = town.last(ALICE);
        assert_eq!(town.news(ALICE), [News::Unknock(knock), News::Connected(last, Some(ours))]);
        assert_eq!(town.news(BOB), [News::Connected(town.last(BOB), Some(theirs))]);
    }
}

#[test]
fn an_old_knock_and_a_new_wish_come_to_one_connection_whoever_is_polite() {
    for polite in [false, true] {
        let mut town = Town::new(polite);
        town.peers[ALICE].answer = None;
        let patient = |wish: Connect| Connect { patience: 120_000, ..wish };
        town.connect(BOB, patient(town.wish(BOB)));
        town.settle();
        let [News::Knock(knock)] = town.news(ALICE)[..] else { panic!("nobody knocks") };
        town.now += 30_000;
        let ours = town.connect(ALICE, patient(town.wish(ALICE)));
        // Our hail is on its way when a person decides.
        town.tell(ALICE, Input::Accept(knock));
        town.sleep(60_000);
        let last = town.last(ALICE);
        assert_eq!(town.news(ALICE), [News::Connected(last, Some(ours))], "polite: {polite}");
        assert!(matches!(town.news(BOB)[..], [News::Connected(_, Some(_))]));
    }
}

#[test]
fn every_wish_ends_in_time_and_says_where_it_got_stuck() {
    // There is no server.
    let mut town = Town::new(false);
    town.tell(ALICE, Input::Line(State::Waiting));
    let id = town.connect(ALICE, town.wish(ALICE));
    town.sleep(Connect::PATIENCE_MS);
    assert_eq!(town.news(ALICE), [News::Failed(id, CallError::Timeout { at: At::Server })]);
    let id = town.connect(ALICE, town.wish(ALICE));
    town.tell(ALICE, Input::Line(State::Stopped));
    assert_eq!(town.news(ALICE), [News::Failed(id, CallError::Closed)]);
    // Nobody decides.
    let mut town = Town::new(false);
    town.peers[BOB].answer = None;
    let id = town.connect(ALICE, town.wish(ALICE));
    town.sleep(Connect::PATIENCE_MS);
    assert_eq!(town.news(ALICE), [News::Failed(id, CallError::Timeout { at: At::Peer })]);
    // No path carries.
    let mut town = Town::new(false);
    town.paths = false;
    let id = town.connect(ALICE, town.wish(ALICE));
    town.sleep(Connect::PATIENCE_MS);
    let News::Failed(failed, error) = town.news(ALICE).remove(0) else { panic!("it goes on") };
    assert_eq!((failed, error.reason()), (id, "no_path"));
    assert!(error.to_string().contains("ours host, srflx, theirs host; the server offers no TURN"), "{error}");
    town.sleep(60_000);
    assert!(matches!(town.news(BOB)[..], [News::Knock(_), News::Closed(_, "left")]));
    // A path, and no channel on it.
    let mut town = Town::new(false);
    town.paths = false;
    let id = town.connect(ALICE, town.wish(ALICE));
    town.sleep(100);
    town.engine(ALICE, EngineEvent::Ice(IceState::Connected));
    town.sleep(Connect::PATIENCE_MS);
    assert_eq!(town.news(ALICE)[0], News::Failed(id, CallError::Timeout { at: At::Channel }));
}

#[test]
fn a_call_that_is_heeded_and_not_used_is_forgotten() {
    let mut town = Town::new(false);
    town.connect(ALICE, town.wish(ALICE));
    town.deliver();
    town.post.clear();
    town.now += 30_000;
    town.tell(BOB, Input::Tick);
    assert!(matches!(town.news(BOB)[..], [News::Knock(_), News::Closed(_, "timeout")]));
    assert_eq!(town.peers[BOB].calls.next_deadline(), None);
}

#[test]
fn what_was_called_off_ends_on_both_sides() {
    for after in [0, 100] {
        let mut town = Town::new(false);
        town.paths = false;
        let id = town.connect(ALICE, town.wish(ALICE));
        if after > 0 {
            town.sleep(after);
        }
        town.tell(ALICE, Input::Abort(id));
        assert_eq!(town.news(ALICE)[0], News::Failed(id, CallError::Aborted));
        town.sleep(100);
        let last = town.news(BOB).pop();
        assert!(matches!(last, Some(News::Closed(_, "left"))), "{last:?}");
        town.tell(ALICE, Input::Abort(id));
        town.tell(ALICE, Input::Abort(ConnectId(99)));
        assert!(town.news(ALICE).iter().all(|news| matches!(news, News::Closed(..))));
    }
}

#[test]
fn candidates_travel_in_bundles_and_early_ones_are_kept() {
    let mut town = Town::new(false);
    town.paths = false;
    town.connect(ALICE, town.wish(ALICE));
    town.deliver();
    town.deliver();
    // Offer and candidates are on their way; the postman turns them round.
    assert_eq!(town.post.iter().map(|letter| letter.kind).collect::<Vec<_>>(), ["ww.sealed", "ww.sealed"]);
    town.sleep(1_000);
    let orders = town.orders(BOB);
    let two = vec![candidate("host"), candidate("srflx")];
    assert!(
        matches!(&orders[..], [Order::Begin, Order::Describe(_), Order::Candidates(list)] if *list == two),
        "{orders:?}"
    );
    let one = vec![candidate("host")];
    assert!(matches!(town.orders(ALICE).last(), Some(Order::Candidates(list)) if *list == one));
    for _ in 0..3 {
        town.engine(ALICE, EngineEvent::Candidate(Some(candidate("relay"))));
    }
    assert_eq!(town.post.len(), 0);
    town.sleep(30);
    assert_eq!(town.orders(BOB), [Order::Candidates(vec![candidate("relay"); 3])]);
}

#[test]
fn a_lost_path_is_looked_for_until_it_is_back_or_a_minute_is_over() {
    let mut town = open();
    town.engine(ALICE, EngineEvent::Ice(IceState::Disconnected));
    assert_eq!(town.state(ALICE), Some(ConnectionState::Mending));
    town.sleep(2_999);
    assert_eq!(town.orders(ALICE), []);
    town.engine(ALICE, EngineEvent::Ice(IceState::Connected));
    assert_eq!(town.state(ALICE), Some(ConnectionState::Open));
    town.sleep(60_000);
    assert_eq!(town.orders(ALICE), [], "it came back by itself");
    town.engine(ALICE, EngineEvent::Ice(IceState::Failed));
    assert_eq!(town.orders(ALICE)[0], Order::Offer { restart: true });
    town.sleep(69_000);
    assert!(town.orders(ALICE).iter().filter(|order| matches!(order, Order::Offer { .. })).count() >= 5);
    assert!(matches!(town.news(ALICE).last(), Some(News::Closed(_, "no_path" | "timeout"))));
    assert!(matches!(town.news(BOB).last(), None | Some(News::Closed(_, "left"))));
}

#[test]
fn another_network_restarts_the_search_but_not_twice_in_a_moment() {
    let mut town = open();
    town.sleep(10_000);
    town.tell(ALICE, Input::Network);
    town.tell(ALICE, Input::Network);
    town.sleep(1_000);
    town.tell(ALICE, Input::Network);
    town.tell(ALICE, Input::Network);
    let offers = |orders: Vec<Order>| orders.iter().filter(|order| matches!(order, Order::Offer { .. })).count();
    assert_eq!(offers(town.orders(ALICE)), 1);
    town.sleep(5_000);
    assert_eq!(offers(town.orders(ALICE)), 1);
    assert_eq!(town.state(ALICE), Some(ConnectionState::Open));
}

#[test]
fn of_two_restarts_at_once_the_polite_ones_gives_way() {
    for polite in [false, true] {
        let mut town = open_as(polite);
        town.sleep(10_000);
        for who in [ALICE, BOB] {
            town.tell(who, Input::Network);
        }
        town.sleep(1_000);
        let (gives_way, stands) = if polite { (ALICE, BOB) } else { (BOB, ALICE) };
        let kinds = |orders: Vec<Order>| -> Vec<Option<DescriptionKind>> {
            let kind = |order: &Order| match order {
                Order::Describe(description) => Some(Some(description.kind)),
                Order::Offer { .. } => Some(None),
                _ => None,
            };
            orders.iter().filter_map(kind).collect()
        };
        assert_eq!(kinds(town.orders(gives_way)), [None, Some(DescriptionKind::Offer)]);
        assert_eq!(kinds(town.orders(stands)), [None, Some(DescriptionKind::Answer)]);
    }
}

#[test]
fn a_session_that_is_lost_while_two_connect_does_not_leave_them_hanging() {
    let mut town = open();
    town.sleep(10_000);
    town.engine(ALICE, EngineEvent::Ice(IceState::Failed));
    assert_eq!(town.post.pop_front().map(|letter| letter.kind), Some("ww.sealed"));
    town.post.clear();
    town.sleep(9_000);
    town.orders(ALICE);
    town.tell(ALICE, Input::Fresh);
    assert_eq!(town.orders(ALICE)[0], Order::Offer { restart: true });
    town.sleep(100);
    assert!(town.orders(ALICE).iter().any(|order| matches!(order, Order::Describe(_))));
}

#[test]
fn nothing_that_a_server_makes_up_moves_a_call() {
    let mut town = Town::new(false);
    let before = town.connect(ALICE, town.wish(ALICE));
    let hail = town.post[0].clone();
    town.sleep(100);
    assert!(matches!(town.news(ALICE)[..], [News::Connected(_, Some(id))] if id == before));
    town.orders(ALICE);
    town.orders(BOB);
    town.news(BOB);
    // The hail once more, while its call lives.
    town.hand_over(hail.clone());
    assert_eq!(town.news(BOB), []);
    for (kind, data) in [
        ("ww.sealed", r#"{"v":1,"call":"AAECAwQFBgcICQoLDA0ODw","i":99,"box":"AAAA"}"#.to_owned()),
        ("ww.sealed", changed(&hail.data, "box", "AAAA")),
        ("ww.heed", hail.data.clone()),
        ("ww.decline", hail.data.clone()),
        ("ww.hail", changed(&hail.data, "call", "AAECAwQFBgcICQoLDA0ODw")),
        ("ww.hail", "7".to_owned()),
        ("ww.hail", "[]".to_owned()),
        ("ww.hail", "null".to_owned()),
        ("ww.other", hail.data.clone()),
    ] {
        for from in [ALICE, BOB] {
            let to = town.peers[1 - from].id.clone();
            let letter = support::town::Letter { from, to, kind, data: data.clone(), ..hail.clone() };
            town.hand_over(letter);
        }
    }
    assert_eq!((town.news(ALICE), town.news(BOB)), (vec![], vec![]));
    assert_eq!((town.orders(ALICE), town.orders(BOB)), (vec![], vec![]));
    assert_eq!(town.state(ALICE), Some(ConnectionState::Open));
}

#[test]
fn who_floods_with_hails_is_passed_over_and_gone_in_the_end() {
    let mut town = Town::new(false);
    town.peers[BOB].answer = None;
    for _ in 0..300 {
        town.now += 1;
        town.connect(ALICE, Connect { device: Some(town.peers[BOB].device.clone()), ..town.wish(ALICE) });
    }
    town.settle();
    assert_eq!(town.news(BOB).len(), 256);
    town.sleep(300_000);
    assert_eq!(town.news(BOB).iter().filter(|news| matches!(news, News::Unknock(_))).count(), 256);
}

#[test]
fn a_guest_is_who_it_was_from_the_first_word_to_the_last_and_no_more_is_said() {
    let identities = [1, 2].map(|seed| Identity::new(&mut support::dice(seed)));
    let ids = [PeerId::new("~abcdefghijklmnopqrst").unwrap(), identities[1].id()];
    let mut town = Town::of(identities, ids);
    town.connect(ALICE, town.wish(ALICE));
    town.sleep(100);
    assert_eq!(town.peers[BOB].remotes[&town.last(BOB)].verified, Verified::Guest);
    assert_eq!(town.state(BOB), Some(ConnectionState::Open));
}

#[test]
fn an_engine_that_breaks_ends_its_connection_and_its_words_after_that_are_nothing() {
    let mut town = open();
    town.news(ALICE);
    town.engine(ALICE, EngineEvent::Failed("out of memory".into()));
    assert!(matches!(town.news(ALICE)[..], [News::Closed(_, "failed")]));
    for event in [
        EngineEvent::Open,
        EngineEvent::Left,
        EngineEvent::Candidate(None),
        EngineEvent::Described(Description { kind: DescriptionKind::Offer, sdp: String::new() }),
    ] {
        town.engine(ALICE, event);
    }
    assert_eq!(town.news(ALICE), []);
    assert_eq!(town.peers[ALICE].calls.next_deadline(), None);
}

fn open() -> Town {
    open_as(false)
}

fn open_as(polite: bool) -> Town {
    let mut town = Town::new(polite);
    town.connect(ALICE, town.wish(ALICE));
    town.sleep(100);
    assert_eq!((town.state(ALICE), town.state(BOB)), (Some(ConnectionState::Open), Some(ConnectionState::Open)));
    for who in [ALICE, BOB] {
        town.orders(who);
        town.news(who);
    }
    town
}

fn changed(data: &str, field: &str, value: &str) -> String {
    let mut fields: Value = serde_json::from_str(data).unwrap();
    fields[field] = value.into();
    fields.to_string()
}
