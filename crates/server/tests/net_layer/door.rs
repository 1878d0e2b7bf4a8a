//! What happens to connections before they are WebSockets.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use wigwag_server::net::{Door, DoorLimits, Listener, NetLimits, TrustedProxies};

use crate::client::{Client, soon, text, until};
use crate::server::{Server, count};

const WHO: &str = "GET /who HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: 192.0.2.1, 198.51.100.7\r\n\r\n";

#[tokio::test]
async fn a_request_that_never_gets_complete_is_given_up() {
    let server = impatient();
    let mut silent = Client::connect(server.address).await;
    let mut half = Client::connect(server.address).await;
    half.write(b"GET /who HTTP/1.1\r\nHost: te").await;
    let mut kept_alive = Client::connect(server.address).await;
    let head = kept_alive.request(WHO).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    for client in [&mut silent, &mut half, &mut kept_alive] {
        client.ended().await;
    }
    until("their places to be free", || server.metrics.connections_pending.get() == 0).await;
}

#[tokio::test]
async fn a_body_that_never_arrives_is_given_up() {
    let server = impatient();
    let mut client = Client::connect(server.address).await;
    let request = "POST /body HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf";
    let head = client.request(request).await;
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let server = Server::start();
    let mut client = Client::connect(server.address).await;
    let request = format!("GET /who HTTP/1.1\r\nHost: test\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let head = client.request(&request).await;
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
}

#[tokio::test]
async fn connections_that_are_no_sockets_yet_have_a_bound_of_their_own() {
    let limits = DoorLimits { pending: 2, ..DoorLimits::default() };
    let server = Server::with_listener(NetLimits::default(), limits, |door| door, |listener| listener);
    // One that has become a WebSocket does not count.
    let _socket = Client::open(server.address).await;
    let first = Client::connect(server.address).await;
    let _second = Client::connect(server.address).await;
    until("both to be counted", || server.metrics.connections_pending.get() == 2).await;
    Client::connect(server.address).await.ended().await;
    assert_eq!(count(&server.metrics.connections_dropped, "pending"), 1);
    drop(first);
    until("a free place", || server.metrics.connections_pending.get() == 1).await;
    Client::open(server.address).await;
}

#[tokio::test]
async fn one_address_cannot_take_all_the_places() {
    let limits = DoorLimits { pending_per_address: 2, ..DoorLimits::default() };
    let server = Server::with_listener(NetLimits::default(), limits, behind_proxy, |listener| listener);
    let mut greedy = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(server.address).await;
        client.write(b"PROXY TCP6 2001:db8::1 2001:db8:1::1 1 2\r\n").await;
        assert!(client.request(WHO).await.starts_with("HTTP/1.1 200 "));
        greedy.push(client);
    }
    // The same network of IPv6, another address.
    let mut third = Client::connect(server.address).await;
    third.write(b"PROXY TCP6 2001:db8::2 2001:db8:1::1 1 2\r\n").await;
    third.ended().await;
    assert_eq!(count(&server.metrics.connections_dropped, "pending_of_address"), 1);
    let mut other = Client::connect(server.address).await;
    other.write(b"PROXY TCP6 2001:db8:0:1::1 2001:db8:1::1 1 2\r\n").await;
    assert!(other.request(WHO).await.starts_with("HTTP/1.1 200 "));
    let all = greedy.into_iter().chain([other]);
    drop(all);
    until("their places to be free", || server.metrics.connections_pending.get() == 0).await;
    let mut again = Client::connect(server.address).await;
    again.write(b"PROXY TCP6 2001:db8::2 2001:db8:1::1 1 2\r\n").await;
    assert!(again.request(WHO).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn forwarded_addresses_count_only_from_trusted_proxies() {
    let server = Server::start();
    assert_eq!(who(&mut Client::connect(server.address).await).await, "127.0.0.1");
    let server = Server::with(NetLimits::default(), |door| door.with_trusted(loopback()));
    assert_eq!(who(&mut Client::connect(server.address).await).await, "198.51.100.7");
}

#[tokio::test]
async fn a_trusted_proxy_tells_the_address_before_everything_else() {
    let server = Server::with(NetLimits::default(), behind_proxy);
    let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x09\x7f\0\0\x01\x12\x67\x01\xbb".as_slice();
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".as_slice();
    for (header, address) in [
        (b"PROXY TCP4 192.0.2.9 127.0.0.1 4711 443\r\n".as_slice(), "192.0.2.9"),
        (b"PROXY UNKNOWN\r\n", "198.51.100.7"),
        (v2, "192.0.2.9"),
        (local, "198.51.100.7"),
    ] {
        let mut client = Client::connect(server.address).await;
        // In two pieces, the second of which holds the request as well.
        client.write(&header[..7]).await;
        client.write(&header[7..]).await;
        assert_eq!(who(&mut client).await, address);
        let mut client = Client::connect(server.address).await;
        client.write(header).await;
        client.upgrade().await;
        client.say("hello").await;
        assert_eq!(client.next().await, text("hello"));
    }
}

#[tokio::test]
async fn a_trusted_proxy_without_its_header_is_cut_off() {
    let server = Server::with_listener(NetLimits::default(), quick_door(), behind_proxy, |listener| listener);
    for (i, bytes) in [WHO.as_bytes(), b"PROXY TCP4 1 2 3 4\r\n", b"PROX", &[b'P'; 500]].into_iter().enumerate() {
        let mut client = Client::connect(server.address).await;
        client.write(bytes).await;
        client.ended().await;
        assert_eq!(server.metrics.proxy_errors.get(), i as u64 + 1);
    }
}

#[tokio::test]
async fn nobody_else_may_send_a_proxy_header() {
    let nobody = |door: Door| door.with_proxy_protocol(true);
    let server = Server::with(NetLimits::default(), nobody);
    let mut client = Client::connect(server.address).await;
    let head = client.request("PROXY TCP4 192.0.2.9 127.0.0.1 4711 443\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    assert_eq!(who(&mut Client::connect(server.address).await).await, "127.0.0.1");
}

#[tokio::test]
async fn a_unix_socket_serves_too_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wigwag.sock");
    // One that was left behind by a process that is gone.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let server = Server::start();
    let listener = Listener::unix(&path, 0o660).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    assert_eq!(listener.to_string(), format!("unix:{}", path.display()));
    let running = tokio::spawn(listener.run(Arc::clone(&server.door), server.stop.subscribe()));

    let in_use = Listener::unix(&path, 0o660).err().map(|e| e.kind());
    assert_eq!(in_use, Some(std::io::ErrorKind::AddrInUse));
    assert_eq!(who(&mut Client::over(UnixStream::connect(&path).await.unwrap())).await, "unix");
    let mut client = Client::over(UnixStream::connect(&path).await.unwrap());
    client.upgrade().await;
    client.say(&"x".repeat(60_000)).await;
    assert_eq!(client.next().await.payload.len(), 60_000);
    client.say("close 4000").await;
    assert_eq!(client.next().await.opcode, 8);

    server.stop.send(true).unwrap();
    soon("the listener to stop", running).await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("precious");
    fs::write(&path, "data").unwrap();
    assert!(Listener::unix(&path, 0o660).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "data");
}

#[tokio::test]
async fn all_addresses_means_ipv4_as_well() {
    let Ok(listener) = Listener::tcp("[::]:0".parse().unwrap()) else { panic!("no way to listen on all addresses") };
    let port = listener.local_addr().unwrap().port();
    let server = Server::start();
    tokio::spawn(listener.run(Arc::clone(&server.door), server.stop.subscribe()));
    assert_eq!(who(&mut Client::connect(([127, 0, 0, 1], port).into()).await).await, "127.0.0.1");
}

#[tokio::test]
async fn a_stopped_listener_refuses_connections_but_keeps_its_sockets() {
    let server = Server::start();
    let mut client = Client::open(server.address).await;
    let mut idle = Client::connect(server.address).await;
    until("the connection", || server.metrics.connections_accepted.get() == 2).await;
    server.stop.send(true).unwrap();
    idle.ended().await;
    soon("a refusal", async {
        while tokio::net::TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    client.say("still here").await;
    assert_eq!(client.next().await, text("still here"));
}

/// The address that the server believes the client to have.
async fn who(client: &mut Client<impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>) -> String {
    let request = WHO.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let head = client.request(&request).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    client.rest().await
}

fn loopback() -> TrustedProxies {
    TrustedProxies { networks: vec!["127.0.0.0/8".parse().unwrap()], unix: false }
}

fn behind_proxy(door: Door) -> Door {
    door.with_trusted(loopback()).with_proxy_protocol(true)
}

fn quick_door() -> DoorLimits {
    let soon = Duration::from_millis(500);
    DoorLimits { header_timeout: soon, body_timeout: soon, ..DoorLimits::default() }
}

fn impatient() -> Server {
    Server::with_listener(NetLimits::default(), quick_door(), |door| door, |listener| listener)
}
