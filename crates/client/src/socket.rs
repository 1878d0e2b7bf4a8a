//! One WebSocket to a server: a task that carries texts both ways and tells of its end.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use tracing::debug;
use wigwag_peer::SocketId;
use wigwag_tls::Trust;

use crate::post::{Letter, Post};
use crate::server::Place;

/// Texts that wait to be written; the line sends no more than the server's rate.
const WAITING_MAX: usize = 4096;

/// A server sends nothing larger.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long a socket may take to open; the line gives up earlier.
const OPENING: Duration = Duration::from_secs(30);

/// How long a goodbye may take.
const CLOSING: Duration = Duration::from_secs(2);

/// The code that stands for none on the wire.
const NO_CODE: u16 = 1005;

/// Speaks to one socket. Dropping it closes the socket.
pub(crate) struct Socket(mpsc::Sender<String>);

impl Socket {
    /// Opens one. What it hears and how it ends reaches the driver.
    pub(crate) fn open(id: SocketId, url: String, tls: TlsConnector, post: Post, tasks: &mut JoinSet<()>) -> Self {
        let (texts, waiting) = mpsc::channel(WAITING_MAX);
        tasks.spawn(async move {
            let (code, reason) = match timeout(OPENING, connect(&url, &tls)).await {
                Ok(Ok(Line::Plain(socket))) => carry(*socket, id, waiting, &post).await,
                Ok(Ok(Line::Tls(socket))) => carry(*socket, id, waiting, &post).await,
                Ok(Err(why)) => (0, why),
                Err(_) => (0, "the server did not answer in time".to_owned()),
            };
            debug!(socket = id.0, code, reason, "a socket ended");
            let _ = post.send(Letter::Lost(id, code, reason)).await;
        });
        Self(texts)
    }

    /// Writes this as soon as it goes. False if far too much waits.
    pub(crate) fn send(&self, text: String) -> bool {
        self.0.try_send(text).is_ok()
    }
}

/// Trusts what the system trusts, and these certificates (PEM).
pub(crate) fn tls(roots: &[Vec<u8>]) -> Result<TlsConnector, wigwag_tls::Unusable> {
    let mut trust = Trust::of_this_machine();
    roots.iter().try_for_each(|pem| trust.add(pem))?;
    Ok(TlsConnector::from(trust.config()))
}

enum Line {
    Plain(Box<WebSocketStream<TcpStream>>),
    Tls(Box<WebSocketStream<tokio_rustls::client::TlsStream<TcpStream>>>),
}

async fn connect(url: &str, tls: &TlsConnector) -> Result<Line, String> {
    let place = Place::read(url).ok_or("this is no address of a server")?;
    let tcp = TcpStream::connect((place.host.as_str(), place.port)).await.map_err(|why| why.to_string())?;
    // Each frame is a word of its own; waiting to fill a packet would only cost time.
    tcp.set_nodelay(true).map_err(|why| why.to_string())?;
    if !place.tls {
        return upgrade(url, tcp).await.map(|socket| Line::Plain(Box::new(socket)));
    }
    let name = ServerName::try_from(place.host).map_err(|why| why.to_string())?;
    let tcp = tls.connect(name, tcp).await.map_err(|why| format!("TLS: {why}"))?;
    upgrade(url, tcp).await.map(|socket| Line::Tls(Box::new(socket)))
}

async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(url: &str, stream: S) -> Result<WebSocketStream<S>, String> {
    let mut request = url.into_client_request().map_err(|why| why.to_string())?;
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(wigwag_wire::VERSION));
    let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES_MAX)).max_frame_size(None);
    match client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(refusal)) => Err(format!("the upgrade is answered with {}", refusal.status())),
        Err(why) => Err(why.to_string()),
    }
}

/// Carries texts until the socket ends, or nobody wants it any more.
async fn carry<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: WebSocketStream<S>,
    id: SocketId,
    mut waiting: mpsc::Receiver<String>,
    post: &Post,
) -> (u16, String) {
    loop {
        tokio::select! {
            text = waiting.recv() => {
                let Some(text) = text else {
                    let _ = timeout(CLOSING, farewell(&mut socket)).await;
                    return (0, String::new());
                };
                if let Err(why) = write(&mut socket, text, &mut waiting).await {
                    return (0, why.to_string());
                }
            }
            came = socket.next() => match came {
                Some(Ok(Message::Text(text))) => {
                    if post.send(Letter::Text(id, text.to_string())).await.is_err() {
                        return (0, String::new());
                    }
                }
                // Its answer is queued by the library and goes out with this.
                Some(Ok(Message::Ping(_))) => {
                    if let Err(why) = socket.flush().await {
                        return (0, why.to_string());
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    let _ = timeout(CLOSING, socket.flush()).await;
                    return frame.map_or((0, String::new()), |CloseFrame { code, reason }| {
                        (if u16::from(code) == NO_CODE { 0 } else { code.into() }, reason.to_string())
                    });
                }
                Some(Ok(_)) => {}
                Some(Err(why)) => return (0, why.to_string()),
                None => return (0, String::new()),
            },
        }
    }
}

/// Writes this and whatever else waits, and flushes once.
async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    text: String,
    waiting: &mut mpsc::Receiver<String>,
) -> Result<(), Error> {
    socket.feed(Message::text(text)).await?;
    while let Ok(text) = waiting.try_recv() {
        socket.feed(Message::text(text)).await?;
    }
    socket.flush().await
}

async fn farewell<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) -> Result<(), Error> {
    socket.close(Some(CloseFrame { code: 1000.into(), reason: "".into() })).await?;
    // The server answers; what it says before is not for us any more.
    while socket.next().await.transpose()?.is_some() {}
    Ok(())
}
