//! The native client's machines between a server and a peer that say anything: no panic, a next step that lies ahead, and no more output for
//! one input than bounds allow. The peer has keys, so that what it seals is opened.
//!
//! The input is a script, a line for each thing that happens: its first byte says what, the rest with what. [`World::play`] lists them.

use serde_json::json;
use serde_json::value::RawValue;
use wigwag_peer::calls::{
    Calls, Connect, ConnectId, ConnectionId, EngineEvent, IceState, Input as CallsInput, KnockId, Order,
    Output as CallsOutput, RelayUse,
};
use wigwag_peer::finding::{PeerRecord, Wanted, fingerprints};
use wigwag_peer::heard::{DeliveryHeard, LimitsHeard, RelayedHeard, SignalHeard};
use wigwag_peer::relay::{Carrier, ChannelId, Link, LinkOutput, Message, Pace, Posted, Records};
use wigwag_peer::sealed::{
    CallId, Candidate, Description, DescriptionKind, Half, Pair, Seal, Share, make_decline, make_hail, make_heed,
    read_hail, read_heed,
};
use wigwag_peer::trust::MemoryPins;
use wigwag_peer::{AskId, Body, Config, Dice, Frame, Identity, Input, Line, Moment, Output, Server, SocketId, State};
use wigwag_wire::PeerId;

const LINES_MAX: usize = 200;

/// More than this comes of no single input: what waits in a line has a bound, and so have calls.
const OUTPUTS_MAX: usize = 4_096;

/// A machine and an engine that agrees with it come to rest within so many turns.
const TURNS_MAX: usize = 400;

const KNOCKS_MAX: usize = 256;

const SPACE: &str = "chess";

pub(crate) fn run(data: &[u8]) {
    let mut world = World::new();
    for line in data.split(|byte| *byte == b'\n').take(LINES_MAX) {
        if let Some((what, rest)) = line.split_first() {
            world.play(*what, rest);
        }
    }
}

/// A client, and the peer opposite with what it knows.
struct World {
    now: u64,
    line: Line,
    socket: SocketId,
    /// The number of the line's last request.
    n: String,
    asked: u64,
    calls: Calls,
    me: PeerId,
    knocks: Vec<KnockId>,
    live: Vec<ConnectionId>,
    connects: u64,
    /// What becomes of signals.
    delivery: Result<DeliveryHeard, String>,
    bob: Bob,
    link: Link,
    pace: Pace,
    records: Records,
}

/// The other peer.
struct Bob {
    signer: Identity,
    id: PeerId,
    dice: Dice,
    /// Its last hail, and what it answered it with.
    hailed: Option<(Share, Half)>,
    heard: Option<Half>,
    seal: Option<Seal>,
}

impl World {
    fn new() -> Self {
        let (alice, bob) = (Identity::ed25519(&[1; 32]), Identity::ed25519(&[2; 32]));
        let (me, id) = (alice.id(), bob.id());
        let servers = vec![Server::new("wss://a.test/v1"), Server::new("wss://b.test/v1")];
        let mut world = Self {
            now: 1,
            line: Line::new(Config::new(servers), Dice::new([3; 32])).unwrap(),
            socket: SocketId(0),
            n: "0".to_owned(),
            asked: 0,
            calls: Calls::new(Box::new(alice), Box::<MemoryPins>::default(), Dice::new([4; 32])),
            me,
            knocks: Vec::new(),
            live: Vec::new(),
            connects: 0,
            delivery: Ok(DeliveryHeard::Delivered),
            bob: Bob { signer: bob, id, dice: Dice::new([5; 32]), hailed: None, heard: None, seal: None },
            link: Link::new(true, true),
            pace: Pace::default(),
            records: Records::new(true),
        };
        let (id, device, namespace) = (world.me.to_string(), "a".to_owned(), SPACE.to_owned());
        world.call(CallsInput::Welcomed { id, device, namespace });
        world.call(CallsInput::Line(State::Open));
        world
    }

