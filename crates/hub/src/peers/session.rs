//! One party's standing with the server. It outlives any socket.

use std::sync::Arc;

use wigwag_wire::code::Code;
use wigwag_wire::event::Presence;
use wigwag_wire::limits::is_full;
use wigwag_wire::{Limits, PeerId, PublicKey, Refusal};

use super::queue::Queue;
use super::relaying::Quota;
use crate::ids::{GroupKey, GroupKeys, GroupKind, Party, SocketId};
use crate::limiter::Limiter;
use crate::rules::Rules;
use crate::time::{Moment, Wall};

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) party: Arc<Party>,
    pub(crate) owner: Owner,
    pub(crate) line: Line,
    /// What the others are told.
    pub(crate) state: Presence,
    /// Whether there are stored signals for it that found no room yet.
    pub(crate) behind: bool,
    /// What makes it outlive its socket; absent for a session that ends with it.
    pub(crate) resume: Option<Box<Resumable>>,
    /// The greatest `n` taken in.
    pub(crate) last_n: Option<u64>,
    /// What most sessions are without; absent until it is asked for.
    pub(crate) rare: Option<Box<Rare>>,
    pub(crate) began: Wall,
    /// When to ask for confirmation of what it was told.
    pub(crate) mark_at: Moment,
    /// When to push fresh ICE credentials.
    pub(crate) ice_at: Moment,
    /// Its entry among the timers of the shard.
    pub(crate) timer: Moment,
}

/// How a session's peer is reached.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Line {
    /// Through this socket, which opened then.
    Open(SocketId, Moment),
    /// A newer socket takes this one's place.
    Superseded,
    /// Not at all, since then.
    Lost(Moment),
}

/// What a session has that is with others or says something to many.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    pub(crate) groups: GroupKeys,
    pub(crate) watching: Vec<Watching>,
    pub(crate) broadcasts: Limiter,
    /// What it may still have relayed.
    pub(crate) relayed: Quota,
}

/// Who may take a session's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Nobody can prove to be the same peer.
    Nobody,
    /// Whoever proves this key.
    Key(PublicKey),
    /// In a dialect: whoever knows what hashes to this.
    Secret(TokenHash),
}

impl Owner {
    /// The key, if it is one.
    pub(crate) fn key(&self) -> Option<PublicKey> {
        match self {
            Self::Key(key) => Some(*key),
            Self::Nobody | Self::Secret(_) => None,
        }
    }

    /// A key, or nobody.
    pub(crate) fn of(key: Option<PublicKey>) -> Self {
        key.map_or(Self::Nobody, Self::Key)
    }
}

/// What makes a session outlive its socket.
#[derive(Debug)]
pub(crate) struct Resumable {
    pub(crate) token: TokenHash,
    /// The token before, good until the peer is heard on the socket whose `welcome` gave it the new one: that `welcome` may be lost.
    pub(crate) earlier: Option<Box<TokenHash>>,
    pub(crate) queue: Queue,
}

/// The beginning of a token's SHA-256. Tokens are not kept, so a snapshot on disk resumes nothing; and how long a comparison of
/// hashes takes tells nobody anything about a token.
pub(crate) type TokenHash = [u8; 16];

/// One watched id.
#[derive(Debug)]
pub(crate) struct Watching {
    pub(crate) id: PeerId,
    /// The presence that was told last, and which change of it that was.
    pub(crate) told: Option<Presence>,
    pub(crate) revision: u64,
}

impl Session {
    /// The socket, while there is one.
    pub(crate) fn socket(&self) -> Option<SocketId> {
        match self.line {
            Line::Open(socket, _) => Some(socket),
            Line::Superseded | Line::Lost(_) => None,
        }
    }

    /// Since when there is none.
    pub(crate) fn detached(&self) -> Option<Moment> {
        match self.line {
            Line::Lost(since) => Some(since),
            Line::Open(..) | Line::Superseded => None,
        }
    }

    /// Its client took in so many frames. Memory for what will be told next stays until it is looked at again.
    pub(crate) fn saw(&mut self, count: u64) {
        let Some(resume) = self.resume.as_deref_mut() else { return };
        resume.queue.confirm(count);
        if resume.queue.is_marked() {
            self.mark_at = Moment::NEVER;
        }
    }

    /// Nothing is under way: no memory is held for what might be.
    pub(crate) fn rest(&mut self) {
        if let Some(resume) = self.resume.as_deref_mut() {
            resume.queue.rest();
        }
    }

    /// The groups that it is in.
    pub(crate) fn groups(&self) -> &[GroupKey] {
        self.rare.as_deref().map(|rare| &rare.groups[..]).unwrap_or_default()
    }

    /// The ids that it watches.
    pub(crate) fn watching(&self) -> &[Watching] {
        self.rare.as_deref().map(|rare| &rare.watching[..]).unwrap_or_default()
    }

    pub(crate) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// When there is something to do about it.
    pub(crate) fn deadline(&self, rules: &Rules) -> Moment {
        let Some(since) = self.detached() else { return self.mark_at.min(self.ice_at) };
        let away = if self.state == Presence::Here { since + rules.away_after_ms } else { Moment::NEVER };
        away.min(since + rules.gone_after_ms)
    }

    /// Whether a token is its own.
    pub(crate) fn is_token(&self, hash: &TokenHash) -> bool {
        self.resume.as_deref().is_some_and(|r| r.token == *hash || r.earlier.as_deref() == Some(hash))
    }

    /// The peer is heard on its socket, so it has the token of the last `welcome`.
    pub(crate) fn heard(&mut self) {
        if let Some(resume) = self.resume.as_deref_mut() {
            resume.earlier = None;
        }
    }

    /// Notes that it is in a group.
    pub(crate) fn enter(&mut self, group: GroupKey, limits: &Limits) -> Result<(), Refusal> {
        if self.groups().contains(&group) {
            return Ok(());
        }
        let (limit, code) = match group.kind {
            GroupKind::Room => (limits.rooms_per_session, Code::TooManyRooms),
            GroupKind::Topic => (limits.topics_per_session, Code::TooManyTopics),
            GroupKind::Network => (limits.networks_per_session, Code::TooManyNetworks),
            GroupKind::Swarm => (limits.swarms_per_session, Code::TooManySwarms),
        };
        let count = self.groups().iter().filter(|g| g.kind == group.kind).count();
        if is_full(count, limit) {
            return Err(code.into());
        }
        self.rare_mut().groups.push(group);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_stays_small() {
        // With eight bytes of its allocator's, a session fills a multiple of sixteen.
        assert!(size_of::<Session>() <= 136, "{}", size_of::<Session>());
        assert!(size_of::<Resumable>() <= 104, "{}", size_of::<Resumable>());
        assert!(size_of::<Rare>() <= 104, "{}", size_of::<Rare>());
    }
}
