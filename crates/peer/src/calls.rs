//! Who calls whom: hails, heeds and declines over the server, the secret that comes of them, and how the connections that use it come about.
//!
//! The engines that carry the bytes stand behind the driver, and so do the [`Link`](crate::relay::Link)s of those who agree to the relay: they get
//! [`Order`]s and answer with [`EngineEvent`]s. What is sent over an open connection never passes through here, but for boxes that are to
//! be sealed, or were.

mod called_off;
mod live;
pub(crate) mod negotiation;
mod relaying;
mod terms;

use std::collections::BTreeMap;

use wigwag_wire::{PeerId, PublicKey};

use self::called_off::CalledOff;
use self::live::Live;
use self::negotiation::Negotiation;
pub use self::terms::{
    At, CallError, Connect, ConnectId, ConnectionId, ConnectionState, EngineEvent, IceState, Input, KnockId, Order,
    Output, RelayUse, Remote, Tag,
};
use crate::dice::Dice;
use crate::heard::{DeliveryHeard, Found, SignalHeard};
use crate::identity::Signer;
use crate::sealed::{
    CallId, Half, Pair, Seal, Share, call_of, make_decline, make_hail, make_heed, read_decline, read_hail, read_heed,
};
use crate::terms::State;
use crate::time::Moment;
use crate::trust::{Pins, Verified, check};

/// More calls than this are not kept: who floods is passed over.
const CALLS_MAX: usize = 256;

/// A call that was heeded and then not used is forgotten.
const HEEDED_MS: u64 = 30_000;

/// Who knocks and is not answered for so long is gone; for so long it surely waits.
const KNOCK_MS: u64 = 300_000;
const YOUNG_MS: u64 = 10_000;

/// All calls of one peer.
pub struct Calls {
    signer: Box<dyn Signer + Send>,
    pins: Box<dyn Pins + Send>,
    dice: Dice,
    me: Me,
    line: State,
    relay: RelayUse,
    outgoing: BTreeMap<ConnectId, Outgoing>,
    called_off: CalledOff,
    knocks: BTreeMap<KnockId, Knock>,
    live: BTreeMap<ConnectionId, Live>,
    /// Connections by their calls.
    calls: BTreeMap<CallId, ConnectionId>,
    /// What signals and questions on their way are about.
    asked: BTreeMap<Tag, About>,
    /// The last number that was given, of whatever kind.
    last: u64,
    now: Moment,
}

/// What we are called.
#[derive(Clone, Debug, Default)]
struct Me {
    id: String,
    device: String,
    namespace: String,
}

#[derive(Clone, Copy, Debug)]
enum About {
    Hail(ConnectId),
    Box(ConnectionId),
    Nothing,
}

/// A wish of ours.
struct Outgoing {
    wish: Connect,
    until: Moment,
    stage: Stage,
}

enum Stage {
    /// There is no server yet.
    Server,
    /// The hail is on its way, or was heard.
    Peer(Box<Hailed>),
    /// The peer heeded.
    Path(ConnectionId),
}

/// What has to be remembered of our hail.
#[derive(Clone)]
struct Hailed {
    me: Me,
    half: Half,
    share: Share,
}

impl Hailed {
    /// The way back, from whoever answers it.
    fn back<'a>(&'a self, from: &'a PeerId, heard: &'a SignalHeard) -> Pair<'a> {
        let Me { namespace, id, device } = &self.me;
        Pair { namespace, from: from.as_str(), device: &heard.device, to: id, to_device: device }
    }
}

/// Somebody's hail that nobody has decided about.
struct Knock {
    remote: Remote,
    hail: Half,
    polite: bool,
    until: Moment,
}

impl Calls {
    /// Calls that `signer` signs: for a guest, a key that is made for as long as the program runs.
    pub fn new(signer: Box<dyn Signer + Send>, pins: Box<dyn Pins + Send>, dice: Dice) -> Self {
        Self {
            signer,
            pins,
            dice,
            me: Me::default(),
            line: State::Idle,
            relay: RelayUse::Never,
            outgoing: BTreeMap::new(),
            called_off: CalledOff::default(),
            knocks: BTreeMap::new(),
            live: BTreeMap::new(),
            calls: BTreeMap::new(),
            asked: BTreeMap::new(),
            last: 0,
            now: Moment::default(),
        }
    }

