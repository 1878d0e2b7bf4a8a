//! Getting in, finding, signalling and watching each other, and keeping a session over a lost socket.

use serde_json::json;

use crate::support::peer::Key;
use crate::support::{Identity, Peer, Wigwag};

#[tokio::test]
async fn peers_of_every_kind_get_in_find_signal_and_watch_each_other() {
    let server = Wigwag::new().start().await;
    let (ed, p256, other_ed, other_p256) = (Key::new(1), Key::p256(), Key::new(2), Key::p256());
    let mut peers = Vec::new();
    for who in [
        Identity::guest(),
        Identity::keyed(&ed),
        Identity::keyed(&p256),
        Identity::named("alice@example.org", &other_ed),
        Identity::named("bob@example.org", &other_p256).device("phone"),
    ] {
        peers.push(Peer::enter(server.address, who).await);
    }
    let ids: Vec<String> = peers.iter().map(|peer| peer.id().to_owned()).collect();
    assert!(ids[0].starts_with('~'), "{ids:?}");
    assert_eq!(ids[1..3], [ed.public().id().as_str(), p256.public().id().as_str()]);
    assert_eq!(ids[3..], ["alice@example.org", "bob@example.org"]);

    for from in 0..peers.len() {
        for to in (0..peers.len()).filter(|to| *to != from) {
            let found = peers[from].done(json!({"type": "find", "id": ids[to]})).await;
            assert_eq!((&found["id"], &found["state"]), (&json!(ids[to]), &json!("here")));
            let data = json!({"from": from, "to": to, "exactly": 1.0e0});
            assert_eq!(peers[from].signal(&ids[to], data.clone()).await, "delivered");
            let signal = peers[to].next("signal").await;
            assert_eq!((&signal["from"], &signal["data"]), (&json!(ids[from]), &data));
            assert_eq!(signal["polite"].as_bool().unwrap(), ids[to] < ids[from]);
            assert_eq!(found["polite"].as_bool().unwrap(), ids[from] < ids[to]);
            peers[from].done(json!({"type": "watch", "ids": [ids[to]]})).await;
            let told = peers[from].next("presence").await;
            assert_eq!((&told["id"], &told["state"]), (&json!(ids[to]), &json!("here")));
        }
    }
    let mut gone = peers.pop().unwrap();
    gone.send(&json!({"type": "bye"})).await;
    assert_eq!(gone.close_code().await, 1000);
    for peer in &mut peers {
        let told = peer.next("presence").await;
        assert_eq!((&told["id"], &told["state"]), (&json!(ids[4]), &json!("gone")));
    }
    assert_eq!(peers[0].signal(&ids[4], "too late").await, "absent");
}

#[tokio::test]
async fn a_cut_socket_resumes_with_everything_that_it_missed() {
    let server = Wigwag::new().start().await;
    let key = Key::new(1);
    let mut alice = Peer::guest(server.address).await;
    for (number, who) in [Identity::guest(), Identity::keyed(&key)].into_iter().enumerate() {
        let mut bob = Peer::enter(server.address, who).await;
        let to = bob.id().to_owned();
        alice.done(json!({"type": "watch", "ids": [to]})).await;
        assert_eq!(alice.next("presence").await["state"], "here");
        bob.done(json!({"type": "room.create", "room": format!("room {number}")})).await;
        assert_eq!(alice.signal(&to, 0).await, "delivered");
        assert_eq!(bob.next("signal").await["data"], 0);

        // Cut without a word; the server notices and holds what comes.
        bob.cut().await;
        server.counts("wigwag_sessions_waiting", 1.0).await;
        for i in 1..=3 {
            assert_eq!(alice.signal(&to, i).await, "stored");
        }
        let mut bob = Peer::resuming(server.address, who, &bob).await;
        assert_eq!(bob.welcome["resumed"], true);
        assert_eq!(bob.welcome["missed"], json!(null));
        for i in 1..=3 {
            assert_eq!(bob.next("signal").await["data"], i);
        }
        assert_eq!(alice.signal(&to, 4).await, "delivered");
        assert_eq!(bob.next("signal").await["data"], 4);
        // It is where it was, and nobody saw it go.
        let again = bob.done(json!({"type": "room.join", "room": format!("room {number}")})).await;
        assert_eq!(again["host"]["id"], to);
        bob.send(&json!({"type": "bye"})).await;
        assert_eq!(alice.next("presence").await["state"], "gone");
    }
    assert_eq!(server.metric("wigwag_resumed_total").await, 2.0);
}

