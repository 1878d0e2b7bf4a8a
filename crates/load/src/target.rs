//! Where the load goes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;

use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, ipproto, socket_with, sockopt};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use crate::socket::Socket;

/// A server, and how it is to be spoken to.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its address.
    pub address: SocketAddr,
    /// Its name, as clients have it.
    pub host: String,
    /// The path of the native protocol, or before that of a dialect.
    pub path: String,
    /// The namespace that native peers enter; empty for the server's own choice.
    pub namespace: String,
    tls: Option<Arc<ClientConfig>>,
}

impl Target {
    /// A server without TLS, at its usual path.
    pub fn plain(address: SocketAddr) -> Self {
        Self { address, host: address.to_string(), path: "/v1".to_owned(), namespace: String::new(), tls: None }
    }

    /// The same with TLS. Certificates are not checked: the question is what the server bears, not who it is, and no secret is sent.
    pub fn with_tls(mut self) -> Self {
        let mut config = wigwag_tls::blind();
        // Each socket stands for another peer's machine, which has no earlier session.
        config.resumption = rustls::client::Resumption::disabled();
        self.tls = Some(Arc::new(config));
        self
    }

    /// Begins to connect the peer with this number. It is connected when there is room to write.
    pub(crate) fn connect(&self, number: usize) -> Result<Socket> {
        let family = if self.address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP)).context("no more sockets")?;
        if let Some(source) = self.source(number) {
            sockopt::set_socket_reuseaddr(&socket, true)?;
            bind(&socket, &SocketAddr::new(source.into(), 0))?;
        }
        match connect(&socket, &self.address) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error).context("connecting"),
        }
        let socket = Socket::new(TcpStream::from(socket))?;
        let Some(config) = &self.tls else { return Ok(socket) };
        let host = self.host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host).or_else(|_| ServerName::try_from(self.address.ip().to_string()))?;
        Ok(socket.over(ClientConnection::new(config.clone(), name)?))
    }

    /// A machine has about 28,000 ports towards one server, so those on this machine come from several of its addresses.
    fn source(&self, number: usize) -> Option<Ipv4Addr> {
        let IpAddr::V4(address) = self.address.ip() else { return None };
        let nth = u8::try_from(number / 5_000 % 200).ok()?;
        (address.is_loopback() && nth > 0).then(|| Ipv4Addr::new(127, 0, 1, nth))
    }
}
