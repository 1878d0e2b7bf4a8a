//! The real engine: `str0m` with sockets of this machine under it, one task for each connection.

mod net;
mod servers;
mod stream;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio::sync::{mpsc, oneshot};
use tracing::Instrument as _;

use crate::engine::{Engine, Event, Events, Order, Orders, PeerConnection, Teller};
use crate::error::Error;
use crate::event::{IceState, Reason};
use crate::line::LineEnd;
use crate::pc::{self, ChannelKey, Input, Output, Pc, Server};
use crate::settings::{Policy, Settings, UNREAD_BYTES_MAX};
use net::Net;
use stream::{News, Stream};

/// How often this machine's addresses are compared with those that we have sockets on.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const LOOK_OFTEN: Duration = Duration::from_secs(1);

/// So many datagrams are read, and so many orders obeyed, before what follows from them is sent.
const READ_BATCH: usize = 64;
const ORDER_BATCH: usize = 16;

/// What waits between our tasks.
const NEWS_MAX: usize = 64;

/// WebRTC by `str0m`, on the sockets of this machine. Connections run on the runtime that `connect` is called in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Native;

impl Engine for Native {
    fn connect(&self, settings: Settings) -> (PeerConnection, Events) {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let (connection, events, orders, teller) = PeerConnection::new();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let span = tracing::info_span!("rtc", connection = number);
        let last = teller.clone();
        let driver = tokio::spawn(Driver::new(settings, orders, teller).run().instrument(span.clone()));
        tokio::spawn(
            async move {
                let reason = driver.await.unwrap_or_else(|_| Reason::Failed("the engine broke".to_owned()));
                tracing::info!(reason = %named(&reason), "connection over");
                last.tell(Event::Closed(reason));
            }
            .instrument(span),
        );
        (connection, events)
    }
}

fn named(reason: &Reason) -> &'static str {
    match reason {
        Reason::Closed => "closed",
        Reason::Left => "left",
        Reason::Failed(_) => "failed",
    }
}

struct Driver {
    settings: Settings,
    pc: Pc,
    net: Net,
    orders: Orders,
    teller: Teller,
    lines: BTreeMap<ChannelKey, LineEnd>,
    streams: Vec<Stream>,
    tls: Option<Arc<ClientConfig>>,
    news: (mpsc::Sender<News>, mpsc::Receiver<News>),
    found: (mpsc::Sender<Found>, mpsc::Receiver<Found>),
    /// Which list of servers counts; lookups of an older one are passed over.
    generation: u32,
    ice: IceState,
    paused: bool,
    looked: Instant,
    over: Option<Reason>,
    /// Who waits for the end; dropped when what is said then has been sent.
    closers: Vec<oneshot::Sender<()>>,
}

/// What a lookup of server names found.
struct Found {
    generation: u32,
    servers: Vec<Server>,
    last: bool,
}

impl Driver {
    fn new(settings: Settings, orders: Orders, teller: Teller) -> Self {
        let now = Instant::now();
        Self {
            pc: Pc::new(now, settings.policy),
            net: Net::new(),
            orders,
            teller,
            lines: BTreeMap::new(),
            streams: Vec::new(),
            tls: None,
            news: mpsc::channel(NEWS_MAX),
            found: mpsc::channel(NEWS_MAX),
            generation: 0,
            ice: IceState::New,
            paused: false,
            looked: now,
            over: None,
            closers: Vec::new(),
            settings,
        }
    }

    async fn run(mut self) -> Reason {
        self.look();
        self.ask();
        loop {
            self.flush().await;
            if let Some(reason) = self.over.take() {
                return reason;
            }
            let often = matches!(self.ice, IceState::Disconnected | IceState::Failed);
            let look = self.looked + if often { LOOK_OFTEN } else { LOOK_EVERY };
            let deadline = self.pc.deadline().min(look);
            tokio::select! {
                place = self.net.readable() => self.read(place),
                order = self.orders.next() => self.obey(order),
                Some(news) = self.news.1.recv() => self.hear(news),
                Some(found) = self.found.1.recv() => self.servers(found),
                () = self.teller.read(), if self.paused => {}
                () = tokio::time::sleep_until(deadline.into()) => {
                    let now = Instant::now();
                    if now >= look {
                        self.look();
                    }
                    self.pc.handle(now, Input::Timeout);
                }
            }
            if self.paused && self.teller.unread() < UNREAD_BYTES_MAX / 2 {
                self.paused = false;
                self.pc.pause(Instant::now(), false);
            }
        }
    }

    /// Takes in what has come on a socket, but not so much that the other end waits for our word on it.
    fn read(&mut self, place: usize) {
        let now = Instant::now();
        let (pc, mut count) = (&mut self.pc, 0);
        while count < READ_BATCH {
            let any = self.net.read(place, |local, from, data| {
                count += 1;
                pc.handle(now, Input::Datagram { local, from, data });
            });
            if !any {
                break;
            }
        }
    }

