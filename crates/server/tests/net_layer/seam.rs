//! What the layer promises to whoever stands behind a socket.

use std::time::Duration;

use bytes::Bytes;
use wigwag_server::net::{Closed, NetLimits};

use crate::client::{Client, Frame, close, frame, soon, text};
use crate::server::{Mail, Seen, Server, quick};

#[tokio::test]
async fn a_burst_to_one_peer_is_one_write() {
    let server = Server::start();
    let mut client = Client::open(server.address).await;
    client.say("burst 20").await;
    for i in 0..20 {
        assert_eq!(client.next().await, text(&i.to_string()));
    }
    assert_eq!(server.metrics.frames_out.get(), 20);
    assert_eq!(server.metrics.writes.get(), 1);
}

#[tokio::test]
async fn a_burst_from_one_peer_is_one_write_to_each_receiver() {
    let mut server = Server::start();
    let mut sender = Client::open(server.address).await;
    server.opened().await;
    let mut receivers = Vec::new();
    for _ in 0..3 {
        let client = Client::open(server.address).await;
        receivers.push((server.opened().await, client));
    }
    let mut burst = Vec::new();
    for i in 0..10 {
        for (id, _) in &receivers {
            burst.extend(frame(true, 1, format!("to {} {i}", id.0).as_bytes()));
        }
    }
    sender.write(&burst).await;
    for (_, receiver) in &mut receivers {
        for i in 0..10 {
            assert_eq!(receiver.next().await, text(&i.to_string()));
        }
    }
    assert_eq!(server.metrics.frames_out.get(), 30);
    assert_eq!(server.metrics.writes.get(), 3);
}

