//! The way in: from an HTTP request to a socket, or to a refusal that costs little.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use wigwag_dialects::{Conversation, Dialect, Which};
use wigwag_wire::code::Code;
use wigwag_wire::{Refusal, VERSION};

use super::Driver;
use super::socket::{Admitted, Peer};
use crate::dialects::Found;
use crate::http::{ApiError, Readiness};
use crate::net::{PeerAddr, Upgrade};

/// When to try again at a server that starts or drains.
const COME_BACK_MS: u64 = 1_000;

/// Upgrades a request to a native socket.
pub async fn connect(
    State(driver): State<Arc<Driver>>,
    Extension(from): Extension<PeerAddr>,
    request: Request,
) -> Result<Response, ApiError> {
    takes_peers(&driver)?;
    let upgrade = Upgrade::from_request(request, &driver.sockets)?;
    let offers: Vec<&str> = upgrade.offered().collect();
    let protocol = offers.contains(&VERSION).then_some(VERSION);
    if protocol.is_none() && !offers.is_empty() {
        return Err(ApiError::from(Code::VersionUnsupported).with_status(StatusCode::BAD_REQUEST));
    }
    let admitted = admit(&driver, from)?;
    Ok(upgrade.accept(&driver.sockets, protocol, move |id| Peer::native(id, admitted))?)
}

/// Upgrades a request to a socket that speaks a dialect.
pub fn connect_foreign(
    driver: &Arc<Driver>,
    from: PeerAddr,
    request: Request,
    found: Found,
) -> Result<Response, ApiError> {
    let which = found.which.clone();
    connect_in_dialect(driver, from, request, found).map_err(|error| match which {
        // Its clients take no other status for a refusal.
        Which::One(Dialect::Matchbox) if error.is_refusal() => error.with_status(StatusCode::UNAUTHORIZED),
        _ => error,
    })
}

fn connect_in_dialect(
    driver: &Arc<Driver>,
    from: PeerAddr,
    request: Request,
    found: Found,
) -> Result<Response, ApiError> {
    takes_peers(driver)?;
    let arrival = found.arrive(request.uri().query().unwrap_or_default())?;
    Conversation::may_open(&driver.hub, &arrival)?;
    let upgrade = Upgrade::from_request(request, &driver.sockets)?;
    let admitted = admit(driver, from)?;
    Ok(upgrade.accept(&driver.sockets, None, move |id| Peer::foreign(id, admitted, arrival))?)
}

/// Whether this is the time to come in.
fn takes_peers(driver: &Driver) -> Result<(), ApiError> {
    match driver.readiness() {
        Readiness::Ready => Ok(()),
        Readiness::Starting | Readiness::Draining => Err(Refusal::from(Code::Restarting).after(COME_BACK_MS).into()),
    }
}

fn admit(driver: &Arc<Driver>, from: PeerAddr) -> Result<Admitted, ApiError> {
    let pass = driver.hub.admit(driver.clock.now(), from.into())?;
    Ok(Admitted { pass: Some(pass), driver: Arc::clone(driver) })
}
