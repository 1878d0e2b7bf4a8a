//! The commands as clap sees them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueHint};
use wigwag_terminal::seconds;

/// What the tool can do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Say where a peer is: exit code 0 if it is there, 3 if not
    Find(FindArgs),
    /// Talk in a room, a line at a time
    Chat(ChatArgs),
    /// Join two machines' standard input and output, directly and sealed from end to end
    ///
    /// Without an id it waits for somebody and prints whom to ask for; with one it connects. What one reads the other writes, both ways, until both
    /// have come to their end.
    Pipe(PipeArgs),
    /// Bring a TCP port of one machine to another, directly and sealed from end to end
    ///
    /// One side offers a port with --to, and prints whom to ask for; the other names that id and listens with --listen.
    Forward(ForwardArgs),
    /// Send files and folders: to whoever types the code of a few words that it prints, to a peer, or to a room
    ///
    /// They go directly and sealed from end to end. What was cut is gone on with: run the same again.
    Send(SendArgs),
    /// Receive files and folders by a code of words, or wait for somebody to send some
    ///
    /// What is there already does not come again, no other file is overwritten, and what is not whole yet stands beside as `NAME.wigwag-part`.
    Receive(ReceiveArgs),
    /// Find out what is wrong between this machine and a server: exit code 0 if nothing
    ///
    /// Looks at one thing after the other, from the name of the server to the way on which two peers would meet, and says of each whether it
    /// works, what was seen and what to do. Nothing is left behind at the server: the peer that it plays has a key of its own and goes again.
    Doctor(DoctorArgs),
    /// Make a new key pair for a peer
    Keygen(KeygenArgs),
    /// Put load on a server of your own: calls per second, latency, idle sockets
    ///
    /// Peers in pairs set up calls of 22 messages through the server, and it is told how many there were and how long they took. Without options it is
    /// aimed at this machine. A server elsewhere must be yours, or its owner must know: say --remote, and name its host once more with --i-answer-for.
    #[cfg(target_os = "linux")]
    Load(LoadArgs),
    /// Watch a running server: sessions, rooms, messages per second
    ///
    /// A screen that is drawn anew every second, or with --json a line for each. Who is here is shown to those who have the operator's token.
    Watch(WatchArgs),
    /// Show the identity that this machine's commands use; the first time, make it
    Whoami(WhoamiArgs),
}

/// The server that is used where none is named.
pub(crate) const DEFAULT_SERVER: &str = "localhost:8080";

/// Which server is used, and as whom.
#[derive(Args, Debug)]
pub(crate) struct PeerArgs {
    /// The server; several may be given, the best first
    #[arg(short, long, value_name = "URL", env = "WIGWAG_SERVER", value_delimiter = ',', default_value = DEFAULT_SERVER, value_hint = ValueHint::Url)]
    pub(crate) server: Vec<String>,

    /// Enter this namespace
    #[arg(long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,

    /// Be called so instead of by the key: `local@domain`
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    #[command(flatten)]
    pub(crate) identity: IdentityArgs,

    /// Meet only peers on this machine, over its loopback: for trying things out
    #[arg(long)]
    pub(crate) loopback: bool,

    /// Give up after so many seconds without a server or a way to the peer
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

/// The options of `find`.
#[derive(Args, Debug)]
#[command(after_help = FIND_EXAMPLES)]
pub struct FindArgs {
    /// Whom: an id as `wigwag whoami` shows it, or a name `local@domain`
    pub(crate) id: String,

    #[command(flatten)]
    pub(crate) peer: PeerArgs,

    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const FIND_EXAMPLES: &str = "\
Examples:
  wigwag find bob@example.org                    here, away, or when it was last here
  wigwag find ID && wigwag send a.pdf --to ID    send it if the peer is there";

/// The options of `chat`.
#[derive(Args, Debug)]
#[command(after_help = CHAT_EXAMPLES)]
pub struct ChatArgs {
    /// The room; it is made where there is none
    pub(crate) room: String,

    /// What the others see [default: the beginning of the id]
    #[arg(long, value_name = "NAME")]
    pub(crate) nick: Option<String>,

    /// Where the room has one
    #[arg(long, value_name = "PASSWORD", env = "WIGWAG_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,

    #[command(flatten)]
    pub(crate) peer: PeerArgs,

