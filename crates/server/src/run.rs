//! Start, run, drain, stop: the order in which everything comes and goes.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use ipnet::IpNet;
use prometheus_client::registry::Registry;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use wigwag_hub::Hub;
use wigwag_wire::code::Code;

use crate::cli::{Exit, Failure, Launch};
use crate::config::{Config, Data, Listen, TrustProxy};
use crate::dialects::{Guide, Routes};
use crate::driver::{Clock, Driver, Parts, connect, load, rules};
use crate::http::{Desk, Site, router};
use crate::metrics::Metrics;
use crate::net::{Door, DoorLimits, Listener, NetLimits, NetMetrics, Sockets, Tls, TrustedProxies, Workers};
use crate::store::{Place, Store, StoreMetrics, StoreOptions};
use crate::{descriptors, dialects, log, memory, store};

/// How often certificate files are looked at.
const TLS_WATCH: Duration = Duration::from_secs(5);
/// How long sockets may take to close after the last of them was asked to.
const CLOSE_GRACE: Duration = Duration::from_secs(6);

/// Runs the server until it is told to stop.
pub fn serve(launch: Launch) -> Result<Exit, Failure> {
    // Connections have threads of their own; what is left for this one is little.
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|e| Exit::Failed.because(e))?;
    let workers = Workers::start(available_parallelism().unwrap_or(NonZeroUsize::MIN));
    let workers = workers.map_err(|e| Exit::Failed.because(e))?;
    let exit = runtime.block_on(run(launch, &workers));
    // Whoever still waits for something (a blocked look-up, say) does not hold up the end.
    runtime.shutdown_timeout(Duration::from_millis(100));
    exit
}

async fn run(launch: Launch, workers: &Workers) -> Result<Exit, Failure> {
    let config = launch.loaded.config;
    descriptors::raise_limit(config.limits.sockets);
    memory::give_back();
    let mut stop = Stop::listen().map_err(|e| Exit::Failed.because(e))?;
    let metrics = Metrics::default();
    let (net, kept) = (NetMetrics::default(), StoreMetrics::default());
    let store = open_store(&config, kept.clone())?;
    // What can be wrong is tried before anything of the last run is taken over.
    let tls = tls(&config, &net)?;
    let listeners = secured(listen(&config).await?, tls.as_ref());
    let mut pinned = Vec::new();
    for place in &config.dialects.listen {
        let found = secured(listen_at(&place.listen).await?, tls.as_ref());
        pinned.extend(found.into_iter().map(|(listen, listener)| (place.dialect, listen, listener)));
    }
    let bound: Vec<Listen> = listeners.iter().map(|(listen, _)| listen.clone()).collect();
    let bound_pinned: Vec<_> = pinned.iter().map(|(dialect, listen, _)| (*dialect, listen.clone())).collect();

    let clock = Clock::start();
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| Exit::Failed.because(io::Error::other(e.to_string())))?;
    let spoken = dialects::dialects(&config);
    let mut hub = Hub::new(rules(&config), spoken.voices(), seed);
    let mut whole = load(&mut hub, &store, clock.now()).await.map_err(|e| Exit::Io.because(e))?;
    let sockets = Sockets::start_with(workers, net_limits(&config), net.clone());
    let parts = Parts {
        hub,
        dialects: spoken,
        sockets: sockets.clone(),
        store: store.clone(),
        metrics: metrics.clone(),
        clock,
    };
    let driver = Driver::start(parts);
    match driver.load_bans().await {
        Err(error) if !store.is_degraded() => return Err(Exit::Io.because(error)),
        loaded => whole &= loaded.is_ok(),
    }

    let mut registry = Registry::default();
    metrics.register(&mut registry);
    net.register(&mut registry);
    kept.register(&mut registry);
    let desk: Arc<dyn Desk> = Arc::new(driver.clone());
    let site = Arc::new(Site::new(&config, desk, metrics, registry, launch.logs));
    let door = |routes: Routes| {
        let native = Router::new().route("/v1", get(connect)).with_state(driver.clone());
        let guide = Guide::new(routes, driver.clone());
        let router = router(site.clone(), native, |inner| inner.layer(from_fn_with_state(guide, dialects::guide)));
        let door = Door::new(router, door_limits(&config), net.clone())
            .with_trusted(trusted(&config.server.trust_proxy))
            .with_proxy_protocol(config.server.proxy_protocol)
            .with_workers(workers);
        Arc::new(door)
    };
    let (closed, closing) = watch::channel(false);
    let mut doors = JoinSet::new();
    let everything = door(Routes::new(&config));
    for (_, listener) in listeners {
        doors.spawn(listener.run(everything.clone(), closing.clone()));
    }
    for (dialect, _, listener) in pinned {
        doors.spawn(listener.run(door(Routes::pinned(&config, dialect)), closing.clone()));
    }
    driver.open();
    if !whole {
        driver.catch_up();
    }
    log::announce(&config, &bound, &bound_pinned);

    let by_signal = tokio::select! {
        () = stop.asked() => true,
        () = driver.drain_asked() => false,
    };
    driver.begin_drain();
    let impatient = async {
        // An orchestrator drains first and signals then: that is no second word.
        if !by_signal {
            stop.asked().await;
        }
        stop.asked_again().await
    };
    tokio::select! {
        done = drain(&config, &driver, &sockets, &store) => {
            closed.send_replace(true);
            done
        }
        exit = impatient => {
            tracing::warn!("told to stop a second time: stopping at once, without a snapshot");
            Ok(exit)
        }
    }
}

