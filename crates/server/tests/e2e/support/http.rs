//! One HTTP request on a connection of its own.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::soon;

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("{why} in {self:?}"))
    }

    /// The code of an error.
    pub fn code(&self) -> u64 {
        self.json()["code"].as_u64().unwrap_or_else(|| panic!("no code in {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// What asks for a WebSocket, ready for more headers.
pub const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

pub async fn get(to: SocketAddr, path: &str) -> Answer {
    ask(to, "GET", path, "", "").await
}

pub async fn ask(to: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let stream = soon("a connection", TcpStream::connect(to)).await.unwrap();
    over(stream, method, path, headers, body).await
}

/// A request for a WebSocket that is to be refused.
pub async fn refused_upgrade(stream: impl AsyncRead + AsyncWrite + Unpin, headers: &str) -> Answer {
    let answer = over(stream, "GET", "/v1", &format!("{UPGRADE}{headers}"), "").await;
    assert_ne!(answer.status, 101, "the upgrade went through");
    answer
}

/// `headers` is lines that end in CRLF.
pub async fn over(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Answer {
    let close = if headers.contains("Connection:") { "" } else { "Connection: close\r\n" };
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let request = format!("{method} {path} HTTP/1.1\r\nHost: test\r\n{close}{length}{headers}\r\n{body}");
    soon("room for the request", stream.write_all(request.as_bytes())).await.unwrap();
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break String::from_utf8(bytes.drain(..at + 4).collect()).unwrap();
        }
        let read = soon("an answer", stream.read_buf(&mut bytes)).await.unwrap_or(0);
        assert!(read > 0, "the connection ended without an answer to {method} {path}");
    };
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("{head}"));
    let answer = Answer { status, head, body: String::new() };
    let length = answer.header("content-length").and_then(|l| l.parse::<usize>().ok());
    while status != 101 && length.is_none_or(|length| bytes.len() < length) {
        if soon("the rest of the answer", stream.read_buf(&mut bytes)).await.unwrap_or(0) == 0 {
            break;
        }
    }
    let chunked = answer.header("transfer-encoding").is_some_and(|t| t.contains("chunked"));
    assert!(!chunked, "this client reads no chunks: {answer:?}");
    // After an upgrade come frames, which are no text.
    let body = if status == 101 { String::new() } else { String::from_utf8(bytes).unwrap() };
    Answer { body, ..answer }
}
