//! One party's standing with the server. It outlives any socket.

use std::sync::Arc;

use wigwag_wire::event::Presence;
use wigwag_wire::{PeerId, PublicKey};

use super::queue::Queue;
use crate::ids::{GroupKey, Party, SocketId};
use crate::limiter::Limiter;
use crate::time::{Moment, Wall};

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) party: Arc<Party>,
    pub(crate) key: Option<PublicKey>,
    /// The socket, while there is one.
    pub(crate) socket: Option<SocketId>,
    /// Since when there is none.
    pub(crate) detached: Option<Moment>,
    /// What the others are told.
    pub(crate) state: Presence,
    /// The hash of the resume token and the unconfirmed frames; absent for a session that ends with its socket.
    pub(crate) resume: Option<Box<Resumable>>,
    /// The `n` of the last request taken in.
    pub(crate) last_n: Option<u64>,
    pub(crate) groups: Vec<GroupKey>,
    pub(crate) watching: Vec<Watching>,
    pub(crate) began: Wall,
    pub(crate) broadcasts: Limiter,
    /// Whether a timer for the next mark is set.
    pub(crate) mark_due: bool,
}

/// What makes a session outlive its socket.
#[derive(Debug)]
pub(crate) struct Resumable {
    pub(crate) token_hash: [u8; 16],
    pub(crate) queue: Queue,
}

/// One watched id, and the newest presence that was told of it.
#[derive(Debug)]
pub(crate) struct Watching {
    pub(crate) id: PeerId,
    pub(crate) revision: u64,
}
