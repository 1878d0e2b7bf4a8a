//! The server as pure machines: sessions, directory, rooms, topics, networks, swarms, admission.

mod ids;

pub use ids::SocketId;
