//! A client that keeps the rules of the native protocol.

use std::collections::VecDeque;
use std::net::SocketAddr;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use data_encoding::BASE64URL_NOPAD;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use wigwag_testkit::TestKey;
use wigwag_wire::PublicKey;
use wigwag_wire::signature::{HelloStatement, NameStatement};

use super::soon;

/// A key of either kind.
#[derive(Debug)]
pub enum Key {
    Ed25519(TestKey),
    P256(EcdsaKeyPair),
}

impl Key {
    /// The same Ed25519 key for the same number.
    pub fn new(n: u64) -> Self {
        Self::Ed25519(TestKey::new(n))
    }

    /// A fresh P-256 key, as a browser's WebCrypto would make one.
    pub fn p256() -> Self {
        Self::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub fn public(&self) -> PublicKey {
        match self {
            Self::Ed25519(key) => key.public(),
            Self::P256(pair) => {
                // The whole point: 4, then x, then y. The compressed one says whether y is odd.
                let point = pair.public_key().as_ref();
                let mut short = [2 + (point[64] & 1); 33];
                short[1..].copy_from_slice(&point[1..33]);
                PublicKey::parse(&format!("p256:{}", BASE64URL_NOPAD.encode(&short))).unwrap()
            }
        }
    }

    pub fn sign(&self, message: &[u8]) -> String {
        match self {
            Self::Ed25519(key) => key.sign(message),
            Self::P256(pair) => BASE64URL_NOPAD.encode(pair.sign(&SystemRandom::new(), message).unwrap().as_ref()),
        }
    }
}

/// Who a client says it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity<'a> {
    key: Option<&'a Key>,
    id: Option<&'a str>,
    device: Option<&'a str>,
    namespace: Option<&'a str>,
}

impl<'a> Identity<'a> {
    pub fn guest() -> Self {
        Self::default()
    }

    pub fn keyed(key: &'a Key) -> Self {
        Self { key: Some(key), ..Self::default() }
    }

    pub fn named(name: &'a str, key: &'a Key) -> Self {
        Self { id: Some(name), ..Self::keyed(key) }
    }

    pub fn device(self, device: &'a str) -> Self {
        Self { device: Some(device), ..self }
    }

    pub fn namespace(self, namespace: &'a str) -> Self {
        Self { namespace: Some(namespace), ..self }
    }

    /// The hello that answers a challenge.
    pub fn hello(self, challenge: &Value, resume: Option<(&str, u64)>) -> Value {
        let mut hello = json!({"type": "hello"});
        for (field, value) in [("id", self.id), ("device", self.device), ("namespace", self.namespace)] {
            if let Some(value) = value {
                hello[field] = value.into();
            }
        }
        if let Some((token, seen)) = resume {
            hello["resume"] = json!({"token": token, "seen": seen});
        }
        if let Some(key) = self.key {
            let public = key.public();
            let own = public.id();
            let statement = HelloStatement {
                server: challenge["server"].as_str().unwrap(),
                nonce: challenge["nonce"].as_str().unwrap(),
                namespace: self.namespace.unwrap_or_default(),
                id: self.id.unwrap_or(own.as_str()),
                device: self.device.unwrap_or_default(),
                key: &public,
            };
            hello["signature"] = key.sign(&statement.bytes()).into();
            hello["key"] = public.to_string().into();
        }
        hello
    }
}

/// Why a peer did not get in: the code of the error, or the close code where none came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub u16);

impl Refused {
    /// The connection failed or ended without a word.
    pub const LOST: Self = Self(1006);
}

/// A peer that was welcomed.
#[derive(Debug)]
pub struct Peer<S = TcpStream> {
    socket: WebSocketStream<S>,
    /// Messages that came while another was looked for.
    waiting: VecDeque<Value>,
    pub challenge: Value,
    pub welcome: Value,
    /// Counted messages taken in.
    pub seen: u64,
    n: u64,
    closed: Option<u16>,
}

impl Peer {
    /// Gets in, or fails the test.
    pub async fn enter(to: SocketAddr, who: Identity<'_>) -> Self {
        Self::try_enter(to, who).await.unwrap_or_else(|why| panic!("{who:?} did not get in: {why:?}"))
    }

    pub async fn guest(to: SocketAddr) -> Self {
        Self::enter(to, Identity::guest()).await
    }

    pub async fn try_enter(to: SocketAddr, who: Identity<'_>) -> Result<Self, Refused> {
        let stream = soon("a connection", TcpStream::connect(to)).await.map_err(|_| Refused::LOST)?;
        Self::over(stream, who, None).await
    }

