//! A Wigwag peer as pure machines: what a native client decides, without a clock, a socket or any chance but what it is handed.
//!
//! [`Line`] is one peer's line to one server out of several: it connects, proves itself, counts what it takes in, resumes, backs off,
//! and carries requests to their answers. `sdk/web/machine.js` is its sister in browsers, and both replay the same transcripts.
//! [`Calls`](calls::Calls) finds out with peers, over the server and without trusting it, whose key is whose and what both want, and lets an engine
//! on either side come to a connection.
//! [`Race`](finding::Race) asks several finders where a peer is. [`Meeting`](meeting::Meeting) is how two go on that came together by a code.
//! `wire` gives it its words. Whoever drives it has the sockets, the clock and the keys; a WebRTC engine, or anything else that moves
//! bytes from peer to peer, stands behind the driver too.

mod advice;
pub mod calls;
mod dice;
pub mod finding;
mod frame;
pub mod heard;
mod identity;
mod json;
mod line;
pub mod meeting;
mod outbox;
mod place;
pub mod relay;
pub mod sealed;
pub mod secret;
mod standing;
mod terms;
mod time;
pub mod trust;

pub use advice::{Advice, LOST, code_name};
pub use dice::Dice;
pub use frame::{BadBody, Body, Frame, Refused};
pub use identity::{Identity, Signer, verify};
pub use line::{Line, NoServer};
pub use place::Server;
pub use standing::Standing;
pub use terms::{AskId, Asked, Config, GivenUp, Hello, Input, Output, SocketId, State, Status, Times};
pub use time::Moment;
