//! Conversations of several peers with one server, as data.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use wigwag_wire::Limits;
use wigwag_wire::event::IceServer;

/// The wall clock at the start of every transcript, in milliseconds since 1970.
pub const START_MS: u64 = 1_795_000_000_000;

/// One conversation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transcript {
    /// What it shows; for a dialect, the promise that is kept where it holds.
    pub about: String,
    /// The dialect that is spoken; none is the native protocol.
    #[serde(default)]
    pub dialect: Option<String>,
    /// Whether only our server promises this, and the dialect's first server does not.
    #[serde(default)]
    pub ours: bool,
    /// Whether it takes long where the clock cannot be moved.
    #[serde(default)]
    pub slow: bool,
    /// What differs from the defaults of a server.
    #[serde(default)]
    pub server: Settings,
    /// Names for test keys.
    #[serde(default)]
    pub keys: BTreeMap<String, u64>,
    /// Names for values that no other run uses.
    #[serde(default)]
    pub fresh: BTreeMap<String, Fresh>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// What a fresh value looks like.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Fresh {
    /// Letters, digits and hyphens: good as an id, a room, a topic and a part of a path.
    Word,
    /// Eight letters and digits: the rest of a value that begins in a way of its own.
    Letters8,
    /// Twenty characters between U+0000 and U+00FF, as trackers write twenty bytes.
    Bytes20,
}

/// How the server of a transcript is set up.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// Whether it lets guests in.
    pub guests: bool,
    /// The namespaces served; `None` is any.
    pub namespaces: Option<Vec<String>>,
    /// Milliseconds until `away`.
    pub away_after_ms: u64,
    /// Milliseconds until the session ends.
    pub gone_after_ms: u64,
    /// Limits; those that are not named have their defaults.
    pub limits: Limits,
    /// ICE servers.
    pub ice: IceSettings,
    /// Other keys of the configuration, as `--set` takes them.
    pub set: BTreeMap<String, String>,
}

/// The ICE servers of a transcript.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct IceSettings {
    /// Servers handed out as they are.
    pub servers: Vec<IceServer>,
    /// TURN URLs for which credentials are made.
    pub turn_urls: Vec<String>,
    /// The secret shared with the TURN server.
    pub turn_secret: String,
    /// Seconds that a credential is good for.
    pub turn_seconds: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "wigwag.test".into(),
            guests: true,
            namespaces: None,
            away_after_ms: 5_000,
            gone_after_ms: 120_000,
            limits: Limits::default(),
            ice: IceSettings::default(),
            set: BTreeMap::new(),
        }
    }
}

/// One thing that happens, and how the file writes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Box<RawValue>")]
pub struct Step {
    /// What happens.
    pub act: Act,
    /// As it stands in the file.
    pub shown: String,
}

/// What can happen.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Act {
    /// A peer opens a socket.
    Open {
        /// The socket's name from here on.
        open: String,
        /// Where: from the top of the server if it begins with `/`, else below the dialect's own path.
        #[serde(default)]
        at: String,
        /// The status with which the server refuses it.
        refused: Option<u16>,
    },
    /// A peer sends a frame.
    From {
        /// On which socket.
        from: String,
        /// With proof by this key.
        prove: Option<String>,
        /// The frame.
        frame: Value,
        /// Whether its text travels in a binary frame.
        #[serde(default)]
        binary: bool,
    },
    /// A peer sends exactly this.
    Text {
        /// On which socket.
        from: String,
        /// The text.
        text: String,
        /// Whether it travels in a binary frame.
        #[serde(default)]
        binary: bool,
    },
    /// A peer sends bytes that are no text.
    Hex {
        /// On which socket.
        from: String,
        /// The bytes of a binary frame.
        hex: String,
    },
    /// The server sends a frame.
    To {
        /// To which socket.
        to: String,
        /// The pattern that it fits.
        frame: Value,
        /// By JSON pointer, the exact text of some of its values.
        #[serde(default)]
        raw: BTreeMap<String, String>,
        /// The exact order of its keys.
        keys: Option<Vec<String>>,
    },
    /// The server sends exactly this.
    ToText {
        /// To which socket.
        to: String,
        /// The text.
        text: String,
    },
    /// The server sends these frames, in whatever order.
    ToAnyOrder {
        /// To which socket.
        to: String,
        /// The patterns; each fits one of the next frames.
        any_order: Vec<Value>,
    },
    /// The server sends a frame to one of several sockets.
    ToOneOf {
        /// To one of which.
        to_one_of: Vec<String>,
        /// The pattern that it fits.
        frame: Value,
        /// What that one is also called from here on.
        #[serde(rename = "as")]
        called: String,
        /// What the other one of two is also called from here on.
        other: Option<String>,
    },
    /// A peer answers the latest ping.
    Pong {
        /// On which socket.
        pong: String,
    },
    /// A socket is lost.
    Drop {
        /// Which.
        drop: String,
    },
    /// A peer closes its socket.
    Close {
        /// Which.
        close: String,
    },
    /// The server has closed a socket.
    Closed {
        /// Which.
        closed: String,
        /// With which code: 1005 is none; nothing here is any, or an end without a close.
        code: Option<u16>,
    },
    /// Somebody asks over HTTP.
    Http {
        /// The method and the path.
        http: String,
        /// Headers of the request.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// The status of the answer.
        status: u16,
        /// Headers of the answer, among others.
        #[serde(default)]
        has: BTreeMap<String, String>,
        /// The pattern that the body fits as JSON.
        json: Option<Value>,
        /// The pattern that the body fits as a text.
        text: Option<String>,
    },
    /// Time passes.
    Wait {
        /// So many milliseconds.
        wait: u64,
    },
    /// The server starts again.
    Restart {
        /// Always `true`.
        restart: bool,
    },
}

