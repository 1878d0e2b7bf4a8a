//! The engine on the real network of this machine: its loopback.

#![allow(clippy::unwrap_used, unreachable_pub)]

mod code;
mod loopback;
mod moved;
mod support;
mod turn;
