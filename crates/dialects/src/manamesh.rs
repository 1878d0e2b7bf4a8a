//! ManaMesh: rooms in which the newcomer makes the offers. They are the native rooms of the namespace, so native peers and those of
//! other dialects with rooms may be in them. The hub knows who is in which; here is only which room a socket speaks of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wigwag_hub::{Frames, Party, RoomView, Scene, Voice};
use wigwag_wire::event::{Left, MemberChange};
use wigwag_wire::raw::Content;
use wigwag_wire::request::RoomOnly;
use wigwag_wire::{Event, Namespace, PeerId, Request, RoomName};

use crate::dialect::own_frame;
use crate::http::HttpAnswer;
use crate::json::{Text, frame, present, read};
use crate::turn::{Interpreter, Turn};

pub(crate) const TYPES: &[&str] = &["join", "offer", "answer", "ice-candidate", "leave", "other"];

/// Kinds of signals: as ManaMesh says them, and as everybody else does.
const KINDS: &[(&str, &str)] = &[("offer", "offer"), ("answer", "answer"), ("ice-candidate", "candidate")];

const NOT_A_MESSAGE: &str = "Invalid message format";
const NOT_IN_A_ROOM: &str = "Not in a room";

/// One socket.
#[derive(Default)]
pub(crate) struct ManaMesh {
    party: Option<Arc<Party>>,
    room: Option<RoomName>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, rename = "roomId")]
    room: Option<Text<'a>>,
    #[serde(borrow, rename = "peerId")]
    peer: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    payload: Option<&'a RawValue>,
}

impl Interpreter for ManaMesh {
    fn heard(&mut self, turn: &mut Turn<'_>, text: &str) {
        let message = read::<Message<'_>>(text);
        turn.count(message.as_ref().map_or("", |message| &message.kind));
        let Some(message) = message else { return turn.answer(error(NOT_A_MESSAGE)) };
        match &*message.kind {
            "join" => self.join(turn, message.room.as_deref()),
            "leave" => self.leave(turn),
            kind => match KINDS.iter().find(|(own, _)| *own == kind) {
                Some((own, everybodys)) => self.relay(turn, own, everybodys, &message),
                None => turn.answer(error("Unknown message type")),
            },
        }
    }

    fn closed(&mut self, turn: &mut Turn<'_>) {
        // The hub tells the others when the session ends.
        self.forget_room(turn);
    }
}

impl ManaMesh {
    fn join(&mut self, turn: &mut Turn<'_>, room: Option<&str>) {
        let Some(room) = room.and_then(|room| RoomName::new(room).ok()) else {
            return turn.answer(error("Missing or invalid roomId"));
        };
        if self.room.as_ref() != Some(&room) {
            self.leave(turn);
        }
        let party = match turn.unnamed(&mut self.party) {
            Ok(party) => party.clone(),
            Err(refusal) => return turn.answer(error(&refusal.message)),
        };
        match turn.enter_room(&party, &room) {
            Ok(()) if self.room.is_none() => {
                turn.dialects.manamesh.entered(turn.ns(), &room);
                self.room = Some(room);
            }
            // It joined the room that it was in, and was told again who is there.
            Ok(()) => {}
            Err(refusal) => turn.answer(error(&refusal.message)),
        }
    }

    fn leave(&mut self, turn: &mut Turn<'_>) {
        if let (Some(room), Some(party)) = (self.forget_room(turn), &self.party) {
            // Refused where it is out of the room already, which is what it wants.
            let _ = turn.request(party, &Request::RoomLeave(RoomOnly { room }));
        }
    }

    fn relay(&mut self, turn: &mut Turn<'_>, own: &str, everybodys: &str, message: &Message<'_>) {
        let (Some(party), Some(room)) = (&self.party, &self.room) else { return turn.answer(error(NOT_IN_A_ROOM)) };
        if message.room.as_ref().is_some_and(|named| named != room.as_str()) {
            return turn.answer(error(NOT_IN_A_ROOM));
        }
        let Some(payload) = message.payload else { return turn.answer(error(NOT_A_MESSAGE)) };
        let receivers = |room: &dyn RoomView| receivers(room, party, message.peer.as_deref());
        let Some(receivers) = turn.hub.view_room(turn.ns(), room, receivers).flatten() else {
            // Somebody sent it away.
            self.forget_room(turn);
            return turn.answer(error(NOT_IN_A_ROOM));
        };
        let frame = relayed(own, &party.id, payload.into());
        for to in receivers {
            // Who is just gone is passed over in silence, as the dialect has it.
            let _ = turn.signal(party, to.as_str(), everybodys, payload, &frame);
        }
    }

    fn forget_room(&mut self, turn: &mut Turn<'_>) -> Option<RoomName> {
        let room = self.room.take()?;
        turn.dialects.manamesh.left(turn.ns(), &room);
        Some(room)
    }
}

/// Whom of a room a signal is for; nothing where its sender is not in it.
fn receivers(room: &dyn RoomView, from: &Party, peer: Option<&str>) -> Option<Vec<PeerId>> {
    let (mut is_member, mut ids) = (false, Vec::new());
    room.members(&mut |member| {
        if *member.id == from.id {
            is_member = true;
        } else if peer.is_none_or(|peer| peer == member.id.as_str()) {
            ids.push(member.id.clone());
        }
    });
    is_member.then(|| distinct(ids))
}

