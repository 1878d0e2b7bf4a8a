//! `wigwag load` burdens this machine's server, tells how it went, and goes nowhere else unless it is told twice.

use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::support::Wigwag;
use crate::support::server::{BINARY, clean};

#[tokio::test]
async fn calls_are_set_up_and_told_in_numbers() {
    let server = Wigwag::new().start().await;
    let at = server.address.to_string();
    for more in [
        &["-n", "8", "-r", "20"][..],
        &["-n", "8", "-r", "20", "--guests"],
        &["-n", "8", "-r", "20", "--burst"],
        &["--at-once", "2", "-n", "40"],
    ] {
        let said = load(&[&[at.as_str(), "--json", "--idle", "5", "-s", "0.5"], more].concat()).await;
        let told: Value = serde_json::from_slice(&said.stdout).unwrap();
        // As fast as it can is faster than the limits let anybody be.
        let limited = more.contains(&"--at-once");
        assert!(limited || said.status.code() == Some(0), "{told}");
        assert_eq!(told["sockets"], if limited { 45 } else { 13 });
        assert!(told["calls"].as_u64().unwrap() >= 1, "{told}");
        if !limited {
            assert_eq!((&told["calls_failed"], &told["sockets_lost"]), (&0.into(), &0.into()));
            assert_eq!(told["messages"].as_u64().unwrap(), 22 * told["calls"].as_u64().unwrap());
        }
    }
    server.counts("wigwag_sockets", 0.0).await;
}

#[tokio::test]
async fn people_read_a_table_and_what_went_wrong_below_it() {
    let server = Wigwag::new().limit("frames_per_second", 5).limit("frames_burst", 12).start().await;
    let said = load(&[&server.address.to_string(), "-n", "2", "-r", "4", "-s", "1"]).await;
    let text = String::from_utf8_lossy(&said.stdout);
    assert_eq!(said.status.code(), Some(1), "{text}");
    assert!(text.contains("\nsockets   2 registered"), "{text}");
    assert!(text.contains("were refused with 4100") && text.contains("limits.frames_per_second"), "{text}");
    assert!(!text.contains('\x1b') && said.stderr.is_empty(), "{said:?}");
}

#[tokio::test]
async fn another_machine_is_not_loaded_by_mistake() {
    // An address that is set aside for examples: nothing is sent there, and nobody is there.
    for words in [&[][..], &["--remote"], &["--remote", "--i-answer-for", "192.0.2.7"]] {
        let said = load(&[&["ws://192.0.2.1:9"], words].concat()).await;
        assert_eq!(said.status.code(), Some(77), "{said:?}");
    }
    let said = load(&["ws://192.0.2.1:9"]).await;
    assert!(String::from_utf8_lossy(&said.stderr).contains("add --remote --i-answer-for 192.0.2.1"), "{said:?}");
}

#[tokio::test]
async fn a_server_that_lets_too_few_in_says_why() {
    let server = Wigwag::new().limit("sockets", 3).start().await;
    let said = load(&[&server.address.to_string(), "-n", "8"]).await;
    assert_eq!(said.status.code(), Some(69), "{said:?}");
    assert!(String::from_utf8_lossy(&said.stderr).contains("of 8 sockets are registered; then"), "{said:?}");
}

async fn load(args: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    clean(&mut command);
    command.arg("load").args(args).stdin(Stdio::null());
    spawn_blocking(move || command.output().unwrap()).await.unwrap()
}
