//! An open connection as a program holds it: messages both ways, further channels, how it is, how it ended.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{Stream, unfold};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::time::timeout;
use wigwag_peer::calls::{CallError, ConnectionId, ConnectionState, Remote};
use wigwag_peer::trust::Verified;
use wigwag_rtc::{ChannelInit, Error, Messages, Path, PeerConnection, Stats};
use wigwag_wire::{PeerId, PublicKey};

use crate::error::SendError;
use crate::link::Parts;
use crate::post::{Letter, Post};

/// How long a close waits for what was sent to arrive.
const FLUSH: Duration = Duration::from_secs(10);

/// What is said on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Text.
    Text(String),
    /// JSON, as the sender wrote it.
    Json(String),
    /// Bytes.
    Binary(Bytes),
}

impl Message {
    /// Anything that JSON can hold.
    pub fn json(value: &impl Serialize) -> Result<Self, SendError> {
        serde_json::to_string(value).map(Self::Json).map_err(|why| SendError::Bad(why.to_string()))
    }

    /// What JSON holds; `None` if it is none, or something else.
    pub fn parse<T: DeserializeOwned>(&self) -> Option<T> {
        match self {
            Self::Json(json) => serde_json::from_str(json).ok(),
            Self::Text(_) | Self::Binary(_) => None,
        }
    }

    /// A letter in front tells a text from JSON, as in browsers; but for those who know of no letters.
    fn encode(self, plain: bool) -> wigwag_rtc::Message {
        match self {
            Self::Text(text) | Self::Json(text) if plain => wigwag_rtc::Message::Text(text),
            Self::Text(text) => wigwag_rtc::Message::Text(format!("t{text}")),
            Self::Json(json) => wigwag_rtc::Message::Text(format!("j{json}")),
            Self::Binary(bytes) => wigwag_rtc::Message::Binary(bytes),
        }
    }

    /// `None` for what no SDK of ours has sent.
    fn decode(message: wigwag_rtc::Message, plain: bool) -> Option<Self> {
        match message {
            wigwag_rtc::Message::Text(text) if plain => Some(Self::Text(text)),
            wigwag_rtc::Message::Binary(bytes) => Some(Self::Binary(bytes)),
            wigwag_rtc::Message::Text(text) => match text.as_bytes().first() {
                Some(b't') => Some(Self::Text(text[1..].to_owned())),
                Some(b'j') => Some(Self::Json(text[1..].to_owned())),
                _ => None,
            },
        }
    }
}

/// Texts and bytes, as the engine takes them.
impl<T: Into<wigwag_rtc::Message>> From<T> for Message {
    fn from(message: T) -> Self {
        match message.into() {
            wigwag_rtc::Message::Text(text) => Self::Text(text),
            wigwag_rtc::Message::Binary(bytes) => Self::Binary(bytes),
        }
    }
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// `closed` by ourselves, `left` by the other side, or an error's word.
    pub reason: &'static str,
    /// What went wrong, where something did.
    pub error: Option<CallError>,
}

/// How a connection is, and once it is over, why.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) state: ConnectionState,
    pub(crate) ended: Option<Ended>,
}

/// Who is at the other end, and how we came there.
pub(crate) struct Whom {
    pub(crate) id: PeerId,
    pub(crate) device: String,
    pub(crate) key: Option<PublicKey>,
    pub(crate) verified: Verified,
    /// Who found it.
    pub(crate) finder: &'static str,
    /// Whether messages on the main channel stand as they are.
    pub(crate) plain: bool,
}

impl From<Remote> for Whom {
    fn from(remote: Remote) -> Self {
        let Remote { id, device, key, verified, .. } = remote;
        Self { id, device, key: Some(key), verified, finder: "server", plain: false }
    }
}

/// A connection to a peer. Clones are handles on the same one; when the last is dropped, it ends.
#[derive(Clone)]
pub struct Connection(Arc<Inner>);

