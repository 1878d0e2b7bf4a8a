//! The servers that are compared, each in a process of its own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use wigwag_load::{Crowd, Target, Tongue};

use crate::process::{cpu_ns, pin, resident_bytes};

/// A server, and what is spoken to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    Bare,
    Gather,
    Usual,
    Node,
    Guest,
    Keyed,
    PeerJs,
    Tls,
}

impl Subject {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare relay",
            Self::Gather => "bare relay that gathers",
            Self::Usual => "tokio and tungstenite, by hand",
            Self::Node => "peerjs-server (Node)",
            Self::Guest => "wigwag, guests",
            Self::Keyed => "wigwag, peers with keys",
            Self::PeerJs => "wigwag, PeerJS clients",
            Self::Tls => "wigwag, peers with keys over TLS",
        }
    }

    fn tongue(self) -> Tongue {
        match self {
            Self::Bare | Self::Gather | Self::Usual => Tongue::Bare,
            Self::Node | Self::PeerJs => Tongue::PeerJs,
            Self::Guest => Tongue::Guest,
            Self::Keyed | Self::Tls => Tongue::Keyed,
        }
    }
}

/// Everything that servers are started from.
pub(crate) struct Stage {
    wigwag: PathBuf,
    own: PathBuf,
    /// The folder of `peer.mjs` with its packages, or why there is none.
    node: Result<PathBuf, String>,
    scratch: TempDir,
    /// Processors of the server and of the load.
    pub(crate) cores: [Vec<usize>; 2],
}

/// What differs from the defaults: limits that a load from few addresses on few sockets would meet are raised, and none is off.
const WIGWAG: &[&str] = &[
    "--data",
    ":memory:",
    "--log",
    "error",
    "--set",
    "limits.frames_per_second=10000000",
    "--set",
    "limits.frames_burst=10000000",
    "--set",
    "limits.handshakes=100000",
    "--set",
    "limits.rooms_per_session=100",
    "--set",
    "ice.stun=",
];

impl Stage {
    pub(crate) fn new(wigwag: &Path, node: Result<PathBuf, String>) -> Result<Self> {
        let scratch = tempfile::tempdir()?;
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        std::fs::write(scratch.path().join("cert.pem"), certified.cert.pem())?;
        std::fs::write(scratch.path().join("key.pem"), certified.signing_key.serialize_pem())?;
        let all = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let cores = if all > 1 { [vec![0], vec![1]] } else { [vec![0], vec![0]] };
        let wigwag = std::path::absolute(wigwag)?;
        if !wigwag.exists() {
            bail!("there is no {}", wigwag.display());
        }
        Ok(Self { wigwag, own: std::env::current_exe()?, node, scratch, cores })
    }

    /// Why a server cannot be compared here.
    pub(crate) fn missing(&self, subject: Subject) -> Option<&str> {
        match (&self.node, subject) {
            (Err(why), Subject::Node) => Some(why),
            _ => None,
        }
    }

    /// Starts a server on its own core; this thread, and what it starts, stays on the other.
    pub(crate) fn start(&self, subject: Subject) -> Result<Server> {
        self.start_on(subject, &self.cores[0], &self.cores[1], &[])
    }

    /// The same on these cores, started by another command, if one is given.
    pub(crate) fn start_on(
        &self,
        subject: Subject,
        cores: &[usize],
        others: &[usize],
        by: &[String],
    ) -> Result<Server> {
        // The port is free now, and nobody else here asks for one.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let line = self.command_line(subject, address)?;
        let mut words = by.iter().cloned().chain(line);
        let mut command = Command::new(words.next().context("no command")?);
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null());
        pin(cores);
        let started = command.spawn();
        pin(others);
        let process = started.with_context(|| format!("cannot start {}", subject.name()))?;
        let mut target = Target::plain(address);
        if subject == Subject::Tls {
            target = target.with_tls();
        }
        let mut server = Server { process, target, tongue: subject.tongue() };
        let start = Instant::now();
        while let Err(why) = server.try_out() {
            if let Some(status) = server.process.try_wait()? {
                bail!("{} ended with {status}", subject.name());
            }
            if start.elapsed() > Duration::from_secs(20) {
                return Err(why.context(format!("{} lets nobody in", subject.name())));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    fn command_line(&self, subject: Subject, address: SocketAddr) -> Result<Vec<String>> {
        let own = |words: &[&str]| -> Vec<String> {
            let program = self.own.display().to_string();
            let words = words.iter().map(|word| (*word).to_owned());
            [program].into_iter().chain(words).chain(["--listen".to_owned(), address.to_string()]).collect()
        };
        Ok(match subject {
            Subject::Bare => own(&["relay"]),
            Subject::Gather => own(&["relay", "--gather"]),
            Subject::Usual => own(&["usual"]),
            Subject::Node => {
                let folder = self.node.as_ref().map_err(|why| anyhow::anyhow!("{why}"))?;
                vec!["node".to_owned(), folder.join("peer.mjs").display().to_string(), address.port().to_string()]
            }
            Subject::Guest | Subject::Keyed | Subject::PeerJs | Subject::Tls => {
                let mut line = vec![self.wigwag.display().to_string()];
                line.extend(WIGWAG.iter().map(|word| (*word).to_owned()));
                line.extend(["--listen".to_owned(), address.to_string()]);
                if subject == Subject::Tls {
                    for (option, file) in [("--tls-cert", "cert.pem"), ("--tls-key", "key.pem")] {
                        line.extend([option.to_owned(), self.scratch.path().join(file).display().to_string()]);
                    }
                }
                line
            }
        })
    }
}

/// A server that runs, until it is dropped.
pub(crate) struct Server {
    process: Child,
    target: Target,
    tongue: Tongue,
}

impl Server {
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn crowd(&self) -> Result<Crowd> {
        Crowd::new(self.target.clone(), self.tongue)
    }

    /// Whether it takes peers.
    fn try_out(&self) -> Result<()> {
        if self.tongue == Tongue::Bare {
            // Who registers a number there must not do it twice.
            TcpStream::connect(self.target.address)?;
            return Ok(());
        }
        self.crowd()?.open(1, 1)
    }

    /// Resident bytes.
    pub(crate) fn resident(&self) -> Result<f64> {
        Ok(resident_bytes(self.pid())? as f64)
    }

    /// Does something, and says how many microseconds the server worked meanwhile.
    pub(crate) fn worked<T>(&self, does: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
        let before = self.cpu_us()?;
        let done = does()?;
        Ok((self.cpu_us()? - before, done))
    }

    /// Microseconds that it worked so far.
    pub(crate) fn cpu_us(&self) -> Result<f64> {
        Ok(cpu_ns(self.pid())? as f64 / 1_000.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing left to do.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
