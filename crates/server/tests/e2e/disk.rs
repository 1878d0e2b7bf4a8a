//! A data folder that is full or read-only: names are refused, everything else goes on. The disks are small ones in
//! the memory, mounted where only a child of the test, which is the test again, sees them.

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::json;

use crate::support::http::ask;
use crate::support::peer::{Key, Refused};
use crate::support::{Identity, Peer, Server, Wigwag, skip, until};

#[tokio::test]
async fn on_a_full_disk_names_are_refused_and_everything_else_goes_on() {
    let Some(disk) = own_disk("disk::on_a_full_disk_names_are_refused_and_everything_else_goes_on") else { return };
    mount(&disk, &["-t", "tmpfs", "-o", "size=1m", "tmpfs"]);
    let start = |server: Wigwag| {
        let server = server.data(&disk.join("data")).set("admin.token", TOKEN).set("server.drain_seconds", 0);
        server.limit("names_per_key", 0)
    };
    let (key, thief) = (Key::new(1), Key::new(2));
    let mut server = start(Wigwag::new()).start().await;
    let address = server.address;
    let mut bob = Peer::enter(address, Identity::named("bob@example.org", &key)).await;
    let mut alice = Peer::guest(address).await;

    fill(&disk);
    claim_until_refused(&server, &key).await;
    server.counts("wigwag_store_degraded", 1.0).await;
    server.logged("the store cannot write: the disk is full").await;
    everything_else_goes_on(&server, &mut alice).await;
    // What is there is still known.
    let mut phone = Peer::enter(address, Identity::named("bob@example.org", &key).device("phone")).await;
    let refused = Peer::try_enter(address, Identity::named("bob@example.org", &thief)).await;
    assert_eq!(refused.unwrap_err(), Refused(4202));
    let change = bob.name_change(&key, "add", &thief);
    assert_eq!(bob.refused(change).await, 4501);
    assert_eq!(alice.refused(stored("carol@example.org", 1)).await, 4501);
    let ban = r#"{"subject":"id:default/mallory@example.org"}"#;
    let refused = ask(address, "POST", "/api/v1/bans", &format!("Authorization: Bearer {TOKEN}\r\n"), ban).await;
    assert_eq!((refused.status, refused.code()), (503, 4501));

    empty(&disk);
    server.counts("wigwag_store_degraded", 0.0).await;
    server.logged("the store can write again").await;
    Peer::enter(address, Identity::named("late@example.org", &key)).await;
    assert_eq!(alice.done(stored("carol@example.org", 2)).await["status"], "stored");
    let mut carol = Peer::enter(address, Identity::named("carol@example.org", &thief)).await;
    assert_eq!(carol.next("signal").await["data"], 2, "and nothing of what was refused");
    assert_eq!(bob.signal("bob@example.org", "both").await, "delivered");
    assert_eq!(
        (&bob.next("signal").await["data"], &phone.next("signal").await["data"]),
        (&json!("both"), &json!("both"))
    );

    // A drain that cannot write says so; a start on a full disk is one all the same. What it has to write is more than
    // the room that is left inside the store's own files.
    for room in 0..16 {
        alice.done(json!({"type": "room.create", "room": format!("room {room}")})).await;
        let state = "x".repeat(12_000);
        alice.done(json!({"type": "room.state", "room": format!("room {room}"), "term": 1, "state": state})).await;
    }
    fill(&disk);
    drop((alice, bob, carol, phone));
    server.signal(Signal::TERM);
    assert_eq!(server.exit().await.code(), Some(74), "{}", server.log());
    assert!(server.log().contains("the snapshot could not be written"), "{}", server.log());
    drop(server);
    let server = start(Wigwag::new()).start().await;
    let mut alice = Peer::guest(server.address).await;
    claim_until_refused(&server, &key).await;
    everything_else_goes_on(&server, &mut alice).await;
    empty(&disk);
    server.counts("wigwag_store_degraded", 0.0).await;
    for name in ["bob@example.org", "late@example.org"] {
        let refused = Peer::try_enter(server.address, Identity::named(name, &thief)).await;
        assert_eq!(refused.unwrap_err(), Refused(4202));
    }
    drop(alice);
    assert_eq!(server.stop().await.code(), Some(0));
}

