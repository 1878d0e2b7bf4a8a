//! Swarms: sets of parties of which a few are handed out at random, each as likely as any other.

use std::sync::Arc;

use foldhash::quality::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use wigwag_wire::event::{PartyRef, SwarmEvent};
use wigwag_wire::request::SwarmAnnounce;
use wigwag_wire::{Code, Event, Namespace, Refusal, Request, SwarmName};

use super::table::Table;
use crate::cx::Cx;
use crate::foreign::SwarmCounts;
use crate::ids::{GroupKey, GroupKind, Party, SessionId};
use crate::tallies::{down, up_within};

/// The swarms of one shard.
pub(crate) struct Swarms {
    hasher: FixedState,
    swarms: Table<Swarm>,
}

struct Swarm {
    /// Without gaps, in no particular order.
    members: Vec<Member>,
    position_of: HashMap<SessionId, usize, FixedState>,
    /// How many members have all.
    complete: usize,
    /// How many times a member came to have all.
    completed: u64,
}

struct Member {
    party: Arc<Party>,
    complete: bool,
}

/// The swarms of one shard, written out.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SwarmsSnapshot {
    swarms: Vec<SwarmSnapshot>,
}

#[derive(Serialize, Deserialize)]
struct SwarmSnapshot {
    ns: Namespace,
    swarm: SwarmName,
    members: Vec<(SessionId, bool)>,
    completed: u64,
}

