//! Measures what a server costs per message, per socket and per member told, against the cheapest relay that can be written,
//! against what people write by hand, and against the server that PeerJS clients usually meet.
//!
//! It never judges whether a server is right, only what it takes; tests do the other part. It talks to servers over sockets like any
//! peer, with the load of `wigwag-load`, and writes what it found as a page.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks to its terminal")]

#[cfg(target_os = "linux")]
mod book;
#[cfg(target_os = "linux")]
mod capacity;
#[cfg(target_os = "linux")]
mod cli;
#[cfg(target_os = "linux")]
mod figures;
#[cfg(target_os = "linux")]
mod goals;
#[cfg(target_os = "linux")]
mod page;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod relay;
#[cfg(target_os = "linux")]
mod server;
#[cfg(target_os = "linux")]
mod sizes;
#[cfg(target_os = "linux")]
mod usual;

#[cfg(target_os = "linux")]
fn main() -> anyhow::Result<()> {
    cli::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("the bench reads /proc and polls with epoll, so it runs on Linux only");
    std::process::exit(1);
}
