//! The driver's side of calls: who waits for which connection, and which engine is whose.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, watch};
use tracing::debug;
use wigwag_peer::calls::{
    CallError, ConnectId, ConnectionId, ConnectionState, EngineEvent, Input, KnockId, Order, Output, RelayUse, Remote,
};
use wigwag_peer::heard::{AckHeard, Found, LimitsHeard};
use wigwag_peer::relay::{Pace, Posted};
use wigwag_peer::{AskId, Body, Frame, Moment};
use wigwag_rtc::{Engine, IceServer, Settings};
use wigwag_wire::event::Presence;
use wigwag_wire::{PeerId, PublicKey};

use super::{Driver, Waiting};
use crate::connection::{Connection, Ended, Standing};
use crate::error::AskError;
use crate::event::Event;
use crate::incoming::{Knock, Unattended};
use crate::link::{Link, Office};
use crate::post::{Letter, OwnEngine, Reply};

/// Why a call is declined that nobody takes.
const NOBODY: &str = "Nobody takes calls here.";

type Wish = Reply<Result<Connection, CallError>>;

/// Connections and those who wait for them.
pub(super) struct Calling {
    engine: Arc<dyn Engine>,
    settings: Arc<Mutex<Settings>>,
    own_ice: bool,
    /// How the program wants the relay to be used.
    relay: RelayUse,
    unattended: Unattended,
    office: Office,
    listener: Option<mpsc::Sender<Knock>>,
    wishes: BTreeMap<ConnectId, (Wish, OwnEngine)>,
    /// Who accepted, until it is known which connection comes of it.
    accepting: Option<(Wish, OwnEngine)>,
    links: BTreeMap<ConnectionId, Live>,
    /// Pins that are to be set before the next input.
    pub(super) pins: Vec<(PeerId, PublicKey)>,
}

struct Live {
    remote: Remote,
    /// What carries it, where it is not the client's engine.
    engine: OwnEngine,
    link: Option<Link>,
    standing: watch::Sender<Standing>,
    /// Who accepted it and waits.
    waiting: Option<Wish>,
}

impl Calling {
    pub(super) fn new(
        engine: Arc<dyn Engine>,
        settings: Arc<Mutex<Settings>>,
        own_ice: bool,
        relay: RelayUse,
        unattended: Unattended,
        began: Instant,
    ) -> Self {
        Self {
            engine,
            settings,
            own_ice,
            relay,
            unattended,
            office: Office { began, pace: Arc::new(Mutex::new(Pace::default())) },
            listener: None,
            wishes: BTreeMap::new(),
            accepting: None,
            links: BTreeMap::new(),
            pins: Vec::new(),
        }
    }

    /// The server's STUN and TURN servers, for connections from now on, and for the next search for a path of those that there are: the
    /// credentials that they began with run out.
    pub(super) fn ice(&mut self, servers: impl Iterator<Item = IceServer>) {
        let servers: Vec<IceServer> = servers.collect();
        if self.own_ice || self.settings.lock().ice_servers == servers {
            return;
        }
        for link in self.links.values().filter_map(|live| live.link.as_ref()) {
            link.servers(servers.clone());
        }
        self.settings.lock().ice_servers = servers;
    }

    /// The server said what it allows: how calls may use its relay.
    pub(super) fn limits(&self, now: Moment, limits: &LimitsHeard) -> Input {
        let mut pace = self.office.pace.lock();
        pace.told(now, limits);
        Input::Relay(if pace.chunk() > 0 { self.relay } else { RelayUse::Never })
    }

    /// What a letter means to the calls.
    pub(super) fn open(&mut self, letter: Letter) -> Option<Input> {
        Some(match letter {
            Letter::Connect { id, wish, engine, reply } => {
                self.wishes.insert(id, (reply, engine));
                Input::Connect(id, wish)
            }
            Letter::Abort(id) => {
                self.wishes.remove(&id);
                Input::Abort(id)
            }
            Letter::Listen(listener) => {
                self.listener = Some(listener);
                return None;
            }
            Letter::Accept { knock, engine, reply } => {
                self.accepting = Some((reply, engine));
                Input::Accept(knock)
            }
            Letter::Decline(knock, why) => Input::Decline(knock, why),
            Letter::Hang(connection, why) => Input::Close(connection, why),
            Letter::Engine(connection, event) => Input::Engine(connection, event),
            Letter::Relay(connection, packed) => Input::Post(connection, packed),
            Letter::Pin(id, key) => {
                self.pins.push((id, key));
                Input::Tick
            }
            _ => return None,
        })
    }
}

