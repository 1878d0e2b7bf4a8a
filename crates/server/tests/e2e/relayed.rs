//! Native programs between which no path leads: they talk by way of the running server, sealed.

use std::time::Duration;

use serde_json::json;
use wigwag::{
    Builder, CallError, Connection, ConnectionState, Loopback, Message, Path, Policy, RelayUse, State, Wigwag,
};

use crate::support::{Server, Wigwag as Serve, soon, until};

#[tokio::test(flavor = "multi_thread")]
async fn where_no_path_leads_texts_bytes_json_and_a_megabyte_cross_by_way_of_the_server() {
    let server = fast().start().await;
    // Nothing but TURN is allowed, and there is none.
    let closed = |builder: Builder| builder.policy(Policy::Relay);
    let (_alice, _bob, ours, theirs) = pair(&server, closed, closed).await;
    assert_eq!((ours.path(), theirs.path()), (Some(Path::Relayed), Some(Path::Relayed)));
    assert_eq!(soon("numbers", ours.stats()).await.unwrap().path, Some(Path::Relayed));
    let messages = [Message::from("text"), vec![1, 2, 3].into(), Message::json(&json!({"json": [1]})).unwrap()];
    for message in &messages {
        ours.send(message.clone()).await.unwrap();
    }
    for message in &messages {
        assert_eq!(soon("a message", theirs.recv()).await.as_ref(), Some(message));
    }
    let piece = |number: u32| (0..65_536_u32).map(|at| (at * 7 + number) as u8).collect::<Vec<u8>>();
    let sending = async {
        for number in 0..16 {
            theirs.send(piece(number)).await.unwrap();
        }
        theirs.main().flushed().await;
        assert_eq!(theirs.main().unsent(), 0);
    };
    let taking = async {
        for number in 0..16 {
            assert_eq!(ours.recv().await, Some(piece(number).into()), "piece {number}");
        }
    };
    soon("a megabyte", async { tokio::join!(sending, taking) }).await;
    let channel = ours.channel("files").await.unwrap();
    channel.send("through it").await.unwrap();
    let accepted = soon("the channel", theirs.accept_channel()).await.unwrap();
    assert_eq!(accepted.label(), "files");
    assert_eq!(soon("its message", accepted.recv()).await, Some("through it".into()));
    soon("its end", channel.close()).await;
    assert_eq!(soon("nothing more", accepted.recv()).await, None);
    ours.send("the last word").await.unwrap();
    soon("the end", ours.close()).await;
    assert_eq!(soon("the last word", theirs.recv()).await, Some("the last word".into()));
    assert_eq!(soon("nothing more", theirs.recv()).await, None);
    assert_eq!(soon("their end", theirs.closed()).await.reason, "left");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_nothing_but_the_relay_tells_nobody_an_address() {
    let server = fast().start().await;
    let only = |builder: Builder| builder.relay(RelayUse::Only);
    let (_alice, _bob, ours, theirs) = pair(&server, only, |builder| builder).await;
    ours.send("quietly").await.unwrap();
    assert_eq!(soon("a word", theirs.recv()).await, Some("quietly".into()));
    assert_eq!((ours.path(), theirs.path()), (Some(Path::Relayed), Some(Path::Relayed)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_path_is_taken_where_there_is_one_and_the_stream_travels_on_it() {
    let server = fast().start().await;
    let (_alice, _bob, ours, theirs) = pair(&server, |builder| builder, |builder| builder).await;
    soon("a path", async {
        while ours.path() != Some(Path::Direct) {
            ours.path_changed(ours.path()).await;
        }
    })
    .await;
    // Who does not read makes the other wait, and gets everything in the end.
    let sending = async {
        for number in 0..200_u32 {
            ours.send(vec![number as u8; 65_536]).await.unwrap();
        }
    };
    let taking = async {
        assert_eq!(theirs.recv().await.map(|first| length(&first)), Some(65_536));
        until("the sender to wait", async || ours.main().unsent() > 900_000).await;
        for number in 1..200_u32 {
            assert_eq!(theirs.recv().await, Some(vec![number as u8; 65_536].into()));
        }
    };
    soon("all of it", async { tokio::join!(sending, taking) }).await;
    let lossy = wigwag::ChannelInit { ordered: false, ..wigwag::ChannelInit::new("moves") };
    let moves = ours.channel_with(lossy).await.unwrap();
    moves.send("e4").await.unwrap();
    let accepted = soon("the channel", theirs.accept_channel()).await.unwrap();
    assert_eq!((accepted.label(), soon("a move", accepted.recv()).await), ("moves", Some("e4".into())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarts_in_the_middle_loses_nothing() {
    let data = tempfile::tempdir().unwrap();
    let server = fast().data(data.path()).start().await;
    let at = server.address;
    let only = |builder: Builder| builder.relay(RelayUse::Only);
    let (alice, bob, ours, theirs) = pair(&server, only, only).await;
    let sending = async {
        for number in 0..60_u32 {
            ours.send(vec![number as u8; 10_000]).await.unwrap();
        }
    };
    let serving = async {
        theirs.recv().await.unwrap();
        server.kill().await;
        let server = fast().data(data.path()).listen(at).start().await;
        for number in 1..60_u32 {
            assert_eq!(theirs.recv().await, Some(vec![number as u8; 10_000].into()));
        }
        server
    };
    let ((), _server) = soon("all of it", async { tokio::join!(sending, serving) }).await;
    for client in [&alice, &bob] {
        soon("a way back", client.wait_for(|status| status.state == State::Open)).await.unwrap();
    }
    assert_eq!(soon("an end of mending", ours.changed(ConnectionState::Mending)).await, ConnectionState::Open);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_want_the_servers_way_or_has_none_is_told_that_there_is_no_path() {
    for (server, relay) in
        [(fast(), RelayUse::Never), (fast().set("limits.relay_bytes_per_second", 0), RelayUse::LastResort)]
    {
        let server = server.start().await;
        let closed = |builder: Builder| builder.policy(Policy::Relay).relay(relay);
        let (alice, bob) =
            (closed(builder(&server)).open().await.unwrap(), closed(builder(&server)).open().await.unwrap());
        let mut incoming = bob.incoming().await;
        let accepting = tokio::spawn(async move { incoming.connection().await.is_some() });
        let failed = alice.connect(&bob.id()).deadline(Duration::from_secs(6)).await.unwrap_err();
        assert!(matches!(failed, CallError::NoPath { .. } | CallError::Timeout { .. }), "{failed:?}");
        accepting.abort();
    }
}

/// A quota at which a test need not wait for a large message.
fn fast() -> Serve {
    let server = Serve::new().set("ice.stun", "");
    server.set("limits.relay_bytes_per_second", 8_388_608).set("limits.relay_bytes_burst", 4_194_304)
}

fn builder(server: &Server) -> Builder {
    Wigwag::builder().server(server.address.to_string()).loopback(Loopback::Only)
}

/// Two clients and the two ends of their connection.
async fn pair(
    server: &Server,
    one: impl Fn(Builder) -> Builder,
    other: impl Fn(Builder) -> Builder,
) -> (Wigwag, Wigwag, Connection, Connection) {
    let (alice, bob) = (one(builder(server)).open().await.unwrap(), other(builder(server)).open().await.unwrap());
    let mut incoming = bob.incoming().await;
    let (theirs, ours) = soon("both", async { tokio::join!(incoming.connection(), alice.connect(&bob.id())) }).await;
    (alice, bob, ours.unwrap(), theirs.unwrap())
}

fn length(message: &Message) -> usize {
    match message {
        Message::Text(text) | Message::Json(text) => text.len(),
        Message::Binary(bytes) => bytes.len(),
    }
}
