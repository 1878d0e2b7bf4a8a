//! WebTorrent trackers: swarms whose members get each other's offers at random.

use wigwag_hub::{Frames, Party, Scene, Voice};
use wigwag_wire::Event;

use crate::turn::{Interpreter, Turn};

pub(crate) const TYPES: &[&str] = &["other"];

/// One socket.
#[derive(Default)]
pub(crate) struct Tracker;

impl Interpreter for Tracker {
    fn heard(&mut self, _turn: &mut Turn<'_>, _text: &str) {}
}

/// Writes events.
pub(crate) struct TrackerVoice;

impl Voice for TrackerVoice {
    fn frames(&self, _event: &Event<'_>, _to: &Party, _scene: Scene<'_>) -> Frames {
        Frames::new()
    }
}
