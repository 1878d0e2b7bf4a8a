//! The task that holds the machines: it hands them what happens, and carries out what they want, in order.

mod calling;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};
use tokio_rustls::TlsConnector;
use tracing::{Instrument, debug, info, info_span, warn};
use wigwag_peer::calls::{self, Calls, ConnectionId, KnockId, RelayUse};
use wigwag_peer::heard::{IceHeard, LostHeard, PresenceHeard, RelayedHeard, SignalHeard, TalkHeard, Welcome};
use wigwag_peer::{AskId, Asked, Body, Frame, Input, Line, Moment, Output, Signer, SocketId, State, Status};
use wigwag_rtc::{Engine, IceServer, Settings};

use self::calling::Calling;
use crate::codes::Codes;
use crate::error::AskError;
use crate::event::{EVENTS_KEPT, Event, time};
use crate::handle::{Me, Numbers, Wigwag};
use crate::incoming::Unattended;
use crate::post::{Letter, Reply, post};
use crate::room::{self, Room, WeakRoom};
use crate::socket::Socket;

/// How long a goodbye may take.
const FAREWELL: Duration = Duration::from_secs(3);

/// What a driver begins with.
pub(crate) struct Setup {
    pub(crate) line: Line,
    pub(crate) calls: Calls,
    pub(crate) signer: Arc<dyn Signer + Send + Sync>,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) settings: Arc<Mutex<Settings>>,
    /// Whether the ICE servers in the settings are the program's own.
    pub(crate) own_ice: bool,
    pub(crate) relay: RelayUse,
    pub(crate) unattended: Unattended,
    pub(crate) tls: TlsConnector,
    /// Makes what makes connections by codes, from how to learn what we are called.
    pub(crate) codes: Box<dyn FnOnce(watch::Receiver<Me>) -> Codes + Send>,
}

/// Begins, and returns the first handle.
pub(crate) fn start(setup: Setup) -> Wigwag {
    let Setup { line, calls, signer, engine, settings, own_ice, relay, unattended, tls, codes } = setup;
    let (post, letters) = post();
    let (held, dropped) = oneshot::channel();
    let (events, _) = broadcast::channel(EVENTS_KEPT);
    let status = line.status().clone();
    let none = String::new;
    let (me, seen) = watch::channel(Me { id: none(), device: none(), namespace: none(), key: signer.key(), status });
    let numbers = Numbers::default();
    let codes = codes(seen.clone());
    let client = Wigwag::new(post.clone(), numbers.clone(), seen, events.clone(), held, codes);
    let began = Instant::now();
    let driver = Driver {
        began,
        line,
        calls,
        calling: Calling::new(engine, settings, own_ice, relay, unattended, began),
        signer,
        tls,
        post: post.downgrade(),
        numbers,
        me,
        events,
        sockets: BTreeMap::new(),
        tasks: JoinSet::new(),
        asked: BTreeMap::new(),
        rooms: BTreeMap::new(),
        todo: Vec::new(),
    };
    drop(post);
    tokio::spawn(driver.run(letters, dropped).instrument(info_span!("wigwag")));
    client
}

struct Driver {
    began: Instant,
    line: Line,
    calls: Calls,
    calling: Calling,
    signer: Arc<dyn Signer + Send + Sync>,
    tls: TlsConnector,
    /// Weak, so that the letter box closes with the last who may write.
    post: mpsc::WeakSender<Letter>,
    numbers: Numbers,
    me: watch::Sender<Me>,
    events: broadcast::Sender<Event>,
    sockets: BTreeMap<SocketId, Socket>,
    /// The sockets' tasks, waited for at the end.
    tasks: JoinSet<()>,
    asked: BTreeMap<AskId, Waiting>,
    rooms: BTreeMap<String, Entered>,
    /// What the line wants, while it is carried out.
    todo: Vec<Output>,
}

/// Who waits for an answer.
enum Waiting {
    Program(Reply<Result<Frame, AskError>>),
    Entering(Entering, Reply<Result<Room, AskError>>),
    Signalled(calls::Tag),
    Found(calls::Tag),
    /// Whether another program of ours is here, which may want this call.
    Others(KnockId),
    Relayed(ConnectionId),
}

/// A room that is being entered.
struct Entering {
    body: Body,
    again: fn(&Body, &str) -> Option<Body>,
    veil: Option<Arc<room::Veil>>,
}

struct Entered {
    shared: Arc<room::Shared>,
    room: WeakRoom,
}

