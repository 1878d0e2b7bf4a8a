//! What a program is told beside the answers to its questions.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::stream::{Stream, unfold};
use serde_json::value::RawValue;
use tokio::sync::broadcast;
use wigwag_peer::Status;
use wigwag_peer::heard::{self, DeviceHeard};
use wigwag_wire::event::Presence;
use wigwag_wire::{PeerId, PublicKey};

/// Where a peer is.
pub type PeerState = Presence;

/// So many events are kept for a reader that is behind.
pub(crate) const EVENTS_KEPT: usize = 1024;

/// What happens to a client.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// How things stand with the servers.
    Status(Status),
    /// The session is another one: what was under way is lost. Rooms, watches and topics are asked for again.
    Fresh,
    /// An id that is watched came, went, or was found so.
    Presence {
        /// Who.
        id: String,
        /// How.
        state: PeerState,
        /// When it was last here, where it is not.
        seen: Option<SystemTime>,
    },
    /// A peer handed us something.
    Signal {
        /// Who.
        from: String,
        /// Which of its programs.
        device: String,
        /// The app's own word for it.
        kind: String,
        /// JSON, byte for byte.
        data: Box<RawValue>,
        /// When it was stored, where it was.
        stored: Option<SystemTime>,
    },
    /// Signals of ours that were delivered may not have arrived after all.
    Lost {
        /// Whom they were for.
        to: String,
        /// Which of its programs.
        device: String,
        /// How many.
        count: usize,
    },
    /// Something was published to a topic that we subscribed to.
    Published {
        /// The topic.
        topic: String,
        /// By whom.
        from: String,
        /// JSON, byte for byte.
        data: Box<RawValue>,
    },
    /// Something for everybody in the namespace.
    Broadcast {
        /// By whom.
        from: String,
        /// JSON, byte for byte.
        data: Box<RawValue>,
    },
    /// Somebody used another key than the one that belongs to an id.
    Key {
        /// Whose id.
        id: PeerId,
        /// The key that came.
        key: PublicKey,
    },
    /// Something that a developer should see.
    Fault {
        /// The code that goes with it, or 0.
        code: u16,
        /// What is wrong.
        message: String,
    },
    /// This reader was so far behind that so many events are gone.
    Missed(u64),
}

/// A reader of events, from when it was made on.
pub struct Events(pub(crate) broadcast::Receiver<Event>);

impl Events {
    /// The next one; `None` when the client is closed. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(count)) => Some(Event::Missed(count)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Event> + Send {
        unfold(self, |mut events| async move { events.next().await.map(|event| (event, events)) })
    }
}

/// Where an id is.
#[derive(Clone, Debug)]
pub struct Found {
    /// Who.
    pub id: String,
    /// The best of its devices.
    pub state: PeerState,
    /// Each of them.
    pub devices: Vec<(String, PeerState)>,
    /// When it was last here, where it is not.
    pub seen: Option<SystemTime>,
}

impl From<heard::Found> for Found {
    fn from(found: heard::Found) -> Self {
        let devices = found.devices.into_iter().map(|DeviceHeard { device, state }| (device, state)).collect();
        Self { id: found.id, state: found.state, devices, seen: found.seen.map(time) }
    }
}

/// A time of the server.
pub(crate) fn time(ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(ms)
}
