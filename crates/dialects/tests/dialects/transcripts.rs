//! Every transcript of a dialect plays against the pure machines; only what is asked over HTTP cannot be shown here.

use std::collections::{BTreeMap, VecDeque};

use percent_encoding::percent_decode_str;
use serde_json::Value;
use wigwag_conform::player::{Answer, Fault, Frame, Opened, Patience, Request, Stopped, Unable, World};
use wigwag_conform::{Bindings, Script, scripts};
use wigwag_dialects::{Dialect, PeerJsSettings, peerjs_http};

use super::table::Table;

#[test]
fn yjs_keeps_its_promises() {
    keeps(Dialect::Yjs);
}

#[test]
fn manamesh_keeps_its_promises() {
    keeps(Dialect::ManaMesh);
}

#[test]
fn matchbox_keeps_its_promises() {
    keeps(Dialect::Matchbox);
}

#[test]
fn watch_parties_keep_their_promises() {
    keeps(Dialect::WatchParty);
}

#[test]
fn peerjs_keeps_its_promises() {
    keeps(Dialect::PeerJs);
}

#[test]
fn trystero_keeps_its_promises() {
    keeps(Dialect::Trystero);
}

#[test]
fn the_tracker_keeps_its_promises() {
    keeps(Dialect::Tracker);
}

#[test]
fn volli_keeps_its_promises() {
    keeps(Dialect::Volli);
}

#[test]
fn tom_keeps_its_promises() {
    keeps(Dialect::Tom);
}

/// Plays all of a dialect's transcripts, and tells all that fail.
fn keeps(dialect: Dialect) {
    let scripts = scripts(dialect.name());
    assert!(!scripts.is_empty());
    let mut broken = Vec::new();
    let mut shown = 0;
    for (seed, script) in (1..).zip(&scripts) {
        match play(dialect, script, seed) {
            Ok(()) => shown += 1,
            Err(Stopped::Unable(_)) => {}
            Err(why) => broken.push(format!("{}: {why}", script.name)),
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(shown * 2 > scripts.len(), "most can be shown without a server");
}

fn play(dialect: Dialect, script: &Script, seed: u64) -> Result<(), Stopped> {
    let settings = &script.transcript.server;
    if settings.namespaces.is_some() {
        return Err(Stopped::Unable("what is refused before a socket opens is the server's".into()));
    }
    let mut peerjs = PeerJsSettings::default();
    for (key, value) in &settings.set {
        match key.as_str() {
            "peerjs.key" => peerjs.key = value.clone(),
            "peerjs.allow_discovery" => peerjs.allow_discovery = value == "true",
            "peerjs.concurrent_limit" => peerjs.concurrent_limit = value.parse().unwrap(),
            "peerjs.expire_timeout_ms" => peerjs.expire_timeout_ms = value.parse().unwrap(),
            // A room has as many seats as the limits allow here.
            "rooms.capacity" => {}
            unknown => panic!("no dialect knows {unknown}"),
        }
    }
    let table = Table::with(|rules, settings_of_dialects| {
        rules.limits = settings.limits.clone();
        settings_of_dialects.peerjs = peerjs.clone();
    });
    let mut stage = Stage { table, dialect, peerjs, inboxes: BTreeMap::new() };
    let mut state = seed;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state ^ (state >> 33)
    };
    script.transcript.play(&mut stage, Bindings::default(), &mut random)
}

/// A table at which one dialect is spoken.
struct Stage {
    table: Table,
    dialect: Dialect,
    /// As the operator wants it.
    peerjs: PeerJsSettings,
    /// What sockets heard and nobody has looked at.
    inboxes: BTreeMap<String, VecDeque<String>>,
}

/// How long something may take to come.
const PATIENCE_MS: u64 = 1_000;
/// How finely that is waited for.
const STEP_MS: u64 = 50;

impl World for Stage {
    fn open(&mut self, socket: &str, at: &str) -> Result<Opened, Fault> {
        let (path, query) = at.split_once('?').unwrap_or((at, ""));
        self.inboxes.insert(socket.into(), VecDeque::new());
        match (path.strip_prefix('/'), self.dialect) {
            // From the top of a server: no path that is a dialect's own.
            (Some(_), _) => self.table.open_any(socket),
            (None, dialect) => {
                let own: &[&str] = match dialect {
                    Dialect::PeerJs => &["peerjs"],
                    Dialect::WatchParty => &["room/", "watchparty/"],
                    _ => &[""],
                };
                let rest = own.iter().find_map(|own| path.strip_prefix(own));
                let rest = rest.ok_or_else(|| Fault::Otherwise(format!("{path} is not {dialect:?}'s")))?;
                let address = format!("{rest}?{query}");
                let address = percent_decode_str(&address).decode_utf8_lossy();
                self.table.open(socket, dialect, &address);
            }
        }
        Ok(Opened::Yes)
    }

    fn send(&mut self, socket: &str, frame: Frame) {
        match frame {
            Frame::Text(text) => self.table.say(socket, &text),
            Frame::Binary(bytes) => self.table.say_bytes(socket, &bytes),
        }
    }

    fn next(&mut self, sockets: &[&str], patience: Patience) -> Option<(usize, Frame)> {
        let mut waited = 0;
        loop {
            for (at, socket) in sockets.iter().enumerate() {
                let Some(inbox) = self.inboxes.get_mut(*socket) else { continue };
                inbox.extend(self.table.heard(socket));
                if let Some(text) = inbox.pop_front() {
                    return Some((at, Frame::Text(text)));
                }
            }
            let closed = sockets.iter().all(|socket| self.table.closed(socket).is_some());
            if closed || patience == Patience::Now || waited == PATIENCE_MS {
                return None;
            }
            self.table.wait(STEP_MS);
            waited += STEP_MS;
        }
    }

    fn closed(&mut self, socket: &str, _: Patience) -> Option<u16> {
        self.table.closed(socket)
    }

    fn pong(&mut self, _: &str) -> Result<bool, Unable> {
        Err(Unable("a dialect's machine sends no pings".into()))
    }

    fn lose(&mut self, socket: &str) {
        self.table.lose(socket);
    }

    fn close(&mut self, socket: &str) {
        self.table.lose(socket);
    }

    fn wait(&mut self, ms: u64) {
        self.table.wait(ms);
    }

    fn restart(&mut self) -> Result<(), Unable> {
        self.inboxes.clear();
        self.table.restart(STEP_MS);
        Ok(())
    }

    fn request(&mut self, request: &Request) -> Result<Answer, Fault> {
        let path = percent_decode_str(request.path.split('?').next().unwrap_or_default()).decode_utf8_lossy();
        let ns = &self.table.hub.rules().default_namespace;
        let answer = match self.dialect {
            Dialect::PeerJs => peerjs_http(&self.table.hub, &self.peerjs, ns, &path),
            _ => return Err(Fault::Unable(Unable("this page is the server's".into()))),
        };
        // The server adds that pages of any origin may read it.
        let headers = BTreeMap::from([("access-control-allow-origin".to_owned(), "*".to_owned())]);
        let answer = answer.ok_or_else(|| Fault::Otherwise("there is no such page".into()))?;
        Ok(Answer { status: answer.status, headers, body: answer.body })
    }

    fn prove(&mut self, _: &str, _: &str, _: Value) -> Result<Value, Unable> {
        Err(Unable("dialects have no test keys".into()))
    }
}
