//! y-webrtc: topics, and the sender hears itself. Everything but the topic is opaque.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wigwag_hub::{Frames, Party, Scene, Voice};
use wigwag_wire::raw::Content;
use wigwag_wire::request::{Publish, Topics};
use wigwag_wire::{Event, Foreign, Request, Topic};

use crate::dialect::{Dialect, own_frame};
use crate::json::{Text, frame, read, topic, whole, with_field};
use crate::turn::{Interpreter, Turn};

pub(crate) const TYPES: &[&str] = &["subscribe", "unsubscribe", "publish", "ping", "other"];

/// One y-webrtc socket.
#[derive(Default)]
pub(crate) struct Yjs {
    party: Option<Arc<Party>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    topics: Option<Vec<Value>>,
    #[serde(borrow)]
    topic: Option<Text<'a>>,
}

impl Interpreter for Yjs {
    fn heard(&mut self, turn: &mut Turn<'_>, text: &str) {
        let message = read::<Message<'_>>(text);
        turn.count(message.as_ref().map_or("", |message| &message.kind));
        let Some(message) = message else { return };
        match &*message.kind {
            "ping" => turn.answer(Bytes::from_static(br#"{"type":"pong"}"#)),
            "subscribe" => self.topics(turn, message.topics.as_deref(), Request::Subscribe),
            "unsubscribe" => self.topics(turn, message.topics.as_deref(), Request::Unsubscribe),
            "publish" => self.publish(turn, message.topic, text),
            _ => {}
        }
    }
}

impl Yjs {
    fn topics(&mut self, turn: &mut Turn<'_>, topics: Option<&[Value]>, request: impl Fn(Topics) -> Request<'static>) {
        let Ok(party) = turn.unnamed(&mut self.party) else { return };
        // One by one: a client that asks for more than it may still gets what it may.
        for word in topics.unwrap_or_default().iter().filter_map(Value::as_str) {
            // There is no word for a refusal; the operator's numbers have it.
            let _ = turn.request(party, &request(Topics { topics: vec![topic(word)] }));
        }
    }

    fn publish(&mut self, turn: &mut Turn<'_>, word: Option<Text<'_>>, text: &str) {
        let (Some(word), Some(data)) = (word, whole(text)) else { return };
        let Ok(party) = turn.unnamed(&mut self.party) else { return };
        let topic: Topic = topic(&word);
        let foreign = Some(Foreign { dialect: Dialect::Yjs.id().0, frame: data.get() });
        let publish = Publish { topic: Cow::Borrowed(topic.as_str()), data: data.into(), foreign };
        let _ = turn.request(party, &Request::Publish(publish));
    }
}

/// Writes what was published, with the number of those who hear it.
pub(crate) struct YjsVoice;

/// What a peer of another protocol published.
#[derive(Serialize)]
struct Foreigners<'a> {
    r#type: &'a str,
    topic: &'a str,
    data: Content<'a>,
    clients: u32,
}

impl Voice for YjsVoice {
    fn frames(&self, event: &Event<'_>, to: &Party, _scene: Scene<'_>) -> Frames {
        let Event::Published(published) = event else { return Frames::new() };
        let clients = published.receivers;
        let own = own_frame(published.foreign, to);
        let written = match own {
            Some(object) => with_field(object, &format!("\"clients\":{clients}")).into(),
            None => frame(&Foreigners { r#type: "publish", topic: published.topic, data: published.data, clients }),
        };
        Frames::from_iter([written])
    }
}
