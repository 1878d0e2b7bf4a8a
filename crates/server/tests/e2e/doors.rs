//! The ways in: TLS, Unix sockets, proxies, sockets from a service manager, and who is turned away at the door.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::json;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::http::{ask, over, refused_upgrade};
use crate::support::peer::Refused;
use crate::support::server::{BINARY, clean};
use crate::support::{Identity, Peer, Raw, Server, Wigwag, soon, until};

#[tokio::test]
async fn peers_and_health_get_in_over_tls_and_a_new_certificate_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let first = write_cert(folder.path());
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let server = Wigwag::new().set("tls.cert", cert.display()).set("tls.key", key.display()).spawn().await;

    let mut alice = Peer::over(tls(server.address, &first).await.unwrap(), Identity::guest(), None).await.unwrap();
    let mut bob = Peer::over(tls(server.address, &first).await.unwrap(), Identity::guest(), None).await.unwrap();
    assert_eq!(alice.signal(bob.id(), "hi").await, "delivered");
    assert_eq!(bob.next("signal").await["data"], "hi");
    let well = health(&format!("https://{}", server.address));
    assert!(well.status.success(), "{well:?}");
    assert!(!health(&format!("http://{}", server.address)).status.success(), "it spoke without TLS");

    let second = write_cert(folder.path());
    assert!(tls(server.address, &first).await.is_ok());
    until("the new certificate", async || tls(server.address, &second).await.is_ok()).await;
    assert!(tls(server.address, &first).await.is_err());
    // Who was inside stays inside.
    assert_eq!(alice.signal(bob.id(), "still").await, "delivered");
    std::fs::write(&cert, "no certificate").unwrap();
    server.logged("keeping the old one").await;
    assert!(tls(server.address, &second).await.is_ok());
}

#[tokio::test]
async fn peers_and_health_get_in_through_a_unix_socket_which_is_tidied_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wigwag.sock");
    let url = format!("unix:{}", path.display());
    // A power cut leaves the file behind; the next process takes its place.
    Wigwag::new().listen(&url).spawn().await.kill().await;
    assert!(path.exists());
    let server = Wigwag::new().listen(&url).listen("127.0.0.1:0").set("server.drain_seconds", 0).spawn().await;
    let stream = UnixStream::connect(&path).await.unwrap();
    let mut alice = Peer::over(stream, Identity::guest(), None).await.unwrap();
    let mut bob = Peer::over(UnixStream::connect(&path).await.unwrap(), Identity::guest(), None).await.unwrap();
    assert_eq!(alice.signal(bob.id(), "hi").await, "delivered");
    assert_eq!(bob.next("signal").await["data"], "hi");
    let well = health(&url);
    assert!(well.status.success(), "{well:?}");
    server.stop().await;
    assert!(!path.exists());
    assert!(!health(&url).status.success());
}

