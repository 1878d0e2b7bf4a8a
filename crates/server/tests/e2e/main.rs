//! The real binary from outside: peers that keep the rules, peers that break them, operators, disks that fill up,
//! and restarts under load. Every server is a process of its own on a free port, ended with its test.
#![allow(clippy::unwrap_used, unreachable_pub)]
#![allow(clippy::print_stdout, reason = "the harness shows it with a failure")]

mod abuse;
mod conform;
mod dialects;
mod disk;
mod doctor;
mod doors;
mod examples;
mod files;
mod finding;
mod fresh_ice;
mod guide;
mod ice;
mod limits;
#[cfg(target_os = "linux")]
mod load;
mod logs;
mod many;
mod names;
mod native;
mod operator;
mod parties;
mod peerjs;
mod peers;
mod relayed;
mod restart;
mod secret;
mod strain;
#[allow(dead_code, unused_imports, reason = "each module uses its own part")]
mod support;
mod tool;
