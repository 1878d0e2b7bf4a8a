//! Connections by two codes that people carry, without a server: `spec/discovery.md`. What is in a code is `wigwag-discovery`'s matter, and how
//! the two prove their keys that of `wigwag-peer`.

mod task;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde_json::value::RawValue;
use tokio::sync::oneshot;
use tokio::time::timeout;
use wigwag_discovery::code::{Code, ReadError, Tag, WriteError};
use wigwag_peer::Signer;
use wigwag_peer::calls::CallError;
use wigwag_peer::finding::{ChannelSide, PeerRecord};
use wigwag_peer::meeting::{Me, PROTOCOL};
use wigwag_rtc::{Channel, ChannelInit, Description, Engine, Error, Event, Events, Messages, PeerConnection, Settings};
use wigwag_wire::{Device, Namespace, PeerId, PublicKey};

use self::task::Task;
use crate::connection::Connection;
use crate::handle;
use crate::pins::SharedPins;

/// How long candidates may take, if a STUN or TURN server does not answer.
const GATHER: Duration = Duration::from_secs(5);

/// How long the offerer tries once it has the answer.
const COMPLETE: Duration = Duration::from_secs(30);

/// How long the acceptor waits for people to carry its answer: the engine's DTLS gives up 40 s after the answer was made, whoever begins.
const ACCEPT: Duration = Duration::from_secs(38);

/// Why nothing came of a code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// The text is not the code that is wanted. What was offered stays as it was: ask again.
    #[error(transparent)]
    Bad(#[from] ReadError),
    /// It was made here.
    #[error("this code was made here: it is for the other side")]
    Own,
    /// The offer has its answer already.
    #[error("this offer has its answer already: make another one")]
    Answered,
    /// There is no way that a code could tell.
    #[error("this machine is not connected to any network")]
    NoNetwork,
    /// The engine does not take what the code says, or says what no code can hold.
    #[error("no connection can be made of this code: {0}")]
    NotUsable(String),
    /// The two did not come together.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl CodeError {
    /// One word for programs, the same in all languages.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Bad(why) => why.name(),
            Self::Own => "own_code",
            Self::Answered => "answered",
            Self::NoNetwork => "no_candidates",
            Self::NotUsable(_) => "not_usable",
            Self::Call(why) => why.reason(),
        }
    }
}

impl From<Error> for CodeError {
    fn from(why: Error) -> Self {
        Self::NotUsable(why.to_string())
    }
}

impl From<WriteError> for CodeError {
    fn from(why: WriteError) -> Self {
        Self::NotUsable(why.to_string())
    }
}

/// Makes connections by codes: of a client, or of a program that needs no server. Clones are handles on the same.
#[derive(Clone)]
pub struct Codes(Arc<Setup>);

/// What connections by codes are made with.
pub(crate) struct Setup {
    /// `None` for a guest.
    pub(crate) signer: Option<Arc<dyn Signer + Send + Sync>>,
    /// What we are called now.
    pub(crate) me: Box<dyn Fn() -> Me + Send + Sync>,
    pub(crate) pins: SharedPins,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) settings: Arc<Mutex<Settings>>,
    /// Offers that wait for their answers.
    pub(crate) offers: Mutex<BTreeSet<u32>>,
}

/// An offer that waits for its answer. Dropped, it is taken back.
pub struct OfferCode {
    code: Code,
    setup: Arc<Setup>,
    expected: Option<PublicKey>,
    half: Option<Half>,
}

/// An answer whose offerer has to read it. It tries to connect from now on; dropped, it is taken back.
pub struct AnswerCode {
    code: Code,
    opened: oneshot::Receiver<Result<Connection, CodeError>>,
}

/// A connection that is described on one side.
pub(crate) struct Half {
    pub(crate) pc: PeerConnection,
    pub(crate) events: Events,
    /// The channel of the one who offers.
    pub(crate) main: Option<(Channel, Messages)>,
    /// Our own description.
    pub(crate) sdp: String,
}

impl Codes {
    pub(crate) fn new(setup: Setup) -> Self {
        Self(Arc::new(setup))
    }

    pub(crate) fn pins(&self) -> SharedPins {
        self.0.pins.clone()
    }

    pub(crate) fn record(&self, me: &handle::Me, lasts: Duration, place: Option<&RawValue>) -> Option<PeerRecord> {
        let signer = self.0.signer.as_ref()?;
        let who = (&Namespace::new(&me.namespace).ok()?, &PeerId::new(&me.id).ok()?, &Device::new(&me.device).ok()?);
        let made = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let times = [made, made + lasts].map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        PeerRecord::new(&**signer, who, times.into(), place)
    }

