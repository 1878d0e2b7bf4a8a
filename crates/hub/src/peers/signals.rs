//! Signals: from one party to another, now, later or elsewhere, in order per pair.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;
use smallvec::SmallVec;
use wigwag_wire::code::Code;
use wigwag_wire::event::{Ack, Delivery, Found, Presence, SignalEvent};
use wigwag_wire::limits::is_full;
use wigwag_wire::request::Signal;
use wigwag_wire::{Event, Namespace, PeerId, Refusal};

use super::directory::{Address, AddressRef};
use super::stored::{Record, Stored};
use super::{Peers, SignalMark, Telling, Timer};
use crate::admission::Origin;
use crate::cx::{Cx, Later};
use crate::ids::{Party, SessionId};
use crate::output::{Ask, Carry, CarryStatus, Keep, Output, Place};
use crate::time::{Moment, Wall};

/// A question about where an id is, and what waits for the answer, in order.
#[derive(Debug)]
pub(super) struct Asking {
    since: Moment,
    requests: VecDeque<Asked>,
}

#[derive(Debug)]
struct Asked {
    who: Arc<Party>,
    n: Option<u64>,
    what: What,
}

#[derive(Debug)]
enum What {
    Find,
    Signal { record: Bytes, store: u64 },
}

impl Peers {
    /// A signal for an id of this shard.
    pub(crate) fn signal(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        origin: &Origin,
        n: Option<u64>,
        signal: &Signal<'_>,
    ) -> Result<(), Refusal> {
        if signal.store > 0 && signal.store > cx.rules().limits.stored_seconds {
            let message = format!("`store` may be at most {} seconds.", cx.rules().limits.stored_seconds);
            return Err(Refusal::new(Code::BadField, message));
        }
        let devices = self.receivers(who.ns.as_str(), &signal.to, signal.device.as_deref());
        if devices.is_empty() {
            let status = self.signal_absent(cx, who, n, signal)?;
            if status == Some(Delivery::Absent) {
                cx.hub.missed(cx.now.at, origin);
            }
            acknowledge(cx, who, n, status);
            return Ok(());
        }
        let event = |to: &Party| SignalEvent {
            from: &who.id,
            device: &who.device,
            kind: &signal.kind,
            polite: to.is_polite_to(who),
            stored: None,
            data: signal.data,
        };
        let record = || record_of(cx.now.wall, who, signal).to_bytes();
        let keep = if signal.store > 0 { Some((signal.store, record())) } else { None };
        let status = self.hand_out(cx, who, n, &devices, event, keep)?;
        acknowledge(cx, who, n, status);
        Ok(())
    }

    /// A signal from elsewhere.
    pub(crate) fn arrived(&mut self, cx: &mut Cx<'_>, ticket: u64, ns: &Namespace, to: &PeerId, bytes: &[u8]) {
        let Some(record) = Record::read(bytes) else {
            cx.out.emit(Output::Receipt { ticket, status: CarryStatus::Refused(Code::Malformed) });
            return;
        };
        let devices = self.receivers(ns.as_str(), to.as_str(), record.to_device.as_deref());
        let mut status = CarryStatus::Absent;
        for session in devices {
            let Some(party) = self.session(session).map(|s| s.party.clone()) else { continue };
            let event = Event::Signal(Self::signal_event(&record, &party, None));
            let Some(frame) = cx.hub.frame(&event, &party) else { continue };
            let live = self.session(session).is_some_and(|s| s.socket.is_some());
            if !live && !self.has_room(cx, session, frame.len()) {
                status = if status == CarryStatus::Absent { CarryStatus::Refused(Code::QueueFull) } else { status };
                continue;
            }
            if self.tell(cx, session, Telling { frame, event: event.index(), signal: None }) {
                status = CarryStatus::Delivered;
            } else if status != CarryStatus::Delivered {
                status = CarryStatus::Held;
            }
        }
        cx.out.emit(Output::Receipt { ticket, status });
    }

