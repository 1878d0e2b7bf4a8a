//! What a line says of itself: the hello, and what its signature is over.

use serde::Serialize;
use wigwag_wire::signature::HelloStatement;
use wigwag_wire::{Device, Namespace, PeerId, PublicKey};

use crate::terms::Hello;

/// What is signed for a server.
pub(super) fn statement(hello: &Hello, server: &str, nonce: &str, key: &PublicKey) -> Vec<u8> {
    let own = key.id();
    let Hello { namespace, id, device, .. } = hello;
    let namespace = namespace.as_ref().map_or("", Namespace::as_str);
    let id = id.as_ref().unwrap_or(&own).as_str();
    let device = device.as_ref().map_or("", Device::as_str);
    HelloStatement { server, nonce, namespace, id, device, key }.bytes()
}

/// The frame. `resume`: the token of a session, and how many of its messages were taken in.
pub(super) fn text(hello: &Hello, signature: Option<&str>, resume: Option<(&str, u64)>) -> String {
    let Hello { namespace, id, device, key } = hello;
    let frame = Frame {
        kind: "hello",
        version: 1,
        namespace: namespace.as_ref(),
        key: key.as_ref(),
        id: id.as_ref().filter(|_| key.is_some()),
        device: device.as_ref().filter(|device| !device.as_str().is_empty()),
        signature,
        resume: resume.map(|(token, seen)| Resume { token, seen }),
    };
    serde_json::to_string(&frame).unwrap_or_default()
}

#[derive(Serialize)]
struct Frame<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a Namespace>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a PublicKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a PeerId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'a Device>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resume: Option<Resume<'a>>,
}

#[derive(Serialize)]
struct Resume<'a> {
    token: &'a str,
    seen: u64,
}
