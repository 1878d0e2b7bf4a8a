//! The command line as clap sees it.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use wigwag_terminal::{exit, seconds};

use crate::config::{Compat, Flag, Raw};

/// Lets any two programs find each other and connect, whatever lies between them.
///
/// Wigwag is a signaling server: browsers and programs meet here, exchange offers, answers and candidates, and then talk directly.
/// Started with no options at all, it listens on port 8080 and works.
#[derive(Parser, Debug)]
#[command(
    name = "wigwag",
    version,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    max_term_width = 110,
    after_help = examples(),
    after_long_help = after_long_help(),
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) serve: ServeArgs,
}

const EXAMPLES: &str = "\
Examples:
  wigwag                                          serve on port 8080
  wigwag --listen 127.0.0.1:9000 --data :memory:  serve to this machine, keep nothing
  wigwag config print > wigwag.toml               write a configuration to start from
  wigwag --config wigwag.toml                     serve with it
  wigwag health                                   ask the server on this machine how it is";

#[cfg(feature = "client")]
const CLIENT_EXAMPLES: &str = "
  wigwag doctor wigwag.example.org                find out what is wrong between here and a server";
#[cfg(not(feature = "client"))]
const CLIENT_EXAMPLES: &str = "";

fn examples() -> String {
    format!("{EXAMPLES}{CLIENT_EXAMPLES}")
}

fn after_long_help() -> String {
    format!(
        "{}\n\n{}\n\
         Every key of the configuration can be set by --set, by a variable of the environment, or in a file; \
         `wigwag config print` lists them all.",
        examples(),
        exit::plain()
    )
}

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Run the server (also what happens without a command)
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServeArgs),
    /// Print or check the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Ask a running server how it is: exit code 0 if well, 1 if not
    Health(HealthArgs),
    /// Reckon what a machine must have for so many peers and messages
    ///
    /// From what was measured of this version of the server: `cargo xtask bench` in its repository says how, and measures a machine of yours.
    Capacity(CapacityArgs),
    /// Ask any server which promises of a dialect it keeps: exit code 0 if all
    ///
    /// Plays whole conversations with a server, ours or another's, and prints each promise of the dialect with its verdict.
    /// It speaks as several clients at once, under ids, rooms and topics that are made up anew, so a server in use may be asked,
    /// and asked again. (A ToM server has one network for all: ask one that nobody uses.) What a server promises and does not keep
    /// is shown with what was expected and what came. Promises that only Wigwag makes are asked of a Wigwag server, and of others with --strict.
    Conform(ConformArgs),
    #[cfg(feature = "client")]
    #[command(flatten)]
    Tool(wigwag_tool::Command),
    /// Print the version
    Version {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the script that completes this command in a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(after_help = MAN_EXAMPLES)]
    Man {
        /// Write the pages of all commands into this folder instead
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        out: Option<PathBuf>,
    },
    /// Print the reference of the metrics, in Markdown
    #[command(hide = true)]
    Metrics,
    /// Print the reference of the exit codes, in Markdown
    #[command(hide = true)]
    ExitCodes,
}

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  wigwag completions bash > ~/.local/share/bash-completion/completions/wigwag
  wigwag completions fish > ~/.config/fish/completions/wigwag.fish";

const MAN_EXAMPLES: &str = "\
Examples:
  wigwag man | man -l -                       read it
  wigwag man --out ~/.local/share/man/man1    a page for each command";

/// The options of the server. Each sets one key of the configuration.
#[derive(Args, Debug, Default)]
pub(super) struct ServeArgs {
    /// Read this configuration file [env: WIGWAG_CONFIG]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) config: Option<PathBuf>,

    /// Listen here: an address, `:PORT`, or `unix:PATH`; may be given several times [default: [::]:8080]
    #[arg(short, long, value_name = "ADDR")]
    listen: Vec<String>,

    /// Keep names, keys and sessions in this folder, or nowhere with `:memory:` [default: the platform's place for data]
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    data: Option<String>,

    /// Set any key, as in `--set limits.frame_bytes=32768`; may be given several times
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,

    /// The URL under which the world reaches this server
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    public_url: Option<String>,

    /// Serve TLS with this certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key", value_hint = ValueHint::FilePath)]
    tls_cert: Option<String>,

    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert", value_hint = ValueHint::FilePath)]
    tls_key: Option<String>,

    /// Believe proxies in these networks about whom they speak for [without a value: private networks]
    #[arg(long, value_name = "NETWORKS", num_args = 0..=1, require_equals = true, default_missing_value = "private")]
    trust_proxy: Option<String>,

