//! Sockets over TLS.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, DEFAULT_VERSIONS, HandshakeKind, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wigwag_server::net::{Closed, DoorLimits, NetLimits, Tls, TlsError};

use crate::client::{Client, Frame, frame, text, until};
use crate::server::{Mail, Server, count, quick};

#[tokio::test]
async fn sockets_work_over_tls() {
    let cert = Cert::new();
    let mut server = cert.serve(NetLimits::default());
    let mut client = cert.open(&server).await;
    let id = server.opened().await;
    assert_eq!(client.stream.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
    client.say("hello").await;
    assert_eq!(client.next().await, text("hello"));
    server.sockets.post(id, Mail::Say("from within".into())).unwrap();
    assert_eq!(client.next().await, text("from within"));
    assert!(server.sockets.batch().send(id, &Bytes::from_static(b"from elsewhere")));
    assert_eq!(client.next().await, text("from elsewhere"));
    client.say("burst 20").await;
    for i in 0..20 {
        assert_eq!(client.next().await, text(&i.to_string()));
    }
    client.say("close 4000").await;
    assert_eq!(client.next().await.opcode, 8);
    client.write(&frame(true, 8, b"\x0f\xa0")).await;
    assert_eq!(client.maybe_next().await, None);
    drop(client);
    server.emptied().await;
}

#[tokio::test]
async fn long_queues_pass_through_tls() {
    let cert = Cert::new();
    let mut server = cert.serve(NetLimits { queue_bytes: 20_000_000, ..NetLimits::default() });
    let mut client = cert.open(&server).await;
    let id = server.opened().await;
    let long = Bytes::from(vec![b'x'; 60_000]);
    // More than the kernel takes without somebody reading.
    for _ in 0..200 {
        assert!(server.sockets.batch().send(id, &long));
    }
    client.say("the end").await;
    for _ in 0..200 {
        assert_eq!(client.next().await.payload.len(), 60_000);
    }
    assert_eq!(client.next().await, text("the end"));
}

#[tokio::test]
async fn a_slow_reader_is_cut_over_tls_too() {
    let cert = Cert::new();
    let mut server = cert.serve(quick());
    let client = cert.open(&server).await;
    let id = server.opened().await;
    let long = Bytes::from(vec![b'x'; 60_000]);
    while server.sockets.batch().send(id, &long) {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.closed().await, Closed::SlowReader);
    server.emptied().await;
    drop(client);
}

#[tokio::test]
async fn a_silent_peer_is_pinged_and_closed_over_tls_too() {
    let cert = Cert::new();
    let mut server = cert.serve(NetLimits { idle_timeout: Duration::from_millis(300), ..quick() });
    let mut client = cert.open(&server).await;
    server.opened().await;
    assert_eq!(client.next().await, Frame { opcode: 9, payload: vec![] });
    assert_eq!(client.next().await.opcode, 8);
    assert_eq!(server.closed().await, Closed::Idle);
    server.emptied().await;
}

#[tokio::test]
async fn a_peer_may_send_one_byte_at_a_time_over_tls() {
    let cert = Cert::new();
    let mut server = cert.serve(NetLimits::default());
    let stream = Drip(TcpStream::connect(server.address).await.unwrap());
    stream.0.set_nodelay(true).unwrap();
    let mut client = Client::over(cert.secure(stream).await);
    client.upgrade().await;
    server.opened().await;
    let long = "drop by drop ".repeat(100);
    client.say(&long).await;
    assert_eq!(client.next().await, text(&long));
}

#[tokio::test]
async fn how_a_tls_connection_ends_is_told_apart() {
    let cert = Cert::new();
    let mut server = cert.serve(NetLimits::default());
    let mut client = cert.open(&server).await;
    client.stream.shutdown().await.unwrap();
    assert_eq!(server.closed().await, Closed::Vanished);
    client.ended().await;
    drop(cert.open(&server).await);
    assert_eq!(server.closed().await, Closed::Failed(ErrorKind::UnexpectedEof));
    let mut client = cert.open(&server).await;
    client.stream.get_mut().0.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(server.closed().await, Closed::Failed(ErrorKind::InvalidData));
    client.ended().await;
    server.emptied().await;
}

#[tokio::test]
async fn peers_of_either_version_come_back_with_a_ticket() {
    let cert = Cert::new();
    let server = cert.serve(NetLimits::default());
    for version in [&TLS12, &TLS13] {
        let config = cert.config(&[version]);
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let stream = TcpStream::connect(server.address).await.unwrap();
            let mut client = Client::over(secure(&config, stream).await);
            client.upgrade().await;
            assert_eq!(client.stream.get_ref().1.handshake_kind(), Some(kind));
            client.say("hello").await;
            assert_eq!(client.next().await, text("hello"));
        }
    }
}

#[tokio::test]
async fn keys_may_change_in_the_middle() {
    let cert = Cert::new();
    let server = cert.serve(NetLimits::default());
    let mut client = cert.open(&server).await;
    for _ in 0..50 {
        client.stream.get_mut().1.refresh_traffic_keys().unwrap();
        client.say("under new keys").await;
        assert_eq!(client.next().await, text("under new keys"));
    }
}