#[tokio::test]
async fn on_a_read_only_disk_it_starts_and_takes_names_again_once_it_can_write() {
    let Some(disk) = own_disk("disk::on_a_read_only_disk_it_starts_and_takes_names_again_once_it_can_write") else {
        return;
    };
    mount(&disk, &["-t", "tmpfs", "-o", "size=8m", "tmpfs"]);
    let data = disk.join("data");
    let (key, thief) = (Key::new(1), Key::new(2));
    let server = Wigwag::new().data(&data).start().await;
    Peer::enter(server.address, Identity::named("bob@example.org", &key)).await;
    assert_eq!(server.stop().await.code(), Some(0));

    mount(&disk, &["-o", "remount,ro"]);
    let (code, said) = Wigwag::new().data(&disk.join("new")).run().await;
    assert_eq!(code, Some(74), "a first start needs a disk: {said}");
    let server = Wigwag::new().data(&data).start().await;
    server.counts("wigwag_store_degraded", 1.0).await;
    server.logged("read-only").await;
    let refused = Peer::try_enter(server.address, Identity::named("late@example.org", &key)).await;
    assert_eq!(refused.unwrap_err(), Refused(4501));
    let mut alice = Peer::guest(server.address).await;
    everything_else_goes_on(&server, &mut alice).await;

    mount(&disk, &["-o", "remount,rw"]);
    server.counts("wigwag_store_degraded", 0.0).await;
    Peer::enter(server.address, Identity::named("late@example.org", &key)).await;
    let refused = Peer::try_enter(server.address, Identity::named("bob@example.org", &thief)).await;
    assert_eq!(refused.unwrap_err(), Refused(4202));
    drop(alice);
    assert_eq!(server.stop().await.code(), Some(0));
}

#[tokio::test]
async fn what_an_unreadable_disk_held_back_comes_when_it_can_be_used_but_sessions_stay_away() {
    let test = "disk::what_an_unreadable_disk_held_back_comes_when_it_can_be_used_but_sessions_stay_away";
    let Some(disk) = own_disk(test) else { return };
    mount(&disk, &["-t", "tmpfs", "-o", "size=8m", "tmpfs"]);
    let start = || {
        let server = Wigwag::new().data(&disk.join("data")).set("admin.token", TOKEN);
        server.set("server.drain_seconds", 0).start()
    };
    let (carol, mallory) = (Key::new(1), Key::new(2));
    let banned = Identity::named("mallory@example.org", &mallory);
    let mut server = start().await;
    let mut peer = Peer::guest(server.address).await;
    assert_eq!(peer.done(stored(carol.public().id().as_str(), 1)).await["status"], "stored");
    let ban = r#"{"subject":"id:default/mallory@example.org"}"#;
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(ask(server.address, "POST", "/api/v1/bans", &token, ban).await.status, 201);
    server.signal(Signal::TERM);
    assert_eq!(peer.close_code().await, 4000);
    assert_eq!(server.exit().await.code(), Some(0));
    drop(server);

    mount(&disk, &["-o", "remount,ro"]);
    let server = start().await;
    server.logged("sessions of the last run cannot be taken over").await;
    let mut early = Peer::enter(server.address, Identity::keyed(&carol)).await;
    mount(&disk, &["-o", "remount,rw"]);
    server.logged("is forgotten").await;
    assert_eq!(early.next("signal").await["data"], 1);
    let refused = until_refused(server.address, banned).await;
    assert_eq!(refused, Refused(4302));
    server.kill().await;

    let server = start().await;
    let fresh = Peer::resuming(server.address, Identity::guest(), &peer).await;
    assert_eq!(fresh.welcome["resumed"], false);
    assert_eq!(server.metric("wigwag_sessions").await, 1.0);
}

