//! The doors of the dialects: which address speaks what, and what all dialects share.

use serde_json::json;

use crate::support::{Foreign, Peer, Wigwag, http};

#[tokio::test]
async fn a_dialect_is_chosen_by_its_path_or_else_by_the_first_frame() {
    let server = Wigwag::new().start().await;
    let mut heard = Vec::new();
    for path in ["/yjs", "/", "/any/where?x=1"] {
        let mut socket = Foreign::open(server.address, path).await;
        socket.say(r#"{"type":"subscribe","topics":["doc"]}"#).await;
        socket.say(r#"{"type":"ping"}"#).await;
        assert_eq!(socket.message().await, json!({"type": "pong"}));
        heard.push(socket);
    }
    heard[0].say_bytes(br#"{"type":"publish","topic":"doc","data": 1.0}"#).await;
    for socket in &mut heard {
        let told = r#"{"type":"publish","topic":"doc","data": 1.0,"clients":3}"#;
        assert_eq!(socket.text().await.as_deref(), Some(told));
    }
}

#[tokio::test]
async fn the_native_protocol_is_spoken_at_its_path_and_wherever_a_client_offers_it() {
    let server = Wigwag::new().start().await;
    let upgrade = format!("{}Sec-WebSocket-Protocol: wigwag.1\r\n", http::UPGRADE);
    for path in ["/v1", "/"] {
        let answer = http::ask(server.address, "GET", path, &upgrade, "").await;
        assert_eq!((answer.status, answer.header("sec-websocket-protocol")), (101, Some("wigwag.1")), "{path}");
    }
    // A path of a dialect is that dialect's, whatever is offered.
    let answer = http::ask(server.address, "GET", "/yjs", &upgrade, "").await;
    assert_eq!((answer.status, answer.header("sec-websocket-protocol")), (101, None));
}

#[tokio::test]
async fn a_dialect_can_have_a_port_of_its_own_at_which_every_path_speaks_it() {
    let server = Wigwag::new().arg("--set").arg("dialects.listen=yjs=127.0.0.1:0").start().await;
    let at = server.pinned("yjs").await;
    let (mut a, mut b) = (Foreign::open(at, "/").await, Foreign::open(server.address, "/yjs").await);
    for socket in [&mut a, &mut b] {
        socket.say(r#"{"type":"subscribe","topics":["doc"]}"#).await;
        socket.say(r#"{"type":"ping"}"#).await;
        socket.message().await;
    }
    a.say(r#"{"type":"publish","topic":"doc"}"#).await;
    assert_eq!(b.message().await, json!({"type": "publish", "topic": "doc", "clients": 2}));
}

#[tokio::test]
async fn a_dialect_can_move_and_be_switched_off() {
    let server = Wigwag::new()
        .set("dialects.paths", "yjs=/signal")
        .set("dialects.off", "trystero,tracker")
        .set("dialects.root", "off")
        .start()
        .await;
    let mut moved = Foreign::open(server.address, "/signal").await;
    moved.say(r#"{"type":"ping"}"#).await;
    assert_eq!(moved.message().await, json!({"type": "pong"}));
    for path in ["/yjs", "/relay", "/tracker", "/"] {
        assert_eq!(Foreign::try_open(server.address, path).await.unwrap_err(), 404, "{path}");
    }
    assert!(server.log().contains("trystero (dialects.off)"), "{}", server.log());
}

#[tokio::test]
async fn namespaces_keep_dialects_apart_too_and_one_that_is_not_served_is_refused_before_the_upgrade() {
    let server = Wigwag::new().set("auth.namespaces", "default,app").start().await;
    let mut sockets = Vec::new();
    for path in ["/relay", "/relay?ns=app", "/relay?ns=app"] {
        let mut socket = Foreign::open(server.address, path).await;
        socket.say(r#"{"type":"subscribe","topic":"t"}"#).await;
        socket.say(r#"{"type":"publish","topic":"t","payload":"mine"}"#).await;
        assert_eq!(socket.message().await, json!({"topic": "t", "payload": "mine"}));
        sockets.push(socket);
    }
    sockets[2].say(r#"{"type":"publish","topic":"t","payload":2}"#).await;
    // What the third said first is there already; nothing of it came to the first.
    assert_eq!(sockets[1].message().await["payload"], "mine");
    assert_eq!(sockets[1].message().await["payload"], 2);
    sockets[0].say(r#"{"type":"publish","topic":"t","payload":3}"#).await;
    assert_eq!(sockets[0].message().await["payload"], 3);
    assert_eq!(Foreign::try_open(server.address, "/relay?ns=other").await.unwrap_err(), 403);
    assert_eq!(Foreign::try_open(server.address, "/relay?ns=a%20b").await.unwrap_err(), 400);
}

#[tokio::test]
async fn dialects_share_limits_and_numbers_with_everything_else() {
    let server = Wigwag::new().limit("frames_per_second", 1).limit("frames_burst", 3).start().await;
    let mut socket = Foreign::open(server.address, "/yjs").await;
    for _ in 0..5 {
        socket.say(r#"{"type":"ping"}"#).await;
    }
    server.counts("wigwag_refused_total{code=\"4100\",name=\"rate_limited\"}", 2.0).await;
    server.counts("wigwag_messages_total{dialect=\"yjs\",type=\"ping\",direction=\"in\"}", 3.0).await;
    server.counts("wigwag_messages_total{dialect=\"yjs\",type=\"answer\",direction=\"out\"}", 3.0).await;
}

#[tokio::test]
async fn a_drain_asks_dialects_to_come_back_like_everybody() {
    let server = Wigwag::new().set("server.drain_seconds", 0).start().await;
    let mut socket = Foreign::open(server.address, "/yjs").await;
    socket.say(r#"{"type":"ping"}"#).await;
    socket.message().await;
    let (stopped, ended) = tokio::join!(server.stop(), socket.end());
    assert!(stopped.success());
    assert_eq!(ended, Some(Some(4000)));
}

#[tokio::test]
async fn what_a_native_peer_publishes_reaches_dialects_and_the_other_way_round() {
    let server = Wigwag::new().start().await;
    let mut foreign = Foreign::open(server.address, "/relay").await;
    foreign.say(r#"{"type":"subscribe","topic":"t"}"#).await;
    foreign.say(r#"{"type":"publish","topic":"t","payload":0}"#).await;
    foreign.message().await;
    let mut native = Peer::guest(server.address).await;
    native.done(json!({"type": "subscribe", "topics": ["t"]})).await;
    native.done(json!({"type": "publish", "topic": "t", "data": {"x": 1}})).await;
    assert_eq!(foreign.message().await, json!({"topic": "t", "payload": {"x": 1}}));
    foreign.say(r#"{"type":"publish","topic":"t","payload":[2]}"#).await;
    let said = native.next("published").await;
    let said = if said["data"] == json!({"x": 1}) { native.next("published").await } else { said };
    assert_eq!(said["data"], json!([2]));
}

#[tokio::test]
async fn health_checks_of_the_originals_find_what_they_look_for() {
    let server = Wigwag::new().set("dialects.listen", "yjs=127.0.0.1:0,tom=127.0.0.1:0").start().await;
    let (yjs, tom) = (server.pinned("yjs").await, server.pinned("tom").await);
    assert_eq!(http::get(yjs, "/").await.body, "okay");
    assert_eq!(http::get(tom, "/health").await.json(), json!({"ok": true}));
    let plain = http::ask(server.address, "GET", "/", "Accept: text/plain\r\n", "").await;
    assert_eq!((plain.status, plain.body.as_str()), (200, "okay"));
    let json = http::ask(server.address, "GET", "/health", "Accept: application/json\r\n", "").await;
    assert_eq!(json.json(), json!({"ok": true}));
    assert_eq!(server.get("/health").await.body, "OK");
    assert!(server.get("/").await.body.contains("This is Wigwag"));
}
