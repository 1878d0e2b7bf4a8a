//! What the originals answered over HTTP beside their sockets.

use axum::Json;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, HeaderMap};
use serde_json::json;
use wigwag_dialects::Dialect;

use super::{Guide, is_read};

/// The answer of an original, where one had an answer at this address.
pub(super) fn answer(guide: &Guide, request: &Request) -> Option<Response> {
    if !is_read(request) {
        return None;
    }
    let only = guide.routes.only();
    let speaks = |dialect: Dialect| guide.routes.shown(dialect).is_some();
    let asks_for = |kind: &str| prefers(request.headers(), kind);
    match request.uri().path() {
        // Health checks of y-webrtc's server look for this word.
        "/" if only == Some(Dialect::Yjs) || (speaks(Dialect::Yjs) && asks_for("text/plain")) => {
            Some("okay".into_response())
        }
        "/health" if only == Some(Dialect::Tom) || (speaks(Dialect::Tom) && asks_for("application/json")) => {
            Some(Json(json!({"ok": true})).into_response())
        }
        _ => None,
    }
}

/// Whether a client asks for this kind of answer by name, before any other.
fn prefers(headers: &HeaderMap, kind: &str) -> bool {
    let first = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).and_then(|all| all.split(',').next());
    first.and_then(|first| first.split(';').next()).is_some_and(|first| first.trim().eq_ignore_ascii_case(kind))
}
