//! Who has to hear what became of a signal, and what of it is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::stored::Stored;
use crate::ids::SessionId;

/// The sender's session and the number of its request.
pub(crate) type Acked = (SessionId, u64);

/// What is remembered with a frame until its receiver confirms it.
#[derive(Debug)]
pub(crate) enum Receipt {
    /// Nobody asks.
    None,
    /// Relayed data: it has bounds of its own, and its sender finds out by itself what arrived.
    Relayed,
    /// A signal for one session.
    One(Acked),
    /// A signal that several sessions hold, or that is stored, or both.
    Shared(Arc<Shared>),
}

/// A signal in the hands of several. All of them are sessions of one id, so one shard's lock guards them.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Who was told that it is in good hands.
    pub(crate) acked: Option<Acked>,
    /// What the store keeps of it, until a socket is handed it.
    pub(crate) stored: Option<Stored>,
    /// Whether any socket was handed it.
    wired: AtomicBool,
    /// Whether any receiver confirmed it.
    confirmed: AtomicBool,
}

/// A signal that no receiver will confirm any more.
#[derive(Debug)]
pub(crate) struct Loss {
    /// Who should know.
    pub(crate) acked: Option<Acked>,
    /// What the store was asked to keep of it.
    pub(crate) stored: Option<Stored>,
    /// Whether a socket was handed it.
    pub(crate) wired: bool,
}

impl Receipt {
    /// A receipt for one of several copies.
    pub(crate) fn of(shared: &Arc<Shared>) -> Self {
        Self::Shared(shared.clone())
    }

    /// What the store keeps of it.
    pub(crate) fn stored(&self) -> Option<&Stored> {
        match self {
            Self::Shared(shared) => shared.stored.as_ref(),
            _ => None,
        }
    }

    /// A socket is handed it. Answers the number under which it need no longer be stored, the first time.
    pub(crate) fn wired(&self) -> Option<u64> {
        let Self::Shared(shared) = self else { return None };
        let first = !shared.wired.swap(true, Ordering::Relaxed);
        shared.stored.as_ref().filter(|_| first).map(|stored| stored.number)
    }

    /// Its receiver confirms it.
    pub(crate) fn confirmed(&self) {
        if let Self::Shared(shared) = self {
            shared.confirmed.store(true, Ordering::Relaxed);
        }
    }

    /// Its receiver will not confirm it any more. `None`: nobody asks, another holds it still, or another confirmed it.
    pub(crate) fn lost(self) -> Option<Loss> {
        match self {
            Self::None | Self::Relayed => None,
            Self::One(acked) => Some(Loss { acked: Some(acked), stored: None, wired: true }),
            Self::Shared(shared) => {
                let shared = Arc::try_unwrap(shared).ok().filter(|shared| !shared.is_confirmed())?;
                let wired = shared.is_wired();
                Some(Loss { acked: shared.acked, stored: shared.stored, wired })
            }
        }
    }
}

impl Shared {
    pub(crate) fn new(acked: Option<Acked>, stored: Option<Stored>) -> Arc<Self> {
        Arc::new(Self { acked, stored, ..Self::default() })
    }

    /// One read back.
    pub(crate) fn restored(acked: Option<Acked>, stored: Option<Stored>, wired: bool) -> Arc<Self> {
        Arc::new(Self { acked, stored, wired: wired.into(), ..Self::default() })
    }

    pub(crate) fn is_wired(&self) -> bool {
        self.wired.load(Ordering::Relaxed)
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        self.confirmed.load(Ordering::Relaxed)
    }
}