    /// What became of a signal that was carried elsewhere.
    pub(crate) fn carried(&mut self, cx: &mut Cx<'_>, ticket: u64, _to: &PeerId, status: CarryStatus) {
        let Some((sender, n)) = self.carrying.remove(&ticket) else { return };
        match status {
            CarryStatus::Delivered => ack(cx, sender, n, Delivery::Delivered),
            CarryStatus::Held => ack(cx, sender, n, Delivery::Stored),
            CarryStatus::Absent => ack(cx, sender, n, Delivery::Absent),
            CarryStatus::Refused(code) => refuse(cx, sender, Some(n), code.into()),
        }
    }

    /// The store's word on a signal.
    pub(crate) fn kept(&mut self, cx: &mut Cx<'_>, ns: &Namespace, to: &PeerId, number: u64, ok: bool) {
        let Some(waiting) = self.keeping.remove(&number) else { return };
        let address = Address { ns: ns.clone(), id: to.clone() };
        let queued = self
            .directory
            .get(&address)
            .and_then(|e| e.waiting.as_ref())
            .is_some_and(|w| w.stored.iter().any(|s| s.number == number));
        let devices = self.directory.get(&address).map(|e| e.devices.clone()).unwrap_or_default();
        let held = devices
            .iter()
            .any(|s| self.session(*s).and_then(|s| s.resume.as_deref()).is_some_and(|r| r.queue.holds_unwired(number)));
        if !ok {
            if queued {
                self.drop_stored(cx, &address, |s| s.number == number);
            }
            for session in devices {
                if let Some(resume) = self.session_mut(session).and_then(|s| s.resume.as_deref_mut()) {
                    resume.queue.withdraw(number);
                }
            }
        }
        let Some((sender, n)) = waiting else { return };
        match (queued || held, ok) {
            (true, true) => ack(cx, sender, n, Delivery::Stored),
            (true, false) => refuse(cx, sender, Some(n), Code::StoreUnavailable.into()),
            // It was handed to a socket while the store was still writing.
            (false, _) => ack(cx, sender, n, Delivery::Delivered),
        }
    }

    /// An answer to where an id is.
    pub(crate) fn located(&mut self, cx: &mut Cx<'_>, ns: &Namespace, id: &PeerId, place: Option<Place>) {
        let address = Address { ns: ns.clone(), id: id.clone() };
        self.resolve_asking(cx, &address, place);
    }

    /// A question that nobody answered in time.
    pub(super) fn ask_expired(&mut self, cx: &mut Cx<'_>, address: &Address) {
        let ask_ms = cx.rules().ask_ms;
        let Some(waiting) = self.directory.get_mut(address).and_then(|e| e.waiting.as_mut()) else { return };
        if !waiting.asking.as_ref().is_some_and(|a| cx.now.at - a.since >= ask_ms) {
            return;
        }
        let Some(asking) = waiting.asking.take() else { return };
        for asked in asking.requests {
            refuse(cx, asked.who.session, asked.n, Code::Unreachable.into());
        }
        self.tidy(address);
    }

    /// Asks where an id is, for a `find`.
    pub(super) fn ask_about(&mut self, cx: &mut Cx<'_>, who: &Arc<Party>, n: Option<u64>, id: &PeerId) {
        let address = Address { ns: who.ns.clone(), id: id.clone() };
        let asked = Asked { who: who.clone(), n, what: What::Find };
        if let Err(refusal) = self.ask(cx, &address, asked) {
            refuse(cx, who.session, n, refusal);
        }
    }

    /// The id turned up here while the question was under way.
    pub(super) fn resolve_asking_here(&mut self, cx: &mut Cx<'_>, address: &Address) {
        self.resolve_asking(cx, address, None);
    }

    /// Drops stored signals whose time is over.
    pub(super) fn expire_stored(&mut self, cx: &mut Cx<'_>, address: &Address) {
        let wall = cx.now.wall;
        self.drop_stored(cx, address, |s| s.expires <= wall);
        // Wall time may have been set back since the timer was set.
        let next = self
            .directory
            .get(address)
            .and_then(|e| e.waiting.as_ref())
            .and_then(|w| w.stored.iter().map(|s| s.expires).min());
        if let Some(next) = next {
            let wait = next.0.saturating_sub(wall.0).max(1_000);
            self.due(cx.now.at + wait, Timer::Stored(address.clone()));
        }
        self.tidy(address);
    }

