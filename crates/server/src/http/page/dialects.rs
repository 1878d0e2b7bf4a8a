//! The lines that move an existing app here: one for each dialect that is spoken, ready to copy.

use wigwag_dialects::Dialect;

use crate::dialects::Routes;

/// In the order in which most people look for them.
const SHOWN: [Dialect; 9] = [
    Dialect::PeerJs,
    Dialect::Yjs,
    Dialect::Tracker,
    Dialect::Matchbox,
    Dialect::Trystero,
    Dialect::Volli,
    Dialect::ManaMesh,
    Dialect::WatchParty,
    Dialect::Tom,
];

/// One dialect on the page.
pub(super) struct Line {
    /// Its name for people.
    pub(super) title: &'static str,
    /// Its name in ids and in the documentation.
    pub(super) name: &'static str,
    /// What to write in the app.
    pub(super) code: String,
}

/// The lines for a server that is reached at `url`.
pub(super) fn lines(routes: &Routes, url: &str) -> Vec<Line> {
    let line = |dialect: &Dialect| {
        let path = routes.shown(*dialect)?;
        Some(Line { title: title(*dialect), name: dialect.name(), code: code(*dialect, url, &path) })
    };
    SHOWN.iter().filter_map(line).collect()
}

fn title(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Tracker => "WebTorrent, Trystero (torrent), P2PT",
        Dialect::Trystero => "Trystero (ws-relay)",
        dialect => dialect.title(),
    }
}

fn code(dialect: Dialect, url: &str, path: &str) -> String {
    let socket = format!("ws{}{path}", url.strip_prefix("http").unwrap_or(url));
    match dialect {
        Dialect::PeerJs => peerjs(url, path),
        Dialect::Yjs => format!("new WebrtcProvider(room, doc, {{ signaling: [\"{socket}\"] }})"),
        Dialect::Tracker => format!("announce: [\"{socket}\"]"),
        Dialect::Matchbox => format!("WebRtcSocket::new_reliable(\"{socket}/my_room\")"),
        Dialect::Trystero => format!("relayUrls: [\"{socket}\"]"),
        Dialect::WatchParty => format!("{socket}/ROOM"),
        Dialect::Tom => format!("{socket}/NETWORK"),
        Dialect::Volli | Dialect::ManaMesh => socket,
    }
}

fn peerjs(url: &str, path: &str) -> String {
    let (scheme, authority) = url.split_once("://").unwrap_or(("http", url));
    let secure = scheme == "https";
    let (authority, below) = authority.split_once('/').map_or((authority, ""), |(host, below)| (host, below));
    let port_at = authority.rfind(':').filter(|at| authority[at + 1..].bytes().all(|b| b.is_ascii_digit()));
    let (host, port) = match port_at {
        Some(at) => (&authority[..at], authority[at + 1..].to_owned()),
        None => (authority, if secure { "443" } else { "80" }.to_owned()),
    };
    let base = path.strip_suffix("peerjs").unwrap_or("/");
    let base = if below.is_empty() { base.to_owned() } else { format!("/{below}{base}") };
    format!("new Peer(id, {{ host: \"{host}\", port: {port}, path: \"{base}\", secure: {secure} }})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn every_dialect_that_is_spoken_has_a_line_with_this_servers_address() {
        let routes = Routes::new(&Config::default());
        let lines = lines(&routes, "https://wig.example");
        assert_eq!(lines.len(), Dialect::ALL.len());
        for line in &lines {
            assert!(line.code.contains("wig.example"), "{}", line.code);
        }
        assert_eq!(lines[0].code, "new Peer(id, { host: \"wig.example\", port: 443, path: \"/\", secure: true })");
        assert!(lines[1].code.contains("wss://wig.example/yjs"));
    }

    #[test]
    fn peerjs_is_told_host_port_and_path_apart() {
        let line = peerjs("http://[::1]:8080", "/app/peerjs");
        assert_eq!(line, "new Peer(id, { host: \"[::1]\", port: 8080, path: \"/app/\", secure: false })");
        let line = peerjs("https://example.org/wig", "/peerjs");
        assert_eq!(line, "new Peer(id, { host: \"example.org\", port: 443, path: \"/wig/\", secure: true })");
    }
}
