//! The machine under a connection: time, datagrams and orders go in; datagrams, events and the time to be called again come out.
//! It opens no socket and reads no clock. Sessions, ICE, DTLS and SCTP are `str0m`'s, STUN and TURN `turn-client-proto`'s; what is added
//! is how they fit: which addresses are offered, what an offer that crosses another does, and that nothing fills the memory.

mod agree;
mod channels;
mod gather;
mod probe;
mod pulse;
mod relay;
mod seam;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::change::SdpPendingOffer;
use str0m::net::{Protocol, Receive};
use str0m::{IceConnectionState, IceCreds, Rtc};

use crate::channel::{ChannelInit, Message};
use crate::description::{self, Candidate, Description};
use crate::error::Error;
use crate::event::{IceState, Path, Reason, Stats};
use crate::settings::{MESSAGE_BYTES_MAX, Policy};
use channels::Channels;
use gather::{Found, Gatherer, Taken};
use pulse::Pulse;
pub use seam::{ChannelKey, Event, Input, Output, Server, StreamId, Transport};

/// What the library may hold of messages that are underway. Each of its steps looks at all of it, so it gets what the way needs and no
/// more: a little where an answer comes at once, and what 20 MB/s fill where it takes long.
const UNDERWAY_BYTES: usize = 2 * 1024 * 1024;
const UNDERWAY_LEAST: usize = 64 * 1024;
const UNDERWAY_PER_MS: usize = 20 * 1024;
/// How long the way is taken to be until that is known, which takes a second.
const WAY_MS: usize = 15;

/// While nobody reads, so much of what arrives is kept and not yet acknowledged: what the window lets come, with what is around it.
const PARKED_BYTES: usize = 3 * 1024 * 1024;

/// Addresses of the other end that may ask us something.
const ASKERS_MAX: usize = 256;

/// After so many steps without time going on, the search rests.
const SEARCH_STEPS: usize = 8;
const SEARCH_REST: Duration = Duration::from_millis(10);

/// Wraps calls into the STUN and TURN library, which names addresses in spans that a log at its usual level would show.
fn quietly<T>(call: impl FnOnce() -> T) -> T {
    tracing::dispatcher::with_default(&tracing::Dispatch::none(), call)
}

/// One end of a connection.
pub struct Pc {
    rtc: Rtc,
    creds: IceCreds,
    gather: Gatherer,
    channels: Channels,
    outputs: VecDeque<Output>,
    rtc_deadline: Instant,
    gather_deadline: Instant,
    pending: Option<SdpPendingOffer>,
    /// What we said last, without candidates.
    local: Option<Description>,
    locals: Vec<str0m::Candidate>,
    /// What the library calls the section that it made, where others are told [`SECTION`].
    section: Option<String>,
    /// Whether descriptions went both ways.
    agreed: bool,
    /// What the other end calls the search for a path that is under way.
    their_search: Option<String>,
    gathered: bool,
    early: Vec<Candidate>,
    remotes: Vec<(SocketAddr, String)>,
    askers: Vec<SocketAddr>,
    message_bytes: usize,
    pulse: Pulse,
    parked: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    parked_bytes: usize,
    paused: bool,
    stats: Stats,
    /// The two ends of the path that is in use.
    path: Option<(SocketAddr, SocketAddr)>,
    closed: bool,
}

