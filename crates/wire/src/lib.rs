//! The words of the Wigwag protocol: ids, messages, codes, limits and signatures.
//! A value that parses is valid, so nobody downstream checks again; there is no state here and no clock, and nothing that waits.
//! `hub` gives the words their effect, `server` carries them, and `spec/` says what they mean.

pub mod code;
pub mod event;
pub mod foreign;
pub mod id;
pub mod key;
pub mod limits;
pub mod raw;
pub mod request;
pub mod room_code;
mod scan;
pub mod sight;
pub mod signature;

pub use code::{Class, Code, Refusal};
pub use event::Event;
pub use foreign::Foreign;
pub use id::{Device, IdError, Kind, Namespace, NetworkName, PeerId, RoomName, SwarmName, Topic};
pub use key::PublicKey;
pub use limits::Limits;
pub use request::Request;
pub use room_code::RoomCode;

/// The WebSocket subprotocol of this version, and its name in `challenge` and `welcome`.
pub const VERSION: &str = "wigwag.1";
