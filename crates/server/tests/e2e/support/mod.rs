//! What the tests of this program share: the real server in its own process, clients that keep the rules, and
//! clients that break them.

pub mod foreign;
pub mod http;
pub mod peer;
pub mod raw;
pub mod server;
pub mod steady;
pub mod traffic;
pub mod turn;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

pub use self::foreign::Foreign;
pub use self::peer::{Identity, Peer};
pub use self::raw::Raw;
pub use self::server::{Server, Wigwag};
pub use self::traffic::Traffic;
pub use self::turn::Turn;

/// Every wait ends after this long, with a failure. Long, because other builds may run on the same machine.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// What must happen.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// Waits until something that only others can bring about is so.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    soon(what, async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

/// A connection from one of this machine's many loopback addresses.
pub async fn connect_from(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    // Without this a port is taken for one address only, and the many tests would run out of them.
    socket.set_reuseaddr(true).unwrap();
    socket.bind((from, 0).into()).unwrap();
    soon("a connection", socket.connect(to)).await.unwrap()
}

/// Says past the test harness, which swallows what a passing test prints, that something was not tested.
pub fn skip(test: &str, why: &str) {
    use std::io::Write;
    #[expect(clippy::explicit_write, reason = "the harness captures what the macros print")]
    writeln!(std::io::stderr(), "SKIPPED {test}: {why}").unwrap();
}
