//! A client made of raw bytes, so that it can break every rule.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Every wait in these tests ends after this long, with a failure.
pub const DEADLINE: Duration = Duration::from_secs(20);

pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// Waits until something that only other tasks can bring about is so.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    soon(what, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

pub const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: test\r\nConnection: keep-alive, Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

pub struct Client<S = TcpStream> {
    pub stream: S,
    read: Vec<u8>,
}

/// A frame from the server.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    pub opcode: u8,
    pub payload: Vec<u8>,
}

pub fn text(payload: &str) -> Frame {
    Frame { opcode: 1, payload: payload.into() }
}

pub fn close(code: u16) -> Frame {
    Frame { opcode: 8, payload: code.to_be_bytes().into() }
}

impl Client {
    /// A connection on which nothing was said yet.
    pub async fn connect(to: SocketAddr) -> Self {
        Self::over(TcpStream::connect(to).await.unwrap())
    }

    /// A WebSocket that is open.
    pub async fn open(to: SocketAddr) -> Self {
        let mut client = Self::connect(to).await;
        client.upgrade().await;
        client
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub fn over(stream: S) -> Self {
        Self { stream, read: Vec::new() }
    }

    /// Upgrades the connection; the head of the answer.
    pub async fn upgrade(&mut self) -> String {
        let head = self.request(&format!("{UPGRADE}\r\n")).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        head
    }

    /// Sends a request; the head of the answer.
    pub async fn request(&mut self, request: &str) -> String {
        self.write(request.as_bytes()).await;
        self.read_head().await
    }

    pub async fn read_head(&mut self) -> String {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.read_some().await > 0, "the connection ended: {:?}", self.read);
        };
        String::from_utf8(self.read.drain(..end).collect()).unwrap()
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    pub async fn say(&mut self, text: &str) {
        self.write(&frame(true, 1, text.as_bytes())).await;
    }

    /// The next frame, which must come.
    pub async fn next(&mut self) -> Frame {
        self.maybe_next().await.expect("the connection ended")
    }

    /// The next frame, or `None` at the end of the connection.
    pub async fn maybe_next(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, len)) = parse(&self.read) {
                self.read.drain(..len);
                return Some(frame);
            }
            if self.read_some().await == 0 {
                assert!(self.read.is_empty(), "the connection ended within a frame");
                return None;
            }
        }
    }

    /// The next frame's close code, and then the end of the connection.
    pub async fn closed_with(&mut self) -> u16 {
        let frame = self.next().await;
        assert_eq!(frame.opcode, 8, "{frame:?}");
        assert_eq!(self.maybe_next().await, None);
        u16::from_be_bytes([frame.payload[0], frame.payload[1]])
    }

    /// Waits for the end of the connection, whatever comes before it.
    pub async fn ended(&mut self) {
        while self.read_some().await > 0 {}
    }

    /// All that comes until the end of the connection.
    pub async fn rest(&mut self) -> String {
        self.ended().await;
        String::from_utf8(std::mem::take(&mut self.read)).unwrap()
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
