//! The browser SDK: its types, and its tests against the vectors and against the server's own binary.

use anyhow::{Context, Result, bail};

use crate::house::{House, run, run_lines};
use crate::tally::Tally;

const FOLDER: &str = "sdk/web";

/// Installs the tools that the lock file names, checks the types and runs the tests.
pub(crate) fn check(house: &House, tally: &mut Tally) -> Result<()> {
    let folder = house.root().join(FOLDER);
    run(house.command("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder))
        .context("Node 20 or newer with npm is needed")?;
    run(house.command("npm").args(["run", "--silent", "check"]).current_dir(&folder))?;
    house.build()?;
    let mut tests = house.command("npm");
    tests.args(["run", "--silent", "test"]).current_dir(&folder).env("WIGWAG_BIN", house.built("wigwag"));
    if run_lines(&mut tests, |line| tally.read(line))? { Ok(()) } else { bail!("tests of the SDK failed") }
}
