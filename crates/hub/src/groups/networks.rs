//! Networks: nodes that see each other, with roles and heartbeats.
//!
//! A newcomer gets the whole list once. After that everyone is told changes, gathered over a window of time: what one window
//! brought is written once and sent to all who were there before it. Whoever came during the window gets only what came after.

mod network;
mod snapshot;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use foldhash::quality::FixedState;
use wigwag_wire::request::{NetworkJoin, Role};
use wigwag_wire::{Code, NetworkName, Refusal, Request};

use self::network::Network;
pub(crate) use self::snapshot::NetworksSnapshot;
use super::table::Table;
use crate::cx::Cx;
use crate::ids::{GroupKey, GroupKind, Party};
use crate::tallies::{down, up};
use crate::time::Moment;

/// The networks of one shard.
pub(crate) struct Networks {
    networks: Table<Network>,
    /// When windows close. What no longer fits the network is passed over.
    windows: BinaryHeap<Reverse<(Moment, GroupKey)>>,
}

impl Networks {
    pub(crate) fn new(hasher: &FixedState) -> Self {
        Self { networks: Table::new(GroupKind::Network, hasher.clone()), windows: BinaryHeap::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.networks.is_empty() && self.windows.is_empty()
    }

    pub(crate) fn request(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        request: &Request<'_>,
    ) -> Result<(), Refusal> {
        match request {
            Request::NetworkJoin(join) => return self.join(cx, who, n, join),
            Request::NetworkLeave(leave) => {
                let (key, _) = self.joined(who, &leave.network)?;
                let key = key.clone();
                cx.leave(who, &key);
                self.ended(cx, who, &key);
            }
            Request::Beat(beat) => {
                let (key, network) = self.joined(who, &beat.network)?;
                network.beat(who);
                let key = key.clone();
                self.open_window(cx, key);
            }
            Request::Role(role) => self.role(cx, who, role)?,
            _ => return Ok(()),
        }
        cx.done(who, n, None);
        Ok(())
    }

    pub(crate) fn ended(&mut self, cx: &mut Cx<'_>, who: &Party, key: &GroupKey) {
        let Some(network) = self.networks.get_mut(key) else { return };
        if !network.remove(who) {
            return;
        }
        if network.is_empty() {
            self.networks.remove(key);
            down(&cx.hub.tallies().networks);
        } else {
            self.open_window(cx, key.clone());
        }
    }

    /// Closes the windows that are due.
    pub(crate) fn tick(&mut self, cx: &mut Cx<'_>) {
        while let Some(Reverse((at, _))) = self.windows.peek() {
            if *at > cx.now.at {
                break;
            }
            let Some(Reverse((at, key))) = self.windows.pop() else { break };
            if let Some(network) = self.networks.get_mut(&key).filter(|n| n.window == Some(at)) {
                network.close_window(cx);
            }
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        self.windows.peek().map(|Reverse((at, _))| *at)
    }

    fn join(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        join: &NetworkJoin<'_>,
    ) -> Result<(), Refusal> {
        let key = self.networks.key(&who.ns, join.network.as_str());
        let network = self.networks.get_mut(&key);
        if network.as_ref().is_some_and(|n| n.is_full_for(who, cx.rules().limits.nodes_per_network)) {
            return Err(Refusal::new(Code::RoomFull, "The network has as many nodes as it may."));
        }
        cx.enter(who, key.clone())?;
        if network.is_none() {
            up(&cx.hub.tallies().networks);
        }
        let network = self.networks.of(key.clone(), || Network::new(join.network.clone()));
        let replaced = network.add(who, join.me);
        network.welcome(cx, who, n);
        if let Some(replaced) = replaced {
            cx.leave(&replaced, &key);
        }
        self.open_window(cx, key);
        Ok(())
    }

    fn role(&mut self, cx: &mut Cx<'_>, who: &Arc<Party>, role: &Role<'_>) -> Result<(), Refusal> {
        let (_, network) = self.joined(who, &role.network)?;
        network.assign(cx, who, role)
    }

    /// The network, if the asker is a node of it.
    fn joined(&mut self, who: &Party, network: &NetworkName) -> Result<(&GroupKey, &mut Network), Refusal> {
        let found = self.networks.find_mut(&who.ns, network.as_str());
        found.filter(|(_, n)| n.has(who)).ok_or_else(|| Code::NotMember.into())
    }

    /// Sees to it that what changed is told at the end of a window.
    fn open_window(&mut self, cx: &Cx<'_>, key: GroupKey) {
        let Some(network) = self.networks.get_mut(&key) else { return };
        if network.window.is_none() && network.has_news() {
            let at = cx.now.at + cx.rules().gather_ms;
            network.window = Some(at);
            self.windows.push(Reverse((at, key)));
        }
    }
}
