//! The operator's bans: addresses that nobody is let in from.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::time::Wall;

/// Addresses that begin alike: `192.0.2.0/24`, `2001:db8::/32`, or one address alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix {
    address: IpAddr,
    bits: u8,
}

/// Why a text names no [`Prefix`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an IP address, or one with a prefix length as in 192.0.2.0/24")]
pub struct BadPrefix;

impl Prefix {
    /// The addresses that agree with this one in the first `bits` bits. What an IPv4 address is called in IPv6 is that address.
    pub fn new(address: IpAddr, bits: u8) -> Result<Self, BadPrefix> {
        let (address, bits) = match (address, address.to_canonical()) {
            (IpAddr::V6(_), IpAddr::V4(short)) if bits >= 96 => (IpAddr::V4(short), bits - 96),
            _ => (address, bits),
        };
        let address = match address {
            IpAddr::V4(ip) if bits <= 32 => {
                let keep = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                IpAddr::V4((ip.to_bits() & keep).into())
            }
            IpAddr::V6(ip) if bits <= 128 => {
                let keep = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                IpAddr::V6((ip.to_bits() & keep).into())
            }
            _ => return Err(BadPrefix),
        };
        Ok(Self { address, bits })
    }

    /// Whether an address is one of these.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && Self::new(address, self.bits) == Ok(*self)
    }
}

impl From<IpAddr> for Prefix {
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, bits: if address.is_ipv4() { 32 } else { 128 } }
    }
}

impl FromStr for Prefix {
    type Err = BadPrefix;

    fn from_str(text: &str) -> Result<Self, BadPrefix> {
        let address = |text: &str| text.parse::<IpAddr>().map_err(|_| BadPrefix);
        match text.split_once('/') {
            Some((ip, bits)) => Self::new(address(ip)?, bits.parse().map_err(|_| BadPrefix)?),
            None => Ok(address(text)?.into()),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl TryFrom<String> for Prefix {
    type Error = BadPrefix;

    fn try_from(text: String) -> Result<Self, BadPrefix> {
        text.parse()
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.to_string()
    }
}

/// All bans. Looking an address up costs as much as there are different lengths, however many bans there are.
#[derive(Debug, Default)]
pub(crate) struct Bans {
    bans: BTreeMap<Prefix, Option<Wall>>,
    /// How many bans there are of each family and length.
    lengths: BTreeMap<(bool, u8), usize>,
}

impl Bans {
    pub(super) fn add(&mut self, prefix: Prefix, until: Option<Wall>) {
        if self.bans.insert(prefix, until).is_none() {
            *self.lengths.entry(prefix.length()).or_default() += 1;
        }
    }

    pub(super) fn remove(&mut self, prefix: &Prefix) -> bool {
        let known = self.bans.remove(prefix).is_some();
        if known && let Some(count) = self.lengths.get_mut(&prefix.length()) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&prefix.length());
            }
        }
        known
    }

    pub(super) fn holds(&self, address: IpAddr, now: Wall) -> bool {
        let address = address.to_canonical();
        let lengths = self.lengths.range((address.is_ipv4(), 0)..=(address.is_ipv4(), 128));
        let mut bans = lengths.filter_map(|((_, bits), _)| self.bans.get(&Prefix::new(address, *bits).ok()?));
        bans.any(|until| until.is_none_or(|until| now < until))
    }

    /// Also forgets what is over.
    pub(super) fn in_force(&mut self, now: Wall) -> Vec<(Prefix, Option<Wall>)> {
        let over = |until: &Option<Wall>| until.is_some_and(|until| until <= now);
        let gone: Vec<Prefix> = self.bans.iter().filter(|(_, until)| over(until)).map(|(prefix, _)| *prefix).collect();
        for prefix in gone {
            self.remove(&prefix);
        }
        self.bans.iter().map(|(prefix, until)| (*prefix, *until)).collect()
    }
}

impl Prefix {
    fn length(&self) -> (bool, u8) {
        (self.address.is_ipv4(), self.bits)
    }
}
