//! ToM: nodes of one network that see each other, send each other signals, and say which of them has which role.
//!
//! The network is named by the address. What a node shows of itself is its metadata in the hub's network.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wigwag_hub::{Frames, Party, Scene, Voice};
use wigwag_wire::event::{Delivery, Node};
use wigwag_wire::id::Kind;
use wigwag_wire::raw::Content;
use wigwag_wire::request::{NetworkJoin, NetworkOnly, ROLES_MAX, Role};
use wigwag_wire::{Code, Event, Foreign, NetworkName, PeerId, Request};

use crate::dialect::{Dialect, own_frame};
use crate::json::{Text, frame, is_longer, is_no_object, present, read, text};
use crate::turn::{Begun, Interpreter, Turn};

pub(crate) const TYPES: &[&str] = &["register", "heartbeat", "role-assign", "signal", "other"];

const NOT_JSON: &str = "invalid JSON";
const NAMELESS: &str = "missing nodeId or username";
const NOWHERE: &str = "missing to or from";
const ABSENT: &str = "peer not found";
const TAKEN: &str = "nodeId is taken";
const NO_ID: &str = "invalid nodeId";
const NO_NETWORK: &str = "invalid network";
const TOO_LONG: &str = "username and keys are too long";
const UNREGISTERED: &str = "not registered";
const FORGED: &str = "from is not the registered nodeId";

/// The network of an address that names none.
const NETWORK: &str = "tom";

/// One socket.
#[derive(Default)]
pub(crate) struct Tom {
    node: Option<Arc<Party>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    #[serde(borrow, default, deserialize_with = "text")]
    r#type: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text")]
    node_id: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text")]
    username: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text")]
    public_key: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text")]
    encryption_key: Option<Text<'a>>,
    #[serde(borrow)]
    roles: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "text")]
    from: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text")]
    to: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    payload: Option<&'a RawValue>,
}

/// What a node shows of itself: its metadata, which nodes of other protocols need not have in this form.
#[derive(Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Me<'a> {
    #[serde(borrow, default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    username: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    public_key: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    encryption_key: Option<Text<'a>>,
}

/// What gives away what a payload is.
#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow, default, deserialize_with = "text")]
    r#type: Option<Text<'a>>,
    candidate: Option<IgnoredAny>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PresenceTold<'a> {
    r#type: &'a str,
    action: &'a str,
    node_id: &'a PeerId,
    username: Text<'a>,
    public_key: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_key: Option<Text<'a>>,
}

#[derive(Serialize)]
struct Participants<'a> {
    r#type: &'a str,
    participants: Vec<Participant<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Participant<'a> {
    node_id: &'a PeerId,
    username: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_key: Option<Text<'a>>,
}

#[derive(Serialize)]
struct Heartbeat<'a> {
    r#type: &'a str,
    from: &'a PeerId,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RoleAssign<'a, Roles> {
    r#type: &'a str,
    node_id: &'a str,
    roles: Roles,
    from: &'a PeerId,
}

#[derive(Serialize)]
struct Signalled<'a> {
    r#type: &'a str,
    from: &'a PeerId,
    to: &'a PeerId,
    payload: Content<'a>,
}

#[derive(Serialize)]
struct Failed<'a> {
    r#type: &'a str,
    error: &'a str,
}

impl Interpreter for Tom {
    fn rereads_address(&self) -> bool {
        true
    }

    fn heard(&mut self, turn: &mut Turn<'_>, text: &str) {
        let Some(message) = read::<Message<'_>>(text) else {
            turn.count("");
            // JSON that is no object is ignored as any unknown type is; one with a field twice says two things at once.
            if !is_no_object(text) {
                fail(turn, NOT_JSON);
            }
            return;
        };
        let kind = message.r#type.as_deref().unwrap_or_default();
        turn.count(kind);
        match kind {
            "register" => self.register(turn, message),
            "heartbeat" => self.beat(turn),
            "role-assign" => self.assign(turn, &message),
            "signal" => self.signal(turn, &message, text),
            _ => {}
        }
    }

    fn closed(&mut self, turn: &mut Turn<'_>) {
        if let Some(node) = &self.node {
            turn.dialects.cards().hide(node);
        }
    }
}

impl Tom {
    fn register(&mut self, turn: &mut Turn<'_>, message: Message<'_>) {
        let Message { node_id: Some(name), username: Some(username), public_key, encryption_key, .. } = message else {
            return fail(turn, NAMELESS);
        };
        let Some(network) = network(turn) else { return fail(turn, NO_NETWORK) };
        let Some(id) = turn.own_id(&name) else { return fail(turn, NO_ID) };
        let me = Me { username: Some(username), public_key, encryption_key };
        let Ok(shown) = serde_json::value::to_raw_value(&me) else { return fail(turn, NOT_JSON) };
        if is_longer(shown.get(), turn.hub.rules().limits.meta_bytes) {
            return fail(turn, TOO_LONG);
        }
        if self.node.as_ref().is_none_or(|node| node.id != id) {
            match turn.begin(id, None) {
                Begun::Now(party) => self.become_node(turn, Some(party)),
                Begun::Later => return,
                Begun::Refused(refusal) => {
                    return match refusal.code {
                        Code::NameTaken | Code::Superseded => fail(turn, TAKEN),
                        _ => fail(turn, &refusal.message),
                    };
                }
            }
        }
        let Some(node) = self.node.clone() else { return };
        if let Err(refusal) = turn.request(&node, &Request::NetworkJoin(NetworkJoin { network, me: Some(&shown) })) {
            self.become_node(turn, None);
            return fail(turn, &refusal.message);
        }
        turn.dialects.cards().show(&node, me.public_key.as_deref().unwrap_or_default());
    }

