//! Bounds and deadlines of a socket: whoever breaks one is cut, and nobody else notices.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wigwag_server::net::{Closed, NetLimits};

use crate::client::{Client, Frame, frame, soon, text, until};
use crate::server::{Seen, Server, quick};

#[tokio::test]
async fn a_slow_reader_is_cut_and_others_are_unharmed() {
    let mut server = Server::start();
    let mut slow = Client::open(server.address).await;
    let slow_id = server.opened().await;
    let mut other = Client::open(server.address).await;
    let other_id = server.opened().await;
    let long = Bytes::from(vec![b'x'; 50_000]);
    let mut sent = 0;
    loop {
        let mut batch = server.sockets.batch();
        assert!(batch.send(other_id, &Bytes::from_static(b"tick")));
        if !batch.send(slow_id, &long) {
            break;
        }
        sent += 1;
        drop(batch);
        assert_eq!(other.next().await, text("tick"));
    }
    assert!(sent > 20, "{sent}");
    assert_eq!(server.closed().await, Closed::SlowReader);
    assert_eq!(server.metrics.slow_readers.get(), 1);
    other.say("still here").await;
    assert_eq!(other.next().await, text("tick"));
    assert_eq!(other.next().await, text("still here"));
    // Should it read after all, it gets whole frames and then the reason.
    let mut received = 0;
    let last = loop {
        match slow.next().await {
            Frame { opcode: 1, payload } => assert_eq!(payload.len(), 50_000),
            last => break last,
        }
        received += 1;
    };
    assert!(received < sent);
    assert_eq!(last, Frame { opcode: 8, payload: b"\x0f\xa2slow reader".into() });
}

#[tokio::test]
async fn a_reader_that_never_reads_is_gone_after_the_deadline() {
    let mut server = Server::limited(NetLimits { queue_bytes: 100_000, ..quick() });
    let client = Client::open(server.address).await;
    let id = server.opened().await;
    let long = Bytes::from(vec![b'x'; 50_000]);
    until("the cut", || !server.sockets.batch().send(id, &long)).await;
    assert_eq!(server.closed().await, Closed::SlowReader);
    server.emptied().await;
    assert_eq!(server.metrics.close_timeouts.get(), 1);
    drop(client);
}

#[tokio::test]
async fn a_peer_that_asks_and_never_reads_is_cut_too() {
    let mut server = Server::limited(NetLimits { queue_bytes: 10_000, ..quick() });
    let mut client = Client::open(server.address).await;
    server.opened().await;
    let pings = frame(true, 9, &[b'p'; 125]).repeat(1000);
    let asking = async { while client.stream.write_all(&pings).await.is_ok() {} };
    soon("the end of its patience", asking).await;
    assert_eq!(server.closed().await, Closed::SlowReader);
    server.emptied().await;
}

#[tokio::test]
async fn a_silent_peer_is_pinged_and_then_closed() {
    let mut server = Server::limited(NetLimits { idle_timeout: Duration::from_millis(300), ..quick() });
    let mut client = Client::open(server.address).await;
    server.opened().await;
    assert_eq!(client.next().await, Frame { opcode: 9, payload: vec![] });
    assert_eq!(client.next().await, Frame { opcode: 8, payload: b"\x0f\xa3nothing heard".into() });
    assert_eq!(server.closed().await, Closed::Idle);
    assert_eq!(server.metrics.idle_closed.get(), 1);
    client.ended().await;
    server.emptied().await;
}

#[tokio::test]
async fn a_peer_that_answers_pings_stays() {
    let idle_timeout = Duration::from_secs(1);
    let ping_every = Duration::from_millis(20);
    let mut server = Server::limited(NetLimits { idle_timeout, ping_every, ..quick() });
    let mut client = Client::open(server.address).await;
    server.opened().await;
    // As many pings as take twice the idle time.
    for _ in 0..100 {
        assert_eq!(client.next().await, Frame { opcode: 9, payload: vec![] });
        client.write(&frame(true, 10, b"")).await;
        assert_eq!(server.seen().await, Seen::Pong(vec![]));
    }
}

#[tokio::test]
async fn a_message_that_never_ends_is_closed_though_its_sender_is_busy() {
    let mut server = Server::limited(NetLimits { idle_timeout: Duration::from_millis(300), ..quick() });
    let mut client = Client::open(server.address).await;
    server.opened().await;
    client.write(&frame(false, 1, b"once upon a time")).await;
    while client.next().await.opcode == 9 {
        client.write(&frame(true, 10, b"")).await;
    }
    assert_eq!(server.closed().await, Closed::Stalled);
}

#[tokio::test]
async fn a_close_handshake_without_an_answer_is_cut_at_its_deadline() {
    let mut server = Server::limited(quick());
    let mut client = Client::open(server.address).await;
    server.opened().await;
    client.say("close 4000").await;
    assert_eq!(server.closed().await, Closed::ByUs(4000));
    server.emptied().await;
    assert_eq!(server.metrics.close_timeouts.get(), 1);
    client.ended().await;
}

#[tokio::test]
async fn a_peer_that_floods_while_being_closed_gains_nothing() {
    let mut server = Server::limited(quick());
    let mut client = Client::open(server.address).await;
    let id = server.opened().await;
    assert!(server.sockets.batch().close(id, 4000, ""));
    let (mut read, mut write) = client.stream.split();
    let flood = async {
        let bytes = frame(true, 2, &[0; 60_000]);
        while write.write_all(&bytes).await.is_ok() {}
    };
    let drain = async { while read.read(&mut [0; 1000]).await.is_ok_and(|n| n > 0) {} };
    soon("the flood to end", async { tokio::join!(flood, drain) }).await;
    server.emptied().await;
    assert_eq!(server.rest(), [Seen::Close(Closed::ByUs(4000))]);
}

#[tokio::test]
async fn the_metrics_have_names_of_ours() {
    let server = Server::start();
    Client::open(server.address).await;
    let mut registry = prometheus_client::registry::Registry::default();
    server.metrics.register(&mut registry);
    let mut page = String::new();
    prometheus_client::encoding::text::encode(&mut page, &registry).unwrap();
    let samples: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(samples.contains(&"wigwag_sockets_opened_total 1"), "{page}");
    assert!(samples.iter().all(|line| line.starts_with("wigwag_")), "{page}");
}
