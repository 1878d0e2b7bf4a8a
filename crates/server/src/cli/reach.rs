//! Reaching a server by its URL, with TLS where the URL says so.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use wigwag_conform::live::{Dial, Line};

/// Where a server is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// Tried in order.
    Addresses(Vec<SocketAddr>),
    /// A host and a port.
    Name(String, u16),
    /// A socket of this machine.
    Unix(PathBuf),
}

/// What makes connections to a place. With a name, it speaks TLS to the server of that name, whose certificate is not checked.
pub(super) fn dial(place: Place, tls: Option<String>) -> Dial {
    Arc::new(move || {
        let (place, tls) = (place.clone(), tls.clone());
        Box::pin(async move {
            let line = connect(&place, tls.as_deref()).await;
            line.map_err(|why| io::Error::other(format!("{why:#}")))
        })
    })
}

async fn connect(place: &Place, tls: Option<&str>) -> anyhow::Result<Box<dyn Line>> {
    let tcp = match place {
        Place::Addresses(addresses) => TcpStream::connect(addresses.as_slice()).await,
        Place::Name(host, port) => TcpStream::connect((host.as_str(), *port)).await,
        Place::Unix(socket) => {
            return Ok(Box::new(UnixStream::connect(socket).await.context("nobody listens there")?));
        }
    };
    let tcp = tcp.context("nobody listens there")?;
    // Each frame is answered before the next is written; waiting to fill a packet would only cost time.
    tcp.set_nodelay(true)?;
    let Some(host) = tls else { return Ok(Box::new(tcp)) };
    let name = ServerName::try_from(host.to_owned())?;
    let tls = TlsConnector::from(Arc::new(wigwag_tls::blind()));
    Ok(Box::new(tls.connect(name, tcp).await.context("TLS failed")?))
}