/// Several devices are one peer.
fn distinct(mut ids: Vec<PeerId>) -> Vec<PeerId> {
    let mut known = BTreeSet::new();
    ids.retain(|id| known.insert(id.clone()));
    ids
}

/// Writes what happens in rooms.
pub(crate) struct ManaMeshVoice;

#[derive(Serialize)]
struct Joined<'a> {
    r#type: &'static str,
    #[serde(rename = "peerId")]
    peer: &'a PeerId,
    #[serde(rename = "roomId")]
    room: &'a RoomName,
    peers: &'a [PeerId],
}

#[derive(Serialize)]
struct Peer<'a> {
    r#type: &'static str,
    #[serde(rename = "peerId")]
    peer: &'a PeerId,
}

#[derive(Serialize)]
struct Relayed<'a> {
    r#type: &'a str,
    #[serde(rename = "peerId")]
    peer: &'a PeerId,
    payload: Content<'a>,
}

#[derive(Serialize)]
struct Error<'a> {
    r#type: &'static str,
    message: &'a str,
}

impl Voice for ManaMeshVoice {
    fn frames(&self, event: &Event<'_>, to: &Party, scene: Scene<'_>) -> Frames {
        let written = match event {
            Event::RoomJoined(joined) => {
                let others = joined.members.iter().filter(|member| *member.id != to.id);
                let peers = distinct(others.map(|member| member.id.clone()).collect());
                Some(frame(&Joined { r#type: "joined", peer: &to.id, room: joined.room, peers: &peers }))
            }
            Event::RoomMember(told) => match &told.change {
                // Only the first device of a peer comes, and only the last one goes.
                MemberChange::Joined(member) if seats(scene, member.id) <= 1 => {
                    Some(frame(&Peer { r#type: "peer-joined", peer: member.id }))
                }
                MemberChange::Left { id, .. } if seats(scene, id) == 0 => {
                    Some(frame(&Peer { r#type: "peer-left", peer: id }))
                }
                _ => None,
            },
            Event::RoomLeft(left) => Some(error(match left.why {
                Left::Closed => "The room was closed",
                _ => "You were sent out of the room",
            })),
            Event::Signal(signal) => match own_frame(signal.foreign, to) {
                Some(own) => Some(own.to_owned().into()),
                None => KINDS
                    .iter()
                    .find(|(_, everybodys)| *everybodys == signal.kind)
                    .map(|(own, _)| relayed(own, signal.from, signal.data).into()),
            },
            Event::Error(refused) => Some(error(refused.message)),
            _ => None,
        };
        written.into_iter().collect()
    }
}

/// How many members of the room have this id.
fn seats(scene: Scene<'_>, id: &PeerId) -> usize {
    let mut seats = 0;
    if let Some(room) = scene.room {
        room.members(&mut |member| seats += usize::from(member.id == id));
    }
    seats
}

fn relayed(kind: &str, from: &PeerId, payload: Content<'_>) -> String {
    // Serialising texts and what was JSON already cannot fail.
    serde_json::to_string(&Relayed { r#type: kind, peer: from, payload }).unwrap_or_default()
}

fn error(message: &str) -> Bytes {
    frame(&Error { r#type: "error", message })
}

/// How many sockets are in which rooms, counted because whoever may read `GET /stats` must not make the hub count.
#[derive(Debug, Default)]
pub(crate) struct Census(Mutex<BTreeMap<Namespace, Rooms>>);

#[derive(Debug, Default)]
struct Rooms {
    /// Never empty ones.
    rooms: BTreeMap<RoomName, u64>,
    peers: u64,
}

/// What `GET /stats` tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SignalingCounts {
    /// Rooms with a ManaMesh peer in them.
    pub rooms: u64,
    /// ManaMesh peers in rooms.
    pub peers: u64,
}

impl SignalingCounts {
    /// The answer to `GET /stats`.
    pub fn page(self) -> HttpAnswer {
        #[derive(Serialize)]
        struct Page {
            status: &'static str,
            signaling: SignalingCounts,
        }
        HttpAnswer::json(200, &Page { status: "healthy", signaling: self })
    }
}

impl Census {
    /// The counts of a namespace.
    pub(crate) fn counts(&self, ns: &Namespace) -> SignalingCounts {
        let all = self.0.lock();
        all.get(ns).map_or_else(SignalingCounts::default, |of| SignalingCounts {
            rooms: of.rooms.len() as u64,
            peers: of.peers,
        })
    }

    /// Whether nobody is in any room.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    fn entered(&self, ns: &Namespace, room: &RoomName) {
        let mut all = self.0.lock();
        let of = all.entry(ns.clone()).or_default();
        *of.rooms.entry(room.clone()).or_default() += 1;
        of.peers += 1;
    }

    fn left(&self, ns: &Namespace, room: &RoomName) {
        let mut all = self.0.lock();
        let Some(of) = all.get_mut(ns) else { return };
        let Some(peers) = of.rooms.get_mut(room) else { return };
        *peers -= 1;
        of.peers -= 1;
        if *peers == 0 {
            of.rooms.remove(room);
        }
        if of.rooms.is_empty() {
            all.remove(ns);
        }
    }
}
