//! The operator's door: who is here, who must go, what is closed, and what is logged.

use serde_json::{Value, json};

use crate::support::http::{Answer, ask};
use crate::support::peer::{Key, Refused};
use crate::support::{Identity, Peer, Server, Wigwag, connect_from};

#[tokio::test]
async fn without_a_token_there_is_no_door_and_with_one_it_opens_to_nothing_else() {
    let closed = Wigwag::new().start().await;
    for headers in ["", BEARER] {
        let answer = ask(closed.address, "GET", "/api/v1/sessions", headers, "").await;
        assert_eq!((answer.status, answer.code()), (404, 4404));
    }
    let server = open().start().await;
    for headers in ["", "Authorization: Bearer wrong\r\n", "Authorization: Basic dGhlIG9wZXJhdG9yJ3MgdG9rZW4=\r\n"] {
        for (method, path) in [("GET", "/sessions"), ("POST", "/drain"), ("POST", "/bans"), ("PUT", "/log")] {
            let answer = ask(server.address, method, &format!("/api/v1{path}"), headers, "").await;
            assert_eq!((answer.status, answer.code()), (401, 4207));
            assert!(answer.header("www-authenticate").is_some());
        }
    }
    assert_eq!(order(&server, "GET", "/sessions", "").await.status, 200);
    assert_eq!(server.get("/ready").await.status, 200);
}

#[tokio::test]
async fn the_operator_sees_sessions_and_ends_one() {
    let server = open().start().await;
    let key = Key::new(1);
    let who = Identity::named("alice@example.org", &key).device("phone");
    let mut alice = Peer::enter(server.address, who).await;
    let mut bob = Peer::guest(server.address).await;
    let listed = read(&server, "/sessions").await;
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 2);
    let only = read(&server, "/sessions?id=alice@example.org").await["sessions"].clone();
    assert_eq!(only.as_array().unwrap().len(), 1);
    assert_eq!((&only[0]["session"], &only[0]["device"]), (&json!(alice.session()), &json!("phone")));
    assert_eq!(only[0]["connected"], true);
    let first = read(&server, "/sessions?limit=1").await;
    let second = read(&server, &format!("/sessions?limit=1&after={}", first["next"].as_str().unwrap())).await;
    assert_ne!(first["sessions"][0]["session"], second["sessions"][0]["session"]);

    let path = format!("/sessions/{}", alice.session());
    assert_eq!(read(&server, &path).await["id"], "alice@example.org");
    assert_eq!(order(&server, "DELETE", &path, "").await.status, 204);
    assert_eq!(alice.close_code().await, 4301);
    assert_eq!(order(&server, "DELETE", &path, "").await.code(), 4404);
    assert_eq!(bob.signal("alice@example.org", "gone?").await, "absent");
    // It was the session that had to go, not the peer.
    Peer::enter(server.address, who).await;
}

