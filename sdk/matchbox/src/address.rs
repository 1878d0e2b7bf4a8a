//! What a socket's URL means: which server, which namespace, which room.

/// A room as matchbox writes it: `wss://host/room?ns=app`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) server: String,
    pub(crate) namespace: Option<String>,
    pub(crate) room: String,
}

impl Address {
    /// The URL of the dialect, with `/matchbox/` in it, means the same room.
    pub(crate) fn read(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, room) = path.split_once('/').unwrap_or((path, ""));
        let room = room.strip_prefix("matchbox/").unwrap_or(room).trim_end_matches('/');
        if room.is_empty() || room.contains('/') {
            return Err(format!("{url:?} names no room: it ends in one, as in \"wss://wigwag.example.org/my_game\""));
        }
        let mut namespace = None;
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "ns" => namespace = Some(value.to_owned()),
                "next" => {
                    return Err(
                        "`next` is understood by the server's own matchbox path alone: leave the signaller out, \
                                or let the game give each match a room"
                            .to_owned(),
                    );
                }
                _ => {}
            }
        }
        let server = if scheme.is_empty() { host.to_owned() } else { format!("{scheme}://{host}") };
        Ok(Self { server, namespace, room: room.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_server_namespace_and_room() {
        for (url, server, namespace, room) in [
            ("wss://wig.example/my_game", "wss://wig.example", None, "my_game"),
            ("ws://127.0.0.1:8080/matchbox/den?ns=app", "ws://127.0.0.1:8080", Some("app"), "den"),
            ("wig.example/den/", "wig.example", None, "den"),
        ] {
            let meant =
                Address { server: server.to_owned(), namespace: namespace.map(str::to_owned), room: room.to_owned() };
            assert_eq!(Address::read(url), Ok(meant));
        }
        for url in ["wss://wig.example", "wss://wig.example/", "wss://wig.example/a/b", "wss://wig.example/den?next=2"]
        {
            assert!(Address::read(url).is_err(), "{url}");
        }
    }
}
