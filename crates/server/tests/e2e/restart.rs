//! Stopping, restarting and failing to start: what peers and operators see of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::process::Signal;
use serde_json::json;
use tokio::net::TcpStream;

use crate::support::http::{ask, refused_upgrade};
use crate::support::steady::{Load, ROOM, Steady, name_of};
use crate::support::{Identity, Peer, Server, Wigwag, until};

/// Clients of the load.
const CLIENTS: usize = 60;

#[tokio::test]
async fn a_restart_under_load_loses_no_session_and_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let start = |server: Wigwag| {
        let server = server.data(folder.path()).set("server.drain_seconds", 3);
        // Long enough that a slow machine's restart is no absence.
        server.set("presence.away_after_ms", 100_000).start()
    };
    let mut server = start(Wigwag::new()).await;
    let address = server.address;
    let load = Load::of(CLIENTS);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| tokio::spawn(Steady { to: address, number, clients: CLIENTS, load: Arc::clone(&load) }.run()))
        .collect();
    until("every client to be heard", async || load.least() >= 10).await;

    server.signal(Signal::TERM);
    until("some sockets to be closed, the others not yet", async || {
        (1.0..CLIENTS as f64).contains(&server.metric("wigwag_sockets").await)
    })
    .await;
    let ready = server.get("/ready").await;
    assert_eq!((ready.status, &ready.json()["reason"]), (503, &json!("draining")));
    assert_eq!(server.get("/health").await.status, 200);
    let refused = refused_upgrade(TcpStream::connect(address).await.unwrap(), "").await;
    assert_eq!((refused.status, refused.code()), (503, 4000));
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    assert_eq!(server.exit().await.code(), Some(0));
    assert_eq!(load.told_to_come_back.load(Ordering::Relaxed), CLIENTS as u64);

    let before = load.least();
    let server = start(Wigwag::new().listen(address)).await;
    until("every session to go on", async || load.resumed.load(Ordering::Relaxed) >= CLIENTS as u64).await;
    until("every client to be heard again", async || load.least() >= before + 10).await;
    assert_eq!(server.metric("wigwag_sessions").await, CLIENTS as f64);
    load.hold.store(true, Ordering::Relaxed);
    until("all requests to be answered", async || load.is_at_rest()).await;
    load.over.store(true, Ordering::Relaxed);
    let mut reports = Vec::new();
    for client in clients {
        reports.push(client.await.unwrap());
    }
    for (number, report) in reports.iter().enumerate() {
        let from = (number + CLIENTS - 1) % CLIENTS;
        assert_eq!(report.signals, whole(reports[from].sent), "from {from} to {number}");
        for other in (0..CLIENTS).filter(|other| *other != number && other / ROOM == number / ROOM) {
            // Who entered first heard all, who entered last heard no less than the end of it.
            let heard = &report.said[&name_of(other)];
            let first = heard[0].as_u64().unwrap();
            assert_eq!(*heard, whole(reports[other].spoken)[first as usize - 1..], "{other} said to {number}");
            assert!(first <= 10 / 4, "{number} heard {other} from {first} on");
        }
        // Watched before and after, and nobody flapped. The end may have come before or after our own.
        let told: Vec<_> = report.presence.iter().filter_map(|state| state.as_str()).collect();
        let told = told.strip_prefix(&["gone"]).unwrap_or(&told);
        assert!(["here", "here gone"].contains(&&*told.join(" ")), "{number} was told {told:?}");
    }
    assert_eq!(server.stop().await.code(), Some(0));
}

#[tokio::test]
async fn a_watched_peer_that_does_not_come_back_after_a_restart_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let start = |server: Wigwag| {
        let server = server.data(folder.path()).set("server.drain_seconds", 0);
        server.set("presence.away_after_ms", 1_000).set("presence.gone_after_ms", 10_000).start()
    };
    let server = start(Wigwag::new()).await;
    let address = server.address;
    let mut alice = Peer::guest(address).await;
    let bob = Peer::guest(address).await;
    alice.done(json!({"type": "watch", "ids": [bob.id()]})).await;
    assert_eq!(alice.next("presence").await["state"], "here");
    assert_eq!(server.stop().await.code(), Some(0));
    assert_eq!(alice.close_code().await, 4000);

    let _server = start(Wigwag::new().listen(address)).await;
    let mut alice = Peer::resuming(address, Identity::guest(), &alice).await;
    assert_eq!(alice.welcome["resumed"], true);
    let told = alice.find("bob to be gone", |m| m["type"] == "presence" && m["state"] == "gone").await;
    assert_eq!(told["id"], bob.id());
}

