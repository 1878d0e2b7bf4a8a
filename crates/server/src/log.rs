//! Logs: where lines go, what is worth one, and how an id appears in one.
//!
//! No address, SDP or raw id may reach a log line. Who wants to name a peer writes [`Hashed`]; addresses have no
//! wrapper because they are never written.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io::IsTerminal;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tracing::{info, warn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};
use wigwag_dialects::Dialect;

use crate::config::{Config, Data, Listen, Log, LogFormat, TrustProxy};

/// The filter is not one.
#[derive(Debug, thiserror::Error)]
#[error("{filter:?} is no filter: {why}")]
pub struct BadFilter {
    filter: String,
    why: String,
}

/// Changes what is logged while the server runs.
#[derive(Clone)]
pub struct Control {
    handle: reload::Handle<EnvFilter, Registry>,
    filter: Arc<Mutex<String>>,
}

impl Control {
    /// The filter in force.
    pub fn filter(&self) -> String {
        self.filter.lock().clone()
    }

    /// Puts another filter in force at once.
    pub fn set_filter(&self, filter: &str) -> Result<(), BadFilter> {
        let parsed = parse(filter)?;
        // Held across the change so that two callers leave the filter and its text in step.
        let mut current = self.filter.lock();
        self.handle.reload(parsed).map_err(|why| BadFilter::new(filter, &why))?;
        *current = filter.into();
        Ok(())
    }
}

/// Sends log lines to standard error from here on, for the whole process.
///
/// Standard error is what container runtimes and systemd collect, and it leaves standard output to commands.
pub fn start(config: &Log) -> Result<Control, BadFilter> {
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (subscriber, control) = subscriber(config, std::io::stderr, colours)?;
    // Fails only if somebody was first, as in tests that start two servers in one process: theirs stays.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(control)
}

/// A subscriber that writes to `writer`, and what changes its filter.
pub fn subscriber<W>(
    config: &Log,
    writer: W,
    colours: bool,
) -> Result<(impl tracing::Subscriber + Send + Sync, Control), BadFilter>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(parse(&config.filter)?);
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colours);
    let lines = match config.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let control = Control { handle, filter: Arc::new(Mutex::new(config.filter.clone())) };
    Ok((tracing_subscriber::registry().with(filter).with(lines), control))
}

/// An id as it may stand in a log: a short hash, salted anew in each process, so that lines of one run can be
/// put together and lines of two runs, or of two servers, cannot.
pub struct Hashed<'a>(pub &'a str);

impl fmt::Display for Hashed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        static SALT: OnceLock<RandomState> = OnceLock::new();
        let hash = SALT.get_or_init(RandomState::new).hash_one(self.0);
        write!(f, "#{:010x}", hash >> 24)
    }
}

impl fmt::Debug for Hashed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// [`Hashed`] as text.
pub fn hash_id(id: &str) -> String {
    Hashed(id).to_string()
}

/// Says what runs, where it listens, where its data is, what is off and where to look.
///
/// `listening` holds the places as they were bound, with real ports; `pinned` those where one dialect alone is spoken.
pub fn announce(config: &Config, listening: &[Listen], pinned: &[(Dialect, Listen)]) {
    let server = &config.server;
    info!(version = env!("CARGO_PKG_VERSION"), name = %server.name, "wigwag is up");
    for listen in listening {
        info!(at = %listen, tls = !config.tls.cert.as_os_str().is_empty(), "listening");
    }
    for (dialect, listen) in pinned {
        info!(at = %listen, dialect = dialect.name(), "listening for one dialect");
    }
    match &server.data {
        Data::Memory => warn!("data: in memory only; names and sessions end with this process"),
        place => info!(folder = %place, "data"),
    }
    if server.trust_proxy == TrustProxy::Everyone {
        warn!("every client's word about its address is believed (server.trust_proxy = true)");
    }
    let stun = if config.ice.stun.is_empty() { "none".into() } else { config.ice.stun.join(" ") };
    let turn = if config.ice.turn.is_empty() { "none".into() } else { config.ice.turn.join(" ") };
    info!(stun, turn, "peers are told of these ICE servers");
    let off = switched_off(config);
    if !off.is_empty() {
        info!(off = off.join(", "), "switched off");
    }
    if let Some(url) = look_at(config, listening) {
        info!("look at {url}/ (people), {url}/metrics (Prometheus), {url}/ready (load balancers)");
    }
}

