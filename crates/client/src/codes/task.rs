//! One connection that came about by codes: a task with its engine and the two sides' talk about it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep_until, timeout};
use tracing::{Instrument, debug, info_span};
use wigwag_peer::calls::{At, CallError, ConnectionId, ConnectionState, EngineEvent, Order};
use wigwag_peer::finding::ChannelSide;
use wigwag_peer::meeting::{Meeting, MeetingInput, MeetingOutput, Met, PROTOCOL, SIGNALS};
use wigwag_peer::{Moment, Signer};
use wigwag_rtc::{
    Candidate, Channel, ChannelInit, Error, Event, IceState, Message, Messages, Path, PeerConnection, Reason,
};
use wigwag_wire::PublicKey;

use super::{CodeError, Half, Setup};
use crate::connection::{Connection, Ended, Standing, Whom};
use crate::link::{CHANNELS_MAX, Parts, words};
use crate::post::{Letter, post};

/// How often the acceptor knocks: an address behind a NAT is out of reach when ICE gave it up.
const KNOCK: Duration = Duration::from_secs(6);

/// How long a goodbye may take.
const FAREWELL: Duration = Duration::from_secs(2);

type Opened = Result<Connection, CodeError>;

pub(super) struct Task {
    side: ChannelSide,
    half: Half,
    theirs: String,
    /// The main channel, and what comes on it until somebody has the connection.
    main: Option<Channel>,
    messages: Option<Messages>,
    meeting: Meeting,
    began: Instant,
    /// When it is given up, until it is open.
    until: Instant,
    is_open: bool,
    signals: Option<(Channel, Messages)>,
    is_ready: bool,
    /// Channels that the other side opens, and where they come out.
    others: mpsc::Sender<(Channel, Messages)>,
    came: Option<mpsc::Receiver<(Channel, Messages)>>,
    path: watch::Sender<Option<Path>>,
    standing: watch::Sender<Standing>,
    reply: Option<oneshot::Sender<Opened>>,
    /// The offer's candidates, and how often they were given to the engine.
    candidates: Vec<Candidate>,
    knocks: u32,
    knock_at: Instant,
}

impl Task {
    /// Begins, and says where its outcome comes.
    pub(super) fn start(
        setup: &Setup,
        side: ChannelSide,
        mut half: Half,
        theirs: &str,
        expected: Option<PublicKey>,
        patience: Duration,
    ) -> oneshot::Receiver<Opened> {
        let (reply, opened) = oneshot::channel();
        let signer = setup.signer.clone().map(|signer| Box::new(signer) as Box<dyn Signer + Send>);
        let pins = Box::new(setup.pins.clone());
        let meeting = Meeting::new(side, (setup.me)(), signer, pins, expected, [&half.sdp, theirs]);
        let now = Instant::now();
        let (others, came) = mpsc::channel(CHANNELS_MAX);
        let knocks = side == ChannelSide::Acceptor;
        let (main, messages) = half.main.take().unzip();
        let task = Self {
            side,
            half,
            theirs: theirs.to_owned(),
            main,
            messages,
            meeting,
            began: now,
            until: now + patience,
            is_open: false,
            signals: None,
            is_ready: false,
            others,
            came: Some(came),
            path: watch::Sender::new(None),
            standing: watch::Sender::new(Standing { state: ConnectionState::Connecting, ended: None }),
            reply: Some(reply),
            candidates: if knocks { candidates(theirs) } else { Vec::new() },
            knocks: 0,
            knock_at: now + KNOCK,
        };
        tokio::spawn(task.run().instrument(info_span!("code")));
        opened
    }

