//! How a room is, as its members see it, and what the server's words change about it. Knows nobody and nothing else.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use wigwag_peer::Frame;
use wigwag_peer::heard::{MemberHeard, PartyHeard, RoomHeard, TalkHeard};
use wigwag_wire::PublicKey;
use wigwag_wire::event::Presence;
use wigwag_wire::request::Mode;

/// What a host says the shared state with, and what asks it to.
const STATE: &str = "wigwag.state";
const ASK: &str = "wigwag.ask";

/// A member, as the others see it.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its id.
    pub id: String,
    /// Which of several programs.
    pub device: String,
    /// Its presence.
    pub state: Presence,
    /// What it says of itself, as JSON.
    pub me: Option<Box<RawValue>>,
    /// Whether we give way to it.
    pub polite: bool,
    /// With which it signs its calls, as it says in a secret room: what its connections are held to.
    pub key: Option<PublicKey>,
}

/// What happens in a room.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RoomEvent {
    /// Somebody came.
    Joined(Member),
    /// Somebody is another way than before.
    Updated(Member),
    /// Somebody went, and why.
    Left(Member, String),
    /// Something was said.
    Said {
        /// By whom.
        from: String,
        /// By which of its programs.
        device: String,
        /// JSON, byte for byte.
        data: Box<RawValue>,
    },
    /// The host set the shared state.
    State(Box<RawValue>),
    /// Options changed: see the view.
    Changed,
    /// Somebody else steers.
    Host {
        /// Who.
        host: PartyHeard,
        /// Whether that is us.
        mine: bool,
        /// Why.
        why: String,
    },
    /// We are no longer in it.
    Closed {
        /// Why.
        why: String,
        /// The host's words.
        reason: Option<String>,
    },
    /// This reader was so far behind that so many events are gone.
    Missed(u64),
}

/// How a room is.
#[derive(Clone, Debug)]
pub struct RoomView {
    /// Its name.
    pub name: String,
    /// Who steers.
    pub host: PartyHeard,
    /// The number of the host's reign.
    pub term: u64,
    /// Who may speak.
    pub mode: Mode,
    /// Whether newcomers are turned away.
    pub locked: bool,
    /// Whether lists show it.
    pub listed: bool,
    /// Most members.
    pub capacity: u32,
    /// Whether it has a password.
    pub password: bool,
    /// What every member sees of the room, as JSON.
    pub meta: Option<Box<RawValue>>,
    /// The shared state as the host last set it, as JSON.
    pub state: Option<Box<RawValue>>,
    /// Its join code, where one was asked for.
    pub code: Option<String>,
    members: BTreeMap<PartyHeard, (u64, Member)>,
    /// So many members were ever seen, so that they stand in the order in which they came.
    seen: u64,
    pub(crate) me: PartyHeard,
    /// Whether the frames were opened with a secret: only then a key is the member's own word.
    is_secret: bool,
}

/// What follows from the server's words.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) events: Vec<RoomEvent>,
    /// To be said to this id.
    pub(crate) say: Option<(String, Box<RawValue>)>,
    /// Whether the room is over.
    pub(crate) over: bool,
}

impl Heard {
    fn one(event: RoomEvent) -> Self {
        Self { events: vec![event], ..Self::default() }
    }
}

impl RoomView {
    /// Whether we steer.
    pub fn mine(&self) -> bool {
        self.host == self.me
    }

    /// The others, longest-standing first.
    pub fn members(&self) -> Vec<Member> {
        let mut members: Vec<_> = self.members.values().collect();
        members.sort_by_key(|(place, _)| *place);
        members.into_iter().map(|(_, member)| member.clone()).collect()
    }

    /// The key that a member shows; of several programs of an id, the first's.
    pub(crate) fn key_of(&self, id: &str, device: Option<&str>) -> Option<PublicKey> {
        let is_it = |party: &PartyHeard| party.id == id && device.is_none_or(|device| device == party.device);
        self.members.iter().find(|(party, _)| is_it(party)).and_then(|(_, (_, member))| member.key)
    }

    /// Whoever is alone as the first host has just made it.
    pub(crate) fn is_new(&self) -> bool {
        self.mine() && self.term == 1 && self.members.is_empty()
    }

    pub(crate) fn read(joined: &Frame, (id, device): (String, String), is_secret: bool) -> Option<Self> {
        let heard: RoomHeard = joined.parse()?;
        let mut view = Self {
            name: heard.room.clone(),
            host: heard.host.clone(),
            term: heard.term,
            mode: heard.mode,
            locked: heard.locked,
            listed: heard.listed,
            capacity: heard.capacity,
            password: heard.password,
            meta: heard.meta.clone(),
            state: heard.state.clone(),
            code: heard.code.clone(),
            members: BTreeMap::new(),
            seen: 0,
            me: PartyHeard { id, device },
            is_secret,
        };
        for member in heard.members {
            view.put(member);
        }
        Some(view)
    }

