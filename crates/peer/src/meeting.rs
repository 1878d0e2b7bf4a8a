//! `spec/finding.md`: two that are connected already, by a code or in another way that no key vouched for, prove to each other who they are,
//! and agree on their connection over a channel of its own from then on. What it says there, and to the engine, the driver carries.

use std::borrow::Cow;

use serde_json::{Value, json};
use wigwag_wire::id::IdForm;
use wigwag_wire::{PeerId, PublicKey};

use crate::calls::negotiation::{Negotiation, Step};
use crate::calls::{CallError, ConnectionState, EngineEvent, Order};
use crate::finding::{ChannelSide, fingerprints, guest_id, proof_statement};
use crate::identity::{Signer, verify};
use crate::sealed::Content;
use crate::time::Moment;
use crate::trust::{Pins, Verified};

/// The protocol of the channel that the one who offers opens, where keys are proved on it.
pub const PROTOCOL: &str = "wigwag.1";
/// Label and protocol of the one on which the two speak about the connection.
pub const SIGNALS: &str = "wigwag.signals";

/// Who says nothing of a key for so long is a guest.
const HELLO_MS: u64 = 5_000;

/// Who we are.
#[derive(Clone, Debug, Default)]
pub struct Me {
    /// What we are called; empty for a guest.
    pub id: String,
    /// Our app's world.
    pub namespace: String,
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// Its id.
    pub id: PeerId,
    /// Its key; a guest has none.
    pub key: Option<PublicKey>,
    /// How sure it is that the key belongs to the id.
    pub verified: Verified,
    /// Whether messages on the main channel stand as they are, without letters in front.
    pub plain: bool,
}

/// What a meeting is told.
#[derive(Clone, Debug)]
pub enum MeetingInput {
    /// The main channel is open. `speaks`: whether its protocol is [`PROTOCOL`].
    Opened {
        /// Whether keys are proved on it.
        speaks: bool,
    },
    /// The channel [`SIGNALS`] is open.
    Ready,
    /// The other side said this on it.
    Said(String),
    /// What the engine has to say.
    Engine(EngineEvent),
    /// The network is another one.
    Network,
    /// End the connection, and tell the other side why.
    Close(String),
    /// Time has passed.
    Tick,
}

/// What a meeting wants to be done, in this order.
#[derive(Clone, Debug)]
pub enum MeetingOutput {
    /// Say this on the channel [`SIGNALS`].
    Say(String),
    /// For the engine.
    Order(Order),
    /// It is known who the other side is; the connection is open.
    Met(Met),
    /// How the connection is now.
    State(ConnectionState),
    /// It is over.
    Closed {
        /// `closed` by ourselves, `left` by the other side, or an error's word.
        reason: &'static str,
        /// What went wrong, where something did.
        error: Option<CallError>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Connecting,
    Greeting { until: Moment },
    Met,
    Over,
}

/// One meeting.
pub struct Meeting {
    side: ChannelSide,
    me: Me,
    signer: Option<Box<dyn Signer + Send>>,
    pins: Box<dyn Pins + Send>,
    /// The other's key, where it is known from elsewhere: nobody else will do.
    expected: Option<PublicKey>,
    /// The fingerprints of the offerer and of the acceptor.
    prints: [String; 2],
    negotiation: Negotiation,
    stage: Stage,
}

impl Meeting {
    /// A meeting of whoever offered or accepted. Without a `signer` we are a guest; `ours` and `theirs` are the descriptions in use.
    pub fn new(
        side: ChannelSide,
        me: Me,
        signer: Option<Box<dyn Signer + Send>>,
        pins: Box<dyn Pins + Send>,
        expected: Option<PublicKey>,
        [ours, theirs]: [&str; 2],
    ) -> Self {
        let mut prints = [ours, theirs].map(fingerprints);
        if side == ChannelSide::Acceptor {
            prints.reverse();
        }
        let negotiation = Negotiation::standing(side == ChannelSide::Acceptor, ours, theirs);
        Self { side, me, signer, pins, expected, prints, negotiation, stage: Stage::Connecting }
    }

    /// Takes something in, at a time that never goes back, and says what is to be done.
    pub fn handle(&mut self, now: Moment, input: MeetingInput, out: &mut Vec<MeetingOutput>) {
        let mut steps = Vec::new();
        match (self.stage, input) {
            (Stage::Over, _) => return,
            (Stage::Connecting, MeetingInput::Opened { speaks: true }) => {
                self.stage = Stage::Greeting { until: now + HELLO_MS };
            }
            (Stage::Connecting, MeetingInput::Opened { speaks: false }) => self.met(self.guest(true), out),
            (_, MeetingInput::Opened { .. }) => {}
            (_, MeetingInput::Ready) => out.push(MeetingOutput::Say(self.hello())),
            (Stage::Connecting | Stage::Greeting { .. }, MeetingInput::Said(text)) => match self.who(&text) {
                Ok(met) => self.met(met, out),
                Err(who) => self.negotiation.end("key_mismatch", Some(CallError::KeyMismatch(who)), &mut steps),
            },
            (Stage::Met, MeetingInput::Said(text)) => {
                if let Ok(content) = serde_json::from_str::<Content>(&text) {
                    self.negotiation.take(now, content, &mut steps);
                }
            }
            (_, MeetingInput::Engine(event)) => self.negotiation.hear(now, event, &mut steps),
            (_, MeetingInput::Network) => self.negotiation.mend(now, &mut steps),
            (_, MeetingInput::Close(why)) => {
                steps.push(Step::Tell(Content { bye: Some(why), ..Content::default() }));
                self.negotiation.end("closed", None, &mut steps);
            }
            (Stage::Greeting { until }, MeetingInput::Tick) if until <= now => self.met(self.guest(true), out),
            (_, MeetingInput::Tick) => self.negotiation.tick(now, &mut steps),
        }
        for step in steps {
            self.take(step, out);
        }
    }

