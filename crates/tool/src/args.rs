//! The commands as clap sees them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};

/// What the tool can do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Find out what is wrong between this machine and a server: exit code 0 if nothing
    ///
    /// Looks at one thing after the other, from the name of the server to the way on which two peers would meet, and says of each whether it
    /// works, what was seen and what to do. Nothing is left behind at the server: the peer that it plays has a key of its own and goes again.
    Doctor(DoctorArgs),
    /// Make a new key pair for a peer
    Keygen(KeygenArgs),
    /// Watch a running server: sessions, rooms, messages per second
    ///
    /// A screen that is drawn anew every second, or with --json a line for each. Who is here is shown to those who have the operator's token.
    Watch(WatchArgs),
    /// Show the identity that this machine's commands use; the first time, make it
    Whoami(WhoamiArgs),
}

/// The options of `doctor`.
#[derive(Args, Debug)]
#[command(after_help = DOCTOR_EXAMPLES)]
pub struct DoctorArgs {
    /// The server as its clients have it: `wss://wigwag.example.org`; `https://` will do, and where nothing is said
    /// TLS is meant, but for this machine
    #[arg(value_hint = ValueHint::Url)]
    pub(crate) url: String,

    /// Enter this namespace
    #[arg(short, long, value_name = "NAME", default_value = "")]
    pub(crate) namespace: String,

    /// Wait for each thing for so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(crate) timeout: Duration,

    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const DOCTOR_EXAMPLES: &str = "\
Examples:
  wigwag doctor wigwag.example.org             everything, in words
  wigwag doctor ws://localhost:8080 --json     for a program";

/// The options of `keygen`.
#[derive(Args, Debug)]
pub struct KeygenArgs {
    /// Write the secret into this new file, which only you may read, instead of showing it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) out: Option<PathBuf>,

    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The options of `watch`.
#[derive(Args, Debug)]
pub struct WatchArgs {
    /// The server: `https://wigwag.example.org`; where nothing is said TLS is meant, but for this machine
    #[arg(value_hint = ValueHint::Url, default_value = "localhost:8080")]
    pub(crate) url: String,

    /// Show sessions and rooms, too, with the token in this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) admin_token_file: Option<PathBuf>,

    /// Look every so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub(crate) interval: Duration,

    /// Print a line of JSON for each look
    #[arg(long)]
    pub(crate) json: bool,

    /// End after so many lines
    #[arg(long, value_name = "LINES", requires = "json", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
}

/// The options of `whoami`.
#[derive(Args, Debug)]
pub struct WhoamiArgs {
    #[command(flatten)]
    pub(crate) identity: IdentityArgs,

    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Whose key is used.
#[derive(Args, Debug)]
pub(crate) struct IdentityArgs {
    /// The file with the secret of the identity, as `keygen --out` writes it [default: one in your data folder, made when it is first needed]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, env = "WIGWAG_IDENTITY")]
    pub(crate) identity: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds is wanted")?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err("a number of seconds is wanted".into()),
    }
}
