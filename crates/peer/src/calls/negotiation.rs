//! How two engines agree: offers and answers, glare, candidates in bundles, restarts, and how long a lost path is looked for.

use std::collections::BTreeSet;

use super::relaying::Relaying;
use super::terms::{At, CallError, ConnectionState, EngineEvent, IceState, Order, RelayUse};
use crate::relay::Carrier;
use crate::sealed::{Candidate, Content, Description, DescriptionKind, kind_of};
use crate::time::Moment;

/// Candidates that are found within this time travel together.
const GATHER_MS: u64 = 30;

/// How long a path may be silent before another is looked for, and how long that may take.
const SILENT_MS: u64 = 3_000;
const MEND_MS: u64 = 60_000;

/// One search for a path is not disturbed by the next for so long.
const RESTART_MS: u64 = 5_000;

/// More candidates than this do not wait for a description.
const EARLY_MAX: usize = 256;

/// One connection's negotiation.
#[derive(Debug)]
pub(crate) struct Negotiation {
    polite: bool,
    state: ConnectionState,
    /// Whether there is an engine.
    begun: bool,
    /// The description that the engine is to make.
    awaited: Option<DescriptionKind>,
    /// Whether an offer of ours is not answered yet.
    offering: Option<Offer>,
    /// A restart that has to wait until nothing is offered.
    wanted: bool,
    described: bool,
    ufrag: String,
    early: Vec<Candidate>,
    found: Vec<Option<Candidate>>,
    gathered_at: Moment,
    restart_at: Moment,
    restarted: Option<Moment>,
    look_at: Moment,
    give_up_at: Moment,
    ice: IceState,
    /// Whether the data channel is open.
    reachable: bool,
    pub(super) relaying: Relaying,
    local: BTreeSet<String>,
    remote: BTreeSet<String>,
}

/// An offer of ours.
#[derive(Clone, Copy, Debug)]
struct Offer {
    restart: bool,
}

/// What comes of a step.
#[derive(Debug)]
pub(crate) enum Step {
    /// For the engine.
    Order(Order),
    /// For the other side.
    Tell(Content),
    /// The connection is like this now.
    State(ConnectionState),
    /// It is over, and why.
    End(&'static str, Option<CallError>),
}

impl Negotiation {
    /// A negotiation with whoever gives way or not.
    pub(super) fn new(polite: bool, relaying: Relaying) -> Self {
        Self {
            polite,
            state: ConnectionState::Connecting,
            begun: false,
            awaited: None,
            offering: None,
            wanted: false,
            described: false,
            ufrag: String::new(),
            early: Vec::new(),
            found: Vec::new(),
            gathered_at: Moment::NEVER,
            restart_at: Moment::NEVER,
            restarted: None,
            look_at: Moment::NEVER,
            give_up_at: Moment::NEVER,
            ice: IceState::Checking,
            reachable: false,
            relaying,
            local: BTreeSet::new(),
            remote: BTreeSet::new(),
        }
    }

    /// The negotiation of a connection that is open already, by these descriptions of ours and of the other.
    pub(crate) fn standing(polite: bool, ours: &str, theirs: &str) -> Self {
        let [local, remote] = [ours, theirs].map(|sdp| {
            let mut kinds = BTreeSet::new();
            keep_all(&mut kinds, sdp);
            kinds
        });
        Self {
            state: ConnectionState::Open,
            begun: true,
            described: true,
            ufrag: ufrag(theirs).to_owned(),
            ice: IceState::Connected,
            reachable: true,
            local,
            remote,
            ..Self::new(polite, Relaying::new(RelayUse::Never, false, true))
        }
    }

    pub(crate) fn state(&self) -> ConnectionState {
        self.state
    }

    /// Makes the first offer.
    pub(crate) fn begin(&mut self, out: &mut Vec<Step>) {
        self.engine(out);
        self.offer(false, out);
    }

    /// What the other side sealed for us.
    pub(crate) fn take(&mut self, now: Moment, content: Content, out: &mut Vec<Step>) {
        if self.state == ConnectionState::Closed {
            return;
        }
        if content.bye.is_some() {
            return self.end("left", None, out);
        }
        if let Some(description) = content.description {
            self.described(now, description, content.relay, out);
        }
        if let Some(candidates) = content.candidates {
            self.candidates(candidates.into_iter().flatten().collect(), out);
        }
    }

