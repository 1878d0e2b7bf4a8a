//! Addresses of servers as people write them.

use http::Uri;

/// What is no address of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address of a server, such as \"wss://wigwag.example.org\"")]
pub struct BadServer(pub String);

/// The address of a server's WebSocket, from what people write: where no scheme stands, TLS is meant, but for this machine; where no path
/// stands, `/v1`.
pub fn address(text: &str) -> Result<String, BadServer> {
    let bad = || BadServer(text.to_owned());
    let place = Place::read(text).ok_or_else(bad)?;
    let scheme = if place.tls { "wss" } else { "ws" };
    let host = if place.host.contains(':') { format!("[{}]", place.host) } else { place.host };
    let port = match (place.tls, place.port) {
        (true, 443) | (false, 80) => String::new(),
        (_, port) => format!(":{port}"),
    };
    Ok(format!("{scheme}://{host}{port}{}", place.path))
}

/// An address in its parts.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) tls: bool,
    /// An IPv6 address stands without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    path: String,
}

impl Place {
    pub(crate) fn read(text: &str) -> Option<Self> {
        let full = if text.contains("://") { text.to_owned() } else { format!("guess://{text}") };
        let uri: Uri = full.parse().ok()?;
        let host = uri.host()?.trim_matches(['[', ']']).to_owned();
        let tls = match uri.scheme_str()? {
            "ws" | "http" => false,
            "wss" | "https" => true,
            "guess" => !is_this_machine(&host),
            _ => return None,
        };
        // What stands after the host is a port that is none.
        if uri.port().is_none() && uri.authority()?.as_str() != uri.host()? {
            return None;
        }
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path = match uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str) {
            "/" | "" => "/v1".to_owned(),
            path => path.to_owned(),
        };
        (!host.is_empty()).then_some(Self { tls, host, port, path })
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_host_means_tls_and_this_machine_means_none() {
        for (text, meant) in [
            ("wigwag.example.org", "wss://wigwag.example.org/v1"),
            ("wigwag.example.org:8443", "wss://wigwag.example.org:8443/v1"),
            ("localhost:8080", "ws://localhost:8080/v1"),
            ("[::1]:8080", "ws://[::1]:8080/v1"),
            ("https://a.example", "wss://a.example/v1"),
            ("http://a.example:80/", "ws://a.example/v1"),
            ("wss://a.example/signal/v1?x=1", "wss://a.example/signal/v1?x=1"),
        ] {
            assert_eq!(address(text).as_deref(), Ok(meant));
        }
        for text in ["", "ftp://a.example", "a.example:many", "//", "a b"] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
