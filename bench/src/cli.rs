//! The command line.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::compare::{self, Figures};
use crate::load::Plan;
use crate::relay;
use crate::tongue::Tongue;

pub(crate) fn main() -> Result<()> {
    match Cli::parse().task {
        Task::Relay { listen, gather } => relay::run(&TcpListener::bind(listen)?, gather),
        Task::Load { server, pid, tongue, plan } => {
            let figures = compare::measure(server, pid, tongue, &plan)?;
            println!("{}\n{}", Figures::HEAD, figures.row("this server", None));
            Ok(())
        }
        Task::Compare { wigwag, plan } => compare::run(wigwag.as_deref(), &plan),
    }
}

#[derive(Parser)]
#[command(name = "wigwag-bench", about = "What a server costs, against the cheapest relay that can be written")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Be the cheapest relay, until killed
    Relay {
        /// Where to listen
        #[arg(long, default_value = "127.0.0.1:9002")]
        listen: SocketAddr,
        /// Write once per socket and wake-up, not once per message
        #[arg(long)]
        gather: bool,
    },
    /// Load a server that runs already, and say what it cost
    Load {
        /// Where it listens
        #[arg(long)]
        server: SocketAddr,
        /// Its process
        #[arg(long)]
        pid: u32,
        /// What it speaks
        #[arg(long, value_enum, default_value_t = Tongue::Native)]
        tongue: Tongue,
        #[command(flatten)]
        plan: Plan,
    },
    /// Start the bare relays, and wigwag if it is given, one after the other, and compare what they cost
    Compare {
        /// The server's program, built for release
        #[arg(long)]
        wigwag: Option<PathBuf>,
        #[command(flatten)]
        plan: Plan,
    },
}
