//! Data channels: how they are opened, and what is said on them.

use bytes::Bytes;

/// One message on a channel. The letters that tell text from JSON in the browser SDK are not added here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Bytes),
}

impl Message {
    /// Its size as it counts for limits.
    pub fn len(&self) -> usize {
        self.bytes().len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    pub(crate) fn is_binary(&self) -> bool {
        matches!(self, Self::Binary(_))
    }

    /// What it costs in a queue: even an empty one takes room.
    pub fn cost(&self) -> usize {
        self.len() + 64
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(bytes))
    }
}

/// How hard a channel tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Reliability {
    /// Until it arrives.
    #[default]
    Reliable,
    /// For so many milliseconds.
    Milliseconds(u16),
    /// So many times after the first.
    Retransmits(u16),
}

/// What a channel is opened with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelInit {
    /// Its name, at most 256 bytes.
    pub label: String,
    /// What is spoken on it, for programs that care; at most 256 bytes.
    pub protocol: String,
    /// Whether messages arrive in the order in which they were sent.
    pub ordered: bool,
    /// How hard it tries.
    pub reliability: Reliability,
    /// The number that both ends agreed on beforehand; without it the channel is announced to the other end.
    pub negotiated: Option<u16>,
}

impl ChannelInit {
    /// Reliable and in order, announced to the other end.
    pub fn new(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            protocol: String::new(),
            ordered: true,
            reliability: Reliability::Reliable,
            negotiated: None,
        }
    }

    /// Reliable and in order, under a number that both ends know.
    pub fn negotiated(label: impl Into<String>, id: u16) -> Self {
        Self { negotiated: Some(id), ..Self::new(label) }
    }

    /// The channel that every connection of Wigwag has, as the browser SDK opens it.
    pub fn main() -> Self {
        Self::negotiated("wigwag", 0)
    }
}
