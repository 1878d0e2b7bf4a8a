//! The browser SDK, built into the server, so that a page's client always fits the server that it talks to.
//!
//! `/wigwag.js` is asked for anew each time and leads to the modules under `/wigwag/` and the hash of them all, which
//! are kept for ever: a new build has new addresses, and no page ever mixes two of them.

use std::sync::LazyLock;

use aws_lc_rs::digest::{Context, SHA256};
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH};
use wigwag_wire::Code;

use super::ApiError;

include!(concat!(env!("OUT_DIR"), "/modules.rs"));

/// `GET /wigwag.js`.
pub(super) async fn entry(headers: HeaderMap) -> Response {
    let text = format!("export * from './wigwag/{}/index.js';\n", *BUILD);
    answer(&headers, text, REVALIDATE)
}

/// `GET /wigwag/{file}`: a module as it is now.
pub(super) async fn module(Path(file): Path<String>, headers: HeaderMap) -> Response {
    find(&file).map_or_else(not_found, |text| answer(&headers, text, REVALIDATE))
}

/// `GET /wigwag/{build}/{file}`: a module of this build.
pub(super) async fn module_of_build(Path((build, file)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let found = find(&file).filter(|_| build == *BUILD);
    found.map_or_else(not_found, |text| answer(&headers, text, KEEP))
}

const REVALIDATE: HeaderValue = HeaderValue::from_static("public, no-cache");
const KEEP: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Lets pages that keep themselves apart from other origins load the modules all the same.
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The hash of all modules.
static BUILD: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Context::new(&SHA256);
    for (name, text) in MODULES {
        hash.update(format!("{name}\n{}\n", text.len()).as_bytes());
        hash.update(text.as_bytes());
    }
    HEXLOWER.encode(&hash.finish().as_ref()[..8])
});

fn find(file: &str) -> Option<&'static str> {
    MODULES.iter().find(|(name, _)| *name == file).map(|(_, text)| *text)
}

fn answer(asked: &HeaderMap, text: impl IntoResponse, caching: HeaderValue) -> Response {
    let tag = format!("\"{}\"", *BUILD);
    let known = asked.get_all(IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok()).any(|tags| {
        tags.split(',').map(|known| known.trim().trim_start_matches("W/")).any(|known| known == tag || known == "*")
    });
    let mut response = if known { StatusCode::NOT_MODIFIED.into_response() } else { text.into_response() };
    let headers = response.headers_mut();
    if !known {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
    }
    headers.insert(CACHE_CONTROL, caching);
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(ETAG, tag);
    }
    response
}

fn not_found() -> Response {
    ApiError::new(Code::NotFound, "There is no such module in this build.").into_response()
}
