//! How things truly stood: when each id had a socket, had lost it, and had no session any more. From outside and from the rules alone.

use std::collections::BTreeMap;

use crate::node::{AWAY_AFTER_MS, GONE_AFTER_MS};

/// Presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Gone,
    Away,
    Here,
}

/// An id at a server: the server, the namespace, the id.
pub(crate) type Place = (usize, &'static str, String);

/// Every id's devices and what its presence has been.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    ids: BTreeMap<Place, Id>,
}

/// Ids of which a session is over.
pub(crate) type Over = Vec<(&'static str, String)>;

#[derive(Debug, Default)]
struct Id {
    devices: BTreeMap<String, Stand>,
    /// What it was from when on, oldest first; before the first it was gone.
    history: Vec<(u64, State)>,
    /// Whether a session ended since somebody asked.
    over: bool,
}

#[derive(Debug)]
struct Stand {
    socket: Option<u64>,
    /// Since when it has none; nothing happens while its server is down.
    since: Option<u64>,
    away: bool,
}

impl State {
    pub(crate) fn read(text: &str) -> Option<Self> {
        match text {
            "here" => Some(Self::Here),
            "away" => Some(Self::Away),
            "gone" => Some(Self::Gone),
            _ => None,
        }
    }
}

impl Standing {
    /// A socket speaks for a session of this device, for the same as before or for another.
    pub(crate) fn attached(&mut self, now: u64, place: Place, device: &str, socket: u64, resumed: bool) {
        let id = self.ids.entry(place).or_default();
        id.advance(now);
        let before = id.devices.insert(device.to_owned(), Stand { socket: Some(socket), since: None, away: false });
        id.over |= before.is_some() && !resumed;
        id.record(now);
    }

    /// A server lost a socket, or took it from its session.
    pub(crate) fn detached(&mut self, now: u64, node: usize, socket: u64) {
        for id in self.at(node) {
            id.advance(now);
            for stand in id.devices.values_mut().filter(|stand| stand.socket == Some(socket)) {
                *stand = Stand { socket: None, since: Some(now), away: false };
            }
        }
    }

    /// The session that a socket speaks for is over.
    pub(crate) fn ended(&mut self, now: u64, node: usize, socket: u64) {
        for id in self.at(node) {
            id.advance(now);
            id.over |= id.devices.extract_if(.., |_, stand| stand.socket == Some(socket)).count() > 0;
            id.record(now);
        }
    }

    /// A server stopped: in order, and its sessions wait for it, or they are gone.
    pub(crate) fn stopped(&mut self, now: u64, node: usize, in_order: bool) {
        for id in self.at(node) {
            id.advance(now);
            if in_order {
                for stand in id.devices.values_mut() {
                    *stand = Stand { socket: None, since: None, away: stand.away };
                }
            } else {
                id.over |= !id.devices.is_empty();
                id.devices.clear();
                id.record(now);
            }
        }
    }

    /// A server is there again: every session has lost its socket just now.
    pub(crate) fn started(&mut self, now: u64, node: usize) {
        for stand in self.at(node).flat_map(|id| id.devices.values_mut()) {
            stand.since = Some(now);
        }
    }

    /// Of which ids sessions ended since this was last asked.
    pub(crate) fn over(&mut self, now: u64) -> Over {
        let mut over = Vec::new();
        for ((_, ns, id), known) in &mut self.ids {
            known.advance(now);
            if std::mem::take(&mut known.over) {
                over.push((*ns, id.clone()));
            }
        }
        over
    }

    /// What an id's presence is.
    pub(crate) fn state(&mut self, now: u64, place: &Place) -> State {
        self.ids.get_mut(place).map_or(State::Gone, |id| {
            id.advance(now);
            id.state()
        })
    }

    /// Whether an id was this at some time after `after` (an earlier answer of this, or 0) and not before `since`; and then a
    /// count to ask with next time.
    pub(crate) fn was(&mut self, now: u64, place: &Place, state: State, after: usize, since: u64) -> Option<usize> {
        let Some(id) = self.ids.get_mut(place) else { return (state == State::Gone && after == 0).then_some(1) };
        id.advance(now);
        let begin = [(0, State::Gone)];
        let history: Vec<(u64, State)> = begin.into_iter().chain(id.history.iter().copied()).collect();
        let lasted = |at: usize| history.get(at + 1).is_none_or(|(next, _)| *next >= since);
        (after..history.len()).find(|at| history[*at].1 == state && lasted(*at)).map(|at| at + 1)
    }

    fn at(&mut self, node: usize) -> impl Iterator<Item = &mut Id> {
        self.ids.iter_mut().filter(move |(place, _)| place.0 == node).map(|(_, id)| id)
    }
}

impl Id {
    /// Lets time pass.
    fn advance(&mut self, now: u64) {
        loop {
            let next = |stand: &Stand| {
                let since = stand.since?;
                Some(since + if stand.away || AWAY_AFTER_MS >= GONE_AFTER_MS { GONE_AFTER_MS } else { AWAY_AFTER_MS })
            };
            let due = self.devices.values().filter_map(next).min().filter(|at| *at <= now);
            let Some(at) = due else { return };
            let is_gone = |stand: &Stand| stand.since.is_some_and(|since| since + GONE_AFTER_MS <= at);
            self.over |= self.devices.extract_if(.., |_, stand| is_gone(stand)).count() > 0;
            for stand in self.devices.values_mut() {
                stand.away |= stand.since.is_some_and(|since| since + AWAY_AFTER_MS <= at);
            }
            self.record(at);
        }
    }

    fn state(&self) -> State {
        let of = |stand: &Stand| if stand.away { State::Away } else { State::Here };
        self.devices.values().map(of).max().unwrap_or(State::Gone)
    }

    fn record(&mut self, at: u64) {
        let state = self.state();
        if self.history.last().map_or(State::Gone, |(_, last)| *last) != state {
            self.history.push((at, state));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_what_the_best_of_its_devices_is_and_time_takes_them_away() {
        let place = || (0, "default", "a".to_owned());
        let mut standing = Standing::default();
        standing.attached(10, place(), "", 1, false);
        standing.attached(20, place(), "phone", 2, false);
        standing.detached(100, 0, 1);
        assert_eq!(standing.state(100 + GONE_AFTER_MS, &place()), State::Here);
        standing.detached(20_000, 0, 2);
        assert_eq!(standing.state(20_000 + AWAY_AFTER_MS - 1, &place()), State::Here);
        assert_eq!(standing.state(20_000 + AWAY_AFTER_MS, &place()), State::Away);
        assert_eq!(standing.state(20_000 + GONE_AFTER_MS, &place()), State::Gone);
        assert_eq!(standing.over(50_000), [("default", "a".to_owned())]);
        assert_eq!(standing.over(50_000), []);
        // It was away once, and gone only before and after that.
        let now = 50_000;
        let away = standing.was(now, &place(), State::Away, 0, 0).unwrap_or_default();
        assert_eq!(standing.was(now, &place(), State::Away, away, 0), None);
        assert!(standing.was(now, &place(), State::Gone, away, 0).is_some());
        assert_eq!(standing.was(now, &place(), State::Here, 0, 40_000), None);
    }
}
