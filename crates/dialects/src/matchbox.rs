//! matchbox: rooms whose members get to know of a newcomer, and make it an offer each. The server speaks first, and once it has said
//! the newcomer's id the address has said all the rest: which room, or that the next so many shall be put together ([`lobbies`]).

mod ids;
mod lobbies;
mod signals;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;
use wigwag_hub::{Frames, Party, Scene, Voice};
use wigwag_wire::code::Code;
use wigwag_wire::event::{Member, MemberChange, RoomMember};
use wigwag_wire::{Event, Refusal, RoomName};

use crate::dialect::{Dialect, own_frame};
use crate::json::frame;
use crate::turn::{Begun, Interpreter, Turn};
pub(crate) use lobbies::Lobbies;
use lobbies::Ticket;

pub(crate) const TYPES: &[&str] = &["Signal", "KeepAlive", "other"];

/// One socket.
#[derive(Default)]
pub(crate) struct Matchbox {
    place: Option<Place>,
}

/// Where a socket's peer is.
struct Place {
    party: Arc<Party>,
    room: RoomName,
    /// Where it came with others, as many as it wished.
    ticket: Option<Ticket>,
}

/// What clients say.
#[derive(Deserialize)]
enum Asked<'a> {
    Signal {
        receiver: Uuid,
        #[serde(borrow)]
        data: &'a RawValue,
    },
    KeepAlive,
}

/// What they are told.
#[derive(Serialize)]
enum Told<'a> {
    IdAssigned(Uuid),
    NewPeer(Uuid),
    PeerLeft(Uuid),
    Signal { sender: Uuid, data: &'a RawValue },
}

impl Interpreter for Matchbox {
    fn opened(&mut self, turn: &mut Turn<'_>) {
        let party = match turn.begin(ids::made(turn.hub), None) {
            Begun::Now(party) => party,
            Begun::Refused(refusal) => return close(turn, &refusal),
            // Names are asked about, and no id made here has that form.
            Begun::Later => return close(turn, &Code::Internal.into()),
        };
        let ticket = Ticket::of(turn);
        let room = match &ticket {
            Some(ticket) => turn.dialects.lobbies.enter(ticket, lobbies::made(turn.hub)),
            None => lobbies::plain(&turn.arrival().rest),
        };
        let place = Place { party, room, ticket };
        match turn.enter_room(&place.party, &place.room) {
            Ok(()) => self.place = Some(place),
            Err(refusal) => {
                place.leave(turn);
                close(turn, &refusal);
            }
        }
    }

    fn heard(&mut self, turn: &mut Turn<'_>, text: &str) {
        let asked = serde_json::from_str::<Asked<'_>>(text);
        turn.count(match asked {
            Ok(Asked::Signal { .. }) => "Signal",
            Ok(Asked::KeepAlive) => "KeepAlive",
            Err(_) => "",
        });
        if let (Some(place), Ok(Asked::Signal { receiver, data })) = (&self.place, asked) {
            place.pass_on(turn, receiver, data);
        }
    }

    fn closed(&mut self, turn: &mut Turn<'_>) {
        if let Some(place) = self.place.take() {
            place.leave(turn);
        }
    }
}

impl Place {
    /// Gives the place in a group that is not full yet to somebody else.
    fn leave(&self, turn: &Turn<'_>) {
        if let Some(ticket) = &self.ticket {
            turn.dialects.lobbies.leave(ticket, &self.room);
        }
    }

    /// Passes a signal on to a member of the same room. For anybody else it vanishes.
    fn pass_on(&self, turn: &mut Turn<'_>, receiver: Uuid, data: &RawValue) {
        let Some(to) = ids::find(turn.hub, &self.party, &self.room, receiver) else { return };
        let told = Told::Signal { sender: ids::of_member(turn.ns(), &self.party.id, &self.party.device), data };
        let told = serde_json::to_string(&told).unwrap_or_default();
        let (kind, content) = signals::outward(data);
        let _ = turn.signal_to(&self.party, (to.id.as_str(), Some(to.device.as_str())), kind, &*content, &told);
    }
}

/// Closes the socket for a reason for which the dialect has no word.
fn close(turn: &mut Turn<'_>, refusal: &Refusal) {
    turn.close(refusal.code.number(), refusal.code.name());
}

/// Whether between this member and a matchbox peer the one who comes later makes the offer. Who shall make one is who is told of the
/// other.
fn newcomer_offers(member: &Member<'_>) -> bool {
    member.dialect == Dialect::ManaMesh.id().0
}

/// Tells of members that come and go, and hands out signals.
pub(crate) struct MatchboxVoice;

impl Voice for MatchboxVoice {
    fn frames(&self, event: &Event<'_>, to: &Party, _scene: Scene<'_>) -> Frames {
        let one = |told: Told<'_>| Frames::from_iter([frame(&told)]);
        let new_peer = |member: &Member<'_>| Told::NewPeer(ids::of_member(&to.ns, member.id, member.device));
        match event {
            Event::Welcome(welcome) => one(Told::IdAssigned(ids::of_member(&to.ns, welcome.id, welcome.device))),
            Event::RoomJoined(joined) => {
                let waiting = joined.members.iter().filter(|member| newcomer_offers(member));
                waiting.map(|member| frame(&new_peer(member))).collect()
            }
            Event::RoomMember(RoomMember { change, .. }) => match change {
                MemberChange::Joined(member) if newcomer_offers(member) => Frames::new(),
                MemberChange::Joined(member) => one(new_peer(member)),
                MemberChange::Left { id, device, .. } => one(Told::PeerLeft(ids::of_member(&to.ns, id, device))),
                MemberChange::Updated(_) => Frames::new(),
            },
            Event::Signal(signal) => match own_frame(signal.foreign, to) {
                Some(told) => Frames::from_iter([told.to_owned().into()]),
                None => {
                    let sender = ids::of_member(&to.ns, signal.from, signal.device);
                    let inward = signal.data.raw().map(|data| signals::inward(signal.kind, data)).unwrap_or_default();
                    inward.iter().map(|data| frame(&Told::Signal { sender, data })).collect()
                }
            },
            _ => Frames::new(),
        }
    }
}
