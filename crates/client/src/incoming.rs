//! Those who want a connection with us.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::{FuturesUnordered, Stream, unfold};
use tokio::sync::{mpsc, oneshot};
use wigwag_peer::calls::{CallError, KnockId, Remote};
use wigwag_peer::trust::Verified;
use wigwag_rtc::Engine;
use wigwag_wire::{PeerId, PublicKey};

use crate::connection::Connection;
use crate::post::{Letter, OwnEngine, Post};

/// So many that were let in may be on their way at a time; those who come then wait.
const OPENING_MAX: usize = 64;

/// What becomes of those who call while nobody holds an [`Incoming`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unattended {
    /// They are declined at once.
    #[default]
    Decline,
    /// They are declined, unless another program of this identity is here: that one may be whom they want, and the first refusal ends a call.
    /// For programs that share an identity with others, as the commands of one person do.
    LeaveToOthers,
}

/// Those who want a connection, one after the other. While it is there, somebody answers; when it is dropped, it is as [`Unattended`] says.
pub struct Incoming {
    knocks: mpsc::Receiver<Knock>,
    /// Those that [`Incoming::connection`] let in and that are not open yet: one that hangs keeps no other waiting.
    opening: FuturesUnordered<Opening>,
}

type Opening = Pin<Box<dyn Future<Output = Result<Connection, CallError>> + Send>>;

impl Incoming {
    pub(crate) fn new(knocks: mpsc::Receiver<Knock>) -> Self {
        Self { knocks, opening: FuturesUnordered::new() }
    }

    /// The next one; `None` when the client is closed.
    pub async fn next(&mut self) -> Option<Knock> {
        self.knocks.recv().await
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Knock> + Send {
        unfold(self, |mut incoming| async move { incoming.next().await.map(|knock| (knock, incoming)) })
    }

    /// The next connection, from whomever it comes; `None` when the client is closed. Those that do not come about are passed over.
    pub async fn connection(&mut self) -> Option<Connection> {
        loop {
            tokio::select! {
                knock = self.knocks.recv(), if self.opening.len() < OPENING_MAX => self.opening.push(Box::pin(knock?.accept())),
                Some(opened) = self.opening.next() => {
                    if let Ok(connection) = opened {
                        return Some(connection);
                    }
                }
            }
        }
    }
}

/// Somebody who wants a connection. Dropped without an answer, it is declined.
pub struct Knock {
    pub(crate) id: KnockId,
    pub(crate) remote: Remote,
    pub(crate) post: Post,
    pub(crate) answered: bool,
}

impl Knock {
    /// Who.
    pub fn peer(&self) -> &PeerId {
        &self.remote.id
    }

    /// Which of its programs.
    pub fn device(&self) -> &str {
        &self.remote.device
    }

    /// Its key.
    pub fn key(&self) -> &PublicKey {
        &self.remote.key
    }

    /// How sure it is that the key belongs to the id.
    pub fn verified(&self) -> Verified {
        self.remote.verified
    }

    /// What it says, as JSON.
    pub fn meta(&self) -> Option<&str> {
        self.remote.meta.as_deref().map(serde_json::value::RawValue::get)
    }

    /// Lets it in. Returns when the connection is open, or with the reason why it is not.
    pub async fn accept(self) -> Result<Connection, CallError> {
        self.accept_over(None).await
    }

    /// Lets it in over an engine of its own, instead of the client's.
    pub async fn accept_with(self, engine: impl Engine) -> Result<Connection, CallError> {
        self.accept_over(Some(Arc::new(engine))).await
    }

    async fn accept_over(mut self, engine: OwnEngine) -> Result<Connection, CallError> {
        self.answered = true;
        let (reply, answer) = oneshot::channel();
        let sent = self.post.send(Letter::Accept { knock: self.id, engine, reply }).await;
        sent.map_err(|_| CallError::Closed)?;
        answer.await.unwrap_or(Err(CallError::Closed))
    }

    /// Does not let it in, and tells it why.
    pub async fn decline(mut self, why: &str) {
        self.answered = true;
        let _ = self.post.send(Letter::Decline(self.id, why.to_owned())).await;
    }
}

impl Drop for Knock {
    fn drop(&mut self) {
        if !self.answered {
            // Where the driver has no room for it, the one who knocks hears nothing, and gives up in time.
            let _ = self.post.try_send(Letter::Decline(self.id, String::new()));
        }
    }
}

impl std::fmt::Debug for Knock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Knock").field(&self.remote.id).finish()
    }
}
