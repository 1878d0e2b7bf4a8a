//! A secret room: what goes to the server is put into boxes, and what comes from it is taken out. Frames go in and frames come out; the rest of a
//! room knows nothing of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use wigwag_peer::secret::{NONCE_BYTES, Owner, Secret, What};
use wigwag_peer::{Body, Frame};
use wigwag_wire::PublicKey;

use crate::error::AskError;

/// So many boxes are remembered, so that none is taken twice.
const NONCES_MAX: usize = 1_000;

type Fields = BTreeMap<String, Box<RawValue>>;

/// What hides a room from its server.
pub(crate) struct Veil {
    secret: Secret,
    /// With which we sign calls.
    key: PublicKey,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// What we show of ourselves, as JSON, and who we were when it was last sealed.
    me: Option<Box<RawValue>>,
    sealed_as: (String, String),
    seen: BTreeSet<[u8; NONCE_BYTES]>,
    order: VecDeque<[u8; NONCE_BYTES]>,
    unopened: u64,
}

#[derive(Deserialize)]
struct Shown {
    key: PublicKey,
    me: Option<Box<RawValue>>,
}

impl Veil {
    pub(crate) fn new(secret: Secret, key: PublicKey) -> Self {
        Self { secret, key, kept: Mutex::default() }
    }

    /// What the room is called on the server.
    pub(crate) fn name(&self) -> &str {
        self.secret.name()
    }

    /// How much did not open.
    pub(crate) fn unopened(&self) -> u64 {
        self.kept.lock().unopened
    }

    /// The request with its content in boxes, said by us as we are called now.
    pub(crate) fn seal(&self, body: &Body, me: (&str, &str)) -> Result<Body, AskError> {
        let mut fields: Fields = serde_json::from_str(body.text()).map_err(AskError::bad)?;
        let own = Owner { id: me.0, device: me.1 };
        if body.kind() == "say"
            && let Some(data) = fields.remove("data")
        {
            fields.insert("data".to_owned(), self.boxed(What::Say, own, data.get())?);
        }
        if ["room.join", "room.create", "room.me"].contains(&body.kind()) {
            let shown = fields.remove("me").filter(|me| is_content(me));
            fields.insert("me".to_owned(), self.show(shown, me)?);
        }
        let hidden = [("state", What::State, body.kind() == "room.state"), ("meta", What::Meta, true)];
        for (name, what, is_there) in hidden {
            if let Some(content) = fields.get(name).filter(|content| is_there && is_content(content)) {
                let sealed = self.boxed(what, Owner::default(), content.get())?;
                fields.insert(name.to_owned(), sealed);
            }
        }
        Body::new(&fields).map_err(AskError::bad)
    }

    /// The frame with what was in its boxes; `None` where it is to be passed over.
    pub(crate) fn open(&self, frame: &Frame) -> Option<Frame> {
        let mut fields: Fields = frame.parse()?;
        // A member's `state` is its presence.
        let hidden = [("state", What::State, frame.kind() != "room.member"), ("meta", What::Meta, true)];
        for (name, what, is_there) in hidden {
            if let Some(sealed) = fields.get(name).filter(|content| is_there && is_content(content)) {
                match self.unbox(what, Owner::default(), sealed) {
                    Some((content, _)) => fields.insert(name.to_owned(), content),
                    None => fields.remove(name),
                };
            }
        }
        match frame.kind() {
            "said" => {
                let (from, device) = (text(&fields, "from"), text(&fields, "device"));
                let (data, nonce) = self.unbox(What::Say, Owner { id: &from, device: &device }, fields.get("data")?)?;
                self.is_first(nonce).then(|| fields.insert("data".to_owned(), data))?;
            }
            "room.member" if text(&fields, "change") != "left" => fields = self.member(fields)?,
            "room.joined" => {
                let members: Vec<Fields> = fields
                    .get("members")
                    .map_or(Some(Vec::new()), |members| serde_json::from_str(members.get()).ok())?;
                let members: Vec<Fields> = members.into_iter().filter_map(|member| self.member(member)).collect();
                fields.insert("members".to_owned(), to_raw_value(&members).ok()?);
            }
            _ => {}
        }
        Frame::read(&serde_json::to_string(&fields).ok()?)
    }

    /// What says anew who we are, if we are called otherwise than when we last said it: nobody could open that.
    pub(crate) fn renamed(&self, me: (&str, &str)) -> Option<Body> {
        let shown = {
            let kept = self.kept.lock();
            if (kept.sealed_as.0.as_str(), kept.sealed_as.1.as_str()) == me {
                return None;
            }
            kept.me.clone()
        };
        let shown = self.show(shown, me).ok()?;
        Body::new(&json!({"type": "room.me", "room": self.name(), "me": shown})).ok()
    }

    fn show(&self, shown: Option<Box<RawValue>>, me: (&str, &str)) -> Result<Box<RawValue>, AskError> {
        let mut content = BTreeMap::from([("key", to_raw_value(&self.key.to_string()).map_err(AskError::bad)?)]);
        content.extend(shown.clone().map(|me| ("me", me)));
        let content = to_raw_value(&content).map_err(AskError::bad)?;
        let sealed = self.boxed(What::Me, Owner { id: me.0, device: me.1 }, content.get())?;
        let mut kept = self.kept.lock();
        (kept.me, kept.sealed_as) = (shown, (me.0.to_owned(), me.1.to_owned()));
        Ok(sealed)
    }

