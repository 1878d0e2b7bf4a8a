//! The operator's door, `/api/v1`: who is here, who must go, and what is logged. There only if a token is set.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Digest, SHA256, digest};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use bytes::Bytes;
use http::StatusCode;
use http::header::AUTHORIZATION;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tracing::info;
use wigwag_wire::{Code, Limits, Namespace, PeerId, RoomName};

use super::{ApiError, Ban, NewBan, Page, RoomDetail, SessionFilter, SessionInfo, Site, Subject};
use crate::log::Hashed;

/// Items of a list whose asker names no number.
const PAGE_LIMIT_DEFAULT: usize = 100;
/// Most items of one answer.
const PAGE_LIMIT_MAX: usize = 1000;
/// The longest reason for a ban.
const REASON_BYTES_MAX: usize = 500;

/// The bearer token, kept as its hash: comparing hashes of equal length takes the same time wherever they differ.
pub(super) struct Token(Digest);

impl Token {
    pub(super) fn new(token: &str) -> Self {
        Self(digest(&SHA256, token.as_bytes()))
    }

    fn is(&self, offered: &str) -> bool {
        let offered = digest(&SHA256, offered.as_bytes());
        verify_slices_are_equal(self.0.as_ref(), offered.as_ref()).is_ok()
    }
}

/// The routes, behind the token.
pub(super) fn routes(site: &Arc<Site>) -> Router<Arc<Site>> {
    Router::new()
        .route("/sessions", get(sessions))
        .route("/sessions/{session}", get(session).delete(kick))
        .route("/rooms", get(rooms))
        .route("/rooms/{namespace}/{room}", get(room).delete(close_room))
        .route("/bans", get(bans).post(ban))
        .route("/bans/{number}", delete(unban))
        .route("/limits", get(limits))
        .route("/drain", post(drain))
        .route("/log", get(log).put(set_log))
        .route_layer(from_fn_with_state(Arc::clone(site), bearer))
}

async fn bearer(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let offered = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let offered =
        offered.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match (&site.admin, offered) {
        (Some(token), Some((_, offered))) if token.is(offered.trim()) => next.run(request).await,
        _ => ApiError::token_refused().into_response(),
    }
}

#[derive(Deserialize)]
struct SessionsQuery {
    namespace: Option<Namespace>,
    id: Option<PeerId>,
    #[serde(default)]
    after: String,
    limit: Option<usize>,
}

async fn sessions(State(site): State<Arc<Site>>, query: Asked<SessionsQuery>) -> Result<Response, ApiError> {
    let Asked(query) = query;
    let filter = SessionFilter { namespace: query.namespace, id: query.id };
    let page = page(query.after, query.limit);
    let sessions = site.desk.sessions(&filter, &page).await?;
    let next = full(&sessions, &page).map(|last| last.session.clone());
    Ok(Json(json!({"sessions": sessions, "next": next})).into_response())
}

async fn session(State(site): State<Arc<Site>>, At(name): At<String>) -> Result<Json<SessionInfo>, ApiError> {
    site.desk.session(&name).await?.map(Json).ok_or_else(|| no("session"))
}

async fn kick(State(site): State<Arc<Site>>, At(name): At<String>) -> Result<StatusCode, ApiError> {
    done(site.desk.kick(&name).await?, "session")?;
    info!(session = %Hashed(&name), "the operator ended a session");
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct RoomsQuery {
    namespace: Option<Namespace>,
    #[serde(default)]
    after: String,
    limit: Option<usize>,
}

async fn rooms(State(site): State<Arc<Site>>, query: Asked<RoomsQuery>) -> Result<Response, ApiError> {
    let Asked(query) = query;
    let page = page(query.after, query.limit);
    let rooms = site.desk.rooms(query.namespace.as_ref(), &page).await?;
    let next = full(&rooms, &page).map(|last| format!("{}/{}", last.namespace, last.room));
    Ok(Json(json!({"rooms": rooms, "next": next})).into_response())
}

async fn room(
    State(site): State<Arc<Site>>,
    At((namespace, name)): At<(Namespace, RoomName)>,
) -> Result<Json<RoomDetail>, ApiError> {
    site.desk.room(&namespace, &name).await?.map(Json).ok_or_else(|| no("room"))
}

async fn close_room(
    State(site): State<Arc<Site>>,
    At((namespace, name)): At<(Namespace, RoomName)>,
) -> Result<StatusCode, ApiError> {
    done(site.desk.close_room(&namespace, &name).await?, "room")?;
    info!(room = %Hashed(name.as_str()), "the operator closed a room");
    Ok(StatusCode::NO_CONTENT)
}

async fn bans(State(site): State<Arc<Site>>) -> Result<Response, ApiError> {
    Ok(Json(json!({"bans": site.desk.bans().await?})).into_response())
}

#[derive(Deserialize)]
struct BanBody {
    subject: Subject,
    seconds: Option<u64>,
    #[serde(default)]
    reason: String,
}

async fn ban(State(site): State<Arc<Site>>, Body(body): Body<BanBody>) -> Result<(StatusCode, Json<Ban>), ApiError> {
    if body.reason.len() > REASON_BYTES_MAX {
        let message = format!("`reason` must not be longer than {REASON_BYTES_MAX} bytes");
        return Err(ApiError::new(Code::BadField, message));
    }
    let ban = NewBan { subject: body.subject, seconds: body.seconds, reason: body.reason };
    let ban = site.desk.ban(ban).await?;
    info!(ban = ban.number, "the operator put a ban");
    Ok((StatusCode::CREATED, Json(ban)))
}

async fn unban(State(site): State<Arc<Site>>, At(number): At<u64>) -> Result<StatusCode, ApiError> {
    done(site.desk.unban(number).await?, "ban")?;
    info!(ban = number, "the operator lifted a ban");
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Serialize)]
struct Limit {
    key: &'static str,
    value: u64,
    default: u64,
    off: bool,
    unit: &'static str,
    code: u16,
    meaning: &'static str,
}

