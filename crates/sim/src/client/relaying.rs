//! What the connections of a native client carry: words, over the real relay of the hub or over a path that the world makes up, each to
//! arrive once and in order.

use std::collections::VecDeque;

use wigwag_peer::Moment;
use wigwag_peer::calls::{ConnectionId, EngineEvent, Input, Order};
use wigwag_peer::heard::LimitsHeard;
use wigwag_peer::relay::{Carrier, ChannelId, Link, LinkOutput, Message, Pace, Posted, Told};

use super::Client;
use super::calling::{Calling, Engine};
use crate::judge::Judge;

/// A box on a direct path.
#[derive(Debug)]
pub(crate) struct Boxed {
    /// Whose.
    pub(crate) client: usize,
    pub(crate) connection: ConnectionId,
    pub(crate) packed: Vec<u8>,
}

/// A link, and what was said on it.
pub(super) struct Piped {
    link: Link,
    said: u64,
    heard: u64,
}

impl Calling {
    /// The server said what it allows.
    pub(super) fn limits(&mut self, now: u64, limits: &LimitsHeard) -> bool {
        self.pace.told(Moment(now), limits);
        self.pace.chunk() > 0
    }

    pub(super) fn links_due(&self) -> Option<Moment> {
        self.engines.values().filter_map(|engine| engine.piped.as_ref()?.link.next_deadline()).min()
    }

    /// Time has passed for the links.
    pub(super) fn links_tick(&mut self, now: u64, judge: &mut Judge, waiting: &mut VecDeque<Input>) {
        for connection in self.engines.keys().copied().collect::<Vec<_>>() {
            self.link(now, connection, judge, waiting, Link::tick);
        }
    }

    /// An order for a link; false where it is none.
    pub(super) fn link_order(
        &mut self,
        now: u64,
        connection: ConnectionId,
        order: &Order,
        judge: &mut Judge,
        waiting: &mut VecDeque<Input>,
    ) -> bool {
        match order {
            Order::Relay { hails, online } => {
                if let Some(engine) = self.engines.get_mut(&connection) {
                    engine.piped = Some(Piped { link: Link::new(*hails, *online), said: 0, heard: 0 });
                }
            }
            Order::Travel { by, reaches } => {
                self.link(now, connection, judge, waiting, |link, now, pace, out| {
                    link.travel(now, pace, *by, *reaches, out);
                });
            }
            Order::Relayed(packed) => {
                self.link(now, connection, judge, waiting, |link, now, pace, out| {
                    link.take(now, pace, packed, Carrier::Relay, out);
                });
            }
            Order::Online(online) => {
                self.link(now, connection, judge, waiting, |link, now, pace, out| link.line(now, pace, *online, out));
            }
            _ => return false,
        }
        true
    }

    /// What became of a box that was to be relayed.
    pub(super) fn posted(
        &mut self,
        now: u64,
        connection: ConnectionId,
        posted: Posted,
        judge: &mut Judge,
        waiting: &mut VecDeque<Input>,
    ) {
        self.link(now, connection, judge, waiting, |link, now, pace, out| link.posted(now, pace, posted, out));
    }

    /// Says the next word on a connection, and sometimes a long one.
    pub(super) fn say(&mut self, now: u64, connection: ConnectionId, judge: &mut Judge, waiting: &mut VecDeque<Input>) {
        let Some(piped) = self.engines.get_mut(&connection).and_then(|engine| engine.piped.as_mut()) else { return };
        piped.said += 1;
        let fill = if piped.said % 7 == 0 { 40_000 } else { 10 };
        let word = format!("{} {}", piped.said, "x".repeat(fill));
        self.link(now, connection, judge, waiting, |link, now, pace, out| {
            // Where too much waits already, the app would wait: here it is at fault.
            let _ = link.send(ChannelId(0), Message::Text(word));
            link.tick(now, pace, out);
        });
    }

    /// A box came directly.
    pub(super) fn boxed(
        &mut self,
        now: u64,
        connection: ConnectionId,
        packed: &[u8],
        judge: &mut Judge,
        waiting: &mut VecDeque<Input>,
    ) {
        self.link(now, connection, judge, waiting, |link, now, pace, out| {
            link.take(now, pace, packed, Carrier::Direct, out);
        });
    }

