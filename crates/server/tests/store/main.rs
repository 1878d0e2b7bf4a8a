//! The promises of the store, each tried from outside.

#![allow(clippy::unwrap_used)]

#[cfg(target_os = "linux")]
mod disasters;
mod faults;
mod names;
mod others;
mod signals;
mod snapshots;
mod support;
