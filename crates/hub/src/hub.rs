//! The hub: all shards behind one door. It routes; the shards decide.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard};

use foldhash::quality::FixedState;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use wigwag_wire::event::{ErrorEvent, Lost, PresenceEvent};
use wigwag_wire::request::Heading;
use wigwag_wire::{Code, Device, Event, Namespace, PeerId, Refusal, Request};

use crate::admission::{Admission, Bans, Origin, Place};
use crate::cx::{Cx, Later, Spread};
use crate::groups::Groups;
use crate::ids::{GroupKey, GroupKind, Party, SessionId, SocketId};
use crate::input::Input;
use crate::lock::{Earliest, Lock, Shard};
use crate::output::{Note, Outputs};
use crate::peers::Peers;
use crate::rules::Rules;
use crate::tallies::Tallies;
use crate::time::{Moment, Now};
use crate::voice::{Frames, Scene, Voice};

/// Shards of each kind. Fixed, because a session's number holds its shard.
pub(crate) const SHARDS: usize = 64;
/// Random sources, so that sessions that begin at once do not wait for each other.
const RNGS: usize = 8;

/// The server as one pure machine. Shared by all threads: each input takes the locks of the shards that it touches.
pub struct Hub {
    rules: Rules,
    /// What decides which shard is whose. Sessions' numbers tell it to whoever looks closely; the tables inside the shards have
    /// another seed, so that nobody can fill one bucket of them.
    seed: u64,
    /// Told apart from other hubs: those that neither wrote nor read the same snapshot.
    epoch: u64,
    /// The device of a peer that names none.
    no_device: Device,
    voices: Vec<Box<dyn Voice>>,
    peers: Vec<Shard<Peers>>,
    groups: Vec<Shard<Groups>>,
    doors: Vec<Shard<Admission>>,
    bans: Lock<Bans>,
    earliest: Arc<Earliest>,
    rngs: Vec<Lock<ChaCha12Rng>>,
    next_rng: AtomicUsize,
    key_changes: AtomicU64,
    draining: AtomicBool,
    tallies: Tallies,
}

