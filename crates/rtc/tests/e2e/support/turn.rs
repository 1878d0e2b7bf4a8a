//! A real TURN server (coturn) on the loopback.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use aws_lc_rs::hmac;
use data_encoding::BASE64;
use tempfile::TempDir;
use wigwag_rtc::IceServer;

const SECRET: &str = "not a secret";

/// A coturn of this test.
pub struct Turn {
    child: Child,
    pub port: u16,
    pub tls_port: u16,
    /// Its certificate, which signs itself.
    pub root: Vec<u8>,
    _folder: TempDir,
}

impl Turn {
    /// Starts it and waits until it listens; None if there is none on this machine.
    pub async fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let file = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(file("cert.pem"), certified.cert.pem()).unwrap();
        std::fs::write(file("key.pem"), certified.signing_key.serialize_pem()).unwrap();
        let (port, tls_port) = (free_port(), free_port());
        let mut command = Command::new("turnserver");
        command.args(["-n", "--use-auth-secret", "--realm=wigwag.test", "--no-dtls", "--no-cli"]);
        command.args(["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--allow-loopback-peers"]);
        command.arg(format!("--static-auth-secret={SECRET}"));
        command.arg(format!("--listening-port={port}")).arg(format!("--tls-listening-port={tls_port}"));
        command.arg(format!("--cert={}", file("cert.pem"))).arg(format!("--pkey={}", file("key.pem")));
        command.arg(format!("--userdb={}", file("users"))).arg(format!("--pidfile={}", file("pid")));
        command.args(["--log-file=stdout", "--simple-log"]).current_dir(folder.path());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let mut turn = Self { child, port, tls_port, root: certified.cert.pem().into_bytes(), _folder: folder };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() || TcpStream::connect(("127.0.0.1", tls_port)).is_err() {
            assert_eq!(turn.child.try_wait().unwrap(), None, "coturn ended");
            assert!(Instant::now() < deadline, "coturn does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(turn)
    }

    /// It as a signaling server names it, over `udp`, `tcp` or `tls`, with credentials that last for an hour.
    pub fn server(&self, transport: &str) -> IceServer {
        let url = match transport {
            "tls" => format!("turns:localhost:{}", self.tls_port),
            transport => format!("turn:127.0.0.1:{}?transport={transport}", self.port),
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let username = format!("{}:ann", now + 3600);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET.as_bytes());
        let credential = BASE64.encode(hmac::sign(&key, username.as_bytes()).as_ref());
        IceServer {
            urls: vec![format!("stun:127.0.0.1:{}", self.port), url],
            username: Some(username),
            credential: Some(credential),
        }
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