    /// A stored or carried signal as its receiver is told it.
    pub(super) fn signal_event<'r>(record: &'r Record<'r>, to: &Party, stored: Option<Wall>) -> SignalEvent<'r> {
        SignalEvent {
            from: &record.from,
            device: &record.device,
            kind: &record.kind,
            polite: (to.id.as_str(), to.device.as_str()) < (record.from.as_str(), record.device.as_str()),
            stored: stored.map(|w| w.0),
            data: record.data,
        }
    }

    fn receivers(&self, ns: &str, to: &str, device: Option<&str>) -> SmallVec<[SessionId; 2]> {
        let Some(entry) = self.directory.get(&AddressRef { ns, id: to }) else { return SmallVec::new() };
        match device {
            None => entry.devices.clone(),
            Some(device) => entry
                .devices
                .iter()
                .copied()
                .filter(|s| self.session(*s).is_some_and(|s| s.party.device.as_str() == device))
                .collect(),
        }
    }

    /// To sessions of this shard: at once where there is a socket, else held. `None`: the acknowledgement waits for the store.
    fn hand_out<'e>(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        devices: &[SessionId],
        event: impl Fn(&Party) -> SignalEvent<'e>,
        keep: Option<(u64, Bytes)>,
    ) -> Result<Option<Delivery>, Refusal> {
        let acked = n.map(|n| (who.session, n));
        let (mut delivered, mut held, mut full) = (false, None, false);
        for &session in devices {
            let Some(known) = self.session(session) else { continue };
            let (party, live) = (known.party.clone(), known.socket.is_some());
            let event = Event::Signal(event(&party));
            let Some(frame) = cx.hub.frame(&event, &party) else { continue };
            if !live && !self.has_room(cx, session, frame.len()) {
                full = true;
                continue;
            }
            // A signal to be stored is kept for one away device, and only if none is live.
            let stored = match (&keep, live || delivered || held.is_some()) {
                (Some((seconds, record)), false) => {
                    let expires = cx.now.wall + seconds * 1_000;
                    let number = cx.random() >> 1;
                    held = Some(number);
                    Some(Box::new(Stored { number, expires, record: record.clone() }))
                }
                _ => None,
            };
            let mark = SignalMark { acked, stored };
            delivered |= self.tell(cx, session, Telling { frame, event: event.index(), signal: Some(mark) });
        }
        if delivered {
            // A live device took it after an away one was chosen to keep it: nothing needs keeping.
            if let Some(number) = held {
                for session in devices {
                    if let Some(resume) = self.session_mut(*session).and_then(|s| s.resume.as_deref_mut()) {
                        resume.queue.withdraw(number);
                    }
                }
            }
            return Ok(Some(Delivery::Delivered));
        }
        match (held, keep) {
            (Some(number), Some((seconds, record))) => {
                let (ns, to) = match devices.first().and_then(|s| self.session(*s)) {
                    Some(s) => (s.party.ns.clone(), s.party.id.clone()),
                    None => return Ok(Some(Delivery::Absent)),
                };
                self.keep(cx, ns, to, number, cx.now.wall + seconds * 1_000, record, acked);
                Ok(None)
            }
            _ if full => Err(Code::QueueFull.into()),
            _ => Ok(Some(Delivery::Stored)),
        }
    }

    fn signal_absent(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        signal: &Signal<'_>,
    ) -> Result<Option<Delivery>, Refusal> {
        if signal.store == 0 && !cx.rules().ask_where {
            return Ok(Some(Delivery::Absent));
        }
        let Ok(id) = PeerId::new(&signal.to) else { return Err(Code::BadField.into()) };
        let address = Address { ns: who.ns.clone(), id };
        let record = record_of(cx.now.wall, who, signal).to_bytes();
        if cx.rules().ask_where {
            let what = What::Signal { record, store: signal.store };
            self.ask(cx, &address, Asked { who: who.clone(), n, what })?;
            return Ok(None);
        }
        self.store(cx, who, n, &address, record, signal.store)?;
        Ok(None)
    }

    /// Keeps a signal for an absent id; the acknowledgement waits for the store.
    fn store(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        address: &Address,
        record: Bytes,
        seconds: u64,
    ) -> Result<(), Refusal> {
        let limits = &cx.hub.rules().limits;
        let stored =
            self.directory.get(address).and_then(|e| e.waiting.as_ref()).map(|w| &w.stored[..]).unwrap_or_default();
        let bytes: usize = stored.iter().map(|s| s.record.len()).sum();
        let over = |have: u64, limit: u64| limit != 0 && have > limit;
        if is_full(stored.len(), limits.stored_per_id)
            || over((bytes + record.len()) as u64, limits.stored_bytes_per_id)
            || over(cx.hub.tallies().stored() + record.len() as u64, limits.stored_bytes)
        {
            return Err(Code::TooManyStored.into());
        }
        let number = cx.random() >> 1;
        let expires = cx.now.wall + seconds * 1_000;
        cx.hub.tallies().store(record.len());
        self.waiting(address).stored.push(Stored { number, expires, record: record.clone() });
        self.due(cx.now.at + seconds * 1_000, Timer::Stored(address.clone()));
        let acked = n.map(|n| (who.session, n));
        self.keep(cx, address.ns.clone(), address.id.clone(), number, expires, record, acked);
        Ok(())
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "one thing to keep, spelled out; a struct would be made and taken apart here only"
    )]
    fn keep(
        &mut self,
        cx: &mut Cx<'_>,
        ns: Namespace,
        to: PeerId,
        number: u64,
        expires: Wall,
        record: Bytes,
        acked: Option<(SessionId, u64)>,
    ) {
        self.keeping.insert(number, acked);
        cx.out.emit(Output::Ask(Ask::Keep(Keep { number, ns, to, expires, record })));
    }

    fn drop_stored(&mut self, cx: &mut Cx<'_>, address: &Address, drop: impl Fn(&Stored) -> bool) {
        let Some(waiting) = self.directory.get_mut(address).and_then(|e| e.waiting.as_mut()) else { return };
        let mut numbers = Vec::new();
        waiting.stored.retain(|s| {
            if drop(s) {
                cx.hub.tallies().unstore(s.record.len());
                numbers.push(s.number);
            }
            !drop(s)
        });
        if !numbers.is_empty() {
            cx.out.emit(Output::Forget(numbers));
        }
    }

    fn ask(&mut self, cx: &mut Cx<'_>, address: &Address, asked: Asked) -> Result<(), Refusal> {
        let (now, ask_ms, limit) = (cx.now.at, cx.rules().ask_ms, cx.rules().limits.waiting_per_id);
        let waiting = self.waiting(address);
        match &mut waiting.asking {
            Some(asking) if is_full(asking.requests.len(), limit) => Err(Code::TooManyWaiting.into()),
            Some(asking) => {
                asking.requests.push_back(asked);
                Ok(())
            }
            none => {
                *none = Some(Asking { since: now, requests: VecDeque::from([asked]) });
                self.due(now + ask_ms, Timer::Asked(address.clone()));
                cx.out.emit(Output::Ask(Ask::Where { ns: address.ns.clone(), id: address.id.clone() }));
                Ok(())
            }
        }
    }

    fn resolve_asking(&mut self, cx: &mut Cx<'_>, address: &Address, place: Option<Place>) {
        let Some(waiting) = self.directory.get_mut(address).and_then(|e| e.waiting.as_mut()) else { return };
        let Some(asking) = waiting.asking.take() else { return };
        for asked in asking.requests {
            let here = !self.receivers(address.ns.as_str(), address.id.as_str(), None).is_empty();
            match (asked.what, place) {
                (What::Find, Some(_)) if !here => self.answer_elsewhere(cx, &asked.who, asked.n, &address.id),
                (What::Find, _) => self.answer_find(cx, &asked.who, asked.n, &address.id),
                (What::Signal { record, .. }, Some(place)) if !here => {
                    self.carry(cx, place, address, record, asked.n.map(|n| (asked.who.session, n)));
                }
                (What::Signal { record, store }, _) => {
                    self.resolve_signal(cx, address, &asked.who, asked.n, record, store)
                }
            }
        }
        self.tidy(address);
    }

    /// A signal that waited for an answer, and the answer is: here, or nowhere.
    fn resolve_signal(
        &mut self,
        cx: &mut Cx<'_>,
        address: &Address,
        who: &Arc<Party>,
        n: Option<u64>,
        bytes: Bytes,
        store: u64,
    ) {
        let Some(record) = Record::read(&bytes) else { return };
        let devices = self.receivers(address.ns.as_str(), address.id.as_str(), record.to_device.as_deref());
        let result = if !devices.is_empty() {
            let keep = (store > 0).then(|| (store, bytes.clone()));
            self.hand_out(cx, who, n, &devices, |to| Self::signal_event(&record, to, None), keep)
        } else if store > 0 {
            self.store(cx, who, n, address, bytes.clone(), store).map(|()| None)
        } else {
            Ok(Some(Delivery::Absent))
        };
        match result {
            Ok(status) => acknowledge(cx, who, n, status),
            Err(refusal) => refuse(cx, who.session, n, refusal),
        }
    }

    fn carry(
        &mut self,
        cx: &mut Cx<'_>,
        place: Place,
        address: &Address,
        record: Bytes,
        acked: Option<(SessionId, u64)>,
    ) {
        // The shard is in the upper bits, so that tickets of a hub never meet.
        self.next_ticket += 1;
        let ticket = (self.shard as u64) << 48 | self.next_ticket & 0xffff_ffff_ffff;
        if let Some(acked) = acked {
            self.carrying.insert(ticket, acked);
        }
        let (ns, to) = (address.ns.clone(), address.id.clone());
        cx.out.emit(Output::Carry(Carry { place, ticket, ns, to, record }));
    }

    fn answer_elsewhere(&self, cx: &mut Cx<'_>, who: &Party, n: Option<u64>, id: &PeerId) {
        let polite = (who.id.as_str(), who.device.as_str()) < (id.as_str(), "");
        let event = Event::Found(Found { re: n, id, state: Presence::Here, devices: &[], seen: None, polite });
        if let Some(frame) = cx.hub.frame(&event, who) {
            cx.later.push_back(Later::Frame { to: who.session, frame, event: event.index() });
        }
    }

    fn has_room(&self, cx: &Cx<'_>, session: SessionId, len: usize) -> bool {
        let resume = self.session(session).and_then(|s| s.resume.as_deref());
        resume.is_some_and(|r| r.queue.has_room(len, &cx.hub.rules().limits))
    }
}

fn acknowledge(cx: &mut Cx<'_>, who: &Party, n: Option<u64>, status: Option<Delivery>) {
    if let (Some(n), Some(status)) = (n, status) {
        ack(cx, who.session, n, status);
    }
}

fn ack(cx: &mut Cx<'_>, to: SessionId, re: u64, status: Delivery) {
    cx.later.push_back(Later::Ack { to, ack: Ack { re, status } });
}

fn refuse(cx: &mut Cx<'_>, to: SessionId, n: Option<u64>, refusal: Refusal) {
    cx.later.push_back(Later::Refuse { to, n, refusal });
}

fn record_of<'s>(now: Wall, who: &Party, signal: &Signal<'s>) -> Record<'s> {
    Record {
        from: who.id.clone(),
        device: who.device.clone(),
        kind: signal.kind.as_ref().into(),
        to_device: signal.device.as_deref().map(Into::into),
        sent: now,
        data: signal.data as &'s RawValue,
    }
}
