//! Frames of other dialects, on their way to receivers who speak the same one.

/// A frame as it came. Never on the wire: whoever speaks another dialect is told the content alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign<'a> {
    /// The number of the dialect.
    pub dialect: u8,
    /// The whole frame, byte for byte.
    pub frame: &'a str,
}

impl<'a> Foreign<'a> {
    /// The frame, for a receiver who speaks this dialect.
    pub fn in_dialect(self, dialect: u8) -> Option<&'a str> {
        (self.dialect == dialect).then_some(self.frame)
    }
}
