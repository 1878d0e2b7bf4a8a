//! The client as a program holds it.

use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use wigwag_peer::calls::{CallError, Connect, ConnectId};
use wigwag_peer::finding::PeerRecord;
use wigwag_peer::heard::{AckHeard, DeliveryHeard};
use wigwag_peer::secret::Secret;
use wigwag_peer::{AskId, Body, Frame, Input, Standing, Status, heard};
use wigwag_rtc::Engine;
use wigwag_wire::{PeerId, PublicKey};

use crate::asking;
use crate::builder::Builder;
use crate::codes::{AnswerCode, CodeError, Codes, OfferCode};
use crate::connection::Connection;
use crate::error::AskError;
use crate::event::{Event, Events, Found};
use crate::finders::Search;
use crate::incoming::Incoming;
use crate::pins::SharedPins;
use crate::post::{Letter, OwnEngine, Post};
use crate::room::{self, JoinOptions, Member, Room};

/// Knocks that wait for somebody to decide.
const KNOCKS_MAX: usize = 64;

/// A peer on a server. Clones are handles on the same one; when the last is dropped, the session ends.
#[derive(Clone)]
pub struct Wigwag(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) post: Post,
    pub(crate) numbers: Numbers,
    pub(crate) me: watch::Receiver<Me>,
    pub(crate) events: broadcast::Sender<Event>,
    watched: Mutex<Standing>,
    topics: Mutex<Standing>,
    codes: Codes,
    /// Dropped with the last handle.
    _held: oneshot::Sender<()>,
}

/// Numbers for questions, given once.
#[derive(Clone, Default)]
pub(crate) struct Numbers(Arc<AtomicU64>);

impl Numbers {
    pub(crate) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// What we are called, and how things stand.
#[derive(Clone, Debug)]
pub(crate) struct Me {
    pub(crate) id: String,
    pub(crate) device: String,
    pub(crate) namespace: String,
    /// With which calls are signed.
    pub(crate) key: PublicKey,
    pub(crate) status: Status,
}

impl Wigwag {
    /// What a client is made with.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(
        post: Post,
        numbers: Numbers,
        me: watch::Receiver<Me>,
        events: broadcast::Sender<Event>,
        held: oneshot::Sender<()>,
        codes: Codes,
    ) -> Self {
        let (watched, topics) = (Mutex::new(Standing::watched()), Mutex::new(Standing::topics()));
        Self(Arc::new(Shared { post, numbers, me, events, watched, topics, codes, _held: held }))
    }

    /// What we are called; empty until a server has let us in.
    pub fn id(&self) -> String {
        self.0.me.borrow().id.clone()
    }

    /// Which of several programs of this id.
    pub fn device(&self) -> String {
        self.0.me.borrow().device.clone()
    }

    /// The namespace that we are in.
    pub fn namespace(&self) -> String {
        self.0.me.borrow().namespace.clone()
    }

    /// How things stand with the servers.
    pub fn status(&self) -> Status {
        self.0.me.borrow().status.clone()
    }

    /// Waits until this is so of the status; `None` when the client is closed before.
    pub async fn wait_for(&self, mut is_so: impl FnMut(&Status) -> bool) -> Option<Status> {
        let mut me = self.0.me.clone();
        me.wait_for(|me| is_so(&me.status)).await.ok().map(|me| me.status.clone())
    }

    /// Everything that happens from now on.
    pub fn events(&self) -> Events {
        Events(self.0.events.subscribe())
    }

    /// Where is this id?
    pub async fn find(&self, id: &str) -> Result<Found, AskError> {
        self.ask::<heard::Found>(&json!({"type": "find", "id": id}), true).await.map(Found::from)
    }

    /// Connects to a peer: await it, or set more first.
    pub fn connect(&self, id: &str) -> Connecting {
        Connecting { client: self.clone(), to: id.to_owned(), wish: Wish::default() }
    }

    /// Connects to a member of a room, and to nobody else: held to the key that it shows, where the room is secret.
    pub fn connect_to(&self, member: &Member) -> Connecting {
        let Member { id, device, key, .. } = member;
        let wish = Wish { device: Some(device.clone()), key: *key, ..Wish::default() };
        Connecting { client: self.clone(), to: id.clone(), wish }
    }

    /// A connection without a server: a code for a person to carry to the other side, who answers with another.
    pub async fn offer_code(&self) -> Result<OfferCode, CodeError> {
        self.0.codes.offer().await
    }

    /// The other side: reads a code that a person has brought, and answers with another.
    pub async fn answer_code(&self, offer: &str) -> Result<AnswerCode, CodeError> {
        self.0.codes.answer(offer).await
    }

    /// Searches for a peer by several ways as one call: by the server, by codes, and by finders of the program's own.
    pub fn search(&self, target: &str) -> Search {
        Search::new(self.clone(), target)
    }

    /// What this client makes connections by codes with.
    pub fn codes(&self) -> Codes {
        self.0.codes.clone()
    }

