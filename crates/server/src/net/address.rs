//! Who is at the other end, also behind proxies that may be trusted to tell.

use std::fmt;
use std::net::IpAddr;

use http::HeaderMap;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use wigwag_hub::Origin;

/// Where a peer connects from, as far as it can be trusted. Never shown in logs.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeerAddr {
    /// An address; one of IPv4 is never dressed up as IPv6.
    Ip(IpAddr),
    /// A Unix socket, and no proxy behind it that told an address.
    Unix,
}

impl From<PeerAddr> for Origin {
    fn from(from: PeerAddr) -> Self {
        from.ip().map_or(Self::Local, Self::Ip)
    }
}

impl PeerAddr {
    /// The address, unless the peer sits at a Unix socket.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(ip),
            Self::Unix => None,
        }
    }
}

impl From<IpAddr> for PeerAddr {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip.to_canonical())
    }
}

impl fmt::Debug for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ip(IpAddr::V4(_)) => "Ip(v4)",
            Self::Ip(IpAddr::V6(_)) => "Ip(v6)",
            Self::Unix => "Unix",
        })
    }
}

/// The proxies whose word about a peer's address counts.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    /// Networks that they connect from.
    pub networks: Vec<IpNet>,
    /// Whether whoever connects through a Unix socket is one.
    pub unix: bool,
}

impl TrustedProxies {
    /// Believes everybody: for a server that nothing but its proxy can reach.
    pub fn everyone() -> Self {
        Self { networks: vec![Ipv4Net::default().into(), Ipv6Net::default().into()], unix: true }
    }

    /// Whether this is one of them.
    pub fn contains(&self, peer: PeerAddr) -> bool {
        match peer {
            PeerAddr::Ip(ip) => self.networks.iter().any(|network| network.contains(&ip)),
            PeerAddr::Unix => self.unix,
        }
    }

    /// The peer's address: that of the connection or, if that is a trusted proxy, the right-most
    /// one in `X-Forwarded-For` that is not.
    ///
    /// What stands left of it, or of the first word that is no address, may be invented.
    pub fn resolve(&self, connection: PeerAddr, headers: &HeaderMap) -> PeerAddr {
        let mut peer = connection;
        let forwarded = headers.get_all("x-forwarded-for");
        let hops = forwarded.iter().rev().flat_map(|value| {
            let value = value.to_str().unwrap_or_default();
            value.rsplit(',').map(str::trim)
        });
        for hop in hops {
            if !self.contains(peer) {
                break;
            }
            match parse_hop(hop) {
                Some(ip) => peer = ip.into(),
                None => break,
            }
        }
        peer
    }
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    if let Some(rest) = hop.strip_prefix('[') {
        return rest.split(']').next()?.parse().ok();
    }
    let with_port = || hop.rsplit_once(':')?.0.parse().ok();
    hop.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_untrusted_peer_cannot_invent_its_address() {
        let peer = ip("203.0.113.9");
        assert_eq!(trusting_ten().resolve(peer, &forwarded(&["192.0.2.1"])), peer);
    }

    #[test]
    fn the_right_most_untrusted_address_counts() {
        let headers = forwarded(&["192.0.2.1, 198.51.100.7", "10.0.0.3"]);
        assert_eq!(trusting_ten().resolve(ip("10.0.0.2"), &headers), ip("198.51.100.7"));
    }

    #[test]
    fn a_chain_of_proxies_only_ends_at_its_left() {
        let headers = forwarded(&["10.0.0.4, 10.0.0.3"]);
        assert_eq!(trusting_ten().resolve(ip("10.0.0.2"), &headers), ip("10.0.0.4"));
    }

    #[test]
    fn a_word_that_is_no_address_ends_the_search() {
        let headers = forwarded(&["192.0.2.1, unknown"]);
        assert_eq!(trusting_ten().resolve(ip("10.0.0.2"), &headers), ip("10.0.0.2"));
    }

    #[test]
    fn ports_brackets_and_mapped_addresses_are_understood() {
        for (hop, expected) in [
            ("192.0.2.1:4711", "192.0.2.1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
        ] {
            let found = trusting_ten().resolve(ip("::ffff:10.0.0.2"), &forwarded(&[hop]));
            assert_eq!(found, ip(expected), "{hop}");
        }
    }

    #[test]
    fn a_unix_socket_is_trusted_only_if_told_so() {
        let mut trusted = trusting_ten();
        let headers = forwarded(&["192.0.2.1"]);
        assert_eq!(trusted.resolve(PeerAddr::Unix, &headers), PeerAddr::Unix);
        trusted.unix = true;
        assert_eq!(trusted.resolve(PeerAddr::Unix, &headers), ip("192.0.2.1"));
    }

    #[test]
    fn an_address_is_not_shown() {
        assert_eq!(format!("{:?}", ip("192.0.2.1")), "Ip(v4)");
    }

    fn ip(text: &str) -> PeerAddr {
        PeerAddr::from(text.parse::<IpAddr>().unwrap())
    }

    fn trusting_ten() -> TrustedProxies {
        TrustedProxies { networks: vec!["10.0.0.0/8".parse().unwrap()], unix: false }
    }

    fn forwarded(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        headers
    }
}
