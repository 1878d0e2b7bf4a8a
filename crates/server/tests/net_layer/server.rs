//! A server whose sockets do what their client tells them, and report what happens to them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use bytes::Bytes;
use http::StatusCode;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use wigwag_hub::SocketId;
use wigwag_server::net::{
    Batch, Behind, Closed, Door, DoorLimits, Flow, Listener, NetLimits, NetMetrics, PeerAddr, Sockets, Upgrade,
};

use crate::client::soon;

/// What happened behind a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Open,
    Text(String),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    Mail(Mail),
    Tick,
    Close(Closed),
}

/// What tests post to sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mail {
    Say(String),
    Stay,
    Resume,
}

/// Does what the text says; echoes it if it says nothing.
struct Puppet {
    id: SocketId,
    seen: mpsc::UnboundedSender<(SocketId, Seen)>,
    ticks: bool,
}

impl Puppet {
    fn note(&self, seen: Seen) {
        // The test may be over.
        let _ = self.seen.send((self.id, seen));
    }
}

impl Behind for Puppet {
    type Mail = Mail;

    fn on_open(&mut self, _: &mut Batch<'_, Mail>) -> Flow {
        self.note(Seen::Open);
        Flow::Continue
    }

    fn on_text(&mut self, text: &str, batch: &mut Batch<'_, Mail>) -> Flow {
        self.note(Seen::Text(text.into()));
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "pause" => return Flow::Pause,
            "ticks" => self.ticks = rest == "on",
            "ping" => assert!(batch.ping(self.id, rest.as_bytes())),
            "close" => assert!(batch.close(self.id, rest.parse().unwrap(), "as you wish")),
            "burst" => (0..rest.parse().unwrap()).for_each(|i: u32| {
                batch.send(self.id, &Bytes::from(i.to_string()));
            }),
            "where" => {
                let thread = std::thread::current().name().unwrap_or_default().to_owned();
                batch.send(self.id, &Bytes::from(thread));
            }
            "to" => {
                let (id, what) = rest.split_once(' ').unwrap();
                batch.send(SocketId(id.parse().unwrap()), &Bytes::copy_from_slice(what.as_bytes()));
            }
            _ => assert!(batch.send(self.id, &Bytes::copy_from_slice(text.as_bytes()))),
        }
        Flow::Continue
    }

    fn on_binary(&mut self, bytes: &[u8], batch: &mut Batch<'_, Mail>) -> Flow {
        self.note(Seen::Binary(bytes.into()));
        batch.send_binary(self.id, &Bytes::copy_from_slice(bytes));
        Flow::Continue
    }

    fn on_pong(&mut self, payload: &[u8], _: &mut Batch<'_, Mail>) {
        self.note(Seen::Pong(payload.into()));
    }

    fn on_mail(&mut self, mail: Mail, batch: &mut Batch<'_, Mail>) -> Flow {
        self.note(Seen::Mail(mail.clone()));
        match mail {
            Mail::Stay => return Flow::Pause,
            Mail::Resume => {}
            Mail::Say(text) => assert!(batch.send(self.id, &Bytes::from(text))),
        }
        Flow::Continue
    }

    fn on_tick(&mut self, _: &mut Batch<'_, Mail>) {
        self.note(Seen::Tick);
    }

    fn wants_tick(&self) -> bool {
        self.ticks
    }

    fn on_close(&mut self, why: Closed, batch: &mut Batch<'_, Mail>) {
        assert!(!batch.send(self.id, &Bytes::from_static(b"too late")));
        self.note(Seen::Close(why));
    }
}

pub struct Server {
    pub address: SocketAddr,
    pub sockets: Arc<Sockets<Mail>>,
    pub metrics: NetMetrics,
    pub door: Arc<Door>,
    pub stop: watch::Sender<bool>,
    seen: mpsc::UnboundedReceiver<(SocketId, Seen)>,
}

impl Server {
    pub fn start() -> Self {
        Self::with(NetLimits::default(), |door| door)
    }

    pub fn limited(limits: NetLimits) -> Self {
        Self::with(limits, |door| door)
    }

