//! Browsers behind every kind of network, in namespaces that the tests make: `tests/networks`. Only Linux has those, and only root may make them.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::house::{House, output, run, run_lines};
use crate::tally::Tally;

/// Why a step was not run here, where that is no fault of the change.
#[derive(Debug)]
pub(crate) struct Skip(String);

impl Skip {
    pub(crate) fn new(why: String) -> Self {
        Self(why)
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}

/// Runs them all, or says what is missing.
pub(crate) fn check(house: &House, tally: &mut Tally) -> Result<()> {
    if let Some(lack) = lack(house) {
        bail!(Skip(lack));
    }
    house.build()?;
    let folder = house.root().join("tests/networks");
    run(house.command("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder))
        .context("Node 20 or newer with npm is needed")?;
    let mut tests = house.command("npm");
    tests.args(["run", "--silent", "test"]).current_dir(&folder).env("WIGWAG_BIN", house.built("wigwag"));
    tests.env("NETWORK_PEER", house.built("examples/network-peer"));
    if run_lines(&mut tests, |line| tally.read(line))? { Ok(()) } else { bail!("not every network was mastered") }
}

fn lack(house: &House) -> Option<String> {
    if !cfg!(target_os = "linux") {
        return Some("there are no network namespaces: this needs Linux".into());
    }
    let missing: Vec<_> =
        PROGRAMS.iter().filter(|(program, _)| !is_there(program)).map(|(_, package)| *package).collect();
    if !missing.is_empty() {
        return Some(format!("these are missing (names as in Debian): {}", missing.join(" ")));
    }
    // Root is not enough in many containers, so it is tried.
    let name = format!("wigwag{}-try", std::process::id());
    let tried = output(house.command("ip").args(["netns", "add", &name]));
    if Path::new("/run/netns").join(&name).exists() {
        output(house.command("ip").args(["netns", "delete", &name])).ok();
    }
    tried.is_err().then(|| "no network namespace can be made: this needs root".into())
}

/// Whether a program can be started by its name.
pub(crate) fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

const PROGRAMS: &[(&str, &str)] = &[
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("openssl", "openssl"),
    ("python3", "python3"),
    ("turnserver", "coturn"),
    ("chromium", "chromium"),
    ("firefox-esr", "firefox-esr"),
];
