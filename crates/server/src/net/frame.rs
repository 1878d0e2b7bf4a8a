//! RFC 6455 frames without any input or output: bytes in, messages out.
//!
//! [`Decoder`] reads what a client sends. A whole frame is unmasked where it lies and handed out
//! without a copy; only a frame or message that is not yet complete holds memory, and gives it
//! back as soon as it has been handed out. [`put_frame`] and [`put_close`] write what a server
//! sends. Which closing codes may be sent is tungstenite's to know; headers, of which every message
//! has one, are read and written here. Sockets, deadlines and queues live next door (`task`, `outbox`).

use tungstenite::protocol::frame::coding::CloseCode;

/// What a client may send at most.
#[derive(Clone, Copy, Debug)]
pub struct MessageLimits {
    /// Bytes of one message, all its fragments together.
    pub bytes: usize,
    /// Frames that one message may be split into.
    pub fragments: u32,
}

/// Something a client said, complete and checked.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// A ping, to be answered with a pong of the same payload.
    Ping(&'a [u8]),
    /// A pong, asked for or not.
    Pong(&'a [u8]),
    /// The closing frame, with its code if it carried one.
    Close(Option<u16>),
}

/// How a client broke the rules of the WebSocket protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Violation {
    /// A frame without a mask.
    #[error("frame from a client without a mask")]
    Unmasked,
    /// A reserved bit is set although no extension was agreed.
    #[error("reserved bit without an extension")]
    ReservedBit,
    /// An opcode that RFC 6455 does not define.
    #[error("unknown opcode")]
    UnknownOpcode,
    /// A control frame that is fragmented or longer than 125 bytes.
    #[error("control frame fragmented or too long")]
    BadControl,
    /// A continuation without a beginning, or a beginning inside an unfinished message.
    #[error("continuation without a beginning or the reverse")]
    BadContinuation,
    /// A closing frame with one byte, or a code that may not be sent.
    #[error("malformed closing frame")]
    BadClose,
    /// Text, or the reason of a closing frame, that is not UTF-8.
    #[error("text is not UTF-8")]
    BadUtf8,
    /// A message longer than the limit.
    #[error("message too big")]
    TooBig,
    /// A message in more fragments than the limit.
    #[error("too many fragments")]
    TooManyFragments,
}

impl Violation {
    /// The code of the closing frame that answers it.
    pub fn close_code(self) -> u16 {
        match self {
            Self::BadUtf8 => CloseCode::Invalid.into(),
            Self::TooBig | Self::TooManyFragments => CloseCode::Size.into(),
            _ => CloseCode::Protocol.into(),
        }
    }

    /// A short stable word for metrics.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Unmasked => "unmasked",
            Self::ReservedBit => "reserved_bit",
            Self::UnknownOpcode => "opcode",
            Self::BadControl => "control",
            Self::BadContinuation => "continuation",
            Self::BadClose => "close",
            Self::BadUtf8 => "utf8",
            Self::TooBig => "too_big",
            Self::TooManyFragments => "fragments",
        }
    }
}

/// What one call of [`Decoder::next`] did.
#[derive(Debug)]
pub struct Step<'a> {
    /// Bytes taken from the front of the input.
    pub used: usize,
    /// What they completed; `None` means that all input is used and more is needed.
    pub event: Option<Event<'a>>,
}

/// Turns a client's bytes into [`Event`]s; one machine word while nothing is unfinished.
#[derive(Debug, Default)]
pub struct Decoder {
    unfinished: Option<Box<Unfinished>>,
}

