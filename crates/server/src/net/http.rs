//! One HTTP connection: hyper in front of the router, with the peer's address in each request.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use bytes::Bytes;
use hyper::Request;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

use super::address::PeerAddr;
use super::door::Door;
use super::stream::Stream;

/// Serves one connection until it ends or is upgraded; after `stop` it ends with the answer that
/// is under way.
pub(crate) async fn serve(
    stream: Stream,
    peer: PeerAddr,
    door: &Door,
    mut stop: watch::Receiver<bool>,
) -> Result<(), hyper::Error> {
    let limits = &door.limits;
    let router = TowerToHyperService::new(door.router.clone());
    let service = service_fn(|mut request: Request<Incoming>| {
        let from = door.trusted.resolve(peer, request.headers());
        request.extensions_mut().insert(from);
        router.call(request.map(|body| Patient::new(body, limits.body_timeout)))
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_buf_size(limits.header_bytes.max(8 * 1024))
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

/// A request's body that fails when nothing of it arrives for a while.
struct Patient {
    body: Incoming,
    patience: Duration,
    /// Runs while the next piece is awaited.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    fn new(body: Incoming, patience: Duration) -> Self {
        Self { body, patience, deadline: None }
    }
}

impl Body for Patient {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.deadline = None;
            return Poll::Ready(frame.map(|result| result.map_err(Into::into)));
        }
        let deadline = this.deadline.get_or_insert_with(|| Box::pin(sleep(this.patience)));
        deadline.as_mut().poll(cx).map(|()| Some(Err("the request's body does not arrive".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
