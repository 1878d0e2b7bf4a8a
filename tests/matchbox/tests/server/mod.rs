//! The real `wigwag` in a process of its own, ended with the test.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

/// A server on a free port of this machine.
pub struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Starts it and waits until it says where it listens.
    pub fn start() -> Self {
        let mut command = Command::new(binary());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("WIGWAG_") {
                command.env_remove(name);
            }
        }
        command.args(["serve", "--listen", "127.0.0.1:0", "--data", ":memory:"]);
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("wigwag starts");
        let mut log = BufReader::new(child.stderr.take().expect("it has a log")).lines().map_while(Result::ok);
        let address = log.find_map(|line| {
            eprintln!("{line}");
            let (_, at) = line.split_once("listening at=")?;
            at.split_whitespace().next().map(str::to_owned)
        });
        // Read to the end, so that the server never waits for us.
        thread::spawn(move || log.for_each(|line| eprintln!("{line}")));
        Self { child, address: address.expect("it listens") }
    }

    /// The URL under which sockets join a room.
    #[allow(dead_code, reason = "each test file joins in its way")]
    pub fn room(&self, name: &str) -> String {
        format!("ws://{}/matchbox/{name}", self.address)
    }

    /// The URL of a room for sockets that speak the server's own protocol.
    #[allow(dead_code, reason = "each test file joins in its way")]
    pub fn native(&self, name: &str) -> String {
        format!("ws://{}/{name}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already, and then there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `WIGWAG_BIN` names, or else what cargo built last.
fn binary() -> PathBuf {
    let built = || {
        let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        let target = target.unwrap_or_else(|| [env!("CARGO_MANIFEST_DIR"), "..", "..", "target"].iter().collect());
        target.join("debug").join("wigwag")
    };
    let path = std::env::var_os("WIGWAG_BIN").map_or_else(built, PathBuf::from);
    assert!(path.exists(), "there is no {}: cargo build --bin wigwag, or set WIGWAG_BIN", path.display());
    path
}
