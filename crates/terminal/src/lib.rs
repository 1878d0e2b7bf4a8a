//! What all commands share before a terminal: exit codes with their table, results and complaints, colours, progress,
//! spans of time as people write them, and the costs that one command measures and another reckons with.
//!
//! It knows no command and no server. The server's commands and those for peers both stand on it, so that either
//! can be built without the other.

use std::time::Duration;

pub mod exit;
pub mod measured;
pub mod out;

/// Reads a span in seconds, for clap.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds is wanted")?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err("a number of seconds is wanted".into()),
    }
}
