//! What the server says, word for word: one sample of each event and of each of its shapes, as `spec/vectors/events.json` has them.
#![allow(clippy::unwrap_used)]

use std::cell::RefCell;

use serde_json::Value;
use serde_json::value::RawValue;
use wigwag_testkit::spec::{examples, frame_text, page, vectors};
use wigwag_wire::event::{
    Ack, Beats, BroadcastEvent, Challenge, Delivery, DeviceState, Done, ErrorEvent, Found, HostWhy, IceEvent,
    IceServer, Left, LimitsTold, Lost, Member, MemberChange, NetworkJoined, NetworkNodes, Node, PartyRef, Presence,
    PresenceEvent, Published, Relayed, RoleEvent, RoomChanged, RoomCodeEvent, RoomHost, RoomJoined, RoomLeft,
    RoomListed, RoomMember, Rooms, Said, SignalEvent, SwarmEvent, TYPES, Welcome,
};
use wigwag_wire::raw::Content;
use wigwag_wire::request::Mode;
use wigwag_wire::{Code, Device, Event, Kind, Namespace, NetworkName, PeerId, Refusal, RoomCode, RoomName, SwarmName};

#[test]
fn every_event_is_written_word_for_word() {
    let all: Value = vectors("events.json");
    let written = samples();
    let expected = all["cases"].as_array().unwrap();
    for (case, written) in expected.iter().zip(&written) {
        let frame: Value = serde_json::from_str(written).unwrap();
        if let Some(text) = case["text"].as_str() {
            assert_eq!(text, written);
        }
        assert_eq!(serde_json::from_str::<Value>(&frame_text(case)).unwrap(), frame);
        assert_eq!(case["type"], frame["type"]);
    }
    assert_eq!(expected.len(), written.len());
}

#[test]
fn every_event_has_a_sample_and_its_name_is_its_type() {
    let written = samples();
    for name in TYPES {
        assert!(written.iter().any(|frame| frame.starts_with(&format!("{{\"type\":\"{name}\","))), "no {name}");
    }
}

#[test]
fn every_example_of_the_protocol_is_one_of_the_samples() {
    let samples: Vec<Value> = samples().iter().map(|frame| serde_json::from_str(frame).unwrap()).collect();
    let examples = examples(&page("protocol.md"), "Messages of the server");
    for (name, example) in &examples {
        let frame: Value = serde_json::from_str(example).unwrap_or_else(|why| panic!("{example}: {why}"));
        assert_eq!(frame["type"], **name);
        assert!(samples.contains(&frame), "the code writes no such {name}: {example}");
    }
    let missing: Vec<_> = TYPES.iter().filter(|name| !examples.iter().any(|(shown, _)| shown == *name)).collect();
    assert!(missing.is_empty(), "no example of {missing:?}");
}

/// Everything that the server may say, in the order of the vectors.
fn samples() -> Vec<String> {
    let say = Say::default();
    say.session();
    say.peers();
    say.rooms();
    say.groups();
    say.0.into_inner()
}

const NOW: u64 = 1_795_000_000_000;

#[derive(Default)]
struct Say(RefCell<Vec<String>>);