    /// Let only pages of this origin in; may be given several times [default: all]
    #[arg(long, value_name = "ORIGIN")]
    origin: Vec<String>,

    /// Open the admin API to who sends the token in this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    admin_token_file: Option<String>,

    /// What to log: `error`, `warn`, `info`, `debug`, `trace`, or a filter [default: info]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,

    /// How to log: `text` or `json` [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,

    /// Stand in for another server and take its options too; `--compat peerjs --help` lists them [env: WIGWAG_COMPAT]
    #[arg(long, value_name = "SERVER", value_parser = compat())]
    pub(super) compat: Option<Compat>,
}

const SERVE_EXAMPLES: &str = "\
Examples:
  wigwag serve --listen 127.0.0.1:9000 --data :memory:    to this machine, and keep nothing
  wigwag serve --config wigwag.toml --set log.filter=debug
  wigwag serve --tls-cert fullchain.pem --tls-key privkey.pem --listen :443";

impl ServeArgs {
    /// The keys that these options set.
    pub(super) fn flags(&self) -> Vec<Flag> {
        let mut flags = Vec::new();
        let mut flag = |shown: &str, key: &str, value: Raw| {
            flags.push(Flag { shown: shown.into(), key: key.into(), value });
        };
        let list = |items: &[String]| Raw::List(items.iter().cloned().map(Raw::Text).collect());
        for (shown, key, items) in
            [("--listen", "server.listen", &self.listen), ("--origin", "server.origins", &self.origin)]
        {
            if !items.is_empty() {
                flag(shown, key, list(items));
            }
        }
        for (shown, key, value) in [
            ("--data", "server.data", &self.data),
            ("--public-url", "server.public_url", &self.public_url),
            ("--tls-cert", "tls.cert", &self.tls_cert),
            ("--tls-key", "tls.key", &self.tls_key),
            ("--trust-proxy", "server.trust_proxy", &self.trust_proxy),
            ("--admin-token-file", "admin.token_file", &self.admin_token_file),
            ("--log", "log.filter", &self.log),
            ("--log-format", "log.format", &self.log_format),
        ] {
            if let Some(value) = value {
                flag(shown, key, Raw::Text(value.clone()));
            }
        }
        for (key, value) in &self.set {
            flag(&format!("--set {key}"), key, Raw::Text(value.clone()));
        }
        flags
    }
}

#[derive(Subcommand, Debug)]
pub(super) enum ConfigCommand {
    /// Print every key with its meaning and its default
    #[command(after_help = PRINT_EXAMPLES)]
    Print {
        /// Print what is in force instead, and who set it; takes the options of `serve`
        #[arg(long)]
        effective: bool,
        /// What to print it as
        #[arg(long, value_enum, default_value_t = PrintFormat::Toml)]
        format: PrintFormat,
        #[command(flatten)]
        serve: ServeArgs,
    },
    /// Find every mistake in the configuration; takes the options of `serve`
    #[command(after_help = CHECK_EXAMPLES)]
    Check {
        #[command(flatten)]
        serve: ServeArgs,
    },
}

const PRINT_EXAMPLES: &str = "\
Examples:
  wigwag config print > wigwag.toml        a file to start from: every key with its default
  wigwag config print --effective          what is in force, and who set it";

const CHECK_EXAMPLES: &str = "\
Examples:
  wigwag config check -c wigwag.toml       exit code 0 if it is good, 78 if not";

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PrintFormat {
    /// A configuration file
    Toml,
    /// The reference page
    Markdown,
}

#[derive(Args, Debug)]
#[command(after_help = HEALTH_EXAMPLES)]
pub(super) struct HealthArgs {
    /// The server: `http://host:port`, `https://…` (whose certificate is not checked), or `unix:PATH`
    /// [default: where the configuration in the environment makes it listen]
    #[arg(value_hint = ValueHint::Url)]
    pub(super) url: Option<String>,

    /// Ask whether it takes new peers (`/ready`), not only whether it lives (`/health`)
    #[arg(long)]
    pub(super) ready: bool,

    /// As JSON
    #[arg(long)]
    pub(super) json: bool,

    /// Give up after this many seconds
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(super) timeout: Duration,
}

const HEALTH_EXAMPLES: &str = "\
Examples:
  wigwag health                                     the server on this machine
  wigwag health --ready https://wigwag.example.org  whether it takes new peers
  wigwag health unix:/run/wigwag.sock               over a socket of this machine";

