//! The hub: all shards behind one door. It routes; the shards decide.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use foldhash::quality::FixedState;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use wigwag_wire::event::{ErrorEvent, PresenceEvent};
use wigwag_wire::{Code, Event, Namespace, Refusal, Request};

use crate::admission::{Admission, Bans, Origin, Place};
use crate::cx::{Cx, Later};
use crate::groups::Groups;
use crate::ids::{GroupKey, GroupKind, Party, SessionId, SocketId};
use crate::input::Input;
use crate::lock::Lock;
use crate::output::{Note, Outputs};
use crate::peers::{Peers, Telling};
use crate::rules::Rules;
use crate::tallies::Tallies;
use crate::time::{Moment, Now};
use crate::voice::Voice;

/// Shards of each kind. Fixed, because a session's number holds its shard.
pub(crate) const SHARDS: usize = 64;
/// Random sources, so that sessions that begin at once do not wait for each other.
const RNGS: usize = 8;

/// The server as one pure machine. Shared by all threads: each input takes the locks of the shards that it touches.
pub struct Hub {
    rules: Rules,
    seed: u64,
    voices: Vec<Box<dyn Voice>>,
    peers: Vec<Lock<Peers>>,
    groups: Vec<Lock<Groups>>,
    doors: Vec<Lock<Admission>>,
    bans: Lock<Bans>,
    rngs: Vec<Lock<ChaCha12Rng>>,
    next_rng: AtomicUsize,
    tallies: Tallies,
}

