//! One shard of groups: rooms, topics, networks and swarms whose names hash to it.
//!
//! A group decides who is in it and who hears what; how a session is reached is the peers' business.

mod broadcast;
pub(crate) mod networks;
pub(crate) mod rooms;
pub(crate) mod swarms;
mod table;
pub(crate) mod topics;

use std::sync::Arc;

use foldhash::quality::FixedState;
use serde::{Deserialize, Serialize};
use wigwag_wire::event::Presence;
use wigwag_wire::{Refusal, Request};

use crate::cx::Cx;
use crate::ids::{GroupKey, GroupKind, Party};
use crate::lock::Timed;
use crate::time::Moment;

/// One shard.
pub(crate) struct Groups {
    pub(crate) rooms: rooms::Rooms,
    pub(crate) topics: topics::Topics,
    pub(crate) networks: networks::Networks,
    pub(crate) swarms: swarms::Swarms,
}

/// One shard, written out.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct GroupsSnapshot {
    rooms: rooms::RoomsSnapshot,
    topics: topics::TopicsSnapshot,
    networks: networks::NetworksSnapshot,
    swarms: swarms::SwarmsSnapshot,
}

impl Groups {
    pub(crate) fn new(hasher: &FixedState) -> Self {
        Self {
            rooms: rooms::Rooms::default(),
            topics: topics::Topics::new(hasher),
            networks: networks::Networks::new(hasher),
            swarms: swarms::Swarms::new(hasher),
        }
    }

    /// Whether there is none, nor anything that belonged to one.
    pub(crate) fn is_empty(&self) -> bool {
        self.rooms.is_empty() && self.topics.is_empty() && self.networks.is_empty() && self.swarms.is_empty()
    }

    /// A request about a group of this shard. Whoever handles it also answers it; a refusal is answered by the caller.
    pub(crate) fn request(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        request: &Request<'_>,
    ) -> Result<(), Refusal> {
        match request {
            Request::Publish(publish) => self.topics.publish(cx, who, n, publish),
            Request::NetworkJoin(_) | Request::NetworkLeave(_) | Request::Beat(_) | Request::Role(_) => {
                self.networks.request(cx, who, n, request)
            }
            Request::SwarmAnnounce(_) | Request::SwarmLeave(_) | Request::SwarmCount(_) => {
                self.swarms.request(cx, who, n, request)
            }
            _ => self.rooms.request(cx, who, n, request),
        }
    }

    /// A session that was in this group is over.
    pub(crate) fn ended(&mut self, cx: &mut Cx<'_>, who: &Party, group: &GroupKey) {
        match group.kind {
            GroupKind::Room => self.rooms.ended(cx, who, group),
            GroupKind::Topic => self.topics.ended(cx, who, group),
            GroupKind::Network => self.networks.ended(cx, who, group),
            GroupKind::Swarm => self.swarms.ended(cx, who, group),
        }
    }

    /// A session in this group went away or came back.
    pub(crate) fn presence(&mut self, cx: &mut Cx<'_>, who: &Party, group: &GroupKey, state: Presence) {
        if group.kind == GroupKind::Room {
            self.rooms.presence(cx, who, group, state);
        }
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, cx: &mut Cx<'_>) {
        self.rooms.tick(cx);
        self.networks.tick(cx);
    }

    /// Writes the shard out.
    pub(crate) fn snapshot(&self, cx: &Cx<'_>) -> GroupsSnapshot {
        GroupsSnapshot {
            rooms: self.rooms.snapshot(cx),
            topics: self.topics.snapshot(),
            networks: self.networks.snapshot(),
            swarms: self.swarms.snapshot(),
        }
    }

    /// Reads it back. Sessions are restored before groups; a member without one is dropped.
    pub(crate) fn restore(&mut self, cx: &mut Cx<'_>, snapshot: GroupsSnapshot) {
        self.rooms.restore(cx, snapshot.rooms);
        self.topics.restore(cx, snapshot.topics);
        self.networks.restore(cx, snapshot.networks);
        self.swarms.restore(cx, snapshot.swarms);
    }
}

impl Timed for Groups {
    fn next_deadline(&self) -> Option<Moment> {
        [self.rooms.next_deadline(), self.networks.next_deadline()].into_iter().flatten().min()
    }
}