/// Sends everybody away with the word to come back, and writes down what the next process needs.
async fn drain(
    config: &Config,
    driver: &Arc<Driver>,
    sockets: &Arc<Sockets<crate::driver::Mail>>,
    store: &Store,
) -> Result<Exit, Failure> {
    let over = Duration::from_secs(config.server.drain_seconds);
    tracing::info!(sockets = sockets.len(), seconds = over.as_secs(), "draining");
    sockets.close_all(Code::Restarting.number(), Code::Restarting.name(), over).await;
    if tokio::time::timeout(CLOSE_GRACE, sockets.emptied()).await.is_err() {
        tracing::warn!(sockets = sockets.len(), "some sockets did not close in time");
    }
    let saved = driver.save().await;
    store.close().await;
    match saved {
        Ok(()) => {
            tracing::info!("drained");
            Ok(Exit::Done)
        }
        Err(error) => {
            tracing::error!(%error, "the snapshot could not be written: peers will have to begin new sessions");
            Err(Exit::Io.because(error))
        }
    }
}

/// SIGTERM and SIGINT.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn asked(&mut self) {
        let _ = self.asked_again().await;
    }

    async fn asked_again(&mut self) -> Exit {
        tokio::select! {
            _ = self.terminate.recv() => Exit::Terminated,
            _ = self.interrupt.recv() => Exit::Interrupted,
        }
    }
}

fn open_store(config: &Config, metrics: StoreMetrics) -> Result<Store, Failure> {
    let place = match &config.server.data {
        Data::Memory => Place::Memory,
        Data::Folder(folder) => Place::Folder(folder.clone()),
        Data::Platform => Place::Folder(store::default_data_dir().map_err(|e| Exit::Io.because(e))?),
    };
    Store::open(&place, StoreOptions { metrics, ..StoreOptions::default() }).map_err(|e| Exit::Io.because(e))
}

/// Binds everything that is to be listened on, so that a wrong address is known before anything else happens.
async fn listen(config: &Config) -> Result<Vec<(Listen, Listener)>, Failure> {
    let inherited = Listener::inherited().map_err(|e| unavailable(&"the service manager's sockets", e))?;
    if !inherited.is_empty() {
        // systemd knows the paths of its Unix sockets; we only know that they are there.
        let place =
            |listener: &Listener| listener.local_addr().map_or(Listen::Unix("inherited".into()), Listen::Address);
        return Ok(inherited.into_iter().map(|listener| (place(&listener), listener)).collect());
    }
    let mut listeners = Vec::new();
    for listen in &config.server.listen {
        listeners.extend(listen_at(listen).await?);
    }
    Ok(listeners)
}

