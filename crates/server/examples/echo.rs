//! Echoes every text and binary message over the server's own socket layer.
//!
//! What the RFC 6455 conformance cases run against, see `docs/develop/conformance.md`.
#![allow(clippy::print_stdout)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use clap::Parser;
use tokio::sync::watch;
use wigwag_hub::SocketId;
use wigwag_server::net::{
    Batch, Behind, Closed, Door, DoorLimits, Flow, Listener, NetLimits, NetMetrics, Sockets, Tls, Upgrade,
};

#[derive(Parser)]
struct Options {
    /// Where to listen; port 0 takes a free one. The address is printed.
    #[arg(long, default_value = "127.0.0.1:9001")]
    listen: SocketAddr,
    /// The longest message that is echoed.
    #[arg(long, default_value_t = NetLimits::default().message_bytes)]
    max_message_bytes: usize,
    /// A certificate chain, to speak TLS.
    #[arg(long, requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of that certificate.
    #[arg(long, requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

struct Echo(SocketId);

impl Behind for Echo {
    type Mail = ();

    fn on_open(&mut self, _: &mut Batch<'_, ()>) -> Flow {
        Flow::Continue
    }

    fn on_text(&mut self, text: &str, batch: &mut Batch<'_, ()>) -> Flow {
        batch.send(self.0, &Bytes::copy_from_slice(text.as_bytes()));
        Flow::Continue
    }

    fn on_binary(&mut self, bytes: &[u8], batch: &mut Batch<'_, ()>) -> Flow {
        batch.send_binary(self.0, &Bytes::copy_from_slice(bytes));
        Flow::Continue
    }

    fn on_mail(&mut self, (): (), _: &mut Batch<'_, ()>) -> Flow {
        Flow::Continue
    }

    fn on_close(&mut self, _: Closed, _: &mut Batch<'_, ()>) {}
}

async fn upgrade(State(sockets): State<Arc<Sockets<()>>>, request: Request) -> Response {
    Upgrade::from_request(request, &sockets).and_then(|upgrade| upgrade.accept(&sockets, None, Echo)).into_response()
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let metrics = NetMetrics::default();
    let limits = NetLimits {
        message_bytes: options.max_message_bytes,
        message_fragments: u32::MAX,
        queue_bytes: options.max_message_bytes.saturating_mul(2).max(1 << 20),
        ..NetLimits::default()
    };
    let sockets = Sockets::start(limits, metrics.clone());
    let router = Router::new().fallback(get(upgrade)).with_state(sockets);
    let mut listener = Listener::tcp(options.listen)?;
    if let (Some(cert), Some(key)) = (options.tls_cert, options.tls_key) {
        listener = listener.with_tls(Tls::load(&cert, &key)?);
    }
    println!("{listener}");
    let (_stop, stopped) = watch::channel(false);
    listener.run(Arc::new(Door::new(router, DoorLimits::default(), metrics)), stopped).await;
    Ok(())
}