async fn limits(State(site): State<Arc<Site>>) -> Response {
    let values = site.desk.limits().values();
    let limit = |(row, (_, value)): (&wigwag_wire::limits::LimitRow, (&str, u64))| Limit {
        key: row.key,
        value,
        default: row.default,
        off: value == 0,
        unit: row.unit,
        code: row.code.number(),
        meaning: row.doc,
    };
    let limits: Vec<Limit> = Limits::ROWS.iter().zip(values).map(limit).collect();
    Json(json!({"limits": limits})).into_response()
}

async fn drain(State(site): State<Arc<Site>>) -> Response {
    info!("the operator asked to drain");
    site.desk.drain();
    (StatusCode::ACCEPTED, Json(json!({"draining": true}))).into_response()
}

async fn log(State(site): State<Arc<Site>>) -> Response {
    Json(json!({"filter": site.logs.filter()})).into_response()
}

#[derive(Deserialize)]
struct LogBody {
    filter: String,
}

async fn set_log(State(site): State<Arc<Site>>, Body(body): Body<LogBody>) -> Result<Response, ApiError> {
    site.logs.set_filter(&body.filter).map_err(|why| ApiError::new(Code::BadField, why.to_string()))?;
    info!(filter = body.filter, "the operator changed what is logged");
    Ok(log(State(site)).await)
}

fn page(after: String, limit: Option<usize>) -> Page {
    Page { after, limit: limit.unwrap_or(PAGE_LIMIT_DEFAULT).clamp(1, PAGE_LIMIT_MAX) }
}

/// The last item of a page, if there may be another page.
fn full<'a, T>(items: &'a [T], page: &Page) -> Option<&'a T> {
    items.last().filter(|_| items.len() >= page.limit)
}

fn no(thing: &str) -> ApiError {
    ApiError::new(Code::NotFound, format!("There is no such {thing}."))
}

fn done(was_there: bool, thing: &str) -> Result<(), ApiError> {
    if was_there { Ok(()) } else { Err(no(thing)) }
}

/// The variable parts of the address.
struct At<T>(T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for At<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut http::request::Parts, state: &S) -> Result<Self, ApiError> {
        let Path(value) =
            Path::from_request_parts(parts, state).await.map_err(|why: PathRejection| ApiError::from(why))?;
        Ok(Self(value))
    }
}

/// What stands behind the question mark.
struct Asked<T>(T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut http::request::Parts, state: &S) -> Result<Self, ApiError> {
        let Query(value) =
            Query::from_request_parts(parts, state).await.map_err(|why: QueryRejection| ApiError::from(why))?;
        Ok(Self(value))
    }
}

/// A body of JSON, whatever its media type claims.
struct Body<T>(T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state).await.map_err(|why| match why.status() {
            StatusCode::PAYLOAD_TOO_LARGE => ApiError::from(Code::TooLarge),
            status => ApiError::new(Code::Malformed, "The body broke off.").with_status(status),
        })?;
        let value = serde_json::from_slice(&bytes).map_err(|why| match why.classify() {
            serde_json::error::Category::Data => ApiError::new(Code::BadField, why.to_string()),
            _ => ApiError::new(Code::Malformed, format!("The body is not JSON: {why}")),
        })?;
        Ok(Self(value))
    }
}
