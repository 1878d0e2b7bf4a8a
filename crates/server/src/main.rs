//! The binary `wigwag`: parses, runs, and says by its exit code how it went.

use std::process::ExitCode;

use wigwag_server::cli::{self, Exit};

fn main() -> ExitCode {
    cli::main(std::env::args_os(), |_launch| {
        Err(Exit::Unavailable.because(std::io::Error::other("nothing to serve yet")))
    })
}
