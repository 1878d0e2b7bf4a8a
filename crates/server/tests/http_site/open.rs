//! What anybody may ask.

use axum::Router;
use axum::routing::get;
use wigwag_server::http::{ApiError, Readiness};
use wigwag_server::net::UpgradeRefused;
use wigwag_wire::{Code, Refusal};

use super::client::{server, server_with};

#[tokio::test]
async fn health_is_ok_whatever_else_is_going_on() {
    let server = server(&[]);
    for state in [Readiness::Starting, Readiness::Ready, Readiness::Draining] {
        server.desk.0.lock().readiness = state;
        for path in ["/health", "/healthz"] {
            let answer = server.get(path).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, "OK"));
        }
    }
}

#[tokio::test]
async fn ready_is_503_while_starting_and_draining_and_says_why() {
    let server = server(&[]);
    for (state, status, reason) in [
        (Readiness::Starting, 503, "starting"),
        (Readiness::Ready, 200, "ready"),
        (Readiness::Draining, 503, "draining"),
    ] {
        server.desk.0.lock().readiness = state;
        let answer = server.get("/ready").await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.json(), serde_json::json!({"ready": status == 200, "reason": reason}));
    }
}

#[tokio::test]
async fn version_and_stats_are_json() {
    let server = server(&[]);
    assert_eq!(server.get("/version").await.json()["version"], env!("CARGO_PKG_VERSION"));
    let stats = server.get("/stats").await.json();
    assert_eq!((&stats["sockets"], &stats["sessions"], &stats["rooms"]), (&17.into(), &3.into(), &2.into()));
    assert_eq!(stats["reason"], "ready");
    assert!(stats["uptime_seconds"].is_u64());
}

#[tokio::test]
async fn metrics_tell_of_the_desk_the_build_the_process_and_of_http_itself() {
    let server = server(&[]);
    server.get("/health").await;
    server.get("/nowhere/secret-id").await;
    let answer = server.get("/metrics").await;
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
    for line in [
        "wigwag_sessions 3",
        "wigwag_http_requests_total{route=\"/health\",method=\"GET\",status=\"200\"} 1",
        "wigwag_http_requests_total{route=\"other\",method=\"GET\",status=\"404\"} 1",
        "wigwag_refused_total{code=\"4404\",name=\"not_found\"} 1",
        "# TYPE wigwag_messages counter",
        "# EOF",
    ] {
        assert!(answer.body.lines().any(|there| there == line), "{line} is missing in\n{}", answer.body);
    }
    assert!(answer.body.contains("wigwag_build_info{version="));
    assert!(!answer.body.contains("secret-id"), "addresses that were asked for are no labels");
}

#[tokio::test]
async fn every_error_has_a_code_and_the_shape_of_a_native_error() {
    let refuse = || async { ApiError::from(Refusal::new(Code::Restarting, "Come back later.").after(2500)) };
    let upgrade = || async { ApiError::from(UpgradeRefused::NotAsked) };
    let sockets = Router::new().route("/refuse", get(refuse)).route("/v1", get(upgrade));
    let server = server_with(&[], sockets);
    server.get("/nowhere").await.is_error(404, 4404, "not_found");
    server.get("/api/v1/sessions").await.is_error(404, 4404, "not_found");
    let answer = server.ask("POST", "/health", &[], "").await;
    answer.is_error(405, 4415, "method_refused");
    assert_eq!(answer.header("allow"), "GET,HEAD");
    let answer = server.get("/v1").await;
    answer.is_error(426, 4400, "malformed");
    assert_eq!(answer.header("upgrade"), "websocket");
    let answer = server.get("/refuse").await;
    answer.is_error(503, 4000, "restarting");
    assert_eq!(answer.header("retry-after"), "3");
    assert_eq!(answer.json()["retry_after"], 2500);
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_the_headers_that_keep_browsers_safe() {
    let server = server(&[]);
    let mut ids = Vec::new();
    for path in ["/", "/health", "/stats", "/nowhere"] {
        let answer = server.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        ids.push(answer.header("x-request-id").to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4, "{ids:?}");
    for (given, echoed) in [("abc-1.2:3_4", true), ("two words", false), ("<script>", false), (&"x".repeat(65), false)]
    {
        let answer = server.ask("GET", "/health", &[("x-request-id", given)], "").await;
        assert_eq!(answer.header("x-request-id") == given, echoed, "{given}");
    }
}

#[tokio::test]
async fn the_page_is_html_for_browsers_and_text_for_terminals() {
    let server = server(&[]);
    let page = server.ask("GET", "/", &[("accept", "text/html,*/*;q=0.8")], "").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.body.contains("ws://wig.example/v1"), "the real host is in the lines to copy");
    assert!(!page.body.contains("{{"), "everything is filled in");
    for headers in [&[("accept", "text/plain")][..], &[("accept", "*/*")][..], &[][..]] {
        let text = server.ask("GET", "/", headers, "").await;
        assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
        assert!(text.body.contains("ws://wig.example/v1") && text.body.contains("http://wig.example/stats"));
    }
}

#[tokio::test]
async fn the_page_shows_the_address_that_the_world_uses() {
    let configured = server(&[("server.public_url", "https://wigwag.example.org")]);
    assert!(configured.get("/").await.body.contains("wss://wigwag.example.org/v1"));
    let server = server(&[]);
    let behind_tls = server.ask("GET", "/", &[("x-forwarded-proto", "https")], "").await;
    assert!(behind_tls.body.contains("wss://wig.example/v1"));
    let html = [("accept", "text/html"), ("host", "\"><script>alert(1)</script>")];
    let hostile = server.ask("GET", "/", &html, "").await;
    assert!(!hostile.body.contains("alert(1)"), "{}", hostile.body);
}

#[tokio::test]
async fn what_is_not_http_gets_no_answer_but_an_error_and_the_server_lives_on() {
    let server = server(&[]);
    let mut huge = b"GET /health HTTP/1.1\r\nhost: x\r\nx: ".to_vec();
    huge.extend(vec![b'a'; 200_000]);
    huge.extend(b"\r\n\r\n");
    for (request, status) in [(&b"nonsense\r\n\r\n"[..], 400), (&huge[..], 431)] {
        assert_eq!(server.send(request).await.status, status);
    }
    assert_eq!(server.get("/health").await.status, 200);
}
