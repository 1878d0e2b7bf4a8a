//! Join codes and made names: what lets a stranger in, and so what must not be guessed.

use std::sync::Arc;

use data_encoding::BASE32_NOPAD;
use wigwag_wire::event::RoomCodeEvent;
use wigwag_wire::{Code, Event, Namespace, Refusal, RoomCode, RoomName};

use super::Rooms;
use crate::cx::Cx;
use crate::ids::{GroupKind, Party};
use crate::time::{Moment, Wall};

/// Codes drawn at a time.
const BATCH: usize = 64;
/// Batches until drawing counts as failed: one in e⁶⁴ does, with as many shards as there are codes in a batch.
const BATCHES: usize = 64;

/// A code and how long it is good.
pub(super) struct JoinCode {
    pub(super) code: RoomCode,
    /// When it expires.
    pub(super) expires: Moment,
    /// The same, as it was told.
    pub(super) told: Wall,
}

/// The text whose hash is the shard where a code and its room live.
pub(crate) fn code_key(typed: &str) -> String {
    RoomCode::parse(typed).map_or_else(String::new, |code| code.as_str().to_owned())
}

/// A name for a room whose maker gave none: 80 random bits.
pub(crate) fn made_name(cx: &Cx<'_>) -> RoomName {
    let mut bits = [0; 10];
    cx.fill(&mut bits);
    let text = BASE32_NOPAD.encode(&bits).to_ascii_lowercase();
    RoomName::new(&text).unwrap_or_else(|_| unreachable!("base32 is a good name"))
}

/// Whether a refusal of `room.join` counts against the asker's miss budget.
pub(crate) fn is_guess(code: Code) -> bool {
    matches!(code, Code::NotFound | Code::WrongPassword)
}

impl Rooms {
    /// `room.code`: the host wants a new one.
    pub(super) fn renew_code(
        &mut self,
        cx: &mut Cx<'_>,
        who: &Arc<Party>,
        n: Option<u64>,
        name: &RoomName,
    ) -> Result<(), Refusal> {
        let (room, _) = self.member(cx, who, name.as_str())?;
        if !room.is_host(who.session) {
            return Err(Code::NotAllowed.into());
        }
        let new = self.draw_code(cx, &who.ns, name)?;
        let event = Event::RoomCode(RoomCodeEvent { re: n, room: name, code: new.code.as_str(), expires: new.told.0 });
        cx.tell(who, &event);
        if let Some(world) = self.worlds.get_mut(&who.ns)
            && let Some(room) = world.rooms.get_mut(name)
        {
            world.codes.insert(new.code, name.clone());
            if let Some(old) = room.code.replace(new) {
                world.codes.remove(&old.code);
            }
        }
        self.settle(cx, &who.ns, name);
        Ok(())
    }

    /// The room that a code opens. What is no code, or none any more, opens nothing.
    pub(super) fn opened_by(&self, now: Moment, ns: &Namespace, typed: &str) -> Option<RoomName> {
        let world = self.worlds.get(ns)?;
        let name = world.codes.get(&RoomCode::parse(typed)?)?;
        let code = world.rooms.get(name)?.code.as_ref()?;
        (code.expires > now).then(|| name.clone())
    }

    /// Draws codes until one hashes to the room's own shard and is free there.
    pub(super) fn draw_code(&self, cx: &Cx<'_>, ns: &Namespace, name: &RoomName) -> Result<JoinCode, Refusal> {
        let shard = |text: &str| cx.hub.shard_of(1 + GroupKind::Room as u8, ns, text);
        let home = shard(name.as_str());
        let taken = self.worlds.get(ns).map(|world| &world.codes);
        for _ in 0..BATCHES {
            let mut bits = [0; 8 * BATCH];
            cx.fill(&mut bits);
            let drawn = bits.as_chunks().0.iter().map(|bits| RoomCode::from_random(u64::from_le_bytes(*bits)));
            let mut good = drawn.filter(|code| shard(code.as_str()) == home);
            if let Some(code) = good.find(|code| !taken.is_some_and(|taken| taken.contains_key(code))) {
                let good_for = u64::from(cx.rules().rooms.code_seconds) * 1_000;
                return Ok(JoinCode { code, expires: cx.now.at + good_for, told: cx.now.wall + good_for });
            }
        }
        Err(Code::Internal.into())
    }
}
