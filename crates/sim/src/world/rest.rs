//! Trouble ends: everyone comes back, all settles, and what was promised is held against what is.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wigwag_hub::Counts as HubCounts;
use wigwag_wire::{Namespace, RoomName};

use super::World;
use crate::client::views::{Other, Room};
use crate::client::{Ask, Client};
use crate::judge::party;
use crate::node::GONE_AFTER_MS;

/// So long that a native client has noticed, waited and come home.
const NATIVES_MS: u64 = 200_000;
/// So long that everything has run out which runs out within hours, wherever the wall clock jumped.
const HOURS_MS: u64 = 3 * 3_600_000;
/// So long that everything has.
const DAYS_MS: u64 = 3 * 86_400_000;

impl World<'_> {
    pub(super) fn rest(&mut self) {
        self.resting = true;
        self.say(|_| "trouble is over".to_owned());
        self.run_until(self.now_ms + 10_000);
        self.come_back();
        // Natives find out for themselves that a wire is dead, wait as long as they wait, and come home.
        if self.clients.iter().any(Client::is_native) {
            self.run_until(self.now_ms + NATIVES_MS);
        }
        // Sessions that were left elsewhere end by now.
        self.run_until(self.now_ms + GONE_AFTER_MS + 5_000);
        for client in 0..self.clients.len() {
            if self.clients[client].flooded && self.clients[client].ready {
                self.bye(client);
            }
        }
        self.come_back();
        for client in &self.clients {
            if client.home().is_some_and(|home| home != client.node) {
                self.judge
                    .wrong(format!("client {} is with server {}, which is not its best", client.index, client.node));
            }
            if !client.is_sure() {
                let (ready, flooded) = (client.ready, client.flooded);
                let waits = &client.views.recovering;
                self.judge.wrong(format!(
                    "client {} did not get in again, or was not answered: ready {ready}, flooded {flooded}, waits for {waits:?}",
                    client.index
                ));
            }
            for (n, ask) in client.unanswered() {
                self.judge.wrong(format!("request {n} of client {}, {ask:?}, was never answered", client.index));
            }
        }
        self.check();
        self.probe();
        self.probe_calls();
        self.check();
        self.bye(0);
        self.run_until(self.now_ms + HOURS_MS);
        self.check();
        self.close();
        self.all_leave();
    }

    fn come_back(&mut self) {
        for _ in 0..3 {
            for client in 0..self.clients.len() {
                if self.clients[client].is_native() {
                    self.reopens(client);
                } else if self.clients[client].socket.is_none() {
                    let node = self.clients[client].node;
                    self.connect(client, node);
                }
            }
            self.run_until(self.now_ms + 8_000);
        }
    }

    /// What everyone believes is so.
    fn check(&mut self) {
        let mut wrong = Vec::new();
        let now = self.now().wall.0;
        for client in self.clients.iter().filter(|client| client.is_sure()) {
            for (id, watch) in &client.views.watching {
                let truth = self.judge.standing.state(self.now_ms, &self.judge.place(client.index, client.node, id));
                if watch.told != Some(truth) {
                    wrong
                        .push(format!("client {} was told that {id} is {:?}, not {truth:?}", client.index, watch.told));
                }
            }
            for (name, view) in &client.views.rooms {
                let there = self.room(client, name);
                if there.as_ref() != Some(view) {
                    wrong.push(format!("client {} sees {name} as {view:?}, not {there:?}", client.index));
                }
            }
            for (name, nodes) in &client.views.networks {
                let there = self.those_in(client, |other| other.views.networks.contains_key(name));
                if !nodes.keys().eq(there.keys()) {
                    let there: Vec<&String> = there.keys().collect();
                    wrong.push(format!("client {} sees {nodes:?} in {name}, not {there:?}", client.index));
                }
                let differs = |other: &&Client| other.views.networks.get(name).is_some_and(|theirs| theirs != nodes);
                if let Some(other) = there.values().find(|other| differs(other)) {
                    let theirs = other.views.networks.get(name);
                    wrong.push(format!(
                        "clients {} and {} see {name} as {nodes:?} and {theirs:?}",
                        client.index, other.index
                    ));
                }
            }
            if self.plan.turn && self.plan.jump == 0 && client.ice_expires.is_none_or(|at| at <= now) {
                wrong.push(format!("the ICE servers of client {} have run out", client.index));
            }
        }
        self.judge.broken.append(&mut wrong);
    }

    /// A room as its server says it is, seen by one of its members.
    fn room(&self, client: &Client, name: &str) -> Option<Room> {
        let ns = Namespace::new(self.judge.person(client.index).ns()).ok()?;
        let detail = self.nodes[client.node].hub.room(&ns, &RoomName::new(name).ok()?)?;
        let own = self.judge.party(client.index);
        let believed = client.views.rooms.get(name)?;
        let named =
            |id: &dyn std::fmt::Display, device: &dyn std::fmt::Display| party(&id.to_string(), &device.to_string());
        let mut members = BTreeMap::new();
        for member in &detail.present {
            let name = named(&member.party.id, &member.party.device);
            let state = serde_json::to_value(member.state).ok()?.as_str()?.to_owned();
            // An operator is not shown what members say of themselves: there the members have to agree.
            let me = believed.members.get(&name).map_or(Value::Null, |other| other.me.clone());
            members.insert(name, Other { state, me, roles: json!([]) });
        }
        members.remove(&own)?;
        let info = detail.info;
        let mut options = believed.options.clone();
        options["mode"] = serde_json::to_value(info.mode).ok()?;
        options["capacity"] = json!(info.capacity);
        for (field, value) in [("locked", info.locked), ("listed", info.listed), ("password", info.password)] {
            options[field] = json!(value);
        }
        let host = info.host.map(|host| named(&host.id, &host.device)).unwrap_or_default();
        Some(Room { host, term: info.term, members, options })
    }

    /// Everyone who shares a server and a namespace with a client, and fits.
    fn those_in(&self, client: &Client, fits: impl Fn(&Client) -> bool) -> BTreeMap<String, &Client> {
        let ns = self.judge.person(client.index).ns();
        let near = self.clients.iter().filter(|other| other.ready && other.node == client.node);
        let alike = near.filter(|other| self.judge.person(other.index).ns() == ns && fits(other));
        alike.map(|other| (self.judge.party(other.index), other)).collect()
    }

    /// Now that all is quiet, what is meant for many reaches all of them, and nobody else.
    fn probe(&mut self) {
        let mut said = Vec::new();
        for client in 0..self.clients.len() {
            let known = &self.clients[client];
            let (topics, rooms): (Vec<String>, Vec<String>) =
                (known.views.topics.iter().cloned().collect(), known.views.rooms.keys().cloned().collect());
            for topic in topics {
                let to = self.those_in(&self.clients[client], |other| other.views.topics.contains(&topic));
                let to: Vec<usize> = to.values().map(|other| other.index).collect();
                let frame = json!({"type": "publish", "topic": topic});
                said.push(self.say_to_all(client, frame, format!("topic {topic}"), to));
            }
            for room in rooms {
                let view = &self.clients[client].views.rooms[&room];
                if view.options["mode"] == "HOST_ONLY" && view.host != self.judge.party(client) {
                    continue;
                }
                let to = self.those_in(&self.clients[client], |other| other.views.rooms.contains_key(&room));
                let to = to.values().map(|other| other.index).filter(|other| *other != client).collect();
                let frame = json!({"type": "say", "room": room});
                said.push(self.say_to_all(client, frame, format!("room {room}"), to));
            }
        }
        self.count_swarms();
        self.run_until(self.now_ms + 5_000);
        for (sender, channel, q, to) in said {
            for receiver in to {
                if !self.judge.talk.was_last(receiver, sender, &channel, q) {
                    self.judge.wrong(format!("client {receiver} did not hear {q} of client {sender} in {channel}"));
                }
            }
        }
    }

    fn say_to_all(
        &mut self,
        client: usize,
        mut frame: Value,
        channel: String,
        to: Vec<usize>,
    ) -> (usize, String, u64, Vec<usize>) {
        let (q, words) = self.clients[client].words();
        frame["data"] = words;
        self.request(client, Ask::Probe { receivers: to.len() as u64 }, frame);
        self.judge.counts.probes += 1;
        (client, channel, q, to)
    }

    fn count_swarms(&mut self) {
        for client in 0..self.clients.len() {
            let swarms: Vec<String> = self.clients[client].views.swarms.keys().cloned().collect();
            for swarm in swarms {
                let there = self.those_in(&self.clients[client], |other| other.views.swarms.contains_key(&swarm));
                let complete = there.values().filter(|other| other.views.swarms[&swarm]).count() as u64;
                let ask = Ask::Count { complete, incomplete: there.len() as u64 - complete };
                self.request(client, ask, json!({"type": "swarm.count", "swarm": swarm}));
            }
        }
    }

    /// Everything is known by now about every signal.
    fn close(&mut self) {
        let ready = self.clients.iter().filter(|client| client.ready).map(|client| client.index);
        let there: Vec<(&str, String, String)> = ready
            .map(|client| (self.judge.person(client), self.judge.id(client)))
            .map(|(person, id)| (person.ns(), id.to_owned(), person.device().to_owned()))
            .collect();
        self.judge.close(self.now_ms, HOURS_MS / 2_000, |letter| {
            there.iter().any(|(ns, id, device)| {
                (*ns, id) == (letter.ns, &letter.to) && letter.device.as_ref().is_none_or(|d| d == device)
            })
        });
    }

    /// Everyone says goodbye, time passes, and nothing is left of them.
    fn all_leave(&mut self) {
        for client in 0..self.clients.len() {
            self.bye(client);
        }
        self.run_until(self.now_ms + DAYS_MS);
        for (at, node) in self.nodes.iter().enumerate() {
            let counts = node.hub.counts();
            if counts != HubCounts::default() {
                self.judge.broken.push(format!("server {at} still has {counts:?}"));
            }
            if node.store.len() > 0 {
                self.judge.broken.push(format!("the store of server {at} still keeps {} signals", node.store.len()));
            }
            if !node.hub.is_empty() || node.due().is_some() {
                let due = node.due();
                self.judge.broken.push(format!("server {at} holds something of somebody; due: {due:?}"));
            }
        }
    }
}
