//! `spec/vectors/secret_rooms.json`, byte for byte.
#![allow(clippy::unwrap_used)]

use data_encoding::BASE64URL_NOPAD;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::value::RawValue;
use wigwag_peer::secret::{Owner, Secret, TooShort, What};
use wigwag_testkit::spec::vectors;

#[derive(Deserialize)]
struct Vectors {
    rooms: Vec<RoomCase>,
    boxes: Vec<BoxCase>,
    closed: Vec<ClosedCase>,
}

#[derive(Deserialize)]
struct RoomCase {
    secret: String,
    title: String,
    name: String,
}

#[derive(Deserialize)]
struct BoxCase {
    room: usize,
    what: What,
    id: String,
    device: String,
    content: Box<RawValue>,
    sealed: Box<RawValue>,
}

#[derive(Deserialize)]
struct ClosedCase {
    why: String,
    room: usize,
    what: What,
    id: String,
    device: String,
    sealed: Box<RawValue>,
}

#[derive(Deserialize)]
struct Nonce {
    nonce: String,
}

#[test]
fn names_and_boxes_are_those_of_every_other_client() {
    let (rooms, Vectors { boxes, .. }) = read();
    for BoxCase { room, what, id, device, content, sealed } in boxes {
        let owner = Owner { id: &id, device: &device };
        let Nonce { nonce } = serde_json::from_str(sealed.get()).unwrap();
        let nonce = BASE64URL_NOPAD.decode(nonce.as_bytes()).unwrap().try_into().unwrap();
        let made = rooms[room].seal(what, owner, content.get(), nonce).unwrap();
        assert_eq!(made.get(), sealed.get());
        let (opened, known) = rooms[room].open(what, owner, &sealed).unwrap();
        assert_eq!((opened.get(), known), (content.get(), nonce));
    }
}

#[test]
fn what_is_not_meant_for_this_place_does_not_open() {
    let (rooms, Vectors { closed, .. }) = read();
    for ClosedCase { why, room, what, id, device, sealed } in closed {
        assert!(rooms[room].open(what, Owner { id: &id, device: &device }, &sealed).is_none(), "{why}");
    }
}

#[test]
fn a_secret_that_can_be_guessed_is_none() {
    assert_eq!(Secret::new("fifteen letters", "").unwrap_err(), TooShort);
    assert!(Secret::new("sixteen letters!", "").is_ok());
}

proptest! {
    #[test]
    fn no_box_makes_it_panic(json in r#"\{("v":1,)?("nonce":"[A-Za-z0-9_-]{0,20}",)?"box":"[A-Za-z0-9_=-]{0,60}"\}"#) {
        let secret = Secret::new("a secret of some length", "").unwrap();
        let sealed = RawValue::from_string(json).unwrap();
        prop_assert!(secret.open(What::Say, Owner::default(), &sealed).is_none());
    }
}

fn read() -> (Vec<Secret>, Vectors) {
    let vectors: Vectors = vectors("secret_rooms.json");
    let rooms = vectors.rooms.iter().map(|RoomCase { secret, title, name }| {
        let made = Secret::new(secret, title).unwrap();
        assert_eq!(made.name(), name);
        made
    });
    (rooms.collect(), vectors)
}
