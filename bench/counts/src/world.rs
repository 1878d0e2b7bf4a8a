//! A hub with peers, whose sockets are two buffers in memory each.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use wigwag_dialects::{Arrival, Conversation, Dialect, Dialects, Settings, Which};
use wigwag_hub::{Connection, Frame, Hub, Moment, Now, Origin, Output, Outputs, Received, Rules, SocketId, Wall};
use wigwag_wire::Limits;

use crate::frame::{Decoder, Event, Kind, MessageLimits};
use crate::outbox::Outbox;

/// A server without sockets, and those who are connected to it.
pub(crate) struct World {
    hub: Hub,
    dialects: Arc<Dialects>,
    now: Now,
    peers: Vec<Peer>,
    ends: Ends,
    /// What a read fills.
    buffer: Vec<u8>,
}

/// What stands behind a socket.
struct Peer {
    decoder: Decoder,
    speaks: Speaks,
}

enum Speaks {
    Native(Connection),
    Foreign(Box<Conversation>),
}

/// The sockets' other ends.
#[derive(Default)]
struct Ends {
    outboxes: Vec<Option<Box<Outbox>>>,
    /// Sockets with something to write.
    dirty: Vec<usize>,
    /// Counts that peers were asked to confirm.
    marks: Vec<(usize, u64)>,
    /// The last frame sent, where that is of interest.
    last: Option<String>,
    listening: bool,
    frames: u64,
}

/// Time between two things that happen.
const STEP_MS: u64 = 10;
/// No limit is off, and none is met.
const MANY: u64 = 10_000_000;
const MESSAGE: MessageLimits = MessageLimits { bytes: 65_536, fragments: 1_000 };

impl World {
    pub(crate) fn new() -> Self {
        let dialects = Dialects::new(Settings::default());
        let limits = Limits {
            frames_per_second: MANY,
            frames_burst: MANY,
            handshakes: MANY,
            rooms_per_session: 1_000,
            ..Limits::default()
        };
        let rules = Rules { limits, ..Rules::default() };
        Self {
            hub: Hub::new(rules, dialects.voices(), [7; 32]),
            dialects,
            now: Now { at: Moment(1_000_000), wall: Wall(1_795_000_000_000) },
            peers: Vec::new(),
            ends: Ends::default(),
            buffer: vec![0; 65_536],
        }
    }

    /// Opens a socket of the native protocol; the answer is its number and the challenge.
    pub(crate) fn open(&mut self) -> Result<(usize, String)> {
        let (socket, pass) = self.admit()?;
        self.ends.listening = true;
        let connection = Connection::open(&self.hub, self.now, SocketId(socket as u64), pass, &mut self.ends);
        self.peers.push(Peer { decoder: Decoder::default(), speaks: Speaks::Native(connection) });
        Ok((socket, self.heard()?))
    }

