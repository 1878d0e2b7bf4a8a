//! What a host decides about its room.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::Sha256;
use wigwag_wire::request::{Mode, RoomOptions};
use wigwag_wire::{Code, Limits, Refusal};

use super::room::kept;
use crate::cx::Cx;
use crate::rules::Rules;

/// A room's options.
pub(super) struct Options {
    pub(super) mode: Mode,
    pub(super) locked: bool,
    pub(super) listed: bool,
    pub(super) capacity: u32,
    pub(super) password: Option<Password>,
    pub(super) meta: Option<Box<RawValue>>,
    pub(super) linger_ms: u64,
    /// Longest silence of a member; 0 is no limit.
    pub(super) idle_ms: u64,
}

impl Options {
    /// The options of a room whose maker names none.
    pub(super) fn new(rules: &Rules) -> Self {
        Self {
            mode: Mode::default(),
            locked: false,
            listed: false,
            capacity: bounded(rules.rooms.capacity, &rules.limits),
            password: None,
            meta: None,
            linger_ms: u64::from(rules.rooms.linger_seconds) * 1_000,
            idle_ms: 0,
        }
    }

    /// Takes in what is given and leaves the rest. Refused as a whole or not at all.
    pub(super) fn change(&mut self, cx: &Cx<'_>, given: &RoomOptions<'_>) -> Result<(), Refusal> {
        let rules = cx.rules();
        if given.listed == Some(true) && !rules.rooms.listing {
            return Err(Refusal::new(Code::SwitchedOff, "The operator wants no lists of rooms: leave `listed` out."));
        }
        self.mode = given.mode.unwrap_or(self.mode);
        self.locked = given.locked.unwrap_or(self.locked);
        self.listed = given.listed.unwrap_or(self.listed);
        if let Some(capacity) = given.capacity {
            self.capacity = bounded(capacity, &rules.limits);
        }
        if let Some(password) = &given.password {
            self.password = (!password.is_empty()).then(|| Password::new(cx, password));
        }
        if let Some(meta) = given.meta {
            self.meta = kept(meta);
        }
        if let Some(linger) = given.linger {
            self.linger_ms = u64::from(linger.min(rules.rooms.linger_seconds_max)) * 1_000;
        }
        if let Some(idle) = given.idle {
            self.idle_ms = u64::from(idle) * 1_000;
        }
        Ok(())
    }
}

fn bounded(capacity: u32, limits: &Limits) -> u32 {
    let most = if limits.members_per_room == 0 { u64::MAX } else { limits.members_per_room };
    u32::try_from(u64::from(capacity).min(most)).unwrap_or(u32::MAX).max(1)
}

/// A password as it is kept: a salt, and the password's HMAC-SHA-256 under it.
///
/// No slow hash on purpose. A slow one guards hashes that were stolen, and these live in memory for as long as a room does; but
/// every guess would cost the hub dearly, and then guessing is an attack whether it succeeds or not. Against guessing there is the
/// budget of misses.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Password {
    salt: [u8; 16],
    hash: [u8; 32],
}

impl Password {
    fn new(cx: &Cx<'_>, password: &str) -> Self {
        let mut salt = [0; 16];
        cx.fill(&mut salt);
        Self { hash: mac(&salt, password).finalize().into_bytes().into(), salt }
    }

    /// Whether this is the password; takes the same time whatever the answer.
    pub(super) fn is(&self, password: &str) -> bool {
        mac(&self.salt, password).verify_slice(&self.hash).is_ok()
    }
}

fn mac(salt: &[u8; 16], password: &str) -> Hmac<Sha256> {
    let mac = Hmac::<Sha256>::new_from_slice(salt).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    mac.chain_update(password)
}
