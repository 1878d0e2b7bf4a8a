//! The tasks of the house: one command that proves a change, one that writes generated pages anew, one
//! for the WebSocket conformance cases alone.
//! It never holds logic that the product needs. It knows the other crates from outside, by running their programs and
//! reading their files; only the tables of `wire` are taken from the code itself.
//! `cargo xtask check` is exactly what continuous integration runs.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks to its terminal")]

mod bench;
mod check;
mod clients;
mod conformance;
mod counts;
mod deny;
mod generate;
mod house;
mod networks;
mod sdk;
mod tally;
mod tidy;
mod wasm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use house::House;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The tasks of the house")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run what continuous integration runs, or only the steps named
    Check(check::Args),
    /// Measure what the server costs and write the page about it, in a quarter of an hour on a quiet machine
    Bench(bench::Args),
    /// Count the instructions of the server's hot paths and compare them with those written down
    Counts(counts::Args),
    /// Write the pages and tables that come from the code
    Generate,
    /// Run the WebSocket conformance cases
    Conformance {
        /// Only the cases whose number begins so: 6.4
        only: Option<String>,
    },
}

fn main() -> ExitCode {
    let task = Cli::parse().task;
    let done = House::find().and_then(|house| match task {
        Task::Bench(args) => bench::measure(&house, &args).map(|()| ExitCode::SUCCESS),
        Task::Check(args) => check::run(&house, &args),
        Task::Conformance { only } => conformance::check(&house, only.as_deref()).map(|()| ExitCode::SUCCESS),
        Task::Counts(args) => counts::count(&house, &args).map(|()| ExitCode::SUCCESS),
        Task::Generate => generate::write(&house).map(|()| ExitCode::SUCCESS),
    });
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
