//! Very many sockets in one process.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::support::server::BINARY;
use crate::support::{Raw, Wigwag, connect_from, skip};

const SOCKETS: usize = 15_000;
/// Sockets that come and go before.
const WARM: usize = 200;
/// What these and the other tests need besides.
const OTHERS: u64 = 2_000;
/// Sockets that are opened at the same time.
const AT_ONCE: usize = 64;
/// Catches a catastrophe; the exact figure belongs to the bench.
const SESSION_BYTES_MAX: f64 = 6.0 * 1024.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifteen_thousand_idle_sockets_stay_and_a_signal_still_passes_between_two() {
    if !may_hold(SOCKETS as u64 + OTHERS) {
        return skip("fifteen_thousand_idle_sockets…", "the system lets this process hold too few descriptors");
    }
    // As a login shell starts it, with the low soft limit that most systems have.
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -S -n 1024; exec \"$0\" \"$@\"", BINARY]);
    let mut server = Wigwag::started_by(shell).set("server.drain_seconds", 2).start().await;
    server.logged("open files descriptors=").await;
    assert!(server.metric("process_max_fds").await > SOCKETS as f64);

    // What is made once is not the sockets' cost.
    drop(open(server.address, WARM).await);
    server.counts("wigwag_sockets", 0.0).await;
    let before = server.metric("process_resident_memory_bytes").await;
    let mut peers = open(server.address, SOCKETS).await;
    server.counts("wigwag_sockets", SOCKETS as f64).await;
    server.counts("wigwag_sessions", (SOCKETS + WARM) as f64).await;
    let each = (server.metric("process_resident_memory_bytes").await - before) / SOCKETS as f64;
    println!("{each:.0} bytes of the process's memory for each idle session");
    assert!(each < SESSION_BYTES_MAX, "{each} bytes for each idle session");

    let (last, others) = peers.split_last_mut().unwrap();
    let first = &mut others[0];
    first.0.say(&json!({"type": "signal", "n": 1, "to": last.1, "kind": "note", "data": "hi"}).to_string()).await;
    assert_eq!(first.0.event().await["status"], "delivered");
    assert_eq!(last.0.event().await["data"], "hi");
    assert_eq!(server.metric("wigwag_sockets").await, SOCKETS as f64);

    server.signal(Signal::TERM);
    let mut leaving = JoinSet::new();
    for (mut raw, _) in peers {
        leaving.spawn(async move { raw.close_code().await });
    }
    while let Some(code) = leaving.join_next().await {
        assert_eq!(code.unwrap(), 4000);
    }
    assert_eq!(server.exit().await.code(), Some(0));
}

/// Raises this process's limit of open files if need be; whether it is high enough then.
fn may_hold(descriptors: u64) -> bool {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    getrlimit(Resource::Nofile).current.is_none_or(|current| current >= descriptors)
}

/// Opens the sockets of so many guests: each with its id.
async fn open(to: SocketAddr, count: usize) -> Vec<(Raw, String)> {
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let mut opening = JoinSet::new();
    for i in 0..count {
        let turn = Arc::clone(&gate).acquire_owned().await.unwrap();
        opening.spawn(async move {
            // Ports of one address might not be enough, with those of earlier runs that still rest.
            let stream = connect_from([127, 0, 50, 1 + (i % 8) as u8], to).await;
            let (raw, welcome) = Raw::over(stream).become_guest().await;
            drop(turn);
            (raw, welcome["id"].as_str().unwrap().to_owned())
        });
    }
    let mut peers = Vec::with_capacity(count);
    while let Some(opened) = opening.join_next().await {
        peers.push(opened.unwrap());
    }
    peers
}