    /// What our engine has to say.
    pub(crate) fn hear(&mut self, now: Moment, event: EngineEvent, out: &mut Vec<Step>) {
        if self.state == ConnectionState::Closed {
            return;
        }
        match event {
            EngineEvent::Described(description) => {
                // An offer that gave way is not told any more.
                if self.awaited == Some(description.kind) {
                    self.awaited = None;
                    keep_all(&mut self.local, &description.sdp);
                    let kind = description.kind;
                    let relay = self.relaying.offers();
                    out.push(Step::Tell(Content { description: Some(description), relay, ..Content::default() }));
                    if kind == DescriptionKind::Answer {
                        self.relaying.both_described(now);
                    }
                    self.settle(now, out);
                }
            }
            EngineEvent::Candidate(candidate) => self.gathered(now, candidate, out),
            EngineEvent::Ice(state) => self.watch(now, state, out),
            EngineEvent::Open => {
                self.reachable = true;
                if self.relaying.is_agreed() {
                    self.reached(out);
                } else {
                    self.set(ConnectionState::Open, out);
                }
            }
            EngineEvent::Left => self.end("left", None, out),
            EngineEvent::Failed(why) => self.end("failed", Some(CallError::Failed(why)), out),
            EngineEvent::Moved(by) => self.relaying.moved(now, by),
            EngineEvent::Heard(by) if self.relaying.carrier() == Some(by) => self.opened(out),
            EngineEvent::Heard(_) => {}
            EngineEvent::Silent(_) => self.search(now, out),
            EngineEvent::Unrelayed => self.unrelayed(now, out),
            EngineEvent::Broken(why) => self.end("failed", Some(CallError::Failed(why.to_string())), out),
        }
    }

    /// There is a server again, or no longer.
    pub(crate) fn online(&mut self, online: bool, out: &mut Vec<Step>) {
        if self.relaying.line(online) {
            out.push(Step::Order(Order::Online(online)));
        }
    }

    /// Looks for a better path: the network is another one, or the path is gone.
    pub(crate) fn mend(&mut self, now: Moment, out: &mut Vec<Step>) {
        if !self.described || self.state == ConnectionState::Closed || self.restart_at != Moment::NEVER {
            return;
        }
        match self.restarted.map(|restarted| restarted + RESTART_MS).filter(|at| *at > now) {
            Some(at) => self.restart_at = at,
            None => self.restart(now, out),
        }
    }

    /// The session is another one: an offer of ours may never have arrived.
    pub(crate) fn fresh(&mut self, now: Moment, out: &mut Vec<Step>) {
        if self.state == ConnectionState::Open || !self.described {
            return;
        }
        self.offering = None;
        self.mend(now, out);
        self.settle(now, out);
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Moment, out: &mut Vec<Step>) {
        if self.gathered_at <= now {
            self.tell_found(out);
        }
        if self.restart_at <= now {
            self.restart_at = Moment::NEVER;
            self.restart(now, out);
        }
        if self.look_at <= now {
            if self.give_up_at <= now {
                return self.end("no_path", Some(self.failure()), out);
            }
            self.mend(now, out);
            self.look_at = now + SILENT_MS * 3;
        }
        let (takes_up, looks) = self.relaying.due(now);
        if takes_up {
            self.take_up(out);
        }
        if looks {
            self.mend(now, out);
        }
    }

    pub(crate) fn deadline(&self) -> Moment {
        self.gathered_at.or(self.restart_at).or(self.look_at).or(self.relaying.deadline())
    }

    /// Ends it.
    pub(crate) fn end(&mut self, reason: &'static str, error: Option<CallError>, out: &mut Vec<Step>) {
        if self.state == ConnectionState::Closed {
            return;
        }
        (self.gathered_at, self.restart_at, self.look_at) = (Moment::NEVER, Moment::NEVER, Moment::NEVER);
        self.relaying.end();
        if self.begun {
            out.push(Step::Order(Order::End));
        }
        self.set(ConnectionState::Closed, out);
        out.push(Step::End(reason, error));
    }

