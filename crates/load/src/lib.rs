//! Thousands of peers in one thread, that register with a server and set up calls through it: what `wigwag load` and
//! the bench put on a server.
//!
//! It measures from outside and never judges whether a server is right; tests do that. It shares the words of the protocol
//! with the server and nothing else, and waits for its sockets with epoll, so it runs on Linux only.
#![cfg(target_os = "linux")]

mod calls;
mod crowd;
pub mod frames;
mod latency;
mod poll;
mod socket;
mod target;
mod tongue;

pub use self::calls::{MESSAGES_PER_CALL, Pace, Plan, Ran, Rhythm, run};
pub use self::crowd::{Crowd, Noted};
pub use self::latency::Latency;
pub use self::poll::{Poll, precise_timers, raise_descriptors};
pub use self::socket::Socket;
pub use self::target::Target;
pub use self::tongue::{Heard, Tongue};
