//! What the originals answered over HTTP beside their sockets.

use serde::Serialize;

/// An answer over HTTP. Pages of any origin may read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl HttpAnswer {
    /// JSON.
    pub(crate) fn json(status: u16, body: &impl Serialize) -> Self {
        // Serialising into memory cannot fail for the answers of this crate: no maps with odd keys.
        let body = serde_json::to_string(body).unwrap_or_default();
        Self { status, content_type: "application/json; charset=utf-8", body }
    }
}
