//! The doors of the dialects: which address speaks what, and what the originals answered over HTTP.
//!
//! [`Routes`] reads an address and knows nothing of sockets. [`guide`] stands in front of the router: sockets go to the dialect
//! of their address, questions that an original answered are answered as it did, everything else goes on to the router. What a
//! dialect means is `wigwag_dialects`' business.

mod http_side;
mod routes;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::Method;
use http::header::{HeaderMap, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use wigwag_dialects::{Dialects, PeerJsSettings, Settings, Which};
use wigwag_wire::VERSION;
use wigwag_wire::code::Code;

pub use routes::{Found, Routes};

use crate::config::Config;
use crate::driver::{Driver, connect, connect_foreign};
use crate::http::ApiError;
use crate::net::PeerAddr;

/// What stands behind one door: the addresses, and the server.
pub struct Guide {
    routes: Routes,
    driver: Arc<Driver>,
}

impl Guide {
    /// For these addresses.
    pub fn new(routes: Routes, driver: Arc<Driver>) -> Arc<Self> {
        Arc::new(Self { routes, driver })
    }
}

/// What the configuration says about dialects, for the dialects themselves.
pub fn settings(config: &Config) -> Settings {
    let peerjs = &config.peerjs;
    let peerjs = PeerJsSettings {
        key: peerjs.key.clone(),
        allow_discovery: peerjs.allow_discovery,
        concurrent_limit: peerjs.concurrent_limit,
        alive_timeout_ms: peerjs.alive_timeout_ms,
        expire_timeout_ms: peerjs.expire_timeout_ms,
    };
    Settings { peerjs }
}

/// The dialects of a configuration.
pub fn dialects(config: &Config) -> Arc<Dialects> {
    Dialects::new(settings(config))
}

/// Sends each request its way.
pub async fn guide(State(guide): State<Arc<Guide>>, request: Request, next: Next) -> Response {
    if !asks_for_socket(request.headers()) {
        return match http_side::answer(&guide, &request) {
            Some(response) => response,
            None => next.run(request).await,
        };
    }
    let path = request.uri().path();
    if path == "/v1" && !guide.routes.is_pinned() {
        return next.run(request).await;
    }
    let from = asker(&request);
    let found = guide.routes.find(path);
    if speaks_native(request.headers()) && !matches!(found, Some(Found { which: Which::One(_), .. })) {
        return connect(State(guide.driver.clone()), axum::Extension(from), request).await.into_response();
    }
    match found {
        Some(found) => connect_foreign(&guide.driver, from, request, found).into_response(),
        None => ApiError::new(Code::NotFound, "No protocol is spoken at this address.").into_response(),
    }
}

fn asks_for_socket(headers: &HeaderMap) -> bool {
    headers.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Whether the client offers the native protocol, which counts where the path says nothing.
fn speaks_native(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    offers.flat_map(|offers| offers.split(',')).any(|offer| offer.trim() == VERSION)
}

/// Whether a request is one that the originals answered.
fn is_read(request: &Request) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}

/// Who asks. Where no listener said so, it is a Unix socket's peer.
fn asker(request: &Request) -> PeerAddr {
    request.extensions().get::<PeerAddr>().copied().unwrap_or(PeerAddr::Unix)
}
