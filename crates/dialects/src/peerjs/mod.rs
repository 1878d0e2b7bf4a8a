//! PeerJS: calls a peer by id; what is for an absent one waits a little. Everything a client says about itself is in the address.
//!
//! Whose socket is lost is never said to have left: others would close their connections with it, which may be as well as ever.

mod calls;
mod http;
mod voice;
mod waiting;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use wigwag_hub::{Moment, Party};
use wigwag_wire::code::Code;
use wigwag_wire::event::Presence;
use wigwag_wire::raw::Content;
use wigwag_wire::{PeerId, sight};

use self::calls::{Calls, Saying};
use self::voice::{FULL, NOTHING, TAKEN, WRONG_ID, WRONG_KEY, error};
use self::waiting::Waiting;
use crate::json::{Text, present, read, text};
use crate::turn::{Begun, Interpreter, Turn, hand};

pub use self::http::peerjs_http;
pub(crate) use self::voice::PeerJsVoice;

pub(crate) const TYPES: &[&str] = &["HEARTBEAT", "OFFER", "ANSWER", "CANDIDATE", "LEAVE", "EXPIRE", "other"];

/// How the operator wants PeerJS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerJsSettings {
    /// What a client must give as `key`.
    pub key: String,
    /// Whether anybody may list the ids that are here.
    pub allow_discovery: bool,
    /// Peers at once; 0 is no limit.
    pub concurrent_limit: u64,
    /// Silence in milliseconds after which a socket is cut; 0 is no limit.
    pub alive_timeout_ms: u64,
    /// How long in milliseconds a message waits for an absent peer.
    pub expire_timeout_ms: u64,
}

impl Default for PeerJsSettings {
    fn default() -> Self {
        Self {
            key: "peerjs".to_owned(),
            allow_discovery: false,
            concurrent_limit: 0,
            alive_timeout_ms: 60_000,
            expire_timeout_ms: 5_000,
        }
    }
}

/// What PeerJS sockets share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    peers: Arc<AtomicU64>,
    waiting: Waiting,
}

/// One among the peers that are counted.
struct Seat(Arc<AtomicU64>);

/// One socket.
pub(crate) struct PeerJs {
    live: Option<Live>,
    /// When its silence will have lasted too long.
    silent: Moment,
}

impl Default for PeerJs {
    fn default() -> Self {
        Self { live: None, silent: Moment::NEVER }
    }
}

/// A peer that was let in and has not left.
struct Live {
    party: Arc<Party>,
    calls: Calls,
    _seat: Seat,
}

/// What a client says.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default, deserialize_with = "text")]
    dst: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    payload: Option<Content<'a>>,
}

impl<'a> Message<'a> {
    fn read(text: &'a str) -> Option<Self> {
        Self::at_sight(text).or_else(|| read(text))
    }

    /// As clients write it: the library reads the same, and whatever else there is.
    fn at_sight(text: &'a str) -> Option<Self> {
        let (mut kind, mut dst, mut payload, mut twice) = (None, None, None, false);
        sight::fields(text, |key, value| {
            let field = match key {
                "type" => &mut kind,
                "dst" => &mut dst,
                "payload" => &mut payload,
                _ => return,
            };
            twice |= field.replace(value).is_some();
        })?;
        let text = |field: sight::Value<'a>| field.plain().map(Cow::Borrowed);
        let dst = match dst {
            Some(dst) => Some(text(dst).filter(|dst| !dst.is_empty())?),
            None => None,
        };
        let payload = payload.map(sight::Value::content);
        (!twice).then_some(Self { kind: text(kind?)?, dst, payload })
    }
}

impl Interpreter for PeerJs {
    fn opened(&mut self, turn: &mut Turn<'_>) {
        self.listened(turn);
        match enter(turn) {
            Ok(live) => self.live = Some(live),
            Err(frame) => {
                turn.answer(frame);
                turn.hang_up();
            }
        }
    }

    fn heard(&mut self, turn: &mut Turn<'_>, text: &str) {
        self.listened(turn);
        let message = Message::read(text);
        let kind = turn.count(message.as_ref().map_or("", |message| &message.kind));
        let Some(message) = message else { return };
        match (kind, message.dst) {
            ("HEARTBEAT" | "other", _) => {}
            ("LEAVE", None) => self.leave(turn),
            (_, None) => {}
            (kind, Some(dst)) => {
                if let Some(live) = &mut self.live {
                    live.calls.say(turn, &live.party, Saying { word: kind, dst: &dst, payload: message.payload });
                }
            }
        }
    }

    fn tick(&mut self, turn: &mut Turn<'_>) {
        if self.silent <= turn.now.at {
            return turn.hang_up();
        }
        if let Some(live) = &mut self.live {
            live.calls.expire(turn, &live.party);
        }
    }

    fn deadline(&self) -> Option<Moment> {
        let call = self.live.as_ref().and_then(|live| live.calls.deadline());
        call.into_iter().chain([self.silent]).min().filter(|due| *due != Moment::NEVER)
    }

    fn closed(&mut self, turn: &mut Turn<'_>) {
        if let Some(live) = self.live.take() {
            live.calls.abandon(turn, &live.party);
        }
    }
}

impl PeerJs {
    /// Only what a peer says keeps its socket: a browser answers pings for a page that is long frozen.
    fn listened(&mut self, turn: &Turn<'_>) {
        let limit = turn.dialects.settings().peerjs.alive_timeout_ms;
        self.silent = if limit == 0 { Moment::NEVER } else { turn.now.at + limit };
    }

