//! Client libraries of others, unchanged, against the real server: those of the browser in real browsers, matchbox's
//! with native sockets. And browsers themselves, opposite the native engine. All are packages of their own under `tests/`,
//! with everything they need pinned in their locks.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::house::{House, run, run_lines};
use crate::tally::Tally;

/// Runs the libraries for browsers in Chromium and Firefox.
pub(crate) fn browsers(house: &House, tally: &mut Tally) -> Result<()> {
    house.build()?;
    let folder = house.root().join("tests/clients");
    let mut install = house.command("npm");
    run(install.arg("ci").current_dir(&folder)).context("npm is needed (Debian: apt install npm)")?;
    let mut tests = house.command("node");
    tests
        .args(["--test", "--test-concurrency=2", "--test-timeout=300000", "--test-reporter=spec"])
        .current_dir(&folder);
    finish(house, &mut tests, tally)
}

/// Runs matchbox's native sockets, unchanged and with our signaller.
pub(crate) fn matchbox(house: &House, tally: &mut Tally) -> Result<()> {
    house.build()?;
    let mut tests = house.cargo(["test", "--workspace", "--locked", "--manifest-path", "tests/matchbox/Cargo.toml"]);
    tests.env("CARGO_TARGET_DIR", house.scratch("matchbox"));
    finish(house, &mut tests, tally)
}

/// Puts the native engine and the native client opposite Chromium and Firefox.
pub(crate) fn native(house: &House, tally: &mut Tally) -> Result<()> {
    house.build()?;
    let folder = house.root().join("tests/native");
    let mut install = house.command("npm");
    run(install.arg("ci").current_dir(&folder)).context("npm is needed (Debian: apt install npm)")?;
    let mut tests = house.command("node");
    tests
        .args(["--test", "--test-concurrency=2", "--test-timeout=300000", "--test-reporter=spec"])
        .current_dir(&folder);
    tests.env("RTC_PROBE", house.built("examples/rtc-probe")).env("WIGWAG_BIN", house.built("wigwag"));
    tests.env("EXAMPLE_PAGE", house.built("examples/page"));
    if run_lines(&mut tests, |line| tally.read(line))? {
        Ok(())
    } else {
        bail!("the native engine and browsers do not meet")
    }
}

fn finish(house: &House, tests: &mut Command, tally: &mut Tally) -> Result<()> {
    tests.env("WIGWAG_BIN", house.built("wigwag"));
    if run_lines(tests, |line| tally.read(line))? { Ok(()) } else { bail!("not everybody found us unchanged") }
}