impl Hub {
    /// A hub with these rules and voices (the first is the native one), all of whose randomness comes from `seed`.
    pub fn new(rules: Rules, voices: Vec<Box<dyn Voice>>, seed: [u8; 32]) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let (shard_seed, table_seed, epoch) = (rng.next_u64(), rng.next_u64(), rng.next_u64());
        let mut rngs = Vec::new();
        rngs.resize_with(RNGS, || {
            let mut seed = [0; 32];
            rng.fill_bytes(&mut seed);
            Lock::new(ChaCha12Rng::from_seed(seed))
        });
        let hasher = FixedState::with_seed(table_seed);
        let earliest = Earliest::new();
        let tallies = Tallies::new(rules.limits.sessions_per_namespace != 0);
        Self {
            rules,
            seed: shard_seed,
            epoch,
            no_device: Device::new("").unwrap_or_else(|_| unreachable!("an empty device is a device")),
            voices,
            peers: (0..SHARDS).map(|at| Shard::new(Peers::new(at, &hasher), earliest.clone())).collect(),
            groups: (0..SHARDS).map(|_| Shard::new(Groups::new(&hasher), earliest.clone())).collect(),
            doors: (0..SHARDS).map(|_| Shard::new(Admission::new(hasher.clone()), earliest.clone())).collect(),
            bans: Lock::default(),
            earliest,
            rngs,
            next_rng: AtomicUsize::new(0),
            key_changes: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            tallies,
        }
    }

    /// Takes in one thing that happened and puts what follows from it into `out`, in order.
    pub fn handle(&self, now: Now, input: Input<'_>, out: &mut dyn Outputs) {
        let mut cx = self.cx(now, out);
        match input {
            Input::Request { who, socket, origin, heading, request } => {
                if let Err(refusal) = self.request(&mut cx, who, socket, origin, heading, &request) {
                    cx.refuse(who, heading.n, &refusal);
                }
            }
            Input::Unread { who, socket, n, refusal } => {
                // Its number is taken in, unless it is an old one; what is wrong with the frame was found first.
                if self.begin(&mut cx, who, socket, Heading { n, seen: None }).unwrap_or(true) {
                    cx.refuse(who, n, &refusal);
                }
            }
            Input::Confirmed { who, socket, count } => {
                self.peers(who.session).lock().confirmed(&mut cx, who.session, socket, count);
            }
            Input::Detached { who, socket } => self.peers(who.session).lock().detached(&mut cx, who.session, socket),
            Input::Where { ns, id, place } => self.home(&ns, id.as_str()).lock().located(&mut cx, &ns, &id, place),
            Input::Named { naming, result } => self.named(&mut cx, &naming, result),
            Input::Kept { number, ns, to, ok } => self.home(&ns, to.as_str()).lock().kept(&mut cx, number, ok),
            Input::Arrived { ticket, ns, to, record } => {
                self.home(&ns, to.as_str()).lock().arrived(&mut cx, ticket, &ns, &to, record);
            }
            Input::Carried { ticket, ns, to, status } => {
                self.home(&ns, to.as_str()).lock().carried(&mut cx, ticket, status);
            }
            Input::Tick => self.tick(&mut cx),
        }
        self.settle(&mut cx);
    }

    /// When [`Input::Tick`] is due next. It may come too early, and then finds nothing to do. Costs one look: ask after every input.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.earliest.get()
    }

    /// The rules it was made with.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The server is about to go down: who leaves from now on does so against its will.
    pub fn begin_drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn cx<'a>(&'a self, now: Now, out: &'a mut dyn Outputs) -> Cx<'a> {
        Cx { now, hub: self, out, later: VecDeque::new() }
    }

    /// Does what had to wait until no lock was held, and what follows from that.
    pub(crate) fn settle(&self, cx: &mut Cx<'_>) {
        while let Some(later) = cx.later.pop_front() {
            match later {
                Later::Frames { to, frames, event } => cx.tell_frames(to, &frames, event),
                Later::Ended { party, groups, watching } => {
                    for group in groups {
                        self.group(&group).lock().ended(cx, &party, &group);
                    }
                    for id in watching {
                        self.home(&party.ns, id.as_str()).lock().unwatch(&party.ns, &id, party.session);
                    }
                }
                Later::State { party, groups, state } => {
                    for group in groups {
                        self.group(&group).lock().presence(cx, &party, &group, state);
                    }
                }
                Later::Ack { to, ack } => self.peers(to).lock().tell_own(cx, to, &Event::Ack(ack)),
                Later::Refuse { to, n, refusal } => {
                    cx.out.note(Note::Refused(refusal.code));
                    self.peers(to).lock().tell_own(cx, to, &Event::Error(ErrorEvent::new(n, &refusal)));
                }
                Later::Presence { ns, id, watchers, state, seen, revision } => {
                    let event = Event::Presence(PresenceEvent { id: &id, state, seen });
                    let mut news = Spread::new(&event);
                    for watcher in watchers {
                        if !self.peers(watcher).lock().told_presence(cx, watcher, &id, (state, revision), &mut news) {
                            self.unwatch(cx, &ns, &id, watcher);
                        }
                    }
                }
                Later::Watch { watcher, id, origin } => {
                    self.home(&watcher.ns, id.as_str()).lock().watch(cx, &watcher, &id, origin.as_ref());
                }
                Later::Unwatch { watcher, id } => self.unwatch(cx, &watcher.ns, &id, watcher.session),
                Later::Lost { sender, to, device, n } => {
                    let event = Event::Lost(Lost { to: &to, device: &device, n: &n });
                    self.peers(sender).lock().tell_own(cx, sender, &event);
                }
            }
        }
    }

    /// Takes a watcher out. Between its wish and this moment it may have watched again, through another socket: then it is taken in
    /// once more, so that no wish is lost whichever comes first.
    fn unwatch(&self, cx: &mut Cx<'_>, ns: &Namespace, id: &PeerId, watcher: SessionId) {
        self.home(ns, id.as_str()).lock().unwatch(ns, id, watcher);
        let again = self.peers(watcher).lock().watches(watcher, id);
        if let Some(party) = again {
            self.home(ns, id.as_str()).lock().watch(cx, &party, id, None);
        }
    }

    /// Visits the shards that are due, and no others.
    fn tick(&self, cx: &mut Cx<'_>) {
        let now = cx.now.at;
        self.earliest.forget();
        // Also if a shard panics: the others must still be visited when they are due.
        let _remember = Remember(self);
        for shard in self.peers.iter().filter(|shard| shard.is_due(now)) {
            shard.lock().tick(cx);
        }
        for shard in self.groups.iter().filter(|shard| shard.is_due(now)) {
            shard.lock().tick(cx);
        }
        for shard in self.doors.iter().filter(|shard| shard.is_due(now)) {
            shard.lock().tick(now);
        }
    }

    /// Takes in the heading of a request; `false` where the socket no longer speaks for the session, which nobody need be told.
    pub(crate) fn begin(
        &self,
        cx: &mut Cx<'_>,
        who: &Party,
        socket: SocketId,
        heading: Heading,
    ) -> Result<bool, Refusal> {
        self.peers(who.session).lock().begin(cx, who.session, socket, heading)
    }

    pub(crate) fn request(
        &self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        socket: SocketId,
        origin: &Origin,
        heading: Heading,
        request: &Request<'_>,
    ) -> Result<(), Refusal> {
        if !self.begin(cx, who, socket, heading)? {
            return Ok(());
        }
        let n = heading.n;
        match request {
            Request::Signal(signal) => {
                self.home(&who.ns, &signal.to).lock().signal(cx, who, origin, n, signal)?;
            }
            Request::Relay(relay) => self.relay(cx, who, origin, n, relay)?,
            Request::Find(find) => {
                self.may_guess(cx.now.at, origin)?;
                self.home(&who.ns, find.id.as_str()).lock().find(cx, who, origin, n, &find.id);
            }
            Request::Watch(watch) => {
                self.may_guess(cx.now.at, origin)?;
                self.peers(who.session).lock().start_watching(cx, who, origin, n, &watch.ids)?;
            }
            Request::Unwatch(watch) => self.peers(who.session).lock().stop_watching(cx, who, n, &watch.ids),
            Request::Seen(seen) => {
                self.peers(who.session).lock().confirmed(cx, who.session, socket, seen.seen);
                cx.done(who, n, None);
            }
            Request::Bye(_) => self.peers(who.session).lock().bye(cx, who.session, socket),
            Request::Ice(_) => self.peers(who.session).lock().ice(cx, who, n),
            Request::Broadcast(broadcast) => self.broadcast(cx, who, n, broadcast)?,
            Request::Subscribe(topics) => self.subscribe(cx, who, n, topics)?,
            Request::Unsubscribe(topics) => self.unsubscribe(cx, who, n, topics),
            Request::RoomList(list) => self.list_rooms(cx, who, n, list)?,
            Request::RoomJoin(join) => {
                self.may_guess(cx.now.at, origin)?;
                let name = match (&join.room, &join.code) {
                    (Some(room), _) => room.as_str().to_owned(),
                    (None, Some(code)) => crate::groups::rooms::code_key(code),
                    (None, None) => String::new(),
                };
                let mut shard = self.group_at(&who.ns, GroupKind::Room, &name).lock();
                let joined = shard.rooms.join(cx, who, n, join);
                drop(shard);
                if let Err(refusal) = &joined
                    && crate::groups::rooms::is_guess(refusal.code)
                {
                    self.missed(cx.now.at, origin);
                }
                joined?;
            }
            Request::RoomCreate(create) => {
                // A name that is taken says that somebody is there.
                self.may_guess(cx.now.at, origin)?;
                let room = match &create.room {
                    Some(room) => room.clone(),
                    None => crate::groups::rooms::made_name(cx),
                };
                let shard = self.group_at(&who.ns, GroupKind::Room, room.as_str());
                let created = shard.lock().rooms.create(cx, who, n, &room, create);
                if let Err(refusal) = &created
                    && refusal.code == Code::RoomExists
                {
                    self.missed(cx.now.at, origin);
                }
                created?;
            }
            // What belongs to a connection never comes this far.
            Request::Hello(_) | Request::Name(_) => {}
            _ => {
                let (kind, name) = group_of(request);
                self.group_at(&who.ns, kind, name).lock().request(cx, who, n, request)?;
            }
        }
        Ok(())
    }

    pub(crate) fn frames(&self, event: &Event<'_>, to: &Party, scene: Scene<'_>) -> Frames {
        self.voices.get(usize::from(to.dialect.0)).map_or_else(Frames::new, |voice| voice.frames(event, to, scene))
    }

    /// Writes what an event becomes for a party, if that is one frame and the dialect has a way to do so; otherwise `frames` says it.
    pub(crate) fn write(&self, event: &Event<'_>, to: &Party, out: &mut Vec<u8>) -> bool {
        self.voices.get(usize::from(to.dialect.0)).is_some_and(|voice| voice.write(event, to, out))
    }

    pub(crate) fn rng(&self) -> MutexGuard<'_, ChaCha12Rng> {
        let turn = self.next_rng.fetch_add(1, Ordering::Relaxed);
        self.rngs[turn % RNGS].lock()
    }

    pub(crate) fn tallies(&self) -> &Tallies {
        &self.tallies
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Takes the place of an earlier hub: everything is at home in the same shard again, and its senders are known.
    pub(crate) fn succeed(&mut self, seed: u64, epoch: u64) {
        (self.seed, self.epoch) = (seed, epoch);
    }

    /// How often a key ceased to speak for a name.
    pub(crate) fn key_changes(&self) -> u64 {
        self.key_changes.load(Ordering::Acquire)
    }

    /// One more time; answers the number of it.
    pub(crate) fn change_keys(&self) -> u64 {
        self.key_changes.fetch_add(1, Ordering::AcqRel) + 1
    }

    pub(crate) fn no_device(&self) -> Device {
        self.no_device.clone()
    }

    /// The shard of a session.
    pub(crate) fn peers(&self, session: SessionId) -> &Shard<Peers> {
        &self.peers[session.shard() % SHARDS]
    }

    /// The shard where an id is at home, present or not.
    pub(crate) fn home(&self, ns: &Namespace, id: &str) -> &Shard<Peers> {
        &self.peers[self.shard_of(0, ns, id)]
    }

    /// The shard of a group.
    pub(crate) fn group(&self, key: &GroupKey) -> &Shard<Groups> {
        self.group_at(&key.ns, key.kind, &key.name)
    }

    pub(crate) fn group_at(&self, ns: &Namespace, kind: GroupKind, name: &str) -> &Shard<Groups> {
        &self.groups[self.shard_of(1 + kind as u8, ns, name)]
    }

    pub(crate) fn shard_of(&self, kind: u8, ns: &Namespace, name: &str) -> usize {
        let hash = FixedState::with_seed(self.seed).hash_one((kind, ns.as_str(), name));
        (hash >> 32) as usize % SHARDS
    }

    pub(crate) fn all_peers(&self) -> &[Shard<Peers>] {
        &self.peers
    }

    pub(crate) fn all_groups(&self) -> &[Shard<Groups>] {
        &self.groups
    }

    pub(crate) fn all_doors(&self) -> &[Shard<Admission>] {
        &self.doors
    }

    /// The shard of an address or a network.
    pub(crate) fn door(&self, place: Place) -> &Shard<Admission> {
        &self.doors[(FixedState::with_seed(self.seed).hash_one(place) >> 32) as usize % SHARDS]
    }

    pub(crate) fn bans_list(&self) -> &Lock<Bans> {
        &self.bans
    }
}

