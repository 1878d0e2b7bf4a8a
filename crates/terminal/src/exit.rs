//! What the process's exit code means: one table for the code, the help and the manual.

use std::fmt::Write;
use std::process::ExitCode;

/// How a run of `wigwag` ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did what it was asked to.
    Done = 0,
    /// It did not, or the answer is no.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// The peer is not there.
    Absent = 3,
    /// The peer, or the server, said no.
    Refused = 4,
    /// No way led to the peer, in time.
    NoPath = 5,
    /// What came is not what was sent.
    Broken = 6,
    /// The server cannot listen.
    Unavailable = 69,
    /// The data folder, or another file, cannot be used.
    Io = 74,
    /// It would burden a machine that is not this one, and was not told twice to.
    NotAllowed = 77,
    /// The configuration is wrong.
    Config = 78,
    /// A second SIGINT cut the drain short, or a person ended a transfer.
    Interrupted = 130,
    /// A second SIGTERM cut the drain short.
    Terminated = 143,
}

/// Every exit code with what it means and what to do.
pub const EXITS: [(Exit, &str, &str); 13] = [
    (Exit::Done, "It went well; for `serve`: the server was asked to stop and drained.", "Nothing."),
    (
        Exit::Failed,
        "It failed for a reason with no code of its own; for `health`: the server is not healthy or not there; for `conform`: it breaks a promise or is not there; for `doctor`: something is wrong; for `load`: calls failed or sockets were lost.",
        "Read the message.",
    ),
    (Exit::Usage, "The command line makes no sense.", "See `--help`."),
    (Exit::Absent, "The peer is not there, or was never heard of.", "Wait for it, or check its id."),
    (
        Exit::Refused,
        "The peer or the server said no, or somebody answered with another key than the peer's.",
        "Read the message.",
    ),
    (
        Exit::NoPath,
        "The peer is there, and no way led to it in time.",
        "`wigwag doctor` on both machines says what is missing.",
    ),
    (
        Exit::Broken,
        "What came is not what was sent, or the other side did not keep to the rules of a transfer.",
        "Try again: what is whole already does not come twice. If it happens again, tell whoever makes the program at the other end.",
    ),
    (
        Exit::Unavailable,
        "The server cannot listen where it should: the address is taken, or not permitted. For a command that uses a server: none let it in in time.",
        "Free the address or choose another; restarting alone may help. `wigwag doctor` says why a server is not reached.",
    ),
    (
        Exit::Io,
        "The data folder or another file cannot be read or written.",
        "Check that it exists, who owns it, and whether the disk is full.",
    ),
    (
        Exit::NotAllowed,
        "`load` was aimed at a machine that is not this one, without both options that say that it is meant.",
        "Aim it at a server of your own on this machine; for one elsewhere see `wigwag load --help`.",
    ),
    (
        Exit::Config,
        "The configuration is wrong; every problem was named on standard error.",
        "Mend it and try it with `wigwag config check`. Restarting alone does not help.",
    ),
    (
        Exit::Interrupted,
        "A second SIGINT stopped the server before it had drained. For `send` and `receive`: a person ended it.",
        "Nothing; sessions that were not told come back by themselves, and the same transfer goes on where it was.",
    ),
    (
        Exit::Terminated,
        "A second SIGTERM stopped the server before it had drained.",
        "Give it more time, or set a shorter `server.drain_seconds`.",
    ),
];

impl Exit {
    /// Joins the exit code with the reason that is shown on standard error.
    pub fn because(self, why: impl Into<anyhow::Error>) -> Failure {
        Failure { exit: self, why: why.into() }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command failed, and the exit code that says so.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// The reason, shown with all its causes.
    pub why: anyhow::Error,
}

/// The table as the help and the manual show it.
pub fn plain() -> String {
    let mut out = String::from("Exit codes:\n");
    for (exit, meaning, _) in EXITS {
        let _ = writeln!(out, "  {:>3}  {}", exit as u8, meaning.replace('`', ""));
    }
    out
}

/// The table as a page of the reference.
pub fn markdown() -> String {
    let mut out = String::from("# Exit codes\n\n| code | meaning | what to do |\n| --- | --- | --- |\n");
    for (exit, meaning, remedy) in EXITS {
        let _ = writeln!(out, "| {} | {meaning} | {remedy} |", exit as u8);
    }
    out
}