impl TryFrom<Box<RawValue>> for Step {
    type Error = String;

    fn try_from(text: Box<RawValue>) -> Result<Self, String> {
        match serde_json::from_str(text.get()) {
            Ok(act) => Ok(Self { act, shown: text.get().into() }),
            Err(why) => Err(format!("{text} is no step: {why}")),
        }
    }
}

impl Transcript {
    /// Every frame that peers send, as patterns, each with its type.
    pub fn frames_from_peers(&self) -> impl Iterator<Item = &Value> {
        self.steps.iter().filter_map(|step| match &step.act {
            Act::From { frame, .. } => Some(frame),
            _ => None,
        })
    }

    /// Every pattern of a frame of the server.
    pub fn frames_to_peers(&self) -> impl Iterator<Item = &Value> {
        self.steps.iter().flat_map(|step| match &step.act {
            Act::To { frame, .. } | Act::ToOneOf { frame, .. } => std::slice::from_ref(frame),
            Act::ToAnyOrder { any_order, .. } => any_order,
            _ => &[],
        })
    }

    /// How long it waits in all.
    pub fn waits_ms(&self) -> u64 {
        let waits = self.steps.iter().map(|step| if let Act::Wait { wait } = step.act { wait } else { 0 });
        waits.sum()
    }

    /// Whether it needs a server that is set up in a way of its own.
    pub fn needs_own_server(&self) -> bool {
        let restarts = self.steps.iter().any(|step| matches!(step.act, Act::Restart { .. }));
        restarts || self.server != Settings::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_step_that_is_none_is_no_transcript() {
        for step in [
            json!({"form": "a", "frame": {}}),
            json!({"to": "a"}),
            json!({"wait": -1}),
            json!({}),
            json!({"open": "a", "refuse": 401}),
            json!({"to": "a", "frame": {}, "binary": true}),
        ] {
            assert!(serde_json::from_str::<Step>(&step.to_string()).is_err(), "{step}");
        }
    }

    #[test]
    fn every_kind_of_step_is_told_from_the_others() {
        for (step, kind) in [
            (json!({"open": "a", "at": "x", "refused": 401}), "Open"),
            (json!({"from": "a", "frame": {}, "binary": true}), "From"),
            (json!({"from": "a", "text": "x"}), "Text"),
            (json!({"from": "a", "hex": "ff"}), "Hex"),
            (json!({"to": "a", "frame": {}, "keys": ["b"], "raw": {"/b": "1"}}), "To"),
            (json!({"to": "a", "text": "x"}), "ToText"),
            (json!({"to": "a", "any_order": [{}]}), "ToAnyOrder"),
            (json!({"to_one_of": ["a"], "frame": {}, "as": "x"}), "ToOneOf"),
            (json!({"close": "a"}), "Close"),
            (json!({"closed": "a"}), "Closed"),
            (json!({"http": "GET /", "status": 200}), "Http"),
        ] {
            let read = serde_json::from_str::<Step>(&step.to_string());
            let read = read.map(|step| format!("{:?}", step.act)).unwrap_or_else(|why| panic!("{why}"));
            assert!(read.starts_with(&format!("{kind} ")), "{step} is {read}");
        }
    }
}
