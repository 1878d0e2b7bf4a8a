//! Ids that may be elsewhere: the question goes out, and what is for the id waits for the answer, in order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use wigwag_wire::code::Code;
use wigwag_wire::event::{Delivery, Found, Presence};
use wigwag_wire::limits::is_full;
use wigwag_wire::{Event, Namespace, PeerId, Refusal};

use super::Peers;
use super::directory::Address;
use super::receipt::Acked;
use super::signals::{ack, acknowledge, refuse, signal_event};
use super::stored::Record;
use crate::admission::Origin;
use crate::cx::{Cx, Later};
use crate::ids::{Party, SessionId};
use crate::output::{Ask, Carry, CarryStatus, Output, Place};
use crate::time::Moment;

/// A question about where an id is, and what waits for the answer.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) until: Moment,
    requests: VecDeque<Asked>,
}

#[derive(Debug)]
pub(super) struct Asked {
    pub(super) who: Arc<Party>,
    pub(super) origin: Origin,
    pub(super) n: Option<u64>,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Find,
    Signal { record: Bytes, store: u64 },
}

/// Signals that were carried elsewhere and whose senders wait for the receipt.
#[derive(Debug, Default)]
pub(super) struct Carrying {
    tickets: u64,
    /// By ticket. All wait equally long, so the first is due first.
    waiting: BTreeMap<u64, (Moment, Acked)>,
}

impl Carrying {
    pub(super) fn next(&self) -> Option<Moment> {
        self.waiting.first_key_value().map(|(_, (until, _))| *until)
    }
}

impl Peers {
    /// An answer to where an id is.
    pub(crate) fn located(&mut self, cx: &mut Cx<'_>, ns: &Namespace, id: &PeerId, place: Option<Place>) {
        let address = Address { ns: ns.clone(), id: id.clone() };
        self.resolve(cx, &address, place);
    }

    /// What became of a signal that was carried elsewhere.
    pub(crate) fn carried(&mut self, cx: &mut Cx<'_>, ticket: u64, status: CarryStatus) {
        let Some((_, (sender, n))) = self.carrying.waiting.remove(&ticket) else { return };
        match status {
            CarryStatus::Delivered => ack(cx, sender, n, Delivery::Delivered),
            CarryStatus::Held => ack(cx, sender, n, Delivery::Stored),
            CarryStatus::Absent => ack(cx, sender, n, Delivery::Absent),
            CarryStatus::Refused(code) => refuse(cx, sender, Some(n), code.into()),
        }
    }

    /// Asks where an id is, or joins those who wait for the answer already.
    pub(super) fn ask(&mut self, cx: &mut Cx<'_>, address: &Address, asked: Asked) -> Result<(), Refusal> {
        let (until, limit) = (cx.now.at + cx.rules().ask_ms, cx.rules().limits.waiting_per_id);
        let waiting = self.directory.know(address).waiting.get_or_insert_default();
        match &mut waiting.asking {
            Some(asking) if is_full(asking.requests.len(), limit) => return Err(Code::TooManyWaiting.into()),
            Some(asking) => asking.requests.push_back(asked),
            none => {
                *none = Some(Asking { until, requests: VecDeque::from([asked]) });
                self.timers.keep_id(&mut waiting.timer, until, address);
                cx.out.emit(Output::Ask(Ask::Where { ns: address.ns.clone(), id: address.id.clone() }));
            }
        }
        Ok(())
    }

    /// What waited goes its way, in order: to sessions that are here by now, to the place where the id is, or to nobody.
    pub(super) fn resolve(&mut self, cx: &mut Cx<'_>, address: &Address, place: Option<Place>) {
        let asking = self.directory.waiting_mut(address).and_then(|w| w.asking.take());
        for asked in asking.into_iter().flat_map(|asking| asking.requests) {
            match &asked.what {
                What::Find => self.resolve_find(cx, address, &asked, place),
                What::Signal { record, store } => {
                    if let Some(record) = Record::read(record) {
                        self.resolve_signal(cx, address, &asked, record, *store, place);
                    }
                }
            }
        }
        self.tidy(address);
    }

