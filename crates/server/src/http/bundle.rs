//! Files that are built in and belong together, with one name for them all: the hash of all their texts.
//!
//! Below that name they are kept for ever, because a new build has another name, and no page ever mixes two of them.

use aws_lc_rs::digest::{Context, SHA256};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use wigwag_wire::Code;

use super::ApiError;

/// For addresses that name no build: kept, and asked for again each time.
pub(super) const REVALIDATE: HeaderValue = HeaderValue::from_static("public, no-cache");

/// For addresses that name their build.
const KEEP: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Some files and their common name.
pub(super) struct Bundle {
    files: &'static [(&'static str, &'static str)],
    build: String,
}

impl Bundle {
    /// The bundle of these names and texts.
    pub(super) fn new(files: &'static [(&'static str, &'static str)]) -> Self {
        let mut hash = Context::new(&SHA256);
        for (name, text) in files {
            hash.update(format!("{name}\n{}\n", text.len()).as_bytes());
            hash.update(text.as_bytes());
        }
        Self { files, build: HEXLOWER.encode(&hash.finish().as_ref()[..8]) }
    }

    /// The name of this build of them.
    pub(super) fn build(&self) -> &str {
        &self.build
    }

    /// A file as it is now.
    pub(super) fn file(&self, name: &str, asked: &HeaderMap) -> Response {
        self.find(name).map_or_else(not_found, |text| self.answer(asked, name, text, REVALIDATE))
    }

    /// A file of a build, if it is this one.
    pub(super) fn file_of_build(&self, build: &str, name: &str, asked: &HeaderMap) -> Response {
        let found = self.find(name).filter(|_| build == self.build);
        found.map_or_else(not_found, |text| self.answer(asked, name, text, KEEP))
    }

    /// An answer with this text, or with none where the asker has it.
    pub(super) fn answer(
        &self,
        asked: &HeaderMap,
        name: &str,
        text: impl IntoResponse,
        caching: HeaderValue,
    ) -> Response {
        let tag = format!("\"{}\"", self.build);
        let known = asked.get_all(IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok()).any(|tags| {
            tags.split(',').map(|known| known.trim().trim_start_matches("W/")).any(|known| known == tag || known == "*")
        });
        let mut response = if known { StatusCode::NOT_MODIFIED.into_response() } else { text.into_response() };
        let headers = response.headers_mut();
        if !known {
            let css = name.ends_with(".css");
            let kind = if css { "text/css; charset=utf-8" } else { "text/javascript; charset=utf-8" };
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        headers.insert(CACHE_CONTROL, caching);
        if let Ok(tag) = HeaderValue::try_from(tag) {
            headers.insert(ETAG, tag);
        }
        response
    }

    fn find(&self, name: &str) -> Option<&'static str> {
        self.files.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }
}

fn not_found() -> Response {
    ApiError::new(Code::NotFound, "There is no such file in this build.").into_response()
}
