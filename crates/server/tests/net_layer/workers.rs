//! What is promised where connections have threads of their own.

use std::num::NonZeroUsize;

use tokio::net::TcpStream;
use wigwag_server::net::{NetLimits, Workers};

use crate::client::{Client, Frame, text};
use crate::server::Server;

#[tokio::test]
async fn connections_go_to_the_threads_in_turn_and_stay_there() {
    let (workers, mut server) = with_workers(2);
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(Client::open(server.address).await);
        server.opened().await;
    }
    for round in 0..3 {
        for (number, client) in clients.iter_mut().enumerate() {
            client.say("where").await;
            assert_eq!(client.next().await, text(&format!("sockets-{}", number % 2)), "round {round}");
        }
    }
    drop(workers);
}

#[tokio::test]
async fn what_crosses_from_thread_to_thread_keeps_its_order() {
    let (_workers, mut server) = with_workers(2);
    let (mut sender, mut receiver, to) = on_two_threads(&mut server).await;
    for i in 0..200 {
        sender.say(&format!("to {to} {i}")).await;
    }
    for i in 0..200 {
        assert_eq!(receiver.next().await, text(&i.to_string()));
    }
}

#[tokio::test]
async fn a_slow_receiver_is_written_to_again_by_its_own_thread() {
    let (_workers, mut server) = with_workers(2);
    let (mut sender, mut receiver, to) = on_two_threads(&mut server).await;
    // Far more than the kernel takes while nobody reads.
    let large = "x".repeat(60_000);
    for _ in 0..300 {
        sender.say(&format!("to {to} {large}")).await;
    }
    for _ in 0..300 {
        assert_eq!(receiver.next().await, text(&large));
    }
}

#[tokio::test]
async fn when_the_threads_end_their_sockets_do() {
    let (workers, mut server) = with_workers(2);
    let mut client = Client::open(server.address).await;
    server.opened().await;
    tokio::task::spawn_blocking(move || drop(workers)).await.unwrap();
    assert_eq!(client.maybe_next().await, None::<Frame>);
    server.emptied().await;
}

/// Two sockets, one after the other, and the number of the second.
async fn on_two_threads(server: &mut Server) -> (Client<TcpStream>, Client<TcpStream>, u64) {
    let sender = Client::open(server.address).await;
    server.opened().await;
    let receiver = Client::open(server.address).await;
    (sender, receiver, server.opened().await.0)
}

fn with_workers(count: usize) -> (Workers, Server) {
    let workers = Workers::start(NonZeroUsize::new(count).unwrap()).unwrap();
    let limits = NetLimits { queue_bytes: 64 * 1024 * 1024, ..NetLimits::default() };
    let server = Server::with(limits, |door| door.with_workers(&workers));
    (workers, server)
}
