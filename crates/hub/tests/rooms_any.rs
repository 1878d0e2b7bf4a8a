//! Rooms: whatever five peers do, what each of them was told adds up to what the room is.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod table;

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use table::words::{ask, with};
use table::{Sock, Table};
use wigwag_hub::{PartyInfo, RoomDetail};
use wigwag_wire::request::Mode;
use wigwag_wire::{Namespace, RoomName};

/// The first two are devices of one id.
const PEERS: [(&str, &str); 5] =
    [("alice@x", ""), ("alice@x", "phone"), ("bob@x", ""), ("carol@x", "laptop"), ("dave@x", "")];

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_everyone_was_told_adds_up_to_what_the_room_is(steps in prop::collection::vec(step(), 1..80)) {
        let mut story = Story::new();
        for step in steps {
            story.play(&step);
            story.check();
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// A peer asks something of the room. Orders may carry a term that is off by some.
    Ask { by: usize, request: Value, off: u64 },
    /// The peer's socket is lost, or comes back.
    Cut(usize),
    /// The peer's session ends, and another begins.
    Bye(usize),
    /// Time passes.
    Pass(u64),
    /// The server restarts, and everyone comes back.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..PEERS.len(), request(), prop_oneof![9 => Just(0), 1 => Just(1u64)])
            .prop_map(|(by, request, off)| Step::Ask { by, request, off }),
        2 => (0..PEERS.len()).prop_map(Step::Cut),
        1 => (0..PEERS.len()).prop_map(Step::Bye),
        2 => prop_oneof![Just(1), Just(2_000), Just(6_000), Just(130_000)].prop_map(Step::Pass),
        1 => Just(Step::Restart),
    ]
}

fn request() -> impl Strategy<Value = Value> {
    let target = |kind: &'static str| {
        (0..PEERS.len(), any::<bool>()).prop_map(move |(at, one)| {
            let (id, device) = PEERS[at];
            let order = ask(kind, json!({"id": id}));
            if one { with(order, json!({"device": device})) } else { order }
        })
    };
    let options = prop_oneof![
        (1..6u32).prop_map(|capacity| json!({"capacity": capacity})),
        any::<bool>().prop_map(|locked| json!({"locked": locked})),
        any::<bool>().prop_map(|free| json!({"mode": if free { "FREE_FOR_ALL" } else { "HOST_ONLY" }})),
        prop_oneof![Just(0), Just(5u32)].prop_map(|idle| json!({"idle": idle})),
        prop_oneof![Just(0), Just(60u32)].prop_map(|linger| json!({"linger": linger})),
    ]
    .boxed();
    prop_oneof![
        1 => options.clone().prop_map(|options| with(ask("room.create", json!({})), options)),
        8 => Just(ask("room.join", json!({"create": true}))),
        2 => (0..9u32).prop_map(|me| ask("room.join", json!({"me": me}))),
        2 => Just(ask("room.leave", json!({}))),
        2 => options.prop_map(|options| with(ask("room.set", json!({})), options)),
        2 => target("room.kick"),
        1 => target("room.ban"),
        1 => target("room.unban"),
        2 => target("room.transfer"),
        1 => (0..9u32).prop_map(|state| ask("room.state", json!({"state": state}))),
        1 => Just(ask("room.beat", json!({}))),
        1 => (0..9u32).prop_map(|me| ask("room.me", json!({"me": me}))),
        2 => Just(ask("say", json!({"data": 1}))),
        1 => (0..PEERS.len()).prop_map(|at| ask("say", json!({"to": [PEERS[at].0], "data": 1}))),
    ]
}

struct Story {
    table: Table,
    peers: Vec<Teller>,
    /// The host of each term, as anybody was told, for as long as the room is there.
    hosts: BTreeMap<u64, Value>,
}

/// A peer, and the room as it was told about it.
struct Teller {
    socket: Sock,
    connected: bool,
    n: u64,
    me: Option<Value>,
    view: Option<View>,
}

