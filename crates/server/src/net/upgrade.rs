//! From an HTTP request to a socket: the checks of the opening handshake, and the hand-over.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{Method, StatusCode, Version};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tungstenite::handshake::derive_accept_key;
use wigwag_hub::SocketId;

use super::sockets::{Place, Sockets};
use super::stream::Stream;
use super::{Behind, NetMetrics, task};

/// A request that asks for a WebSocket and may have one.
///
/// No extension is ever agreed to, so no message is compressed.
#[derive(Debug)]
pub struct Upgrade {
    accept: HeaderValue,
    offered: Vec<String>,
    on_upgrade: OnUpgrade,
}

/// Why a request cannot become a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeRefused {
    /// The method is not GET.
    #[error("a WebSocket begins with GET")]
    Method,
    /// The request does not ask for a WebSocket at all.
    #[error("this address speaks WebSocket")]
    NotAsked,
    /// The version is not 13.
    #[error("only WebSocket version 13 is spoken")]
    Version,
    /// The key is missing or not 16 bytes in base64.
    #[error("Sec-WebSocket-Key is missing or malformed")]
    Key,
    /// The request has a body, which would be taken for frames.
    #[error("a request for a WebSocket has no body")]
    Body,
    /// The connection underneath cannot be taken over.
    #[error("this connection cannot be upgraded")]
    Connection,
    /// All sockets are taken.
    #[error("no socket is free")]
    Full,
}

impl Upgrade {
    /// Checks the request and takes from it what the upgrade needs.
    pub fn from_parts<M>(parts: &mut Parts, sockets: &Sockets<M>) -> Result<Self, UpgradeRefused> {
        Self::check(parts).inspect_err(|refused| refused.count(sockets.metrics()))
    }

    /// [`Upgrade::from_parts`] for a whole request, whose body is not used.
    pub fn from_request<M>(request: Request, sockets: &Sockets<M>) -> Result<Self, UpgradeRefused> {
        Self::from_parts(&mut request.into_parts().0, sockets)
    }

    /// The subprotocols that the client offers, its favourite first.
    pub fn offered(&self) -> impl Iterator<Item = &str> {
        self.offered.iter().map(String::as_str)
    }

    /// Answers with the switch of protocols; once it has happened, `make` makes what stands behind
    /// the socket and the socket's task starts.
    ///
    /// If the client is gone by then, `make` is dropped without being called.
    pub fn accept<B: Behind>(
        self,
        sockets: &Arc<Sockets<B::Mail>>,
        protocol: Option<&str>,
        make: impl FnOnce(SocketId) -> B + Send + 'static,
    ) -> Result<Response, UpgradeRefused> {
        let place = sockets.reserve().ok_or_else(|| {
            UpgradeRefused::Full.count(sockets.metrics());
            UpgradeRefused::Full
        })?;
        let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept);
        if let Some(value) = protocol.and_then(|p| HeaderValue::from_str(p).ok()) {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, value);
        }
        let on_upgrade = self.on_upgrade;
        tokio::spawn(async move {
            // An error means that the client went away between its request and our answer.
            if let Ok(upgraded) = on_upgrade.await {
                hand_over(upgraded, place, make);
            }
        });
        Ok(response)
    }

    fn check(parts: &mut Parts) -> Result<Self, UpgradeRefused> {
        if parts.method != Method::GET {
            return Err(UpgradeRefused::Method);
        }
        let headers = &parts.headers;
        if parts.version != Version::HTTP_11
            || !has_token(headers, &CONNECTION, "upgrade")
            || !has_token(headers, &UPGRADE, "websocket")
        {
            return Err(UpgradeRefused::NotAsked);
        }
        if only(headers, &SEC_WEBSOCKET_VERSION).is_none_or(|v| v != "13") {
            return Err(UpgradeRefused::Version);
        }
        if headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|n| n != "0") {
            return Err(UpgradeRefused::Body);
        }
        let key = only(headers, &SEC_WEBSOCKET_KEY)
            .map(|key| key.as_bytes().trim_ascii())
            .filter(|key| is_sixteen_bytes(key))
            .ok_or(UpgradeRefused::Key)?;
        let accept = HeaderValue::try_from(derive_accept_key(key)).map_err(|_| UpgradeRefused::Key)?;
        let offered = tokens(headers, &SEC_WEBSOCKET_PROTOCOL).map(str::to_owned).collect();
        let on_upgrade = parts.extensions.remove::<OnUpgrade>().ok_or(UpgradeRefused::Connection)?;
        Ok(Self { accept, offered, on_upgrade })
    }
}

impl UpgradeRefused {
    /// The HTTP status that says so.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAsked | Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Key | Self::Body => StatusCode::BAD_REQUEST,
            Self::Connection => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Full => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The headers that belong to that status; a caller that writes its own body adds them.
    pub fn headers(self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        match self {
            Self::Method => {
                headers.insert(http::header::ALLOW, HeaderValue::from_static("GET"));
            }
            Self::NotAsked | Self::Version => {
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            Self::Key | Self::Body | Self::Connection | Self::Full => {}
        }
        headers
    }

    fn count(self, metrics: &NetMetrics) {
        let reason = match self {
            Self::Method => "method",
            Self::NotAsked => "not_asked",
            Self::Version => "version",
            Self::Key => "key",
            Self::Body => "body",
            Self::Connection => "connection",
            Self::Full => "full",
        };
        NetMetrics::count(&metrics.upgrades_refused, reason);
    }
}

impl IntoResponse for UpgradeRefused {
    fn into_response(self) -> Response {
        (self.status(), self.headers(), self.to_string()).into_response()
    }
}

fn hand_over<B: Behind>(upgraded: Upgraded, place: Place<B::Mail>, make: impl FnOnce(SocketId) -> B) {
    match upgraded.downcast::<TokioIo<Stream>>() {
        Ok(parts) => {
            let leftover = parts.read_buf;
            task::spawn(place, parts.io.into_inner(), &leftover, make);
        }
        Err(_) => tracing::error!("an upgraded connection is none of ours"),
    }
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|t| t.eq_ignore_ascii_case(token))
}

/// The comma-separated words of all headers of a name.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).into_iter();
    values.next().filter(|_| values.next().is_none())
}

fn is_sixteen_bytes(base64: &[u8]) -> bool {
    data_encoding::BASE64.decode(base64).is_ok_and(|bytes| bytes.len() == 16)
}
