//! What two promise each other who came together by a code: each knows whose key the other proved, or that it proved none.
#![allow(clippy::unwrap_used)]

mod support;

use wigwag_peer::calls::{CallError, ConnectionState, EngineEvent, IceState, Order};
use wigwag_peer::finding::{ChannelSide, fingerprints, guest_id};
use wigwag_peer::meeting::{Me, Meeting, MeetingInput, MeetingOutput, Met};
use wigwag_peer::sealed::{Description, DescriptionKind};
use wigwag_peer::trust::{MemoryPins, Pins, Verified};
use wigwag_peer::{Identity, Moment, Signer};
use wigwag_wire::PeerId;

const OFFER: &str = "a=ice-ufrag:o\r\na=fingerprint:sha-256 AA:01\r\n";
const ANSWER: &str = "a=ice-ufrag:a\r\na=fingerprint:SHA-256 bb:02\r\n";

#[test]
fn both_know_whose_key_the_other_proved() {
    let (ann, ben) = (identity(1), identity(2));
    let mut two = Two::new(Side::of(&ann), Side::of(&ben));
    two.greet();
    let met = |who: &Identity| Met { id: who.id(), key: Some(who.key()), verified: Verified::Key, plain: false };
    assert_eq!(two.met(), [Some(met(&ben)), Some(met(&ann))]);
}

#[test]
fn a_name_is_believed_where_it_is_pinned_to_the_key_and_pinned_by_nobody_here() {
    let (ann, ben) = (identity(1), identity(2));
    let name = PeerId::new("ben@example.org").unwrap();
    let named = || Side { id: name.to_string(), ..Side::of(&ben) };
    let mut two = Two::new(Side::of(&ann), named());
    two.greet();
    assert_eq!(two.met()[0].as_ref().unwrap().id, ben.id());
    let mut pins = MemoryPins::default();
    pins.pin("", &name, ben.key());
    let mut two = Two::new(Side { pins, ..Side::of(&ann) }, named());
    two.greet();
    assert_eq!(two.met()[0], Some(Met { id: name, key: Some(ben.key()), verified: Verified::Pinned, plain: false }));
}

#[test]
fn whoever_stands_between_the_two_is_found_out() {
    let (ann, ben) = (identity(1), identity(2));
    let mut two = Two::new(Side::of(&ann), Side { answer: ANSWER.replace("02", "03"), ..Side::of(&ben) });
    two.greet();
    assert_eq!(two.met(), [None, None]);
    // The other has ended before it said a word.
    assert!(matches!(two.ends(), [None, Some(("key_mismatch", Some(CallError::KeyMismatch(_))))]));
}

#[test]
fn another_world_or_another_key_than_the_expected_one_is_refused() {
    let (ann, ben) = (identity(1), identity(2));
    let mut two = Two::new(Side::of(&ann), Side { namespace: "chess", ..Side::of(&ben) });
    two.greet();
    assert_eq!(two.met(), [None, None]);
    let mut two = Two::new(Side { expected: Some(ann.key()), ..Side::of(&ann) }, Side::of(&ben));
    two.greet();
    assert_eq!((two.met()[0].clone(), two.ends()[0].as_ref().unwrap().0), (None, "key_mismatch"));
    let mut two = Two::new(Side { expected: Some(ben.key()), ..Side::of(&ann) }, Side::of(&ben));
    two.greet();
    assert_eq!(two.met()[0].as_ref().unwrap().key, Some(ben.key()));
}

#[test]
fn who_proves_nothing_is_a_guest_under_a_name_that_both_know() {
    let ann = identity(1);
    let guest = PeerId::new(&guest_id([&fingerprints(OFFER), &fingerprints(ANSWER)])).unwrap();
    let met = |plain| Met { id: guest.clone(), key: None, verified: Verified::Guest, plain };
    let mut two = Two::new(Side::of(&ann), Side { signer: None, ..Side::of(&ann) });
    two.greet();
    assert_eq!(two.met()[0], Some(met(false)), "it said that it has no key");
    let mut two = Two::new(Side::of(&ann), Side::of(&ann));
    two.tell(0, MeetingInput::Opened { speaks: false });
    assert_eq!(two.met()[0], Some(met(true)), "its channel has another protocol");
    two.tell(1, MeetingInput::Opened { speaks: true });
    two.now = 4_999;
    two.tell(1, MeetingInput::Tick);
    assert_eq!(two.met()[1], None);
    two.now = 5_000;
    two.tell(1, MeetingInput::Tick);
    assert_eq!(two.met()[1], Some(met(true)), "it says nothing");
}