    /// Why there is no connection, as far as it can be told from here.
    pub(crate) fn failure(&self) -> CallError {
        if self.relaying.carrier() == Some(Carrier::Relay) {
            CallError::Timeout { at: At::Relay }
        } else if self.ice == IceState::Connected {
            CallError::Timeout { at: At::Channel }
        } else if self.remote.is_empty() {
            CallError::Timeout { at: At::Path }
        } else {
            let list = |kinds: &BTreeSet<String>| kinds.iter().cloned().collect();
            CallError::NoPath { local: list(&self.local), remote: list(&self.remote) }
        }
    }

    fn engine(&mut self, out: &mut Vec<Step>) {
        if !std::mem::replace(&mut self.begun, true) {
            out.push(Step::Order(Order::Begin));
        }
    }

    fn offer(&mut self, restart: bool, out: &mut Vec<Step>) {
        self.awaited = Some(DescriptionKind::Offer);
        self.offering = Some(Offer { restart });
        out.push(Step::Order(Order::Offer { restart }));
    }

    fn restart(&mut self, now: Moment, out: &mut Vec<Step>) {
        self.wanted = true;
        self.settle(now, out);
    }

    /// What had to wait until nothing is offered.
    fn settle(&mut self, now: Moment, out: &mut Vec<Step>) {
        if self.wanted && self.offering.is_none() && self.awaited.is_none() {
            self.wanted = false;
            self.restarted = Some(now);
            self.offer(true, out);
        }
    }

    fn described(&mut self, now: Moment, description: Description, relays: bool, out: &mut Vec<Step>) {
        self.engine(out);
        out.extend(self.relaying.agree(now, relays).map(Step::Order));
        keep_all(&mut self.remote, &description.sdp);
        match (description.kind, self.offering) {
            // Both offer at once: the impolite one's offer is the one.
            (DescriptionKind::Offer, Some(_)) if !self.polite => return,
            (DescriptionKind::Offer, before) => {
                let is_new = ufrag(&description.sdp) != self.ufrag;
                // Theirs is a search anew as well, or ours is made once more.
                self.wanted |= before.is_some_and(|offer| offer.restart) && !is_new;
                (self.offering, self.awaited) = (None, Some(DescriptionKind::Answer));
            }
            (DescriptionKind::Answer, Some(_)) if self.awaited.is_none() => {
                self.offering = None;
                self.relaying.both_described(now);
            }
            (DescriptionKind::Answer, _) => return,
        }
        let ufrag = ufrag(&description.sdp).to_owned();
        if ufrag != self.ufrag {
            (self.ufrag, self.restarted) = (ufrag, Some(now));
        }
        self.described = true;
        out.push(Step::Order(Order::Describe(description)));
        let early = std::mem::take(&mut self.early);
        if !early.is_empty() {
            out.push(Step::Order(Order::Candidates(early)));
        }
        self.settle(now, out);
    }

    fn candidates(&mut self, candidates: Vec<Candidate>, out: &mut Vec<Step>) {
        for candidate in candidates.iter().filter(|candidate| !candidate.candidate.is_empty()) {
            keep(&mut self.remote, candidate.kind());
        }
        if self.described {
            out.extend((!candidates.is_empty()).then_some(Step::Order(Order::Candidates(candidates))));
        } else {
            let room = EARLY_MAX.saturating_sub(self.early.len());
            self.early.extend(candidates.into_iter().take(room));
        }
    }

    fn gathered(&mut self, now: Moment, candidate: Option<Candidate>, out: &mut Vec<Step>) {
        let is_all = candidate.is_none();
        if let Some(candidate) = &candidate {
            keep(&mut self.local, candidate.kind());
        }
        self.found.push(candidate);
        if is_all {
            self.tell_found(out);
        } else if self.gathered_at == Moment::NEVER {
            self.gathered_at = now + GATHER_MS;
        }
    }

    fn tell_found(&mut self, out: &mut Vec<Step>) {
        self.gathered_at = Moment::NEVER;
        let found = std::mem::take(&mut self.found);
        if !found.is_empty() {
            out.push(Step::Tell(Content { candidates: Some(found), ..Content::default() }));
        }
    }

