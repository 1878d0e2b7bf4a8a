//! ToM: a network of nodes with roles and heartbeats.

use wigwag_hub::{Frames, Party, Scene, Voice};
use wigwag_wire::Event;

use crate::turn::{Interpreter, Turn};

pub(crate) const TYPES: &[&str] = &["other"];

/// One socket.
#[derive(Default)]
pub(crate) struct Tom;

impl Interpreter for Tom {
    fn heard(&mut self, _turn: &mut Turn<'_>, _text: &str) {}
}

/// Writes events.
pub(crate) struct TomVoice;

impl Voice for TomVoice {
    fn frames(&self, _event: &Event<'_>, _to: &Party, _scene: Scene<'_>) -> Frames {
        Frames::new()
    }
}
