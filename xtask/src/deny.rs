//! Dependencies: `cargo deny` over `deny.toml`, and the one rule it cannot say, that the whole tree
//! under a pure crate is free of runtimes, sockets and ambient randomness.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::house::{House, output, run};

/// Runs both checks.
pub(crate) fn check(house: &House) -> Result<()> {
    let program = cargo_deny(house)?;
    let mut deny = house.command(program);
    run(deny.args(["--locked", "check", "bans", "licenses", "sources"]))?;
    for package in PURE {
        let mut tree = house.cargo(["tree", "--locked", "--package", package, "--edges", "normal"]);
        tree.args(["--prefix", "none", "--format", "{p}", "--target", "all"]);
        let tree = output(&mut tree)?;
        let intruders = intruders(&tree);
        if !intruders.is_empty() {
            bail!("{package} is pure, yet its tree has {}", intruders.join(", "));
        }
        println!("{package}: no runtime, no socket, no ambient randomness in its tree");
    }
    Ok(())
}

/// The crates that run anywhere, given a time and a source of randomness.
pub(crate) const PURE: &[&str] =
    &["wigwag-wire", "wigwag-hub", "wigwag-peer", "wigwag-dialects", "wigwag-discovery", "wigwag-files"];

/// What a pure crate may not reach, however indirectly.
const IMPURE: &[&str] = &[
    "async-std",
    "aws-lc-rs",
    "axum",
    "futures-executor",
    "getrandom",
    "hyper",
    "mio",
    "polling",
    "rusqlite",
    "rustls",
    "signal-hook-registry",
    "smol",
    "socket2",
    "tokio",
    "tracing",
];

/// Built once per clone, unoptimised: it runs for two seconds and builds in one minute.
const CARGO_DENY: &str = "0.20.2";

fn cargo_deny(house: &House) -> Result<PathBuf> {
    let tools = house.scratch("tools").join(format!("cargo-deny-{CARGO_DENY}"));
    let program = tools.join("bin").join("cargo-deny");
    if !program.exists() {
        println!("building cargo-deny {CARGO_DENY}, which takes a minute or two");
        let mut install = house.cargo(["install", "--quiet", "cargo-deny", "--version", CARGO_DENY]);
        install
            .args(["--locked", "--debug", "--no-track", "--root"])
            .arg(&tools)
            .env("CARGO_TARGET_DIR", tools.join("build"))
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("CARGO_INCREMENTAL", "0");
        run(&mut install)?;
        std::fs::remove_dir_all(tools.join("build"))?;
    }
    Ok(program)
}

fn intruders(tree: &str) -> Vec<&str> {
    let mut found: Vec<&str> =
        tree.lines().filter_map(|line| line.split_whitespace().next()).filter(|name| IMPURE.contains(name)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_anywhere_in_the_tree_is_found_once() {
        let tree = "wigwag-hub v0.1.0 (/somewhere)\nbytes v1.12.0\ntokio v1.54.0\ntokio v1.54.0 (*)\n";
        assert_eq!(intruders(tree), ["tokio"]);
    }

    #[test]
    fn a_name_that_only_resembles_one_is_left_alone() {
        assert!(intruders("tokio-free v1.0.0\ntracing-like v1.0.0\n").is_empty());
    }
}
