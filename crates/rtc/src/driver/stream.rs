//! A stream to a TURN server, over TCP or TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use wigwag_tls::Trust;

use crate::pc::StreamId;

const CONNECT_MAX: Duration = Duration::from_secs(5);
const READ_BYTES: usize = 16 * 1024;

/// What waits to be written; beyond it datagrams are lost, as in a network.
const WAITING_MAX: usize = 512;

/// What a stream tells.
#[derive(Debug)]
pub(super) enum News {
    Opened { stream: StreamId, local: SocketAddr },
    Data { stream: StreamId, data: Vec<u8> },
    Closed { stream: StreamId },
}

/// Our end of a stream. Dropping it ends the stream when all is written.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: StreamId,
    writes: mpsc::Sender<Vec<u8>>,
}

impl Stream {
    /// Begins to open one; what becomes of it is told.
    pub(super) fn open(
        id: StreamId,
        to: SocketAddr,
        tls: Option<(String, Arc<ClientConfig>)>,
        news: mpsc::Sender<News>,
    ) -> Self {
        let (writes, written) = mpsc::channel(WAITING_MAX);
        tokio::spawn(async move {
            if run(id, to, tls, &news, written).await.is_err() {
                tracing::debug!("a stream to a TURN server broke");
            }
            let _ = news.send(News::Closed { stream: id }).await;
        });
        Self { id, writes }
    }

    pub(super) fn write(&self, data: Vec<u8>) {
        let _ = self.writes.try_send(data);
    }
}

/// TURN servers are checked against the authorities of the system, and these (PEM).
pub(super) fn tls(roots: &[Vec<u8>]) -> Arc<ClientConfig> {
    let mut trust = Trust::of_this_machine();
    for pem in roots {
        if let Err(why) = trust.add(pem) {
            tracing::debug!("{why}");
        }
    }
    trust.config()
}

async fn run(
    id: StreamId,
    to: SocketAddr,
    tls: Option<(String, Arc<ClientConfig>)>,
    news: &mpsc::Sender<News>,
    written: mpsc::Receiver<Vec<u8>>,
) -> std::io::Result<()> {
    let socket = tokio::time::timeout(CONNECT_MAX, TcpStream::connect(to)).await??;
    socket.set_nodelay(true)?;
    let local = socket.local_addr()?;
    match tls {
        None => carry(id, local, socket, news, written).await,
        Some((name, config)) => {
            let name = ServerName::try_from(name).map_err(std::io::Error::other)?;
            let handshake = TlsConnector::from(config).connect(name, socket);
            let socket = tokio::time::timeout(CONNECT_MAX, handshake).await??;
            carry(id, local, socket, news, written).await
        }
    }
}

async fn carry(
    id: StreamId,
    local: SocketAddr,
    socket: impl AsyncRead + AsyncWrite,
    news: &mpsc::Sender<News>,
    mut written: mpsc::Receiver<Vec<u8>>,
) -> std::io::Result<()> {
    if news.send(News::Opened { stream: id, local }).await.is_err() {
        return Ok(());
    }
    let (mut reader, mut writer) = tokio::io::split(socket);
    let reading = async {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let count = reader.read(&mut buffer).await?;
            if count == 0 || news.send(News::Data { stream: id, data: buffer[..count].to_vec() }).await.is_err() {
                return Ok::<_, std::io::Error>(());
            }
        }
    };
    let writing = async {
        while let Some(first) = written.recv().await {
            // What waits goes out together.
            let mut all = first;
            while let (true, Ok(more)) = (all.len() < READ_BYTES * 4, written.try_recv()) {
                all.extend_from_slice(&more);
            }
            writer.write_all(&all).await?;
            writer.flush().await?;
        }
        writer.shutdown().await
    };
    tokio::select! {
        result = reading => result,
        result = writing => result,
    }
}
