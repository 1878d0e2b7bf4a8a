//! Two native programs find each other over the running server, and connect.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use wigwag::{
    AskError, Builder, CallError, ConnectionState, Delivery, Event, Identity, JoinOptions, Loopback, Message, Mode,
    Path, PeerState, Policy, RelayUse, RoomEvent, State, Unattended, Verified, Wigwag,
};

use crate::support::{Server, Wigwag as Serve, soon, until};

#[tokio::test(flavor = "multi_thread")]
async fn two_programs_connect_and_texts_bytes_and_json_cross_in_order() {
    let server = quiet().start().await;
    let (alice, bob) = (open(&server).await, open(&server).await);
    let mut incoming = bob.incoming().await;
    let (theirs, ours) = soon("both", async { tokio::join!(incoming.connection(), alice.connect(&bob.id())) }).await;
    let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
    assert_eq!((ours.peer().as_str(), theirs.peer().as_str()), (bob.id().as_str(), alice.id().as_str()));
    assert_eq!((ours.verified(), theirs.verified()), (Verified::Key, Verified::Key));
    let messages = [Message::from("text"), vec![1, 2, 3].into(), Message::json(&json!({"json": [1]})).unwrap()];
    for message in &messages {
        ours.send(message.clone()).await.unwrap();
    }
    for message in &messages {
        assert_eq!(soon("a message", theirs.recv()).await.as_ref(), Some(message));
    }
    assert_eq!(soon("a path", ours.stats()).await.unwrap().path, Some(Path::Direct));
    let channel = ours.channel("files").await.unwrap();
    channel.send("through it").await.unwrap();
    let accepted = soon("the channel", theirs.accept_channel()).await.unwrap();
    assert_eq!(accepted.label(), "files");
    assert_eq!(soon("its message", accepted.recv()).await, Some("through it".into()));
    soon("the end", ours.close()).await;
    assert_eq!(soon("their end", theirs.closed()).await.reason, "left");
    assert_eq!(soon("their last message", theirs.recv()).await, None);
    assert_eq!((ours.state(), theirs.state()), (ConnectionState::Closed, ConnectionState::Closed));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_called_decides_and_says_why_not() {
    let server = quiet().start().await;
    let (alice, bob) = (open(&server).await, open(&server).await);
    let refused = soon("a refusal", alice.connect(&bob.id()).into_future()).await.unwrap_err();
    assert_eq!(refused, CallError::Refused("Nobody takes calls here.".into()));
    let mut incoming = bob.incoming().await;
    let answer = async {
        let knock = incoming.next().await.unwrap();
        assert_eq!((knock.peer().as_str(), knock.meta()), (alice.id().as_str(), Some(r#"{"about":"tea"}"#)));
        knock.decline("Not now.").await;
    };
    let asked = alice.connect(&bob.id()).meta(&json!({"about": "tea"})).into_future();
    let ((), refused) = soon("both", async { tokio::join!(answer, asked) }).await;
    assert_eq!(refused.unwrap_err(), CallError::Refused("Not now.".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_takes_no_calls_leaves_them_to_another_of_its_identity_and_declines_where_there_is_none() {
    let server = quiet().start().await;
    let alice = open(&server).await;
    let identity = Arc::new(Identity::ed25519(&[7; 32]));
    let of_bob = || builder(&server).identity(Arc::clone(&identity)).unattended(Unattended::LeaveToOthers);
    let busy = of_bob().open().await.unwrap();
    let refused = soon("a refusal", alice.connect(&busy.id()).into_future()).await.unwrap_err();
    assert_eq!(refused, CallError::Refused("Nobody takes calls here.".into()));
    let takes = of_bob().open().await.unwrap();
    let mut incoming = takes.incoming().await;
    let call = alice.connect(&busy.id()).into_future();
    let (taken, made) = soon("a connection", async { tokio::join!(incoming.connection(), call) }).await;
    assert_eq!(
        (taken.unwrap().peer().as_str(), made.unwrap().device()),
        (alice.id().as_str(), takes.device().as_str())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_never_comes_through_keeps_no_other_waiting() {
    let server = quiet().start().await;
    let (alice, bob) = (open(&server).await, open(&server).await);
    // Without a TURN server it has no address to name.
    let lost = builder(&server).policy(Policy::Relay).relay(RelayUse::Never).open().await.unwrap();
    let mut incoming = bob.incoming().await;
    let (first, mut hanging) = (lost.clone(), Box::pin(lost.connect(&bob.id()).into_future()));
    let hung = async {
        assert!(tokio::time::timeout(Duration::from_secs(1), &mut hanging).await.is_err());
        alice.connect(&bob.id()).await.unwrap()
    };
    let (theirs, ours) = soon("the other", async { tokio::join!(incoming.connection(), hung) }).await;
    assert_eq!(theirs.unwrap().peer().as_str(), alice.id());
    assert_eq!(ours.peer().as_str(), bob.id());
    first.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_always_a_reason_why_there_is_no_connection() {
    let server = quiet().start().await;
    let (alice, bob) = (open(&server).await, open(&server).await);
    let stranger = Identity::ed25519(&[7; 32]).id();
    let failed = soon("nobody", alice.connect(stranger.as_str()).into_future()).await.unwrap_err();
    assert_eq!(failed.reason(), "not_found");
    let id = bob.id();
    soon("goodbye", bob.close()).await;
    let failed = soon("absence", alice.connect(&id).into_future()).await.unwrap_err();
    assert!(matches!(failed, CallError::Absent { seen: Some(_), .. }), "{failed:?}");
    let mute = open(&server).await;
    let _never_answered = mute.incoming().await;
    let late = alice.connect(&mute.id()).deadline(Duration::from_millis(300)).into_future();
    assert_eq!(soon("the deadline", late).await.unwrap_err().reason(), "timeout");
    assert_eq!(soon("no id", alice.connect("\n").into_future()).await.unwrap_err().reason(), "failed");
    soon("goodbye", alice.close()).await;
    assert_eq!(soon("closed", alice.connect(&id).into_future()).await.unwrap_err(), CallError::Closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_survives_its_server_and_both_come_back_to_another() {
    let data = tempfile::tempdir().unwrap();
    let server = quiet().data(data.path()).start().await;
    let at = server.address;
    let (alice, bob) = (open(&server).await, open(&server).await);
    let mut incoming = bob.incoming().await;
    let (theirs, ours) = soon("both", async { tokio::join!(incoming.connection(), alice.connect(&bob.id())) }).await;
    let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
    server.kill().await;
    soon("the loss", alice.wait_for(|status| status.state != State::Open)).await.unwrap();
    ours.send("still here").await.unwrap();
    assert_eq!(soon("a word", theirs.recv()).await, Some("still here".into()));
    let server = quiet().data(data.path()).listen(at).start().await;
    for client in [&alice, &bob] {
        soon("a way back", client.wait_for(|status| status.state == State::Open)).await.unwrap();
    }
    assert_eq!(server.address, at);
    assert_eq!(soon("bob", alice.find(&bob.id())).await.unwrap().state, PeerState::Here);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_waiting_has_called_it_off() {
    let server = quiet().start().await;
    let (alice, bob) = (open(&server).await, open(&server).await);
    let mut incoming = bob.incoming().await;
    let knock = tokio::select! {
        knock = incoming.next() => knock.unwrap(),
        _ = alice.connect(&bob.id()).into_future() => panic!("nobody has accepted"),
    };
    // The future that waited is gone: what is accepted now comes to nothing.
    assert!(soon("no connection", knock.accept()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_have_members_words_state_and_a_host_that_can_change() {
    let server = quiet().start().await;
    let (alice, bob) = (open(&server).await, open(&server).await);
    let options = JoinOptions { mode: Some(Mode::FreeForAll), me: Some(json!({"nick": "Al"})), ..Default::default() };
    let den = alice.join_with("den", options).await.unwrap();
    den.set_state(&json!({"at": 81.5})).await.unwrap();
    let mut heard = den.events();
    let other = bob.join("den").await.unwrap();
    let mut events = other.events();
    assert_eq!(other.view().mode, Mode::FreeForAll);
    assert_eq!(other.view().members()[0].me.as_ref().unwrap().get(), r#"{"nick":"Al"}"#);
    assert!(matches!(soon("bob", heard.next()).await, Some(RoomEvent::Joined(member)) if member.id == bob.id()));
    until("the state", async || other.view().state.is_some_and(|state| state.get() == r#"{"at":81.5}"#)).await;
    assert_eq!(other.say(&"hello").await.unwrap(), 1);
    assert!(
        matches!(soon("a word", heard.next()).await, Some(RoomEvent::Said { data, .. }) if data.get() == "\"hello\"")
    );
    assert!(matches!(other.set_mode(Mode::HostOnly).await, Err(AskError::Refused(refused)) if refused.code == 4403));
    // The last handle of the host's room is gone: the host has left.
    drop((den, heard));
    let crowned = async { while !matches!(events.next().await.unwrap(), RoomEvent::Host { mine: true, .. }) {} };
    soon("the crown", crowned).await;
    other.set_mode(Mode::HostOnly).await.unwrap();
    assert!(other.view().mine() && other.view().members().is_empty());
    other.leave().await.unwrap();
    let gone = JoinOptions { only_existing: true, ..Default::default() };
    let refused = bob.join_with("elsewhere", gone).await.unwrap_err();
    assert_eq!(refused.code(), Some(4404));
}

// On one thread: nothing can be answered while the question is asked.
#[tokio::test]
async fn who_stops_waiting_for_a_room_is_not_in_it() {
    let server = quiet().start().await;
    let (alice, bob) = (open(&server).await, open(&server).await);
    tokio::select! {
        biased;
        _ = alice.join("den") => panic!("no server is that fast"),
        () = std::future::ready(()) => {}
    }
    // An answer to this comes after everything that was asked before.
    alice.find(&bob.id()).await.unwrap();
    let den = bob.join("den").await.unwrap();
    assert!(den.view().mine() && den.view().members().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_signals_and_topics_reach_whoever_asked_for_them() {
    let server = quiet().start().await;
    let (alice, bob) = (open(&server).await, open(&server).await);
    let mut events = alice.events();
    alice.watch(&[&bob.id()]).await.unwrap();
    alice.subscribe(&["news"]).await.unwrap();
    let presence = next(&mut events, |event| matches!(event, Event::Presence { .. })).await;
    assert!(matches!(presence, Event::Presence { id, state: PeerState::Here, .. } if id == bob.id()));
    assert_eq!(bob.signal(&alice.id(), "greeting", &json!({"hello": 1})).await.unwrap(), Delivery::Delivered);
    let signal = next(&mut events, |event| matches!(event, Event::Signal { .. })).await;
    assert!(matches!(signal, Event::Signal { kind, data, .. } if kind == "greeting" && data.get() == r#"{"hello":1}"#));
    assert_eq!(bob.publish("news", &"rain").await.unwrap(), 1);
    let published = next(&mut events, |event| matches!(event, Event::Published { .. })).await;
    assert!(matches!(published, Event::Published { topic, data, .. } if topic == "news" && data.get() == "\"rain\""));
    bob.close().await;
    let gone = next(&mut events, |event| matches!(event, Event::Presence { .. })).await;
    assert!(matches!(gone, Event::Presence { state: PeerState::Gone, .. }));
    let raw = alice.ask_raw(&json!({"type": "find", "id": alice.id()}), true).await.unwrap();
    assert!(raw.get().contains("\"found\""), "{raw}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_not_let_in_is_told_why() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let late = Wigwag::builder().server(closed.to_string()).deadline(Duration::from_millis(300)).open().await;
    assert!(matches!(late.unwrap_err(), wigwag::OpenError::Timeout { .. }));
    assert_eq!(Wigwag::builder().open().await.unwrap_err(), wigwag::OpenError::NoServer);
    let server = quiet().set("auth.guests", false).start().await;
    let refused = builder(&server).guest().open().await.unwrap_err();
    assert!(matches!(refused, wigwag::OpenError::Refused { code: 4203, .. }), "{refused:?}");
}

fn quiet() -> Serve {
    Serve::new().set("ice.stun", "")
}

fn builder(server: &Server) -> Builder {
    Wigwag::builder().server(server.address.to_string()).loopback(Loopback::Only)
}

async fn open(server: &Server) -> Wigwag {
    builder(server).open().await.unwrap()
}

async fn next(events: &mut wigwag::Events, wanted: impl Fn(&Event) -> bool) -> Event {
    soon("an event", async {
        loop {
            let event = events.next().await.unwrap();
            if wanted(&event) {
                return event;
            }
        }
    })
    .await
}
