//! A socket whose dialect is not known yet: its first good frame tells.

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::dialect::Dialect;
use crate::json::{Text, is_json, read};
use crate::turn::{Interpreter, Turn};

/// Errors before the dialect is known satisfy every dialect that could be meant.
const NOT_JSON: &[u8] = br#"{"type":"error","message":"Invalid message format","error":"invalid JSON"}"#;
const NOBODY: &[u8] = br#"{"type":"error","message":"Missing required fields","error":"missing nodeId or username"}"#;
const UNKNOWN: &[u8] = br#"{"type":"error","message":"Unknown message type"}"#;

/// Listens until it knows.
pub(crate) struct Sniffer(Vec<Dialect>);

/// What gives a dialect away.
#[derive(Deserialize)]
struct Glance<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    action: Option<IgnoredAny>,
    #[serde(rename = "userId")]
    user_id: Option<IgnoredAny>,
    #[serde(rename = "nodeId")]
    node_id: Option<IgnoredAny>,
    topic: Option<IgnoredAny>,
    topics: Option<IgnoredAny>,
    payload: Option<IgnoredAny>,
}

impl Sniffer {
    pub(crate) fn new(among: Vec<Dialect>) -> Self {
        Self(among)
    }

    /// The dialect of a frame, or what to answer.
    fn guess(&self, text: &str) -> Result<Dialect, &'static [u8]> {
        let glance: Glance<'_> = match read(text) {
            Some(glance) => glance,
            None if is_json(text) => return Err(UNKNOWN),
            None => return Err(NOT_JSON),
        };
        let dialect = glance.dialect(|dialect| self.0.contains(&dialect));
        match dialect.filter(|dialect| self.0.contains(dialect)) {
            Some(dialect) => Ok(dialect),
            None if glance.kind.as_deref() == Some("register") => Err(NOBODY),
            None => Err(UNKNOWN),
        }
    }
}

impl Glance<'_> {
    fn dialect(&self, spoken: impl Fn(Dialect) -> bool) -> Option<Dialect> {
        if self.action.is_some() {
            return Some(Dialect::Tracker);
        }
        let kind = self.kind.as_deref()?;
        let one_of = |first: Dialect, second: Dialect| if spoken(second) && !spoken(first) { second } else { first };
        match kind {
            "register" if self.user_id.is_some() => Some(Dialect::Volli),
            "register" if self.node_id.is_some() => Some(Dialect::Tom),
            // Which of the two it would be cannot be told, unless only one is spoken.
            "register" if spoken(Dialect::Volli) != spoken(Dialect::Tom) => Some(one_of(Dialect::Volli, Dialect::Tom)),
            "discover" | "challenge" => Some(Dialect::Volli),
            "heartbeat" | "role-assign" | "signal" => Some(Dialect::Tom),
            "join" => Some(Dialect::ManaMesh),
            "subscribe" | "unsubscribe" if self.topics.is_some() => Some(Dialect::Yjs),
            "subscribe" | "unsubscribe" if self.topic.is_some() => Some(Dialect::Trystero),
            "publish" if self.topic.is_some() && self.payload.is_some() => {
                Some(one_of(Dialect::Trystero, Dialect::Yjs))
            }
            "publish" if self.topic.is_some() => Some(Dialect::Yjs),
            "ping" => Some(Dialect::Yjs),
            kind if !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') => {
                Some(Dialect::WatchParty)
            }
            _ => None,
        }
    }
}

impl Interpreter for Sniffer {
    fn rereads_address(&self) -> bool {
        true
    }

    fn heard(&mut self, turn: &mut Turn<'_>, text: &str) {
        match self.guess(text) {
            Ok(dialect) => turn.successor = Some(dialect),
            Err(answer) => turn.answer(Bytes::from_static(answer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(text: &str) -> Option<Dialect> {
        Sniffer::new(Dialect::ALL.to_vec()).guess(text).ok()
    }

    #[test]
    fn the_first_frame_tells_the_dialect() {
        for (text, dialect) in [
            (r#"{"type":"register","userId":"u"}"#, Dialect::Volli),
            (r#"{"type":"discover","userId":"u"}"#, Dialect::Volli),
            (r#"{"type":"register","nodeId":"n"}"#, Dialect::Tom),
            (r#"{"type":"heartbeat"}"#, Dialect::Tom),
            (r#"{"type":"role-assign","nodeId":"n","roles":[]}"#, Dialect::Tom),
            (r#"{"type":"signal","from":"a","to":"b"}"#, Dialect::Tom),
            (r#"{"type":"join","roomId":"r"}"#, Dialect::ManaMesh),
            (r#"{"type":"CREATE_ROOM","roomId":"r"}"#, Dialect::WatchParty),
            (r#"{"type":"subscribe","topics":[]}"#, Dialect::Yjs),
            (r#"{"type":"ping"}"#, Dialect::Yjs),
            (r#"{"type":"publish","topic":"t","data":1}"#, Dialect::Yjs),
            (r#"{"type":"subscribe","topic":"t"}"#, Dialect::Trystero),
            (r#"{"type":"publish","topic":"t","payload":1}"#, Dialect::Trystero),
            (r#"{"action":"announce"}"#, Dialect::Tracker),
        ] {
            assert_eq!(guess(text), Some(dialect), "{text}");
        }
    }

    #[test]
    fn what_could_be_several_is_answered_for_all_of_them() {
        let all = Sniffer::new(Dialect::ALL.to_vec());
        assert_eq!(all.guess("{"), Err(NOT_JSON));
        assert_eq!(all.guess(r#"{"type":"register"}"#), Err(NOBODY));
        assert_eq!(all.guess(r#"{"type":"teleport"}"#), Err(UNKNOWN));
        assert_eq!(all.guess("[]"), Err(UNKNOWN));
        assert_eq!(all.guess(r#"["subscribe",null,null,null,null,[],null]"#), Err(UNKNOWN));
        assert_eq!(all.guess("7"), Err(UNKNOWN));
    }

    #[test]
    fn a_dialect_that_is_switched_off_is_not_heard() {
        let without = |off| Sniffer::new(Dialect::ALL.iter().copied().filter(|d| *d != off).collect());
        assert_eq!(without(Dialect::Tracker).guess(r#"{"action":"scrape"}"#), Err(UNKNOWN));
        assert_eq!(without(Dialect::Volli).guess(r#"{"type":"register"}"#), Ok(Dialect::Tom));
        assert_eq!(without(Dialect::Tom).guess(r#"{"type":"register"}"#), Ok(Dialect::Volli));
        assert_eq!(without(Dialect::Trystero).guess(r#"{"type":"publish","topic":"t","payload":1}"#), Ok(Dialect::Yjs));
    }
}
