//! Writing for the caller: results to standard output, complaints to standard error.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::exit::{Exit, Failure};

/// Where results go.
pub struct Out(Box<dyn Write>);

/// Standard output. Not locked: `pipe` writes to it from another thread.
pub fn stdout() -> Out {
    Out(Box::new(io::stdout()))
}

impl Out {
    /// Writes one line.
    pub fn line(&mut self, line: &str) -> Result<Exit, Failure> {
        self.bytes(format!("{line}\n").as_bytes())
    }

    /// Writes a value as indented JSON.
    pub fn json(&mut self, value: &impl Serialize) -> Result<Exit, Failure> {
        let text = serde_json::to_string_pretty(value).map_err(|why| Exit::Failed.because(why))?;
        self.line(&text)
    }

    /// Writes everything, and sees that it arrives.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<Exit, Failure> {
        let written = self.0.write_all(bytes).and_then(|()| self.0.flush());
        written.map(|()| Exit::Done).map_err(|why| Exit::Io.because(why))
    }
}

/// Writes text in colours, where a person looks at standard output and has not asked for none (`NO_COLOR`).
#[derive(Clone, Copy, Debug)]
pub struct Paint(bool);

impl Paint {
    /// For standard output as it is.
    pub fn stdout() -> Self {
        Self(io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()))
    }

    /// The text in this colour, named as terminals do (`32`, `31;1`).
    pub fn text(self, colour: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Shows on one line of standard error what is under way, where a person looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Progress(bool);

impl Progress {
    /// For standard error as it is.
    pub fn stderr() -> Self {
        Self(io::stderr().is_terminal())
    }

    /// Whether somebody looks.
    pub fn is_seen(self) -> bool {
        self.0
    }

    /// Shows this in the place of what was shown before.
    pub fn show(self, text: &str) {
        if self.0 {
            let mut err = io::stderr();
            // Progress is a courtesy; where it cannot be shown, the results still come.
            let _ = write!(err, "\r\x1b[2K{text}").and_then(|()| err.flush());
        }
    }

    /// Takes it away.
    pub fn wipe(self) {
        self.show("");
    }
}

/// Says something on standard error.
pub fn complain(line: &str) {
    // If nobody listens there, there is nobody left to tell.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Whether the reader went away, as in `wigwag config print | head`: no reason to complain.
pub fn is_broken_pipe(failure: &Failure) -> bool {
    failure.why.downcast_ref::<io::Error>().is_some_and(|why| why.kind() == io::ErrorKind::BrokenPipe)
}
