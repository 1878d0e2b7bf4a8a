//! A relay as people write it by hand: tokio, tokio-tungstenite with its defaults, a map of channels behind a lock, and JSON read into a tree.
//! It is here to be compared with, so it has no limits and checks nothing.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

type Peers = Arc<Mutex<HashMap<String, UnboundedSender<Message>>>>;

/// Relays until the process is killed. A peer registers by the path that it opens, as with the bare relay.
#[tokio::main]
pub(crate) async fn run(listen: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let peers = Peers::default();
    loop {
        let (stream, _) = listener.accept().await?;
        let peers = peers.clone();
        tokio::spawn(async move {
            // Whatever ends a socket ends it alone.
            serve(stream, peers).await.ok();
        });
    }
}

async fn serve(stream: TcpStream, peers: Peers) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut name = String::new();
    #[expect(clippy::result_large_err, reason = "the library wants it so")]
    let read_path = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        request.uri().path().trim_start_matches('/').clone_into(&mut name);
        Ok(response)
    };
    let (mut sink, mut source) = tokio_tungstenite::accept_hdr_async(stream, read_path).await?.split();
    let (sender, mut receiver) = unbounded_channel();
    peers.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), sender);
    let writer = tokio::spawn(async move {
        while let Some(message) = receiver.recv().await {
            if sink.send(message).await.is_err() {
                break;
            }
        }
    });
    while let Some(Ok(message)) = source.next().await {
        let Message::Text(text) = message else { continue };
        let Ok(mut value) = serde_json::from_str::<Value>(&text) else { continue };
        let to = value["to"].to_string();
        value["from"] = name.clone().into();
        let peers = peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(peer) = peers.get(&to) {
            // A peer that has just gone hears nothing any more.
            peer.send(Message::text(value.to_string())).ok();
        }
    }
    peers.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
    writer.abort();
    Ok(())
}