#[test]
fn what_is_said_after_the_greeting_mends_and_ends_the_connection() {
    let (ann, ben) = (identity(1), identity(2));
    let mut two = Two::new(Side::of(&ann), Side::of(&ben));
    two.greet();
    two.tell(0, MeetingInput::Engine(EngineEvent::Ice(IceState::Failed)));
    assert_eq!(two.states[0], [ConnectionState::Mending]);
    assert_eq!(two.orders[0], [Order::Offer { restart: true }]);
    let description = Description { kind: DescriptionKind::Offer, sdp: "a=ice-ufrag:o2\r\n".into() };
    two.tell(0, MeetingInput::Engine(EngineEvent::Described(description.clone())));
    assert_eq!(two.orders[1], [Order::Describe(description)]);
    two.tell(0, MeetingInput::Engine(EngineEvent::Ice(IceState::Connected)));
    assert_eq!(two.states[0], [ConnectionState::Mending, ConnectionState::Open]);
    two.tell(1, MeetingInput::Said("nonsense".into()));
    two.tell(1, MeetingInput::Close("enough".into()));
    assert_eq!(two.ends(), [Some(("left", None)), Some(("closed", None))]);
}

struct Side<'a> {
    id: String,
    namespace: &'a str,
    signer: Option<Identity>,
    pins: MemoryPins,
    expected: Option<wigwag_wire::PublicKey>,
    answer: String,
}

impl Side<'_> {
    fn of(identity: &Identity) -> Self {
        let signer = Some(Identity::ed25519(&identity.secret()));
        let (id, namespace, pins) = (String::new(), "", MemoryPins::default());
        Self { id, namespace, signer, pins, expected: None, answer: ANSWER.to_owned() }
    }
}

type End = Option<(&'static str, Option<CallError>)>;

struct Two {
    now: u64,
    meetings: [Meeting; 2],
    met: [Option<Met>; 2],
    ends: [End; 2],
    states: [Vec<ConnectionState>; 2],
    orders: [Vec<Order>; 2],
}

impl Two {
    /// The offerer and the acceptor.
    fn new(one: Side<'_>, other: Side<'_>) -> Self {
        let answer = other.answer.clone();
        let meeting = |side, who: Side<'_>, sdps| {
            let me = Me { id: who.id, namespace: who.namespace.to_owned() };
            let signer = who.signer.map(|signer| Box::new(signer) as Box<dyn Signer + Send>);
            Meeting::new(side, me, signer, Box::new(who.pins), who.expected, sdps)
        };
        let meetings = [
            meeting(ChannelSide::Offerer, one, [OFFER, ANSWER]),
            meeting(ChannelSide::Acceptor, other, [&answer, OFFER]),
        ];
        Self {
            now: 0,
            meetings,
            met: [None, None],
            ends: [None, None],
            states: Default::default(),
            orders: Default::default(),
        }
    }

    fn greet(&mut self) {
        for who in [0, 1] {
            self.tell(who, MeetingInput::Opened { speaks: true });
        }
        for who in [0, 1] {
            self.tell(who, MeetingInput::Ready);
        }
    }

    fn tell(&mut self, who: usize, input: MeetingInput) {
        let mut out = Vec::new();
        self.meetings[who].handle(Moment(self.now), input, &mut out);
        for output in out {
            match output {
                MeetingOutput::Say(text) => self.tell(1 - who, MeetingInput::Said(text)),
                MeetingOutput::Order(order) => self.orders[who].push(order),
                MeetingOutput::Met(met) => self.met[who] = Some(met),
                MeetingOutput::State(state) if state != ConnectionState::Closed => self.states[who].push(state),
                MeetingOutput::State(_) => {}
                MeetingOutput::Closed { reason, error } => self.ends[who] = Some((reason, error)),
            }
        }
    }

    fn met(&self) -> [Option<Met>; 2] {
        self.met.clone()
    }

    fn ends(&self) -> [End; 2] {
        self.ends.clone()
    }
}

fn identity(seed: u64) -> Identity {
    Identity::new(&mut support::dice(seed))
}
