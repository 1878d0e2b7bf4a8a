//! Builders and guards that tests share: keys made of a number, hellos that prove themselves, patterns for frames, and the vectors of `spec/`.
//! Nothing here runs outside tests, waits, or knows a socket; a failure is a panic that says what was expected.
//! `wire` owns the types; the hub, the server and the simulator bring their own worlds for the transcripts to play in.

pub mod hello;
pub mod keys;
pub mod pattern;
pub mod spec;
pub mod transcript;

pub use hello::HelloFrame;
pub use keys::TestKey;
pub use pattern::Bindings;
pub use transcript::{Transcript, World};