    /// The engine's channel is open.
    pub(super) fn reached(
        &mut self,
        now: u64,
        connection: ConnectionId,
        judge: &mut Judge,
        waiting: &mut VecDeque<Input>,
    ) {
        self.link(now, connection, judge, waiting, |link, now, pace, out| link.direct(now, pace, Some(0), out));
    }

    fn link(
        &mut self,
        now: u64,
        connection: ConnectionId,
        judge: &mut Judge,
        waiting: &mut VecDeque<Input>,
        act: impl FnOnce(&mut Link, Moment, &mut Pace, &mut Vec<LinkOutput>),
    ) {
        let Some(engine) = self.engines.get_mut(&connection) else { return };
        let other = engine.other();
        let Engine { piped: Some(Piped { link, heard, .. }), open, .. } = engine else { return };
        let mut out = Vec::new();
        act(link, Moment(now), &mut self.pace, &mut out);
        // The channel of these engines takes everything at once.
        while *open && out.iter().any(|output| matches!(output, LinkOutput::Direct(_))) {
            for output in out.extract_if(.., |output| matches!(output, LinkOutput::Direct(_))) {
                if let (LinkOutput::Direct(packed), Some((client, connection))) = (output, other) {
                    self.boxes.push(Boxed { client, connection, packed });
                }
            }
            link.direct(Moment(now), &mut self.pace, Some(0), &mut out);
        }
        if link.next_deadline().is_some_and(|due| due.0 <= now) {
            judge.wrong("something of a link stays due");
        }
        for output in out {
            let event = match output {
                LinkOutput::Direct(_) => continue,
                LinkOutput::Post(packed) => {
                    judge.counts.relayed += 1;
                    waiting.push_back(Input::Post(connection, packed));
                    continue;
                }
                LinkOutput::Told(Told::Message { message: Message::Text(word), .. }) => {
                    *heard += 1;
                    judge.counts.words += 1;
                    if word.split(' ').next() != Some(&heard.to_string()) {
                        judge.wrong(format!("the {heard}th word of {other:?} is {word:.20}"));
                    }
                    continue;
                }
                LinkOutput::Told(told) => {
                    judge.wrong(format!("{other:?} did what nobody does: {told:?}"));
                    continue;
                }
                LinkOutput::Heard(by) => EngineEvent::Heard(by),
                LinkOutput::Moved(by) => {
                    judge.counts.moved += 1;
                    EngineEvent::Moved(by)
                }
                LinkOutput::Silent(why) => EngineEvent::Silent(why),
                LinkOutput::Refused => EngineEvent::Unrelayed,
                LinkOutput::Broken(why) => {
                    judge.wrong(format!("{other:?} broke the rules of the stream: {why}"));
                    EngineEvent::Broken(why)
                }
            };
            waiting.push_back(Input::Engine(connection, event));
        }
    }

    /// Of the links: with whom, how many words were said, and how many were heard.
    fn words(&self) -> impl Iterator<Item = (ConnectionId, (usize, ConnectionId), u64, u64)> {
        self.engines.iter().filter_map(|(connection, engine)| {
            let Piped { said, heard, .. } = engine.piped.as_ref()?;
            Some((*connection, engine.other()?, *said, *heard))
        })
    }

    /// Whether a connection carries.
    fn carries(&self, connection: ConnectionId) -> bool {
        self.calls.state(connection) == Some(wigwag_peer::calls::ConnectionState::Open)
    }
}

impl Client {
    /// Boxes of its connections that travel directly.
    pub(crate) fn take_boxes(&mut self) -> Vec<Boxed> {
        self.native.as_mut().map(|native| std::mem::take(&mut native.calling.boxes)).unwrap_or_default()
    }

    /// What it said on connections that carry: the other's side, and how many words it should have heard.
    pub(crate) fn said(&self) -> Vec<(ConnectionId, (usize, ConnectionId), u64)> {
        let Some(native) = &self.native else { return Vec::new() };
        let calling = &native.calling;
        let open = calling.words().filter(|(connection, ..)| calling.carries(*connection));
        open.map(|(connection, other, said, _)| (connection, other, said)).collect()
    }

    /// What it heard on a connection that carries.
    pub(crate) fn heard(&self, connection: ConnectionId) -> Option<((usize, ConnectionId), u64)> {
        let calling = &self.native.as_ref()?.calling;
        let words = calling.words().find(|(known, ..)| *known == connection).filter(|_| calling.carries(connection));
        words.map(|(_, other, _, heard)| (other, heard))
    }
}
