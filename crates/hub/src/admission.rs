//! Who may come in: sockets per address, per network and in all, the budget of misses, and the operator's bans.
//!
//! An address is an IPv4 address or an IPv6 /64, a network an IPv4 /24 or an IPv6 /48. Both are counted, each in the shard of its own
//! hash and never under two locks at once: what the second refuses, the first gives back.

mod bans;
mod doors;

use std::net::IpAddr;

use wigwag_wire::code::Code;
use wigwag_wire::{Limits, Refusal};

pub(crate) use self::bans::Bans;
pub use self::bans::{BadPrefix, Prefix};
pub(crate) use self::doors::{Admission, Place};
use crate::hub::Hub;
use crate::limiter::Rate;
use crate::rules::Rules;
use crate::tallies::{down, up_within};
use crate::time::{Moment, Now, Wall};

/// A network may miss as often as so many of its addresses: changing the address is no way around the budget.
const NETWORK_SHARE: u64 = 10;

/// Who finds no room comes back no sooner: other sockets have to go first.
const ROOM_MS: u64 = 10_000;

/// Where a socket comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An address on the network.
    Ip(IpAddr),
    /// A Unix socket: this machine.
    Local,
}

impl Origin {
    /// Whether it is this machine, behind which a proxy may speak for many.
    fn is_loopback(&self) -> bool {
        match self {
            Self::Ip(ip) => ip.to_canonical().is_loopback(),
            Self::Local => true,
        }
    }

    /// Whether it is one of these addresses.
    pub fn is_within(&self, prefix: &Prefix) -> bool {
        matches!(self, Self::Ip(ip) if prefix.contains(*ip))
    }

    fn is_exempt(&self, rules: &Rules) -> bool {
        self.is_loopback() && !rules.limit_loopback
    }
}

/// The right of one socket to be here; to be given back with [`Hub::release`].
#[derive(Debug)]
#[must_use = "a pass that is not given back counts for ever"]
pub struct Pass {
    origin: Origin,
    /// Where this socket is counted.
    address: bool,
    network: bool,
    socket: bool,
    handshake: bool,
}

impl Pass {
    /// Where the socket comes from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

impl Hub {
    /// Lets a socket in, or says why not.
    pub fn admit(&self, now: Now, origin: Origin) -> Result<Pass, Refusal> {
        let mut pass = Pass { origin, address: false, network: false, socket: false, handshake: false };
        self.count_in(now, &mut pass).inspect_err(|_| self.release(&mut pass))?;
        Ok(pass)
    }

    /// Its peer has proved itself.
    pub(crate) fn proved(&self, pass: &mut Pass) {
        if std::mem::take(&mut pass.handshake) {
            down(&self.tallies().handshakes);
        }
    }

    /// It is gone. Giving a pass back twice counts once.
    pub fn release(&self, pass: &mut Pass) {
        self.proved(pass);
        if std::mem::take(&mut pass.socket) {
            down(&self.tallies().sockets);
        }
        let [address, network] = Place::of(&pass.origin);
        if std::mem::take(&mut pass.network) {
            self.door(network).lock().leave(network);
        }
        if std::mem::take(&mut pass.address) {
            self.door(address).lock().leave(address);
        }
    }

    /// Lets nobody from these addresses in until then; for ever where no time is given. Who is in already stays.
    pub fn ban(&self, prefix: Prefix, until: Option<Wall>) {
        self.bans_list().lock().add(prefix, until);
    }

    /// Takes a ban back; answers whether there was one of exactly these addresses.
    pub fn unban(&self, prefix: &Prefix) -> bool {
        self.bans_list().lock().remove(prefix)
    }

    /// The bans in force, in order, and until when they are.
    pub fn bans(&self, now: Wall) -> Vec<(Prefix, Option<Wall>)> {
        self.bans_list().lock().in_force(now)
    }

    /// Where an address stands: refused when it missed too often. Asked before a hit or a miss is told.
    pub(crate) fn may_guess(&self, now: Moment, origin: &Origin) -> Result<(), Refusal> {
        for (place, rate) in self.guesses(origin) {
            let standing = self.door(place).lock().check(now, place, rate);
            standing.map_err(|wait| Refusal::from(Code::TooManyGuesses).after(wait))?;
        }
        Ok(())
    }

    /// Counts a miss against an address.
    pub(crate) fn missed(&self, now: Moment, origin: &Origin) {
        for (place, rate) in self.guesses(origin) {
            self.door(place).lock().missed(now, place, rate);
        }
    }

    fn count_in(&self, now: Now, pass: &mut Pass) -> Result<(), Refusal> {
        if let Origin::Ip(ip) = pass.origin
            && self.bans_list().lock().holds(ip, now.wall)
        {
            return Err(Code::Banned.into());
        }
        let limits = &self.rules().limits;
        if !pass.origin.is_exempt(self.rules()) {
            let [address, network] = Place::of(&pass.origin);
            pass.address = self.door(address).lock().enter(address, limits.sockets_per_address);
            pass.network = pass.address && self.door(network).lock().enter(network, limits.sockets_per_network);
            if !pass.network {
                return Err(Refusal::from(Code::TooManySockets).after(ROOM_MS));
            }
        }
        pass.socket = up_within(&self.tallies().sockets, limits.sockets);
        if !pass.socket {
            return Err(Refusal::from(Code::Overloaded).after(ROOM_MS));
        }
        pass.handshake = up_within(&self.tallies().handshakes, limits.handshakes);
        if !pass.handshake {
            // By then those that are under way have ended, well or not.
            return Err(Refusal::from(Code::TooManyHandshakes).after(limits.handshake_ms));
        }
        Ok(())
    }

    /// Where a miss from here counts, and how often it may happen there.
    fn guesses(&self, origin: &Origin) -> impl Iterator<Item = (Place, Rate)> + use<> {
        let limits: &Limits = &self.rules().limits;
        let counts = limits.guesses_per_minute != 0 && !origin.is_exempt(self.rules());
        let rate = |share: u64| {
            Rate::per_minute(
                limits.guesses_per_minute.saturating_mul(share),
                limits.guesses_burst.saturating_mul(share),
            )
        };
        let [address, network] = Place::of(origin);
        let places = [(address, rate(1)), (network, rate(NETWORK_SHARE))];
        places.into_iter().filter(move |_| counts)
    }
}

#[cfg(test)]
mod tests;
