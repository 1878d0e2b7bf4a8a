//! Whole conversations with a server as data, patterns for what it says, and the player that compares the two.
//! The transcripts of the dialects are built in, so that any server can be asked, by its URL, which promises it keeps. The player itself
//! decides nothing and knows no socket: it leads a [`World`], which may be a pure machine at a table or, with the feature `live`, a real server.
//! The commands around it live in `server`; test keys and the native protocol's transcripts in `testkit`.

#[cfg(feature = "live")]
pub mod live;
pub mod pattern;
pub mod player;
mod raw;
pub mod scripts;
pub mod transcript;

pub use pattern::Bindings;
pub use player::World;
pub use scripts::{DIALECTS, Dialect, Script, scripts};
pub use transcript::Transcript;
