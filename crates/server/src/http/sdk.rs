//! The browser SDK, built into the server, so that a page's client always fits the server that it talks to.
//!
//! `/wigwag.js` is asked for anew each time and leads to the modules under `/wigwag/` and the hash of them all, which
//! are kept for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::Response;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::bundle::{Bundle, REVALIDATE};

/// `GET /wigwag.js`.
pub(super) async fn entry(headers: HeaderMap) -> Response {
    let text = format!("export * from './wigwag/{}/index.js';\n", SDK.build());
    for_every_page(SDK.answer(&headers, "wigwag.js", text, REVALIDATE))
}

/// `GET /wigwag/{file}`: a module as it is now.
pub(super) async fn module(Path(file): Path<String>, headers: HeaderMap) -> Response {
    for_every_page(SDK.file(&file, &headers))
}

/// `GET /wigwag/{build}/{file}`: a module of this build.
pub(super) async fn module_of_build(Path((build, file)): Path<(String, String)>, headers: HeaderMap) -> Response {
    for_every_page(SDK.file_of_build(&build, &file, &headers))
}

const MODULES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/modules.rs"));

static SDK: LazyLock<Bundle> = LazyLock::new(|| Bundle::new(MODULES));

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Lets pages that keep themselves apart from other origins load the modules all the same.
fn for_every_page(mut response: Response) -> Response {
    if !response.status().is_client_error() {
        response.headers_mut().insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    }
    response
}
