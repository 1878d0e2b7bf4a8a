//! Runs the simulated world for many seeds, or for one, told line by line.
//! A failing seed prints the command that replays it; this binary neither judges nor explains more than the library does.
//! The seeds that CI runs are chosen in `xtask`.
#![allow(clippy::print_stdout, reason = "a tool for people")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use wigwag_sim::{Counts, run};

/// Every so many seeds, one is run twice.
const TWICE_EVERY: u64 = 16;
/// In so many seeds everything that may happen does.
const ENOUGH: u64 = 100;

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
        /// Instead: as many as fit into so many seconds.
        #[arg(long, conflicts_with = "seeds")]
        seconds: Option<u64>,
        /// Instead: until one fails.
        #[arg(long, conflicts_with_all = ["seeds", "seconds"])]
        forever: bool,
    },
    /// Run one seed and tell everything that happens.
    Replay {
        /// The seed.
        #[arg(long)]
        seed: u64,
    },
}

/// How long a run of many seeds goes on.
enum Until {
    Seeds(u64),
    Time(Instant),
    Failure,
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run { seeds, start, seconds, forever } => {
            let until = match seconds {
                Some(seconds) => Until::Time(clock() + Duration::from_secs(seconds)),
                None if forever => Until::Failure,
                None => Until::Seeds(seeds),
            };
            many(start, &until)
        }
        Command::Replay { seed } => {
            let report = run(seed, Some(&mut |line| println!("{line}")));
            println!("seed {seed}: {}", report.counts);
            if report.broken.is_empty() {
                println!("seed {seed}: every promise was kept");
                return ExitCode::SUCCESS;
            }
            verdict(seed, &report.broken);
            ExitCode::FAILURE
        }
    }
}

fn many(start: u64, until: &Until) -> ExitCode {
    let (mut failed, mut counts, mut seed) = (Vec::new(), Counts::default(), start);
    while match until {
        Until::Seeds(seeds) => seed < start + seeds,
        Until::Time(end) => clock() < *end,
        Until::Failure => failed.is_empty(),
    } {
        let mut report = run(seed, None);
        // It must be the same to the byte.
        if seed.is_multiple_of(TWICE_EVERY) && run(seed, None) != report {
            report.broken.push("the same seed gave another run".into());
        }
        counts += report.counts;
        if !report.broken.is_empty() {
            failed.push(seed);
            verdict(seed, &report.broken);
        }
        seed += 1;
    }
    println!("{counts}");
    let idle = if seed - start < ENOUGH { Vec::new() } else { counts.absent() };
    if !idle.is_empty() {
        println!("these worlds prove little: nothing of {}", idle.join(", "));
    }
    println!("{} seeds passed, {} failed {failed:?}", seed - start - failed.len() as u64, failed.len());
    if failed.is_empty() && idle.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn verdict(seed: u64, broken: &[String]) {
    println!("seed {seed}: broken promises:");
    for line in broken.iter().take(10) {
        println!("  {line}");
    }
    println!("  replay: cargo run -p wigwag-sim -- replay --seed {seed}");
}

#[expect(clippy::disallowed_methods, reason = "only how long to go on depends on it, not what happens")]
fn clock() -> Instant {
    Instant::now()
}
