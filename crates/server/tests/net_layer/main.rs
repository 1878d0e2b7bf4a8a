//! The socket layer over real loopback sockets: the promises it makes to whoever stands behind a
//! socket, and what it does to peers that do not keep the rules.
#![allow(clippy::unwrap_used, clippy::print_stderr, unreachable_pub)]

mod client;
mod door;
mod fan_out;
mod limits;
mod process;
mod protocol;
mod seam;
mod server;
mod tls;
mod upgrade;
mod workers;
