//! One server: a real hub, its sockets, and the store that survives it.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use bytes::Bytes;
use wigwag_hub::{
    Ask, Carry, CarryStatus, Claimed, Connection, Hub, IceRules, Input, Keep, Moment, Native, Now, Origin, Output,
    Received, Rules, SessionFilter, SessionId, Snapshot, SocketId,
};
use wigwag_wire::code::Code;
use wigwag_wire::{Limits, Namespace, PeerId, PublicKey, RoomName};

use crate::plan::Plan;

/// Milliseconds for a hello.
pub(crate) const HANDSHAKE_MS: u64 = 5_000;
/// Milliseconds without a socket until `away`.
pub(crate) const AWAY_AFTER_MS: u64 = 2_000;
/// Milliseconds without a socket until `gone`.
pub(crate) const GONE_AFTER_MS: u64 = 15_000;

/// What a server wants of the world.
#[derive(Debug)]
pub(crate) enum Wish {
    Send { socket: u64, frame: Bytes },
    Mark { socket: u64, count: u64 },
    Close { socket: u64, code: u16 },
    Claim(Claim),
    Where { ns: Namespace, id: PeerId },
    Keep(Keep),
    Forget(Vec<u64>),
    Carry(Carry),
    Receipt { ticket: u64, status: CarryStatus },
}

/// Whether a key may speak for a name.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) socket: u64,
    pub(crate) ns: Namespace,
    pub(crate) name: PeerId,
    pub(crate) key: PublicKey,
}

/// What survives a server.
#[derive(Debug, Default)]
pub(crate) struct Store {
    names: BTreeMap<(Namespace, PeerId), PublicKey>,
    /// In the order in which they were kept.
    signals: Vec<Keep>,
}

/// One server.
pub(crate) struct Node {
    pub(crate) hub: Hub,
    rules: Rules,
    sockets: BTreeMap<u64, Socket>,
    pub(crate) store: Store,
    /// Raised with each new process, so that what was meant for an old one is not taken in by the next.
    pub(crate) process: u64,
    /// When the process began; `None` while there is none.
    began_ms: Option<u64>,
    /// What the last process wrote out.
    saved: Option<String>,
    /// When something is due, as last looked at.
    due: Option<u64>,
    /// What the hub did that no hub may do.
    pub(crate) wrong: Vec<String>,
}

struct Socket {
    connection: Connection,
    /// What came while the connection waited for the store.
    inbox: VecDeque<String>,
    /// Whether the hub closed it: it takes nothing in any more, and nothing may go out.
    closed: bool,
}

/// The rules that all servers of the world follow: as in real life but with shorter times and smaller queues.
fn rules(plan: &Plan, name: &str) -> Rules {
    let off_unless = |on: bool, limit: u64| if on { limit } else { 0 };
    let limits = Limits {
        frames_per_second: off_unless(plan.rated, 20),
        frames_burst: off_unless(plan.rated, 40),
        guesses_per_minute: off_unless(plan.rated, Limits::default().guesses_per_minute),
        handshake_ms: HANDSHAKE_MS,
        queue_frames: plan.queue_frames,
        queue_bytes: 16 * 1024,
        stored_per_id: 16,
        ..Limits::default()
    };
    let limits = if plan.tight { tightened(&limits) } else { limits };
    let turn = IceRules {
        turn_urls: vec!["turn:turn.sim.example:3478".into()],
        turn_secret: "a secret of the sim".into(),
        turn_seconds: 600,
        ..IceRules::default()
    };
    Rules {
        limits,
        away_after_ms: AWAY_AFTER_MS,
        gone_after_ms: GONE_AFTER_MS,
        server: name.to_owned(),
        ask_where: plan.linked,
        ask_ms: 3_000,
        ice: if plan.turn { turn } else { IceRules::default() },
        ..Rules::default()
    }
}

