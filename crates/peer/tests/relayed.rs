//! Calls and the relay of last resort: when it is taken up, when a connection leaves it and comes back, and that no word is lost on the way.
#![allow(clippy::unwrap_used)]

mod support;

use support::link::limits;
use support::town::{ALICE, BOB, News, Town};
use wigwag_peer::State;
use wigwag_peer::calls::{CallError, ConnectionState, EngineEvent, IceState, Input, Order, RelayUse};
use wigwag_peer::relay::{Carrier, Posted};

#[test]
fn where_no_path_leads_both_talk_by_way_of_the_server() {
    for polite in [false, true] {
        let mut town = relaying(polite, [RelayUse::LastResort; 2]);
        town.paths = false;
        let id = town.connect(ALICE, town.wish(ALICE));
        town.sleep(3_900);
        assert_eq!(town.state(ALICE), Some(ConnectionState::Connecting), "a direct path has some time");
        town.sleep(500);
        let mine = town.last(ALICE);
        assert_eq!(town.news(ALICE), [News::Connected(mine, Some(id))]);
        assert!(matches!(town.news(BOB)[..], [News::Knock(_), News::Connected(..)]));
        town.say(ALICE, "from alice");
        town.say(BOB, "from bob");
        town.sleep(300);
        assert_eq!((town.heard(ALICE), town.heard(BOB)), (vec!["from bob".into()], vec!["from alice".into()]));
        town.tell(ALICE, Input::Close(mine, "enough".into()));
        town.settle();
        assert!(matches!(town.news(BOB)[..], [News::Closed(_, "left")]));
    }
}

#[test]
fn ice_that_fails_takes_the_relay_up_at_once() {
    let mut town = relaying(false, [RelayUse::LastResort; 2]);
    town.paths = false;
    town.connect(ALICE, town.wish(ALICE));
    town.sleep(100);
    town.engine(BOB, EngineEvent::Ice(IceState::Failed));
    town.sleep(100);
    for who in [ALICE, BOB] {
        assert_eq!((town.state(who), town.carrier(who)), (Some(ConnectionState::Open), Some(Carrier::Relay)));
    }
}

#[test]
fn a_connection_goes_to_the_direct_path_and_back_and_no_word_is_lost_or_doubled() {
    let mut town = relaying(false, [RelayUse::LastResort; 2]);
    town.paths = false;
    town.connect(ALICE, town.wish(ALICE));
    town.sleep(4_500);
    let mut said = 0;
    let mut talk = |town: &mut Town, count: u64| {
        for _ in 0..count {
            said += 1;
            town.say(ALICE, &format!("{said}"));
            town.say(BOB, &format!("{said}"));
            town.sleep(70);
        }
        said
    };
    for _ in 0..3 {
        talk(&mut town, 5);
        assert_eq!(town.carrier(ALICE), Some(Carrier::Relay));
        // A path appears, and the next search finds it.
        town.paths = true;
        talk(&mut town, 5);
        town.sleep(45_000);
        for who in [ALICE, BOB] {
            town.engine(who, EngineEvent::Ice(IceState::Connected));
        }
        talk(&mut town, 5);
        assert_eq!((town.carrier(ALICE), town.carrier(BOB)), (Some(Carrier::Direct), Some(Carrier::Direct)));
        // It goes, and first only one of them hears of it.
        town.paths = false;
        talk(&mut town, 5);
        town.engine(BOB, EngineEvent::Ice(IceState::Disconnected));
        talk(&mut town, 5);
        town.sleep(6_000);
        assert_eq!((town.carrier(ALICE), town.carrier(BOB)), (Some(Carrier::Relay), Some(Carrier::Relay)));
    }
    let count = talk(&mut town, 1);
    town.sleep(20_000);
    for who in [ALICE, BOB] {
        assert_eq!(town.state(who), Some(ConnectionState::Open));
        assert_eq!(town.heard(who), (1..=count).map(|word| word.to_string()).collect::<Vec<_>>());
    }
}

#[test]
fn who_hailed_looks_for_a_direct_path_ever_more_rarely() {
    let mut town = relaying(false, [RelayUse::LastResort; 2]);
    town.paths = false;
    town.connect(ALICE, town.wish(ALICE));
    town.sleep(4_500);
    let restarts = |orders: Vec<Order>| orders.iter().filter(|order| **order == Order::Offer { restart: true }).count();
    town.orders(ALICE);
    town.orders(BOB);
    town.sleep(600_000);
    // After 10, 30, 70, 150, 310 and then every 300 s.
    assert_eq!((restarts(town.orders(ALICE)), restarts(town.orders(BOB))), (5, 0));
}

