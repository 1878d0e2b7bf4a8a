//! What a dialect asks of the hub. Where a native peer is told by a later event, a dialect gets the answer at once, because only it
//! knows how its clients say it.

use std::sync::Arc;

use rand_core::Rng;
use wigwag_wire::event::{Delivery, Presence};
use wigwag_wire::request::{Heading, Signal};
use wigwag_wire::{Namespace, PeerId, PublicKey, Refusal, Request, RoomName, SwarmName};

use crate::admission::{Origin, Pass};
use crate::hub::Hub;
use crate::ids::{DialectId, GroupKind, Party, SessionId, SocketId};
use crate::input::Input;
use crate::output::Outputs;
use crate::peers::{Opening, Owner};
use crate::time::{Moment, Now};
use crate::voice::RoomView;

/// Who wants a session in a dialect. It ends with its socket, and its id is nobody else's while it lives.
#[derive(Debug)]
pub struct Foreigner {
    /// The namespace.
    pub ns: Namespace,
    /// The id. Ids of keys and of guests are not for dialects; of a name it must be known that no key speaks for it.
    pub id: PeerId,
    /// The dialect.
    pub dialect: DialectId,
    /// The socket. It may carry several sessions.
    pub socket: SocketId,
    /// When it opened.
    pub opened: Moment,
    /// What proves that this is the peer who has the id already: a hash of what that peer gave here, too.
    pub secret: Option<[u8; 16]>,
}

/// Who has an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its session; where the id has several, the one that began first.
    pub session: SessionId,
    /// How it is spoken to.
    pub dialect: DialectId,
    /// The key that it proved, in the native protocol.
    pub key: Option<PublicKey>,
}

/// How many are in a swarm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SwarmCounts {
    /// Who have all.
    pub complete: u32,
    /// Who have not.
    pub incomplete: u32,
    /// How many times a party came to have all.
    pub completed: u64,
}

impl Hub {
    /// Begins a session in a dialect and welcomes it. Refused where somebody else has the id.
    pub fn welcome(
        &self,
        now: Now,
        pass: &mut Pass,
        foreigner: Foreigner,
        out: &mut dyn Outputs,
    ) -> Result<Arc<Party>, Refusal> {
        let Foreigner { ns, id, dialect, socket, opened, secret } = foreigner;
        let owner = secret.map_or(Owner::Nobody, Owner::Secret);
        let device = self.no_device();
        let opening =
            Opening { ns, id, device, dialect, owner, socket, opened, resume: None, asked: None, lasting: false };
        let party = self.open(now, opening, out)?;
        self.proved(pass);
        Ok(party)
    }

    /// From now on, this is what lets the same peer take the session's id over.
    pub fn set_secret(&self, who: &Party, secret: Option<[u8; 16]>) {
        self.peers(who.session).lock().set_owner(who.session, secret.map_or(Owner::Nobody, Owner::Secret));
    }

    /// Ends it.
    pub fn farewell(&self, now: Now, who: &Arc<Party>, socket: SocketId, out: &mut dyn Outputs) {
        self.handle(now, Input::Detached { who, socket }, out);
    }

    /// An id that no one else has: for dialects whose server makes the ids.
    pub fn made_id(&self) -> PeerId {
        self.guest_id()
    }

    /// Fills this with randomness of the hub.
    pub fn fill_random(&self, bytes: &mut [u8]) {
        self.rng().fill_bytes(bytes);
    }

    /// Carries out a request and answers it here.
    pub fn carry_out(
        &self,
        now: Now,
        (who, socket, origin): (&Arc<Party>, SocketId, &Origin),
        request: &Request<'_>,
        out: &mut dyn Outputs,
    ) -> Result<(), Refusal> {
        let mut cx = self.cx(now, out);
        let done = self.request(&mut cx, who, socket, origin, Heading::default(), request);
        self.settle(&mut cx);
        done
    }