impl Decoder {
    /// Reads on at the front of `input` (which it unmasks in place) up to the next event.
    ///
    /// Call it with the rest of the input until it asks for more. After a violation the stream
    /// has no meaning any more and the decoder must not be used again.
    pub fn next<'a>(&'a mut self, input: &'a mut [u8], limits: MessageLimits) -> Result<Step<'a>, Violation> {
        if self.unfinished.as_mut().is_some_and(|u| u.settle()) {
            self.unfinished = None;
        }
        if input.is_empty() {
            return Ok(Step { used: 0, event: None });
        }
        if self.unfinished.is_some() {
            return self.unfinished.get_or_insert_default().next(input, limits);
        }
        if let Some((frame, header)) = Frame::parse(input)? {
            frame.check(None, 0, limits)?;
            let end = header.saturating_add(frame.left);
            if end <= input.len() && frame.is_whole_message() {
                let payload = &mut input[header..end];
                unmask(payload, frame.mask, 0);
                return Ok(Step { used: end, event: Some(frame.opcode.event(payload)?) });
            }
        }
        self.unfinished.get_or_insert_default().next(input, limits)
    }

    /// Whether a frame or message has begun and is not complete.
    pub fn is_mid_message(&self) -> bool {
        self.unfinished.as_ref().is_some_and(|u| !u.is_settled())
    }

    /// Gives back the memory of what the last [`Decoder::next`] handed out.
    pub fn settle(&mut self) {
        if self.unfinished.as_mut().is_some_and(|u| u.settle()) {
            self.unfinished = None;
        }
    }

    /// Heap bytes held for what is unfinished.
    pub fn held_bytes(&self) -> usize {
        self.unfinished.as_ref().map_or(0, |u| size_of::<Unfinished>() + u.data.capacity() + u.control.capacity())
    }
}

/// Appends a whole, final server frame.
pub fn put_frame(out: &mut Vec<u8>, kind: Kind, payload: &[u8]) {
    put_header(out, kind.opcode(), payload.len());
    out.extend_from_slice(payload);
}

/// Appends a closing frame; a reason that does not fit into a control frame is cut at a character.
pub fn put_close(out: &mut Vec<u8>, code: Option<u16>, reason: &str) {
    let Some(code) = code else {
        return put_header(out, CLOSE, 0);
    };
    let reason = &reason[..reason.floor_char_boundary(MAX_CONTROL - 2)];
    put_header(out, CLOSE, 2 + reason.len());
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

/// The bytes that a frame of such a payload takes on the wire of a server.
pub fn frame_len(payload: usize) -> usize {
    let header = match payload {
        0..=MAX_CONTROL => 2,
        126..=0xffff => 4,
        _ => 10,
    };
    header + payload
}

/// The length on the wire of the server frame at the front of `bytes`, if its header is there.
pub fn first_frame_len(bytes: &[u8]) -> Option<usize> {
    let (&[_, second], rest) = bytes.split_first_chunk()?;
    let (payload, rest) = payload_len(second, rest)?;
    (bytes.len() - rest.len()).checked_add(usize::try_from(payload).ok()?)
}

/// The kinds of frame that a server sends with a payload of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text message.
    Text,
    /// A binary message.
    Binary,
    /// A ping.
    Ping,
    /// A pong.
    Pong,
}

