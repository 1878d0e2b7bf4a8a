//! matchbox, changed in nothing but the URL of its room: native sockets with real data channels between them.

mod server;

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt;
use matchbox_socket::{Packet, PeerId, RtcIceServerConfig, WebRtcSocket};
use tokio::task::JoinHandle;

use server::Server;

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

/// How long anything may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// A socket with one reliable channel, and the task that drives it.
struct Socket {
    socket: WebRtcSocket,
    id: PeerId,
    driver: JoinHandle<Result<(), matchbox_socket::Error>>,
}

impl Socket {
    /// Returns when the server has let it in, so that the order of joining is the order of the calls.
    async fn join(url: &str) -> Self {
        let no_servers = RtcIceServerConfig { urls: Vec::new(), username: None, credential: None };
        let (mut socket, driver) = WebRtcSocket::builder(url).ice_server(no_servers).add_reliable_channel().build();
        let driver = tokio::spawn(driver);
        let mut id = None;
        until("an id", || {
            assert!(!driver.is_finished(), "the server sent it away");
            id = socket.id();
            id.is_some()
        })
        .await;
        Self { socket, id: id.unwrap(), driver }
    }

    fn peers(&mut self) -> BTreeSet<PeerId> {
        self.socket.update_peers();
        self.socket.connected_peers().collect()
    }

    /// Waits until exactly these are connected to it.
    async fn meets(&mut self, others: &[&Socket]) {
        let wanted: BTreeSet<PeerId> = others.iter().map(|other| other.id).collect();
        until("its peers", || self.peers() == wanted).await;
    }

    async fn says(&mut self, to: &mut Socket, message: &'static [u8]) {
        self.socket.channel_mut(0).send(Packet::from_static(message), to.id);
        let heard = tokio::time::timeout(DEADLINE, to.socket.channel_mut(0).next()).await.expect("nothing is heard");
        assert_eq!(heard, Some((self.id, Packet::from_static(message))));
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Asks again and again, since a socket of this library is asked and does not tell.
async fn until(what: &str, mut look: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(DEADLINE, async {
        while !look() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what} did not come");
}
