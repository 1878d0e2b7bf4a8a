//! One shard of networks, written out and read back with what its nodes have not been told yet.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wigwag_wire::{Device, Kind, Namespace, NetworkName, PeerId};

use super::Networks;
use super::network::{Gone, Network, Node};
use crate::cx::Cx;
use crate::ids::{GroupKey, SessionId};
use crate::tallies::up;

/// The networks of one shard, written out.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct NetworksSnapshot {
    networks: Vec<NetworkSnapshot>,
}

#[derive(Serialize, Deserialize)]
struct NetworkSnapshot {
    ns: Namespace,
    network: NetworkName,
    nodes: Vec<NodeSnapshot>,
    left: Vec<GoneSnapshot>,
    changes: u64,
    told: u64,
}

#[derive(Serialize, Deserialize)]
struct NodeSnapshot {
    at: u64,
    session: SessionId,
    /// Whom to name to the others if the session is not there any more.
    id: PeerId,
    device: Device,
    roles: Vec<Kind>,
    me: Option<String>,
    since: u64,
    knows: u64,
    beat: bool,
}

#[derive(Serialize, Deserialize)]
struct GoneSnapshot {
    id: PeerId,
    device: Device,
    #[serde(default)]
    roles: Vec<Kind>,
    #[serde(default)]
    me: Option<String>,
    since: u64,
    at: u64,
}

impl Networks {
    pub(crate) fn snapshot(&self) -> NetworksSnapshot {
        let write = |(key, network): (&GroupKey, &Network)| NetworkSnapshot {
            ns: key.ns.clone(),
            network: network.name.clone(),
            nodes: network.nodes.iter().map(|(at, node)| NodeSnapshot::of(*at, node)).collect(),
            left: network.left.iter().map(GoneSnapshot::of).collect(),
            changes: network.changes,
            told: network.told,
        };
        NetworksSnapshot { networks: self.networks.sorted().into_iter().map(write).collect() }
    }

    pub(crate) fn restore(&mut self, cx: &mut Cx<'_>, snapshot: NetworksSnapshot) {
        for saved in snapshot.networks {
            let key = self.networks.key(&saved.ns, saved.network.as_str());
            if self.networks.contains(&key) {
                continue;
            }
            let network = saved.read(cx, &key);
            if !network.is_empty() {
                up(&cx.hub.tallies().networks);
                self.networks.of(key.clone(), || network);
                self.open_window(cx, key);
            }
        }
    }
}

impl NetworkSnapshot {
    fn read(self, cx: &mut Cx<'_>, key: &GroupKey) -> Network {
        let mut network = Network::new(self.network);
        network.changes = self.changes;
        network.told = self.told;
        network.left.extend(self.left.into_iter().map(|g| Gone {
            id: g.id,
            device: g.device,
            roles: g.roles,
            me: g.me.and_then(|me| RawValue::from_string(me).ok()),
            since: g.since,
            at: g.at,
        }));
        for node in self.nodes {
            let NodeSnapshot { at, session, id, device, roles, me, since, knows, beat } = node;
            let me = me.and_then(|me| RawValue::from_string(me).ok());
            let party = cx.party(session).filter(|p| p.ns == key.ns);
            match party.filter(|p| cx.enter(p, key.clone()).is_ok()) {
                Some(party) => {
                    network.beats |= beat;
                    network.put(at, Node { party, roles, me, since, knows, beat });
                }
                None => {
                    network.changes += 1;
                    let at = network.changes;
                    network.left.push(Gone { id, device, roles, me, since, at });
                }
            }
        }
        network
    }
}

impl NodeSnapshot {
    fn of(at: u64, node: &Node) -> Self {
        Self {
            at,
            session: node.party.session,
            id: node.party.id.clone(),
            device: node.party.device.clone(),
            roles: node.roles.clone(),
            me: node.me.as_ref().map(|me| me.get().to_owned()),
            since: node.since,
            knows: node.knows,
            beat: node.beat,
        }
    }
}

impl GoneSnapshot {
    fn of(gone: &Gone) -> Self {
        let me = gone.me.as_ref().map(|me| me.get().to_owned());
        let Gone { id, device, roles, since, at, .. } = gone;
        Self { id: id.clone(), device: device.clone(), roles: roles.clone(), me, since: *since, at: *at }
    }
}
