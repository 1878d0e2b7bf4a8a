//! The messages of a connection whose sides agreed to the relay: they travel as one stream, over the engine's channel or over the server,
//! and the program sees channels as any engine gives them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::sleep_until;
use wigwag_peer::Moment;
use wigwag_peer::calls::{EngineEvent, Order};
use wigwag_peer::relay::{self, Carrier, ChannelId, LinkOutput, NotSent, Pace, Posted, Told};
use wigwag_rtc::{
    Channel, ChannelInit, Error, LineEnd, MESSAGE_BYTES_MAX, Message, Messages, Orders, Path, PeerConnection,
    Reliability, Stats, Teller, UNREAD_BYTES_MAX,
};

use super::Office;

/// When the engine's channel takes more again.
const LOW_BYTES: usize = 65_536;

/// What carries a connection's messages.
pub(super) struct Piped {
    link: relay::Link,
    pace: Arc<Mutex<Pace>>,
    began: Instant,
    pc: PeerConnection,
    /// The engine's channel, and what comes on it.
    direct: (Channel, Messages),
    is_reached: bool,
    /// Whether the engine's channel was given something since it was last looked at.
    is_filled: bool,
    /// Whether the program does not keep up with what comes.
    is_stalled: bool,
    /// What the program wants.
    orders: Orders,
    teller: Teller,
    lines: BTreeMap<ChannelId, Line>,
    /// Where channels go that the other side opens.
    opened: mpsc::Sender<(Channel, Messages)>,
    out: Vec<LinkOutput>,
}

/// A channel of the stream.
struct Line {
    end: LineEnd,
    /// What waits to enter the stream: bytes, and the room that they take.
    queue: VecDeque<(usize, usize)>,
    bytes: usize,
    /// Where in the stream the last of it ends; `None` where all has arrived.
    until: Option<u64>,
    is_closing: bool,
}

/// Why a link wakes.
pub(super) enum Wake {
    /// The program wants something, or nobody holds it any more.
    Wanted(Option<wigwag_rtc::Order>),
    /// Something came on the engine's channel.
    Came(Option<Message>),
    /// The engine's channel takes more.
    Drained,
    /// The program has read much of what waited.
    Read,
    /// It is time.
    Due,
}

impl Piped {
    /// A link around an engine, and what the program gets of it: its main channel among it.
    pub(super) fn new(
        office: &Office,
        hails: bool,
        online: bool,
        pc: PeerConnection,
        direct: (Channel, Messages),
        opened: mpsc::Sender<(Channel, Messages)>,
    ) -> (Self, PeerConnection, Channel, Messages) {
        let (front, _, orders, teller) = PeerConnection::new();
        let mut piped = Self {
            link: relay::Link::new(hails, online),
            pace: Arc::clone(&office.pace),
            began: office.began,
            pc,
            direct,
            is_reached: false,
            is_filled: false,
            is_stalled: false,
            orders,
            teller,
            lines: BTreeMap::new(),
            opened,
            out: Vec::new(),
        };
        let (main, messages) = piped.line(ChannelId(0), ChannelInit::main());
        (piped, front, main, messages)
    }

    pub(super) fn is_relayed(&self) -> bool {
        self.link.carrier() == Some(Carrier::Relay)
    }

    /// Waits for the next thing to do. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Wake {
        let due = self.link.next_deadline().map(|due| self.began + Duration::from_millis(due.0));
        let alarm = async {
            match due {
                Some(due) => sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            order = self.orders.next() => Wake::Wanted(order),
            message = self.direct.1.next(), if self.is_reached => Wake::Came(message),
            () = self.direct.0.drained(LOW_BYTES), if self.is_filled => Wake::Drained,
            () = self.teller.read(), if self.is_stalled => Wake::Read,
            () = alarm => Wake::Due,
        }
    }

