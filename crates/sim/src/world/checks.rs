//! What was promised, looked at from outside while things happen.

use serde_json::Value;

use wigwag_hub::SessionFilter;

use super::World;
use crate::judge::{party, text};

/// Milliseconds between two looks at the queues of a server.
const LOOK_EVERY_MS: u64 = 500;

impl World<'_> {
    /// No queue is beyond its bound.
    pub(super) fn look(&mut self, node: usize) {
        if self.looked_at + LOOK_EVERY_MS > self.now_ms && !self.resting {
            return;
        }
        self.looked_at = self.now_ms;
        let limits = &self.nodes[node].rules().limits;
        for session in self.nodes[node].hub.sessions(&SessionFilter::default(), None, usize::MAX) {
            let (frames, bytes) = (session.unconfirmed as u64, session.unconfirmed_bytes as u64);
            let with_relayed = |limit: u64| limit + limit / 2;
            if frames > with_relayed(limits.queue_frames) || bytes > with_relayed(limits.queue_bytes) {
                self.judge.wrong(format!("session {} holds {frames} frames, {bytes} bytes", session.session));
            }
        }
    }

    /// A frame leaves a server: who is there now, and who is host of what.
    pub(super) fn look_at(&mut self, node: usize, client: usize, socket: u64, frame: &[u8]) {
        let is = |kind: &str| frame.get(9..).is_some_and(|rest| rest.starts_with(kind.as_bytes()));
        if is("welcome\"") {
            let frame: Value = serde_json::from_slice(frame).unwrap_or_default();
            let place = self.judge.place(client, node, text(&frame["id"]));
            let device = self.judge.person(client).device().to_owned();
            let resumed = frame["resumed"] == true;
            self.judge.standing.attached(self.now_ms, place, &device, socket, resumed);
            // What follows now, until something else happens, was told before.
            self.replaying = Some((self.now_ms, socket)).filter(|_| resumed);
        } else if (is("room.joined\"") || is("room.host\"")) && self.replaying != Some((self.now_ms, socket)) {
            let frame: Value = serde_json::from_slice(frame).unwrap_or_default();
            self.look_at_host(node, client, &frame);
        }
    }

    /// At most one host for each term of a room, and terms only rise, as long as the room is the same.
    fn look_at_host(&mut self, node: usize, client: usize, frame: &Value) {
        let (room, term) = (text(&frame["room"]).to_owned(), frame["term"].as_u64().unwrap_or_default());
        let host = party(text(&frame["host"]["id"]), text(&frame["host"]["device"]));
        let key = (node, self.judge.person(client).ns(), room);
        // In term 1 somebody may have made it anew.
        let known = self.hosts.get(&key).filter(|_| term > 1);
        if let Some((known, known_host)) = known.filter(|(known, it)| term < *known || (term == *known && host != *it))
        {
            let known = format!("{known_host} in term {known}");
            self.judge.wrong(format!("{key:?} had {known}, and now has {host} in term {term}"));
        }
        self.hosts.insert(key, (term, host));
    }
}
