//! Signals that wait for an absent peer, and the form in which signals leave the hub.
//!
//! A stored signal waits in two places: here in memory, to be handed over at once, and in the store, to survive. The sender is
//! answered when the store has it; until then, [`Keeping`] remembers who waits and what became of the signal meanwhile.
//! The store forgets it when a socket is handed it, not when the receiver confirms it: a server that dies in between must not hand
//! it over twice.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use wigwag_wire::code::Code;
use wigwag_wire::event::Delivery;
use wigwag_wire::limits::is_full;
use wigwag_wire::raw::Content;
use wigwag_wire::{Device, Event, PeerId, Refusal};

use super::Peers;
use super::directory::Address;
use super::receipt::{Acked, Loss, Receipt, Shared};
use super::signals::{ack, refuse, signal_event};
use super::telling::{Telling, Told, report_lost};
use crate::cx::Cx;
use crate::ids::{Party, SessionId};
use crate::output::{Ask, Frame, Keep, Output};
use crate::time::{Moment, Wall};

/// A wall clock that was set back puts stored signals off by at least so many milliseconds.
const LOOK_AGAIN_MS: u64 = 1_000;
/// Looked at so often at least, in case the wall clock was put right since: many a small machine starts without the time.
const LOOK_AT_LEAST_MS: u64 = 3_600_000;

/// One stored signal.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) number: u64,
    pub(crate) expires: Wall,
    pub(crate) record: Bytes,
    pub(crate) acked: Option<Acked>,
}

/// A stored signal of which the store has not said yet whether it is safe.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Keeping {
    address: Address,
    acked: Option<Acked>,
    end: Option<End>,
}

/// What became of a signal before the store answered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct End {
    /// Whether a socket was handed it.
    wired: bool,
    /// Whose it was, where it may not have arrived.
    lost: Option<(PeerId, Device)>,
}

/// Signals whose store was asked by the hub that wrote the snapshot. Its answer never comes; what the store loads tells.
#[derive(Debug, Default)]
pub(crate) struct Unsure {
    numbers: Vec<u64>,
    until: Option<Moment>,
}

impl Unsure {
    pub(super) fn next(&self) -> Option<Moment> {
        self.until
    }
}

/// Numbers of stored signals: unique within a store, and in the order of the signals for one id, which both live in one shard.
/// From the top: 42 bits of wall time, 15 bits that begin at random and count upwards, 6 bits of the shard; stores count with
/// signed integers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Numbers {
    pub(crate) last: u64,
}

impl Numbers {
    pub(super) fn next(&mut self, now: Wall, random: u64, shard: usize) -> u64 {
        let fresh = (now.0 & ((1 << 42) - 1)) << 15 | random >> 49;
        self.last = fresh.max(self.last + 1);
        (self.last << 6 | shard as u64 & 63) & i64::MAX as u64
    }

    /// What the store has of earlier hubs comes before what is still to be stored, wherever the wall clock went meanwhile.
    fn saw(&mut self, number: u64) {
        self.last = self.last.max(number >> 6);
    }
}

/// A signal as it leaves the hub: to the store, or to another place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record<'a> {
    pub(crate) from: PeerId,
    pub(crate) device: Device,
    pub(crate) kind: String,
    /// Only for this device of the receiver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) to_device: Option<String>,
    pub(crate) sent: Wall,
    /// Whom to tell if it is lost: which hub's session, and the number of its request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) acked: Option<(u64, Acked)>,
    #[serde(borrow)]
    pub(crate) data: Content<'a>,
}

impl<'a> Record<'a> {
    pub(crate) fn to_bytes(&self) -> Bytes {
        serde_json::to_vec(self).map(Bytes::from).unwrap_or_default()
    }

    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    fn is_for(&self, device: &Device) -> bool {
        self.to_device.as_deref().is_none_or(|d| d == device.as_str())
    }
}

