//! The real binary in a process of its own, ended with the test.

use std::fmt::Display;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use super::http::{self, Answer};
use super::until;

/// A server about to be started.
#[derive(Debug)]
pub struct Wigwag {
    command: Command,
    listens: bool,
    keeps: bool,
}

impl Wigwag {
    /// Keeps nothing and listens on a free port of this machine, unless told otherwise.
    pub fn new() -> Self {
        let mut command = Command::new(BINARY);
        command.stdin(Stdio::null());
        Self::started_by(command)
    }

    /// The same, started by another command, to which the arguments of the server are added. Its input is its own.
    pub fn started_by(mut command: Command) -> Self {
        clean(&mut command);
        Self { command, listens: false, keeps: false }
    }

    /// Is given no options but those that follow.
    pub fn alone(mut self) -> Self {
        (self.listens, self.keeps) = (true, true);
        self
    }

    pub fn data(mut self, folder: &Path) -> Self {
        self.keeps = true;
        self.command.arg("--data").arg(folder);
        self
    }

    pub fn listen(mut self, at: impl Display) -> Self {
        self.listens = true;
        self.arg("--listen").arg(at)
    }

    pub fn set(self, key: &str, value: impl Display) -> Self {
        self.arg("--set").arg(format_args!("{key}={value}"))
    }

    pub fn limit(self, key: &str, value: u64) -> Self {
        self.set(&format!("limits.{key}"), value)
    }

    pub fn arg(mut self, arg: impl Display) -> Self {
        self.command.arg(arg.to_string());
        self
    }

    pub fn env(mut self, name: &str, value: impl Display) -> Self {
        self.command.env(name, value.to_string());
        self
    }

    /// Starts it and waits until it takes peers.
    pub async fn start(self) -> Server {
        let server = self.spawn().await;
        until("the server to be ready", async || server.get("/ready").await.status == 200).await;
        server
    }

    /// Starts it and waits until it says where it listens.
    pub async fn spawn(self) -> Server {
        let mut server = self.begin();
        let mut address = None;
        until("the server to listen", async || {
            let of_all = |line: &&str| !line.contains("listening for one dialect");
            address = server.log().lines().filter(of_all).find_map(|line| address_in(line, "listening"));
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none(), "the server ended with {ended:?}:\n{}", server.log());
            address.is_some()
        })
        .await;
        server.address = address.unwrap();
        server
    }

    /// Runs it to its end, which must come by itself: its exit code and all that it said.
    pub async fn run(self) -> (Option<i32>, String) {
        let mut server = self.begin();
        let status = server.exit().await;
        until("the end of the log", async || server.log.is_whole()).await;
        (status.code(), server.log())
    }

    fn begin(mut self) -> Server {
        let command = self.finished().stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Log::read(child.stderr.take().unwrap());
        Server { child, address: (Ipv4Addr::LOCALHOST, 0).into(), log }
    }

    fn finished(&mut self) -> &mut Command {
        if !self.listens {
            self.command.args(["--listen", "127.0.0.1:0"]);
        }
        if !self.keeps {
            self.command.args(["--data", ":memory:"]);
        }
        &mut self.command
    }
}

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    log: Log,
}

impl Server {
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Asks it to stop, and waits until it has.
    pub async fn stop(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.exit().await
    }

    /// Ends it as a power cut would.
    pub async fn kill(mut self) {
        self.child.kill().unwrap();
        self.exit().await;
    }

    /// Waits for its end.
    pub async fn exit(&mut self) -> ExitStatus {
        let mut status = None;
        until("the server to end", async || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Where it listens for one dialect alone.
    pub async fn pinned(&self, dialect: &str) -> SocketAddr {
        let mark = format!("dialect=\"{dialect}\"");
        let of = |line: &str| line.contains(&mark).then(|| address_in(line, "listening for one dialect")).flatten();
        let mut address = None;
        until("the place of the dialect", async || {
            address = self.log().lines().find_map(of);
            address.is_some()
        })
        .await;
        address.unwrap()
    }

    pub async fn get(&self, path: &str) -> Answer {
        http::get(self.address, path).await
    }

    /// One number of `/metrics`, by its name and labels as they stand there.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").await.body;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
    }

    /// Waits until a number of `/metrics` is this one.
    pub async fn counts(&self, name: &str, value: f64) {
        until(&format!("{name} to be {value}"), async || self.metric(name).await == value).await;
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Waits until it has logged this.
    pub async fn logged(&self, part: &str) {
        until(&format!("{part:?} in the log"), async || self.log().contains(part)).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            // The harness shows it with the failure.
            println!("── the server's log ──\n{}", self.log.text());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a server wrote to standard error.
#[derive(Clone, Debug)]
struct Log(Arc<Mutex<(String, bool)>>);

impl Log {
    /// Reads to the end in a thread of its own, so that the server never waits for us.
    fn read(from: ChildStderr) -> Self {
        let log = Self(Arc::default());
        let kept = log.clone();
        thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                let mut kept = kept.0.lock().unwrap();
                kept.0.push_str(&line);
                kept.0.push('\n');
            }
            kept.0.lock().unwrap().1 = true;
        });
        log
    }

    fn text(&self) -> String {
        self.0.lock().unwrap().0.clone()
    }

    /// Whether nothing will come any more.
    fn is_whole(&self) -> bool {
        self.0.lock().unwrap().1
    }
}

/// The program under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_wigwag");

/// Takes out of the environment what the server would read.
pub fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let read = [
            "PORT",
            "HOST",
            "PEERSERVER_PATH",
            "RUST_LOG",
            "STATE_DIRECTORY",
            "LISTEN_FDS",
            "LISTEN_PID",
            "LISTEN_FDS_FIRST_FD",
        ];
        if text.starts_with("WIGWAG_") || read.contains(&&*text) {
            command.env_remove(name);
        }
    }
}

/// Where a line of the log says that it listens, in either format.
fn address_in(line: &str, what: &str) -> Option<SocketAddr> {
    let rest = line.split_once(what)?.1;
    let at = rest.split_once("at=").or_else(|| line.split_once("\"at\":\""))?.1;
    let end = at.find([' ', '"']).unwrap_or(at.len());
    // What listens elsewhere than on a TCP port has no address, and is asked by other means.
    Some(at[..end].parse().unwrap_or((Ipv4Addr::LOCALHOST, 0).into()))
}
