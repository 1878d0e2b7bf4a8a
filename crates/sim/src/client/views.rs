//! What a client believes of the rooms, networks, topics, swarms and ids that it knows, from what it was told alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Ask, names};
use crate::judge::presence::State;
use crate::judge::{Judge, party, text};

/// A member or a node as others see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Other {
    pub(crate) state: String,
    pub(crate) me: Value,
    pub(crate) roles: Value,
}

/// A room as a member sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) host: String,
    pub(crate) term: u64,
    /// Without the client itself.
    pub(crate) members: BTreeMap<String, Other>,
    pub(crate) options: Value,
}

/// A watched id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    pub(crate) told: Option<State>,
    /// Answers to `watch` that must still come, even if nothing changed.
    asked: u32,
    since: u64,
    /// Where in the true history the last answer stood.
    at: usize,
}

/// Everything a client believes.
#[derive(Debug, Default)]
pub(crate) struct Views {
    pub(crate) watching: BTreeMap<String, Watch>,
    pub(crate) rooms: BTreeMap<String, Room>,
    pub(crate) topics: BTreeSet<String>,
    pub(crate) networks: BTreeMap<String, BTreeMap<String, Other>>,
    /// And whether the client has all of it.
    pub(crate) swarms: BTreeMap<String, bool>,
    /// Requests after lost messages: until they are answered, the client may be told of what it does not know.
    pub(crate) recovering: BTreeSet<u64>,
    /// The last join code that was told, and its room.
    pub(crate) code: Option<String>,
}

/// Whose views they are.
pub(crate) struct Me {
    pub(crate) client: usize,
    pub(crate) node: usize,
    pub(crate) party: String,
    /// Whether it missed nothing.
    pub(crate) sure: bool,
}

impl Views {
    /// Messages are lost: asks again for everything that is known or was asked for.
    pub(super) fn doubt(&mut self, now: u64, open: impl Iterator<Item = Ask>) -> Vec<(Ask, Value)> {
        let old = std::mem::take(self);
        self.recovering = old.recovering;
        let mut asks = Vec::new();
        let (mut watching, mut rooms) = (old.watching, BTreeSet::from_iter(old.rooms.into_keys()));
        let (mut topics, mut networks) = (old.topics, BTreeSet::from_iter(old.networks.into_keys()));
        let mut swarms = old.swarms;
        for ask in open {
            match ask {
                Ask::Watch { id, .. } => _ = watching.insert(id, Watch::default()),
                Ask::Join(room) => _ = rooms.insert(room),
                Ask::Subscribe(topic) => _ = topics.insert(topic),
                Ask::Network(network) => _ = networks.insert(network),
                Ask::Swarm { swarm, complete } => _ = swarms.insert(swarm, complete),
                _ => {}
            }
        }
        for id in watching.into_keys() {
            let frame = json!({"type": "watch", "ids": [id]});
            asks.push((Ask::Watch { id, since: now }, frame));
        }
        for room in rooms {
            let frame = json!({"type": "room.join", "room": room, "create": true});
            asks.push((Ask::Join(room), frame));
        }
        for topic in topics {
            let frame = json!({"type": "subscribe", "topics": [topic]});
            asks.push((Ask::Subscribe(topic), frame));
        }
        for network in networks {
            let frame = json!({"type": "network.join", "network": network});
            asks.push((Ask::Network(network), frame));
        }
        for (swarm, complete) in swarms {
            let frame = json!({"type": "swarm.announce", "swarm": swarm, "complete": complete});
            asks.push((Ask::Swarm { swarm, complete }, frame));
        }
        asks
    }

    /// A request was carried out.
    pub(super) fn granted(&mut self, ask: &Ask) {
        match ask {
            Ask::Watch { id, since } => {
                let watch = self.watching.entry(id.clone()).or_insert(Watch { since: *since, ..Watch::default() });
                watch.asked += 1;
            }
            Ask::Unwatch(id) => _ = self.watching.remove(id),
            Ask::Leave(room) => _ = self.rooms.remove(room),
            Ask::Subscribe(topic) => _ = self.topics.insert(topic.clone()),
            Ask::Unsubscribe(topic) => _ = self.topics.remove(topic),
            Ask::LeaveNetwork(network) => _ = self.networks.remove(network),
            Ask::Swarm { swarm, complete } => _ = self.swarms.insert(swarm.clone(), *complete),
            Ask::LeaveSwarm(swarm) => _ = self.swarms.remove(swarm),
            _ => {}
        }
    }

