//! Which web pages may use the server, and the CORS headers that tell browsers so.
//!
//! A page of the server's own origin always may. With an empty list of origins every page may, except that the
//! operator's API answers across origins only to origins that were named. Programs outside a browser send no
//! `Origin` and are not judged by it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HOST, HeaderMap, HeaderValue,
    ORIGIN, VARY,
};
use http::{Method, StatusCode};
use wigwag_wire::Code;

use super::{ApiError, Site};
use crate::config::{OriginPattern, Server};

/// The operator's word about origins.
pub(super) struct Origins {
    allowed: Vec<OriginPattern>,
    cors: bool,
    /// The server's own, where it is known.
    own: Option<String>,
}

impl Origins {
    pub(super) fn new(server: &Server) -> Self {
        let own = server.public_url.url().map(|url| url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/"));
        Self { allowed: server.origins.clone(), cors: server.cors, own }
    }

    fn allows(&self, origin: &str, headers: &HeaderMap) -> bool {
        self.allowed.is_empty() || self.is_own(origin, headers) || self.names(origin)
    }

    fn names(&self, origin: &str) -> bool {
        self.allowed.iter().any(|pattern| pattern.matches(origin))
    }

    /// Whether a page came from this server. Who does not know the server's own address compares the page's with
    /// the one that was asked for: browsers let no page choose either.
    fn is_own(&self, origin: &str, headers: &HeaderMap) -> bool {
        if let Some(own) = &self.own {
            return own.eq_ignore_ascii_case(origin);
        }
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        authority.is_some() && authority == headers.get(HOST).and_then(|host| host.to_str().ok())
    }

    /// What a browser is told about an answer; `None` if the answer is not for that page.
    fn header(&self, origin: &HeaderValue, text: &str, api: bool) -> Option<HeaderValue> {
        match (self.cors, self.allowed.is_empty(), api) {
            (false, _, _) | (_, true, true) => None,
            (_, true, false) => Some(HeaderValue::from_static("*")),
            (_, false, _) => self.names(text).then(|| origin.clone()),
        }
    }
}

/// Refuses pages that may not use the server, answers preflights, and puts the CORS headers.
pub(super) async fn guard(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let origins = &site.origins;
    let varies = !origins.allowed.is_empty();
    let Some(origin) = request.headers().get(ORIGIN).cloned() else {
        return vary(next.run(request).await, varies);
    };
    // What is no text is no origin of any list, and stays on the page's side of the fence.
    let text = origin.to_str().unwrap_or_default().to_owned();
    if !origins.allows(&text, request.headers()) {
        return vary(ApiError::from(Code::OriginRefused).into_response(), varies);
    }
    let cors = origins.header(&origin, &text, request.uri().path().starts_with("/api/"));
    let preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match (preflight, &cors) {
        (true, Some(_)) => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    if let Some(allowed) = cors {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if preflight {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE"));
            let allowed = HeaderValue::from_static("authorization, content-type, x-request-id");
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
        } else {
            let exposed = HeaderValue::from_static("retry-after, x-request-id");
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }
    vary(response, varies)
}

fn vary(mut response: Response, varies: bool) -> Response {
    if varies {
        response.headers_mut().append(VARY, HeaderValue::from_static("origin"));
    }
    response
}