    /// Goes on with another peer's session on a socket of its own; that peer's socket may be gone or not.
    pub async fn resuming(to: SocketAddr, who: Identity<'_>, old: &Self) -> Self {
        let stream = soon("a connection", TcpStream::connect(to)).await.unwrap();
        let mut peer = Self::over(stream, who, Some((old.token(), old.seen))).await.unwrap();
        peer.n = old.n;
        peer.seen = old.seen + peer.welcome["missed"].as_u64().unwrap_or(0);
        peer
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// Gets in over a connection.
    pub async fn over(stream: S, who: Identity<'_>, resume: Option<(&str, u64)>) -> Result<Self, Refused> {
        let mut request = "ws://test/v1".into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "wigwag.1".parse().unwrap());
        let upgraded = soon("the upgrade", tokio_tungstenite::client_async(request, stream)).await;
        let (socket, response) = match upgraded {
            Ok(upgraded) => upgraded,
            Err(Error::Http(answer)) => {
                let body: Value = serde_json::from_slice(answer.body().as_deref().unwrap_or_default()).unwrap();
                return Err(Refused(body["code"].as_u64().unwrap() as u16));
            }
            Err(_) => return Err(Refused::LOST),
        };
        assert_eq!(response.headers()["sec-websocket-protocol"], "wigwag.1");
        let mut peer = Self {
            socket,
            waiting: VecDeque::new(),
            challenge: Value::Null,
            welcome: Value::Null,
            seen: 0,
            n: 0,
            closed: None,
        };
        peer.challenge = peer.read().await.ok_or(Refused::LOST)?;
        assert_eq!(peer.challenge["type"], "challenge");
        peer.send(&who.hello(&peer.challenge, resume)).await;
        let answer = peer.read().await;
        peer.seen = 0;
        match answer {
            Some(answer) if answer["type"] == "welcome" => {
                peer.welcome = answer;
                Ok(peer)
            }
            Some(answer) => Err(Refused(answer["code"].as_u64().unwrap_or_else(|| panic!("{answer}")) as u16)),
            None => Err(peer.closed.map_or(Refused::LOST, Refused)),
        }
    }

    pub fn id(&self) -> &str {
        self.welcome["id"].as_str().unwrap()
    }

    pub fn session(&self) -> &str {
        self.welcome["session"].as_str().unwrap()
    }

    pub fn token(&self) -> &str {
        self.welcome["resume"].as_str().unwrap()
    }

    /// Sends a message as it is.
    pub async fn send(&mut self, message: &Value) {
        self.say(message.to_string()).await;
    }

    /// Sends text, unless the socket is closed.
    pub async fn say(&mut self, text: impl Into<String>) {
        let _ = soon("room for a message", self.socket.send(Message::text(text.into()))).await;
    }

    /// Sends a request with the next `n`; its answer.
    pub async fn ask(&mut self, mut request: Value) -> Value {
        self.n += 1;
        let n = self.n;
        request["n"] = n.into();
        self.send(&request).await;
        self.find(&format!("an answer to {request}"), |message| message["re"] == n).await
    }

    /// The same where the answer must not be an error.
    pub async fn done(&mut self, request: Value) -> Value {
        let answer = self.ask(request).await;
        assert_ne!(answer["type"], "error", "{answer}");
        answer
    }

    /// The same where it must be one: its code.
    pub async fn refused(&mut self, request: Value) -> u64 {
        let answer = self.ask(request).await;
        assert_eq!(answer["type"], "error", "{answer}");
        answer["code"].as_u64().unwrap()
    }

    /// Sends a signal; what became of it.
    pub async fn signal(&mut self, to: &str, data: impl Into<Value>) -> String {
        let ack = self.done(json!({"type": "signal", "to": to, "kind": "note", "data": data.into()})).await;
        ack["status"].as_str().unwrap().into()
    }

    /// The request that changes who speaks for this peer's name.
    pub fn name_change(&self, own: &Key, op: &str, key: &Key) -> Value {
        let public = key.public();
        let statement = NameStatement {
            server: self.challenge["server"].as_str().unwrap(),
            nonce: self.challenge["nonce"].as_str().unwrap(),
            namespace: "",
            name: self.id(),
            op,
            key: &public,
        };
        json!({"type": "name", "op": op, "key": public.to_string(), "signature": own.sign(&statement.bytes())})
    }

    /// The next message of a type.
    pub async fn next(&mut self, kind: &str) -> Value {
        self.find(&format!("a message {kind}"), |message| message["type"] == kind).await
    }

    /// The first message that is wanted; others wait for their turn.
    pub async fn find(&mut self, what: &str, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        if let Some(at) = self.waiting.iter().position(&mut wanted) {
            return self.waiting.remove(at).unwrap();
        }
        loop {
            let message = soon(what, self.receive()).await;
            let message = message.unwrap_or_else(|| panic!("closed with {:?} instead of {what}", self.closed));
            if wanted(&message) {
                return message;
            }
            self.waiting.push_back(message);
        }
    }

    /// A message of a type that came while another was looked for.
    pub fn stashed(&mut self, kind: &str) -> Option<Value> {
        let at = self.waiting.iter().position(|message| message["type"] == kind)?;
        self.waiting.remove(at)
    }

    /// Ends the connection without a word, as a lost line does.
    pub async fn cut(&mut self) {
        let _ = self.socket.get_mut().shutdown().await;
    }

    /// The close code; what comes before it is passed over. 1006 where the connection ended without one.
    pub async fn close_code(&mut self) -> u16 {
        while self.read().await.is_some() {}
        // The other side waits for our end of the connection, too.
        self.cut().await;
        self.closed.unwrap_or(1006)
    }

    /// The next message, or `None` once the socket is closed.
    pub async fn read(&mut self) -> Option<Value> {
        soon("a message", self.receive()).await
    }

    /// The same without a deadline.
    pub async fn receive(&mut self) -> Option<Value> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    self.seen += 1;
                    return Some(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Close(frame))) => self.closed = Some(frame.map_or(1005, |frame| frame.code.into())),
                // Pings were answered by the library.
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// Why the socket closed, if it did.
    pub fn closed(&self) -> Option<u16> {
        self.closed
    }
}