    fn hear(&mut self, news: News) {
        let now = Instant::now();
        match news {
            News::Opened { stream, local } => self.pc.handle(now, Input::StreamOpened { stream, local }),
            News::Data { stream, data } => self.pc.handle(now, Input::StreamData { stream, data: &data }),
            News::Closed { stream } => {
                self.streams.retain(|open| open.id != stream);
                self.pc.handle(now, Input::StreamClosed { stream });
            }
        }
    }

    fn obey(&mut self, order: Option<Order>) {
        let Some(order) = order else {
            // Nobody holds the connection any more.
            self.pc.close(Instant::now());
            return;
        };
        self.obey_one(order);
        for _ in 0..ORDER_BATCH {
            match self.orders.0.try_recv() {
                Ok(order) => self.obey_one(order),
                Err(_) => break,
            }
        }
    }

    /// An answer that nobody waits for is not missed.
    fn obey_one(&mut self, order: Order) {
        let now = Instant::now();
        match order {
            Order::Offer { restart, reply } => {
                if restart {
                    self.search_anew();
                }
                let _ = reply.send(self.pc.offer(now, restart));
            }
            Order::Describe { description, reply } => {
                // Whoever answers may be the one that moved, and not know it yet.
                if self.pc.is_restart(&description) {
                    self.search_anew();
                }
                let _ = reply.send(self.pc.describe(now, &description));
            }
            Order::LocalDescription(reply) => {
                let _ = reply.send(self.pc.local_description());
            }
            Order::Candidates(candidates) => self.pc.candidates(now, &candidates),
            Order::Channel { init, reply } => {
                let made = self.pc.channel(now, init.clone()).map(|key| {
                    let (channel, messages, end) = self.teller.line(key.number(), init);
                    self.lines.insert(key, end);
                    (channel, messages)
                });
                let _ = reply.send(made);
            }
            Order::Servers(servers) => {
                self.settings.ice_servers = servers;
                self.ask();
            }
            Order::Stats(reply) => {
                let _ = reply.send(self.pc.stats());
            }
            Order::Send(parcel) => {
                let (number, message) = parcel.open();
                let cost = message.cost();
                let key = ChannelKey::of(number);
                if let (Err(_), Some(line)) = (self.pc.send(now, key, message), self.lines.get(&key)) {
                    line.room(cost);
                }
            }
            Order::CloseChannel(number) => self.pc.close_channel(now, ChannelKey::of(number)),
            Order::Close(reply) => {
                self.pc.close(now);
                self.closers.push(reply);
            }
        }
    }

    /// Where can we be reached now?
    fn search_anew(&mut self) {
        self.look();
        self.ask();
    }

    /// Names servers to the machine, once their names are looked up.
    fn ask(&mut self) {
        self.generation += 1;
        self.pc.gather_again(Instant::now());
        let generation = self.generation;
        let urls = servers::urls(&self.settings.ice_servers);
        let found = self.found.0.clone();
        tokio::spawn(async move {
            let mut lookups: tokio::task::JoinSet<_> = urls.into_iter().map(servers::look_up).collect();
            while let Some(servers) = lookups.join_next().await {
                let servers = servers.unwrap_or_default();
                let _ = found.send(Found { generation, servers, last: false }).await;
            }
            let _ = found.send(Found { generation, servers: Vec::new(), last: true }).await;
        });
    }

    fn servers(&mut self, found: Found) {
        if found.generation != self.generation {
            return;
        }
        let now = Instant::now();
        for server in found.servers {
            if server.transport == pc::Transport::TurnUdp && !self.net.locals().any(|local| local.ip() == server.via) {
                self.bind(server.via, false);
            }
            self.pc.server(now, server);
        }
        if found.last {
            self.pc.handle(now, Input::ServersEnd);
        }
    }

    /// Compares this machine's addresses with our sockets.
    fn look(&mut self) {
        let first = self.net.locals().next().is_none();
        self.looked = Instant::now();
        if self.settings.policy == Policy::Relay {
            return;
        }
        let addresses = net::addresses(self.settings.loopback);
        let (mut come, mut gone) = (false, Vec::new());
        for address in &addresses {
            if !self.net.locals().any(|local| local.ip() == *address) {
                come |= self.bind(*address, true);
            }
        }
        gone.extend(self.net.locals().filter(|local| !local.ip().is_loopback() && !addresses.contains(&local.ip())));
        for local in &gone {
            self.net.drop(*local);
            self.pc.handle(Instant::now(), Input::SocketGone { local: *local });
        }
        if !first && (come || !gone.is_empty()) {
            tracing::info!("this machine's addresses are others");
            self.teller.tell(Event::NetworkChanged);
        }
    }