    /// What is due about an id that something waits for.
    pub(super) fn id_due(&mut self, cx: &mut Cx<'_>, address: &Address) {
        let Some(waiting) = self.directory.waiting_mut(address) else { return };
        waiting.timer = Moment::NEVER;
        if let Some(asking) = waiting.asking.take_if(|asking| asking.until <= cx.now.at) {
            for asked in asking.requests {
                refuse(cx, asked.who.session, asked.n, Code::Unreachable.into());
            }
        }
        let next = self.expire_stored(cx, address);
        let Self { directory, timers, .. } = self;
        if let Some(waiting) = directory.waiting_mut(address) {
            let next = waiting.asking.as_ref().map_or(next, |asking| next.min(asking.until));
            timers.keep_id(&mut waiting.timer, next, address);
        }
        self.tidy(address);
    }

    /// Gives up on receipts that did not come in time, and on what the hub before this one asked.
    pub(super) fn give_up(&mut self, cx: &mut Cx<'_>) {
        while let Some(first) = self.carrying.waiting.first_entry() {
            if first.get().0 > cx.now.at {
                break;
            }
            let (_, (sender, n)) = first.remove();
            refuse(cx, sender, Some(n), Code::Unreachable.into());
        }
        self.give_up_unsure(cx);
    }

    /// Everyone who waits for an answer from outside that will not reach another hub, and what to tell them then.
    pub(super) fn unanswered(&self) -> Vec<(SessionId, u64, Code)> {
        let naming = self.naming.iter().map(|(who, n)| (*who, *n, Code::StoreUnavailable));
        let carried = self.carrying.waiting.values().map(|(_, (who, n))| (*who, *n, Code::Unreachable));
        let mut unanswered: Vec<_> = naming.chain(carried).collect();
        let asking = self.timers.ids().filter_map(|id| self.directory.waiting(id)?.asking.as_ref());
        let asked = asking.flat_map(|asking| &asking.requests).filter_map(|a| Some((a.who.session, a.n?)));
        unanswered.extend(asked.map(|(who, n)| (who, n, Code::Unreachable)));
        unanswered.sort_unstable();
        unanswered
    }

    fn resolve_find(&mut self, cx: &mut Cx<'_>, address: &Address, asked: &Asked, place: Option<Place>) {
        let here = !self.receivers(&address.ns, address.id.as_str(), None).is_empty();
        match place {
            Some(_) if !here => {
                let (id, who) = (&address.id, &asked.who);
                let polite = who.is_polite_to_id(id);
                let event =
                    Event::Found(Found { re: asked.n, id, state: Presence::Here, devices: &[], seen: None, polite });
                let frames = cx.frames(&event, who, None);
                cx.later.push_back(Later::Frames { to: who.session, frames, event: event.index() });
            }
            _ => {
                if !here {
                    cx.hub.missed(cx.now.at, &asked.origin);
                }
                self.answer_find(cx, &asked.who, asked.n, &address.id);
            }
        }
    }

    fn resolve_signal(
        &mut self,
        cx: &mut Cx<'_>,
        address: &Address,
        asked: &Asked,
        record: Record<'_>,
        store: u64,
        place: Option<Place>,
    ) {
        let Asked { who, n, origin, .. } = asked;
        let devices = self.receivers(&address.ns, address.id.as_str(), record.to_device.as_deref());
        let result = if !devices.is_empty() {
            let event = |to: &Party| signal_event(&record, to, None);
            let keep = (store > 0).then(|| (store, record.clone()));
            self.hand_out(cx, who, *n, &devices, event, keep)
        } else if let Some(place) = place {
            self.carry(cx, place, address, &record, n.map(|n| (who.session, n)));
            Ok(None)
        } else {
            cx.hub.missed(cx.now.at, origin);
            match store {
                0 => Ok(Some(Delivery::Absent)),
                _ => self.store(cx, address, record, n.map(|n| (who.session, n)), store),
            }
        };
        match result {
            Ok(status) => acknowledge(cx, who, *n, status),
            Err(refusal) => refuse(cx, who.session, *n, refusal),
        }
    }

    fn carry(&mut self, cx: &mut Cx<'_>, place: Place, address: &Address, record: &Record<'_>, acked: Option<Acked>) {
        // The shard is in the upper bits, so that tickets of a hub never meet.
        self.carrying.tickets += 1;
        let ticket = (self.shard as u64) << 56 | self.carrying.tickets & ((1 << 56) - 1);
        if let Some(acked) = acked {
            self.carrying.waiting.insert(ticket, (cx.now.at + cx.rules().ask_ms, acked));
        }
        let (ns, to) = (address.ns.clone(), address.id.clone());
        cx.out.emit(Output::Carry(Carry { place, ticket, ns, to, record: record.to_bytes() }));
    }
}
