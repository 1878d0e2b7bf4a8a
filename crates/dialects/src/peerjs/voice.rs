//! What PeerJS clients are told.

use bytes::Bytes;
use serde::Serialize;
use wigwag_hub::{Frames, Party, Scene, Voice};
use wigwag_wire::Event;
use wigwag_wire::code::Code;
use wigwag_wire::raw::{Content, Out, put_text};

use crate::dialect::own_frame;
use crate::json::frame;

const OPEN: &[u8] = br#"{"type":"OPEN"}"#;
pub(super) const TAKEN: &[u8] = br#"{"type":"ID-TAKEN","payload":{"msg":"ID is taken"}}"#;

pub(super) const NOTHING: &str = "No id, token, or key supplied to websocket server";
pub(super) const WRONG_KEY: &str = "Invalid key provided";
pub(super) const WRONG_ID: &str = "Invalid id provided";
pub(super) const FULL: &str = "Server has reached its concurrent user limit";

/// The clients' words and the kinds that everybody else knows.
const KINDS: &[(&str, &str)] =
    &[("OFFER", "offer"), ("ANSWER", "answer"), ("CANDIDATE", "candidate"), ("LEAVE", "bye"), ("EXPIRE", "expire")];

/// From one peer to another.
#[derive(Serialize)]
pub(super) struct Relayed<'a> {
    pub(super) r#type: &'a str,
    pub(super) src: &'a str,
    pub(super) dst: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payload: Option<Content<'a>>,
}

impl Relayed<'_> {
    /// The same as serde writes, in a fraction of the time: it is most of what is said.
    pub(super) fn written(&self) -> String {
        let Self { r#type, src, dst, payload } = *self;
        let size = r#type.len() + src.len() + dst.len() + payload.map_or(0, |payload| payload.get().len());
        let mut out = String::with_capacity(size + 40);
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut impl Out) {
        let Self { r#type, src, dst, payload } = *self;
        for (name, text) in [("{\"type\":", r#type), (",\"src\":", src), (",\"dst\":", dst)] {
            out.put(name);
            put_text(out, text);
        }
        if let Some(payload) = payload {
            out.put(",\"payload\":");
            out.put(payload.get());
        }
        out.put("}");
    }
}

/// The kind of a signal for those who speak otherwise.
pub(super) fn kind(word: &str) -> &'static str {
    KINDS.iter().find(|(known, _)| *known == word).map_or("other", |(_, kind)| kind)
}

/// An error; a client gives up on it.
pub(super) fn error(msg: &str) -> Bytes {
    #[derive(Serialize)]
    struct Failed<'a> {
        r#type: &'a str,
        payload: Why<'a>,
    }
    #[derive(Serialize)]
    struct Why<'a> {
        msg: &'a str,
    }
    frame(&Failed { r#type: "ERROR", payload: Why { msg } })
}

/// Writes events.
pub(crate) struct PeerJsVoice;

impl Voice for PeerJsVoice {
    fn frames(&self, event: &Event<'_>, to: &Party, _scene: Scene<'_>) -> Frames {
        let written = match event {
            Event::Welcome(_) => Bytes::from_static(OPEN),
            Event::Signal(_) => {
                let mut out = Vec::new();
                if !self.write(event, to, &mut out) {
                    return Frames::new();
                }
                out.into()
            }
            // Everything else is refused without a word: a client gives up whatever it is doing when it hears of an error.
            Event::Error(why) if [Code::Removed, Code::Banned].iter().any(|code| code.number() == why.code) => {
                error(why.message)
            }
            _ => return Frames::new(),
        };
        Frames::from_iter([written])
    }

    fn write(&self, event: &Event<'_>, to: &Party, out: &mut Vec<u8>) -> bool {
        let Event::Signal(signal) = event else { return false };
        if let Some(own) = own_frame(signal.foreign, to) {
            out.extend_from_slice(own.as_bytes());
            return true;
        }
        let Some((word, _)) = KINDS.iter().find(|(_, kind)| *kind == signal.kind) else { return false };
        let (src, dst) = (signal.from.as_str(), to.id.as_str());
        Relayed { r#type: word, src, dst, payload: Some(signal.data) }.write(out);
        true
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn what_is_relayed_is_written_as_serde_writes_it() {
        for payload in [None, Some(RawValue::NULL.into())] {
            for dst in ["bob", "a \"b\" \\ \n é"] {
                let relayed = Relayed { r#type: "OFFER", src: "alice", dst, payload };
                assert_eq!(Some(relayed.written()), serde_json::to_string(&relayed).ok());
            }
        }
    }
}
