//! A client as the protocol wants one: it comes back, resumes, sends again what was not taken in, and so has its
//! signals acknowledged and delivered exactly once, whatever happens to its sockets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval};

use super::peer::{Identity, Key, Peer, Refused};

/// What all clients of a load share, and the test watches.
#[derive(Debug, Default)]
pub struct Load {
    /// Signals acknowledged, by client.
    pub acknowledged: Vec<AtomicU64>,
    /// Clients that are in.
    pub entered: AtomicU64,
    /// Whether to send nothing new.
    pub hold: AtomicBool,
    /// Whether to come to an end.
    pub over: AtomicBool,
    /// Sockets that were closed with 4000.
    pub told_to_come_back: AtomicU64,
    /// Sessions resumed.
    pub resumed: AtomicU64,
    /// Clients with nothing unanswered.
    pub at_rest: Vec<AtomicBool>,
}

impl Load {
    pub fn of(clients: usize) -> Arc<Self> {
        let acknowledged = (0..clients).map(|_| AtomicU64::new(0)).collect();
        let at_rest = (0..clients).map(|_| AtomicBool::new(false)).collect();
        Arc::new(Self { acknowledged, at_rest, ..Self::default() })
    }

    /// The least that any client has had acknowledged.
    pub fn least(&self) -> u64 {
        self.acknowledged.iter().map(|count| count.load(Ordering::Relaxed)).min().unwrap_or(0)
    }

    pub fn is_at_rest(&self) -> bool {
        self.at_rest.iter().all(|rest| rest.load(Ordering::Relaxed))
    }
}

/// What a client took in.
#[derive(Debug, Default)]
pub struct Report {
    /// Signals, in the order in which they came.
    pub signals: Vec<Value>,
    /// What was said in the room, by its speaker.
    pub said: BTreeMap<String, Vec<Value>>,
    /// Presence, as it was told.
    pub presence: Vec<Value>,
    /// Signals and sayings that the server took in.
    pub sent: u64,
    pub spoken: u64,
}

/// One client: signals to the next, says something to its room now and then, and watches the next.
pub struct Steady {
    pub to: SocketAddr,
    pub number: usize,
    pub clients: usize,
    pub load: Arc<Load>,
}

/// Clients of one room.
pub const ROOM: usize = 10;

pub fn name_of(number: usize) -> String {
    format!("client-{number}@example.org")
}

pub fn room_of(number: usize) -> String {
    format!("room {}", number / ROOM)
}

impl Steady {
    /// Runs until the load is over; gives up its session then.
    pub async fn run(self) -> Report {
        let key = Key::new(1_000 + self.number as u64);
        let name = name_of(self.number);
        let who = Identity::named(&name, &key);
        let mut run = Run {
            me: &self,
            next: name_of((self.number + 1) % self.clients),
            room: room_of(self.number),
            unanswered: BTreeMap::new(),
            n: 0,
            report: Report::default(),
        };
        let mut peer = Peer::enter(self.to, who).await;
        self.load.entered.fetch_add(1, Ordering::Relaxed);
        run.begin(&mut peer).await;
        while !run.serve(&mut peer).await {
            peer = run.come_back(who, &peer).await;
        }
        run.report
    }
}

struct Run<'a> {
    me: &'a Steady,
    next: String,
    room: String,
    /// Requests without an answer, by their `n`.
    unanswered: BTreeMap<u64, Value>,
    n: u64,
    report: Report,
}

