//! ManaMesh: rooms in which the newcomer makes the offers.

use wigwag_hub::{Frames, Party, Scene, Voice};
use wigwag_wire::Event;

use crate::turn::{Interpreter, Turn};

pub(crate) const TYPES: &[&str] = &["other"];

/// One socket.
#[derive(Default)]
pub(crate) struct ManaMesh;

impl Interpreter for ManaMesh {
    fn heard(&mut self, _turn: &mut Turn<'_>, _text: &str) {}
}

/// Writes events.
pub(crate) struct ManaMeshVoice;

impl Voice for ManaMeshVoice {
    fn frames(&self, _event: &Event<'_>, _to: &Party, _scene: Scene<'_>) -> Frames {
        Frames::new()
    }
}