    /// The peer gives its id up; its socket stays.
    fn leave(&mut self, turn: &mut Turn<'_>) {
        if let Some(live) = self.live.take() {
            live.calls.abandon(turn, &live.party);
            turn.end(&live.party);
        }
    }
}

/// Lets the peer in that the address names, or answers why not.
fn enter(turn: &mut Turn<'_>) -> Result<Live, Bytes> {
    let dialects = turn.dialects;
    let (settings, shared) = (&dialects.settings().peerjs, &dialects.peerjs);
    let field = |name| turn.arrival().field(name).filter(|value| !value.is_empty());
    let (Some(id), Some(token), Some(key)) = (field("id"), field("token"), field("key")) else {
        return Err(error(NOTHING));
    };
    if key != settings.key {
        return Err(error(WRONG_KEY));
    }
    let id = PeerId::new(id).ok().filter(|id| is_good(id.as_str())).ok_or_else(|| error(WRONG_ID))?;
    // One in the form of a key is its owner's alone.
    let id = turn.own_id(id.as_str()).ok_or(Bytes::from_static(TAKEN))?;
    let secret = hash(token);
    let seat = shared.seat(settings.concurrent_limit, || {
        // Whoever comes back needs no further place, and nobody else gets in.
        turn.hub.presence_of(turn.ns(), &id) != Presence::Gone
    });
    let seat = seat.ok_or_else(|| error(FULL))?;
    let party = match turn.begin(id, Some(secret)) {
        Begun::Now(party) => party,
        Begun::Later => return Err(error(WRONG_ID)),
        Begun::Refused(refusal) => {
            return Err(match refusal.code {
                Code::NameTaken | Code::Superseded => Bytes::from_static(TAKEN),
                Code::TooManySessions | Code::NamespaceFull | Code::Overloaded => error(FULL),
                code => error(code.meaning()),
            });
        }
    };
    let calls = Calls::adopt(turn, &party, secret);
    let (dialect, socket, out) = (turn.line.dialect, turn.line.socket, &mut *turn.out);
    shared.waiting.deliver(turn.now.at, &party, |frame| hand(out, dialect, socket, frame));
    Ok(Live { party, calls, _seat: seat })
}

/// Letters and digits, in words set apart by single spaces, underscores or hyphens.
fn is_good(id: &str) -> bool {
    id.split([' ', '_', '-']).all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric()))
}

fn hash(token: &str) -> [u8; 16] {
    let mut secret = [0; 16];
    secret.copy_from_slice(&Sha256::digest(token.as_bytes())[..16]);
    secret
}

impl Shared {
    /// Whether nobody is here and nothing waits.
    pub(crate) fn is_empty(&self, now: Moment) -> bool {
        self.peers.load(Ordering::Relaxed) == 0 && self.waiting.is_empty(now)
    }

    /// A place among `limit`, or in spite of it where the peer may come in anyway.
    fn seat(&self, limit: u64, anyway: impl FnOnce() -> bool) -> Option<Seat> {
        let before = self.peers.fetch_add(1, Ordering::Relaxed);
        // Given back at once where it was one too many.
        let seat = Seat(self.peers.clone());
        (limit == 0 || before < limit || anyway()).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_words_of_letters_and_digits() {
        for good in ["a", "A9", "a-b", "a_b c", "550e8400-e29b-41d4-a716-446655440000"] {
            assert!(is_good(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "a -b", "a.b", "ä", "a@b", " a", "a\n"] {
            assert!(!is_good(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_place_is_given_back_where_it_was_refused_or_left() {
        let shared = Shared::default();
        let first = shared.seat(1, || false);
        assert!(first.is_some());
        for _ in 0..3 {
            assert!(shared.seat(1, || false).is_none());
        }
        assert!(shared.seat(1, || true).is_some());
        drop(first);
        assert!(shared.seat(1, || false).is_some());
    }

    #[test]
    fn what_is_read_at_sight_is_what_the_library_reads() {
        type Said<'a> = Option<(String, Option<String>, Option<&'a str>)>;
        fn said(message: Option<Message<'_>>) -> Said<'_> {
            let Message { kind, dst, payload } = message?;
            Some((kind.into_owned(), dst.map(Cow::into_owned), payload.map(Content::get)))
        }
        let at_sight = [
            r#"{"type":"HEARTBEAT"}"#,
            r#"{"type":"LEAVE","payload":null}"#,
            r#"{"type":"OFFER","payload":{"sdp":{"type":"offer"},"n":17},"dst":"bob"}"#,
            r#" { "dst" : "bob" , "src" : 7 , "type" : "CANDIDATE" , "payload" : [1, {"a": "\n"}] } "#,
        ];
        let left = [
            "",
            "[]",
            "{}",
            r#"{"type":7}"#,
            r#"{"type":"LEAVE","dst":7}"#,
            r#"{"type":"LEAVE","dst":""}"#,
            r#"{"type":"LEAVE","dst":null}"#,
            r#"{"type":"\u004cEAVE","dst":"bob"}"#,
            r#"{"\u0074ype":"LEAVE","dst":"b\"ob"}"#,
            r#"{"type":"LEAVE","type":"LEAVE"}"#,
            r#"{"type":"LEAVE","dst":"bob""#,
        ];
        for text in at_sight {
            assert!(Message::at_sight(text).is_some(), "{text}");
        }
        for text in left {
            assert!(Message::at_sight(text).is_none(), "{text}");
        }
        for text in at_sight.into_iter().chain(left) {
            assert_eq!(said(Message::read(text)), said(read(text)), "{text}");
        }
    }
}
