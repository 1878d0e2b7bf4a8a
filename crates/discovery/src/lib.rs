//! Ways for peers to find each other beside asking a server; so far, codes that people carry by hand.
//! Pure: bytes and descriptions go in and come out. It opens no socket, knows no clock, rolls no dice and gathers no candidates.
//! The client that drives a WebRTC stack with this is a neighbour; the words between peers and servers are in `wigwag-wire`.

pub mod code;
