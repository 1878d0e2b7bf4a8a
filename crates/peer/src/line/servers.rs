//! Which server is tried when: in order, beside one that does not answer, after a back-off with full jitter, and home again.

use std::collections::BTreeMap;

use crate::advice::Advice;
use crate::dice::Dice;
use crate::place::Server;
use crate::terms::{Output, SocketId, Times};
use crate::time::Moment;

/// A server that goes down on purpose says one of these.
const RESTARTS: [u16; 2] = [4000, 1012];

/// Rounds of a back-off after which nobody hurries.
const SLOW_ROUNDS: u32 = 3;

#[derive(Debug)]
pub(super) struct Servers {
    list: Vec<Server>,
    times: Times,
    dice: Dice,
    /// How many sockets there were.
    sockets: u64,
    /// Sockets that have not said `challenge`.
    contenders: BTreeMap<SocketId, Contender>,
    /// Which server is next, how many were tried in this round, and how many rounds there were.
    turn: usize,
    tried: usize,
    rounds: u32,
    /// When the next try is due.
    next: Moment,
    /// When to look whether a better server is back, and which was looked for last.
    home: Moment,
    home_turn: usize,
    /// No server is to be bothered earlier.
    not_before: Moment,
}

#[derive(Debug)]
struct Contender {
    server: usize,
    since: Moment,
    home: bool,
}

impl Servers {
    pub(super) fn new(list: Vec<Server>, times: Times, dice: Dice) -> Self {
        Self {
            list,
            times,
            dice,
            sockets: 0,
            contenders: BTreeMap::new(),
            turn: 0,
            tried: 0,
            rounds: 0,
            next: Moment::NEVER,
            home: Moment::NEVER,
            home_turn: 0,
            not_before: Moment::default(),
        }
    }

    pub(super) fn get(&self, server: usize) -> Option<&Server> {
        self.list.get(server)
    }

    /// Whether this socket has not said `challenge` yet.
    pub(super) fn is_tried(&self, socket: SocketId) -> bool {
        self.contenders.contains_key(&socket)
    }

    /// The server that a socket was opened to.
    pub(super) fn of(&self, socket: SocketId) -> usize {
        self.contenders.get(&socket).map_or(0, |contender| contender.server)
    }

    /// Whether sockets are under way.
    pub(super) fn is_trying(&self) -> bool {
        !self.contenders.is_empty()
    }

    /// The server of the latest socket that is under way.
    pub(super) fn trying(&self) -> usize {
        self.contenders.values().next_back().map_or(0, |contender| contender.server)
    }

    /// Whether all servers were tried in this round, and none is left that might answer.
    pub(super) fn is_exhausted(&self) -> bool {
        self.contenders.is_empty() && self.tried >= self.list.len()
    }

    /// Everything begins anew.
    pub(super) fn begin(&mut self) {
        (self.turn, self.tried, self.rounds, self.not_before) = (0, 0, 0, Moment::default());
    }

    /// Nothing is under way any more.
    pub(super) fn stop(&mut self, out: &mut Vec<Output>) {
        let under_way = std::mem::take(&mut self.contenders).into_keys();
        out.extend(under_way.map(Output::Disconnect));
        (self.next, self.home) = (Moment::NEVER, Moment::NEVER);
    }

    /// Connects to the server whose turn it is, and names it.
    pub(super) fn connect_next(&mut self, now: Moment, out: &mut Vec<Output>) -> usize {
        let server = self.turn;
        self.turn = (server + 1) % self.list.len();
        self.tried += 1;
        self.connect(now, server, false, out);
        server
    }

    /// A socket said `challenge`: all others give way.
    pub(super) fn won(&mut self, socket: SocketId, out: &mut Vec<Output>) {
        self.contenders.remove(&socket);
        let others = std::mem::take(&mut self.contenders).into_keys();
        out.extend(others.map(Output::Disconnect));
        (self.next, self.home) = (Moment::NEVER, Moment::NEVER);
    }

    /// A server has let us in.
    pub(super) fn opened(&mut self, now: Moment, server: usize) {
        (self.turn, self.tried) = (0, 0);
        if server > 0 {
            self.homeward(now);
        }
    }

    /// The socket that had won is gone; a good one ends the back-off.
    pub(super) fn left(&mut self, good: bool) {
        self.home = Moment::NEVER;
        if good {
            self.rounds = 0;
        }
    }

