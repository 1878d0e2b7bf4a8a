//! A socket of matchbox, as a game would hold it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use matchbox_socket::{Packet, PeerId, RtcIceServerConfig, WebRtcSocket, WebRtcSocketBuilder};
use tokio::task::JoinHandle;
use wigwag_matchbox::Signalling;

/// How long anything may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// A socket with one reliable channel, and the task that drives it.
pub struct Socket {
    socket: WebRtcSocket,
    id: PeerId,
    driver: JoinHandle<Result<(), matchbox_socket::Error>>,
}

impl Socket {
    /// Returns when the server has let it in, so that the order of joining is the order of the calls.
    #[allow(dead_code, reason = "each test file joins in its way")]
    pub async fn join(url: &str) -> Self {
        Self::start(WebRtcSocket::builder(url)).await
    }

    /// The same by this signalling.
    #[allow(dead_code, reason = "each test file joins in its way")]
    pub async fn join_by(url: &str, signalling: Signalling) -> Self {
        Self::start(WebRtcSocket::builder(url).signaller_builder(Arc::new(signalling))).await
    }

    async fn start(builder: WebRtcSocketBuilder) -> Self {
        let no_servers = RtcIceServerConfig { urls: Vec::new(), username: None, credential: None };
        let (mut socket, driver) = builder.ice_server(no_servers).add_reliable_channel().build();
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

    #[allow(dead_code, reason = "each test file looks for what it needs")]
    pub fn id(&self) -> PeerId {
        self.id
    }

    pub fn peers(&mut self) -> BTreeSet<PeerId> {
        self.socket.update_peers();
        self.socket.connected_peers().collect()
    }

    /// Waits until exactly these are connected to it.
    pub async fn meets(&mut self, others: &[&Socket]) {
        let wanted: BTreeSet<PeerId> = others.iter().map(|other| other.id).collect();
        until("its peers", || self.peers() == wanted).await;
    }

    pub async fn says(&mut self, to: &mut Socket, message: &'static [u8]) {
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
