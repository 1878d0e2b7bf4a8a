//! The command line: what was asked for, and an exit code that says how it went.
//!
//! Everything but `serve` is done here. `serve` reads the configuration, starts the log and hands over to the
//! function that runs the server.

mod args;
mod capacity;
mod compat;
mod config;
mod conform;
mod docs;
mod health;
mod reach;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use tracing::warn;
pub use wigwag_terminal::exit::{self, Exit, Failure};
use wigwag_terminal::out::{self, Out};

use self::args::{Cli, Command, ConfigCommand, ServeArgs};
use crate::config::{Flag, Loaded};
use crate::log;
use crate::version::VERSION;

/// What a server starts from.
pub struct Launch {
    /// The configuration.
    pub loaded: Loaded,
    /// What changes the log's filter while it runs.
    pub logs: log::Control,
}

/// Does what the arguments ask for. `serve` runs the server until it is told to stop.
pub fn main(args: impl IntoIterator<Item = OsString>, serve: impl FnOnce(Launch) -> Result<Exit, Failure>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let asked = match compat::read(&args) {
        Some(asked) => asked.map(|asked| (Command::Serve(asked.serve), asked.options)),
        None => Cli::try_parse_from(args).map(|cli| (cli.command.unwrap_or(Command::Serve(cli.serve)), Vec::new())),
    };
    let (command, options) = match asked {
        Ok(asked) => asked,
        Err(error) => {
            // Help and version arrive here too. If nobody reads them, there is nobody to tell.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    let done = match command {
        Command::Serve(args) => start(&args, options, serve),
        command => run(command, &mut out::stdout()),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(failure) if out::is_broken_pipe(&failure) => Exit::Done.into(),
        Err(failure) => {
            out::complain(&format!("wigwag: {:#}", failure.why));
            failure.exit.into()
        }
    }
}

fn run(command: Command, out: &mut Out) -> Result<Exit, Failure> {
    match command {
        Command::Serve(_) => Ok(Exit::Done),
        Command::Config(ConfigCommand::Print { effective, format, serve }) => {
            config::print(out, &serve, effective, format)
        }
        Command::Config(ConfigCommand::Check { serve }) => config::check(out, &serve),
        Command::Health(args) => health::run(out, &args),
        Command::Capacity(args) => capacity::run(out, &args),
        Command::Conform(args) => conform::run(out, &args),
        #[cfg(feature = "client")]
        Command::Tool(command) => wigwag_tool::run(&command, out),
        Command::Version { json: true } => out.json(&VERSION),
        Command::Version { json: false } => {
            let commit = VERSION.commit.map_or(String::new(), |commit| format!(" ({commit})"));
            out.line(&format!("wigwag {}{commit}, protocol {}", VERSION.version, VERSION.protocols.join(" ")))
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "wigwag", &mut script);
            out.bytes(&script)
        }
        Command::Man { out: None } => out.bytes(&docs::man_page()?),
        Command::Man { out: Some(folder) } => docs::man_pages(&folder),
        Command::Metrics => out.bytes(crate::metrics::markdown().as_bytes()),
        Command::ExitCodes => out.bytes(exit::markdown().as_bytes()),
    }
}

fn start(
    args: &ServeArgs,
    options: Vec<Flag>,
    serve: impl FnOnce(Launch) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let loaded = config::load_for(args, options)?;
    let logs = log::start(&loaded.config.log).map_err(|why| Exit::Config.because(why))?;
    for problem in &loaded.warnings {
        warn!("{problem}");
    }
    serve(Launch { loaded, logs })
}
