//! `spec/relay.md`: what carries the messages of one connection, its stream, over the data channel or over the server, whichever there is.
//! The boxes that go over the server are sealed by [`Seal`](crate::sealed::Seal).

mod pace;
mod records;
mod stream;

use crate::heard::DeliveryHeard;
use crate::time::Moment;

pub use self::pace::Pace;
pub use self::records::{Broken, ChannelId, MESSAGE_BYTES, Message, NotSent, Records, Told};
pub use self::stream::{Stream, Taken, Way};

/// So much may be under way over the relay, and so many requests.
const WINDOW_BYTES: u64 = 131_072;
const REQUESTS_MAX: u32 = 3;
/// Most bytes of the stream in one box over the data channel, and how full that may be.
const DIRECT_BYTES: usize = 32_768;
const HIGH_BYTES: usize = 262_144;
/// While less waits in it, what it took should be there soon.
const LOW_BYTES: usize = 65_536;
/// After how many milliseconds without an answer a box is lost.
const RELAY_MS: u64 = 2_000;
const DIRECT_MS: u64 = 10_000;
/// After such a silence the other is asked, so often, and then counts as silent.
const QUIET_MS: u64 = 15_000;
const ASK_MS: u64 = 5_000;
const SILENT_MS: u64 = 30_000;
const OFFLINE_MS: u64 = 3_000;
/// How long nothing is relayed after an answer that says so.
const ABSENT_MS: u64 = 3_000;
const FULL_MS: u64 = 1_000;
const FAILED_MS: u64 = 500;

const RATE_LIMITED: u16 = 4100;
const TOO_MANY_GUESSES: u16 = 4109;
const QUEUE_FULL: u16 = 4115;
const SWITCHED_OFF: u16 = 4305;
const UNKNOWN_TYPE: u16 = 4401;

/// What a box travels over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The data channel.
    Direct,
    /// The server.
    Relay,
}

/// Why nothing comes over the relay any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// The other says nothing.
    Silent,
    /// It has no session.
    Absent,
    /// There is no server.
    Offline,
}

/// What became of a box that the server was to relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posted {
    /// The server took it, or knows nobody to give it to.
    Acked(DeliveryHeard),
    /// It refused.
    Refused {
        /// With this code.
        code: u16,
        /// And wants to be asked again after so many milliseconds.
        retry_after: Option<u64>,
    },
    /// Nobody knows.
    Lost,
}

/// What a link wants to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkOutput {
    /// Send this as one binary message on the data channel.
    Direct(Vec<u8>),
    /// Seal this and have it relayed, and say what became of it with [`Link::posted`].
    Post(Vec<u8>),
    /// The other side did this.
    Told(Told),
    /// A box came over this carrier, which was silent or not in use until then.
    Heard(Carrier),
    /// What we send takes another way.
    Moved(Option<Carrier>),
    /// Nothing comes over the relay any more.
    Silent(Silence),
    /// There is no relay.
    Refused,
    /// The other broke the rules: the connection is over.
    Broken(Broken),
}

/// What carries one connection.
#[derive(Debug)]
pub struct Link {
    stream: Stream,
    records: Records,
    /// How many bytes wait in the data channel; `None` while it is not open.
    direct: Option<usize>,
    carrier: Option<Carrier>,
    /// Whether our own direct path is known to be there.
    reaches: bool,
    online: bool,
    requests: u32,
    hold_until: Moment,
    heard_at: Moment,
    asked_at: Moment,
    /// Since when there is no server.
    offline_at: Moment,
    silent: bool,
    /// Whether nothing came since this way was taken.
    untried: bool,
    /// When to look again.
    due: Moment,
    over: bool,
}

impl Link {
    /// The link of the side that hailed, or of the other. `online`: whether there is a server now.
    pub fn new(hails: bool, online: bool) -> Self {
        Self {
            stream: Stream::default(),
            records: Records::new(hails),
            direct: None,
            carrier: None,
            reaches: false,
            online,
            requests: 0,
            hold_until: Moment::default(),
            heard_at: Moment::default(),
            asked_at: Moment::default(),
            offline_at: Moment::NEVER,
            silent: false,
            untried: false,
            due: Moment::NEVER,
            over: false,
        }
    }

    /// What our boxes travel over.
    pub fn carrier(&self) -> Option<Carrier> {
        self.carrier
    }

    /// Bytes of ours that the other has, and bytes of its that we have.
    pub fn counts(&self) -> (u64, u64) {
        self.stream.counts()
    }