impl Hub {
    /// A hub with these rules and voices (the first is the native one), all of whose randomness comes from `seed`.
    pub fn new(rules: Rules, voices: Vec<Box<dyn Voice>>, seed: [u8; 32]) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let hash_seed = rng.next_u64();
        let mut rngs = Vec::new();
        rngs.resize_with(RNGS, || {
            let mut seed = [0; 32];
            rng.fill_bytes(&mut seed);
            Lock::new(ChaCha12Rng::from_seed(seed))
        });
        let hasher = FixedState::with_seed(hash_seed);
        let tallies = Tallies::new(rules.limits.sessions_per_namespace != 0);
        Self {
            rules,
            seed: hash_seed,
            voices,
            peers: (0..SHARDS).map(|shard| Lock::new(Peers::new(shard, hasher.clone()))).collect(),
            groups: (0..SHARDS).map(|_| Lock::new(Groups::new(&hasher))).collect(),
            doors: (0..SHARDS).map(|_| Lock::new(Admission::new(hasher.clone()))).collect(),
            bans: Lock::default(),
            rngs,
            next_rng: AtomicUsize::new(0),
            tallies,
        }
    }

    /// Takes in one thing that happened and puts what follows from it into `out`, in order.
    pub fn handle(&self, now: Now, input: Input<'_>, out: &mut dyn Outputs) {
        let mut cx = self.cx(now, out);
        match input {
            Input::Request { who, socket, origin, n, request } => {
                if let Err(refusal) = self.request(&mut cx, who, socket, origin, n, &request) {
                    cx.refuse(who, n, &refusal);
                }
            }
            Input::Unread { who, n, refusal } => cx.refuse(who, n, &refusal),
            Input::Confirmed { who, count } => self.peers(who.session).lock().confirmed(&mut cx, who.session, count),
            Input::Detached { who, socket } => self.peers(who.session).lock().detached(&mut cx, who.session, socket),
            Input::Where { ns, id, place } => self.home(&ns, id.as_str()).lock().located(&mut cx, &ns, &id, place),
            Input::Kept { number, ns, to, ok } => {
                self.home(&ns, to.as_str()).lock().kept(&mut cx, &ns, &to, number, ok)
            }
            Input::Arrived { ticket, ns, to, record } => {
                self.home(&ns, to.as_str()).lock().arrived(&mut cx, ticket, &ns, &to, record);
            }
            Input::Carried { ticket, ns, to, status } => {
                self.home(&ns, to.as_str()).lock().carried(&mut cx, ticket, &to, status);
            }
            Input::Tick => {
                for shard in &self.peers {
                    shard.lock().tick(&mut cx);
                }
                for shard in &self.groups {
                    shard.lock().tick(&mut cx);
                }
                for shard in &self.doors {
                    shard.lock().tick(now.at);
                }
            }
        }
        self.settle(&mut cx);
    }

    /// When [`Input::Tick`] is due next.
    pub fn next_deadline(&self) -> Option<Moment> {
        let peers = self.peers.iter().filter_map(|shard| shard.lock().next_deadline());
        let groups = self.groups.iter().filter_map(|shard| shard.lock().next_deadline());
        peers.chain(groups).min()
    }

    /// The rules it was made with.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(crate) fn cx<'a>(&'a self, now: Now, out: &'a mut dyn Outputs) -> Cx<'a> {
        Cx { now, hub: self, out, later: VecDeque::new() }
    }

    /// Does what had to wait until no lock was held, and what follows from that.
    pub(crate) fn settle(&self, cx: &mut Cx<'_>) {
        while let Some(later) = cx.later.pop_front() {
            match later {
                Later::Frame { to, frame, event } => {
                    self.peers(to).lock().tell(cx, to, Telling { frame, event, signal: None });
                }
                Later::Ended { party, groups, watching } => {
                    for group in groups {
                        self.group(&group).lock().ended(cx, &party, &group);
                    }
                    for id in watching {
                        self.home(&party.ns, id.as_str()).lock().watch(cx, &party, &id, false);
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
                    for watcher in watchers {
                        let told = self.peers(watcher).lock().told_presence(cx, watcher, &id, revision, &event);
                        if !told {
                            self.home(&ns, id.as_str()).lock().drop_watcher(&ns, &id, watcher);
                        }
                    }
                }
                Later::Watch { watcher, id, on } => {
                    self.home(&watcher.ns, id.as_str()).lock().watch(cx, &watcher, &id, on);
                }
                Later::Lost { sender, to, n } => self.peers(sender).lock().lost(cx, sender, &to, &n),
            }
        }
    }

    fn request(
        &self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        socket: SocketId,
        origin: &Origin,
        n: Option<u64>,
        request: &Request<'_>,
    ) -> Result<(), Refusal> {
        self.begin_request(who, socket, n)?;
        match request {
            Request::Signal(signal) => {
                self.home(&who.ns, &signal.to).lock().signal(cx, who, origin, n, signal)?;
            }
            Request::Find(find) => {
                self.may_guess(cx.now.at, origin)?;
                self.home(&who.ns, find.id.as_str()).lock().find(cx, who, origin, n, &find.id);
            }
            Request::Watch(watch) => {
                self.may_guess(cx.now.at, origin)?;
                self.peers(who.session).lock().start_watching(cx, who, n, &watch.ids)?;
            }
            Request::Unwatch(watch) => self.peers(who.session).lock().stop_watching(cx, who, n, &watch.ids),
            Request::Seen(seen) => self.peers(who.session).lock().confirmed(cx, who.session, seen.seen),
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

    pub(crate) fn frame(&self, event: &Event<'_>, to: &Party) -> Option<Bytes> {
        self.voices.get(usize::from(to.dialect.0)).and_then(|voice| voice.frame(event, to))
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

    /// Takes over the seed of an earlier hub, so that everything is at home in the same shard again.
    pub(crate) fn reseed(&mut self, seed: u64) {
        self.seed = seed;
    }

    /// The shard of a session.
    pub(crate) fn peers(&self, session: SessionId) -> &Lock<Peers> {
        &self.peers[session.shard() % SHARDS]
    }

    /// The shard where an id is at home, present or not.
    pub(crate) fn home(&self, ns: &Namespace, id: &str) -> &Lock<Peers> {
        &self.peers[self.shard_of(0, ns, id)]
    }

    /// The shard of a group.
    pub(crate) fn group(&self, key: &GroupKey) -> &Lock<Groups> {
        self.group_at(&key.ns, key.kind, &key.name)
    }

    pub(crate) fn group_at(&self, ns: &Namespace, kind: GroupKind, name: &str) -> &Lock<Groups> {
        &self.groups[self.shard_of(1 + kind as u8, ns, name)]
    }

    pub(crate) fn shard_of(&self, kind: u8, ns: &Namespace, name: &str) -> usize {
        let hash = FixedState::with_seed(self.seed).hash_one((kind, ns.as_str(), name));
        (hash >> 32) as usize % SHARDS
    }

    pub(crate) fn all_peers(&self) -> &[Lock<Peers>] {
        &self.peers
    }

    pub(crate) fn all_groups(&self) -> &[Lock<Groups>] {
        &self.groups
    }

    /// The shard of an address or a network.
    pub(crate) fn door(&self, place: Place) -> &Lock<Admission> {
        &self.doors[(FixedState::with_seed(self.seed).hash_one(place) >> 32) as usize % SHARDS]
    }

    pub(crate) fn bans_list(&self) -> &Lock<Bans> {
        &self.bans
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
