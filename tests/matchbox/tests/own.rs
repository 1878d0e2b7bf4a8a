//! matchbox over the server's own protocol: one line more, and players have keys that no server can fake.

mod server;
mod socket;

use std::sync::Arc;

use wigwag::{Identity, Signer as _};
use wigwag_matchbox::Signalling;

use server::Server;
use socket::Socket;

#[tokio::test]
async fn sockets_of_a_room_meet_and_know_each_others_keys() {
    let server = Server::start();
    let url = server.native("own");
    let (anns, bobs) = (Identity::ed25519(&[1; 32]), Identity::ed25519(&[2; 32]));
    let (ann_knows, bob_knows) = (Signalling::new().identity(anns.clone()), Signalling::new().identity(bobs.clone()));
    let mut ann = Socket::join_by(&url, ann_knows.clone()).await;
    let mut bob = Socket::join_by(&url, bob_knows.clone()).await;
    ann.meets(&[&bob]).await;
    bob.meets(&[&ann]).await;
    ann.says(&mut bob, b"hello").await;
    bob.says(&mut ann, &[0; 10_000]).await;
    assert_eq!(ann_knows.player(bob.id()).map(|player| player.key), Some(bobs.key()));
    assert_eq!(bob_knows.player(ann.id()).map(|player| player.key), Some(anns.key()));
}

#[tokio::test]
async fn everybody_in_a_room_meets_everybody_else_in_it() {
    let server = Server::start();
    let url = server.native("three");
    let mut elsewhere = Socket::join_by(&server.native("three?ns=elsewhere"), Signalling::new()).await;
    let mut ann = Socket::join_by(&url, Signalling::new()).await;
    let mut bob = Socket::join_by(&url, Signalling::new()).await;
    let mut eve = Socket::join_by(&url, Signalling::new()).await;
    ann.meets(&[&bob, &eve]).await;
    bob.meets(&[&ann, &eve]).await;
    eve.meets(&[&ann, &bob]).await;
    eve.says(&mut ann, b"as agreed").await;
    assert!(elsewhere.peers().is_empty());
}

#[tokio::test]
async fn who_goes_is_seen_to_go_by_those_who_stay() {
    let server = Server::start();
    let url = server.native("going");
    let mut ann = Socket::join_by(&url, Signalling::new()).await;
    let mut bob = Socket::join_by(&url, Signalling::new()).await;
    ann.meets(&[&bob]).await;
    bob.meets(&[&ann]).await;
    drop(bob);
    ann.meets(&[]).await;
    let mut eve = Socket::join_by(&url, Signalling::new()).await;
    ann.meets(&[&eve]).await;
    eve.says(&mut ann, b"just us").await;
}

#[tokio::test]
async fn sockets_that_met_stay_together_when_the_server_is_gone() {
    let server = Server::start();
    let url = server.native("alone");
    let mut ann = Socket::join_by(&url, Signalling::new()).await;
    let mut bob = Socket::join_by(&url, Signalling::new()).await;
    ann.meets(&[&bob]).await;
    bob.meets(&[&ann]).await;
    drop(server);
    ann.says(&mut bob, b"still there?").await;
    bob.says(&mut ann, b"still here").await;
}

#[tokio::test]
async fn a_url_that_cannot_be_used_ends_the_socket_with_a_reason() {
    for url in ["ws://127.0.0.1:9", "ws://127.0.0.1:9/game?next=2"] {
        let builder = matchbox_socket::WebRtcSocket::builder(url).signaller_builder(Arc::new(Signalling::new()));
        let (_socket, driver) = builder.add_reliable_channel().build();
        assert!(driver.await.is_err(), "{url}");
    }
}