/// Limits that a handful of clients reaches, so that every refusal has to leave things as they were.
fn tightened(limits: &Limits) -> Limits {
    Limits {
        watches: 2,
        rooms_per_session: 2,
        rooms: 3,
        members_per_room: 3,
        bans_per_room: 1,
        topics_per_session: 1,
        topics: 2,
        networks_per_session: 1,
        nodes_per_network: 3,
        swarms_per_session: 1,
        swarms: 2,
        stored_per_id: 2,
        waiting_per_id: 2,
        ..limits.clone()
    }
}

impl Store {
    /// Whether the key may speak for the name; it may if nobody does yet.
    pub(crate) fn claim(&mut self, claim: &Claim) -> Claimed {
        let bound = self.names.entry((claim.ns.clone(), claim.name.clone())).or_insert(claim.key);
        if *bound == claim.key { Claimed::Yes } else { Claimed::No(Code::NameTaken) }
    }

    pub(crate) fn keep(&mut self, keep: Keep) {
        self.signals.push(keep);
    }

    pub(crate) fn forget(&mut self, numbers: &[u64]) {
        self.signals.retain(|s| !numbers.contains(&s.number));
    }

    /// What it keeps of these.
    pub(crate) fn kept<'s>(&'s self, numbers: &'s [u64]) -> impl Iterator<Item = &'s Keep> {
        self.signals.iter().filter(|s| numbers.contains(&s.number))
    }

    /// How many signals it keeps.
    pub(crate) fn len(&self) -> usize {
        self.signals.len()
    }
}

