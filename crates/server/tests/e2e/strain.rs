//! A disk that fills up and a client that is stopped: the server goes on, and says what it cannot do.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::sync::mpsc::{Receiver, channel};

use crate::support::peer::{Key, Refused};
use crate::support::{Identity, Peer, Wigwag, skip, soon, until};

#[tokio::test]
async fn a_full_disk_costs_new_names_and_nothing_else_until_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = Disk::mount(folder.path()) else {
        return skip("a_full_disk…", "mounting a small disk is not permitted here");
    };
    let server = Wigwag::new().data(folder.path()).start().await;
    let (old, new) = (Key::new(1), Key::new(2));
    Peer::enter(server.address, Identity::named("old@example.org", &old)).await;

    let filler = folder.path().join("filler");
    // It ends with an error when the disk is full, which is what it is for.
    let _ = std::fs::write(&filler, vec![1; 2 << 20]);
    let mut names = 0;
    soon("the disk to be full", async {
        loop {
            names += 1;
            let name = format!("n{names}@example.org");
            let key = Key::new(1_000 + names);
            match Peer::try_enter(server.address, Identity::named(&name, &key)).await {
                Ok(_) => {}
                Err(refused) => return assert_eq!(refused, Refused(4501)),
            }
        }
    })
    .await;
    assert_eq!(server.metric("wigwag_store_degraded").await, 1.0);
    server.logged("disk is full").await;
    // Who is known comes in, guests come in, and signals pass.
    let mut known = Peer::enter(server.address, Identity::named("old@example.org", &old)).await;
    let mut guest = Peer::guest(server.address).await;
    assert_eq!(guest.signal("old@example.org", "hi").await, "delivered");
    assert_eq!(known.next("signal").await["data"], "hi");
    let unsafe_to_keep = json!({"type": "signal", "to": "absent", "kind": "note", "data": 1, "store": 60});
    assert_eq!(guest.refused(unsafe_to_keep).await, 4501);

    std::fs::remove_file(&filler).unwrap();
    server.counts("wigwag_store_degraded", 0.0).await;
    let late = Identity::named("late@example.org", &new);
    until("new names to be taken again", async || Peer::try_enter(server.address, late).await.is_ok()).await;
    assert!(server.stop().await.success());
}

#[tokio::test]
async fn a_stopped_client_is_cut_resumes_when_it_goes_on_and_harms_nobody() {
    let server = Wigwag::new().limit("queue_bytes", 200_000).limit("frames_per_second", 0).start().await;
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["strain::the_client_that_is_stopped", "--exact", "--ignored", "--nocapture"]);
    let mut child = Ended(command.env("SERVER", server.address.to_string()).stdout(Stdio::piped()).spawn().unwrap());
    let out = BufReader::new(child.0.stdout.take().unwrap());
    let (tell, mut said) = channel(64);
    std::thread::spawn(move || out.lines().map_while(Result::ok).all(|line| tell.blocking_send(line).is_ok()));
    let id = heard(&mut said, "id ").await;
    let pid = Pid::from_raw(child.0.id().cast_signed()).unwrap();
    let (mut sender, mut other) = (Peer::guest(server.address).await, Peer::guest(server.address).await);

    kill_process(pid, Signal::STOP).unwrap();
    let data = "x".repeat(20_000);
    soon("the stopped client to be cut", async {
        while sender.signal(&id, data.as_str()).await == "delivered" {
            assert_eq!(sender.signal(other.id(), "beside it").await, "delivered");
            assert_eq!(other.next("signal").await["data"], "beside it");
        }
    })
    .await;

    kill_process(pid, Signal::CONT).unwrap();
    assert_eq!(heard(&mut said, "closed ").await, "4002");
    assert_eq!(heard(&mut said, "resumed ").await, "true");
    assert_eq!(sender.signal(&id, "welcome back").await, "delivered");
}

#[tokio::test]
#[ignore = "the other process of the test above, which starts it"]
async fn the_client_that_is_stopped() {
    let Ok(server) = std::env::var("SERVER") else { return };
    let server = server.parse().unwrap();
    let mut peer = Peer::guest(server).await;
    println!("\nid {}", peer.id());
    while peer.receive().await.is_some() {}
    println!("closed {}", peer.closed().unwrap_or_default());
    let mut peer = Peer::resuming(server, Identity::guest(), &peer).await;
    println!("resumed {}", peer.welcome["resumed"]);
    while peer.receive().await.is_some() {}
}

/// The rest of the line that begins so.
async fn heard(said: &mut Receiver<String>, beginning: &str) -> String {
    soon(beginning, async {
        loop {
            let line = said.recv().await.expect("the child ended");
            if let Some(rest) = line.strip_prefix(beginning) {
                return rest.to_owned();
            }
        }
    })
    .await
}

/// A process that ends with its test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A disk of one megabyte, gone with this.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn mount(at: &'a Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(at).stderr(Stdio::null()).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(at))
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        // Lazily: the server may not have let go of it yet.
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}
