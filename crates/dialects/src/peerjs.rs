//! PeerJS: calls a peer by id; what is for an absent one waits a little.

use wigwag_hub::{Frames, Party, Scene, Voice};
use wigwag_wire::Event;

use crate::turn::{Interpreter, Turn};

pub(crate) const TYPES: &[&str] = &["other"];

/// One socket.
#[derive(Default)]
pub(crate) struct PeerJs;

impl Interpreter for PeerJs {
    fn heard(&mut self, _turn: &mut Turn<'_>, _text: &str) {}
}

/// Writes events.
pub(crate) struct PeerJsVoice;

impl Voice for PeerJsVoice {
    fn frames(&self, _event: &Event<'_>, _to: &Party, _scene: Scene<'_>) -> Frames {
        Frames::new()
    }
}