#[tokio::test]
async fn the_operator_sees_rooms_and_closes_one() {
    let server = open().start().await;
    let (mut host, mut member) = (Peer::guest(server.address).await, Peer::guest(server.address).await);
    host.done(json!({"type": "room.create", "room": "movie night"})).await;
    host.done(json!({"type": "room.create", "room": "other"})).await;
    member.done(json!({"type": "room.join", "room": "movie night"})).await;
    assert_eq!(read(&server, "/rooms").await["rooms"].as_array().unwrap().len(), 2);
    let room = read(&server, "/rooms/default/movie%20night").await;
    assert_eq!((&room["size"], &room["host"]), (&json!(2), &json!(host.id())));
    assert_eq!(room["members"].as_array().unwrap().len(), 2);

    assert_eq!(order(&server, "DELETE", "/rooms/default/movie%20night", "").await.status, 204);
    for peer in [&mut host, &mut member] {
        let left = peer.next("room.left").await;
        assert_eq!((&left["room"], &left["why"]), (&json!("movie night"), &json!("closed")));
    }
    assert_eq!(order(&server, "GET", "/rooms/default/movie%20night", "").await.code(), 4404);
    assert_eq!(read(&server, "/rooms").await["rooms"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_ban_shows_out_keeps_out_survives_a_restart_and_is_lifted() {
    let folder = tempfile::tempdir().unwrap();
    let (key, other) = (Key::new(1), Key::new(2));
    let alice = Identity::named("alice@example.org", &key);
    let near = async |server: &Server| {
        Peer::over(connect_from([127, 0, 7, 7], server.address).await, Identity::guest(), None).await
    };
    let server = kept(folder.path()).start().await;
    let mut named = Peer::enter(server.address, alice).await;
    let mut neighbour = near(&server).await.unwrap();
    let mut bystander = Peer::enter(server.address, Identity::named("bob@example.org", &other)).await;
    let mut numbers = Vec::new();
    for subject in ["id:default/alice@example.org", "network:127.0.7.0/24"] {
        let body = json!({"subject": subject, "reason": "flood"}).to_string();
        let answer = order(&server, "POST", "/bans", &body).await;
        assert_eq!((answer.status, &answer.json()["subject"]), (201, &json!(subject)));
        numbers.push(answer.json()["number"].as_u64().unwrap());
    }
    assert_eq!((named.close_code().await, neighbour.close_code().await), (4302, 4302));
    bystander.done(json!({"type": "room.create", "room": "calm"})).await;
    drop(bystander);

    let mut server = server;
    for restarted in [false, true] {
        if restarted {
            server.stop().await;
            server = kept(folder.path()).start().await;
        }
        assert_eq!(read(&server, "/bans").await["bans"].as_array().unwrap().len(), 2);
        assert_eq!(Peer::try_enter(server.address, alice).await.unwrap_err(), Refused(4302));
        assert_eq!(near(&server).await.unwrap_err(), Refused(4302));
        Peer::enter(server.address, Identity::named("bob@example.org", &other)).await;
        // The ban is for an id in one namespace.
        Peer::enter(server.address, alice.namespace("elsewhere")).await;
    }
    for number in numbers {
        assert_eq!(order(&server, "DELETE", &format!("/bans/{number}"), "").await.status, 204);
        assert_eq!(order(&server, "DELETE", &format!("/bans/{number}"), "").await.code(), 4404);
    }
    Peer::enter(server.address, alice).await;
    near(&server).await.unwrap();
    server.stop().await;
    let server = kept(folder.path()).start().await;
    Peer::enter(server.address, alice).await;
    near(&server).await.unwrap();
}

#[tokio::test]
async fn limits_are_shown_and_the_log_changes_at_run_time() {
    let server = open().limit("watches", 7).limit("rooms", 0).start().await;
    let limits = read(&server, "/limits").await["limits"].clone();
    let limit = |key: &str| limits.as_array().unwrap().iter().find(|l| l["key"] == key).unwrap().clone();
    assert_eq!((&limit("watches")["value"], &limit("watches")["code"]), (&json!(7), &json!(4103)));
    assert_eq!(limit("rooms")["off"], true);

    assert_eq!(read(&server, "/log").await["filter"], "info");
    let noisy = format!("{BEARER}X-Request-Id: before-the-change\r\n");
    ask(server.address, "GET", "/api/v1/limits", &noisy, "").await;
    let refused = order(&server, "PUT", "/log", r#"{"filter":"=nonsense="}"#).await;
    assert_eq!((refused.status, refused.code()), (400, 4402));
    assert_eq!(order(&server, "PUT", "/log", r#"{"filter":"debug"}"#).await.json()["filter"], "debug");
    let noisy = format!("{BEARER}X-Request-Id: after-the-change\r\n");
    ask(server.address, "GET", "/api/v1/limits", &noisy, "").await;
    server.logged("after-the-change").await;
    assert!(!server.log().contains("before-the-change"));
}

#[tokio::test]
async fn the_operator_drains_as_sigterm_does() {
    let mut server = open().set("server.drain_seconds", 0).start().await;
    let mut peer = Peer::guest(server.address).await;
    let answer = order(&server, "POST", "/drain", "").await;
    assert_eq!((answer.status, &answer.json()["draining"]), (202, &json!(true)));
    assert_eq!(peer.close_code().await, 4000);
    assert_eq!(server.exit().await.code(), Some(0));
    server.logged("drained").await;
}

const BEARER: &str = "Authorization: Bearer the-operators-token\r\n";

fn open() -> Wigwag {
    Wigwag::new().set("admin.token", "the-operators-token")
}

fn kept(folder: &std::path::Path) -> Wigwag {
    open().data(folder).set("server.drain_seconds", 0)
}

async fn order(server: &Server, method: &str, path: &str, body: &str) -> Answer {
    ask(server.address, method, &format!("/api/v1{path}"), BEARER, body).await
}

async fn read(server: &Server, path: &str) -> Value {
    let answer = order(server, "GET", path, "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_tells_programs_a_line_for_each_look() {
    let server = Wigwag::new().start().await;
    let _peer = Peer::guest(server.address).await;
    let said = watch(&[&server.address.to_string(), "--json", "--count", "2", "--interval", "0.1"]).await;
    assert_eq!(said.status.code(), Some(0), "{said:?}");
    let lines: Vec<Value> =
        String::from_utf8_lossy(&said.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["stats"]["sessions"], &lines[0]["stats"]["guests"]), (&1.into(), &1.into()));
    let said = watch(&[&server.address.to_string()]).await;
    assert_eq!(said.status.code(), Some(2), "a screen needs a terminal: {said:?}");
    server.kill().await;
    let said = watch(&["127.0.0.1:1", "--json"]).await;
    assert_eq!(said.status.code(), Some(1), "{said:?}");
}

async fn watch(args: &[&str]) -> std::process::Output {
    let mut command = std::process::Command::new(crate::support::server::BINARY);
    crate::support::server::clean(&mut command);
    command.arg("watch").args(args).stdin(std::process::Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}
