//! `wigwag health`: one small HTTP request, for containers that have no other client.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use anyhow::{anyhow, bail};
use http::StatusCode;
use serde::Serialize;
use wigwag_conform::live::{Base, ask};
use wigwag_conform::player::Request;
use wigwag_terminal::exit::{Exit, Failure};
use wigwag_terminal::out::Out;

use super::args::{HealthArgs, ServeArgs};
use super::reach::{self, Place};
use crate::config::{Config, Listen};

/// Asks and prints the answer; fails unless the server is well.
pub(super) fn run(out: &mut Out, args: &HealthArgs) -> Result<Exit, Failure> {
    let target = match &args.url {
        Some(url) => Target::parse(url).map_err(|why| Exit::Usage.because(why))?,
        None => {
            let loaded = super::config::load(&ServeArgs::default())?;
            Target::of(&loaded.config).ok_or_else(|| Exit::Usage.because(anyhow!("which server? Name its URL")))?
        }
    };
    let path = match (target.base.path.as_str(), args.ready) {
        (_, true) => "/ready",
        ("/", false) => "/health",
        (path, false) => path,
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|why| Exit::Failed.because(why))?;
    let answer = runtime.block_on(answer(&target, path, args.timeout));
    let told = answer.map_err(|why| Exit::Failed.because(why))?;
    if args.json {
        out.json(&told)?;
        return Ok(if told.well { Exit::Done } else { Exit::Failed });
    }
    let status = StatusCode::from_u16(told.status).map_err(|why| Exit::Failed.because(why))?;
    match told.answer.trim_end() {
        answer if told.well => out.line(answer),
        answer => Err(Exit::Failed.because(anyhow!("{path} answered {status}: {answer}"))),
    }
}

/// Whom to ask.
struct Target {
    place: Place,
    base: Base,
}

impl Target {
    fn parse(url: &str) -> anyhow::Result<Self> {
        let refuse = || anyhow!("{url:?} is not a URL such as \"http://localhost:8080\" or \"unix:/run/wigwag.sock\"");
        if let Some(path) = url.strip_prefix("unix:") {
            return Self::here(Place::Unix(path.into()), false).ok_or_else(refuse);
        }
        let base = Base::parse(url).ok_or_else(refuse)?;
        Ok(Self { place: Place::Name(base.host.clone(), base.port), base })
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
        Self::here(place, !config.tls.cert.as_os_str().is_empty())
    }

    /// A place of this machine, whatever it is called.
    fn here(place: Place, tls: bool) -> Option<Self> {
        let base = Base::parse(if tls { "https://localhost" } else { "http://localhost" })?;
        Some(Self { place, base })
    }
}

/// What a server says of itself.
#[derive(Serialize)]
struct Told {
    well: bool,
    /// The status of its answer over HTTP.
    status: u16,
    answer: String,
}

async fn answer(target: &Target, path: &str, timeout: Duration) -> anyhow::Result<Told> {
    let Target { place, base } = target;
    let headers = [("user-agent".to_owned(), "wigwag-health".to_owned())].into();
    let request = Request { method: "GET".into(), path: path.into(), headers };
    let dial = reach::dial(place.clone(), base.tls.then(|| base.host.clone()));
    let Ok(asked) = tokio::time::timeout(timeout, ask(&dial, base, &request)).await else {
        bail!("no answer within {} s", timeout.as_secs_f64());
    };
    let answer = asked.map_err(|why| anyhow!(why))?;
    Ok(Told { well: (200..300).contains(&answer.status), status: answer.status, answer: answer.body })
}
