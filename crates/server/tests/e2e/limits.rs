//! Limits, met through real sockets: each refuses with its code, charges the one who caused it, and lets go.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::peer::{Key, Refused};
use crate::support::raw::frame;
use crate::support::{Identity, Peer, Raw, Server, Wigwag, connect_from, http, soon};

#[tokio::test]
async fn a_message_over_frame_bytes_is_closed_with_1009_before_it_is_read() {
    let server = Wigwag::new().limit("frame_bytes", 2048).start().await;
    let fits = padded(2048);
    let (mut raw, _) = Raw::guest(server.address).await;
    raw.say(&fits).await;
    assert_eq!(raw.event().await["type"], "done");
    // In pieces it may be as long, and no longer.
    raw.write(&frame(false, 1, &fits.as_bytes()[..1000])).await;
    raw.write(&frame(true, 0, &fits.as_bytes()[1000..])).await;
    assert_eq!(raw.event().await["code"], 4413, "the same `n` twice");
    raw.write(&frame(false, 1, &fits.as_bytes()[..1000])).await;
    raw.write(&frame(true, 0, &fits.as_bytes()[999..])).await;
    assert_eq!(raw.close_code().await, 1009);

    // The head of a frame is enough to know.
    let (mut raw, _) = Raw::guest(server.address).await;
    raw.write(&frame(true, 1, padded(2049).as_bytes())[..8]).await;
    assert_eq!(raw.close_code().await, 1009);
    let (mut raw, _) = Raw::guest(server.address).await;
    raw.write(&[0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]).await;
    assert_eq!(raw.close_code().await, 1009);
}

#[tokio::test]
async fn who_sends_too_many_frames_is_told_how_long_to_wait_and_that_is_enough() {
    let server = Wigwag::new().limit("frames_per_second", 4).limit("frames_burst", 6).start().await;
    let mut other = Peer::guest(server.address).await;
    let mut peer = Peer::guest(server.address).await;
    let find = json!({"type": "find", "id": peer.id()});
    for _ in 0..2 {
        let refused = until_refused(&mut peer, &find).await;
        assert_eq!(refused["code"], 4100);
        other.done(json!({"type": "find", "id": other.id()})).await;
        wait_as_told(&refused).await;
        peer.done(find.clone()).await;
    }
}

#[tokio::test]
async fn broadcasts_per_minute_are_counted_apart_from_frames() {
    let server = Wigwag::new().limit("broadcasts_per_minute", 1).start().await;
    let mut peer = Peer::guest(server.address).await;
    peer.done(json!({"type": "broadcast", "data": 1})).await;
    let refused = until_refused(&mut peer, &json!({"type": "broadcast", "data": 2})).await;
    assert_eq!(refused["code"], 4100);
    assert!(refused["retry_after"].as_u64().unwrap() > 1000, "{refused}");
    peer.done(json!({"type": "find", "id": peer.id()})).await;
}

#[tokio::test]
async fn who_does_not_say_hello_within_handshake_ms_is_closed_with_4004() {
    let server = Wigwag::new().limit("handshake_ms", 200).start().await;
    let mut raw = Raw::open(server.address).await;
    // A request is no hello, and signs of life do not help.
    raw.write(&frame(true, 9, b"alive")).await;
    assert_eq!(raw.close_code().await, 4004);
}