impl Pc {
    /// A connection that nobody knows of yet.
    pub fn new(now: Instant, policy: Policy) -> Self {
        let creds = IceCreds::new();
        Self {
            rtc: agree::build(now, &creds),
            creds,
            gather: Gatherer::new(now, policy == Policy::All),
            channels: Channels::default(),
            outputs: VecDeque::new(),
            rtc_deadline: now,
            gather_deadline: now,
            pending: None,
            local: None,
            locals: Vec::new(),
            section: None,
            agreed: false,
            their_search: None,
            gathered: false,
            early: Vec::new(),
            remotes: Vec::new(),
            askers: Vec::new(),
            message_bytes: MESSAGE_BYTES_MAX,
            pulse: Pulse::new(now),
            parked: VecDeque::new(),
            parked_bytes: 0,
            paused: false,
            stats: Stats::default(),
            path: None,
            closed: false,
        }
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to be called with [`Input::Timeout`], if nothing happens before.
    pub fn deadline(&self) -> Instant {
        let next = self.rtc_deadline.min(self.gather_deadline);
        self.pulse.deadline().map_or(next, |look| look.min(next))
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        if self.closed {
            return;
        }
        let mut found = Vec::new();
        let mut search = true;
        match input {
            Input::Timeout => self.time(now),
            Input::Socket { local, offered } => self.gather.add_socket(now, local, offered, &mut found),
            Input::SocketGone { local } => self.gather.remove_socket(local, &mut found),
            Input::Datagram { local, from, data } => match self.gather.datagram(now, local, from, data, &mut found) {
                Taken::Used => {}
                Taken::Peer { to, from, data } => {
                    // Most datagrams are of the session, and no business of the search.
                    search = false;
                    self.packet(now, to, from, &data);
                }
            },
            Input::StreamOpened { stream, local } => self.gather.stream_opened(stream, local),
            Input::StreamClosed { stream } => self.gather.stream_closed(stream, &mut found),
            Input::StreamData { stream, data } => {
                let mut packets = Vec::new();
                self.gather.stream_data(now, stream, data, |to, from, data| packets.push((to, from, data.to_vec())));
                for (to, from, data) in packets {
                    self.packet(now, to, from, &data);
                }
            }
            Input::ServersEnd => self.gather.servers_end(),
        }
        if search || now >= self.gather_deadline {
            self.search(now, found);
        }
        self.settle(now);
    }

    /// Names a server to ask.
    pub fn server(&mut self, now: Instant, server: Server) {
        self.gather.add_server(now, server);
        self.search(now, Vec::new());
    }

    /// Begins the search for our own addresses anew: sockets stay, servers are to be named again.
    pub fn gather_again(&mut self, now: Instant) {
        self.gathered = false;
        self.gather.again(now);
    }

    /// What waits for a channel to open, or opens it. It does so when both ends have described themselves.
    pub fn channel(&mut self, now: Instant, init: ChannelInit) -> Result<ChannelKey, Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        let key = self.channels.want(&mut self.rtc, init)?;
        if self.agreed {
            self.channels.open_wanted(&mut self.rtc);
            self.time(now);
            self.settle(now);
        }
        Ok(key)
    }

