//! What the hub wants done: a closed list, in order, for the shell to carry out.

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use wigwag_wire::code::Code;
use wigwag_wire::request::NameOp;
use wigwag_wire::{Namespace, PeerId, PublicKey};

use crate::ids::{DialectId, Party, SocketId};
use crate::time::Wall;

/// One thing to do.
#[derive(Clone, Debug)]
pub enum Output {
    /// Append a text frame to a socket's outbox.
    Send {
        /// The socket.
        socket: SocketId,
        /// The text; shared by all who receive the same.
        frame: Bytes,
    },
    /// Ping a socket with this count; the pong comes back as [`Received::Pong`](crate::Received).
    Mark {
        /// The socket.
        socket: SocketId,
        /// The count of frames sent.
        count: u64,
    },
    /// Close a socket after what waits in its outbox, and take no more frames from it.
    Close {
        /// The socket.
        socket: SocketId,
        /// The close code; 1005 stands for a close without one.
        code: u16,
        /// The close reason.
        reason: &'static str,
    },
    /// Ask outside; the answer comes back as an [`Input`](crate::Input) or to the [`Connection`](crate::Connection).
    Ask(Ask),
    /// Stored signals that need no longer be kept.
    Forget(Vec<u64>),
    /// A signal for a peer elsewhere.
    Carry(Carry),
    /// What became of a signal that came from elsewhere.
    Receipt {
        /// The ticket it came with.
        ticket: u64,
        /// What became of it.
        status: CarryStatus,
    },
}

/// A frame that somebody else holds.
#[derive(Clone, Copy, Debug)]
pub enum Frame<'a> {
    /// Lent until the call returns.
    Lent(&'a [u8]),
    /// Shared by all who receive the same.
    Shared(&'a Bytes),
}

impl Frame<'_> {
    /// The frame for longer: shared if it can be, else copied.
    pub fn keep(self) -> Bytes {
        match self {
            Self::Lent(bytes) => Bytes::copy_from_slice(bytes),
            Self::Shared(bytes) => bytes.clone(),
        }
    }
}

impl Deref for Frame<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Lent(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// A question that only the world outside the hub can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// May this key speak for this name? Bind it if nobody does. Answered to the socket's connection.
    Claim {
        /// The socket that waits.
        socket: SocketId,
        /// The namespace.
        ns: Namespace,
        /// The name.
        name: PeerId,
        /// The key.
        key: PublicKey,
    },
    /// Does no key speak for this name? Answered to the socket's connection: a dialect may use it then.
    Free {
        /// The socket that waits.
        socket: SocketId,
        /// The namespace.
        ns: Namespace,
        /// The name.
        name: PeerId,
    },
    /// Change the keys of a name, if the acting key speaks for it. Answered by [`Input::Named`](crate::Input).
    Name(Naming),
    /// Where is this id? Answered by [`Input::Where`](crate::Input).
    Where {
        /// The namespace.
        ns: Namespace,
        /// The id.
        id: PeerId,
    },
    /// Keep this durably. Answered by [`Input::Kept`](crate::Input).
    Keep(Keep),
}

/// A change of the keys that speak for a session's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    /// Whose session asks: its id is the name.
    pub who: Arc<Party>,
    /// The number of its request.
    pub n: Option<u64>,
    /// The key that signed.
    pub acting: PublicKey,
    /// What to do.
    pub op: NameOp,
    /// With which key.
    pub key: PublicKey,
}

/// A stored signal on its way to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Its number; unique for ever within a store.
    pub number: u64,
    /// The namespace.
    pub ns: Namespace,
    /// For whom.
    pub to: PeerId,
    /// Until when.
    pub expires: Wall,
    /// The signal in the hub's own form.
    pub record: Bytes,
}

/// A signal for a peer elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carry {
    /// Where to.
    pub place: Place,
    /// To be given back with the receipt.
    pub ticket: u64,
    /// The namespace.
    pub ns: Namespace,
    /// The receiver.
    pub to: PeerId,
    /// The signal in the hub's own form.
    pub record: Bytes,
}

/// A place that is not this hub, as the shell numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u64);

/// What became of a signal elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CarryStatus {
    /// Handed to a socket.
    Delivered,
    /// Kept for a session that may come back.
    Held,
    /// Nobody there.
    Absent,
    /// Refused.
    Refused(Code),
}

/// Something worth counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// A request came in: its place in [`wigwag_wire::request::TYPES`].
    Request(DialectId, u8),
    /// An event went out: its place in [`wigwag_wire::event::TYPES`].
    Event(DialectId, u8),
    /// Something was refused.
    Refused(Code),
    /// Data was relayed: how many bytes it cost.
    Relayed(u32),
    /// A session went on, and how many frames were replayed.
    Resumed(u32),
    /// A session began.
    Began,
    /// A session ended.
    Ended,
}

/// Where the hub puts what it wants done. Called while locks are held: an implementation only appends.
pub trait Outputs {
    /// To be done, after everything emitted before.
    fn emit(&mut self, output: Output);

    /// A text frame for a socket, in its turn like everything emitted.
    fn send(&mut self, socket: SocketId, frame: Frame<'_>) {
        self.emit(Output::Send { socket, frame: frame.keep() });
    }

    /// To be counted.
    fn note(&mut self, _note: Note) {}
}

impl Outputs for Vec<Output> {
    fn emit(&mut self, output: Output) {
        self.push(output);
    }
}
