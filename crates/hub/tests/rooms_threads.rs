//! Rooms: many threads in the same rooms at once neither wait for each other for ever nor leave anything behind.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the hub is shared by threads, so a test has some")]

use std::thread;

use wigwag_hub::{Connection, Hub, Input, Moment, Native, Now, Origin, Output, Received, Rules, SocketId, Wall};
use wigwag_wire::{Namespace, RoomName};

const THREADS: u64 = 4;
const ROUNDS: u64 = 300;
const JOINED: &[u8] = br#"{"type":"room.joined""#;
const ROOMS: [&str; 3] = ["one", "two", "three"];

#[test]
fn threads_in_the_same_rooms_neither_hang_nor_leave_anything_behind() {
    let mut rules = Rules::default();
    let limits = &mut rules.limits;
    (limits.frames_per_second, limits.guesses_per_minute) = (0, 0);
    (limits.queue_frames, limits.queue_bytes) = (0, 0);
    let hub = Hub::new(rules, vec![Box::new(Native)], [3; 32]);
    thread::scope(|scope| {
        for peer in 1..=THREADS {
            let hub = &hub;
            scope.spawn(move || live(hub, peer));
        }
        scope.spawn(|| {
            for round in 0..ROUNDS {
                operate(&hub, round);
            }
        });
    });
    assert_eq!(hub.counts().sessions, 0);
    hub.handle(at(1_000_000), Input::Tick, &mut Vec::new());
    assert_eq!(hub.counts().rooms, 0);
    assert_eq!(hub.next_deadline().filter(|due| *due <= Moment(1_000_000)), None);
}

/// A guest who comes and goes, speaks and steers, now in this room and now in that.
fn live(hub: &Hub, peer: u64) {
    for life in 0..10 {
        let mut out: Vec<Output> = Vec::new();
        let socket = SocketId(peer * 100 + life);
        let pass = hub.admit(at(0), Origin::Local).unwrap();
        let mut connection = Connection::open(hub, at(0), socket, pass, &mut out);
        let mut say = |round: u64, text: &str| {
            connection.handle(hub, at(round), Received::Text(text), &mut out);
        };
        say(0, r#"{"type":"hello","version":1}"#);
        for round in 0..ROUNDS / 10 {
            let room = ROOMS[((peer * 7 + round * 5) % 3) as usize];
            let mut ask = |kind: &str, rest: &str| say(round, &format!(r#"{{"type":"{kind}","room":"{room}"{rest}}}"#));
            ask("room.join", r#","create":true,"me":1"#);
            ask("room.set", r#","term":1,"mode":"FREE_FOR_ALL","listed":true,"idle":3"#);
            ask("say", r#","data":"hi""#);
            ask("room.code", "");
            ask("room.me", &format!(r#","me":{round}"#));
            if round % 3 == peer % 3 {
                ask("room.leave", "");
            }
            say(round, r#"{"type":"room.list"}"#);
        }
        say(ROUNDS, r#"{"type":"bye"}"#);
        connection.handle(hub, at(ROUNDS), Received::Closed, &mut Vec::new());
        let joined = out.iter().filter(|o| matches!(o, Output::Send { frame, .. } if frame.starts_with(JOINED)));
        assert_eq!(joined.count() as u64, ROUNDS / 10);
    }
}

/// The operator looks around and closes a room now and then, and the clock ticks.
fn operate(hub: &Hub, round: u64) {
    let ns = Namespace::new("default").unwrap();
    let name = RoomName::new(ROOMS[(round % 3) as usize]).unwrap();
    for info in hub.rooms(None, None, 10) {
        assert_eq!(info.members == 0, info.host.is_none(), "{info:?}");
    }
    if let Some(detail) = hub.room(&ns, &name) {
        assert_eq!(detail.info.members as usize, detail.present.len());
    }
    if round.is_multiple_of(10) {
        hub.close_room(at(round), &ns, &name, &mut Vec::new());
    }
    hub.handle(at(round * 20), Input::Tick, &mut Vec::new());
}

fn at(ms: u64) -> Now {
    Now { at: Moment(ms), wall: Wall(ms) }
}
