//! PeerJs.
