//! What is said to a server: the few words that a call needs.

use serde_json::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Tongue {
    /// The bare relay's
    Bare,
    /// `wigwag.1`, as a guest
    Native,
}

/// What a text from the server means.
pub(crate) enum Heard {
    /// Say this back.
    Answer(String),
    /// The peer is registered and is called so.
    Registered(String),
    /// A message of the other peer.
    Message,
    /// Nothing of interest.
    Other,
}

impl Tongue {
    /// The path that the peer with this number opens.
    pub(crate) fn path(self, number: usize) -> String {
        match self {
            Self::Bare => format!("/{number}"),
            Self::Native => "/v1".to_owned(),
        }
    }

    /// What the peer with this number is called from the upgrade on, if it is.
    pub(crate) fn name_at_once(self, number: usize) -> Option<String> {
        match self {
            Self::Bare => Some(number.to_string()),
            Self::Native => None,
        }
    }

    /// A message to the peer of that name.
    pub(crate) fn message(self, to: &str, body: &str) -> String {
        match self {
            Self::Bare => format!("{{\"to\":{to},\"data\":\"{body}\"}}"),
            Self::Native => format!("{{\"type\":\"signal\",\"to\":\"{to}\",\"kind\":\"offer\",\"data\":\"{body}\"}}"),
        }
    }

    pub(crate) fn hear(self, text: &[u8]) -> Heard {
        match self {
            Self::Bare => Heard::Message,
            // The load shares its machine with the server, so the common case is told without parsing.
            Self::Native if text.starts_with(b"{\"type\":\"signal\"") => Heard::Message,
            Self::Native => {
                let message: Value = serde_json::from_slice(text).unwrap_or_default();
                match (message["type"].as_str(), message["id"].as_str()) {
                    (Some("challenge"), _) => Heard::Answer("{\"type\":\"hello\"}".to_owned()),
                    (Some("welcome"), Some(id)) => Heard::Registered(id.to_owned()),
                    (Some("signal"), _) => Heard::Message,
                    _ => Heard::Other,
                }
            }
        }
    }
}