    /// Sends a signal; `None` where its fate is decided elsewhere.
    pub fn send(
        &self,
        now: Now,
        (who, socket, origin): (&Arc<Party>, SocketId, &Origin),
        signal: &Signal<'_>,
        out: &mut dyn Outputs,
    ) -> Result<Option<Delivery>, Refusal> {
        let mut cx = self.cx(now, out);
        let sent = match self.begin(&mut cx, who, socket, Heading::default()) {
            Ok(true) => self.home(&who.ns, &signal.to).lock().pass_on(&mut cx, who, origin, None, signal),
            Ok(false) => Ok(Some(Delivery::Absent)),
            Err(refusal) => Err(refusal),
        };
        self.settle(&mut cx);
        sent
    }

    /// The presence of an id; a miss counts against who asks.
    pub fn look_up(&self, now: Now, origin: &Origin, ns: &Namespace, id: &PeerId) -> Result<Presence, Refusal> {
        self.may_guess(now.at, origin)?;
        let presence = self.presence_of(ns, id);
        if presence == Presence::Gone {
            self.missed(now.at, origin);
        }
        Ok(presence)
    }

    /// The presence of an id, for one who could learn it anyway.
    pub fn presence_of(&self, ns: &Namespace, id: &PeerId) -> Presence {
        self.home(ns, id.as_str()).lock().presence_of(ns, id)
    }

    /// Who has an id, for one who could learn it anyway.
    pub fn holder(&self, ns: &Namespace, id: &PeerId) -> Option<Holder> {
        self.home(ns, id.as_str()).lock().holder(ns, id)
    }

    /// The ids of a dialect's live sessions in a namespace, for operators who let peers list each other.
    pub fn ids_of(&self, ns: &Namespace, dialect: DialectId) -> Vec<PeerId> {
        let mut ids = Vec::new();
        for shard in self.all_peers() {
            let shard = shard.lock();
            ids.extend(shard.in_namespace(ns.as_str()).filter(|p| p.dialect == dialect).map(|p| p.id.clone()));
        }
        ids.sort_unstable();
        ids
    }

    /// Shows a room, if there is one.
    pub fn view_room<T>(&self, ns: &Namespace, room: &RoomName, view: impl FnOnce(&dyn RoomView) -> T) -> Option<T> {
        self.group_at(ns, GroupKind::Room, room.as_str()).lock().rooms.look(ns, room).map(view)
    }

    /// Shows a room to one who could not know of it otherwise; a miss counts against who asks.
    pub fn look_up_room<T>(
        &self,
        now: Now,
        origin: &Origin,
        (ns, room): (&Namespace, &RoomName),
        view: impl FnOnce(&dyn RoomView) -> T,
    ) -> Result<Option<T>, Refusal> {
        self.may_guess(now.at, origin)?;
        let seen = self.view_room(ns, room, view);
        if seen.is_none() {
            self.missed(now.at, origin);
        }
        Ok(seen)
    }

    /// At most `want` members of a swarm but `who`, each set of them as likely as any other.
    pub fn draw(&self, who: &Party, swarm: &SwarmName, want: usize) -> Vec<Arc<Party>> {
        let shard = self.group_at(&who.ns, GroupKind::Swarm, swarm.as_str()).lock();
        shard.swarms.draw(&who.ns, swarm, who.session, want, || self.rng().next_u64())
    }

    /// Whether a session of an id is in a swarm.
    pub fn is_in_swarm(&self, ns: &Namespace, id: &PeerId, swarm: &SwarmName) -> bool {
        let sessions = self.home(ns, id.as_str()).lock().receivers(ns, id.as_str(), None);
        let shard = self.group_at(ns, GroupKind::Swarm, swarm.as_str()).lock();
        sessions.iter().any(|session| shard.swarms.has(ns, swarm, *session))
    }

    /// How many are in a swarm.
    pub fn swarm_counts(&self, ns: &Namespace, swarm: &SwarmName) -> SwarmCounts {
        self.group_at(ns, GroupKind::Swarm, swarm.as_str()).lock().swarms.counts(ns, swarm)
    }
}
