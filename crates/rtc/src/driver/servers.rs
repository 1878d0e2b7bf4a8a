//! Addresses of STUN and TURN servers: read, looked up, and reached from which address of ours.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::pc::{Server, Transport};
use crate::settings::IceServer;

/// More than this is not asked.
const URLS_MAX: usize = 16;
const LOOKUP_MAX: Duration = Duration::from_secs(5);

/// A url of a server, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    host: String,
    port: u16,
    transport: Transport,
    username: String,
    credential: String,
}

/// What can be used of a list of servers; the rest is passed over.
pub(super) fn urls(servers: &[IceServer]) -> Vec<Url> {
    let each = servers.iter().flat_map(|server| server.urls.iter().map(move |url| (server, url)));
    each.filter_map(|(server, url)| read(server, url)).take(URLS_MAX).collect()
}

fn read(server: &IceServer, url: &str) -> Option<Url> {
    let (scheme, rest) = url.split_once(':')?;
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let tcp = match query.strip_prefix("transport=") {
        None => false,
        Some(name) => name.eq_ignore_ascii_case("tcp"),
    };
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, port.strip_prefix(':'))
        }
        None => place.rsplit_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() || host.len() > 253 {
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
    let known = transport == Transport::Stun || (server.username.is_some() && server.credential.is_some());
    known.then(|| Url {
        host: host.to_owned(),
        port,
        transport,
        username: server.username.clone().unwrap_or_default(),
        credential: server.credential.clone().unwrap_or_default(),
    })
}

/// Where a server is, at most one address of each family.
pub(super) async fn look_up(url: Url) -> Vec<Server> {
    let found = tokio::time::timeout(LOOKUP_MAX, tokio::net::lookup_host((url.host.as_str(), url.port))).await;
    let Ok(Ok(addresses)) = found else { return Vec::new() };
    let addresses: Vec<SocketAddr> = addresses.collect();
    let first = |v4: bool| addresses.iter().find(|address| address.is_ipv4() == v4);
    let each = [first(true), first(false)].into_iter().flatten();
    each.filter_map(|address| {
        Some(Server {
            transport: url.transport.clone(),
            address: *address,
            via: via(*address)?,
            username: url.username.clone(),
            credential: url.credential.clone(),
        })
    })
    .collect()
}

/// From which address of ours the system would send there. Nothing is sent.
fn via(to: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if to.is_ipv4() { [0, 0, 0, 0].into() } else { [0u16; 8].into() };
    let socket = std::net::UdpSocket::bind((any, 0)).ok()?;
    socket.connect(to).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_as_browsers_read_them() {
        let servers = [IceServer {
            urls: [
                "stun:a.example",
                "turn:b.example:99?transport=tcp",
                "turns:[2001:db8::1]:443",
                "turn:c.example",
                "http://x",
                "turn:",
                "stun:d:x",
            ]
            .map(str::to_owned)
            .to_vec(),
            username: Some("u".to_owned()),
            credential: Some("c".to_owned()),
        }];
        let read: Vec<_> = urls(&servers).into_iter().map(|url| (url.host, url.port, url.transport)).collect();
        assert_eq!(
            read,
            [
                ("a.example".to_owned(), 3478, Transport::Stun),
                ("b.example".to_owned(), 99, Transport::TurnTcp),
                ("2001:db8::1".to_owned(), 443, Transport::TurnTls("2001:db8::1".to_owned())),
                ("c.example".to_owned(), 3478, Transport::TurnUdp),
            ]
        );
    }

    #[test]
    fn a_turn_server_without_credentials_is_passed_over() {
        let servers = [IceServer { urls: vec!["turn:a.example".to_owned()], ..IceServer::default() }];
        assert_eq!(urls(&servers), []);
    }
}