    /// Print a line of JSON for everything that happens
    #[arg(long)]
    pub(crate) json: bool,
}

const CHAT_EXAMPLES: &str = "\
Examples:
  wigwag chat movie-night                       until Ctrl-D
  wigwag chat movie-night --nick Ann --json     a line of JSON for everything that happens
  uptime | wigwag chat ops                      say one line and leave";

/// The options of `pipe`.
#[derive(Args, Debug)]
#[command(after_help = PIPE_EXAMPLES)]
pub struct PipeArgs {
    /// Connect to this peer; left out, wait for one
    pub(crate) id: Option<String>,

    /// Let only this peer in
    #[arg(long, value_name = "ID", conflicts_with = "id")]
    pub(crate) from: Option<String>,

    #[command(flatten)]
    pub(crate) peer: PeerArgs,

    /// Print a line of JSON on standard error for everything that happens
    #[arg(long)]
    pub(crate) json: bool,
}

const PIPE_EXAMPLES: &str = "\
Examples:
  wigwag pipe > backup.tar            on one machine; it prints an id
  tar c photos | wigwag pipe ID       on the other";

/// The options of `forward`.
#[derive(Args, Debug)]
#[command(after_help = FORWARD_EXAMPLES)]
pub struct ForwardArgs {
    /// Bring the port of this peer here; left out, offer one
    #[arg(required_unless_present = "to")]
    pub(crate) id: Option<String>,

    /// Offer this: HOST:PORT as this machine reaches it
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "id")]
    pub(crate) to: Option<String>,

    /// Listen here
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub(crate) listen: String,

    /// Offer it to this peer only
    #[arg(long, value_name = "ID", conflicts_with = "id")]
    pub(crate) from: Option<String>,

    #[command(flatten)]
    pub(crate) peer: PeerArgs,

    /// Print a line of JSON for everything that happens
    #[arg(long)]
    pub(crate) json: bool,
}

const FORWARD_EXAMPLES: &str = "\
Examples:
  wigwag forward --to 127.0.0.1:22                on the machine with the port; it prints an id
  wigwag forward ID --listen 127.0.0.1:2222       on the other; then: ssh -p 2222 127.0.0.1";

/// The options of `send`.
#[derive(Args, Debug)]
#[command(after_help = SEND_EXAMPLES)]
pub struct SendArgs {
    /// Files and folders, or `-` for standard input; the last may instead be whom to send to: the id of a peer, the name of a room, or the link of one
    /// of the server's page
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub(crate) files: Vec<String>,

    /// Send to this peer
    #[arg(long, value_name = "ID", conflicts_with_all = ["room", "code", "words"])]
    pub(crate) to: Option<String>,

    /// Send to whoever takes it in this room
    #[arg(long, value_name = "NAME", conflicts_with_all = ["code", "words"])]
    pub(crate) room: Option<String>,

    /// Use this code again, to go on with what was cut
    #[arg(long, value_name = "WORDS", conflicts_with = "words")]
    pub(crate) code: Option<String>,

    /// Make a code of so many words
    #[arg(long, value_name = "NUMBER", default_value = "4", value_parser = clap::value_parser!(u8).range(4..=12))]
    pub(crate) words: u8,

    /// Go on offering it to others until Ctrl-C
    #[arg(long)]
    pub(crate) keep: bool,

    /// What the file from standard input is called
    #[arg(long, value_name = "NAME", default_value = "stdin")]
    pub(crate) file_name: String,

    #[command(flatten)]
    pub(crate) peer: PeerArgs,

    /// Print a line of JSON for everything that happens
    #[arg(long)]
    pub(crate) json: bool,
}

const SEND_EXAMPLES: &str = "\
Examples:
  wigwag send photos                  prints a code, and what to type on the other machine
  wigwag send photos --code WORDS     the same again, after it was cut
  wigwag send a.pdf b.pdf ID          to a peer that waits with `wigwag receive`
  tar c src | wigwag send - --file-name src.tar";

/// The options of `receive`.
#[derive(Args, Debug)]
#[command(after_help = RECEIVE_EXAMPLES)]
pub struct ReceiveArgs {
    /// The words that the other side was shown, the link of a room of the server's page, or its join code; left out, print whom to send to, and wait
    pub(crate) code: Vec<String>,

