//! What was promised, looked at from outside.

use std::collections::BTreeSet;

use wigwag_hub::SessionFilter;
use wigwag_wire::{Namespace, RoomName};

use super::World;
use crate::node::rules;

impl World<'_> {
    /// After something happened at a server: no queue beyond its bound, and one host for each term of a room.
    pub(super) fn check_node(&mut self, node: usize) {
        let hub = &self.nodes[node].hub;
        let limits = rules(1).limits;
        for session in hub.sessions(&SessionFilter::default(), None, usize::MAX) {
            if session.unconfirmed as u64 > limits.queue_frames || session.unconfirmed_bytes as u64 > limits.queue_bytes
            {
                let (frames, bytes) = (session.unconfirmed, session.unconfirmed_bytes);
                self.book.broken.push(format!("{} holds {frames} frames, {bytes} bytes", session.session));
            }
        }
        let mut there: BTreeSet<String> = BTreeSet::new();
        for info in hub.rooms(None, None, usize::MAX) {
            let room = info.room.as_str().to_owned();
            there.insert(room.clone());
            let Some(host) = info.host.map(|host| format!("{}/{}", host.id, host.device)) else { continue };
            let known = self.hosts.entry((node, room.clone(), info.term)).or_insert_with(|| host.clone());
            if *known != host {
                let term = info.term;
                self.book
                    .broken
                    .push(format!("room {room} at {node} has two hosts in term {term}: {known} and {host}"));
            }
        }
        // A room that is gone may come again, with terms from the beginning.
        self.hosts.retain(|(n, room, _), _| *n != node || there.contains(room));
    }

    /// Trouble ends. Everyone comes back, all settles, and what was promised is looked at.
    pub(super) fn rest(&mut self) {
        self.resting = true;
        self.say(|_| "trouble is over".to_owned());
        self.run_until(self.now_ms + 10_000);
        for _ in 0..3 {
            for client in 0..self.clients.len() {
                if self.clients[client].socket.is_none() {
                    let node = self.clients[client].node;
                    self.connect(client, node);
                }
            }
            self.run_until(self.now_ms + 12_000);
        }
        self.bye(0);
        self.run_until(self.now_ms + 40_000);
        for client in 1..self.clients.len() {
            if !self.clients[client].ready {
                self.book.broken.push(format!("client {client} did not get in again"));
            }
        }
        self.check_presence();
        self.check_views();
        self.book.close();
    }

    /// Whoever watches knows how things are.
    fn check_presence(&mut self) {
        let mut broken = Vec::new();
        for client in self.clients.iter().filter(|c| c.ready) {
            for (id, told) in &client.watching {
                // Servers do not share presence: only who is at the same one is here.
                let here = self.clients.iter().any(|c| c.ready && c.node == client.node && c.id.as_ref() == Some(id));
                let truth = if here { "here" } else { "gone" };
                if told != truth {
                    broken.push(format!("client {} was told that {id} is {told:?}, but it is {truth}", client.index));
                }
            }
        }
        self.book.broken.extend(broken);
    }

    /// Every member sees the room as it is.
    fn check_views(&mut self) {
        let Ok(ns) = Namespace::new("default") else { return };
        let mut broken = Vec::new();
        for client in self.clients.iter().filter(|c| c.ready) {
            for (name, view) in &client.rooms {
                let Ok(room) = RoomName::new(name) else { continue };
                let Some(detail) = self.nodes[client.node].hub.room(&ns, &room) else {
                    broken.push(format!("client {} believes to be in {name}, which is not there", client.index));
                    continue;
                };
                let members: BTreeSet<String> = detail.present.iter().map(|m| m.party.id.to_string()).collect();
                let host = detail.info.host.map(|h| h.id.to_string()).unwrap_or_default();
                if view.members != members || view.host != host || view.term != detail.info.term {
                    broken.push(format!(
                        "client {} sees {name} as {view:?}, but it is {members:?}, host {host}, term {}",
                        client.index, detail.info.term
                    ));
                }
            }
        }
        self.book.broken.extend(broken);
    }
}
