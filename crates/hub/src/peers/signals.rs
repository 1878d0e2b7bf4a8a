//! Signals: from one party to another, now, later or elsewhere, in order per pair.

use std::sync::Arc;

use smallvec::SmallVec;
use wigwag_wire::code::Code;
use wigwag_wire::event::{Ack, Delivery, SignalEvent};
use wigwag_wire::request::Signal;
use wigwag_wire::{Event, Namespace, PeerId, Refusal};

use super::Peers;
use super::asking::{Asked, What};
use super::directory::{Address, AddressRef};
use super::receipt::{Receipt, Shared};
use super::stored::Record;
use super::telling::Told;
use crate::admission::Origin;
use crate::cx::{Cx, Later};
use crate::ids::{DialectId, Party, SessionId};
use crate::output::{CarryStatus, Output};
use crate::time::Wall;
use crate::voice::Frames;

/// What became of the copies of one signal.
#[derive(Default)]
struct Fate {
    delivered: bool,
    held: bool,
    full: bool,
}

/// The last frame of a signal for several: most of them get the same.
#[derive(Default)]
struct Written {
    for_several: bool,
    last: Option<(DialectId, bool, Frames)>,
}

impl Fate {
    fn note(&mut self, told: Told) {
        match told {
            Told::Wired => self.delivered = true,
            Told::Held => self.held = true,
            Told::Full => self.full = true,
            Told::Nobody => {}
        }
    }

