//! Events about topics, the namespace, networks and swarms.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{PartyRef, is_empty};
use crate::foreign::Foreign;
use crate::id::{Device, Kind, NetworkName, PeerId, SwarmName};
use crate::raw::Content;

/// Something published to a topic.
#[derive(Debug, Clone, Serialize)]
pub struct Published<'a> {
    /// The topic.
    pub topic: &'a str,
    /// Who.
    pub from: &'a PeerId,
    /// Which device.
    #[serde(skip_serializing_if = "is_empty")]
    pub device: &'a Device,
    /// How many subscribers it went to.
    pub receivers: u32,
    /// The content, byte for byte.
    pub data: Content<'a>,
    /// The frame that it came in, where the sender speaks a dialect.
    #[serde(skip)]
    pub foreign: Option<Foreign<'a>>,
}

/// Something for the whole namespace.
#[derive(Debug, Clone, Serialize)]
pub struct BroadcastEvent<'a> {
    /// Who.
    pub from: &'a PeerId,
    /// Which device.
    #[serde(skip_serializing_if = "is_empty")]
    pub device: &'a Device,
    /// The content, byte for byte.
    pub data: Content<'a>,
}

/// A node of a network.
#[derive(Debug, Clone, Serialize)]
pub struct Node<'a> {
    /// Who.
    pub id: &'a PeerId,
    /// Which device.
    #[serde(skip_serializing_if = "is_empty")]
    pub device: &'a Device,
    /// Its roles.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub roles: &'a [Kind],
    /// Its own metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub me: Option<&'a RawValue>,
}

/// You are in the network.
#[derive(Debug, Clone, Serialize)]
pub struct NetworkJoined<'a> {
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub re: Option<u64>,
    /// The network.
    pub network: &'a NetworkName,
    /// All nodes, the receiver too.
    pub nodes: &'a [Node<'a>],
}

/// Gathered changes of a network's nodes since the last message.
#[derive(Debug, Clone, Serialize)]
pub struct NetworkNodes<'a> {
    /// The network.
    pub network: &'a NetworkName,
    /// Who came.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub joined: &'a [Node<'a>],
    /// Who went.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub left: &'a [PartyRef<'a>],
    /// How many nodes there are now.
    pub count: u32,
    /// All of them, for dialects that always tell the whole list.
    #[serde(skip)]
    pub all: &'a [Node<'a>],
    /// Who went, with what they last were, for dialects that tell it.
    #[serde(skip)]
    pub gone: &'a [Node<'a>],
}

/// These nodes beat.
#[derive(Debug, Clone, Serialize)]
pub struct Beats<'a> {
    /// The network.
    pub network: &'a NetworkName,
    /// The nodes, each once.
    pub from: &'a [PartyRef<'a>],
}

/// A node's roles.
#[derive(Debug, Clone, Serialize)]
pub struct RoleEvent<'a> {
    /// The network.
    pub network: &'a NetworkName,
    /// The node.
    pub id: &'a PeerId,
    /// Its roles.
    pub roles: &'a [Kind],
    /// Who said so.
    pub from: &'a PeerId,
    /// The frame that it came in, where the sender speaks a dialect.
    #[serde(skip)]
    pub foreign: Option<Foreign<'a>>,
}

/// Some of a swarm.
#[derive(Debug, Clone, Serialize)]
pub struct SwarmEvent<'a> {
    /// The request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub re: Option<u64>,
    /// The swarm.
    pub swarm: &'a SwarmName,
    /// Others, chosen at random.
    pub peers: &'a [PartyRef<'a>],
    /// How many have all.
    pub complete: u32,
    /// How many have not.
    pub incomplete: u32,
    /// How many times a party came to have all, for dialects that tell it.
    #[serde(skip)]
    pub completed: u64,
}