#[derive(Clone, Debug, PartialEq)]
struct View {
    host: Value,
    term: u64,
    options: Value,
    /// The others, longest-standing first: who, and presence with metadata.
    others: Vec<((String, String), Value)>,
}

impl Story {
    fn new() -> Self {
        let mut table = Table::new();
        let sockets = PEERS.map(|(id, device)| table.login(json!({"id": id, "device": device})));
        let peer = |socket| Teller { socket, connected: true, n: 0, me: None, view: None };
        Self { table, peers: sockets.into_iter().map(peer).collect(), hosts: BTreeMap::new() }
    }

    fn play(&mut self, step: &Step) {
        match step {
            Step::Ask { by, request, off } if self.peers[*by].connected => {
                let peer = &mut self.peers[*by];
                peer.n += 1;
                let term = peer.view.as_ref().map_or(1, |view| view.term) + off;
                let request = with(request.clone(), json!({"n": peer.n, "term": term}));
                let (n, socket) = (peer.n, peer.socket);
                self.table.send(socket, &request);
                self.read(Some((*by, n, &request)));
            }
            Step::Cut(by) if self.peers[*by].connected => {
                self.peers[*by].connected = false;
                self.table.cut(self.peers[*by].socket);
                self.read(None);
            }
            Step::Ask { by, .. } | Step::Cut(by) => self.come_back(*by),
            Step::Bye(by) if self.peers[*by].connected => {
                let socket = self.peers[*by].socket;
                self.table.send(socket, &json!({"type": "bye"}));
                self.table.world.expect_closed(socket, 1000);
                self.come_back(*by);
                assert_eq!(self.peers[*by].view, None, "a session that ended goes on");
            }
            Step::Bye(_) => {}
            Step::Pass(ms) => {
                self.table.pass(*ms);
                self.read(None);
            }
            Step::Restart => {
                self.table.restart(500);
                for by in 0..self.peers.len() {
                    self.come_back(by);
                }
            }
        }
    }

    fn come_back(&mut self, by: usize) {
        let (socket, resumed) = self.table.come_back(self.peers[by].socket);
        let peer = &mut self.peers[by];
        (peer.socket, peer.connected) = (socket, true);
        if !resumed {
            (peer.view, peer.n) = (None, 0);
        }
        self.read(None);
    }

    /// Everyone takes in what they were sent.
    fn read(&mut self, asked: Option<(usize, u64, &Value)>) {
        let mut answers = 0;
        for (socket, frame) in self.table.take_all() {
            let at = self.peers.iter().position(|peer| peer.socket == socket).unwrap();
            if let Some((by, n, request)) = asked
                && by == at
                && frame["re"] == json!(n)
            {
                answers += 1;
                if frame["type"] != "error" {
                    self.peers[by].carried_out(request);
                }
            }
            if let Some(host) = frame.get("host") {
                let term = frame["term"].as_u64().unwrap();
                let known = self.hosts.entry(term).or_insert_with(|| host.clone());
                assert_eq!(known, host, "two hosts in term {term}");
            }
            self.peers[at].told(&frame);
        }
        if asked.is_some() {
            assert_eq!(answers, 1, "every request has one answer");
        }
    }

