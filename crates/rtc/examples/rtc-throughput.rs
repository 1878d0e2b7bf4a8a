//! How fast a data channel is beside plain TCP, both over the loopback and in this run, and what it keeps in memory meanwhile.
//! `cargo run --release -p wigwag-rtc --example rtc-throughput [MEGABYTES [MESSAGE_BYTES]]`

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use wigwag_rtc::{Channel, ChannelInit, Engine as _, Events, Loopback, Messages, Native, PeerConnection, Settings};

const MEGABYTE: usize = 1024 * 1024;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>().unwrap());
    let total = arguments.next().unwrap_or(1024) * MEGABYTE;
    let size = arguments.next().unwrap_or(64 * 1024);

    let tcp = timed("TCP", total, over_tcp(total)).await;
    let before = resident();
    let pair = Pair::connected().await;
    let channel = timed("channel", total, over_channel(&pair, total, size)).await;
    println!(
        "a channel has {:.3} of the speed of TCP; memory grew by {} KiB at most",
        tcp / channel,
        most_resident() - before
    );
}

/// Says how fast it was, and gives the seconds.
async fn timed(name: &str, total: usize, copying: impl Future<Output = ()>) -> f64 {
    let (begun, cpu) = (Instant::now(), cpu());
    copying.await;
    let (took, cpu) = (begun.elapsed().as_secs_f64(), self::cpu() - cpu);
    let megabytes = total as f64 / MEGABYTE as f64;
    println!("{name}: {:.0} MB/s, {:.2} CPU seconds per GB", megabytes / took, cpu.as_secs_f64() * 1024.0 / megabytes);
    took
}

async fn over_tcp(total: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sending = tokio::spawn(async move {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let block = vec![7; 64 * 1024];
        for _ in 0..total / block.len() {
            socket.write_all(&block).await.unwrap();
        }
    });
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut block = vec![0; 64 * 1024];
    let mut heard = 0;
    while heard < total {
        heard += socket.read(&mut block).await.unwrap();
    }
    sending.await.unwrap();
}

/// Two ends of a connection, from one to the other.
struct Pair {
    speaking: Channel,
    hearing: Mutex<Messages>,
    _ends: [(PeerConnection, Events); 2],
}

impl Pair {
    async fn connected() -> Self {
        let settings = Settings { loopback: Loopback::Only, ..Settings::default() };
        let (ann, bob) = (Native.connect(settings.clone()), Native.connect(settings));
        let (speaking, _) = ann.0.channel(ChannelInit::main()).await.unwrap();
        let (_, hearing) = bob.0.channel(ChannelInit::main()).await.unwrap();
        let answer = bob.0.describe(ann.0.offer(false).await.unwrap()).await.unwrap().unwrap();
        ann.0.describe(answer).await.unwrap();
        speaking.opened().await.unwrap();
        Self { speaking, hearing: hearing.into(), _ends: [ann, bob] }
    }
}

async fn over_channel(pair: &Pair, total: usize, size: usize) {
    let count = total / size;
    let speaking = pair.speaking.clone();
    let sending = tokio::spawn(async move {
        let message = bytes::Bytes::from(vec![7; size]);
        for _ in 0..count {
            speaking.send(message.clone()).await.unwrap();
        }
    });
    let mut hearing = pair.hearing.lock().await;
    for _ in 0..count {
        assert_eq!(hearing.next().await.unwrap().len(), size);
    }
    sending.await.unwrap();
}

/// What this process has used of processors.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

fn resident() -> u64 {
    status("VmRSS:")
}

fn most_resident() -> u64 {
    status("VmHWM:")
}

/// In KiB.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find_map(|line| line.strip_prefix(name)).unwrap().split_whitespace().next().unwrap().parse().unwrap()
}