    async fn run(mut self) {
        let (post, mut letters) = post();
        let (held, mut dropped) = oneshot::channel();
        let mut parts = Some((post, held));
        let mut is_held = true;
        while self.reply.is_some() || self.standing.borrow().ended.is_none() {
            let due = self.meeting.next_deadline().map(|due| self.began + Duration::from_millis(due.0));
            let patience = (!self.is_open).then_some(self.until);
            let knock = (!self.is_open && !self.candidates.is_empty()).then_some(self.knock_at);
            let next = [due, patience, knock].into_iter().flatten().min();
            let alarm = async {
                match next {
                    Some(next) => sleep_until(next.into()).await,
                    None => std::future::pending().await,
                }
            };
            let signals = self.signals.as_ref().map(|(signals, _)| signals.clone());
            let input = tokio::select! {
                event = self.half.events.next() => self.event(event).await,
                () = opened(self.main.as_ref()), if !self.is_open => self.opened().await,
                () = closed(self.main.as_ref()), if self.is_open => Some(MeetingInput::Engine(EngineEvent::Left)),
                () = opened(signals.as_ref()), if !self.is_ready => {
                    self.is_ready = true;
                    Some(MeetingInput::Ready)
                }
                said = said(self.signals.as_mut()), if self.is_ready => match said {
                    Some(Message::Text(text)) => Some(MeetingInput::Said(text)),
                    Some(Message::Binary(_)) => None,
                    None => Some(MeetingInput::Engine(EngineEvent::Left)),
                },
                letter = letters.recv() => match letter {
                    Some(Letter::Hang(_, why)) => Some(MeetingInput::Close(why)),
                    Some(Letter::Network) => Some(MeetingInput::Network),
                    Some(_) => None,
                    // Nobody holds the connection any more, and nobody ever will.
                    None => Some(MeetingInput::Close("closed".to_owned())),
                },
                _ = &mut dropped, if is_held => {
                    is_held = false;
                    Some(MeetingInput::Close("closed".to_owned()))
                }
                () = unwanted(self.reply.as_mut()) => Some(MeetingInput::Close("closed".to_owned())),
                () = alarm => self.due().await,
            };
            let Some(input) = input else { continue };
            if self.tell(input, &mut parts).await {
                break;
            }
        }
        debug!("over");
    }

    /// Hands something to the meeting, and does what it wants. True at the end.
    async fn tell(
        &mut self,
        input: MeetingInput,
        parts: &mut Option<(crate::post::Post, oneshot::Sender<()>)>,
    ) -> bool {
        let mut todo = Vec::from([input]);
        let mut is_over = false;
        while let Some(input) = todo.pop() {
            let mut out = Vec::new();
            let now = Moment(u64::try_from(self.began.elapsed().as_micros().div_ceil(1_000)).unwrap_or(u64::MAX));
            self.meeting.handle(now, input, &mut out);
            for output in out {
                match output {
                    MeetingOutput::Say(text) => {
                        if let Some((signals, _)) = &self.signals
                            && signals.is_open()
                        {
                            let _ = signals.send(text).await;
                        }
                    }
                    MeetingOutput::Order(Order::End) => {
                        if let Some((signals, _)) = &self.signals {
                            let _ = timeout(FAREWELL, signals.flushed()).await;
                        }
                        self.half.pc.close().await;
                    }
                    MeetingOutput::Order(order) => match words::carry_out(&self.half.pc, order).await {
                        Ok(Some(description)) => {
                            todo.push(MeetingInput::Engine(EngineEvent::Described(description)));
                        }
                        Ok(None) | Err(Error::Stale | Error::Nothing) => {}
                        Err(why) => todo.push(MeetingInput::Engine(EngineEvent::Failed(why.to_string()))),
                    },
                    MeetingOutput::Met(met) => self.met(met, parts.take()),
                    MeetingOutput::State(state) => self.standing.send_modify(|standing| standing.state = state),
                    MeetingOutput::Closed { reason, error } => {
                        if let Some(reply) = self.reply.take() {
                            let _ = reply.send(Err(error.clone().unwrap_or(CallError::Left).into()));
                        }
                        let ended = Some(Ended { reason, error });
                        self.standing.send_replace(Standing { state: ConnectionState::Closed, ended });
                        is_over = true;
                    }
                }
            }
        }
        is_over
    }

    /// It is known who the other side is.
    fn met(&mut self, met: Met, parts: Option<(crate::post::Post, oneshot::Sender<()>)>) {
        let (Some((post, held)), Some(main), Some(messages), Some(channels), Some(reply)) =
            (parts, self.main.clone(), self.messages.take(), self.came.take(), self.reply.take())
        else {
            return;
        };
        self.standing.send_modify(|standing| standing.state = ConnectionState::Open);
        let Met { id, key, verified, plain } = met;
        let whom = Whom { id, device: String::new(), key, verified, finder: "code", plain };
        let (pc, path) = (self.half.pc.clone(), self.path.subscribe());
        let parts = Parts { pc, main, messages, channels, path, held };
        let connection = Connection::new(ConnectionId(0), whom, parts, self.standing.subscribe(), post);
        // Where nobody waits any more, it is dropped and so ended.
        let _ = reply.send(Ok(connection));
    }

