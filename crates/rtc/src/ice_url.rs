//! URLs of STUN and TURN servers (RFC 7064, RFC 7065), read as browsers read them.

use crate::pc::Transport;

/// A host's name is no longer than this.
const HOST_BYTES_MAX: usize = 253;

/// What a URL of a STUN or TURN server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceUrl {
    /// A name or an address, an IPv6 address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is spoken to.
    pub transport: Transport,
}

impl IceUrl {
    /// Reads `stun:host[:port]`, `turn:host[:port][?transport=udp|tcp]` and `turns:host[:port]`; `None` for anything else.
    pub fn read(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once(':')?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let tcp = query.strip_prefix("transport=").is_some_and(|name| name.eq_ignore_ascii_case("tcp"));
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                (host, port.strip_prefix(':'))
            }
            None => place.rsplit_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() || host.len() > HOST_BYTES_MAX {
            return None;
        }
        let (transport, usual) = match (scheme, tcp) {
            ("stun", _) => (Transport::Stun, 3478),
            ("turn", false) => (Transport::TurnUdp, 3478),
            ("turn", true) => (Transport::TurnTcp, 3478),
            ("turns", _) => (Transport::TurnTls(host.to_owned()), 5349),
            _ => return None,
        };
        let port = port.map_or(Some(usual), |port| port.parse().ok())?;
        Some(Self { host: host.to_owned(), port, transport })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_as_browsers_read_them() {
        let cases = [
            ("stun:a.example", Some(("a.example", 3478, Transport::Stun))),
            ("turn:b.example:99?transport=tcp", Some(("b.example", 99, Transport::TurnTcp))),
            ("turns:[2001:db8::1]:443", Some(("2001:db8::1", 443, Transport::TurnTls("2001:db8::1".to_owned())))),
            ("turn:c.example", Some(("c.example", 3478, Transport::TurnUdp))),
            ("turn:c.example?transport=udp", Some(("c.example", 3478, Transport::TurnUdp))),
            ("http://x", None),
            ("turn:", None),
            ("stun:d:x", None),
        ];
        for (url, meant) in cases {
            let meant = meant.map(|(host, port, transport)| IceUrl { host: host.to_owned(), port, transport });
            assert_eq!(IceUrl::read(url), meant, "{url}");
        }
    }
}
