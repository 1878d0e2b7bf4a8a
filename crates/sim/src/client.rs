//! One client as an app would be: it proves itself, counts what it takes in, resumes, and asks again what was not taken in.

mod calling;
mod native;
mod relaying;
pub(crate) mod views;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use wigwag_peer::calls::{ConnectionId, Tag};

pub(crate) use self::calling::Act;
use self::native::Native;
pub(crate) use self::native::{Want, name};
pub(crate) use self::relaying::Boxed;
use self::views::Views;
use crate::judge::signals::Fate;
use crate::judge::{Judge, text};
use crate::people::Person;

/// What a request was about, for when its answer comes or does not.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Signal,
    Find {
        id: String,
        since: u64,
    },
    Watch {
        id: String,
        since: u64,
    },
    Unwatch(String),
    Join(String),
    /// What it enters is told by its answer alone.
    JoinByCode,
    Leave(String),
    /// Only a member may.
    AsMember(String),
    Subscribe(String),
    Unsubscribe(String),
    Network(String),
    LeaveNetwork(String),
    Swarm {
        swarm: String,
        complete: bool,
    },
    LeaveSwarm(String),
    Broadcast,
    /// To be refused with this code.
    Nonsense {
        code: u64,
    },
    /// A signal of a call.
    Call(Tag),
    /// Where somebody is who did not hear a call.
    CallFind(Tag),
    /// A box of a connection.
    Relay(ConnectionId),
    /// Answered with how many it went to.
    Probe {
        receivers: u64,
    },
    /// Answered with how many have all and how many have not.
    Count {
        complete: u64,
        incomplete: u64,
    },
    Other,
}

struct Pending {
    frame: String,
    ask: Ask,
}

/// How a client comes to its next session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As it should.
    Honest,
    /// It does not answer the challenge.
    Mute,
    /// With a token that is not the session's.
    WrongToken,
    /// With a count of more than there was.
    WrongCount,
}

/// One client.
pub(crate) struct Client {
    pub(crate) index: usize,
    person: Person,
    /// The server it is or was at.
    pub(crate) node: usize,
    pub(crate) socket: Option<u64>,
    /// Since when it has this socket.
    pub(crate) since: u64,
    pub(crate) manner: Manner,
    pub(crate) ready: bool,
    /// What it is called, once it was welcomed.
    pub(crate) id: Option<String>,
    token: Option<String>,
    seen: u64,
    next_n: u64,
    next_q: u64,
    pending: BTreeMap<u64, Pending>,
    /// Answers up to this one may never come: they were among messages that are lost.
    forgiven: u64,
    pub(crate) views: Views,
    /// Whether requests of it were refused for their number, so that it knows less than it might.
    pub(crate) flooded: bool,
    /// When its ICE servers run out, by the server's clock.
    pub(crate) ice_expires: Option<u64>,
    /// The machine that it runs, if it is a native one.
    native: Option<Native>,
}

impl Client {
    pub(crate) fn new(index: usize, person: Person) -> Self {
        Self {
            index,
            person,
            node: 0,
            socket: None,
            since: 0,
            manner: Manner::Honest,
            ready: false,
            id: None,
            token: None,
            seen: 0,
            next_n: 1,
            next_q: 0,
            pending: BTreeMap::new(),
            forgiven: 0,
            views: Views::default(),
            flooded: false,
            ice_expires: None,
            native: None,
        }
    }

    pub(crate) fn connected(&mut self, now: u64, node: usize, socket: u64, manner: Manner, judge: &mut Judge) {
        if self.node != node && self.token.is_some() {
            // Another server knows nothing of the session; it ends by itself.
            self.forget(judge);
        }
        (self.node, self.socket, self.since, self.ready) = (node, Some(socket), now, false);
        self.manner = if self.token.is_none() && manner != Manner::Mute { Manner::Honest } else { manner };
    }

    pub(crate) fn disconnected(&mut self) {
        (self.socket, self.ready) = (None, false);
    }

    /// It said `bye`: the session is over, whatever was open.
    pub(crate) fn left(&mut self, judge: &mut Judge) {
        self.forget(judge);
        self.disconnected();
    }

    /// Whether it runs the machine of native clients.
    pub(crate) fn is_native(&self) -> bool {
        self.native.is_some()
    }

    /// A numbered request. It is asked again after a resume if it was not taken in.
    pub(crate) fn request(&mut self, ask: Ask, frame: Value) -> String {
        self.numbered(ask, frame).1
    }

    /// The same, with its number.
    pub(crate) fn numbered(&mut self, ask: Ask, mut frame: Value) -> (u64, String) {
        let n = self.next_n;
        self.next_n += 1;
        frame["n"] = json!(n);
        if matches!(ask, Ask::Signal) {
            frame["data"]["n"] = json!(n);
        }
        let frame = frame.to_string();
        self.pending.insert(n, Pending { frame: frame.clone(), ask });
        (n, frame)
    }

    /// Content for many, numbered so that receivers see whether any is missing.
    pub(crate) fn words(&mut self) -> (u64, Value) {
        self.next_q += 1;
        (self.next_q, json!({"s": self.index, "q": self.next_q}))
    }

