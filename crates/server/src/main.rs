//! The binary `wigwag`: parses, runs, and says by its exit code how it went.

use std::process::ExitCode;

use wigwag_server::memory::Trays;

#[global_allocator]
static MEMORY: Trays = Trays::new();

fn main() -> ExitCode {
    wigwag_server::cli::main(std::env::args_os(), wigwag_server::run::serve)
}
