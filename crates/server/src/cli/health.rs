//! `wigwag health`: one small HTTP request, for containers that have no other client.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use wigwag_conform::live::Line;
use wigwag_terminal::exit::{Exit, Failure};
use wigwag_terminal::out::Out;

use super::args::{HealthArgs, ServeArgs};
use super::reach::{self, Place};
use crate::config::{Config, Listen};

/// More than any answer of ours; whatever sends more is not a Wigwag server.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Asks and prints the answer; fails unless the server is well.
pub(super) fn run(out: &mut Out, args: &HealthArgs) -> Result<Exit, Failure> {
    let target = match &args.url {
        Some(url) => Target::parse(url).map_err(|why| Exit::Usage.because(why))?,
        None => {
            let loaded = super::config::load(&ServeArgs::default())?;
            Target::of(&loaded.config).ok_or_else(|| Exit::Usage.because(anyhow!("which server? Name its URL")))?
        }
    };
    let path = match (&target.path, args.ready) {
        (_, true) => "/ready",
        (Some(path), false) => path.as_str(),
        (None, false) => "/health",
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|why| Exit::Failed.because(why))?;
    let answer = runtime.block_on(ask(&target, path, args.timeout));
    out.line(answer.map_err(|why| Exit::Failed.because(why))?.trim_end())
}

/// Whom to ask.
struct Target {
    place: Place,
    tls: bool,
    /// For the `Host` header and the TLS handshake.
    host: String,
    path: Option<String>,
}

impl Target {
    fn parse(url: &str) -> anyhow::Result<Self> {
        let refuse = || anyhow!("{url:?} is not a URL such as \"http://localhost:8080\" or \"unix:/run/wigwag.sock\"");
        if let Some(path) = url.strip_prefix("unix:") {
            let place = Place::Unix(path.into());
            return Ok(Target { place, tls: false, host: "localhost".into(), path: None });
        }
        // "localhost:8080" is what people type.
        let full = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let uri: Uri = full.parse().map_err(|_| refuse())?;
        let tls = match uri.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => return Err(refuse()),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(refuse)?.to_owned();
        let bare = host.trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path = (uri.path() != "/").then(|| uri.path().to_owned());
        Ok(Target { place: Place::Name(bare, port), tls, host, path })
    }

    /// The first place where a server with this configuration listens.
    fn of(config: &Config) -> Option<Self> {
        let place = match config.server.listen.first()? {
            Listen::Address(address) if address.ip().is_unspecified() => Place::Addresses(vec![
                (Ipv4Addr::LOCALHOST, address.port()).into(),
                (Ipv6Addr::LOCALHOST, address.port()).into(),
            ]),
            Listen::Address(address) => Place::Addresses(vec![*address]),
            Listen::Name(host, port) => Place::Name(host.clone(), *port),
            Listen::Unix(path) => Place::Unix(path.clone()),
        };
        let tls = !config.tls.cert.as_os_str().is_empty();
        Some(Target { place, tls, host: "localhost".into(), path: None })
    }
}

async fn ask(target: &Target, path: &str, timeout: Duration) -> anyhow::Result<String> {
    match tokio::time::timeout(timeout, connect_and_ask(target, path)).await {
        Ok(answer) => answer,
        Err(_) => bail!("no answer within {} s", timeout.as_secs_f64()),
    }
}

async fn connect_and_ask(target: &Target, path: &str) -> anyhow::Result<String> {
    let name = target.host.trim_matches(['[', ']']);
    let line = reach::connect(&target.place, target.tls.then_some(name)).await?;
    exchange(line, target, path).await
}

async fn exchange(stream: Box<dyn Line>, target: &Target, path: &str) -> anyhow::Result<String> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path)
        .header("host", &target.host)
        .header("user-agent", "wigwag-health")
        .header("connection", "close")
        .body(Empty::<Bytes>::new())?;
    // The connection moves bytes only while it is polled, so it runs beside the request.
    let driver = tokio::spawn(connection);
    let answer = sender.send_request(request).await.context("no HTTP answer")?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    driver.abort();
    let body = body.map_err(|why| anyhow!("the answer broke off: {why}"))?.to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    if status.is_success() { Ok(text) } else { bail!("{path} answered {status}: {}", text.trim_end()) }
}
