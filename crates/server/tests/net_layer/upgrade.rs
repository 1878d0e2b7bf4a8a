//! The opening handshake.

use wigwag_server::net::NetLimits;

use crate::client::{Client, UPGRADE, frame, text};
use crate::server::{Seen, Server, count};

#[tokio::test]
async fn the_key_is_answered_and_no_extension_is_agreed() {
    let server = Server::start();
    let mut client = Client::connect(server.address).await;
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    let head = client.request(&format!("{UPGRADE}{offer}\r\n")).await.to_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    assert!(!head.contains("extensions"), "{head}");
    assert!(!head.contains("sec-websocket-protocol"), "{head}");
}

#[tokio::test]
async fn the_caller_chooses_among_the_protocols_that_are_offered() {
    let server = Server::start();
    let mut client = Client::connect(server.address).await;
    let offer = "Sec-WebSocket-Protocol: other, wigwag.1\r\nSec-WebSocket-Protocol: third\r\n";
    let head = client.request(&format!("{UPGRADE}{offer}\r\n")).await.to_lowercase();
    assert!(head.contains("sec-websocket-protocol: wigwag.1\r\n"), "{head}");
}

#[tokio::test]
async fn what_came_with_the_upgrade_is_not_lost() {
    let mut server = Server::start();
    let mut client = Client::connect(server.address).await;
    let third = frame(true, 1, b"third");
    let bytes =
        [format!("{UPGRADE}\r\n").as_bytes(), &frame(true, 1, b"first"), &frame(true, 1, b"second"), &third[..4]]
            .concat();
    client.write(&bytes).await;
    client.read_head().await;
    assert_eq!(client.next().await, text("first"));
    assert_eq!(client.next().await, text("second"));
    client.write(&third[4..]).await;
    assert_eq!(client.next().await, text("third"));
    server.opened().await;
    assert_eq!(server.seen().await, Seen::Text("first".into()));
}

#[tokio::test]
async fn requests_that_cannot_be_upgraded_are_told_why() {
    let server = Server::start();
    let good = format!("{UPGRADE}\r\n");
    for (request, status, header, reason) in [
        (good.replace("GET", "POST"), "405", "allow: get", "method"),
        (good.replace("Version: 13", "Version: 8"), "426", "sec-websocket-version: 13", "version"),
        (good.replace("Sec-WebSocket-Version: 13\r\n", ""), "426", "sec-websocket-version: 13", "version"),
        (good.replace("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), "400", "", "key"),
        (good.replace("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="), "400", "", "key"),
        (good.replace("dGhlIHNhbXBsZSBub25jZQ==", "not base64 at all!!!!!!!"), "400", "", "key"),
        (good.replace("Host: test", "Host: test\r\nContent-Length: 5"), "400", "", "body"),
        (good.replace("Host: test", "Host: test\r\nTransfer-Encoding: chunked"), "400", "", "body"),
        (good.replace("keep-alive, Upgrade", "keep-alive"), "426", "upgrade: websocket", "not_asked"),
        (good.replace("Upgrade: websocket", "Upgrade: h2c"), "426", "upgrade: websocket", "not_asked"),
        (good.replace("HTTP/1.1", "HTTP/1.0"), "426", "upgrade: websocket", "not_asked"),
        ("GET /ws HTTP/1.1\r\nHost: test\r\n\r\n".into(), "426", "upgrade: websocket", "not_asked"),
    ] {
        let before = count(&server.metrics.upgrades_refused, reason);
        let mut client = Client::connect(server.address).await;
        let head = client.request(&request).await.to_lowercase();
        assert_eq!(head.split(' ').nth(1), Some(status), "{request}\n{head}");
        assert!(head.contains(header), "{head}");
        assert_eq!(count(&server.metrics.upgrades_refused, reason), before + 1, "{request}");
    }
    assert!(server.sockets.is_empty());
}

#[tokio::test]
async fn there_are_no_more_sockets_than_allowed() {
    let server = Server::limited(NetLimits { sockets: 2, ..NetLimits::default() });
    let first = Client::open(server.address).await;
    let _second = Client::open(server.address).await;
    let mut third = Client::connect(server.address).await;
    let head = third.request(&format!("{UPGRADE}\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert_eq!(count(&server.metrics.upgrades_refused, "full"), 1);
    drop(first);
    crate::client::until("a free place", || server.sockets.len() < 2).await;
    Client::open(server.address).await;
}
