//! The operator's door.

use serde_json::json;

use super::client::{Server, TOKEN, server};

fn operated() -> Server {
    server(&[("admin.token", TOKEN)])
}

#[tokio::test]
async fn without_a_token_in_the_configuration_there_is_no_door() {
    let server = server(&[]);
    server.operate("GET", "/api/v1/sessions", "").await.is_error(404, 4404, "not_found");
    server.operate("POST", "/api/v1/drain", "").await.is_error(404, 4404, "not_found");
    assert!(!server.desk.0.lock().drained);
}

#[tokio::test]
async fn only_the_right_token_opens_the_door() {
    let server = operated();
    let long = format!("Bearer {TOKEN}x");
    for wrong in
        ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer wrong", &long, &format!("Bearer {}", &TOKEN[1..]), TOKEN]
    {
        for (method, path) in
            [("GET", "/api/v1/sessions"), ("DELETE", "/api/v1/sessions/s1"), ("POST", "/api/v1/drain")]
        {
            let answer = server.ask(method, path, &[("authorization", wrong)], "").await;
            answer.is_error(401, 4207, "token_refused");
            assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"wigwag\"");
        }
    }
    server.get("/api/v1/limits").await.is_error(401, 4207, "token_refused");
    assert!(!server.desk.0.lock().drained);
    assert_eq!(server.desk.0.lock().sessions.len(), 3);
    for right in [format!("Bearer {TOKEN}"), format!("bearer {TOKEN}")] {
        assert_eq!(server.ask("GET", "/api/v1/sessions", &[("authorization", &right)], "").await.status, 200);
    }
}

#[tokio::test]
async fn sessions_are_listed_page_by_page_and_by_filter() {
    let server = operated();
    let names = |answer: serde_json::Value| -> Vec<String> {
        answer["sessions"].as_array().unwrap().iter().map(|s| s["session"].as_str().unwrap().into()).collect()
    };
    let first = server.operate("GET", "/api/v1/sessions?limit=2", "").await.json();
    assert_eq!(first["next"], "s2");
    assert_eq!(names(first), ["s1", "s2"]);
    let rest = server.operate("GET", "/api/v1/sessions?limit=2&after=s2", "").await.json();
    assert_eq!(rest["next"], json!(null));
    assert_eq!(names(rest), ["s3"]);
    let films = server.operate("GET", "/api/v1/sessions?namespace=films", "").await.json();
    assert_eq!(names(films), ["s3"]);
    let bob = server.operate("GET", "/api/v1/sessions?id=bob%40example.org", "").await.json();
    assert_eq!(names(bob), ["s2"]);
    let one = server.operate("GET", "/api/v1/sessions/s1", "").await.json();
    assert_eq!((&one["id"], &one["connected"]), (&"alice@example.org".into(), &true.into()));
    server.operate("GET", "/api/v1/sessions/s9", "").await.is_error(404, 4404, "not_found");
    server.operate("GET", "/api/v1/sessions?limit=many", "").await.is_error(400, 4402, "bad_field");
    server.operate("GET", "/api/v1/sessions?namespace=%20", "").await.is_error(400, 4402, "bad_field");
}

#[tokio::test]
async fn a_session_can_be_ended_once() {
    let server = operated();
    let answer = server.operate("DELETE", "/api/v1/sessions/s2", "").await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    server.operate("DELETE", "/api/v1/sessions/s2", "").await.is_error(404, 4404, "not_found");
    assert_eq!(server.desk.0.lock().sessions.len(), 2);
}

#[tokio::test]
async fn rooms_can_be_looked_at_and_closed_whatever_they_are_called() {
    let server = operated();
    let all = server.operate("GET", "/api/v1/rooms?limit=1", "").await.json();
    assert_eq!((&all["rooms"][0]["room"], &all["next"]), (&"blitz/5 min".into(), &"chess/blitz/5 min".into()));
    let rest = server.operate("GET", "/api/v1/rooms?after=chess%2Fblitz%2F5%20min", "").await.json();
    assert_eq!(rest["rooms"][0]["room"], "tonight");
    assert_eq!(server.operate("GET", "/api/v1/rooms?namespace=films", "").await.json()["rooms"][0]["room"], "tonight");
    let path = "/api/v1/rooms/chess/blitz%2F5%20min";
    let room = server.operate("GET", path, "").await.json();
    assert_eq!((&room["size"], &room["members"][0]["id"]), (&1.into(), &"alice@example.org".into()));
    assert_eq!(server.operate("DELETE", path, "").await.status, 204);
    server.operate("GET", path, "").await.is_error(404, 4404, "not_found");
    server.operate("DELETE", path, "").await.is_error(404, 4404, "not_found");
    server.operate("GET", "/api/v1/rooms/not%20good/x", "").await.is_error(400, 4402, "bad_field");
}