    /// Put it into this folder
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) into: PathBuf,

    /// Take it without asking
    #[arg(short, long)]
    pub(crate) yes: bool,

    /// Let files of the same name give way; else the new ones get a number
    #[arg(long)]
    pub(crate) overwrite: bool,

    /// Take it from this peer only
    #[arg(long, value_name = "ID", conflicts_with = "code")]
    pub(crate) from: Option<String>,

    #[command(flatten)]
    pub(crate) peer: PeerArgs,

    /// Print a line of JSON for everything that happens
    #[arg(long)]
    pub(crate) json: bool,
}

const RECEIVE_EXAMPLES: &str = "\
Examples:
  wigwag receive ability-zoology-lemon-cheetah
  wigwag receive --into downloads               waits, and prints whom to send to";

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
#[command(after_help = KEYGEN_EXAMPLES)]
pub struct KeygenArgs {
    /// Write the secret into this new file, which only you may read, instead of showing it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) out: Option<PathBuf>,

    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const KEYGEN_EXAMPLES: &str = "\
Examples:
  wigwag keygen                                          show a new key, its id and its secret
  wigwag keygen --out bot.key && wigwag whoami -i bot.key
  wigwag pipe --identity bot.key                         be somebody else than this machine's user";

/// The options of `load`.
#[cfg(target_os = "linux")]
#[derive(Args, Debug)]
#[command(after_help = LOAD_EXAMPLES)]
pub struct LoadArgs {
    /// The server; certificates are not checked
    #[arg(value_hint = ValueHint::Url, default_value = "localhost:8080")]
    pub(crate) url: String,

    /// Peers that call each other, in pairs
    #[arg(short = 'n', long, value_name = "PEERS", default_value = "200", value_parser = clap::value_parser!(u32).range(2..))]
    pub(crate) sockets: u32,

    /// Sockets more that do nothing
    #[arg(long, value_name = "SOCKETS", default_value = "0")]
    pub(crate) idle: u32,

    /// Calls that begin each second, by the clock, whatever becomes of those before
    #[arg(short, long, value_name = "CALLS", default_value = "100", value_parser = rate)]
    pub(crate) rate: f64,

    /// Let as many calls be set up at any time instead, as fast as the server can
    #[arg(long, value_name = "CALLS", conflicts_with = "rate", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) at_once: Option<u32>,

    /// Send an offer and its candidates in one write, as browsers do, instead of each after the one before
    #[arg(long)]
    pub(crate) burst: bool,

    /// Begin calls for so many seconds
    #[arg(short, long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) seconds: Duration,

    /// Come as guests instead of with keys
    #[arg(long)]
    pub(crate) guests: bool,

    /// Enter this namespace
    #[arg(long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,

    /// The server is not on this machine, and that is meant
    #[arg(long)]
    pub(crate) remote: bool,

    /// The host of that server once more: I may put load on it
    #[arg(long, value_name = "HOST")]
    pub(crate) i_answer_for: Option<String>,

    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(target_os = "linux")]
const LOAD_EXAMPLES: &str = "\
Examples:
  wigwag load                                       100 calls per second on this machine's server
  wigwag load localhost:9000 --idle 5000 -r 500     among five thousand sockets that do nothing
  wigwag load --at-once 32 --burst --json           as fast as it can, for a program";

#[cfg(target_os = "linux")]
fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "a number of calls per second is wanted")?;
    if (0.01..=1e6).contains(&rate) { Ok(rate) } else { Err("between 0.01 and 1000000 is wanted".into()) }
}

/// The options of `watch`.
#[derive(Args, Debug)]
#[command(after_help = WATCH_EXAMPLES)]
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

const WATCH_EXAMPLES: &str = "\
Examples:
  wigwag watch                                             the server on this machine
  wigwag watch wigwag.example.org --admin-token-file token
  wigwag watch --json --count 1                            one look, for a program";

/// The options of `whoami`.
#[derive(Args, Debug)]
#[command(after_help = WHOAMI_EXAMPLES)]
pub struct WhoamiArgs {
    #[command(flatten)]
    pub(crate) identity: IdentityArgs,

    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const WHOAMI_EXAMPLES: &str = "\
Examples:
  wigwag whoami           the id, and where its secret and the known keys of others are kept
  wigwag whoami --json    the same for a program";

/// Whose key is used.
#[derive(Args, Debug)]
pub(crate) struct IdentityArgs {
    /// The file with the secret of the identity, as `keygen --out` writes it [default: one in your data folder, made when it is first needed]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, env = "WIGWAG_IDENTITY")]
    pub(crate) identity: Option<PathBuf>,
}
