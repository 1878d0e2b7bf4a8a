//! What happens to the server at the table.

use std::sync::Arc;

use wigwag_dialects::Dialects;
use wigwag_hub::{Hub, Moment, Now, Output, Received, Wall};

use super::Table;

impl Table {
    /// What the dialects know beyond sockets.
    pub(crate) fn dialects(&self) -> &Arc<Dialects> {
        &self.dialects
    }

    /// The time.
    pub(crate) fn now(&self) -> Now {
        self.now
    }

    /// The operator does something to the hub.
    pub(crate) fn act<T>(&mut self, act: impl FnOnce(&Hub, Now, &mut Vec<Output>) -> T) -> T {
        let mut out = Vec::new();
        let result = act(&self.hub, self.now, &mut out);
        self.carry(out);
        result
    }

    /// The server goes down in good order and comes back after a while. No socket survives.
    pub(crate) fn restart(&mut self, down_ms: u64) {
        self.hub.begin_drain();
        let open: Vec<u64> = self.sockets.keys().copied().collect();
        for number in open {
            self.receive(number, Received::Closed);
            self.socket(number).machine = None;
        }
        let saved = serde_json::to_string(&self.hub.snapshot(self.now)).unwrap();
        self.now = Now { at: Moment(3), wall: Wall(self.now.wall.0 + down_ms) };
        self.hub = Hub::new(self.hub.rules().clone(), self.dialects.voices(), [8; 32]);
        let mut out: Vec<Output> = Vec::new();
        self.hub.restore(self.now, serde_json::from_str(&saved).unwrap(), &mut out).unwrap();
        assert!(out.is_empty(), "there is no socket yet");
    }
}
