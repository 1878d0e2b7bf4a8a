//! PeerJS at the running server: its sockets, what it asks over HTTP, and its own server's command line.

use serde_json::json;

use crate::support::{Foreign, Peer, Server, Wigwag, http};

#[tokio::test]
async fn two_peers_reach_each_other_through_a_server_that_was_told_nothing() {
    let server = Wigwag::new().start().await;
    let id = server.get("/peerjs/id?ts=1&version=1.5.5").await;
    assert_eq!((id.status, id.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let (mut alice, mut bob) = (enter(&server, "/", &id.body).await, enter(&server, "/", "bob").await);
    alice.say(r#"{"type":"OFFER","payload":{"sdp": 1.0},"dst":"bob"}"#).await;
    let told = format!(r#"{{"type":"OFFER","src":"{}","dst":"bob","payload":{{"sdp": 1.0}}}}"#, id.body);
    assert_eq!(bob.text().await, Some(told));
    server.counts("wigwag_messages_total{dialect=\"peerjs\",type=\"OFFER\",direction=\"in\"}", 1.0).await;
}

#[tokio::test]
async fn a_refused_peer_is_told_why_and_closed_without_a_code() {
    let server = Wigwag::new().set("peerjs.key", "mine").start().await;
    let mut socket = Foreign::open(server.address, "/peerjs?key=peerjs&id=a&token=t").await;
    assert_eq!(socket.message().await, json!({"type": "ERROR", "payload": {"msg": "Invalid key provided"}}));
    assert_eq!(socket.end().await, Some(None));
    let mut first = Foreign::open(server.address, "/peerjs?key=mine&id=a&token=t").await;
    assert_eq!(first.message().await, json!({"type": "OPEN"}));
    let mut second = Foreign::open(server.address, "/peerjs?key=mine&id=a&token=other").await;
    assert_eq!(second.message().await["type"], "ID-TAKEN");
    assert_eq!(second.end().await, Some(None));
}

#[tokio::test]
async fn silence_and_calls_that_nobody_takes_end_in_time() {
    let server = Wigwag::new().set("peerjs.alive_timeout_ms", 1_500).set("peerjs.expire_timeout_ms", 300).start().await;
    let mut alice = enter(&server, "/", "alice").await;
    alice.say(r#"{"type":"OFFER","payload":1,"dst":"bob"}"#).await;
    assert_eq!(alice.message().await, json!({"type": "EXPIRE", "src": "bob", "dst": "alice"}));
    assert_eq!(alice.end().await, Some(None));
}

#[tokio::test]
async fn what_clients_ask_over_http_is_answered_for_their_key_alone() {
    let server = Wigwag::new().set("peerjs.allow_discovery", true).start().await;
    let _bob = enter(&server, "/", "bob").await;
    let peers = server.get("/peerjs/peers").await;
    assert_eq!((peers.status, peers.json()), (200, json!(["bob"])));
    for path in ["/other/id", "/other/peers"] {
        assert_eq!(server.get(path).await.status, 401, "{path}");
    }
    let answer = http::ask(server.address, "GET", "/peerjs/id", "Origin: https://app.example\r\n", "").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("*")));
    let about = http::ask(server.address, "GET", "/", "Accept: application/json\r\n", "").await;
    assert!(about.json()["name"].is_string());
    assert!(server.get("/").await.body.contains("This is Wigwag"), "people are shown the page");
    assert_eq!(Wigwag::new().start().await.get("/peerjs/peers").await.status, 401);
}

#[tokio::test]
async fn a_key_can_carry_a_namespace_because_a_client_can_write_nothing_else() {
    let server = Wigwag::new().set("peerjs.allow_discovery", true).start().await;
    let _here = enter(&server, "/", "bob").await;
    let mut there = Foreign::open(server.address, "/peerjs?key=peerjs&ns=app&id=ann&token=t").await;
    assert_eq!(there.message().await, json!({"type": "OPEN"}));
    assert_eq!(server.get("/peerjs&ns=app/peers").await.json(), json!(["ann"]));
    assert_eq!(server.get("/peerjs/peers?ns=app").await.json(), json!(["ann"]));
    assert_eq!(server.get("/peerjs/peers").await.json(), json!(["bob"]));
}

#[tokio::test]
async fn a_port_of_its_own_takes_any_path() {
    let server = Wigwag::new().set("dialects.listen", "peerjs=127.0.0.1:0").start().await;
    let at = server.pinned("peerjs").await;
    assert!(http::get(at, "/").await.json()["website"].is_string());
    for base in ["/", "/myapp/"] {
        let id = http::get(at, &format!("{base}peerjs/id")).await;
        assert_eq!((id.status, id.body.len()), (200, 36), "{base}");
        let mut socket = Foreign::open(at, &format!("{base}peerjs?key=peerjs&id={}&token=t", id.body)).await;
        assert_eq!(socket.message().await, json!({"type": "OPEN"}));
    }
}

#[tokio::test]
async fn peerservers_command_line_runs_this_server_as_it_ran_that_one() {
    let line = ["--port", "0", "--path", "/myapp", "--key", "mine", "--allow_discovery", "--proxied", "true"];
    let limits = ["-c", "2", "--alive_timeout", "60000", "-t", "300", "--host", "127.0.0.1"];
    let server = compat(&[&line[..], &limits].concat()).spawn().await;
    let about = server.get("/myapp").await;
    assert_eq!(about.json()["name"], "PeerJS Server");
    assert_eq!(server.get("/myapp/peerjs/id").await.status, 401);
    assert_eq!(server.get("/myapp/mine/id").await.body.len(), 36);
    let open = async |id: &str| {
        let path = format!("/myapp/peerjs?key=mine&id={id}&token=t&version=1.5.5");
        let mut socket = Foreign::open(server.address, &path).await;
        let first = socket.message().await;
        (socket, first)
    };
    let (mut alice, first) = open("alice").await;
    assert_eq!(first, json!({"type": "OPEN"}));
    let (_bob, first) = open("bob").await;
    assert_eq!(first, json!({"type": "OPEN"}));
    assert_eq!(open("carol").await.1["payload"]["msg"], "Server has reached its concurrent user limit");
    assert_eq!(server.get("/myapp/mine/peers").await.json(), json!(["alice", "bob"]));
    alice.say(r#"{"type":"OFFER","payload":1,"dst":"nobody"}"#).await;
    assert_eq!(alice.message().await["type"], "EXPIRE");
    // The server behind it is the whole one.
    Peer::guest(server.address).await;
    assert_eq!(server.get("/ready").await.status, 200);
}

#[tokio::test]
async fn the_environment_stands_in_too_so_that_only_the_name_of_an_image_changes() {
    let server = Wigwag::new().alone().env("WIGWAG_COMPAT", "peerjs").env("PEERSERVER_PATH", "/p").arg("-p").arg(0);
    let server = server.arg("--host").arg("127.0.0.1").spawn().await;
    assert_eq!(server.get("/p/peerjs/id").await.status, 200);
    let server = Wigwag::new().alone().env("WIGWAG_COMPAT", "peerjs").env("PORT", 0).env("HOST", "127.0.0.1");
    assert_eq!(server.spawn().await.get("/").await.json()["name"], "PeerJS Server");
}

#[tokio::test]
async fn pages_of_other_origins_are_kept_out_where_peerserver_was_given_a_list() {
    let server = compat(&["--port", "0", "--host", "127.0.0.1", "--cors", "https://a.example", "https://b.example"]);
    let server = server.spawn().await;
    for (origin, status, allowed) in
        [("https://b.example", 200, Some("https://b.example")), ("https://evil.example", 403, None)]
    {
        let answer = http::ask(server.address, "GET", "/peerjs/id", &format!("Origin: {origin}\r\n"), "").await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (status, allowed), "{origin}");
    }
}

#[tokio::test]
async fn a_command_line_that_cannot_be_honoured_ends_with_a_reason() {
    for (args, code, part) in [
        (&["--port", "9000", "--concurrent_limit", "0"][..], 2, "0 is not in 1.."),
        (&["--generateClientId", "x"], 2, "unexpected argument '--generateClientId'"),
        (&["--sslkey", "key.pem"], 2, "--sslcert"),
        (&["--sslkey", "/nowhere/k.pem", "--sslcert", "/nowhere/c.pem"], 78, "option --sslkey: tls.key: cannot read"),
        (&["--path", "/a?b"], 78, "option --path: dialects.paths"),
        (&["--cors", "app.example"], 78, "option --cors: server.origins"),
        (&["--key", "a/b"], 78, "option --key: peerjs.key"),
    ] {
        let (exit, said) = compat(args).run().await;
        assert_eq!(exit, Some(code), "{args:?}: {said}");
        assert!(said.contains(part), "{args:?}: {said}");
    }
}

/// A server that stands in for PeerServer and is given that one's options, and no others.
fn compat(args: &[&str]) -> Wigwag {
    let mut wigwag = Wigwag::new().alone().arg("serve").arg("--compat").arg("peerjs");
    for arg in args {
        wigwag = wigwag.arg(arg);
    }
    wigwag
}

/// A peer of this id, below this base.
async fn enter(server: &Server, base: &str, id: &str) -> Foreign {
    let path = format!("{base}peerjs?key=peerjs&id={id}&token=of-{id}&version=1.5.5");
    let mut socket = Foreign::open(server.address, &path).await;
    assert_eq!(socket.message().await, json!({"type": "OPEN"}));
    socket
}
