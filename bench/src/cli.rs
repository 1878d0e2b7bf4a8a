//! The command line.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand, ValueHint};
use wigwag_load::raise_descriptors;
use wigwag_terminal::out::Progress;

use crate::book::Book;
use crate::figures::{FIGURES, Figure};
use crate::server::Stage;
use crate::sizes::Sizes;
use crate::{capacity, page, relay, usual};

pub(crate) fn main() -> Result<()> {
    match Cli::parse().task {
        Task::Relay { listen, gather } => {
            raise_descriptors();
            relay::run(&TcpListener::bind(listen)?, gather)
        }
        Task::Usual { listen } => {
            raise_descriptors();
            usual::run(listen)
        }
        Task::Run(args) => run(&args),
    }
}

#[derive(Parser)]
#[command(name = "wigwag-bench", about = "What a server costs, against the cheapest relay that can be written")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Be the cheapest relay, until killed
    Relay {
        /// Where to listen
        #[arg(long, default_value = "127.0.0.1:9002")]
        listen: SocketAddr,
        /// Write once per socket and wake-up, not once per message
        #[arg(long)]
        gather: bool,
    },
    /// Be a relay as people write it by hand, until killed
    Usual {
        /// Where to listen
        #[arg(long, default_value = "127.0.0.1:9003")]
        listen: SocketAddr,
    },
    /// Measure all servers in turn
    Run(RunArgs),
}

#[derive(clap::Args)]
struct RunArgs {
    /// The server's program, built for release
    #[arg(long, value_hint = ValueHint::FilePath)]
    wigwag: PathBuf,
    /// The folder in which `npm ci` put peerjs-server
    #[arg(long, value_hint = ValueHint::DirPath)]
    peerjs: Option<PathBuf>,
    /// Why there is none
    #[arg(long, conflicts_with = "peerjs", default_value = "it was not asked for")]
    no_peerjs: String,
    /// Less of everything, for a first impression
    #[arg(long)]
    quick: bool,
    /// Next to nothing: whether everything runs
    #[arg(long, conflicts_with = "quick")]
    smoke: bool,
    /// Only this figure; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// How many rounds
    #[arg(long)]
    rounds: Option<usize>,
    /// Write the page, the numbers behind it and those for `wigwag capacity` into this checked-out repository; otherwise
    /// the page goes to standard output
    #[arg(long, value_hint = ValueHint::DirPath)]
    house: Option<PathBuf>,
}

fn run(args: &RunArgs) -> Result<()> {
    let mut sizes = if args.smoke {
        Sizes::smoke()
    } else if args.quick {
        Sizes::quick()
    } else {
        Sizes::full()
    };
    sizes.rounds = args.rounds.unwrap_or(sizes.rounds).max(1);
    if let Some(unknown) = args.only.iter().find(|name| !FIGURES.iter().any(|figure| figure.name == **name)) {
        let names: Vec<&str> = FIGURES.iter().map(|figure| figure.name).collect();
        bail!("no figure is called {unknown}; there are {}", names.join(", "));
    }
    let is_whole = args.only.is_empty() && !args.quick && !args.smoke;
    if args.house.is_some() && !is_whole {
        bail!("the page is made of a whole run: leave --house out");
    }
    let descriptors = raise_descriptors();
    let most = [2 * sizes.beside, sizes.idle + 8, sizes.small + sizes.sockets];
    let most = sizes.growth.iter().copied().chain(most).max().unwrap_or(0);
    if descriptors < most as u64 + 100 {
        bail!("{most} sockets are to be opened, and the system allows {descriptors} open files: raise `ulimit -n`");
    }
    let stage = Stage::new(&args.wigwag, args.peerjs.clone().ok_or_else(|| args.no_peerjs.clone()))?;
    let begun = Instant::now();
    let book = measure(&stage, &sizes, &args.only, args.smoke)?;
    let page = page::write(&book, &sizes, begun.elapsed(), is_whole);
    match &args.house {
        Some(folder) => {
            keep(&folder.join("docs/performance.md"), &page)?;
            keep(&folder.join("bench/measured.json"), &(serde_json::to_string_pretty(&book)? + "\n"))?;
            let measured = capacity::of(&book, &sizes)?;
            keep(
                &folder.join("crates/server/src/cli/capacity.json"),
                &(serde_json::to_string_pretty(&measured)? + "\n"),
            )
        }
        None => {
            println!("{page}");
            Ok(())
        }
    }
}

/// `judge` ends at the first figure that cannot be measured.
fn measure(stage: &Stage, sizes: &Sizes, only: &[String], judge: bool) -> Result<Book> {
    let chosen = |figure: &&Figure| only.is_empty() || only.iter().any(|name| name == figure.name);
    let turns = |figure: &Figure| figure.rounds.min(sizes.rounds);
    let all: usize = FIGURES.iter().filter(chosen).map(turns).sum();
    let (mut book, mut done, begun) = (Book::default(), 0, Instant::now());
    let progress = Progress::stderr();
    for round in 0..sizes.rounds {
        for figure in FIGURES.iter().filter(chosen).filter(|figure| round < turns(figure)) {
            let left = left(begun.elapsed(), done, all);
            progress.show(&format!("round {} of {} · {}{left}", round + 1, sizes.rounds, figure.about));
            let started = Instant::now();
            // One figure must not cost a run of a quarter of an hour; two in a row are no accident, and are told on the page.
            // What was measured before the first failed is left out, for turns are compared by their number.
            let mut tried = Book::default();
            let result = (figure.run)(stage, sizes, &mut tried).or_else(|why| {
                eprintln!("{} is tried again: {why:#}", figure.name);
                tried = Book::default();
                (figure.run)(stage, sizes, &mut tried)
            });
            book.take_in(tried);
            if let Err(why) = result {
                if judge {
                    return Err(why.context(format!("measuring {}", figure.name)));
                }
                eprintln!("{}: {why:#}", figure.name);
                book.lack(format!("{}, in round {}: {why:#}", figure.about, round + 1));
            }
            done += 1;
            progress.wipe();
            let took = started.elapsed().as_secs_f64();
            eprintln!("{done:>3} of {all} · {:<9} {took:>6.1} s · {}", figure.name, figure.about);
        }
    }
    Ok(book)
}

fn left(passed: Duration, done: usize, all: usize) -> String {
    if done == 0 {
        return String::new();
    }
    let minutes = passed.as_secs_f64() / done as f64 * (all - done) as f64 / 60.0;
    format!(" · about {minutes:.0} min left")
}

fn keep(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    eprintln!("wrote {}", path.display());
    Ok(())
}
