//! Which paths may cross: none that leads out of a folder, and none that two systems would read differently.

use std::fmt;

/// Parts of a path, and bytes of a part and of the whole.
const PARTS_MAX: usize = 32;
const PART_BYTES_MAX: usize = 255;
const BYTES_MAX: usize = 4_096;

/// Where a file belongs, below the folder that the receiver chose: relative, joined by `/`, and harmless.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FilePath(String);

/// No path that may cross.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no path that may be sent: it is too long, leads elsewhere, or has characters that some systems cannot write"
)]
pub struct BadPath;

impl FilePath {
    /// Reads a path.
    pub fn new(text: impl Into<String>) -> Result<Self, BadPath> {
        let text = text.into();
        let is_good = text.len() <= BYTES_MAX && text.split('/').count() <= PARTS_MAX && text.split('/').all(is_part);
        if is_good { Ok(Self(text)) } else { Err(BadPath) }
    }

    /// As it crosses.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folders on the way, and the name at its end.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The name at its end.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_part(part: &str) -> bool {
    (1..=PART_BYTES_MAX).contains(&part.len())
        && part != "."
        && part != ".."
        && !part.chars().any(|char| char.is_control() || char == '\\')
}