    /// Does it.
    pub(super) async fn act(&mut self, wake: Wake) {
        match wake {
            Wake::Wanted(Some(order)) => self.obey(order).await,
            // The connection's last handle is gone: its end is on its way.
            Wake::Wanted(None) => self.orders = PeerConnection::new().2,
            Wake::Came(Some(Message::Binary(packed))) => {
                self.step(|link, now, pace, out| link.take(now, pace, &packed, Carrier::Direct, out));
            }
            Wake::Came(Some(Message::Text(_))) => {}
            Wake::Came(None) => {
                self.is_reached = false;
                self.step(|link, now, pace, out| link.direct(now, pace, None, out));
            }
            Wake::Drained => {
                self.is_filled = false;
                let waiting = Some(self.direct.0.waiting());
                self.step(|link, now, pace, out| link.direct(now, pace, waiting, out));
            }
            Wake::Read | Wake::Due => self.step(relay::Link::tick),
        }
        self.release();
    }

    /// An order of the calls.
    pub(super) fn order(&mut self, order: Order) {
        self.step(|link, now, pace, out| match order {
            Order::Travel { by, reaches } => link.travel(now, pace, by, reaches, out),
            Order::Relayed(packed) => link.take(now, pace, &packed, Carrier::Relay, out),
            Order::Online(online) => link.line(now, pace, online, out),
            _ => {}
        });
        self.release();
    }

    /// What became of a box.
    pub(super) fn posted(&mut self, posted: Posted) {
        self.step(|link, now, pace, out| link.posted(now, pace, posted, out));
        self.release();
    }

    /// The engine's channel is open.
    pub(super) fn reached(&mut self) {
        self.is_reached = true;
        self.step(|link, now, pace, out| link.direct(now, pace, Some(0), out));
    }

    /// Does what the link wants; what is left of that are boxes for the server, and news for the calls.
    pub(super) async fn settle(&mut self) -> (Vec<Vec<u8>>, Vec<EngineEvent>) {
        let (mut boxes, mut events) = (Vec::new(), Vec::new());
        for output in std::mem::take(&mut self.out) {
            match output {
                LinkOutput::Direct(packed) => {
                    self.is_filled = true;
                    // Where it is closed by now, the link is told soon.
                    let _ = self.direct.0.send(packed).await;
                }
                LinkOutput::Post(packed) => boxes.push(packed),
                LinkOutput::Told(told) => self.told(told),
                LinkOutput::Heard(by) => events.push(EngineEvent::Heard(by)),
                LinkOutput::Moved(by) => events.push(EngineEvent::Moved(by)),
                LinkOutput::Silent(why) => events.push(EngineEvent::Silent(why)),
                LinkOutput::Refused => events.push(EngineEvent::Unrelayed),
                LinkOutput::Broken(why) => events.push(EngineEvent::Broken(why)),
            }
        }
        let is_stalled = self.teller.unread() >= if self.is_stalled { UNREAD_BYTES_MAX / 2 } else { UNREAD_BYTES_MAX };
        if is_stalled != self.is_stalled {
            self.is_stalled = is_stalled;
            self.step(|link, now, pace, out| link.stall(now, pace, is_stalled, out));
        }
        self.release();
        (boxes, events)
    }

    /// Whether nothing is left to be done.
    pub(super) fn is_settled(&self) -> bool {
        self.out.is_empty()
    }

    fn now(&self) -> Moment {
        // Rounded up, as the driver does.
        Moment(u64::try_from(self.began.elapsed().as_micros().div_ceil(1_000)).unwrap_or(u64::MAX))
    }

    fn step(&mut self, act: impl FnOnce(&mut relay::Link, Moment, &mut Pace, &mut Vec<LinkOutput>)) {
        let now = self.now();
        act(&mut self.link, now, &mut self.pace.lock(), &mut self.out);
    }

