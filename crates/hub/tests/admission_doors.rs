//! Who may come in: sockets per address, per network and in all, misses, and bans.
#![allow(clippy::unwrap_used)]

mod world;

use std::net::IpAddr;

use serde_json::{Value, json};
use wigwag_hub::{Hub, Moment, Native, Now, Origin, Pass, Received, Rules, Wall};
use wigwag_wire::Code;
use world::{BEGIN, Peer, World, refused, refused_for};

#[test]
fn an_address_holds_only_so_many_sockets_and_room_comes_back() {
    let hub = hub(|r| r.limits.sockets_per_address = 2);
    let mut first = enter(&hub, "192.0.2.1").unwrap();
    let second = enter(&hub, "::ffff:192.0.2.1").unwrap();
    assert_eq!(enter(&hub, "192.0.2.1").unwrap_err(), Code::TooManySockets);
    let other = enter(&hub, "192.0.2.2").unwrap();
    hub.release(&mut first);
    hub.release(&mut first);
    let third = enter(&hub, "192.0.2.1").unwrap();
    assert_eq!(enter(&hub, "192.0.2.1").unwrap_err(), Code::TooManySockets, "a pass given back twice counts once");
    assert_eq!(hub.counts().sockets, 3);
    give_back(&hub, [second, other, third]);
    assert_eq!((hub.counts().sockets, hub.counts().handshakes), (0, 0));
}

#[test]
fn a_slash_64_is_one_address() {
    let hub = hub(|r| r.limits.sockets_per_address = 1);
    let pass = enter(&hub, "2001:db8:1:2::1").unwrap();
    assert_eq!(enter(&hub, "2001:db8:1:2:3:4:5:6").unwrap_err(), Code::TooManySockets);
    give_back(&hub, [pass, enter(&hub, "2001:db8:1:3::1").unwrap()]);
}

#[test]
fn a_network_holds_only_so_many_sockets_and_a_refusal_takes_nobodys_place() {
    let hub = hub(|r| {
        r.limits.sockets_per_address = 2;
        r.limits.sockets_per_network = 3;
    });
    for base in ["192.0.2.", "2001:db8:1:"] {
        let at = |i: u8| if base.contains(':') { format!("{base}{i}::1") } else { format!("{base}{i}") };
        let mut passes: Vec<Pass> = [1, 1, 2].into_iter().map(|i| enter(&hub, &at(i)).unwrap()).collect();
        for _ in 0..5 {
            assert_eq!(enter(&hub, &at(2)).unwrap_err(), Code::TooManySockets);
            assert_eq!(enter(&hub, &at(3)).unwrap_err(), Code::TooManySockets);
        }
        hub.release(&mut passes[0]);
        // The refused tries of address 2 took no room of its own.
        passes.push(enter(&hub, &at(2)).unwrap());
        assert_eq!(enter(&hub, &at(4)).unwrap_err(), Code::TooManySockets);
        give_back(&hub, passes);
    }
    give_back(&hub, [enter(&hub, "192.0.3.1").unwrap()]);
}

#[test]
fn this_machine_is_exempt_unless_the_operator_says_otherwise() {
    let origins = ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"].map(|ip| Origin::Ip(ip.parse().unwrap()));
    for origin in origins.into_iter().chain([Origin::Local]) {
        let exempt = hub(|r| r.limits.sockets_per_address = 1);
        give_back(&exempt, (0..5).map(|_| exempt.admit(now(0), origin).unwrap()));
        let strict = hub(|r| {
            r.limits.sockets_per_address = 1;
            r.limit_loopback = true;
        });
        let pass = strict.admit(now(0), origin).unwrap();
        assert_eq!(strict.admit(now(0), origin).unwrap_err().code, Code::TooManySockets);
        give_back(&strict, [pass]);
    }
}

#[test]
fn the_server_holds_only_so_many_sockets_and_so_many_that_have_not_proved_themselves() {
    let hub = hub(|r| {
        r.limits.sockets = 3;
        r.limits.handshakes = 2;
        r.limits.sockets_per_address = 3;
    });
    let passes = [enter(&hub, "192.0.2.1").unwrap(), enter(&hub, "127.0.0.1").unwrap()];
    for _ in 0..5 {
        assert_eq!(enter(&hub, "192.0.2.1").unwrap_err(), Code::TooManyHandshakes);
    }
    assert_eq!((hub.counts().sockets, hub.counts().handshakes), (2, 2));
    give_back(&hub, passes);
    let full = self::hub(|r| r.limits.sockets = 1);
    let pass = enter(&full, "127.0.0.1").unwrap();
    assert_eq!(enter(&full, "192.0.2.1").unwrap_err(), Code::Overloaded);
    give_back(&full, [pass]);
}

