//! The bench: builds the server alone and the bench for release, fetches the Node server that is compared with, and measures.

use std::path::PathBuf;

use anyhow::Result;

use crate::generate;
use crate::house::{House, run};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Less of everything, for a first impression; the page goes to standard output
    #[arg(long)]
    quick: bool,
    /// Only this figure; may be given several times. The page goes to standard output
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// How many rounds
    #[arg(long)]
    rounds: Option<usize>,
}

/// Measures everything and writes the page, or measures a part and shows it.
pub(crate) fn measure(house: &House, args: &Args) -> Result<()> {
    run(&mut house.cargo(["build", "--release", "--package", "wigwag-server", "--no-default-features", "--locked"]))?;
    run(&mut house.cargo(["build", "--release", "--package", "wigwag-bench", "--locked"]))?;
    let mut bench = house.command(house.released("wigwag-bench"));
    bench.arg("run").arg("--wigwag").arg(house.released("wigwag"));
    match peerjs(house) {
        Ok(folder) => bench.arg("--peerjs").arg(folder),
        Err(why) => bench.arg("--no-peerjs").arg(format!("it cannot be fetched here ({why:#})")),
    };
    if args.quick {
        bench.arg("--quick");
    }
    for name in &args.only {
        bench.arg("--only").arg(name);
    }
    if let Some(rounds) = args.rounds {
        bench.arg("--rounds").arg(rounds.to_string());
    }
    if !args.quick && args.only.is_empty() {
        bench.arg("--house").arg(house.root());
    }
    run(&mut bench)?;
    if args.quick || !args.only.is_empty() {
        return Ok(());
    }
    // The page about capacity has a table of these numbers.
    generate::write(house)
}

/// Runs everything with next to nothing, in the build that the tests have.
pub(crate) fn smoke(house: &House) -> Result<()> {
    house.build()?;
    let mut bench = house.command(house.built("wigwag-bench"));
    run(bench.args(["run", "--smoke", "--wigwag"]).arg(house.built("wigwag")))
}

/// The folder with `peer.mjs` and its packages.
fn peerjs(house: &House) -> Result<PathBuf> {
    let folder = house.scratch("bench-peerjs");
    std::fs::create_dir_all(&folder)?;
    for file in ["package.json", "package-lock.json", "peer.mjs", ".npmrc"] {
        std::fs::copy(house.root().join("bench/peerjs").join(file), folder.join(file))?;
    }
    run(house.command("npm").current_dir(&folder).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]))?;
    Ok(folder)
}
