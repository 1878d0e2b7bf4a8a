//! The socket layer: listeners, TLS, HTTP upgrades, and one small task per WebSocket.
//!
//! It moves whole messages between the network and whoever stands [`Behind`] a socket, and keeps
//! each socket within its limits. It knows nothing of Wigwag's messages, sessions or rooms: the
//! driver ties it to the hub. Why it looks like this is in `docs/adr/0003-socket-layer.md`.
//!
//! Reading order: [`Behind`] and [`Batch`] are the seam; `task` is what runs per socket;
//! `handle` is what other threads see of it; `later` and `turnstile` are who goes first; [`Sockets`] finds it; [`frame`] is RFC 6455 without
//! input or output; `listen`, `tls`, `tls_stream`, `http` and [`Upgrade`] are the way in,
//! and [`Workers`] the threads behind it.

mod address;
mod batch;
mod door;
pub mod frame;
mod handle;
mod http;
mod lanes;
mod later;
mod limits;
mod listen;
mod metrics;
mod outbox;
pub mod proxy;
mod sockets;
mod stream;
mod sweep;
mod task;
#[cfg(test)]
mod testing;
mod tls;
mod tls_stream;
mod turnstile;
mod upgrade;
mod workers;

use std::io;

pub use address::{PeerAddr, TrustedProxies};
pub use batch::Batch;
pub use door::Door;
pub use frame::Violation;
pub use lanes::{Count, Sums};
pub use limits::{DoorLimits, NetLimits};
pub use listen::Listener;
pub use metrics::{NetMetrics, Reason};
pub use sockets::{Place, Sockets};
pub use stream::Stream;
pub use tls::{Tls, TlsError};
pub use upgrade::{Upgrade, UpgradeRefused};
pub use workers::Workers;

/// What stands behind one socket.
///
/// Called only from that socket's task, one call at a time, and must never block. What it sends
/// through the [`Batch`] leaves at the end of the wake-up, each socket in one write; what it sends
/// to many leaves soon after, each socket in one write with whatever else came for it by then.
pub trait Behind: Send + 'static {
    /// What other threads may [post](Sockets::post) to this socket's task.
    type Mail: Send + 'static;

    /// The socket is open; comes before everything else.
    fn on_open(&mut self, batch: &mut Batch<'_, Self::Mail>) -> Flow;

    /// A whole text message.
    fn on_text(&mut self, text: &str, batch: &mut Batch<'_, Self::Mail>) -> Flow;

    /// A whole binary message.
    fn on_binary(&mut self, bytes: &[u8], batch: &mut Batch<'_, Self::Mail>) -> Flow;

    /// A pong, to a ping of [`Batch::ping`], to the idle sweeper's (empty payload) or to none.
    fn on_pong(&mut self, payload: &[u8], batch: &mut Batch<'_, Self::Mail>) {
        let _ = (payload, batch);
    }

    /// A ping that has been answered already; here so that control frames can be charged too.
    fn on_ping(&mut self, batch: &mut Batch<'_, Self::Mail>) -> Flow {
        let _ = batch;
        Flow::Continue
    }

    /// Mail that some thread posted.
    fn on_mail(&mut self, mail: Self::Mail, batch: &mut Batch<'_, Self::Mail>) -> Flow;

    /// About every [`NetLimits::tick`] while [`Behind::wants_tick`] says so.
    fn on_tick(&mut self, batch: &mut Batch<'_, Self::Mail>) {
        let _ = batch;
    }

    /// Whether [`Behind::on_tick`] is wanted; asked again after each wake-up.
    fn wants_tick(&self) -> bool {
        false
    }

    /// Whether the one behind the socket has yet to show who it is: until then each wake-up waits for its
    /// turn behind those who have.
    fn is_new(&self) -> bool {
        false
    }

    /// The socket takes and gives nothing any more; exactly once, and the last call.
    fn on_close(&mut self, why: Closed, batch: &mut Batch<'_, Self::Mail>);
}

/// Whether a socket goes on reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// Read on.
    Continue,
    /// Read and decode nothing more until an [`Behind::on_mail`] returns [`Flow::Continue`].
    Pause,
}

/// Why a socket came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The peer closed it, with this code if it gave one.
    ByPeer(Option<u16>),
    /// [`Batch::close`] closed it with this code.
    ByUs(u16),
    /// The peer went away without closing.
    Vanished,
    /// Reading or writing failed.
    Failed(io::ErrorKind),
    /// The peer broke the WebSocket protocol.
    Violation(Violation),
    /// More bytes were waiting for the peer than [`NetLimits::queue_bytes`].
    SlowReader,
    /// Nothing was heard of the peer for [`NetLimits::idle_timeout`].
    Idle,
    /// A message stayed unfinished for [`NetLimits::idle_timeout`].
    Stalled,
}
