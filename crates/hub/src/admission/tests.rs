//! What only the inside shows: how much is remembered, and for how long.
#![allow(clippy::unwrap_used)]

use std::net::{IpAddr, Ipv6Addr};

use foldhash::quality::FixedState;

use super::doors::{Admission, Place};
use super::{Origin, Prefix};
use crate::limiter::Rate;
use crate::time::Moment;

const RATE: Rate = Rate::per_minute(30, 60);

#[test]
fn misses_are_forgotten_when_they_no_longer_count_a_part_at_a_time() {
    let mut door = Admission::new(FixedState::with_seed(7));
    for at in 0..1_000 {
        door.missed(Moment(0), Place::V6(at), RATE);
    }
    door.tick(Moment(59_999));
    assert_eq!(door.len(), (1_000, 1_000), "a look is due after a minute");
    door.tick(Moment(60_000));
    assert_eq!(door.len(), (936, 936));
    for _ in 0..15 {
        door.tick(Moment(60_000));
    }
    assert_eq!(door.len(), (0, 0));
    assert!(door.capacity() < 200, "and the memory is given back");
}

#[test]
fn what_still_counts_is_kept_and_looked_at_again() {
    let mut door = Admission::new(FixedState::with_seed(7));
    for _ in 0..60 {
        door.missed(Moment(0), Place::V4(1), RATE);
    }
    assert_eq!(door.check(Moment(0), Place::V4(1), RATE), Err(2_000));
    door.tick(Moment(60_000));
    assert_eq!(door.len(), (1, 1));
    door.tick(Moment(120_000));
    assert_eq!(door.len(), (0, 0));
}

#[test]
fn a_place_that_holds_a_socket_stays_and_one_that_holds_none_and_missed_nothing_does_not() {
    let mut door = Admission::new(FixedState::with_seed(7));
    assert!(door.enter(Place::V4(1), 1));
    assert!(!door.enter(Place::V4(1), 1));
    door.missed(Moment(0), Place::V4(1), RATE);
    door.tick(Moment(1_000_000));
    assert_eq!(door.len(), (1, 0));
    door.leave(Place::V4(1));
    door.leave(Place::V4(1));
    assert_eq!(door.len(), (0, 0));
}

#[test]
fn a_flood_of_addresses_is_remembered_up_to_a_bound_and_the_oldest_are_forgotten_first() {
    let mut door = Admission::new(FixedState::with_seed(7));
    assert!(door.enter(Place::V6(0), 1));
    for at in 0..40_000 {
        door.missed(Moment(0), Place::V6(at), Rate::per_minute(30, 1));
    }
    let (places, remembered) = door.len();
    assert_eq!((places, remembered), ((1 << 14) + 1, 1 << 14), "all that are remembered, and the one with a socket");
    assert!(door.check(Moment(0), Place::V6(39_999), Rate::per_minute(30, 1)).is_err());
    assert_eq!(door.check(Moment(0), Place::V6(1), Rate::per_minute(30, 1)), Ok(()));
    assert!(!door.enter(Place::V6(0), 1), "sockets are never forgotten");
}

#[test]
fn addresses_are_counted_by_what_one_customer_gets() {
    let of = |ip: &str| Place::of(&Origin::Ip(ip.parse().unwrap()));
    assert_eq!(of("192.0.2.7"), [Place::V4(0xc000_0207), Place::V4Network(0x00c0_0002)]);
    assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"), "IPv4 in IPv6 clothes");
    assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::"));
    assert_ne!(of("2001:db8:1:2::1")[0], of("2001:db8:1:3::1")[0]);
    assert_eq!(of("2001:db8:1:2::1")[1], of("2001:db8:1:3::1")[1]);
    assert_ne!(of("2001:db8:1::1")[1], of("2001:db8:2::1")[1]);
}

#[test]
fn prefixes_are_read_written_and_cut_to_their_length() {
    for (text, written) in [
        ("192.0.2.77/24", "192.0.2.0/24"),
        ("192.0.2.77", "192.0.2.77/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:db8:1:2::/47", "2001:db8::/47"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("::ffff:192.0.2.77/120", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.77/32"),
        ("::/0", "::/0"),
    ] {
        let prefix: Prefix = text.parse().unwrap();
        assert_eq!(prefix.to_string(), written, "{text}");
        assert_eq!(written.parse(), Ok(prefix));
        assert_eq!(serde_json::to_string(&prefix).unwrap(), format!("{written:?}"));
        assert_eq!(serde_json::from_str::<Prefix>(&format!("{written:?}")).unwrap(), prefix);
    }
    for text in
        ["", "192.0.2.0/33", "2001:db8::/129", "192.0.2.0/", "192.0.2.0/-1", "/24", "example.org", "192.0.2.0/24/8"]
    {
        assert!(text.parse::<Prefix>().is_err(), "{text}");
    }
}

#[test]
fn a_prefix_contains_its_addresses_in_either_spelling_and_no_others() {
    let prefix: Prefix = "192.0.2.0/25".parse().unwrap();
    let contains = |ip: &str| prefix.contains(ip.parse::<IpAddr>().unwrap());
    assert!(contains("192.0.2.127") && contains("::ffff:192.0.2.1"));
    assert!(!contains("192.0.2.128") && !contains("::"));
    let all: Prefix = "::/0".parse().unwrap();
    assert!(all.contains(IpAddr::V6(Ipv6Addr::LOCALHOST)) && !all.contains("192.0.2.1".parse().unwrap()));
}
