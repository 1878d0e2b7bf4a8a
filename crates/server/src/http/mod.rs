//! HTTP.

mod desk;

pub use desk::{
    Answer, Ban, Counts, Desk, MemberInfo, NewBan, Page, Readiness, RoomDetail, RoomInfo, SessionFilter, SessionInfo,
    Subject,
};
