//! matchbox, changed in nothing but the URL of its room: native sockets with real data channels between them.

mod server;
mod socket;

use std::collections::BTreeSet;

use server::Server;
use socket::Socket;

#[tokio::test]
async fn messages_go_both_ways_between_two_sockets_of_a_room() {
    let server = Server::start();
    let url = server.room("both-ways");
    let mut ann = Socket::join(&url).await;
    let mut bob = Socket::join(&url).await;
    ann.meets(&[&bob]).await;
    bob.meets(&[&ann]).await;
    ann.says(&mut bob, b"hello").await;
    bob.says(&mut ann, &[0; 10_000]).await;
}

#[tokio::test]
async fn everybody_in_a_room_meets_everybody_else_in_it() {
    let server = Server::start();
    let mut elsewhere = Socket::join(&server.room("elsewhere")).await;
    let url = server.room("three");
    let mut ann = Socket::join(&url).await;
    let mut bob = Socket::join(&url).await;
    let mut eve = Socket::join(&url).await;
    ann.meets(&[&bob, &eve]).await;
    bob.meets(&[&ann, &eve]).await;
    eve.meets(&[&ann, &bob]).await;
    eve.says(&mut ann, b"as agreed").await;
    assert_eq!(elsewhere.peers(), BTreeSet::new());
}

#[tokio::test]
async fn next_brings_newcomers_together_two_by_two() {
    let server = Server::start();
    let url = server.room("pairs?next=2");
    let mut first = Socket::join(&url).await;
    let mut second = Socket::join(&url).await;
    let mut third = Socket::join(&url).await;
    let mut fourth = Socket::join(&url).await;
    first.meets(&[&second]).await;
    third.meets(&[&fourth]).await;
    second.meets(&[&first]).await;
    fourth.meets(&[&third]).await;
    first.says(&mut second, b"you and me").await;
    third.says(&mut fourth, b"we two").await;
    for socket in [&mut first, &mut second, &mut third, &mut fourth] {
        assert_eq!(socket.peers().len(), 1);
    }
}

#[tokio::test]
async fn who_goes_is_seen_to_go_by_those_who_stay() {
    let server = Server::start();
    let url = server.room("going");
    let mut ann = Socket::join(&url).await;
    let mut bob = Socket::join(&url).await;
    ann.meets(&[&bob]).await;
    bob.meets(&[&ann]).await;
    drop(bob);
    ann.meets(&[]).await;
    let mut eve = Socket::join(&url).await;
    ann.meets(&[&eve]).await;
    eve.says(&mut ann, b"just us").await;
}

#[tokio::test]
async fn sockets_that_met_stay_together_when_the_server_is_gone() {
    let server = Server::start();
    let url = server.room("alone");
    let mut ann = Socket::join(&url).await;
    let mut bob = Socket::join(&url).await;
    ann.meets(&[&bob]).await;
    bob.meets(&[&ann]).await;
    drop(server);
    ann.says(&mut bob, b"still there?").await;
    bob.says(&mut ann, b"still here").await;
}
