//! How a client comes about.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::timeout;
use wigwag_peer::calls::{Calls, RelayUse};
use wigwag_peer::trust::{MemoryPins, Pins};
use wigwag_peer::{Config, Dice, Hello, Identity, Line, Server, Signer, State, meeting};
use wigwag_rtc::{Engine, IceServer, Loopback, Native, Policy, Settings};
use wigwag_wire::{Device, Namespace, PeerId};

use crate::codes::{self, Codes};
use crate::driver::{self, Setup};
use crate::error::OpenError;
use crate::handle::Wigwag;
use crate::incoming::Unattended;
use crate::pins::SharedPins;
use crate::server::address;
use crate::socket;

/// How long `open` waits where nobody says otherwise.
const OPEN: Duration = Duration::from_secs(20);

/// What a client is made with.
#[must_use]
pub struct Builder {
    servers: Vec<(String, Option<String>)>,
    identity: Option<Arc<dyn Signer + Send + Sync>>,
    guest: bool,
    id: Option<String>,
    namespace: Option<String>,
    device: Option<String>,
    deadline: Duration,
    pins: Box<dyn Pins + Send>,
    engine: Arc<dyn Engine>,
    ice: Option<Vec<IceServer>>,
    policy: Policy,
    loopback: Loopback,
    relay: RelayUse,
    roots: Vec<Vec<u8>>,
    unattended: Unattended,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            identity: None,
            guest: false,
            id: None,
            namespace: None,
            device: None,
            deadline: OPEN,
            pins: Box::new(MemoryPins::default()),
            engine: Arc::new(Native),
            ice: None,
            policy: Policy::default(),
            loopback: Loopback::default(),
            relay: RelayUse::default(),
            roots: Vec::new(),
            unattended: Unattended::default(),
        }
    }
}

impl Builder {
    /// A server; the best is named first. `example.org`, `wss://example.org/v1` and the like.
    pub fn server(mut self, url: impl Into<String>) -> Self {
        self.servers.push((url.into(), None));
        self
    }

    /// A server that calls itself otherwise than its address does.
    pub fn server_called(mut self, url: impl Into<String>, name: impl Into<String>) -> Self {
        self.servers.push((url.into(), Some(name.into())));
        self
    }

    /// Who we are. Left out, somebody new.
    pub fn identity(mut self, identity: impl Signer + Send + Sync + 'static) -> Self {
        self.identity = Some(Arc::new(identity));
        self
    }

    /// Be nobody in particular: the server makes an id that lasts as long as the session.
    pub fn guest(mut self) -> Self {
        self.guest = true;
        self
    }