#[test]
fn whoever_finds_no_room_is_told_when_to_come_back() {
    let told = |change: &dyn Fn(&mut Rules)| {
        let hub = hub(|rules| change(rules));
        let origin = Origin::Ip("192.0.2.1".parse().unwrap());
        let pass = hub.admit(now(0), origin).unwrap();
        let refusal = hub.admit(now(0), origin).unwrap_err();
        give_back(&hub, [pass]);
        (refusal.code, refusal.retry_after)
    };
    assert_eq!(told(&|rules| rules.limits.sockets_per_address = 1), (Code::TooManySockets, Some(10_000)));
    assert_eq!(told(&|rules| rules.limits.sockets = 1), (Code::Overloaded, Some(10_000)));
    let slow = |rules: &mut Rules| (rules.limits.handshakes, rules.limits.handshake_ms) = (1, 5_000);
    assert_eq!(told(&slow), (Code::TooManyHandshakes, Some(5_000)));
}

#[test]
fn a_peer_that_proved_itself_makes_room_for_the_next_handshake() {
    let mut w = World::with(|r| r.limits.handshakes = 1);
    let alice = w.open();
    assert_eq!(w.hub.admit(w.now, Origin::Local).unwrap_err().code, Code::TooManyHandshakes);
    w.hello(alice, None, json!({}));
    w.welcomed(alice);
    assert_eq!((w.hub.counts().sockets, w.hub.counts().handshakes), (1, 0));
    let bob = w.open();
    w.drop_socket(bob);
    w.drop_socket(alice);
    assert_eq!((w.hub.counts().sockets, w.hub.counts().handshakes), (0, 0));
}

#[test]
fn limits_that_are_off_let_everyone_in() {
    let hub = hub(|r| {
        r.limits.sockets = 0;
        r.limits.handshakes = 0;
        r.limits.sockets_per_address = 0;
        r.limits.sockets_per_network = 0;
    });
    give_back(&hub, (0..5_000).map(|_| enter(&hub, "192.0.2.1").unwrap()).collect::<Vec<_>>());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "whether counts hold under threads only threads can tell")]
fn counts_are_exact_whatever_threads_do_at_once() {
    let hub = hub(|r| {
        r.limits.sockets_per_address = 40;
        r.limits.sockets_per_network = 100;
        r.limits.handshakes = 0;
    });
    // Three addresses of one network want more than both limits allow, and let go again at random.
    let held: Vec<Pass> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4u64)
            .map(|worker| {
                scope.spawn({
                    let hub = &hub;
                    move || churn(hub, worker)
                })
            })
            .collect();
        workers.into_iter().flat_map(|w| w.join().unwrap()).collect()
    });
    assert_eq!(hub.counts().sockets, held.len() as u64);
    assert!(held.len() <= 100);
    give_back(&hub, held);
    assert_eq!(hub.counts().sockets, 0);
    let mut passes = Vec::new();
    for (address, room) in [(1, 40), (2, 40), (3, 20)] {
        for _ in 0..room {
            passes.push(enter(&hub, &format!("192.0.2.{address}")).unwrap());
        }
        assert_eq!(enter(&hub, &format!("192.0.2.{address}")).unwrap_err(), Code::TooManySockets);
    }
    give_back(&hub, passes);
}

#[test]
fn who_misses_too_often_is_told_nothing_more_until_it_has_waited() {
    let mut w = World::with(|r| {
        r.limits.guesses_burst = 3;
        r.limits.guesses_per_minute = 6;
    });
    let [alice, bob, dave] = ["198.51.100.1", "198.51.100.2", "198.51.100.3"].map(|ip| guest(&mut w, ip));
    for n in 1..=3 {
        w.send(&alice, find(n, "nobody@x"));
        assert_eq!(w.next(&alice)["type"], "found");
    }
    w.send(&alice, find(4, "nobody@x"));
    w.expect(&alice, [refused_for(4, 4109, 10_000)]);
    // A hit would tell that the earlier ones were misses, so it is refused as well.
    w.send(&alice, find(5, &bob.id));
    w.expect(&alice, [refused_for(5, 4109, 10_000)]);
    // Another session of the address shares its budget, another address does not.
    let carol = guest(&mut w, "198.51.100.1");
    w.send(&carol, find(1, &bob.id));
    w.expect(&carol, [refused_for(1, 4109, 10_000)]);
    w.send(&dave, find(1, &bob.id));
    assert_eq!(w.next(&dave)["state"], "here");
    w.advance(10_000);
    w.send(&alice, find(6, &bob.id));
    assert_eq!(w.next(&alice)["state"], "here");
}

#[test]
fn a_network_full_of_fresh_addresses_is_no_way_around_the_budget() {
    let mut w = World::with(|r| {
        r.limits.guesses_burst = 2;
        r.limits.guesses_per_minute = 1;
    });
    let mut told = 0;
    for subnet in 0..40 {
        let guest = guest(&mut w, &format!("2001:db8:1:{subnet:x}::1"));
        for n in 1..=3 {
            w.send(&guest, find(n, "nobody@x"));
        }
        told += w.take(&guest).iter().filter(|f| f["type"] == "found").count();
    }
    assert_eq!(told, 20, "ten times what one address may");
    let other = guest(&mut w, "2001:db8:2::1");
    w.send(&other, find(1, "nobody@x"));
    assert_eq!(w.next(&other)["type"], "found");
}

