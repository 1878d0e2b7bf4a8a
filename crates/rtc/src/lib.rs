//! WebRTC for native programs: connections with data channels that understand browsers.
//!
//! [`Engine`] is what any WebRTC engine gives; [`Native`] is the one there is, `str0m` on the sockets of this machine. [`pc`] is the pure
//! part of it, which opens no socket and reads no clock.
//!
//! Names under `.local`, behind which browsers hide the addresses of their machine, are not looked up: such candidates are passed over. A
//! browser in the same network reaches us nevertheless, because it knows our addresses, and its checks say where it is.
//!
//! It carries descriptions and candidates nowhere, knows no peers and no servers but STUN and TURN, and never decides who gives way when
//! two offers cross: that is the business of the machines that stand on it.

mod channel;
mod description;
mod driver;
mod engine;
mod error;
mod event;
mod ice_url;
mod inbox;
mod line;
pub mod pc;
mod settings;

pub use channel::{ChannelInit, Message, Reliability};
pub use description::{Candidate, Description, Kind};
pub use driver::Native;
pub use engine::{Engine, Event, Events, Order, Orders, PeerConnection, Teller};
pub use error::Error;
pub use event::{IceState, Path, Reason, Stats};
pub use ice_url::IceUrl;
pub use inbox::Messages;
pub use line::{Channel, LineEnd, Parcel};
pub use settings::{
    CHANNELS_MAX, FAILED_AFTER, IceServer, Loopback, MESSAGE_BYTES_MAX, Policy, Settings, UNREAD_BYTES_MAX,
    UNSENT_BYTES_MAX,
};
