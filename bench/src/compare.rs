//! Several servers, one after the other, under the same load.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::load::{Load, Plan, Ran, Rhythm};
use crate::process::{cpu_ns, pin, resident_bytes};
use crate::tongue::Tongue;

/// Measures the bare relays, and `wigwag` if it is given, and prints a table.
pub(crate) fn run(wigwag: Option<&Path>, plan: &Plan) -> Result<()> {
    println!("{}", Figures::HEAD);
    let own = std::env::current_exe()?;
    let bare = Server::start(Command::new(&own).arg("relay"))?.measure(Tongue::Bare, plan)?;
    println!("{}", bare.row("bare relay", None));
    let gathering = Server::start(Command::new(&own).args(["relay", "--gather"]))?.measure(Tongue::Bare, plan)?;
    println!("{}", gathering.row("bare relay that gathers", Some((&bare, &gathering))));
    if let Some(program) = wigwag {
        let figures = Server::start(Command::new(program).args(WIGWAG))?.measure(Tongue::Native, plan)?;
        println!("{}", figures.row("wigwag", Some((&bare, &gathering))));
    }
    Ok(())
}

/// Measures the server that listens there.
pub(crate) fn measure(server: SocketAddr, pid: u32, tongue: Tongue, plan: &Plan) -> Result<Figures> {
    let before = resident_bytes(pid)?;
    let mut load = Load::connect(server, tongue, plan.sockets)?;
    let idle_bytes = resident_bytes(pid)?.saturating_sub(before) as f64 / plan.sockets as f64;
    let mut cost = |rhythm| -> Result<(f64, Ran)> {
        let before = cpu_ns(pid)?;
        let ran = load.run(plan, rhythm)?;
        let used = cpu_ns(pid)?.saturating_sub(before);
        Ok((used as f64 / 1_000.0 / ran.messages as f64, ran))
    };
    // The first run finds everything cold and is not counted.
    cost(Rhythm::Sparse)?;
    let (sparse_us, ran) = cost(Rhythm::Sparse)?;
    let (burst_us, _) = cost(Rhythm::Burst)?;
    let latency_us = |part: f64| {
        let at = ((ran.latencies.len() as f64 * part) as usize).min(ran.latencies.len().saturating_sub(1));
        ran.latencies.get(at).map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
    };
    Ok(Figures { idle_bytes, sparse_us, burst_us, median_us: latency_us(0.5), worst_us: latency_us(0.999) })
}

/// What one server cost.
pub(crate) struct Figures {
    idle_bytes: f64,
    sparse_us: f64,
    burst_us: f64,
    median_us: f64,
    worst_us: f64,
}

impl Figures {
    /// The head of the table that rows belong to.
    pub(crate) const HEAD: &str = "| server | bytes per idle socket | µs/message sparse | µs/message burst | latency µs p50 | p99.9 |\n\
                                   | --- | --- | --- | --- | --- | --- |";

    /// One row; with ratios of the sparse cost to the first and of the burst's to the second of `to`.
    pub(crate) fn row(&self, name: &str, to: Option<(&Self, &Self)>) -> String {
        let ratio = |mine: f64, theirs: fn(&(&Self, &Self)) -> f64| {
            to.as_ref().map_or(String::new(), |to| format!(" (× {:.2})", mine / theirs(to)))
        };
        format!(
            "| {name} | {:.0} | {:.2}{} | {:.2}{} | {:.0} | {:.0} |",
            self.idle_bytes,
            self.sparse_us,
            ratio(self.sparse_us, |to| to.0.sparse_us),
            self.burst_us,
            ratio(self.burst_us, |to| to.1.burst_us),
            self.median_us,
            self.worst_us,
        )
    }
}

/// The limits that a load from one address on one socket would meet, off; everything else as it is by default.
const WIGWAG: &[&str] = &["--data", ":memory:", "--log", "warn", "--set", "limits.frames_per_second=0"];

/// A server on the first processor; this process stays on the second.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start(command: &mut Command) -> Result<Self> {
        // The port is free now, and nobody else here asks for one.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        pin(0);
        let started = command.args(["--listen", &address.to_string()]).stdout(Stdio::null()).spawn();
        pin(1);
        let mut server = Self { process: started.context("cannot start the server")?, address };
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = server.process.try_wait()? {
                bail!("the server ended with {status}");
            }
            if start.elapsed() > Duration::from_secs(20) {
                bail!("the server does not listen");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    fn measure(&self, tongue: Tongue, plan: &Plan) -> Result<Figures> {
        measure(self.address, self.process.id(), tongue, plan)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing left to do.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
