//! The server as pure machines: sessions, directory, rooms, topics, networks, swarms, admission.
//! It decides who is who, who is where and who hears what; it knows no clock, no socket and no randomness but what it is handed.
//! `wire` gives it its words, `server` carries out what it puts into [`Outputs`], and `dialects` will speak to it in other tongues.

mod admission;
mod connection;
mod cx;
mod foreign;
mod groups;
mod hub;
mod ice;
mod ids;
mod input;
mod limiter;
mod lock;
mod output;
mod peers;
mod rules;
mod sessions;
mod tallies;
mod time;
mod voice;

pub use admission::{BadPrefix, Origin, Pass, Prefix};
pub use connection::{Claimed, Connection, Received};
pub use foreign::{Foreigner, Holder, SwarmCounts};
pub use groups::rooms::{PartyInfo, RoomDetail, RoomInfo, RoomMemberInfo};
pub use hub::Hub;
pub use ids::{DialectId, GroupKey, GroupKind, Party, SessionId, SocketId};
pub use input::Input;
pub use limiter::{Limiter, Rate};
pub use output::{Ask, Carry, CarryStatus, Frame, Keep, Naming, Note, Output, Outputs, Place};
pub use peers::{Counts, SessionFilter, SessionInfo};
pub use rules::{IceRules, RoomRules, Rules};
pub use sessions::{RestoreError, Snapshot};
pub use time::{Moment, Now, Wall};
pub use voice::{Frames, Native, RoomView, Scene, Voice};
