//! One network: who is in it, and what each node knows of the others.
//!
//! Every change has a number that only rises. A node knows all changes up to some number: the one at which it got the whole list,
//! or the one at which the last window closed. What it has to be told follows from that number alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::value::RawValue;
use smallvec::SmallVec;
use wigwag_wire::event::{self, Beats, NetworkJoined, NetworkNodes, PartyRef, RoleEvent};
use wigwag_wire::limits::is_full;
use wigwag_wire::request::Role;
use wigwag_wire::{Code, Device, Event, Kind, NetworkName, PeerId, Refusal};

use crate::cx::{Cx, Spread};
use crate::ids::{DialectId, Party};
use crate::time::Moment;
use crate::voice::Frames;

/// Up to so many nodes that beat within one window are each told of the others alone; more are all told the same.
const OWN_BEATS: usize = 16;

/// What each beat of a window is in a dialect.
type Singles = SmallVec<[(DialectId, Vec<Frames>); 1]>;

pub(super) struct Network {
    pub(super) name: NetworkName,
    /// By the number of the change that a node has to be told with.
    pub(super) nodes: BTreeMap<u64, Node>,
    /// Where the nodes of an id are.
    places: BTreeMap<PeerId, SmallVec<[u64; 1]>>,
    /// Who went since the last window closed.
    pub(super) left: Vec<Gone>,
    /// The number of the last change.
    pub(super) changes: u64,
    /// All nodes know the changes up to this one.
    pub(super) told: u64,
    /// Whether any node beat since the last window closed.
    pub(super) beats: bool,
    /// When the window closes.
    pub(super) window: Option<Moment>,
}

pub(super) struct Node {
    pub(super) party: Arc<Party>,
    pub(super) roles: Vec<Kind>,
    pub(super) me: Option<Box<RawValue>>,
    /// The change with which this party came; later ones only alter it.
    pub(super) since: u64,
    /// The change up to which it got the whole list.
    pub(super) knows: u64,
    /// Whether it beat since the last window closed.
    pub(super) beat: bool,
}

/// A party that went.
pub(super) struct Gone {
    pub(super) id: PeerId,
    pub(super) device: Device,
    pub(super) roles: Vec<Kind>,
    pub(super) me: Option<Box<RawValue>>,
    /// The change with which it had come.
    pub(super) since: u64,
    /// The change with which it went.
    pub(super) at: u64,
}

