//! What can happen to a hub: a closed list.

use std::sync::Arc;

use wigwag_wire::request::Heading;
use wigwag_wire::{Code, Namespace, PeerId, Refusal, Request};

use crate::ids::{Party, SocketId};
use crate::output::{CarryStatus, Naming, Place};

/// One thing that happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// A session's request.
    Request {
        /// Who asks.
        who: &'a Arc<Party>,
        /// On which socket.
        socket: SocketId,
        /// From which address, for the miss budget.
        origin: &'a crate::Origin,
        /// The request's number, and what its sender has taken in.
        heading: Heading,
        /// What it asks.
        request: Request<'a>,
    },
    /// A frame of a session was refused before it became a request.
    Unread {
        /// Whose.
        who: &'a Arc<Party>,
        /// On which socket.
        socket: SocketId,
        /// The request's number, where it could be read.
        n: Option<u64>,
        /// Why.
        refusal: Refusal,
    },
    /// A session confirmed this many frames.
    Confirmed {
        /// Which session.
        who: &'a Arc<Party>,
        /// On which socket.
        socket: SocketId,
        /// How many.
        count: u64,
    },
    /// A session's socket is gone.
    Detached {
        /// Which session.
        who: &'a Arc<Party>,
        /// Which socket.
        socket: SocketId,
    },
    /// Answer to [`Ask::Where`](crate::Ask): elsewhere, or nowhere.
    Where {
        /// The namespace.
        ns: Namespace,
        /// The id.
        id: PeerId,
        /// Where it is.
        place: Option<Place>,
    },
    /// Answer to [`Ask::Name`](crate::Ask). It counts even where the socket that asked is gone.
    Named {
        /// What was asked.
        naming: Naming,
        /// Whether it is done and safe.
        result: Result<(), Code>,
    },
    /// Answer to [`Ask::Keep`](crate::Ask).
    Kept {
        /// The stored signal's number.
        number: u64,
        /// The namespace.
        ns: Namespace,
        /// For whom.
        to: PeerId,
        /// Whether it is safe now.
        ok: bool,
    },
    /// A signal from elsewhere.
    Arrived {
        /// The ticket for the receipt.
        ticket: u64,
        /// The namespace.
        ns: Namespace,
        /// For whom.
        to: PeerId,
        /// The signal in the hub's own form.
        record: &'a [u8],
    },
    /// What became of a [`Carry`](crate::Carry).
    Carried {
        /// Its ticket.
        ticket: u64,
        /// The namespace.
        ns: Namespace,
        /// For whom it was.
        to: PeerId,
        /// What became of it.
        status: CarryStatus,
    },
    /// Time passed; do what is due.
    Tick,
}