    pub(crate) fn hear(&mut self, frame: &Frame) -> Heard {
        match frame.kind() {
            "said" => frame.parse().map(|talk| self.said(talk)),
            "room.member" => frame.parse().map(|change| self.member(change)),
            "room.changed" => frame.parse().map(|options| self.changed(options)),
            "room.host" => frame.parse().map(|crowned| self.crowned(crowned)),
            "room.left" => frame.parse().map(|left: Left| Heard {
                over: true,
                ..Heard::one(RoomEvent::Closed { why: left.why, reason: left.reason })
            }),
            _ => None,
        }
        .unwrap_or_default()
    }

    /// The answer to our entering once more.
    pub(crate) fn rejoined(&mut self, answer: &Frame, me: (String, String)) -> Heard {
        if let Some(refused) = answer.refused() {
            let event = RoomEvent::Closed { why: refused.name, reason: Some(refused.message) };
            return Heard { over: true, ..Heard::one(event) };
        }
        let Some(now) = Self::read(answer, me, self.is_secret) else {
            return Heard::default();
        };
        let before = std::mem::replace(self, now);
        let mut heard = Heard::default();
        for (party, (_, member)) in &before.members {
            if !self.members.contains_key(party) {
                heard.events.push(RoomEvent::Left(member.clone(), "gone".to_owned()));
            }
        }
        for member in self.members() {
            let party = PartyHeard { id: member.id.clone(), device: member.device.clone() };
            let known = before.members.contains_key(&party);
            heard.events.push(if known { RoomEvent::Updated(member) } else { RoomEvent::Joined(member) });
        }
        if before.host != self.host {
            let event = RoomEvent::Host { host: self.host.clone(), mine: self.mine(), why: "returned".to_owned() };
            heard.events.push(event);
        }
        if self.state.is_none() {
            self.state = before.state;
        }
        if !self.mine() {
            heard.say = object(ASK, "\"state\"").map(|ask| (self.host.id.clone(), ask));
        }
        heard
    }

    fn said(&mut self, talk: TalkHeard) -> Heard {
        #[derive(Deserialize)]
        struct Ours {
            #[serde(rename = "wigwag.state")]
            state: Option<Box<RawValue>>,
            #[serde(rename = "wigwag.ask")]
            ask: Option<Value>,
        }
        let TalkHeard { from, device, data, .. } = talk;
        let is_object = data.get().starts_with('{');
        match serde_json::from_str::<Ours>(data.get()).ok().filter(|_| is_object) {
            Some(Ours { ask: Some(_), .. }) => Heard { say: self.tell_state(from), ..Heard::default() },
            Some(Ours { state: Some(state), .. }) => {
                if from != self.host.id || device != self.host.device {
                    return Heard::default();
                }
                self.state = Some(state.clone());
                Heard::one(RoomEvent::State(state))
            }
            _ => Heard::one(RoomEvent::Said { from, device, data }),
        }
    }

    fn member(&mut self, change: Change) -> Heard {
        let party = PartyHeard { id: change.id.clone(), device: change.device.clone() };
        if change.change == "left" {
            let Some((_, member)) = self.members.remove(&party) else { return Heard::default() };
            return Heard::one(RoomEvent::Left(member, change.why.unwrap_or_default()));
        }
        let Change { id, device, state, joined, me, polite, key, .. } = change;
        let Some(state) = state else { return Heard::default() };
        let known = self.members.contains_key(&party);
        let member = self.put(MemberHeard { id: id.clone(), device, state, joined, me, polite, key });
        if known {
            return Heard::one(RoomEvent::Updated(member));
        }
        Heard { say: self.tell_state(id), ..Heard::one(RoomEvent::Joined(member)) }
    }

    fn changed(&mut self, options: Options) -> Heard {
        let Options { mode, locked, listed, capacity, password, meta } = options;
        (self.mode, self.locked, self.listed) = (mode, locked, listed);
        (self.capacity, self.password, self.meta) = (capacity, password, meta);
        Heard::one(RoomEvent::Changed)
    }

    fn crowned(&mut self, crowned: Crowned) -> Heard {
        let Crowned { host, term, why, state } = crowned;
        (self.host, self.term) = (host.clone(), term);
        if state.is_some() {
            self.state = state;
        }
        Heard::one(RoomEvent::Host { host, mine: self.mine(), why })
    }

    fn tell_state(&self, to: String) -> Option<(String, Box<RawValue>)> {
        let state = self.state.as_ref().filter(|_| self.mine())?;
        Some((to, stated(state)?))
    }

    fn put(&mut self, heard: MemberHeard) -> Member {
        let MemberHeard { id, device, state, me, polite, key, .. } = heard;
        let key = key.filter(|_| self.is_secret);
        let member = Member { id: id.clone(), device: device.clone(), state, me, polite, key };
        self.seen += 1;
        let place =
            self.members.get(&PartyHeard { id: id.clone(), device: device.clone() }).map_or(self.seen, |(at, _)| *at);
        self.members.insert(PartyHeard { id, device }, (place, member.clone()));
        member
    }
}

