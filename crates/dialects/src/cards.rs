//! The public keys that peers show of themselves. Nobody proved them; whoever calls a peer reads them before it answers.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use wigwag_hub::{Party, SessionId};

/// By session: as many as there are sessions, and gone with them.
#[derive(Debug, Default)]
pub(crate) struct Cards(Mutex<BTreeMap<SessionId, Box<str>>>);

impl Cards {
    /// This session shows this key from now on.
    pub(crate) fn show(&self, who: &Party, key: &str) {
        self.0.lock().insert(who.session, key.into());
    }

    /// It shows none any more.
    pub(crate) fn hide(&self, who: &Party) {
        self.0.lock().remove(&who.session);
    }

    /// Whether nobody shows any.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// What a session shows.
    pub(crate) fn of(&self, session: SessionId) -> Option<Box<str>> {
        self.0.lock().get(&session).cloned()
    }
}
