//! Data of connections that found no path of their own: to one party, now, within a quota, or not at all.
//!
//! It is charged by bytes to the session that sends, in its own shard, and to all together; then it is handed over in the
//! receiver's shard, where it has a share of the queue of its own.

use std::sync::Arc;

use wigwag_wire::code::Code;
use wigwag_wire::event::{Ack, Delivery, Relayed};
use wigwag_wire::request::Relay;
use wigwag_wire::{Event, Limits, Refusal};

use super::Peers;
use super::receipt::Receipt;
use super::telling::Told;
use crate::admission::Origin;
use crate::cx::{Cx, Later};
use crate::hub::Hub;
use crate::ids::{Party, SessionId};
use crate::limiter::{ByteLimiter, Limiter, Rate};
use crate::output::Note;
use crate::time::Moment;

/// What a message costs beside its data: what the server writes around it, about.
const ENVELOPE_BYTES: u64 = 128;

/// What one session may still have relayed.
#[derive(Debug, Default)]
pub(crate) struct Quota {
    bytes: ByteLimiter,
    frames: Limiter,
}

impl Quota {
    /// Charges one message, or says after how many milliseconds there is room for it.
    fn take(&mut self, now: Moment, bytes: u64, limits: &Limits) -> Result<(), u64> {
        let frames = Rate::per_second(limits.relay_frames_per_second, limits.relay_frames_per_second.saturating_mul(2));
        self.frames.check(now, frames)?;
        self.bytes.take(now, bytes, limits.relay_bytes_per_second, limits.relay_bytes_burst)?;
        self.frames.take(now, frames)
    }
}

impl Hub {
    /// Hands a party's data to another.
    pub(crate) fn relay(
        &self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        origin: &Origin,
        n: Option<u64>,
        relay: &Relay<'_>,
    ) -> Result<(), Refusal> {
        let limits = &self.rules().limits;
        if limits.relay_bytes_per_second == 0 {
            return Err(Refusal::new(Code::SwitchedOff, "This server relays no data: connect directly, or by TURN."));
        }
        let bytes = relay.data.get().len() as u64 + ENVELOPE_BYTES;
        let charged = self.peers(who.session).lock().charge_relay(cx.now.at, who.session, bytes, limits);
        charged.and_then(|()| self.tallies().relay_within(cx.now.at, bytes, limits)).map_err(|wait| {
            let message = "More relayed data than this server allows. Wait `retry_after` milliseconds.";
            Refusal::new(Code::RateLimited, message).after(wait)
        })?;
        let status = self.home(&who.ns, &relay.to).lock().relay(cx, who, origin, relay)?;
        cx.out.note(Note::Relayed(u32::try_from(bytes).unwrap_or(u32::MAX)));
        if let Some(re) = n {
            cx.later.push_back(Later::Ack { to: who.session, ack: Ack { re, status } });
        }
        Ok(())
    }
}

impl Peers {
    /// Charges a session of this shard.
    fn charge_relay(&mut self, now: Moment, id: SessionId, bytes: u64, limits: &Limits) -> Result<(), u64> {
        self.session_mut(id).map_or(Ok(()), |session| session.rare_mut().relayed.take(now, bytes, limits))
    }

    /// Data for an id of this shard.
    fn relay(&mut self, cx: &mut Cx<'_>, who: &Party, origin: &Origin, relay: &Relay<'_>) -> Result<Delivery, Refusal> {
        let receiver = self.receivers(&who.ns, &relay.to, Some(&relay.device)).first().copied();
        let Some(receiver) = receiver else {
            cx.hub.may_guess(cx.now.at, origin)?;
            cx.hub.missed(cx.now.at, origin);
            return Ok(Delivery::Absent);
        };
        let event = Event::Relayed(Relayed { from: &who.id, device: &who.device, data: relay.data });
        // A dialect has no word for it.
        match self.hand(cx, receiver, |_| event, Receipt::Relayed) {
            Told::Wired => Ok(Delivery::Delivered),
            Told::Held => Ok(Delivery::Stored),
            Told::Full => Err(Code::QueueFull.into()),
            Told::Nobody => Ok(Delivery::Absent),
        }
    }
}