#[test]
fn this_machine_may_miss_as_often_as_it_likes() {
    let mut w = World::with(|r| r.limits.guesses_burst = 1);
    let alice = guest(&mut w, "127.0.0.1");
    for n in 1..=50 {
        w.send(&alice, find(n, "nobody@x"));
        assert_eq!(w.next(&alice)["type"], "found");
    }
}

#[test]
fn a_ban_keeps_addresses_out_until_it_is_over_or_taken_back() {
    let hub = hub(|_| {});
    hub.ban("192.0.2.0/24".parse().unwrap(), Some(Wall(BEGIN.wall.0 + 1_000)));
    hub.ban("2001:db8::/32".parse().unwrap(), None);
    hub.ban("192.0.2.7".parse().unwrap(), None);
    for ip in ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8:ffff::1", "192.0.2.7"] {
        assert_eq!(enter(&hub, ip).unwrap_err(), Code::Banned, "{ip}");
    }
    give_back(&hub, [enter(&hub, "192.0.3.1").unwrap(), enter(&hub, "2001:db9::1").unwrap()]);
    let listed = |at: u64| -> Vec<String> {
        hub.bans(Wall(BEGIN.wall.0 + at)).into_iter().map(|(prefix, until)| format!("{prefix} {until:?}")).collect()
    };
    let until = format!("192.0.2.0/24 Some(Wall({}))", BEGIN.wall.0 + 1_000);
    assert_eq!(listed(0), [until.as_str(), "192.0.2.7/32 None", "2001:db8::/32 None"]);

    let origin = |ip: &str| Origin::Ip(ip.parse().unwrap());
    give_back(&hub, [hub.admit(now(1_000), origin("192.0.2.1")).unwrap()]);
    assert_eq!(hub.admit(now(1_000), origin("192.0.2.7")).unwrap_err().code, Code::Banned);
    assert_eq!(listed(1_000), ["192.0.2.7/32 None", "2001:db8::/32 None"]);
    assert!(hub.unban(&"192.0.2.7".parse().unwrap()));
    assert!(!hub.unban(&"192.0.2.7".parse().unwrap()));
    give_back(&hub, [enter(&hub, "192.0.2.7").unwrap()]);
}

#[test]
fn a_ban_shows_out_who_is_inside_and_nobody_else() {
    let mut world = World::new();
    let at = |ip: &str| Origin::Ip(ip.parse().unwrap());
    let inside = world.open_from(at("203.0.113.9"));
    world.hello(inside, None, json!({}));
    let inside = world.welcomed(inside);
    let greeting = world.open_from(at("203.0.113.200"));
    let other = world.open_from(at("203.0.114.9"));
    for socket in [inside.socket, greeting, other] {
        world.receive(socket, Received::Banned("203.0.113.0/24".parse().unwrap()));
    }
    for socket in [inside.socket, greeting] {
        world.expect(socket, [refused(None, 4302)]);
        world.expect_closed(socket, 4302);
    }
    assert!(world.is_open(other));
    assert_eq!(world.hub.counts().sessions, 0, "a session of the banned cannot be resumed");
}

fn hub(change: impl FnOnce(&mut Rules)) -> Hub {
    let mut rules = Rules::default();
    change(&mut rules);
    Hub::new(rules, vec![Box::new(Native)], [7; 32])
}

fn now(after: u64) -> Now {
    Now { at: Moment(after), wall: Wall(BEGIN.wall.0 + after) }
}

fn enter(hub: &Hub, ip: &str) -> Result<Pass, Code> {
    hub.admit(now(0), Origin::Ip(ip.parse().unwrap())).map_err(|refusal| refusal.code)
}

fn give_back(hub: &Hub, passes: impl IntoIterator<Item = Pass>) {
    passes.into_iter().for_each(|mut pass| hub.release(&mut pass));
}

/// Comes and goes with a generator of its own; answers what it still holds.
fn churn(hub: &Hub, worker: u64) -> Vec<Pass> {
    let mut random = worker + 1;
    let mut held: Vec<Pass> = Vec::new();
    for _ in 0..20_000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let draw = (random >> 33) as usize;
        if draw.is_multiple_of(2) && !held.is_empty() {
            hub.release(&mut held.swap_remove(draw / 2 % held.len()));
        } else {
            let ip = IpAddr::from([192, 0, 2, 1 + (draw / 2 % 3) as u8]);
            held.extend(hub.admit(now(0), Origin::Ip(ip)));
        }
    }
    held
}

fn guest(w: &mut World, ip: &str) -> Peer {
    let socket = w.open_from(Origin::Ip(ip.parse().unwrap()));
    w.hello(socket, None, json!({}));
    w.welcomed(socket)
}

fn find(n: u64, id: &str) -> Value {
    json!({"type": "find", "n": n, "id": id})
}