#[tokio::test]
async fn a_batch_made_anywhere_reaches_many_sockets() {
    let mut server = Server::start();
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(Client::open(server.address).await);
        server.opened().await;
    }
    let news = Bytes::from_static(b"news");
    let mut batch = server.sockets.batch();
    for id in server.sockets.ids() {
        assert!(batch.send(id, &news));
        assert!(batch.send_binary(id, &news));
    }
    drop(batch);
    for client in &mut clients {
        assert_eq!(client.next().await, text("news"));
        assert_eq!(client.next().await, Frame { opcode: 2, payload: b"news".into() });
    }
    assert_eq!(server.metrics.writes.get(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_several_threads_keep_the_order_of_each() {
    const EACH: u32 = 3000;
    let mut server = Server::limited(NetLimits { queue_bytes: 1 << 24, ..NetLimits::default() });
    let mut client = Client::open(server.address).await;
    let id = server.opened().await;
    let threads: Vec<_> = (0..2u32)
        .map(|thread| {
            let sockets = server.sockets.clone();
            std::thread::spawn(move || {
                let mut next = 0;
                while next < EACH {
                    let mut batch = sockets.batch();
                    let end = (next + 1 + next % 7).min(EACH);
                    for i in next..end {
                        assert!(batch.send(id, &Bytes::from(format!("{thread} {i}"))));
                    }
                    next = end;
                }
            })
        })
        .collect();
    let mut expected = [0; 2];
    for _ in 0..2 * EACH {
        let payload = String::from_utf8(client.next().await.payload).unwrap();
        let (thread, i) = payload.split_once(' ').unwrap();
        let expected = &mut expected[thread.parse::<usize>().unwrap()];
        assert_eq!(i.parse::<u32>().unwrap(), *expected);
        *expected += 1;
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[tokio::test]
async fn a_paused_socket_reads_nothing_until_mail_says_so() {
    let mut server = Server::start();
    let mut client = Client::open(server.address).await;
    let id = server.opened().await;
    let bytes = ["before", "pause", "after"].map(|text| frame(true, 1, text.as_bytes())).concat();
    client.write(&[bytes.as_slice(), &frame(true, 1, b"cut")[..5]].concat()).await;
    assert_eq!(server.seen().await, Seen::Text("before".into()));
    assert_eq!(server.seen().await, Seen::Text("pause".into()));
    client.write(&frame(true, 1, b"cut")[5..]).await;
    for _ in 0..3 {
        server.sockets.post(id, Mail::Stay).unwrap();
        assert_eq!(server.seen().await, Seen::Mail(Mail::Stay));
    }
    server.sockets.post(id, Mail::Resume).unwrap();
    assert_eq!(server.seen().await, Seen::Mail(Mail::Resume));
    assert_eq!(server.seen().await, Seen::Text("after".into()));
    assert_eq!(server.seen().await, Seen::Text("cut".into()));
}

#[tokio::test]
async fn a_paused_socket_is_not_idle_and_can_still_be_closed() {
    let mut server = Server::limited(NetLimits { idle_timeout: Duration::from_secs(1), ..quick() });
    let mut client = Client::open(server.address).await;
    let id = server.opened().await;
    client.say("pause").await;
    let mut awake = Client::open(server.address).await;
    // Whoever is not paused is closed, so the sweeper has passed by.
    while awake.next().await.opcode != 8 {}
    assert!(server.sockets.ids().contains(&id));
    client.write(&[frame(true, 1, b"unread"), frame(true, 8, b"")].concat()).await;
    assert!(server.sockets.batch().close(id, 4000, "enough"));
    while client.next().await != (Frame { opcode: 8, payload: b"\x0f\xa0enough".into() }) {}
    assert_eq!(client.maybe_next().await, None);
}

#[tokio::test]
async fn mail_wakes_a_socket_and_comes_in_order() {
    let mut server = Server::start();
    let mut client = Client::open(server.address).await;
    let id = server.opened().await;
    for i in 0..100 {
        server.sockets.post(id, Mail::Say(i.to_string())).unwrap();
    }
    for i in 0..100 {
        assert_eq!(client.next().await, text(&i.to_string()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_mail_is_lost_between_threads_and_ticks() {
    const EACH: u32 = 5000;
    let mut server = Server::limited(NetLimits { tick: Duration::from_millis(1), ..NetLimits::default() });
    let mut client = Client::open(server.address).await;
    let id = server.opened().await;
    client.say("ticks on").await;
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let sockets = server.sockets.clone();
            std::thread::spawn(move || {
                for i in 0..EACH {
                    sockets.post(id, Mail::Resume).unwrap();
                    if i % 50 == 0 {
                        std::thread::yield_now();
                    }
                }
            })
        })
        .collect();
    let mut mails = 0;
    while mails < 2 * EACH {
        mails += u32::from(server.seen().await == Seen::Mail(Mail::Resume));
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[tokio::test]
async fn mail_for_a_socket_that_is_gone_comes_back() {
    let mut server = Server::start();
    let client = Client::open(server.address).await;
    let id = server.opened().await;
    drop(client);
    assert_eq!(server.closed().await, Closed::Vanished);
    assert_eq!(server.sockets.post(id, Mail::Resume), Err(Mail::Resume));
    server.emptied().await;
    assert_eq!(server.sockets.post(id, Mail::Resume), Err(Mail::Resume));
    assert!(!server.sockets.batch().send(id, &Bytes::from_static(b"hello?")));
    assert!(!server.sockets.batch().close(id, 4000, ""));
}

#[tokio::test]
async fn ids_are_never_used_again() {
    let mut server = Server::start();
    let mut ids = std::collections::HashSet::new();
    for _ in 0..200 {
        let client = Client::open(server.address).await;
        assert!(ids.insert(server.opened().await));
        drop(client);
        server.closed().await;
        server.emptied().await;
    }
}

#[tokio::test]
async fn ticks_come_while_they_are_wanted() {
    let mut server = Server::limited(quick());
    let mut client = Client::open(server.address).await;
    server.opened().await;
    client.say("ticks on").await;
    assert_eq!(server.seen().await, Seen::Text("ticks on".into()));
    for _ in 0..3 {
        assert_eq!(server.seen().await, Seen::Tick);
    }
    client.say("ticks off").await;
    while server.seen().await == Seen::Tick {}
    // By the time that a silent socket is pinged the sweeper has passed several times.
    while client.next().await.opcode != 9 {}
    assert!(!server.rest().contains(&Seen::Tick));
}

#[tokio::test]
async fn a_pong_brings_its_payload_back() {
    let mut server = Server::start();
    let mut client = Client::open(server.address).await;
    server.opened().await;
    client.say("ping there?").await;
    assert_eq!(client.next().await, Frame { opcode: 9, payload: b"there?".into() });
    client.write(&frame(true, 10, b"there?")).await;
    server.seen().await;
    assert_eq!(server.seen().await, Seen::Pong(b"there?".into()));
}

#[tokio::test]
async fn a_socket_that_we_close_hears_nothing_more_and_ends_once() {
    let mut server = Server::start();
    let mut client = Client::open(server.address).await;
    let id = server.opened().await;
    let bytes = ["one", "close 4000", "two"].map(|text| frame(true, 1, text.as_bytes())).concat();
    client.write(&bytes).await;
    assert_eq!(client.next().await, text("one"));
    assert_eq!(client.next().await, Frame { opcode: 8, payload: b"\x0f\xa0as you wish".into() });
    assert!(!server.sockets.batch().close(id, 4001, "again"));
    client.say("three").await;
    client.write(&frame(true, 8, b"\x0f\xa0")).await;
    assert_eq!(client.maybe_next().await, None);
    drop(client);
    server.emptied().await;
    let (one, asked) = (Seen::Text("one".into()), Seen::Text("close 4000".into()));
    assert_eq!(server.rest(), [one, asked, Seen::Close(Closed::ByUs(4000))]);
}

#[tokio::test]
async fn what_was_queued_before_a_close_still_arrives() {
    let mut server = Server::start();
    let mut client = Client::open(server.address).await;
    let id = server.opened().await;
    let long = Bytes::from(vec![b'x'; 400_000]);
    let mut batch = server.sockets.batch();
    assert!(batch.send(id, &long));
    assert!(batch.send(id, &long));
    assert!(batch.close(id, 4000, ""));
    assert!(!batch.send(id, &long));
    drop(batch);
    assert_eq!(client.next().await.payload.len(), 400_000);
    assert_eq!(client.next().await.payload.len(), 400_000);
    assert_eq!(client.next().await, close(4000));
}

#[tokio::test]
async fn all_sockets_can_be_closed_over_a_time() {
    let mut server = Server::start();
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(Client::open(server.address).await);
        server.opened().await;
    }
    let closing = server.sockets.close_all(4000, "restarting", Duration::from_millis(100));
    soon("closing", closing).await;
    for client in &mut clients {
        assert_eq!(client.next().await.opcode, 8);
    }
    drop(clients);
    server.emptied().await;
    assert_eq!(server.metrics.sockets.get(), 0);
    assert_eq!(server.metrics.sockets_opened.get(), 20);
}

#[tokio::test]
async fn more_than_may_wait_can_be_sent_at_once_if_the_network_takes_it() {
    let mut server = Server::limited(NetLimits { queue_bytes: 60_000, ..NetLimits::default() });
    let mut client = Client::open(server.address).await;
    let id = server.opened().await;
    let long = Bytes::from(vec![b'x'; 20_000]);
    let mut batch = server.sockets.batch();
    for _ in 0..10 {
        assert!(batch.send(id, &long));
    }
    drop(batch);
    for _ in 0..10 {
        assert_eq!(client.next().await.payload.len(), 20_000);
    }
}