    /// How long our stream is by now; what was sent on a channel is in it when nothing of it is [`Link::waiting`] any more.
    pub fn written(&self) -> u64 {
        self.stream.written()
    }

    /// The program cannot keep up with what comes, or can again.
    pub fn stall(&mut self, now: Moment, pace: &mut Pace, stalled: bool, out: &mut Vec<LinkOutput>) {
        self.stream.stall(now, stalled);
        self.tick(now, pace, out);
    }

    /// Opens a channel, with a protocol in the sense of WebRTC or an empty one; call [`Link::tick`] after it.
    pub fn open(&mut self, label: &str, protocol: &str) -> Result<ChannelId, NotSent> {
        self.records.open(label, protocol)
    }

    /// Sends a message; call [`Link::tick`] after it, or after several, which then travel together.
    pub fn send(&mut self, channel: ChannelId, message: Message) -> Result<(), NotSent> {
        self.records.send(channel, message)
    }

    /// Closes a channel; call [`Link::tick`] after it.
    pub fn close(&mut self, channel: ChannelId) {
        self.records.close(channel);
    }

    /// Bytes that wait to be sent on a channel.
    pub fn waiting(&self, channel: ChannelId) -> usize {
        self.records.waiting(channel)
    }

    /// The data channel is open and so many bytes wait in it, or it is not open.
    pub fn direct(&mut self, now: Moment, pace: &mut Pace, waiting: Option<usize>, out: &mut Vec<LinkOutput>) {
        self.direct = waiting;
        self.tick(now, pace, out);
    }

    /// From now on boxes take this way. `reaches`: whether our own direct path is there.
    pub fn travel(
        &mut self,
        now: Moment,
        pace: &mut Pace,
        by: Option<Carrier>,
        reaches: bool,
        out: &mut Vec<LinkOutput>,
    ) {
        self.turn(now, by, reaches, out);
        self.tick(now, pace, out);
    }

    /// There is a server again, or no longer.
    pub fn line(&mut self, now: Moment, pace: &mut Pace, online: bool, out: &mut Vec<LinkOutput>) {
        self.online = online;
        self.offline_at = if online { Moment::NEVER } else { self.offline_at.or(now) };
        self.tick(now, pace, out);
    }

    /// A box came.
    pub fn take(&mut self, now: Moment, pace: &mut Pace, packed: &[u8], by: Carrier, out: &mut Vec<LinkOutput>) {
        if self.over {
            return;
        }
        let Some(Taken { bytes, cut }) = self.stream.take(now, packed) else { return };
        self.heard_at = now;
        if Some(by) != self.carrier || self.silent || self.untried {
            self.elsewhere(now, by, cut, out);
        }
        let mut told = Vec::new();
        let taken = self.records.take(bytes, &mut told);
        out.extend(told.into_iter().map(LinkOutput::Told));
        match taken {
            Ok(()) => self.tick(now, pace, out),
            Err(broken) => {
                self.end();
                out.push(LinkOutput::Broken(broken));
            }
        }
    }

    /// What became of a box that was to be relayed.
    pub fn posted(&mut self, now: Moment, pace: &mut Pace, posted: Posted, out: &mut Vec<LinkOutput>) {
        self.requests = self.requests.saturating_sub(1);
        if self.over {
            return;
        }
        let hold = match posted {
            Posted::Acked(DeliveryHeard::Absent) => ABSENT_MS,
            Posted::Acked(_) => 0,
            Posted::Refused { code: SWITCHED_OFF | UNKNOWN_TYPE, .. } => return out.push(LinkOutput::Refused),
            Posted::Refused { code: RATE_LIMITED | TOO_MANY_GUESSES, retry_after } => retry_after.unwrap_or(FULL_MS),
            Posted::Refused { code: QUEUE_FULL, .. } => FULL_MS,
            Posted::Refused { .. } | Posted::Lost => FAILED_MS,
        };
        if hold > 0 {
            self.hold_until = self.hold_until.max(now + hold);
            self.stream.again();
            self.stream.ask();
        }
        if posted == Posted::Acked(DeliveryHeard::Absent) {
            self.quiet(Silence::Absent, out);
        }
        self.tick(now, pace, out);
    }

    /// Sends what may be sent now.
    pub fn tick(&mut self, now: Moment, pace: &mut Pace, out: &mut Vec<LinkOutput>) {
        self.due = match self.carrier {
            _ if self.over => Moment::NEVER,
            Some(Carrier::Direct) => self.pump_direct(now, out),
            Some(Carrier::Relay) => self.pump_relay(now, pace, out),
            None => Moment::NEVER,
        };
        if self.due <= now {
            self.due = now + 1;
        }
    }