impl Swarms {
    pub(crate) fn new(hasher: &FixedState) -> Self {
        Self { hasher: hasher.clone(), swarms: Table::new(GroupKind::Swarm, hasher.clone()) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.swarms.is_empty()
    }

    pub(crate) fn request(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        request: &Request<'_>,
    ) -> Result<(), Refusal> {
        match request {
            Request::SwarmAnnounce(announce) => self.announce(cx, who, n, announce)?,
            Request::SwarmCount(count) => self.tell(cx, who, n, &count.swarm, &[]),
            Request::SwarmLeave(leave) => {
                let found = self.swarms.find(&who.ns, leave.swarm.as_str());
                let (key, _) =
                    found.filter(|(_, s)| s.position_of.contains_key(&who.session)).ok_or(Code::NotMember)?;
                let key = key.clone();
                cx.leave(who, &key);
                self.ended(cx, who, &key);
                cx.done(who, n, None);
            }
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn ended(&mut self, cx: &mut Cx<'_>, who: &Party, key: &GroupKey) {
        let Some(swarm) = self.swarms.get_mut(key) else { return };
        swarm.remove(who.session);
        if swarm.members.is_empty() {
            self.swarms.remove(key);
            down(&cx.hub.tallies().swarms);
        }
    }

    pub(crate) fn snapshot(&self) -> SwarmsSnapshot {
        let write = |(key, swarm): (&GroupKey, &Swarm)| {
            let members = swarm.members.iter().map(|m| (m.party.session, m.complete)).collect();
            let name = SwarmName::new(&key.name).ok()?;
            Some(SwarmSnapshot { ns: key.ns.clone(), swarm: name, members, completed: swarm.completed })
        };
        SwarmsSnapshot { swarms: self.swarms.sorted().into_iter().filter_map(write).collect() }
    }

    pub(crate) fn restore(&mut self, cx: &mut Cx<'_>, snapshot: SwarmsSnapshot) {
        for saved in snapshot.swarms {
            for (session, complete) in saved.members {
                // Who would now be over a limit that was lowered is left out, as a newcomer would be.
                if let Some(party) = cx.party(session).filter(|p| p.ns == saved.ns) {
                    let _ = self.join(cx, &party, &saved.swarm, complete);
                }
            }
            if let Some((_, swarm)) = self.swarms.find_mut(&saved.ns, saved.swarm.as_str()) {
                swarm.completed = saved.completed;
            }
        }
    }

    pub(crate) fn draw(
        &self,
        ns: &Namespace,
        name: &SwarmName,
        asker: SessionId,
        want: usize,
        random: impl FnMut() -> u64,
    ) -> Vec<Arc<Party>> {
        let found = self.swarms.find(ns, name.as_str());
        found.map_or_else(Vec::new, |(_, swarm)| swarm.draw(asker, want, random))
    }

    pub(crate) fn has(&self, ns: &Namespace, name: &SwarmName, session: SessionId) -> bool {
        self.swarms.find(ns, name.as_str()).is_some_and(|(_, swarm)| swarm.position_of.contains_key(&session))
    }

    pub(crate) fn counts(&self, ns: &Namespace, name: &SwarmName) -> SwarmCounts {
        let Some((_, swarm)) = self.swarms.find(ns, name.as_str()) else { return SwarmCounts::default() };
        let (all, complete) = (swarm.members.len() as u32, swarm.complete as u32);
        SwarmCounts { complete, incomplete: all - complete, completed: swarm.completed }
    }

    fn announce(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        announce: &SwarmAnnounce,
    ) -> Result<(), Refusal> {
        let most = cx.rules().limits.swarm_want;
        if most != 0 && u64::from(announce.want) > most {
            return Err(Refusal::new(Code::BadField, format!("`want` is over {most}.")));
        }
        let swarm = self.join(cx, who, &announce.swarm, announce.complete)?;
        let others = swarm.draw(who.session, announce.want as usize, || cx.random());
        self.tell(cx, who, n, &announce.swarm, &others);
        Ok(())
    }

    /// Takes a session in, or notes that it has all or has not.
    fn join(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        name: &SwarmName,
        complete: bool,
    ) -> Result<&mut Swarm, Refusal> {
        let key = self.swarms.key(&who.ns, name.as_str());
        if !self.swarms.contains(&key) {
            let tallies = cx.hub.tallies();
            if !up_within(&tallies.swarms, cx.rules().limits.swarms) {
                return Err(Code::NamespaceFull.into());
            }
            cx.enter(who, key.clone()).inspect_err(|_| down(&tallies.swarms))?;
        } else {
            cx.enter(who, key.clone())?;
        }
        let hasher = &self.hasher;
        let swarm = self.swarms.of(key, || Swarm::new(hasher));
        swarm.add(who, complete);
        Ok(swarm)
    }

    fn tell(&self, cx: &mut Cx<'_>, who: &Party, n: Option<u64>, name: &SwarmName, others: &[Arc<Party>]) {
        let peers: Vec<PartyRef<'_>> = others.iter().map(|p| PartyRef { id: &p.id, device: &p.device }).collect();
        let SwarmCounts { complete, incomplete, completed } = self.counts(&who.ns, name);
        let event = SwarmEvent { re: n, swarm: name, peers: &peers, complete, incomplete, completed };
        cx.tell(who, &Event::Swarm(event));
    }
}

impl Swarm {
    fn new(hasher: &FixedState) -> Self {
        Self { members: Vec::new(), position_of: HashMap::with_hasher(hasher.clone()), complete: 0, completed: 0 }
    }

    fn add(&mut self, who: &Arc<Party>, complete: bool) {
        match self.position_of.get(&who.session) {
            Some(place) => {
                let was = std::mem::replace(&mut self.members[*place].complete, complete);
                self.complete = self.complete + usize::from(complete) - usize::from(was);
                self.completed += u64::from(complete && !was);
            }
            None => {
                self.position_of.insert(who.session, self.members.len());
                self.members.push(Member { party: who.clone(), complete });
                self.complete += usize::from(complete);
            }
        }
    }

    fn remove(&mut self, session: SessionId) {
        let Some(place) = self.position_of.remove(&session) else { return };
        let member = self.members.swap_remove(place);
        self.complete -= usize::from(member.complete);
        if let Some(moved) = self.members.get(place) {
            self.position_of.insert(moved.party.session, place);
        }
    }

    /// At most `want` members but `asker`, each set and order of them as likely as any other. Costs what is wanted, not what is there.
    fn draw(&self, asker: SessionId, want: usize, mut random: impl FnMut() -> u64) -> Vec<Arc<Party>> {
        let own = self.position_of.get(&asker).copied().unwrap_or(self.members.len());
        let others = self.members.len() - usize::from(own < self.members.len());
        let want = want.min(others);
        // The first steps of a shuffle in which only what was moved is written down.
        let mut moved = HashMap::with_capacity_and_hasher(want, self.position_of.hasher().clone());
        let mut drawn = Vec::with_capacity(want);
        for step in 0..want {
            let at = step + below(others - step, &mut random);
            let place = moved.get(&at).copied().unwrap_or(at);
            let first = moved.get(&step).copied().unwrap_or(step);
            moved.insert(at, first);
            // The asker's own place is passed over.
            let member = &self.members[place + usize::from(place >= own)];
            drawn.push(member.party.clone());
        }
        drawn
    }
}

/// A number below `end`, each as likely as any other; `end` is not 0.
fn below(end: usize, random: &mut impl FnMut() -> u64) -> usize {
    let end = end as u64;
    loop {
        let wide = u128::from(random()) * u128::from(end);
        // The part of the range that would make some numbers likelier is drawn again.
        if wide as u64 >= end.wrapping_neg() % end {
            return (wide >> 64) as usize;
        }
    }
}
