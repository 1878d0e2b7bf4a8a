//! A server for one test, and the plainest client that can talk to it.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;
use wigwag_server::config::{Flag, Raw, Sources, load};
use wigwag_server::http::{Site, router};
use wigwag_server::log;
use wigwag_server::metrics::Metrics;
use wigwag_server::net::{Door, DoorLimits, Listener, NetMetrics};

use super::desk::TableDesk;

pub(crate) const TOKEN: &str = "a-token-for-the-operator";

pub(crate) struct Server {
    pub(crate) desk: Arc<TableDesk>,
    pub(crate) address: SocketAddr,
    /// Ends the server when dropped.
    _stop: watch::Sender<bool>,
    /// Log lines of this test's thread, where it asked for them.
    pub(crate) log: Log,
    /// The filter can be changed only while this is there.
    _subscriber: DefaultGuard,
}

/// A server with these keys set, on a port of its own.
pub(crate) fn server(keys: &[(&str, &str)]) -> Server {
    server_with(keys, Router::new())
}

pub(crate) fn server_with(keys: &[(&str, &str)], sockets: Router) -> Server {
    let flag = |(key, value): &(&str, &str)| Flag {
        shown: "--set".into(),
        key: (*key).into(),
        value: Raw::Text((*value).into()),
    };
    let flags = keys.iter().map(flag).collect();
    let config = load(&Sources { flags, ..Sources::default() }).unwrap().config;
    let desk = Arc::new(TableDesk::default());
    let log = Log::default();
    let (subscriber, logs) = log::subscriber(&config.log, log.clone(), false).unwrap();
    let guard = tracing::subscriber::set_default(subscriber);
    let (metrics, mut registry) = (Metrics::default(), Registry::default());
    metrics.register(&mut registry);
    let site = Site::new(&config, desk.clone(), metrics, registry, logs);
    let door =
        Door::new(router(Arc::new(site), sockets, |routes| routes), DoorLimits::default(), NetMetrics::default());
    let listener = Listener::tcp("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(listener.run(Arc::new(door), stopped));
    Server { desk, address, _stop: stop, log, _subscriber: guard }
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("{why}: {:?}", self.body))
    }

    /// The body is that of a native `error` with this code.
    pub(crate) fn is_error(&self, status: u16, code: u16, name: &str) {
        let json = self.json();
        assert_eq!(
            (self.status, &json["type"], &json["code"], &json["name"]),
            (status, &"error".into(), &code.into(), &name.into()),
            "{json}"
        );
        assert!(json["message"].as_str().is_some_and(|message| message.len() > 5), "{json}");
        assert_eq!(self.header("content-type"), "application/json");
    }
}

impl Server {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "").await
    }

    /// As the operator.
    pub(crate) async fn operate(&self, method: &str, path: &str, body: &str) -> Answer {
        self.ask(method, path, &[("authorization", &format!("Bearer {TOKEN}"))], body).await
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| *name == "host") {
            request.push_str("host: wig.example\r\n");
        }
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        self.send(format!("{request}\r\n{body}").as_bytes()).await
    }

    /// Sends bytes as they are and reads the answer to its end.
    pub(crate) async fn send(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A server that refuses a large body may close before it has read it.
        let _ = stream.write_all(request).await;
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        parse(&String::from_utf8(bytes).unwrap())
    }
}

fn parse(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer in {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.into()))
        .collect();
    Answer { status, headers, body: body.into() }
}

/// What was logged.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Log;

    fn make_writer(&self) -> Log {
        self.clone()
    }
}
