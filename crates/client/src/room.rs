//! A room as a program holds it: who is in it, what is said, who steers.

mod veil;
mod view;

use std::sync::{Arc, Weak};

use futures_util::stream::{Stream, unfold};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use tokio::sync::broadcast;
use wigwag_peer::{Body, Frame};
use wigwag_wire::PublicKey;
use wigwag_wire::request::Mode;

use crate::error::AskError;
use crate::handle::{Numbers, Receivers, ask};
use crate::post::{Letter, Post};

pub(crate) use self::veil::Veil;
pub(crate) use self::view::Heard;
pub use self::view::{Member, RoomEvent, RoomView};

/// So many events are kept for a reader that is behind.
const EVENTS_KEPT: usize = 1024;

/// How a room is entered, and furnished by whoever makes it.
#[derive(Clone, Debug, Default)]
pub struct JoinOptions {
    /// What the others see of us, as JSON.
    pub me: Option<Value>,
    /// Where the room has one.
    pub password: Option<String>,
    /// Who may speak.
    pub mode: Option<Mode>,
    /// Most members.
    pub capacity: Option<u32>,
    /// Whether lists show it.
    pub listed: Option<bool>,
    /// What every member sees of the room, as JSON.
    pub meta: Option<Value>,
    /// Ask for a join code; with [`Wigwag::create`](crate::Wigwag::create).
    pub code: bool,
    /// Do not make the room where there is none.
    pub only_existing: bool,
}

impl JoinOptions {
    pub(crate) fn join(&self, name: &str) -> Result<Body, AskError> {
        let Self { me, password, only_existing, .. } = self;
        body(&json!({"type": "room.join", "room": name, "create": !only_existing, "me": me, "password": password}))
    }

    pub(crate) fn join_by_code(&self, code: &str) -> Result<Body, AskError> {
        let Self { me, password, .. } = self;
        body(&json!({"type": "room.join", "code": code, "me": me, "password": password}))
    }

    pub(crate) fn create(&self, name: Option<&str>) -> Result<Body, AskError> {
        let Self { me, password, code, .. } = self;
        let mut request = json!({"type": "room.create", "room": name, "me": me, "password": password, "code": code});
        if let (Value::Object(request), Value::Object(options)) = (&mut request, self.options()) {
            request.extend(options);
        }
        body(&request)
    }

    /// Whoever is alone as the first host has just made it.
    pub(crate) async fn furnish(&self, room: &Room) -> Result<(), AskError> {
        let is_new = room.0.shared.view.lock().is_new();
        let options = self.options();
        if is_new && options.as_object().is_some_and(|options| !options.is_empty()) {
            room.set(options).await?;
        }
        Ok(())
    }

    fn options(&self) -> Value {
        let Self { mode, capacity, listed, meta, .. } = self;
        let mut options = serde_json::Map::new();
        let mode = mode.and_then(|mode| serde_json::to_value(mode).ok());
        for (name, value) in [
            ("mode", mode),
            ("capacity", capacity.map(Value::from)),
            ("listed", listed.map(Value::from)),
            ("meta", meta.clone()),
        ] {
            if let Some(value) = value {
                options.insert(name.to_owned(), value);
            }
        }
        Value::Object(options)
    }
}

/// What enters a room again in another session, made of what entered it first.
pub(crate) fn again(first: &Body, name: &str) -> Option<Body> {
    let first: Value = serde_json::from_str(first.text()).ok()?;
    let (me, password) = (&first["me"], &first["password"]);
    body(&json!({"type": "room.join", "room": name, "create": true, "me": me, "password": password})).ok()
}

/// Which room a request is about, where it names one.
pub(crate) fn named(request: &Body) -> Option<String> {
    let request: Value = serde_json::from_str(request.text()).ok()?;
    request["room"].as_str().map(str::to_owned)
}

/// What the driver and the handles share of a room.
pub(crate) struct Shared {
    pub(crate) name: String,
    pub(crate) view: Mutex<RoomView>,
    veil: Option<Arc<Veil>>,
    events: broadcast::Sender<RoomEvent>,
}

impl Shared {
    /// From the server's answer to our entering.
    pub(crate) fn new(joined: &Frame, me: (String, String), veil: Option<Arc<Veil>>) -> Option<Self> {
        let view = match &veil {
            Some(veil) => RoomView::read(&veil.open(joined)?, me, true)?,
            None => RoomView::read(joined, me, false)?,
        };
        let (events, _) = broadcast::channel(EVENTS_KEPT);
        Some(Self { name: view.name.clone(), view: Mutex::new(view), veil, events })
    }

