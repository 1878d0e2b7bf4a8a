//! The UUIDs by which sockets know each other, the same for all players of a room.

use matchbox_socket::PeerId;
use sha2::{Digest, Sha256};
use uuid::Builder;

/// The UUID of a program of a peer: version 8, made as the server makes it for players of its matchbox path.
pub(crate) fn of(namespace: &str, id: &str, device: &str) -> PeerId {
    let mut hash = Sha256::new();
    for part in ["wigwag matchbox uuid", namespace, id, device] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    PeerId(Builder::from_custom_bytes(bytes).into_uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_has_its_own_and_it_stays_the_same() {
        let uuid = of("default", "bob@example.org", "tv");
        assert_eq!(uuid, of("default", "bob@example.org", "tv"));
        assert_eq!(uuid.0.get_version_num(), 8);
        for other in [
            of("default", "bob@example.org", ""),
            of("chess", "bob@example.org", "tv"),
            of("default", "bob@example.orgt", "v"),
        ] {
            assert_ne!(uuid, other);
        }
    }
}