#[tokio::test]
async fn sockets_from_a_service_manager_are_served_and_outlive_the_process() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    for _ in 0..2 {
        // It waits at the door before anybody is there to open.
        let early = TcpStream::connect(address).await.unwrap();
        let server = activated(&listener).set("server.drain_seconds", 0).start().await;
        assert_eq!(server.address, address);
        let peer = soon("a welcome", Peer::over(early, Identity::guest(), None)).await.unwrap();
        assert!(peer.id().starts_with('~'));
        assert_eq!(server.stop().await.code(), Some(0));
    }
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_about_the_address_and_a_stranger_is_not() {
    let token = "the-operators-token";
    let wigwag = || Wigwag::new().limit("sockets_per_address", 1).set("admin.token", token);
    let server = wigwag().set("server.trust_proxy", "private").start().await;
    let mut first = forwarded(&server, "203.0.113.7").await;
    let again = refused_upgrade(connect(&server).await, "X-Forwarded-For: 203.0.113.7\r\n").await;
    assert_eq!((again.status, again.code()), (429, 4101));
    // What the client invents stands to the left of what the proxy saw.
    let invented = "X-Forwarded-For: 198.51.100.1, 203.0.113.7\r\n";
    assert_eq!(refused_upgrade(connect(&server).await, invented).await.code(), 4101);
    let mut other = forwarded(&server, "198.51.100.1").await;
    let ban = json!({"subject": "network:203.0.113.0/24"}).to_string();
    let bearer = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(ask(server.address, "POST", "/api/v1/bans", &bearer, &ban).await.status, 201);
    assert_eq!(first.close_code().await, 4302);
    let banned = refused_upgrade(connect(&server).await, "X-Forwarded-For: 203.0.113.8\r\n").await;
    assert_eq!((banned.status, banned.code()), (403, 4302));
    other.say(r#"{"type":"hello"}"#).await;
    assert_eq!(other.event().await["type"], "welcome");

    let server = wigwag().start().await;
    let _one = forwarded(&server, "203.0.113.7").await;
    // Both come from this machine, whatever they claim, and it is exempt.
    forwarded(&server, "203.0.113.7").await;
}

#[tokio::test]
async fn the_proxy_protocol_tells_the_address_in_both_versions() {
    let server = Wigwag::new()
        .limit("sockets_per_address", 1)
        .set("server.trust_proxy", "private")
        .set("server.proxy_protocol", true)
        .spawn()
        .await;
    let enter = async |header: &[u8]| Peer::over(greeted(&server, header).await, Identity::guest(), None).await;
    let (seven, eight) = (b"PROXY TCP4 203.0.113.7 192.0.2.1 40000 443\r\n", v2([203, 0, 113, 8]));
    let _first = enter(seven).await.unwrap();
    assert_eq!(enter(seven).await.unwrap_err(), Refused(4101));
    assert_eq!(enter(&v2([203, 0, 113, 7])).await.unwrap_err(), Refused(4101));
    let _second = enter(&eight).await.unwrap();
    assert_eq!(enter(b"PROXY TCP4 203.0.113.8 192.0.2.1 1 443\r\n").await.unwrap_err(), Refused(4101));
    let _v6 = enter(b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 443\r\n").await.unwrap();
    assert_eq!(enter(b"").await.unwrap_err(), Refused::LOST);
    // The proxy asks for itself.
    let mut local = v2([0, 0, 0, 0]);
    local[12] = 0x20;
    assert_eq!(over(greeted(&server, &local).await, "GET", "/ready", "", "").await.status, 200);
}

#[tokio::test]
async fn pages_of_other_origins_stay_outside_and_browsers_are_told_so() {
    let server = Wigwag::new().set("server.origins", "https://app.example.org,https://*.example.net").start().await;
    let evil = "Origin: https://evil.example\r\n";
    let refused = refused_upgrade(connect(&server).await, evil).await;
    assert_eq!((refused.status, refused.code()), (403, 4304));
    let refused = ask(server.address, "GET", "/version", evil, "").await;
    assert_eq!((refused.status, refused.code()), (403, 4304));
    assert_eq!(refused.header("access-control-allow-origin"), None);
    for origin in ["https://app.example.org", "https://any.example.net"] {
        let line = format!("Origin: {origin}\r\n");
        assert!(Raw::connect(server.address).await.upgrade(&line).await.starts_with("HTTP/1.1 101 "));
        let answer = ask(server.address, "GET", "/version", &line, "").await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some(origin)));
        assert_eq!(answer.header("vary"), Some("origin"));
        let asked = format!("{line}Access-Control-Request-Method: PUT\r\n");
        let preflight = ask(server.address, "OPTIONS", "/version", &asked, "").await;
        assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, Some(origin)));
        assert!(preflight.header("access-control-allow-methods").unwrap().contains("PUT"));
    }
    // Programs have no origin.
    Peer::guest(server.address).await;
}

#[tokio::test]
async fn a_client_that_speaks_only_other_protocols_is_told_at_once() {
    let server = Wigwag::new().start().await;
    let refused = refused_upgrade(connect(&server).await, "Sec-WebSocket-Protocol: wigwag.99, chat\r\n").await;
    assert_eq!((refused.status, refused.code()), (400, 4303));
    let head = Raw::connect(server.address).await.upgrade("Sec-WebSocket-Protocol: chat, wigwag.1\r\n").await;
    assert!(head.to_lowercase().contains("sec-websocket-protocol: wigwag.1\r\n"), "{head}");
}

/// Puts a fresh certificate and its key in place, each as a whole.
pub(crate) fn write_cert(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["wigwag.test".to_owned()]).unwrap();
    for (name, text) in [("key.pem", made.signing_key.serialize_pem()), ("cert.pem", made.cert.pem())] {
        let fresh = folder.join("fresh");
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(&fresh, folder.join(name)).unwrap();
    }
    made.cert.der().clone()
}

/// A connection that trusts this certificate only.
async fn tls(to: SocketAddr, cert: &CertificateDer<'static>) -> std::io::Result<Box<TlsStream<TcpStream>>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(cert.clone()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(to).await?;
    let name = ServerName::try_from("wigwag.test").unwrap();
    soon("the handshake", TlsConnector::from(Arc::new(config)).connect(name, stream)).await.map(Box::new)
}

fn health(url: &str) -> Output {
    let mut command = Command::new(BINARY);
    clean(&mut command);
    command.args(["health", url]).output().unwrap()
}

/// A server that finds the listener at descriptor 3, as systemd passes it.
fn activated(listener: &TcpListener) -> Wigwag {
    let mut command = Command::new("sh");
    command.args(["-c", r#"export LISTEN_PID=$$ LISTEN_FDS=1; exec "$0" "$@" 3<&0 0</dev/null"#, BINARY]);
    command.stdin(Stdio::from(OwnedFd::from(listener.try_clone().unwrap())));
    Wigwag::started_by(command)
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address).await.unwrap()
}

/// A socket that a proxy opened for somebody.
async fn forwarded(server: &Server, address: &str) -> Raw {
    let mut raw = Raw::connect(server.address).await;
    let head = raw.upgrade(&format!("X-Forwarded-For: {address}\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(raw.event().await["type"], "challenge");
    raw
}

/// A connection that begins with these bytes.
async fn greeted(server: &Server, header: &[u8]) -> TcpStream {
    let mut raw = Raw::connect(server.address).await;
    raw.write(header).await;
    raw.stream
}

/// The second version's header for a connection from an address.
fn v2(from: [u8; 4]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend(from);
    header.extend([192, 0, 2, 1, 0x9c, 0x40, 1, 0xbb]);
    header
}