    /// A member with what it shows of itself; `None` where it does not know the secret.
    fn member(&self, mut fields: Fields) -> Option<Fields> {
        let (id, device) = (text(&fields, "id"), text(&fields, "device"));
        let sealed = fields.remove("me").unwrap_or_else(|| RawValue::NULL.to_owned());
        let (shown, _) = self.unbox(What::Me, Owner { id: &id, device: &device }, &sealed)?;
        let Shown { key, me } = serde_json::from_str(shown.get()).ok()?;
        fields.extend(me.map(|me| ("me".to_owned(), me)));
        // Not the name of any field that a server sends.
        fields.insert("wigwag.key".to_owned(), to_raw_value(&key).ok()?);
        Some(fields)
    }

    fn boxed(&self, what: What, owner: Owner<'_>, content: &str) -> Result<Box<RawValue>, AskError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|why| AskError::bad(format!("no randomness to be had: {why}")))?;
        self.secret.seal(what, owner, content, nonce).ok_or_else(|| AskError::bad("it cannot be sealed"))
    }

    fn unbox(&self, what: What, owner: Owner<'_>, sealed: &RawValue) -> Option<(Box<RawValue>, [u8; NONCE_BYTES])> {
        let opened = self.secret.open(what, owner, sealed);
        if opened.is_none() {
            self.kept.lock().unopened += 1;
        }
        opened
    }

    fn is_first(&self, nonce: [u8; NONCE_BYTES]) -> bool {
        let mut kept = self.kept.lock();
        let is_new = kept.seen.insert(nonce);
        if is_new {
            kept.order.push_back(nonce);
            if kept.order.len() > NONCES_MAX
                && let Some(oldest) = kept.order.pop_front()
            {
                kept.seen.remove(&oldest);
            }
        }
        is_new
    }
}

fn is_content(value: &RawValue) -> bool {
    value.get() != "null"
}

fn text(fields: &Fields, name: &str) -> String {
    fields.get(name).and_then(|value| serde_json::from_str(value.get()).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use wigwag_peer::{Identity, Signer};

    use super::*;

    #[test]
    fn what_one_member_seals_the_other_opens_and_the_server_cannot_swap() {
        let (ann, bob) = (veil(1), veil(2));
        let say = Body::from_text(r#"{"type":"say","room":"r","data":{"at":1.50}}"#).expect("a request");
        let sealed = ann.seal(&say, ("ann", "tv")).expect("a box");
        assert!(!sealed.text().contains("1.50"), "{}", sealed.text());
        let said = |from: &str, device: &str| {
            let data = fields(sealed.text())["data"].clone();
            frame(&json!({"type": "said", "room": "r", "from": from, "device": device, "data": data}))
        };
        assert!(bob.open(&said("eve", "tv")).is_none(), "another's word");
        let opened = bob.open(&said("ann", "tv")).expect("it opens");
        assert_eq!(fields(opened.text())["data"].get(), r#"{"at":1.50}"#);
        assert!(bob.open(&said("ann", "tv")).is_none(), "said twice");
        assert_eq!(bob.unopened(), 1);
    }

    #[test]
    fn members_show_their_keys_and_strangers_are_not_there() {
        let (ann, bob) = (veil(1), veil(2));
        let join = Body::from_text(r#"{"type":"room.join","room":"r","me":{"name":"Ann"}}"#).expect("a request");
        let shown = fields(ann.seal(&join, ("ann", "")).expect("a box").text())["me"].clone();
        let joined = frame(&json!({"type": "room.joined", "room": "r", "members": [
            {"id": "ann", "state": "here", "me": shown}, {"id": "eve", "state": "here", "me": {"name": "Eve"}},
            {"id": "mal", "state": "here", "me": shown}, {"id": "none", "state": "here"}]}));
        let opened: Value = bob.open(&joined).expect("it opens").parse().expect("JSON");
        let key = Identity::ed25519(&[1; 32]).key().to_string();
        assert_eq!(
            opened["members"],
            json!([{"id": "ann", "state": "here", "me": {"name": "Ann"}, "wigwag.key": key}])
        );
        assert!(ann.renamed(("ann", "")).is_none());
        let renamed = ann.renamed(("~new", "")).expect("another id");
        let me = fields(renamed.text())["me"].clone();
        let member =
            json!({"type": "room.member", "room": "r", "change": "updated", "id": "~new", "state": "here", "me": me});
        let opened: Value = bob.open(&frame(&member)).expect("it opens").parse().expect("JSON");
        assert_eq!(opened["me"], json!({"name": "Ann"}));
    }

    fn veil(number: u8) -> Veil {
        let secret = Secret::new("a secret of some length", "").expect("long enough");
        Veil::new(secret, Identity::ed25519(&[number; 32]).key())
    }

    fn frame(json: &Value) -> Frame {
        Frame::read(&json.to_string()).expect("a frame")
    }

    fn fields(json: &str) -> Fields {
        serde_json::from_str(json).expect("an object")
    }
}
