//! A real TURN server on this machine.

use std::net::{TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::until;

/// A coturn of this test.
pub struct Turn {
    child: Child,
    pub port: u16,
    _folder: TempDir,
}

impl Turn {
    /// Starts it and waits until it listens; `None` if there is none on this machine.
    pub async fn start(secret: &str) -> Option<Self> {
        Command::new("turnutils_uclient").arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let file = |name: &str| folder.path().join(name).display().to_string();
        let mut command = Command::new("turnserver");
        command.args(["-n", "--use-auth-secret", "--realm=wigwag.test", "--no-tls", "--no-dtls", "--no-cli"]);
        command.args(["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--allow-loopback-peers"]);
        command.arg(format!("--static-auth-secret={secret}")).arg(format!("--listening-port={port}"));
        command.arg(format!("--userdb={}", file("users"))).arg(format!("--pidfile={}", file("pid")));
        command.args(["--log-file=stdout", "--simple-log"]).current_dir(folder.path());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let mut turn = Self { child, port, _folder: folder };
        until("coturn to listen", async || {
            assert_eq!(turn.child.try_wait().unwrap(), None, "coturn ended");
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        })
        .await;
        Some(turn)
    }

    /// Whether it relays for this user, and what its own client said about that.
    pub fn allocates(&self, user: &str, credential: &str) -> (bool, String) {
        let done = Command::new("turnutils_uclient")
            .args(["-u", user, "-w", credential, "-y", "-n", "1", "-m", "1", "-p", &self.port.to_string(), "127.0.0.1"])
            .output()
            .unwrap();
        (done.status.success(), format!("{done:?}"))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