    /// Speaks for another node than before, or for none.
    fn become_node(&mut self, turn: &mut Turn<'_>, node: Option<Arc<Party>>) {
        if let Some(before) = std::mem::replace(&mut self.node, node) {
            turn.dialects.cards().hide(&before);
            turn.end(&before);
        }
    }

    fn beat(&self, turn: &mut Turn<'_>) {
        let (Some(node), Some(network)) = (&self.node, network(turn)) else { return };
        // There is no word for a refusal; the operator's numbers have it.
        let _ = turn.request(node, &Request::Beat(NetworkOnly { network }));
    }

    fn assign(&self, turn: &mut Turn<'_>, message: &Message<'_>) {
        let (Some(name), Some(roles)) = (message.node_id.as_deref(), message.roles) else { return };
        let (Some(node), Some(network)) = (&self.node, network(turn)) else { return };
        let Ok(id) = PeerId::new(name) else { return };
        let told = RoleAssign { r#type: "role-assign", node_id: name, roles, from: &node.id };
        let told = serde_json::to_string(&told).unwrap_or_default();
        let foreign = Some(Foreign { dialect: Dialect::Tom.id().0, frame: &told });
        let role = Role { network, id, roles: kinds(roles), foreign };
        let _ = turn.request(node, &Request::Role(role));
    }

    fn signal(&self, turn: &mut Turn<'_>, message: &Message<'_>, text: &str) {
        let (Some(to), Some(from)) = (&message.to, &message.from) else { return fail(turn, NOWHERE) };
        let Some(node) = &self.node else { return fail(turn, UNREGISTERED) };
        if *from != node.id.as_str() {
            turn.refused(Code::NotAllowed);
            return fail(turn, FORGED);
        }
        let payload = message.payload.unwrap_or(RawValue::NULL);
        match turn.signal(node, to, kind_of(payload), payload, text) {
            Ok(Some(Delivery::Absent)) => fail(turn, ABSENT),
            Ok(_) => {}
            Err(refusal) => fail(turn, &refusal.message),
        }
    }
}

/// The network that the address names.
fn network(turn: &Turn<'_>) -> Option<NetworkName> {
    let named = turn.arrival().rest.as_str();
    NetworkName::new(if named.is_empty() { NETWORK } else { named }).ok()
}

/// The roles that other protocols have a word for. Nodes of this one are told the list as it was.
fn kinds(roles: &RawValue) -> Vec<Kind> {
    let words: Vec<serde_json::Value> = serde_json::from_str(roles.get()).unwrap_or_default();
    words.iter().filter_map(|word| Kind::new(word.as_str()?).ok()).take(ROLES_MAX).collect()
}

/// What a payload is to other protocols.
fn kind_of(payload: &RawValue) -> &'static str {
    let Some(glance) = read::<Payload<'_>>(payload.get()) else { return "signal" };
    match glance.r#type.as_deref() {
        Some("offer") => "offer",
        Some("answer") => "answer",
        Some("candidate" | "ice-candidate") => "candidate",
        None if glance.candidate.is_some() => "candidate",
        _ => "signal",
    }
}

fn fail(turn: &mut Turn<'_>, error: &str) {
    turn.answer(frame(&Failed { r#type: "error", error }));
}

/// Writes events.
pub(crate) struct TomVoice;

impl Voice for TomVoice {
    fn frames(&self, event: &Event<'_>, to: &Party, _scene: Scene<'_>) -> Frames {
        let own = |foreign: Option<Foreign<'_>>| own_frame(foreign, to).map(|own| Bytes::from(own.to_owned()));
        match event {
            Event::NetworkJoined(joined) => Frames::from_iter([participants(joined.nodes)]),
            Event::NetworkNodes(news) => {
                let gone = news.gone.iter().map(|node| presence("leave", node));
                let joined = news.joined.iter().map(|node| presence("join", node));
                gone.chain(joined).chain([participants(news.all)]).collect()
            }
            Event::Beats(beats) => {
                beats.from.iter().map(|node| frame(&Heartbeat { r#type: "heartbeat", from: node.id })).collect()
            }
            Event::Role(role) => Frames::from_iter([own(role.foreign).unwrap_or_else(|| {
                let (node_id, roles, from) = (role.id.as_str(), role.roles, role.from);
                frame(&RoleAssign { r#type: "role-assign", node_id, roles, from })
            })]),
            Event::Signal(signal) => Frames::from_iter([own(signal.foreign).unwrap_or_else(|| {
                frame(&Signalled { r#type: "signal", from: signal.from, to: &to.id, payload: signal.data })
            })]),
            Event::Error(error) => Frames::from_iter([frame(&Failed { r#type: "error", error: error.message })]),
            _ => Frames::new(),
        }
    }
}

fn presence(action: &str, node: &Node<'_>) -> Bytes {
    let Me { username, public_key, encryption_key } = Me::of(node);
    frame(&PresenceTold {
        r#type: "presence",
        action,
        node_id: node.id,
        username: username.unwrap_or(Cow::Borrowed(node.id.as_str())),
        public_key: public_key.unwrap_or_default(),
        encryption_key,
    })
}

fn participants(nodes: &[Node<'_>]) -> Bytes {
    let shown = |node| {
        let Me { username, encryption_key, .. } = Me::of(node);
        let node_id = node.id;
        Participant { node_id, username: username.unwrap_or(Cow::Borrowed(node_id.as_str())), encryption_key }
    };
    frame(&Participants { r#type: "participants", participants: nodes.iter().map(shown).collect() })
}

impl<'a> Me<'a> {
    fn of(node: &Node<'a>) -> Self {
        node.me.and_then(|me| read(me.get())).unwrap_or_default()
    }
}