impl Peers {
    /// Keeps a signal for an absent id. `None`: the acknowledgement waits for the store.
    pub(super) fn store(
        &mut self,
        cx: &mut Cx<'_>,
        address: &Address,
        record: Record<'_>,
        acked: Option<Acked>,
        seconds: u64,
    ) -> Result<Option<Delivery>, Refusal> {
        if address.is_for_now() {
            return Ok(Some(Delivery::Absent));
        }
        let stored = self.stored(cx, record, acked, seconds);
        let limits = &cx.hub.rules().limits;
        let waiting = self.waiting_for(address);
        let bytes = waiting.iter().map(|s| s.record.len()).sum::<usize>() + stored.record.len();
        if is_full(waiting.len(), limits.stored_per_id)
            || (limits.stored_bytes_per_id != 0 && bytes as u64 > limits.stored_bytes_per_id)
            || !cx.hub.tallies().store_within(stored.record.len(), limits.stored_bytes)
        {
            return Err(Code::TooManyStored.into());
        }
        self.keep(cx, address, &stored);
        self.wait(cx, address, stored);
        Ok(None)
    }

    /// A signal with a number of its own, to be stored for so many seconds.
    pub(super) fn stored(&mut self, cx: &Cx<'_>, record: Record<'_>, acked: Option<Acked>, seconds: u64) -> Stored {
        let record = Record { acked: acked.map(|acked| (cx.hub.epoch(), acked)), ..record };
        let number = self.numbers.next(cx.now.wall, cx.random(), self.shard);
        Stored { number, expires: cx.now.wall + seconds.saturating_mul(1_000), record: record.to_bytes(), acked }
    }

    /// Asks the store to keep a signal.
    pub(super) fn keep(&mut self, cx: &mut Cx<'_>, address: &Address, stored: &Stored) {
        self.keeping.insert(stored.number, Keeping { address: address.clone(), acked: stored.acked, end: None });
        cx.out.emit(Output::Ask(Ask::Keep(Keep {
            number: stored.number,
            ns: address.ns.clone(),
            to: address.id.clone(),
            expires: stored.expires,
            record: stored.record.clone(),
        })));
    }

    /// The store's word on a signal.
    pub(crate) fn kept(&mut self, cx: &mut Cx<'_>, number: u64, ok: bool) {
        let Some(Keeping { address, acked, end }) = self.keeping.remove(&number) else { return };
        let wired = end.as_ref().is_some_and(|end| end.wired);
        match (&end, ok) {
            // What came to its end meanwhile is forgotten only now, so that the store hears of both in order.
            (Some(_), true) => cx.out.emit(Output::Forget(vec![number])),
            (None, false) => self.withdraw(cx, &address, number),
            _ => {}
        }
        let Some((sender, n)) = acked else { return };
        match (wired, ok) {
            // It was handed to a socket while the store was still writing.
            (true, _) => ack(cx, sender, n, Delivery::Delivered),
            (false, true) => ack(cx, sender, n, Delivery::Stored),
            (false, false) => return refuse(cx, sender, Some(n), Code::StoreUnavailable.into()),
        }
        if let Some((id, device)) = end.and_then(|end| end.lost) {
            report_lost(cx, &id, &device, vec![(sender, n)]);
        }
    }

    /// These need no longer be kept: a socket was handed them, or they are lost.
    pub(super) fn forget(&mut self, cx: &mut Cx<'_>, mut numbers: Vec<u64>, wired: bool) {
        numbers.retain(|number| match self.keeping.get_mut(number) {
            Some(keeping) => {
                keeping.end.get_or_insert_default().wired |= wired;
                false
            }
            None => true,
        });
        if !numbers.is_empty() {
            cx.out.emit(Output::Forget(numbers));
        }
    }

    /// A signal that the store was asked to keep is lost. Answers whether its sender has its answer; if not, it hears of the loss then.
    pub(super) fn leaves_lost(&mut self, number: u64, id: &PeerId, device: &Device) -> bool {
        let Some(keeping) = self.keeping.get_mut(&number) else { return true };
        keeping.end.get_or_insert_default().lost = Some((id.clone(), device.clone()));
        false
    }