    /// Lets a guest in; the answer is its number and its id.
    pub(crate) fn guest(&mut self) -> Result<(usize, String)> {
        let (socket, _) = self.open()?;
        let hello = masked(r#"{"type":"hello"}"#);
        self.ends.listening = true;
        self.read(socket, &hello)?;
        let welcome: serde_json::Value = serde_json::from_str(&self.heard()?)?;
        Ok((socket, welcome["id"].as_str().context("a welcome has an id")?.to_owned()))
    }

    /// Lets a PeerJS client in.
    pub(crate) fn peerjs(&mut self, id: &str) -> Result<usize> {
        let (socket, pass) = self.admit()?;
        let query = [("key", "peerjs"), ("id", id), ("token", "t")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let which = Which::One(Dialect::PeerJs);
        let arrival = Arrival { which, namespace: None, rest: String::new(), query: query.into() };
        let conversation = Conversation::open(
            (&self.hub, &self.dialects),
            self.now,
            SocketId(socket as u64),
            pass,
            arrival,
            &mut self.ends,
        );
        self.peers.push(Peer { decoder: Decoder::default(), speaks: Speaks::Foreign(Box::new(conversation)) });
        self.write();
        Ok(socket)
    }

    /// One wake-up: these bytes of a peer are read, what they lead to is done, and every socket concerned is written.
    pub(crate) fn read(&mut self, socket: usize, bytes: &[u8]) -> Result<()> {
        self.now = Now { at: self.now.at + STEP_MS, wall: self.now.wall + STEP_MS };
        let mut buffer = std::mem::take(&mut self.buffer);
        let arrived = buffer.get_mut(..bytes.len()).context("more than one read")?;
        arrived.copy_from_slice(bytes);
        self.decode(socket, arrived)?;
        self.buffer = buffer;
        if let Some((socket, count)) = self.ends.marks.pop() {
            self.receive(socket, Received::Pong(count.to_string().as_bytes()))?;
        }
        self.write();
        Ok(())
    }

    /// How many frames were sent so far.
    pub(crate) fn frames(&self) -> u64 {
        self.ends.frames
    }

    fn decode(&mut self, socket: usize, bytes: &mut [u8]) -> Result<()> {
        let mut at = 0;
        // A decoder hands out what it holds, and the peer is asked for more than that.
        let mut decoder = std::mem::take(&mut self.peers.get_mut(socket).context("no such peer")?.decoder);
        while let Some(rest) = bytes.get_mut(at..) {
            let step = decoder.next(rest, MESSAGE)?;
            at += step.used;
            match step.event {
                Some(Event::Text(text)) => self.receive(socket, Received::Text(text))?,
                Some(_) => bail!("only texts are sent here"),
                None => break,
            }
        }
        if let Some(peer) = self.peers.get_mut(socket) {
            peer.decoder = decoder;
        }
        Ok(())
    }

    fn receive(&mut self, socket: usize, received: Received<'_>) -> Result<()> {
        let (hub, dialects, now, ends) = (&self.hub, &self.dialects, self.now, &mut self.ends);
        match &mut self.peers.get_mut(socket).context("no such peer")?.speaks {
            Speaks::Native(connection) => connection.handle(hub, now, received, ends),
            Speaks::Foreign(conversation) => conversation.handle((hub, dialects), now, received, ends),
        }
        Ok(())
    }

    /// Every socket takes what waits for it.
    fn write(&mut self) {
        for socket in self.ends.dirty.drain(..) {
            if let Some(mut outbox) = self.ends.outboxes.get_mut(socket).and_then(Option::take) {
                outbox.advance(outbox.len());
                Outbox::give_back(outbox);
            }
        }
    }

    fn heard(&mut self) -> Result<String> {
        self.ends.listening = false;
        self.write();
        self.ends.last.take().context("nothing was said")
    }

    fn admit(&mut self) -> Result<(usize, wigwag_hub::Pass)> {
        let origin = Origin::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let pass = self.hub.admit(self.now, origin).map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
        self.ends.outboxes.push(None);
        Ok((self.peers.len(), pass))
    }
}

impl Outputs for Ends {
    fn emit(&mut self, output: Output) {
        match output {
            Output::Send { socket, frame } => self.send(socket, Frame::Shared(&frame)),
            Output::Mark { socket, count } => self.marks.push((socket.0 as usize, count)),
            _ => {}
        }
    }

    fn send(&mut self, socket: SocketId, frame: Frame<'_>) {
        let socket = socket.0 as usize;
        let Some(outbox) = self.outboxes.get_mut(socket) else { return };
        if outbox.is_none() {
            self.dirty.push(socket);
        }
        outbox.get_or_insert_with(Outbox::take).push(Kind::Text, &frame);
        self.frames += 1;
        if self.listening {
            self.last = Some(String::from_utf8_lossy(&frame).into_owned());
        }
    }
}

/// A text as a client sends it.
pub(crate) fn masked(text: &str) -> Vec<u8> {
    const MASK: [u8; 4] = [0x1b, 0xad, 0xca, 0xfe];
    let mut bytes = vec![0x81];
    match (u8::try_from(text.len()), u16::try_from(text.len())) {
        (Ok(short @ 0..126), _) => bytes.push(0x80 | short),
        (_, length) => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&length.unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&MASK);
    bytes.extend(text.bytes().zip(MASK.into_iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}
