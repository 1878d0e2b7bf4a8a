//! Clients that break rules: each gets its code, and only its own socket pays for it.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use crate::support::raw::frame;
use crate::support::{Peer, Raw, Server, Wigwag, soon};

#[tokio::test]
async fn who_breaks_the_framing_is_closed_with_its_code_and_others_are_undisturbed() {
    let server = server().await;
    let mut flood = frame(false, 1, b"{");
    for _ in 0..5000 {
        flood.extend(frame(false, 0, b""));
    }
    let breaches: [(&str, u16, Vec<u8>); 12] = [
        ("an unmasked frame", 1002, b"\x81\x02{}".to_vec()),
        ("a reserved bit", 1002, with_first(0xc1)),
        ("a reserved opcode", 1002, with_first(0x83)),
        ("a reserved control opcode", 1002, with_first(0x8b)),
        ("a ping in pieces", 1002, frame(false, 9, b"x")),
        ("a ping too long", 1002, frame(true, 9, &[b'x'; 126])),
        ("a piece of nothing", 1002, frame(true, 0, b"x")),
        ("a message within a message", 1002, [frame(false, 1, b"{"), frame(true, 1, b"{}")].concat()),
        ("a flood of pieces", 1009, flood),
        ("no UTF-8", 1007, frame(true, 1, b"{\"type\":\"\xff\xfe\"}")),
        ("half a character", 1007, frame(true, 1, b"\xe2\x82")),
        ("a binary message", 1003, frame(true, 2, b"{}")),
    ];
    Box::pin(undisturbed(&server, async {
        for (what, code, bytes) in breaches {
            // Before and after the hello alike.
            for mut raw in [Raw::open(server.address).await, Raw::guest(server.address).await.0] {
                raw.write(&bytes).await;
                assert_eq!(raw.close_code().await, code, "{what}");
            }
        }
    }))
    .await;
}

