//! What must never be in a log or in `/metrics`, whatever is asked to be logged.

use std::net::SocketAddr;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::peer::Key;
use crate::support::{Identity, Peer, Raw, Server, Wigwag, connect_from, http};

#[tokio::test]
async fn no_address_sdp_id_or_secret_is_logged_even_at_trace_in_text_or_json() {
    for format in ["text", "json"] {
        let wigwag = Wigwag::new().set("log.filter", "trace").set("log.format", format);
        let wigwag = wigwag.set("server.trust_proxy", true).set("admin.token", "canary-operator-token-0123456789");
        let mut server = wigwag.start().await;
        let canaries = busy(&server).await;
        let metrics = server.get("/metrics").await.body;
        server.logged("socket closed").await;
        server.signal(Signal::TERM);
        server.exit().await;
        server.logged("drained").await;
        let log = server.log();
        assert!(log.contains("DEBUG"), "all levels are logged");
        for canary in canaries {
            assert!(canary.len() >= 6, "{canary:?} may be there by chance");
            assert!(!log.contains(&canary), "{canary:?} is in the log");
            assert!(!metrics.contains(&canary), "{canary:?} is in the metrics");
        }
    }
}

/// Peers that do all sorts of things, well and badly; the words that only they know.
async fn busy(server: &Server) -> Vec<String> {
    let to = server.address;
    let key = Key::new(77);
    let name = "canaryname@canary.example";
    let who = Identity::named(name, &key).device("canary-device").namespace("canary-namespace");
    let mut known: Vec<String> =
        ["canary", "127.0.0.77", "203.0.113.77", key.public().id().as_str()].map(Into::into).into();
    known.push(key.public().to_string()["ed25519:".len()..].into());

    let (mut alice, hello, welcome) = behind_a_proxy(to, who).await;
    known.push(hello["signature"].as_str().unwrap().into());
    let guest = Identity::guest().namespace("canary-namespace");
    let mut bob = Peer::over(connect_from([127, 0, 0, 77], to).await, guest, None).await.unwrap();
    for welcome in [&welcome, &bob.welcome] {
        known.extend(["id", "session", "resume"].map(|field| welcome[field].as_str().unwrap().to_owned()));
    }
    known.push(bob.challenge["nonce"].as_str().unwrap().into());

    let sdp = "v=0\r\no=canary 1 1 IN IP4 203.0.113.77\r\na=ice-pwd:canary";
    let made =
        bob.done(json!({"type": "room.create", "room": "canary-room", "code": true, "password": "canary-password"}));
    let code = made.await["code"].as_str().unwrap().to_owned();
    for (n, request) in [
        json!({"type": "signal", "to": bob.id(), "kind": "offer", "data": {"sdp": sdp}}),
        json!({"type": "signal", "to": "canaryabsent@canary.example", "kind": "offer", "data": sdp, "store": 60}),
        json!({"type": "room.join", "code": code, "password": "canary-wrong"}),
        json!({"type": "room.join", "code": code, "password": "canary-password", "me": {"sdp": sdp}}),
        json!({"type": "say", "room": "canary-room", "data": sdp}),
        json!({"type": "subscribe", "topics": ["canary-topic"]}),
        json!({"type": "publish", "topic": "canary-topic", "data": sdp}),
        json!({"type": "network.join", "network": "canary-network"}),
        json!({"type": "swarm.announce", "swarm": "canary-swarm", "complete": false}),
        json!({"type": "watch", "ids": [bob.id(), "canaryother@canary.example"]}),
        json!({"type": "canary-type"}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut request = request;
        request["n"] = (n + 1).into();
        alice.say(&request.to_string()).await;
        while alice.event().await["re"] != n + 1 {}
    }
    known.push(code);
    alice.say("{\"canary-broken").await;
    while alice.event().await["code"] != 4400 {}

    // Refused at the door and after it, resumed, and torn.
    let thief = Key::new(78);
    let thief = Identity::named(name, &thief).namespace("canary-namespace");
    Peer::over(connect_from([127, 0, 0, 77], to).await, thief, None).await.unwrap_err();
    let token = bob.token().to_owned();
    let again = connect_from([127, 0, 0, 77], to).await;
    let again = Peer::over(again, guest, Some((&token, bob.seen))).await.unwrap();
    known.push(again.token().to_owned());
    alice.write(b"\x81\x06canary").await;
    alice.close_code().await;

    let operator = "Authorization: Bearer canary-operator-token-0123456789\r\n";
    for (path, headers) in [
        ("/canary-path?canary=203.0.113.77", "X-Forwarded-For: 203.0.113.77\r\nUser-Agent: canary\r\n"),
        ("/v1?token=canary", "Cookie: canary\r\n"),
        ("/api/v1/sessions", "Authorization: Bearer canary-wrong\r\n"),
        ("/api/v1/sessions", operator),
        ("/api/v1/sessions/canary-session", operator),
        ("/api/v1/rooms/canary-room", operator),
    ] {
        http::over(connect_from([127, 0, 0, 77], to).await, "GET", path, headers, "").await;
    }
    known
}

/// A peer for whom a proxy speaks; its hello and its welcome.
async fn behind_a_proxy(to: SocketAddr, who: Identity<'_>) -> (Raw, Value, Value) {
    let mut raw = Raw::over(connect_from([127, 0, 0, 77], to).await);
    raw.upgrade("X-Forwarded-For: 203.0.113.77\r\n").await;
    let hello = who.hello(&raw.event().await, None);
    raw.say(&hello.to_string()).await;
    let welcome = raw.event().await;
    assert_eq!(welcome["type"], "welcome", "{welcome}");
    (raw, hello, welcome)
}
