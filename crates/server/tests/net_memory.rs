//! What a socket costs when nothing happens on it, counted in bytes of heap.
//!
//! A program of its own because its allocator counts, and because nothing else may allocate
//! meanwhile. Clients are bare descriptors, which take no heap; those of TLS are on a thread that is not counted.
#![allow(clippy::unwrap_used, clippy::print_stdout)]
#![allow(unsafe_code, reason = "an allocator cannot be written otherwise")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use rcgen::generate_simple_self_signed;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use wigwag_hub::SocketId;
use wigwag_server::net::{
    Batch, Behind, Closed, Door, DoorLimits, Flow, Listener, NetLimits, NetMetrics, Sockets, Tls, Upgrade,
};

const SOCKETS: usize = 300;
const MESSAGE: usize = 60_000;
const WORKERS: usize = 2;
/// What a worker reads into, made when it reads for the first time: that may be late, for work goes to whoever is free.
const READ_BUFFER: usize = 64 << 10;
/// The same for the records of TLS, those that come and those that go.
const RECORDS: usize = 128 << 10;

#[test]
fn an_idle_socket_is_small_and_stays_small_after_large_messages() {
    let _alone = alone();
    let runtime = runtime();
    let (address, metrics) = runtime.block_on(async { serve(None) });
    let open = |n| (0..n).map(|_| Client::open(connect(address))).collect::<Vec<_>>();
    let settled = |sockets| settled(&metrics, sockets);
    // Thread-locals, lazily made statics and the pools are not the sockets' cost.
    let mut warm = open(20);
    warm.iter_mut().for_each(Client::echo);
    drop(warm);
    let before = settled(0);

    let mut clients = open(SOCKETS);
    let idle = settled(SOCKETS) - before;
    let each = idle / SOCKETS as isize;
    println!("{each} bytes of heap for an idle socket, the table and tokio's part included");
    assert!(each <= 700, "{each} bytes");

    clients.iter_mut().for_each(Client::echo);
    let after = settled(SOCKETS) - before;
    let slack = idle / 10 + (WORKERS * READ_BUFFER) as isize;
    println!("{} bytes after a message of {MESSAGE} bytes each way", after / SOCKETS as isize);
    assert!(after <= idle + slack, "{idle} bytes became {after}");

    // A message in three pieces, the last of which is still missing: that is what may be held.
    let message = frame(&[b'y'; MESSAGE]);
    let (first, rest) = message.split_at(MESSAGE / 2);
    clients.iter_mut().for_each(|client| client.0.write_all(first).unwrap());
    until(|| lowest_heap() - before > idle + (SOCKETS * MESSAGE / 2) as isize);
    clients.iter_mut().for_each(|client| client.0.write_all(rest).unwrap());
    clients.iter_mut().for_each(|client| client.read_echo(b'y'));
    drop(message);
    let again = settled(SOCKETS) - before;
    assert!(again <= idle + slack, "{idle} bytes became {again}");

    drop(clients);
    // The table keeps its slots, and tokio some of its own.
    let left = settled(0) - before;
    println!("{left} bytes left after {SOCKETS} sockets closed");
    assert!(left < idle / 5 + slack, "{left} bytes left of {idle}");
}

#[test]
fn an_idle_tls_socket_holds_no_buffer_even_after_large_messages() {
    let _alone = alone();
    let runtime = runtime();
    let (tls, config) = certificate();
    let (address, metrics) = runtime.block_on(async { serve(Some(tls)) });
    COUNTED.set(false);
    let secure = || {
        let name = ServerName::try_from("localhost").unwrap();
        StreamOwned::new(ClientConnection::new(Arc::clone(&config), name).unwrap(), connect(address))
    };
    let open = |n| (0..n).map(|_| Client::open(secure())).collect::<Vec<_>>();
    let settled = |sockets| settled(&metrics, sockets);
    let mut warm = open(20);
    warm.iter_mut().for_each(Client::echo);
    drop(warm);
    let before = settled(0);

    let mut clients = open(SOCKETS);
    let idle = settled(SOCKETS) - before;
    let each = idle / SOCKETS as isize;
    println!("{each} bytes of heap for an idle socket over TLS");
    assert!(each <= 3_600, "{each} bytes");

    clients.iter_mut().for_each(Client::echo);
    let after = settled(SOCKETS) - before;
    // Less than a thousandth of it for each, so no buffer.
    let slack = (SOCKETS * 50 + WORKERS * (READ_BUFFER + RECORDS)) as isize;
    println!("{} bytes after a message of {MESSAGE} bytes each way", after / SOCKETS as isize);
    assert!(after <= idle + slack, "{idle} bytes became {after}");

    // All but the last byte of a record.
    let records: Vec<_> = clients.iter_mut().map(|client| client.seal(b'y')).collect();
    for (client, records) in clients.iter_mut().zip(&records) {
        client.0.sock.write_all(&records[..records.len() - 1]).unwrap();
    }
    until(|| lowest_heap() - before > idle + (SOCKETS * MESSAGE / 2) as isize);
    for (client, records) in clients.iter_mut().zip(&records) {
        client.0.sock.write_all(&records[records.len() - 1..]).unwrap();
    }
    clients.iter_mut().for_each(|client| client.read_echo(b'y'));
    let again = settled(SOCKETS) - before;
    assert!(again <= idle + slack, "{idle} bytes became {again}");

    drop(clients);
    let left = settled(0) - before;
    println!("{left} bytes left after {SOCKETS} sockets over TLS closed");
    assert!(left < idle / 5 + slack, "{left} bytes left of {idle}");
}

