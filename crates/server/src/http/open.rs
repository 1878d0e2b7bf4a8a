//! What anybody may ask: health, readiness, version, counts, metrics.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{ALLOW, CONTENT_TYPE, HeaderMap};
use serde::Serialize;
use wigwag_wire::Code;

use super::{ApiError, Counts, Readiness, Site};
use crate::metrics;
use crate::version::{VERSION, Version};

/// The process lives and answers. Nothing else: whoever restarts it on a "no" would make a bad disk worse.
pub(super) async fn health() -> &'static str {
    "OK"
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    /// `ready`, `starting` or `draining`.
    reason: Readiness,
}

/// Whether new peers should be sent here.
pub(super) async fn ready(State(site): State<Arc<Site>>) -> Response {
    let reason = site.desk.readiness();
    let ready = reason == Readiness::Ready;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Ready { ready, reason })).into_response()
}

/// Which build this is.
pub(super) async fn version() -> Json<Version> {
    Json(VERSION)
}

/// What clients of ManaMesh look for in `/stats`, beside everything else.
#[derive(Serialize)]
struct Signaling {
    rooms: u64,
    peers: u64,
}

#[derive(Serialize)]
struct Stats {
    status: &'static str,
    signaling: Signaling,
    version: &'static str,
    reason: Readiness,
    uptime_seconds: u64,
    sockets: u64,
    #[serde(flatten)]
    counts: Counts,
}

/// How many of everything there are.
pub(super) async fn stats(State(site): State<Arc<Site>>) -> Response {
    let signaling = site.desk.signaling();
    let stats = Stats {
        status: "healthy",
        signaling: Signaling { rooms: signaling.rooms, peers: signaling.peers },
        version: VERSION.version,
        reason: site.desk.readiness(),
        uptime_seconds: site.started.elapsed().as_secs(),
        sockets: site.desk.sockets(),
        counts: site.desk.counts(),
    };
    Json(stats).into_response()
}

/// Everything that is measured, for Prometheus.
pub(super) async fn metrics(State(site): State<Arc<Site>>) -> Response {
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::render(&site.registry)).into_response()
}

/// No such address.
pub(super) async fn not_found() -> ApiError {
    ApiError::new(Code::NotFound, "There is nothing at this address.")
}

/// No such method at this address.
pub(super) async fn method_refused(headers: HeaderMap) -> ApiError {
    ApiError::method_refused(headers.get(ALLOW).cloned())
}
