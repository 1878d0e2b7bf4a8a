//! A shard's rooms, written out and read back. Monotonic times are written as spans, for the clock begins anew.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wigwag_wire::event::{Left, Presence};
use wigwag_wire::request::Mode;
use wigwag_wire::{Namespace, PeerId, RoomCode, RoomName};

use super::Rooms;
use super::codes::JoinCode;
use super::options::{Options, Password};
use super::room::{Member, Room};
use crate::cx::Cx;
use crate::ids::{Party, SessionId};
use crate::tallies::up;
use crate::time::{Moment, Now, Wall};

/// For how long the host from before a restart is host again on coming back.
const HEIR_MS: u64 = 300_000;

/// The rooms of one shard, written out.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RoomsSnapshot {
    rooms: Vec<RoomSnapshot>,
}

#[derive(Serialize, Deserialize)]
struct RoomSnapshot {
    ns: Namespace,
    name: RoomName,
    members: Vec<MemberSnapshot>,
    host: Option<SessionId>,
    term: u64,
    last_host: Option<PeerId>,
    mode: Mode,
    locked: bool,
    listed: bool,
    capacity: u32,
    password: Option<Password>,
    meta: Option<String>,
    linger_ms: u64,
    idle_ms: u64,
    bans: BTreeSet<PeerId>,
    state: Option<String>,
    code: Option<CodeSnapshot>,
    /// Milliseconds that the empty room has left.
    ends_ms: Option<u64>,
    #[serde(default = "unknown")]
    made: Wall,
    #[serde(default = "unknown")]
    active: Wall,
    heir: Option<PeerId>,
}

#[derive(Serialize, Deserialize)]
struct MemberSnapshot {
    party: Arc<Party>,
    joined: Wall,
    me: Option<String>,
    away: bool,
}

#[derive(Serialize, Deserialize)]
struct CodeSnapshot {
    code: String,
    left_ms: u64,
    told: Wall,
}

impl Rooms {
    /// Writes all rooms out.
    pub(crate) fn snapshot(&self, cx: &Cx<'_>) -> RoomsSnapshot {
        let rooms = self.worlds.values().flat_map(|world| world.rooms.values());
        RoomsSnapshot { rooms: rooms.map(|room| write(room, cx.now.at)).collect() }
    }

    /// Reads them back. Sessions are there already; a member without one is gone, and the others hear of it.
    pub(crate) fn restore(&mut self, cx: &mut Cx<'_>, snapshot: RoomsSnapshot) {
        for saved in snapshot.rooms {
            let (ns, name) = (saved.ns.clone(), saved.name.clone());
            let mut room = read(saved, cx.now);
            let mut lost = BTreeSet::new();
            for member in &mut room.members {
                match cx.party(member.session) {
                    Some(party) => member.party = party,
                    None => {
                        lost.insert(member.session);
                    }
                }
            }
            if let Some(host) =
                room.host.as_ref().filter(|host| lost.contains(&host.session)).map(|host| host.id.clone())
            {
                room.inherit(cx.now.at, &host, cx.now.at + HEIR_MS);
            }
            up(&cx.hub.tallies().rooms);
            room.remove(cx, |member| lost.contains(&member.session), Left::Gone, None);
            if room.host.is_none() {
                room.succeed(cx);
            }
            room.expect_life(cx.now.at);
            self.place(room);
            self.settle(cx, &ns, &name);
        }
    }
}

fn write(room: &Room, now: Moment) -> RoomSnapshot {
    let options = &room.options;
    let members = room.members.iter().map(|member| MemberSnapshot {
        party: Arc::clone(&member.party),
        joined: member.joined,
        me: text(member.me.as_deref()),
        away: member.state == Presence::Away,
    });
    RoomSnapshot {
        ns: room.key.ns.clone(),
        name: room.name.clone(),
        members: members.collect(),
        host: room.host.as_ref().map(|host| host.session),
        term: room.term,
        last_host: room.last_host.clone(),
        mode: options.mode,
        locked: options.locked,
        listed: options.listed,
        capacity: options.capacity,
        password: options.password.clone(),
        meta: text(options.meta.as_deref()),
        linger_ms: options.linger_ms,
        idle_ms: options.idle_ms,
        bans: room.bans.clone(),
        state: text(room.state.as_deref()),
        code: room.code.as_ref().map(|code| CodeSnapshot {
            code: code.code.as_str().to_owned(),
            left_ms: code.expires - now,
            told: code.told,
        }),
        ends_ms: room.ends.map(|ends| ends - now),
        made: room.made,
        active: room.active,
        heir: room.heir.as_ref().filter(|(_, until)| now <= *until).map(|(heir, _)| heir.clone()),
    }
}

fn read(saved: RoomSnapshot, now: Now) -> Room {
    let options = Options {
        mode: saved.mode,
        locked: saved.locked,
        listed: saved.listed,
        capacity: saved.capacity,
        password: saved.password,
        meta: content(saved.meta),
        linger_ms: saved.linger_ms,
        idle_ms: saved.idle_ms,
    };
    let mut room = Room::new(saved.ns, saved.name, options, saved.made);
    let members = saved.members.into_iter().map(|member| Member {
        session: member.party.session,
        party: member.party,
        joined: member.joined,
        me: content(member.me),
        state: if member.away { Presence::Away } else { Presence::Here },
        // Nobody could give a sign of life while the server was down.
        heard: now.at,
    });
    room.active = saved.active;
    room.members = members.collect();
    room.host = room.members.iter().find(|member| Some(member.session) == saved.host).map(|m| Arc::clone(&m.party));
    room.term = saved.term;
    room.last_host = saved.last_host;
    room.bans = saved.bans;
    room.state = content(saved.state);
    room.code = saved.code.and_then(|saved| {
        // Never good for longer than was told, however long the server was down.
        let left = saved.left_ms.min(saved.told.0.saturating_sub(now.wall.0));
        Some(JoinCode { code: RoomCode::parse(&saved.code)?, expires: now.at + left, told: saved.told })
    });
    room.heir = saved.heir.map(|heir| (heir, now.at + HEIR_MS));
    room.ends = saved.ends_ms.map(|left| now.at + left);
    room
}

/// Of a room that an earlier version wrote out.
fn unknown() -> Wall {
    Wall(0)
}

fn text(raw: Option<&RawValue>) -> Option<String> {
    raw.map(|raw| raw.get().to_owned())
}

fn content(text: Option<String>) -> Option<Box<RawValue>> {
    text.and_then(|text| RawValue::from_string(text).ok())
}
