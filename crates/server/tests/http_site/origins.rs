//! Which pages may use the server, and what their browsers are told.

use super::client::{Answer, Server, TOKEN, server};

#[tokio::test]
async fn without_a_list_every_page_may_read_what_is_public() {
    let server = server(&[]);
    let answer = from(&server, "/stats", "https://anywhere.example").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, "*"));
    assert_eq!(answer.header("access-control-expose-headers"), "retry-after, x-request-id");
    let preflight = preflight(&server, "/stats", "https://anywhere.example").await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, "*"));
    assert!(preflight.header("access-control-allow-methods").contains("GET"));
    assert_eq!(server.get("/stats").await.header("access-control-allow-origin"), "", "no page asked");
}

#[tokio::test]
async fn errors_can_be_read_by_pages_too() {
    let server = server(&[]);
    let answer = from(&server, "/nowhere", "https://anywhere.example").await;
    answer.is_error(404, 4404, "not_found");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn with_a_list_only_its_pages_and_our_own_may_use_the_server() {
    let server = server(&[("server.origins", "https://app.example,https://*.play.example")]);
    for origin in ["https://app.example", "https://a.play.example"] {
        let answer = from(&server, "/stats", origin).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, origin));
        assert_eq!(answer.header("vary"), "origin");
        assert_eq!(preflight(&server, "/stats", origin).await.status, 204);
    }
    for origin in ["http://wig.example", "https://wig.example"] {
        assert_eq!(from(&server, "/stats", origin).await.status, 200, "{origin} is our own page");
    }
    for origin in ["https://evil.example", "http://app.example", "null", "", "https://play.example"] {
        let answer = from(&server, "/stats", origin).await;
        answer.is_error(403, 4304, "origin_refused");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
        assert_eq!(preflight(&server, "/stats", origin).await.status, 403);
    }
    assert_eq!(server.get("/stats").await.status, 200, "programs send no origin");
}

#[tokio::test]
async fn a_server_that_knows_its_address_is_not_talked_into_another() {
    let server =
        server(&[("server.origins", "https://app.example"), ("server.public_url", "https://wig.example.org/below")]);
    assert_eq!(from(&server, "/stats", "https://wig.example.org").await.status, 200);
    // What a page gets that made its own name lead to this server.
    from(&server, "/stats", "https://wig.example").await.is_error(403, 4304, "origin_refused");
}

#[tokio::test]
async fn the_operators_door_opens_to_no_foreign_page_that_was_not_named() {
    let open = server(&[("admin.token", TOKEN)]);
    let answer = preflight(&open, "/api/v1/sessions", "https://anywhere.example").await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
    assert_ne!(answer.status, 204);
    let named = server(&[("admin.token", TOKEN), ("server.origins", "https://admin.example")]);
    let answer = preflight(&named, "/api/v1/sessions", "https://admin.example").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, "https://admin.example"));
    assert!(answer.header("access-control-allow-headers").contains("authorization"));
}

#[tokio::test]
async fn cors_headers_can_be_left_to_a_proxy() {
    let server = server(&[("server.cors", "false")]);
    let answer = from(&server, "/stats", "https://anywhere.example").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, ""));
}

async fn from(server: &Server, path: &str, origin: &str) -> Answer {
    server.ask("GET", path, &[("origin", origin)], "").await
}

async fn preflight(server: &Server, path: &str, origin: &str) -> Answer {
    server.ask("OPTIONS", path, &[("origin", origin), ("access-control-request-method", "GET")], "").await
}
