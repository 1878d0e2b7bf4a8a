//! Two peers with calls, engines that agree on everything, and a postman between them who can be told to misbehave.
#![allow(clippy::needless_pass_by_value)]

use std::collections::{BTreeMap, VecDeque};

use serde_json::json;
use wigwag_peer::calls::{
    CallError, Calls, Connect, ConnectId, ConnectionId, ConnectionState, EngineEvent, IceState, Input, KnockId, Order,
    Output, Remote, Tag,
};
use wigwag_peer::heard::{DeliveryHeard, Found, RelayedHeard, SignalHeard};
use wigwag_peer::relay::{Carrier, ChannelId, Link, LinkOutput, Message, Pace, Posted, Told};
use wigwag_peer::sealed::{Candidate, Description, DescriptionKind};
use wigwag_peer::trust::MemoryPins;
use wigwag_peer::{Identity, Moment, Signer, State};
use wigwag_wire::{PeerId, PublicKey};

/// What a peer's app was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    Knock(KnockId),
    Unknock(KnockId),
    Connected(ConnectionId, Option<ConnectId>),
    Failed(ConnectId, CallError),
    Closed(ConnectionId, &'static str),
    Mismatch(PublicKey),
}

/// A signal on its way.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) from: usize,
    pub(crate) tag: Tag,
    pub(crate) to: PeerId,
    pub(crate) device: Option<String>,
    pub(crate) kind: &'static str,
    pub(crate) data: String,
}

/// Something that agrees with whatever it is told, and remembers it.
#[derive(Default)]
pub(crate) struct Engine {
    pub(crate) orders: Vec<Order>,
    makes: u64,
    pub(crate) mine: bool,
    pub(crate) theirs: bool,
    pub(crate) met: bool,
    pub(crate) open: bool,
    pub(crate) link: Option<Link>,
    /// What the other side said.
    pub(crate) heard: Vec<String>,
}

pub(crate) struct Peer {
    pub(crate) calls: Calls,
    pub(crate) pace: Pace,
    pub(crate) id: PeerId,
    pub(crate) device: String,
    pub(crate) key: PublicKey,
    pub(crate) engines: BTreeMap<ConnectionId, Engine>,
    pub(crate) remotes: BTreeMap<ConnectionId, Remote>,
    pub(crate) news: Vec<News>,
    pub(crate) states: Vec<ConnectionState>,
    /// What it says to who knocks; nothing, if it lets the app decide.
    pub(crate) answer: Option<Result<(), &'static str>>,
    /// Whether its server is there.
    pub(crate) here: bool,
}

/// Everything, with a clock.
pub(crate) struct Town {
    pub(crate) now: u64,
    pub(crate) peers: [Peer; 2],
    pub(crate) post: VecDeque<Letter>,
    /// Boxes on the direct path, by their receivers.
    boxes: VecDeque<(usize, Vec<u8>)>,
    /// Whether engines find each other, and what they send arrives.
    pub(crate) paths: bool,
    /// When a peer was last seen, as the server tells.
    pub(crate) seen: Option<u64>,
}

pub(crate) const ALICE: usize = 0;
pub(crate) const BOB: usize = 1;

impl Town {
    /// Two peers under their key ids. `polite`: whether the first of them gives way to the second.
    pub(crate) fn new(polite: bool) -> Self {
        let mut keys = [1, 2].map(|seed| Identity::new(&mut super::dice(seed)));
        if (keys[0].id() < keys[1].id()) != polite {
            keys.swap(0, 1);
        }
        let [alice, bob] = keys;
        let ids = [alice.id(), bob.id()];
        Self::of([alice, bob], ids)
    }

    /// Two peers under names.
    pub(crate) fn named() -> Self {
        let ids = ["alice@example.org", "bob@example.org"].map(|name| PeerId::new(name).unwrap());
        Self::of([1, 2].map(|seed| Identity::new(&mut super::dice(seed))), ids)
    }

