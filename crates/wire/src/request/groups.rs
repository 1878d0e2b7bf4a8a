//! Requests about topics, the namespace, networks and swarms.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::fields::{Fields, LIST_MAX, bad, missing};
use crate::code::Refusal;
use crate::foreign::Foreign;
use crate::id::{Kind, NetworkName, PeerId, SwarmName, Topic};
use crate::limits::Limits;
use crate::raw::Content;

/// Most roles of one node.
pub const ROLES_MAX: usize = 16;

/// Topics.
#[derive(Debug)]
pub struct Topics {
    /// The topics.
    pub topics: Vec<Topic>,
}

/// To all who subscribe.
#[derive(Debug)]
pub struct Publish<'a> {
    /// The topic.
    pub topic: Cow<'a, str>,
    /// The content.
    pub data: Content<'a>,
    /// The frame that it came in, where the sender speaks a dialect.
    pub foreign: Option<Foreign<'a>>,
}

/// To every session of the namespace.
#[derive(Debug)]
pub struct Broadcast<'a> {
    /// The content.
    pub data: Content<'a>,
}

/// Become a node of a network.
#[derive(Debug)]
pub struct NetworkJoin<'a> {
    /// The network.
    pub network: NetworkName,
    /// What the others see of me.
    pub me: Option<&'a RawValue>,
}

/// A request about a network that needs nothing else.
#[derive(Debug)]
pub struct NetworkOnly {
    /// The network.
    pub network: NetworkName,
}

/// This node has these roles.
#[derive(Debug)]
pub struct Role<'a> {
    /// The network.
    pub network: NetworkName,
    /// The node.
    pub id: PeerId,
    /// Its roles: at most 16.
    pub roles: Vec<Kind>,
    /// The frame that it came in, where the sender speaks a dialect.
    pub foreign: Option<Foreign<'a>>,
}

/// I am in this swarm.
#[derive(Debug)]
pub struct SwarmAnnounce {
    /// The swarm.
    pub swarm: SwarmName,
    /// How many others to hand out.
    pub want: u32,
    /// Whether this party has all that the swarm is about.
    pub complete: bool,
}

/// A request about a swarm that needs nothing else.
#[derive(Debug)]
pub struct SwarmOnly {
    /// The swarm.
    pub swarm: SwarmName,
}

fn network(fields: &Fields<'_>) -> Result<NetworkName, Refusal> {
    fields.needed("network", NetworkName::new)
}

fn swarm(fields: &Fields<'_>) -> Result<SwarmName, Refusal> {
    fields.needed("swarm", SwarmName::new)
}

impl Topics {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { topics: fields.list("topics", (1, LIST_MAX), Topic::new)?.ok_or_else(|| missing("topics"))? })
    }
}

impl<'a> Publish<'a> {
    pub(super) fn read(fields: &Fields<'a>) -> Result<Self, Refusal> {
        Ok(Self { topic: fields.checked("topic", Topic::check)?, data: fields.content("data")?, foreign: None })
    }
}

impl<'a> Broadcast<'a> {
    pub(super) fn read(fields: &Fields<'a>) -> Result<Self, Refusal> {
        Ok(Self { data: fields.content("data")? })
    }
}

impl<'a> NetworkJoin<'a> {
    pub(super) fn read(fields: &Fields<'a>, limits: &Limits) -> Result<Self, Refusal> {
        Ok(Self { network: network(fields)?, me: fields.small("me", limits.meta_bytes)? })
    }
}

impl NetworkOnly {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { network: network(fields)? })
    }
}

impl Role<'_> {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            network: network(fields)?,
            id: fields.needed("id", PeerId::new)?,
            roles: fields.list("roles", (0, ROLES_MAX), Kind::new)?.ok_or_else(|| missing("roles"))?,
            foreign: None,
        })
    }
}

impl SwarmAnnounce {
    pub(super) fn read(fields: &Fields<'_>, limits: &Limits) -> Result<Self, Refusal> {
        let want = fields.count("want", 0)?.unwrap_or(0);
        if limits.swarm_want != 0 && u64::from(want) > limits.swarm_want {
            return Err(bad("want", format_args!("must be an integer from 0 to {}", limits.swarm_want)));
        }
        Ok(Self { swarm: swarm(fields)?, want, complete: fields.flag("complete")?.unwrap_or(false) })
    }
}

impl SwarmOnly {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        Ok(Self { swarm: swarm(fields)? })
    }
}
