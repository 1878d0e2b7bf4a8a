//! Measures what a server costs per message and per idle socket, against the cheapest relay that can be written.
//! It never judges whether a server is right, only what it takes; tests do the other part.
//! It talks to servers over sockets like any peer, and shares no code with them.
#![allow(clippy::print_stdout, reason = "a command-line tool talks to its terminal")]

#[cfg(target_os = "linux")]
mod cli;
#[cfg(target_os = "linux")]
mod compare;
#[cfg(target_os = "linux")]
mod frames;
#[cfg(target_os = "linux")]
mod load;
#[cfg(target_os = "linux")]
mod peer;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod relay;
#[cfg(target_os = "linux")]
mod tongue;

#[cfg(target_os = "linux")]
fn main() -> anyhow::Result<()> {
    cli::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> anyhow::Result<()> {
    anyhow::bail!("the bench reads /proc and polls with epoll, so it runs on Linux only")
}
