//! Hellos that prove themselves.

use serde_json::{Value, json};
use wigwag_wire::signature::HelloStatement;

use crate::keys::TestKey;

/// A hello under construction.
#[derive(Clone, Debug)]
pub struct HelloFrame(Value);

impl Default for HelloFrame {
    fn default() -> Self {
        Self::new()
    }
}

impl HelloFrame {
    /// A guest's hello that says nothing else.
    pub fn new() -> Self {
        Self(json!({"type": "hello"}))
    }

    /// Sets a field, whatever it holds.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0[field] = value.into();
        self
    }

    /// Sets the namespace.
    #[must_use]
    pub fn namespace(self, namespace: &str) -> Self {
        self.with("namespace", namespace)
    }

    /// Sets the id.
    #[must_use]
    pub fn id(self, id: &str) -> Self {
        self.with("id", id)
    }

    /// Sets the device.
    #[must_use]
    pub fn device(self, device: &str) -> Self {
        self.with("device", device)
    }

    /// Asks for a session to go on.
    #[must_use]
    pub fn resume(self, token: &str, seen: u64) -> Self {
        self.with("resume", json!({"token": token, "seen": seen}))
    }

    /// The frame of a guest.
    pub fn guest(self) -> String {
        self.0.to_string()
    }

    /// The frame with the key and a signature over a challenge frame. What is set already stays.
    pub fn prove(self, key: &TestKey, challenge: &str) -> String {
        let challenge: Value =
            serde_json::from_str(challenge).unwrap_or_else(|why| panic!("{challenge} is no challenge: {why}"));
        let part = |name: &str| challenge[name].as_str().unwrap_or_else(|| panic!("{challenge} has no {name}"));
        prove(self.0, key, part("server"), part("nonce")).to_string()
    }
}

/// Puts `key` and `signature` into a hello where they are not there yet.
pub(crate) fn prove(mut frame: Value, key: &TestKey, server: &str, nonce: &str) -> Value {
    let public = key.public();
    let own = key.id();
    let field = |name: &str| frame[name].as_str().unwrap_or_default();
    let statement = HelloStatement {
        server,
        nonce,
        namespace: field("namespace"),
        id: frame["id"].as_str().unwrap_or(own.as_str()),
        device: field("device"),
        key: &public,
    };
    let signature = key.sign(&statement.bytes());
    for (name, value) in [("key", public.to_string()), ("signature", signature)] {
        if frame[name].is_null() {
            frame[name] = value.into();
        }
    }
    frame
}