impl Driver {
    async fn run(mut self, mut letters: mpsc::Receiver<Letter>, mut dropped: oneshot::Receiver<()>) {
        self.tell(Input::Open);
        let mut is_held = true;
        loop {
            let next = [self.line.next_deadline(), self.calls.next_deadline()].into_iter().flatten().min();
            let alarm = async {
                match next {
                    Some(at) => sleep_until((self.began + Duration::from_millis(at.0)).into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                letter = letters.recv() => match letter {
                    Some(letter) => self.open(letter),
                    None => break,
                },
                () = alarm => {
                    self.tell(Input::Tick);
                    self.call(calls::Input::Tick);
                }
                _ = &mut dropped, if is_held => {
                    is_held = false;
                    self.open(Letter::Line(Input::Close));
                }
            }
            if self.line.status().state == State::Idle {
                break;
            }
        }
        for (_, entered) in std::mem::take(&mut self.rooms) {
            entered.shared.end("closed");
        }
        self.asked.clear();
        self.sockets.clear();
        letters.close();
        let mut tasks = std::mem::take(&mut self.tasks);
        let _ = timeout(FAREWELL, async { while tasks.join_next().await.is_some() {} }).await;
        debug!("closed");
    }

    fn open(&mut self, letter: Letter) {
        match letter {
            Letter::Ask { id, body, repeatable, reply } => self.ask(id, body, repeatable, Waiting::Program(reply)),
            Letter::Enter { id, body, again, veil, reply } => {
                let repeatable = body.kind() == "room.join";
                let entering = Entering { body: body.clone(), again, veil };
                self.ask(id, body, repeatable, Waiting::Entering(entering, reply));
            }
            Letter::Forget(id) => {
                let forgotten = self.asked.remove(&id);
                self.tell(Input::Forget(id));
                // Where the request is on its way already, we are let in, and nobody wants to be.
                if let Some(Waiting::Entering(Entering { body, .. }, _)) = forgotten
                    && let Some(name) = room::named(&body)
                    && !self.rooms.contains_key(&name)
                {
                    self.say_goodbye(&name);
                }
            }
            Letter::Line(Input::Close) => {
                // The line says goodbye after the calls have said theirs.
                self.call(calls::Input::CloseAll);
                self.tell(Input::Close);
            }
            Letter::Line(input) => self.tell(input),
            Letter::Leave(room) => self.leave(&room),
            Letter::Text(socket, text) => self.tell(Input::Text { socket, text }),
            Letter::Lost(socket, code, reason) => {
                self.sockets.remove(&socket);
                self.tell(Input::Lost { socket, code, reason });
            }
            Letter::Network => {
                self.tell(Input::Nudge);
                self.call(calls::Input::Network);
            }
            other => {
                if let Some(input) = self.calling.open(other) {
                    self.call(input);
                }
            }
        }
    }

    fn now(&self) -> Moment {
        // Rounded up: a timer that is due must not come a moment early and find nothing to do.
        Moment(u64::try_from(self.began.elapsed().as_micros().div_ceil(1_000)).unwrap_or(u64::MAX))
    }

    fn ask(&mut self, id: AskId, body: Body, repeatable: bool, waiting: Waiting) {
        self.asked.insert(id, waiting);
        self.tell(Input::Request { id, body, repeatable });
    }

    /// Hands something to the line and carries out what it wants.
    fn tell(&mut self, input: Input) {
        let now = self.now();
        let mut todo = std::mem::take(&mut self.todo);
        self.line.handle(now, input, &mut todo);
        for output in todo.drain(..) {
            self.carry_out(output);
        }
        self.todo = todo;
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Connect { socket, url } => {
                debug!(socket = socket.0, url, "connecting");
                if let Some(post) = self.post.upgrade() {
                    // Those that ended are not kept.
                    while self.tasks.try_join_next().is_some() {}
                    let opened = Socket::open(socket, url, self.tls.clone(), post, &mut self.tasks);
                    self.sockets.insert(socket, opened);
                }
            }
            Output::Disconnect(socket) => drop(self.sockets.remove(&socket)),
            Output::Send { socket, text } => {
                let keeps_up = self.sockets.get(&socket).is_none_or(|socket| socket.send(text));
                if !keeps_up && self.sockets.remove(&socket).is_some() {
                    warn!(socket = socket.0, "the server does not read");
                    self.tell(Input::Lost { socket, code: 0, reason: "the server does not read".to_owned() });
                }
            }
            Output::Prove { socket, statement, .. } => {
                let signature = self.signer.sign(&statement);
                self.tell(Input::Proved { socket, signature });
            }
            Output::Status(status) => self.status(status),
            Output::Welcome { frame, lost } => self.welcome(&frame, lost),
            Output::Answer { to, frame } => self.answer(to, frame),
            Output::Given { to: Asked::Request(id), why } => {
                if let Some(waiting) = self.asked.remove(&id) {
                    self.settle(waiting, Err(why.into()));
                }
            }
            Output::Given { .. } => {}
            Output::Event(frame) => self.event(&frame),
            Output::Fault { code, message } => self.fault(code, message),
        }
    }

    fn status(&mut self, status: Status) {
        info!(state = ?status.state, server = status.server, code = status.code, why = status.why, "the line");
        let state = status.state;
        self.me.send_modify(|me| me.status = status.clone());
        self.publish(Event::Status(status));
        self.call(calls::Input::Line(state));
    }

    fn welcome(&mut self, frame: &Frame, lost: bool) {
        let Some(Welcome { id, device, namespace, ice, limits, .. }) = frame.parse() else { return };
        let relay = self.calling.limits(self.now(), &limits);
        self.call(relay);
        self.calling.ice(ice.into_iter().map(server));
        self.me.send_modify(|me| {
            (me.id, me.device, me.namespace) = (id.clone(), device.clone(), namespace.clone());
        });
        self.call(calls::Input::Welcomed { id, device, namespace });
        if lost {
            self.call(calls::Input::Fresh);
            self.publish(Event::Fresh);
        }
    }

    fn answer(&mut self, to: Asked, frame: Frame) {
        match to {
            Asked::Request(id) => {
                let Some(waiting) = self.asked.remove(&id) else { return };
                let answer = frame.refused().map_or(Ok(frame), |refused| Err(refused.into()));
                self.settle(waiting, answer);
            }
            Asked::Standing(key) => {
                if let Some(name) = key.strip_prefix("room ") {
                    let me = self.party();
                    let heard = self.rooms.get(name).map(|entered| entered.shared.rejoined(&frame, me));
                    self.room_heard(name, heard);
                    self.rename(name);
                } else if let Some(refused) = frame.refused() {
                    self.fault(refused.code, refused.message);
                }
            }
        }
    }

    /// Whoever waited gets its answer.
    fn settle(&mut self, waiting: Waiting, answer: Result<Frame, AskError>) {
        match waiting {
            Waiting::Program(reply) => drop(reply.send(answer)),
            Waiting::Entering(entering, reply) => {
                let entered = answer.and_then(|frame| self.enter(&frame, &entering));
                drop(reply.send(entered));
            }
            Waiting::Signalled(tag) => {
                let result = answer.and_then(|frame| {
                    frame.parse::<wigwag_peer::heard::AckHeard>().map(|ack| ack.status).ok_or(AskError::Unreadable)
                });
                self.call(calls::Input::Signalled(tag, result.map_err(|why| why.to_string())));
            }
            Waiting::Others(knock) => self.others_found(knock, answer),
            Waiting::Relayed(connection) => self.box_answered(connection, answer),
            Waiting::Found(tag) => {
                let result = answer.and_then(|frame| frame.parse().ok_or(AskError::Unreadable));
                self.call(calls::Input::Found(tag, result.map_err(|why| why.to_string())));
            }
        }
    }

    fn enter(&mut self, frame: &Frame, entering: &Entering) -> Result<Room, AskError> {
        let Entering { body, again, veil } = entering;
        let shared = room::Shared::new(frame, self.party(), veil.clone()).ok_or(AskError::Unreadable)?;
        let name = shared.name.clone();
        // Entering once more is asking how it is now.
        if let Some(known) = self.rooms.get(&name)
            && let Some(room) = known.room.upgrade()
        {
            known.shared.rejoined(frame, self.party());
            return Ok(room);
        }
        if let Some(body) = again(body, &name) {
            self.tell(Input::Stand { key: format!("room {name}"), body });
        }
        let shared = Arc::new(shared);
        let post = self.post.upgrade().ok_or_else(AskError::closed)?;
        let room = Room::new(Arc::clone(&shared), post, self.numbers.clone());
        self.rooms.insert(name.clone(), Entered { shared, room: room.downgrade() });
        self.rename(&name);
        Ok(room)
    }

    /// What we are called now.
    fn party(&self) -> (String, String) {
        let me = self.me.borrow();
        (me.id.clone(), me.device.clone())
    }

    /// Says in a secret room who we are, if it was sealed when we were called otherwise.
    fn rename(&mut self, name: &str) {
        let me = self.party();
        let renamed = self.rooms.get(name).and_then(|entered| entered.shared.renamed(&me));
        let Some(body) = renamed else { return };
        if let Some(body) = room::again(&body, name) {
            self.tell(Input::Stand { key: format!("room {name}"), body });
        }
        self.tell(Input::Mention(body));
    }

    fn leave(&mut self, shared: &Arc<room::Shared>) {
        let name = shared.name.as_str();
        if !self.rooms.get(name).is_some_and(|entered| Arc::ptr_eq(&entered.shared, shared)) {
            return;
        }
        self.rooms.remove(name);
        shared.end("left");
        self.tell(Input::Unstand(format!("room {name}")));
        self.say_goodbye(name);
    }

    fn say_goodbye(&mut self, room: &str) {
        if let Ok(body) = Body::new(&json!({"type": "room.leave", "room": room})) {
            self.tell(Input::Mention(body));
        }
    }

    fn room_heard(&mut self, name: &str, heard: Option<room::Heard>) {
        let Some(heard) = heard else { return };
        if let Some((to, data)) = heard.say
            && let Ok(body) = Body::from_text(&format!(
                r#"{{"type":"say","room":{},"to":[{}],"data":{}}}"#,
                json!(name),
                json!(to),
                data.get()
            ))
            && let Some(Ok(body)) = self.rooms.get(name).map(|entered| entered.shared.seal(body))
        {
            self.tell(Input::Mention(body));
        }
        if heard.over {
            self.rooms.remove(name);
            self.tell(Input::Unstand(format!("room {name}")));
        }
    }

    fn event(&mut self, frame: &Frame) {
        match frame.kind() {
            "said" | "room.member" | "room.changed" | "room.host" | "room.left" => {
                #[derive(serde::Deserialize)]
                struct Of {
                    room: String,
                }
                let Some(Of { room }) = frame.parse() else { return };
                let Some(shared) = self.rooms.get(&room).map(|entered| Arc::clone(&entered.shared)) else { return };
                let all_opened = shared.unopened() == 0;
                let heard = shared.hear(frame);
                self.room_heard(&room, Some(heard));
                if all_opened && shared.unopened() > 0 {
                    self.fault(0, "something came for a secret room that its secret does not open".to_owned());
                }
            }
            "presence" => {
                if let Some(PresenceHeard { id, state, seen }) = frame.parse() {
                    self.publish(Event::Presence { id, state, seen: seen.map(time) });
                }
            }
            "signal" => {
                let Some(heard) = frame.parse::<SignalHeard>() else { return };
                if heard.kind.starts_with("ww.") {
                    return self.call(calls::Input::Heard(heard));
                }
                let SignalHeard { from, device, kind, data, stored, .. } = heard;
                self.publish(Event::Signal { from, device, kind, data, stored: stored.map(time) });
            }
            "relayed" => {
                if let Some(heard) = frame.parse::<RelayedHeard>() {
                    self.call(calls::Input::Relayed(heard));
                }
            }
            "lost" => {
                if let Some(LostHeard { to, device, n }) = frame.parse() {
                    self.publish(Event::Lost { to, device, count: n.len() });
                }
            }
            "published" => {
                if let Some(TalkHeard { topic: Some(topic), from, data, .. }) = frame.parse() {
                    self.publish(Event::Published { topic, from, data });
                }
            }
            "broadcast" => {
                if let Some(TalkHeard { from, data, .. }) = frame.parse() {
                    self.publish(Event::Broadcast { from, data });
                }
            }
            "ice" => {
                if let Some(IceHeard { servers, .. }) = frame.parse() {
                    self.calling.ice(servers.into_iter().map(server));
                }
            }
            "error" => {
                let refused = frame.refused().unwrap_or_default();
                self.fault(refused.code, refused.message);
            }
            _ => {}
        }
    }

    fn fault(&mut self, code: u16, message: String) {
        warn!(code, message, "a fault");
        self.publish(Event::Fault { code, message });
    }

    fn publish(&self, event: Event) {
        // Whoever does not listen does not want to know.
        let _ = self.events.send(event);
    }
}

fn server(server: wigwag_wire::event::IceServer) -> IceServer {
    let wigwag_wire::event::IceServer { urls, username, credential } = server;
    IceServer { urls, username, credential }
}