    /// What the server says of it. Returns what is to be said in turn, to whom; and whether it is over.
    pub(crate) fn hear(&self, frame: &Frame) -> Heard {
        let opened = match &self.veil {
            Some(veil) => match veil.open(frame) {
                Some(opened) => &opened.clone(),
                None => return Heard::default(),
            },
            None => frame,
        };
        let heard = self.view.lock().hear(opened);
        self.tell(heard)
    }

    /// We asked to enter again, because the session was another one or had missed something.
    pub(crate) fn rejoined(&self, answer: &Frame, me: (String, String)) -> Heard {
        let opened = match &self.veil {
            Some(veil) if answer.refused().is_none() => veil.open(answer),
            _ => Some(answer.clone()),
        };
        let heard = opened.map(|opened| self.view.lock().rejoined(&opened, me)).unwrap_or_default();
        self.tell(heard)
    }

    /// What is said to the room as the server gets it.
    pub(crate) fn seal(&self, body: Body) -> Result<Body, AskError> {
        let Some(veil) = &self.veil else { return Ok(body) };
        let me = self.view.lock().me.clone();
        veil.seal(&body, (&me.id, &me.device))
    }

    /// In a secret room, what says anew who we are, where we are called otherwise than when we entered.
    pub(crate) fn renamed(&self, me: &(String, String)) -> Option<Body> {
        self.veil.as_ref()?.renamed((&me.0, &me.1))
    }

    /// In a secret room, how much came that did not open.
    pub(crate) fn unopened(&self) -> u64 {
        self.veil.as_ref().map_or(0, |veil| veil.unopened())
    }

    /// The key to which a member is held, where it shows one.
    pub(crate) fn key_of(&self, id: &str, device: Option<&str>) -> Option<PublicKey> {
        self.veil.as_ref()?;
        self.view.lock().key_of(id, device)
    }

    /// We are no longer in it.
    pub(crate) fn end(&self, why: &str) {
        let _ = self.events.send(RoomEvent::Closed { why: why.to_owned(), reason: None });
    }

    fn tell(&self, mut heard: Heard) -> Heard {
        for event in heard.events.drain(..) {
            // Whoever does not listen does not want to know.
            let _ = self.events.send(event);
        }
        heard
    }
}

/// A room that we are in. Clones are handles on the same one; when the last is dropped, it is left.
#[derive(Clone)]
pub struct Room(Arc<Handle>);

/// A room that may be left already.
pub(crate) struct WeakRoom(Weak<Handle>);

impl WeakRoom {
    pub(crate) fn upgrade(&self) -> Option<Room> {
        self.0.upgrade().map(Room)
    }
}

struct Handle {
    shared: Arc<Shared>,
    post: Post,
    numbers: Numbers,
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Where there is no room for it, the end of the session leaves it.
        let _ = self.post.try_send(Letter::Leave(Arc::clone(&self.shared)));
    }
}

impl Room {
    pub(crate) fn new(shared: Arc<Shared>, post: Post, numbers: Numbers) -> Self {
        Self(Arc::new(Handle { shared, post, numbers }))
    }

    pub(crate) fn downgrade(&self) -> WeakRoom {
        WeakRoom(Arc::downgrade(&self.0))
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.0.shared.name
    }

    /// How it is now.
    pub fn view(&self) -> RoomView {
        self.0.shared.view.lock().clone()
    }

    /// What happens in it, from now on.
    pub fn events(&self) -> RoomEvents {
        RoomEvents(self.0.shared.events.subscribe())
    }

    /// Says something to all others, and to how many it went.
    pub async fn say(&self, data: &impl Serialize) -> Result<u64, AskError> {
        self.say_to(data, None).await
    }