    /// What was stored for an id goes to a session of it, as far as there is room: the rest follows when the session confirms.
    pub(super) fn deliver_stored(&mut self, cx: &mut Cx<'_>, address: &Address, party: &Party) {
        let Some(waiting) = self.directory.waiting_mut(address) else { return };
        let all = std::mem::take(&mut waiting.stored);
        self.set_behind(party.session, false);
        let (mut staying, mut behind) = (Vec::new(), false);
        for stored in all {
            let bytes = stored.record.clone();
            let Some(record) = Record::read(&bytes) else {
                // Not of our writing, or no longer: nobody could read it either.
                cx.hub.tallies().unstore(bytes.len());
                self.forget(cx, vec![stored.number], false);
                continue;
            };
            let wanted = !behind && record.is_for(&party.device) && stored.expires > cx.now.wall;
            match wanted.then(|| self.hand_over(cx, party, &record, &stored)) {
                Some(Told::Wired | Told::Held) => cx.hub.tallies().unstore(bytes.len()),
                told => {
                    behind |= told == Some(Told::Full);
                    staying.push(stored);
                }
            }
        }
        self.set_behind(party.session, behind);
        if let Some(waiting) = self.directory.waiting_mut(address) {
            waiting.stored = staying;
        }
    }

    /// Puts a signal back to wait that its receiver's session held and no socket was handed.
    pub(super) fn put_back(&mut self, cx: &mut Cx<'_>, address: &Address, stored: Stored) {
        cx.hub.tallies().store(stored.record.len());
        self.wait(cx, address, stored);
    }

    /// Drops stored signals whose time is over; their senders are told. Answers when the next one's is.
    pub(super) fn expire_stored(&mut self, cx: &mut Cx<'_>, address: &Address) -> Moment {
        let now = cx.now;
        let Some(waiting) = self.directory.waiting_mut(address) else {
            return Moment::NEVER;
        };
        let over: Vec<Stored> = waiting.stored.extract_if(.., |s| s.expires <= now.wall).collect();
        let next = waiting.stored.iter().map(|s| s.expires).min();
        for stored in &over {
            cx.hub.tallies().unstore(stored.record.len());
            let device = Record::read(&stored.record).and_then(|r| r.to_device).unwrap_or_default();
            let device = Device::new(&device).unwrap_or_else(|_| cx.hub.no_device());
            if self.leaves_lost(stored.number, &address.id, &device) {
                report_lost(cx, &address.id, &device, stored.acked.into_iter().collect());
            }
        }
        self.forget(cx, over.iter().map(|s| s.number).collect(), false);
        next.map_or(Moment::NEVER, |next| {
            now.at + next.0.saturating_sub(now.wall.0).clamp(LOOK_AGAIN_MS, LOOK_AT_LEAST_MS)
        })
    }

    /// Takes in a stored signal that was kept before this hub began.
    pub(crate) fn restore_stored(&mut self, cx: &mut Cx<'_>, kept: Keep) {
        let Keep { number, ns, to, expires, record } = kept;
        let address = Address { ns, id: to };
        self.numbers.saw(number);
        let held = self.holds(&address, number);
        // It came to its end while the store was still writing.
        let over = self.keeping.get(&number).is_some_and(|keeping| keeping.end.is_some());
        if !held
            && !over
            && let Some(read) = Record::read(&record)
        {
            // Whom to tell is known to the hub that wrote it, and to the one that read that one's snapshot.
            let acked = read.acked.filter(|(epoch, _)| *epoch == cx.hub.epoch()).map(|(_, acked)| acked);
            self.put_back(cx, &address, Stored { number, expires, record: record.clone(), acked });
            self.deliver_waiting(cx, &address);
        }
        self.kept(cx, number, true);
    }

    /// What waits for an id that has sessions goes to one of them, to one with a socket first.
    pub(super) fn deliver_waiting(&mut self, cx: &mut Cx<'_>, address: &Address) {
        if self.waiting_for(address).is_empty() {
            return;
        }
        let mut devices = self.receivers(&address.ns, address.id.as_str(), None);
        devices.sort_by_key(|s| self.session(*s).is_some_and(|s| s.socket().is_none()));
        for session in devices {
            if let Some(party) = self.party(session) {
                self.deliver_stored(cx, address, &party);
            }
        }
    }

    /// Gives up on what nobody answered for in time.
    pub(super) fn give_up_unsure(&mut self, cx: &mut Cx<'_>) {
        if self.unsure.until.take_if(|until| *until <= cx.now.at).is_some() {
            for number in std::mem::take(&mut self.unsure.numbers) {
                self.kept(cx, number, false);
            }
        }
    }

