//! Watching: a standing wish to hear of an id's presence.

use std::collections::BTreeSet;
use std::sync::Arc;

use smallvec::smallvec;
use wigwag_wire::code::Code;
use wigwag_wire::event::{Done, Presence};
use wigwag_wire::limits::is_full;
use wigwag_wire::{Event, Namespace, PeerId, Refusal};

use super::Peers;
use super::directory::Address;
use super::session::Watching;
use crate::admission::Origin;
use crate::cx::{Cx, Later, Spread};
use crate::ids::{Party, SessionId};

impl Peers {
    /// A session of this shard wants to hear of these ids. All or none.
    pub(crate) fn start_watching(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        origin: &Origin,
        n: Option<u64>,
        ids: &[PeerId],
    ) -> Result<(), Refusal> {
        let limit = cx.rules().limits.watches;
        let Some(session) = self.session_mut(who.session) else { return Ok(()) };
        let watched: BTreeSet<&PeerId> = session.watching().iter().map(|w| &w.id).collect();
        let fresh: BTreeSet<&PeerId> = ids.iter().filter(|id| !watched.contains(id)).collect();
        if !fresh.is_empty() && is_full(watched.len() + fresh.len() - 1, limit) {
            return Err(Code::TooManyWatches.into());
        }
        session.rare_mut().watching.extend(fresh.iter().map(|id| Watching {
            id: (*id).clone(),
            told: None,
            revision: 0,
        }));
        self.tell_done(cx, who, n);
        let mut named = BTreeSet::new();
        for id in ids.iter().filter(|id| named.insert(*id)) {
            // What is watched already is no new guess.
            let origin = fresh.contains(id).then_some(*origin);
            cx.later.push_back(Later::Watch { watcher: who.clone(), id: id.clone(), origin });
        }
        Ok(())
    }

    /// A session of this shard no longer wants to.
    pub(crate) fn stop_watching(&mut self, cx: &mut Cx<'_>, who: &Arc<Party>, n: Option<u64>, ids: &[PeerId]) {
        let Some(session) = self.session_mut(who.session) else { return };
        if let Some(rare) = session.rare.as_deref_mut() {
            rare.watching.retain(|w| !ids.contains(&w.id));
        }
        for id in ids {
            cx.later.push_back(Later::Unwatch { watcher: who.clone(), id: id.clone() });
        }
        self.tell_done(cx, who, n);
    }

    /// Takes in a watcher of an id of this shard, and tells it how things stand. A miss counts against the address that asked.
    pub(crate) fn watch(&mut self, cx: &mut Cx<'_>, watcher: &Arc<Party>, id: &PeerId, origin: Option<&Origin>) {
        let address = Address { ns: watcher.ns.clone(), id: id.clone() };
        let state = self.add_watcher(&address, watcher.session);
        if let (Presence::Gone, Some(origin)) = (state, origin) {
            cx.hub.missed(cx.now.at, origin);
        }
        self.revision += 1;
        cx.later.push_back(Later::Presence {
            ns: address.ns.clone(),
            id: id.clone(),
            watchers: smallvec![watcher.session],
            state,
            seen: self.seen(address.ns.as_str(), address.id.as_str(), state),
            revision: self.revision,
        });
    }

    /// Takes in a watcher that was one before a restart and was told so much then.
    pub(crate) fn watch_again(&mut self, cx: &mut Cx<'_>, watcher: &Arc<Party>, id: &PeerId, told: Option<Presence>) {
        let address = Address { ns: watcher.ns.clone(), id: id.clone() };
        if told != Some(self.state_of(&address)) {
            self.watch(cx, watcher, id, None);
        } else {
            self.add_watcher(&address, watcher.session);
        }
    }

    /// Takes out a watcher of an id of this shard.
    pub(crate) fn unwatch(&mut self, ns: &Namespace, id: &PeerId, watcher: SessionId) {
        let address = Address { ns: ns.clone(), id: id.clone() };
        if let Some(known) = self.directory.known_mut(&address) {
            if let Ok(at) = known.watchers.binary_search(&watcher) {
                known.watchers.remove(at);
            }
            self.tidy(&address);
        }
    }

    /// Whether a session of this shard watches an id. Asked after it was taken out: a newer wish may have come in between.
    pub(crate) fn watches(&self, watcher: SessionId, id: &PeerId) -> Option<Arc<Party>> {
        self.session(watcher).filter(|s| s.watching().iter().any(|w| w.id == *id)).map(|s| s.party.clone())
    }

    /// Tells a watcher of this shard, unless it knows something newer. `false`: it no longer watches.
    pub(crate) fn told_presence(
        &mut self,
        cx: &mut Cx<'_>,
        watcher: SessionId,
        id: &PeerId,
        (state, revision): (Presence, u64),
        news: &mut Spread<'_, '_>,
    ) -> bool {
        let Some(session) = self.session_mut(watcher) else { return false };
        let watching = session.rare.as_deref_mut().and_then(|rare| rare.watching.iter_mut().find(|w| w.id == *id));
        let Some(watching) = watching else { return false };
        if watching.revision < revision {
            watching.revision = revision;
            watching.told = Some(state);
            let (frames, event) = news.frames(cx, &session.party);
            self.tell_all(cx, watcher, frames, event);
        }
        true
    }

    fn add_watcher(&mut self, address: &Address, watcher: SessionId) -> Presence {
        let state = self.state_of(address);
        let known = self.directory.know(address);
        known.told = Some(state);
        if let Err(at) = known.watchers.binary_search(&watcher) {
            known.watchers.insert(at, watcher);
        }
        state
    }

    fn tell_done(&mut self, cx: &mut Cx<'_>, who: &Party, n: Option<u64>) {
        if let Some(re) = n {
            self.tell_event(cx, who, &Event::Done(Done { re, receivers: None }));
        }
    }
}