    /// How a connection is; `None` where there is none of that number any more.
    pub fn state(&self, connection: ConnectionId) -> Option<ConnectionState> {
        self.live.get(&connection).map(|live| live.negotiation.state())
    }

    /// Takes a key for a name's from now on: after a person agreed to it.
    pub fn pin(&mut self, id: &PeerId, key: PublicKey) {
        self.pins.pin(&self.me.namespace, id, key);
    }

    /// Takes something in, at a time that never goes back, and says what is to be done.
    pub fn handle(&mut self, now: Moment, input: Input, out: &mut Vec<Output>) {
        self.now = self.now.max(now);
        match input {
            Input::Welcomed { id, device, namespace } => self.me = Me { id, device, namespace },
            Input::Line(state) => self.line(state, out),
            Input::Fresh => self.each(out, Negotiation::fresh),
            Input::Network => self.each(out, Negotiation::mend),
            Input::Connect(id, wish) => {
                let until = self.now + wish.patience;
                self.outgoing.insert(id, Outgoing { wish, until, stage: Stage::Server });
                self.line(self.line, out);
            }
            Input::Abort(id) => self.fail(id, CallError::Aborted, out),
            Input::Heard(heard) => self.heard(&heard, out),
            Input::Relay(wanted) => self.relay = wanted,
            Input::Relayed(heard) => self.relayed(&heard, out),
            Input::Post(connection, packed) => self.post(connection, &packed, out),
            Input::Signalled(tag, result) => self.signalled(tag, result, out),
            Input::Found(tag, result) => self.found(tag, result, out),
            Input::Accept(knock) => self.accept(knock, out),
            Input::Decline(knock, reason) => self.decline(knock, &reason, out),
            Input::Engine(connection, event) => {
                self.negotiate(connection, out, |negotiation, now, steps| negotiation.hear(now, event, steps));
            }
            Input::Close(connection, why) => self.close(connection, &why, out),
            Input::CloseAll => {
                for connection in self.live.keys().copied().collect::<Vec<_>>() {
                    self.close(connection, "closed", out);
                }
            }
            Input::Tick => {}
        }
        self.due(out);
    }