struct Echo(SocketId);

impl Behind for Echo {
    type Mail = ();

    fn on_open(&mut self, _: &mut Batch<'_, ()>) -> Flow {
        Flow::Continue
    }

    fn on_text(&mut self, text: &str, batch: &mut Batch<'_, ()>) -> Flow {
        assert!(batch.send(self.0, &Bytes::copy_from_slice(text.as_bytes())));
        Flow::Continue
    }

    fn on_binary(&mut self, _: &[u8], _: &mut Batch<'_, ()>) -> Flow {
        Flow::Continue
    }

    fn on_mail(&mut self, (): (), _: &mut Batch<'_, ()>) -> Flow {
        Flow::Continue
    }

    fn on_close(&mut self, _: Closed, _: &mut Batch<'_, ()>) {}
}

fn serve(tls: Option<Tls>) -> (SocketAddr, NetMetrics) {
    let metrics = NetMetrics::default();
    let sockets = Sockets::start(NetLimits::default(), metrics.clone());
    let upgrade = move |request: Request| async move {
        Upgrade::from_request(request, &sockets)
            .and_then(|upgrade| upgrade.accept(&sockets, None, Echo))
            .into_response()
    };
    let door = Arc::new(Door::new(Router::new().route("/", get(upgrade)), DoorLimits::default(), metrics.clone()));
    let listener = Listener::tcp(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = if let Some(tls) = tls { listener.with_tls(tls) } else { listener };
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        // Dropped, it would stop the listener.
        let (_stop, stopped) = watch::channel(false);
        listener.run(door, stopped).await;
    });
    (address, metrics)
}

/// A certificate, and clients that trust it.
fn certificate() -> (Tls, Arc<ClientConfig>) {
    let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Tls::load(&cert, &key).unwrap(), Arc::new(config))
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build().unwrap()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

struct Client<S>(S);

impl<S: Read + Write> Client<S> {
    fn open(mut stream: S) -> Self {
        stream
            .write_all(
                b"GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                  Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            )
            .unwrap();
        let mut head = [0; 1024];
        let mut held = 0;
        while !head[..held].ends_with(b"\r\n\r\n") {
            held += stream.read(&mut head[held..]).unwrap();
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "));
        Self(stream)
    }

    fn echo(&mut self) {
        self.0.write_all(&frame(&[b'x'; MESSAGE])).unwrap();
        self.read_echo(b'x');
    }

    fn read_echo(&mut self, byte: u8) {
        let mut echo = vec![0; 4 + MESSAGE];
        self.0.read_exact(&mut echo).unwrap();
        assert!(echo[4..].iter().all(|b| *b == byte));
    }
}

impl Client<StreamOwned<ClientConnection, TcpStream>> {
    /// The records of a frame.
    fn seal(&mut self, byte: u8) -> Vec<u8> {
        let mut records = Vec::new();
        self.0.conn.writer().write_all(&frame(&[byte; MESSAGE])).unwrap();
        while self.0.conn.wants_write() {
            self.0.conn.write_tls(&mut records).unwrap();
        }
        records
    }
}

/// A text frame under a mask of zeros.
fn frame(payload: &[u8; MESSAGE]) -> Vec<u8> {
    let mut bytes = vec![0x81, 0xfe];
    bytes.extend((MESSAGE as u16).to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

fn until(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited too long");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The heap in use with so many sockets that do nothing.
fn settled(metrics: &NetMetrics, sockets: usize) -> isize {
    until(|| metrics.sockets.get() == sockets as i64 && metrics.connections_pending.get() == 0);
    lowest_heap()
}

/// The heap in use once the runtime has nothing left to do: the lowest of a quiet while.
fn lowest_heap() -> isize {
    let samples = (0..100).map(|_| {
        std::thread::sleep(Duration::from_millis(1));
        HEAP.load(Ordering::Relaxed)
    });
    samples.min().unwrap()
}

/// No other test runs meanwhile.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

static HEAP: AtomicIsize = AtomicIsize::new(0);

thread_local! {
    /// Whether what this thread allocates and frees is counted.
    static COUNTED: Cell<bool> = const { Cell::new(true) };
}

fn count(bytes: isize) {
    // A thread that ends still frees.
    if COUNTED.try_with(Cell::get).unwrap_or(true) {
        HEAP.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

struct Counting;

// SAFETY: the system's allocator does all the work; counting touches nothing of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.dealloc(ptr, layout) }
    }
}
