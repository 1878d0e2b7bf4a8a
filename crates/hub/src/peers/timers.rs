//! What happens in a shard by itself. Each session and each id that something waits for has at most one entry, so the timers are
//! bounded by what they belong to.
//!
//! Putting a deadline off touches nothing: an entry that comes too early finds nothing to do and is put where it belongs.

use std::collections::BTreeSet;

use super::Peers;
use super::directory::Address;
use super::session::Session;
use crate::cx::Cx;
use crate::ids::SessionId;
use crate::lock::Timed;
use crate::output::Output;
use crate::rules::Rules;
use crate::time::Moment;

/// Milliseconds from the first unmarked frame to the mark that asks for its confirmation, sent by itself.
const MARK_AFTER_MS: u64 = 1_000;
/// From this age of the first unmarked frame on, the mark goes in the write of whatever is told next: that saves one, and the timer.
const MARK_ALONG_MS: u64 = 500;

/// When sessions and ids are due.
#[derive(Debug, Default)]
pub(super) struct Timers {
    sessions: Agenda<SessionId>,
    ids: Agenda<Address>,
}

/// Entries by their time. When the first is due is asked far more often than it changes, so that is written down.
#[derive(Debug)]
struct Agenda<T> {
    entries: BTreeSet<(Moment, T)>,
    first: Moment,
}

impl<T: Ord> Default for Agenda<T> {
    fn default() -> Self {
        Self { entries: BTreeSet::new(), first: Moment::NEVER }
    }
}

impl<T: Ord> Agenda<T> {
    fn insert(&mut self, at: Moment, of: T) {
        self.entries.insert((at, of));
        self.first = self.first.min(at);
    }

    fn remove(&mut self, entry: &(Moment, T)) {
        self.entries.remove(entry);
        self.look();
    }

    /// Takes out one that is due.
    fn pop_due(&mut self, now: Moment) -> Option<T> {
        if self.first > now {
            return None;
        }
        let popped = self.entries.pop_first();
        self.look();
        popped.map(|(_, of)| of)
    }

    fn look(&mut self) {
        self.first = self.entries.first().map_or(Moment::NEVER, |(at, _)| *at);
    }
}

impl Timers {
    fn next(&self) -> Option<Moment> {
        Some(self.sessions.first.min(self.ids.first)).filter(|first| *first != Moment::NEVER)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.sessions.entries.len() + self.ids.entries.len()
    }

    /// Sees to it that a session is looked at by the time of its deadline.
    pub(super) fn keep(&mut self, session: &mut Session, rules: &Rules) {
        let deadline = session.deadline(rules);
        if deadline < session.timer {
            self.drop_session(session);
            session.timer = deadline;
            self.sessions.insert(deadline, session.party.session);
        }
    }

    /// A session is over.
    pub(super) fn drop_session(&mut self, session: &Session) {
        if session.timer != Moment::NEVER {
            self.sessions.remove(&(session.timer, session.party.session));
        }
    }

    /// Sees to it that an id is looked at by then. `timer` is its entry so far.
    pub(super) fn keep_id(&mut self, timer: &mut Moment, at: Moment, address: &Address) {
        if at < *timer {
            self.drop_id(*timer, address);
            *timer = at;
            self.ids.insert(at, address.clone());
        }
    }

    /// The ids that something waits for.
    pub(super) fn ids(&self) -> impl Iterator<Item = &Address> {
        self.ids.entries.iter().map(|(_, address)| address)
    }

    /// Nothing waits for an id any more.
    pub(super) fn drop_id(&mut self, timer: Moment, address: &Address) {
        if timer != Moment::NEVER {
            self.ids.remove(&(timer, address.clone()));
        }
    }
}

impl Peers {
    /// Does what is due.
    pub(crate) fn tick(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now.at;
        while let Some(id) = self.timers.sessions.pop_due(now) {
            self.session_due(cx, id);
        }
        while let Some(address) = self.timers.ids.pop_due(now) {
            self.id_due(cx, &address);
        }
        self.give_up(cx);
    }

    fn session_due(&mut self, cx: &mut Cx<'_>, id: SessionId) {
        let rules = cx.hub.rules();
        let Some(session) = self.session_mut(id) else { return };
        session.timer = Moment::NEVER;
        if let Some(since) = session.detached() {
            let without = cx.now.at - since;
            if without >= rules.gone_after_ms {
                return self.end(cx, id);
            }
            if without >= rules.away_after_ms {
                self.went_away(cx, id);
            }
        } else {
            session.rest();
            if session.mark_at <= cx.now.at {
                self.mark(cx, id);
            }
            self.refresh_ice(cx, id);
        }
        self.keep_timer(cx, id);
    }

    /// Sees to it that a session is looked at when something is due.
    pub(super) fn keep_timer(&mut self, cx: &Cx<'_>, id: SessionId) {
        let Self { slots, timers, .. } = self;
        if let Some(session) = slots.get_mut(id) {
            timers.keep(session, cx.hub.rules());
        }
    }

    /// A session was handed frames: it is asked to confirm them, at once where much waits, or some for long.
    pub(super) fn handed(&mut self, cx: &mut Cx<'_>, id: SessionId) {
        let now = cx.now.at;
        let Some(session) = self.session_mut(id) else { return };
        let Some(resume) = session.resume.as_deref_mut() else { return };
        let is_new = session.mark_at == Moment::NEVER;
        let is_old = !is_new && session.mark_at <= now + (MARK_AFTER_MS - MARK_ALONG_MS);
        if is_old || resume.queue.wants_mark(&cx.hub.rules().limits) {
            self.mark(cx, id);
        } else if is_new {
            session.mark_at = now + MARK_AFTER_MS;
            self.keep_timer(cx, id);
        }
    }

    fn mark(&mut self, cx: &mut Cx<'_>, id: SessionId) {
        let Some(session) = self.session_mut(id) else { return };
        session.mark_at = Moment::NEVER;
        let (Some(socket), Some(resume)) = (session.socket(), session.resume.as_deref_mut()) else { return };
        if let Some(count) = resume.queue.mark() {
            cx.out.emit(Output::Mark { socket, count });
        }
    }
}

impl Timed for Peers {
    fn next_deadline(&self) -> Option<Moment> {
        self.timers.next().into_iter().chain(self.carrying.next()).chain(self.unsure.next()).min()
    }
}
