//! A server's URL, and where below it a transcript's paths lie.

use std::fmt;

use http::Uri;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Its host, an IPv6 address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The path below which the dialect is spoken; begins with `/`.
    pub path: String,
    /// What is added to every query.
    query: Option<String>,
}

impl Base {
    /// Reads a URL as users write it: `ws://host:9000/`, `wss://host/yjs`, `https://host`, or just `host:9000`.
    pub fn parse(url: &str) -> Option<Self> {
        let full = if url.contains("://") { url.to_owned() } else { format!("ws://{url}") };
        let uri: Uri = full.parse().ok()?;
        let tls = match uri.scheme_str()? {
            "ws" | "http" => false,
            "wss" | "https" => true,
            _ => return None,
        };
        let host = uri.host()?.trim_matches(['[', ']']).to_owned();
        let port = match (uri.port_u16(), tls) {
            (Some(port), _) => port,
            // What stands after the host is a port that is none.
            (None, _) if uri.authority()?.as_str() != uri.host()? => return None,
            (None, true) => 443,
            (None, false) => 80,
        };
        let path = if uri.path().is_empty() { "/" } else { uri.path() }.to_owned();
        let query = uri.query().map(str::to_owned);
        (!host.is_empty()).then_some(Self { tls, host, port, path, query })
    }

    /// The same server with the dialect elsewhere.
    pub fn at(&self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self.clone() }
    }

    /// Path and query of a place: from the top if it begins with `/`, else below the dialect's path.
    pub fn target(&self, place: &str) -> String {
        let mut target = match place {
            "" => self.path.clone(),
            place if place.starts_with('/') => place.to_owned(),
            place if place.starts_with('?') => format!("{}{place}", self.path),
            place => format!("{}/{place}", self.path.trim_end_matches('/')),
        };
        if let Some(query) = &self.query {
            target.push(if target.contains('?') { '&' } else { '?' });
            target.push_str(query);
        }
        target
    }

    /// What stands in the `Host` header.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.tls, self.port) {
            (false, 80) | (true, 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", if self.tls { "wss" } else { "ws" }, self.authority(), self.target(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_as_users_write_it() {
        for (url, shown) in [
            ("ws://host:9000/", "ws://host:9000/"),
            ("http://host", "ws://host/"),
            ("https://host/yjs", "wss://host/yjs"),
            ("wss://host:8443", "wss://host:8443/"),
            ("localhost:4444", "ws://localhost:4444/"),
            ("[::1]:80", "ws://[::1]/"),
            ("ws://host/x?ns=a", "ws://host/x?ns=a"),
        ] {
            assert_eq!(Base::parse(url).map(|base| base.to_string()).as_deref(), Some(shown), "{url}");
        }
        for url in ["", "ftp://host", "ws://", "http://host:99999", "a b"] {
            assert_eq!(Base::parse(url), None, "{url}");
        }
    }

    #[test]
    fn a_place_lies_below_the_path_or_at_the_top() {
        let target = |url: &str, place: &str| Base::parse(url).map(|base| base.target(place)).unwrap_or_default();
        assert_eq!(target("ws://h", "peerjs?id=a"), "/peerjs?id=a");
        assert_eq!(target("ws://h/my/", "peerjs?id=a"), "/my/peerjs?id=a");
        assert_eq!(target("ws://h/matchbox", "room"), "/matchbox/room");
        assert_eq!(target("ws://h/signaling", "/health"), "/health");
        assert_eq!(target("ws://h/yjs", ""), "/yjs");
        assert_eq!(target("ws://h/yjs", "?a=1"), "/yjs?a=1");
        assert_eq!(target("ws://h/x?ns=a", "y?b=1"), "/x/y?b=1&ns=a");
    }
}