impl Node {
    pub(crate) fn new(plan: &Plan, name: &str, now_ms: u64, seed: [u8; 32]) -> Self {
        let rules = rules(plan, name);
        Self {
            hub: new_hub(&rules, seed),
            rules,
            sockets: BTreeMap::new(),
            store: Store::default(),
            process: 0,
            began_ms: Some(now_ms),
            saved: None,
            due: None,
            wrong: Vec::new(),
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.began_ms.is_some()
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The process ends: in order, and then it writes out its state, or not. What it still wants forgotten reaches the store.
    pub(crate) fn stop(&mut self, now: Now, in_order: bool, close_first: bool) {
        let local = self.local(now);
        let mut out = Vec::new();
        if in_order && close_first {
            for socket in self.sockets.values_mut() {
                socket.connection.handle(&self.hub, local, Received::Closed, &mut out);
            }
        }
        // Through text and back, as over a disk.
        self.saved = in_order.then(|| write(&self.hub, local));
        for output in out {
            if let Output::Forget(numbers) = output {
                self.store.forget(&numbers);
            }
        }
        self.sockets.clear();
        self.process += 1;
        self.began_ms = None;
        self.due = None;
    }

    /// A new process takes over what the last one left.
    pub(crate) fn start(&mut self, now: Now, seeds: [[u8; 32]; 2]) -> Vec<Wish> {
        self.began_ms = Some(now.at.0);
        let local = self.local(now);
        self.hub = new_hub(&self.rules, seeds[0]);
        let mut out = Vec::new();
        if let Some(saved) = self.saved.take() {
            if let Err(why) = read(&mut self.hub, local, &saved, &mut out) {
                self.wrong.push(format!("its own snapshot was not taken in: {why}"));
            }
            let first = write(&self.hub, local);
            let mut second = new_hub(&self.rules, seeds[1]);
            let again = read(&mut second, local, &first, &mut Vec::new()).map(|()| write(&second, local));
            if let Some(difference) = difference(&first, &again.unwrap_or_default()) {
                self.wrong.push(format!("a snapshot read back is another: {difference}"));
            }
        }
        for kept in self.store.signals.clone() {
            self.hub.restore_stored(local, kept, &mut out);
        }
        self.sift(out)
    }

    /// A socket opens, if the server lets it in.
    pub(crate) fn open(&mut self, now: Now, socket: u64, address: IpAddr) -> Vec<Wish> {
        let local = self.local(now);
        let mut out = Vec::new();
        match self.hub.admit(local, Origin::Ip(address)) {
            Err(refusal) => vec![Wish::Close { socket, code: refusal.code.number() }],
            Ok(pass) => {
                let connection = Connection::open(&self.hub, local, SocketId(socket), pass, &mut out);
                self.sockets.insert(socket, Socket { connection, inbox: VecDeque::new(), closed: false });
                self.sift(out)
            }
        }
    }

    pub(crate) fn text(&mut self, now: Now, socket: u64, text: String) -> Vec<Wish> {
        if let Some(known) = self.sockets.get_mut(&socket) {
            known.inbox.push_back(text);
        }
        self.hand_in(now, socket)
    }

    pub(crate) fn pong(&mut self, now: Now, socket: u64, count: u64) -> Vec<Wish> {
        self.receive(now, socket, Received::Pong(count.to_string().as_bytes()))
    }

    pub(crate) fn claimed(&mut self, now: Now, socket: u64, claimed: Claimed) -> Vec<Wish> {
        let mut wishes = self.receive(now, socket, Received::Claimed(claimed));
        wishes.extend(self.hand_in(now, socket));
        wishes
    }

    pub(crate) fn closed(&mut self, now: Now, socket: u64) -> Vec<Wish> {
        let local = self.local(now);
        let Some(mut known) = self.sockets.remove(&socket) else { return Vec::new() };
        let mut out = Vec::new();
        known.connection.handle(&self.hub, local, Received::Closed, &mut out);
        self.sift(out)
    }

    pub(crate) fn input(&mut self, now: Now, input: Input<'_>) -> Vec<Wish> {
        let local = self.local(now);
        let mut out = Vec::new();
        self.hub.handle(local, input, &mut out);
        self.sift(out)
    }

    /// The operator ends a session that has a socket; `false` where there is none.
    pub(crate) fn remove(&mut self, now: Now, ns: &str, party: (&str, &str)) -> Option<Vec<Wish>> {
        let filter = SessionFilter { ns: Namespace::new(ns).ok(), id: PeerId::new(party.0).ok() };
        let sessions = self.hub.sessions(&filter, None, usize::MAX);
        let info = sessions.iter().find(|info| info.device.as_str() == party.1 && info.connected)?;
        let mut out = Vec::new();
        self.hub.remove(self.local(now), SessionId::parse(&info.session)?, &mut out);
        Some(self.sift(out))
    }

    /// The operator closes a room; `None` where there is none.
    pub(crate) fn close_room(&mut self, now: Now, ns: &str, room: &str) -> Option<Vec<Wish>> {
        let mut out = Vec::new();
        let closed =
            self.hub.close_room(self.local(now), &Namespace::new(ns).ok()?, &RoomName::new(room).ok()?, &mut out);
        closed.then(|| self.sift(out))
    }

    /// Time passed.
    pub(crate) fn tick(&mut self, now: Now) -> Vec<Wish> {
        let local = self.local(now);
        let mut out = Vec::new();
        for known in self.sockets.values_mut().filter(|known| !known.closed) {
            if known.connection.next_deadline(&self.hub).is_some_and(|at| at <= local.at) {
                known.connection.handle(&self.hub, local, Received::Tick, &mut out);
            }
        }
        if self.hub.next_deadline().is_some_and(|at| at <= local.at) {
            self.hub.handle(local, Input::Tick, &mut out);
        }
        self.sift(out)
    }

    /// When [`Node::tick`] is due next, in the world's time.
    pub(crate) fn due(&self) -> Option<u64> {
        self.due
    }

    /// It is not asked again until something else happens to it.
    pub(crate) fn disregard(&mut self) {
        self.due = None;
    }

    /// The clock of this process begins with it.
    fn local(&self, now: Now) -> Now {
        Now { at: Moment(now.at.0 - self.began_ms.unwrap_or(now.at.0)), wall: now.wall }
    }

    fn hand_in(&mut self, now: Now, socket: u64) -> Vec<Wish> {
        let mut wishes = Vec::new();
        while let Some(text) = self
            .sockets
            .get_mut(&socket)
            .filter(|known| !known.closed && !known.connection.is_waiting())
            .and_then(|known| known.inbox.pop_front())
        {
            wishes.extend(self.receive(now, socket, Received::Text(&text)));
        }
        wishes
    }

    fn receive(&mut self, now: Now, socket: u64, received: Received<'_>) -> Vec<Wish> {
        let local = self.local(now);
        let Some(known) = self.sockets.get_mut(&socket).filter(|known| !known.closed) else { return Vec::new() };
        let mut out = Vec::new();
        known.connection.handle(&self.hub, local, received, &mut out);
        self.sift(out)
    }

    fn sift(&mut self, out: Vec<Output>) -> Vec<Wish> {
        let mut wishes = Vec::with_capacity(out.len());
        for output in out {
            wishes.push(match output {
                Output::Send { socket: SocketId(socket), frame } => {
                    self.expect_open(socket, "a frame");
                    Wish::Send { socket, frame }
                }
                Output::Mark { socket: SocketId(socket), count } => {
                    self.expect_open(socket, "a mark");
                    Wish::Mark { socket, count }
                }
                Output::Close { socket: SocketId(socket), code, .. } => {
                    self.expect_open(socket, "a close");
                    if let Some(known) = self.sockets.get_mut(&socket) {
                        known.closed = true;
                    }
                    Wish::Close { socket, code }
                }
                Output::Carry(carry) => Wish::Carry(carry),
                Output::Receipt { ticket, status } => Wish::Receipt { ticket, status },
                Output::Forget(numbers) => Wish::Forget(numbers),
                Output::Ask(Ask::Where { ns, id }) => Wish::Where { ns, id },
                Output::Ask(Ask::Keep(keep)) => Wish::Keep(keep),
                Output::Ask(Ask::Claim { socket: SocketId(socket), ns, name, key }) => {
                    Wish::Claim(Claim { socket, ns, name, key })
                }
                // No client of the sim changes the keys of a name.
                Output::Ask(Ask::Name { .. } | Ask::Free { .. }) => continue,
            });
        }
        let sockets = self.sockets.values().filter(|known| !known.closed);
        let hub = &self.hub;
        let due = sockets.filter_map(|known| known.connection.next_deadline(hub)).chain(hub.next_deadline()).min();
        self.due = self.began_ms.and_then(|began| Some(began + due?.0));
        wishes
    }

    fn expect_open(&mut self, socket: u64, what: &str) {
        // Frames of an opening socket come before it is among the others.
        if self.sockets.get(&socket).is_some_and(|known| known.closed) {
            self.wrong.push(format!("{what} after the close of socket {socket}"));
        }
    }
}

fn new_hub(rules: &Rules, seed: [u8; 32]) -> Hub {
    Hub::new(rules.clone(), vec![Box::new(Native)], seed)
}

fn write(hub: &Hub, now: Now) -> String {
    serde_json::to_string(&hub.snapshot(now)).unwrap_or_default()
}

fn read(hub: &mut Hub, now: Now, saved: &str, out: &mut Vec<Output>) -> Result<(), String> {
    let snapshot: Snapshot = serde_json::from_str(saved).map_err(|why| why.to_string())?;
    hub.restore(now, snapshot, out).map_err(|why| why.to_string())
}

/// Where two JSON texts differ first.
fn difference(one: &str, other: &str) -> Option<String> {
    let at = one.bytes().zip(other.bytes()).position(|(a, b)| a != b);
    let at = at.or((one.len() != other.len()).then_some(one.len().min(other.len())))?;
    let near = |text: &str| {
        let (from, to) = (at.saturating_sub(200), text.len().min(at + 200));
        String::from_utf8_lossy(text.as_bytes().get(from..to).unwrap_or_default()).into_owned()
    };
    Some(format!("…{}… became …{}…", near(one), near(other)))
}