    fn watch(&mut self, now: Moment, ice: IceState, out: &mut Vec<Step>) {
        self.ice = ice;
        match ice {
            IceState::Checking => {}
            IceState::Connected if self.relaying.is_agreed() => self.reached(out),
            // The relay carries: whether a direct path comes is another matter.
            IceState::Disconnected | IceState::Failed if self.relaying.carrier() == Some(Carrier::Relay) => {}
            IceState::Connected => {
                (self.look_at, self.give_up_at) = (Moment::NEVER, Moment::NEVER);
                if self.state == ConnectionState::Mending {
                    self.set(ConnectionState::Open, out);
                }
            }
            IceState::Disconnected => {
                self.mending(now, SILENT_MS, out);
                self.relaying.lost(now);
            }
            IceState::Failed => {
                if !self.take_up(out) || self.state != ConnectionState::Connecting {
                    self.mending(now, 0, out);
                }
            }
        }
    }

    /// Takes up the relay, where there is one.
    fn take_up(&mut self, out: &mut Vec<Step>) -> bool {
        let may = self.relaying.take_up();
        if may {
            out.push(Step::Order(Order::Travel { by: Some(Carrier::Relay), reaches: false }));
        }
        may
    }

    /// The direct path of a link is there.
    fn reached(&mut self, out: &mut Vec<Step>) {
        if self.reachable {
            out.push(Step::Order(Order::Travel { by: Some(Carrier::Direct), reaches: true }));
            self.opened(out);
        }
    }

    /// A link has a way to the other side.
    fn opened(&mut self, out: &mut Vec<Step>) {
        self.relaying.opened();
        (self.look_at, self.give_up_at) = (Moment::NEVER, Moment::NEVER);
        self.set(ConnectionState::Open, out);
    }

    /// A link hears nothing any more.
    fn search(&mut self, now: Moment, out: &mut Vec<Step>) {
        if self.state == ConnectionState::Open {
            self.mending(now, SILENT_MS, out);
        }
    }

    fn unrelayed(&mut self, now: Moment, out: &mut Vec<Step>) {
        self.relaying.refuse();
        out.push(Step::Order(Order::Travel { by: None, reaches: false }));
        if self.state == ConnectionState::Connecting && self.ice == IceState::Failed {
            self.end("no_path", Some(self.failure()), out);
        } else {
            self.search(now, out);
        }
    }

    /// A path is gone: another is looked for, and if there is none for long, it is over.
    fn mending(&mut self, now: Moment, delay: u64, out: &mut Vec<Step>) {
        if self.state == ConnectionState::Connecting {
            if delay == 0 {
                self.end("no_path", Some(self.failure()), out);
            }
            return;
        }
        self.set(ConnectionState::Mending, out);
        if delay == 0 {
            self.mend(now, out);
        }
        if self.look_at == Moment::NEVER {
            self.give_up_at = now + MEND_MS;
            self.look_at = now + if delay == 0 { SILENT_MS * 3 } else { delay };
        }
    }

    fn set(&mut self, state: ConnectionState, out: &mut Vec<Step>) {
        if self.state != state && self.state != ConnectionState::Closed {
            self.state = state;
            out.push(Step::State(state));
        }
    }
}

/// What names a search for a path.
fn ufrag(sdp: &str) -> &str {
    sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).map_or("", str::trim)
}

/// Remembers the kinds of candidates that a description names.
fn keep_all(kinds: &mut BTreeSet<String>, sdp: &str) {
    for line in sdp.lines().filter(|line| line.starts_with("a=candidate:")) {
        keep(kinds, kind_of(line));
    }
}

/// Remembers a kind of candidates: one of the few that there are.
fn keep(kinds: &mut BTreeSet<String>, kind: &str) {
    if ["host", "srflx", "prflx", "relay"].contains(&kind) {
        kinds.insert(kind.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_stand_in_descriptions_count_where_no_path_is_found() {
        let sdp = |kind: &str| format!("v=0\r\na=ice-ufrag:x\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ {kind}\r\n");
        let (now, mut out) = (Moment::default(), Vec::new());
        let mut negotiation = Negotiation::new(false, Relaying::new(RelayUse::Never, true, true));
        negotiation.begin(&mut out);
        let offer = Description { kind: DescriptionKind::Offer, sdp: sdp("host") };
        negotiation.hear(now, EngineEvent::Described(offer), &mut out);
        let answer = Description { kind: DescriptionKind::Answer, sdp: sdp("relay") };
        negotiation.take(now, Content { description: Some(answer), ..Content::default() }, &mut out);
        let (local, remote) = (vec!["host".to_owned()], vec!["relay".to_owned()]);
        assert_eq!(negotiation.failure(), CallError::NoPath { local, remote });
    }
}
