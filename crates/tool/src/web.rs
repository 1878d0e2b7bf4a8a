//! Servers as the commands reach them: URLs as people write them, and what a server tells over HTTP.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, bail};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use wigwag_conform::live::{self, Base, Dial, Line};
use wigwag_conform::player::Request;
use wigwag_tls::{NobodyTrusted, Trust};

/// Reads a URL as people write it, as the client does: without a scheme TLS is meant, but for this machine; without a path, `/v1`.
pub(crate) fn read(url: &str) -> Option<Base> {
    Base::parse(&wigwag::address(url).ok()?)
}

/// Connections to a server, with TLS where the URL says so and a certificate that this machine trusts.
pub(crate) fn dial(base: &Base) -> anyhow::Result<Dial> {
    let (host, port) = (base.host.clone(), base.port);
    let tls = base.tls.then(strict_tls).transpose()?;
    Ok(Arc::new(move || {
        let (host, tls) = (host.clone(), tls.clone());
        Box::pin(async move {
            let tcp = TcpStream::connect((host.as_str(), port)).await?;
            tcp.set_nodelay(true)?;
            let Some(tls) = tls else { return Ok(Box::new(tcp) as Box<dyn Line>) };
            let name = ServerName::try_from(host).map_err(std::io::Error::other)?;
            Ok(Box::new(tls.connect(name, tcp).await?) as Box<dyn Line>)
        })
    }))
}

/// What stands at a path of the server.
pub(crate) async fn get(
    dial: &Dial,
    base: &Base,
    path: &str,
    token: Option<&str>,
    patience: Duration,
) -> anyhow::Result<String> {
    let headers = token.map(|token| ("authorization".to_owned(), format!("Bearer {token}")));
    let request = Request { method: "GET".into(), path: path.into(), headers: headers.into_iter().collect() };
    let asked = timeout(patience, live::ask(dial, base, &request)).await;
    let answer = asked.map_err(|_| anyhow!("no answer in time"))?.map_err(|why| anyhow!("{why}"))?;
    match answer.status {
        200..=299 => Ok(answer.body),
        401 | 403 => bail!("{path} is for those who send the operator's token (--admin-token-file)"),
        404 => bail!("there is no {path}: this is no Wigwag server, or a proxy hides it"),
        status => bail!("{path} answers {status}"),
    }
}

/// TLS as browsers do it.
pub(crate) fn strict_tls() -> Result<TlsConnector, NobodyTrusted> {
    Ok(TlsConnector::from(Trust::of_this_machine().somebody()?.config()))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_bare_host_means_tls_and_this_machine_means_none() {
        for (url, meant) in [
            ("wigwag.example.org", "wss://wigwag.example.org/v1"),
            ("localhost:8080", "ws://localhost:8080/v1"),
            ("127.0.0.1:8080", "ws://127.0.0.1:8080/v1"),
            ("https://a.example/", "wss://a.example/v1"),
            ("ws://a.example/signal/v1", "ws://a.example/signal/v1"),
        ] {
            assert_eq!(read(url).map(|base| base.to_string()).as_deref(), Some(meant));
        }
        assert_eq!(read("ftp://a.example"), None);
    }
}
