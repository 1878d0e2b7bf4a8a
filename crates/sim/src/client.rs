//! One client as an app would be: it proves itself, counts what it takes in, resumes, and asks again what was not taken in.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use wigwag_testkit::{HelloFrame, TestKey};

use crate::book::{Book, Fate};

/// Who a client is.
#[derive(Clone, Debug)]
pub(crate) enum Who {
    Guest,
    Key,
    Name(String),
}

/// A room as a client sees it from what it was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) host: String,
    pub(crate) term: u64,
    pub(crate) members: BTreeSet<String>,
}

/// One client.
pub(crate) struct Client {
    pub(crate) index: usize,
    who: Who,
    key: TestKey,
    /// The server it is or was at.
    pub(crate) node: usize,
    pub(crate) socket: Option<u64>,
    pub(crate) ready: bool,
    /// What it is called, once it was welcomed.
    pub(crate) id: Option<String>,
    token: Option<String>,
    seen: u64,
    next_n: u64,
    unanswered: BTreeMap<u64, String>,
    pub(crate) watching: BTreeMap<String, String>,
    pub(crate) rooms: BTreeMap<String, View>,
    pub(crate) resumed: u64,
    pub(crate) hosts: u64,
    /// Whether a server died since it last was welcomed.
    pub(crate) crash_seen: bool,
}

impl Client {
    pub(crate) fn new(index: usize, who: Who) -> Self {
        Self {
            index,
            who,
            key: TestKey::new(index as u64 + 1),
            node: 0,
            socket: None,
            ready: false,
            id: None,
            token: None,
            seen: 0,
            next_n: 1,
            unanswered: BTreeMap::new(),
            watching: BTreeMap::new(),
            rooms: BTreeMap::new(),
            resumed: 0,
            hosts: 0,
            crash_seen: false,
        }
    }

    pub(crate) fn connected(&mut self, node: usize, socket: u64) {
        if self.node != node {
            self.token = None;
        }
        self.node = node;
        self.socket = Some(socket);
        self.ready = false;
    }

    pub(crate) fn disconnected(&mut self) {
        self.socket = None;
        self.ready = false;
    }

    /// A numbered request. It is asked again after a resume if it was not taken in.
    pub(crate) fn request(&mut self, mut request: Value) -> (u64, String) {
        let n = self.next_n;
        self.next_n += 1;
        request["n"] = json!(n);
        let text = request.to_string();
        self.unanswered.insert(n, text.clone());
        (n, text)
    }

    /// The request is to be asked again in these words.
    pub(crate) fn rewrite(&mut self, n: u64, text: &str) {
        self.unanswered.insert(n, text.to_owned());
    }

    /// It said `bye`: the session is over, whatever was open.
    pub(crate) fn left(&mut self, book: &mut Book) {
        self.forget_session(book);
        self.disconnected();
    }

    /// A frame from the server; answers with what it says to it.
    pub(crate) fn frame(&mut self, text: &str, book: &mut Book) -> Vec<String> {
        let Ok(frame) = serde_json::from_str::<Value>(text) else {
            book.broken.push(format!("client {} got a frame that is not JSON", self.index));
            return Vec::new();
        };
        let kind = frame["type"].as_str().unwrap_or_default();
        match kind {
            "challenge" => return vec![self.hello(text)],
            "welcome" => return self.welcome(&frame, book),
            _ if !self.ready => return Vec::new(),
            _ => self.seen += 1,
        }
        if let Some(n) = frame["re"].as_u64() {
            self.unanswered.remove(&n);
            self.answered(kind, n, &frame, book);
        }
        match kind {
            "signal" => {
                let (sender, n) = (frame["data"]["s"].as_u64().unwrap_or(u64::MAX), frame["data"]["n"].as_u64());
                book.arrived(sender as usize, n.unwrap_or(u64::MAX), self.index, self.crash_seen);
            }
            "lost" => {
                for n in frame["n"].as_array().into_iter().flatten().filter_map(Value::as_u64) {
                    book.fate(self.index, n, Fate::Lost);
                }
            }
            "presence" => {
                let id = text_of(&frame["id"]);
                if let Some(state) = self.watching.get_mut(&id) {
                    *state = text_of(&frame["state"]);
                }
            }
            _ if kind.starts_with("room.") => self.room(kind, &frame, book),
            _ => {}
        }
        Vec::new()
    }