impl Driver {
    /// Hands something to the calls and carries out what they want.
    pub(super) fn call(&mut self, mut input: Input) {
        if let Input::Connect(_, wish) = &mut input {
            wish.key = wish.key.or_else(|| self.shown_key(&wish.to, wish.device.as_deref()));
        }
        for (id, key) in std::mem::take(&mut self.calling.pins) {
            self.calls.pin(&id, key);
        }
        let now = self.now();
        let mut todo = Vec::new();
        self.calls.handle(now, input, &mut todo);
        for output in todo {
            self.carry_out_call(output);
        }
        // Whoever accepted a knock that is gone by now.
        if let Some((waiting, _)) = self.calling.accepting.take() {
            let _ = waiting.send(Err(CallError::Left));
        }
    }

    fn carry_out_call(&mut self, output: Output) {
        match output {
            Output::Signal { tag, to, device, kind, data } => {
                let signal = Signal { r#type: "signal", to: to.as_str(), device: device.as_deref(), kind, data: &data };
                match Body::new(&signal) {
                    Ok(body) => self.ask(AskId(self.numbers.next()), body, false, Waiting::Signalled(tag)),
                    Err(why) => self.call(Input::Signalled(tag, Err(why.to_string()))),
                }
            }
            Output::Relay { connection, to, device, data } => {
                let request = Relay { r#type: "relay", to: to.as_str(), device: &device, data: &data };
                match Body::new(&request) {
                    Ok(body) => self.ask(AskId(self.numbers.next()), body, false, Waiting::Relayed(connection)),
                    Err(_) => self.relayed(connection, Posted::Lost),
                }
            }
            Output::Find { tag, id } => match Body::new(&Find { r#type: "find", id: id.as_str() }) {
                Ok(body) => self.ask(AskId(self.numbers.next()), body, true, Waiting::Found(tag)),
                Err(why) => self.call(Input::Found(tag, Err(why.to_string()))),
            },
            Output::Knock { knock, remote } => self.knock(knock, remote),
            Output::Unknock(_) => {}
            Output::Connecting { connection, remote, connect } => {
                let (waiting, engine) = match connect {
                    None => self.calling.accepting.take().unzip(),
                    Some(id) => (None, self.calling.wishes.get_mut(&id).map(|(_, engine)| engine.take())),
                };
                let engine = engine.flatten();
                let (standing, _) = watch::channel(Standing { state: ConnectionState::Connecting, ended: None });
                self.calling.links.insert(connection, Live { remote, engine, link: None, standing, waiting });
            }
            Output::Order(connection, order) => self.order(connection, order),
            Output::Connected { connection, connect } => self.connected(connection, connect),
            Output::Failed { connect, error } => {
                if let Some((reply, _)) = self.calling.wishes.remove(&connect) {
                    let _ = reply.send(Err(error));
                }
            }
            Output::State(connection, state) => {
                debug!(connection = connection.0, ?state, "a connection");
                if let Some(live) = self.calling.links.get(&connection) {
                    live.standing.send_modify(|standing| standing.state = state);
                }
                if state == ConnectionState::Mending {
                    // The way to a peer is lost; the one to the server may be, too.
                    self.tell(wigwag_peer::Input::Nudge);
                }
            }
            Output::Closed { connection, reason, error } => {
                let Some(live) = self.calling.links.remove(&connection) else { return };
                if let Some(waiting) = live.waiting {
                    let _ = waiting.send(Err(error.clone().unwrap_or(CallError::Left)));
                }
                let ended = Some(Ended { reason, error });
                live.standing.send_replace(Standing { state: ConnectionState::Closed, ended });
            }
            Output::Mismatch { id, key } => self.publish(Event::Key { id, key }),
        }
    }

    /// The key to which a peer is held as a member of a secret room.
    fn shown_key(&self, id: &PeerId, device: Option<&str>) -> Option<PublicKey> {
        self.rooms.values().find_map(|entered| entered.shared.key_of(id.as_str(), device))
    }

    fn knock(&mut self, knock: KnockId, remote: Remote) {
        if self.shown_key(&remote.id, Some(&remote.device)).is_some_and(|key| key != remote.key) {
            let Remote { id, key, .. } = remote;
            self.publish(Event::Key { id, key });
            return self.call(Input::Decline(knock, "This is not the key that you showed in the room.".to_owned()));
        }
        let Some(post) = self.post.upgrade() else { return };
        let told = Knock { id: knock, remote, post, answered: false };
        let mut told = match &self.calling.listener {
            None => told,
            Some(listener) => match listener.try_send(told) {
                Ok(()) => return,
                Err(mpsc::error::TrySendError::Full(mut told)) => {
                    told.answered = true;
                    return self.call(Input::Decline(knock, "Too many others are calling.".to_owned()));
                }
                Err(mpsc::error::TrySendError::Closed(told)) => told,
            },
        };
        told.answered = true;
        match self.calling.unattended {
            Unattended::Decline => self.call(Input::Decline(knock, NOBODY.to_owned())),
            Unattended::LeaveToOthers => self.find_others(knock),
        }
    }

    /// Asks whether another program of this identity is here.
    fn find_others(&mut self, knock: KnockId) {
        let me = self.me.borrow().id.clone();
        if let Ok(body) = Body::new(&Find { r#type: "find", id: &me }) {
            self.ask(AskId(self.numbers.next()), body, true, Waiting::Others(knock));
        }
    }

    /// Where we are the only one who could take this call, nobody does. Without an answer its caller gives up in time.
    pub(super) fn others_found(&mut self, knock: KnockId, answer: Result<Frame, AskError>) {
        let Some(found) = answer.ok().and_then(|frame| frame.parse::<Found>()) else { return };
        let own = self.me.borrow().device.clone();
        if found.devices.iter().all(|each| each.device == own || each.state != Presence::Here) {
            self.call(Input::Decline(knock, NOBODY.to_owned()));
        }
    }

    fn order(&mut self, connection: ConnectionId, order: Order) {
        let Calling { engine, settings, links, office, .. } = &mut self.calling;
        let Some(live) = links.get_mut(&connection) else { return };
        if order == Order::Begin {
            let Some(post) = self.post.upgrade() else { return };
            let engine = live.engine.as_ref().unwrap_or(engine);
            live.link = Some(Link::begin(connection, &**engine, settings.lock().clone(), office.clone(), post));
            return;
        }
        let keeps_up = live.link.as_ref().is_none_or(|link| link.order(order));
        if !keeps_up {
            self.falls_behind(connection);
        }
    }

    /// What became of a box that was to be relayed.
    pub(super) fn box_answered(&mut self, connection: ConnectionId, answer: Result<Frame, AskError>) {
        let posted = match answer {
            Ok(frame) => frame.parse::<AckHeard>().map_or(Posted::Lost, |ack| Posted::Acked(ack.status)),
            Err(AskError::Refused(refused)) => Posted::Refused { code: refused.code, retry_after: refused.retry_after },
            Err(_) => Posted::Lost,
        };
        self.relayed(connection, posted);
    }

    fn relayed(&mut self, connection: ConnectionId, posted: Posted) {
        let link = self.calling.links.get(&connection).and_then(|live| live.link.as_ref());
        if !link.is_none_or(|link| link.posted(posted)) {
            self.falls_behind(connection);
        }
    }

    fn falls_behind(&mut self, connection: ConnectionId) {
        let event = EngineEvent::Failed("the engine does not keep up".to_owned());
        self.call(Input::Engine(connection, event));
    }

    fn connected(&mut self, connection: ConnectionId, connect: Option<ConnectId>) {
        let Some(live) = self.calling.links.get_mut(&connection) else { return };
        let wish = connect.and_then(|connect| self.calling.wishes.remove(&connect)).map(|(wish, _)| wish);
        let waiting = wish.or(live.waiting.take());
        let parts = live.link.as_ref().and_then(Link::parts);
        let (Some(parts), Some(post)) = (parts, self.post.upgrade()) else { return };
        let standing = live.standing.subscribe();
        let made = Connection::new(connection, live.remote.clone().into(), parts, standing, post);
        // Where nobody waits any more, it is dropped and so ended.
        if let Some(waiting) = waiting {
            let _ = waiting.send(Ok(made));
        }
    }
}

#[derive(Serialize)]
struct Signal<'a> {
    r#type: &'a str,
    to: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'a str>,
    kind: &'a str,
    data: &'a RawValue,
}

#[derive(Serialize)]
struct Relay<'a> {
    r#type: &'a str,
    to: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    device: &'a str,
    data: &'a RawValue,
}

#[derive(Serialize)]
struct Find<'a> {
    r#type: &'a str,
    id: &'a str,
}