#[test]
fn who_does_not_agree_is_never_relayed_to() {
    for (ours, theirs) in [(RelayUse::Never, RelayUse::LastResort), (RelayUse::LastResort, RelayUse::Never)] {
        let mut town = relaying(false, [ours, theirs]);
        town.paths = false;
        let id = town.connect(ALICE, town.wish(ALICE));
        town.sleep(25_000);
        assert!(matches!(town.news(ALICE)[..], [News::Failed(failed, CallError::NoPath { .. }), ..] if failed == id));
        let mut town = relaying(false, [ours, theirs]);
        town.connect(ALICE, town.wish(ALICE));
        town.sleep(100);
        assert_eq!(town.state(ALICE), Some(ConnectionState::Open), "a direct path does");
        assert!(!town.orders(ALICE).iter().any(|order| matches!(order, Order::Relay { .. })));
    }
}

#[test]
fn who_wants_nothing_but_the_relay_has_it_at_once_and_looks_for_nothing_else() {
    for (ours, theirs) in [(RelayUse::Only, RelayUse::LastResort), (RelayUse::LastResort, RelayUse::Only)] {
        let mut town = relaying(false, [ours, theirs]);
        town.paths = false;
        town.connect(ALICE, town.wish(ALICE));
        town.sleep(200);
        assert_eq!((town.state(ALICE), town.state(BOB)), (Some(ConnectionState::Open), Some(ConnectionState::Open)));
        assert_eq!(town.carrier(ALICE), Some(Carrier::Relay));
    }
}

#[test]
fn a_relayed_connection_whose_peer_is_gone_mends_for_a_while_and_ends_with_a_reason() {
    let mut town = relaying(false, [RelayUse::LastResort; 2]);
    town.paths = false;
    town.connect(ALICE, town.wish(ALICE));
    town.sleep(4_500);
    town.news(ALICE);
    here(&mut town, false);
    town.say(ALICE, "are you there?");
    town.sleep(1_000);
    assert_eq!(town.state(ALICE), Some(ConnectionState::Mending));
    here(&mut town, true);
    town.sleep(4_000);
    assert_eq!(town.state(ALICE), Some(ConnectionState::Open), "it is back");
    here(&mut town, false);
    town.say(ALICE, "and now?");
    town.sleep(70_000);
    assert!(matches!(town.news(ALICE)[..], [News::Closed(_, "no_path")]));
}

#[test]
fn a_server_that_relays_no_more_leaves_the_connection_to_the_direct_path() {
    let mut town = relaying(false, [RelayUse::LastResort; 2]);
    town.paths = false;
    town.connect(ALICE, town.wish(ALICE));
    town.sleep(4_500);
    town.link(ALICE, |link, now, pace, out| {
        link.posted(now, pace, Posted::Refused { code: 4305, retry_after: None }, out);
    });
    town.settle();
    assert_eq!((town.state(ALICE), town.carrier(ALICE)), (Some(ConnectionState::Mending), None));
}

#[test]
fn a_relayed_connection_outlives_its_line_for_a_while() {
    let mut town = relaying(false, [RelayUse::LastResort; 2]);
    town.paths = false;
    town.connect(ALICE, town.wish(ALICE));
    town.sleep(4_500);
    town.tell(ALICE, Input::Line(State::Waiting));
    town.say(ALICE, "kept");
    town.sleep(2_000);
    assert_eq!(town.state(ALICE), Some(ConnectionState::Open));
    town.sleep(2_000);
    assert_eq!(town.state(ALICE), Some(ConnectionState::Mending));
    town.tell(ALICE, Input::Line(State::Open));
    town.sleep(1_000);
    assert_eq!((town.state(ALICE), town.heard(BOB)), (Some(ConnectionState::Open), vec!["kept".into()]));
}

/// Whether the server knows either of them.
fn here(town: &mut Town, here: bool) {
    for peer in &mut town.peers {
        peer.here = here;
    }
}

fn relaying(polite: bool, wanted: [RelayUse; 2]) -> Town {
    let mut town = Town::new(polite);
    let now = wigwag_peer::Moment(town.now);
    for (who, wanted) in [ALICE, BOB].into_iter().zip(wanted) {
        town.peers[who].pace.told(now, &limits());
        town.tell(who, Input::Relay(wanted));
    }
    town
}