    /// A message about something that the client is in, or should be.
    pub(super) fn told(&mut self, now: u64, me: &Me, frame: &Value, judge: &mut Judge) {
        let kept = match text(&frame["type"]) {
            "presence" => self.presence(now, me, frame, judge),
            "published" => {
                let topic = text(&frame["topic"]);
                judge.heard(me.client, &format!("topic {topic}"), frame);
                expect(self.topics.contains(topic) || !me.sure, "it does not subscribe to that")
            }
            "said" => {
                judge.heard(me.client, &format!("room {}", text(&frame["room"])), frame);
                self.said(me, frame)
            }
            "room.joined" => {
                let members = list(&frame["members"]);
                let view = Room {
                    host: party_of(&frame["host"]),
                    term: frame["term"].as_u64().unwrap_or(0),
                    members: members.into_iter().filter(|(member, _)| *member != me.party).collect(),
                    options: options(frame),
                };
                self.rooms.insert(text(&frame["room"]).to_owned(), view);
                self.code = frame["code"].as_str().map(str::to_owned).or(self.code.take());
                Ok(())
            }
            "room.left" => {
                let was = self.rooms.remove(text(&frame["room"]));
                expect(was.is_some() || !me.sure, "it was not in that room")
            }
            "room.code" => {
                self.code = frame["code"].as_str().map(str::to_owned);
                Ok(())
            }
            "room.member" | "room.host" | "room.changed" => match self.rooms.get_mut(text(&frame["room"])) {
                Some(room) => room.told(me, frame, judge),
                None => expect(!me.sure, "it is not in that room"),
            },
            "network.joined" => {
                let nodes = list(&frame["nodes"]);
                let there = nodes.contains_key(&me.party);
                self.networks.insert(text(&frame["network"]).to_owned(), nodes);
                expect(there, "it is not among the nodes itself")
            }
            "network.nodes" | "beats" | "role" => match self.networks.get_mut(text(&frame["network"])) {
                Some(nodes) => network(nodes, frame),
                None => expect(!me.sure, "it is not in that network"),
            },
            "swarm" => expect(!names(&frame["peers"]).contains(&me.party), "it is handed out to itself"),
            "rooms" => {
                let rooms: Vec<&str> =
                    frame["rooms"].as_array().into_iter().flatten().map(|room| text(&room["room"])).collect();
                expect(rooms.is_sorted_by(|a, b| a < b), "the list is in no order")
            }
            "done" | "error" | "ack" | "found" => Ok(()),
            _ => Err("there is no such message".into()),
        };
        judge.hold(kept.map_err(|why| format!("client {}: {why}: {frame}", me.client)));
    }

    fn presence(&mut self, now: u64, me: &Me, frame: &Value, judge: &mut Judge) -> Result<(), String> {
        let id = text(&frame["id"]);
        let Some(watch) = self.watching.get_mut(id) else { return expect(!me.sure, "it does not watch that id") };
        let Some(state) = State::read(text(&frame["state"])) else { return Err("there is no such presence".into()) };
        let before = watch.told.replace(state);
        let asked = watch.asked > 0;
        watch.asked = watch.asked.saturating_sub(1);
        let place = judge.place(me.client, me.node, id);
        // What was told before may be told again to whoever asks again; otherwise only what came after it.
        let after = if asked { watch.at.saturating_sub(1) } else { watch.at };
        let Some(at) = judge.standing.was(now, &place, state, after, watch.since) else {
            return expect(!me.sure, &format!("it never was that since then (told before: {before:?})"));
        };
        watch.at = at;
        judge.counts.presence += 1;
        // Who gave a request up is told what it asked for all the same.
        expect(asked || before != Some(state) || !me.sure, "it was told that already")
    }

    fn said(&self, me: &Me, frame: &Value) -> Result<(), String> {
        let Some(room) = self.rooms.get(text(&frame["room"])) else {
            return expect(!me.sure, "it is not in that room");
        };
        let from = party(text(&frame["from"]), text(&frame["device"]));
        expect(room.members.contains_key(&from) || !me.sure, "no member said that")?;
        let allowed = room.options["mode"] != "HOST_ONLY" || room.host == from || room.host == me.party;
        expect(allowed || !me.sure, "only the host may say that")
    }
}

impl Room {
    fn told(&mut self, me: &Me, frame: &Value, judge: &mut Judge) -> Result<(), String> {
        let who = party_of(frame);
        match (text(&frame["type"]), text(&frame["change"])) {
            ("room.changed", _) => {
                self.options = options(frame);
                Ok(())
            }
            ("room.host", _) => {
                let (before, term) = (self.term, frame["term"].as_u64().unwrap_or(0));
                (self.host, self.term) = (party_of(&frame["host"]), term);
                judge.counts.hosts += 1;
                expect(term == before + 1 || !me.sure, &format!("the term was {before}"))?;
                let there = self.host == me.party || self.members.contains_key(&self.host);
                expect(there || !me.sure, "the host is no member")
            }
            (_, "left") => {
                let was = self.members.remove(&who);
                expect(was.is_some() || !me.sure, "it was no member")
            }
            (_, change) => {
                let was = self.members.insert(who, other(frame));
                expect(was.is_some() == (change == "updated") || !me.sure, "it was a member, or was not")
            }
        }
    }
}

fn network(nodes: &mut BTreeMap<String, Other>, frame: &Value) -> Result<(), String> {
    match text(&frame["type"]) {
        "network.nodes" => {
            for gone in names(&frame["left"]) {
                nodes.remove(&gone);
            }
            nodes.extend(list(&frame["joined"]));
            expect(frame["count"] == nodes.len(), &format!("it knows of {}", nodes.len()))
        }
        "role" => {
            let id = text(&frame["id"]);
            for (_, node) in nodes.iter_mut().filter(|(name, _)| name.split(' ').next() == Some(id)) {
                node.roles = frame["roles"].clone();
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn list(entries: &Value) -> BTreeMap<String, Other> {
    entries.as_array().into_iter().flatten().map(|entry| (party_of(entry), other(entry))).collect()
}

fn other(entry: &Value) -> Other {
    let roles = if entry["roles"].is_null() { json!([]) } else { entry["roles"].clone() };
    Other { state: text(&entry["state"]).to_owned(), me: entry["me"].clone(), roles }
}

fn party_of(entry: &Value) -> String {
    party(text(&entry["id"]), text(&entry["device"]))
}

fn options(frame: &Value) -> Value {
    let fields = ["mode", "locked", "listed", "capacity", "password", "meta"];
    fields.into_iter().map(|field| (field, frame[field].clone())).collect()
}

fn expect(good: bool, otherwise: &str) -> Result<(), String> {
    if good { Ok(()) } else { Err(otherwise.to_owned()) }
}