struct Inner {
    id: ConnectionId,
    whom: Whom,
    finder: parking_lot::Mutex<String>,
    pc: PeerConnection,
    main: Channel,
    channels: Mutex<mpsc::Receiver<(wigwag_rtc::Channel, Messages)>>,
    path: watch::Receiver<Option<Path>>,
    standing: watch::Receiver<Standing>,
    post: Post,
    _held: oneshot::Sender<()>,
}

impl Connection {
    pub(crate) fn new(
        id: ConnectionId,
        whom: Whom,
        parts: Parts,
        standing: watch::Receiver<Standing>,
        post: Post,
    ) -> Self {
        let Parts { pc, main, messages, channels, path, held } = parts;
        let main = Channel::new(main, messages, whom.plain);
        let finder = parking_lot::Mutex::new(whom.finder.to_owned());
        Self(Arc::new(Inner {
            id,
            whom,
            finder,
            pc,
            main,
            channels: Mutex::new(channels),
            path,
            standing,
            post,
            _held: held,
        }))
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &PeerId {
        &self.0.whom.id
    }

    /// Which of its programs.
    pub fn device(&self) -> &str {
        &self.0.whom.device
    }

    /// Its key. Only a guest that came by a code has none.
    pub fn key(&self) -> Option<&PublicKey> {
        self.0.whom.key.as_ref()
    }

    /// How sure it is that the key belongs to the id.
    pub fn verified(&self) -> Verified {
        self.0.whom.verified
    }

    /// Who found the peer: `server`, `code`, or a finder of the program's own.
    pub fn finder(&self) -> String {
        self.0.finder.lock().clone()
    }

    pub(crate) fn found_by(&self, finder: &str) {
        finder.clone_into(&mut self.0.finder.lock());
    }

    /// What comes, as a stream.
    pub fn messages(&self) -> impl Stream<Item = Message> + Send + use<> {
        unfold(self.clone(), |connection| async move { connection.recv().await.map(|message| (message, connection)) })
    }

    /// Sends a text, bytes or JSON. Returns when there is room for more: whoever waits for it never fills the memory. A future that is
    /// dropped before has sent nothing.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.0.main.send(message).await
    }

    /// The next message; `None` when the connection is over. Dropping the future loses nothing.
    pub async fn recv(&self) -> Option<Message> {
        self.0.main.recv().await
    }

    /// Opens another channel.
    pub async fn channel(&self, label: &str) -> Result<Channel, SendError> {
        self.channel_with(ChannelInit::new(label)).await
    }

    /// Opens another channel that is not in order, or not reliable.
    pub async fn channel_with(&self, init: ChannelInit) -> Result<Channel, SendError> {
        let opened = self.0.pc.channel(init).await;
        opened
            .map(|(channel, messages)| Channel::new(channel, messages, false))
            .map_err(|why| SendError::from_engine(&why))
    }

    /// The next channel that the other side opens; `None` when the connection is over.
    pub async fn accept_channel(&self) -> Option<Channel> {
        let (channel, messages) = self.0.channels.lock().await.recv().await?;
        Some(Channel::new(channel, messages, false))
    }

    /// The connection's own channel, for what [`Connection`] does not cover.
    pub fn main(&self) -> &Channel {
        &self.0.main
    }

    /// How it is.
    pub fn state(&self) -> ConnectionState {
        self.0.standing.borrow().state
    }

    /// Waits until it is another way than this, and says how. At its end it stays [`ConnectionState::Closed`].
    pub async fn changed(&self, from: ConnectionState) -> ConnectionState {
        let mut standing = self.0.standing.clone();
        match standing.wait_for(|standing| standing.state != from).await {
            Ok(standing) => standing.state,
            Err(_) => ConnectionState::Closed,
        }
    }

    /// Waits for its end, and says why it ended.
    pub async fn closed(&self) -> Ended {
        let mut standing = self.0.standing.clone();
        let ended = standing.wait_for(|standing| standing.ended.is_some()).await.ok();
        ended.and_then(|standing| standing.ended.clone()).unwrap_or(Ended { reason: "closed", error: None })
    }

