//! Several finders as one call, over the running server: who is asked, who is believed, and who won.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use wigwag::{
    Answer, Connection, Finder, Identity, Loopback, NotFound, Order, PeerRecord, PeerState, Progress, Sighting, Signer,
    Task, Wigwag,
};

use crate::support::{Server, Wigwag as Serve, soon};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_verified_answer_wins_and_says_who_brought_it() {
    let server = quiet().start().await;
    let (alice, bob) = (open(&server).await, open(&server).await);
    let mut incoming = bob.incoming().await;
    let accepting = tokio::spawn(async move { incoming.connection().await });
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = {
        let told = Arc::clone(&told);
        move |news| told.lock().unwrap().push(news)
    };
    let search = alice.search(&bob.id()).by(Own::fails("lan")).by_server().order(Order::Ladder).progress(tell);
    let connection = soon("a connection", search.connect()).await.unwrap();
    assert_eq!((connection.peer().as_str(), connection.finder().as_str()), (&*bob.id(), "server"));
    let told = told.lock().unwrap();
    let names: Vec<&str> = told
        .iter()
        .map(|news| match news {
            Progress::Asked { .. } => "asked",
            Progress::Lost(_) => "lost",
            Progress::Won { .. } => "won",
            _ => "other",
        })
        .collect();
    assert_eq!(names, ["asked", "lost", "asked", "won"]);
    drop(accepting);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finder_of_ones_own_is_believed_where_it_leads_to_the_right_peer() {
    let server = quiet().start().await;
    let (alice, bob, eve) = (open(&server).await, open(&server).await, open(&server).await);
    for client in [&bob, &eve] {
        let mut incoming = client.incoming().await;
        // Held, because a connection that is dropped ends, also before its other side knew that it was open.
        let mut held = Vec::new();
        tokio::spawn(async move {
            while let Some(connection) = incoming.connection().await {
                held.push(connection);
            }
        });
    }
    let leads = |to: &Wigwag| Own { name: "friends", connects: Some((alice.clone(), to.id())), sighting: None };
    let won = soon("bob", alice.search(&bob.id()).by(leads(&bob)).connect()).await.unwrap();
    assert_eq!((won.peer().as_str(), won.finder().as_str()), (&*bob.id(), "friends"));
    let lost = soon("eve", alice.search(&bob.id()).by(leads(&eve)).connect()).await.unwrap_err();
    assert_eq!((lost.reason.as_str(), lost.tried[0].finder.as_str()), ("key_mismatch", "friends"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sighting_of_anybody_but_the_server_needs_the_peers_signature() {
    let server = quiet().start().await;
    let (alice, bob) = (open(&server).await, open(&server).await);
    let says =
        |state, record| Own { name: "lan", connects: None, sighting: Some(Sighting { state, seen: None, record }) };
    let record = bob.record(Duration::from_secs(60), None);
    assert!(record.is_some());
    let seen =
        soon("a sighting", alice.search(&bob.id()).by(says(PeerState::Here, record.clone())).find()).await.unwrap();
    assert_eq!((seen.finder.as_str(), seen.sighting.state), ("lan", PeerState::Here));
    for record in [None, alice.record(Duration::from_secs(60), None), forged(&bob.id())] {
        let lost =
            soon("no sighting", alice.search(&bob.id()).by(says(PeerState::Here, record)).find()).await.unwrap_err();
        assert_eq!(lost.reason, "not_verified");
    }
    // Who is away is the answer where nobody knows better, and the server does.
    let away = alice.search(&bob.id()).by(says(PeerState::Away, record.clone()));
    assert_eq!(soon("away", away.find()).await.unwrap().sighting.state, PeerState::Away);
    let both = alice.search(&bob.id()).by(says(PeerState::Away, record)).by_server();
    assert_eq!(soon("here", both.find()).await.unwrap().finder, "server");
}

#[tokio::test(flavor = "multi_thread")]
async fn if_all_are_out_each_says_why_and_who_is_silent_is_cut_off() {
    let server = quiet().start().await;
    let alice = open(&server).await;
    let stranger = Identity::ed25519(&[7; 32]).id();
    let silent = Own { name: "dht", connects: None, sighting: None };
    let search = alice.search(stranger.as_str()).by(Own::fails("lan")).by(silent).by_server();
    let lost = soon("nobody", search.deadline(Duration::from_millis(500)).connect()).await.unwrap_err();
    let reasons: Vec<(&str, &str)> = lost.tried.iter().map(|each| (&*each.finder, &*each.reason)).collect();
    assert_eq!(reasons, [("lan", "broken"), ("dht", "timeout"), ("server", "not_found")]);
    assert_eq!(lost.reason, "timeout");
    let nobody = soon("no finder", alice.search("WW2006A43AXF0P96667RTAS4").connect()).await.unwrap_err();
    assert_eq!((nobody.reason.as_str(), nobody.tried.len()), ("no_finder", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_a_target_like_any_other() {
    let server = quiet().start().await;
    let (alice, bob) = (open(&server).await, open(&server).await);
    let mut offer = alice.offer_code().await.unwrap();
    let (shown, code) = tokio::sync::oneshot::channel();
    let shown = Mutex::new(Some(shown));
    let show = move |code: &str| drop(shown.lock().unwrap().take().unwrap().send(code.to_owned()));
    let answering = tokio::spawn(bob.search(offer.code()).by_server().by_code(show).connect());
    let answer = soon("the answer", code).await.unwrap();
    let ours = soon("ours", offer.complete(&answer)).await.unwrap();
    let theirs = soon("theirs", answering).await.unwrap().unwrap();
    assert_eq!((ours.finder().as_str(), theirs.finder().as_str()), ("code", "code"));
    assert_eq!((ours.peer().as_str(), theirs.peer().as_str()), (&*bob.id(), &*alice.id()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_is_dropped_takes_its_finders_along() {
    let server = quiet().start().await;
    let (alice, bob) = (open(&server).await, open(&server).await);
    let mut incoming = bob.incoming().await;
    let id = bob.id();
    let knock = tokio::select! {
        knock = incoming.next() => knock.unwrap(),
        _ = alice.search(&id).by_server().connect() => panic!("nobody has accepted"),
    };
    assert_eq!(knock.peer().as_str(), alice.id());
    // The call was called off with it: another one is another knock.
    let mut again = Box::pin(alice.search(&id).by_server().connect());
    let second = tokio::select! {
        knock = incoming.next() => knock.unwrap(),
        _ = &mut again => panic!("nobody has accepted"),
    };
    let (connection, accepted) = soon("both", async { tokio::join!(again, second.accept()) }).await;
    assert_eq!((connection.unwrap().peer().as_str(), accepted.unwrap().peer().as_str()), (&*id, &*alice.id()));
}

/// A finder that connects by a client, sees what it was told to, or fails; or says nothing for ever.
struct Own {
    name: &'static str,
    connects: Option<(Wigwag, String)>,
    sighting: Option<Sighting>,
}

impl Own {
    fn fails(name: &'static str) -> Failing {
        Failing(name)
    }
}

impl Finder for Own {
    fn name(&self) -> &str {
        self.name
    }

    fn find(&self, _: Task) -> Option<Answer<Option<Sighting>>> {
        let sighting = self.sighting.clone();
        Some(Box::pin(async move { Ok(sighting) }))
    }

    fn connect(&self, task: Task) -> Option<Answer<Connection>> {
        let connects = self.connects.clone();
        Some(Box::pin(async move {
            match connects {
                Some((client, to)) => Ok(client.connect(&to).deadline(task.time).await?),
                None => std::future::pending().await,
            }
        }))
    }
}

struct Failing(&'static str);

impl Finder for Failing {
    fn name(&self) -> &str {
        self.0
    }

    fn connect(&self, _: Task) -> Option<Answer<Connection>> {
        Some(Box::pin(async { Err(NotFound::new("broken", "its wire is cut")) }))
    }
}

/// A record of another's id, signed by somebody else.
fn forged(id: &str) -> Option<PeerRecord> {
    let eve = Identity::ed25519(&[9; 32]);
    let now = u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let who = (
        &wigwag_wire::Namespace::new("default").unwrap(),
        &wigwag_wire::PeerId::new(id).unwrap(),
        &wigwag_wire::Device::new("").unwrap(),
    );
    assert_ne!(eve.key().id().as_str(), id);
    PeerRecord::new(&eve, who, (now, now + 60_000), None)
}

fn quiet() -> Serve {
    Serve::new().set("ice.stun", "")
}

async fn open(server: &Server) -> Wigwag {
    Wigwag::builder().server(server.address.to_string()).loopback(Loopback::Only).open().await.unwrap()
}
