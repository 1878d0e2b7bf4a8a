//! Holds what happened against what was promised. It sees what clients sent and got, and when sockets came and went; never the
//! inside of a hub.

pub(crate) mod presence;
pub(crate) mod signals;
mod talk;

use serde_json::Value;
use wigwag_wire::PublicKey;

use self::presence::{Place, Standing};
use self::signals::{Arrival, Letter, Letters};
use self::talk::Talk;
use crate::Counts;
use crate::people::Person;
use crate::plan::Plan;

/// Everything that was promised, and what was broken.
#[derive(Debug)]
pub(crate) struct Judge {
    people: Vec<Person>,
    /// What each client is called: a guest's id changes with its session.
    ids: Vec<String>,
    /// How many sessions each client has had.
    lives: Vec<u32>,
    one_server: bool,
    tight: bool,
    pub(crate) letters: Letters,
    pub(crate) standing: Standing,
    pub(crate) talk: Talk,
    pub(crate) counts: Counts,
    pub(crate) broken: Vec<String>,
}

impl Judge {
    pub(crate) fn new(people: &[Person], plan: &Plan) -> Self {
        Self {
            people: people.to_vec(),
            ids: people.iter().map(|person| person.id().unwrap_or_default()).collect(),
            lives: vec![0; people.len()],
            one_server: plan.nodes == 1,
            tight: plan.tight,
            letters: Letters::default(),
            standing: Standing::default(),
            talk: Talk::default(),
            counts: Counts::default(),
            broken: Vec::new(),
        }
    }

    /// Notes what is wrong, if something is.
    pub(crate) fn hold(&mut self, kept: Result<(), String>) {
        self.broken.extend(kept.err());
    }

    pub(crate) fn wrong(&mut self, what: impl Into<String>) {
        self.broken.push(what.into());
    }

    /// Whether there is one server, so that there is one order and one presence.
    pub(crate) fn one_server(&self) -> bool {
        self.one_server
    }

    /// Whether there is room for few.
    pub(crate) fn is_tight(&self) -> bool {
        self.tight
    }

    pub(crate) fn person(&self, client: usize) -> &Person {
        &self.people[client]
    }

    /// Whether a key is the one of an id.
    pub(crate) fn is_key_of(&self, ns: &str, id: &str, key: &PublicKey) -> bool {
        let is_it = |(person, own): (&Person, &String)| person.ns() == ns && own == id && person.key().public() == *key;
        self.people.iter().zip(&self.ids).any(is_it)
    }

    /// What a client is called.
    pub(crate) fn id(&self, client: usize) -> &str {
        &self.ids[client]
    }

    /// How a client is known among those of its namespace.
    pub(crate) fn party(&self, client: usize) -> String {
        party(self.id(client), self.people[client].device())
    }

    /// Where the presence of an id is, for a client of a server.
    pub(crate) fn place(&self, client: usize, node: usize, id: &str) -> Place {
        (node, self.people[client].ns(), id.to_owned())
    }

    /// A client's session began, under this id.
    pub(crate) fn began(&mut self, client: usize, id: &str) {
        self.ids[client] = id.to_owned();
        self.lives[client] += 1;
    }

    /// A client's session ended, and the client knows.
    pub(crate) fn ended(&mut self, client: usize) {
        self.letters.sender_gone(client);
    }

    /// A client sends a signal.
    pub(crate) fn sent(&mut self, now: u64, client: usize, n: u64, letter: Letter) {
        self.see_who_left(now);
        self.letters.sent(client, n, letter);
    }

    /// Everything is known by now about every signal. `waited` seconds had each that waits.
    pub(crate) fn close(&mut self, now: u64, waited: u64, returns: impl Fn(&Letter) -> bool) {
        self.see_who_left(now);
        self.letters.close(returns, waited, &mut self.broken);
    }

    /// What a session was handed and did not confirm is lost with it.
    fn see_who_left(&mut self, now: u64) {
        for (ns, id) in self.standing.over(now) {
            self.letters.receiver_left(ns, &id);
        }
    }