/// Removes (or puts on) a mask; `offset` bytes of the payload came before `bytes`.
pub fn unmask(bytes: &mut [u8], mask: [u8; 4], offset: usize) {
    let m: [u8; 4] = std::array::from_fn(|i| mask[(offset + i) & 3]);
    let word = u64::from_ne_bytes([m[0], m[1], m[2], m[3], m[0], m[1], m[2], m[3]]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for chunk in words {
        *chunk = (u64::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(m.iter().cycle()) {
        *byte ^= key;
    }
}

const MAX_CONTROL: usize = 125;
/// Two bytes, eight of length, four of mask.
const MAX_HEADER: usize = 14;

/// The bit of a last fragment, and those that only an extension may set.
const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
/// The bit of a masked payload, before its length.
const MASKED: u8 = 0x80;
const CLOSE: u8 = 8;

impl Kind {
    fn opcode(self) -> u8 {
        match self {
            Self::Text => 1,
            Self::Binary => 2,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }
}

fn put_header(out: &mut Vec<u8>, opcode: u8, payload: usize) {
    out.reserve(MAX_HEADER + payload);
    let first = FINAL | opcode;
    match (u8::try_from(payload), u16::try_from(payload)) {
        (Ok(short @ 0..126), _) => out.extend_from_slice(&[first, short]),
        (_, Ok(payload)) => {
            let [high, low] = payload.to_be_bytes();
            out.extend_from_slice(&[first, 126, high, low]);
        }
        _ => {
            out.extend_from_slice(&[first, 127]);
            out.extend_from_slice(&(payload as u64).to_be_bytes());
        }
    }
}

/// The length of a payload, from a header's second byte and what follows it; and what follows the length. `None`: more is needed.
fn payload_len(second: u8, rest: &[u8]) -> Option<(u64, &[u8])> {
    match second & !MASKED {
        126 => rest.split_first_chunk().map(|(length, rest)| (u16::from_be_bytes(*length).into(), rest)),
        127 => rest.split_first_chunk().map(|(length, rest)| (u64::from_be_bytes(*length), rest)),
        short => Some((short.into(), rest)),
    }
}

/// The opcodes that pass the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Incoming {
    Continue,
    Text,
    Binary,
    Ping,
    Pong,
    Close,
}

impl Incoming {
    fn of(opcode: u8) -> Option<Self> {
        Some(match opcode {
            0 => Self::Continue,
            1 => Self::Text,
            2 => Self::Binary,
            CLOSE => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    fn is_control(self) -> bool {
        matches!(self, Self::Ping | Self::Pong | Self::Close)
    }

    fn event(self, payload: &[u8]) -> Result<Event<'_>, Violation> {
        Ok(match self {
            Self::Text => Event::Text(simdutf8::basic::from_utf8(payload).map_err(|_| Violation::BadUtf8)?),
            Self::Continue | Self::Binary => Event::Binary(payload),
            Self::Ping => Event::Ping(payload),
            Self::Pong => Event::Pong(payload),
            Self::Close => Event::Close(close_code(payload)?),
        })
    }
}

fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(Violation::BadClose) };
    };
    let code = u16::from_be_bytes(*code);
    if !CloseCode::from(code).is_allowed() {
        return Err(Violation::BadClose);
    }
    simdutf8::basic::from_utf8(reason).map_err(|_| Violation::BadUtf8)?;
    Ok(Some(code))
}

/// A frame whose header has been read.
#[derive(Clone, Copy, Debug)]
struct Frame {
    opcode: Incoming,
    last: bool,
    mask: [u8; 4],
    /// Payload bytes still to come.
    left: usize,
    /// Payload bytes that came.
    taken: usize,
}

impl Frame {
    /// The frame at the front of `bytes` and the length of its header, if all of that is there.
    fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Violation> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk() else { return Ok(None) };
        let opcode = Incoming::of(first & !(FINAL | RESERVED)).ok_or(Violation::UnknownOpcode)?;
        if first & RESERVED != 0 {
            return Err(Violation::ReservedBit);
        }
        if second & MASKED == 0 {
            return Err(Violation::Unmasked);
        }
        let Some((length, rest)) = payload_len(second, rest) else { return Ok(None) };
        let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
        let left = usize::try_from(length).map_err(|_| Violation::TooBig)?;
        let frame = Self { opcode, last: first & FINAL != 0, mask: *mask, left, taken: 0 };
        Ok(Some((frame, bytes.len() - rest.len())))
    }

    /// Whether the frame may stand here: inside the message begun before, if any.
    fn check(&self, begun: Option<&Begun>, held: usize, limits: MessageLimits) -> Result<(), Violation> {
        if self.opcode.is_control() {
            return if self.last && self.left <= MAX_CONTROL { Ok(()) } else { Err(Violation::BadControl) };
        }
        if (self.opcode == Incoming::Continue) != begun.is_some() {
            return Err(Violation::BadContinuation);
        }
        if self.left > limits.bytes.saturating_sub(held) {
            return Err(Violation::TooBig);
        }
        if begun.is_some_and(|b| b.fragments >= limits.fragments) {
            return Err(Violation::TooManyFragments);
        }
        Ok(())
    }

    fn is_whole_message(&self) -> bool {
        self.last && self.opcode != Incoming::Continue
    }
}

/// A message whose first frame has come.
#[derive(Debug)]
struct Begun {
    opcode: Incoming,
    fragments: u32,
    /// How far `data` is known to be UTF-8.
    checked: usize,
}

/// What is held between two reads.
#[derive(Debug, Default)]
struct Unfinished {
    header: [u8; MAX_HEADER],
    header_len: u8,
    frame: Option<Frame>,
    begun: Option<Begun>,
    data: Vec<u8>,
    control: Vec<u8>,
    /// What was handed out and may be forgotten at the next call.
    handed_out: Option<Incoming>,
}

impl Unfinished {
    fn next<'a>(&'a mut self, input: &mut [u8], limits: MessageLimits) -> Result<Step<'a>, Violation> {
        let mut used = 0;
        loop {
            let Some(mut frame) = self.frame else {
                used += self.read_header(&input[used..], limits)?;
                if self.frame.is_none() {
                    return Ok(Step { used, event: None });
                }
                continue;
            };
            let n = frame.left.min(input.len() - used);
            let payload = &mut input[used..used + n];
            unmask(payload, frame.mask, frame.taken);
            frame.left -= n;
            frame.taken += n;
            used += n;
            if frame.opcode.is_control() {
                self.control.extend_from_slice(payload);
            } else {
                self.data.extend_from_slice(payload);
                self.check_text()?;
            }
            if frame.left > 0 {
                self.frame = Some(frame);
                return Ok(Step { used, event: None });
            }
            self.frame = None;
            if frame.opcode.is_control() {
                self.handed_out = Some(frame.opcode);
                let event = Some(frame.opcode.event(&self.control)?);
                return Ok(Step { used, event });
            }
            if frame.last
                && let Some(begun) = self.begun.take()
            {
                self.handed_out = Some(begun.opcode);
                let event = Some(begun.opcode.event(&self.data)?);
                return Ok(Step { used, event });
            }
        }
    }

    /// Takes header bytes; sets `frame` once the header is complete and allowed.
    fn read_header(&mut self, input: &[u8], limits: MessageLimits) -> Result<usize, Violation> {
        let held = usize::from(self.header_len);
        let n = input.len().min(MAX_HEADER - held);
        self.header[held..held + n].copy_from_slice(&input[..n]);
        let Some((frame, header)) = Frame::parse(&self.header[..held + n])? else {
            self.header_len = (held + n) as u8;
            return Ok(n);
        };
        frame.check(self.begun.as_ref(), self.data.len(), limits)?;
        if !frame.opcode.is_control() {
            let begun = self.begun.get_or_insert(Begun { opcode: frame.opcode, fragments: 0, checked: 0 });
            begun.fragments += 1;
        }
        self.header_len = 0;
        self.frame = Some(frame);
        Ok(header - held)
    }

    /// Fails as soon as the text so far cannot become UTF-8 any more.
    fn check_text(&mut self) -> Result<(), Violation> {
        let Some(begun) = self.begun.as_mut().filter(|b| b.opcode == Incoming::Text) else {
            return Ok(());
        };
        match simdutf8::compat::from_utf8(&self.data[begun.checked..]) {
            Ok(text) => begun.checked += text.len(),
            Err(error) if error.error_len().is_none() => begun.checked += error.valid_up_to(),
            Err(_) => return Err(Violation::BadUtf8),
        }
        Ok(())
    }

    /// Forgets what was handed out; true if nothing is left to remember.
    fn settle(&mut self) -> bool {
        match self.handed_out.take() {
            Some(opcode) if opcode.is_control() => self.control = Vec::new(),
            Some(_) => self.data = Vec::new(),
            None => {}
        }
        self.is_settled()
    }

    fn is_settled(&self) -> bool {
        self.header_len == 0 && self.frame.is_none() && self.begun.is_none()
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
