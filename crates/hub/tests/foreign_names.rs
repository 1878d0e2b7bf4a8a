//! Names that somebody uses in a dialect, where nobody proves anything, and keys that speak for them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use serde_json::json;
use wigwag_hub::{DialectId, Foreigner, Origin, Output, SocketId};
use wigwag_wire::{Code, Namespace, PeerId};
use world::*;

const BOB: &str = "bob@example.org";

#[test]
fn who_proves_a_name_takes_it_from_who_uses_it_in_a_dialect() {
    let mut world = World::new();
    // To the hub a socket is a number: this one's own protocol goes no further than its challenge.
    let socket = world.open();
    world.take(socket);
    use_in_dialect(&mut world, socket).unwrap();
    // The key is the name's from now on; the dialect's socket is shown out.
    let bob = world.named(BOB, 1);
    world.expect_closed(socket, 4300);
    let another = world.open();
    world.take(another);
    assert_eq!(use_in_dialect(&mut world, another), Err(Code::NameTaken));
    let carol = world.guest();
    world.send(&carol, signal(1, BOB, json!("hi")));
    world.expect(&bob, [heard(&carol, json!("hi"))]);
    world.expect(&carol, [ack(1, "delivered")]);
}

/// A socket of a dialect wants the name. That no key speaks for it was found out before.
fn use_in_dialect(world: &mut World, socket: SocketId) -> Result<(), Code> {
    let mut pass = world.hub.admit(world.now, Origin::Local).unwrap();
    let foreigner = Foreigner {
        ns: Namespace::new("default").unwrap(),
        id: PeerId::new(BOB).unwrap(),
        dialect: DialectId(1),
        socket,
        opened: world.now.at,
        secret: None,
    };
    let welcome = world.hub.welcome(world.now, &mut pass, foreigner, &mut Vec::<Output>::new());
    welcome.map(|_| ()).map_err(|refusal| refusal.code)
}
