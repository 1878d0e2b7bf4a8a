//! Everything that the server says over HTTP: a page for people, the SDK for their pages, health for machines,
//! metrics, and the operator's API.
//!
//! It asks the running server through [`Desk`] and decides nothing about peers. Sockets come from elsewhere: the
//! routes that upgrade are handed to [`router`], which puts them under the same rules as all others (origins,
//! request ids, error bodies). Every error has a code of `spec/codes.md` and the body of a native `error` message.

mod api;
mod bundle;
mod desk;
mod error;
mod layers;
mod open;
mod origin;
mod page;
mod sdk;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

pub use desk::{
    Answer, Ban, Counts, Desk, MemberInfo, NewBan, Page, Readiness, RoomDetail, RoomInfo, SessionFilter, SessionInfo,
    Subject,
};
pub use error::ApiError;

use crate::config::Config;
use crate::log;
use crate::metrics::{Metrics, register_surroundings};

/// The largest request body: the operator's API needs no more.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// How long a handler may think before its asker is told to come back.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// What the handlers share.
pub struct Site {
    desk: Arc<dyn Desk>,
    registry: Registry,
    metrics: Metrics,
    requests: Family<layers::RequestLabels, Counter>,
    logs: log::Control,
    admin: Option<api::Token>,
    origins: origin::Origins,
    page: page::Template,
    started: Instant,
}

impl Site {
    /// The site of a server with this configuration.
    ///
    /// `registry` holds what the other subsystems count; what HTTP, the desk and the process count is added here.
    pub fn new(
        config: &Config,
        desk: Arc<dyn Desk>,
        metrics: Metrics,
        mut registry: Registry,
        logs: log::Control,
    ) -> Self {
        let requests = Family::default();
        registry.register("wigwag_http_requests", "HTTP requests answered", requests.clone());
        register_surroundings(&mut registry, &desk);
        Self {
            desk,
            registry,
            metrics,
            requests,
            logs,
            admin: config.admin.token.reveal().map(api::Token::new),
            origins: origin::Origins::new(&config.server),
            page: page::Template::new(config),
            started: Instant::now(),
        }
    }
}

/// The router of one door of the server. `sockets` are the routes that upgrade; they keep their own state. `guided` may put
/// something in front of all routes; it stands behind what holds for every request.
pub fn router(site: Arc<Site>, sockets: Router, guided: impl FnOnce(Router) -> Router) -> Router {
    let mut routes = Router::new()
        .route("/", get(page::page))
        .route("/page/{build}/{file}", get(page::file))
        .route("/wigwag.js", get(sdk::entry))
        .route("/wigwag/{file}", get(sdk::module))
        .route("/wigwag/{build}/{file}", get(sdk::module_of_build))
        .route("/health", get(open::health))
        .route("/healthz", get(open::health))
        .route("/ready", get(open::ready))
        .route("/version", get(open::version))
        .route("/stats", get(open::stats))
        .route("/metrics", get(open::metrics));
    // Without a token the API is not there at all: nothing to guess at.
    if site.admin.is_some() {
        routes = routes.nest("/api/v1", api::routes(&site));
    }
    let routes = routes
        .with_state(Arc::clone(&site))
        .merge(sockets)
        .fallback(open::not_found)
        .method_not_allowed_fallback(open::method_refused);
    guided(routes)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(ANSWER_TIME_MAX, layers::time_limit))
        .layer(from_fn_with_state(Arc::clone(&site), origin::guard))
        .layer(from_fn_with_state(site, layers::account))
}
