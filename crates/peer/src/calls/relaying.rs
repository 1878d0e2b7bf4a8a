//! When a connection takes up the server's relay, and when it looks for a direct path again. What carries its messages then is the
//! [`Link`](crate::relay::Link) that the driver holds.

use super::terms::{Order, RelayUse};
use crate::relay::Carrier;
use crate::time::Moment;

/// So long the direct path has before the relay is taken up; so long it may be gone before that.
const RELAY_MS: u64 = 4_000;
const FALL_BACK_MS: u64 = 5_000;

/// How long a relayed connection waits before it looks for a direct path again, at first and at most.
const LOOK_MS: u64 = 10_000;
const LOOK_MAX_MS: u64 = 300_000;

/// One connection's dealings with the relay.
#[derive(Debug)]
pub(super) struct Relaying {
    wanted: RelayUse,
    hails: bool,
    online: bool,
    /// Whether both sides agree to it; `None` until that is known.
    agreed: Option<bool>,
    /// The server relays no longer.
    refused: bool,
    /// The way that the link takes.
    carrier: Option<Carrier>,
    /// When the relay is taken up.
    take_up_at: Moment,
    /// When a direct path is looked for again, and how often it was.
    look_at: Moment,
    looks: u32,
}

impl Relaying {
    /// For a call that we hailed or heeded, with a server or without.
    pub(super) fn new(wanted: RelayUse, hails: bool, online: bool) -> Self {
        Self {
            wanted,
            hails,
            online,
            agreed: None,
            refused: false,
            carrier: None,
            take_up_at: Moment::NEVER,
            look_at: Moment::NEVER,
            looks: 0,
        }
    }

    /// Whether we say that we agree to it.
    pub(super) fn offers(&self) -> bool {
        self.wanted != RelayUse::Never
    }

    /// Whether both do, as far as that is known.
    pub(super) fn is_agreed(&self) -> bool {
        self.agreed == Some(true)
    }

    pub(super) fn carrier(&self) -> Option<Carrier> {
        self.carrier
    }

    /// The other side says for the first time whether it agrees.
    pub(super) fn agree(&mut self, now: Moment, relays: bool) -> Option<Order> {
        if self.agreed.is_some() {
            return None;
        }
        let agreed = relays && self.offers();
        self.agreed = Some(agreed);
        if agreed && self.wanted == RelayUse::LastResort {
            self.take_up_at = now + RELAY_MS;
        }
        agreed.then_some(Order::Relay { hails: self.hails, online: self.online })
    }

    /// Both have described themselves.
    pub(super) fn both_described(&mut self, now: Moment) {
        if self.is_agreed() && self.wanted == RelayUse::Only && self.carrier.is_none() {
            self.take_up_at = now;
        }
    }

    /// How things stand with the server; whether the link has to know.
    pub(super) fn line(&mut self, online: bool) -> bool {
        let is_news = self.is_agreed() && self.online != online;
        self.online = online;
        is_news
    }

    /// Whether the relay may be taken up now.
    pub(super) fn take_up(&mut self) -> bool {
        self.take_up_at = Moment::NEVER;
        self.is_agreed() && !self.refused
    }

    /// The link takes another way.
    pub(super) fn moved(&mut self, now: Moment, by: Option<Carrier>) {
        self.carrier = by;
        self.look_at = Moment::NEVER;
        if by == Some(Carrier::Relay) {
            self.look_later(now);
        } else {
            self.looks = 0;
        }
    }

    /// There is a way to the other side.
    pub(super) fn opened(&mut self) {
        self.take_up_at = Moment::NEVER;
    }

    /// The direct path is silent.
    pub(super) fn lost(&mut self, now: Moment) {
        if self.is_agreed() && self.take_up_at == Moment::NEVER {
            self.take_up_at = now + FALL_BACK_MS;
        }
    }

    /// The server relays nothing any more.
    pub(super) fn refuse(&mut self) {
        self.refused = true;
        self.end();
    }

    /// Whether it is time to take the relay up, and to look for a direct path.
    pub(super) fn due(&mut self, now: Moment) -> (bool, bool) {
        let (takes_up, looks) = (self.take_up_at <= now, self.look_at <= now);
        if looks {
            self.look_later(now);
        }
        (takes_up, looks)
    }

    pub(super) fn deadline(&self) -> Moment {
        self.take_up_at.or(self.look_at)
    }

    /// Nothing is waited for any more.
    pub(super) fn end(&mut self) {
        (self.take_up_at, self.look_at) = (Moment::NEVER, Moment::NEVER);
    }

    fn look_later(&mut self, now: Moment) {
        if self.hails && self.wanted == RelayUse::LastResort {
            let wait = LOOK_MS.saturating_mul(1 << self.looks.min(16)).min(LOOK_MAX_MS);
            (self.look_at, self.looks) = (now + wait, self.looks + 1);
        } else {
            self.look_at = Moment::NEVER;
        }
    }
}