    /// What its sender is told of it.
    fn answer(self) -> Result<Option<Delivery>, Refusal> {
        match self {
            Self { delivered: true, .. } => Ok(Some(Delivery::Delivered)),
            Self { held: true, .. } => Ok(Some(Delivery::Stored)),
            Self { full: true, .. } => Err(Code::QueueFull.into()),
            _ => Ok(Some(Delivery::Absent)),
        }
    }
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
        let status = self.pass_on(cx, who, origin, n, signal)?;
        acknowledge(cx, who, n, status);
        Ok(())
    }

    /// Passes a signal on, and answers what became of it; `None` where that is not known yet.
    pub(crate) fn pass_on(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        origin: &Origin,
        n: Option<u64>,
        signal: &Signal<'_>,
    ) -> Result<Option<Delivery>, Refusal> {
        let devices = self.receivers(&who.ns, &signal.to, signal.device.as_deref());
        if devices.is_empty() {
            return self.signal_absent(cx, who, origin, n, signal);
        }
        let event = |to: &Party| SignalEvent {
            from: &who.id,
            device: &who.device,
            kind: &signal.kind,
            polite: to.is_polite_to(who),
            stored: None,
            data: signal.data,
            foreign: signal.foreign,
        };
        let keep = (signal.store > 0).then(|| (signal.store, record_of(cx.now.wall, who, signal)));
        self.hand_out(cx, who, n, &devices, event, keep)
    }

    /// A signal from elsewhere.
    pub(crate) fn arrived(&mut self, cx: &mut Cx<'_>, ticket: u64, ns: &Namespace, to: &PeerId, bytes: &[u8]) {
        let status = match Record::read(bytes) {
            None => CarryStatus::Refused(Code::Malformed),
            Some(record) => {
                let devices = self.receivers(ns, to.as_str(), record.to_device.as_deref());
                let mut fate = Fate::default();
                for session in devices {
                    fate.note(self.tell_signal(
                        cx,
                        session,
                        &mut Written::default(),
                        |to| signal_event(&record, to, None),
                        Receipt::None,
                    ));
                }
                match fate {
                    Fate { delivered: true, .. } => CarryStatus::Delivered,
                    Fate { held: true, .. } => CarryStatus::Held,
                    Fate { full: true, .. } => CarryStatus::Refused(Code::QueueFull),
                    _ => CarryStatus::Absent,
                }
            }
        };
        cx.out.emit(Output::Receipt { ticket, status });
    }

    /// The sessions that a signal is for.
    pub(crate) fn receivers(&self, ns: &Namespace, to: &str, device: Option<&str>) -> SmallVec<[SessionId; 2]> {
        let wanted = |s: &SessionId| {
            device.is_none_or(|device| self.session(*s).is_some_and(|s| s.party.device.as_str() == device))
        };
        let devices = self.directory.devices(AddressRef { ns: ns.as_str(), id: to });
        devices.iter().copied().filter(wanted).collect()
    }

    /// To sessions of this shard: at once where there is a socket, else held. It is stored, where that is asked for, if none has a
    /// socket. `None`: the acknowledgement waits for the store.
    pub(super) fn hand_out<'e>(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        devices: &[SessionId],
        event: impl Fn(&Party) -> SignalEvent<'e>,
        keep: Option<(u64, Record<'_>)>,
    ) -> Result<Option<Delivery>, Refusal> {
        let acked = n.map(|n| (who.session, n));
        if let ([one], None) = (devices, &keep) {
            let receipt = acked.map_or(Receipt::None, Receipt::One);
            let mut fate = Fate::default();
            fate.note(self.hand(cx, *one, |to| Event::Signal(event(to)), receipt));
            return fate.answer();
        }
        let mut shared = acked.filter(|_| devices.len() > 1).map(|acked| Shared::new(Some(acked), None));
        let receipt = |shared: &Option<Arc<Shared>>| match (shared, acked) {
            (Some(shared), _) => Receipt::of(shared),
            (None, Some(acked)) => Receipt::One(acked),
            (None, None) => Receipt::None,
        };
        let (mut fate, mut written) = (Fate::default(), Written { for_several: devices.len() > 1, last: None });
        let is_live = |peers: &Self, s: SessionId| peers.session(s).is_some_and(|s| s.socket().is_some());
        let live: SmallVec<[SessionId; 2]> = devices.iter().copied().filter(|s| is_live(self, *s)).collect();
        for session in &live {
            fate.note(self.tell_signal(cx, *session, &mut written, &event, receipt(&shared)));
        }
        // A session that this cuts holds it already, as if it had not been stored.
        let stored = keep
            .filter(|_| !fate.delivered && !fate.held)
            .map(|(seconds, record)| self.stored(cx, record, acked, seconds));
        if let Some(stored) = &stored {
            shared = Some(Shared::new(acked, Some(stored.clone())));
        }
        for session in devices.iter().filter(|s| !live.contains(s)) {
            fate.note(self.tell_signal(cx, *session, &mut written, &event, receipt(&shared)));
        }
        match stored {
            Some(stored) if fate.held && !fate.delivered => {
                if let Some(address) = devices.first().and_then(|s| self.session(*s)).map(|s| s.party.address()) {
                    self.keep(cx, &address, &stored);
                }
                Ok(None)
            }
            _ => fate.answer(),
        }
    }

    /// Tells one session, or one of several.
    fn tell_signal<'e>(
        &mut self,
        cx: &mut Cx<'_>,
        session: SessionId,
        written: &mut Written,
        event: impl Fn(&Party) -> SignalEvent<'e>,
        receipt: Receipt,
    ) -> Told {
        if !written.for_several {
            return self.hand(cx, session, |to| Event::Signal(event(to)), receipt);
        }
        let Some(party) = self.party(session) else { return Told::Nobody };
        let signal = event(&party);
        let (dialect, polite) = (party.dialect, signal.polite);
        let event = Event::Signal(signal);
        let frames = match &written.last {
            Some((d, p, frames)) if (*d, *p) == (dialect, polite) => frames.clone(),
            _ => {
                let frames = cx.frames(&event, &party, None);
                written.last = Some((dialect, polite, frames.clone()));
                frames
            }
        };
        self.hand_frames(cx, session, &frames, event.index(), receipt)
    }

    fn signal_absent(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        origin: &Origin,
        n: Option<u64>,
        signal: &Signal<'_>,
    ) -> Result<Option<Delivery>, Refusal> {
        cx.hub.may_guess(cx.now.at, origin)?;
        let address = || PeerId::new(&signal.to).map(|id| Address { ns: who.ns.clone(), id });
        let record = record_of(cx.now.wall, who, signal);
        if cx.rules().ask_where {
            let what = What::Signal { record: record.to_bytes(), store: signal.store };
            let asked = Asked { who: who.clone(), origin: *origin, n, what };
            self.ask(cx, &address().map_err(|_| Code::BadField)?, asked)?;
            return Ok(None);
        }
        cx.hub.missed(cx.now.at, origin);
        if signal.store == 0 {
            return Ok(Some(Delivery::Absent));
        }
        let acked = n.map(|n| (who.session, n));
        self.store(cx, &address().map_err(|_| Code::BadField)?, record, acked, signal.store)
    }
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
        foreign: None,
    }
}

pub(super) fn acknowledge(cx: &mut Cx<'_>, who: &Party, n: Option<u64>, status: Option<Delivery>) {
    if let (Some(n), Some(status)) = (n, status) {
        ack(cx, who.session, n, status);
    }
}

pub(super) fn ack(cx: &mut Cx<'_>, to: SessionId, re: u64, status: Delivery) {
    cx.later.push_back(Later::Ack { to, ack: Ack { re, status } });
}

pub(super) fn refuse(cx: &mut Cx<'_>, to: SessionId, n: Option<u64>, refusal: Refusal) {
    cx.later.push_back(Later::Refuse { to, n, refusal });
}

fn record_of<'s>(now: Wall, who: &Party, signal: &Signal<'s>) -> Record<'s> {
    Record {
        from: who.id.clone(),
        device: who.device.clone(),
        kind: signal.kind.as_ref().into(),
        to_device: signal.device.as_deref().map(Into::into),
        sent: now,
        acked: None,
        data: signal.data,
    }
}
