//! How rooms and users of watch parties are called in the hub. Rooms stand apart from those of other protocols, and a user's name is
//! its own within its room.

use wigwag_wire::{PeerId, RoomName};

/// Before a room's own name.
const PREFIX: &str = "watchparty/";

/// Who speaks where the server does.
pub(super) const SYSTEM: &str = "system";

/// Longest name of a room that is changed, in UTF-16 units, as clients count.
pub(super) const ROOM_MAX: usize = 30;
/// Longest name of a user that is changed.
pub(super) const USER_MAX: usize = 20;
/// Longest name that a room or a user begins with.
pub(super) const FIRST_MAX: usize = 100;

/// A room as the hub knows it. A slash would make users of two rooms alike.
pub(super) fn room(id: &str) -> Option<RoomName> {
    let good = !id.is_empty() && !id.contains('/');
    good.then(|| RoomName::new(&format!("{PREFIX}{id}")).ok()).flatten()
}

/// A user as the hub knows it.
pub(super) fn user(room: &str, id: &str) -> Option<String> {
    let id = (!id.is_empty() && id != SYSTEM).then(|| format!("{room}/{id}"))?;
    PeerId::check(&id).is_ok().then_some(id)
}

/// Whether a member of the room is a user, and not of another protocol.
pub(super) fn is_user(room: &RoomName, id: &PeerId) -> bool {
    id.as_str().strip_prefix(room_id(room)).is_some_and(|rest| rest.starts_with('/'))
}

/// The room's own name.
pub(super) fn room_id(room: &RoomName) -> &str {
    room.as_str().strip_prefix(PREFIX).unwrap_or(room.as_str())
}

/// The user's own name. A member of another protocol is called as it is.
pub(super) fn user_id(id: &PeerId) -> &str {
    id.as_str().split_once('/').map_or(id.as_str(), |(_, user)| user)
}

/// Whether a name for people has something to read and is not too long.
pub(super) fn is_good(name: &str, max: usize) -> bool {
    !name.trim().is_empty() && name.len() <= 4 * max && name.encode_utf16().count() <= max
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_of_different_rooms_are_never_alike() {
        assert_eq!(room("a/b"), None);
        assert_eq!(room(""), None);
        assert_eq!(room(&"r".repeat(118)), None);
        let id = PeerId::new(&user("a", "b/c").unwrap_or_default());
        assert_eq!(id.as_ref().map(user_id), Ok("b/c"));
        assert_eq!(room("a").as_ref().map(room_id), Some("a"));
    }

    #[test]
    fn nobody_is_called_like_the_server() {
        assert_eq!(user("a", "system"), None);
        assert_eq!(user("a", ""), None);
        assert_eq!(user("a", "b\n"), None);
    }

    #[test]
    fn names_are_measured_as_clients_measure_them() {
        assert!(is_good("x", 1) && is_good(" x ", 3) && is_good("\u{20ac}\u{20ac}", 2) && is_good("\u{1f600}", 2));
        assert!(!is_good("", 9) && !is_good(" \t", 9) && !is_good("xx", 1) && !is_good("\u{1f600}", 1));
    }
}