#[tokio::test]
async fn a_resuming_peer_says_what_it_took_in_and_gets_the_rest_again() {
    let server = Wigwag::new().start().await;
    let mut alice = Peer::guest(server.address).await;
    let mut bob = Peer::guest(server.address).await;
    let to = bob.id().to_owned();
    for i in 1..=5 {
        alice.signal(&to, i).await;
    }
    for i in 1..=5 {
        assert_eq!(bob.next("signal").await["data"], i);
    }
    // As if the last two had not reached the application; nothing confirmed them, for no mark was due yet.
    bob.seen = 3;
    bob.cut().await;
    let mut bob = Peer::resuming(server.address, Identity::guest(), &bob).await;
    let missed = bob.welcome["missed"].as_u64().unwrap_or(0);
    for i in 4 + missed..=5 {
        assert_eq!(bob.next("signal").await["data"], i);
    }
    assert_eq!(bob.seen, 5);
}

#[tokio::test]
async fn a_new_socket_with_proof_takes_over_at_once() {
    let server = Wigwag::new().start().await;
    let key = Key::new(1);
    let who = Identity::named("alice@example.org", &key);
    let mut first = Peer::enter(server.address, who).await;
    let mut watcher = Peer::guest(server.address).await;
    watcher.done(json!({"type": "watch", "ids": ["alice@example.org"]})).await;
    assert_eq!(watcher.next("presence").await["state"], "here");

    // With the token the session goes on, even while its socket is alive.
    let mut second = Peer::resuming(server.address, who, &first).await;
    assert_eq!((&second.welcome["resumed"], second.session()), (&json!(true), first.session()));
    assert_eq!(first.close_code().await, 4300);
    assert_eq!(watcher.signal("alice@example.org", "hi").await, "delivered");
    assert_eq!(second.next("signal").await["data"], "hi");

    // Without it a fresh one begins in the old one's place.
    let mut third = Peer::enter(server.address, who).await;
    assert_eq!((&third.welcome["resumed"], third.session() == first.session()), (&json!(false), false));
    assert_eq!(second.close_code().await, 4300);
    // Another device is another party: it lives beside the first.
    let mut phone = Peer::enter(server.address, who.device("phone")).await;
    assert_eq!(watcher.signal("alice@example.org", "all").await, "delivered");
    assert_eq!(third.next("signal").await["data"], "all");
    assert_eq!(phone.next("signal").await["data"], "all");
    // To others the id was here all the time.
    phone.send(&json!({"type": "bye"})).await;
    third.send(&json!({"type": "bye"})).await;
    assert_eq!(watcher.next("presence").await["state"], "gone");
}

#[tokio::test]
async fn what_is_signed_for_another_challenge_or_server_is_refused() {
    let server = Wigwag::new().set("server.name", "wigwag.example.org").start().await;
    let key = Key::p256();
    let peer = Peer::enter(server.address, Identity::keyed(&key)).await;
    assert_eq!(peer.challenge["server"], "wigwag.example.org");
    let mut elsewhere = peer.challenge.clone();
    for (field, value) in [("nonce", json!("AAAAAAAAAAAAAAAAAAAAAA")), ("server", json!("other.example.org"))] {
        elsewhere[field] = value;
        let mut raw = crate::support::Raw::open(server.address).await;
        raw.say(&Identity::keyed(&key).hello(&elsewhere, None).to_string()).await;
        assert_eq!(raw.event().await["code"], 4200);
        assert_eq!(raw.close_code().await, 4200);
    }
}