/// Brings the earliest deadline back after a tick.
struct Remember<'h>(&'h Hub);

impl Drop for Remember<'_> {
    fn drop(&mut self) {
        let Hub { peers, groups, doors, earliest, .. } = self.0;
        let due = peers.iter().map(Shard::due).chain(groups.iter().map(Shard::due)).chain(doors.iter().map(Shard::due));
        earliest.no_later_than(due.min().unwrap_or(Moment::NEVER));
    }
}

/// Which group a request is about.
fn group_of<'r>(request: &'r Request<'_>) -> (GroupKind, &'r str) {
    match request {
        Request::RoomLeave(r) | Request::RoomCode(r) | Request::RoomBeat(r) => (GroupKind::Room, r.room.as_str()),
        Request::RoomSet(r) => (GroupKind::Room, r.room.as_str()),
        Request::RoomKick(r) | Request::RoomBan(r) | Request::RoomUnban(r) | Request::RoomTransfer(r) => {
            (GroupKind::Room, r.room.as_str())
        }
        Request::RoomState(r) => (GroupKind::Room, r.room.as_str()),
        Request::RoomMe(r) => (GroupKind::Room, r.room.as_str()),
        Request::Say(r) => (GroupKind::Room, &r.room),
        Request::Publish(r) => (GroupKind::Topic, &r.topic),
        Request::NetworkJoin(r) => (GroupKind::Network, r.network.as_str()),
        Request::NetworkLeave(r) | Request::Beat(r) => (GroupKind::Network, r.network.as_str()),
        Request::Role(r) => (GroupKind::Network, r.network.as_str()),
        Request::SwarmAnnounce(r) => (GroupKind::Swarm, r.swarm.as_str()),
        Request::SwarmLeave(r) | Request::SwarmCount(r) => (GroupKind::Swarm, r.swarm.as_str()),
        _ => (GroupKind::Room, ""),
    }
}