impl Say {
    fn says(&self, event: &Event<'_>) {
        let mut written = Vec::new();
        event.write(&mut written);
        let text = serde_json::to_string(event).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), text);
        assert!(text.starts_with(&format!("{{\"type\":\"{}\"", event.name())), "{text}");
        assert_eq!(TYPES[event.index() as usize], event.name());
        self.0.borrow_mut().push(text);
    }

    fn session(&self) {
        self.says(&Event::Challenge(Challenge {
            nonce: "ZU4sh9eCDL6xtbVQ9DFmVJWCtbNT4A4n",
            server: "wigwag.example.org",
            time: NOW,
            versions: &["wigwag.1"],
            capabilities: &[],
        }));
        let (id, device, namespace) = (bob(), laptop(), Namespace::new("chess").unwrap());
        let stun = [IceServer { urls: vec!["stun:stun.example.org:3478".into()], username: None, credential: None }];
        let turn = [turn("1795003600:5d41402abc4b", "q1Xv7Yk0c5Jr8ZcW3v9m2nE6t4A=")];
        let welcome = |resumed, missed, n, ice, ice_expires| Welcome {
            session: "s7f3k2",
            id: &id,
            device: &device,
            namespace: &namespace,
            resume: if resumed { "x2kQ9c6WbZ0r1EmGo3Jm" } else { "mJ3oGmE1rZ0bW6c9Qk2x" },
            resumed,
            missed,
            n,
            version: "wigwag.1",
            capabilities: &[],
            ice,
            ice_expires,
            limits: LimitsTold {
                frame_bytes: 65_536,
                frames_per_second: 50,
                frames_burst: 200,
                meta_bytes: 4_096,
                stored_seconds: 604_800,
                relay_bytes_per_second: 131_072,
                relay_bytes_burst: 524_288,
                relay_frames_per_second: 20,
            },
            away_after: 5_000,
            gone_after: 120_000,
        };
        self.says(&Event::Welcome(Box::new(welcome(false, 0, None, &stun, None))));
        self.says(&Event::Welcome(Box::new(welcome(true, 2, Some(41), &turn, Some(1_795_003_600_000)))));
        self.says(&Event::Done(Done { re: 4, receivers: None }));
        self.says(&Event::Done(Done { re: 21, receivers: Some(1) }));
        self.says(&Event::Error(ErrorEvent::new(Some(12), &Code::NotFound.into())));
        let slow = Refusal::new(Code::RateLimited, Code::RateLimited.meaning()).after(400);
        self.says(&Event::Error(ErrorEvent::new(None, &slow)));
    }

    fn peers(&self) {
        let (alice, bob, carol, laptop) = (key_id(), bob(), carol(), laptop());
        let phone = Device::new("phone").unwrap();
        let devices = [
            DeviceState { device: &laptop, state: Presence::Here },
            DeviceState { device: &phone, state: Presence::Away },
        ];
        self.says(&Event::Found(Found {
            re: Some(3),
            id: &bob,
            state: Presence::Here,
            devices: &devices,
            seen: None,
            polite: false,
        }));
        let nowhere = Found { re: Some(3), id: &carol, state: Presence::Gone, devices: &[], seen: None, polite: true };
        self.says(&Event::Found(nowhere));
        let at = Some(1_795_000_123_456);
        self.says(&Event::Presence(PresenceEvent { id: &bob, state: Presence::Away, seen: at }));
        self.says(&Event::Presence(PresenceEvent { id: &bob, state: Presence::Here, seen: None }));
        for status in [Delivery::Delivered, Delivery::Stored, Delivery::Absent] {
            self.says(&Event::Ack(Ack { re: 5, status }));
        }
        let offer = raw(r#"{"type":"offer","sdp":"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n"}"#);
        let none = Device::new("").unwrap();
        let signal = |from, device, kind, polite, stored, data| {
            Event::Signal(SignalEvent { from, device, kind, polite, stored, data, foreign: None })
        };
        self.says(&signal(&alice, &none, "offer", true, None, content(&offer)));
        let (note, odd) = (raw(r#""call me""#), raw(r#"[ 1.0, 1E+2,-0, {"b":1, "a":"\u00e4"} ]"#));
        self.says(&signal(&bob, &laptop, "note", false, Some(NOW), content(&note)));
        self.says(&signal(&bob, &none, "x", false, None, content(&odd)));
        let box_ = raw(r#"{"v":1,"call":"AAECAwQFBgcICQoLDA0ODw","i":1,"box":"3q2-7w"}"#);
        self.says(&Event::Relayed(Relayed { from: &bob, device: &laptop, data: content(&box_) }));
        let odd = raw("[ 1.0, 1E+2,-0, null]");
        self.says(&Event::Relayed(Relayed { from: &alice, device: &none, data: content(&odd) }));
        self.says(&Event::Lost(Lost { to: &bob, device: &laptop, n: &[5, 6] }));
        let servers = [turn("1795007200:5d41402abc4b", "Y2hhbmdlZCBieSB0aGUgc2VydmVy")];
        self.says(&Event::Ice(IceEvent { re: None, servers: &servers, expires: Some(1_795_007_200_000) }));
        self.says(&Event::Ice(IceEvent { re: Some(7), servers: &[], expires: None }));
    }

    fn rooms(&self) {
        let (alice, bob, none, laptop) = (alice(), bob(), Device::new("").unwrap(), laptop());
        let room = RoomName::new("movie-night").unwrap();
        let (friday, al, nick) = (raw(r#"{"title":"Friday"}"#), raw(r#"{"nick":"Al"}"#), raw(r#"{"nick":"Bob"}"#));
        let state = raw(r#"{"at":81.5,"playing":true}"#);
        let code = RoomCode::parse("K7PM-3XTD").unwrap();
        let host = PartyRef { id: &alice, device: &none };
        let joined = |re, state, code, members| {
            Event::RoomJoined(Box::new(RoomJoined {
                re,
                room: &room,
                host: host.clone(),
                term: 1,
                mode: Mode::HostOnly,
                locked: false,
                listed: false,
                capacity: 8,
                password: false,
                meta: Some(&friday),
                state,
                code,
                code_expires: code.map(|_| NOW + 900_000),
                members,
            }))
        };
        self.says(&joined(Some(9), None, Some(code.as_str()), &[]));
        let member = |id, device, joined, me, polite| Member {
            id,
            device,
            state: Presence::Here,
            joined,
            me,
            polite,
            dialect: 0,
        };
        let others = [member(&alice, &none, NOW, Some(&*al), false)];
        self.says(&joined(Some(11), None, None, &others));
        self.says(&joined(None, Some(&*state), None, &[]));
        let reason = Some("Time for bed.");
        self.says(&Event::RoomLeft(RoomLeft { room: &room, why: Left::Kicked, reason }));
        for why in [Left::Banned, Left::Idle, Left::Closed] {
            self.says(&Event::RoomLeft(RoomLeft { room: &room, why, reason: None }));
        }
        let change = |change| Event::RoomMember(RoomMember { room: &room, change });
        let newcomer = member(&bob, &laptop, NOW + 60_000, Some(&*nick), true);
        self.says(&change(MemberChange::Joined(newcomer)));
        for why in [Left::Gone, Left::Left, Left::Kicked, Left::Banned, Left::Idle] {
            self.says(&change(MemberChange::Left { id: &bob, device: &laptop, why, next_host: None }));
        }
        let dozing = Member { state: Presence::Away, ..member(&bob, &none, NOW, None, false) };
        self.says(&change(MemberChange::Updated(dozing)));
        self.says(&Event::RoomChanged(RoomChanged {
            room: &room,
            mode: Mode::FreeForAll,
            locked: true,
            listed: false,
            capacity: 8,
            password: false,
            meta: Some(&friday),
            new_mode: true,
            new_meta: false,
        }));
        let next = PartyRef { id: &bob, device: &laptop };
        let crowned = |why, state| {
            Event::RoomHost(RoomHost { room: &room, host: next.clone(), term: 2, why, previous: Some(&alice), state })
        };
        self.says(&crowned(HostWhy::Succeeded, Some(&*state)));
        self.says(&crowned(HostWhy::Transferred, None));
        self.says(&crowned(HostWhy::Returned, None));
        let mic = RoomName::new("open-mic").unwrap();
        let listed = [RoomListed { room: &mic, members: 3, capacity: 100, locked: false, password: false, meta: None }];
        self.says(&Event::Rooms(Rooms { re: Some(14), rooms: &listed, more: false }));
        self.says(&Event::Rooms(Rooms { re: None, rooms: &[], more: false }));
        let expires = NOW + 900_000;
        self.says(&Event::RoomCode(RoomCodeEvent { re: Some(20), room: &room, code: code.as_str(), expires }));
        let data = raw(r#"{"play":true,"at":81.5}"#);
        self.says(&Event::Said(Said { room: &room, from: &alice, device: &none, data: content(&data), foreign: None }));
        let psst = raw(r#""psst""#);
        self.says(&Event::Said(Said { room: &room, from: &bob, device: &laptop, data: content(&psst), foreign: None }));
    }

    fn groups(&self) {
        let (alice, bob, carol) = (alice(), bob(), carol());
        let (none, laptop) = (Device::new("").unwrap(), laptop());
        let (score, noon) = (raw("[2,1]"), raw(r#""maintenance at noon""#));
        self.says(&Event::Published(Published {
            topic: "scores",
            from: &alice,
            device: &none,
            receivers: 3,
            data: content(&score),
            foreign: None,
        }));
        self.says(&Event::Broadcast(BroadcastEvent { from: &alice, device: &none, data: content(&noon) }));
        let network = NetworkName::new("tom").unwrap();
        let roles = [Kind::new("coordinator").unwrap(), Kind::new("storage").unwrap()];
        let (al, me) = (raw(r#"{"username":"Al"}"#), raw(r#"{"username":"Bob"}"#));
        let nodes = [
            Node { id: &alice, device: &none, roles: &roles[..1], me: Some(&al) },
            Node { id: &bob, device: &laptop, roles: &[], me: Some(&me) },
        ];
        self.says(&Event::NetworkJoined(NetworkJoined { re: Some(24), network: &network, nodes: &nodes }));
        let joined = [Node { id: &carol, device: &none, roles: &[], me: None }];
        let (left, other) = ([PartyRef { id: &bob, device: &laptop }], PartyRef { id: &carol, device: &none });
        let nodes = |joined, left, count| {
            Event::NetworkNodes(NetworkNodes { network: &network, joined, left, count, all: &[], gone: &[] })
        };
        self.says(&nodes(&joined, &left, 2));
        self.says(&nodes(&[], &left, 1));
        let from = [left[0].clone(), other];
        self.says(&Event::Beats(Beats { network: &network, from: &from }));
        self.says(&Event::Role(RoleEvent { network: &network, id: &bob, roles: &roles, from: &alice, foreign: None }));
        self.says(&Event::Role(RoleEvent { network: &network, id: &bob, roles: &[], from: &bob, foreign: None }));
        let swarm = SwarmName::new("big-file").unwrap();
        let peers = [PartyRef { id: &alice, device: &none }, PartyRef { id: &bob, device: &laptop }];
        let some = |re, peers, complete, incomplete| {
            Event::Swarm(SwarmEvent { re, swarm: &swarm, peers, complete, incomplete, completed: 0 })
        };
        self.says(&some(Some(26), &peers, 1, 2));
        self.says(&some(Some(27), &[], 0, 0));
    }
}

fn alice() -> PeerId {
    PeerId::new("alice@example.org").unwrap()
}

fn bob() -> PeerId {
    PeerId::new("bob@example.org").unwrap()
}

fn carol() -> PeerId {
    PeerId::new("carol@example.org").unwrap()
}

fn key_id() -> PeerId {
    PeerId::new("rffvhxubqhzajsdz4b4hbxydojgpe645").unwrap()
}

fn laptop() -> Device {
    Device::new("laptop").unwrap()
}

fn turn(username: &str, credential: &str) -> IceServer {
    let (username, credential) = (Some(username.into()), Some(credential.into()));
    IceServer { urls: vec!["turn:turn.example.org:3478".into()], username, credential }
}

fn content(raw: &RawValue) -> Content<'_> {
    raw.into()
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.into()).unwrap()
}
