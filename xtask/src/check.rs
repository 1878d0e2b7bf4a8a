//! What continuous integration runs, step by step, the cheap ones first.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::house::{House, run_lines};
use crate::networks::Skip;
use crate::tally::Tally;
use crate::{bench, clients, conformance, counts, deny, generate, networks, sdk, tidy, wasm};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The steps to run; if none is named, all but the long ones
    steps: Vec<String>,
    /// The long ones, too
    #[arg(long)]
    all: bool,
    /// List the steps and what each of them proves
    #[arg(long)]
    list: bool,
    /// Stop at the first step that fails
    #[arg(long)]
    fail_fast: bool,
}

/// Runs the steps that `args` ask for and ends with a summary.
pub(crate) fn run(house: &House, args: &Args) -> Result<ExitCode> {
    if args.list {
        for step in STEPS {
            let long = if LONG.contains(&step.name) { " (long: by name, or with --all)" } else { "" };
            println!("{:<12} {}{long}", step.name, step.proves);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = choose(&args.steps, args.all)?;
    let mut tally = Tally::default();
    let mut rows: Vec<(&str, Outcome)> = Vec::new();
    let mut stopped = false;
    for step in chosen {
        if stopped {
            rows.push((step.name, Outcome::NotRun));
            continue;
        }
        println!("\n━━ {}: {} ━━", step.name, step.proves);
        let failed_before = tally.failed;
        let start = Instant::now();
        let done = (step.run)(house, &mut tally);
        let took = start.elapsed();
        tally.end();
        let outcome = match done {
            Ok(()) => Outcome::Green(took),
            Err(error) if error.is::<Skip>() => {
                println!("{} is not run here: {error}", step.name);
                Outcome::Skipped(error.to_string())
            }
            Err(error) => {
                println!("{} failed: {error:#}", step.name);
                // The last line must never look green when a step is not.
                if tally.failed == failed_before {
                    tally.failed += 1;
                }
                stopped = args.fail_fast;
                Outcome::Failed(took)
            }
        };
        rows.push((step.name, outcome));
    }
    summarise(&rows, &tally);
    Ok(ExitCode::from(u8::from(tally.failed > 0)))
}

struct Step {
    name: &'static str,
    proves: &'static str,
    run: fn(&House, &mut Tally) -> Result<()>,
}

const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        proves: "the code is formatted",
        run: |house, _| {
            green(&mut house.cargo(["fmt", "--all", "--check"]))?;
            green(&mut house.cargo(["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]))?;
            let apart = ["fmt", "--manifest-path", "tests/matchbox/Cargo.toml", "--all", "--check"];
            green(&mut house.cargo(apart))
        },
    },
    Step { name: "tidy", proves: "spec, source and papers agree", run: |house, _| tidy::check(house) },
    Step {
        name: "deny",
        proves: "dependencies keep to their layer, licence and source; pure crates are pure",
        run: |house, _| deny::check(house),
    },
    Step {
        name: "clippy",
        proves: "no lint fires, the guards of the pure crates among them",
        run: |house, _| {
            green(&mut house.cargo(["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"]))
        },
    },
    Step {
        name: "server",
        proves: "the server builds alone, without the commands for peers",
        run: |house, _| {
            let mut clippy = house.cargo(["clippy", "-p", "wigwag-server", "--no-default-features", "--locked"]);
            green(clippy.args(["--", "--deny", "warnings"]))
        },
    },
    Step {
        name: "doc",
        proves: "the documentation builds without a warning",
        run: |house, _| {
            let mut doc = house.cargo(["doc", "--workspace", "--no-deps", "--locked"]);
            green(doc.env("RUSTDOCFLAGS", "--deny warnings"))
        },
    },
    Step {
        name: "test",
        proves: "unit, integration and documentation tests, vectors and fuzz corpora pass",
        run: test,
    },
    Step { name: "wasm", proves: "the pure crates build for WebAssembly", run: |house, _| wasm::check(house) },
    Step { name: "generated", proves: "generated pages are as the code says", run: |house, _| generate::check(house) },
    Step {
        name: "sdk",
        proves: "the browser SDK keeps to its types, the vectors and the real server",
        run: sdk::check,
    },
    Step {
        name: "sim",
        proves: "the promises of the protocol hold in some hundred seeded worlds",
        run: |house, _| {
            house.build()?;
            green(house.command(house.built("wigwag-sim")).args(["run", "--seeds", "300"]))
        },
    },
    Step {
        name: "bench",
        proves: "the bench runs from end to end; no number is judged",
        run: |house, _| bench::smoke(house),
    },
    Step {
        name: "counts",
        proves: "no hot path takes a tenth more instructions than is written down",
        run: |house, _| counts::check(house),
    },
    Step {
        name: "conformance",
        proves: "the socket layer speaks RFC 6455",
        run: |house, _| conformance::check(house, None),
    },
    Step {
        name: "clients",
        proves: "other people's client libraries work unchanged, in real browsers",
        run: clients::browsers,
    },
    Step {
        name: "native",
        proves: "the native WebRTC engine and browsers understand each other",
        run: clients::native,
    },
    Step {
        name: "networks",
        proves: "peers come together behind every kind of network, or are told why not",
        run: networks::check,
    },
    Step {
        name: "matchbox",
        proves: "matchbox's native sockets work unchanged, and with identities by our signaller",
        run: clients::matchbox,
    },
];

/// Steps that take minutes and much of the machine: they run where they are named, or all are asked for.
const LONG: &[&str] = &["server", "networks"];

enum Outcome {
    Green(Duration),
    Failed(Duration),
    Skipped(String),
    NotRun,
}

fn choose(names: &[String], all: bool) -> Result<Vec<&'static Step>> {
    if let Some(unknown) = names.iter().find(|name| !STEPS.iter().any(|step| step.name == **name)) {
        bail!("no step is called {unknown}; `cargo xtask check --list` names them");
    }
    let is_wanted = |step: &&Step| {
        let is_named = names.iter().any(|name| name == step.name);
        all || is_named || (names.is_empty() && !LONG.contains(&step.name))
    };
    Ok(STEPS.iter().filter(is_wanted).collect())
}

fn green(command: &mut std::process::Command) -> Result<()> {
    crate::house::run(command)
}

fn test(house: &House, tally: &mut Tally) -> Result<()> {
    let mut tests = house.cargo(["test", "--workspace", "--locked", "--no-fail-fast"]);
    if run_lines(&mut tests, |line| tally.read(line))? { Ok(()) } else { bail!("cargo test failed") }
}

fn summarise(rows: &[(&str, Outcome)], tally: &Tally) {
    if !tally.failures.is_empty() {
        println!("\n━━ what failed, once more ━━");
        tally.failures.iter().for_each(|line| println!("{line}"));
    }
    println!("\n━━ summary ━━");
    for (name, outcome) in rows {
        match outcome {
            Outcome::Green(took) => println!("{name:<12} ok      {:>7.1} s", took.as_secs_f64()),
            Outcome::Failed(took) => println!("{name:<12} FAILED  {:>7.1} s", took.as_secs_f64()),
            Outcome::Skipped(why) => println!("{name:<12} SKIPPED {why}"),
            Outcome::NotRun => println!("{name:<12} not run"),
        }
    }
    println!("\n{tally}");
}
