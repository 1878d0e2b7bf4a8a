//! Who may come in: sockets per address and network, and the budget of misses.

use std::net::IpAddr;

use wigwag_wire::Refusal;

use crate::hub::Hub;
use crate::rules::Rules;
use crate::time::{Moment, Now};

/// Where a socket comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An address on the network.
    Ip(IpAddr),
    /// A Unix socket: this machine.
    Local,
}

impl Origin {
    /// What it is counted under: an IPv4 address, or an IPv6 /64.
    pub(crate) fn key(&self) -> u64 {
        match self {
            Self::Ip(IpAddr::V4(ip)) => u64::from(u32::from(*ip)) | 1 << 63,
            Self::Ip(IpAddr::V6(ip)) => (u128::from(*ip) >> 64) as u64,
            Self::Local => 0,
        }
    }
}

/// The right of one socket to be here; to be given back with [`Hub::release`].
#[derive(Debug)]
pub struct Pass {
    origin: Origin,
}

impl Pass {
    /// Where the socket comes from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl Hub {
    /// Lets a socket in.
    pub fn admit(&self, _now: Now, origin: Origin) -> Result<Pass, Refusal> {
        Ok(Pass { origin })
    }

    /// Its peer has proved itself.
    pub(crate) fn proved(&self, _pass: &mut Pass) {}

    /// It is gone.
    pub fn release(&self, _pass: &mut Pass) {}
}

/// One shard of addresses.
#[derive(Default)]
pub(crate) struct Admission {}

impl Admission {
    pub(crate) fn may_guess(&mut self, _now: Moment, _origin: &Origin, _rules: &Rules) -> Result<(), Refusal> {
        Ok(())
    }

    pub(crate) fn missed(&mut self, _now: Moment, _origin: &Origin, _rules: &Rules) {}

    pub(crate) fn tick(&mut self, _now: Moment) {}
}
