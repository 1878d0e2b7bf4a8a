//! Builders and guards that tests share: keys made of a number, hellos that prove themselves, transcripts that prove, and the vectors of `spec/`.
//! Nothing here runs outside tests, waits, or knows a socket; a failure is a panic that says what was expected.
//! `wire` owns the types, `conform` the patterns and the player; the hub and the server bring their own worlds for the transcripts to play in.

pub mod hello;
pub mod keys;
pub mod spec;
pub mod transcript;

pub use hello::HelloFrame;
pub use keys::TestKey;
pub use transcript::{Transcript, World};
pub use wigwag_conform::Bindings;
