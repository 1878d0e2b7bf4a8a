//! The dialects at a table: real conversations on a real hub, without sockets.

#![allow(clippy::unwrap_used)]

mod manamesh;
mod matchbox;
mod peerjs;
mod sniff;
mod table;
mod tom;
mod tracker;
mod transcripts;
mod trystero;
mod volli;
mod watchparty;
mod yjs;