#[tokio::test]
async fn bans_are_put_listed_and_lifted() {
    let server = operated();
    for (subject, kept) in [
        ("network:203.0.113.7/24", "network:203.0.113.0/24"),
        ("network:203.0.113.7", "network:203.0.113.7/32"),
        ("network:2001:db8:1:2::3/48", "network:2001:db8:1::/48"),
        ("id:chess/bob@example.org", "id:chess/bob@example.org"),
    ] {
        let body = json!({"subject": subject, "seconds": 60, "reason": "noise"}).to_string();
        let answer = server.operate("POST", "/api/v1/bans", &body).await;
        assert_eq!((answer.status, &answer.json()["subject"]), (201, &kept.into()));
    }
    let for_good = server.operate("POST", "/api/v1/bans", r#"{"subject":"id:films/x"}"#).await.json();
    assert_eq!((&for_good["number"], &for_good["until"]), (&5.into(), &json!(null)));
    assert_eq!(server.operate("GET", "/api/v1/bans", "").await.json()["bans"].as_array().unwrap().len(), 5);
    assert_eq!(server.operate("DELETE", "/api/v1/bans/5", "").await.status, 204);
    server.operate("DELETE", "/api/v1/bans/5", "").await.is_error(404, 4404, "not_found");
    server.operate("DELETE", "/api/v1/bans/all", "").await.is_error(400, 4402, "bad_field");
}

#[tokio::test]
async fn a_body_that_makes_no_sense_is_refused_with_what_is_wrong() {
    let server = operated();
    for (body, status, code, name) in [
        ("", 400, 4400, "malformed"),
        ("{", 400, 4400, "malformed"),
        ("{}", 400, 4402, "bad_field"),
        (r#"{"subject":"everybody"}"#, 400, 4402, "bad_field"),
        (r#"{"subject":"network:10.0.0.0/40"}"#, 400, 4402, "bad_field"),
        (r#"{"subject":"id:chess"}"#, 400, 4402, "bad_field"),
        (r#"{"subject":"id:chess/x","seconds":-1}"#, 400, 4402, "bad_field"),
    ] {
        server.operate("POST", "/api/v1/bans", body).await.is_error(status, code, name);
    }
    let long = json!({"subject": "id:chess/x", "reason": "x".repeat(501)}).to_string();
    server.operate("POST", "/api/v1/bans", &long).await.is_error(400, 4402, "bad_field");
    let huge = json!({"subject": "id:chess/x", "reason": "x".repeat(70_000)}).to_string();
    server.operate("POST", "/api/v1/bans", &huge).await.is_error(413, 4411, "too_large");
    let deep = format!("{{\"x\":{}", "[".repeat(60_000));
    server.operate("POST", "/api/v1/bans", &deep).await.is_error(400, 4400, "malformed");
    assert!(server.desk.0.lock().bans.is_empty());
    server.operate("PATCH", "/api/v1/bans", "").await.is_error(405, 4415, "method_refused");
}

#[tokio::test]
async fn a_broken_store_is_told_as_such() {
    let server = operated();
    server.desk.0.lock().store_is_broken = true;
    server.operate("GET", "/api/v1/bans", "").await.is_error(503, 4501, "store_unavailable");
}

#[tokio::test]
async fn limits_are_told_with_what_is_off() {
    let server = operated();
    server.desk.0.lock().limits.watches = 0;
    let limits = server.operate("GET", "/api/v1/limits", "").await.json();
    let limit = |key: &str| {
        let all = limits["limits"].as_array().unwrap();
        all.iter().find(|limit| limit["key"] == key).unwrap().clone()
    };
    assert_eq!((&limit("watches")["off"], &limit("watches")["default"]), (&true.into(), &256.into()));
    assert_eq!((&limit("frame_bytes")["value"], &limit("frame_bytes")["code"]), (&65536.into(), &4411.into()));
}

#[tokio::test]
async fn draining_can_be_asked_for() {
    let server = operated();
    let answer = server.operate("POST", "/api/v1/drain", "").await;
    assert_eq!((answer.status, answer.json()), (202, json!({"draining": true})));
    assert!(server.desk.0.lock().drained);
}

#[tokio::test]
async fn what_is_logged_can_be_changed_while_running() {
    let server = operated();
    assert_eq!(server.operate("GET", "/api/v1/log", "").await.json(), json!({"filter": "info"}));
    let answer = server.operate("PUT", "/api/v1/log", r#"{"filter":"debug,hyper=warn"}"#).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"filter": "debug,hyper=warn"})));
    server.operate("PUT", "/api/v1/log", r#"{"filter":"info,=,"}"#).await.is_error(400, 4402, "bad_field");
    assert_eq!(server.operate("GET", "/api/v1/log", "").await.json(), json!({"filter": "debug,hyper=warn"}));
}

#[tokio::test]
async fn what_the_operator_does_is_logged_with_the_request_s_id_and_without_anybody_s() {
    let server = server(&[("admin.token", TOKEN), ("log.filter", "trace")]);
    let headers = [("authorization", format!("Bearer {TOKEN}")), ("x-request-id", "request-77".into())];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    server.ask("DELETE", "/api/v1/sessions/s1", &headers, "").await;
    server.ask("GET", "/api/v1/sessions?id=bob%40example.org", &headers, "").await;
    server.ask("DELETE", "/api/v1/rooms/films/tonight", &headers, "").await;
    let ban = r#"{"subject":"id:chess/carol@example.org","reason":"shouting"}"#;
    server.ask("POST", "/api/v1/bans", &headers, ban).await;
    let log = server.log.text();
    let action = log.lines().find(|line| line.contains("the operator ended a session")).unwrap();
    assert!(action.contains("request=\"request-77\"") && action.contains("session=#"), "{action}");
    assert!(log.contains("route=\"/api/v1/sessions/{session}\"") && log.contains("status=204"), "{log}");
    for private in ["/s1", "bob", "tonight", "carol", "shouting", TOKEN, "127.0.0.1"] {
        assert!(!log.contains(private), "{private} in\n{log}");
    }
}