    /// What this peer says of itself, signed, for finders that tell others. It lasts for so long, at most seven days; `place` says how to reach
    /// it, in the words of the finder. `None` for a guest, and before a server has let us in.
    pub fn record(&self, lasts: Duration, place: Option<&RawValue>) -> Option<PeerRecord> {
        let me = self.0.me.borrow().clone();
        self.0.codes.record(&me, lasts, place)
    }

    pub(crate) fn pins(&self) -> SharedPins {
        self.0.codes.pins()
    }

    /// Those who want a connection with us, from now on. Who asked for them last gets them; while nobody does, it is as [`crate::Unattended`] says.
    pub async fn incoming(&self) -> Incoming {
        let (knocks, waiting) = mpsc::channel(KNOCKS_MAX);
        let _ = self.0.post.send(Letter::Listen(knocks)).await;
        Incoming::new(waiting)
    }

    /// Takes another key for a name's from now on: after a person agreed to it.
    pub async fn trust(&self, id: PeerId, key: PublicKey) {
        let _ = self.0.post.send(Letter::Pin(id, key)).await;
    }

    /// Enters a room; makes it where there is none.
    pub async fn join(&self, name: &str) -> Result<Room, AskError> {
        self.join_with(name, JoinOptions::default()).await
    }

    /// Enters a room in a certain way.
    pub async fn join_with(&self, name: &str, options: JoinOptions) -> Result<Room, AskError> {
        let room = self.enter(options.join(name)?, None).await?;
        options.furnish(&room).await?;
        Ok(room)
    }

    /// Enters a room that is known by a secret, and whose server learns neither the secret nor what is said in it. The title may be empty.
    pub async fn join_secret(&self, secret: &str, title: &str, options: JoinOptions) -> Result<Room, AskError> {
        let secret = Secret::new(secret, title).map_err(AskError::bad)?;
        let mut me = self.0.me.clone();
        let me = me.wait_for(|me| !me.id.is_empty()).await.map_err(|_| AskError::closed())?.clone();
        let veil = Arc::new(room::Veil::new(secret, me.key));
        let body = veil.seal(&options.join(veil.name())?, (&me.id, &me.device))?;
        let room = self.enter(body, Some(veil)).await?;
        options.furnish(&room).await?;
        Ok(room)
    }

    /// Enters a room by its join code.
    pub async fn join_by_code(&self, code: &str, options: JoinOptions) -> Result<Room, AskError> {
        self.enter(options.join_by_code(code)?, None).await
    }

    /// Makes a room; without a name the server makes one that cannot be guessed.
    pub async fn create(&self, name: Option<&str>, options: JoinOptions) -> Result<Room, AskError> {
        self.enter(options.create(name)?, None).await
    }

    /// Hands something to a peer, and says what became of it.
    pub async fn signal(&self, to: &str, kind: &str, data: &impl Serialize) -> Result<DeliveryHeard, AskError> {
        #[derive(Serialize)]
        struct Signal<'a> {
            r#type: &'a str,
            to: &'a str,
            kind: &'a str,
            data: Box<RawValue>,
        }
        let data = to_raw_value(data).map_err(AskError::bad)?;
        self.ask::<AckHeard>(&Signal { r#type: "signal", to, kind, data }, false).await.map(|ack| ack.status)
    }

    /// Tells [`Event::Presence`] of these ids, now and at each change.
    pub async fn watch(&self, ids: &[&str]) -> Result<(), AskError> {
        self.stand(&self.0.watched, ids).await
    }

    /// No longer.
    pub async fn unwatch(&self, ids: &[&str]) -> Result<(), AskError> {
        self.unstand(&self.0.watched, ids).await
    }

    /// Hears what is published to these topics.
    pub async fn subscribe(&self, topics: &[&str]) -> Result<(), AskError> {
        self.stand(&self.0.topics, topics).await
    }

    /// No longer.
    pub async fn unsubscribe(&self, topics: &[&str]) -> Result<(), AskError> {
        self.unstand(&self.0.topics, topics).await
    }

    /// Publishes to a topic, and says to how many it went.
    pub async fn publish(&self, topic: &str, data: &impl Serialize) -> Result<u64, AskError> {
        #[derive(Serialize)]
        struct Publish<'a> {
            r#type: &'a str,
            topic: &'a str,
            data: Box<RawValue>,
        }
        let data = to_raw_value(data).map_err(AskError::bad)?;
        self.ask::<Receivers>(&Publish { r#type: "publish", topic, data }, false).await.map(|done| done.receivers)
    }

    /// Says something to everybody in the namespace, and to how many it went.
    pub async fn broadcast(&self, data: &impl Serialize) -> Result<u64, AskError> {
        let data = to_raw_value(data).map_err(AskError::bad)?;
        self.ask::<Receivers>(&json!({"type": "broadcast", "data": data}), false).await.map(|done| done.receivers)
    }

    /// Asks the server in its own words (`spec/protocol.md`): what there is no method for. `repeatable` says whether it may be carried out
    /// twice, where a session was lost before the answer came.
    pub async fn ask_raw(&self, request: &impl Serialize, repeatable: bool) -> Result<Box<RawValue>, AskError> {
        let frame = self.frame(request, repeatable).await?;
        RawValue::from_string(frame.text().to_owned()).map_err(|_| AskError::Unreadable)
    }

    /// Tries to reach a server now instead of at the next turn.
    pub async fn nudge(&self) {
        let _ = self.0.post.send(Letter::Line(Input::Nudge)).await;
    }

    /// Ends the session and all connections: the others see us go at once. Returns when the goodbye is said.
    pub async fn close(&self) {
        let _ = self.0.post.send(Letter::Line(Input::Close)).await;
        // The driver holds the other end of this until everything is said.
        let _ = self.0.me.clone().wait_for(|_| false).await;
    }

    pub(crate) async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        request: &impl Serialize,
        repeatable: bool,
    ) -> Result<T, AskError> {
        self.frame(request, repeatable).await?.parse().ok_or(AskError::Unreadable)
    }

    async fn frame(&self, request: &impl Serialize, repeatable: bool) -> Result<Frame, AskError> {
        let body = Body::new(request).map_err(AskError::bad)?;
        self.0.ask(body, repeatable).await
    }

    async fn enter(&self, body: Body, veil: Option<Arc<room::Veil>>) -> Result<Room, AskError> {
        let id = AskId(self.0.numbers.next());
        let letter = |reply| Letter::Enter { id, body, again: room::again, veil, reply };
        asking::ask(&self.0.post, letter, Letter::Forget(id)).await
    }

    async fn stand(&self, standing: &Mutex<Standing>, names: &[&str]) -> Result<(), AskError> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let asks = standing.lock().asks(&names);
        for body in asks {
            self.0.ask(body, true).await?;
        }
        let inputs = standing.lock().added(names);
        self.0.tell(inputs).await
    }

