//! The native client of Wigwag: any two programs find each other and connect, whatever lies between them.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use wigwag::{Message, Wigwag};
//!
//! let w = Wigwag::builder().server("wigwag.example.org").open().await?;
//! println!("I am {}", w.id());
//!
//! let bob = w.connect("bob@example.org").await?;
//! bob.send("hello").await?;
//! while let Some(message) = bob.recv().await {
//!     if let Message::Text(text) = message {
//!         println!("{text}");
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! Whole programs are in the folder `examples`: a chat without a server in the middle (`chat`), a place to drop files (`drop`), a game that outlives its host (`game`), a program
//! and a web page that talk (`page`).
//!
//! Where no path leads from one to the other, messages go by way of the server, sealed, until one does ([`Connection::path`],
//! [`Builder::relay`]). Two that have no server meet by codes that people carry ([`Builder::codes`]); [`Wigwag::search`] asks several ways to
//! find a peer as one call. [`FilePins`] holds names to their keys from run to run.
//!
//! Here are sockets, a clock and tasks around two sets of rules that stand elsewhere: `wigwag-peer` decides what is said to servers and peers,
//! `wigwag-rtc` carries the bytes. A [`Wigwag`] is a handle on one task; clones are handles on the same one, and when the last is dropped the
//! session ends. Futures that are dropped call off what they waited for.

mod asking;
mod builder;
mod codes;
mod connection;
mod driver;
mod error;
mod event;
mod file_pins;
pub mod files;
mod finders;
mod handle;
mod incoming;
mod link;
mod pins;
mod post;
mod room;
mod server;
mod socket;

pub use builder::Builder;
pub use codes::{AnswerCode, CodeError, Codes, OfferCode};
pub use connection::{Channel, Connection, Ended, Message};
pub use error::{AskError, OpenError, SendError};
pub use event::{Event, Events, Found, PeerState};
pub use file_pins::{FilePins, PinsError};
pub use finders::{Answer, FindError, Finder, NotFound, Progress, Search, Sighted, Sighting, Task, Tried};
pub use handle::{Connecting, Wigwag};
pub use incoming::{Incoming, Knock, Unattended};
pub use room::{JoinOptions, Member, Room, RoomEvent, RoomEvents, RoomView};
pub use server::{BadServer, address};
pub use wigwag_discovery::code::ReadError as BadCode;
pub use wigwag_peer::calls::{At, CallError, ConnectionState, RelayUse};
pub use wigwag_peer::finding::{Order, PeerRecord};
pub use wigwag_peer::heard::{DeliveryHeard as Delivery, PartyHeard as Party};
pub use wigwag_peer::trust::{MemoryPins, Pins, Verified};
pub use wigwag_peer::{Identity, Refused, Signer, State, Status};
pub use wigwag_rtc::pc::Transport as IceTransport;
pub use wigwag_rtc::{ChannelInit, Engine, IceServer, IceUrl, Loopback, Native, Path, Policy, Reliability, Stats};
pub use wigwag_wire::request::Mode;
pub use wigwag_wire::{PeerId, PublicKey};