    fn play(&mut self, what: u8, rest: &[u8]) {
        let text = || String::from_utf8_lossy(rest).into_owned();
        let number = || text().chars().take(9).filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0);
        match what {
            // The line and its server.
            b'o' => self.line(Input::Open),
            b'c' => self.line(Input::Close),
            b'n' => self.line(Input::Nudge),
            b'k' => self.line(Input::Check),
            b'>' => {
                let text = text().replace('#', &self.n);
                self.line(Input::Text { socket: self.socket, text });
            }
            b'W' => self.welcome(rest),
            b'l' => {
                let code = u16::try_from(number()).unwrap_or_default();
                self.line(Input::Lost { socket: self.socket, code, reason: String::new() });
            }
            b'r' | b'R' | b's' | b'm' => self.ask(what, &text()),
            b'v' => self.line(Input::Forget(AskId(number()))),
            b'S' => self.line(Input::Unstand(text())),
            b't' => self.sleep(number()),
            // The calls and whoever else is there.
            b'C' => {
                self.connects += 1;
                self.call(CallsInput::Connect(ConnectId(self.connects), Connect::to(self.bob.id.clone())));
            }
            b'A' => self.call(CallsInput::Abort(ConnectId(number()))),
            b'h' => self.hail(rest),
            b'e' => self.heed(),
            b'd' => self.decline(&text()),
            b'H' => self.heard("ww.hail", &text()),
            b'E' => self.heard("ww.heed", &text()),
            b'D' => self.heard("ww.decline", &text()),
            b'x' => self.heard("ww.sealed", &text()),
            b'X' => {
                let sealed = self.bob.seal.as_mut().and_then(|seal| seal.seal_text(&text()));
                sealed.iter().for_each(|sealed| self.heard("ww.sealed", sealed.get()));
            }
            b'z' => self.relayed(&text()),
            b'Z' => {
                let sealed = self.bob.seal.as_mut().and_then(|seal| seal.seal_relayed(rest));
                sealed.iter().for_each(|sealed| self.relayed(sealed.get()));
            }
            b'y' | b'Y' => {
                let Some(knock) = self.knocks.pop() else { return };
                self.call(if what == b'y' { CallsInput::Accept(knock) } else { CallsInput::Decline(knock, text()) });
            }
            b'g' => self.engine(rest),
            b'p' => {
                let Some(last) = self.live.last().copied() else { return };
                self.call(CallsInput::Post(last, rest.to_vec()));
            }
            b'q' => {
                let Some(last) = self.live.last().copied() else { return };
                self.call(CallsInput::Close(last, text()));
            }
            b'Q' => self.call(CallsInput::CloseAll),
            b'f' => self.call(CallsInput::Fresh),
            b'w' => self.call(CallsInput::Network),
            b'u' => self.call(CallsInput::Line(if rest.is_empty() { State::Open } else { State::Waiting })),
            b'U' => self.call(CallsInput::Relay(match rest.first() {
                Some(b'n') => RelayUse::Never,
                Some(b'o') => RelayUse::Only,
                _ => RelayUse::LastResort,
            })),
            b'0' => self.delivery = Ok(DeliveryHeard::Delivered),
            b'1' => self.delivery = Ok(DeliveryHeard::Absent),
            b'2' => self.delivery = Err("refused".to_owned()),
            // The stream of the relay, and records.
            b'b' => self.link(|link, now, pace, out| link.take(now, pace, rest, Carrier::Direct, out)),
            b'B' => self.link(|link, now, pace, out| link.take(now, pace, rest, Carrier::Relay, out)),
            b'T' => {
                let by = rest.first().map(|by| if *by == b'd' { Carrier::Direct } else { Carrier::Relay });
                self.link(|link, now, pace, out| link.travel(now, pace, by, rest.len() > 1, out));
            }
            b'P' => self.link(|link, now, pace, out| {
                let code = u16::try_from(number()).unwrap_or_default();
                let posted =
                    if code == 0 { Posted::Lost } else { Posted::Refused { code, retry_after: Some(number()) } };
                link.posted(now, pace, posted, out);
            }),
            b'L' => {
                if let Ok(limits) = serde_json::from_slice::<LimitsHeard>(rest) {
                    self.pace.told(Moment(self.now), &limits);
                }
            }
            b'M' => self.link(|link, now, pace, out| {
                let _ = link.send(ChannelId(0), Message::Text(text()));
                link.direct(now, pace, Some(0), out);
            }),
            b'V' => self.records(rest),
            b'i' => self.record(&text()),
            _ => {}
        }
    }

    /// Hands something to the line, and signs what it wants signed.
    fn line(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut out = Vec::new();
            self.line.handle(Moment(self.now), input, &mut out);
            assert!(out.len() <= OUTPUTS_MAX, "one input brings {} outputs", out.len());
            for output in out {
                match output {
                    Output::Connect { socket, .. } => self.socket = socket,
                    Output::Send { text, .. } => {
                        let sent: serde_json::Value = serde_json::from_str(&text).unwrap();
                        self.n = sent["n"].to_string();
                    }
                    Output::Prove { socket, .. } => {
                        inputs.push(Input::Proved { socket, signature: "c2lnbmF0dXJl".to_owned() });
                    }
                    _ => {}
                }
            }
        }
        let rests = matches!(self.line.status().state, State::Idle | State::Stopped);
        let due = self.line.next_deadline();
        assert_eq!(due.is_none(), rests, "it waits for something, or was told to stop");
        assert!(due.is_none_or(|due| due.0 > self.now), "nothing stays due");
    }

    /// A server that lets it in, and says this beside what it must.
    fn welcome(&mut self, more: &[u8]) {
        self.line(Input::Open);
        let challenge =
            json!({"type": "challenge", "nonce": "n".repeat(16), "server": "a.test", "versions": ["wigwag.1"]});
        let mut welcome = json!({"type": "welcome", "resume": "t", "resumed": false});
        if let Ok(serde_json::Value::Object(more)) = serde_json::from_slice(more) {
            more.into_iter().for_each(|(field, value)| welcome[field] = value);
        }
        for frame in [challenge, welcome] {
            self.line(Input::Text { socket: self.socket, text: frame.to_string() });
        }
    }

    fn ask(&mut self, what: u8, text: &str) {
        self.asked += 1;
        let body = Body::new(&json!({"type": "find", "id": text})).unwrap();
        let id = AskId(self.asked);
        self.line(match what {
            b's' => Input::Stand { key: text.to_owned(), body },
            b'm' => Input::Mention(body),
            _ => Input::Request { id, body, repeatable: what == b'r' },
        });
    }

    fn sleep(&mut self, ms: u64) {
        self.now += ms;
        self.line(Input::Tick);
        self.call(CallsInput::Tick);
        self.link(Link::tick);
    }

    /// Hands something to the calls. An engine agrees with all that they want of it.
    fn call(&mut self, input: CallsInput) {
        let mut inputs = vec![input];
        for turn in 0.. {
            let Some(input) = inputs.pop() else { break };
            assert!(turn < TURNS_MAX, "it never comes to rest");
            let mut out = Vec::new();
            self.calls.handle(Moment(self.now), input, &mut out);
            assert!(out.len() <= OUTPUTS_MAX, "one input brings {} outputs", out.len());
            for output in out {
                inputs.extend(self.carry_out(output));
            }
            let due = self.calls.next_deadline();
            assert!(due.is_none_or(|due| due.0 > self.now), "nothing stays due");
        }
        assert!(self.knocks.len() <= KNOCKS_MAX && self.live.len() <= KNOCKS_MAX * 2, "calls are not bounded");
    }

    fn carry_out(&mut self, output: CallsOutput) -> Option<CallsInput> {
        match output {
            CallsOutput::Signal { tag, to, device, kind, data } => {
                assert!(to == self.bob.id && device.is_none_or(|device| device == "b"), "to nobody else");
                let alice =
                    Pair { namespace: SPACE, from: self.me.as_str(), device: "a", to: to.as_str(), to_device: "" };
                match kind {
                    "ww.hail" => self.bob.heard = Some(read_hail(&alice, &data).unwrap()),
                    "ww.heed" => {
                        let Some((share, hail)) = &self.bob.hailed else { return None };
                        let heed = read_heed(&Pair { to_device: "b", ..alice }, &data, hail);
                        let seal = heed.and_then(|heed| Seal::new(true, share, hail, &heed));
                        self.bob.seal = seal.or(self.bob.seal.take());
                    }
                    _ => {}
                }
                Some(CallsInput::Signalled(tag, self.delivery.clone()))
            }
            CallsOutput::Find { tag, .. } => Some(CallsInput::Found(tag, Err("nothing is known".to_owned()))),
            CallsOutput::Knock { knock, .. } => {
                self.knocks.push(knock);
                None
            }
            CallsOutput::Unknock(knock) => {
                self.knocks.retain(|known| *known != knock);
                None
            }
            CallsOutput::Connecting { connection, .. } => {
                self.live.push(connection);
                None
            }
            CallsOutput::Closed { connection, .. } => {
                self.live.retain(|live| *live != connection);
                None
            }
            CallsOutput::Order(connection, order) => {
                let kind = match order {
                    Order::Offer { .. } => DescriptionKind::Offer,
                    Order::Describe(Description { kind: DescriptionKind::Offer, .. }) => DescriptionKind::Answer,
                    _ => return None,
                };
                let sdp = format!("v=0\r\na=ice-ufrag:{}\r\n", self.now);
                Some(CallsInput::Engine(connection, EngineEvent::Described(Description { kind, sdp })))
            }
            _ => None,
        }
    }

    fn heard(&mut self, kind: &str, data: &str) {
        let Ok(data) = RawValue::from_string(data.to_owned()) else { return };
        let (from, device, kind) = (self.bob.id.to_string(), "b".to_owned(), kind.to_owned());
        let polite = self.bob.id < self.me;
        self.call(CallsInput::Heard(SignalHeard { from, device, kind, polite, stored: None, data }));
    }

    fn relayed(&mut self, data: &str) {
        let Ok(data) = RawValue::from_string(data.to_owned()) else { return };
        let (from, device) = (self.bob.id.to_string(), "b".to_owned());
        self.call(CallsInput::Relayed(RelayedHeard { from, device, data }));
    }

    /// A good hail of the other peer's, with this to decide by.
    fn hail(&mut self, meta: &[u8]) {
        let meta = String::from_utf8(meta.to_vec()).ok().and_then(|meta| RawValue::from_string(meta).ok());
        let Bob { signer, id, dice, hailed, .. } = &mut self.bob;
        let there = Pair { namespace: SPACE, from: id.as_str(), device: "b", to: self.me.as_str(), to_device: "" };
        let (call, share) = (CallId::new(dice), Share::new(dice));
        let Some(made) = make_hail(signer, &there, &call, &share, meta.as_deref()) else { return };
        *hailed = Some((share, made.half));
        self.heard("ww.hail", made.data.get());
    }

    /// The other peer heeds our last hail.
    fn heed(&mut self) {
        let Bob { signer, id, dice, heard, seal, .. } = &mut self.bob;
        let Some(hail) = heard.take() else { return };
        let back = Pair { namespace: SPACE, from: id.as_str(), device: "b", to: self.me.as_str(), to_device: "a" };
        let share = Share::new(dice);
        let Some(made) = make_heed(signer, &back, &share, &hail) else { return };
        *seal = Seal::new(false, &share, &hail, &made.half);
        self.heard("ww.heed", made.data.get());
    }

    fn decline(&mut self, why: &str) {
        let Bob { signer, id, heard, .. } = &mut self.bob;
        let Some(hail) = heard.take() else { return };
        let back = Pair { namespace: SPACE, from: id.as_str(), device: "b", to: self.me.as_str(), to_device: "a" };
        let Some(data) = make_decline(signer, &back, &hail, why) else { return };
        self.heard("ww.decline", data.get());
    }

    /// Something that the engine of the last connection has to say.
    fn engine(&mut self, said: &[u8]) {
        let Some(last) = self.live.last().copied() else { return };
        let candidate = || Candidate {
            candidate: format!("candidate:1 1 udp 1 192.0.2.1 {} typ host", self.now % 60_000),
            sdp_mid: Some("0".to_owned()),
            sdp_m_line_index: None,
            username_fragment: None,
        };
        let event = match said.first() {
            Some(b'c') => EngineEvent::Candidate(Some(candidate())),
            Some(b'n') => EngineEvent::Candidate(None),
            Some(b'k') => EngineEvent::Ice(IceState::Checking),
            Some(b'i') => EngineEvent::Ice(IceState::Connected),
            Some(b'd') => EngineEvent::Ice(IceState::Disconnected),
            Some(b'f') => EngineEvent::Ice(IceState::Failed),
            Some(b'o') => EngineEvent::Open,
            Some(b'l') => EngineEvent::Left,
            Some(b'h') => EngineEvent::Heard(Carrier::Direct),
            Some(b'H') => EngineEvent::Heard(Carrier::Relay),
            Some(b'm') => EngineEvent::Moved(None),
            Some(b'M') => EngineEvent::Moved(Some(Carrier::Relay)),
            Some(b'u') => EngineEvent::Unrelayed,
            _ => EngineEvent::Failed("broken".to_owned()),
        };
        self.call(CallsInput::Engine(last, event));
    }

    fn link(&mut self, act: impl FnOnce(&mut Link, Moment, &mut Pace, &mut Vec<LinkOutput>)) {
        let mut out = Vec::new();
        act(&mut self.link, Moment(self.now), &mut self.pace, &mut out);
        assert!(out.len() <= OUTPUTS_MAX, "one input brings {} outputs", out.len());
        assert!(self.link.next_deadline().is_none_or(|due| due.0 > self.now), "nothing stays due");
    }

    /// Bytes of the stream, as they are when all is well with what carries them.
    fn records(&mut self, bytes: &[u8]) {
        let mut told = Vec::new();
        let broken = self.records.take(bytes, &mut told).is_err();
        assert!(told.len() <= bytes.len(), "nothing is told that nobody said");
        if broken {
            self.records = Records::new(true);
        }
    }

    /// A finder's record, and what else is read as text.
    fn record(&mut self, text: &str) {
        if let Some(record) = PeerRecord::read(text) {
            let wanted = Wanted { namespace: SPACE, id: &record.id, now: record.made };
            let _ = record.is_good(&wanted);
        }
        assert!(fingerprints(text).len() <= text.len(), "no more prints than there are");
        let _ = Frame::read(text);
    }
}