#[tokio::test]
async fn a_second_signal_stops_at_once_and_the_exit_code_says_so() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let mut server = Wigwag::new().set("server.drain_seconds", 3_600).start().await;
        // The first of them is closed at once, the second after half an hour.
        let mut peers = [Peer::guest(server.address).await, Peer::guest(server.address).await];
        server.signal(signal);
        let [first, second] = &mut peers;
        tokio::select! {
            code = first.close_code() => assert_eq!(code, 4000),
            code = second.close_code() => assert_eq!(code, 4000),
        }
        assert!(server.is_running());
        server.signal(signal);
        assert_eq!(server.exit().await.code(), Some(code));
    }
}

#[tokio::test]
async fn a_signal_during_a_drain_that_the_operator_asked_for_does_not_cut_it_short() {
    let folder = tempfile::tempdir().unwrap();
    let start =
        |server: Wigwag| server.data(folder.path()).set("admin.token", TOKEN).set("server.drain_seconds", 1).start();
    let mut server = start(Wigwag::new()).await;
    let address = server.address;
    let mut peer = Peer::guest(address).await;
    let drained = ask(address, "POST", "/api/v1/drain", &format!("Authorization: Bearer {TOKEN}\r\n"), "").await;
    assert_eq!(drained.status, 202);
    // As an orchestrator does: first its hook, then the signal.
    server.signal(Signal::TERM);
    assert_eq!(server.exit().await.code(), Some(0));
    assert_eq!(peer.close_code().await, 4000);
    let _server = start(Wigwag::new().listen(address)).await;
    assert_eq!(Peer::resuming(address, Identity::guest(), &peer).await.welcome["resumed"], true);
}

#[tokio::test]
async fn a_start_that_fails_leaves_the_sessions_to_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let server = Wigwag::new().data(folder.path()).start().await;
    let address = server.address;
    let peer = Peer::guest(address).await;
    assert_eq!(server.stop().await.code(), Some(0));

    let bad = folder.path().join("bad.pem");
    std::fs::write(&bad, "this is no certificate").unwrap();
    let failing = Wigwag::new().data(folder.path()).set("tls.cert", bad.display()).set("tls.key", bad.display());
    let (code, said) = failing.run().await;
    assert_eq!(code, Some(78), "{said}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let failing = Wigwag::new().data(folder.path()).listen(taken.local_addr().unwrap());
    let (code, said) = failing.run().await;
    assert_eq!(code, Some(69), "{said}");

    let _server = Wigwag::new().data(folder.path()).listen(address).start().await;
    assert_eq!(Peer::resuming(address, Identity::guest(), &peer).await.welcome["resumed"], true);
}

#[tokio::test]
async fn the_exit_code_says_why_it_cannot_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let running = Wigwag::new().data(&folder.path().join("data")).start().await;
    for (what, code, says) in [
        (Wigwag::new().set("limits.no_such_limit", 1), 78, "limits.no_such_limit"),
        (Wigwag::new().listen(running.address), 69, "cannot listen on"),
        (Wigwag::new().listen("unix:/nowhere/wigwag.sock"), 69, "cannot listen on"),
        (Wigwag::new().data(&file), 74, "cannot use the data folder"),
        (Wigwag::new().data(&folder.path().join("data")), 74, "another server"),
    ] {
        let (found, said) = what.run().await;
        assert_eq!(found, Some(code), "{said}");
        assert!(said.contains(says), "{says:?} is missing in {said}");
    }
    drop::<Server>(running);
}

const TOKEN: &str = "an-operator's-token";

/// Everything from the first to the last.
fn whole(last: u64) -> Vec<serde_json::Value> {
    (1..=last).map(Into::into).collect()
}
