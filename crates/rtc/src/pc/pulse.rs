//! Whether the path lives. The library asks the other end now and then, and is slow to give up; whoever hears nothing at all for some seconds knows
//! earlier.

use std::time::{Duration, Instant};

use crate::event::IceState;
use crate::settings::FAILED_AFTER;

/// The two ends ask each other every few seconds: a path on which nothing comes for so long is silent.
const SILENT_AFTER: Duration = Duration::from_secs(6);

/// What is known of the path.
#[derive(Debug)]
pub(super) struct Pulse {
    /// As it was told last.
    told: IceState,
    /// As the library has it.
    library: IceState,
    heard: Instant,
    silent_since: Option<Instant>,
}

impl Pulse {
    pub(super) fn new(now: Instant) -> Self {
        Self { told: IceState::New, library: IceState::New, heard: now, silent_since: None }
    }

    #[cfg(test)]
    pub(super) fn state(&self) -> IceState {
        self.told
    }

    /// When to look again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let silent = (self.told == IceState::Connected).then(|| self.heard + SILENT_AFTER);
        self.silent_since.map(|since| since + FAILED_AFTER).or(silent)
    }

    /// The library says so. What is to be told, if anything is.
    pub(super) fn say(&mut self, now: Instant, state: IceState) -> Option<IceState> {
        self.library = state;
        self.heard = now;
        self.tell(now, state)
    }

    /// Something came from the other end.
    pub(super) fn hear(&mut self, now: Instant) -> Option<IceState> {
        self.heard = now;
        if self.library == IceState::Connected { self.tell(now, IceState::Connected) } else { None }
    }

    /// Time has passed.
    pub(super) fn look(&mut self, now: Instant) -> Option<IceState> {
        if self.silent_since.is_some_and(|since| now >= since + FAILED_AFTER) {
            return self.tell(now, IceState::Failed);
        }
        let silent = self.told == IceState::Connected && now >= self.heard + SILENT_AFTER;
        if silent { self.tell(now, IceState::Disconnected) } else { None }
    }

    fn tell(&mut self, now: Instant, state: IceState) -> Option<IceState> {
        if self.told == state {
            return None;
        }
        self.told = state;
        self.silent_since = (state == IceState::Disconnected).then_some(now);
        Some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_told_before_the_library_notices_and_a_word_ends_it() {
        let began = Instant::now();
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        let mut pulse = Pulse::new(began);
        assert_eq!(pulse.say(at(1), IceState::Connected), Some(IceState::Connected));
        assert_eq!(pulse.hear(at(4)), None);
        assert_eq!(pulse.deadline(), Some(at(10)));
        assert_eq!(pulse.look(at(9)), None);
        assert_eq!(pulse.look(at(10)), Some(IceState::Disconnected));
        assert_eq!(pulse.hear(at(11)), Some(IceState::Connected));
        assert_eq!(pulse.look(at(17)), Some(IceState::Disconnected));
        // Now the library notices, too: that is nothing new, and only a path brings it back.
        assert_eq!(pulse.say(at(20), IceState::Disconnected), None);
        assert_eq!(pulse.hear(at(21)), None);
        assert_eq!(pulse.look(at(32)), Some(IceState::Failed));
        assert_eq!(pulse.deadline(), None);
        assert_eq!(pulse.say(at(40), IceState::Connected), Some(IceState::Connected));
    }
}
