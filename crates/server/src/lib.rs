//! The parts of the binary `wigwag`: configuration, command line, HTTP, logs and metrics around the hub.
//!
//! This crate owns everything that touches the world: the clock, the sockets, the disk. It decides nothing that
//! the hub can decide.

pub mod cli;
pub mod config;
mod descriptors;
pub mod dialects;
pub mod driver;
pub mod http;
pub mod log;
pub mod memory;
pub mod metrics;
pub mod net;
pub mod run;
pub mod store;
pub mod version;
