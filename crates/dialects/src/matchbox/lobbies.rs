//! Groups of newcomers: whoever asks for `?next=N` is put together with the next ones who ask for the same, N in all. Each group is a
//! room of its own. Here is only which group is being filled and how many are in it.

use std::collections::BTreeMap;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use wigwag_hub::Hub;
use wigwag_wire::{Namespace, RoomName};

use crate::turn::Turn;

/// The groups that are being filled. There are no more than members who wait in them: an empty one is forgotten, and so is a full one.
#[derive(Debug, Default)]
pub(crate) struct Lobbies(Mutex<BTreeMap<Ticket, Group>>);

/// What newcomers must have in common to be put together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    ns: Namespace,
    room: RoomName,
    /// How many make a group.
    size: u64,
}

#[derive(Debug)]
struct Group {
    room: RoomName,
    members: u64,
}

impl Ticket {
    /// What the address asks for; `None` where it asks for no group. A group is never larger than a room may be.
    pub(super) fn of(turn: &Turn<'_>) -> Option<Self> {
        let size = turn.arrival().field("next")?.parse::<u64>().ok().filter(|size| *size > 0)?;
        let size = match turn.hub.rules().limits.members_per_room {
            0 => size,
            most => size.min(most),
        };
        Some(Self { ns: turn.ns().clone(), room: plain(&turn.arrival().rest), size })
    }
}

impl Lobbies {
    /// Whether nobody waits for others.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// Takes a place in the group that is being filled, and answers the group's room: `fresh`, where a new group begins.
    pub(super) fn enter(&self, ticket: &Ticket, fresh: RoomName) -> RoomName {
        let mut groups = self.0.lock();
        let group = groups.entry(ticket.clone()).or_insert(Group { room: fresh, members: 0 });
        group.members += 1;
        let room = group.room.clone();
        if group.members >= ticket.size {
            groups.remove(ticket);
        }
        room
    }

    /// Gives a place back. Nothing happens where the group was full: it is closed.
    pub(super) fn leave(&self, ticket: &Ticket, room: &RoomName) {
        let mut groups = self.0.lock();
        let Some(group) = groups.get_mut(ticket).filter(|group| group.room == *room) else { return };
        group.members -= 1;
        if group.members == 0 {
            groups.remove(ticket);
        }
    }
}

/// The room of an address without a group. Any text is a room's name there, also none; one that is no good name is known by its hash.
pub(super) fn plain(text: &str) -> RoomName {
    let hashed = || format!("sha256~{}", HEXLOWER.encode(&Sha256::digest(text.as_bytes())));
    RoomName::new(text).or_else(|_| RoomName::new(&hashed())).unwrap_or_else(|_| unreachable!("a hash is a good name"))
}

/// A name for a group's room. Nobody can guess it, so nobody comes in but through the lobby, and no plain room has it.
pub(super) fn made(hub: &Hub) -> RoomName {
    let mut bytes = [0; 20];
    hub.fill_random(&mut bytes);
    let text = format!("next~{}", BASE32_NOPAD.encode(&bytes).to_ascii_lowercase());
    RoomName::new(&text).unwrap_or_else(|_| unreachable!("a name of plain characters"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn nothing_is_kept_of_groups_that_are_full_or_empty() {
        let lobbies = Lobbies::default();
        let ticket = |size| Ticket { ns: Namespace::new("app").unwrap(), room: plain("r"), size };
        let enter = |size, fresh: &str| lobbies.enter(&ticket(size), plain(fresh));
        assert_eq!(enter(1, "alone"), plain("alone"));
        assert_eq!([enter(3, "first"), enter(3, "-"), enter(2, "other")], ["first", "first", "other"].map(plain));
        assert_eq!(lobbies.0.lock().len(), 2);
        lobbies.leave(&ticket(2), &plain("other"));
        assert_eq!([enter(3, "-"), enter(3, "second")], ["first", "second"].map(plain));
        lobbies.leave(&ticket(3), &plain("first"));
        assert_eq!(lobbies.0.lock()[&ticket(3)].members, 1, "who leaves a full group frees no place in the next one");
        lobbies.leave(&ticket(3), &plain("second"));
        assert!(lobbies.is_empty());
    }
}
