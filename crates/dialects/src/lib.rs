//! Foreign protocols on the hub: what an existing client says becomes a request, and what the hub tells it becomes its own frames.
//! One file per dialect, all of them pure: no clock, no socket, no randomness of their own. What they share is small and here:
//! which dialect a socket speaks ([`Arrival`], [`Dialect`]), the machine behind one socket ([`Conversation`]), and what outlives
//! sockets ([`Dialects`]). The hub decides who is who and who hears what; `server` accepts the sockets and answers HTTP.
//!
//! A dialect is two halves. Its interpreter lives with the socket and turns frames into requests of the hub. Its voice has no
//! state and turns the hub's events into frames; it is called while the hub holds locks.

mod arrival;
mod cards;
mod conversation;
mod dialect;
mod http;
mod json;
mod manamesh;
mod matchbox;
mod peerjs;
mod sniff;
mod tom;
mod tracker;
mod trystero;
mod turn;
mod volli;
mod watchparty;
mod yjs;

use std::sync::Arc;

pub use arrival::{Arrival, Which};
use cards::Cards;
pub use conversation::Conversation;
pub use dialect::{Dialect, EVENT_TYPES};
pub use http::HttpAnswer;
pub use manamesh::SignalingCounts;
pub use peerjs::{PeerJsSettings, peerjs_http};
pub use watchparty::room_info;
use wigwag_hub::{Moment, Native, Voice};
use wigwag_wire::Namespace;

/// What the dialects know beyond single sockets, and how the operator wants them.
#[derive(Debug, Default)]
pub struct Dialects {
    settings: Settings,
    cards: Cards,
    manamesh: manamesh::Census,
    peerjs: peerjs::Shared,
    lobbies: matchbox::Lobbies,
}

/// How the operator wants the dialects.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// PeerJS.
    pub peerjs: PeerJsSettings,
}

impl Dialects {
    /// With these settings.
    pub fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self { settings, ..Self::default() })
    }

    /// How the operator wants them.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn cards(&self) -> &Cards {
        &self.cards
    }

    /// Whether nothing is kept beyond what sockets hold. So it is when no socket is open and what had to wait is over.
    pub fn is_empty(&self, now: Moment) -> bool {
        let alone = self.cards.is_empty() && self.manamesh.is_empty() && self.lobbies.is_empty();
        alone && self.peerjs.is_empty(now)
    }

    /// The voices of a hub that speaks all dialects: the native one first, then those of [`Dialect::ALL`] in order.
    pub fn voices(self: &Arc<Self>) -> Vec<Box<dyn Voice>> {
        let mut voices: Vec<Box<dyn Voice>> = vec![Box::new(Native)];
        voices.extend(Dialect::ALL.iter().map(|dialect| self.voice(*dialect)));
        voices
    }

    /// How many ManaMesh peers are in how many rooms of a namespace.
    pub fn signaling_counts(&self, ns: &Namespace) -> SignalingCounts {
        self.manamesh.counts(ns)
    }

    fn voice(self: &Arc<Self>, dialect: Dialect) -> Box<dyn Voice> {
        match dialect {
            Dialect::Volli => Box::new(volli::VolliVoice),
            Dialect::ManaMesh => Box::new(manamesh::ManaMeshVoice),
            Dialect::WatchParty => Box::new(watchparty::WatchPartyVoice),
            Dialect::Tom => Box::new(tom::TomVoice),
            Dialect::PeerJs => Box::new(peerjs::PeerJsVoice),
            Dialect::Yjs => Box::new(yjs::YjsVoice),
            Dialect::Matchbox => Box::new(matchbox::MatchboxVoice),
            Dialect::Tracker => Box::new(tracker::TrackerVoice),
            Dialect::Trystero => Box::new(trystero::TrysteroVoice),
        }
    }
}