    async fn unstand(&self, standing: &Mutex<Standing>, names: &[&str]) -> Result<(), AskError> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let (asks, inputs) = {
            let mut standing = standing.lock();
            (standing.takes_back(&names), standing.removed(&names))
        };
        self.0.tell(inputs).await?;
        for body in asks {
            self.0.ask(body, true).await?;
        }
        Ok(())
    }
}

impl Shared {
    pub(crate) async fn ask(&self, body: Body, repeatable: bool) -> Result<Frame, AskError> {
        ask(&self.post, &self.numbers, body, repeatable).await
    }

    async fn tell(&self, inputs: Vec<Input>) -> Result<(), AskError> {
        for input in inputs {
            self.post.send(Letter::Line(input)).await.map_err(|_| AskError::closed())?;
        }
        Ok(())
    }
}

/// Asks the server.
pub(crate) async fn ask(post: &Post, numbers: &Numbers, body: Body, repeatable: bool) -> Result<Frame, AskError> {
    let id = AskId(numbers.next());
    asking::ask(post, |reply| Letter::Ask { id, body, repeatable, reply }, Letter::Forget(id)).await
}

impl std::fmt::Debug for Wigwag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Wigwag").field(&self.id()).finish()
    }
}

#[derive(serde::Deserialize)]
pub(crate) struct Receivers {
    #[serde(default)]
    pub(crate) receivers: u64,
}

/// A connection that is wished for. Await it; dropped, it is called off.
#[must_use = "nothing happens before it is awaited"]
pub struct Connecting {
    client: Wigwag,
    to: String,
    wish: Wish,
}

#[derive(Default)]
struct Wish {
    device: Option<String>,
    key: Option<PublicKey>,
    meta: Option<Box<RawValue>>,
    deadline: Option<Duration>,
    engine: OwnEngine,
}

impl Connecting {
    /// With this program of the peer's only; left out, the first that answers.
    pub fn device(mut self, device: impl Into<String>) -> Self {
        self.wish.device = Some(device.into());
        self
    }

    /// With whoever has this key only: where it is known from elsewhere.
    pub fn key(mut self, key: PublicKey) -> Self {
        self.wish.key = Some(key);
        self
    }

    /// For the peer's program, to decide by. The server can read it. What is no JSON is left out.
    pub fn meta(mut self, meta: &impl Serialize) -> Self {
        self.wish.meta = to_raw_value(meta).ok();
        self
    }

    /// How long it may take; 20 s where nothing is said.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.wish.deadline = Some(deadline);
        self
    }

    /// Over an engine of its own, instead of the client's.
    pub fn engine(mut self, engine: impl Engine) -> Self {
        self.wish.engine = Some(Arc::new(engine));
        self
    }
}

impl IntoFuture for Connecting {
    type Output = Result<Connection, CallError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { client, to, wish: Wish { device, key, meta, deadline, engine } } = self;
        Box::pin(async move {
            let to = PeerId::new(&to).map_err(|_| CallError::Failed(format!("{to:?} is no id of a peer")))?;
            let id = ConnectId(client.0.numbers.next());
            let patience =
                deadline.map_or(Connect::PATIENCE_MS, |span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
            let wish = Connect { device, key, meta, patience, ..Connect::to(to) };
            let letter = |reply| Letter::Connect { id, wish, engine, reply };
            asking::wait(&client.0.post, letter, Letter::Abort(id), || CallError::Closed).await
        })
    }
}
