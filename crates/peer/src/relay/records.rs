//! Many channels over one stream: messages in, bytes out when they are asked for; bytes in, messages out.

use std::collections::{BTreeMap, VecDeque};

const HEADER_BYTES: usize = 5;
/// Longest body of a record.
const BODY_BYTES: usize = 16_384;
/// Longest message.
pub const MESSAGE_BYTES: usize = 1_048_576;
const LABEL_BYTES: usize = 256;
const CHANNELS_MAX: usize = 256;
/// So many messages may be unfinished at a time, each in its own channel.
const UNFINISHED_MAX: usize = 8;
/// More than this does not wait for one who does not wait for room.
const WAITING_BYTES: usize = 16 * MESSAGE_BYTES;

const OPEN: u8 = 1;
const CLOSE: u8 = 2;
const TEXT_PART: u8 = 3;
const TEXT: u8 = 4;
const BYTES_PART: u8 = 5;
const BYTES: u8 = 6;

/// A channel of a stream, by its number. 0 is the main one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(pub u16);

/// A message of a channel. On a channel of ours a text begins with `t`, and JSON with `j`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// What the other side did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It opened a channel.
    Open {
        /// Its number.
        channel: ChannelId,
        /// Its name.
        label: String,
        /// Its protocol in the sense of WebRTC, or nothing.
        protocol: String,
    },
    /// It sent this.
    Message {
        /// On which channel.
        channel: ChannelId,
        /// What.
        message: Message,
    },
    /// It closed a channel.
    Close(ChannelId),
}

/// Why something is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// There is no such channel any more.
    #[error("this channel is not open")]
    Closed,
    /// A message or a label is too long.
    #[error("a message may have {MESSAGE_BYTES} bytes, and a label with its protocol {LABEL_BYTES}")]
    TooLarge,
    /// A label cannot hold a zero.
    #[error("the label of a channel cannot hold a zero")]
    BadLabel,
    /// Too much waits already, or there are too many channels.
    #[error("too much waits to be sent, or too many channels are open")]
    Full,
}

