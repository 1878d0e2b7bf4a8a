//! What is said to many does not hold up what is said to one, and is otherwise like it.

use bytes::Bytes;
use wigwag_hub::SocketId;
use wigwag_server::net::{Closed, NetLimits};

use crate::client::{Client, Frame, text};
use crate::server::Server;

const MANY: usize = 60;

#[tokio::test]
async fn a_message_to_one_overtakes_the_writing_to_many_and_not_their_messages() {
    let mut server = Server::start();
    let (mut clients, ids) = crowd(&mut server).await;
    say_to_all(&server, &ids, "news");
    let written = server.metrics.writes.get();
    assert!(written < MANY as u64 / 2, "{written}");
    // The last is not written yet. What comes for it alone leaves at once, behind what waits.
    server.sockets.batch().send(ids[MANY - 1], &Bytes::from_static(b"for you"));
    assert_eq!(server.metrics.writes.get(), written + 1);
    for client in &mut clients {
        assert_eq!(client.next().await, text("news"));
    }
    assert_eq!(clients[MANY - 1].next().await, text("for you"));
    assert_eq!(server.metrics.writes.get(), MANY as u64);
}

#[tokio::test]
async fn what_comes_for_many_meanwhile_leaves_in_one_write_and_in_order() {
    let mut server = Server::start();
    let (mut clients, ids) = crowd(&mut server).await;
    for turn in 0..100 {
        say_to_all(&server, &ids, &turn.to_string());
    }
    for client in &mut clients {
        for turn in 0..100 {
            assert_eq!(client.next().await, text(&turn.to_string()));
        }
    }
    assert_eq!(server.metrics.frames_out.get(), 100 * MANY as u64);
    // Those whom each batch writes itself got each message by itself.
    let writes = server.metrics.writes.get();
    assert!(writes <= 100 * 4 + MANY as u64, "{writes}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_several_threads_say_to_many_keeps_the_order_of_each() {
    const EACH: usize = 300;
    let mut server = Server::limited(NetLimits { queue_bytes: 1 << 24, ..NetLimits::default() });
    let (mut clients, ids) = crowd(&mut server).await;
    let speakers: Vec<_> = (0..2)
        .map(|speaker| {
            let (sockets, ids) = (server.sockets.clone(), ids.clone());
            std::thread::spawn(move || {
                for turn in 0..EACH {
                    let mut batch = sockets.batch();
                    // Now and then to one alone.
                    let to = if turn % 3 == 0 { &ids[MANY - 1..] } else { &ids };
                    for id in to {
                        assert!(batch.send(*id, &Bytes::from(format!("{speaker} {turn}"))));
                    }
                }
            })
        })
        .collect();
    let all = clients.len();
    for (number, client) in clients.iter_mut().enumerate() {
        let is_last = number == all - 1;
        let mut expected: Vec<_> = (0..2)
            .map(|_| (0..EACH).filter(|turn| is_last || turn % 3 != 0).collect::<std::collections::VecDeque<_>>())
            .collect();
        while expected.iter().any(|turns| !turns.is_empty()) {
            let payload = String::from_utf8(client.next().await.payload).unwrap();
            let (speaker, turn) = payload.split_once(' ').unwrap();
            assert_eq!(expected[speaker.parse::<usize>().unwrap()].pop_front(), turn.parse().ok());
        }
    }
    speakers.into_iter().for_each(|speaker| speaker.join().unwrap());
}

#[tokio::test]
async fn a_slow_reader_among_many_is_cut_and_the_others_are_unharmed() {
    let mut server = Server::start();
    let (mut clients, ids) = crowd(&mut server).await;
    let mut slow = clients.pop().unwrap();
    let long = Bytes::from(vec![b'x'; 50_000]);
    let mut said = 0;
    loop {
        let mut batch = server.sockets.batch();
        let taken = ids.iter().filter(|id| batch.send(**id, &long)).count();
        drop(batch);
        said += 1;
        for client in &mut clients {
            assert_eq!(client.next().await.payload.len(), long.len());
        }
        if taken < MANY {
            assert_eq!(taken, MANY - 1);
            break;
        }
    }
    assert_eq!(server.closed().await, Closed::SlowReader);
    assert_eq!(server.metrics.slow_readers.get(), 1);
    let mut received = 0;
    while let Frame { opcode: 1, .. } = slow.next().await {
        received += 1;
    }
    assert!(received < said);
}

#[tokio::test]
async fn whoever_goes_while_many_are_written_is_forgotten() {
    let mut server = Server::start();
    let (clients, ids) = crowd(&mut server).await;
    say_to_all(&server, &ids, "too late");
    drop(clients);
    for _ in 0..MANY {
        server.closed().await;
    }
    server.emptied().await;
}

/// Clients and their sockets, in the order in which a batch meets them.
async fn crowd(server: &mut Server) -> (Vec<Client>, Vec<SocketId>) {
    let (mut clients, mut ids) = (Vec::new(), Vec::new());
    for _ in 0..MANY {
        clients.push(Client::open(server.address).await);
        ids.push(server.opened().await);
    }
    (clients, ids)
}

fn say_to_all(server: &Server, ids: &[SocketId], what: &str) {
    let (mut batch, what) = (server.sockets.batch(), Bytes::copy_from_slice(what.as_bytes()));
    for id in ids {
        assert!(batch.send(*id, &what));
    }
}
