//! What `pipe` and `forward` tell beside the bytes that they carry: words for a person, or a line of JSON for each thing that happens.

use serde_json::Value;

use crate::out::{complain, stdout};

/// Where it goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Notes {
    /// In words, on standard error.
    Words,
    /// As JSON on standard error, because standard output has the bytes.
    JsonBeside,
    /// As JSON on standard output.
    Json,
}

impl Notes {
    /// Tells it, in one way or the other.
    pub(crate) fn tell(self, words: &str, json: &Value) {
        match self {
            Self::Words => complain(words),
            Self::JsonBeside => complain(&json.to_string()),
            // Where nobody reads it, the work goes on.
            Self::Json => drop(stdout().line(&json.to_string())),
        }
    }
}