    fn hello(&self, challenge: &str) -> String {
        let mut hello = HelloFrame::new();
        if let Who::Name(name) = &self.who {
            hello = hello.id(name);
        }
        if let Some(token) = &self.token {
            hello = hello.resume(token, self.seen);
        }
        match self.who {
            Who::Guest => hello.guest(),
            _ => hello.prove(&self.key, challenge),
        }
    }

    fn welcome(&mut self, frame: &Value, book: &mut Book) -> Vec<String> {
        self.ready = true;
        let mut again = Vec::new();
        if frame["resumed"] == true {
            self.resumed += 1;
            let missed = frame["missed"].as_u64().unwrap_or(0);
            self.seen += missed;
            let taken_in = frame["n"].as_u64().unwrap_or(0);
            if missed > 0 {
                book.sender_missed(self.index);
                self.unanswered.retain(|n, _| *n > taken_in);
            }
            again.extend(self.unanswered.iter().filter(|(n, _)| **n > taken_in).map(|(_, text)| text.clone()));
            if missed > 0 {
                // What was told may have been missed: ask how things stand.
                let ids: Vec<String> = self.watching.keys().cloned().collect();
                if !ids.is_empty() {
                    again.push(self.request(json!({"type": "watch", "ids": ids})).1);
                }
                for room in std::mem::take(&mut self.rooms).into_keys() {
                    again.push(self.request(json!({"type": "room.join", "room": room})).1);
                }
            }
        } else {
            if self.token.is_some() {
                self.forget_session(book);
            }
            self.seen = 0;
        }
        self.crash_seen = false;
        self.token = frame["resume"].as_str().map(str::to_owned);
        self.id = frame["id"].as_str().map(str::to_owned);
        again
    }

    fn forget_session(&mut self, book: &mut Book) {
        book.sender_gone(self.index);
        self.token = None;
        self.seen = 0;
        self.unanswered.clear();
        self.watching.clear();
        self.rooms.clear();
    }

    fn answered(&mut self, kind: &str, n: u64, frame: &Value, book: &mut Book) {
        if !book.is_signal(self.index, n) {
            return;
        }
        let fate = match (kind, frame["status"].as_str()) {
            ("ack", Some("delivered" | "stored")) => Fate::Acknowledged,
            // Whether it got there is not known: the servers did not hear of each other in time.
            ("error", _) if frame["code"] == 4502 => Fate::Unknown,
            _ => Fate::Refused,
        };
        book.fate(self.index, n, fate);
    }

    fn room(&mut self, kind: &str, frame: &Value, book: &mut Book) {
        let room = text_of(&frame["room"]);
        match kind {
            "room.joined" => {
                let mut members: BTreeSet<String> =
                    frame["members"].as_array().into_iter().flatten().map(|m| text_of(&m["id"])).collect();
                members.extend(self.id.clone());
                let view =
                    View { host: text_of(&frame["host"]["id"]), term: frame["term"].as_u64().unwrap_or(0), members };
                self.rooms.insert(room, view);
            }
            "room.left" => {
                self.rooms.remove(&room);
            }
            "room.member" => {
                let Some(view) = self.rooms.get_mut(&room) else { return };
                match frame["change"].as_str() {
                    Some("joined") => view.members.insert(text_of(&frame["id"])),
                    Some("left") => view.members.remove(&text_of(&frame["id"])),
                    _ => false,
                };
            }
            "room.host" => {
                let Some(view) = self.rooms.get_mut(&room) else { return };
                let term = frame["term"].as_u64().unwrap_or(0);
                if term <= view.term {
                    book.broken
                        .push(format!("client {}: term of {room} went from {} to {term}", self.index, view.term));
                }
                self.hosts += 1;
                view.term = term;
                view.host = text_of(&frame["host"]["id"]);
            }
            _ => {}
        }
    }

    /// It asked to leave a room: what comes from there no longer counts.
    pub(crate) fn leaves(&mut self, room: &str) {
        self.rooms.remove(room);
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
