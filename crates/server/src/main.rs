//! The binary `wigwag`: parses, runs, and says by its exit code how it went.

use std::process::ExitCode;

fn main() -> ExitCode {
    wigwag_server::cli::main(std::env::args_os(), wigwag_server::run::serve)
}
