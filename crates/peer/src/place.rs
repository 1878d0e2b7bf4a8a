//! Whether a server is the one that its user meant: nothing is signed for another.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A server that a peer may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The address of its WebSocket.
    pub url: String,
    /// What it calls itself, where that is not the host of the address.
    pub name: Option<String>,
}

impl Server {
    /// A server that calls itself as its address does.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), name: None }
    }

    /// Whether a server that calls itself `name` is this one.
    pub fn is_meant(&self, name: &str) -> bool {
        if let Some(meant) = &self.name {
            return meant == name;
        }
        let Some(host) = host(&self.url) else { return false };
        host == name.to_lowercase() || (name == "localhost" && is_near(&host))
    }
}

/// The host of an address, in lower case, with its brackets where it has some.
fn host(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let place = authority.rsplit('@').next()?;
    let host = match place.find(']') {
        Some(end) => place.get(..=end)?,
        None => place.split(':').next()?,
    };
    (!host.is_empty()).then(|| host.to_lowercase())
}

/// Whether an address is loopback or private: only there may a server have no name of its own.
fn is_near(host: &str) -> bool {
    if host == "localhost" || host.ends_with(".localhost") || host.ends_with(".local") {
        return true;
    }
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address = inner.parse::<Ipv6Addr>();
        return address.is_ok_and(|v6| v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local());
    }
    host.parse::<Ipv4Addr>().is_ok_and(|v4| v4.is_loopback() || v4.is_private() || v4.is_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_a_name_is_taken_for_meant_only_nearby() {
        for (url, name, meant) in [
            ("wss://a.test/v1", "a.test", true),
            ("wss://A.test:8443/v1", "a.test", true),
            ("wss://a.test?x", "a.test", true),
            ("wss://a.test/v1", "localhost", false),
            ("wss://me@a.test/v1", "a.test", true),
            ("ws://127.0.0.1:1/v1", "localhost", true),
            ("ws://192.168.1.2/v1", "localhost", true),
            ("ws://172.16.0.1/v1", "localhost", true),
            ("ws://172.32.0.1/v1", "localhost", false),
            ("ws://8.8.8.8/v1", "localhost", false),
            ("ws://[::1]:1/v1", "localhost", true),
            ("ws://[fd00::1]/v1", "localhost", true),
            ("ws://[2001:db8::1]/v1", "localhost", false),
            ("ws://den.local/v1", "localhost", true),
            ("ws://notlocal/v1", "localhost", false),
            ("nonsense", "localhost", false),
            ("ws://", "", false),
            ("ws://[::1/v1", "localhost", false),
        ] {
            assert_eq!(Server::new(url).is_meant(name), meant, "{name} at {url}");
        }
        let named = Server { url: "ws://127.0.0.1/v1".into(), name: Some("x".into()) };
        assert!(!named.is_meant("localhost") && named.is_meant("x"));
    }
}
