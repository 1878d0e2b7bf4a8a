//! The native client's examples, each in processes of its own over the running server.

use std::path::PathBuf;
use std::process::Command;

use crate::support::{Server, Wigwag};
use crate::tool::Running;

#[tokio::test]
async fn a_game_goes_on_when_its_host_is_killed() {
    // Whoever is killed is gone at once, instead of after two minutes.
    let server = Wigwag::new().set("presence.away_after_ms", "0").set("presence.gone_after_ms", "0").start().await;
    let mut host = example(&server, "game", &["nim"]);
    assert!(host.said().await.ends_with(", the host"));
    assert_eq!(host.said().await, "21 matches, 1 players, your turn");
    let mut second = example(&server, "game", &["nim"]);
    let seconds = second.said().await.replace("I am ", "");
    for player in [&mut host, &mut second] {
        player.until("21 matches, 2 players").await;
    }
    let mut third = example(&server, "game", &["nim"]);
    let thirds = third.said().await.replace("I am ", "");
    for player in [&mut host, &mut second] {
        player.until("21 matches, 3 players").await;
    }
    host.types("3\n");
    third.until(&format!("18 matches, 3 players, {seconds}")).await;
    second.until("18 matches, 3 players, your turn").await;

    host.kill();

    second.until("I am the host now").await;
    second.until("18 matches, 2 players, your turn").await;
    third.until(&format!("18 matches, 2 players, {seconds}")).await;
    third.types("2\n");
    second.types("2\n");
    third.until("16 matches, 2 players, your turn").await;
    third.types("2\n");
    second.until("14 matches, 2 players, your turn").await;
    assert_ne!(seconds, thirds);
}

#[tokio::test]
async fn friends_in_a_chat_hear_each_other_and_see_each_other_go() {
    let server = Wigwag::new().set("ice.stun", "").start().await;
    let mut ann = example(&server, "chat", &["den"]);
    let anns = ann.said().await.replace("I am ", "");
    let mut bob = example(&server, "chat", &["den"]);
    let bobs = bob.said().await.replace("I am ", "");
    ann.until(&format!("{bobs} is here")).await;
    bob.until(&format!("{anns} is here")).await;
    let mut eve = example(&server, "chat", &["den"]);
    eve.until(&format!("{bobs} is here")).await;
    for friend in [&mut ann, &mut bob] {
        friend.until("is here").await;
    }
    eve.types("hello\n");
    ann.until(": hello").await;
    bob.until(": hello").await;
    bob.run("").await;
    ann.until(&format!("{bobs} went")).await;
}

#[tokio::test]
async fn what_is_dropped_arrives_in_the_folder_of_the_one_who_waits() {
    let server = Wigwag::new().set("ice.stun", "").start().await;
    let (inbox, outbox) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let note = outbox.path().join("note.txt");
    std::fs::write(&note, "to be dropped").unwrap();
    let mut waiting = example(&server, "drop", &["into", inbox.path().to_str().unwrap()]);
    let id = waiting.said().await.replace("I am ", "");
    let sent = example(&server, "drop", &["to", &id, note.to_str().unwrap()]).run("").await;
    assert_eq!((sent.code, sent.out.trim()), (0, "13 bytes are there"), "{}", sent.err);
    waiting.until("it is whole").await;
    assert_eq!(std::fs::read_to_string(inbox.path().join("note.txt")).unwrap(), "to be dropped");
}

/// Runs one of `crates/client/examples`.
fn example(server: &Server, name: &str, args: &[&str]) -> Running {
    Running::start(Command::new(built(name)).arg(server.address.to_string()).args(args))
}

/// Cargo puts examples beside the folder of the test that runs.
fn built(name: &str) -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let path = path.join("examples").join(name);
    assert!(path.exists(), "there is no {}: cargo build --workspace --examples", path.display());
    path
}