#[tokio::test]
async fn requests_with_long_bodies_pass_through_tls() {
    let cert = Cert::new();
    let server = cert.serve(NetLimits::default());
    let mut client = Client::over(cert.secure(TcpStream::connect(server.address).await.unwrap()).await);
    client.write(b"POST /body HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 90000\r\n\r\n").await;
    client.write(&[b'x'; 90_000]).await;
    assert!(client.read_head().await.starts_with("HTTP/1.1 200 "));
    assert_eq!(client.rest().await, "90000");
}

#[tokio::test]
async fn what_is_no_tls_or_takes_too_long_is_cut_off() {
    let cert = Cert::new();
    let door = DoorLimits { header_timeout: Duration::from_millis(500), ..DoorLimits::default() };
    let server = cert.serve_with(NetLimits::default(), door);
    let mut plain = Client::connect(server.address).await;
    plain.write(b"GET / HTTP/1.1\r\n\r\n").await;
    plain.ended().await;
    let mut silent = Client::connect(server.address).await;
    silent.ended().await;
    until("both to be counted", || server.metrics.tls_failures.get() == 2).await;
}

#[tokio::test]
async fn a_proxy_header_comes_before_the_handshake() {
    let cert = Cert::new();
    let tls = cert.load().unwrap();
    let networks = vec!["127.0.0.0/8".parse().unwrap()];
    let server = Server::with_listener(
        NetLimits::default(),
        DoorLimits::default(),
        |door| {
            door.with_trusted(wigwag_server::net::TrustedProxies { networks, unix: false }).with_proxy_protocol(true)
        },
        |listener| listener.with_tls(tls),
    );
    let mut plain = Client::connect(server.address).await;
    plain.write(b"PROXY TCP4 192.0.2.9 127.0.0.1 4711 443\r\n").await;
    let mut client = Client::over(cert.secure(plain.stream).await);
    client.request("GET /who HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await;
    assert_eq!(client.rest().await, "192.0.2.9");
}

#[tokio::test]
async fn a_new_certificate_is_taken_and_a_bad_one_is_not() {
    let cert = Cert::new();
    let tls = cert.load().unwrap();
    let server = Server::with_listener(
        NetLimits::default(),
        DoorLimits::default(),
        |door| door,
        |listener| listener.with_tls(tls.clone()),
    );
    tokio::spawn(tls.watch(Duration::from_millis(5), server.metrics.clone()));
    let (taken, bad) = (|| count(&server.metrics.tls_reloads, "taken"), || count(&server.metrics.tls_reloads, "bad"));

    let newer = Cert::new();
    // Not at the same time: in between the two do not fit.
    std::fs::copy(newer.cert(), cert.cert()).unwrap();
    until("the misfit to be noticed", || bad() == 1).await;
    cert.open(&server).await;
    std::fs::copy(newer.key(), cert.key()).unwrap();
    until("the new certificate", || taken() == 1).await;
    newer.open(&server).await;

    std::fs::write(cert.cert(), "garbage").unwrap();
    until("the bad certificate to be noticed", || bad() == 2).await;
    newer.open(&server).await;
    std::fs::remove_file(cert.cert()).unwrap();
    until("the missing certificate to be noticed", || bad() == 3).await;
    newer.open(&server).await;
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_refused_at_the_start() {
    let (cert, other) = (Cert::new(), Cert::new());
    let empty = cert.folder.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    assert!(matches!(Tls::load(&cert.cert(), &other.key()), Err(TlsError::Unusable(_))));
    assert!(matches!(Tls::load(&empty, &cert.key()), Err(TlsError::Empty(_))));
    assert!(matches!(Tls::load(&cert.cert(), Path::new("/nowhere")), Err(TlsError::File { .. })));
}

/// A certificate in files, and clients that trust nothing else.
struct Cert {
    folder: TempDir,
    der: CertificateDer<'static>,
}

impl Cert {
    fn new() -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let _: &KeyPair = &signing_key;
        let this = Self { folder: tempfile::tempdir().unwrap(), der: cert.der().clone() };
        std::fs::write(this.cert(), cert.pem()).unwrap();
        std::fs::write(this.key(), signing_key.serialize_pem()).unwrap();
        this
    }

    fn cert(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    fn load(&self) -> Result<Tls, TlsError> {
        Tls::load(&self.cert(), &self.key())
    }

    fn serve(&self, limits: NetLimits) -> Server {
        self.serve_with(limits, DoorLimits::default())
    }

    fn serve_with(&self, limits: NetLimits, door: DoorLimits) -> Server {
        let tls = self.load().unwrap();
        Server::with_listener(limits, door, |door| door, |listener| listener.with_tls(tls))
    }

    async fn open(&self, server: &Server) -> Client<TlsStream<TcpStream>> {
        let mut client = Client::over(self.secure(TcpStream::connect(server.address).await.unwrap()).await);
        client.upgrade().await;
        client
    }

    async fn secure<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> TlsStream<S> {
        secure(&self.config(DEFAULT_VERSIONS), stream).await
    }

    fn config(&self, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".into(), b"http/1.1".into()];
        Arc::new(config)
    }
}

async fn secure<S: AsyncRead + AsyncWrite + Unpin>(config: &Arc<ClientConfig>, stream: S) -> TlsStream<S> {
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::clone(config)).connect(name, stream).await.unwrap()
}

/// Writes one byte at a time.
struct Drip(TcpStream);

impl AsyncRead for Drip {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Drip {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, &buf[..buf.len().min(1)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
