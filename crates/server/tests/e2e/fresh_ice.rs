//! Credentials of TURN servers run out: a connection that stands for long is given fresh ones.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use wigwag::{Builder, Engine, IceServer, Loopback, Native, State, Wigwag};
use wigwag_rtc::{Events, Order, PeerConnection, Settings};

use crate::support::{Server, Wigwag as Serve, soon, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_stands_searches_with_the_newest_credentials() {
    let data = tempfile::tempdir().unwrap();
    let serve = || {
        Serve::new()
            .set("ice.stun", "")
            .set("ice.turn", "turn:127.0.0.1:9")
            .set("ice.secret", "secret")
            .data(data.path())
    };
    let server = serve().start().await;
    let at = server.address;
    let watched = Watched::default();
    let (alice, bob) =
        (builder(&server).engine(watched.clone()).open().await.unwrap(), builder(&server).open().await.unwrap());
    let mut incoming = bob.incoming().await;
    let (_theirs, ours) = soon("both", async { tokio::join!(incoming.connection(), alice.connect(&bob.id())) }).await;
    let _ours = ours.unwrap();
    let first = watched.begun();
    assert_eq!(first[0].urls, ["turn:127.0.0.1:9"]);
    // Whoever comes back is given credentials of a later time, if it is another second.
    let (second, made) = (first[0].username.clone(), seconds());
    until("another second", async || seconds() > made).await;
    server.kill().await;
    let _server = serve().listen(at).start().await;
    soon("a way back", alice.wait_for(|status| status.state == State::Open)).await.unwrap();
    until("fresh credentials", async || watched.told().is_some_and(|servers| servers[0].username != second)).await;
}

/// The engine of this machine, and what it is told of servers.
#[derive(Clone, Default)]
struct Watched(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    begun: Vec<IceServer>,
    told: Option<Vec<IceServer>>,
}

impl Watched {
    fn begun(&self) -> Vec<IceServer> {
        self.0.lock().unwrap().begun.clone()
    }

    fn told(&self) -> Option<Vec<IceServer>> {
        self.0.lock().unwrap().told.clone()
    }
}

impl Engine for Watched {
    fn connect(&self, settings: Settings) -> (PeerConnection, Events) {
        self.0.lock().unwrap().begun.clone_from(&settings.ice_servers);
        let (inner, events) = Native.connect(settings);
        let (outer, _, mut orders, _) = PeerConnection::new();
        let seen = Arc::clone(&self.0);
        tokio::spawn(async move {
            while let Some(order) = orders.next().await {
                match order {
                    Order::Servers(servers) => {
                        seen.lock().unwrap().told = Some(servers.clone());
                        inner.servers(servers).await.unwrap();
                    }
                    Order::Offer { restart, reply } => drop(reply.send(inner.offer(restart).await)),
                    Order::Describe { description, reply } => drop(reply.send(inner.describe(description).await)),
                    Order::LocalDescription(reply) => {
                        drop(reply.send(inner.local_description().await.unwrap_or_default()));
                    }
                    Order::Candidates(candidates) => drop(inner.candidates(candidates).await),
                    Order::Channel { init, reply } => drop(reply.send(inner.channel(init).await)),
                    Order::Stats(reply) => drop(reply.send(inner.stats().await.unwrap_or_default())),
                    Order::Close(reply) => {
                        inner.close().await;
                        let _ = reply.send(());
                    }
                    // What is sent goes by channels of the inner one.
                    Order::Send(_) | Order::CloseChannel(_) => {}
                }
            }
        });
        (outer, events)
    }
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn builder(server: &Server) -> Builder {
    Wigwag::builder().server(server.address.to_string()).loopback(Loopback::Only)
}