    pub(crate) fn of(identities: [Identity; 2], ids: [PeerId; 2]) -> Self {
        let mut seed = 10;
        let mut peers = identities.into_iter().zip(ids).map(|(identity, id)| {
            seed += 1;
            let key = identity.key();
            let calls = Calls::new(Box::new(identity), Box::<MemoryPins>::default(), super::dice(seed));
            Peer {
                calls,
                pace: Pace::default(),
                id,
                device: format!("d{seed}"),
                key,
                engines: BTreeMap::new(),
                remotes: BTreeMap::new(),
                news: Vec::new(),
                states: Vec::new(),
                answer: Some(Ok(())),
                here: true,
            }
        });
        let peers = [peers.next().unwrap(), peers.next().unwrap()];
        let mut town = Self { now: 0, peers, post: VecDeque::new(), boxes: VecDeque::new(), paths: true, seen: None };
        for who in [ALICE, BOB] {
            let Peer { id, device, .. } = &town.peers[who];
            let (id, device) = (id.as_str().to_owned(), device.clone());
            town.tell(who, Input::Welcomed { id, device, namespace: "chess".into() });
            town.tell(who, Input::Line(State::Open));
        }
        town
    }

    pub(crate) fn tell(&mut self, who: usize, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut out = Vec::new();
            self.peers[who].calls.handle(Moment(self.now), input, &mut out);
            for output in out {
                self.take(who, output, &mut inputs);
            }
        }
    }

    pub(crate) fn connect(&mut self, who: usize, wish: Connect) -> ConnectId {
        let id = ConnectId(self.now * 10 + who as u64);
        self.tell(who, Input::Connect(id, wish));
        id
    }

    /// To the other.
    pub(crate) fn wish(&self, who: usize) -> Connect {
        Connect::to(self.peers[1 - who].id.clone())
    }

    /// The postman hands over the next letter; says whether there was one.
    pub(crate) fn deliver(&mut self) -> bool {
        if let Some((who, packed)) = self.boxes.pop_front() {
            if self.paths {
                self.link(who, |link, now, pace, out| link.take(now, pace, &packed, Carrier::Direct, out));
            }
            return true;
        }
        let Some(letter) = self.post.pop_front() else { return false };
        self.hand_over(letter);
        true
    }

    pub(crate) fn hand_over(&mut self, letter: Letter) {
        let Letter { from, tag, to, device, kind, data } = letter;
        let other = 1 - from;
        let is_meant =
            |peer: &Peer| peer.here && peer.id == to && device.as_ref().is_none_or(|device| *device == peer.device);
        if kind == "relay" {
            let status = if is_meant(&self.peers[other]) {
                let heard = json!({"from": self.peers[from].id, "device": self.peers[from].device, "data": 0});
                let text = heard.to_string().replace(r#""data":0"#, &format!(r#""data":{data}"#));
                let heard: RelayedHeard = serde_json::from_str(&text).unwrap();
                self.tell(other, Input::Relayed(heard));
                DeliveryHeard::Delivered
            } else {
                DeliveryHeard::Absent
            };
            return self.link(from, |link, now, pace, out| link.posted(now, pace, Posted::Acked(status), out));
        }
        let status = if is_meant(&self.peers[other]) {
            let heard = json!({
                "from": self.peers[from].id, "device": self.peers[from].device, "kind": kind,
                "polite": self.peers[other].id < self.peers[from].id, "data": 0,
            });
            let text = heard.to_string().replace(r#""data":0"#, &format!(r#""data":{data}"#));
            let heard: SignalHeard = serde_json::from_str(&text).unwrap();
            self.tell(other, Input::Heard(heard));
            DeliveryHeard::Delivered
        } else {
            DeliveryHeard::Absent
        };
        self.tell(from, Input::Signalled(tag, Ok(status)));
    }

    /// Until nothing is on its way.
    pub(crate) fn settle(&mut self) {
        while self.deliver() {}
    }

    /// Lets time pass, with everything that becomes due.
    pub(crate) fn sleep(&mut self, ms: u64) {
        let end = self.now + ms;
        loop {
            self.settle();
            let links =
                self.peers.iter().flat_map(|peer| peer.engines.values()).filter_map(|engine| engine.link.as_ref());
            let links: Vec<Moment> = links.filter_map(Link::next_deadline).collect();
            let due = self.peers.iter().filter_map(|peer| peer.calls.next_deadline()).chain(links).min();
            let Some(due) = due.filter(|due| due.0 <= end) else { break };
            self.now = self.now.max(due.0);
            for who in [ALICE, BOB] {
                self.tell(who, Input::Tick);
                self.link(who, Link::tick);
            }
        }
        self.now = end;
    }

    pub(crate) fn news(&mut self, who: usize) -> Vec<News> {
        std::mem::take(&mut self.peers[who].news)
    }

    /// The connection that a peer heard of last.
    pub(crate) fn last(&self, who: usize) -> ConnectionId {
        *self.peers[who].engines.last_key_value().unwrap().0
    }

    pub(crate) fn orders(&mut self, who: usize) -> Vec<Order> {
        let last = self.last(who);
        std::mem::take(&mut self.peers[who].engines.get_mut(&last).unwrap().orders)
    }

    pub(crate) fn engine(&mut self, who: usize, event: EngineEvent) {
        let last = self.last(who);
        self.tell(who, Input::Engine(last, event));
    }

    pub(crate) fn state(&self, who: usize) -> Option<ConnectionState> {
        self.peers[who].calls.state(self.last(who))
    }

    /// Lets the link of a peer's last connection do something.
    pub(crate) fn link(&mut self, who: usize, act: impl FnOnce(&mut Link, Moment, &mut Pace, &mut Vec<LinkOutput>)) {
        let mut inputs = VecDeque::new();
        if let Some(connection) = self.peers[who].engines.last_key_value().map(|(connection, _)| *connection) {
            self.link_of(who, connection, &mut inputs, act);
        }
        for input in inputs {
            self.tell(who, input);
        }
    }

    fn link_of(
        &mut self,
        who: usize,
        connection: ConnectionId,
        inputs: &mut VecDeque<Input>,
        act: impl FnOnce(&mut Link, Moment, &mut Pace, &mut Vec<LinkOutput>),
    ) {
        let Peer { engines, pace, .. } = &mut self.peers[who];
        let Some(engine) = engines.get_mut(&connection) else { return };
        let Some(link) = &mut engine.link else { return };
        let mut out = Vec::new();
        act(link, Moment(self.now), pace, &mut out);
        for output in out {
            let event = match output {
                LinkOutput::Direct(packed) => {
                    self.boxes.push_back((1 - who, packed));
                    continue;
                }
                LinkOutput::Post(packed) => {
                    inputs.push_back(Input::Post(connection, packed));
                    continue;
                }
                LinkOutput::Told(told) => {
                    if let Told::Message { message: Message::Text(text), .. } = told {
                        engine.heard.push(text);
                    }
                    continue;
                }
                LinkOutput::Heard(by) => EngineEvent::Heard(by),
                LinkOutput::Moved(by) => EngineEvent::Moved(by),
                LinkOutput::Silent(why) => EngineEvent::Silent(why),
                LinkOutput::Refused => EngineEvent::Unrelayed,
                LinkOutput::Broken(why) => EngineEvent::Broken(why),
            };
            inputs.push_back(Input::Engine(connection, event));
        }
        // The data channel of these engines takes everything at once.
        if engine.open {
            link.direct(Moment(self.now), pace, Some(0), &mut Vec::new());
        }
    }

    /// Says something on a peer's last connection.
    pub(crate) fn say(&mut self, who: usize, text: &str) {
        self.link(who, |link, now, pace, out| {
            link.send(ChannelId(0), Message::Text(text.to_owned())).unwrap();
            link.tick(now, pace, out);
        });
    }

    pub(crate) fn heard(&mut self, who: usize) -> Vec<String> {
        let last = self.last(who);
        std::mem::take(&mut self.peers[who].engines.get_mut(&last).unwrap().heard)
    }

    pub(crate) fn carrier(&self, who: usize) -> Option<Carrier> {
        self.peers[who].engines[&self.last(who)].link.as_ref().and_then(Link::carrier)
    }

    fn take(&mut self, who: usize, output: Output, inputs: &mut VecDeque<Input>) {
        let peer = &mut self.peers[who];
        match output {
            Output::Signal { tag, to, device, kind, data } => {
                self.post.push_back(Letter { from: who, tag, to, device, kind, data: data.get().to_owned() });
            }
            Output::Find { tag, id } => {
                let found = json!({"id": id, "state": "gone", "seen": self.seen});
                inputs.push_back(Input::Found(tag, Ok(serde_json::from_value::<Found>(found).unwrap())));
            }
            Output::Knock { knock, .. } => {
                peer.news.push(News::Knock(knock));
                inputs.extend(peer.answer.map(|answer| match answer {
                    Ok(()) => Input::Accept(knock),
                    Err(why) => Input::Decline(knock, why.into()),
                }));
            }
            Output::Unknock(knock) => peer.news.push(News::Unknock(knock)),
            Output::Connecting { connection, remote, .. } => {
                peer.engines.insert(connection, Engine::default());
                peer.remotes.insert(connection, remote);
            }
            Output::Relay { connection, to, device, data } => {
                let (tag, device, data) = (Tag(connection.0), Some(device), data.get().to_owned());
                self.post.push_back(Letter { from: who, tag, to, device, kind: "relay", data });
            }
            Output::Order(connection, Order::Travel { by, reaches }) => {
                self.link_of(who, connection, inputs, |link, now, pace, out| link.travel(now, pace, by, reaches, out));
            }
            Output::Order(connection, Order::Relayed(packed)) => {
                let by = Carrier::Relay;
                self.link_of(who, connection, inputs, |link, now, pace, out| link.take(now, pace, &packed, by, out));
            }
            Output::Order(connection, Order::Online(online)) => {
                self.link_of(who, connection, inputs, |link, now, pace, out| link.line(now, pace, online, out));
            }
            Output::Order(connection, order) => {
                let paths = self.paths;
                let engine = peer.engines.get_mut(&connection).unwrap();
                let was_open = engine.open;
                let events = engine.obey(order, paths);
                if engine.open
                    && !was_open
                    && let Some(link) = &mut engine.link
                {
                    link.direct(Moment(self.now), &mut peer.pace, Some(0), &mut Vec::new());
                }
                inputs.extend(events.into_iter().map(|event| Input::Engine(connection, event)));
            }
            Output::Connected { connection, connect } => peer.news.push(News::Connected(connection, connect)),
            Output::Failed { connect, error } => peer.news.push(News::Failed(connect, error)),
            Output::State(_, state) => peer.states.push(state),
            Output::Closed { connection, reason, .. } => peer.news.push(News::Closed(connection, reason)),
            Output::Mismatch { key, .. } => peer.news.push(News::Mismatch(key)),
        }
    }
}

impl Engine {
    fn obey(&mut self, order: Order, paths: bool) -> Vec<EngineEvent> {
        self.orders.push(order.clone());
        let mut events = Vec::new();
        match order {
            Order::Begin | Order::End => {}
            Order::Offer { .. } => {
                self.makes += 1;
                self.mine = true;
                events.push(EngineEvent::Described(self.description(DescriptionKind::Offer)));
                events.extend(["host", "srflx"].map(|kind| EngineEvent::Candidate(Some(candidate(kind)))));
                events.push(EngineEvent::Candidate(None));
            }
            Order::Describe(description) => {
                self.theirs = true;
                if description.kind == DescriptionKind::Offer {
                    self.makes += 1;
                    self.mine = true;
                    events.push(EngineEvent::Described(self.description(DescriptionKind::Answer)));
                    events.push(EngineEvent::Candidate(Some(candidate("host"))));
                }
            }
            Order::Candidates(_) => self.met = true,
            Order::Relay { hails, online } => self.link = Some(Link::new(hails, online)),
            Order::Travel { .. } | Order::Relayed(_) | Order::Online(_) => {}
        }
        if paths && self.mine && self.theirs && self.met && !self.open {
            self.open = true;
            events.extend([EngineEvent::Ice(IceState::Connected), EngineEvent::Open]);
        }
        events
    }

    fn description(&self, kind: DescriptionKind) -> Description {
        Description { kind, sdp: format!("v=0\r\na=ice-ufrag:u{}\r\n", self.makes) }
    }
}

pub(crate) fn candidate(kind: &str) -> Candidate {
    let text = format!("candidate:1 1 udp 1 192.0.2.1 5000 typ {kind}");
    Candidate { candidate: text, sdp_mid: Some("0".into()), ..Candidate::default() }
}
