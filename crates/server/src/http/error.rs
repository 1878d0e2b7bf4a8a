//! Errors over HTTP: the status for HTTP, and in the body the same object as a native `error` message.

use std::borrow::Cow;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use wigwag_wire::event::{ErrorEvent, Event};
use wigwag_wire::{Class, Code, Refusal};

use crate::net::UpgradeRefused;

/// A refusal on its way to an HTTP client.
#[derive(Clone, Debug)]
pub struct ApiError {
    refusal: Refusal,
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl ApiError {
    /// A refusal that says more than its code does by itself.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Refusal::new(code, message).into()
    }

    /// Whether the server could have taken the request and would not, rather than failing at it.
    pub fn is_refusal(&self) -> bool {
        matches!(self.refusal.code.class(), Class::Stop | Class::Mend | Class::Prove)
    }

    /// With another status than the code's own.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// For a bearer token that is missing or wrong.
    pub(super) fn token_refused() -> Self {
        let mut error = Self::from(Code::TokenRefused);
        error.headers.push((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"wigwag\"")));
        error
    }

    /// For a method that an address does not have.
    pub(super) fn method_refused(allow: Option<HeaderValue>) -> Self {
        let mut error = Self::from(Code::MethodRefused);
        error.headers.extend(allow.map(|allow| (ALLOW, allow)));
        error
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self { status: status(refusal.code), refusal, headers: Vec::new() }
    }
}

impl From<Code> for ApiError {
    fn from(code: Code) -> Self {
        Refusal::from(code).into()
    }
}

impl From<UpgradeRefused> for ApiError {
    fn from(refused: UpgradeRefused) -> Self {
        let code = match refused {
            UpgradeRefused::Method => Code::MethodRefused,
            UpgradeRefused::NotAsked | UpgradeRefused::Version | UpgradeRefused::Key | UpgradeRefused::Body => {
                Code::Malformed
            }
            UpgradeRefused::Connection => Code::Internal,
            UpgradeRefused::Full => Code::Overloaded,
        };
        let mut error = Self::new(code, refused.to_string()).with_status(refused.status());
        error.headers = refused.headers().into_iter().filter_map(|(name, value)| Some((name?, value))).collect();
        error
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::new(Code::BadField, format!("The address is malformed: {}", rejection.body_text()))
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(Code::BadField, rejection.body_text())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let event = Event::Error(ErrorEvent::new(None, &self.refusal));
        // A struct of numbers and text always serialises.
        let body = serde_json::to_string(&event).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.extend(self.headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(ms) = self.refusal.retry_after {
            headers.insert(RETRY_AFTER, ms.div_ceil(1000).into());
        }
        // Read by the layer that counts refusals.
        response.extensions_mut().insert(self.refusal.code);
        response
    }
}

/// The status that says to HTTP what the code says to Wigwag.
fn status(code: Code) -> StatusCode {
    match code {
        Code::GuestRefused | Code::NamespaceRefused | Code::NotAllowed => StatusCode::FORBIDDEN,
        Code::NameTaken | Code::RoomExists => StatusCode::CONFLICT,
        Code::VersionUnsupported => StatusCode::BAD_REQUEST,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::MethodRefused => StatusCode::METHOD_NOT_ALLOWED,
        Code::TooManyHandshakes | Code::StoreUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Unreachable => StatusCode::GATEWAY_TIMEOUT,
        _ => match code.class() {
            Class::ComeBack => StatusCode::SERVICE_UNAVAILABLE,
            Class::Wait => StatusCode::TOO_MANY_REQUESTS,
            Class::Prove => StatusCode::UNAUTHORIZED,
            Class::Stop => StatusCode::FORBIDDEN,
            Class::Mend => StatusCode::BAD_REQUEST,
            Class::Server => StatusCode::INTERNAL_SERVER_ERROR,
        },
    }
}
