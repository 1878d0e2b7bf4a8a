//! Between the hub and the world: hands in what happens, with the time, and carries out what the hub wants done.
//!
//! The driver decides nothing. A frame is handled in the task that read it: the hub's outputs go straight into the
//! receivers' outboxes, and each is written once at the end of the wake-up. Only what must wait for the store
//! leaves the task, and comes back as another input.

mod carrier;
mod clock;
mod connect;
mod desk;
mod load;
mod rules;
mod socket;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use wigwag_dialects::Dialects;
use wigwag_hub::{Hub, Input};

use self::carrier::Carrier;
pub use self::clock::Clock;
pub use self::connect::{connect, connect_foreign};
pub use self::load::{LoadError, load};
pub use self::rules::rules;
pub use self::socket::Mail;
use crate::http::Readiness;
use crate::metrics::Metrics;
use crate::net::Sockets;
use crate::store::Store;

/// How often the hub's deadlines are looked at. The shortest that a peer can notice is the gathering of a network's changes.
const TICK: Duration = Duration::from_millis(20);

/// The running server: the hub, and all that it is carried by.
pub struct Driver {
    hub: Hub,
    dialects: Arc<Dialects>,
    sockets: Arc<Sockets<Mail>>,
    store: Store,
    metrics: Metrics,
    clock: Clock,
    counted: desk::Counted,
    readiness: AtomicU8,
    draining: watch::Sender<bool>,
}

/// What a driver is put together from.
pub struct Parts {
    /// The hub, restored.
    pub hub: Hub,
    /// The dialects whose voices it has.
    pub dialects: Arc<Dialects>,
    /// The sockets.
    pub sockets: Arc<Sockets<Mail>>,
    /// The store.
    pub store: Store,
    /// The metrics.
    pub metrics: Metrics,
    /// The clock that the hub was restored by.
    pub clock: Clock,
}

impl Driver {
    /// Puts it together, and starts to look after the hub's deadlines.
    pub fn start(parts: Parts) -> Arc<Self> {
        let Parts { hub, dialects, sockets, store, metrics, clock } = parts;
        let driver = Arc::new(Self {
            hub,
            dialects,
            sockets,
            store,
            metrics,
            clock,
            counted: desk::Counted::default(),
            readiness: AtomicU8::new(0),
            draining: watch::Sender::new(false),
        });
        tokio::spawn(tick(Arc::downgrade(&driver)));
        driver
    }

    /// The hub.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// The dialects.
    pub fn dialects(&self) -> &Arc<Dialects> {
        &self.dialects
    }

    /// The clock that the hub is told.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Hands an input to the hub outside any socket's task.
    pub fn handle(self: &Arc<Self>, input: Input<'_>) {
        self.within(|driver, carrier| driver.hub.handle(driver.clock.now(), input, carrier));
    }

    /// Lets peers in from now on.
    pub fn open(&self) {
        self.readiness.store(1, Ordering::Relaxed);
    }

    /// Whether it takes peers.
    pub fn readiness(&self) -> Readiness {
        match self.readiness.load(Ordering::Relaxed) {
            0 => Readiness::Starting,
            1 => Readiness::Ready,
            _ => Readiness::Draining,
        }
    }

    /// Lets nobody in any more; whoever waits for [`Driver::drain_asked`] goes on.
    pub fn begin_drain(&self) {
        self.readiness.store(2, Ordering::Relaxed);
        self.hub.begin_drain();
        self.draining.send_replace(true);
    }

    /// Comes back when a drain was asked for.
    pub async fn drain_asked(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.draining.subscribe().wait_for(|draining| *draining).await;
    }

    /// Runs something that the hub does, carries out what it wants, and writes the sockets concerned.
    fn within<T>(self: &Arc<Self>, act: impl FnOnce(&Self, &mut Carrier<'_, '_>) -> T) -> T {
        let mut batch = self.sockets.batch();
        let mut carrier = Carrier::new(self, &mut batch);
        let result = act(self, &mut carrier);
        carrier.finish();
        result
    }
}

/// Tells the hub the time whenever something is due, for as long as there is a driver.
async fn tick(driver: std::sync::Weak<Driver>) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        interval.tick().await;
        let Some(driver) = driver.upgrade() else { return };
        driver.clock.look_at_the_wall();
        let now = driver.clock.now();
        if driver.hub.next_deadline().is_some_and(|due| due <= now.at) {
            driver.handle(Input::Tick);
        }
    }
}