/// What is not there in this configuration, for the start-up log.
fn switched_off(config: &Config) -> Vec<String> {
    let mut off: Vec<String> = Vec::new();
    if !config.admin.token.is_set() {
        off.push("admin API (admin.token)".into());
    }
    if !config.auth.guests {
        off.push("guests (auth.guests)".into());
    }
    if !config.server.cors {
        off.push("CORS headers (server.cors)".into());
    }
    off.extend(config.dialects.off.iter().map(|dialect| format!("{dialect} (dialects.off)")));
    off.extend(config.limits.off().iter().map(|limit| format!("limits.{limit}")));
    off
}

/// A URL under which a person on this machine reaches the server.
fn look_at(config: &Config, listening: &[Listen]) -> Option<String> {
    if let Some(url) = config.server.public_url.url() {
        return Some(url.into());
    }
    let scheme = if config.tls.cert.as_os_str().is_empty() { "http" } else { "https" };
    listening.iter().find_map(|listen| match listen {
        Listen::Address(address) if address.ip().is_unspecified() => {
            Some(format!("{scheme}://localhost:{}", address.port()))
        }
        Listen::Address(address) => Some(format!("{scheme}://{address}")),
        Listen::Name(host, port) => Some(format!("{scheme}://{host}:{port}")),
        Listen::Unix(_) => None,
    })
}

impl BadFilter {
    fn new(filter: &str, why: &dyn fmt::Display) -> Self {
        BadFilter { filter: filter.into(), why: why.to_string() }
    }
}

fn parse(filter: &str) -> Result<EnvFilter, BadFilter> {
    EnvFilter::try_new(filter).map_err(|why| BadFilter::new(filter, &why))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_id_is_the_same_hash_each_time_and_never_itself() {
        assert_eq!(hash_id("bob@example.org"), hash_id("bob@example.org"));
        assert_ne!(hash_id("bob@example.org"), hash_id("bob@example.com"));
        assert_eq!(hash_id("x").len(), 11);
        assert!(!format!("{:?} {}", Hashed("bob"), Hashed("bob")).contains("bob"));
    }

    #[test]
    fn the_filter_can_be_changed_while_running() {
        let sink = Sink::default();
        let config = Log { format: LogFormat::Text, filter: "info".into() };
        let (subscriber, control) = subscriber(&config, sink.clone(), false).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!("first");
            control.set_filter("debug").unwrap();
            tracing::debug!("second");
            assert!(control.set_filter("info,=,").is_err());
            assert_eq!(control.filter(), "debug");
        });
        let text = sink.text();
        assert!(!text.contains("first") && text.contains("second"), "{text}");
    }

    #[test]
    fn json_lines_are_json_objects() {
        let sink = Sink::default();
        let config = Log { format: LogFormat::Json, filter: "info".into() };
        let (subscriber, _control) = subscriber(&config, sink.clone(), false).unwrap();
        tracing::subscriber::with_default(subscriber, || info!(n = 7, "hello \"you\""));
        let line: serde_json::Value = serde_json::from_str(&sink.text()).unwrap();
        assert_eq!((&line["message"], &line["n"]), (&"hello \"you\"".into(), &7.into()));
    }

    #[test]
    fn starting_says_where_to_look_and_what_is_off() {
        let sink = Sink::default();
        let log = Log { format: LogFormat::Text, filter: "info".into() };
        let (subscriber, _control) = subscriber(&log, sink.clone(), false).unwrap();
        let mut config = Config::default();
        config.server.data = Data::Memory;
        config.auth.guests = false;
        config.limits.rooms = 0;
        let listening = ["[::]:4711".parse().unwrap(), "unix:/run/w.sock".parse().unwrap()];
        tracing::subscriber::with_default(subscriber, || announce(&config, &listening, &[]));
        let text = sink.text();
        for part in [
            env!("CARGO_PKG_VERSION"),
            "at=[::]:4711",
            "at=unix:/run/w.sock",
            "in memory only",
            "admin API (admin.token), guests (auth.guests), limits.",
            "limits.rooms",
            "http://localhost:4711/metrics",
            "stun:",
        ] {
            assert!(text.contains(part), "{part:?} is missing in {text}");
        }
    }

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Sink {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().clone()).unwrap()
        }
    }

    impl std::io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Sink {
        type Writer = Sink;

        fn make_writer(&self) -> Sink {
            self.clone()
        }
    }
}
