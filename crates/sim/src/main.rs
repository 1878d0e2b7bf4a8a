//! Runs the simulated world for many seeds, or for one, told line by line.
//! A failing seed prints the command that replays it; this binary neither judges nor explains more than the library does.
//! The seeds that CI runs are chosen in `xtask`.
#![allow(clippy::print_stdout, reason = "a tool for people")]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use wigwag_sim::{Counts, run};

#[derive(Parser)]
#[command(name = "wigwag-sim", about = "The hub in a simulated world of faults")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run many seeds.
    Run {
        /// How many.
        #[arg(long, default_value_t = 300)]
        seeds: u64,
        /// The first.
        #[arg(long, default_value_t = 0)]
        start: u64,
    },
    /// Run one seed and tell everything that happens.
    Replay {
        /// The seed.
        #[arg(long)]
        seed: u64,
    },
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run { seeds, start } => many(start, seeds),
        Command::Replay { seed } => {
            let report = run(seed, Some(&mut |line| println!("{line}")));
            println!("seed {seed}: {}", report.counts);
            verdict(seed, &report.broken)
        }
    }
}

fn many(start: u64, seeds: u64) -> ExitCode {
    let (mut failed, mut counts) = (0, Counts::default());
    for seed in start..start + seeds {
        let mut report = run(seed, None);
        // Now and then the same again: it must be the same to the byte.
        if seed % 16 == 0 && run(seed, None).trace != report.trace {
            report.broken.push("the same seed gave another run".into());
        }
        counts += report.counts;
        if !report.broken.is_empty() {
            failed += 1;
            verdict(seed, &report.broken);
        }
    }
    println!("{counts}");
    println!("{} passed, {failed} failed", seeds - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn verdict(seed: u64, broken: &[String]) -> ExitCode {
    if broken.is_empty() {
        println!("seed {seed}: every promise was kept");
        return ExitCode::SUCCESS;
    }
    println!("seed {seed}: broken promises:");
    for line in broken.iter().take(10) {
        println!("  {line}");
    }
    println!("  replay: cargo run -p wigwag-sim -- replay --seed {seed}");
    ExitCode::FAILURE
}
