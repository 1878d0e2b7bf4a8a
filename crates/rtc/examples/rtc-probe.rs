//! One end of a connection that speaks JSON lines: orders on stdin, answers and events on stdout. Tests put it opposite a browser.
//!
//! An order is `{"n": 1, "do": "offer", …}` and its answer `{"re": 1, …}`, with `error` in it if it was refused. Everything else that it
//! says happened by itself. The only argument is an object with `iceServers`, `policy` (`relay`), `loopback` (`only`, `also`) and
//! `echo`, which sends back what is said.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use wigwag_rtc::{
    Candidate, Channel, ChannelInit, Description, Engine as _, Error, Event, Events, IceServer, Loopback, Message,
    Messages, Native, Path, PeerConnection, Policy, Reliability, Settings,
};

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Config {
    ice_servers: Vec<Server>,
    policy: String,
    loopback: String,
    roots: Vec<String>,
    echo: bool,
}

#[derive(Deserialize)]
struct Server {
    urls: Vec<String>,
    username: Option<String>,
    credential: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
enum Order {
    Offer {
        #[serde(default)]
        restart: bool,
    },
    Describe {
        description: Description,
    },
    Local,
    Candidates {
        candidates: Vec<Candidate>,
    },
    Channel {
        label: String,
        id: Option<u16>,
        #[serde(default)]
        unordered: bool,
        retransmits: Option<u16>,
    },
    Send {
        channel: String,
        text: Option<String>,
        bytes: Option<usize>,
        #[serde(default)]
        fill: u8,
    },
    Flush {
        channel: String,
    },
    End {
        channel: String,
    },
    Stats,
    Close,
}

type Channels = Arc<Mutex<BTreeMap<String, Channel>>>;

#[tokio::main]
async fn main() {
    let config: Config = std::env::args().nth(1).map(|text| serde_json::from_str(&text).unwrap()).unwrap_or_default();
    let echo = config.echo;
    let (connection, events) = Native.connect(settings(config));
    let channels = Channels::default();
    let (main, messages) = connection.channel(ChannelInit::main()).await.unwrap();
    take(&channels, main, messages, echo);
    let hearing = tokio::spawn(hear(events, Arc::clone(&channels), echo));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        let order: Value = serde_json::from_str(&line).unwrap();
        let number = order["n"].clone();
        let order: Order = serde_json::from_value(order).unwrap();
        let (connection, channels) = (connection.clone(), Arc::clone(&channels));
        let obeying = async move {
            let mut answer = obey(&connection, &channels, order, echo)
                .await
                .unwrap_or_else(|error| json!({ "error": error.to_string() }));
            answer["re"] = number;
            say(&answer);
        };
        // What waits for room must not hold up the rest; order among the rest matters.
        if line.contains(r#""do":"send""#) || line.contains(r#""do":"flush""#) {
            tokio::spawn(obeying);
        } else {
            obeying.await;
        }
    }
    drop(connection);
    hearing.await.unwrap();
}

fn settings(config: Config) -> Settings {
    let servers = config.ice_servers.into_iter();
    Settings {
        ice_servers: servers
            .map(|it| IceServer { urls: it.urls, username: it.username, credential: it.credential })
            .collect(),
        policy: if config.policy == "relay" { Policy::Relay } else { Policy::All },
        loopback: match config.loopback.as_str() {
            "only" => Loopback::Only,
            "also" => Loopback::Also,
            _ => Loopback::Alone,
        },
        turn_roots: config.roots.into_iter().map(String::into_bytes).collect(),
    }
}

async fn obey(connection: &PeerConnection, channels: &Channels, order: Order, echo: bool) -> Result<Value, Error> {
    let channel = |label: &str| channels.lock().unwrap().get(label).cloned().ok_or(Error::Closed);
    Ok(match order {
        Order::Offer { restart } => json!({ "description": connection.offer(restart).await? }),
        Order::Describe { description } => json!({ "description": connection.describe(description).await? }),
        Order::Local => json!({ "description": connection.local_description().await? }),
        Order::Candidates { candidates } => {
            connection.candidates(candidates).await?;
            json!({})
        }
        Order::Channel { label, id, unordered, retransmits } => {
            let reliability = retransmits.map_or(Reliability::Reliable, Reliability::Retransmits);
            let init = ChannelInit { negotiated: id, ordered: !unordered, reliability, ..ChannelInit::new(label) };
            let (channel, messages) = connection.channel(init).await?;
            take(channels, channel, messages, echo);
            json!({})
        }
        Order::Send { channel: label, text, bytes, fill } => {
            let message = match text {
                Some(text) => Message::Text(text),
                None => vec![fill; bytes.unwrap_or(0)].into(),
            };
            channel(&label)?.send(message).await?;
            json!({})
        }
        Order::Flush { channel: label } => {
            channel(&label)?.flushed().await;
            json!({})
        }
        Order::End { channel: label } => {
            channel(&label)?.close().await;
            json!({})
        }
        Order::Stats => {
            let stats = connection.stats().await?;
            let path = stats.path.map(|path| if path == Path::Turn { "turn" } else { "direct" });
            json!({
                "path": path, "rtt": stats.rtt.map(|rtt| rtt.as_secs_f64()), "sent": stats.sent, "received": stats.received,
                "local": stats.local, "remote": stats.remote,
            })
        }
        Order::Close => {
            connection.close().await;
            json!({})
        }
    })
}

/// Tells what happens.
async fn hear(mut events: Events, channels: Channels, echo: bool) {
    while let Some(event) = events.next().await {
        say(&match event {
            Event::Candidate(candidate) => json!({ "candidate": candidate }),
            Event::Gathered => json!({ "gathered": true }),
            Event::Ice(state) => json!({ "ice": format!("{state:?}").to_lowercase() }),
            Event::Channel(channel, messages) => {
                let told = json!({
                    "channel": channel.label(), "ordered": channel.init().ordered, "protocol": channel.init().protocol,
                });
                take(&channels, channel, messages, echo);
                told
            }
            Event::NetworkChanged => json!({ "network": "changed" }),
            Event::Closed(reason) => json!({ "closed": format!("{reason:?}") }),
            _ => continue,
        });
    }
}

/// Tells when a channel opens, what is said on it, and when it closes.
fn take(channels: &Channels, channel: Channel, mut messages: Messages, echo: bool) {
    let label = channel.label().to_owned();
    channels.lock().unwrap().insert(label.clone(), channel.clone());
    tokio::spawn(async move {
        if channel.opened().await.is_ok() {
            say(&json!({ "open": label, "largest": channel.message_bytes_max() }));
        }
        while let Some(message) = messages.next().await {
            match &message {
                Message::Text(text) => say(&json!({ "from": label, "text": text })),
                Message::Binary(bytes) => {
                    let sum: u64 = bytes.iter().copied().map(u64::from).sum();
                    say(&json!({ "from": label, "bytes": bytes.len(), "sum": sum }));
                }
            }
            if echo {
                let _ = channel.send(message).await;
            }
        }
        say(&json!({ "ended": label }));
    });
}

fn say(value: &Value) {
    println!("{value}");
}
