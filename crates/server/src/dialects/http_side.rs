//! What the originals answered over HTTP beside their sockets.

use axum::Json;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use percent_encoding::percent_decode_str;
use serde_json::json;
use wigwag_dialects::{Dialect, HttpAnswer, Which};
use wigwag_wire::Namespace;

use super::{Guide, asker, is_read};

/// The answer of an original, where one had an answer at this address.
pub(super) fn answer(guide: &Guide, request: &Request) -> Option<Response> {
    if !is_read(request) {
        return None;
    }
    if let Some(answer) = peerjs(guide, request) {
        return Some(answer);
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
        "/stats" if only == Some(Dialect::ManaMesh) => {
            let ns = namespace(guide, request.uri().query().unwrap_or_default())?;
            Some(page(guide.driver.dialects().signaling_counts(&ns).page()))
        }
        path => room_info(guide, request, path),
    }
}

/// What PeerJS clients ask, below the paths that they were given. `{key}&ns=app` is a key and a namespace: an app can write nothing
/// else into the address.
fn peerjs(guide: &Guide, request: &Request) -> Option<Response> {
    let path = request.uri().path();
    let below = guide.routes.below_peerjs(path)?;
    if below.is_empty() && path == "/" {
        // There people are shown a page, unless PeerJS has the place for itself.
        let asked = guide.routes.speaks_mainly(Dialect::PeerJs) || prefers(request.headers(), "application/json");
        return asked.then(|| peerjs_page(guide, &guide.driver.hub().rules().default_namespace, "")).flatten();
    }
    let (key, page) = below.split_once('/').unwrap_or(("", below));
    let (key, named) = key.split_once('&').unwrap_or((key, ""));
    let ns = namespace(guide, if named.is_empty() { request.uri().query().unwrap_or_default() } else { named })?;
    let key = percent_decode_str(key).decode_utf8_lossy();
    peerjs_page(guide, &ns, &if below.is_empty() { String::new() } else { format!("{key}/{page}") })
}

fn peerjs_page(guide: &Guide, ns: &Namespace, below: &str) -> Option<Response> {
    let driver = &guide.driver;
    wigwag_dialects::peerjs_http(driver.hub(), &driver.dialects().settings().peerjs, ns, below).map(page)
}

/// `/room/{id}/info`, wherever watch-party rooms are.
fn room_info(guide: &Guide, request: &Request, path: &str) -> Option<Response> {
    let found = guide.routes.find(path.strip_suffix("/info")?)?;
    if found.which != Which::One(Dialect::WatchParty) || found.rest.is_empty() {
        return None;
    }
    let ns = namespace(guide, request.uri().query().unwrap_or_default())?;
    let origin = asker(request).into();
    let driver = &guide.driver;
    let info = wigwag_dialects::room_info(driver.hub(), driver.clock().now(), &origin, &ns, &found.rest);
    Some(page(info))
}

/// The namespace that a query names; nothing where what it names is none or is not served.
fn namespace(guide: &Guide, query: &str) -> Option<Namespace> {
    let named = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "ns");
    let rules = guide.driver.hub().rules();
    let ns = match named {
        Some((_, ns)) => Namespace::new(&ns).ok()?,
        None => rules.default_namespace.clone(),
    };
    rules.namespaces.as_ref().is_none_or(|served| served.contains(&ns)).then_some(ns)
}

fn page(answer: HttpAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(CONTENT_TYPE, answer.content_type)], answer.body).into_response()
}

/// Whether a client asks for this kind of answer by name, before any other.
fn prefers(headers: &HeaderMap, kind: &str) -> bool {
    let first = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).and_then(|all| all.split(',').next());
    first.and_then(|first| first.split(';').next()).is_some_and(|first| first.trim().eq_ignore_ascii_case(kind))
}
