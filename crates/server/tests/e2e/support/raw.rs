//! A client made of raw bytes, so that it can break every rule.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::http::UPGRADE;
use super::soon;

/// A connection. It answers nothing by itself, not even pings.
pub struct Raw {
    pub stream: TcpStream,
    read: Vec<u8>,
}

/// A frame from the server.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    pub opcode: u8,
    pub payload: Vec<u8>,
}

impl Raw {
    /// A connection on which nothing was said yet.
    pub async fn connect(to: SocketAddr) -> Self {
        Self::over(soon("a connection", TcpStream::connect(to)).await.unwrap())
    }

    pub fn over(stream: TcpStream) -> Self {
        Self { stream, read: Vec::new() }
    }

    /// A WebSocket that was challenged.
    pub async fn open(to: SocketAddr) -> Self {
        Self::connect(to).await.become_socket().await
    }

    /// A guest's socket, and its welcome.
    pub async fn guest(to: SocketAddr) -> (Self, Value) {
        Self::connect(to).await.become_guest().await
    }

    /// Upgrades the connection, up to the challenge.
    pub async fn become_socket(mut self) -> Self {
        let head = self.upgrade("").await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert_eq!(self.event().await["type"], "challenge");
        self
    }

    /// The same up to the welcome.
    pub async fn become_guest(self) -> (Self, Value) {
        let mut raw = self.become_socket().await;
        raw.say(r#"{"type":"hello"}"#).await;
        let welcome = raw.event().await;
        assert_eq!(welcome["type"], "welcome");
        (raw, welcome)
    }

    /// Asks for a WebSocket; the head of the answer.
    pub async fn upgrade(&mut self, headers: &str) -> String {
        self.write(format!("GET /v1 HTTP/1.1\r\nHost: test\r\n{UPGRADE}{headers}\r\n").as_bytes()).await;
        loop {
            if let Some(at) = self.read.windows(4).position(|w| w == b"\r\n\r\n") {
                return String::from_utf8(self.read.drain(..at + 4).collect()).unwrap();
            }
            assert!(self.read_some().await > 0, "the connection ended: {:?}", String::from_utf8_lossy(&self.read));
        }
    }

    /// Writes, unless the other side has ended the connection.
    pub async fn write(&mut self, bytes: &[u8]) {
        let _ = soon("room for bytes", self.stream.write_all(bytes)).await;
    }

    pub async fn say(&mut self, text: &str) {
        self.write(&frame(true, 1, text.as_bytes())).await;
    }

    /// The next text message, as JSON. Pings before it are passed over.
    pub async fn event(&mut self) -> Value {
        loop {
            let frame = self.next().await.expect("the connection ended");
            match frame.opcode {
                1 => return serde_json::from_slice(&frame.payload).unwrap(),
                9 => {}
                _ => panic!("{frame:?}"),
            }
        }
    }

    /// The next frame, or `None` at the end of the connection.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, len)) = parse(&self.read) {
                self.read.drain(..len);
                return Some(frame);
            }
            if self.read_some().await == 0 {
                return None;
            }
        }
    }

    /// The close code; what comes before it is passed over.
    pub async fn close_code(&mut self) -> u16 {
        loop {
            let frame = self.next().await.expect("the connection ended without a close code");
            if frame.opcode == 8 {
                return u16::from_be_bytes([frame.payload[0], frame.payload[1]]);
            }
        }
    }

    /// Waits for the end of the connection, whatever comes before it.
    pub async fn ended(&mut self) {
        while self.read_some().await > 0 {}
    }

    /// Reads what is there; zero at the end, which a reset is as well.
    async fn read_some(&mut self) -> usize {
        soon("bytes from the server", self.stream.read_buf(&mut self.read)).await.unwrap_or(0)
    }
}

/// A masked frame.
pub fn frame(last: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, opcode];
    let mut bytes = vec![u8::from(last) << 7 | opcode];
    match payload.len() {
        n @ 0..126 => bytes.push(0x80 | n as u8),
        n @ 126..0x1_0000 => {
            bytes.push(0xfe);
            bytes.extend((n as u16).to_be_bytes());
        }
        n => {
            bytes.push(0xff);
            bytes.extend((n as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m));
    bytes
}

fn parse(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    assert!(first & 0x70 == 0 && first & 0x80 != 0 && second & 0x80 == 0, "a server's frame is final and unmasked");
    let (len, header) = match second {
        126 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), 4),
        127 => (usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).unwrap(), 10),
        n => (usize::from(n), 2),
    };
    let payload = bytes.get(header..header + len)?.to_vec();
    Some((Frame { opcode: first & 0x0f, payload }, header + len))
}