    /// A signal, as servers write it for each other, reached another server.
    pub(crate) fn carried(&mut self, record: &[u8]) {
        if let Some((sender, n)) = signal_in(record) {
            self.letters.carried(sender, n);
        }
        self.counts.carried += 1;
    }

    /// The same in a store that was not told to forget it, as it would have been.
    pub(crate) fn may_repeat(&mut self, record: &[u8]) {
        if let Some((sender, n)) = signal_in(record) {
            self.letters.may_repeat(sender, n);
        }
    }

    /// A client got a signal.
    pub(crate) fn signal(&mut self, receiver: usize, frame: &Value) {
        let (Some(sender), Some(n)) = (number(&frame["data"]["s"]), frame["data"]["n"].as_u64()) else {
            return self.wrong(format!("client {receiver} got a signal that nobody sent: {frame}"));
        };
        self.hold(self.is_addressed(receiver, sender, n, frame));
        let (ns, id) = (self.people[receiver].ns(), &self.ids[receiver]);
        let alike = self.people.iter().zip(&self.ids).filter(|(person, other)| person.ns() == ns && *other == id);
        let arrival = Arrival {
            sender: (sender, self.lives.get(sender).copied().unwrap_or_default()),
            n,
            receiver: (receiver, self.lives[receiver]),
            one_server: self.one_server,
            several_devices: alike.count() > 1,
        };
        let arrived = self.letters.arrived(&arrival);
        self.hold(arrived);
    }

    /// A client heard something said, published or broadcast: of somebody of its own world, in order, once.
    pub(crate) fn heard(&mut self, receiver: usize, channel: &str, frame: &Value) {
        let (Some(sender), Some(q)) = (number(&frame["data"]["s"]), frame["data"]["q"].as_u64()) else {
            return self.wrong(format!("client {receiver} heard what nobody said: {frame}"));
        };
        let Some(person) = self.people.get(sender) else { return };
        if person.ns() != self.people[receiver].ns() {
            self.wrong(format!("client {receiver} heard client {sender} of another namespace: {frame}"));
        } else if text(&frame["device"]) != person.device() || person.id().is_some_and(|id| id != text(&frame["from"]))
        {
            self.wrong(format!("client {receiver} heard client {sender} under another's name: {frame}"));
        }
        let heard = self.talk.heard(receiver, sender, channel, q);
        self.hold(heard);
    }

    /// Whether a signal is for its receiver and says truly whose it is.
    fn is_addressed(&self, receiver: usize, sender: usize, n: u64, frame: &Value) -> Result<(), String> {
        let Some(letter) = self.letters.letter(sender, n) else { return Ok(()) };
        let (to, from) = (&self.people[receiver], &self.people[sender]);
        let own = (self.ids[receiver].as_str(), to.device());
        if letter.ns != to.ns() || letter.to != own.0 || letter.device.as_ref().is_some_and(|d| d != own.1) {
            return Err(format!("client {receiver} got what was for {letter:?}: {frame}"));
        }
        let of = (letter.from.as_str(), from.device());
        if (text(&frame["from"]), text(&frame["device"])) != of || frame["polite"] != (own < of) {
            return Err(format!("client {receiver} got a signal of {of:?} that says otherwise: {frame}"));
        }
        if !frame["stored"].is_null() && letter.store == 0 {
            return Err(format!("client {receiver} got a signal as stored that was not to be: {frame}"));
        }
        Ok(())
    }
}

/// One name for an id and its device.
pub(crate) fn party(id: &str, device: &str) -> String {
    if device.is_empty() { id.to_owned() } else { format!("{id} {device}") }
}

/// The text in a field, empty where there is none.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Sender and number of a signal as servers write it.
fn signal_in(record: &[u8]) -> Option<(usize, u64)> {
    let record: Value = serde_json::from_slice(record).ok()?;
    Some((number(&record["data"]["s"])?, record["data"]["n"].as_u64()?))
}

fn number(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|n| usize::try_from(n).ok())
}