/// How a host says the shared state.
pub(crate) fn stated(state: &RawValue) -> Option<Box<RawValue>> {
    object(STATE, state.get())
}

/// An object with one field, whose JSON stays as it is.
fn object(name: &str, json: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(format!("{{\"{name}\":{json}}}")).ok()
}

#[derive(Deserialize)]
struct Change {
    change: String,
    id: String,
    #[serde(default)]
    device: String,
    why: Option<String>,
    state: Option<Presence>,
    #[serde(default)]
    joined: u64,
    me: Option<Box<RawValue>>,
    #[serde(default)]
    polite: bool,
    #[serde(rename = "wigwag.key")]
    key: Option<PublicKey>,
}

#[derive(Deserialize)]
struct Options {
    mode: Mode,
    #[serde(default)]
    locked: bool,
    #[serde(default)]
    listed: bool,
    #[serde(default)]
    capacity: u32,
    #[serde(default)]
    password: bool,
    meta: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Crowned {
    host: PartyHeard,
    term: u64,
    why: String,
    state: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Left {
    why: String,
    reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOINED: &str = r#"{"type":"room.joined","room":"den","host":{"id":"al@x.org"},"term":1,"mode":"HOST_ONLY","members":[{"id":"al@x.org","state":"here","polite":false}]}"#;

    #[test]
    fn members_come_change_and_go_in_their_order() {
        let mut view = view("bob@x.org");
        let came = r#"{"type":"room.member","room":"den","change":"joined","id":"cy@x.org","device":"tv","state":"here","polite":true}"#;
        assert!(matches!(&view.hear(&frame(came)).events[..], [RoomEvent::Joined(cy)] if cy.device == "tv"));
        let away = came.replace("joined", "updated").replace("here", "away");
        assert!(matches!(&view.hear(&frame(&away)).events[..], [RoomEvent::Updated(_)]));
        assert_eq!(
            view.members().iter().map(|member| member.id.as_str()).collect::<Vec<_>>(),
            ["al@x.org", "cy@x.org"]
        );
        let went = r#"{"type":"room.member","room":"den","change":"left","id":"al@x.org","why":"gone"}"#;
        assert!(matches!(&view.hear(&frame(went)).events[..], [RoomEvent::Left(_, why)] if why == "gone"));
        assert!(view.hear(&frame(went)).events.is_empty(), "nobody goes twice");
    }

    #[test]
    fn only_the_host_sets_the_state_and_newcomers_are_told_it() {
        let mut view = view("bob@x.org");
        let state = r#"{"type":"said","room":"den","from":"al@x.org","data":{"wigwag.state":{"at":1.50}}}"#;
        assert!(
            matches!(&view.hear(&frame(state)).events[..], [RoomEvent::State(state)] if state.get() == r#"{"at":1.50}"#)
        );
        let other = state.replace("al@", "cy@");
        assert!(view.hear(&frame(&other)).events.is_empty());
        let host = r#"{"type":"room.host","room":"den","host":{"id":"bob@x.org"},"term":2,"why":"succeeded"}"#;
        assert!(matches!(&view.hear(&frame(host)).events[..], [RoomEvent::Host { mine: true, .. }]));
        let came = r#"{"type":"room.member","room":"den","change":"joined","id":"cy@x.org","state":"here"}"#;
        let (to, said) = view.hear(&frame(came)).say.expect("the host tells");
        assert_eq!((to.as_str(), said.get()), ("cy@x.org", r#"{"wigwag.state":{"at":1.50}}"#));
        let talk = r#"{"type":"said","room":"den","from":"cy@x.org","data":["wigwag.state"]}"#;
        assert!(matches!(&view.hear(&frame(talk)).events[..], [RoomEvent::Said { .. }]));
    }

    #[test]
    fn after_another_session_the_difference_is_told() {
        let mut view = view("bob@x.org");
        let again = JOINED.replace(r#"{"id":"al@x.org","state""#, r#"{"id":"cy@x.org","state""#).replace("al@", "cy@");
        let heard = view.rejoined(&frame(&again), me("bob@x.org"));
        assert!(matches!(&heard.events[..], [RoomEvent::Left(..), RoomEvent::Joined(_), RoomEvent::Host { .. }]));
        assert_eq!(heard.say.map(|(to, _)| to).as_deref(), Some("cy@x.org"), "the state is asked for");
        let refused = r#"{"type":"error","code":4405,"name":"not_a_member","message":"no"}"#;
        assert!(view.rejoined(&frame(refused), me("bob@x.org")).over);
    }

    fn view(me: &str) -> RoomView {
        RoomView::read(&frame(JOINED), self::me(me), false).expect("a room")
    }

    fn me(id: &str) -> (String, String) {
        (id.to_owned(), String::new())
    }

    fn frame(text: &str) -> Frame {
        Frame::read(text).expect("a frame")
    }
}
