//! Configuration: one table of keys, and the layers that fill it.
//!
//! [`KEYS`] holds every key once: its type, its default, its documentation. The TOML file, the
//! `WIGWAG_…` environment, `--set`, `wigwag config print`, `wigwag config check` and the reference page are all
//! made from that table. [`load`] lays flags over environment over file over defaults and reports every problem
//! it meets, each with its place. Nothing here opens a socket or decides what a setting does.

mod check;
mod compat;
mod dialects;
mod keys;
mod load;
mod print;
mod problem;
mod types;
mod value;

pub use compat::{Compat, peerjs_path};
pub use dialects::{DialectListen, DialectName, DialectPath, RootDialect};
pub use keys::{
    Admin, Auth, Config, Dialects, Ice, KEYS, Key, Log, Networks, PeerJs, Presence, Rooms, Server, Tls, key,
};
pub use load::{Flag, Loaded, Origin, Sources, load};
pub use print::{default_toml, effective_toml, markdown};
pub use problem::{Place, Problem, Problems};
pub use types::{Data, Listen, LogFormat, OriginPattern, PublicUrl, Secret, TrustProxy};
pub use value::{Raw, Setting};