#[derive(Args, Debug)]
#[command(after_help = CAPACITY_EXAMPLES)]
pub(super) struct CapacityArgs {
    /// Peers that are connected at the same time
    #[arg(
        short = 'n',
        long,
        value_name = "SOCKETS",
        required_unless_present = "markdown",
        default_value = "0",
        hide_default_value = true
    )]
    pub(super) sockets: u64,

    /// What they are
    #[arg(long, value_enum, default_value_t = Speaks::Keys)]
    pub(super) speaks: Speaks,

    /// The server does TLS itself
    #[arg(long)]
    pub(super) tls: bool,

    /// Memberships of rooms in all
    #[arg(long, value_name = "MEMBERS", default_value = "0")]
    pub(super) in_rooms: u64,

    /// Sessions of peers that lost their sockets and may come back
    #[arg(long, value_name = "SESSIONS", default_value = "0")]
    pub(super) away: u64,

    /// Messages from peer to peer; a call is 22 or so
    #[arg(short, long, value_name = "MESSAGES", default_value = "0", value_parser = per_second)]
    pub(super) messages_per_second: f64,

    /// Members told of something: what is said in rooms each second, times those who hear it
    #[arg(long, value_name = "MEMBERS", default_value = "0", value_parser = per_second)]
    pub(super) told_per_second: f64,

    /// Peers that connect
    #[arg(long, value_name = "PEERS", default_value = "0", value_parser = per_second)]
    pub(super) connects_per_second: f64,

    /// Times that somebody asks where a peer is
    #[arg(long, value_name = "TIMES", default_value = "0", value_parser = per_second)]
    pub(super) lookups_per_second: f64,

    /// As JSON
    #[arg(long)]
    pub(super) json: bool,

    /// Print the table of the page about capacity
    #[arg(long, hide = true)]
    pub(super) markdown: bool,
}

/// What peers speak.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    /// `wigwag.1`, with keys
    Keys,
    /// `wigwag.1`, without
    Guests,
    /// PeerJS
    Peerjs,
}

const CAPACITY_EXAMPLES: &str = "\
Examples:
  wigwag capacity -n 20000 -m 500          20,000 peers, 500 messages per second
  wigwag capacity -n 100000 --tls --connects-per-second 300
  wigwag capacity -n 5000 --speaks peerjs --json";

fn per_second(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "a number per second is wanted")?;
    if (0.0..=1e9).contains(&number) { Ok(number) } else { Err("a number per second is wanted".into()) }
}

#[derive(Args, Debug)]
#[command(after_help = CONFORM_EXAMPLES)]
pub(super) struct ConformArgs {
    /// The server's base URL as its clients have it: `ws://host:9000/`, `wss://host/yjs`; `http://` and `https://` will do.
    /// Where a Wigwag server's URL has no path, the dialect's own is taken. Certificates are not checked
    #[arg(value_hint = ValueHint::Url, required_unless_present = "list")]
    pub(super) url: Option<String>,

    /// The dialect
    #[arg(short, long, value_name = "DIALECT", required_unless_present = "list", value_parser = dialects())]
    pub(super) dialect: Option<String>,

    /// Ask only for promises whose name begins so; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(super) only: Vec<String>,

    /// Ask also for what only Wigwag promises
    #[arg(long)]
    pub(super) strict: bool,

    /// Ask also for promises that take up to two minutes to show, all of them at once
    #[arg(long)]
    pub(super) slow: bool,

    /// Wait for each thing that is expected for so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub(super) timeout: Duration,

    /// As JSON
    #[arg(long)]
    pub(super) json: bool,

    /// List the promises of the dialect, or of all dialects, and ask nobody
    #[arg(long)]
    pub(super) list: bool,
}

const CONFORM_EXAMPLES: &str = "\
Examples:
  wigwag conform --list                                       what is promised, by dialect
  wigwag conform ws://localhost:8080 --dialect peerjs         this machine's Wigwag
  wigwag conform wss://peers.example.org/myapp -d peerjs      somebody's PeerServer
  wigwag conform ws://localhost:4444 -d yjs --slow --json     y-webrtc's, for a program";

fn dialects() -> PossibleValuesParser {
    PossibleValuesParser::new(
        wigwag_conform::DIALECTS.map(|dialect| PossibleValue::new(dialect.name).help(dialect.about)),
    )
}

fn compat() -> impl TypedValueParser<Value = Compat> {
    PossibleValuesParser::new(["peerjs"]).try_map(|name| name.parse::<Compat>())
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    Ok((key.trim().into(), value.into()))
}
