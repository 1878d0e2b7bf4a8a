//! One HTTP connection: hyper in front of the router, with the peer's address in each request.

use std::pin::pin;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::watch;

use super::DoorLimits;
use super::address::{PeerAddr, TrustedProxies};
use super::stream::Stream;

/// Serves one connection until it ends or is upgraded; after `stop` it ends with the answer that
/// is under way.
pub(crate) async fn serve(
    stream: Stream,
    peer: PeerAddr,
    router: Router,
    trusted: &TrustedProxies,
    limits: &DoorLimits,
    mut stop: watch::Receiver<bool>,
) -> Result<(), hyper::Error> {
    let router = TowerToHyperService::new(router);
    let service = service_fn(|mut request: Request<Incoming>| {
        let from = trusted.resolve(peer, request.headers());
        request.extensions_mut().insert(from);
        router.call(request)
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_buf_size(limits.header_bytes)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    tokio::select! {
        result = &mut connection => return result,
        _ = stop.wait_for(|stop| *stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}