    fn bind(&mut self, address: IpAddr, offered: bool) -> bool {
        match self.net.bind(address) {
            Ok(local) => {
                self.pc.handle(Instant::now(), Input::Socket { local, offered });
                true
            }
            Err(error) => {
                tracing::debug!(kind = ?error.kind(), "no socket on an address of this machine");
                false
            }
        }
    }

    /// Does what the machine wants done.
    async fn flush(&mut self) {
        let mut batch = Batch::default();
        while let Some(output) = self.pc.poll() {
            match output {
                Output::Datagram { from, to, data } => {
                    if !batch.fits(from, to, &data, self.net.batch(from)) {
                        batch.send(&self.net).await;
                    }
                    batch.push(from, to, &data);
                    continue;
                }
                Output::Connect { stream, to, tls } => {
                    let tls = tls.map(|name| (name, self.roots()));
                    self.streams.push(Stream::open(stream, to, tls, self.news.0.clone()));
                }
                Output::Stream { stream, data } => {
                    if let Some(open) = self.streams.iter().find(|open| open.id == stream) {
                        open.write(data);
                    }
                }
                Output::HangUp { stream } => self.streams.retain(|open| open.id != stream),
                Output::Event(event) => self.event(event),
            }
        }
        batch.send(&self.net).await;
        for (key, line) in self.lines.iter().filter(|(_, line)| line.is_underway()) {
            line.underway(self.pc.underway(*key));
        }
    }

    fn roots(&mut self) -> Arc<ClientConfig> {
        Arc::clone(self.tls.get_or_insert_with(|| stream::tls(&self.settings.turn_roots)))
    }

    fn event(&mut self, event: pc::Event) {
        let told = match event {
            pc::Event::Candidate(candidate) => self.teller.tell(Event::Candidate(candidate)),
            pc::Event::Gathered => self.teller.tell(Event::Gathered),
            pc::Event::Ice(state) => {
                self.ice = state;
                tracing::info!(?state, path = ?self.pc.stats().path, "search for a path");
                self.teller.tell(Event::Ice(state))
            }
            pc::Event::ChannelOpened(key) => {
                let most = self.pc.message_bytes_max();
                self.lines.get(&key).inspect(|line| line.opened(most));
                true
            }
            pc::Event::Channel(key, init) => {
                let (channel, messages, end) = self.teller.line(key.number(), init);
                end.opened(self.pc.message_bytes_max());
                self.lines.insert(key, end);
                self.teller.tell(Event::Channel(channel, messages))
            }
            pc::Event::ChannelClosed(key) => {
                self.lines.remove(&key);
                true
            }
            pc::Event::Message(key, message) => {
                self.lines.get(&key).inspect(|line| line.message(message));
                if !self.paused && self.teller.unread() >= UNREAD_BYTES_MAX {
                    self.paused = true;
                    self.pc.pause(Instant::now(), true);
                }
                true
            }
            pc::Event::Room(key, cost) => {
                let underway = self.pc.underway(key);
                if let Some(line) = self.lines.get(&key) {
                    // In this order, so that nobody who waits for all to arrive finds nothing in between.
                    line.underway(underway);
                    line.room(cost);
                }
                true
            }
            pc::Event::Closed(reason) => {
                self.lines.clear();
                self.over = Some(reason);
                true
            }
        };
        if !told && self.over.is_none() {
            self.over = Some(Reason::Failed(Error::Closed.to_string()));
        }
    }
}

/// Datagrams to one place, of one size, that go out together.
#[derive(Default)]
struct Batch {
    ends: Option<(SocketAddr, SocketAddr)>,
    data: Vec<u8>,
    size: usize,
    count: usize,
    /// A shorter one was the last.
    full: bool,
}

impl Batch {
    fn fits(&self, from: SocketAddr, to: SocketAddr, data: &[u8], most: usize) -> bool {
        self.ends.is_none()
            || (self.ends == Some((from, to))
                && !self.full
                && data.len() <= self.size
                && self.count < most
                && self.data.len() + data.len() <= 60_000)
    }

    fn push(&mut self, from: SocketAddr, to: SocketAddr, data: &[u8]) {
        if self.ends.is_none() {
            self.ends = Some((from, to));
            self.size = data.len();
        }
        self.full = data.len() < self.size;
        self.data.extend_from_slice(data);
        self.count += 1;
    }

    async fn send(&mut self, net: &Net) {
        if let Some((from, to)) = self.ends.take() {
            net.send(from, to, &self.data, self.size).await;
        }
        self.data.clear();
        self.count = 0;
        self.full = false;
    }
}
