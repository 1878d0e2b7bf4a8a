//! Topics: publish and subscribe. Nobody sees who else is there; a topic lasts as long as it has a subscriber.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::quality::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use wigwag_wire::event::Published;
use wigwag_wire::request::{self, Publish};
use wigwag_wire::{Code, Event, Namespace, Refusal};

use super::table::Table;
use crate::cx::{Cx, Spread};
use crate::hub::Hub;
use crate::ids::{GroupKey, GroupKind, Party, SessionId};
use crate::tallies::{down, up_within};

/// The topics of one shard.
pub(crate) struct Topics {
    hasher: FixedState,
    topics: Table<Topic>,
}

struct Topic {
    /// In the order in which they came.
    subscribers: BTreeMap<u64, Arc<Party>>,
    order_of: HashMap<SessionId, u64, FixedState>,
    next: u64,
}

/// The topics of one shard, written out.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TopicsSnapshot {
    topics: Vec<TopicSnapshot>,
}

#[derive(Serialize, Deserialize)]
struct TopicSnapshot {
    ns: Namespace,
    topic: String,
    subscribers: Vec<SessionId>,
}

impl Topics {
    pub(crate) fn new(hasher: &FixedState) -> Self {
        Self { hasher: hasher.clone(), topics: Table::new(GroupKind::Topic, hasher.clone()) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// Answers whether the session did not subscribe already.
    pub(crate) fn subscribe(&mut self, cx: &mut Cx<'_>, who: &Arc<Party>, topic: &str) -> Result<bool, Refusal> {
        let key = self.topics.key(&who.ns, topic);
        match self.topics.get_mut(&key) {
            Some(topic) if topic.order_of.contains_key(&who.session) => return Ok(false),
            Some(_) => cx.enter(who, key.clone())?,
            None => {
                let tallies = cx.hub.tallies();
                if !up_within(&tallies.topics, cx.rules().limits.topics) {
                    return Err(Code::NamespaceFull.into());
                }
                cx.enter(who, key.clone()).inspect_err(|_| down(&tallies.topics))?;
            }
        }
        let hasher = &self.hasher;
        self.topics.of(key, || Topic::new(hasher)).add(who.clone());
        Ok(true)
    }

    pub(crate) fn unsubscribe(&mut self, cx: &mut Cx<'_>, who: &Party, topic: &str) {
        if let Some((key, _)) = self.topics.find(&who.ns, topic) {
            let key = key.clone();
            cx.leave(who, &key);
            self.ended(cx, who, &key);
        }
    }

    pub(crate) fn publish(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        publish: &Publish<'_>,
    ) -> Result<(), Refusal> {
        let mut receivers = 0;
        if let Some((_, topic)) = self.topics.find(&who.ns, &publish.topic) {
            receivers = topic.subscribers.len() as u32;
            let event = Event::Published(Published {
                topic: &publish.topic,
                from: &who.id,
                device: &who.device,
                receivers,
                data: publish.data,
                foreign: publish.foreign,
            });
            let mut spread = Spread::new(&event);
            for subscriber in topic.subscribers.values() {
                cx.spread(&mut spread, subscriber);
            }
        }
        cx.done(who, n, Some(receivers));
        Ok(())
    }

    pub(crate) fn ended(&mut self, cx: &mut Cx<'_>, who: &Party, key: &GroupKey) {
        let Some(topic) = self.topics.get_mut(key) else { return };
        topic.remove(who.session);
        if topic.subscribers.is_empty() {
            self.topics.remove(key);
            down(&cx.hub.tallies().topics);
        }
    }

    pub(crate) fn snapshot(&self) -> TopicsSnapshot {
        let topics = self.topics.sorted().into_iter().map(|(key, topic)| TopicSnapshot {
            ns: key.ns.clone(),
            topic: key.name.to_string(),
            subscribers: topic.subscribers.values().map(|p| p.session).collect(),
        });
        TopicsSnapshot { topics: topics.collect() }
    }

    pub(crate) fn restore(&mut self, cx: &mut Cx<'_>, snapshot: TopicsSnapshot) {
        for saved in snapshot.topics {
            for session in saved.subscribers {
                // Who would now be over a limit that was lowered is left out, as a newcomer would be.
                if let Some(party) = cx.party(session).filter(|p| p.ns == saved.ns) {
                    let _ = self.subscribe(cx, &party, &saved.topic);
                }
            }
        }
    }
}

impl Topic {
    fn new(hasher: &FixedState) -> Self {
        Self { subscribers: BTreeMap::new(), order_of: HashMap::with_hasher(hasher.clone()), next: 0 }
    }

    fn add(&mut self, party: Arc<Party>) {
        self.order_of.insert(party.session, self.next);
        self.subscribers.insert(self.next, party);
        self.next += 1;
    }

    fn remove(&mut self, session: SessionId) {
        if let Some(place) = self.order_of.remove(&session) {
            self.subscribers.remove(&place);
        }
    }
}

impl Hub {
    /// Subscribes to all of these topics or to none.
    pub(crate) fn subscribe(
        &self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        wanted: &request::Topics,
    ) -> Result<(), Refusal> {
        let mut new = Vec::new();
        for topic in &wanted.topics {
            let mut shard = self.group_at(&who.ns, GroupKind::Topic, topic.as_str()).lock();
            let subscribed = shard.topics.subscribe(cx, who, topic.as_str());
            drop(shard);
            match subscribed {
                Ok(true) => new.push(topic),
                Ok(false) => {}
                Err(refusal) => {
                    for topic in new {
                        let mut shard = self.group_at(&who.ns, GroupKind::Topic, topic.as_str()).lock();
                        shard.topics.unsubscribe(cx, who, topic.as_str());
                    }
                    return Err(refusal);
                }
            }
        }
        cx.done(who, n, None);
        Ok(())
    }

    /// Unsubscribes from these topics.
    pub(crate) fn unsubscribe(&self, cx: &mut Cx<'_>, who: &Arc<Party>, n: Option<u64>, unwanted: &request::Topics) {
        for topic in &unwanted.topics {
            self.group_at(&who.ns, GroupKind::Topic, topic.as_str()).lock().topics.unsubscribe(cx, who, topic.as_str());
        }
        cx.done(who, n, None);
    }
}
