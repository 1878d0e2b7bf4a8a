//! Writing for the caller: results to standard output, complaints to standard error.

use std::io::{self, Write};

use serde::Serialize;

use super::exit::{Exit, Failure};

/// Where results go.
pub(super) struct Out(Box<dyn Write>);

/// Standard output.
pub(super) fn stdout() -> Out {
    Out(Box::new(io::stdout().lock()))
}

impl Out {
    /// Writes one line.
    pub(super) fn line(&mut self, line: &str) -> Result<Exit, Failure> {
        self.bytes(format!("{line}\n").as_bytes())
    }

    /// Writes a value as indented JSON.
    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<Exit, Failure> {
        let text = serde_json::to_string_pretty(value).map_err(|why| Exit::Failed.because(why))?;
        self.line(&text)
    }

    /// Writes everything, and sees that it arrives.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<Exit, Failure> {
        let written = self.0.write_all(bytes).and_then(|()| self.0.flush());
        written.map(|()| Exit::Done).map_err(|why| Exit::Io.because(why))
    }
}

/// Says something on standard error.
pub(super) fn complain(line: &str) {
    // If nobody listens there, there is nobody left to tell.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Whether the reader went away, as in `wigwag config print | head`: no reason to complain.
pub(super) fn is_broken_pipe(failure: &Failure) -> bool {
    failure.why.downcast_ref::<io::Error>().is_some_and(|why| why.kind() == io::ErrorKind::BrokenPipe)
}
