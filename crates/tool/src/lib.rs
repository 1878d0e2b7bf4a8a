//! The commands of `wigwag` for people who use a server rather than run one: who am I, what is wrong between me and
//! it, and what passes between people. The binary takes them in beside `serve`.
//!
//! Here is what a terminal sees: arguments, words, colours, exit codes. It decides nothing about the protocol, and
//! nothing here is needed to run a server.

mod args;
mod chat;
mod doctor;
mod files;
mod find;
mod forward;
mod identity;
mod keygen;
#[cfg(target_os = "linux")]
mod load;
mod notes;
mod pipe;
mod session;
mod watch;
mod web;
mod whoami;

use wigwag_terminal::exit::{Exit, Failure};
use wigwag_terminal::out::Out;
use wigwag_terminal::{exit, out};

pub use self::args::Command;

/// Does what the arguments ask for.
pub fn run(command: &Command, out: &mut Out) -> Result<Exit, Failure> {
    match command {
        Command::Find(args) => find::run(out, args),
        Command::Chat(args) => chat::run(out, args),
        Command::Pipe(args) => pipe::run(args),
        Command::Forward(args) => forward::run(args),
        Command::Send(args) => files::send(out, args),
        Command::Receive(args) => files::receive(out, args),
        Command::Doctor(args) => doctor::run(out, args),
        Command::Keygen(args) => keygen::run(out, args),
        #[cfg(target_os = "linux")]
        Command::Load(args) => load::run(out, args),
        Command::Watch(args) => watch::run(out, args),
        Command::Whoami(args) => whoami::run(out, args),
    }
}