    /// What is known of a socket that was lost before its challenge: whether it was to lead home.
    pub(super) fn lost(&mut self, socket: SocketId) -> Option<bool> {
        self.contenders.remove(&socket).map(|contender| contender.home)
    }

    /// Tries from before do not count any more.
    pub(super) fn forget_tries(&mut self) {
        self.tried = 0;
    }

    /// Takes in what a loss means for the time of the next try.
    pub(super) fn slow_down(&mut self, now: Moment, code: u16, advice: Advice, retry_after: u64) {
        // A server that restarts loses all its peers at once: where it is the only one, they come back well spread.
        let alone = RESTARTS.contains(&code) && self.list.len() == 1;
        if advice == Advice::Slow || alone {
            self.rounds = self.rounds.max(SLOW_ROUNDS);
        }
        self.not_before = self.not_before.max(now + retry_after);
    }

    /// Chooses the time of the next try, and says which server it will be.
    pub(super) fn wait(&mut self, now: Moment, was_open: bool) -> (Moment, usize) {
        let Times { backoff, backoff_max, .. } = self.times;
        if was_open {
            self.tried = 0;
        }
        let span = if self.tried > 0 && self.tried < self.list.len() {
            backoff / 2
        } else {
            if !was_open {
                self.rounds = self.rounds.saturating_add(1);
            }
            (self.tried, self.turn) = (0, 0);
            // With a second server to go to, the first try need not be spread as widely.
            let doublings = self.rounds.saturating_add(u32::from(self.list.len() == 1)).min(16);
            backoff.saturating_mul(1 << doublings).min(backoff_max)
        };
        self.next = if self.not_before > now {
            self.not_before + self.dice.within(backoff)
        } else {
            now + self.dice.within(span)
        };
        (self.next, self.turn)
    }

    /// Moves the next try to about now, if it is further away; says when it is then.
    pub(super) fn hurry(&mut self, now: Moment) -> Option<Moment> {
        let soon = (now + self.dice.within(self.times.backoff)).max(self.not_before);
        if self.next == Moment::NEVER || self.next <= soon {
            return None;
        }
        self.next = soon;
        Some(soon)
    }

    /// Where another server had to be used, looks some time whether a better one is back.
    pub(super) fn homeward(&mut self, now: Moment) {
        let half = self.times.home / 2;
        self.home = now + half + self.dice.within(half);
    }

    /// Sockets that did not say `challenge` in time.
    pub(super) fn silent(&self, now: Moment) -> Vec<SocketId> {
        let late = |contender: &Contender| contender.since + self.times.handshake <= now;
        self.contenders.iter().filter(|(_, contender)| late(contender)).map(|(socket, _)| *socket).collect()
    }

    /// Gives a server that does not answer company from the next one.
    pub(super) fn hedge(&mut self, now: Moment, out: &mut Vec<Output>) {
        let youngest = self.contenders.values().map(|contender| contender.since).max();
        if self.tried < self.list.len() && youngest.is_some_and(|since| since + self.times.hedge <= now) {
            self.connect_next(now, out);
        }
    }

    /// The next try, if it is due.
    pub(super) fn try_again(&mut self, now: Moment, out: &mut Vec<Output>) -> Option<usize> {
        (self.next <= now).then(|| self.connect_next(now, out))
    }

    /// Looks whether a better server than this one is back, if it is time.
    pub(super) fn try_home(&mut self, now: Moment, server: usize, out: &mut Vec<Output>) {
        if self.home <= now && server > 0 {
            self.home = Moment::NEVER;
            self.home_turn = (self.home_turn + 1) % server;
            self.connect(now, self.home_turn, true, out);
        }
    }

    /// When any of this is due. `served`: whether a socket has won.
    pub(super) fn deadline(&self, now: Moment, served: bool) -> Moment {
        let mut first = self.next.or(self.home);
        for Contender { since, .. } in self.contenders.values() {
            first = first.or(*since + self.times.handshake);
            let company = *since + self.times.hedge;
            if !served && self.tried < self.list.len() && company > now {
                first = first.or(company);
            }
        }
        first
    }

    fn connect(&mut self, now: Moment, server: usize, home: bool, out: &mut Vec<Output>) {
        self.sockets += 1;
        let socket = SocketId(self.sockets);
        self.contenders.insert(socket, Contender { server, since: now, home });
        self.next = Moment::NEVER;
        let url = self.list.get(server).map(|server| server.url.clone()).unwrap_or_default();
        out.push(Output::Connect { socket, url });
    }
}