/// Binds one place, which may be several addresses.
async fn listen_at(listen: &Listen) -> Result<Vec<(Listen, Listener)>, Failure> {
    match listen {
        Listen::Address(address) => Ok(vec![tcp(*address).map_err(|e| unavailable(listen, e))?]),
        Listen::Name(host, port) => {
            let found = tokio::net::lookup_host((host.as_str(), *port)).await.map_err(|e| unavailable(listen, e))?;
            found.map(|address| tcp(address).map_err(|e| unavailable(listen, e))).collect()
        }
        Listen::Unix(path) => {
            let listener = Listener::unix(path, 0o666).map_err(|e| unavailable(listen, e))?;
            Ok(vec![(listen.clone(), listener)])
        }
    }
}

fn unavailable(at: &dyn std::fmt::Display, why: io::Error) -> Failure {
    Exit::Unavailable.because(anyhow::Error::from(why).context(format!("cannot listen on {at}")))
}

fn tcp(address: SocketAddr) -> io::Result<(Listen, Listener)> {
    let listener = Listener::tcp(address)?;
    // With port 0 the system chose one.
    let bound = listener.local_addr().unwrap_or(address);
    Ok((Listen::Address(bound), listener))
}

/// The certificate, if the server encrypts by itself. It is read again when it changes.
fn tls(config: &Config, metrics: &NetMetrics) -> Result<Option<Tls>, Failure> {
    if config.tls.cert.as_os_str().is_empty() {
        return Ok(None);
    }
    let tls = Tls::load(&config.tls.cert, &config.tls.key).map_err(|e| Exit::Config.because(e))?;
    tokio::spawn(tls.clone().watch(TLS_WATCH, metrics.clone()));
    Ok(Some(tls))
}

fn secured(listeners: Vec<(Listen, Listener)>, tls: Option<&Tls>) -> Vec<(Listen, Listener)> {
    let Some(tls) = tls else { return listeners };
    listeners.into_iter().map(|(listen, listener)| (listen, listener.with_tls(tls.clone()))).collect()
}

fn net_limits(config: &Config) -> NetLimits {
    let limits = &config.limits;
    let or_max = |limit: u64| if limit == 0 { usize::MAX } else { usize::try_from(limit).unwrap_or(usize::MAX) };
    let time = |ms: u64| if ms == 0 { Duration::MAX } else { Duration::from_millis(ms) };
    NetLimits {
        message_bytes: or_max(limits.frame_bytes),
        // What is relayed may wait beside everything else, up to half as much.
        queue_bytes: or_max(limits.queue_bytes.saturating_add(limits.queue_bytes / 2)),
        slow_reader_code: Code::SlowReader.number(),
        idle_code: Code::Idle.number(),
        sockets: or_max(limits.sockets),
        ping_every: time(limits.ping_ms),
        idle_timeout: time(limits.idle_ms),
        ..NetLimits::default()
    }
}

fn door_limits(config: &Config) -> DoorLimits {
    let ms = config.limits.handshake_ms;
    let default = DoorLimits::default();
    DoorLimits { header_timeout: if ms == 0 { default.header_timeout } else { Duration::from_millis(ms) }, ..default }
}

fn trusted(trust: &TrustProxy) -> TrustedProxies {
    let everyone = || ["0.0.0.0/0", "::/0"].iter().filter_map(|net| net.parse::<IpNet>().ok()).collect();
    match trust {
        TrustProxy::Everyone => TrustedProxies { networks: everyone(), unix: true },
        TrustProxy::Networks(networks) => TrustedProxies { networks: networks.clone(), unix: !networks.is_empty() },
    }
}