    /// How the bytes flow, as far as it is known: from end to end, through a TURN server, or by way of the signaling server, sealed.
    pub fn path(&self) -> Option<Path> {
        *self.0.path.borrow()
    }

    /// Waits until they flow otherwise than so, and says how; `None` where the connection is over.
    pub async fn path_changed(&self, from: Option<Path>) -> Option<Path> {
        let mut path = self.0.path.clone();
        path.wait_for(|path| *path != from).await.ok().and_then(|path| *path)
    }

    /// How the bytes flow, in numbers.
    pub async fn stats(&self) -> Result<Stats, SendError> {
        self.0.pc.stats().await.map_err(|why| SendError::from_engine(&why))
    }

    /// Looks for a better path: the network is another one.
    pub async fn mend(&self) {
        let _ = self.0.post.send(Letter::Network).await;
    }

    /// Ends it on both sides, after what was sent has arrived, as far as it does so soon.
    pub async fn close(&self) {
        let _ = timeout(FLUSH, self.0.main.flushed()).await;
        let _ = self.0.post.send(Letter::Hang(self.0.id, "closed".to_owned())).await;
        self.closed().await;
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("peer", &self.0.whom.id).field("state", &self.state()).finish()
    }
}

/// One of a connection's channels: messages in order, and with backpressure.
pub struct Channel {
    raw: wigwag_rtc::Channel,
    messages: Mutex<Messages>,
    plain: bool,
}

impl Channel {
    fn new(raw: wigwag_rtc::Channel, messages: Messages, plain: bool) -> Self {
        Self { raw, messages: Mutex::new(messages), plain }
    }

    /// What it is called.
    pub fn label(&self) -> &str {
        self.raw.label()
    }

    /// Sends a text, bytes or JSON, as [`Connection::send`] does. Waits for the channel to open.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        match self.raw.send(message.into().encode(self.plain)).await {
            // No bytes at all: nothing is lost by an engine that has no way to say so.
            Err(Error::Empty) => Ok(()),
            sent => sent.map_err(|why| SendError::from_engine(&why)),
        }
    }

    /// The next message; `None` when the channel is over. Dropping the future loses nothing.
    pub async fn recv(&self) -> Option<Message> {
        let mut messages = self.messages.lock().await;
        loop {
            if let Some(message) = Message::decode(messages.next().await?, self.plain) {
                return Some(message);
            }
        }
    }

    /// The most bytes that one message may have; for texts and JSON one less.
    pub fn message_bytes_max(&self) -> usize {
        self.raw.message_bytes_max()
    }

    /// Bytes that are not known to have arrived.
    pub fn unsent(&self) -> usize {
        self.raw.unsent()
    }

    /// Waits until everything has arrived.
    pub async fn flushed(&self) {
        self.raw.flushed().await;
    }

    /// Closes it when everything has arrived.
    pub async fn close(&self) {
        self.raw.close().await;
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Channel").field(&self.label()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart_as_browsers_do() {
        for (message, raw) in [
            (Message::from("hi"), wigwag_rtc::Message::Text("thi".into())),
            (Message::from(""), wigwag_rtc::Message::Text("t".into())),
            (Message::Json("[1]".into()), wigwag_rtc::Message::Text("j[1]".into())),
            (Message::from(vec![1, 2]), wigwag_rtc::Message::Binary(vec![1, 2].into())),
        ] {
            assert_eq!(message.clone().encode(false), raw);
            assert_eq!(Message::decode(raw, false), Some(message));
        }
        assert_eq!(Message::decode(wigwag_rtc::Message::Text("xhi".into()), false), None);
        assert_eq!(Message::decode(wigwag_rtc::Message::Text(String::new()), false), None);
        let plain = wigwag_rtc::Message::Text("xhi".into());
        assert_eq!(Message::decode(plain.clone(), true), Some("xhi".into()));
        assert_eq!(Message::from("xhi").encode(true), plain);
    }
}
