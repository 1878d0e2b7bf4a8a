//! What happens to every request: an id, a time limit, security headers, an account.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use tracing::{Instrument, debug, info_span, warn};
use wigwag_wire::Code;

use super::{ApiError, Site};

/// The header that carries a request's id in both directions.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How requests are counted: by the route's pattern, never by what was asked for.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct RequestLabels {
    route: String,
    method: &'static str,
    status: u16,
}

/// The outermost layer: names the request, logs and counts it, and puts the headers that every answer has.
pub(super) async fn account(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let method = method_name(request.method());
    // The pattern, because the address itself may hold ids.
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let begin = Instant::now();
    let span = info_span!("http", request = id.to_str().unwrap_or_default(), method, route);
    let mut response = async {
        let response = next.run(request).await;
        let (status, ms) = (response.status().as_u16(), begin.elapsed().as_millis());
        if response.status().is_server_error() && response.status() != StatusCode::SERVICE_UNAVAILABLE {
            warn!(status, ms, "answered with an error of ours");
        } else {
            debug!(status, ms, "answered");
        }
        response
    }
    .instrument(span)
    .await;
    if let Some(code) = response.extensions().get::<Code>() {
        site.metrics.refused.count(*code);
    }
    let status = response.status().as_u16();
    site.requests.get_or_create(&RequestLabels { route, method, status }).inc();
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let closed = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(closed);
    response
}

/// Nobody waits for ever.
pub(super) async fn time_limit(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::new(Code::Unreachable, "The answer took too long. Try again.").into_response(),
    }
}

/// The caller's id for the request if it is harmless, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let harmless = |id: &&HeaderValue| {
        let bytes = id.as_bytes();
        (1..=64).contains(&bytes.len()) && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(b))
    };
    headers.get(REQUEST_ID).filter(harmless).cloned().unwrap_or_else(new_id)
}

fn new_id() -> HeaderValue {
    let mut bytes = [0; 8];
    // Without randomness all ids are alike, which spoils nothing but the log.
    let _ = getrandom::fill(&mut bytes);
    HeaderValue::try_from(HEXLOWER.encode(&bytes)).unwrap_or(HeaderValue::from_static("0"))
}

/// Methods are what the client says; only known ones may become labels.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;

    use super::*;

    #[tokio::test]
    async fn a_handler_that_never_answers_is_answered_for() {
        let stuck = Router::new()
            .route("/", get(std::future::pending::<()>))
            .layer(from_fn_with_state(Duration::from_millis(1), time_limit));
        let request = Request::get("/").body(Body::empty()).unwrap();
        let response = TowerToHyperService::new(stuck).call(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
        assert_eq!(response.extensions().get(), Some(&Code::Unreachable));
    }
}