    /// Takes over a keep whose answer will not come.
    pub(super) fn doubt(&mut self, until: Moment, number: u64, keeping: Keeping) {
        self.keeping.insert(number, keeping);
        self.unsure.numbers.push(number);
        self.unsure.until = Some(until);
    }

    /// Hands a stored signal to a session.
    fn hand_over(&mut self, cx: &mut Cx<'_>, party: &Party, record: &Record<'_>, stored: &Stored) -> Told {
        let event = Event::Signal(signal_event(record, party, Some(record.sent)));
        // A dialect without signals has no use for it: it waits for another session.
        let Some(frame) = cx.frames(&event, party, None).pop() else { return Told::Nobody };
        let limits = &cx.hub.rules().limits;
        let queue = self.session(party.session).and_then(|s| s.resume.as_deref()).map(|r| &r.queue);
        let lasting = queue.is_some();
        match queue {
            None => {}
            Some(queue) if queue.has_room(frame.len(), limits) => {}
            Some(queue) if queue.can_hold(frame.len(), limits) => return Told::Full,
            Some(_) => {
                // There will never be room for it. It is not held, but it does not wait any longer either.
                let loss = Loss { acked: stored.acked, stored: Some(stored.clone()), wired: false };
                self.lose(cx, party, [loss]);
                return Told::Held;
            }
        }
        let receipt = Receipt::Shared(Shared::new(stored.acked, Some(stored.clone())));
        let telling = Telling { frame: Frame::Shared(&frame), event: event.index(), signal: Some(receipt) };
        let told = self.tell(cx, party.session, telling);
        if told == Told::Wired && !lasting {
            // It has no queue that would know.
            self.forget(cx, vec![stored.number], true);
        }
        told
    }

    /// A session confirmed something: what is stored for it and found no room may find some now.
    pub(super) fn catch_up(&mut self, cx: &mut Cx<'_>, id: SessionId) {
        let behind = self.session(id).filter(|s| s.behind).map(|s| s.party.clone());
        if let Some(party) = behind {
            let address = party.address();
            self.deliver_stored(cx, &address, &party);
            self.tidy(&address);
        }
    }

    fn set_behind(&mut self, session: SessionId, behind: bool) {
        if let Some(session) = self.session_mut(session) {
            session.behind = behind;
        }
    }

    fn wait(&mut self, cx: &Cx<'_>, address: &Address, stored: Stored) {
        let at = cx.now.at + stored.expires.0.saturating_sub(cx.now.wall.0).min(LOOK_AT_LEAST_MS);
        let waiting = self.directory.know(address).waiting.get_or_insert_default();
        // By number: what comes back from a session, or from the store, belongs before what came since.
        let place = waiting.stored.partition_point(|s| s.number < stored.number);
        waiting.stored.insert(place, stored);
        self.timers.keep_id(&mut waiting.timer, at, address);
    }

    /// The store could not keep it, and no socket has it: it is gone, and its sender is told so.
    fn withdraw(&mut self, cx: &Cx<'_>, address: &Address, number: u64) {
        if let Some(waiting) = self.directory.waiting_mut(address) {
            for gone in waiting.stored.extract_if(.., |s| s.number == number) {
                cx.hub.tallies().unstore(gone.record.len());
            }
        }
        for session in self.receivers(&address.ns, address.id.as_str(), None) {
            if let Some(resume) = self.session_mut(session).and_then(|s| s.resume.as_deref_mut()) {
                resume.queue.withdraw(number);
            }
        }
        self.tidy(address);
    }

    /// Whether a session of an id holds a stored signal.
    fn holds(&self, address: &Address, number: u64) -> bool {
        let mut queues =
            self.directory.devices(address.borrowed()).iter().filter_map(|s| self.session(*s)?.resume.as_deref());
        queues.any(|r| r.queue.frames().any(|held| held.receipt.stored().is_some_and(|s| s.number == number)))
    }

    fn waiting_for(&self, address: &Address) -> &[Stored] {
        self.directory.waiting(address).map(|w| &w.stored[..]).unwrap_or_default()
    }
}
