//! A client that speaks a dialect: it says what it is told to and answers pings, nothing else.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::soon;

/// A socket of any dialect.
#[derive(Debug)]
pub struct Foreign {
    socket: WebSocketStream<TcpStream>,
    closed: Option<Option<u16>>,
}

impl Foreign {
    /// Opens one at this path, query and all.
    pub async fn open(to: SocketAddr, path: &str) -> Self {
        Self::try_open(to, path).await.unwrap_or_else(|status| panic!("{path} was refused with {status}"))
    }

    /// Opens one, or gives the status of the refusal.
    pub async fn try_open(to: SocketAddr, path: &str) -> Result<Self, u16> {
        let stream = soon("a connection", TcpStream::connect(to)).await.unwrap();
        match soon("the upgrade", tokio_tungstenite::client_async(format!("ws://test{path}"), stream)).await {
            Ok((socket, _)) => Ok(Self { socket, closed: None }),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(why) => panic!("{path}: {why}"),
        }
    }

    /// Says this.
    pub async fn say(&mut self, text: &str) {
        soon("room for a frame", self.socket.send(Message::text(text))).await.unwrap();
    }

    /// Says this in a binary frame.
    pub async fn say_bytes(&mut self, bytes: &[u8]) {
        soon("room for a frame", self.socket.send(Message::binary(bytes.to_vec()))).await.unwrap();
    }

    /// The next text; nothing once the socket is closed.
    pub async fn text(&mut self) -> Option<String> {
        loop {
            match soon("a frame", self.socket.next()).await {
                Some(Ok(Message::Text(text))) => return Some(text.as_str().to_owned()),
                Some(Ok(Message::Close(close))) => self.closed = Some(close.map(|close| close.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// The next message.
    pub async fn message(&mut self) -> Value {
        let text = self.text().await.unwrap_or_else(|| panic!("the socket closed: {:?}", self.closed));
        serde_json::from_str(&text).unwrap()
    }

    /// Waits for the server's close: its code, if it has one. `None`: the connection ended without a close.
    pub async fn end(&mut self) -> Option<Option<u16>> {
        while self.text().await.is_some() {}
        self.closed
    }
}