    /// When to say `Tick` at the latest.
    pub fn next_deadline(&self) -> Option<Moment> {
        let greeting = match self.stage {
            Stage::Greeting { until } => until,
            Stage::Over => return None,
            Stage::Connecting | Stage::Met => Moment::NEVER,
        };
        greeting.or(self.negotiation.deadline()).known()
    }

    fn take(&mut self, step: Step, out: &mut Vec<MeetingOutput>) {
        match step {
            Step::Order(order) => out.push(MeetingOutput::Order(order)),
            Step::Tell(content) => out.extend(serde_json::to_string(&content).ok().map(MeetingOutput::Say)),
            Step::State(state) => out.push(MeetingOutput::State(state)),
            Step::End(reason, error) => {
                self.stage = Stage::Over;
                out.push(MeetingOutput::Closed { reason, error });
            }
        }
    }

    fn met(&mut self, met: Met, out: &mut Vec<MeetingOutput>) {
        if self.expected.is_some_and(|expected| met.key != Some(expected)) {
            let mut steps = Vec::new();
            self.negotiation.end("key_mismatch", Some(CallError::KeyMismatch(met.id)), &mut steps);
            for step in steps {
                self.take(step, out);
            }
            return;
        }
        self.stage = Stage::Met;
        out.push(MeetingOutput::Met(met));
    }

    fn prints(&self) -> [&str; 2] {
        let [offerer, acceptor] = &self.prints;
        [offerer, acceptor]
    }

    fn hello(&self) -> String {
        let Some(signer) = &self.signer else { return json!({"hello": 1}).to_string() };
        let key = signer.key();
        let (id, namespace) =
            (if self.me.id.is_empty() { key.id().to_string() } else { self.me.id.clone() }, &self.me.namespace);
        let statement = proof_statement(self.side, namespace, &id, &key.to_string(), self.prints());
        let mut hello = json!({"hello": 1, "key": key, "id": id, "signature": signer.sign(statement.as_bytes())});
        if !namespace.is_empty() {
            hello["namespace"] = json!(namespace);
        }
        hello.to_string()
    }

    /// Whoever proves no key.
    fn guest(&self, plain: bool) -> Met {
        let id = guest_id(self.prints());
        let id = PeerId::new(&id).unwrap_or_else(|_| unreachable!("a tilde, letters and digits are a good id"));
        Met { id, key: None, verified: Verified::Guest, plain }
    }

    /// Who says this; an error names who it says it is.
    fn who(&self, hello: &str) -> Result<Met, PeerId> {
        let hello: Value = serde_json::from_str(hello).unwrap_or_default();
        let field = |name: &str| match hello.get(name) {
            None => Some(Cow::Borrowed("")),
            Some(Value::String(text)) => Some(Cow::Borrowed(text.as_str())),
            Some(_) => None,
        };
        if hello.get("hello").and_then(Value::as_f64) != Some(1.0) || hello.get("key").is_none() {
            return Ok(self.guest(false));
        }
        let nobody = || self.guest(false).id;
        let (Some(key_text), Some(id), Some(namespace), Some(signature)) =
            (field("key"), field("id"), field("namespace"), field("signature"))
        else {
            return Err(nobody());
        };
        let side = match self.side {
            ChannelSide::Offerer => ChannelSide::Acceptor,
            ChannelSide::Acceptor => ChannelSide::Offerer,
        };
        let key = PublicKey::parse(&key_text).map_err(|_| nobody())?;
        let statement = proof_statement(side, &namespace, &id, &key_text, self.prints());
        if !verify(&key, statement.as_bytes(), &signature) || namespace != self.me.namespace {
            return Err(PeerId::new(&id).unwrap_or_else(|_| nobody()));
        }
        let name = PeerId::new(&id).ok().filter(|id| id.form() == IdForm::Name);
        Ok(match name.filter(|name| self.pins.read(&self.me.namespace, name) == Some(key)) {
            Some(id) => Met { id, key: Some(key), verified: Verified::Pinned, plain: false },
            None => Met { id: key.id(), key: Some(key), verified: Verified::Key, plain: false },
        })
    }
}

impl std::fmt::Debug for Meeting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meeting").field("side", &self.side).field("stage", &self.stage).finish_non_exhaustive()
    }
}
