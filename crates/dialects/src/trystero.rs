//! Trystero's WebSocket relay: topics with payloads, nothing else. Bad frames are ignored, as its clients expect.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wigwag_hub::{Frames, Party, Scene, Voice};
use wigwag_wire::raw::Content;
use wigwag_wire::request::{Publish, Topics};
use wigwag_wire::{Event, Foreign, Request};

use crate::dialect::{Dialect, own_frame};
use crate::json::{Text, frame, present, read, topic};
use crate::turn::{Interpreter, Turn};

pub(crate) const TYPES: &[&str] = &["subscribe", "unsubscribe", "publish", "other"];

/// One socket.
#[derive(Default)]
pub(crate) struct Trystero {
    party: Option<Arc<Party>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    topic: Text<'a>,
    #[serde(borrow, default, deserialize_with = "present")]
    payload: Option<&'a RawValue>,
}

/// What subscribers get.
#[derive(Serialize)]
struct Relayed<'a> {
    topic: &'a str,
    payload: Content<'a>,
}

impl Interpreter for Trystero {
    fn heard(&mut self, turn: &mut Turn<'_>, text: &str) {
        let message = read::<Message<'_>>(text);
        turn.count(message.as_ref().map_or("", |message| &message.kind));
        let Some(message) = message else { return };
        let name = topic(&message.topic);
        let Ok(party) = turn.unnamed(&mut self.party) else { return };
        // There is no word for a refusal; the operator's numbers have it.
        let _ = match (&*message.kind, message.payload) {
            ("subscribe", _) => turn.request(party, &Request::Subscribe(Topics { topics: vec![name] })),
            ("unsubscribe", _) => turn.request(party, &Request::Unsubscribe(Topics { topics: vec![name] })),
            ("publish", Some(payload)) => {
                let relayed = serde_json::to_string(&Relayed { topic: &message.topic, payload: payload.into() })
                    .unwrap_or_default();
                let foreign = Some(Foreign { dialect: Dialect::Trystero.id().0, frame: &relayed });
                let publish = Publish { topic: Cow::Borrowed(name.as_str()), data: payload.into(), foreign };
                turn.request(party, &Request::Publish(publish))
            }
            _ => Ok(()),
        };
    }
}

/// Writes what was published.
pub(crate) struct TrysteroVoice;

impl Voice for TrysteroVoice {
    fn frames(&self, event: &Event<'_>, to: &Party, _scene: Scene<'_>) -> Frames {
        let Event::Published(published) = event else { return Frames::new() };
        let own = own_frame(published.foreign, to);
        let written = match own {
            Some(relayed) => relayed.to_owned().into(),
            None => frame(&Relayed { topic: published.topic, payload: published.data }),
        };
        Frames::from_iter([written])
    }
}
