//! Counts the instructions of the server's hot paths under valgrind and compares them with those that are written down in
//! `bench/counts.json`. Seconds differ from run to run; these numbers do not, so that a tenth more is a change of ours.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::house::{House, output, run};
use crate::networks::{Skip, is_there};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write the counts down as the ones to compare with
    #[arg(long)]
    accept: bool,
}

/// A path may cost so many per cent more before the step fails.
const TOLERATED: f64 = 10.0;

/// Counts everything, and compares or writes it down.
pub(crate) fn count(house: &House, args: &Args) -> Result<()> {
    let paths = measure(house)?;
    let accepted = if args.accept { BTreeMap::new() } else { accepted(house)? };
    let mut worse = Vec::new();
    println!("\n{:<19} {:>12} {:>12} {:>8}  what happens once", "path", "instructions", "accepted", "change");
    for path in &paths {
        let before = accepted.get(&path.name).copied();
        let change = before.map(|before| (path.instructions as f64 / before as f64 - 1.0) * 100.0);
        println!(
            "{:<19} {:>12} {:>12} {:>8}  {}",
            path.name,
            path.instructions,
            before.map_or_else(|| "–".to_owned(), |before| before.to_string()),
            change.map_or_else(String::new, |change| format!("{change:+.1} %")),
            path.about
        );
        if before.is_none() && !args.accept {
            worse.push(format!("{} is not written down yet", path.name));
        }
        if let (Some(before), Some(change)) = (before, change)
            && change > TOLERATED
        {
            worse.push(format!(
                "{} takes {} instructions instead of {before}, {change:.1} % more",
                path.name, path.instructions
            ));
        }
    }
    if args.accept {
        let all: BTreeMap<&str, u64> = paths.iter().map(|path| (path.name.as_str(), path.instructions)).collect();
        std::fs::write(file(house), serde_json::to_string_pretty(&all)? + "\n")?;
        println!("\nwrote {FILE}");
        return Ok(());
    }
    if !worse.is_empty() {
        bail!(
            "{}.\nFind out why (bench/README.md says how). If it is worth its price, `cargo xtask counts --accept` writes the \
             new counts to {FILE}, and the commit says why",
            worse.join(";\n")
        );
    }
    Ok(())
}

/// The step of `cargo xtask check`.
pub(crate) fn check(house: &House) -> Result<()> {
    count(house, &Args { accept: false })
}

const FILE: &str = "bench/counts.json";

/// One path through the server.
struct Counted {
    name: String,
    about: String,
    /// How many one of it takes.
    instructions: u64,
}

fn measure(house: &House) -> Result<Vec<Counted>> {
    if let Some(lack) = lack() {
        bail!(Skip::new(lack));
    }
    run(&mut house.cargo(["build", "--release", "--package", "wigwag-counts", "--locked"]))?;
    let program = house.released("wigwag-counts");
    let scratch = house.scratch("counts");
    std::fs::create_dir_all(&scratch)?;
    let list = output(&mut house.command(&program))?;
    list.lines().map(|line| counted(house, &program, &scratch, line)).collect()
}

/// Counts one path, of which the program said its name, how often it is gone and what it is.
fn counted(house: &House, program: &Path, scratch: &Path, line: &str) -> Result<Counted> {
    let mut words = line.splitn(3, ' ');
    let (name, times, about) = (words.next(), words.next(), words.next());
    let (name, about) = (name.context("no name")?.to_owned(), about.context("no words")?.to_owned());
    let times: u64 = times.context("no number")?.parse()?;
    let file = scratch.join(&name);
    let mut valgrind = house.command("valgrind");
    valgrind.args(["--quiet", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*counted_work*"]);
    valgrind.arg(format!("--callgrind-out-file={}", file.display())).arg(program).arg(&name);
    // What the environment holds moves the stack, and with it what alignment costs.
    output(valgrind.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()))?;
    let told = std::fs::read_to_string(&file)?;
    let total = told.lines().find_map(|line| line.strip_prefix("totals: ")).context("callgrind told no total")?;
    let total: u64 = total.trim().parse()?;
    if total == 0 {
        bail!("nothing was counted for {name}: valgrind does not find the function that is to be counted");
    }
    Ok(Counted { name, about, instructions: total / times })
}

fn accepted(house: &House) -> Result<BTreeMap<String, u64>> {
    let text = std::fs::read_to_string(file(house)).with_context(|| format!("cannot read {FILE}"))?;
    Ok(serde_json::from_str(&text)?)
}

fn file(house: &House) -> PathBuf {
    house.root().join(FILE)
}

/// Why nothing can be counted here that could be compared.
fn lack() -> Option<String> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Some("the counts are those of Linux on x86-64".into());
    }
    if !is_there("valgrind") {
        return Some("valgrind is missing (Debian: apt install valgrind)".into());
    }
    // Valgrind shows a program what the processor has, and libraries choose by that.
    let has_avx2 = std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains(" avx2 "));
    (!has_avx2).then(|| "the counts are those of a processor with AVX2".into())
}
