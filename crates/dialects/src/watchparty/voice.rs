//! Events of a room as its users are told them.

use bytes::Bytes;
use wigwag_hub::{Frames, Party, RoomView, Scene, Voice};
use wigwag_wire::Event;
use wigwag_wire::event::{HostWhy, Left, MemberChange, RoomChanged, RoomHost, RoomJoined};

use super::names::{is_user, room_id, user_id};
use super::state::{RoomState, User};
use super::words::{Leaving, Said, System};
use crate::dialect::own_frame;

/// Writes what happens in rooms.
pub(crate) struct WatchPartyVoice;

impl Voice for WatchPartyVoice {
    fn frames(&self, event: &Event<'_>, to: &Party, scene: Scene<'_>) -> Frames {
        match (event, scene.room) {
            (Event::RoomJoined(told), Some(room)) => one(joined(told, to, room).at(scene.now)),
            (Event::RoomMember(told), Some(room)) => member(&told.change, room, scene),
            (Event::RoomChanged(told), Some(room)) => changed(told, room, scene),
            (Event::RoomHost(told), _) => host(told).map(|said| said.at(scene.now)).into_iter().collect(),
            (Event::RoomLeft(told), _) => {
                one(Said::Error { error: sent_out(told.why), details: told.reason }.at(scene.now))
            }
            (Event::Signal(signal), _) => {
                // Only who is in the room says it in these words; strangers of other protocols are not for its users.
                let own = own_frame(signal.foreign, to);
                own.map(|own| Bytes::from(own.to_owned())).into_iter().collect()
            }
            (Event::Error(refused), _) => one(Said::Error { error: refused.message, details: None }.at(scene.now)),
            _ => Frames::new(),
        }
    }
}

fn one(frame: Bytes) -> Frames {
    Frames::from_iter([frame])
}

fn joined<'a>(told: &'a RoomJoined<'_>, to: &'a Party, room: &'a dyn RoomView) -> Said<'a> {
    let (room_id, user_id, room_state) = (room_id(told.room), user_id(&to.id), RoomState::of(room));
    // The first host's first entry is the making of the room.
    if told.term == 1 && told.members.is_empty() {
        Said::RoomCreated { room_id, user_id, room_state }
    } else {
        Said::RoomJoined { room_id, user_id, room_state }
    }
}

fn member(change: &MemberChange<'_>, room: &dyn RoomView, scene: Scene<'_>) -> Frames {
    let (room_id, room_state) = (room_id(room.name()), RoomState::of(room));
    let said = match change {
        MemberChange::Joined(member) => {
            Said::UserJoined { room_id, user_id: System, joined_user: User::of(member, room.host()), room_state }
        }
        MemberChange::Left { id, why, next_host, .. } => {
            let new_host_id = next_host.map(user_id);
            let leaving = Leaving { room_id, user_id: System, left_user_id: user_id(id), room_state, new_host_id };
            if *why == Left::Left { Said::UserLeft(leaving) } else { Said::UserDisconnected(leaving) }
        }
        MemberChange::Updated(member) if is_user(room.name(), member.id) => {
            let user = User::of(member, room.host());
            Said::UserRenamed { user_id: user_id(member.id), new_user_name: user.into_name(), room_state }
        }
        MemberChange::Updated(_) => return Frames::new(),
    };
    one(said.at(scene.now))
}

fn changed(told: &RoomChanged<'_>, room: &dyn RoomView, scene: Scene<'_>) -> Frames {
    let mut frames = Frames::new();
    if told.new_meta {
        let room_state = RoomState::of(room);
        frames.push(Said::RoomRenamed { new_room_name: room_state.name().to_owned(), room_state }.at(scene.now));
    }
    if told.new_mode {
        frames.push(Said::ControlModeChanged { mode: told.mode, room_state: RoomState::of(room) }.at(scene.now));
    }
    frames
}

fn host<'a>(told: &'a RoomHost<'_>) -> Option<Said<'a>> {
    // Who follows a host that went is told with its going.
    let new_host_id = (told.why != HostWhy::Succeeded).then(|| user_id(told.host.id))?;
    Some(Said::HostChanged { new_host_id, previous_host_id: told.previous.map(user_id).unwrap_or_default() })
}

fn sent_out(why: Left) -> &'static str {
    match why {
        Left::Idle => "Inactive for too long",
        Left::Closed => "Room closed",
        _ => "Removed from room",
    }
}