    /// Be called `local@domain` instead of by our key.
    pub fn name(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// The app's own world on the server.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Tells programs of one id apart. Left out, each has its own.
    pub fn device(mut self, device: impl Into<String>) -> Self {
        self.device = Some(device.into());
        self
    }

    /// How long [`Builder::open`] tries.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Where the keys of names are kept. Left out, in memory.
    pub fn pins(mut self, pins: impl Pins + Send + 'static) -> Self {
        self.pins = Box::new(pins);
        self
    }

    /// What makes connections. Left out, WebRTC on the sockets of this machine.
    pub fn engine(mut self, engine: impl Engine) -> Self {
        self.engine = Arc::new(engine);
        self
    }

    /// STUN and TURN servers, instead of those that the server names.
    pub fn ice_servers(mut self, servers: Vec<IceServer>) -> Self {
        self.ice = Some(servers);
        self
    }

    /// Which paths connections may take.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Whether connections may run over the loopback.
    pub fn loopback(mut self, loopback: Loopback) -> Self {
        self.loopback = loopback;
        self
    }

    /// Whether messages may go by way of the server, sealed, where there is no other way. Left out, they may, where the server relays and the
    /// other side agrees; with [`RelayUse::Only`] no address of this machine is told to anybody, and a peer that does not agree is not reached.
    pub fn relay(mut self, relay: RelayUse) -> Self {
        self.relay = relay;
        self
    }

    /// Trusts this certificate (PEM), too: for servers and for TURN over TLS.
    pub fn root(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(pem.into());
        self
    }

    /// What becomes of those who call while nobody takes calls. Left out, they are declined.
    pub fn unattended(mut self, unattended: Unattended) -> Self {
        self.unattended = unattended;
        self
    }

    /// Connects, and returns when a server has let us in. Must be called within a tokio runtime.
    pub async fn open(self) -> Result<Wigwag, OpenError> {
        let deadline = self.deadline;
        let client = self.start()?;
        let opened = timeout(deadline, async {
            let status = client.wait_for(|status| matches!(status.state, State::Open | State::Stopped)).await;
            match status {
                Some(status) if status.state == State::Open => Ok(()),
                Some(status) => Err(OpenError::Refused { code: status.code, why: status.why }),
                None => Err(OpenError::Refused { code: 0, why: "closed".into() }),
            }
        });
        match opened.await {
            Ok(Ok(())) => Ok(client),
            Ok(Err(why)) => Err(why),
            Err(_) => Err(OpenError::Timeout { last: client.status().why }),
        }
    }

    /// The same without waiting for a server: what is asked waits instead.
    pub fn start(self) -> Result<Wigwag, OpenError> {
        if self.servers.is_empty() {
            return Err(OpenError::NoServer);
        }
        let (settings, own_ice, relay, roots) = (self.settings(), self.is_own_ice(), self.relay, self.roots.clone());
        let server = |(url, name): (String, Option<String>)| Ok(Server { url: address(&url)?, name });
        let servers: Vec<Server> = self.servers.into_iter().map(server).collect::<Result<_, OpenError>>()?;
        let signer = match self.identity {
            Some(identity) => identity,
            None => Arc::new(Identity::new(&mut dice()?)),
        };
        let pins = SharedPins::new(self.pins);
        let settings = Arc::new(Mutex::new(settings));
        let codes = codes::Setup {
            signer: (!self.guest).then(|| Arc::clone(&signer)),
            me: Box::new(meeting::Me::default),
            pins: pins.clone(),
            engine: Arc::clone(&self.engine),
            settings: Arc::clone(&settings),
            offers: Mutex::default(),
        };
        let hello = Hello {
            namespace: self.namespace.map(|name| Namespace::new(&name).map_err(bad)).transpose()?,
            id: self.id.map(|id| PeerId::new(&id).map_err(bad)).transpose()?.filter(|_| !self.guest),
            device: match self.device {
                Some(device) => Some(Device::new(&device).map_err(bad)?),
                None => Some(own_device()?),
            },
            key: (!self.guest).then(|| signer.key()),
        };
        let line = Line::new(Config { hello, ..Config::new(servers) }, dice()?).map_err(|_| OpenError::NoServer)?;
        let calls = Calls::new(Box::new(Arc::clone(&signer)), Box::new(pins), dice()?);
        Ok(driver::start(Setup {
            line,
            calls,
            signer,
            engine: self.engine,
            settings,
            own_ice,
            relay,
            unattended: self.unattended,
            tls: socket::tls(&roots).map_err(|why| OpenError::System(why.to_string()))?,
            codes: Box::new(|seen| {
                let me = move || {
                    let me = seen.borrow();
                    meeting::Me { id: me.id.clone(), namespace: me.namespace.clone() }
                };
                Codes::new(codes::Setup { me: Box::new(me), ..codes })
            }),
        }))
    }

    /// Connections by codes alone, for programs that need no server: who we are, the namespace, ICE servers and the like are taken from here.
    pub fn codes(self) -> Result<Codes, OpenError> {
        let settings = Arc::new(Mutex::new(self.settings()));
        let signer = match self.identity {
            Some(identity) => identity,
            None => Arc::new(Identity::new(&mut dice()?)),
        };
        if let Some(namespace) = &self.namespace {
            Namespace::new(namespace).map_err(bad)?;
        }
        let me = meeting::Me { id: self.id.unwrap_or_default(), namespace: self.namespace.unwrap_or_default() };
        Ok(Codes::new(codes::Setup {
            signer: (!self.guest).then_some(signer),
            me: Box::new(move || me.clone()),
            pins: SharedPins::new(self.pins),
            engine: self.engine,
            settings,
            offers: Mutex::default(),
        }))
    }

    fn is_own_ice(&self) -> bool {
        self.ice.is_some() || self.relay == RelayUse::Only
    }

    fn settings(&self) -> Settings {
        let is_relayed = self.relay == RelayUse::Only;
        let ice_servers = self.ice.clone().filter(|_| !is_relayed).unwrap_or_default();
        // With no TURN server, that is no path.
        let policy = if is_relayed { Policy::Relay } else { self.policy };
        Settings { ice_servers, policy, loopback: self.loopback, turn_roots: self.roots.clone() }
    }
}

/// Chance from the system.
fn dice() -> Result<Dice, OpenError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|why| OpenError::System(format!("no randomness to be had: {why}")))?;
    Ok(Dice::new(seed))
}

/// A device name that no other program has.
fn own_device() -> Result<Device, OpenError> {
    let number = getrandom::u64().map_err(|why| OpenError::System(format!("no randomness to be had: {why}")))?;
    Device::new(&format!("{number:016x}")).map_err(bad)
}

#[expect(clippy::needless_pass_by_value, reason = "so that `map_err` takes it")]
fn bad(why: impl ToString) -> OpenError {
    OpenError::BadName(why.to_string())
}