    /// Begins: a code for the other side. Must be called within a tokio runtime.
    pub async fn offer(&self) -> Result<OfferCode, CodeError> {
        let setup = Arc::clone(&self.0);
        let (pc, mut events) = setup.engine.connect(setup.settings.lock().clone());
        let main = pc.channel(ChannelInit { protocol: PROTOCOL.to_owned(), ..ChannelInit::new("wigwag") }).await?;
        pc.offer(false).await?;
        let sdp = gathered(&pc, &mut events).await?;
        let code = Code::offer(&sdp)?;
        setup.offers.lock().insert(code.tag().0);
        Ok(OfferCode { code, setup, expected: None, half: Some(Half { pc, events, main: Some(main), sdp }) })
    }

    /// The other side: reads an offer code, and makes the answer. Must be called within a tokio runtime.
    pub async fn answer(&self, offer: &str) -> Result<AnswerCode, CodeError> {
        self.answer_to(offer, None).await
    }

    /// The same for an offer of whoever has this key, and nobody else.
    pub async fn answer_to(&self, offer: &str, expected: Option<PublicKey>) -> Result<AnswerCode, CodeError> {
        let offer = Code::read_offer(offer)?;
        if self.0.offers.lock().contains(&offer.tag().0) {
            return Err(CodeError::Own);
        }
        let (pc, mut events) = self.0.engine.connect(self.0.settings.lock().clone());
        // Whoever begins with DTLS gives up first, so that is for the one who has both codes at once.
        let patient = offer.sdp().replace("a=setup:actpass", "a=setup:active");
        pc.describe(Description::offer(patient)).await?;
        let sdp = gathered(&pc, &mut events).await?;
        let code = Code::answer(&sdp, offer.tag())?;
        let half = Half { pc, events, main: None, sdp };
        let opened = Task::start(&self.0, ChannelSide::Acceptor, half, &offer.sdp(), expected, ACCEPT);
        Ok(AnswerCode { code, opened })
    }
}

impl OfferCode {
    /// The code for the other side.
    pub fn code(&self) -> &str {
        self.code.as_str()
    }

    /// Nobody but who has this key will do.
    #[must_use]
    pub fn key(mut self, key: PublicKey) -> Self {
        self.expected = Some(key);
        self
    }

    /// Takes the answer code, and returns when the connection is open. A text that is not the right answer leaves the offer as it was, so that a
    /// person may try again; a future that is dropped takes it back.
    pub async fn complete(&mut self, answer: &str) -> Result<Connection, CodeError> {
        let answer = Code::read_answer(answer, self.code.tag())?;
        let half = self.half.take().ok_or(CodeError::Answered)?;
        half.pc.describe(Description::answer(answer.sdp())).await?;
        let opened = Task::start(&self.setup, ChannelSide::Offerer, half, &answer.sdp(), self.expected, COMPLETE);
        opened.await.unwrap_or(Err(CodeError::Call(CallError::Closed)))
    }
}

impl Drop for OfferCode {
    fn drop(&mut self) {
        let Tag(tag) = self.code.tag();
        self.setup.offers.lock().remove(&tag);
    }
}

impl AnswerCode {
    /// The code for whoever made the offer.
    pub fn code(&self) -> &str {
        self.code.as_str()
    }

    /// Returns when the other side has read the answer and the connection is open. People have 38 seconds for that, which is as long as the
    /// engine waits; an offer waits as long as its program does, so where codes travel slowly a browser should be the one who answers.
    pub async fn opened(self) -> Result<Connection, CodeError> {
        self.opened.await.unwrap_or(Err(CodeError::Call(CallError::Closed)))
    }
}

/// Our description, with the candidates that came in time.
async fn gathered(pc: &PeerConnection, events: &mut Events) -> Result<String, CodeError> {
    let _ = timeout(GATHER, async {
        while let Some(event) = events.next().await {
            if matches!(event, Event::Gathered) {
                break;
            }
        }
    })
    .await;
    let sdp = pc.local_description().await?.map(|description| description.sdp).unwrap_or_default();
    if sdp.lines().any(|line| line.starts_with("a=candidate:")) { Ok(sdp) } else { Err(CodeError::NoNetwork) }
}

/// A code says where its maker is, so it stays out of logs.
impl std::fmt::Debug for OfferCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OfferCode").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for AnswerCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnswerCode").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Codes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Codes").finish_non_exhaustive()
    }
}
