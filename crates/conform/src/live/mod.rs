//! A world that is a real server, reached over WebSocket and HTTP.
//!
//! How a connection is made is the caller's: with TLS, through a tunnel, or plainly by [`tcp`].

mod base;
mod http_client;
mod run;
mod socket;

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout, timeout_at};

pub use self::base::Base;
pub use self::http_client::ask;
pub use self::run::{Checked, Plan, Verdict, is_wigwag, reach};
use self::socket::Socket;
use crate::player::{Answer, Fault, Frame, Opened, Patience, Request, Unable, World};

/// A connection to a server.
pub trait Line: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Line for S {}

/// A connection that is being made.
pub type Dialing = Pin<Box<dyn Future<Output = io::Result<Box<dyn Line>>> + Send>>;

/// What makes connections to one server.
pub type Dial = Arc<dyn Fn() -> Dialing + Send + Sync>;

/// Connections by TCP, without TLS.
pub fn tcp(base: &Base) -> Dial {
    let (host, port) = (base.host.clone(), base.port);
    Arc::new(move || {
        let host = host.clone();
        Box::pin(async move {
            let line = TcpStream::connect((host.as_str(), port)).await?;
            // Each frame is answered before the next is written; waiting to fill a packet would only cost time.
            line.set_nodelay(true)?;
            Ok(Box::new(line) as Box<dyn Line>)
        })
    })
}

/// How long the sockets of a world that ends may take to close.
const FAREWELL: Duration = Duration::from_secs(1);
/// What has arrived already is read within this.
const GLANCE: Duration = Duration::from_millis(1);

/// A real server.
pub struct Live {
    runtime: Runtime,
    base: Base,
    dial: Dial,
    /// How long to wait for one thing.
    patience: Duration,
    /// Rings when anything came on any socket.
    bell: Arc<Notify>,
    sockets: BTreeMap<String, Socket>,
}

impl Live {
    /// The server at this URL. Each thing that is expected may take as long as `patience`.
    pub fn new(base: Base, dial: Dial, patience: Duration) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, base, dial, patience, bell: Arc::default(), sockets: BTreeMap::new() })
    }

    fn reach(&self) -> Result<(), String> {
        match self.runtime.block_on(async { timeout(self.patience, (self.dial)()).await }) {
            Ok(dialled) => dialled.map(drop).map_err(|why| why.to_string()),
            Err(_) => Err(self.too_long("connecting")),
        }
    }

    fn too_long(&self, what: &str) -> String {
        format!("{what} took longer than {} s", self.patience.as_secs_f64())
    }

    /// Waits until something came, anywhere; `false` if nothing did in time.
    fn something_comes(&self, deadline: Instant) -> bool {
        self.runtime.block_on(async { timeout_at(deadline, self.bell.notified()).await }).is_ok()
    }

    /// Looks for something until it is there, or nothing more is worth waiting for.
    fn look<T>(&mut self, patience: Patience, mut find: impl FnMut(&mut Self) -> Option<Option<T>>) -> Option<T> {
        let deadline = Instant::now() + self.patience;
        if patience == Patience::Now {
            self.runtime.block_on(async { sleep(GLANCE).await });
        }
        loop {
            if let Some(found) = find(self) {
                return found;
            }
            if patience == Patience::Now || !self.something_comes(deadline) {
                return None;
            }
        }
    }
}

impl World for Live {
    fn open(&mut self, socket: &str, at: &str) -> Result<Opened, Fault> {
        let (authority, target) = (self.base.authority(), self.base.target(at));
        let opened = self.runtime.block_on(async {
            let opening = Socket::open(&self.dial, &authority, &target, self.bell.clone());
            timeout(self.patience, opening).await
        });
        match opened.map_err(|_| self.too_long("opening it"))?? {
            Ok(opened) => {
                self.sockets.insert(socket.into(), opened);
                Ok(Opened::Yes)
            }
            Err(status) => Ok(Opened::Refused(status)),
        }
    }

    fn send(&mut self, socket: &str, frame: Frame) {
        if let Some(socket) = self.sockets.get(socket) {
            // A socket that takes nothing any more shows that in what is expected next.
            let _ = self.runtime.block_on(async { timeout(self.patience, socket.send(frame)).await });
        }
    }

    fn next(&mut self, sockets: &[&str], patience: Patience) -> Option<(usize, Frame)> {
        self.look(patience, |live| {
            let mut all_ended = true;
            for (at, name) in sockets.iter().enumerate() {
                let Some(socket) = live.sockets.get_mut(*name) else { continue };
                if let Some(frame) = socket.take() {
                    return Some(Some((at, frame)));
                }
                all_ended &= socket.end().is_some();
            }
            all_ended.then_some(None)
        })
    }

    fn closed(&mut self, socket: &str, patience: Patience) -> Option<u16> {
        self.look(patience, |live| {
            let Some(socket) = live.sockets.get_mut(socket) else { return Some(None) };
            socket.end().map(Some)
        })
    }

    fn pong(&mut self, _: &str) -> Result<bool, Unable> {
        Err(Unable("pings of a real server are answered at once".into()))
    }

    fn lose(&mut self, socket: &str) {
        if let Some(socket) = self.sockets.remove(socket) {
            // A task that a flood holds up ends with its socket below.
            let _ = self.runtime.block_on(async { timeout(FAREWELL, socket.lose()).await });
        }
    }

    fn close(&mut self, socket: &str) {
        if let Some(socket) = self.sockets.remove(socket) {
            let _ = self.runtime.block_on(async { timeout(FAREWELL, socket.close()).await });
        }
    }

    fn wait(&mut self, ms: u64) {
        self.runtime.block_on(async { sleep(Duration::from_millis(ms)).await });
    }

    fn restart(&mut self) -> Result<(), Unable> {
        Err(Unable("a server that is reached by its URL cannot be started again".into()))
    }

    fn request(&mut self, request: &Request) -> Result<Answer, Fault> {
        let asking = ask(&self.dial, &self.base, request);
        let answer = self.runtime.block_on(async { timeout(self.patience, asking).await });
        Ok(answer.map_err(|_| self.too_long("the answer"))??)
    }

    fn prove(&mut self, _: &str, _: &str, _: Value) -> Result<Value, Unable> {
        Err(Unable("there are no test keys here".into()))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // What a transcript leaves must not be met by the next one.
        let sockets = std::mem::take(&mut self.sockets);
        let closing = sockets.values().map(Socket::close);
        self.runtime.block_on(async { timeout(FAREWELL, futures_util::future::join_all(closing)).await }).ok();
    }
}
