//! Topics, broadcasts, networks and swarms at a table: one real hub, real sessions, and every frame that came out.
#![allow(clippy::unwrap_used)]

mod broadcast;
mod networks;
mod networks_model;
mod swarms;
#[path = "../table/mod.rs"]
mod table;
mod topics;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use table::Table;
use wigwag_hub::{Frames, Hub, Native, Party, Scene, Voice};
use wigwag_wire::Event;

/// Counts how often an event is written, and keeps what only dialects see.
#[derive(Clone, Default)]
struct Scribe(Arc<Written>);

#[derive(Default)]
struct Written {
    networks: AtomicU64,
    published: AtomicU64,
    broadcasts: AtomicU64,
    beats: AtomicU64,
    /// The last count of parties that came to have all.
    completed: AtomicU64,
    /// The length of the whole list in the last gathered change.
    all: AtomicU64,
}

impl Scribe {
    /// A table for many, whose every frame this scribe writes.
    fn table(&self) -> Table {
        let mut table = Table::with(|rules| {
            rules.limits.sockets_per_address = 0;
            rules.limits.handshakes = 0;
        });
        let rules = table.world.hub.rules().clone();
        table.world.hub = Hub::new(rules, vec![Box::new(self.clone())], [7; 32]);
        table
    }

    fn count(&self, pick: impl Fn(&Written) -> &AtomicU64) -> u64 {
        pick(&self.0).load(Ordering::Relaxed)
    }
}

impl Voice for Scribe {
    fn frames(&self, event: &Event<'_>, to: &Party, scene: Scene<'_>) -> Frames {
        let up = |count: &AtomicU64| count.fetch_add(1, Ordering::Relaxed);
        match event {
            Event::NetworkNodes(nodes) => {
                self.0.all.store(nodes.all.len() as u64, Ordering::Relaxed);
                up(&self.0.networks);
            }
            Event::Published(_) => _ = up(&self.0.published),
            Event::Broadcast(_) => _ = up(&self.0.broadcasts),
            Event::Beats(_) => _ = up(&self.0.beats),
            Event::Swarm(swarm) => self.0.completed.store(swarm.completed, Ordering::Relaxed),
            _ => {}
        }
        Native.frames(event, to, scene)
    }
}