impl Run<'_> {
    async fn begin(&mut self, peer: &mut Peer) {
        let (room, next) = (self.room.clone(), self.next.clone());
        self.request(peer, json!({"type": "room.join", "room": room, "create": true})).await;
        // Whoever came first is the host, and the only one who may change the mode.
        self.request(peer, json!({"type": "room.set", "room": room, "term": 1, "mode": "FREE_FOR_ALL"})).await;
        self.request(peer, json!({"type": "watch", "ids": [next]})).await;
    }

    async fn request(&mut self, peer: &mut Peer, mut request: Value) {
        self.n += 1;
        request["n"] = self.n.into();
        peer.send(&request).await;
        self.unanswered.insert(self.n, request);
    }

    /// Serves one socket; `true` when the load is over, `false` when the socket is.
    async fn serve(&mut self, peer: &mut Peer) -> bool {
        let mut pace = interval(Duration::from_millis(60));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let load = &self.me.load;
            let rest = self.unanswered.is_empty() && load.hold.load(Ordering::Relaxed);
            load.at_rest[self.me.number].store(rest, Ordering::Relaxed);
            tokio::select! {
                message = peer.receive() => match message {
                    Some(message) => self.take(&message),
                    None => return self.closed(peer),
                },
                _ = pace.tick() => {
                    if load.over.load(Ordering::Relaxed) {
                        peer.send(&json!({"type": "bye"})).await;
                        while let Some(message) = peer.receive().await {
                            self.take(&message);
                        }
                        return true;
                    }
                    // Nobody is spoken to before they are in.
                    let all_in = load.entered.load(Ordering::Relaxed) == self.me.clients as u64;
                    if all_in && !load.hold.load(Ordering::Relaxed) {
                        self.speak(peer).await;
                    }
                }
            }
        }
    }

    async fn speak(&mut self, peer: &mut Peer) {
        self.report.sent += 1;
        let signal = json!({"type": "signal", "to": self.next, "kind": "load", "data": self.report.sent});
        self.request(peer, signal).await;
        if self.report.sent.is_multiple_of(4) {
            self.report.spoken += 1;
            let say = json!({"type": "say", "room": self.room, "data": self.report.spoken});
            self.request(peer, say).await;
        }
    }

    fn take(&mut self, message: &Value) {
        if let Some(n) = message["re"].as_u64() {
            let request = self.unanswered.remove(&n).unwrap_or_else(|| panic!("answered twice: {message}"));
            let refused = message["type"] == "error";
            // Only one of a room becomes its host.
            assert!(!refused || request["type"] == "room.set", "{request} was answered with {message}");
            if request["type"] == "signal" {
                assert!(["delivered", "stored"].contains(&message["status"].as_str().unwrap()), "{message}");
                self.me.load.acknowledged[self.me.number].fetch_add(1, Ordering::Relaxed);
            }
            return;
        }
        match message["type"].as_str().unwrap() {
            "signal" => self.report.signals.push(message["data"].clone()),
            "said" => {
                let from = message["from"].as_str().unwrap().to_owned();
                self.report.said.entry(from).or_default().push(message["data"].clone());
            }
            "presence" => self.report.presence.push(message["state"].clone()),
            "room.member" | "room.changed" => {}
            // The others end their sessions, and what they did not confirm yet counts as lost.
            "lost" | "room.host" if self.me.load.over.load(Ordering::Relaxed) => {}
            _ => panic!("nobody expected {message}"),
        }
    }

    fn closed(&self, peer: &Peer) -> bool {
        // The server tells everybody to come back; a connection may also end while it is told.
        if peer.closed() == Some(4000) {
            self.me.load.told_to_come_back.fetch_add(1, Ordering::Relaxed);
        }
        false
    }

    /// Knocks until the session goes on, and sends again what was not taken in.
    async fn come_back(&mut self, who: Identity<'_>, old: &Peer) -> Peer {
        let mut peer = loop {
            // The protocol wants clients to wait between two tries.
            tokio::time::sleep(Duration::from_millis(50)).await;
            let Ok(stream) = TcpStream::connect(self.me.to).await else { continue };
            match Peer::over(stream, who, Some((old.token(), old.seen))).await {
                Ok(peer) => break peer,
                Err(why) => assert!([Refused(4000), Refused::LOST].contains(&why), "{why:?}"),
            }
        };
        assert_eq!(peer.welcome["resumed"], true, "{}", peer.welcome);
        assert_eq!(peer.welcome["missed"], Value::Null, "{}", peer.welcome);
        peer.seen = old.seen;
        self.me.load.resumed.fetch_add(1, Ordering::Relaxed);
        let taken = peer.welcome["n"].as_u64().unwrap_or(0);
        for (_, request) in self.unanswered.range(taken + 1..) {
            peer.send(request).await;
        }
        peer
    }
}
