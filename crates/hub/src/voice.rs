//! How events become frames. One voice per dialect; the native one writes each event as JSON.

use bytes::Bytes;
use wigwag_wire::Event;

use crate::ids::Party;

/// Writes events for the sessions of one dialect.
pub trait Voice: Send + Sync {
    /// The frame for an event, or nothing where the dialect has no such notion. `to` is whom it is for; frames of an event that
    /// goes to many are written once per dialect, so it must not depend on `to` beyond the dialect.
    fn frame(&self, event: &Event<'_>, to: &Party) -> Option<Bytes>;
}

/// The native protocol: every event as one JSON object.
pub struct Native;

impl Voice for Native {
    fn frame(&self, event: &Event<'_>, _to: &Party) -> Option<Bytes> {
        // Serialising into memory cannot fail for these types: no maps with odd keys, no floats.
        serde_json::to_vec(event).ok().map(Bytes::from)
    }
}