    /// Says something on a channel, as soon as it is open and there is room.
    pub fn send(&mut self, now: Instant, key: ChannelKey, message: Message) -> Result<(), Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        let (size, most) = (message.len(), self.message_bytes_max());
        if size > most {
            return Err(Error::TooLarge { size, most });
        }
        if size == 0 {
            // The library would send nothing and count it as sent, and the channel would stand still for ever.
            return Err(Error::Empty);
        }
        self.channels.push(key, message)?;
        self.settle(now);
        Ok(())
    }

    /// Ends a channel when all that was said on it has arrived.
    pub fn close_channel(&mut self, now: Instant, key: ChannelKey) {
        let outputs = &mut self.outputs;
        self.channels.close(key, |event| outputs.push_back(Output::Event(event)));
        self.settle(now);
    }

    /// How large a message may be that we send.
    pub fn message_bytes_max(&self) -> usize {
        self.message_bytes
    }

    /// Bytes of a channel that are underway: given to the network, and not known to have arrived.
    pub fn underway(&mut self, key: ChannelKey) -> usize {
        self.channels.underway(&mut self.rtc, key)
    }

    /// Numbers about the connection.
    pub fn stats(&self) -> Stats {
        let Some((ours, theirs)) = self.path else { return self.stats.clone() };
        let relayed = self.gather.is_relayed(ours);
        let remote =
            self.remotes.iter().find(|(address, _)| *address == theirs).map_or("prflx", |(_, kind)| kind.as_str());
        Stats {
            path: Some(if relayed || remote == "relay" { Path::Turn } else { Path::Direct }),
            local: Some(if relayed { "relay" } else { "host" }),
            remote: Some(remote.to_owned()),
            ..self.stats.clone()
        }
    }

    /// While paused, what arrives on channels is kept and not acknowledged, so that the other end slows down and then waits.
    pub fn pause(&mut self, now: Instant, paused: bool) {
        self.paused = paused;
        while let Some((to, from, data)) = if self.paused { None } else { self.parked.pop_front() } {
            self.parked_bytes -= data.len();
            self.packet(now, to, from, &data);
        }
        self.settle(now);
    }

    /// Ends the connection: what is to be sent then is said once.
    pub fn close(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        let _ = self.rtc.close();
        self.drain(now);
        self.gather.close(now, &mut self.outputs);
        self.over(Reason::Closed);
    }

    /// A packet that is for the library.
    fn packet(&mut self, now: Instant, to: SocketAddr, from: SocketAddr, data: &[u8]) {
        if self.closed || (!self.gather.is_relayed(to) && !self.locals.iter().any(|ours| ours.addr() == to)) {
            return;
        }
        let is_session = data.first().is_some_and(|byte| (20..64).contains(byte));
        if self.is_known(from) {
            let told = self.pulse.hear(now);
            self.tell(told);
        }
        if is_session && self.paused {
            if self.parked_bytes + data.len() <= PARKED_BYTES {
                self.parked_bytes += data.len();
                self.parked.push_back((to, from, data.to_vec()));
            }
            return;
        }
        let known = self.is_known(from);
        let Ok(receive) = Receive::new(Protocol::Udp, from, to, data) else { return };
        let input = str0m::Input::Receive(now, receive);
        if !known {
            // A session is only begun with who asked or answered as the description said, and whoever does so from ever other addresses
            // does not make us remember them all.
            if is_session || self.askers.len() >= ASKERS_MAX || !self.rtc.accepts(&input) {
                return;
            }
            self.askers.push(from);
        }
        // A packet that the library refuses is one that anybody can send.
        let _ = self.rtc.handle_input(input);
        self.drain(now);
    }

    /// Whether somebody at this address showed that it knows the description.
    fn is_known(&self, from: SocketAddr) -> bool {
        self.path.is_some_and(|(_, theirs)| theirs == from) || self.askers.contains(&from)
    }

    /// Nothing but time, for the library.
    fn time(&mut self, now: Instant) {
        if let Err(error) = self.rtc.handle_input(str0m::Input::Timeout(now)) {
            self.over(Reason::Failed(error.to_string()));
        }
        let told = self.pulse.look(now);
        self.tell(told);
    }

    /// Hands over what may be sent, and hears the library each time until it has nothing more to say.
    fn settle(&mut self, now: Instant) {
        self.drain(now);
        while !self.closed && self.channels.is_busy() {
            let way = self.stats.rtt.map_or(WAY_MS, |rtt| usize::try_from(rtt.as_millis()).unwrap_or(usize::MAX));
            let most = UNDERWAY_PER_MS.saturating_mul(way).clamp(UNDERWAY_LEAST, UNDERWAY_BYTES);
            let outputs = &mut self.outputs;
            if !self.channels.step(&mut self.rtc, most, |event| outputs.push_back(Output::Event(event))) {
                return;
            }
            self.drain(now);
        }
    }

    /// Hears the library until it has nothing more to say.
    fn drain(&mut self, now: Instant) {
        while !self.closed {
            match self.rtc.poll_output() {
                Ok(str0m::Output::Timeout(at)) => {
                    self.rtc_deadline = at;
                    break;
                }
                Ok(str0m::Output::Transmit(transmit)) => self.transmit(now, transmit),
                Ok(str0m::Output::Event(event)) => self.event(now, event),
                Err(error) => self.over(Reason::Failed(error.to_string())),
            }
        }
        if !self.closed && !self.rtc.is_alive() {
            self.over(Reason::Failed("the session broke".to_owned()));
        }
    }

    fn transmit(&mut self, now: Instant, transmit: str0m::net::Transmit) {
        let (from, to) = (transmit.source, transmit.destination);
        let data: Vec<u8> = transmit.contents.into();
        if data.first().is_some_and(|byte| *byte >= 20) {
            self.path = Some((from, to));
        }
        if self.gather.is_relayed(from) {
            let output = self.gather.relay(now, from, to, data);
            // A permit that was lacking is asked for when the search is polled.
            if output.is_none() {
                self.gather_deadline = now;
            }
            self.outputs.extend(output);
        } else {
            self.outputs.push_back(Output::Datagram { from, to, data });
        }
    }

    fn event(&mut self, now: Instant, event: str0m::Event) {
        let outputs = &mut self.outputs;
        let emit = |event| outputs.push_back(Output::Event(event));
        match event {
            str0m::Event::IceConnectionStateChange(state) => {
                let told = self.pulse.say(
                    now,
                    match state {
                        IceConnectionState::New => IceState::New,
                        IceConnectionState::Checking => IceState::Checking,
                        IceConnectionState::Connected | IceConnectionState::Completed => IceState::Connected,
                        IceConnectionState::Disconnected => IceState::Disconnected,
                    },
                );
                self.tell(told);
            }
            str0m::Event::ChannelOpen(id, label) => self.channels.opened(&mut self.rtc, id, label, emit),
            str0m::Event::ChannelBufferedAmountLow(id) => self.channels.low(id),
            str0m::Event::ChannelClose(id) => self.channels.closed(id, emit),
            str0m::Event::ChannelData(data) => {
                if let Some(key) = self.channels.key_of(data.id) {
                    let message = if data.binary {
                        Message::Binary(data.data.into())
                    } else {
                        Message::Text(
                            String::from_utf8(data.data)
                                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
                        )
                    };
                    outputs.push_back(Output::Event(Event::Message(key, message)));
                }
            }
            str0m::Event::PeerStats(stats) => {
                self.stats.sent = stats.peer_bytes_tx;
                self.stats.received = stats.peer_bytes_rx;
                self.stats.rtt = stats.selected_candidate_pair.and_then(|pair| pair.current_round_trip_time);
            }
            str0m::Event::Closed => {
                // What the library has to say to this is said before the end.
                for _ in 0..16 {
                    match self.rtc.poll_output() {
                        Ok(str0m::Output::Transmit(transmit)) => self.transmit(now, transmit),
                        Ok(str0m::Output::Event(_)) => {}
                        Ok(str0m::Output::Timeout(_)) | Err(_) => break,
                    }
                }
                self.gather.close(now, &mut self.outputs);
                self.over(Reason::Left);
            }
            _ => {}
        }
    }

    fn tell(&mut self, state: Option<IceState>) {
        if !self.closed {
            self.outputs.extend(state.map(|state| Output::Event(Event::Ice(state))));
        }
    }

    /// Moves the search for our own addresses on.
    fn search(&mut self, now: Instant, mut found: Vec<Found>) {
        if self.closed {
            return;
        }
        // What is found may have something to say at once; but not for ever.
        for _ in 0..SEARCH_STEPS {
            self.gather_deadline = self.gather.poll(now, &mut self.outputs, &mut found);
            for found in found.drain(..) {
                self.found(now, found);
            }
            if self.gather_deadline > now || self.closed {
                return;
            }
        }
        self.gather_deadline = now + SEARCH_REST;
    }

    fn found(&mut self, now: Instant, found: Found) {
        let candidate = match found {
            Found::Host(address) => str0m::Candidate::host(address, "udp"),
            Found::Reflexive { address, base } => str0m::Candidate::server_reflexive(address, base, "udp"),
            Found::Relayed { address, local } => str0m::Candidate::relayed(address, local, "udp"),
            Found::Lost(address) => {
                for lost in
                    self.locals.extract_if(.., |candidate| candidate.addr() == address || candidate.local() == address)
                {
                    self.rtc.direct_api().invalidate_candidate(&lost);
                }
                self.time(now);
                self.drain(now);
                return;
            }
            Found::End => {
                if !self.gathered {
                    self.gathered = true;
                    self.outputs.push_back(Output::Event(Event::Gathered));
                }
                return;
            }
        };
        let Ok(candidate) = candidate else { return };
        let Some(taken) = self.rtc.add_local_candidate(candidate).cloned() else { return };
        self.time(now);
        self.drain(now);
        if let Some(local) = &self.local {
            let candidate = Candidate {
                candidate: self.line(&taken, &local.sdp),
                sdp_mid: description::attribute(&local.sdp, "mid").map(str::to_owned),
                sdp_m_line_index: Some(0),
                username_fragment: description::attribute(&local.sdp, "ice-ufrag").map(str::to_owned),
            };
            self.outputs.push_back(Output::Event(Event::Candidate(candidate)));
        }
        self.locals.push(taken);
    }

    fn over(&mut self, reason: Reason) {
        if !self.closed {
            self.closed = true;
            self.parked.clear();
            self.outputs.push_back(Output::Event(Event::Closed(reason)));
        }
    }
}

#[cfg(test)]
mod tests;