#[tokio::test]
async fn sockets_that_prove_themselves_make_room_for_other_handshakes() {
    let server = Wigwag::new().limit("handshakes", 2).start().await;
    let mut first = Raw::open(server.address).await;
    let second = Raw::open(server.address).await;
    refused(&server, 503, 4113).await;
    first.say(r#"{"type":"hello"}"#).await;
    assert_eq!(first.event().await["type"], "welcome");
    let mut third = Raw::open(server.address).await;
    refused(&server, 503, 4113).await;
    drop(second);
    // The server sees the end of a connection when it does.
    soon("room for another", async { while enter(&server).await.is_err() {} }).await;
    third.say(r#"{"type":"hello"}"#).await;
    assert_eq!(third.event().await["type"], "welcome");
}

#[tokio::test]
async fn a_full_server_refuses_sockets_until_one_leaves() {
    let server = Wigwag::new().limit("sockets", 2).start().await;
    let mut first = Peer::guest(server.address).await;
    let mut second = Peer::guest(server.address).await;
    refused(&server, 503, 4001).await;
    assert_eq!(first.signal(second.id(), 1).await, "delivered");
    second.send(&json!({"type": "bye"})).await;
    assert_eq!(second.close_code().await, 1000);
    soon("room for another", async { while enter(&server).await.is_err() {} }).await;
}

#[tokio::test]
async fn an_address_and_a_network_hold_so_many_sockets_and_others_are_not_charged() {
    let wigwag = Wigwag::new().limit("sockets_per_address", 2).limit("sockets_per_network", 3);
    let server = wigwag.set("server.limit_loopback", true).start().await;
    let mut held = Vec::new();
    for from in [[127, 0, 9, 1], [127, 0, 9, 1], [127, 0, 9, 2], [127, 0, 8, 1]] {
        held.push(Peer::over(connect_from(from, server.address).await, Identity::guest(), None).await.unwrap());
    }
    for from in [[127, 0, 9, 1], [127, 0, 9, 3]] {
        let answer = http::refused_upgrade(connect_from(from, server.address).await, "").await;
        assert_eq!((answer.status, answer.code()), (429, 4101), "from {from:?}");
    }
    let (last, first) = held.split_last_mut().unwrap();
    assert_eq!(last.signal(first[0].id(), 1).await, "delivered");
}

#[tokio::test]
async fn this_machine_has_no_limit_per_address_unless_the_operator_says_so() {
    let wigwag = Wigwag::new().limit("sockets_per_address", 1).limit("sockets_per_network", 1);
    let server = wigwag.limit("guesses_per_minute", 1).limit("guesses_burst", 1).start().await;
    let _first = Peer::guest(server.address).await;
    let mut second = Peer::guest(server.address).await;
    for _ in 0..5 {
        let found = second.done(json!({"type": "find", "id": "nobody@example.org"})).await;
        assert_eq!(found["state"], "gone");
    }
}

#[tokio::test]
async fn who_answers_no_ping_is_closed_with_4003_and_who_does_is_not() {
    let server = Wigwag::new().limit("ping_ms", 200).limit("idle_ms", 2500).start().await;
    let mut alive = Peer::guest(server.address).await;
    let (mut silent, _) = Raw::guest(server.address).await;
    assert_eq!(silent.next().await.unwrap().opcode, 9, "a ping comes first");
    tokio::select! {
        code = silent.close_code() => assert_eq!(code, 4003),
        message = alive.receive() => panic!("{message:?}"),
    }
    alive.done(json!({"type": "find", "id": alive.id()})).await;
}

#[tokio::test]
async fn a_slow_reader_is_cut_with_4002_and_others_are_unharmed() {
    let wigwag = Wigwag::new().limit("queue_bytes", 200_000).limit("frames_per_second", 0);
    let server = wigwag.start().await;
    let mut fast = Peer::guest(server.address).await;
    let mut sender = Peer::guest(server.address).await;
    let (mut slow, welcome) = slow_guest(&server).await;
    let slow_id = welcome["id"].as_str().unwrap();
    let data = "x".repeat(40_000);
    soon("the slow reader to be cut", async {
        while sender.signal(slow_id, data.as_str()).await == "delivered" {
            assert_eq!(sender.signal(fast.id(), "beside it").await, "delivered");
            assert_eq!(fast.next("signal").await["data"], "beside it");
        }
    })
    .await;
    assert_eq!(slow.close_code().await, 4002);
    assert_eq!(sender.signal(fast.id(), "after it").await, "delivered");
}

#[tokio::test]
async fn an_id_has_so_many_sessions_and_a_session_that_ends_makes_room() {
    let server = Wigwag::new().limit("sessions_per_id", 1).start().await;
    let key = Key::new(1);
    let mut phone = Peer::enter(server.address, Identity::keyed(&key).device("phone")).await;
    let laptop = Identity::keyed(&key).device("laptop");
    assert_eq!(Peer::try_enter(server.address, laptop).await.unwrap_err(), Refused(4102));
    // Somebody else is not charged.
    Peer::enter(server.address, Identity::keyed(&Key::new(2))).await;
    phone.send(&json!({"type": "bye"})).await;
    assert_eq!(phone.close_code().await, 1000);
    Peer::enter(server.address, laptop).await;
}

#[tokio::test]
async fn a_session_watches_joins_and_subscribes_to_so_many_and_the_next_session_to_as_many() {
    let mut wigwag = Wigwag::new();
    for key in ["watches", "rooms_per_session", "topics_per_session", "networks_per_session", "swarms_per_session"] {
        wigwag = wigwag.limit(key, 2);
    }
    let server = wigwag.start().await;
    for who in ["a", "b"] {
        let mut peer = Peer::guest(server.address).await;
        for (code, make) in [
            (4103, (|x| json!({"type": "watch", "ids": [format!("{x}@example.org")]})) as fn(&str) -> Value),
            (4104, |x| json!({"type": "room.create", "room": x})),
            (4106, |x| json!({"type": "subscribe", "topics": [x]})),
            (4111, |x| json!({"type": "network.join", "network": x})),
            (4110, |x| json!({"type": "swarm.announce", "swarm": x, "complete": true})),
        ] {
            for number in 0..2 {
                peer.done(make(&format!("{who}{number}"))).await;
            }
            assert_eq!(peer.refused(make(&format!("{who}2"))).await, code);
        }
    }
}

#[tokio::test]
async fn guessing_ids_rooms_and_codes_is_charged_to_the_address() {
    let wigwag = Wigwag::new().limit("guesses_per_minute", 1).limit("guesses_burst", 3);
    let server = wigwag.set("server.limit_loopback", true).start().await;
    let from =
        async |from| Peer::over(connect_from(from, server.address).await, Identity::guest(), None).await.unwrap();
    let guesses: [fn(u64) -> Value; 3] = [
        |n| json!({"type": "find", "id": format!("nobody{n}@example.org")}),
        |n| json!({"type": "room.join", "room": format!("nothing {n}")}),
        |_| json!({"type": "room.join", "code": "2222-2222"}),
    ];
    for (net, guess) in guesses.into_iter().enumerate() {
        let address = [127, 0, 20 + net as u8, 1];
        let mut peer = from(address).await;
        for n in 0..3 {
            let answer = peer.ask(guess(n)).await;
            assert!(answer["type"] == "found" || answer["code"] == 4404, "{answer}");
        }
        // Spent for every kind of guess, for every socket of the address, and for nobody else.
        let mut again = from(address).await;
        let mut other = from([127, 0, 30 + net as u8, 1]).await;
        for guess in guesses {
            assert_eq!(peer.refused(guess(9)).await, 4109);
            let refused = again.ask(guess(9)).await;
            assert_eq!(refused["code"], 4109);
            assert!(refused["retry_after"].as_u64().unwrap() > 1000, "{refused}");
            assert_ne!(other.ask(guess(9)).await["code"], 4109);
        }
        // Nor is it told what is there, or guessing on would still find something.
        assert_eq!(peer.refused(json!({"type": "find", "id": other.id()})).await, 4109);
    }
}

#[tokio::test]
async fn who_guessed_too_much_may_guess_again_after_the_time_that_was_told() {
    let wigwag = Wigwag::new().limit("guesses_per_minute", 120).limit("guesses_burst", 2);
    let server = wigwag.set("server.limit_loopback", true).start().await;
    let mut peer = Peer::guest(server.address).await;
    let guess = json!({"type": "find", "id": "nobody@example.org"});
    let refused = until_refused(&mut peer, &guess).await;
    assert_eq!(refused["code"], 4109);
    wait_as_told(&refused).await;
    assert_eq!(peer.done(guess).await["state"], "gone");
}

/// A request that is carried out, so many bytes long.
fn padded(bytes: usize) -> String {
    let text = r#"{"type":"unsubscribe","n":1,"topics":["t"],"pad":""}"#;
    text.replace(r#""pad":"""#, &format!(r#""pad":"{}""#, "x".repeat(bytes - text.len())))
}

/// Asks until that is refused; the refusal.
async fn until_refused(peer: &mut Peer, request: &Value) -> Value {
    soon("a refusal", async {
        loop {
            let answer = peer.ask(request.clone()).await;
            if answer["type"] == "error" {
                return answer;
            }
        }
    })
    .await
}

/// Waits as long as the server says is enough, and no longer.
async fn wait_as_told(refused: &Value) {
    tokio::time::sleep(Duration::from_millis(refused["retry_after"].as_u64().unwrap())).await;
}

async fn enter(server: &Server) -> Result<Peer, Refused> {
    Peer::try_enter(server.address, Identity::guest()).await
}

/// Another socket is refused before the upgrade.
async fn refused(server: &Server, status: u16, code: u64) {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let answer = http::refused_upgrade(stream, "").await;
    assert_eq!((answer.status, answer.code()), (status, code));
}

/// A guest into whose system little fits.
async fn slow_guest(server: &Server) -> (Raw, Value) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut raw = Raw::over(soon("a connection", socket.connect(server.address)).await.unwrap());
    raw.upgrade("").await;
    assert_eq!(raw.event().await["type"], "challenge");
    raw.say(r#"{"type":"hello"}"#).await;
    let welcome = raw.event().await;
    (raw, welcome)
}
