//! What can go wrong, in words for a person.

/// Why something on a connection was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The connection or the channel is closed.
    #[error("this connection is not open")]
    Closed,
    /// A description cannot be used.
    #[error("the other end's description cannot be used: {0}")]
    Description(String),
    /// A message has nothing in it, which the engine has no way to send.
    #[error("an empty message cannot be sent: say something in it")]
    Empty,
    /// An answer came that answers no offer of ours, or not the last one.
    #[error("an answer came to an offer that is not outstanding")]
    Stale,
    /// There is nothing that would need an offer.
    #[error("there is nothing to offer: open a channel first, or restart the search for a path")]
    Nothing,
    /// A message is larger than the other end takes.
    #[error("one message may have {most} bytes, and this one has {size}")]
    TooLarge {
        /// What it has.
        size: usize,
        /// What it may have.
        most: usize,
    },
    /// A channel cannot be opened so.
    #[error("this channel cannot be opened: {0}")]
    Channel(&'static str),
    /// The machine gave us no socket.
    #[error("no network socket could be opened: {0}")]
    Network(String),
}