#[tokio::test]
async fn a_message_that_makes_no_sense_is_refused_with_its_code_and_the_socket_goes_on() {
    let server = server().await;
    let deep =
        |levels| format!(r#"{{"type":"publish","topic":"t","data":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    let many: String = (0..40).map(|n| format!(r#","field{n}":0"#)).collect();
    let long = "9".repeat(10_000);
    let messages: Vec<(u64, String)> = vec![
        (4400, String::new()),
        (4400, "hello".into()),
        (4400, "[]".into()),
        (4400, "1e999".into()),
        (4400, r#"{"type":"find""#.into()),
        (4400, r#"{"type":"find"} {}"#.into()),
        (4400, r#"{"type":"find","id":"\ud800"#.into()),
        (4412, deep(40)),
        (4412, deep(30_000)),
        (4402, "{}".into()),
        (4402, r#"{"type":7}"#.into()),
        (4402, r#"{"type":"find","type":"find","id":"a@b.example"}"#.into()),
        (4402, r#"{"type":"find","id":"a@b.example","\u0069d":"c@d.example"}"#.into()),
        (4402, format!(r#"{{"type":"find","id":"a@b.example"{many}}}"#)),
        (4402, format!(r#"{{"type":"find","id":"a@b.example","n":{long}}}"#)),
        (4402, r#"{"type":"find","id":"a@b.example","n":9007199254740992}"#.into()),
        (4402, r#"{"type":"find","id":"a@b.example","n":-1}"#.into()),
        (4402, r#"{"type":"find","id":"a@b.example","n":1e3000}"#.into()),
        (4402, format!(r#"{{"type":"find","id":"{long}@b.example"}}"#)),
        (4402, r#"{"type":"signal","to":"a@b.example","kind":"k","data":1,"store":1e308}"#.into()),
        (4401, r#"{"type":"fnid","id":"a@b.example"}"#.into()),
        (4401, format!(r#"{{"type":"{long}"}}"#)),
    ];
    Box::pin(undisturbed(&server, async {
        let mut peer = Peer::guest(server.address).await;
        let id = peer.id().to_owned();
        for (code, message) in messages {
            let start: String = message.chars().take(80).collect();
            peer.say(message).await;
            let error = peer.next("error").await;
            assert_eq!(error["code"], code, "{start}: {error}");
            assert_eq!(peer.done(json!({"type": "find", "id": id})).await["state"], "here", "{start}");
        }
        // Content is no field: a number that fits no machine is no fault in it.
        let odd = format!(r#"{{"type":"publish","topic":"t","data":{{"{long}":{long}.5e-999}}}}"#);
        peer.say(odd).await;
        peer.done(json!({"type": "find", "id": id})).await;
        // Nonsense before the hello is told as well; and a request there has its own code.
        for (code, message) in [(4400, "{"), (4205, r#"{"type":"find","id":"a@b.example"}"#)] {
            let mut raw = Raw::open(server.address).await;
            raw.say(message).await;
            assert_eq!(raw.event().await["code"], code);
            raw.say(r#"{"type":"hello"}"#).await;
            assert_eq!(raw.event().await["type"], "welcome");
        }
    }))
    .await;
}

#[tokio::test]
async fn an_offer_of_compression_is_declined_and_compressed_frames_are_not_taken() {
    let server = server().await;
    Box::pin(undisturbed(&server, async {
        let mut raw = Raw::connect(server.address).await;
        let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
        let head = raw.upgrade(offer).await.to_lowercase();
        assert!(head.starts_with("http/1.1 101 ") && !head.contains("sec-websocket-extensions"), "{head}");
        assert_eq!(raw.event().await["type"], "challenge");
        raw.write(&with_first(0xc1)).await;
        assert_eq!(raw.close_code().await, 1002);
    }))
    .await;
}

#[tokio::test]
async fn heads_that_never_end_are_cut_and_meanwhile_peers_come_and_talk() {
    let server = server().await;
    Box::pin(undisturbed(&server, async {
        join_all((0..40).map(|_| dribble(&server))).await;
        Peer::guest(server.address).await;
    }))
    .await;
    server.counts("wigwag_sessions", 3.0).await;
}

#[tokio::test]
async fn a_connection_whose_other_half_is_gone_is_let_go() {
    let server = Wigwag::new().limit("handshake_ms", 300).limit("frames_per_second", 0).start().await;
    Box::pin(undisturbed(&server, async {
        let (mut proved, _) = Raw::guest(server.address).await;
        proved.stream.shutdown().await.unwrap();
        proved.ended().await;
        // In the middle of a message, too.
        let (mut torn, _) = Raw::guest(server.address).await;
        torn.write(&frame(true, 1, b"{}")[..4]).await;
        torn.stream.shutdown().await.unwrap();
        torn.ended().await;
        let mut silent = Raw::open(server.address).await;
        assert_eq!(silent.close_code().await, 4004);
    }))
    .await;
}

/// Runs something bad beside two peers that talk to each other all the while, and once more after it.
async fn undisturbed(server: &Server, bad: impl Future<Output = ()>) {
    let mut alice = Peer::guest(server.address).await;
    let mut bob = Peer::guest(server.address).await;
    let (over, mut is_over) = tokio::sync::watch::channel(false);
    let talk = async {
        let mut n = 0;
        loop {
            let last = *is_over.borrow_and_update();
            exchange(&mut alice, &mut bob, n).await;
            exchange(&mut bob, &mut alice, n).await;
            if last {
                return;
            }
            n += 1;
            tokio::task::yield_now().await;
        }
    };
    let bad = Box::pin(bad);
    tokio::join!(talk, async {
        bad.await;
        over.send_replace(true);
    });
    assert_eq!((alice.closed(), bob.closed()), (None, None));
}

async fn exchange(from: &mut Peer, to: &mut Peer, n: u64) {
    assert_eq!(from.signal(to.id(), n).await, "delivered");
    assert_eq!(to.next("signal").await["data"], Value::from(n));
}

/// Sends a head a byte at a time, until the server has had enough.
async fn dribble(server: &Server) {
    let mut raw = Raw::connect(server.address).await;
    raw.write(b"GET /v1 HTTP/1.1\r\nHost: test\r\nX-Slow: ").await;
    let mut sink = [0; 1024];
    soon("the end of a dribbled request", async {
        loop {
            tokio::select! {
                read = raw.stream.read(&mut sink) => if read.unwrap_or(0) == 0 { return },
                // The pace of the attack.
                () = sleep(Duration::from_millis(250)) => { let _ = raw.stream.write_all(b"a").await; }
            }
        }
    })
    .await;
}

/// A frame with another first byte.
fn with_first(byte: u8) -> Vec<u8> {
    let mut bytes = frame(true, 1, b"{}");
    bytes[0] = byte;
    bytes
}

async fn server() -> Server {
    Wigwag::new().limit("frames_per_second", 0).start().await
}
