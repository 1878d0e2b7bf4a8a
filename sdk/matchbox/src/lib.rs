//! `matchbox_socket` over Wigwag's own protocol: players have identities, and no server can read or alter what their sockets tell each other.
//!
//! ```no_run
//! use std::sync::Arc;
//! use matchbox_socket::WebRtcSocket;
//! use wigwag_matchbox::Signalling;
//!
//! let (socket, driver) = WebRtcSocket::builder("wss://wigwag.example.org/my_game")
//!     .signaller_builder(Arc::new(Signalling::new())) // the one line
//!     .add_reliable_channel()
//!     .build();
//! ```
//!
//! Everything else stays as it was: the WebRTC is matchbox's own, whatever drives the socket's future may drive it, and players are UUIDs.
//! [`Signalling::player`] says whose key stands behind such a UUID. All players of a room have to use this crate.
//!
//! Here rooms and calls of the package `wigwag` are told in matchbox's words; neither frames nor cryptography are here.

mod address;
mod id;
mod seat;
mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use matchbox_socket::async_trait::async_trait;
use matchbox_socket::{PeerEvent, PeerId, PeerRequest, SignalingError, Signaller, SignallerBuilder};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use wigwag::{PublicKey, RelayUse, Signer, Wigwag};

use crate::address::Address;
use crate::table::Table;

/// Events and requests that wait for the socket or for us.
const WAITING_MAX: usize = 1024;

/// Makes sockets of matchbox use Wigwag's own protocol. Clones know the same players.
#[derive(Clone, Default)]
pub struct Signalling {
    identity: Option<Arc<dyn Signer + Send + Sync>>,
    name: Option<String>,
    roots: Vec<Vec<u8>>,
    players: Players,
}

/// Who stands behind a UUID, proven by signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Player {
    /// Its id: its key's, or a name.
    pub id: String,
    /// Which of its programs.
    pub device: String,
    /// Its key.
    pub key: PublicKey,
}

pub(crate) type Players = Arc<Mutex<BTreeMap<PeerId, Player>>>;

impl Signalling {
    /// For somebody new.
    pub fn new() -> Self {
        Self::default()
    }

    /// For somebody who is known by this key.
    #[must_use]
    pub fn identity(mut self, identity: impl Signer + Send + Sync + 'static) -> Self {
        self.identity = Some(Arc::new(identity));
        self
    }

    /// For somebody called `local@domain`; the server has to know the key for it.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Trusts this certificate (PEM) of a server, too.
    #[must_use]
    pub fn root(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(pem.into());
        self
    }

    /// Who this peer of a socket is. `None` until it has proven it, and after it left.
    pub fn player(&self, peer: PeerId) -> Option<Player> {
        self.players.lock().unwrap_or_else(PoisonError::into_inner).get(&peer).cloned()
    }

    fn client(&self, address: &Address) -> wigwag::Builder {
        // The socket's channels are its own, and no server could carry them.
        let mut builder = Wigwag::builder().server(&address.server).relay(RelayUse::Never);
        if let Some(namespace) = &address.namespace {
            builder = builder.namespace(namespace);
        }
        if let Some(identity) = &self.identity {
            builder = builder.identity(Arc::clone(identity));
        }
        if let Some(name) = &self.name {
            builder = builder.name(name);
        }
        self.roots.iter().fold(builder, |builder, root| builder.root(root.clone()))
    }
}

impl fmt::Debug for Signalling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signalling").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl SignallerBuilder for Signalling {
    async fn new_signaller(
        &self,
        attempts: Option<u16>,
        room_url: String,
    ) -> Result<Box<dyn Signaller>, SignalingError> {
        let address = Address::read(&room_url).map_err(failed)?;
        let (requests, asked) = mpsc::channel(WAITING_MAX);
        let (told, events) = mpsc::channel(WAITING_MAX);
        let this = self.clone();
        let seated = runtime()?.spawn(async move {
            let client = table::open(|| this.client(&address), attempts).await?;
            let table = Table::enter(client, &address.room, this.players, told).await?;
            tokio::spawn(table.run(asked));
            Ok(())
        });
        seated.await.map_err(failed)?.map_err(|why: String| failed(why))?;
        Ok(Box::new(Ends { requests, events }))
    }
}

/// The socket's ends of the two ways.
struct Ends {
    requests: mpsc::Sender<PeerRequest>,
    events: mpsc::Receiver<PeerEvent>,
}

#[async_trait]
impl Signaller for Ends {
    async fn send(&mut self, request: PeerRequest) -> Result<(), SignalingError> {
        self.requests.send(request).await.map_err(|_| SignalingError::StreamExhausted)
    }

    async fn next_message(&mut self) -> Result<PeerEvent, SignalingError> {
        self.events.recv().await.ok_or(SignalingError::StreamExhausted)
    }
}

/// What our tasks run on: games drive their sockets with all kinds of executors.
fn runtime() -> Result<&'static Runtime, SignalingError> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let made = RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let built = builder.worker_threads(1).thread_name("wigwag").enable_all().build();
        built.map_err(|why| format!("no thread for the signalling could be started: {why}"))
    });
    made.as_ref().map_err(failed)
}

fn failed(why: impl ToString) -> SignalingError {
    SignalingError::UserImplementationError(why.to_string())
}