const TOKEN: &str = "an-operator's-token";

fn stored(to: &str, data: u64) -> serde_json::Value {
    json!({"type": "signal", "to": to, "kind": "note", "data": data, "store": 600})
}

/// Comes in until it is refused.
async fn until_refused(to: SocketAddr, who: Identity<'_>) -> Refused {
    let mut refused = None;
    until("a refusal", async || {
        refused = Peer::try_enter(to, who).await.err();
        refused.is_some()
    })
    .await;
    refused.unwrap()
}

/// What needs no disk.
async fn everything_else_goes_on(server: &Server, alice: &mut Peer) {
    for path in ["/health", "/ready", "/stats"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    let key = Key::p256();
    let mut peer = Peer::enter(server.address, Identity::keyed(&key)).await;
    assert_eq!(alice.signal(peer.id(), 7).await, "delivered");
    assert_eq!(peer.next("signal").await["data"], 7);
    let room = alice.done(json!({"type": "room.create", "code": true})).await;
    peer.done(json!({"type": "room.join", "code": room["code"]})).await;
    alice.done(json!({"type": "say", "room": room["room"], "data": "hello"})).await;
    assert_eq!(peer.next("said").await["data"], "hello");
    // A line may be lost and found as ever.
    peer.cut().await;
    let mut peer = Peer::resuming(server.address, Identity::keyed(&key), &peer).await;
    assert_eq!(peer.welcome["resumed"], true);
    peer.send(&json!({"type": "bye"})).await;
    assert_eq!(peer.close_code().await, 1000);
}

/// Claims names until one is refused: some may find room on a full disk.
async fn claim_until_refused(server: &Server, key: &Key) {
    for number in 0..10_000 {
        let name = format!("n{number}-{}@example.org", std::process::id());
        match Peer::try_enter(server.address, Identity::named(&name, key)).await {
            Ok(mut peer) => peer.send(&json!({"type": "bye"})).await,
            Err(why) => return assert_eq!(why, Refused(4501)),
        }
    }
    panic!("the disk is never full");
}

/// Tells a test that it runs as its own child, and where its disk is to be.
const CHILD: &str = "WIGWAG_E2E_DISK";

/// Runs the test again where it may mount disks, and returns the folder to mount on there. In the first run, and where
/// that is not allowed, there is none.
fn own_disk(test: &str) -> Option<PathBuf> {
    if let Some(dir) = env::var_os(CHILD) {
        return Some(dir.into());
    }
    let dir = tempfile::tempdir().unwrap();
    let may = |how: &[&str]| {
        let mut trial = Command::new("unshare");
        trial.args(how).args(["mount", "-t", "tmpfs", "tmpfs"]).arg(dir.path());
        trial.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    let ways: [&[&str]; 2] = [&["--mount"], &["--mount", "--map-root-user"]];
    let Some(how) = ways.into_iter().find(|how| may(how)) else {
        skip(test, "may not mount a disk, not even in a namespace of its own");
        return None;
    };
    let mut child = Command::new("unshare");
    child.args(how).arg(env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]).env(CHILD, dir.path());
    let ran = child.output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(ran.status.success(), "on its own disk:\n{}{}", said(&ran.stdout), said(&ran.stderr));
    None
}

fn mount(disk: &Path, how: &[&str]) {
    assert!(Command::new("mount").args(how).arg(disk).status().unwrap().success());
}

fn fill(disk: &Path) {
    let mut filler = File::create(disk.join("filler")).unwrap();
    for size in [65_536, 4_096, 1] {
        while filler.write_all(&vec![1; size]).is_ok() {}
    }
}

fn empty(disk: &Path) {
    fs::remove_file(disk.join("filler")).unwrap();
}
