//! UUIDs, by which matchbox knows peers. Its own peers are called by one. Members that came through other doors have none, so they
//! get one that is made of what they are called: the same every time, and never one of ours.

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid, Variant};
use wigwag_hub::{Hub, Party};
use wigwag_wire::{Device, Namespace, PeerId, RoomName};

/// The version of the ids that are made for matchbox's peers: of random bytes.
const OWN: usize = 4;

/// Who a UUID stands for.
pub(super) struct Known {
    pub(super) id: PeerId,
    pub(super) device: Device,
}

/// An id for a newcomer.
pub(super) fn made(hub: &Hub) -> PeerId {
    let mut bytes = [0; 16];
    hub.fill_random(&mut bytes);
    let text = Builder::from_random_bytes(bytes).into_uuid().to_string();
    PeerId::new(&text).unwrap_or_else(|_| unreachable!("a UUID is a good id"))
}

/// The UUID of a member.
pub(super) fn of_member(ns: &Namespace, id: &PeerId, device: &Device) -> Uuid {
    own(id, device).unwrap_or_else(|| derived(ns, id, device))
}

/// The member of a room that has this UUID, for another member.
pub(super) fn find(hub: &Hub, asker: &Party, room: &RoomName, uuid: Uuid) -> Option<Known> {
    let mut text = [0; 36];
    let text: &str = uuid.hyphenated().encode_lower(&mut text);
    let is_made = uuid.get_version_num() == OWN;
    let mut is_member = false;
    let mut possible = Vec::new();
    hub.view_room(&asker.ns, room, |room| {
        room.members(&mut |member| {
            is_member |= *member.id == asker.id && *member.device == asker.device;
            if if is_made { member.id.as_str() == text } else { own(member.id, member.device).is_none() } {
                possible.push(Known { id: member.id.clone(), device: member.device.clone() });
            }
        });
    });
    // What has to be hashed is hashed when the room is no longer locked.
    possible.retain(|known| is_member && of_member(&asker.ns, &known.id, &known.device) == uuid);
    possible.pop()
}

/// The UUID that an id is, if it is one in the form in which they are made here.
fn own(id: &PeerId, device: &Device) -> Option<Uuid> {
    let uuid = Uuid::try_parse(id.as_str()).ok()?;
    let is_made = uuid.get_version_num() == OWN && uuid.get_variant() == Variant::RFC4122;
    let mut text = [0; 36];
    (is_made && device.as_str().is_empty() && *uuid.hyphenated().encode_lower(&mut text) == *id.as_str())
        .then_some(uuid)
}

/// A UUID of version 8, made of a name.
fn derived(ns: &Namespace, id: &PeerId, device: &Device) -> Uuid {
    let mut hash = Sha256::new();
    for part in ["wigwag matchbox uuid", ns.as_str(), id.as_str(), device.as_str()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn uuid(ns: &str, id: &str, device: &str) -> Uuid {
        of_member(&Namespace::new(ns).unwrap(), &PeerId::new(id).unwrap(), &Device::new(device).unwrap())
    }

    #[test]
    fn an_id_that_is_such_a_uuid_stands_for_itself() {
        let id = "936da01f-9abd-4d9d-80c7-02af85c822a8";
        assert_eq!(uuid("app", id, "").to_string(), id);
    }

    #[test]
    fn every_other_id_gets_one_that_is_always_the_same_and_never_another_ones() {
        let names = [
            ("app", "bob@example.org", ""),
            ("app", "bob@example.org", "phone"),
            ("app2", "bob@example.org", ""),
            ("ap", "pbob@example.org", ""),
            ("app", "936DA01F-9ABD-4D9D-80C7-02AF85C822A8", ""),
            ("app", "936da01f9abd4d9d80c702af85c822a8", ""),
            ("app", "936da01f-9abd-4d9d-80c7-02af85c822a8", "phone"),
            ("app", "936da01f-9abd-4d9d-c0c7-02af85c822a8", ""),
            ("app", "936da01f-9abd-8d9d-80c7-02af85c822a8", ""),
        ];
        let mut uuids: Vec<Uuid> = names.iter().map(|(ns, id, device)| uuid(ns, id, device)).collect();
        assert!(uuids.iter().all(|uuid| uuid.get_version_num() == 8 && uuid.get_variant() == Variant::RFC4122));
        assert_eq!(uuids[0], uuid("app", "bob@example.org", ""));
        uuids.sort_unstable();
        uuids.dedup();
        assert_eq!(uuids.len(), names.len());
    }
}