    /// How many messages it took in.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// Whether what it knows should be what is so.
    pub(crate) fn is_sure(&self) -> bool {
        self.ready && !self.flooded && self.views.recovering.is_empty()
    }

    /// Requests that nobody answered.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = (u64, &Ask)> {
        self.pending.iter().map(|(n, pending)| (*n, &pending.ask))
    }

    /// A frame from the server; answers with what it says to it.
    pub(crate) fn frame(&mut self, now: u64, raw: &str, judge: &mut Judge) -> Vec<String> {
        let Ok(frame) = serde_json::from_str::<Value>(raw) else {
            judge.wrong(format!("client {} got what is no JSON: {raw}", self.index));
            return Vec::new();
        };
        match text(&frame["type"]) {
            "challenge" if self.manner == Manner::Mute => return Vec::new(),
            "challenge" => return vec![self.hello(raw)],
            "welcome" => return self.welcome(now, &frame, judge),
            _ if !self.ready => {
                if frame["code"] != 4501 && frame["code"] != 4004 {
                    judge.wrong(format!("client {} was told before its welcome: {raw}", self.index));
                }
                return Vec::new();
            }
            _ => self.seen += 1,
        }
        if let Some(n) = frame["re"].as_u64() {
            self.answered(n, &frame, now, judge);
        } else if frame["type"] == "error" {
            self.refused(None, &frame, judge);
        }
        self.told(now, &frame, judge);
        Vec::new()
    }

    fn hello(&self, challenge: &str) -> String {
        let resume = self.token.as_deref().map(|token| match self.manner {
            Manner::WrongToken => {
                let (rest, last) = token.split_at(token.len() - 1);
                (format!("{rest}{}", if last == "a" { "b" } else { "a" }), self.seen)
            }
            Manner::WrongCount => (token.to_owned(), self.seen + 1_000),
            _ => (token.to_owned(), self.seen),
        });
        self.person.hello(challenge, resume.as_ref().map(|(token, seen)| (token.as_str(), *seen)))
    }

    fn welcome(&mut self, now: u64, frame: &Value, judge: &mut Judge) -> Vec<String> {
        self.ready = true;
        let resumed = frame["resumed"] == true;
        let mut again = Vec::new();
        if resumed {
            judge.counts.resumed += 1;
            if self.token.is_none() || self.manner != Manner::Honest {
                judge.wrong(format!("client {} resumed what is not its own", self.index));
            }
            again = self.resume(now, frame, judge);
        } else {
            if self.token.is_some() {
                self.forget(judge);
            }
            self.flooded = false;
            self.seen = 0;
            let id = text(&frame["id"]);
            judge.began(self.index, id);
            self.id = Some(id.to_owned());
        }
        let own = (self.id.as_deref().unwrap_or_default(), self.person.device(), self.person.ns());
        if (text(&frame["id"]), text(&frame["device"]), text(&frame["namespace"])) != own {
            judge.wrong(format!("client {} is {own:?}, but was welcomed as {frame}", self.index));
        }
        self.token = frame["resume"].as_str().map(str::to_owned);
        self.ice_expires = frame["ice_expires"].as_u64();
        again
    }

    /// Goes on: what was not taken in is asked again, and where messages are lost, how things stand.
    fn resume(&mut self, now: u64, frame: &Value, judge: &mut Judge) -> Vec<String> {
        let missed = frame["missed"].as_u64().unwrap_or(0);
        let taken_in = frame["n"].as_u64().unwrap_or(0);
        self.seen += missed;
        let mut open = self.pending.split_off(&(taken_in + 1));
        std::mem::swap(&mut open, &mut self.pending);
        let mut again: Vec<String> = self.pending.values().map(|pending| pending.frame.clone()).collect();
        if missed == 0 {
            self.pending.append(&mut open);
            return again;
        }
        judge.counts.missed += missed;
        judge.letters.sender_missed(self.index, taken_in);
        self.forgiven = taken_in;
        self.views.recovering.retain(|n| *n > taken_in);
        // Which rooms codes led to, it may not know.
        self.flooded |= open.values().any(|pending| matches!(pending.ask, Ask::JoinByCode));
        for (ask, frame) in self.views.doubt(now, open.into_values().map(|pending| pending.ask)) {
            let (n, frame) = self.numbered(ask, frame);
            self.views.recovering.insert(n);
            again.push(frame);
        }
        again
    }

    fn forget(&mut self, judge: &mut Judge) {
        judge.ended(self.index);
        self.token = None;
        self.seen = 0;
        self.forgiven = self.next_n;
        self.pending.clear();
        self.views = Views::default();
    }

    fn answered(&mut self, n: u64, frame: &Value, now: u64, judge: &mut Judge) {
        self.views.recovering.remove(&n);
        let Some(Pending { ask, .. }) = self.pending.remove(&n) else {
            if n > self.forgiven {
                judge.wrong(format!("client {} was answered what it did not ask: {frame}", self.index));
            }
            return;
        };
        if frame["type"] == "error" {
            self.refused(Some(&ask), frame, judge);
        }
        match (&ask, text(&frame["type"])) {
            (Ask::Signal, kind) => {
                let fate = match (kind, text(&frame["status"]), frame["code"].as_u64()) {
                    ("ack", "delivered", _) => Fate::Delivered,
                    ("ack", "stored", _) => Fate::Stored,
                    // Whether it got there is not known: the servers did not hear of each other in time.
                    ("error", _, Some(4502)) => Fate::Unknown,
                    _ => Fate::Refused,
                };
                let kept = judge.letters.answered(self.index, n, fate);
                judge.hold(kept);
            }
            (Ask::Leave(room) | Ask::AsMember(room), kind) if self.is_sure() => {
                if self.views.rooms.contains_key(room) == (kind == "error" && frame["code"] == 4405) {
                    judge.wrong(format!("client {} in {room} or not was answered {frame}", self.index));
                }
                if kind != "error" {
                    self.views.granted(&ask);
                }
            }
            (Ask::Nonsense { .. }, kind) if kind != "error" => {
                judge.wrong(format!("client {} was granted nonsense: {frame}", self.index));
            }
            (_, "error") => {}
            (Ask::Call(_) | Ask::CallFind(_) | Ask::Relay(_), _) => {}
            (Ask::Find { id, since }, _) => self.found(id, *since, now, frame, judge),
            (Ask::Probe { receivers }, _) if frame["receivers"] != *receivers => {
                judge.wrong(format!("client {} reached {frame}, but there were {receivers}", self.index));
            }
            (Ask::Count { complete, incomplete }, _)
                if frame["complete"] != *complete || frame["incomplete"] != *incomplete =>
            {
                judge.wrong(format!("client {} counted {frame}, not {complete} and {incomplete}", self.index));
            }
            _ => self.views.granted(&ask),
        }
    }

    /// A request was refused. What a client that keeps to the protocol may be refused is a short list.
    fn refused(&mut self, ask: Option<&Ask>, frame: &Value, judge: &mut Judge) {
        let code = frame["code"].as_u64().unwrap_or_default();
        let waits = frame["retry_after"].as_u64().is_some();
        match code {
            _ if matches!(ask, Some(Ask::Nonsense { code: expected }) if *expected == code) => {}
            // It waits, and says it again.
            4100 | 4115 if waits && matches!(ask, Some(Ask::Relay(_))) => judge.counts.refused += 1,
            // Of frames whose number cannot be read, and of a session that the operator ends.
            4301 | 4400 | 4402 | 4414 if ask.is_none() => {}
            4100 if waits && !matches!(ask, Some(Ask::Broadcast)) => {
                judge.counts.refused += 1;
                self.flooded = true;
            }
            4109 if waits => self.flooded = true,
            4100 if waits => {}
            4403..=4410 | 4105 | 4107 | 4112 | 4115 | 4501 | 4502 => judge.counts.refused += 1,
            4103 | 4104 | 4106 | 4110 | 4111 | 4116 | 4411 if judge.is_tight() => judge.counts.full += 1,
            _ => judge.wrong(format!("client {} was refused {ask:?}: {frame}", self.index)),
        }
    }

    fn told(&mut self, now: u64, frame: &Value, judge: &mut Judge) {
        match text(&frame["type"]) {
            // Those of calls are for their machine, where there is one.
            "signal" if text(&frame["kind"]).starts_with("ww.") => {}
            "relayed" => {}
            "signal" => judge.signal(self.index, frame),
            "lost" => {
                let numbers: Vec<u64> = frame["n"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
                if !numbers.is_sorted() || numbers.is_empty() {
                    judge.wrong(format!("client {} was told of losses in no order: {frame}", self.index));
                }
                for n in numbers {
                    let Some(n) = self.native.as_ref().map_or(Some(n), |native| native.letter(n)) else { continue };
                    let kept = judge.letters.lost(self.index, n, text(&frame["to"]));
                    judge.hold(kept);
                }
            }
            "broadcast" => judge.heard(self.index, "broadcast", frame),
            "ice" => self.ice_expires = frame["expires"].as_u64(),
            _ => {
                let sure = !self.flooded && self.views.recovering.is_empty();
                let me = views::Me { client: self.index, node: self.node, party: judge.party(self.index), sure };
                self.views.told(now, &me, frame, judge);
            }
        }
    }

    fn found(&self, id: &str, since: u64, now: u64, frame: &Value, judge: &mut Judge) {
        let state = crate::judge::presence::State::read(text(&frame["state"]));
        let place = judge.place(self.index, self.node, id);
        let was = state.and_then(|state| judge.standing.was(now, &place, state, 0, since));
        if judge.one_server() && was.is_none() {
            judge.wrong(format!("client {} found what was not so since {since}: {frame}", self.index));
        }
    }
}

/// A set of names, for reading.
pub(crate) fn names(list: &Value) -> BTreeSet<String> {
    let of = |entry: &Value| crate::judge::party(text(&entry["id"]), text(&entry["device"]));
    list.as_array().into_iter().flatten().map(of).collect()
}