    /// When to say [`Link::tick`] at the latest.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.due.known()
    }

    /// Nothing is sent or taken any more.
    pub fn end(&mut self) {
        (self.over, self.due) = (true, Moment::NEVER);
    }

    fn turn(&mut self, now: Moment, by: Option<Carrier>, reaches: bool, out: &mut Vec<LinkOutput>) {
        self.reaches = reaches;
        if self.over || self.carrier == by {
            return;
        }
        self.carrier = by;
        self.stream.again();
        if by.is_some() {
            self.stream.ask();
        }
        (self.heard_at, self.asked_at) = (now, now);
        self.offline_at = if self.online { Moment::NEVER } else { now };
        (self.silent, self.untried) = (false, true);
        out.push(LinkOutput::Moved(by));
    }

    /// A box came by a way that is not ours, or that was silent.
    fn elsewhere(&mut self, now: Moment, by: Carrier, cut: bool, out: &mut Vec<LinkOutput>) {
        match (self.carrier, by) {
            (Some(Carrier::Direct), Carrier::Relay) if cut => self.turn(now, Some(Carrier::Relay), self.reaches, out),
            // The other should know that the direct path is there.
            (Some(Carrier::Direct), Carrier::Relay) => self.stream.ask(),
            (carrier, _) if carrier != Some(by) && (by == Carrier::Relay || self.direct.is_some()) => {
                self.turn(now, Some(by), by == Carrier::Direct, out);
            }
            _ => {}
        }
        self.silent = false;
        if Some(by) == self.carrier {
            self.untried = false;
        }
        out.push(LinkOutput::Heard(by));
    }

    fn pump_direct(&mut self, now: Moment, out: &mut Vec<LinkOutput>) -> Moment {
        while let Some(waiting) = self.direct.filter(|waiting| *waiting < HIGH_BYTES) {
            let lossy = waiting < LOW_BYTES;
            let way = Way { chunk: DIRECT_BYTES, window: u64::MAX, lossy, patience: DIRECT_MS, cut: false };
            let records = &mut self.records;
            let Some(packed) = self.stream.pack(now, way, &mut || records.pull()) else {
                return self.stream.next_deadline().unwrap_or(Moment::NEVER);
            };
            self.direct = Some(waiting + packed.len());
            out.push(LinkOutput::Direct(packed));
        }
        Moment::NEVER
    }

    fn pump_relay(&mut self, now: Moment, pace: &mut Pace, out: &mut Vec<LinkOutput>) -> Moment {
        let watch = self.watch(now, out);
        if pace.chunk() == 0 || !self.online {
            return watch;
        }
        let (chunk, cut) = (pace.chunk(), !self.reaches);
        let way = Way { chunk, window: WINDOW_BYTES, lossy: true, patience: RELAY_MS, cut };
        while self.requests < REQUESTS_MAX {
            let wait = (self.hold_until - now).max(pace.wait(now));
            if wait > 0 {
                return watch.or(now + wait);
            }
            let records = &mut self.records;
            let Some(packed) = self.stream.pack(now, way, &mut || records.pull()) else {
                return watch.or(self.stream.next_deadline().unwrap_or(Moment::NEVER));
            };
            pace.spend(now, packed.len() - stream::HEADER_BYTES);
            self.requests += 1;
            out.push(LinkOutput::Post(packed));
        }
        watch
    }

    /// Asks whoever is quiet, and says so where nothing comes of it.
    fn watch(&mut self, now: Moment, out: &mut Vec<LinkOutput>) -> Moment {
        if self.online && now - self.heard_at >= QUIET_MS && now - self.asked_at >= ASK_MS {
            self.asked_at = now;
            self.stream.ask();
        }
        if now - self.heard_at >= SILENT_MS {
            self.quiet(Silence::Silent, out);
        }
        if self.offline_at + OFFLINE_MS <= now {
            self.quiet(Silence::Offline, out);
        }
        let asks = (self.heard_at + QUIET_MS).max(self.asked_at + ASK_MS);
        let until = (self.heard_at + SILENT_MS).or(self.offline_at + OFFLINE_MS);
        let next = if self.online { asks } else { Moment::NEVER };
        next.or(if self.silent { Moment::NEVER } else { until })
    }

    fn quiet(&mut self, why: Silence, out: &mut Vec<LinkOutput>) {
        if !self.silent && self.carrier == Some(Carrier::Relay) {
            self.silent = true;
            out.push(LinkOutput::Silent(why));
        }
    }
}
