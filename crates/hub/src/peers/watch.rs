//! Watching: a standing wish to hear of an id's presence.

use std::sync::Arc;

use smallvec::smallvec;
use wigwag_wire::code::Code;
use wigwag_wire::event::{Lost, Presence};
use wigwag_wire::limits::is_full;
use wigwag_wire::{Event, Namespace, PeerId, Refusal};

use super::Peers;
use super::directory::Address;
use super::session::Watching;
use crate::cx::{Cx, Later};
use crate::ids::{Party, SessionId};

impl Peers {
    /// A session of this shard wants to hear of these ids. All or none.
    pub(crate) fn start_watching(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        ids: &[PeerId],
    ) -> Result<(), Refusal> {
        let limit = cx.rules().limits.watches;
        let Some(session) = self.session_mut(who.session) else { return Err(Code::Superseded.into()) };
        let mut fresh: Vec<&PeerId> = ids.iter().filter(|id| !session.watching.iter().any(|w| w.id == **id)).collect();
        fresh.sort_unstable();
        fresh.dedup();
        if !fresh.is_empty() && is_full(session.watching.len() + fresh.len() - 1, limit) {
            return Err(Code::TooManyWatches.into());
        }
        session.watching.extend(fresh.into_iter().map(|id| Watching { id: id.clone(), revision: 0 }));
        if let Some(re) = n {
            self.tell_event(cx, who, &Event::Done(wigwag_wire::event::Done { re, receivers: None }));
        }
        for id in ids {
            cx.later.push_back(Later::Watch { watcher: who.clone(), id: id.clone(), on: true });
        }
        Ok(())
    }

    /// A session of this shard no longer wants to.
    pub(crate) fn stop_watching(&mut self, cx: &mut Cx<'_>, who: &Arc<Party>, n: Option<u64>, ids: &[PeerId]) {
        let Some(session) = self.session_mut(who.session) else { return };
        session.watching.retain(|w| !ids.contains(&w.id));
        for id in ids {
            cx.later.push_back(Later::Watch { watcher: who.clone(), id: id.clone(), on: false });
        }
        if let Some(re) = n {
            self.tell_event(cx, who, &Event::Done(wigwag_wire::event::Done { re, receivers: None }));
        }
    }

    /// Takes a watcher of an id of this shard in or out. One that comes in is told how things stand.
    pub(crate) fn watch(&mut self, cx: &mut Cx<'_>, watcher: &Arc<Party>, id: &PeerId, on: bool) {
        let address = Address { ns: watcher.ns.clone(), id: id.clone() };
        if !on {
            if let Some(entry) = self.directory.get_mut(&address) {
                entry.watchers.retain(|w| *w != watcher.session);
                self.tidy(&address);
            }
            return;
        }
        let state = self.state_of(&address);
        let seen = if state == Presence::Here { None } else { self.seen(address.ns.as_str(), address.id.as_str()) };
        self.revision += 1;
        let revision = self.revision;
        let entry = self.entry(&address);
        entry.told = Some(state);
        if !entry.watchers.contains(&watcher.session) {
            entry.watchers.push(watcher.session);
        }
        cx.later.push_back(Later::Presence {
            ns: address.ns.clone(),
            id: id.clone(),
            watchers: smallvec![watcher.session],
            state,
            seen,
            revision,
        });
    }

    /// Tells a watcher of this shard, unless it knows something newer. `false`: it no longer watches.
    pub(crate) fn told_presence(
        &mut self,
        cx: &mut Cx<'_>,
        watcher: SessionId,
        id: &PeerId,
        revision: u64,
        event: &Event<'_>,
    ) -> bool {
        let Some(session) = self.session_mut(watcher) else { return false };
        let Some(watching) = session.watching.iter_mut().find(|w| w.id == *id) else { return false };
        if watching.revision < revision {
            watching.revision = revision;
            let party = session.party.clone();
            self.tell_event(cx, &party, event);
        }
        true
    }

    /// Drops a watcher that is no longer one: its session ended while the wish was on its way.
    pub(crate) fn drop_watcher(&mut self, ns: &Namespace, id: &PeerId, watcher: SessionId) {
        let address = Address { ns: ns.clone(), id: id.clone() };
        if let Some(entry) = self.directory.get_mut(&address) {
            entry.watchers.retain(|w| *w != watcher);
            self.tidy(&address);
        }
    }

    /// Tells a session of this shard what became of its request.
    pub(crate) fn tell_own(&mut self, cx: &mut Cx<'_>, id: SessionId, event: &Event<'_>) {
        if let Some(session) = self.session(id) {
            let party = session.party.clone();
            self.tell_event(cx, &party, event);
        }
    }

    /// Tells a sender of this shard that signals it was acknowledged may not have arrived.
    pub(crate) fn lost(&mut self, cx: &mut Cx<'_>, sender: SessionId, to: &Party, n: &[u64]) {
        self.tell_own(cx, sender, &Event::Lost(Lost { to: &to.id, device: &to.device, n }));
    }
}