    async fn event(&mut self, event: Option<Event>) -> Option<MeetingInput> {
        let told = match event? {
            Event::Channel(channel, messages) if self.main.is_none() => {
                (self.main, self.messages) = (Some(channel), Some(messages));
                return None;
            }
            Event::Channel(channel, messages) if channel.label() == SIGNALS && self.signals.is_none() => {
                self.signals = Some((channel, messages));
                return None;
            }
            Event::Channel(channel, messages) => {
                // Who does not ask for them does not want them.
                let _ = self.others.try_send((channel, messages));
                return None;
            }
            Event::Ice(state) => {
                if state == IceState::Connected {
                    look(&self.half.pc, &self.path).await;
                }
                if !self.is_open {
                    // To the acceptor that says nothing: the other side may not have read the answer yet.
                    let is_lost = state == IceState::Failed && self.side == ChannelSide::Offerer;
                    return is_lost.then(|| self.give_up(self.no_path(), "no_path"));
                }
                EngineEvent::Ice(words::ice(state)?)
            }
            Event::Candidate(candidate) if self.is_open => EngineEvent::Candidate(Some(words::outgoing(candidate))),
            Event::Gathered if self.is_open => EngineEvent::Candidate(None),
            Event::NetworkChanged if self.is_open => return Some(MeetingInput::Network),
            Event::Closed(Reason::Failed(why)) => EngineEvent::Failed(why),
            Event::Closed(_) => EngineEvent::Left,
            _ => return None,
        };
        Some(MeetingInput::Engine(told))
    }

    /// The main channel is open.
    async fn opened(&mut self) -> Option<MeetingInput> {
        self.is_open = true;
        let speaks = self.main.as_ref().is_some_and(|main| main.init().protocol == PROTOCOL);
        if speaks && self.side == ChannelSide::Offerer {
            let init = ChannelInit { protocol: SIGNALS.to_owned(), ..ChannelInit::new(SIGNALS) };
            self.signals = self.half.pc.channel(init).await.ok();
        }
        look(&self.half.pc, &self.path).await;
        Some(MeetingInput::Opened { speaks })
    }

    /// Something is due.
    async fn due(&mut self) -> Option<MeetingInput> {
        let now = Instant::now();
        if self.is_open {
            return Some(MeetingInput::Tick);
        }
        if self.until <= now {
            let at = if self.side == ChannelSide::Acceptor { At::Peer } else { At::Path };
            return Some(self.give_up(CallError::Timeout { at }, "timeout"));
        }
        if self.knock_at <= now && !self.candidates.is_empty() {
            self.knock_at = now + KNOCK;
            self.knocks += 1;
            let again = self.candidates.iter().map(|candidate| Candidate {
                candidate: format!("{} generation {}", candidate.candidate, self.knocks),
                ..candidate.clone()
            });
            let _ = self.half.pc.candidates(again.collect()).await;
        }
        None
    }

    /// Nothing came of it.
    fn give_up(&mut self, error: CallError, why: &str) -> MeetingInput {
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(Err(error.into()));
        }
        MeetingInput::Close(why.to_owned())
    }

    fn no_path(&self) -> CallError {
        let [local, remote] = [&self.half.sdp, &self.theirs].map(|sdp| {
            let kinds = candidates(sdp).into_iter().filter_map(|candidate| candidate.kind().map(str::to_owned));
            kinds.collect::<BTreeSet<_>>().into_iter().collect()
        });
        CallError::NoPath { local, remote }
    }
}

/// How do the bytes flow now?
async fn look(pc: &PeerConnection, path: &watch::Sender<Option<Path>>) {
    let now = pc.stats().await.ok().and_then(|stats| stats.path);
    path.send_if_modified(|known| std::mem::replace(known, now) != now);
}

/// The candidates of a description.
fn candidates(sdp: &str) -> Vec<Candidate> {
    let lines = sdp.lines().filter_map(|line| line.strip_prefix("a=")).filter(|line| line.starts_with("candidate:"));
    lines
        .map(|line| Candidate {
            candidate: line.to_owned(),
            sdp_mid: Some("0".to_owned()),
            sdp_m_line_index: Some(0),
            username_fragment: None,
        })
        .collect()
}

async fn opened(channel: Option<&Channel>) {
    match channel {
        Some(channel) if channel.opened().await.is_ok() => {}
        _ => std::future::pending().await,
    }
}

async fn closed(channel: Option<&Channel>) {
    match channel {
        Some(channel) => channel.closed().await,
        None => std::future::pending().await,
    }
}

async fn said(signals: Option<&mut (Channel, Messages)>) -> Option<Message> {
    match signals {
        Some((_, messages)) => messages.next().await,
        None => std::future::pending().await,
    }
}

/// Nobody waits for the outcome any more.
async fn unwanted(reply: Option<&mut oneshot::Sender<Opened>>) {
    match reply {
        Some(reply) => reply.closed().await,
        None => std::future::pending().await,
    }
}
