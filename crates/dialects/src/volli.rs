//! Volli: calls a user by id. A user shows a public key, which others read when they look for the user.
//!
//! A live id goes to nobody else. A client that asks for a challenge and signs it proves its key, and then takes its id over from a
//! socket that it lost.

mod proof;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wigwag_hub::{Frames, Party, Scene, Voice};
use wigwag_wire::event::{Delivery, Presence, SignalEvent};
use wigwag_wire::{Code, Event, PeerId};

use self::proof::{Secret, new_nonce, prove, secret_of};
use crate::dialect::{Dialect, own_frame};
use crate::json::{Text, frame, is_longer, is_no_object, present, read, text, text_of, with_field};
use crate::turn::{Begun, Interpreter, Turn};

pub(crate) const TYPES: &[&str] = &["register", "discover", "offer", "answer", "ice-candidate", "challenge", "other"];

const NOT_JSON: &str = "Invalid message format";
const MISSING: &str = "Missing required fields";
const UNKNOWN: &str = "Unknown message type";
const TAKEN: &str = "User ID already registered";
const NO_ID: &str = "Invalid user ID";
const LONG_KEY: &str = "Public key is too long";
const BAD_PROOF: &str = "Invalid signature";
const NOBODY: &str = "Not registered";
const FORGED: &str = "Sender is not the registered user";

/// One socket.
#[derive(Default)]
pub(crate) struct Volli {
    user: Option<User>,
    /// What the next signature on this socket is made over.
    nonce: Option<String>,
}

struct User {
    party: Arc<Party>,
    secret: Option<Secret>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    #[serde(borrow, default, deserialize_with = "text")]
    r#type: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text")]
    user_id: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text")]
    public_key: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text")]
    signature: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    from: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "text")]
    to: Option<Text<'a>>,
    #[serde(borrow)]
    offer: Option<&'a RawValue>,
    #[serde(borrow)]
    answer: Option<&'a RawValue>,
    #[serde(borrow)]
    candidate: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Registered<'a> {
    r#type: &'a str,
    success: bool,
    #[serde(rename = "userId")]
    user_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Discovered<'a> {
    r#type: &'a str,
    user_id: &'a str,
    online: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Challenge<'a> {
    r#type: &'a str,
    nonce: &'a str,
    server: &'a str,
}

#[derive(Serialize)]
struct Failed<'a> {
    r#type: &'a str,
    message: &'a str,
}

impl Interpreter for Volli {
    fn rereads_address(&self) -> bool {
        true
    }

    fn heard(&mut self, turn: &mut Turn<'_>, text: &str) {
        let Some(message) = read::<Message<'_>>(text) else {
            turn.count("");
            // JSON that is no object has no type; one with a field twice says two things at once.
            return fail(turn, if is_no_object(text) { UNKNOWN } else { NOT_JSON });
        };
        let kind = message.r#type.as_deref().unwrap_or_default();
        turn.count(kind);
        match kind {
            "register" => self.register(turn, &message),
            "discover" => discover(turn, message.user_id),
            "offer" => self.call(turn, kind, message.offer, &message, text),
            "answer" => self.call(turn, kind, message.answer, &message, text),
            "ice-candidate" => self.call(turn, "candidate", message.candidate, &message, text),
            "challenge" => self.challenge(turn),
            _ => fail(turn, UNKNOWN),
        }
    }

    fn closed(&mut self, turn: &mut Turn<'_>) {
        if let Some(user) = &self.user {
            turn.dialects.cards().hide(&user.party);
        }
    }
}

impl Volli {
    fn register(&mut self, turn: &mut Turn<'_>, message: &Message<'_>) {
        let (Some(name), Some(key)) = (message.user_id.as_deref(), message.public_key.as_deref()) else {
            return fail(turn, MISSING);
        };
        if is_longer(key, turn.hub.rules().limits.meta_bytes) {
            return fail(turn, LONG_KEY);
        }
        let Some(id) = turn.own_id(name) else { return fail(turn, NO_ID) };
        let proved = match (&self.nonce, message.signature.as_deref()) {
            (Some(nonce), Some(signature)) => match prove(turn, nonce, name, key, signature) {
                Some(secret) => Some(secret),
                None => {
                    self.nonce = None;
                    turn.refused(Code::BadSignature);
                    return fail(turn, BAD_PROOF);
                }
            },
            _ => None,
        };
        match self.user.as_mut().filter(|user| user.party.id == id) {
            Some(user) => {
                // Without a new proof, the one that there is holds for its own key alone.
                let secret = proved.or(user.secret.filter(|secret| secret_of(key) == Some(*secret)));
                if secret != user.secret {
                    turn.hub.set_secret(&user.party, secret);
                    user.secret = secret;
                }
                turn.dialects.cards().show(&user.party, key);
                turn.answer(registered(&id));
            }
            None => match turn.begin(id, proved) {
                // The same frame comes again, with the same signature.
                Begun::Later => return,
                // The voice has said that it is registered.
                Begun::Now(party) => {
                    turn.dialects.cards().show(&party, key);
                    if let Some(before) = self.user.replace(User { party, secret: proved }) {
                        turn.dialects.cards().hide(&before.party);
                        turn.end(&before.party);
                    }
                }
                Begun::Refused(refusal) => match refusal.code {
                    Code::NameTaken | Code::Superseded => fail(turn, TAKEN),
                    _ => fail(turn, &refusal.message),
                },
            },
        }
        if message.signature.is_some() {
            self.nonce = None;
        }
    }