    /// What the program wants. An answer that nobody waits for is not missed.
    async fn obey(&mut self, order: wigwag_rtc::Order) {
        match order {
            wigwag_rtc::Order::Channel { init, reply } => drop(reply.send(self.open(init).await)),
            wigwag_rtc::Order::Send(parcel) => {
                let (number, message) = parcel.open();
                let (size, cost) = (message.len(), message.cost());
                let channel = channel(number);
                let Some(line) = self.lines.get_mut(&channel) else { return };
                let message = match message {
                    Message::Text(text) => relay::Message::Text(text),
                    Message::Binary(bytes) => relay::Message::Bytes(bytes.into()),
                };
                if self.link.send(channel, message).is_err() {
                    return line.end.room(cost);
                }
                line.queue.push_back((size, cost));
                line.bytes += size;
                self.step(relay::Link::tick);
            }
            wigwag_rtc::Order::CloseChannel(number) => {
                if let Some(line) = self.lines.get_mut(&channel(number)) {
                    line.is_closing = true;
                    self.link.close(channel(number));
                    self.step(relay::Link::tick);
                }
            }
            wigwag_rtc::Order::Servers(servers) => _ = self.pc.servers(servers).await,
            wigwag_rtc::Order::Stats(reply) => {
                let stats = if self.is_relayed() {
                    let (sent, received) = self.link.counts();
                    Stats { path: Some(Path::Relayed), sent, received, ..Stats::default() }
                } else {
                    self.pc.stats().await.unwrap_or_default()
                };
                let _ = reply.send(stats);
            }
            // Descriptions and the end are the calls' business, and no program has a way to ask for them here.
            wigwag_rtc::Order::Offer { .. }
            | wigwag_rtc::Order::Describe { .. }
            | wigwag_rtc::Order::LocalDescription(_)
            | wigwag_rtc::Order::Candidates(_)
            | wigwag_rtc::Order::Close(_) => {}
        }
    }

    /// Opens a channel: of the stream, or the engine's own where it may lose messages and there is a direct path.
    async fn open(&mut self, init: ChannelInit) -> Result<(Channel, Messages), Error> {
        let is_exact = init.ordered && init.reliability == Reliability::Reliable;
        if init.negotiated.is_some() || !(is_exact || self.is_relayed()) {
            return self.pc.channel(init).await;
        }
        let opened = self.link.open(&init.label, &init.protocol).map_err(|why| match why {
            NotSent::Closed => Error::Closed,
            NotSent::TooLarge | NotSent::BadLabel => Error::Channel("its label is too long, or has a zero in it"),
            NotSent::Full => Error::Channel("there are too many channels already"),
        });
        let line = self.line(opened?, init);
        self.step(relay::Link::tick);
        Ok(line)
    }

    fn line(&mut self, channel: ChannelId, init: ChannelInit) -> (Channel, Messages) {
        let (program, messages, end) = self.teller.line(u32::from(channel.0), init);
        end.opened(MESSAGE_BYTES_MAX);
        let line = Line { end, queue: VecDeque::new(), bytes: 0, until: None, is_closing: false };
        self.lines.insert(channel, line);
        (program, messages)
    }

    /// What the other side did.
    fn told(&mut self, told: Told) {
        match told {
            Told::Open { channel, label, protocol } => {
                let line = self.line(channel, ChannelInit { protocol, ..ChannelInit::new(label) });
                if self.opened.try_send(line).is_err() {
                    // Who does not ask for them does not want them.
                    self.lines.remove(&channel);
                    self.link.close(channel);
                    self.step(relay::Link::tick);
                }
            }
            Told::Message { channel, message } => {
                let Some(line) = self.lines.get(&channel) else { return };
                line.end.message(match message {
                    relay::Message::Text(text) => Message::Text(text),
                    relay::Message::Bytes(bytes) => Message::Binary(bytes.into()),
                });
            }
            Told::Close(channel) => _ = self.lines.remove(&channel),
        }
    }

    /// Gives back the room of what has entered the stream, and tells what has arrived.
    fn release(&mut self) {
        let (arrived, written) = (self.link.counts().0, self.link.written());
        for (channel, line) in &mut self.lines {
            let waiting = self.link.waiting(*channel);
            let mut room = 0;
            while let Some((size, cost)) = line.queue.front().copied().filter(|(size, _)| line.bytes >= waiting + size)
            {
                line.queue.pop_front();
                line.bytes -= size;
                room += cost;
                line.until = Some(written);
            }
            line.until = line.until.filter(|until| *until > arrived);
            // In this order, so that nobody who waits for all to arrive finds nothing in between.
            line.end.underway(line.until.map_or(0, |until| usize::try_from(until - arrived).unwrap_or(usize::MAX)));
            if room > 0 {
                line.end.room(room);
            }
        }
        self.lines.retain(|_, line| !line.is_closing || !line.queue.is_empty() || line.until.is_some());
    }
}

fn channel(number: u32) -> ChannelId {
    // All numbers are those that `line` was told.
    ChannelId(u16::try_from(number).unwrap_or(u16::MAX))
}