    /// When to say `Tick` at the latest.
    pub fn next_deadline(&self) -> Option<Moment> {
        let outgoing = self.outgoing.values().map(|outgoing| outgoing.until);
        let knocks = self.knocks.values().map(|knock| knock.until);
        let live = self.live.values().map(|live| live.until.or(live.negotiation.deadline()));
        outgoing.chain(knocks).chain(live).min().and_then(Moment::known)
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn line(&mut self, state: State, out: &mut Vec<Output>) {
        self.line = state;
        self.each(out, |negotiation, _, steps| negotiation.online(state == State::Open, steps));
        let waiting = self.outgoing.iter().filter(|(_, outgoing)| matches!(outgoing.stage, Stage::Server));
        let waiting: Vec<ConnectId> = waiting.map(|(id, _)| *id).collect();
        for id in waiting {
            match state {
                State::Open => self.hail(id, out),
                State::Idle | State::Stopped => self.fail(id, CallError::Closed, out),
                State::Connecting | State::Waiting => {}
            }
        }
    }

    fn hail(&mut self, id: ConnectId, out: &mut Vec<Output>) {
        let Some(Outgoing { wish, .. }) = self.outgoing.get(&id) else { return };
        // Who wants the same and has just asked for it has our word.
        let knocks = |knock: &Knock| wish.is_for(&knock.remote.id, &knock.remote.device);
        let is_young = |knock: &Knock| self.now + KNOCK_MS <= knock.until + YOUNG_MS;
        if let Some((knock, asks)) = self.knocks.iter().find(|(_, knock)| knocks(knock) && is_young(knock)) {
            let (knock, key) = (*knock, asks.remote.key);
            if wish.key.is_some_and(|expected| expected != key) {
                let to = wish.to.clone();
                out.push(Output::Mismatch { id: to.clone(), key });
                return self.fail(id, CallError::KeyMismatch(to), out);
            }
            out.push(Output::Unknock(knock));
            return self.heed(knock, Some(id), out);
        }
        let (share, call) = (Share::new(&mut self.dice), CallId::new(&mut self.dice));
        let me = self.me.clone();
        let (to, device) = (wish.to.clone(), wish.device.clone());
        let there = Pair { namespace: &me.namespace, from: &me.id, device: &me.device, to: to.as_str(), to_device: "" };
        let Some(made) = make_hail(&*self.signer, &there, &call, &share, wish.meta.as_deref()) else {
            return self.fail(id, CallError::Failed("what the hail is to say is no JSON".into()), out);
        };
        if let Some(outgoing) = self.outgoing.get_mut(&id) {
            outgoing.stage = Stage::Peer(Box::new(Hailed { me, half: made.half, share }));
        }
        self.signal(About::Hail(id), to, device, "ww.hail", made.data, out);
    }

    fn signal(
        &mut self,
        about: About,
        to: PeerId,
        device: Option<String>,
        kind: &'static str,
        data: Box<serde_json::value::RawValue>,
        out: &mut Vec<Output>,
    ) {
        let tag = Tag(self.next());
        self.asked.insert(tag, about);
        out.push(Output::Signal { tag, to, device, kind, data });
    }

    /// Ends a wish of ours, and the connection that was to fulfil it.
    fn fail(&mut self, id: ConnectId, error: CallError, out: &mut Vec<Output>) {
        let Some(outgoing) = self.outgoing.remove(&id) else { return };
        let reason = error.reason();
        let path = match outgoing.stage {
            Stage::Server => None,
            Stage::Peer(hailed) => {
                self.called_off.keep(self.now, outgoing.wish, hailed, &error);
                None
            }
            Stage::Path(connection) => Some(connection),
        };
        out.push(Output::Failed { connect: id, error });
        if let Some(connection) = path {
            if let Some(live) = self.live.get_mut(&connection) {
                live.connect = None;
            }
            self.close(connection, reason, out);
        }
    }

    fn signalled(&mut self, tag: Tag, result: Result<DeliveryHeard, String>, out: &mut Vec<Output>) {
        match (self.asked.remove(&tag), result) {
            (Some(About::Hail(id)), Ok(DeliveryHeard::Absent)) => {
                let Some(Outgoing { wish, stage: Stage::Peer(_), .. }) = self.outgoing.get(&id) else { return };
                let to = wish.to.clone();
                let tag = Tag(self.next());
                self.asked.insert(tag, About::Hail(id));
                out.push(Output::Find { tag, id: to });
            }
            (Some(About::Hail(id)), Err(why)) if self.is_hailing(id) => self.fail(id, CallError::Failed(why), out),
            (Some(About::Box(connection)), Ok(DeliveryHeard::Absent)) => {
                let Some(live) = self.live.get(&connection) else { return };
                if live.negotiation.state() == ConnectionState::Connecting {
                    let error = CallError::Absent { id: live.remote.id.clone(), seen: None };
                    self.negotiate(connection, out, |negotiation, _, steps| {
                        negotiation.end("absent", Some(error), steps);
                    });
                }
            }
            (Some(About::Box(connection)), Err(_)) => {
                self.negotiate(connection, out, |negotiation, now, steps| {
                    if negotiation.state() != ConnectionState::Open {
                        negotiation.mend(now, steps);
                    }
                });
            }
            _ => {}
        }
    }

    fn found(&mut self, tag: Tag, result: Result<Found, String>, out: &mut Vec<Output>) {
        let Some(About::Hail(id)) = self.asked.remove(&tag) else { return };
        let Some(Outgoing { wish, stage: Stage::Peer(_), .. }) = self.outgoing.get(&id) else { return };
        let error = match result {
            Ok(Found { seen: Some(seen), .. }) => CallError::Absent { id: wish.to.clone(), seen: Some(seen) },
            Ok(_) => CallError::NotFound(wish.to.clone()),
            Err(why) => CallError::Failed(why),
        };
        self.fail(id, error, out);
    }

    fn heard(&mut self, heard: &SignalHeard, out: &mut Vec<Output>) {
        let Some(call) = call_of(&heard.data) else { return };
        let Ok(from) = PeerId::new(&heard.from) else { return };
        match heard.kind.as_str() {
            "ww.hail" => self.hailed(heard, from, &call, out),
            "ww.heed" | "ww.decline" => self.answered(heard, from, &call, out),
            "ww.sealed" => {
                let Some(connection) = self.calls.get(&call).copied() else { return };
                let Some(live) = self.live.get_mut(&connection) else { return };
                if live.remote.id != from || live.remote.device != heard.device {
                    return;
                }
                if let Some(content) = live.seal.open(&heard.data) {
                    self.negotiate(connection, out, |negotiation, now, steps| negotiation.take(now, content, steps));
                }
            }
            _ => {}
        }
    }

    /// An answer to a hail of ours.
    fn answered(&mut self, heard: &SignalHeard, from: PeerId, call: &CallId, out: &mut Vec<Output>) {
        let ours = self.outgoing.iter().find_map(|(id, outgoing)| match &outgoing.stage {
            Stage::Peer(hailed) if hailed.half.call == *call => Some((*id, &outgoing.wish, hailed)),
            _ => None,
        });
        let Some((id, wish, hailed)) = ours else { return self.heeded_late(heard, from, call, out) };
        if !wish.is_for(&from, &heard.device) {
            return;
        }
        let (hailed, expected) = (Hailed::clone(hailed), wish.key);
        let (back, half) = (hailed.back(&from, heard), &hailed.half);
        if heard.kind == "ww.decline" {
            let Some((key, reason)) = read_decline(&back, &heard.data, half) else { return };
            let reason = if reason.is_empty() { format!("{from} declined.") } else { reason };
            let error = match self.check(&from, &key, expected.as_ref(), out) {
                Some(_) => CallError::Refused(reason),
                None => CallError::KeyMismatch(from),
            };
            return self.fail(id, error, out);
        }
        let Some(heed) = read_heed(&back, &heard.data, half) else { return };
        let Some(verified) = self.check(&from, &heed.key, expected.as_ref(), out) else {
            return self.fail(id, CallError::KeyMismatch(from), out);
        };
        let Some(seal) = Seal::new(true, &hailed.share, half, &heed) else { return };
        let remote = Remote { id: from, device: heard.device.clone(), key: heed.key, verified, meta: None };
        let connection = self.make(remote, seal, heard.polite, Some(id), out);
        self.negotiate(connection, out, |negotiation, _, steps| negotiation.begin(steps));
    }

    /// Somebody's hail.
    fn hailed(&mut self, heard: &SignalHeard, from: PeerId, call: &CallId, out: &mut Vec<Output>) {
        let is_known = self.calls.contains_key(call) || self.knocks.values().any(|knock| knock.hail.call == *call);
        if is_known || self.knocks.len() + self.live.len() >= CALLS_MAX {
            return;
        }
        let ours = self.wish_for(&from, &heard.device);
        // Both hail at once: the impolite one's call is the one.
        if ours.is_some() && !heard.polite {
            return;
        }
        let me = self.me.clone();
        let Me { id: to, namespace, .. } = &me;
        let there = Pair { namespace, from: from.as_str(), device: &heard.device, to, to_device: "" };
        let Some(hail) = read_hail(&there, &heard.data) else { return };
        let expected = ours.and_then(|id| self.outgoing.get(&id)?.wish.key);
        let Some(verified) = self.check(&from, &hail.key, expected.as_ref(), out) else { return };
        let knock = KnockId(self.next());
        let remote =
            Remote { id: from, device: heard.device.clone(), key: hail.key, verified, meta: hail.meta.clone() };
        let until = self.now + KNOCK_MS;
        self.knocks.insert(knock, Knock { remote: remote.clone(), hail, polite: heard.polite, until });
        if ours.is_some() {
            self.accept(knock, out);
        } else {
            out.push(Output::Knock { knock, remote });
        }
    }

    fn is_hailing(&self, id: ConnectId) -> bool {
        self.outgoing.get(&id).is_some_and(|outgoing| matches!(outgoing.stage, Stage::Peer(_)))
    }

    /// A wish of ours for this very peer that nobody has heeded yet.
    fn wish_for(&self, from: &PeerId, device: &str) -> Option<ConnectId> {
        let is_it =
            |outgoing: &Outgoing| matches!(outgoing.stage, Stage::Peer(_)) && outgoing.wish.is_for(from, device);
        self.outgoing.iter().find(|(_, outgoing)| is_it(outgoing)).map(|(id, _)| *id)
    }

    fn accept(&mut self, knock: KnockId, out: &mut Vec<Output>) {
        let Some(Knock { remote, polite, .. }) = self.knocks.get(&knock) else { return };
        // A wish of ours for the same is fulfilled by this one; unless the other gives way, which has our hail by now.
        let ours = self.wish_for(&remote.id, &remote.device);
        if ours.is_some() && !polite {
            self.knocks.remove(&knock);
        } else {
            self.heed(knock, ours, out);
        }
    }

    /// Answers who knocks. `connect`: the wish of ours that this fulfils.
    fn heed(&mut self, knock: KnockId, connect: Option<ConnectId>, out: &mut Vec<Output>) {
        let Some(Knock { remote, hail, polite, .. }) = self.knocks.remove(&knock) else { return };
        let share = Share::new(&mut self.dice);
        let me = self.me.clone();
        let back = Pair {
            namespace: &me.namespace,
            from: &me.id,
            device: &me.device,
            to: remote.id.as_str(),
            to_device: &remote.device,
        };
        let Some(heed) = make_heed(&*self.signer, &back, &share, &hail) else { return };
        let Some(seal) = Seal::new(false, &share, &hail, &heed.half) else { return };
        let (to, device) = (remote.id.clone(), Some(remote.device.clone()));
        let connection = self.make(remote, seal, polite, connect, out);
        if let Some(live) = self.live.get_mut(&connection) {
            live.until = self.now + HEEDED_MS;
        }
        self.signal(About::Nothing, to, device, "ww.heed", heed.data, out);
    }

    fn decline(&mut self, knock: KnockId, reason: &str, out: &mut Vec<Output>) {
        let Some(Knock { remote, hail, .. }) = self.knocks.remove(&knock) else { return };
        let Me { id, device, namespace } = &self.me;
        let to = remote.id.as_str();
        let back = Pair { namespace, from: id, device, to, to_device: &remote.device };
        let Some(data) = make_decline(&*self.signer, &back, &hail, reason) else { return };
        self.signal(About::Nothing, remote.id, Some(remote.device), "ww.decline", data, out);
    }

    fn check(
        &mut self,
        id: &PeerId,
        key: &PublicKey,
        expected: Option<&PublicKey>,
        out: &mut Vec<Output>,
    ) -> Option<Verified> {
        let verified = check(&mut *self.pins, &self.me.namespace, id, key, expected);
        verified.inspect_err(|why| out.push(Output::Mismatch { id: why.id.clone(), key: why.key })).ok()
    }

    /// What time has brought.
    fn due(&mut self, out: &mut Vec<Output>) {
        let now = self.now;
        let late = self.outgoing.iter().filter(|(_, outgoing)| outgoing.until <= now);
        for id in late.map(|(id, _)| *id).collect::<Vec<_>>() {
            let error = match self.outgoing.get(&id).map(|outgoing| &outgoing.stage) {
                Some(Stage::Path(connection)) => self.live.get(connection).map(|live| live.negotiation.failure()),
                Some(Stage::Peer(_)) => Some(CallError::Timeout { at: At::Peer }),
                Some(Stage::Server) | None => Some(CallError::Timeout { at: At::Server }),
            };
            self.fail(id, error.unwrap_or(CallError::Timeout { at: At::Path }), out);
        }
        let gone = self.knocks.iter().filter(|(_, knock)| knock.until <= now);
        for knock in gone.map(|(knock, _)| *knock).collect::<Vec<_>>() {
            self.knocks.remove(&knock);
            out.push(Output::Unknock(knock));
        }
        for connection in self.live.keys().copied().collect::<Vec<_>>() {
            self.negotiate(connection, out, Negotiation::tick);
            let is_over = self.live.get(&connection).is_some_and(|live| live.until <= now);
            if is_over {
                self.negotiate(connection, out, |negotiation, _, steps| {
                    let error = negotiation.failure();
                    negotiation.end(error.reason(), Some(error), steps);
                });
            }
        }
    }
}

impl std::fmt::Debug for Calls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Calls").field("me", &self.me).finish_non_exhaustive()
    }
}
