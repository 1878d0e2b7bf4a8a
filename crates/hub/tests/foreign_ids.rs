//! Ids in dialects: who has one, and who may take it over.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use wigwag_hub::{
    DialectId, Foreigner, Frames, Hub, Moment, Native, Now, Origin, Output, Party, Rules, Scene, SocketId, Voice, Wall,
};
use wigwag_wire::{Code, Event, Namespace, PeerId};

const NOW: Now = Now { at: Moment(0), wall: Wall(1_795_000_000_000) };

#[test]
fn who_has_an_id_can_be_seen_until_its_session_ends() {
    let hub = hub();
    let (ns, bob) = (ns(), PeerId::new("bob").unwrap());
    assert_eq!(hub.holder(&ns, &bob), None);
    let party = welcome(&hub, 1, 1, None).unwrap();
    let holder = hub.holder(&ns, &bob).unwrap();
    assert_eq!((holder.session, holder.dialect, holder.key), (party.session, DialectId(1), None));
    hub.farewell(NOW, &party, SocketId(1), &mut Vec::new());
    assert_eq!(hub.holder(&ns, &bob), None);
}

#[test]
fn a_live_id_goes_only_to_who_knows_its_secret_in_the_same_dialect() {
    let hub = hub();
    welcome(&hub, 1, 1, Some([7; 16])).unwrap();
    for (dialect, secret) in [(1, None), (1, Some([8; 16])), (2, Some([7; 16])), (2, None)] {
        assert_eq!(welcome(&hub, 2, dialect, secret).unwrap_err(), Code::NameTaken);
    }
    assert!(welcome(&hub, 3, 1, Some([7; 16])).is_ok());
}

#[test]
fn a_secret_can_be_given_later_and_taken_back() {
    let hub = hub();
    let party = welcome(&hub, 1, 1, None).unwrap();
    hub.set_secret(&party, Some([7; 16]));
    let party = welcome(&hub, 2, 1, Some([7; 16])).unwrap();
    hub.set_secret(&party, None);
    assert_eq!(welcome(&hub, 3, 1, Some([7; 16])).unwrap_err(), Code::NameTaken);
}

/// Says nothing.
struct Mute;

impl Voice for Mute {
    fn frames(&self, _event: &Event<'_>, _to: &Party, _scene: Scene<'_>) -> Frames {
        Frames::new()
    }
}

fn hub() -> Hub {
    Hub::new(Rules::default(), vec![Box::new(Native), Box::new(Mute), Box::new(Mute)], [7; 32])
}

fn ns() -> Namespace {
    Namespace::new("default").unwrap()
}

/// A session for `bob`.
fn welcome(hub: &Hub, socket: u64, dialect: u8, secret: Option<[u8; 16]>) -> Result<Arc<Party>, Code> {
    let mut pass = hub.admit(NOW, Origin::Local).unwrap();
    let foreigner = Foreigner {
        ns: ns(),
        id: PeerId::new("bob").unwrap(),
        dialect: DialectId(dialect),
        socket: SocketId(socket),
        opened: NOW.at,
        secret,
    };
    let mut out: Vec<Output> = Vec::new();
    hub.welcome(NOW, &mut pass, foreigner, &mut out).map_err(|refusal| refusal.code)
}