/// The other side broke the rules of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer broke the rules of the stream: {0}")]
pub struct Broken(&'static str);

#[derive(Debug, Default)]
struct Pipe {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    closing: bool,
    /// What came of an unfinished message; empty where none is.
    parts: Vec<u8>,
}

#[derive(Debug)]
struct Waiting {
    kind: u8,
    body: Vec<u8>,
    at: usize,
}

/// The channels of one stream.
#[derive(Debug)]
pub struct Records {
    hails: bool,
    next: u16,
    /// Whether there is no number left.
    spent: bool,
    pipes: BTreeMap<u16, Pipe>,
    /// The last number that the other opened.
    theirs: Option<u16>,
    /// What came of an unfinished record.
    rest: Vec<u8>,
    /// Who was served last.
    turn: u16,
}

impl Records {
    /// The channels of the side that hailed, or of the other.
    pub fn new(hails: bool) -> Self {
        let pipes = BTreeMap::from([(0, Pipe::default())]);
        let next = if hails { 2 } else { 1 };
        Self { hails, next, spent: false, pipes, theirs: None, rest: Vec::new(), turn: 0 }
    }

    /// Opens a channel, with a protocol in the sense of WebRTC or an empty one.
    pub fn open(&mut self, label: &str, protocol: &str) -> Result<ChannelId, NotSent> {
        if label.contains('\0') || protocol.contains('\0') {
            return Err(NotSent::BadLabel);
        }
        let name = if protocol.is_empty() { label.to_owned() } else { format!("{label}\0{protocol}") };
        if name.len() > LABEL_BYTES {
            return Err(NotSent::TooLarge);
        }
        if self.pipes.len() > CHANNELS_MAX || self.spent {
            return Err(NotSent::Full);
        }
        let number = self.next;
        (self.next, self.spent) = number.overflowing_add(2);
        self.pipes.entry(number).or_default().put(OPEN, name.into_bytes());
        Ok(ChannelId(number))
    }

    /// Sends a message when its turn comes.
    pub fn send(&mut self, channel: ChannelId, message: Message) -> Result<(), NotSent> {
        let pipe = self.pipes.get_mut(&channel.0).filter(|pipe| !pipe.closing).ok_or(NotSent::Closed)?;
        let (kind, body) = match message {
            Message::Text(text) => (TEXT, text.into_bytes()),
            Message::Bytes(bytes) => (BYTES, bytes),
        };
        if body.len() > MESSAGE_BYTES {
            return Err(NotSent::TooLarge);
        }
        if pipe.bytes + body.len() > WAITING_BYTES {
            return Err(NotSent::Full);
        }
        pipe.put(kind, body);
        Ok(())
    }

    /// Closes a channel, after what was sent. The main one ends with its connection.
    pub fn close(&mut self, channel: ChannelId) {
        if let Some(pipe) = self.pipes.get_mut(&channel.0).filter(|pipe| !pipe.closing && channel.0 != 0) {
            pipe.closing = true;
            pipe.put(CLOSE, Vec::new());
        }
    }

    /// Bytes that wait to be sent on a channel.
    pub fn waiting(&self, channel: ChannelId) -> usize {
        self.pipes.get(&channel.0).map_or(0, |pipe| pipe.bytes)
    }

    /// The next record, of each channel in turn.
    pub fn pull(&mut self) -> Option<Vec<u8>> {
        let begun = self.pipes.values().filter(|pipe| pipe.waiting.front().is_some_and(|first| first.at > 0)).count();
        let may = |pipe: &Pipe| {
            let small = |first: &Waiting| first.body.len() <= BODY_BYTES || begun < UNFINISHED_MAX;
            pipe.waiting.front().is_some_and(|first| first.at > 0 || small(first))
        };
        let mut ready = self.pipes.iter().filter(|(_, pipe)| may(pipe)).map(|(number, _)| *number);
        let first = ready.next()?;
        let number = Some(first).into_iter().chain(ready).find(|number| *number > self.turn).unwrap_or(first);
        self.turn = number;
        let pipe = self.pipes.get_mut(&number)?;
        let item = pipe.waiting.front_mut()?;
        let end = item.body.len().min(item.at + BODY_BYTES);
        let (is_last, kind) = (end == item.body.len(), item.kind);
        let body = item.body.get(item.at..end)?;
        let mut record = Vec::with_capacity(HEADER_BYTES + body.len());
        record.push(if is_last { kind } else { kind - 1 });
        record.extend(number.to_be_bytes());
        record.extend((body.len() as u16).to_be_bytes());
        record.extend(body);
        pipe.bytes -= body.len();
        item.at = end;
        if is_last {
            pipe.waiting.pop_front();
            if kind == CLOSE {
                self.pipes.remove(&number);
            }
        }
        Some(record)
    }

    /// Takes what came of the other's stream.
    pub fn take(&mut self, bytes: &[u8], told: &mut Vec<Told>) -> Result<(), Broken> {
        self.rest.extend(bytes);
        let all = std::mem::take(&mut self.rest);
        let mut left = all.as_slice();
        while let Some(([kind, number @ .., length_1, length_2], rest)) = left.split_first_chunk::<HEADER_BYTES>() {
            let length = usize::from(u16::from_be_bytes([*length_1, *length_2]));
            if length > BODY_BYTES {
                return Err(Broken("a record is too long"));
            }
            let Some((body, rest)) = rest.split_at_checked(length) else { break };
            let [number_1, number_2] = number;
            self.record(*kind, u16::from_be_bytes([*number_1, *number_2]), body, told)?;
            left = rest;
        }
        self.rest = left.to_vec();
        Ok(())
    }

    fn record(&mut self, kind: u8, number: u16, body: &[u8], told: &mut Vec<Told>) -> Result<(), Broken> {
        let channel = ChannelId(number);
        if kind == OPEN {
            let name = self.opened(number, body)?;
            let (label, protocol) = name.split_once('\0').unwrap_or((&name, ""));
            let [label, protocol] = [label, protocol].map(str::to_owned);
            told.push(Told::Open { channel, label, protocol });
            return Ok(());
        }
        let unfinished = self.pipes.values().filter(|pipe| !pipe.parts.is_empty()).count();
        let Some(pipe) = self.pipes.get_mut(&number).filter(|_| (CLOSE..=BYTES).contains(&kind)) else { return Ok(()) };
        if kind == CLOSE {
            if number == 0 {
                return Err(Broken("the main channel cannot be closed"));
            }
            self.pipes.remove(&number);
            told.push(Told::Close(channel));
            return Ok(());
        }
        if pipe.parts.len() + body.len() > MESSAGE_BYTES {
            return Err(Broken("a message is too large"));
        }
        if matches!(kind, TEXT_PART | BYTES_PART) {
            if body.is_empty() {
                return Err(Broken("a part of a message is empty"));
            }
            if pipe.parts.is_empty() && unfinished >= UNFINISHED_MAX {
                return Err(Broken("too many messages are unfinished"));
            }
            pipe.parts.extend(body);
            return Ok(());
        }
        let mut whole = std::mem::take(&mut pipe.parts);
        whole.extend(body);
        let message = if kind == TEXT { Message::Text(text(whole)?) } else { Message::Bytes(whole) };
        told.push(Told::Message { channel, message });
        Ok(())
    }

    fn opened(&mut self, number: u16, label: &[u8]) -> Result<String, Broken> {
        let is_theirs = number != 0 && (number % 2 == 1) == self.hails && self.theirs.is_none_or(|last| number > last);
        if !is_theirs || label.len() > LABEL_BYTES {
            return Err(Broken("a channel cannot be opened so"));
        }
        self.theirs = Some(number);
        if self.pipes.len() > CHANNELS_MAX {
            return Err(Broken("there are too many channels"));
        }
        let name = text(label.to_vec())?;
        self.pipes.insert(number, Pipe::default());
        Ok(name)
    }
}

impl Pipe {
    fn put(&mut self, kind: u8, body: Vec<u8>) {
        self.bytes += body.len();
        self.waiting.push_back(Waiting { kind, body, at: 0 });
    }
}

fn text(bytes: Vec<u8>) -> Result<String, Broken> {
    String::from_utf8(bytes).map_err(|_| Broken("a text is not UTF-8"))
}
