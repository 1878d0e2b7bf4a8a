//! RFC 6455 as a peer meets it. The cases in depth are the decoder's own tests and Autobahn's.

use tokio::io::AsyncWriteExt;
use wigwag_server::net::{Closed, NetLimits, Violation};

use crate::client::{Client, Frame, close, frame, text};
use crate::server::{Seen, Server, count};

#[tokio::test]
async fn messages_come_and_go_whole() {
    let mut server = Server::start();
    let mut client = Client::open(server.address).await;
    server.opened().await;
    for message in ["", "hello", &"x".repeat(60_000)] {
        client.say(message).await;
        assert_eq!(server.seen().await, Seen::Text(message.into()));
        assert_eq!(client.next().await, text(message));
    }
    client.write(&frame(true, 2, &[0, 255, 1])).await;
    assert_eq!(server.seen().await, Seen::Binary(vec![0, 255, 1]));
    assert_eq!(client.next().await, Frame { opcode: 2, payload: vec![0, 255, 1] });
}

#[tokio::test]
async fn a_message_may_arrive_byte_by_byte_and_in_fragments() {
    let mut server = Server::start();
    let mut client = Client::open(server.address).await;
    server.opened().await;
    let bytes =
        [frame(false, 1, b"hel"), frame(true, 9, b"now?"), frame(false, 0, b""), frame(true, 0, b"lo")].concat();
    for byte in bytes {
        client.write(&[byte]).await;
    }
    assert_eq!(client.next().await, Frame { opcode: 10, payload: b"now?".into() });
    assert_eq!(client.next().await, text("hello"));
    assert_eq!(server.seen().await, Seen::Text("hello".into()));
}

#[tokio::test]
async fn what_breaks_the_protocol_is_answered_with_its_code_and_the_end() {
    for (bytes, code, violation) in [
        (vec![0x81, 2, b'h', b'i'], 1002, Violation::Unmasked),
        ([&[0xc1], &frame(true, 1, b"hi")[1..]].concat(), 1002, Violation::ReservedBit),
        (frame(true, 5, b""), 1002, Violation::UnknownOpcode),
        (frame(true, 9, &[0; 126]), 1002, Violation::BadControl),
        (frame(true, 0, b"hi"), 1002, Violation::BadContinuation),
        (frame(true, 8, b"x"), 1002, Violation::BadClose),
        (frame(false, 1, b"\xc3\x28"), 1007, Violation::BadUtf8),
        (frame(true, 2, &[0; 70_000]), 1009, Violation::TooBig),
        (
            frame(false, 2, b"").into_iter().chain(frame(false, 0, b"").repeat(2000)).collect(),
            1009,
            Violation::TooManyFragments,
        ),
    ] {
        let mut server = Server::start();
        let mut client = Client::open(server.address).await;
        server.opened().await;
        // The server may have closed before all of it is written.
        let _ = client.stream.write_all(&bytes).await;
        assert_eq!(client.closed_with().await, code, "{violation}");
        assert_eq!(server.closed().await, Closed::Violation(violation));
        assert_eq!(count(&server.metrics.violations, violation.kind()), 1);
        drop(client);
        server.emptied().await;
        assert_eq!(server.rest(), []);
    }
}

#[tokio::test]
async fn the_size_of_messages_can_be_set() {
    let server = Server::limited(NetLimits { message_bytes: 100, ..NetLimits::default() });
    let mut client = Client::open(server.address).await;
    client.say(&"x".repeat(100)).await;
    assert_eq!(client.next().await.payload.len(), 100);
    client.say(&"x".repeat(101)).await;
    assert_eq!(client.closed_with().await, 1009);
}

#[tokio::test]
async fn a_peer_that_closes_gets_its_code_back_and_then_the_end() {
    let mut server = Server::start();
    for (payload, code) in [(b"\x0f\xa1later".as_slice(), Some(4001)), (b"", None)] {
        let mut client = Client::open(server.address).await;
        server.opened().await;
        client.write(&frame(true, 8, payload)).await;
        let expected = code.map_or(Frame { opcode: 8, payload: vec![] }, close);
        assert_eq!(client.next().await, expected);
        assert_eq!(client.maybe_next().await, None);
        assert_eq!(server.closed().await, Closed::ByPeer(code));
    }
    server.emptied().await;
}

#[tokio::test]
async fn what_follows_a_closing_frame_is_ignored() {
    let mut server = Server::start();
    let mut client = Client::open(server.address).await;
    server.opened().await;
    let bytes = [frame(true, 1, b"first"), frame(true, 8, b""), frame(true, 1, b"too late"), vec![0xff; 40]];
    client.write(&bytes.concat()).await;
    assert_eq!(client.next().await, text("first"));
    assert_eq!(client.next().await.opcode, 8);
    assert_eq!(client.maybe_next().await, None);
    drop(client);
    server.emptied().await;
    assert_eq!(server.rest(), [Seen::Text("first".into()), Seen::Close(Closed::ByPeer(None))]);
}

#[tokio::test]
async fn a_peer_that_vanishes_is_noticed() {
    let mut server = Server::start();
    let client = Client::open(server.address).await;
    server.opened().await;
    drop(client);
    assert_eq!(server.closed().await, Closed::Vanished);
    server.emptied().await;
}

#[tokio::test]
async fn a_peer_that_closes_only_its_half_still_gets_its_answers() {
    let server = Server::start();
    let mut client = Client::open(server.address).await;
    client.say("last words").await;
    client.stream.shutdown().await.unwrap();
    assert_eq!(client.next().await, text("last words"));
    assert_eq!(client.maybe_next().await, None);
}

#[tokio::test]
async fn a_client_of_another_library_gets_along() {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message;
    let server = Server::start();
    let (mut client, _) = tokio_tungstenite::connect_async(format!("ws://{}/ws", server.address)).await.unwrap();
    for message in [Message::text("grüße"), Message::binary(vec![1u8; 50_000]), Message::text("x".repeat(65_536))] {
        client.send(message.clone()).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), message);
    }
    client.send(Message::text("close 4000")).await.unwrap();
    assert!(
        matches!(client.next().await.unwrap().unwrap(), Message::Close(Some(frame)) if u16::from(frame.code) == 4000)
    );
    assert!(client.next().await.is_none());
    drop(client);
    server.emptied().await;
}
