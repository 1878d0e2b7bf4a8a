//! What peers are told of TURN servers, tried at a real one.

use std::net::{TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::{Peer, Wigwag, skip, until};

#[tokio::test]
async fn a_real_turn_server_takes_the_credentials_of_a_welcome_and_no_others() {
    let Some(turn) = Turn::start("the shared secret").await else {
        return skip("a_real_turn_server_takes_the_credentials_of_a_welcome_and_no_others", "coturn is not installed");
    };
    for (secret, accepted) in [("the shared secret", true), ("another secret", false)] {
        let server = Wigwag::new()
            .set("ice.turn", format_args!("turn:127.0.0.1:{}", turn.port))
            .set("ice.secret", secret)
            .start()
            .await;
        let peer = Peer::guest(server.address).await;
        let given = peer.welcome["ice"].as_array().unwrap().iter().find(|ice| ice["username"].is_string()).unwrap();
        assert_eq!(given["urls"][0], format!("turn:127.0.0.1:{}", turn.port));
        let (user, credential) = (given["username"].as_str().unwrap(), given["credential"].as_str().unwrap());
        let expiry: u64 = user.split(':').next().unwrap().parse().unwrap();
        assert_eq!(peer.welcome["ice_expires"].as_u64().unwrap() / 1000, expiry);
        assert!(!user.contains(peer.id()), "the TURN server's log would hold the id");
        let (took, said) = turn.allocates(user, credential);
        assert_eq!(took, accepted, "{said}");
    }
}

/// A coturn of this test.
struct Turn {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Turn {
    /// Starts it and waits until it listens; `None` if there is none on this machine.
    async fn start(secret: &str) -> Option<Self> {
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
    fn allocates(&self, user: &str, credential: &str) -> (bool, String) {
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