    /// An offer, an answer or a candidate.
    fn call(&self, turn: &mut Turn<'_>, kind: &str, data: Option<&RawValue>, message: &Message<'_>, text: &str) {
        let (Some(to), Some(data)) = (message.to.as_deref(), data) else { return fail(turn, MISSING) };
        let from = message.from.map(text_of);
        if from == Some(None) {
            return fail(turn, MISSING);
        }
        let Some(User { party, .. }) = &self.user else { return fail(turn, NOBODY) };
        let frame = match from.flatten() {
            Some(from) if from == party.id.as_str() => Cow::Borrowed(text),
            Some(_) => {
                turn.refused(Code::NotAllowed);
                return fail(turn, FORGED);
            }
            None => Cow::Owned(with_field(text, &format!("\"from\":{}", quoted(party.id.as_str())))),
        };
        match turn.signal(party, to, kind, data, &frame) {
            Ok(Some(Delivery::Absent)) => fail(turn, &format!("User {to} is not online")),
            Ok(_) => {}
            Err(refusal) => fail(turn, &refusal.message),
        }
    }

    fn challenge(&mut self, turn: &mut Turn<'_>) {
        let nonce = self.nonce.insert(new_nonce(turn.hub));
        let server = &turn.hub.rules().server;
        turn.answer(frame(&Challenge { r#type: "challenge", nonce, server }));
    }
}

/// Looks for a user. It is asked before registering, too.
fn discover(turn: &mut Turn<'_>, name: Option<Text<'_>>) {
    let Some(name) = name else { return fail(turn, MISSING) };
    let key = match PeerId::new(&name) {
        Ok(id) => match turn.hub.look_up(turn.now, turn.line.pass.origin(), &turn.visit.ns, &id) {
            Ok(Presence::Here) => key_of(turn, &id),
            Ok(_) => None,
            Err(refusal) => {
                turn.refused(refusal.code);
                return fail(turn, &refusal.message);
            }
        },
        // Nobody can have such an id.
        Err(_) => None,
    };
    let (r#type, online) = ("discover-response", key.is_some());
    turn.answer(frame(&Discovered { r#type, user_id: &name, online, public_key: key.map(Cow::Owned) }));
}

/// The key of who has this id: the one it proved in the native protocol, or else the one it shows; empty where it has none.
fn key_of(turn: &Turn<'_>, id: &PeerId) -> Option<String> {
    let holder = turn.hub.holder(turn.ns(), id)?;
    if let Some(key) = holder.key {
        return Some(key.to_string());
    }
    let shown = turn.dialects.cards().of(holder.session);
    // A user of this dialect is not there before its key is.
    if shown.is_none() && holder.dialect == Dialect::Volli.id() { None } else { Some(shown.unwrap_or_default().into()) }
}

fn fail(turn: &mut Turn<'_>, message: &str) {
    turn.answer(frame(&Failed { r#type: "error", message }));
}

fn registered(id: &PeerId) -> Bytes {
    frame(&Registered { r#type: "registered", success: true, user_id: id.as_str() })
}

fn quoted(word: &str) -> String {
    serde_json::to_string(word).unwrap_or_default()
}

/// Writes events.
pub(crate) struct VolliVoice;

impl Voice for VolliVoice {
    fn frames(&self, event: &Event<'_>, to: &Party, _scene: Scene<'_>) -> Frames {
        match event {
            // Said here, so that nothing comes before it.
            Event::Welcome(welcome) => Frames::from_iter([registered(welcome.id)]),
            Event::Signal(signal) => match own_frame(signal.foreign, to) {
                Some(own) => Frames::from_iter([own.to_owned().into()]),
                None => called(signal, to).into_iter().collect(),
            },
            Event::Error(error) => Frames::from_iter([frame(&Failed { r#type: "error", message: error.message })]),
            _ => Frames::new(),
        }
    }
}

/// The call of a peer of another protocol. Volli has no word for anything but these three.
fn called(signal: &SignalEvent<'_>, to: &Party) -> Option<Bytes> {
    let (kind, field) = match signal.kind {
        "offer" => ("offer", "offer"),
        "answer" => ("answer", "answer"),
        "candidate" => ("ice-candidate", "candidate"),
        _ => return None,
    };
    let (from, to, data) = (quoted(signal.from.as_str()), quoted(to.id.as_str()), signal.data.get());
    Some(format!("{{\"type\":\"{kind}\",\"from\":{from},\"to\":{to},\"{field}\":{data}}}").into())
}