    /// What everyone was told is what there is.
    fn check(&mut self) {
        let (ns, name) = (Namespace::new("default").unwrap(), RoomName::new("den").unwrap());
        let Some(RoomDetail { info, present }) = self.table.world.hub.room(&ns, &name) else {
            assert!(self.peers.iter().all(|peer| !peer.connected || peer.view.is_none()), "a member of no room");
            self.hosts.clear();
            return;
        };
        assert_eq!(info.members as usize, present.len());
        let places = |party: &PartyInfo| PEERS.iter().position(|(id, device)| is(party, id, device)).unwrap();
        let present: Vec<(usize, String)> =
            present.iter().map(|member| (places(&member.party), state(&member.state))).collect();
        match &info.host {
            Some(host) => assert!(present.iter().any(|(at, _)| *at == places(host)), "the host is not a member"),
            None => assert_eq!(present, [], "members without a host"),
        }
        let options = json!({"mode": if info.mode == Mode::HostOnly { "HOST_ONLY" } else { "FREE_FOR_ALL" },
            "locked": info.locked, "capacity": info.capacity});
        for (at, peer) in self.peers.iter().enumerate().filter(|(_, peer)| peer.connected) {
            let is_in = present.iter().any(|(member, _)| *member == at);
            let others = present.iter().filter(|(member, _)| *member != at).map(|(member, state)| {
                let (id, device) = PEERS[*member];
                let me = self.peers[*member].me.clone().unwrap_or(Value::Null);
                ((id.to_owned(), device.to_owned()), json!({"state": state, "me": me}))
            });
            let view = is_in.then(|| View {
                host: party(PEERS[places(info.host.as_ref().unwrap())]),
                term: info.term,
                options: options.clone(),
                others: others.collect(),
            });
            assert_eq!(peer.view, view, "what {:?} was told", PEERS[at]);
        }
    }
}

impl Teller {
    /// A request of this peer was carried out.
    fn carried_out(&mut self, request: &Value) {
        match request["type"].as_str().unwrap() {
            "room.leave" => self.view = None,
            "room.create" => self.me = None,
            "room.join" if self.view.is_none() => self.me = request.get("me").cloned(),
            "room.join" => self.me = request.get("me").cloned().or(self.me.take()),
            "room.me" => self.me = Some(request["me"].clone()),
            _ => {}
        }
    }

    /// Takes in one message.
    fn told(&mut self, frame: &Value) {
        let kind = frame["type"].as_str().unwrap();
        if kind == "room.joined" {
            let others: Vec<_> = frame["members"].as_array().unwrap().iter().map(member).collect();
            let fresh = self.view.is_none();
            let capacity = frame["capacity"].as_u64().unwrap();
            assert!(!fresh || others.len() < capacity as usize, "more members than the capacity");
            let (host, term) = (frame["host"].clone(), frame["term"].as_u64().unwrap());
            self.view = Some(View { host, term, options: options(frame), others });
            return;
        }
        if matches!(kind, "done" | "error") {
            return;
        }
        let view = self.view.as_mut().unwrap_or_else(|| panic!("not a member, but was told {frame}"));
        match kind {
            "room.left" => self.view = None,
            "room.changed" => view.options = options(frame),
            "room.host" => {
                let term = frame["term"].as_u64().unwrap();
                assert!(term > view.term, "the term does not rise");
                (view.host, view.term) = (frame["host"].clone(), term);
            }
            "room.member" => {
                let (who, seen) = member(frame);
                let at = view.others.iter().position(|(other, _)| *other == who);
                match (frame["change"].as_str().unwrap(), at) {
                    ("joined", None) => view.others.push((who, seen)),
                    ("left", Some(at)) => drop(view.others.remove(at)),
                    ("updated", Some(at)) => view.others[at].1 = seen,
                    _ => panic!("this cannot happen to {who:?}: {frame}"),
                }
            }
            "said" => {
                assert!(view.others.iter().any(|(who, _)| who.0 == frame["from"]), "said by a stranger: {frame}");
            }
            other => panic!("{other}"),
        }
    }
}

fn member(frame: &Value) -> ((String, String), Value) {
    let text = |field: &str| frame[field].as_str().unwrap_or_default().to_owned();
    ((text("id"), text("device")), json!({"state": frame["state"], "me": frame["me"]}))
}

fn options(frame: &Value) -> Value {
    json!({"mode": frame["mode"], "locked": frame["locked"], "capacity": frame["capacity"]})
}

fn party((id, device): (&str, &str)) -> Value {
    if device.is_empty() { json!({"id": id}) } else { json!({"id": id, "device": device}) }
}

fn is(party: &PartyInfo, id: &str, device: &str) -> bool {
    party.id.as_str() == id && party.device.as_str() == device
}

fn state(presence: &wigwag_wire::event::Presence) -> String {
    serde_json::to_value(presence).unwrap().as_str().unwrap().to_owned()
}
