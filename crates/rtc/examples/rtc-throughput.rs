//! How fast a data channel is beside plain TCP, both in this run and over the same way, and what it keeps in memory meanwhile.
//!
//! - `rtc-throughput [MEGABYTES [MESSAGE_BYTES]]`: both ends here, over the loopback.
//! - `rtc-throughput hear ADDRESS:PORT` on one machine, and `rtc-throughput speak ADDRESS:PORT [MEGABYTES [MESSAGE_BYTES]]` on another.
//!
//! Before each stands `cargo run --release -p wigwag-rtc --example`.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use wigwag_rtc::{
    Channel, ChannelInit, Description, Engine as _, Events, Loopback, Messages, Native, PeerConnection, Settings,
};

const MEGABYTE: usize = 1024 * 1024;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["hear", address] => hear(&TcpListener::bind(address).await.unwrap()).await,
        ["speak", address, ref sizes @ ..] => speak(address, Sizes::read(sizes)).await,
        ref sizes => here(Sizes::read(sizes)).await,
    }
}

/// How much is sent, in messages of what size.
#[derive(Clone, Copy)]
struct Sizes {
    total: usize,
    message: usize,
}

impl Sizes {
    fn read(words: &[&str]) -> Self {
        let mut numbers = words.iter().map(|word| word.parse::<usize>().unwrap());
        let total = numbers.next().unwrap_or(1024) * MEGABYTE;
        Self { total, message: numbers.next().unwrap_or(64 * 1024) }
    }
}

/// Both ends in this process.
async fn here(Sizes { total, message }: Sizes) {
    let tcp = timed("TCP", total, over_tcp(total)).await;
    let before = resident();
    let pair = Pair::connected().await;
    let channel = timed("channel", total, over_channel(&pair, total, message)).await;
    say(tcp / channel, before);
}

/// The end that sends, and takes the time until the other has it all.
async fn speak(address: &str, Sizes { total, message }: Sizes) {
    let mut socket = BufReader::new(TcpStream::connect(address).await.unwrap());
    socket.write_all(format!("{total} {message}\n").as_bytes()).await.unwrap();
    let tcp = timed("TCP", total, async {
        write(&mut socket, total).await;
        socket.read_u8().await.unwrap();
    });
    let tcp = tcp.await;
    let before = resident();
    let (pc, _events) = Native.connect(Settings::default());
    let (channel, _messages) = pc.channel(ChannelInit::main()).await.unwrap();
    tell(&mut socket, &pc.offer(false).await.unwrap()).await;
    pc.describe(told(&mut socket).await).await.unwrap();
    channel.opened().await.unwrap();
    let copying = async {
        send(&channel, total, message).await;
        socket.read_u8().await.unwrap();
    };
    say(tcp / timed("channel", total, copying).await, before);
}

/// The end that hears, once.
async fn hear(listener: &TcpListener) {
    let mut socket = BufReader::new(listener.accept().await.unwrap().0);
    let mut line = String::new();
    socket.read_line(&mut line).await.unwrap();
    let (total, message) = line.trim().split_once(' ').unwrap();
    let (total, message) = (total.parse().unwrap(), message.parse().unwrap());
    read(&mut socket, total).await;
    socket.write_u8(1).await.unwrap();
    let (pc, _events) = Native.connect(Settings::default());
    let (_channel, mut messages) = pc.channel(ChannelInit::main()).await.unwrap();
    let answer = pc.describe(told(&mut socket).await).await.unwrap().unwrap();
    tell(&mut socket, &answer).await;
    take(&mut messages, total, message).await;
    socket.write_u8(1).await.unwrap();
    // The other end closes.
    let _ = socket.read_u8().await;
}

async fn tell(socket: &mut BufReader<TcpStream>, description: &Description) {
    let line = serde_json::to_string(description).unwrap() + "\n";
    socket.write_all(line.as_bytes()).await.unwrap();
}

async fn told(socket: &mut BufReader<TcpStream>) -> Description {
    let mut line = String::new();
    socket.read_line(&mut line).await.unwrap();
    serde_json::from_str(&line).unwrap()
}

fn say(ratio: f64, before: u64) {
    println!("a channel has {ratio:.3} of the speed of TCP; memory grew by {} KiB at most", most_resident() - before);
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
    let sending = tokio::spawn(async move { write(&mut TcpStream::connect(address).await.unwrap(), total).await });
    read(&mut listener.accept().await.unwrap().0, total).await;
    sending.await.unwrap();
}

async fn write(socket: &mut (impl AsyncWrite + Unpin), total: usize) {
    let block = vec![7; 64 * 1024];
    for _ in 0..total / block.len() {
        socket.write_all(&block).await.unwrap();
    }
}

async fn read(socket: &mut (impl AsyncRead + Unpin), total: usize) {
    let mut block = vec![0; 64 * 1024];
    let mut left = total;
    while left > 0 {
        let most = left.min(block.len());
        let heard = socket.read(&mut block[..most]).await.unwrap();
        assert_ne!(heard, 0, "the other end is gone");
        left -= heard;
    }
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
    let speaking = pair.speaking.clone();
    let sending = tokio::spawn(async move { send(&speaking, total, size).await });
    take(&mut *pair.hearing.lock().await, total, size).await;
    sending.await.unwrap();
}

async fn send(channel: &Channel, total: usize, size: usize) {
    let message = bytes::Bytes::from(vec![7; size]);
    for _ in 0..total / size {
        channel.send(message.clone()).await.unwrap();
    }
}

async fn take(messages: &mut Messages, total: usize, size: usize) {
    for _ in 0..total / size {
        assert_eq!(messages.next().await.unwrap().len(), size);
    }
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