impl Network {
    pub(super) fn new(name: NetworkName) -> Self {
        Self {
            name,
            nodes: BTreeMap::new(),
            places: BTreeMap::new(),
            left: Vec::new(),
            changes: 0,
            told: 0,
            beats: false,
            window: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Whether this session is a node.
    pub(super) fn has(&self, who: &Party) -> bool {
        self.place(&who.id, &who.device).is_some_and(|(_, node)| node.party.session == who.session)
    }

    /// Whether there is no room for this party.
    pub(super) fn is_full_for(&self, who: &Party, limit: u64) -> bool {
        is_full(self.nodes.len(), limit) && self.place(&who.id, &who.device).is_none()
    }

    /// Takes a node in, or notes what is new about it. Answers the session that the party had here before, if it is another.
    pub(super) fn add(&mut self, who: &Arc<Party>, me: Option<&RawValue>) -> Option<Arc<Party>> {
        let known = self.place(&who.id, &who.device).map(|(at, node)| (at, node.is_same(who, me)));
        if let Some((at, true)) = known {
            // Nothing new for the others; it has the whole list now.
            let knows = self.changes;
            if let Some(node) = self.nodes.get_mut(&at) {
                node.knows = knows;
            }
            return None;
        }
        let before = known.and_then(|(at, _)| self.take(at));
        let change = self.next_change();
        let since = before.as_ref().map_or(change, |node| node.since);
        let (roles, was, beat) = match before {
            Some(node) => (node.roles, Some(node.party), node.beat),
            None => (Vec::new(), None, false),
        };
        let node = Node { party: who.clone(), roles, me: me.map(ToOwned::to_owned), since, knows: change, beat };
        self.put(change, node);
        was.filter(|was| was.session != who.session)
    }

    /// Takes a node out; answers whether it was there.
    pub(super) fn remove(&mut self, who: &Party) -> bool {
        let Some((at, _)) = self.place(&who.id, &who.device).filter(|(_, n)| n.party.session == who.session) else {
            return false;
        };
        if let Some(node) = self.take(at) {
            let at = self.next_change();
            let Node { party, roles, me, since, .. } = node;
            let (id, device) = (party.id.clone(), party.device.clone());
            self.left.push(Gone { id, device, roles, me, since, at });
        }
        true
    }

    /// Notes that a node beat.
    pub(super) fn beat(&mut self, who: &Party) {
        let Some((at, _)) = self.place(&who.id, &who.device) else { return };
        if let Some(node) = self.nodes.get_mut(&at) {
            node.beat = true;
            self.beats = true;
        }
    }

    /// Gives all nodes of an id these roles, and tells everyone. Of an id that is no node, those are told who speak the same dialect
    /// as the one who said so, for its frame is theirs.
    pub(super) fn assign(&mut self, cx: &mut Cx<'_>, who: &Party, role: &Role<'_>) -> Result<(), Refusal> {
        let Role { id, roles, foreign, .. } = role;
        let places = self.places.get(id);
        if places.is_none() && foreign.is_none() {
            return Err(Refusal::new(Code::NotFound, "The network has no node of that id."));
        }
        for at in places.into_iter().flatten() {
            if let Some(node) = self.nodes.get_mut(at) {
                node.roles.clone_from(roles);
            }
        }
        let event = Event::Role(RoleEvent { network: &self.name, id, roles, from: &who.id, foreign: *foreign });
        let mut spread = Spread::new(&event);
        for node in self.nodes.values().filter(|node| places.is_some() || node.party.dialect == who.dialect) {
            cx.spread(&mut spread, &node.party);
        }
        Ok(())
    }

    /// Tells a node the whole list.
    pub(super) fn welcome(&self, cx: &mut Cx<'_>, who: &Party, n: Option<u64>) {
        let nodes: Vec<event::Node<'_>> = self.nodes.values().map(Node::shown).collect();
        cx.tell(who, &Event::NetworkJoined(NetworkJoined { re: n, network: &self.name, nodes: &nodes }));
    }

    /// Whether there is anything that somebody has to be told.
    pub(super) fn has_news(&mut self) -> bool {
        if self.nodes.len() == 1 && self.nodes.values().all(|node| node.knows.max(self.told) == self.changes) {
            // Alone, with the whole list: nobody has to be told anything.
            self.settle();
        }
        self.changes > self.told || self.beats
    }

    /// Tells every node what it does not know yet.
    pub(super) fn close_window(&mut self, cx: &mut Cx<'_>) {
        self.tell_changes(cx);
        self.tell_beats(cx);
        self.settle();
        self.window = None;
    }

    fn tell_changes(&self, cx: &mut Cx<'_>) {
        if self.changes == self.told {
            return;
        }
        let all: Vec<event::Node<'_>> = self.nodes.values().map(Node::shown).collect();
        let news = |since: u64| {
            let joined = self.nodes.range(since + 1..).map(|(_, node)| node.shown()).collect();
            let gone: Vec<_> = self.left.iter().filter(|gone| self.is_news(gone, since)).map(Gone::shown).collect();
            let left = gone.iter().map(|node| PartyRef { id: node.id, device: node.device }).collect();
            News { joined, left, gone }
        };
        let for_all = news(self.told);
        let event = for_all.event(&self.name, &all);
        let mut spread = Spread::new(&event);
        for node in self.nodes.values() {
            if node.knows > self.told {
                // It got the list during this window, so what it has to be told is its own.
                let news = news(node.knows);
                if !news.is_empty() {
                    cx.tell(&node.party, &news.event(&self.name, &all));
                }
            } else if !for_all.is_empty() {
                cx.spread(&mut spread, &node.party);
            }
        }
    }

    /// Whether a node that knows the changes up to `since` has to be told that this one went: it knew it, and it is not back.
    fn is_news(&self, gone: &Gone, since: u64) -> bool {
        gone.since <= since && since < gone.at && self.place(&gone.id, &gone.device).is_none()
    }

    fn tell_beats(&self, cx: &mut Cx<'_>) {
        let from: Vec<&Party> = self.nodes.values().filter(|n| n.beat).map(|n| &*n.party).collect();
        if from.is_empty() {
            return;
        }
        let refs: Vec<PartyRef<'_>> = from.iter().map(|p| party_ref(p)).collect();
        let event = Event::Beats(Beats { network: &self.name, from: &refs });
        let mut spread = Spread::new(&event);
        let mut foreign = SmallVec::new();
        for node in self.nodes.values() {
            if node.party.dialect != DialectId::NATIVE {
                self.tell_beats_singly(cx, &node.party, &from, &mut foreign);
                continue;
            }
            if !node.beat || from.len() > OWN_BEATS {
                cx.spread(&mut spread, &node.party);
                continue;
            }
            let others = from.iter().filter(|p| p.session != node.party.session);
            let others: Vec<PartyRef<'_>> = others.map(|p| party_ref(p)).collect();
            if !others.is_empty() {
                cx.tell(&node.party, &Event::Beats(Beats { network: &self.name, from: &others }));
            }
        }
    }

    /// A dialect hears of each beat by itself, and never of its own. Each is written once: `written` keeps them by dialect.
    fn tell_beats_singly(&self, cx: &mut Cx<'_>, to: &Party, from: &[&Party], written: &mut Singles) {
        let known = written.iter().position(|(dialect, _)| *dialect == to.dialect);
        let at = known.unwrap_or_else(|| {
            let single =
                |of: &&Party| cx.frames(&Event::Beats(Beats { network: &self.name, from: &[party_ref(of)] }), to, None);
            written.push((to.dialect, from.iter().map(single).collect()));
            written.len() - 1
        });
        let others = from.iter().zip(&written[at].1).filter(|(of, _)| of.session != to.session);
        let frames: Frames = others.flat_map(|(_, frames)| frames.iter().cloned()).collect();
        let event = Event::Beats(Beats { network: &self.name, from: &[] });
        cx.tell_frames(to.session, &frames, event.index());
    }

    /// Everyone knows everything.
    fn settle(&mut self) {
        self.told = self.changes;
        self.left.clear();
        if std::mem::take(&mut self.beats) {
            for node in self.nodes.values_mut() {
                node.beat = false;
            }
        }
    }

    fn next_change(&mut self) -> u64 {
        self.changes += 1;
        self.changes
    }

    fn place(&self, id: &PeerId, device: &Device) -> Option<(u64, &Node)> {
        let mut nodes = self.places.get(id)?.iter().filter_map(|at| Some((*at, self.nodes.get(at)?)));
        nodes.find(|(_, node)| node.party.device == *device)
    }

    pub(super) fn put(&mut self, at: u64, node: Node) {
        self.places.entry(node.party.id.clone()).or_default().push(at);
        self.nodes.insert(at, node);
    }

    fn take(&mut self, at: u64) -> Option<Node> {
        let node = self.nodes.remove(&at)?;
        if let Some(places) = self.places.get_mut(&node.party.id) {
            places.retain(|place| *place != at);
            if places.is_empty() {
                self.places.remove(&node.party.id);
            }
        }
        Some(node)
    }
}

impl Node {
    fn is_same(&self, who: &Party, me: Option<&RawValue>) -> bool {
        self.party.session == who.session && self.me.as_deref().map(RawValue::get) == me.map(RawValue::get)
    }

    fn shown(&self) -> event::Node<'_> {
        event::Node { id: &self.party.id, device: &self.party.device, roles: &self.roles, me: self.me.as_deref() }
    }
}

impl Gone {
    fn shown(&self) -> event::Node<'_> {
        event::Node { id: &self.id, device: &self.device, roles: &self.roles, me: self.me.as_deref() }
    }
}

/// What one node has to be told.
struct News<'a> {
    joined: Vec<event::Node<'a>>,
    left: Vec<PartyRef<'a>>,
    gone: Vec<event::Node<'a>>,
}

impl<'a> News<'a> {
    fn is_empty(&self) -> bool {
        self.joined.is_empty() && self.left.is_empty()
    }

    fn event(&'a self, network: &'a NetworkName, all: &'a [event::Node<'a>]) -> Event<'a> {
        let News { joined, left, gone } = self;
        Event::NetworkNodes(NetworkNodes { network, joined, left, count: all.len() as u32, all, gone })
    }
}

fn party_ref(party: &Party) -> PartyRef<'_> {
    PartyRef { id: &party.id, device: &party.device }
}
