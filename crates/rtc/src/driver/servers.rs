//! Addresses of STUN and TURN servers: read, looked up, and reached from which address of ours.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::ice_url::IceUrl;
use crate::pc::{Server, Transport};
use crate::settings::IceServer;

/// More than this is not asked.
const URLS_MAX: usize = 16;
const LOOKUP_MAX: Duration = Duration::from_secs(5);

/// A url of a server, read, and what it takes to use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    of: IceUrl,
    username: String,
    credential: String,
}

/// What can be used of a list of servers; the rest is passed over.
pub(super) fn urls(servers: &[IceServer]) -> Vec<Url> {
    let each = servers.iter().flat_map(|server| server.urls.iter().map(move |url| (server, url)));
    each.filter_map(|(server, url)| read(server, url)).take(URLS_MAX).collect()
}

fn read(server: &IceServer, url: &str) -> Option<Url> {
    let of = IceUrl::read(url)?;
    let known = of.transport == Transport::Stun || (server.username.is_some() && server.credential.is_some());
    known.then(|| Url {
        of,
        username: server.username.clone().unwrap_or_default(),
        credential: server.credential.clone().unwrap_or_default(),
    })
}

/// Where a server is, at most one address of each family.
pub(super) async fn look_up(url: Url) -> Vec<Server> {
    let found = tokio::time::timeout(LOOKUP_MAX, tokio::net::lookup_host((url.of.host.as_str(), url.of.port))).await;
    let Ok(Ok(addresses)) = found else { return Vec::new() };
    let addresses: Vec<SocketAddr> = addresses.collect();
    let first = |v4: bool| addresses.iter().find(|address| address.is_ipv4() == v4);
    let each = [first(true), first(false)].into_iter().flatten();
    each.filter_map(|address| {
        Some(Server {
            transport: url.of.transport.clone(),
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
    fn a_turn_server_without_credentials_is_passed_over() {
        let servers = [IceServer { urls: vec!["turn:a.example".to_owned()], ..IceServer::default() }];
        assert_eq!(urls(&servers), []);
    }
}
