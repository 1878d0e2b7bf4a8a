//! The server's hot paths one at a time, each as often as it takes to tell what one of them costs, for `cargo xtask counts`
//! to count their instructions.
//!
//! It runs the real decoder, hub, dialects and outboxes, without sockets, threads or a clock, so that every run is the same.
//! What the kernel, tokio and the locks of the socket layer cost is not in it: `wigwag-bench` measures that.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks to its terminal")]

#[path = "../../../crates/server/src/net/frame.rs"]
#[allow(dead_code, unreachable_pub, reason = "a file of the server, of which a part is used here")]
mod frame;
#[path = "../../../crates/server/src/net/outbox.rs"]
#[allow(dead_code, unreachable_pub, reason = "a file of the server, of which a part is used here")]
mod outbox;
mod paths;
mod world;

use std::process::ExitCode;

use anyhow::{Context, Result};

use paths::PATHS;

/// Without a word it tells the names of the paths and how often each is gone; with a name it goes that one.
fn main() -> ExitCode {
    match std::env::args().nth(1).map_or_else(list, |name| go(&name)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why:#}");
            ExitCode::FAILURE
        }
    }
}

fn list() -> Result<()> {
    for path in PATHS {
        println!("{} {} {}", path.name, path.times, path.about);
    }
    Ok(())
}

fn go(name: &str) -> Result<()> {
    let path = PATHS.iter().find(|path| path.name == name).with_context(|| format!("no path is called {name}"))?;
    // The first time pays for what is kept from then on.
    let mut walk = (path.prepare)(path.times + WARM)?;
    for _ in 0..WARM {
        walk()?;
    }
    counted_work(path.times, &mut *walk)
}

const WARM: usize = 4;

/// What is counted begins and ends with this function, which `cargo xtask counts` knows by its name.
#[inline(never)]
fn counted_work(times: usize, walk: &mut dyn FnMut() -> Result<()>) -> Result<()> {
    for _ in 0..times {
        walk()?;
    }
    Ok(())
}