    /// Says something to some members, or to all others.
    pub async fn say_to(&self, data: &impl Serialize, to: Option<&[&str]>) -> Result<u64, AskError> {
        #[derive(Serialize)]
        struct Say<'a> {
            r#type: &'a str,
            room: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            to: Option<&'a [&'a str]>,
            data: Box<RawValue>,
        }
        let data = to_raw_value(data).map_err(AskError::bad)?;
        let said = self.ask(&Say { r#type: "say", room: self.name(), to, data }, false).await?;
        said.parse::<Receivers>().map(|done| done.receivers).ok_or(AskError::Unreadable)
    }

    /// The host sets the shared state: the others get it now, newcomers when they come, and the next host keeps it.
    pub async fn set_state(&self, state: &impl Serialize) -> Result<(), AskError> {
        let state = to_raw_value(state).map_err(AskError::bad)?;
        #[derive(Serialize)]
        struct Order<'a> {
            r#type: &'a str,
            room: &'a str,
            term: u64,
            state: &'a RawValue,
        }
        let term = self.0.shared.view.lock().term;
        self.ask(&Order { r#type: "room.state", room: self.name(), term, state: &state }, false).await?;
        self.0.shared.view.lock().state = Some(state.clone());
        match view::stated(&state) {
            Some(said) => self.say(&said).await.map(drop),
            None => Ok(()),
        }
    }

    /// Shows something else of us to the others; `None` takes it away.
    pub async fn set_me(&self, me: Option<Value>) -> Result<(), AskError> {
        self.ask(&json!({"type": "room.me", "room": self.name(), "me": me}), true).await.map(drop)
    }

    /// In a secret room, how much came that its secret does not open.
    pub fn unopened(&self) -> u64 {
        self.0.shared.unopened()
    }

    /// The host says who may speak.
    pub async fn set_mode(&self, mode: Mode) -> Result<(), AskError> {
        self.order(json!({"type": "room.set", "mode": mode})).await
    }

    /// The host changes options; fields as in `room.set` of `spec/protocol.md`.
    pub async fn set(&self, options: Value) -> Result<(), AskError> {
        self.order(with(options, &[("type", "room.set".into())])).await
    }

    /// The host makes another member the host.
    pub async fn transfer(&self, id: &str, device: Option<&str>) -> Result<(), AskError> {
        self.order(json!({"type": "room.transfer", "id": id, "device": device})).await
    }

    /// The host sends a member away; it may come back.
    pub async fn kick(&self, id: &str, reason: Option<&str>) -> Result<(), AskError> {
        self.order(json!({"type": "room.kick", "id": id, "reason": reason})).await
    }

    /// The host sends an id away for good.
    pub async fn ban(&self, id: &str, reason: Option<&str>) -> Result<(), AskError> {
        self.order(json!({"type": "room.ban", "id": id, "reason": reason})).await
    }

    /// A join code for the room; the one before it is void.
    pub async fn make_code(&self) -> Result<String, AskError> {
        #[derive(serde::Deserialize)]
        struct Made {
            code: String,
        }
        let made = self.ask(&json!({"type": "room.code", "room": self.name()}), true).await?;
        made.parse::<Made>().map(|made| made.code).ok_or(AskError::Unreadable)
    }

    /// Leaves it, and returns when the others know.
    pub async fn leave(&self) -> Result<(), AskError> {
        let _ = self.0.post.send(Letter::Leave(Arc::clone(&self.0.shared))).await;
        match self.ask(&json!({"type": "room.leave", "room": self.name()}), true).await {
            // Whoever is no member has left.
            Err(AskError::Refused(refused)) if refused.code == 4405 => Ok(()),
            left => left.map(drop),
        }
    }

    /// An order of the host, with its term.
    async fn order(&self, request: Value) -> Result<(), AskError> {
        let term = self.0.shared.view.lock().term;
        let request = with(request, &[("room", self.name().into()), ("term", term.into())]);
        self.ask(&request, false).await.map(drop)
    }

    async fn ask(&self, request: &impl Serialize, repeatable: bool) -> Result<Frame, AskError> {
        let body = self.0.shared.seal(Body::new(request).map_err(AskError::bad)?)?;
        ask(&self.0.post, &self.0.numbers, body, repeatable).await
    }
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Room").field(&self.name()).finish()
    }
}

/// A reader of a room's events, from when it was made on.
pub struct RoomEvents(broadcast::Receiver<RoomEvent>);

impl RoomEvents {
    /// The next one; `None` when the room is over. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<RoomEvent> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(count)) => Some(RoomEvent::Missed(count)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = RoomEvent> + Send {
        unfold(self, |mut events| async move { events.next().await.map(|event| (event, events)) })
    }
}

fn body(request: &Value) -> Result<Body, AskError> {
    Body::new(request).map_err(AskError::bad)
}

/// An object with more fields.
fn with(mut object: Value, fields: &[(&str, Value)]) -> Value {
    for (name, value) in fields {
        object[*name] = value.clone();
    }
    object
}
