//! HTTP as its users meet it: the real router behind the real door, over real sockets, on a desk made of tables.
#![allow(clippy::unwrap_used)]

mod api;
mod client;
mod desk;
mod open;
mod origins;
mod page;
mod sdk;