    pub fn with(limits: NetLimits, door: impl FnOnce(Door) -> Door) -> Self {
        Self::with_listener(limits, DoorLimits::default(), door, |listener| listener)
    }

    pub fn with_listener(
        limits: NetLimits,
        door_limits: DoorLimits,
        door: impl FnOnce(Door) -> Door,
        listener: impl FnOnce(Listener) -> Listener,
    ) -> Self {
        let metrics = NetMetrics::default();
        let sockets = Sockets::start(limits, metrics.clone());
        #[allow(clippy::disallowed_methods, reason = "the length of the test bounds it")]
        let (send, seen) = mpsc::unbounded_channel();
        let router = router(Arc::clone(&sockets), send);
        let door = Arc::new(door(Door::new(router, door_limits, metrics.clone())));
        let listener = listener(Listener::tcp(([127, 0, 0, 1], 0).into()).unwrap());
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(listener.run(Arc::clone(&door), stopped));
        Self { address, sockets, metrics, door, stop, seen }
    }

    /// What happened next, anywhere.
    pub async fn next(&mut self) -> (SocketId, Seen) {
        soon("something behind a socket", self.seen.recv()).await.unwrap()
    }

    /// What happened next, wherever.
    pub async fn seen(&mut self) -> Seen {
        self.next().await.1
    }

    /// The socket that opens next.
    pub async fn opened(&mut self) -> SocketId {
        let (id, seen) = self.next().await;
        assert_eq!(seen, Seen::Open);
        id
    }

    /// Why the next socket to end has ended.
    pub async fn closed(&mut self) -> Closed {
        loop {
            if let Seen::Close(why) = self.seen().await {
                return why;
            }
        }
    }

    /// What has happened until now and was not asked for yet.
    pub fn rest(&mut self) -> Vec<Seen> {
        std::iter::from_fn(|| self.seen.try_recv().ok()).map(|(_, seen)| seen).collect()
    }

    pub async fn emptied(&self) {
        soon("all sockets to be gone", self.sockets.emptied()).await;
    }
}

/// Limits whose times pass quickly, but for those that end a socket.
pub fn quick() -> NetLimits {
    NetLimits {
        tick: Duration::from_millis(10),
        ping_every: Duration::from_millis(50),
        close_timeout: Duration::from_millis(50),
        ..NetLimits::default()
    }
}

/// A counter of a family.
pub fn count(
    family: &prometheus_client::metrics::family::Family<
        wigwag_server::net::Reason,
        prometheus_client::metrics::counter::Counter,
    >,
    reason: &'static str,
) -> u64 {
    family.get_or_create(&wigwag_server::net::Reason { reason }).get()
}

fn router(sockets: Arc<Sockets<Mail>>, seen: mpsc::UnboundedSender<(SocketId, Seen)>) -> Router {
    let upgrade = move |request: Request| async move { accept(request, &sockets, seen) };
    Router::new().route("/ws", any(upgrade)).route("/who", any(who)).route("/body", post(body))
}

fn accept(request: Request, sockets: &Arc<Sockets<Mail>>, seen: mpsc::UnboundedSender<(SocketId, Seen)>) -> Response {
    let upgrade = match Upgrade::from_request(request, sockets) {
        Ok(upgrade) => upgrade,
        Err(refused) => return refused.into_response(),
    };
    let protocol = upgrade.offered().find(|p| *p == "wigwag.1").map(str::to_owned);
    // What is only `Send` may be handed over too.
    let seen = Mutex::new(seen);
    let make = move |id| Puppet { id, seen: seen.into_inner(), ticks: false };
    upgrade.accept(sockets, protocol.as_deref(), make).into_response()
}

async fn who(request: Request) -> String {
    match request.extensions().get::<PeerAddr>().unwrap() {
        PeerAddr::Ip(ip) => ip.to_string(),
        PeerAddr::Unix => "unix".into(),
    }
}

async fn body(request: Request) -> (StatusCode, String) {
    match to_bytes(request.into_body(), 100_000).await {
        Ok(bytes) => (StatusCode::OK, bytes.len().to_string()),
        Err(_) => (StatusCode::REQUEST_TIMEOUT, "late".into()),
    }
}
