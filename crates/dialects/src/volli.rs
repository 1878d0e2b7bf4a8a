//! Volli: calls a user by id.

use wigwag_hub::{Frames, Party, Scene, Voice};
use wigwag_wire::Event;

use crate::turn::{Interpreter, Turn};

pub(crate) const TYPES: &[&str] = &["other"];

/// One socket.
#[derive(Default)]
pub(crate) struct Volli;

impl Interpreter for Volli {
    fn heard(&mut self, _turn: &mut Turn<'_>, _text: &str) {}
}

/// Writes events.
pub(crate) struct VolliVoice;

impl Voice for VolliVoice {
    fn frames(&self, _event: &Event<'_>, _to: &Party, _scene: Scene<'_>) -> Frames {
        Frames::new()
    }
}
